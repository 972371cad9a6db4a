package tracker

import (
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// present is what a timeline says about now. It is found by going through the events in the order of truth, so that it does not
// depend on the order in which they came.
type present struct {
	status    shipping.Status
	sub       string
	reason    string // code
	by        int    // index of the event that decided it, -1 for none
	pickup    time.Time
	delivery  time.Time
	numbers   []string // all; where there are several, each must come to its end
	ended     []string
	delivered bool // one of ended was
	again     bool // delivered after it was undeliverable
}

// effect is what one event does to the present.
type effect int

const (
	nothing effect = iota // it means nothing, or nothing here: history
	repeat                // it says what is known
	step                  // it changes status, sub-status or reason
)

func (t *Tracker) begin() present {
	p := present{status: shipping.OrderDispatched, by: -1, numbers: t.Numbers()}
	if b := t.Base; b != nil {
		p.status, p.sub, p.pickup, p.ended, p.delivered, p.again = b.Status, b.SubStatus, b.Pickup, slices.Clone(b.Ended), b.Delivered, b.Again
	}
	return p
}

// now goes through the events and says what they come to, and what each of them did.
func (t *Tracker) now() (present, []effect) {
	p := t.begin()
	effects := make([]effect, len(t.Events))
	for i := range t.Events {
		if effects[i] = p.take(&t.Events[i]); effects[i] == step {
			p.by = i
		}
	}
	return p, effects
}

// final reports whether no news of a carrier's can change the status any more.
func (p *present) final() bool { return Final(p.status, p.sub) }

// Final reports whether no news of a carrier's can change a status any more. ERROR_EXCEPTION is not final: a parcel that was lost
// can be found. Nor is ORDER_UNDELIVERABLE before its way back has ended.
func Final(status shipping.Status, sub string) bool {
	switch status {
	case shipping.OrderDelivered, shipping.OrderCancelled, shipping.OrderFailed:
		return true
	case shipping.OrderUndeliverable:
		return sub == SubReturned || sub == SubReturnFailed
	}
	return false
}

// take lets one event happen. Carriers say "dispatched" again when a courier gives an order back: such an event becomes
// ORDER_UNASSIGNED, as long as the events before it say that a courier had it.
func (p *present) take(e *Event) effect {
	if e.GivenBack {
		e.Status, e.GivenBack = shipping.OrderDispatched, false
	}
	if e.Status == "" || p.final() {
		return nothing
	}
	if e.Status == shipping.OrderDispatched && e.SubStatus == "" {
		switch p.status {
		case shipping.OrderAssigned, shipping.PickupStarted, shipping.OrderUnassigned:
			e.Status, e.GivenBack = shipping.OrderUnassigned, true
		}
	}
	if !p.follows(e.Status) || !p.whole(e) {
		return nothing
	}
	code := reasonCode(*e)
	p.times(e)
	if p.status == e.Status && p.sub == e.SubStatus && p.reason == code {
		if p.by < 0 { // the first news is a step even where it says what was assumed
			return step
		}
		return repeat
	}
	p.again = p.again || p.status == shipping.OrderUndeliverable && e.Status == shipping.OrderDelivered
	p.status, p.sub, p.reason = e.Status, e.SubStatus, code
	return step
}

// follows reports whether a status may follow the present one, by a carrier's word. An order that is not finished may go
// backwards, but what was picked up stays so.
func (p *present) follows(to shipping.Status) bool {
	if p.status == shipping.OrderUndeliverable {
		return to == shipping.OrderUndeliverable || to == shipping.OrderDelivered
	}
	switch to {
	case shipping.OrderDispatched: // labels are reported late, after the first scans
		return p.status == shipping.OrderDispatched
	case shipping.Staged, shipping.OrderAssigned, shipping.OrderUnassigned, shipping.PickupStarted:
		return p.pickup.IsZero()
	case shipping.PickupCompleted: // the first scan of each building says so
		return p.pickup.IsZero() || p.status == shipping.PickupCompleted
	}
	return shipment.StageOf(to) >= shipment.Underway || to == shipping.OrderFailed
}

// whole reports whether an end is one of everything that the tracker follows. Of several parcels each must be delivered or
// cancelled by itself; a person speaks for all.
func (p *present) whole(e *Event) bool {
	if e.Status != shipping.OrderDelivered && e.Status != shipping.OrderCancelled {
		return true
	}
	if len(p.numbers) < 2 || e.Origin == ByManual || !slices.Contains(p.numbers, e.Number) {
		return true
	}
	if !slices.Contains(p.ended, e.Number) {
		p.ended = append(p.ended, e.Number)
	}
	p.delivered = p.delivered || e.Status == shipping.OrderDelivered
	if len(p.ended) < len(p.numbers) {
		return false
	}
	return e.Status == shipping.OrderDelivered || !p.delivered
}

// times notes when things were picked up and delivered.
func (p *present) times(e *Event) {
	if p.pickup.IsZero() && (shipment.StageOf(e.Status) == shipment.Underway && e.Status != shipping.OrderDelayed || e.Status == shipping.OrderDelivered) {
		p.pickup = e.Time.Time
	}
	if e.Status == shipping.OrderDelivered {
		p.delivery = e.Time.Time
	}
}
