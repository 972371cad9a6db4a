package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tally"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Cancel cancels an order: at the carrier first, where one has it. Where the carrier is being asked already, or a booking is in
// flight, it waits for what comes of that. confirmed is "" or a number of the booking: one that is a person's word alone, and that the
// carrier does not show, is only cancelled where that is given.
func (s *Service) Cancel(ctx context.Context, c usecase.Caller, externalID, confirmed string) (Result, error) {
	begun := s.Clock.Now()
	sh, err := s.load(ctx, c, externalID)
	if err != nil {
		return Result{}, err
	}
	ctx, caller := context.WithoutCancel(ctx), ctx
	sh, shown, err := s.askTold(ctx, sh)
	if err != nil {
		return Result{}, s.begunError("cancel order", sh, err)
	}
	number := 0 // of the attempt whose booking this call asks to cancel
	sh, err = s.change(ctx, sh, "cancel-intent", func(sh *shipment.Shipment) (*store.Tx, error) {
		number = 0
		if err := s.cancellable(sh); err != nil {
			return nil, err
		}
		a, now := sh.Live(sh.Way()), s.Clock.Now()
		if a == nil && sh.Open(sh.Way()) == nil {
			return s.cancelledLocally(sh, c.Key), nil
		}
		if a != nil && a.CancelIntent == nil {
			if err := s.sure(ctx, sh, a, shown, confirmed); err != nil {
				return nil, err
			}
		}
		// From here on the cancellation is kept on the shipment and wins over whatever is under way.
		asked := sh.Cancel != nil
		if !asked {
			sh.Cancel = &shipment.CancelRequest{By: c.Key, At: now}
			sh.UpdatedAt = now
		}
		switch {
		case a != nil && a.CancelIntent == nil:
			number = a.Number
			s.intendCancel(sh, c.Key, nil)
			tx := &store.Tx{}
			plan(tx, sh, s.job(sh, JobCancel, a.CancelIntent.Deadline))
			return tx, nil
		case asked && sh.Cancel.Kept:
			return nil, errUnchanged
		}
		sh.Cancel.Kept = true
		return &store.Tx{}, nil
	})
	if e, ok := errors.AsType[*usecase.Error](err); ok {
		return Result{}, e
	}
	if err != nil {
		return Result{}, s.storeError("cancel order", err)
	}
	if number > 0 {
		if sh, _, err = s.cancelAtCarrier(ctx, sh, number, nil, true); err != nil {
			return Result{}, s.begunError("cancel order", sh, err)
		}
	} else {
		until := begun.Add(s.Config().Dispatch.AnswerWithin)
		pending := func(sh *shipment.Shipment) bool { return sh.Cancel != nil && !s.outOfReach(sh, until) }
		if sh, err = s.await(caller, sh, until, pending); err != nil {
			return Result{}, err
		}
	}
	return cancelAnswer(sh)
}

// cancelAnswer words where a cancellation stands.
func cancelAnswer(sh *shipment.Shipment) (Result, error) {
	if sh.Status == shipping.OrderCancelled {
		return Result{Shipment: sh}, nil
	}
	a := sh.Live(sh.Way())
	if sh.Cancel != nil {
		return Result{Shipment: sh, Waiting: true}, nil // its warnings say why
	}
	if a == nil {
		return Result{}, &usecase.Error{Type: usecase.CancellationNotAllowed, Message: fmt.Sprintf("The order can no longer be cancelled: it is in state %s.", sh.Status)}
	}
	e := &usecase.Error{Type: usecase.OrderCancellationFailed, Message: "Provider failed to cancel order"}
	if x := a.Error; x != nil && x.Op == "cancel" {
		e.Providers = []shipment.ProviderError{{Provider: a.Provider, Type: x.Code, Code: x.CarrierCode, Message: firstOf(x.CarrierMessage, x.Message)}}
		switch carrier.Code(x.Code) {
		case carrier.CancelRefused, carrier.Unsupported:
			e.Type = usecase.CancellationNotAllowed
			e.Message = "Provider does not allow cancellation of orders: " + a.Provider + " refuses it at this stage."
		case carrier.CarrierRejected, carrier.Internal:
			e.Type, e.Message = usecase.UnmappedError, "Request received unidentifiable error response."
		}
	}
	return Result{}, e
}

