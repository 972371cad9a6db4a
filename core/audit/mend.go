package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// command is a command of the command line about the order.
func (o Order) command(verb string) string {
	return "waybill shipments " + verb + " " + usecase.Argument(o.ID)
}

// bookedAs is the number by which a person knows the attempt's booking: the one that it is tracked by, else the carrier's own of it.
func (a Attempt) bookedAs() string { return cmp.Or(a.Tracking, a.Entity) }

// mendOpen is what is to be done about an attempt of which it is not known whether it is booked, cancelled or changed.
func mendOpen(o Order, a Attempt) string {
	switch {
	case a.Needs == "":
		return "wait for the engine, which is finding out: " + o.command("get")
	case live(a) && !a.Told:
		return fmt.Sprintf("ask %s what became of it, then: %s", a.Adapter, usecase.ResolveCommand(o.ID, a.Number, a.bookedAs()))
	}
	return fmt.Sprintf("ask %s what became of it, then: %s", a.Adapter, usecase.ResolveCommand(o.ID, a.Number, ""))
}

// mendWait leaves to the engine what it is having cancelled.
func mendWait(o Order, a Attempt) string {
	return fmt.Sprintf("wait for the engine, which is asking %s to cancel it: %s", a.Adapter, o.command("get"))
}

// mendUnheld is what is to be done about an order whose carrier does not hold what it counts on. One whose number is a person's word may
// have another booking, or none. What the carrier has as cancelled its tracking tells to an engine that serves: the order goes on then, or is
// cancelled too, as the carrier says whose will it was.
func mendUnheld(o Order, a Attempt, cancelled bool) string {
	switch mend := mendCounted(o, a); {
	case !a.Told && cancelled && mend == usecase.CancelCommand(o.ID, ""):
		return "start the engine, which hears of it from the carrier's tracking; or, while it serves: " + mend
	case !a.Told:
		return mend
	case a.Cancelling:
		return mendWait(o, a)
	case a.Withdrawable:
		return fmt.Sprintf("ask %s for what it has under %s, then: %s", a.Adapter, a.Reference, usecase.WithdrawCommand(o.ID, a.Number, a.bookedAs()))
	case a.Over:
		return mendHistory(o, a)
	}
	return fmt.Sprintf("ask %s for what it has under %s, then: %s", a.Adapter, a.Reference, usecase.ResolveCommand(o.ID, a.Number, ""))
}

// mendCounted is what ends what an order counts on: it is cancelled with the order, as long as anybody may do that.
func mendCounted(o Order, a Attempt) string {
	switch o.Status {
	case shipping.OrderCancelled, shipping.OrderDelivered, shipping.OrderUndeliverable:
		return mendHistory(o, a)
	}
	switch {
	case a.Uncancellable:
		return mendThere(o, a)
	case a.Told:
		return usecase.CancelCommand(o.ID, a.bookedAs())
	}
	return usecase.CancelCommand(o.ID, "")
}

// mendThere is what is to be done about a booking that only the carrier itself can cancel: the order goes on by what is told of it, by the
// carrier or, as far as people may move it where it stands, by them.
func mendThere(o Order, a Attempt) string {
	m := fmt.Sprintf("the adapter %s cannot cancel: ask the carrier what became of %s, and have it cancelled there; what was heard of it: %s",
		a.Adapter, a.bookedAs(), o.command("history"))
	if len(shipment.ManualFrom(o.Status)) > 0 {
		m += "; what the carrier never tells: " + o.command("status") + " STATUS --override --note WHY"
	}
	return m
}

func mendHistory(o Order, a Attempt) string {
	return fmt.Sprintf("ask %s what became of %s; what was heard of it: %s", a.Adapter, a.Entity, o.command("history"))
}

// mendDelivered is what is to be done about an order that is delivered by what its carrier does not tell.
func mendDelivered(o Order, a Attempt) string {
	history := o.command("history")
	if !a.Withdrawable {
		return "see who has said that it is delivered: " + history
	}
	return fmt.Sprintf("see who has told its number: %s; if that is not the order's: %s", history, usecase.WithdrawCommand(o.ID, a.Number, a.bookedAs()))
}

// mendHeld is what has a booking cancelled that the carrier holds and that an order is not to have: by the engine, under the attempt,
// unless the order counts on it, has been delivered by it, or does not know yet what it has.
func mendHeld(o Order, a Attempt, number string) string {
	for _, x := range o.Attempts {
		switch bears := x.Adapter == a.Adapter && x.bears(number); {
		case bears && live(x) && (!without(o.Status) || waits(o.Status)):
			return mendCounted(o, x)
		case bears && o.Status == shipping.OrderDelivered && x.Number == o.carried():
			if x.Withdrawable {
				return mendDelivered(o, x)
			}
			return "it has delivered the order; what was heard of it: " + o.command("history")
		}
	}
	if open(a) {
		return mendOpen(o, a)
	}
	for _, x := range o.Attempts {
		for _, sp := range x.Spares {
			if x.Adapter == a.Adapter && sp.bears(number) {
				return mendSpare(o, x, sp)
			}
		}
	}
	return usecase.SpareCommand(o.ID, a.Number, number)
}

