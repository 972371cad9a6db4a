package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// claimedByWord reports whether an order has what is claimed, as holder has found it, by a person's word alone.
func claimedByWord(a *shipment.Attempt, spare *shipment.Spare) bool {
	if spare != nil {
		return spare.Told
	}
	return told(a)
}

// yieldJob is the job in which an order gives up what it has claimed by a person's word: its carrier tells it to be an order's of another
// tenant. It is put with the transaction that takes the claim, which cannot change the order itself.
func (s *Service) yieldJob(sh *shipment.Shipment, name string) store.Job {
	j := s.job(sh, JobYield, s.Clock.Now())
	j.ID += "/" + name
	j.Payload = []byte(name)
	return j
}

// RunYield is the handler of yield jobs.
func (s *Service) RunYield(ctx context.Context, j store.Job) (jobs.Outcome, error) {
	sh, err := s.Store.Shipment(ctx, j.Tenant, shipment.ID(j.Key))
	if errors.Is(err, store.ErrNotFound) {
		return jobs.Done(), nil
	}
	if err == nil {
		_, err = s.yielded(ctx, sh, string(j.Payload))
	}
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("yield job %s: %w", j.ID, err)
	}
	return jobs.Done(), nil
}

// yielded has an order give up what it has by a person's word, where that is another's by now.
func (s *Service) yielded(ctx context.Context, sh *shipment.Shipment, name string) (*shipment.Shipment, error) {
	return s.change(ctx, sh, "yield", func(sh *shipment.Shipment) (*store.Tx, error) {
		a, spare := holder(sh, name)
		if a == nil || !claimedByWord(a, spare) {
			return nil, errUnchanged
		}
		var number string
		if spare != nil {
			number = spare.Number()
		} else {
			number = a.Booking.Number()
		}
		owner, err := s.othersOrder(ctx, sh, a, number)
		if err != nil {
			return nil, err
		}
		if owner == nil {
			return nil, errUnchanged
		}
		tx := &store.Tx{}
		return tx, s.yield(ctx, sh, name, owner, tx)
	})
}

// yield has an order give up in a transaction what it has claimed by a person's word, as its carrier tells it to be the owner's.
func (s *Service) yield(ctx context.Context, sh *shipment.Shipment, name string, owner *shipment.Shipment, tx *store.Tx) error {
	a, spare := holder(sh, name)
	if spare == nil {
		return s.disown(ctx, sh, a, owner, tx)
	}
	number, ref := spare.Number(), spare.CarrierRef
	a.Spares = slices.DeleteFunc(a.Spares, func(sp shipment.Spare) bool { return sp.CarrierRef == ref })
	line := s.aside(sh, a, "SPARE_DROPPED( "+a.Provider+" "+number+": it is of "+ownerName(sh, owner)+" )")
	tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: line})
	return nil
}

// ownerName is how the history of an order speaks of another: no tenant hears of another's orders.
func ownerName(sh, other *shipment.Shipment) string {
	if other.Tenant != sh.Tenant {
		return "another order"
	}
	return "order " + other.Order.ExternalID
}

// disown puts an attempt back in doubt that was booked by a person's word, as its carrier tells the number to be another order's, owner:
// nothing is known of a booking of its own then. A cancellation of it is kept until that is known.
func (s *Service) disown(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, owner *shipment.Shipment, tx *store.Tx) error {
	t, err := s.followerOf(ctx, sh, a)
	if err != nil {
		return err
	}
	if t != nil {
		tx.DropTrackers = append(tx.DropTrackers, t.ID)
	}
	now := s.Clock.Now()
	why := "the number that a person gave, " + a.Booking.TrackingID + ", is the booking of " + ownerName(sh, owner)
	s.untell(sh, a, tx)
	a.Doubt.Needs, a.Doubt.Last, a.Doubt.Lost = shipment.Attention, why, why
	line := sh.Move(shipping.PendingDispatch, now, systemUser, shipment.WithAttempt(a.Number), shipment.WithNote("NEEDS_ATTENTION( "+a.Provider+": "+why+" )"))
	tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: line})
	plan(tx, sh, s.job(sh, JobReconcile, s.firstLook(sh, a, now)))
	s.Log.Warn("an order was booked under another's number, by a person's word; look at the carrier's, then resolve it", "shipment_id", sh.ID, "account", a.Account,
		"attempt", a.Number, "reference", a.Reference, "owner", owner.ID)
	return nil
}
