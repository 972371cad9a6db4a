// Package audit compares what the store believes with what the carriers say: for each order at most one live booking, for each booking
// one order that knows it, and the money equal on both sides. The exchange trace is the third witness, of attempts whose booking the
// store does not know. It is pure; whoever calls it brings both views, taken while nothing is
// under way: what is in flight between two looks is a difference too.
package audit

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Kind names a difference.
type Kind string

// The kinds.
const (
	Lost      Kind = "lost"      // the carrier holds a booking of an order that does not count on it: bought and forgotten
	Duplicate Kind = "duplicate" // the carriers hold more than one booking for an order
	Orphan    Kind = "orphan"    // the carrier holds a booking that no order has asked for
	Money     Kind = "money"     // the amounts differ
	Status    Kind = "status"    // the order counts on a booking that the carrier does not hold, or has no end
)

// Row is one difference.
type Row struct {
	Kind      Kind        `json:"kind"`
	Tenant    string      `json:"tenant,omitempty"`
	Order     string      `json:"order,omitempty"` // orderExternalId; "" for an orphan
	Shipment  shipment.ID `json:"shipment,omitempty"`
	Attempt   int         `json:"attempt,omitempty"`
	Carrier   string      `json:"carrier,omitempty"`   // the adapter
	Reference string      `json:"reference,omitempty"` // ours
	Entity    string      `json:"entity,omitempty"`    // the carrier's own number
	Detail    string      `json:"detail"`
	Mend      string      `json:"mend"` // the command that mends it, or what a person must do
}

// Claim is one booking as its carrier sees it.
type Claim struct {
	Carrier   string // the adapter
	Entity    string
	Reference string
	Live      bool // not cancelled; what was delivered is live
	// Charged is all that the carrier has asked for it, Refunded what it has given back, in minor units of Currency.
	Charged, Refunded int64
	Currency          string
	Unpriced          bool // the carrier does not say what it charges
}

// Order is what of a shipment is compared.
type Order struct {
	Tenant   string          `json:"tenant"`
	Shipment shipment.ID     `json:"shipment"`
	ID       string          `json:"order"`
	Status   shipping.Status `json:"status"`
	Attempts []Attempt       `json:"attempts,omitempty"`
}

// Attempt is what of an attempt is compared.
type Attempt struct {
	Number    int                   `json:"number"`
	Kind      shipment.Kind         `json:"kind"`
	Account   string                `json:"account"`
	Adapter   string                `json:"adapter"`
	Reference string                `json:"reference"`
	State     shipment.AttemptState `json:"state"`
	// IntendedAt is just before the carrier was asked.
	IntendedAt time.Time      `json:"intendedAt"`
	Needs      string         `json:"needs,omitempty"` // "attention" where a person must decide
	Entity     string         `json:"entity,omitempty"`
	Tracking   string         `json:"tracking,omitempty"` // number
	Amount     shipping.Money `json:"amount,omitzero"`
	Refund     shipping.Money `json:"refund,omitzero"` // without currency where the carrier has not said
	Witness    Witness        `json:"witness,omitempty"`
}

// OrderOf takes from a shipment what is compared.
func OrderOf(sh *shipment.Shipment) Order {
	o := Order{Tenant: sh.Tenant, Shipment: sh.ID, ID: sh.Order.ExternalID, Status: sh.Status}
	for i := range sh.Attempts {
		a := &sh.Attempts[i]
		x := Attempt{Number: a.Number, Kind: a.Kind, Account: a.Account, Adapter: a.Adapter, Reference: a.Reference, State: a.State, IntendedAt: a.IntendedAt, Refund: a.Refund}
		if a.Doubt != nil {
			x.Needs = a.Doubt.Needs
		}
		if a.Booking != nil {
			x.Entity, x.Tracking, x.Amount = a.Booking.CarrierRef, a.Booking.TrackingID, a.Booking.Amount
		}
		o.Attempts = append(o.Attempts, x)
	}
	return o
}

// Auditor compares orders, one after another, with the claims of the carriers.
type Auditor struct {
	untold   func(a Attempt) string
	claims   map[string][]Claim // by carrier and reference
	asked    map[string]bool
	rows     []Row
	orders   int
	compared int
	skipped  []Uncompared
}

