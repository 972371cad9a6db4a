// Package audit compares what the store believes with what the carriers say: for each order at most one live booking, for each booking
// one order that knows it, and the money equal on both sides. The exchange trace is the third witness, of attempts whose booking the
// store does not know. It is pure; whoever calls it brings both views, taken while nothing is
// under way: what is in flight between two looks is a difference too.
package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
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
	Status    Kind = "status"    // the order and its bookings contradict each other, or something has no end
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
	// Said is where the carrier's tracking has it, of what a person has said to be delivered; "" where it was not asked, or does not know.
	Said shipping.Status
}

// Order is what of a shipment is compared.
type Order struct {
	Tenant   string          `json:"tenant"`
	Shipment shipment.ID     `json:"shipment"`
	ID       string          `json:"order"`
	Status   shipping.Status `json:"status"`
	// Due is when the engine was to go on with an order that waits; the zero time where it waits for a person, or does not wait.
	Due      time.Time `json:"due,omitzero"`
	Attempts []Attempt `json:"attempts,omitempty"`
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
	IntendedAt time.Time `json:"intendedAt"`
	// BookedAt is when the booking was made that the attempt has; of one that was adopted it may be long before.
	BookedAt time.Time      `json:"bookedAt,omitzero"`
	Deadline time.Time      `json:"deadline,omitzero"` // of the call
	Needs    string         `json:"needs,omitempty"`   // "attention" where a person must decide
	Entity   string         `json:"entity,omitempty"`
	Tracking string         `json:"tracking,omitempty"` // number
	Parcels  []string       `json:"parcels,omitempty"`  // their numbers, as far as they have other ones
	Amount   shipping.Money `json:"amount,omitzero"`
	Quoted   bool           `json:"quoted,omitempty"` // the amount is the quote's: the carrier has not said what the booking costs
	Tip      shipping.Money `json:"tip,omitzero"`     // asked for, beside the amount, at carriers that pass tips on
	Refund   shipping.Money `json:"refund,omitzero"`  // without currency where the carrier has not said
	ByHand   bool           `json:"byHand,omitempty"` // a person has said that it was delivered
	Told     bool           `json:"told,omitempty"`   // the number is a person's word, which the carrier has not confirmed
	// Cancelling says that the carrier is being asked to cancel the booking, and no person is asked about that.
	Cancelling bool `json:"cancelling,omitempty"`
	// Over says of a live booking that it is no open one of its account any more: it could not be delivered, or nobody tells of it.
	Over bool `json:"over,omitempty"`
	// Withdrawable says that the number is a person's word by which the parcel has come to an end, and which may be taken back.
	Withdrawable bool `json:"withdrawable,omitempty"`
	// Uncancellable says that the carrier's adapter cannot cancel, so that only the carrier itself can. See Uncancellable.
	Uncancellable bool    `json:"-"`
	Witness       Witness `json:"witness,omitempty"`
	Spares        []Spare `json:"spares,omitempty"`
}

// Spare is a booking under an attempt's reference that the order is not to have, and that the engine has not had cancelled yet.
type Spare struct {
	Entity   string    `json:"entity"`
	Tracking string    `json:"tracking,omitempty"` // number
	FoundAt  time.Time `json:"foundAt"`
	Needs    string    `json:"needs,omitempty"` // "attention" where a person is asked to have it cancelled
}

