package rules

import (
	"time"

	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Input is everything that rules may see of an order before it is quoted, as plain values without pointers: order, location and
// local time. It is recorded with the decision and never computed again. The JSON names are the names in expressions.
//
// There is nothing personal in it: no name, phone number, e-mail address or street, but in Recipient, which Prepare leaves empty unless the rules
// say env: { pii: true }; and Prepare keeps only those attributes that the rules declare.
type Input struct {
	Order    Order    `json:"order"`
	Location Location `json:"location"`
	Local    Local    `json:"local"`
	// Recipient is what is known of a person; empty unless the rules ask for it.
	Recipient Recipient `json:"recipient,omitzero"`
	// Quotas and Budgets are the counts that the bundle Needs, as they were at the moment of the decision.
	Quotas  []Quota  `json:"quotas,omitempty"`
	Budgets []Budget `json:"budgets,omitempty"`
	// Released are the rules that have held the order and that a person has overruled: hold rules, and guards on what they hold for.
	Released []string `json:"released,omitempty"`
	// Waited are the hold rules whose `for` the order has waited out.
	Waited []string `json:"waited,omitempty"`
	// Zones are those that were looked for.
	Zones []string `json:"zones,omitempty"`
}

// Order is `order` in expressions.
type Order struct {
	ID       string         `json:"id" expr:"id"` // the merchant's own number
	Total    shipping.Money `json:"total" expr:"total"`
	Subtotal shipping.Money `json:"subtotal" expr:"subtotal"` // over the items: sale price, else price, times quantity
	Tip      shipping.Money `json:"tip" expr:"tip"`

	Weight      unit.Weight   `json:"weight" expr:"weight"`             // of all parcels
	LongestSide unit.Length   `json:"longest_side" expr:"longest_side"` // of any parcel
	Girth       unit.Length   `json:"girth" expr:"girth"`               // the greatest of any parcel: twice the two shorter sides
	Volume      unit.Volume   `json:"volume" expr:"volume"`             // of all parcels
	Distance    unit.Distance `json:"distance" expr:"distance"`         // whole metres, great circle
	Parcels     int           `json:"parcel_count" expr:"parcel_count"`
	Quantity    int           `json:"quantity" expr:"quantity"` // of all items, else of all parcels
	Lines       int           `json:"line_count" expr:"line_count"`

	Items       []Item            `json:"items" expr:"items"`
	Content     []string          `json:"content" expr:"content"` // alcohol, lithium, …: words that services commonly know are in small letters, however the shop sends them
	Failed      []string          `json:"failed_providers" expr:"failed_providers"`
	CustomerID  string            `json:"customer_id,omitempty" expr:"customer_id"`   // from orderAttributes, as the five below; "" where the shop sends none
	Channel     string            `json:"channel,omitempty" expr:"channel"`           // where the order was placed, in the shop's words
	ServiceHint string            `json:"service_hint,omitempty" expr:"service_hint"` // the service that the customer asked for, in the shop's words
	Tags        []string          `json:"tags,omitempty" expr:"tags"`                 // sent as one text with commas
	Gift        bool              `json:"gift,omitempty" expr:"gift"`
	Paid        bool              `json:"paid,omitempty" expr:"paid"`
	Attributes  map[string]string `json:"attributes" expr:"attributes"`
	Group       string            `json:"group" expr:"group"`
	Temperature string            `json:"temperature" expr:"temperature"` // none, ambient, refrigerated, frozen: the strictest of any parcel
	Signature   string            `json:"signature" expr:"signature"`     // not_required, required, direct, adult
	Locale      string            `json:"locale" expr:"locale"`

	To   Place `json:"to" expr:"to"`
	From Place `json:"from" expr:"from"`

	Created    time.Time `json:"created" expr:"created"`       // the shop's own date; PlacedAt where it gave none
	PlacedAt   time.Time `json:"placed_at" expr:"placed_at"`   // when the order came to us
	ReadyAt    time.Time `json:"ready_at" expr:"ready_at"`     // start of the pickup window, else now and the location's time to prepare
	PromiseBy  time.Time `json:"promise_by" expr:"promise_by"` // end of the delivery window, year 9999 where there is none
	HasPromise bool      `json:"has_promise" expr:"has_promise"`
	ASAP       bool      `json:"asap" expr:"asap"`                    // neither window was given
	IsReturn   bool      `json:"is_return,omitzero" expr:"is_return"` // the way back: from the buyer to the merchant
}

// Recipient is `recipient` in expressions of rules that say env: { pii: true }: to whom the order goes.
type Recipient struct {
	Name   string `json:"name,omitempty" expr:"name"`     // only with env: { pii: true }
	Phone  string `json:"phone,omitempty" expr:"phone"`   // likewise, as the order gives it
	Email  string `json:"email,omitempty" expr:"email"`   // likewise
	Street string `json:"street,omitempty" expr:"street"` // likewise: the street line of the address, with the number
}

// Item is one of `order.items`. Price is per piece.
type Item struct {
	SKU      string         `json:"sku" expr:"sku"`
	Name     string         `json:"name" expr:"name"`
	Quantity int            `json:"quantity" expr:"quantity"`
	Price    shipping.Money `json:"price" expr:"price"`
	Weight   unit.Weight    `json:"weight" expr:"weight"` // of one piece
	Tags     []string       `json:"tags" expr:"tags"`
}

// Place is `order.to` and `order.from`.
type Place struct {
	Country    string `json:"country" expr:"country"` // ISO 3166-1 alpha-2, in capitals
	State      string `json:"state" expr:"state"`     // in capitals: the code of a state or province in the United States and Canada, however the shop sends it
	City       string `json:"city" expr:"city"`
	PostalCode string `json:"postal_code" expr:"postal_code"`
	HasUnit    bool   `json:"has_unit" expr:"has_unit"` // an apartment number or a second street line
	Type       string `json:"type" expr:"type"`         // residential, business, apartment, po_box, military, unknown
	Verified   string `json:"verified" expr:"verified"` // valid, ambiguous, unknown; unknown of every order as yet, since no address is checked before the rules decide
	// Zones is what within(…) asks: names of zones of the bundle, each with a mark of its shape in the record.
	Zones []string `json:"zones,omitempty" expr:"zones"`
}

// Location is `location`: where the order is picked up.
type Location struct {
	ID   string   `json:"id" expr:"id"`
	Tags []string `json:"tags" expr:"tags"`
	Zone string   `json:"zone" expr:"zone"` // IANA

	ClosedToday         bool      `json:"closed_today" expr:"closed_today"`
	NextOpening         time.Time `json:"next_opening" expr:"next_opening"`                   // now where the location keeps no hours
	NextBusinessMorning time.Time `json:"next_business_morning" expr:"next_business_morning"` // 08:00 of the next weekday where it keeps none
	CutoffMinute        int       `json:"cutoff_minute" expr:"cutoff_minute"`                 // minute of the day; 1440 where there is none

	Holidays      []string       `json:"holidays,omitempty" expr:"holidays"`            // days of the next year that it is closed: 2026-12-24
	Caps          map[string]int `json:"caps,omitempty" expr:"caps"`                    // bookings a day; 999999999 for a provider without a cap
	SubsidyBudget shipping.Money `json:"subsidy_budget,omitzero" expr:"subsidy_budget"` // for a day; 9999999999.99 where there is none
	Prep          time.Duration  `json:"prep,omitempty" expr:"prep"`                    // from the order until it can be picked up
}

// Local is `local`: the moment of the decision in the location's zone.
type Local struct {
	Now         time.Time `json:"now" expr:"now"`
	Date        string    `json:"date" expr:"date"`       // 2026-12-24
	Time        string    `json:"time" expr:"time"`       // 17:05
	Weekday     string    `json:"weekday" expr:"weekday"` // mon … sun
	Hour        int       `json:"hour" expr:"hour"`
	MinuteOfDay int       `json:"minute_of_day" expr:"minute_of_day"`
	IsHoliday   bool      `json:"is_holiday,omitempty" expr:"is_holiday"` // today is one of the location's holidays
}

// InputSource is what an Input is made from. The addresses, parcels, items and windows must have passed their Validate; amounts
// are read as major units of Currency.
type InputSource struct {
	ExternalID string
	Currency   string // ISO 4217
	Value      shipping.Decimal
	Tip        shipping.Decimal

	Parcels    []shipping.Parcel
	Items      []shipping.Item
	Delivery   shipping.Address
	Pickup     shipping.Address
	Verified   string // what an address check said of Delivery: valid, ambiguous; "" is unknown
	PickupTime shipping.TimeWindow
	DropTime   shipping.TimeWindow

	Recipient  Recipient
	Signature  string // "" is not_required
	Attributes map[string]string
	GroupID    string
	Locale     string
	Created    shipping.Instant // the shop's own date
	PlacedAt   time.Time
	// DistanceMetres is from pickup to delivery, great circle.
	DistanceMetres int64
	// Failed are the accounts that have already failed this order.
	Failed []string
	// IsReturn says that Pickup is the buyer's address and Delivery the merchant's.
	IsReturn bool

	Location LocationSource
	Now      time.Time

	// Quotas and Budgets are what was counted; see Bundle.Needs.
	Quotas  []Quota
	Budgets []Budget

	// Released and Waited name rules that hold the order no more; see Input.
	Released []string
	Waited   []string

	// Zones are those that were looked for (ZonesKnown), and of them those that the addresses lie in (ZonesAt).
	Zones, DeliveryZones, PickupZones []string
}

// LocationSource is what is known of the pickup location. Zero members mean that the location does not say.
type LocationSource struct {
	ID                  string
	Tags                []string
	Zone                *time.Location // nil is UTC
	ClosedToday         bool
	NextOpening         time.Time
	NextBusinessMorning time.Time
	CutoffMinute        int
	// Holidays are the days of the next year that the location is closed, 2026-12-24, today's included.
	Holidays []string
	// Caps bound the bookings of a day, by account.
	Caps map[string]int
	// SubsidyBudget is what a day's fees may come to; zero is no bound.
	SubsidyBudget shipping.Money
	// Prep is how long an order takes until it can be picked up.
	Prep time.Duration
}