// cancellable says whether an order may be cancelled now, as far as the engine itself can tell.
func (s *Service) cancellable(sh *shipment.Shipment) error {
	switch {
	case sh.Status == shipping.OrderCancelled:
		return usecase.Failf(usecase.OrderAlreadyCanceled, "Requested order is already in Cancelled state.")
	case sh.Status == shipping.OrderDelivered || sh.Status == shipping.OrderUndeliverable:
		return usecase.Failf(usecase.CancellationNotAllowed, "The order can no longer be cancelled: it is in state %s.", sh.Status)
	}
	if a := sh.Live(sh.Way()); a != nil {
		if m, ok := s.manifest(sh.Tenant, a.Account); ok && !m.Has(carrier.CanCancel) {
			return usecase.Failf(usecase.CancellationNotAllowed, "Provider does not allow cancellation of orders: %s.", a.Provider)
		}
	}
	return nil
}

// intendCancel notes that the live booking is being cancelled, and what the order becomes then: replace, or nil for cancelled. Whoever
// calls it is sure of the booking.
func (s *Service) intendCancel(sh *shipment.Shipment, by string, replace *shipment.Wish) {
	now := s.Clock.Now()
	a := sh.Live(sh.Way())
	a.CancelIntent = &shipment.CancelIntent{By: by, At: now, Deadline: now.Add(callTime(a)), Confirmed: told(a), Replace: replace}
	sh.UpdatedAt = now
}

// cancelledLocally cancels an order that no carrier has.
func (s *Service) cancelledLocally(sh *shipment.Shipment, by string) *store.Tx {
	tx := changed(sh, sh.Move(shipping.OrderCancelled, s.Clock.Now(), by))
	sh.Cancel, sh.Failure = nil, nil
	tx.DropJobs = drop(sh, JobDispatch, JobReconcile, JobCancel, JobFallback)
	return tx
}

// cancelAtCarrier asks the carrier to cancel the booking of an attempt, whose intent is committed, and commits what came of it. An
// unknown outcome leaves the intent and the job that asks again. waits says that a caller hears the answer: to that one a failure
// is told, and the intent withdrawn; else, and where others were told that the cancellation is kept, it is asked for until the carrier
// says yes or no, and a no is told by the history. own is the dispatch job of a caller who means to book anew at once.
func (s *Service) cancelAtCarrier(ctx context.Context, sh *shipment.Shipment, number int, own *inlineJob, waits bool) (*shipment.Shipment, *carrier.Error, error) {
	for range maxConflicts {
		fresh, cerr, moved, err := s.cancelOnce(ctx, sh, number, own, waits)
		if !moved || err != nil {
			return fresh, cerr, err
		}
		sh = fresh
	}
	return sh, nil, fmt.Errorf("shipment %s: moved by hand while its booking was being cancelled: %w %d times", sh.ID, store.ErrConflict, maxConflicts)
}

