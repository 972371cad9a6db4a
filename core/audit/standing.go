package audit

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// due is when the engine was to go on with a shipment that waits, as far as the shipment tells: the zero time where it waits for a
// person, or for nothing.
func due(sh *shipment.Shipment) time.Time {
	at := sh.UpdatedAt
	switch {
	case !sh.Waiting():
		return time.Time{}
	case sh.Status == shipping.PendingRelease && (sh.Hold == nil || sh.Hold.Until.IsZero()):
		return time.Time{}
	case sh.Status == shipping.PendingRelease:
		return clock.Later(at, sh.Hold.Until)
	case sh.Status == shipping.PendingAutoRetry:
		return sh.RetryAt
	}
	return clock.Later(at, sh.Order.DispatchAt.Time)
}

// live reports whether the order means the booking to be carried out.
func live(a Attempt) bool { return a.State == shipment.Booked || a.State == shipment.Adopted }

// open reports whether the fate of the attempt is not known.
func open(a Attempt) bool { return a.State == shipment.Intended || a.State == shipment.InDoubt }

// without reports whether an order at this status must have no live booking.
func without(s shipping.Status) bool {
	switch s {
	case shipping.OrderCancelled, shipping.OrderFailed, shipping.EstimatesFailed:
		return true
	}
	return waits(s)
}

func waits(s shipping.Status) bool { return (&shipment.Shipment{Status: s}).Waiting() }

// standing compares the status of an order with its own attempts, whatever the carriers say. told says that a booking which the
// order must not have has its row already.
func (u *Auditor) standing(o Order, told bool) {
	row := Row{Kind: Status, Tenant: o.Tenant, Order: o.ID, Shipment: o.Shipment}
	first := func(is func(Attempt) bool) int {
		return slices.IndexFunc(o.Attempts, is)
	}
	booked, ended := first(live), first(func(a Attempt) bool { return a.State == shipment.Ended })
	stage := shipment.StageOf(o.Status)
	switch {
	case without(o.Status) && booked >= 0:
		if told {
			return
		}
		a := o.Attempts[booked]
		row = rowOf(Status, o, a)
		row.Detail = fmt.Sprintf("the order is %s, and its attempt %d is %s", o.Status, a.Number, a.State)
		row.Mend = fmt.Sprintf("ask %s whether %s is cancelled; what was said: %s", a.Adapter, a.Entity, o.command("trace"))
	case (stage == shipment.WithCarrier || stage == shipment.Underway) && booked < 0:
		row.Detail = fmt.Sprintf("the order is %s, and none of its attempts has a booking that goes on", o.Status)
		row.Mend = usecase.CancelCommand(o.ID, "")
	case stage == shipment.Finished && o.Status != shipping.OrderCancelled && booked < 0 && ended < 0:
		row.Detail = fmt.Sprintf("the order is %s, and none of its attempts was ever booked", o.Status)
		row.Mend = "see how it came to that: " + o.command("history")
	// Held, scheduled and put off, an order may wait for long; in these two it is only while a process works on it.
	case (o.Status == shipping.RequestReceived || o.Status == shipping.EstimatesReceived) && !slices.ContainsFunc(o.Attempts, open):
		row.Detail = "the order stands at " + string(o.Status) + ", half way"
		row.Mend = "wait for the engine, or: " + usecase.CancelCommand(o.ID, "")
	case waits(o.Status) && !o.Due.IsZero() && o.Due.Before(u.overdue) && first(open) < 0:
		row.Detail = fmt.Sprintf("the order stands at %s, and was to go on by %s", o.Status, o.Due.UTC().Format(time.RFC3339))
		row.Mend = usecase.CancelCommand(o.ID, "")
	default:
		return
	}
	u.row(row)
}

// unseen tells of an attempt at which nobody can look what its own state tells: that it is open for too long, or that nobody looks
// after its booking any more.
func (u *Auditor) unseen(o Order, a Attempt, why string) {
	row := rowOf(Status, o, a)
	switch {
	case open(a) && (a.Needs != "" || clock.Later(a.IntendedAt, a.Deadline).Before(u.overdue)):
		row.Detail = fmt.Sprintf("attempt %d is %s, and %s", a.Number, a.State, why) + a.Witness.says()
		row.Mend = mendOpen(o, a)
	case live(a) && a.Needs != "":
		row.Detail = fmt.Sprintf("what was asked of the carrier about %s, of attempt %d, is not known to be done, and %s", a.Entity, a.Number, why)
		row.Mend = mendOpen(o, a)
	case live(a) && why == untoldAccount:
		row.Detail = fmt.Sprintf("the order counts on %s, and the account %s is not in the configuration: nobody tracks it, nobody can cancel it", a.Entity, a.Account)
		row.Mend = mendAccount(a)
	default:
		return
	}
	u.row(row)
}

// spares tells of the spare bookings of an attempt that the store itself knows and of which the carriers tell nothing: those that are a
// person's, that are not cancelled for too long, and that nobody can cancel. What a carrier holds of them has its row by the carrier's word.
func (u *Auditor) spares(o Order, a Attempt) {
	gone := u.untold(a) == untoldAccount
	for _, sp := range a.Spares {
		told := slices.ContainsFunc([]string{sp.Entity, sp.Tracking}, func(n string) bool { return n != "" && len(u.numbered[numberKey(a.Adapter, n)]) > 0 })
		if told || sp.Needs == "" && !sp.FoundAt.Before(u.overdue) && !gone {
			continue
		}
		mend := mendSpare(o, a, sp)
		if gone && sp.Needs == "" {
			mend = mendAccount(a)
		}
		row := rowOf(Lost, o, a)
		row.Entity, row.Mend = sp.Entity, mend
		row.Detail = fmt.Sprintf("attempt %d has the spare booking %s, on which the order does not count, and it is not cancelled", a.Number, sp.Entity)
		u.row(row)
	}
}

// delivery is what the carriers say of the bookings of which one has delivered the order.
type delivery struct {
	blind bool // nobody can tell of one of them
	held  bool // a carrier holds one of them
	last  Attempt
	says  string          // what the carrier of the last one says
	said  shipping.Status // where its tracking has it, of what a person has ended
}

func (d *delivery) unseen(a Attempt) {
	d.blind = d.blind || a.State == shipment.Ended
}

func (d *delivery) seen(a Attempt, claims, held []Claim, elsewhere string) {
	if a.State == shipment.Ended || live(a) {
		d.held = d.held || len(held) > 0
		d.last, d.says, d.said = a, cmp.Or(elsewhere, says(claims)), ""
		for _, c := range held {
			if a.ByHand && c.Entity == a.Entity {
				d.said = c.Said
			}
		}
	}
}

// delivered compares an order that is delivered with the carriers' word: one of its bookings must be there. Those that came to their end
// before it may have been given up.
func (u *Auditor) delivered(o Order, d delivery) {
	a := d.last
	row := rowOf(Status, o, a)
	if o.Status == shipping.OrderDelivered && d.said != "" && d.said != shipping.OrderDelivered {
		row.Detail = fmt.Sprintf("a person has said that the order is delivered, and %s has %s at %s", a.Adapter, a.Entity, d.said)
		row.Mend = "see who has said so: " + o.command("history")
		u.row(row)
		return
	}
	if o.Status != shipping.OrderDelivered || d.blind || d.held || a.State != shipment.Ended {
		return
	}
	row.Detail, row.Mend = fmt.Sprintf("the order is delivered by %s, and the carrier %s", a.Entity, d.says), mendDelivered(o, a)
	u.row(row)
}