// New returns an Auditor over all that the carriers claim. untold says why the claims tell nothing of an attempt, "" where they do.
func New(claims []Claim, untold func(a Attempt) string) *Auditor {
	u := &Auditor{untold: untold, claims: map[string][]Claim{}, asked: map[string]bool{}}
	for _, c := range claims {
		k := key(c.Carrier, c.Reference)
		u.claims[k] = append(u.claims[k], c)
	}
	return u
}

func key(carrier, reference string) string { return carrier + "\x00" + reference }

// Add compares one order.
func (u *Auditor) Add(o Order) {
	u.orders++
	live := map[shipment.Kind][]Claim{}
	// Attempts at several services of one account in one round have one reference: a booking is the one's that names it, else
	// the last one's.
	named, last := map[string]int{}, map[string]int{}
	for _, a := range o.Attempts {
		last[key(a.Adapter, a.Reference)] = a.Number
		if a.Entity != "" {
			named[key(a.Adapter, a.Entity)] = a.Number
		}
	}
	for _, a := range o.Attempts {
		if why := u.untold(a); why != "" {
			u.skipped = append(u.skipped, Uncompared{Tenant: o.Tenant, Order: o.ID, Attempt: a.Number, Carrier: a.Adapter, State: a.State, Reason: why})
			continue
		}
		u.compared++
		k := key(a.Adapter, a.Reference)
		u.asked[k] = true
		var claims []Claim
		for _, c := range u.claims[k] {
			if n := named[key(c.Carrier, c.Entity)]; n == a.Number || n == 0 && last[k] == a.Number {
				claims = append(claims, c)
			}
		}
		held := u.attempt(o, a, claims)
		live[a.Kind] = append(live[a.Kind], held...)
	}
	for _, kind := range []shipment.Kind{shipment.Forward, shipment.Return} {
		if held := live[kind]; len(held) > 1 {
			for _, spare := range held[1:] {
				u.row(Row{Kind: Duplicate, Tenant: o.Tenant, Order: o.ID, Shipment: o.Shipment, Carrier: spare.Carrier, Reference: spare.Reference, Entity: spare.Entity,
					Detail: fmt.Sprintf("%s holds %s beside %s of %s", spare.Carrier, spare.Entity, held[0].Entity, held[0].Carrier),
					Mend:   atCarrier(spare)})
			}
		}
	}
	// Held, scheduled and put off, an order may wait for long; in these two it is only while a process works on it.
	open := slices.ContainsFunc(o.Attempts, func(a Attempt) bool { return a.State == shipment.Intended || a.State == shipment.InDoubt })
	if (o.Status == shipping.RequestReceived || o.Status == shipping.EstimatesReceived) && !open {
		u.row(Row{Kind: Status, Tenant: o.Tenant, Order: o.ID, Shipment: o.Shipment, Detail: "the order stands at " + string(o.Status) + ", half way",
			Mend: "wait for the engine, or: waybill shipments cancel " + o.ID})
	}
}