// cancelOnce asks once. moved says that nothing came of it: the carrier goes by where the engine says that the order is, and a person has
// moved the order since.
func (s *Service) cancelOnce(ctx context.Context, sh *shipment.Shipment, number int, own *inlineJob, waits bool) (_ *shipment.Shipment, _ *carrier.Error, moved bool, _ error) {
	stood := sh.Status
	intent := shipment.CancelIntent{By: systemUser} // as this call began
	if ci := sh.Attempt(number).CancelIntent; ci != nil {
		intent = *ci
	}
	var asked shipment.Booking // that the carrier is asked about; what the attempt is booked as may be corrected meanwhile
	if b := sh.Attempt(number).Booking; b != nil {
		asked = *b
	}
	done, trace, cerr := s.callCancel(ctx, sh, sh.Attempt(number), !waits)
	m, known := s.manifest(sh.Tenant, sh.Attempt(number).Account) // after the call: an adapter that starts has none before it has answered
	byHand := known && !m.Has(carrier.CanTrack) && !m.Has(carrier.CanReceivePush)
	other := false // the answer is about another number than the attempt's
	sh, err := s.changeNamed(ctx, sh, "cancel-result", func(sh *shipment.Shipment, sameID bool) (*store.Tx, error) {
		a := sh.Attempt(number)
		ci := a.CancelIntent
		kept := sh.Cancel != nil && sh.Cancel.Kept
		tx := &store.Tx{}
		other = a.Live() && (a.Booking.CarrierRef != asked.CarrierRef || a.Booking.TrackingID != asked.TrackingID)
		moved = byHand && cerr == nil && a.Live() && sh.Status != stood
		switch {
		case !a.Live(), moved:
			return nil, errUnchanged
		case other:
			tx = s.answeredOther(sh, a, asked, cerr)
		case cerr != nil && cerr.Effect == carrier.EffectNone && (ci == nil || ci.Asks != intent.Asks || waits && s.Clock.Now().After(ci.Deadline)):
			// Another call was made, or may have been since the deadline. What that came to is not what this one says.
			return nil, errUnchanged
		case cerr == nil:
			tx = s.released(sh, a, done, own, sameID)
		case cerr.Code == carrier.BookingNotFound && told(a):
			tx = s.unheardOf(sh, a, cerr)
		case refusedForGood(cerr) || cerr.Effect == carrier.EffectNone && waits && !ci.Unknown && !kept:
			if !waits || kept {
				tx = changed(sh, s.stands(sh, a, cerr.Message, !waits)...)
			}
			a.CancelIntent, sh.Cancel = nil, nil
			waitsNoMore(a)
			a.Error = callError("cancel", cerr)
			sh.UpdatedAt = s.Clock.Now()
			tx.DropJobs = drop(sh, JobCancel)
		default:
			if ci == nil { // another's answer has withdrawn it
				s.intendCancel(sh, intent.By, intent.Replace)
				ci = a.CancelIntent
			}
			if cerr.Effect == carrier.EffectNone && waits && !ci.Unknown && ci.Replace != nil {
				ci.By, ci.Replace = sh.Cancel.By, nil // who asked for the change is told that it failed; the kept cancellation goes on
			}
			ci.Unknown = ci.Unknown || cerr.Effect != carrier.EffectNone
			ci.Asks++
			a.Error = callError("cancel", cerr)
			ci.Last = cerr.Message
			if s.isPersons(sh, a, ci.At, &ci.Barred, cerr) && ci.Needs == "" {
				ci.Needs = shipment.Attention
				tx = s.attend(sh, a)
			}
			plan(tx, sh, s.job(sh, JobCancel, s.Clock.Now().Add(max(cerr.RetryAfter, pause(ci.Asks, firstPause, longPause)))))
		}
		tx.Exchanges = exchangesOf(sh, a.Account, "cancel", number, a.Round, trace, cerr)
		return tx, nil
	})
	if other {
		cerr = unknownAfter(nil)
	}
	return sh, cerr, moved, err
}

// answeredOther takes the carrier's answer to a cancellation of asked, in place of which another number stands by now: it says nothing
// of that one, so that a cancellation which is under way goes on about it.
func (s *Service) answeredOther(sh *shipment.Shipment, a *shipment.Attempt, asked shipment.Booking, cerr *carrier.Error) *store.Tx {
	tx := &store.Tx{}
	mine := bears(a.Booking, asked.CarrierRef) || bears(a.Booking, asked.TrackingID)
	if cerr == nil && !mine {
		number := asked.Number()
		tx = changed(sh, s.aside(sh, a, "NUMBER_CANCELLED( "+a.Provider+" "+number+": cancelled by a person's word, before the order's booking was seen to be another )"))
		s.Log.Warn("a carrier has cancelled a booking that a person took for the order's, and that is not; look whose it was", "shipment_id", sh.ID,
			"account", a.Account, "attempt", a.Number, "carrier_ref", asked.CarrierRef)
	}
	if ci := a.CancelIntent; ci != nil {
		// By the number of one parcel the carrier may have cancelled what it is now asked to cancel as a whole.
		ci.Unknown = ci.Unknown || mine && (cerr == nil || cerr.Effect != carrier.EffectNone)
		plan(tx, sh, s.job(sh, JobCancel, s.Clock.Now()))
	}
	return tx
}

