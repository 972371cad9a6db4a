package dispatch

import (
	"context"
	"slices"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// carriedByWord reports whether a person's word alone has given the attempt a number that is being carried, or was carried to its end.
func carriedByWord(a *shipment.Attempt) bool {
	return byWord(a) && (a.Live() || a.State == shipment.Ended)
}

// takeBack takes back a number that a person has told of an attempt, also where its parcel has come to its end: that was another's. What
// was heard of it is forgotten, and the order goes on as if nothing had been told, or under the number that is told now.
func (s *Service) takeBack(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, found []carrier.Booking, by string, r Resolution) (*store.Tx, error) {
	if slices.ContainsFunc(found, func(b carrier.Booking) bool { return own(a, b) }) {
		return nil, usecase.Failf(usecase.InvalidOperation, "%s shows %s under the order's reference, %s: it is the order's. Nothing was changed.",
			a.Provider, a.Booking.Number(), a.Reference)
	}
	if r.Outcome == OutcomeAbsent {
		return s.absentAfterAll(ctx, sh, a, found, by, r)
	}
	if bears(a.Booking, r.TrackingID) {
		return nil, usecase.Failf(usecase.InvalidOperation, "%s is the number that is to be taken back. Nothing was changed. Resolve attempt %d as absent, or as booked with another number.",
			r.TrackingID, a.Number)
	}
	if err := s.othersOwn(ctx, sh, a, r.TrackingID); err != nil {
		return nil, err
	}
	return s.retold(ctx, sh, a, found, by, r)
}

// withdrawable refuses to take back what a person has told of an attempt: while its carrier is asked to cancel that, and where its parcel has
// come to its end, unless that very number is taken back, with a reason.
func (s *Service) withdrawable(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, r Resolution) error {
	number := a.Booking.Number()
	switch {
	case r.Withdraw != "" && !bears(a.Booking, r.Withdraw):
		return usecase.Failf(usecase.InvalidOperation, "The order is booked at %s as %s, not as %s. Nothing was changed.", a.Provider, number, r.Withdraw)
	case a.CancelIntent != nil && a.CancelIntent.Needs == "":
		return usecase.Failf(usecase.InvalidOperation, "%s is being asked to cancel %s. Nothing was changed. Resolve attempt %d when it is known what came of that.",
			a.Provider, number, a.Number)
	case a.EndedAt.IsZero():
		return nil
	}
	if err := s.settled(ctx, sh, a); err != nil {
		return err
	}
	if r.Withdraw == "" {
		return usecase.Failf(usecase.InvalidOperation, "The order is in state %s by what was heard of %s, a person's word. Nothing was changed. If that was not the order's: %s",
			sh.Status, number, resolveCommand(sh, a))
	}
	return nil
}

// settled says why an order stays as it is by what was heard of a number, though that is a person's word; nil where it need not.
func (s *Service) settled(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt) error {
	number := a.Booking.Number()
	switch {
	case !sh.ErasedAt.IsZero():
		return usecase.Failf(usecase.InvalidOperation, "The order stays in state %s, by what was heard of %s: its personal data was erased.", sh.Status, number)
	case sh.Last(sh.Way()) != a:
		return usecase.Failf(usecase.InvalidOperation, "%s was given up, and the order has gone on with another attempt since. Nothing was changed.", number)
	case a.State == shipment.Ended && sh.Status != shipping.OrderDelivered:
		retry := ""
		if sh.Retryable() {
			retry = " The order can be tried again: " + usecase.RetryCommand(sh.Order.ExternalID)
		}
		return usecase.Failf(usecase.InvalidOperation, "%s was given up by its carrier, and the order is in state %s. Nothing was changed.%s", number, sh.Status, retry)
	case a.SpareLeft():
		return usecase.Failf(usecase.InvalidOperation, "%s is being asked to cancel another booking of attempt %d. Nothing was changed. Take %s back when that is done.",
			a.Provider, a.Number, number)
	}
	for _, id := range sh.Returns {
		back, err := s.Store.Shipment(ctx, sh.Tenant, id)
		if err != nil {
			return s.storeError("read return "+string(id), err)
		}
		if !back.CameToNothing() {
			return usecase.Failf(usecase.InvalidOperation, "What the order has brought is on its way back with %s. Nothing was changed. Cancel that first.", back.Order.ExternalID)
		}
	}
	return nil
}

// nothingToResolve refuses a person's word where none is asked for. A number that has come to its end by such a word may be taken back.
func (s *Service) nothingToResolve(ctx context.Context, sh *shipment.Shipment, r Resolution) error {
	refusal := usecase.Failf(usecase.InvalidOperation, "Nothing about the order needs a person's decision, or not about attempt %d.", r.Attempt)
	if a := latest(sh, r.Attempt, carriedByWord); a != nil && r.Withdraw == "" && s.settled(ctx, sh, a) == nil {
		refusal.Message += " It is in state " + string(sh.Status) + " by what was heard of " + a.Booking.Number() + ", a person's word. If that was not the order's: " + resolveCommand(sh, a)
	}
	return refusal
}
