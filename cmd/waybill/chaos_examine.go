package main

import (
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
	"github.com/waybill-dev/waybill/simulator"
)

// difference is one thing in which the engine's memory, the carriers' ledger and what callers were told do not agree.
type difference struct {
	// Kind is lost (what was promised is not there), duplicate (two live bookings of one order), orphan (a live booking that no
	// order knows), money, status, or untold (a subscriber does not know what has happened, or knows it wrongly).
	Kind      string `json:"kind"`
	Order     string `json:"order,omitempty"`
	Carrier   string `json:"carrier,omitempty"`
	Entity    string `json:"entity,omitempty"` // the carrier's key
	Reference string `json:"reference,omitempty"`
	Detail    string `json:"detail"`

	Attempts []shipment.Attempt `json:"attempts,omitempty"`
	Ledger   []simulator.Record `json:"ledger,omitempty"`
}

// held is what a carrier believes of one booking.
type held struct {
	carrier, entity, reference string
	live                       bool
	owed                       int64 // minor units
	records                    []simulator.Record
	owner                      string // the order that knows it
}

// owned is what an examination keeps of an order.
type owned struct {
	id       string
	key      string // the engine's own
	status   shipping.Status
	attempts []shipment.Attempt
	asked    shipment.Order // what it is to be carried as
	back     bool           // it is a return
	live     bool
	erased   bool
	// uninformed says that it warns of an edit that its carrier was not told of.
	uninformed bool
}

// need is why only a person could decide what became of an attempt.
type need struct {
	attempt int
	why     string
}

// examination compares the three witnesses.
type examination struct {
	bookings map[[2]string]*held // by carrier and entity
	byRef    map[string]*owned
	orders   map[string]*owned
	heardOf  map[string]bool              // numbers that a tracker has heard of by a push
	followed map[string]bool              // names of the trackers that there are
	gaveUp   map[string]bool              // references of bookings that the carrier has given up
	leftBy   map[string]bool              // orders whose history says that their rules have nobody left to ask
	refusals map[string][]string          // by order: what its history says of cancels and edits that have come to nothing
	needed   map[string][]need            // by order: what only a person could decide, or what settled itself before one did
	bodies   int                          // orders that were held against what was sent
	grounds  int                          // refused cancellations whose grounds were looked for in the carrier's book
	asked    int                          // bookings that were held against what their orders are to be carried as
	labelled int                          // parcels whose labels were looked for
	unedited int                          // bookings whose carriers were asked what they are to carry after an edit that they have not taken
	drivers  int                          // orders of the merchant's own drivers that were held against the drivers' book
	shown    map[string]int               // by adapter: bookings that showed after their absence was believed, and were cancelled
	went     map[string][]shipping.Status // by order: the statuses in its history
	found    []difference
}

func newExamination(records []simulator.Record) *examination {
	x := &examination{bookings: map[[2]string]*held{}, byRef: map[string]*owned{}, orders: map[string]*owned{}, heardOf: map[string]bool{}, followed: map[string]bool{},
		gaveUp: map[string]bool{}, leftBy: map[string]bool{}, refusals: map[string][]string{}, needed: map[string][]need{},
		shown: map[string]int{}, went: map[string][]shipping.Status{}}
	for _, r := range records {
		if r.Entity == "" {
			continue
		}
		k := [2]string{r.Carrier, r.Entity}
		h := x.bookings[k]
		if h == nil {
			h = &held{carrier: r.Carrier, entity: r.Entity, reference: r.Reference}
			x.bookings[k] = h
		}
		h.records = append(h.records, r)
		switch r.Kind {
		case simulator.Booking:
			h.live = true
		case simulator.Void:
			h.live = false
		case simulator.Charge:
			h.owed += r.Amount
		case simulator.Refund:
			h.owed -= r.Amount
		}
	}
	return x
}

func (x *examination) differ(kind string, o *owned, h *held, format string, args ...any) {
	d := difference{Kind: kind, Detail: fmt.Sprintf(format, args...)}
	if o != nil {
		d.Order, d.Attempts = o.id, o.attempts
	}
	if h != nil {
		d.Carrier, d.Entity, d.Reference, d.Ledger = h.carrier, h.entity, h.reference, h.records
	}
	x.found = append(x.found, d)
}

