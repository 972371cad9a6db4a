package dispatch

import (
	"context"
	"slices"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// askTold asks the carrier once more for the live booking of which a person alone has told, before it is cancelled, and takes what it
// shows. shown is what it has under the attempt's reference; none where nothing was asked, or the carrier cannot tell.
func (s *Service) askTold(ctx context.Context, sh *shipment.Shipment) (_ *shipment.Shipment, shown []carrier.Booking, err error) {
	a := sh.Live(sh.Way())
	if a == nil || !told(a) || a.CancelIntent != nil {
		return sh, nil, nil
	}
	number := a.Number
	fctx, trace := carrier.WithTrace(ctx)
	if shown = s.shown(fctx, sh, a); len(shown) == 0 {
		return sh, nil, nil
	}
	sh, err = s.change(ctx, sh, "spare", func(sh *shipment.Shipment) (*store.Tx, error) {
		a := sh.Attempt(number)
		if !told(a) {
			return nil, errUnchanged
		}
		tx := &store.Tx{}
		fresh, err := s.recordFound(ctx, sh, a, shown, tx)
		if err != nil {
			return nil, err
		}
		if !fresh {
			return nil, errUnchanged
		}
		tx.Exchanges = exchangesOf(sh, a.Account, "find", number, a.Round, trace, nil)
		return tx, nil
	})
	return sh, shown, err
}

// sure refuses to cancel a booking that may be another's: one of which a person alone has told, unless the carrier shows it under the
// order's reference, or the number is given again, confirmed. A number that is given must be the booking's in any case.
func (s *Service) sure(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, shown []carrier.Booking, confirmed string) error {
	number := a.Booking.Number()
	if confirmed != "" && !bears(a.Booking, confirmed) {
		return usecase.Failf(usecase.InvalidOperation, "The order is booked at %s as %s, not as %s. Nothing was cancelled.", a.Provider, number, confirmed)
	}
	if !told(a) || slices.ContainsFunc(shown, func(b carrier.Booking) bool { return own(a, b) }) {
		return nil
	}
	if liveBooking(shown) != nil {
		return noneOfThem(a, shown, "cancelled")
	}
	if err := s.othersOwn(ctx, sh, a, number); err != nil {
		return err
	}
	if confirmed == "" {
		return usecase.Failf(usecase.InvalidOperation, "The order is booked as %s by a person's word alone, and %s does not show that under the order's reference, %s: it may be another's. Nothing was cancelled. Look at %s whose it is. If it is this order's: %s. If it is not: %s",
			number, a.Provider, a.Reference, a.Provider, confirmCommand(sh, a), resolveCommand(sh, a))
	}
	return nil
}

// noneOfThem refuses to touch a booking of which a person alone has told, where the carrier shows several others under the reference.
func noneOfThem(a *shipment.Attempt, shown []carrier.Booking, done string) error {
	return usecase.Failf(usecase.InvalidOperation, "%s shows several bookings of attempt %d, and none is %s: %s. Nothing was %s. Resolve the attempt with the number of the one that is to be kept first.",
		a.Provider, a.Number, a.Booking.Number(), listed(shown), done)
}

// unsureEdit refuses to have the carrier change a booking that may be another's. shown is what the carrier has under the order's reference.
func (s *Service) unsureEdit(sh *shipment.Shipment, a *shipment.Attempt, shown []carrier.Booking) error {
	if liveBooking(shown) != nil {
		return noneOfThem(a, shown, "changed")
	}
	return usecase.Failf(usecase.InvalidOperation, "The order is booked as %s by a person's word alone, and %s does not show that under the order's reference, %s: it may be another's. Nothing was changed. Look at %s whose it is. If it is this order's, have it changed there%s. If it is not: %s",
		a.Booking.Number(), a.Provider, a.Reference, a.Provider, s.orCancel(sh, a, ", or: "), resolveCommand(sh, a))
}

// unconfirmed is what comes of asking about a booking of which a person alone has told, where nobody has confirmed it: its carrier is not asked.
func unconfirmed() *carrier.Error {
	return &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectNone, Retry: carrier.RetryNever,
		Code: carrier.Internal, Message: "The number of the booking is a person's word, which the carrier has not confirmed."}
}

// notOurs is what comes of asking about a booking of which a person alone has told, where that is another order's, or that is not known now.
func notOurs(err error) *carrier.Error {
	return &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectNone, Retry: carrier.RetryNever,
		Code: carrier.Internal, Message: "The number of the booking is a person's word, and may be another order's.", Err: err}
}

// confirmCommand is the command that cancels a booking of which a person alone has told.
func confirmCommand(sh *shipment.Shipment, a *shipment.Attempt) string {
	return usecase.CancelCommand(sh.Order.ExternalID, a.Booking.Number())
}