// OrderOf takes from a shipment what is compared.
func OrderOf(sh *shipment.Shipment) Order {
	o := Order{Tenant: sh.Tenant, Shipment: sh.ID, ID: sh.Order.ExternalID, Status: sh.Status, Due: due(sh)}
	for i := range sh.Attempts {
		a := &sh.Attempts[i]
		x := Attempt{Number: a.Number, Kind: a.Kind, Account: a.Account, Adapter: a.Adapter, Reference: a.Reference, State: a.State,
			IntendedAt: a.IntendedAt, Deadline: a.Deadline, Refund: a.Refund, ByHand: a.EndedBy != ""}
		if d := a.Undecided(); d != nil {
			x.Needs = d.Needs
		}
		if a.Booking != nil {
			x.Entity, x.Tracking, x.Amount, x.Quoted = a.Booking.CarrierRef, a.Booking.TrackingID, a.Booking.Amount, a.Booking.Quoted
			x.Tip, x.BookedAt = tip(sh, a), a.Booking.BookedAt
			for _, p := range a.Booking.Parcels {
				if !x.bears(p.Number) {
					x.Parcels = append(x.Parcels, p.Number)
				}
			}
			word := a.Told()
			x.Told, x.Over = live(x) && word, live(x) && !a.EndedAt.IsZero()
			x.Cancelling = live(x) && a.CancelIntent != nil && a.CancelIntent.Needs == ""
			x.Withdrawable = word && !x.Cancelling && (x.Over || a.State == shipment.Ended && sh.Status == shipping.OrderDelivered) &&
				sh.Last(sh.Way()) == a && sh.ErasedAt.IsZero() && len(sh.Returns) == 0 && !a.SpareLeft()
		}
		for _, sp := range a.Spares {
			if sp.CancelledAt.IsZero() {
				x.Spares = append(x.Spares, Spare{Entity: sp.CarrierRef, Tracking: sp.TrackingID, FoundAt: sp.FoundAt, Needs: sp.Needs})
			}
		}
		o.Attempts = append(o.Attempts, x)
	}
	return o
}

// tip is what the carrier was asked to pass on to its courier: what the rules have set, else what the order gives.
func tip(sh *shipment.Shipment, a *shipment.Attempt) shipping.Money {
	if a.Set.Tip != nil {
		return *a.Set.Tip
	}
	given, err := shipping.BindMoney(sh.Order.Tips, sh.Currency)
	if err != nil {
		return shipping.Money{} // such an order is not taken, and asks nothing of carriers
	}
	return given
}

// Auditor compares orders with the claims of the carriers.
type Auditor struct {
	untold   func(a Attempt) string
	overdue  time.Time
	claims   map[string][]Claim // by carrier and reference
	numbered map[string][]Claim // the same, by carrier and number
	orders   []Order
	asked    map[string]int   // by carrier and reference: the order that has asked under it, counted from 1
	known    map[string]whose // by carrier and number: the attempt that has the booking
	found    map[string]bool  // by carrier and number: what an order has under a reference of nobody's
	having   map[string][]int // by carrier and number: the orders that have the booking, or have had it carried out, counted from 1
	rows     []Row
	compared int
	skipped  []Uncompared
	accounts func(adapter string) []AccountOf
	ends     func(Claim) string
}

// AccountOf is an account, by the tenant and the name that the configuration has for it.
type AccountOf struct{ Tenant, ID string }

// New returns an Auditor over all that the carriers claim. untold says why the claims tell nothing of an attempt, "" where they do.
// An order that waits, or an attempt at which nobody can look, is told where it should have come to an end before overdue.
func New(claims []Claim, untold func(a Attempt) string, overdue time.Time) *Auditor {
	u := &Auditor{untold: untold, overdue: overdue, claims: map[string][]Claim{}, numbered: map[string][]Claim{}}
	for _, c := range claims {
		k, n := key(c.Carrier, c.Reference), numberKey(c.Carrier, c.Entity)
		u.claims[k] = append(u.claims[k], c)
		u.numbered[n] = append(u.numbered[n], c)
	}
	return u
}

// Accounts gives the accounts of the configuration at an adapter, with one of which an orphan there was booked. Nobody knows them otherwise.
func (u *Auditor) Accounts(at func(adapter string) []AccountOf) { u.accounts = at }

// Ends gives the state in which a booking has come to its end at its carrier, in the carrier's word, "" where it has not or that is not known:
// what has ended cannot be cancelled.
func (u *Auditor) Ends(of func(Claim) string) { u.ends = of }

// Add gives one order to be compared.
func (u *Auditor) Add(o Order) { u.orders = append(u.orders, o) }

