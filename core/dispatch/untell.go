package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tally"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// asTold is the booking of which a person tells, as far as that goes.
func asTold(a *shipment.Attempt, number string) []carrier.Booking {
	return []carrier.Booking{{Reference: a.Reference, CarrierRef: number, TrackingID: number, ServiceID: a.ServiceID,
		Parcels: []carrier.BookedParcel{{Number: number}}}}
}

// resolveCommand is the command that takes back what a person has told of an attempt.
func resolveCommand(sh *shipment.Shipment, a *shipment.Attempt) string {
	if !a.EndedAt.IsZero() {
		return usecase.WithdrawCommand(sh.Order.ExternalID, a.Number, a.Booking.Number())
	}
	return usecase.ResolveCommand(sh.Order.ExternalID, a.Number, "")
}

// followerOf is the tracker that follows the booking of an attempt, nil where there is none.
func (s *Service) followerOf(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt) (*tracker.Tracker, error) {
	t, err := s.Store.TrackerByName(ctx, sh.Tenant, attemptName(sh, a))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tracker of attempt %d of %s: %w", a.Number, sh.ID, err)
	}
	return t, nil
}

// untell puts an attempt back in doubt that was booked by a person's word, and takes back what was learned of that booking. A cancellation of
// it is kept until the attempt's fate is known.
func (s *Service) untell(sh *shipment.Shipment, a *shipment.Attempt, tx *store.Tx) {
	if b := a.Booking.Amount; b.Currency == a.Fee.Currency && b.Currency == a.Quote.Amount.Currency {
		a.Fee.Minor -= b.Minor - a.Quote.Amount.Minor
	}
	if !a.EndedAt.IsZero() { // by what was heard of another's parcel
		tx.Usage = append(tx.Usage, store.UsageDelta{Account: a.Account, Day: sh.Day(a.IntendedAt), Open: 1})
		if sh.Status == shipping.OrderDelivered && a.Kind == shipment.Forward {
			tx.Counts = append(tx.Counts, tally.Undelivered(a, a.Quote.Delivery.EndsAt.Time, sh.Progress.ActualDelivery.Time)...)
		}
		a.EndedAt, a.EndedBy = time.Time{}, ""
	}
	a.State, a.Booking, a.CancelIntent, a.EditIntent = shipment.InDoubt, nil, nil, nil
	a.Doubt.Told, a.Doubt.Several, a.Doubt.Needs, a.Doubt.Misses = false, false, "", 0
	if sh.Cancel != nil {
		sh.Cancel.Kept = true
	}
	sh.Progress = shipment.Progress{}
	tx.DropJobs = append(tx.DropJobs, drop(sh, JobCancel, JobEdit, JobLabel, JobFallback)...)
}

// withdrawn is what was taken back of a person's word: what goes on with the order begins with done, frees the numbers that were typed, and
// does away with the tracker that followed them, nil where there was none.
type withdrawn struct {
	done     *store.Tx
	typed    []string
	follower *tracker.Tracker
}

// withdraw takes back what a person has told of an attempt, at a person's word, with the line that says so.
func (s *Service) withdraw(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, by string, r Resolution) (withdrawn, error) {
	if err := s.withdrawable(ctx, sh, a, r); err != nil {
		return withdrawn{}, err
	}
	why := "a person has found that it is not the order's"
	if r.Reason != "" {
		why += ": " + r.Reason
	}
	number := a.Booking.Number()
	follower, err := s.followerOf(ctx, sh, a)
	if err != nil {
		return withdrawn{}, err
	}
	w := withdrawn{done: &store.Tx{}, typed: bookingNumbers(a.Booking), follower: follower}
	s.untell(sh, a, w.done)
	a.Doubt.ByPerson = by
	line := sh.Move(shipping.PendingDispatch, s.Clock.Now(), by, shipment.WithAttempt(a.Number),
		shipment.WithNote("NUMBER_WITHDRAWN( "+a.Provider+" "+number+": "+why+" )"))
	w.done.Changes = append(w.done.Changes, store.Change{Shipment: sh.ID, Change: line})
	return w, nil
}

