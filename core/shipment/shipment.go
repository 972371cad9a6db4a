// Package shipment holds the words of one order on its way: the Shipment with its Order, its Attempts to have it carried, and
// its Changes of status. It decides which status may follow which, what may be edited when, and what each event does to the
// present. It is pure: no store, no clock, no carrier.
package shipment

import (
	"slices"
	"time"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Schema is the version of the stored form of a Shipment. Every version ever written can be read for ever.
const Schema = 1

// ID names a shipment: 24 lower-case hex characters, unique over all tenants.
type ID string

// Shipment is one order and all that was done to have it carried. It is one document, written whole under a revision.
type Shipment struct {
	Schema   int    `json:"schema"`
	ID       ID     `json:"id"`
	Tenant   string `json:"tenant"`
	Revision int64  `json:"revision"` // counts commits; the store refuses a write that expects another

	Order    Order    `json:"order"`
	Pickup   Place    `json:"pickup"`   // the location, as it was when the order came
	Delivery Geo      `json:"delivery"` // where the delivery address was placed
	Return   *Place   `json:"return,omitempty"`
	Currency string   `json:"currency"`
	Brand    string   `json:"brand"`
	Distance int64    `json:"distance"` // metres, great-circle
	Accounts []string `json:"accounts"` // assigned to the location when the order came

	// PickupTime and DeliveryTime are the windows in force: what was asked, or the instants chosen where nothing was.
	PickupTime   shipping.TimeWindow `json:"pickupTime"`
	DeliveryTime shipping.TimeWindow `json:"deliveryTime"`

	Status    shipping.Status `json:"status"`
	SubStatus string          `json:"subStatus,omitempty"`
	Round     int             `json:"round"` // quote rounds so far; part of every reference
	Retries   int             `json:"retries,omitempty"`
	RetryAt   time.Time       `json:"retryAt,omitzero"` // when it is tried again, at PENDING_AUTO_RETRY
	Attempts  []Attempt       `json:"attempts,omitempty"`
	Failure   *Failure        `json:"failure,omitempty"` // why the shipment stands at ESTIMATES_FAILED or ORDER_FAILED
	Warnings  []Warning       `json:"warnings,omitempty"`
	Progress  Progress        `json:"progress"`
	Cancel    *CancelRequest  `json:"cancel,omitempty"` // asked for and not yet done
	Changes   int             `json:"changes"`          // status changes so far; the next Change's Seq
	// Hold is the rule that holds the order now, or held it last; nil where none did since the order was last changed.
	Hold *Hold `json:"hold,omitempty"`
	// Released are rules that may not hold the order again: a person has said so. Waited are rules whose time the order has waited out.
	// An edit that carriers would have to know begins anew.
	Released []string  `json:"released,omitempty"`
	Waited   []string  `json:"waited,omitempty"`
	ReturnOf *ReturnOf `json:"returnOf,omitempty"` // what it brings back; nil of a way there
	Returns  []ID      `json:"returns,omitempty"`  // the shipments that bring it back, oldest first

	// Rules is the version of the rules that the order stays on while it is tried again; "" for the present ones.
	Rules string `json:"rules,omitempty"`
	// Fallback is how far a fallback rule has come; nil where none is at work.
	Fallback *Fallback `json:"fallback,omitempty"`
	// Offers are what carriers have offered and is not booked, where a fallback rule may book it without asking anew; nil where none may.
	Offers *Offers `json:"offers,omitempty"`

	CreatedBy string    `json:"createdBy"` // name of the key
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	ErasedAt  time.Time `json:"erasedAt,omitzero"` // when what tells of people was erased
}

// Order is what the merchant asked for, as it came and as it was edited.
type Order struct {
	ExternalID  string           `json:"orderExternalId"`
	LocationID  string           `json:"locationExternalId"`
	GroupID     *string          `json:"groupId"`
	BrandID     string           `json:"brandExternalId,omitempty"`
	Locale      *string          `json:"locale,omitzero"`
	Signature   *string          `json:"signature,omitzero"`
	Currency    string           `json:"currencyCode,omitempty"` // of the order's own money; else the location's, else the tenant's
	CreatedDate shipping.Instant `json:"createdDate"`

	Value shipping.Decimal `json:"orderValue"`
	Tips  shipping.Decimal `json:"tips"`

	DeliveryContact      shipping.Contact    `json:"deliveryContact"`
	DeliveryAddress      shipping.Address    `json:"deliveryAddress"`
	DeliveryInstructions *string             `json:"deliveryInstructions"`
	PickupInstructions   *string             `json:"pickupInstructions"`
	PickupTime           shipping.TimeWindow `json:"pickupTime"`   // as asked
	DeliveryTime         shipping.TimeWindow `json:"deliveryTime"` // as asked

	Packages []shipping.Parcel `json:"packages"`
	Plural   bool              `json:"plural,omitempty"` // the caller spoke of packages[], not of one package
	Items    []shipping.Item   `json:"itemList"`

	Attributes map[string]any     `json:"orderAttributes"`
	Proposed   []ProposedProvider `json:"proposedProviders"`
	DispatchAt shipping.Instant   `json:"dispatchAt,omitzero"` // scheduled: not before
}

// ProposedProvider narrows who is asked: a provider by id, name or display name, and some of its services.
type ProposedProvider struct {
	Name     string            `json:"name"`
	Services []ProposedService `json:"services,omitempty"`
}

// ProposedService is one service of a ProposedProvider.
type ProposedService struct {
	ID string `json:"id"`
}

// Wish is an order with all that follows from it and from the configuration, as it is put into a Shipment at once.
type Wish struct {
	Order        Order               `json:"order"`
	Pickup       Place               `json:"pickup"`
	Delivery     Geo                 `json:"delivery"`
	Return       *Place              `json:"return,omitempty"`
	Currency     string              `json:"currency"`
	Brand        string              `json:"brand"`
	Distance     int64               `json:"distance"`
	Accounts     []string            `json:"accounts"`
	PickupTime   shipping.TimeWindow `json:"pickupTime"`
	DeliveryTime shipping.TimeWindow `json:"deliveryTime"`
	Warnings     []Warning           `json:"warnings,omitempty"`
}

// Wish returns what the shipment is asked to be now.
func (s *Shipment) Wish() *Wish {
	return &Wish{Order: s.Order, Pickup: s.Pickup, Delivery: s.Delivery, Return: s.Return, Currency: s.Currency, Brand: s.Brand,
		Distance: s.Distance, Accounts: s.Accounts, PickupTime: s.PickupTime, DeliveryTime: s.DeliveryTime, Warnings: s.Warnings}
}

// Grant puts a wish into the shipment.
func (s *Shipment) Grant(w *Wish) {
	s.Order, s.Pickup, s.Delivery, s.Return, s.Currency, s.Brand = w.Order, w.Pickup, w.Delivery, w.Return, w.Currency, w.Brand
	s.Distance, s.Accounts, s.PickupTime, s.DeliveryTime, s.Warnings = w.Distance, w.Accounts, w.PickupTime, w.DeliveryTime, w.Warnings
}

// Geo is a point on the map and its time zone.
type Geo struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Zone      string  `json:"zone"` // IANA
}

