package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Cancel cancels an order: at the carrier first, where one has it.
func (s *Service) Cancel(ctx context.Context, c Caller, externalID string) (Result, error) {
	begun := s.Clock.Now()
	sh, err := s.load(ctx, c, externalID)
	if err != nil {
		return Result{}, err
	}
	ctx = context.WithoutCancel(ctx)
	ask := false
	sh, err = s.change(ctx, sh, func(sh *shipment.Shipment) (*store.Tx, error) {
		ask = false
		if err := s.cancellable(sh); err != nil {
			return nil, err
		}
		now := s.Clock.Now()
		switch {
		case sh.Open(shipment.Forward) != nil:
			// A booking is in flight. The cancellation wins once its fate is known.
			sh.Cancel = &shipment.CancelRequest{By: c.Key, At: now}
			sh.UpdatedAt = now
			return &store.Tx{}, nil
		case sh.Live(shipment.Forward) != nil:
			ask = true
			sh.Cancel = &shipment.CancelRequest{By: c.Key, At: now}
			s.intendCancel(sh, c.Key)
			tx := &store.Tx{}
			plan(tx, sh, s.job(sh, JobCancel, sh.Live(shipment.Forward).CancelIntent.Deadline))
			return tx, nil
		}
		return s.cancelledLocally(sh, c.Key), nil
	})
	if e, ok := errors.AsType[*Error](err); ok {
		return Result{}, e
	}
	if err != nil {
		return Result{}, s.storeError("cancel order", err)
	}
	if ask {
		return s.askCancel(ctx, sh)
	}
	if sh.Status == shipping.OrderCancelled {
		return Result{Shipment: sh}, nil
	}
	if sh, err = s.await(ctx, sh, begun.Add(s.Config().Dispatch.AnswerWithin)); err != nil {
		return Result{}, err
	}
	if sh.Status == shipping.OrderCancelled {
		return Result{Shipment: sh}, nil
	}
	return Result{Shipment: sh, Waiting: true, Warnings: []shipment.Warning{{Code: "CANCEL_PENDING",
		Message: "The order will be cancelled as soon as it is known whether the provider has booked it."}}}, nil
}

// cancellable says whether an order may be cancelled now, as far as the engine itself can tell.
func (s *Service) cancellable(sh *shipment.Shipment) error {
	switch {
	case sh.Status == shipping.OrderCancelled:
		return failf(OrderAlreadyCanceled, "Requested order is already in Cancelled state.")
	case sh.Status == shipping.OrderDelivered || sh.Status == shipping.OrderUndeliverable:
		return failf(CancellationNotAllowed, "The order can no longer be cancelled: it is in state %s.", sh.Status)
	}
	if a := sh.Live(shipment.Forward); a != nil {
		if m, ok := s.manifest(sh.Tenant, a.Account); ok && !m.Has(carrier.CanCancel) {
			return failf(CancellationNotAllowed, "Provider does not allow cancellation of orders: %s.", a.Provider)
		}
	}
	return nil
}

func (s *Service) intendCancel(sh *shipment.Shipment, by string) {
	now := s.Clock.Now()
	a := sh.Live(shipment.Forward)
	a.CancelIntent = &shipment.CancelIntent{By: by, At: now, Deadline: now.Add(a.Deadline.Sub(a.IntendedAt))}
	sh.UpdatedAt = now
}

// cancelledLocally cancels an order that no carrier has.
func (s *Service) cancelledLocally(sh *shipment.Shipment, by string) *store.Tx {
	tx := changed(sh, sh.Move(shipping.OrderCancelled, s.Clock.Now(), by))
	sh.Cancel, sh.Failure = nil, nil
	tx.DropJobs = drop(sh, JobDispatch, JobReconcile, JobCancel)
	return tx
}

// askCancel asks the carrier to cancel the live booking, whose intent is committed, and turns what it says into the caller's answer.
func (s *Service) askCancel(ctx context.Context, sh *shipment.Shipment) (Result, error) {
	provider := sh.Live(shipment.Forward).Provider
	sh, cerr, err := s.cancelAtCarrier(ctx, sh)
	switch {
	case err != nil:
		return Result{}, s.storeError("cancel order", err)
	case cerr == nil:
		return Result{Shipment: sh}, nil
	case cerr.Code == carrier.CancelRefused || cerr.Code == carrier.Unsupported:
		return Result{}, &Error{Type: CancellationNotAllowed, Message: "Provider does not allow cancellation of orders: " + provider + " refuses it at this stage.",
			Providers: []shipment.ProviderError{providerError(provider, cerr)}, Err: cerr}
	case cerr.Effect == carrier.EffectNone:
		return Result{}, &Error{Type: OrderCancellationFailed, Message: "Provider failed to cancel order",
			Providers: []shipment.ProviderError{providerError(provider, cerr)}, Err: cerr}
	}
	return Result{Shipment: sh, Waiting: true, Warnings: []shipment.Warning{{Code: "CANCEL_IN_DOUBT", Provider: provider,
		Message: "The provider's answer was lost; the cancellation is asked for again until it is certain."}}}, nil
}

