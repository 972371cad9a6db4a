package shipping

// Status is where a shipment stands, in the words of the public API.
type Status string

// The statuses, in the order in which a shipment usually meets them.
const (
	RequestReceived    Status = "REQUEST_RECEIVED"
	PendingDispatch    Status = "PENDING_DISPATCH"
	PendingRelease     Status = "PENDING_RELEASE"
	PendingAutoRetry   Status = "PENDING_AUTORETRY"
	EstimatesReceived  Status = "ESTIMATES_RECEIVED"
	EstimatesFailed    Status = "ESTIMATES_FAILED"
	OrderDispatched    Status = "ORDER_DISPATCHED"
	Staged             Status = "STAGED"
	OrderFailed        Status = "ORDER_FAILED"
	OrderAssigned      Status = "ORDER_ASSIGNED"
	OrderUnassigned    Status = "ORDER_UNASSIGNED"
	PickupStarted      Status = "PICKUP_STARTED"
	PickupCompleted    Status = "PICKUP_COMPLETED"
	InTransit          Status = "IN_TRANSIT"
	OutForDelivery     Status = "OUT_FOR_DELIVERY"
	OrderAtLocation    Status = "ORDER_AT_LOCATION"
	OrderDelivered     Status = "ORDER_DELIVERED"
	OrderDelayed       Status = "ORDER_DELAYED"
	OrderRedelivery    Status = "ORDER_REDELIVERY"
	OrderUndeliverable Status = "ORDER_UNDELIVERABLE"
	ErrorException     Status = "ERROR_EXCEPTION"
	OrderCancelled     Status = "ORDER_CANCELLED"
)

// Statuses lists every status.
var Statuses = []Status{
	RequestReceived, PendingDispatch, PendingRelease, PendingAutoRetry, EstimatesReceived, EstimatesFailed, OrderDispatched, Staged,
	OrderFailed, OrderAssigned, OrderUnassigned, PickupStarted, PickupCompleted, InTransit, OutForDelivery, OrderAtLocation,
	OrderDelivered, OrderDelayed, OrderRedelivery, OrderUndeliverable, ErrorException, OrderCancelled,
}

// CancelledByMerchant is the code of the reason of an ORDER_CANCELLED which says that the merchant itself has had the booking cancelled, at
// the carrier's desk or by its interface, whoever has asked for that. A carrier that gives a booking up tells any other reason, or none: such
// an order may be booked anew, and one that its merchant has cancelled never is.
const CancelledByMerchant = "CANCELLED_BY_MERCHANT"

// EventReason says why something happened, in a code, a title for people and the carrier's own words.
type EventReason struct {
	Code  string `json:"code"`
	Title string `json:"title"`
	Note  string `json:"note"`
}

// TrackingEvent is one thing that a carrier says about a parcel or delivery. Status is "" where the carrier's code has no
// meaning that we know; the raw words are kept all the same.
type TrackingEvent struct {
	Time      Instant `json:"time"`
	ZoneKnown bool    `json:"zoneKnown"` // false: the carrier gave a local time without a zone
	// CarrierTime is Time as the carrier's own clock showed it, in one of the shapes that ParseCarrierTime reads; "" where the carrier
	// told a moment and no clock. It is for people to read, and Time alone decides what happened when.
	CarrierTime string `json:"carrierTime,omitempty"`

	CarrierCode  string       `json:"carrierCode"`
	CarrierWords string       `json:"carrierWords"`
	Status       Status       `json:"status,omitempty"`
	SubStatus    string       `json:"subStatus,omitempty"`
	Reason       *EventReason `json:"eventReason,omitempty"`

	City        string `json:"city,omitempty"`
	State       string `json:"state,omitempty"`
	PostalCode  string `json:"postalCode,omitempty"`
	CountryCode string `json:"countryCode,omitempty"`
}

// Driver is the courier who carries a delivery.
type Driver struct {
	Name  string `json:"name"`
	Phone string `json:"phone"`
	Photo string `json:"photo"`
}

// Vehicle is what the courier drives.
type Vehicle struct {
	Type   string `json:"type"`
	Color  string `json:"color"`
	Number string `json:"number"`
}

// Location is where a courier was last seen.
type Location struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	UpdatedAt Instant `json:"updatedAt"`
	IsManual  bool    `json:"isManual"`
}