// mendAccount brings the account of an attempt back, so that the engine can go on with what it has booked there.
func mendAccount(a Attempt) string {
	return fmt.Sprintf("put the account %s back with retired: true, then: waybill config check FILE", a.Account)
}

// mendSpare is what is to be done about a spare booking that the engine knows and means to cancel.
func mendSpare(o Order, a Attempt, sp Spare) string {
	if sp.Needs == "" {
		return mendWait(o, a)
	}
	return fmt.Sprintf("have it cancelled at %s, then: waybill shipments resolve %s --attempt %d --outcome absent", a.Adapter, usecase.Argument(o.ID), a.Number)
}

func (sp Spare) bears(number string) bool {
	return tracker.SameNumber(sp.Entity, number) || sp.Tracking != "" && tracker.SameNumber(sp.Tracking, number)
}

// mendElsewhere is what is to be done about a booking under one order's reference whose number another order has.
func mendElsewhere(other Order) string {
	return fmt.Sprintf("order %s has its number; see whose it is: %s", other.ID, other.command("get"))
}

// mendOrphan is what is to be done about a booking of which no order knows. Nothing tells the engine whose it is, nor with which of the
// accounts at the carrier it was booked: another's carrier refuses it, or does not know it.
func (u *Auditor) mendOrphan(c Claim) string {
	m := "waybill audit void " + c.Carrier + " " + usecase.Argument(c.Entity)
	if c.Reference != "" {
		m += " --reference " + usecase.Argument(c.Reference)
	}
	if u.accounts == nil {
		return m
	}
	switch at := u.accounts(c.Carrier); len(at) {
	case 0:
		return fmt.Sprintf("no account at %s is in the configuration: put the one back that has booked it, then: %s", c.Carrier, m)
	case 1:
		return m
	default:
		ways := make([]string, len(at))
		for i, a := range at {
			ways[i] = m + " --account " + usecase.Argument(a.ID) + " --tenant " + usecase.Argument(a.Tenant)
		}
		return "with the account that has booked it: " + strings.Join(ways, " or: ")
	}
}

// MendEnded is what is to be done about a booking of which no order knows and that has come to its end, as by delivery: nobody can cancel it.
func MendEnded(carrier, number string) string {
	return fmt.Sprintf("nothing cancels it any more: ask %s whose %s was and what it is charged for, and settle that there", carrier, number)
}

// MendUnderway is what is to be done about one whose parcel the carrier has, and that it does not cancel.
func MendUnderway(carrier, number string) string {
	return fmt.Sprintf("ask %s to stop %s or to bring it back, and run the audit again when it has come to its end", carrier, number)
}

// carried is the attempt that has delivered an order which is delivered: the last with a booking that was carried out. 0 where none was.
func (o Order) carried() (number int) {
	for _, a := range o.Attempts {
		if a.State == shipment.Ended || live(a) {
			number = a.Number
		}
	}
	return number
}

// bears reports whether a number is that of the attempt's booking, or of a parcel of it.
func (a Attempt) bears(number string) bool {
	is := func(n string) bool { return n != "" && tracker.SameNumber(n, number) }
	return is(a.Entity) || is(a.Tracking) || slices.ContainsFunc(a.Parcels, is)
}

// Known tells of a booking which order knows it or has asked for it, and what is to be done about it: the order that has it before one that
// had it, and that before one which has only asked under the reference. Both are "" where no order does.
func Known(orders []Order, carrier, number, reference string) (detail, mend string) {
	rank := func(a Attempt) int {
		switch {
		case a.Adapter != carrier:
			return 0
		case a.bears(number) && (live(a) || a.State == shipment.Ended):
			return 3
		case a.bears(number):
			return 2
		case slices.ContainsFunc(a.Spares, func(sp Spare) bool { return sp.bears(number) }):
			return 2
		case reference != "" && a.Reference == reference:
			return 1
		}
		return 0
	}
	best := 0
	for _, o := range orders {
		for _, a := range slices.Backward(o.Attempts) {
			if r := rank(a); r > best {
				best = r
				detail = fmt.Sprintf("attempt %d of order %s knows %s", a.Number, o.ID, number)
				if r == 1 {
					detail = fmt.Sprintf("attempt %d of order %s has asked for %s", a.Number, o.ID, number)
				}
				mend = mendHeld(o, a, number)
			}
		}
	}
	return detail, mend
}
