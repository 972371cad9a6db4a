package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// drivenBy is the account whose drivers the run plays: what they do the engine is told by hand, and they keep a book of what it has
// taken note of.
const drivenBy = "own_fleet"

// aboard are the stages at which a driver has the order, so that nobody can cancel it.
var aboard = []shipping.Status{shipping.PickupCompleted, shipping.OutForDelivery, shipping.OrderDelivered}

// drive has the driver of a booking say how far the order is, if it is the order's still. A word that was taken, and whose answer was lost,
// is not taken twice; then the driver looks where the order stands.
func (o *sent) drive(ctx context.Context, reference string, to shipping.Status) (moved bool, err error) {
	if account, now, err := o.booking(ctx); err != nil || account != drivenBy || now != reference {
		return false, err
	}
	a, err := o.answered(ctx, o.id, http.MethodPost, shipmentPath(o.id, "/status"), fmt.Appendf(nil, `{"status":%q}`, to))
	if err != nil {
		return false, err
	}
	moved = a.status == http.StatusOK
	if !moved && a.inDark > 0 {
		if moved, err = o.reaches(ctx, to); err != nil {
			return false, err
		}
	}
	if moved {
		if reference, err = o.driven(ctx, a.answer, reference); err != nil {
			return false, err
		}
		o.truth.note(o.id, func(t *told) { t.driven, t.drove = append(t.driven, to), reference })
	}
	return moved, nil
}

// driven is the reference of the booking that the engine has moved, by its answer: between the driver's look and his word an edit may have
// given the order to another of them. Where the answer shows none, it is the one that the driver was at.
func (o *sent) driven(ctx context.Context, said answer, at string) (string, error) {
	number := numberIn(said)
	if said.status != http.StatusOK || number == "" {
		return at, nil
	}
	list, err := o.attempts(ctx)
	if err != nil {
		return "", err
	}
	for _, a := range list {
		if a.Provider == drivenBy && a.TrackingID == number {
			return a.Reference, nil
		}
	}
	return at, nil
}

// furthest is how far the drivers have brought an order, "" for nowhere.
func (said *told) furthest() shipping.Status {
	if len(said.driven) == 0 {
		return ""
	}
	return said.driven[len(said.driven)-1]
}

// byOwnDrivers is the attempt by which the merchant's own drivers have, or had, the order: the one that they have moved, else the one that
// counts; nil where no driver has anything to do with it.
func (x *examination) byOwnDrivers(o *owned, said *told) *shipment.Attempt {
	for i := range o.attempts {
		a := &o.attempts[i]
		if a.Adapter == withoutLedger && (a.Reference == said.drove || said.drove == "" && x.countsOn(a)) {
			return a
		}
	}
	return nil
}

// driven checks what the engine believes of an order that the merchant's own drivers have against the drivers' book: it stands where they
// have brought it, its history tells of each step, and nobody has taken it from a driver who has it, or kept it where none has.
func (x *examination) driven(o *owned, said *told) {
	a, far := x.byOwnDrivers(o, said), said.furthest()
	if a == nil {
		if far != "" {
			x.differ("lost", o, nil, "its driver was told that %s is taken note of, and no driver has a booking of it", far)
		}
		return
	}
	x.drivers++
	for _, step := range said.driven {
		if !slices.Contains(x.went[o.id], step) {
			x.differ("lost", o, nil, "its driver was told that %s is taken note of, and its history does not know", step)
		}
	}
	carried := slices.Contains(aboard, far)
	byHand := said.delivered != 0 // whoever has delivered it, it was said at once
	switch {
	case !x.countsOn(a):
		if carried {
			x.differ("status", o, nil, "attempt %d is %s, and its driver was told that it is known to stand at %s", a.Number, a.State, far)
		}
		return // before anybody had it
	case byHand, o.back:
	case far != "" && o.status != far:
		x.differ("status", o, nil, "its driver has brought it to %s, and it is %s", far, o.status)
	case far == "" && o.status != shipping.OrderDispatched:
		x.differ("status", o, nil, "is %s, and no driver has said so", o.status)
	}
	if x.refused(o.id, cancelRefused) && !carried && !byHand {
		x.differ("status", o, nil, "its history says that a cancellation was refused, and no driver has picked it up")
	}
}