func (s *Service) reload(ctx context.Context, sh *shipment.Shipment) (*shipment.Shipment, error) {
	return s.Store.Shipment(ctx, sh.Tenant, sh.ID)
}

// callCancel asks the carrier to cancel, and again at once where the answer was lost: cancelling what is cancelled is success. The
// error's effect is what is known after both. again says that it may have been asked before: by whoever died before the answer
// was written down.
func (s *Service) callCancel(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, again bool) (carrier.Cancellation, *carrier.Trace, *carrier.Error) {
	if told(a) && !(a.CancelIntent != nil && a.CancelIntent.Confirmed) {
		return carrier.Cancellation{}, nil, unconfirmed()
	}
	if told(a) {
		if err := s.othersOwn(ctx, sh, a, a.Booking.Number()); err != nil {
			return carrier.Cancellation{}, nil, notOurs(err)
		}
	}
	acc, ok := s.Carriers.Account(sh.Tenant, a.Account)
	if !ok {
		return carrier.Cancellation{}, nil, accountGone()
	}
	cctx, stop := context.WithTimeout(ctx, callTime(a))
	defer stop()
	cctx, trace := carrier.WithTrace(cctx)
	req := carrier.CancelRequest{Reference: a.Reference, CarrierRef: a.Booking.CarrierRef, TrackingID: a.Booking.TrackingID, ServiceID: a.ServiceID,
		Reason: "cancelled by merchant", Status: sh.Status}
	done, err := acc.Cancel(cctx, req)
	cerr := carrierError(err)
	unknown := again || a.CancelIntent != nil && a.CancelIntent.Unknown
	if cerr != nil && cerr.Effect == carrier.EffectUnknown {
		first := cerr
		unknown = true
		done, err = acc.Cancel(cctx, req)
		if cerr = carrierError(err); cerr != nil && !refusedForGood(cerr) && cerr.Code != carrier.BookingNotFound {
			cerr = first // nothing was done this time, perhaps; the first time is what counts
		}
	}
	if cerr == nil || cerr.Effect == carrier.EffectApplied {
		return done, trace, nil
	}
	if unknown && (cerr.Code == carrier.BookingNotFound || refusedForGood(cerr)) {
		// One of those whose answers were lost may have done it, and the carrier refuses to do it twice, in whatever words.
		return done, trace, s.afterLost(cctx, sh, a, acc, cerr)
	}
	return done, trace, cerr
}

// released ends the live booking, and with it the order, or makes the order what the intent says and has it dispatched anew. A
// cancellation that was asked for meanwhile wins.
func (s *Service) released(sh *shipment.Shipment, a *shipment.Attempt, done carrier.Cancellation, own *inlineJob, sameID bool) *store.Tx {
	now := s.Clock.Now()
	by := systemUser
	var wish *shipment.Wish
	if a.CancelIntent != nil {
		by, wish = a.CancelIntent.By, a.CancelIntent.Replace
	}
	doubtful, edit := a.EditIntent, a.Rebooking()
	usage, counts := ended(sh, a, shipment.Cancelled, now), tally.Back(a)
	a.Refund, a.Error = done.Refund, nil
	var watch []store.Job
	if byWord(a) { // nothing is proven of what is under the reference
		watch = append(watch, s.watchJob(sh, a, now.Add(firstPause)))
	}
	if wish != nil && sh.Cancel == nil {
		id := sh.Order.ExternalID
		lines := s.become(sh, a, wish, doubtful, by)
		if sameID {
			sh.Order.ExternalID = id
		}
		sh.Progress = shipment.Progress{}
		sh.Retries = 0
		tx := changed(sh, lines...)
		tx.Usage, tx.Counts, tx.PutJobs = usage, counts, append(tx.PutJobs, watch...)
		if own != nil {
			own.put(s, tx, sh)
		} else {
			plan(tx, sh, s.job(sh, JobDispatch, clock.Later(sh.Order.DispatchAt.Time, now)))
		}
		tx.DropJobs = append(tx.DropJobs, drop(sh, JobCancel, JobEdit)...)
		return tx
	}
	if sh.Cancel != nil {
		by = sh.Cancel.By
	}
	opts := []func(*shipment.Change){shipment.WithAttempt(a.Number)}
	if done.Note != "" {
		opts = append(opts, shipment.WithNote(done.Note))
	}
	tx := changed(sh, sh.Move(shipping.OrderCancelled, now, by, opts...))
	if doubtful != nil || edit { // who was told that it is in doubt hears of it nowhere else
		tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: s.aside(sh, a, "EDIT_REFUSED( "+a.Provider+": the order is cancelled )")})
	}
	sh.Cancel = nil
	tx.Usage, tx.Counts, tx.PutJobs = usage, counts, watch
	tx.DropJobs = drop(sh, JobDispatch, JobReconcile, JobCancel, JobEdit, JobFallback)
	return tx
}

