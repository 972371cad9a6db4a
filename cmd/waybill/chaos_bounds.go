package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/waybill-dev/waybill/core/shipment"
)

// leastDisturbed is the share of the exchanges with carriers that must have been disturbed. The faults are drawn so that it is a tenth.
const leastDisturbed = .08

// acknowledged counts what callers were told to be done, or under way.
func (t *truth) acknowledged() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := map[string]int{}
	for _, a := range acknowledgements {
		n[a.what] = 0
	}
	for _, o := range t.orders {
		for what, code := range map[string]int{"created": o.created, "cancelled": o.cancelled, "edited": o.edited, "delivered": o.delivered,
			"erased": o.erased, "followed": o.followed, "forgotten": o.forgot, "told otherwise": o.subscribed} {
			if code/100 == 2 {
				n[what]++
			}
		}
		if o.carried {
			n["carried"]++
		}
		if o.gaveUp != "" {
			n["given up"]++
		}
		if o.body != nil && o.created/100 == 2 {
			n["bodies"]++
		}
	}
	return n
}

// acknowledgement is what each run must have seen acknowledged.
type acknowledgement struct {
	what  string
	least float64  // share of the orders of whom it is asked: about half of what is usual, two thirds where nothing may stand against it
	asked []string // the fates that ask for it; none where every order does
}

var acknowledgements = []acknowledgement{
	{"created", leastDispatched, nil},
	{"bodies", leastDispatched, nil},
	{"cancelled", .5, []string{"cancelled", "cancelled on its way", "cancelled and erased"}},
	{"edited", .5, []string{"edited", "edited once booked", "gated", "stalled"}},
	{"delivered", .5, []string{"delivered", "delivered and erased", "delivered and returned"}},
	{"erased", .5, []string{"delivered and erased", "cancelled and erased"}},
	{"followed", .5, []string{"beside a foreign parcel"}},
	{"forgotten", .5, []string{"beside a tracker that is forgotten"}},
	{"told otherwise", .5, []string{"beside a change of a webhook"}},
	{"carried", .5, []string{"carried", "cancelled on its way", "edited on its way"}},
	// One carrier of three gives orders up, and on a busy machine it is the one that is out of order most.
	{"given up", .05, []string{"given up by its carrier"}},
}

// leastDispatched is the share of the orders that nobody has cancelled that must have been dispatched. Nearly all are.
const leastDispatched = 2. / 3

// leastShown is the share of the bookings held on their way that must have shown after their absence was believed. The others were found
// before that, where the carrier could not be asked in time: most of them on a busy machine.
const leastShown = .1

// asking counts the orders of some fates, of all where none is named.
func (r *chaosReport) asking(fates []string) (n int) {
	for name, of := range r.Asked {
		if fates == nil || slices.Contains(fates, name) {
			n += of
		}
	}
	return n
}

// meant counts the orders that were sent and that nobody has asked to be cancelled, and how many of these were dispatched.
func (x *examination) meant(t *truth) (orders, dispatched int) {
	for id, said := range t.orders {
		if said.body == nil || said.cancelled != 0 {
			continue
		}
		orders++
		if o := x.orders[id]; o != nil && shipment.StageOf(o.status) != shipment.BeforeDispatch {
			dispatched++
		}
	}
	return orders, dispatched
}

// tooLittle tells where a run has disturbed or compared less than it must have, so that what it has not found proves nothing.
func (r *chaosReport) tooLittle() []string {
	var out []string
	less := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if share := float64(r.Disturbed) / float64(max(r.Exchanges, 1)); share < leastDisturbed {
		less("%.1f%% of %d exchanges with carriers were disturbed, want %.0f%% at least", 100*share, r.Exchanges, 100*leastDisturbed)
	}
	for _, a := range acknowledgements {
		asked := r.asking(a.asked)
		if got := r.Acknowledged[a.what]; got == 0 || float64(got) < a.least*float64(asked) {
			less("%d orders were acknowledged as %s, want %.0f%% of %d at least, and one", got, a.what, 100*a.least, asked)
		}
	}
	if r.Meant == 0 || float64(r.Dispatched) < leastDispatched*float64(r.Meant) {
		less("%d orders were dispatched of %d that nobody has cancelled, want %.0f%% at least", r.Dispatched, r.Meant, 100*leastDispatched)
	}
	if r.Stored == 0 || r.AuditOrders != r.Stored {
		less("the audit has read %d orders, and the store has %d", r.AuditOrders, r.Stored)
	}
	if r.Stored < r.Acknowledged["created"] {
		less("the store has %d orders, and %d were acknowledged", r.Stored, r.Acknowledged["created"])
	}
	if r.Bodies < r.Acknowledged["bodies"] {
		less("%d orders were held against what was sent, and %d were acknowledged", r.Bodies, r.Acknowledged["bodies"])
	}
	if r.WithLedger == 0 || r.Compared != r.WithLedger {
		less("the audit has compared %d attempts, and the store has %d at carriers that keep a ledger", r.Compared, r.WithLedger)
	}
	if r.Consigned == 0 {
		less("no booking was held against what its order is to be carried as")
	}
	if r.Labels == 0 {
		less("no label was looked for")
	}
	if r.Events == 0 || len(r.Hearings) == 0 {
		less("%d events were told to %d subscribers", r.Events, len(r.Hearings))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Hearings)) {
		if r.Hearings[name].Messages == 0 {
			less("subscriber %s was told nothing", name)
		}
	}
	if r.Orders < pointsFrom {
		return out
	}
	if r.Unedited == 0 {
		less("no carrier was asked what it knows of an order whose edit it had not taken")
	}
	if r.Driven == 0 {
		less("no order was held against the book of its drivers")
	}
	for _, carrier := range slices.Sorted(maps.Keys(detoured)) {
		if held, shown := r.Held[carrier], r.Shown[carrier]; shown == 0 || float64(shown) < leastShown*float64(held) {
			less("of %d bookings that reached %s too late %d were seen after their absence was believed, and cancelled, want %.0f%% at least, and one", held, carrier, shown, 100*leastShown)
		}
	}
	for _, f := range fates {
		if r.Asked[f.name] == 0 {
			less("no order was %s", f.name)
		}
	}
	return out
}