// whose is an attempt of the order with this number, counted from 1.
type whose struct{ order, attempt int }

func numberKey(carrier, number string) string { return key(carrier, tracker.PlainNumber(number)) }

func key(carrier, reference string) string { return carrier + "\x00" + reference }

// compare compares the order with this number, counted from 1.
func (u *Auditor) compare(number int) {
	o := u.orders[number-1]
	holding := map[shipment.Kind][]holder{}
	// Attempts at several services of one account in one round have one reference: a booking is the one's that names it, else
	// the last one's.
	named, last := map[string]int{}, map[string]int{}
	for _, a := range o.Attempts {
		last[key(a.Adapter, a.Reference)] = a.Number
		if a.Entity != "" {
			named[key(a.Adapter, a.Entity)] = a.Number
		}
	}
	carried, told := delivery{}, false
	for _, a := range o.Attempts {
		u.spares(o, a)
		if why := u.untold(a); why != "" {
			u.skipped = append(u.skipped, Uncompared{Tenant: o.Tenant, Order: o.ID, Attempt: a.Number, Carrier: a.Adapter, State: a.State, Reason: why,
				Unasked: strings.HasPrefix(why, untoldAsk)})
			u.unseen(o, a, why)
			carried.unseen(a)
			continue
		}
		u.compared++
		k := key(a.Adapter, a.Reference)
		var claims []Claim
		for _, c := range u.claims[k] {
			if n := named[key(c.Carrier, c.Entity)]; n == a.Number || n == 0 && last[k] == a.Number {
				claims = append(claims, c)
			}
		}
		elsewhere := ""
		if !slices.ContainsFunc(claims, func(c Claim) bool { return c.Entity == a.Entity }) {
			var more []Claim
			a, more, elsewhere = u.byNumber(number, a)
			claims = append(claims, more...)
		}
		if givenUp(o, a, claims) {
			a.State = shipment.Ended
		}
		held := u.attempt(number, a, claims, elsewhere)
		for _, c := range held {
			holding[a.Kind] = append(holding[a.Kind], holder{c, a, o.wants(a, c)})
		}
		told = told || len(held) > 0 && live(a)
		carried.seen(a, claims, held, elsewhere)
	}
	for _, kind := range []shipment.Kind{shipment.Forward, shipment.Return} {
		if held := holding[kind]; len(held) > 1 {
			// What the order counts on is no spare, whichever attempt came first: the engine would not cancel it as one.
			slices.SortStableFunc(held, func(x, y holder) int { return cmp.Compare(y.wanted, x.wanted) })
			for _, spare := range held[1:] {
				row := rowOf(Duplicate, o, spare.attempt)
				row.Reference, row.Entity = spare.Reference, spare.Entity
				row.Detail = fmt.Sprintf("%s holds %s beside %s of %s", spare.Carrier, spare.Entity, held[0].Entity, held[0].Carrier)
				row.Mend = u.mendHeld(number, spare.attempt, spare.Claim)
				u.row(row)
			}
		}
	}
	u.standing(o, told)
	u.delivered(o, carried)
}

// byNumber returns what the carrier has of an attempt's booking under a reference that is not the attempt's: what a person has booked at
// the carrier's by hand, say. The attempt returned has the number as the carrier writes it. What another order has asked for, or has
// as its own, is not the attempt's: elsewhere says so, and is "" where that is not so.
func (u *Auditor) byNumber(order int, a Attempt) (_ Attempt, claims []Claim, elsewhere string) {
	for _, number := range []string{a.Entity, a.Tracking} {
		if number == "" {
			continue
		}
		n := numberKey(a.Adapter, number)
		for _, c := range u.numbered[n] {
			has := u.known[n]
			if asked := u.asked[key(c.Carrier, c.Reference)]; asked != 0 && asked != order {
				has = whose{order: asked}
			}
			switch {
			case has != whose{} && has.order != order:
				elsewhere = fmt.Sprintf("has it under the reference %s, as order %s's", c.Reference, u.orders[has.order-1].ID)
			case has == whose{} || has.attempt == a.Number:
				u.known[n], u.found[n], a.Entity = whose{order, a.Number}, true, c.Entity
				claims = append(claims, c)
			}
		}
		if len(claims) > 0 {
			return a, claims, ""
		}
	}
	return a, nil, elsewhere
}