// attempt compares one attempt with what its carrier claims, and returns the bookings that the carrier holds.
func (u *Auditor) attempt(o Order, a Attempt, claims []Claim) (held []Claim) {
	row := Row{Tenant: o.Tenant, Order: o.ID, Shipment: o.Shipment, Attempt: a.Number, Carrier: a.Adapter, Reference: a.Reference, Entity: a.Entity}
	for _, c := range claims {
		if c.Live {
			held = append(held, c)
		}
	}
	// The booking that the order knows comes first: the others are spare.
	slices.SortStableFunc(held, func(x, y Claim) int { return cmp.Compare(b2i(y.Entity == a.Entity), b2i(x.Entity == a.Entity)) })
	counts := a.State == shipment.Booked || a.State == shipment.Adopted || a.State == shipment.Ended
	switch {
	case a.State == shipment.Intended || a.State == shipment.InDoubt:
		row.Kind, row.Detail, row.Mend = Status, fmt.Sprintf("attempt %d is %s", a.Number, a.State), "wait for the engine, which is finding out: waybill shipments get "+o.ID
		if a.Needs != "" {
			row.Mend = "a person must decide: waybill shipments trace " + o.ID
		}
		if len(held) > 0 {
			row.Kind, row.Entity = Lost, held[0].Entity
			row.Detail += "; the carrier has booked " + held[0].Entity
		}
		row.Detail += a.Witness.says()
		u.row(row)
	case counts && len(held) == 0 && a.State != shipment.Ended:
		row.Kind, row.Detail = Status, fmt.Sprintf("the order counts on %s, and the carrier %s", a.Entity, says(claims))
		row.Mend = "waybill shipments cancel " + o.ID
		u.row(row)
	case !counts && len(held) > 0:
		row.Kind, row.Entity, row.Detail = Lost, held[0].Entity, fmt.Sprintf("attempt %d is %s, and the carrier holds %s", a.Number, a.State, held[0].Entity)+a.Witness.says()
		row.Mend = atCarrier(held[0])
		u.row(row)
	}
	u.money(row, a, claims)
	return held
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func says(claims []Claim) string {
	if len(claims) == 0 {
		return "knows of no such booking"
	}
	return "has it as cancelled"
}

func atCarrier(c Claim) string {
	return fmt.Sprintf("cancel %s at %s by hand: no order counts on it", c.Entity, c.Carrier)
}

// money compares what the order is said to cost with what the carrier asks. Where the booking is cancelled, only if the carrier has
// told us what it gives back.
func (u *Auditor) money(row Row, a Attempt, claims []Claim) {
	i := slices.IndexFunc(claims, func(c Claim) bool { return c.Entity == a.Entity })
	if a.Entity == "" || i < 0 || claims[i].Unpriced {
		return
	}
	c := claims[i]
	ours, theirs := a.Amount.Minor, c.Charged-c.Refunded
	if !c.Live {
		if a.Refund.Currency == "" {
			return
		}
		ours -= a.Refund.Minor
	}
	if ours == theirs && (a.Amount.Currency == c.Currency || c.Currency == "") {
		return
	}
	row.Kind, row.Entity = Money, c.Entity
	row.Detail = fmt.Sprintf("the order says %s, the carrier asks %s", shipping.Money{Minor: ours, Currency: a.Amount.Currency}, shipping.Money{Minor: theirs, Currency: c.Currency})
	row.Mend = fmt.Sprintf("ask %s for its bill of %s", c.Carrier, c.Entity)
	u.row(row)
}

func (u *Auditor) row(r Row) { u.rows = append(u.rows, r) }

// Report is what came of an audit.
type Report struct {
	Orders      int          `json:"orders"`
	Attempts    int          `json:"attempts"`     // compared
	NotCompared int          `json:"not_compared"` // attempts of which nobody could tell
	Uncompared  []Uncompared `json:"uncompared"`   // those, in the order in which they were added
	Differences []Row        `json:"differences"`
}

// Uncompared is an attempt of which nobody could tell whether the carrier has it as the order believes.
type Uncompared struct {
	Tenant  string                `json:"tenant,omitempty"`
	Order   string                `json:"order"`
	Attempt int                   `json:"attempt"`
	Carrier string                `json:"carrier"`
	State   shipment.AttemptState `json:"state"`
	Reason  string                `json:"reason"`
}

// Report adds the bookings that no order has asked for, and returns everything, sorted by kind and order.
func (u *Auditor) Report() Report {
	rows := slices.Clone(u.rows)
	for k, claims := range u.claims {
		if u.asked[k] {
			continue
		}
		for _, c := range claims {
			if c.Live {
				rows = append(rows, Row{Kind: Orphan, Carrier: c.Carrier, Reference: c.Reference, Entity: c.Entity,
					Detail: fmt.Sprintf("%s holds %s, and no order has asked for it", c.Carrier, c.Entity), Mend: atCarrier(c)})
			}
		}
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Order, b.Order), cmp.Compare(a.Attempt, b.Attempt), cmp.Compare(a.Entity, b.Entity))
	})
	return Report{Orders: u.orders, Attempts: u.compared, NotCompared: len(u.skipped), Uncompared: slices.Clone(u.skipped), Differences: rows}
}