// Place is a merchant's own place: a location or the place that undeliverable orders return to.
type Place struct {
	ID           string           `json:"id"`
	Name         string           `json:"name"`
	Address      shipping.Address `json:"address"`
	Contact      shipping.Contact `json:"contact"`
	Instructions string           `json:"instructions,omitempty"`
	Zone         string           `json:"zone"`
	Tags         []string         `json:"tags,omitempty"`
}

// Failure is why no carrier has the order, in the words of the API's error table.
type Failure struct {
	Type    string          `json:"type"` // NO_PROVIDER_MATCHED, PLACE_ORDER_FAILED, UNMAPPED_ERROR, …
	Message string          `json:"message"`
	Errors  []ProviderError `json:"errors,omitempty"`
}

// ProviderError is what one provider said when it could not do what was asked.
type ProviderError struct {
	Provider string `json:"provider"`
	Type     string `json:"type"`
	Code     string `json:"code,omitempty"` // the carrier's own
	Message  string `json:"message"`
}

// Warning is something that the caller should pass on to the end user.
type Warning struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Parameter string `json:"parameter,omitempty"`
	Provider  string `json:"provider,omitempty"`
}

// Progress is what is known of the delivery besides its status: from bookings, pushes, polls and people.
type Progress struct {
	EstimatedPickup   shipping.TimeWindow `json:"estimatedPickup"`
	EstimatedDelivery shipping.TimeWindow `json:"estimatedDelivery"`
	ActualPickup      shipping.Instant    `json:"actualPickup"`
	ActualDelivery    shipping.Instant    `json:"actualDelivery"`
	Driver            *shipping.Driver    `json:"driver,omitempty"`
	Vehicle           *shipping.Vehicle   `json:"vehicle,omitempty"`
	LastLocation      *shipping.Location  `json:"lastLocation,omitempty"`
	Tip               shipping.Money      `json:"tip,omitzero"` // by the carrier's word
	Proofs            []Attachment        `json:"proofs,omitempty"`
}

// Tips is what the driver gets beside the fee: by the carrier's word where it has told in the order's currency, else as the order asks.
func (p Progress) Tips(asked shipping.Decimal, currency string) shipping.Decimal {
	if p.Tip.IsZero() || p.Tip.Currency != currency {
		return asked
	}
	return p.Tip.Major()
}