// attempt compares one attempt with what its carrier claims, and returns the bookings that the carrier holds. elsewhere is what the
// carrier has instead of its booking, "" where that is nothing.
func (u *Auditor) attempt(number int, a Attempt, claims []Claim, elsewhere string) (held []Claim) {
	o := u.orders[number-1]
	row := rowOf("", o, a)
	for _, c := range claims {
		if c.Live {
			held = append(held, c)
		}
	}
	// The booking that the order knows comes first: the others are spare.
	slices.SortStableFunc(held, func(x, y Claim) int { return cmp.Compare(b2i(y.Entity == a.Entity), b2i(x.Entity == a.Entity)) })
	counted := counts(o, a)
	switch {
	case open(a):
		row.Kind, row.Detail, row.Mend = Status, fmt.Sprintf("attempt %d is %s", a.Number, a.State), mendOpen(o, a)
		if len(held) > 0 {
			row.Kind, row.Entity = Lost, held[0].Entity
			row.Detail += "; the carrier has booked " + held[0].Entity
		}
		row.Detail += a.Witness.says()
		u.row(row)
	case counted && len(held) == 0 && a.State != shipment.Ended:
		row.Kind, row.Detail = Status, fmt.Sprintf("the order counts on %s, and the carrier %s", a.Entity, cmp.Or(elsewhere, says(claims)))
		row.Mend = mendUnheld(o, a, elsewhere == "" && len(claims) > 0)
		u.row(row)
	case !counted && len(held) > 0:
		row.Kind, row.Entity, row.Detail = Lost, held[0].Entity, fmt.Sprintf("attempt %d is %s, and the carrier holds %s", a.Number, a.State, held[0].Entity)+a.Witness.says()
		if live(a) {
			row.Detail = fmt.Sprintf("the order is %s, and the carrier holds %s, which its attempt %d has booked", o.Status, held[0].Entity, a.Number)
		}
		row.Mend = u.mendHeld(number, a, held[0])
		u.row(row)
	}
	u.money(o, a, claims)
	return held
}

// counts reports whether the order counts on the attempt's booking.
func counts(o Order, a Attempt) bool {
	return live(a) && !without(o.Status) || a.State == shipment.Ended
}