// cancelAtCarrier asks the carrier and commits what came of it; an unknown outcome leaves the intent and the job that asks again.
func (s *Service) cancelAtCarrier(ctx context.Context, sh *shipment.Shipment) (*shipment.Shipment, *carrier.Error, error) {
	a := sh.Live(shipment.Forward)
	acc, ok := s.Carriers.Account(sh.Tenant, a.Account)
	if !ok {
		return sh, &carrier.Error{Source: carrier.SourceConfig, Effect: carrier.EffectNone, Code: carrier.AdapterUnavailable, Message: "The account is not configured any more."}, nil
	}
	done, trace, cerr := s.callCancel(ctx, sh, a, acc)
	number := a.Number
	sh, err := s.change(ctx, sh, func(sh *shipment.Shipment) (*store.Tx, error) {
		a := sh.Attempt(number)
		if !a.Live() {
			return nil, errUnchanged
		}
		tx := &store.Tx{}
		switch {
		case cerr == nil:
			tx = s.cancelled(sh, a, done)
		case cerr.Effect == carrier.EffectNone:
			a.CancelIntent, sh.Cancel = nil, nil
			a.Error = callError("cancel", cerr)
			tx.DropJobs = drop(sh, JobCancel)
		default:
			a.CancelIntent.Unknown = true
			a.Error = callError("cancel", cerr)
			plan(tx, sh, s.job(sh, JobCancel, s.Clock.Now().Add(firstPause)))
		}
		tx.Exchanges = exchangesOf(sh, a.Account, "cancel", number, a.Round, trace, cerr)
		return tx, nil
	})
	return sh, cerr, err
}

// callCancel asks the carrier to cancel, and again at once where the answer was lost: cancelling what is cancelled is success.
func (s *Service) callCancel(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, acc Account) (carrier.Cancellation, *carrier.Trace, *carrier.Error) {
	cctx, stop := context.WithTimeout(ctx, a.Deadline.Sub(a.IntendedAt))
	defer stop()
	cctx, trace := carrier.WithTrace(cctx)
	req := carrier.CancelRequest{Reference: a.Reference, CarrierRef: a.Booking.CarrierRef, TrackingID: a.Booking.TrackingID, ServiceID: a.ServiceID,
		Reason: "cancelled by merchant", Status: sh.Status}
	done, err := acc.Cancel(cctx, req)
	if cerr := carrier.AsError(err); cerr != nil && cerr.Effect != carrier.EffectNone {
		done, err = acc.Cancel(cctx, req)
	}
	return done, trace, carrier.AsError(err)
}

// cancelled ends the live booking and with it the order.
func (s *Service) cancelled(sh *shipment.Shipment, a *shipment.Attempt, done carrier.Cancellation) *store.Tx {
	now := s.Clock.Now()
	by := systemUser
	if a.CancelIntent != nil {
		by = a.CancelIntent.By
	}
	a.State, a.EndedAt, a.CancelIntent, a.Refund = shipment.Cancelled, now, nil, done.Refund
	opts := []func(*shipment.Change){shipment.WithAttempt(a.Number)}
	if done.Note != "" {
		opts = append(opts, shipment.WithNote(done.Note))
	}
	tx := changed(sh, sh.Move(shipping.OrderCancelled, now, by, opts...))
	sh.Cancel = nil
	tx.Usage = []store.UsageDelta{{Account: a.Account, Day: dayOf(sh, a.IntendedAt), Open: -1}}
	tx.DropJobs = drop(sh, JobDispatch, JobReconcile, JobCancel)
	return tx
}

// finishCancel carries out a cancellation that was asked for while the booking's fate was unknown.
func (s *Service) finishCancel(ctx context.Context, sh *shipment.Shipment) (*shipment.Shipment, error) {
	sh, err := s.change(ctx, sh, func(sh *shipment.Shipment) (*store.Tx, error) {
		if sh.Cancel == nil || sh.Live(shipment.Forward) == nil {
			return nil, errUnchanged
		}
		s.intendCancel(sh, sh.Cancel.By)
		tx := &store.Tx{}
		plan(tx, sh, s.job(sh, JobCancel, s.Clock.Now().Add(time.Minute)))
		return tx, nil
	})
	if err != nil || sh.Live(shipment.Forward) == nil {
		return sh, err
	}
	sh, _, err = s.cancelAtCarrier(ctx, sh)
	return sh, err
}

// RunCancel is the handler of cancel jobs: a cancellation whose outcome is unknown is asked for again until it is certain.
func (s *Service) RunCancel(ctx context.Context, j store.Job) (jobs.Outcome, error) {
	sh, err := s.Store.Shipment(ctx, j.Tenant, shipment.ID(j.Key))
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("cancel job %s: %w", j.ID, err)
	}
	a := sh.Live(shipment.Forward)
	if a == nil || a.CancelIntent == nil {
		return jobs.Done(), nil
	}
	_, cerr, err := s.cancelAtCarrier(ctx, sh)
	switch {
	case err != nil:
		return jobs.Outcome{}, err
	case cerr != nil && cerr.Effect != carrier.EffectNone:
		return jobs.Again(s.Clock.Now().Add(pause(j.Tries, firstPause, longPause))), nil
	}
	return jobs.Settled(), nil
}