// Same reports whether two tell the same, to the millisecond that instants are kept with. Proofs are only ever added, so as many are
// the same.
func (p Progress) Same(o Progress) bool {
	window := func(a, b shipping.TimeWindow) bool {
		return sameInstant(a.StartsAt, b.StartsAt) && sameInstant(a.EndsAt, b.EndsAt)
	}
	return window(p.EstimatedPickup, o.EstimatedPickup) && window(p.EstimatedDelivery, o.EstimatedDelivery) &&
		sameInstant(p.ActualPickup, o.ActualPickup) && sameInstant(p.ActualDelivery, o.ActualDelivery) &&
		equalValues(p.Driver, o.Driver) && equalValues(p.Vehicle, o.Vehicle) && sameLocation(p.LastLocation, o.LastLocation) &&
		p.Tip == o.Tip && len(p.Proofs) == len(o.Proofs)
}

func sameInstant(a, b shipping.Instant) bool { return a.UnixMilli() == b.UnixMilli() }

func sameLocation(a, b *shipping.Location) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Latitude == b.Latitude && a.Longitude == b.Longitude && a.IsManual == b.IsManual && sameInstant(a.UpdatedAt, b.UpdatedAt)
}

func equalValues[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// Attachment is a file that belongs to the shipment.
type Attachment struct {
	Type        string `json:"type"`
	URL         string `json:"url"`
	ContentType string `json:"contentType"`
}

// Hold is what a rule has put the order aside for. Until is the zero time where a person must release it.
type Hold struct {
	Rule   string    `json:"rule"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"`
}

// WaitedOut returns the hold rules whose time the order has waited out by now.
func (s *Shipment) WaitedOut(now time.Time) []string {
	if h := s.Hold; h != nil && !h.Until.IsZero() && !h.Until.After(now) && !slices.Contains(s.Waited, h.Rule) {
		return append(slices.Clone(s.Waited), h.Rule)
	}
	return s.Waited
}

// Unhold forgets what rules have said of holding the order and of trying it again: it is not the same order any more.
func (s *Shipment) Unhold() {
	s.Hold, s.Released, s.Waited, s.Rules, s.Fallback = nil, nil, nil, "", nil
}

// Fallback is how far a fallback rule has come with an order.
type Fallback struct {
	Rule   string         `json:"rule"`
	Event  string         `json:"event"`            // what has happened
	Step   int            `json:"step"`             // steps that are taken
	Tried  int            `json:"tried"`            // bookings that came to nothing
	Since  time.Time      `json:"since"`            // the first of them
	Fee    shipping.Money `json:"fee"`              // of the first, without what rules charge
	Failed []string       `json:"failed,omitempty"` // accounts that are not to be asked again
	Anew   bool           `json:"anew,omitempty"`   // it has waited, and begins again with the best
	Keeps  bool           `json:"keeps,omitempty"`  // the rule books by the offers that are kept and asks nobody anew
}

// Offers are what a round of asking has left: a carrier holds to its offer until it expires, whatever has become of another's booking.
// They end with the pickup, with the order, and with the next round of asking.
type Offers struct {
	At    time.Time `json:"at"`    // when the carriers were asked
	Asked string    `json:"asked"` // digest of what they were asked: of a changed order the offers say nothing
	// Kept are the offers in the order of the ranking, without those of the account that led it, which is booked.
	Kept []Offer `json:"kept,omitempty"`
}

// Offer is one quote, with what is needed to book it.
type Offer struct {
	Account   string         `json:"account"`
	Reference string         `json:"reference"` // under which the account was asked
	Quote     shipping.Quote `json:"quote"`
	MaxOpen   int            `json:"maxOpen,omitempty"`  // bookings that the account may have open, 0 for no bound
	MaxToday  int            `json:"maxToday,omitempty"` // bookings that it may make in a day, 0 for no bound
}

// Stale reports whether the carrier does not hold to an offer any more: it has expired, or the pickup that it promises should have been.
func (o *Offer) Stale(now time.Time) bool {
	pickup := o.Quote.Pickup.EndsAt
	if pickup.IsZero() {
		pickup = o.Quote.Pickup.StartsAt
	}
	return !o.Quote.Expires.IsZero() && !now.Before(o.Quote.Expires.Time) || !pickup.IsZero() && pickup.Before(now)
}

// CancelRequest is a cancellation that was asked for while its time had not come: a booking in flight, or the carrier's answer unknown.
type CancelRequest struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
	// Kept says that somebody was told that it is kept, who did not ask the carrier and hears of its answer nowhere but in the history.
	Kept bool `json:"kept,omitempty"`
}

// Change is one line of the status history. It is written once and never changed.
type Change struct {
	Seq       int                   `json:"seq"`
	Status    shipping.Status       `json:"status"`
	SubStatus string                `json:"subStatus,omitempty"`
	At        time.Time             `json:"at"`
	User      string                `json:"user"`            // name of the key, "system", or the provider's display name
	Actor     string                `json:"actor,omitempty"` // who wrote the note, of what was set by hand and where the key is not the person
	Note      string                `json:"note,omitempty"`  // carrier's code and words: CODE( words )
	Reason    *shipping.EventReason `json:"reason,omitempty"`
	Attempt   int                   `json:"attempt,omitempty"` // number of the attempt that it is about, 0 for none
	Late      bool                  `json:"late,omitempty"`    // entered history without moving the present
}
