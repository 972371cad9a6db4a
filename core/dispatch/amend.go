package dispatch

import (
	"context"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// amend changes what a live booking can bear: local fields, and what the carrier's Editor takes, which is kept with a warning
// where the carrier has none. Where the carrier is to hear of it, the intent is committed first.
func (s *Service) amend(ctx context.Context, e *edit, sh *shipment.Shipment) (Result, error) {
	number := sh.Live(sh.Way()).Number
	ask := e.diff.carrier && s.canEdit(sh)
	var shown []carrier.Booking
	if ask {
		var err error
		if sh, shown, err = s.askTold(ctx, sh); err != nil {
			return Result{}, s.begunError("edit order", sh, err)
		}
	}
	if ask && e.diff.rename {
		// The carrier must not hear of a change that cannot be written down.
		if _, err := s.Store.ShipmentByExternalID(ctx, sh.Tenant, e.to.ExternalID); err == nil {
			return Result{}, usecase.Failf(usecase.DuplicateID, "Resource with provided id already exists.")
		}
	}
	commit := func(sh *shipment.Shipment) (*store.Tx, error) {
		if err := e.check(sh); err != nil {
			return nil, err
		}
		a := sh.Attempt(number)
		if e.diff.beyondLocal() && !a.Live() {
			return nil, errOvertaken
		}
		if ask && told(a) {
			return nil, s.unsureEdit(sh, a, shown)
		}
		now := s.Clock.Now()
		sh.UpdatedAt = now
		tx := &store.Tx{}
		if !ask {
			sh.Order = cloneOrder(e.to)
			s.warnings(sh)
			if e.diff.carrier {
				uninformed(sh, a)
			}
			return tx, nil
		}
		a.EditIntent = &shipment.EditIntent{By: e.caller.Key, At: now, Deadline: now.Add(callTime(a)), Order: cloneOrder(e.to)}
		plan(tx, sh, s.job(sh, JobEdit, a.EditIntent.Deadline))
		return tx, nil
	}
	if ask {
		sh, err := s.commitEdit(ctx, sh, "edit-intent", commit)
		if err != nil {
			return Result{}, err
		}
		return s.askEdit(ctx, sh, number)
	}
	sh, err := s.commitEdit(ctx, sh, "edit", commit)
	if err != nil {
		return Result{}, err
	}
	return Result{Shipment: sh}, nil
}

// canEdit reports whether the carrier is to be told. One whose adapter has not started is: it may have an Editor.
func (s *Service) canEdit(sh *shipment.Shipment) bool {
	acc, ok := s.Carriers.Account(sh.Tenant, sh.Live(sh.Way()).Account)
	if !ok {
		return false
	}
	m, started := acc.Manifest()
	return !started || m.Has(carrier.CanEdit)
}

// notInformed warns of an order that was changed since it was booked, in what its carrier was not told.
const notInformed = "PROVIDER_NOT_INFORMED"

// uninformed has the order say so, for everyone who reads it, until the carrier takes a change or is asked for another booking: each tells
// it all of the order.
func uninformed(sh *shipment.Shipment, a *shipment.Attempt) {
	informed(sh)
	sh.Warnings = append(sh.Warnings, shipment.Warning{Code: notInformed, Provider: a.Provider,
		Message: "The order was changed after it was booked. The change is kept, but " + a.Provider + " cannot be told of it any more."})
}

func informed(sh *shipment.Shipment) {
	sh.Warnings = slices.DeleteFunc(sh.Warnings, func(w shipment.Warning) bool { return w.Code == notInformed })
}

// askEdit asks the carrier to change the booking, whose intent is committed, and words what came of it.
func (s *Service) askEdit(ctx context.Context, sh *shipment.Shipment, number int) (Result, error) {
	want := sh.Attempt(number).EditIntent.Order
	sh, cerr, err := s.editAtCarrier(ctx, sh, number, true)
	if err != nil {
		return Result{}, s.begunError("edit order", sh, err)
	}
	a := sh.Attempt(number)
	res := Result{Shipment: sh, Waiting: sh.Waiting()}
	switch {
	case sh.Status == shipping.OrderCancelled && differ(sh.Order, want).beyondLocal():
		return Result{}, cancelledMeanwhile()
	case !a.Live() && differ(sh.Order, want).beyondLocal(): // whatever the carrier has answered
		return Result{}, usecase.Failf(usecase.ValidationError, "The booking came to its end while the provider was asked about the change. The change was not made.")
	case cerr == nil:
	case !a.Live(): // the booking has ended meanwhile, and the next is made with the change
	case a.EditIntent != nil:
		res.Waiting = true // its warnings say why
	case refusedEdit(cerr): // the order says so
	case !differ(sh.Order, want).beyondLocal(): // the job has asked again, and was answered
	default:
		return Result{}, &usecase.Error{Type: usecase.PlaceOrderFailed, Message: a.Provider + " did not take the change; the order was left as it was.",
			Providers: []shipment.ProviderError{providerError(a.Provider, cerr)}, Err: cerr}
	}
	return res, nil
}

// cancelledMeanwhile answers an edit that a cancellation of the order has overtaken.
func cancelledMeanwhile() error {
	return usecase.Failf(usecase.ValidationError, "The order was cancelled while the provider was asked about the change. The change was not made.")
}

// refusedEdit reports whether the carrier takes no such change: then it is kept without the carrier.
func refusedEdit(cerr *carrier.Error) bool {
	return cerr.Code == carrier.EditRefused || cerr.Code == carrier.Unsupported
}

// editAtCarrier asks the carrier to change a booking as the intent says, and commits what came of it. An unknown outcome leaves the
// intent and the job that asks again: the same change asked for twice is one change. waits says that a caller hears the answer: to
// that one a failure is told, and the intent withdrawn.
func (s *Service) editAtCarrier(ctx context.Context, sh *shipment.Shipment, number int, waits bool) (*shipment.Shipment, *carrier.Error, error) {
	asked := sh.Attempt(number).EditIntent.Asks // how often it had been asked in vain when this call began
	cerr, trace := s.callEdit(ctx, sh, sh.Attempt(number))
	sh, err := s.changeNamed(ctx, sh, "edit-result", func(sh *shipment.Shipment, sameID bool) (*store.Tx, error) {
		a := sh.Attempt(number)
		ei := a.EditIntent
		if ei == nil || cerr != nil && cerr.Effect == carrier.EffectNone && (ei.Asks != asked || waits && s.Clock.Now().After(ei.Deadline)) {
			// Another call was made, or may have been since the deadline. What that came to is not what this one says.
			return nil, errUnchanged
		}
		sh.UpdatedAt = s.Clock.Now()
		tx := &store.Tx{}
		refused := cerr != nil && refusedEdit(cerr)
		switch {
		case cerr == nil || refused || !waits && refusedForGood(cerr):
			line := s.edited(sh, a, cerr, sameID)
			if !waits { // who was told that it is in doubt hears of it here
				tx = changed(sh, line())
			}
			tx.DropJobs = drop(sh, JobEdit)
		case cerr.Effect == carrier.EffectNone && waits && !ei.Unknown:
			a.EditIntent = nil
			tx.DropJobs = drop(sh, JobEdit)
		default:
			ei.Unknown = ei.Unknown || cerr.Effect != carrier.EffectNone
			ei.Asks++
			ei.Last = cerr.Message
			if s.isPersons(sh, a, ei.At, &ei.Barred, cerr) && ei.Needs == "" {
				ei.Needs = shipment.Attention
				tx = s.attend(sh, a)
			}
			plan(tx, sh, s.job(sh, JobEdit, s.Clock.Now().Add(max(cerr.RetryAfter, pause(ei.Asks, firstPause, longPause)))))
		}
		tx.Exchanges = exchangesOf(sh, a.Account, "edit", number, a.Round, trace, cerr)
		return tx, nil
	})
	return sh, cerr, err
}

// edited makes the order what an edit wishes, as its carrier has taken that or, where refusal says so, takes no such change any more.
// The line that tells of it is for who does not hear the carrier's answer.
func (s *Service) edited(sh *shipment.Shipment, a *shipment.Attempt, refusal *carrier.Error, sameID bool) (line func() shipment.Change) {
	id := sh.Order.ExternalID
	sh.Order = cloneOrder(a.EditIntent.Order)
	s.warnings(sh)
	if sameID {
		sh.Order.ExternalID = id
	}
	a.EditIntent = nil
	if informed(sh); refusal != nil {
		uninformed(sh, a)
	}
	return func() shipment.Change {
		if refusal == nil {
			return s.aside(sh, a, "EDITED( "+a.Provider+": the change is taken )")
		}
		return s.aside(sh, a, "EDIT_REFUSED( "+a.Provider+": "+refusal.Message+" )")
	}
}

func (s *Service) callEdit(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt) (*carrier.Error, *carrier.Trace) {
	if told(a) {
		return unconfirmed(), nil
	}
	acc, ok := s.Carriers.Account(sh.Tenant, a.Account)
	if !ok {
		return accountGone(), nil
	}
	edited := *sh
	edited.Order = a.EditIntent.Order
	ectx, stop := context.WithTimeout(ctx, callTime(a))
	defer stop()
	ectx, trace := carrier.WithTrace(ectx)
	_, err := acc.Edit(ectx, carrier.EditRequest{Consignment: consignment(&edited, a.Reference, rulesSettings(a.Set)),
		CarrierRef: a.Booking.CarrierRef, ServiceID: a.ServiceID})
	cerr := carrierError(err)
	if cerr != nil && cerr.Effect == carrier.EffectApplied {
		cerr = nil
	}
	return cerr, trace
}

// RunEdit is the handler of edit jobs: a change of a booking whose outcome is unknown is asked for again until it is certain.
func (s *Service) RunEdit(ctx context.Context, j store.Job) (jobs.Outcome, error) {
	sh, err := s.Store.Shipment(ctx, j.Tenant, shipment.ID(j.Key))
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("edit job %s: %w", j.ID, err)
	}
	a := sh.Live(sh.Way())
	if a == nil || a.EditIntent == nil {
		return jobs.Done(), nil
	}
	_, _, err = s.editAtCarrier(ctx, sh, a.Number, false)
	return jobs.Settled(), err
}
