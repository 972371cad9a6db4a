package dispatch

import (
	"context"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// reroute changes what a booking cannot bear: new estimates are asked first, and only when somebody would carry the changed order
// is the old booking cancelled and the order dispatched again. What the order is to become is committed with the intent to cancel,
// so that whatever dies, the order ends as it was or as it was wished, with one booking.
func (s *Service) reroute(ctx context.Context, e *edit, sh *shipment.Shipment, asked asking) (Result, error) {
	wished := *sh
	wished.Order = cloneOrder(e.to)
	if err := s.place(ctx, e.tenant, &wished, s.Clock.Now()); err != nil {
		return Result{}, err
	}
	if e.diff.rename {
		// The booking must not be cancelled for a change that cannot be written down.
		if _, err := s.Store.ShipmentByExternalID(ctx, sh.Tenant, e.to.ExternalID); err == nil {
			return Result{}, usecase.Failf(usecase.DuplicateID, "Resource with provided id already exists.")
		}
	}
	// The round is counted up below, so that the references of this question are not those of the dispatch that follows.
	round := sh.Round + 1
	s.started(ctx, &wished, asked.begun)
	est, err := s.estimate(ctx, e.tenant, &wished, round, nil, nil)
	if err != nil {
		return Result{}, s.storeError("estimate changed order", err)
	}
	if est.held() == nil && est.decision.Winner == nil {
		return Result{}, &usecase.Error{Type: usecase.NoProviderMatched, Message: "No Provider matched the criteria for the changed order; it was left as it was.", Providers: est.errors}
	}
	sh, shown, err := s.askTold(ctx, sh)
	if err != nil {
		return Result{}, s.begunError("edit order", sh, err)
	}
	if sh.Live(sh.Way()) == nil {
		return Result{}, errOvertaken
	}
	number := sh.Live(sh.Way()).Number
	sh, err = s.commitEdit(ctx, sh, "reroute-intent", func(sh *shipment.Shipment) (*store.Tx, error) {
		if err := e.check(sh); err != nil {
			return nil, err
		}
		a := sh.Attempt(number)
		if !a.Live() || a.CancelIntent != nil {
			return nil, errOvertaken
		}
		if err := s.sure(ctx, sh, a, shown, ""); err != nil {
			return nil, err
		}
		sh.Round = max(sh.Round, round)
		s.intendCancel(sh, e.caller.Key, wished.Wish())
		tx := &store.Tx{}
		plan(tx, sh, s.job(sh, JobCancel, a.CancelIntent.Deadline))
		return tx, nil
	})
	if err != nil {
		return Result{}, err
	}
	var own inlineJob
	sh, cerr, err := s.cancelAtCarrier(ctx, sh, number, &own, true)
	if err != nil {
		return Result{}, s.begunError("edit order", sh, err)
	}
	a := sh.Attempt(number)
	switch {
	case cerr == nil && own.tries > 0 && sh.Waiting():
		if sh, err = own.run(ctx, s, sh, e.caller.Key, asked); err != nil {
			return Result{}, s.begunError("dispatch changed order", sh, err)
		}
		return s.answer(ctx, sh, asked)
	case sh.Status == shipping.OrderCancelled && !differ(sh.Order, e.from).route:
		return Result{}, cancelledMeanwhile()
	case !a.Live() && !differ(sh.Order, e.from).route: // whatever the carrier has answered
		return Result{}, usecase.Failf(usecase.ValidationError, "The booking came to its end while the provider was asked to cancel it for the change. The change was not made.")
	case !a.Live(): // made, and dispatched on, by whoever found it cancelled
		return Result{Shipment: sh, Waiting: sh.Waiting()}, nil
	case a.Rebooking():
		return Result{Shipment: sh, Waiting: true}, nil // its warnings say why
	}
	return Result{}, &usecase.Error{Type: usecase.PlaceOrderFailed, Message: a.Provider + " did not cancel the present booking, which the change needs; the order was left as it was.",
		Providers: []shipment.ProviderError{providerError(a.Provider, cerr)}, Err: cerr}
}
