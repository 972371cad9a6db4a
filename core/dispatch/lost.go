package dispatch

import (
	"context"
	"slices"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// afterLost says what a refusal means where an earlier cancellation's answer was lost: nothing is wrong where a witness shows that the
// booking is cancelled, the refusal stands where one shows that it is not, and else nobody knows, so that it is asked for again. That
// nothing shows under the reference is a witness only where the carrier's silence proves anything, and the booking is of that reference:
// a number that is a person's word never shows there. A carrier that cannot be looked at is taken at its word.
func (s *Service) afterLost(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, acc Account, refusal *carrier.Error) *carrier.Error {
	m, ok := acc.Manifest()
	if !ok {
		return unknownAfter(nil)
	}
	if m.Has(carrier.CanFind) {
		found, err := acc.Find(ctx, s.findRequest(sh, a))
		mine := slices.DeleteFunc(slices.Clone(found), func(b carrier.Booking) bool { return !own(a, b) })
		switch {
		case err != nil:
			return unknownAfter(err)
		case liveBooking(mine) != nil:
			return refusal
		case len(mine) > 0 || m.Absence == carrier.Proven && !told(a):
			return nil
		}
	}
	if by, can := acc.(carrier.Tracker); can && m.Has(carrier.CanTrack) && a.Booking.TrackingID != "" {
		switch cancelled, moves, err := tracked(ctx, a, by); {
		case err != nil:
			return unknownAfter(err)
		case cancelled:
			return nil
		case moves:
			return refusal
		}
	}
	switch unheard := refusal.Code == carrier.BookingNotFound; {
	case unheard && told(a):
		return refusal // a number that is not known was never cancelled: it may be mistyped
	case m.Has(carrier.CanFind):
		return unknownAfter(refusal)
	case unheard:
		return nil
	}
	return refusal
}

// unknownAfter is what is known where a carrier refuses to cancel, and no witness tells whether an earlier cancellation has.
func unknownAfter(err error) *carrier.Error {
	return &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectUnknown, Retry: carrier.RetrySafe, Code: carrier.OutcomeUnknown,
		Message: "The carrier refuses to cancel, and does not tell whether an earlier cancellation has.", Err: err}
}

// tracked asks the carrier's tracking about the number of a booking: whether the last that it tells is a cancellation, and whether the
// goods have set out. Neither is true of a number that it does not know, and of one of which nothing has happened yet.
func tracked(ctx context.Context, a *shipment.Attempt, acc carrier.Tracker) (cancelled, moves bool, err error) {
	p := carrier.TrackedParcel{Number: a.Booking.TrackingID, Reference: a.Reference}
	if told(a) {
		p.Reference = "" // the number may not be of it
	}
	updates, err := acc.Track(ctx, carrier.TrackRequest{Parcels: []carrier.TrackedParcel{p}})
	if e := carrier.AsError(err); e != nil && e.Code == carrier.TrackingNotFound {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	var last shipping.TrackingEvent
	for _, u := range updates {
		if u.Unknown || u.Number != p.Number && (u.Reference == "" || u.Reference != p.Reference) {
			continue
		}
		for _, e := range u.Events {
			if e.Status == "" {
				continue
			}
			moves = moves || setOut(e.Status)
			if !e.Time.Before(last.Time.Time) {
				last = e
			}
		}
	}
	return last.Status == shipping.OrderCancelled, moves, nil
}

// setOut reports whether a status is told only of goods that the carrier has taken. A delay may be one of the pickup.
func setOut(s shipping.Status) bool {
	switch s {
	case shipping.OrderDelivered, shipping.OrderUndeliverable:
		return true
	case shipping.OrderDelayed:
		return false
	}
	return shipment.StageOf(s) == shipment.Underway
}
