package dispatch

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// awaitsNumber reports whether a person may say under which number the attempt is booked: as long as its carrier has not.
func awaitsNumber(a *shipment.Attempt) bool { return a.State == shipment.InDoubt || told(a) }

// told reports whether the numbers of the attempt's live booking are a person's word that the carrier has not confirmed.
func told(a *shipment.Attempt) bool { return a.Live() && byWord(a) }

// byWord reports whether a person's word alone has given the attempt its numbers, also where the booking has come to its end since.
func byWord(a *shipment.Attempt) bool { return a.Booking != nil && a.Told() }

// shown is what the carrier has under the attempt's reference; nothing where it shows nothing or cannot be asked, so that a person's word
// must do.
func (s *Service) shown(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt) []carrier.Booking {
	acc, ok := s.Carriers.Account(sh.Tenant, a.Account)
	if !ok {
		return nil
	}
	if m, started := acc.Manifest(); !started || !m.Has(carrier.CanFind) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTime(a))
	defer cancel()
	found, err := s.find(ctx, sh, a, acc)
	if err != nil {
		s.Log.Warn("a carrier could not be asked about a booking that a person tells of; it is asked again", "shipment_id", sh.ID, "account", a.Account,
			"attempt", a.Number, "err", err)
		return nil
	}
	return found
}

// sighted is what the carrier shows, the booking that a person means by a number first. One who names what cannot be the attempt's booking is
// told what there is.
func sighted(a *shipment.Attempt, found []carrier.Booking, number string) ([]carrier.Booking, error) {
	own := meant(found, number)
	switch {
	case len(found) == 0:
		return nil, nil
	case own != nil:
		rest := slices.DeleteFunc(slices.Clone(found), func(b carrier.Booking) bool { return refOf(b) == refOf(*own) })
		return append([]carrier.Booking{*own}, rest...), nil
	case liveBooking(found) == nil:
		return nil, usecase.Failf(usecase.InvalidOperation, "What %s shows of attempt %d is cancelled: %s. Nothing was changed. If there is no other booking, resolve the attempt as absent.",
			a.Provider, a.Number, listed(found))
	}
	return nil, usecase.Failf(usecase.InvalidOperation, "%s shows several bookings of attempt %d, and none is %s: %s. Nothing was changed. Resolve the attempt with the number of the one that is to be kept; the others are cancelled.",
		a.Provider, a.Number, number, listed(found))
}

// meant is the live booking that a person means by a number: the only one, whatever the number, as it bears our reference; of several the
// one with that number of its own, or of a parcel's. Nil where none is.
func meant(found []carrier.Booking, number string) *carrier.Booking {
	live := slices.DeleteFunc(slices.Clone(found), func(b carrier.Booking) bool { return b.Cancelled })
	if len(live) == 1 {
		return &live[0]
	}
	isIt := func(n string) bool { return tracker.SameNumber(n, number) }
	if at := slices.IndexFunc(live, func(b carrier.Booking) bool { return slices.ContainsFunc(numbers(b), isIt) }); at >= 0 {
		return &live[at]
	}
	return nil
}

// listed names the bookings that live, or all where none does.
func listed(found []carrier.Booking) string {
	var out []string
	all := liveBooking(found) == nil
	for _, b := range found[:min(len(found), maxEntries)] {
		if all || !b.Cancelled {
			out = append(out, firstOf(b.TrackingID, b.CarrierRef))
		}
	}
	return strings.Join(out, ", ")
}

// tellBooked takes a person's word of a booking, and what the carrier has shown of it.
func (s *Service) tellBooked(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, found []carrier.Booking, by string, r Resolution) (*store.Tx, error) {
	if err := s.othersOwn(ctx, sh, a, r.TrackingID); err != nil {
		return nil, err
	}
	a.Doubt.ByPerson = by
	if a.Live() && len(found) == 0 {
		return s.retold(ctx, sh, a, nil, by, r)
	}
	if a.Live() {
		tx := &store.Tx{}
		if err := s.correct(ctx, sh, a, found[0], tx); err != nil {
			return nil, err
		}
		s.recordSpares(sh, a, found, tx)
		return tx, nil
	}
	return s.adopt(sh, a, found, by, r.TrackingID), nil
}