// order checks what the engine believes of one order.
func (x *examination) order(sh *shipment.Shipment) {
	o := &owned{id: sh.Order.ExternalID, key: string(sh.ID), status: sh.Status, attempts: sh.Attempts, asked: sh.Order, back: sh.ReturnOf != nil, erased: !sh.ErasedAt.IsZero(),
		uninformed: slices.ContainsFunc(sh.Warnings, func(w shipment.Warning) bool { return w.Code == notInformed })}
	x.orders[o.id] = o
	if sh.Waiting() {
		x.differ("status", o, nil, "is still %s: a job has not come to an end", sh.Status)
	}
	live := 0
	for i := range sh.Attempts {
		a := &sh.Attempts[i]
		x.byRef[a.Reference] = o
		if a.Open() && !sh.Waiting() {
			x.differ("status", o, nil, "is %s, and its attempt %d is %s", sh.Status, a.Number, a.State)
		}
		if x.countsOn(a) {
			live++
		}
		x.attempt(o, a)
	}
	o.live = live > 0
	if live > 1 {
		x.differ("duplicate", o, nil, "has %d live bookings in the engine's own memory", live)
	}
	if live > 0 != (shipment.StageOf(sh.Status) != shipment.BeforeDispatch && sh.Status != shipping.OrderCancelled && !x.left(o)) {
		x.differ("status", o, nil, "is %s and has %d live bookings", sh.Status, live)
	}
}

// countsOn reports whether the order counts on the attempt's booking: one that is to be carried out, or was.
func (x *examination) countsOn(a *shipment.Attempt) bool {
	return a.Live() || a.State == shipment.Ended && !x.gaveUp[a.Reference]
}

// withoutLedger is the adapter of the merchant's own drivers.
const withoutLedger = "selfdelivery"

// spares checks what the engine believes of the bookings under an attempt's reference that the order did not want. That they are live,
// though noted as cancelled, is seen by strangers.
func (x *examination) spares(o *owned, a *shipment.Attempt) {
	for _, sp := range a.Spares {
		h := x.bookings[[2]string{a.Adapter, sp.CarrierRef}]
		switch {
		case h == nil:
			x.differ("lost", o, nil, "attempt %d has a spare booking %s, which %s has never heard of", a.Number, sp.CarrierRef, a.Adapter)
		case h.live:
		case h.owed != 0:
			x.differ("money", o, h, "attempt %d has a spare booking that is cancelled, and the carrier still wants %d cents", a.Number, h.owed)
		case a.State == shipment.Voided && sp.FoundAt.After(a.EndedAt):
			x.shown[a.Adapter]++
		}
	}
}

// attempt checks what the engine believes of one booking.
func (x *examination) attempt(o *owned, a *shipment.Attempt) {
	x.spares(o, a)
	if a.Booking == nil || a.Adapter == withoutLedger {
		return
	}
	h := x.bookings[[2]string{a.Adapter, a.Booking.CarrierRef}]
	if h == nil {
		x.differ("lost", o, nil, "attempt %d is booked as %s, which %s has never heard of", a.Number, a.Booking.CarrierRef, a.Adapter)
		return
	}
	if !x.countsOn(a) {
		if h.live {
			h.owner = o.id
			x.differ("status", o, h, "attempt %d is %s, and the carrier's booking is live", a.Number, a.State)
		} else if h.owed != 0 {
			x.differ("money", o, h, "attempt %d is %s, and the carrier still wants %d cents", a.Number, a.State, h.owed)
		}
		return
	}
	if h.owner != "" {
		x.differ("duplicate", o, h, "order %s has the same booking", h.owner)
	}
	h.owner = o.id
	switch {
	case !h.live:
		x.differ("status", o, h, "attempt %d is %s, and the carrier has ended the booking", a.Number, a.State)
	case h.owed != a.Booking.Amount.Minor:
		x.differ("money", o, h, "attempt %d costs %s, and the carrier wants %d cents", a.Number, a.Booking.Amount, h.owed)
	}
}

// tracker notes a tracker, and what a carrier has pushed of its parcel.
func (x *examination) tracker(t *tracker.Tracker) {
	if slices.ContainsFunc(t.Events, func(e tracker.Event) bool { return e.Origin == tracker.ByPush }) {
		x.heardOf[t.Number] = true
	}
	for _, name := range t.Names {
		x.followed[name] = true
	}
}

// strangers finds the live bookings that no order has named.
func (x *examination) strangers() {
	for _, h := range x.bookings {
		switch o := x.byRef[h.reference]; {
		case !h.live || h.owner != "":
		case o != nil && o.live:
			x.differ("duplicate", o, h, "the carrier has a live booking beside the order's own")
		case o != nil:
			x.differ("orphan", o, h, "the carrier has a live booking, and the order, which is %s, does not know it", o.status)
		default:
			x.differ("orphan", nil, h, "the carrier has a live booking under a reference that no order has intended")
		}
	}
}