// givenUp reports whether a carrier has ended the booking of an order that it could not deliver, and has no other of it: a way back that
// fails, or is not gone, is no difference. The store keeps the attempt as it was, for the order may be delivered yet.
func givenUp(o Order, a Attempt, claims []Claim) bool {
	return o.Status == shipping.OrderUndeliverable && live(a) && slices.ContainsFunc(claims, func(c Claim) bool { return c.Entity == a.Entity }) &&
		!slices.ContainsFunc(claims, func(c Claim) bool { return c.Live })
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

// holder is a live booking, and the attempt under whose reference the carrier has it.
type holder struct {
	Claim
	attempt Attempt
	wanted  int // how much the order wants it
}

// wants is 2 for the booking that carries the order, or has delivered it, 1 for another that it counts on, 0 for what it is not to have.
func (o Order) wants(a Attempt, c Claim) int {
	if c.Entity != a.Entity || !counts(o, a) {
		return 0
	}
	return 1 + b2i(a.Number == o.carried())
}

// mendHeld is what is to be done about a booking that the order with this number is not to have.
func (u *Auditor) mendHeld(number int, a Attempt, c Claim) string {
	for _, other := range u.having[numberKey(c.Carrier, c.Entity)] {
		if other != number {
			return mendElsewhere(u.orders[other-1])
		}
	}
	return mendHeld(u.orders[number-1], a, c.Entity)
}

// rowOf is a difference of an order that is about the booking of an attempt.
func rowOf(k Kind, o Order, a Attempt) Row {
	return Row{Kind: k, Tenant: o.Tenant, Order: o.ID, Shipment: o.Shipment, Attempt: a.Number, Carrier: a.Adapter, Reference: a.Reference, Entity: a.Entity}
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

// Blind reports whether nothing could be compared although there was something to compare. Attempts that are older than the time that
// was asked about were not to be compared.
func (r Report) Blind() bool {
	return r.Attempts == 0 && slices.ContainsFunc(r.Uncompared, func(x Uncompared) bool { return x.Reason != untoldOld })
}

// Unasked is how many attempts were not compared because their carriers could not be asked.
func (r Report) Unasked() (n int) {
	for _, x := range r.Uncompared {
		n += b2i(x.Unasked)
	}
	return n
}

// Uncompared is an attempt of which nobody could tell whether the carrier has it as the order believes.
type Uncompared struct {
	Tenant  string                `json:"tenant,omitempty"`
	Order   string                `json:"order"`
	Attempt int                   `json:"attempt"`
	Carrier string                `json:"carrier"`
	State   shipment.AttemptState `json:"state"`
	Reason  string                `json:"reason"`
	Unasked bool                  `json:"unasked,omitempty"` // its carrier was to be asked, and could not
}

// Report compares all orders, adds the bookings that no order has asked for or knows, and returns everything, sorted by kind and order.
func (u *Auditor) Report() Report {
	u.asked, u.known, u.found, u.having = map[string]int{}, map[string]whose{}, map[string]bool{}, map[string][]int{}
	u.rows, u.compared, u.skipped = nil, 0, nil
	for i, o := range u.orders {
		u.ask(i+1, o)
	}
	for i := range u.orders {
		u.compare(i + 1)
	}
	for k, claims := range u.claims {
		if u.asked[k] != 0 {
			continue
		}
		for _, c := range claims {
			if !u.found[numberKey(c.Carrier, c.Entity)] {
				u.orphan(c)
			}
		}
	}
	slices.SortFunc(u.rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Order, b.Order), cmp.Compare(a.Attempt, b.Attempt), cmp.Compare(a.Entity, b.Entity))
	})
	return Report{Orders: len(u.orders), Attempts: u.compared, NotCompared: len(u.skipped), Uncompared: u.skipped, Differences: u.rows}
}

// ask notes what an order has asked for, and the bookings that it counts on.
func (u *Auditor) ask(number int, o Order) {
	for _, a := range o.Attempts {
		if live(a) || a.State == shipment.Ended {
			for _, n := range []string{a.Entity, a.Tracking} {
				if k := numberKey(a.Adapter, n); n != "" {
					u.having[k] = append(u.having[k], number)
				}
			}
		}
		if u.untold(a) != "" {
			continue
		}
		u.asked[key(a.Adapter, a.Reference)] = number
		for _, n := range []string{a.Entity, a.Tracking} {
			if k := numberKey(a.Adapter, n); n != "" && counts(o, a) && u.known[k] == (whose{}) {
				u.known[k] = whose{number, a.Number}
			}
		}
	}
}

// orphan tells of a booking that no order has asked for, where it lives or costs something.
func (u *Auditor) orphan(c Claim) {
	if bill, kept := c.kept(); kept {
		u.row(bill)
	}
	if !c.Live {
		return
	}
	row := Row{Kind: Orphan, Carrier: c.Carrier, Reference: c.Reference, Entity: c.Entity, Detail: fmt.Sprintf("%s holds %s, and no order has asked for it", c.Carrier, c.Entity)}
	if end := u.end(c); end != "" {
		row.Detail += "; it has come to its end there: " + end
		row.Mend = MendEnded(c.Carrier, c.Entity)
	} else {
		row.Mend = u.mendOrphan(c)
	}
	u.row(row)
}

func (u *Auditor) end(c Claim) string {
	if u.ends == nil {
		return ""
	}
	return u.ends(c)
}
