package carrier

import (
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Stop is one end of the way: where, whom to ask for, when, and what to tell the driver.
type Stop struct {
	Name         string // of the business: "WareHouse 301"
	Address      shipping.Address
	Contact      shipping.Contact // Phone is E.164
	Window       shipping.TimeWindow
	Instructions string
	Zone         string // IANA, of the place
}

// Consignment is what is to be carried: the same for quoting, booking and editing.
type Consignment struct {
	// Reference is ours: 26 characters [a-z0-9], unique over all tenants, derived from shipment, account and quote round.
	Reference string
	// ExternalID is the merchant's own order number, for labels and driver screens only.
	ExternalID string

	Pickup   Stop
	Delivery Stop
	Return   *Stop // where undeliverable orders go; nil where the merchant named no place

	Parcels            []shipping.Parcel // at least one, each with size and weight
	Items              []shipping.Item
	Content            []string // union over parcels: alcohol, lithium, …
	TemperatureControl string   // strictest over parcels: none, ambient, refrigerated, frozen
	OrderValue         shipping.Money
	Tip                shipping.Money
	Currency           string
	Signature          string // not_required, required, direct, adult
	Locale             string
	DistanceMetres     int64 // great-circle, pickup to delivery
}

// QuoteRequest asks for estimates.
type QuoteRequest struct {
	Consignment
	// Services narrows the question to these service ids; empty asks for all.
	Services []string
	// Usage is how much the account is in use, for adapters whose capacity the engine counts.
	Usage Usage
	// WayBack says that the buyer sends the parcels back: Pickup is where the buyer is, and what is quoted here is booked by
	// BookReturn, where the account has it. The quote must be what that booking costs.
	WayBack bool
}

// Usage counts an account's bookings: those open now, and those made today in the pickup location's zone. A booking that a carrier is
// being asked for counts as one.
type Usage struct {
	Open  int
	Today int
}

// QuoteAnswer is what a carrier would do, and what it would not.
type QuoteAnswer struct {
	Quotes   []shipping.Quote
	Refusals []shipping.Refusal
	// Capacity is how much the account may be in use at most; zero members are no bound. The engine keeps to it where many orders are
	// quoted at once, and asks again where another has taken the last place.
	Capacity Usage
}

// BookRequest buys one service for a consignment.
type BookRequest struct {
	Consignment
	ServiceID   string
	Token       []byte // of the quote that won
	Quoted      shipping.Money
	LabelFormat shipping.LabelFormat // "" for the carrier's default
}

// Booking is what a carrier has agreed to do.
type Booking struct {
	Reference  string // ours, where the carrier repeats it
	CarrierRef string // the carrier's own key of the booking, needed to cancel
	ServiceID  string
	TrackingID string // master number
	// TrackingURL is the carrier's own page, "" where there is none.
	TrackingURL string
	Parcels     []BookedParcel
	Amount      shipping.Money // what the carrier will charge
	Charges     []shipping.Charge
	Pickup      shipping.TimeWindow // estimated
	Delivery    shipping.TimeWindow // estimated
	BookedAt    shipping.Instant    // by the carrier's word; zero where it does not say
	Cancelled   bool                // Find: the booking is no longer live
	Warnings    []string
}

// BookedParcel is one parcel of a booking. Label is nil where the carrier has no labels, or where it must be fetched as a document.
type BookedParcel struct {
	Number string
	Label  *shipping.Label
}

// CancelRequest voids a booking.
type CancelRequest struct {
	Reference  string
	CarrierRef string
	TrackingID string
	ServiceID  string
	Reason     string
	// Status is where the engine last saw the order, for adapters that have no server to ask whether it is too late.
	Status shipping.Status
}

// Cancellation is the end of a booking at the carrier's.
type Cancellation struct {
	// Refund is what the carrier says that it gives back, which may be nothing of a known currency. It is the zero Money where the
	// carrier does not say: the booking is then taken to cost nothing any more, as with carriers that bill only what they carry.
	Refund shipping.Money
	Note   string
}

// FindRequest looks for bookings under a reference.
type FindRequest struct {
	Reference string
	// From and To bound the time in which the booking may have been made.
	From, To    time.Time
	LabelFormat shipping.LabelFormat
}

// TrackRequest asks for the events of many parcels.
type TrackRequest struct {
	Parcels []TrackedParcel
}

// TrackedParcel is one question of a TrackRequest.
type TrackedParcel struct {
	Number    string
	Reference string // ours; "" for parcels that Waybill did not book
}

// TrackUpdate is what is known of a parcel or delivery now. Zero members mean that the carrier said nothing about them.
type TrackUpdate struct {
	Number    string
	Reference string
	Unknown   bool // the carrier does not know the number (yet)

	Events         []shipping.TrackingEvent
	Pickup         shipping.TimeWindow // estimated
	Delivery       shipping.TimeWindow // estimated
	ActualPickup   shipping.Instant
	ActualDelivery shipping.Instant
	Driver         *shipping.Driver
	Vehicle        *shipping.Vehicle
	LastLocation   *shipping.Location
	TrackingURL    string
	SignedBy       string
	Proofs         []Proof
	Amount         shipping.Money // when the final charge is known
	Tip            shipping.Money // for the driver, by the carrier's word
}

// Proof is a picture or document that a carrier keeps for a delivery.
type Proof struct {
	Type        string // signature, photo, pickup_photo
	URL         string
	ContentType string
}

// Push is an HTTP request that a carrier sent to the engine.
type Push struct {
	Method string
	Path   string // below the account's push URL
	Query  string
	Header http.Header
	Body   []byte
}

// PushAnswer is what a push said, and how the carrier wants it acknowledged. Status 0 means 200.
type PushAnswer struct {
	Updates []TrackUpdate
	Status  int
	Body    []byte
}

// SubscribeRequest asks for pushes about parcels.
type SubscribeRequest struct {
	Numbers []string
	URL     string // the account's push URL
}

// PushSubscription is what the carrier will push.
type PushSubscription struct {
	Numbers []string         // those of the request that it has taken
	Until   shipping.Instant // it pushes no longer; zero for as long as there is news
}

// EditRequest changes a live booking to what Consignment says now. Only instructions, contacts and signature differ from
// what was booked.
type EditRequest struct {
	Consignment
	CarrierRef string
	ServiceID  string
}

// AddressRequest asks about one address.
type AddressRequest struct {
	Address shipping.Address
}

// AddressAnswer is the carrier's opinion: Verdict is valid, ambiguous or unknown.
type AddressAnswer struct {
	Verdict    string
	Type       string // residential, business, unknown
	Candidates []shipping.Address
}

// PickupRequest asks the carrier to come.
type PickupRequest struct {
	At      Stop
	Parcels int
	Weight  shipping.Weight
}

// Pickup is a collection that the carrier has agreed to.
type Pickup struct {
	Confirmation string
	Window       shipping.TimeWindow
	Amount       shipping.Money
}

// ManifestRequest closes the bookings named by their carrier references.
type ManifestRequest struct {
	CarrierRefs []string
}

// ManifestAnswer is the carrier's list of the day.
type ManifestAnswer struct {
	ID       string
	Document *shipping.Label
}

// DocumentRequest names a document of a booking.
type DocumentRequest struct {
	Reference   string
	CarrierRef  string
	Number      string // of the parcel
	LabelFormat shipping.LabelFormat
}