// adopt has an attempt in doubt adopt what the carrier shows of it, or, where that is nothing, the booking of which a person tells.
func (s *Service) adopt(sh *shipment.Shipment, a *shipment.Attempt, found []carrier.Booking, by, number string) *store.Tx {
	if a.Doubt.Told = len(found) == 0; a.Doubt.Told {
		found = asTold(a, number)
	}
	a.Doubt.Lost = ""
	tx := s.success(sh, a, found, shipment.Adopted, by)
	if line, differs := s.corrected(sh, a, number); differs {
		tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: line})
	}
	return tx
}

// recordFound notes what the carrier shows under the attempt's reference: first which of it is the booking that a person told of, where
// that is not known yet, then what is beside it. It reports whether there was anything to note.
func (s *Service) recordFound(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, found []carrier.Booking, tx *store.Tx) (bool, error) {
	if !told(a) {
		return s.recordSpares(sh, a, found, tx), nil
	}
	own := meant(found, a.Booking.TrackingID)
	if own != nil {
		if err := s.correct(ctx, sh, a, *own, tx); err != nil {
			return false, err
		}
		s.recordSpares(sh, a, found, tx)
		return true, nil
	}
	if liveBooking(found) == nil || a.Doubt.Needs != "" {
		return false, nil
	}
	// To cancel any of them may be to cancel the one that is on its way.
	a.Doubt.Needs, a.Doubt.Several = shipment.Attention, true
	a.Doubt.Last = fmt.Sprintf("the carrier shows several bookings, and none is %s: %s", a.Booking.TrackingID, listed(found))
	line := s.aside(sh, a, "NEEDS_ATTENTION( "+a.Provider+": "+a.Doubt.Last+" )")
	tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: line})
	s.Log.Warn("an order is booked by a person's word, and none of the carrier's bookings has the number; resolve it with the right one", "shipment_id", sh.ID,
		"account", a.Account, "attempt", a.Number, "reference", a.Reference)
	return true, nil
}

// correct has the attempt take the numbers of the booking that the carrier shows in place of those that a person told, and its tracker
// follow them.
func (s *Service) correct(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, b carrier.Booking, tx *store.Tx) error {
	number, typed := a.Booking.TrackingID, bookingNumbers(a.Booking)
	a.Doubt.Told, a.Doubt.Several, a.Doubt.Needs = false, false, ""
	if a.CancelIntent != nil {
		a.CancelIntent.Needs = "" // it goes on under the carrier's number
	}
	s.take(sh, a, brief(b), tx)
	letGo(a, tx, typed...)
	sh.UpdatedAt = s.Clock.Now()
	if line, differs := s.corrected(sh, a, number); differs {
		tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: line})
	}
	now := s.followed(sh, a)
	t, err := s.followerOf(ctx, sh, a)
	switch {
	case err != nil:
		return err
	case t == nil:
		t = now
	default:
		t.Number, t.Tags, t.TrackingURL = now.Number, now.Tags, now.TrackingURL
		t.NextPoll, t.UpdatedAt = now.NextPoll, now.UpdatedAt
		if t.Stopped == tracker.StopExpired { // the wrong number was never known
			t.Stopped = ""
		}
	}
	tx.Trackers = append(tx.Trackers, t)
	s.cancelKept(sh, tx)
	return nil
}

// corrected is the line of the history that tells under which number the attempt is booked in truth; differs is false where a person has
// given that number.
func (s *Service) corrected(sh *shipment.Shipment, a *shipment.Attempt, number string) (line shipment.Change, differs bool) {
	if tracker.SameNumber(a.Booking.TrackingID, number) || tracker.SameNumber(a.Booking.CarrierRef, number) {
		return shipment.Change{}, false
	}
	return s.aside(sh, a, "NUMBER_CORRECTED( "+a.Provider+" "+number+": the booking under the order's reference is "+a.Booking.TrackingID+" )"), true
}