// stands are the lines that tell that a booking is not cancelled, and why, for who was told that it is being cancelled: for the order's
// end, for an edit (told says that whoever asks for that does not hear it otherwise), or for a fallback.
func (s *Service) stands(sh *shipment.Shipment, a *shipment.Attempt, why string, told bool) (lines []shipment.Change) {
	if !a.Rebooking() || sh.Cancel != nil {
		lines = append(lines, s.aside(sh, a, "CANCELLATION_REFUSED( "+a.Provider+": "+why+" )"))
	}
	if a.Rebooking() && told {
		lines = append(lines, s.aside(sh, a, "EDIT_REFUSED( "+a.Provider+": "+why+" )"))
	}
	return lines
}

// become makes the order what it is dispatched anew as, and is the lines that say so. An edit asks for what it has wished. A fallback
// rule wants the order as it is by now, which an edit may have changed since; where it is in doubt whether the old carrier has taken
// an edit, doubtful, the new booking is made with it.
func (s *Service) become(sh *shipment.Shipment, a *shipment.Attempt, wish *shipment.Wish, doubtful *shipment.EditIntent, by string) (lines []shipment.Change) {
	fallback, version := sh.Fallback, sh.Rules
	note := "EDITED( rebooked )"
	if turned := fallback != nil && by == systemUser; turned {
		note = "FALLBACK( " + fallback.Rule + ": " + fallback.Event + " )"
		if doubtful != nil {
			sh.Order = cloneOrder(doubtful.Order)
			s.warnings(sh)
			lines = append(lines, s.aside(sh, a, "EDITED( "+a.Provider+": the booking is cancelled, the next is made with the change )"))
		}
		sh.Unhold()
		sh.Fallback, sh.Rules = fallback, version
	} else {
		sh.Grant(wish)
		sh.Unhold()
	}
	return append(lines, sh.Move(shipping.RequestReceived, s.Clock.Now(), by, shipment.WithNote(note)))
}

// ended ends a live attempt, with all that was intended about it, and counts its booking out.
func ended(sh *shipment.Shipment, a *shipment.Attempt, state shipment.AttemptState, now time.Time) []store.UsageDelta {
	a.State, a.CancelIntent, a.EditIntent = state, nil, nil
	return countOut(sh, a, now)
}

// countOut counts a booking out of the open ones, once.
func countOut(sh *shipment.Shipment, a *shipment.Attempt, now time.Time) []store.UsageDelta {
	if !a.EndedAt.IsZero() {
		return nil
	}
	a.EndedAt = now
	return []store.UsageDelta{{Account: a.Account, Day: sh.Day(a.IntendedAt), Open: -1}}
}

// RunCancel is the handler of cancel jobs: a cancellation whose outcome is unknown is asked for again until it is certain.
func (s *Service) RunCancel(ctx context.Context, j store.Job) (jobs.Outcome, error) {
	sh, err := s.Store.Shipment(ctx, j.Tenant, shipment.ID(j.Key))
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("cancel job %s: %w", j.ID, err)
	}
	a := sh.Live(sh.Way())
	if a == nil || a.CancelIntent == nil {
		return jobs.Done(), nil
	}
	_, _, err = s.cancelAtCarrier(ctx, sh, a.Number, nil, false)
	return jobs.Settled(), err
}