// then is the transaction that goes on with the order, with what was taken back before.
func (w *withdrawn) then(a *shipment.Attempt, tx *store.Tx) *store.Tx {
	tx.Changes = append(w.done.Changes, tx.Changes...)
	tx.DropJobs = append(w.done.DropJobs, tx.DropJobs...)
	tx.Usage, tx.Counts = append(w.done.Usage, tx.Usage...), append(w.done.Counts, tx.Counts...)
	letGo(a, tx, w.typed...)
	return tx
}

// absentAfterAll takes a person's word that there is no such booking as one has told of. Where the carrier shows one under the order's
// reference, that is not so.
func (s *Service) absentAfterAll(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, found []carrier.Booking, by string, r Resolution) (*store.Tx, error) {
	if liveBooking(found) != nil {
		orCancel := ""
		if meant(found, a.Booking.Number()) != nil && s.cancellable(sh) == nil { // of several it is not known which to cancel
			orCancel = ", or cancel the order: " + usecase.CancelCommand(sh.Order.ExternalID, "")
		}
		return nil, usecase.Failf(usecase.InvalidOperation, "%s shows of attempt %d: %s. Nothing was changed. Resolve it as booked with the number of the one that is to be kept%s",
			a.Provider, a.Number, listed(found), firstOf(orCancel, "."))
	}
	w, err := s.withdraw(ctx, sh, a, by, r)
	if err != nil {
		return nil, err
	}
	m, known := s.manifest(sh.Tenant, a.Account)
	tx := w.then(a, s.absent(sh, a, !known || m.Has(carrier.CanFind)))
	if t := w.follower; t != nil {
		tx.DropTrackers = append(tx.DropTrackers, t.ID)
	}
	return tx, nil
}

// retold takes another number of a person's for a booking of which the carrier shows nothing; or what it shows, found, where the number
// before is taken back.
func (s *Service) retold(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, found []carrier.Booking, by string, r Resolution) (*store.Tx, error) {
	number := r.TrackingID
	if own(a, carrier.Booking{CarrierRef: number, TrackingID: number}) {
		if err := s.withdrawable(ctx, sh, a, r); err != nil {
			return nil, err
		}
		return nil, usecase.Failf(usecase.InvalidOperation, "The order is booked as %s by a person's word already, and %s does not show that under the order's reference, %s. Nothing was changed. If it is wrong: %s%s",
			number, a.Provider, a.Reference, resolveCommand(sh, a), s.orCancel(sh, a, ". To cancel it: "))
	}
	w, err := s.withdraw(ctx, sh, a, by, r)
	if err != nil {
		return nil, err
	}
	tx := w.then(a, s.adopt(sh, a, found, by, number))
	if t := w.follower; t != nil { // nothing that was heard of the number before is this one's
		for _, now := range tx.Trackers {
			now.ID, now.Revision = t.ID, t.Revision
		}
	}
	return tx, nil
}

// waitsNoMore takes back what a person is asked for the sake of a cancellation, which is over: the booking stands.
func waitsNoMore(a *shipment.Attempt) {
	if d := a.Doubt; d != nil && !d.Several {
		d.Needs = ""
	}
}

// unheardOf leaves a booking to a person that its carrier does not know by the number that a person has told, when it is asked to cancel
// that. The cancellation waits for the person.
func (s *Service) unheardOf(sh *shipment.Shipment, a *shipment.Attempt, cerr *carrier.Error) *store.Tx {
	why := a.Provider + " knows no booking " + a.Booking.Number() + ", of which a person has told; look there what it has under the order's reference, then: " +
		resolveCommand(sh, a)
	tx := &store.Tx{}
	if a.Doubt.Needs == "" || a.Doubt.Last != why {
		a.Doubt.Needs, a.Doubt.Last = shipment.Attention, why
		tx = changed(sh, s.aside(sh, a, "NEEDS_ATTENTION( "+a.Provider+": "+why+" )"))
		s.Log.Warn("a carrier does not know the number that a person has told of a booking; look at the carrier's, then resolve it", "shipment_id", sh.ID,
			"account", a.Account, "attempt", a.Number, "reference", a.Reference)
	}
	if sh.Cancel != nil {
		sh.Cancel.Kept = true
	}
	a.CancelIntent, a.Error = nil, callError("cancel", cerr)
	sh.UpdatedAt = s.Clock.Now()
	tx.DropJobs = drop(sh, JobCancel)
	return tx
}
