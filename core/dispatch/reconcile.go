package dispatch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/failpoint"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tally"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// How often the carrier is asked about an attempt in doubt: the pause grows with each look that found nothing out.
const (
	firstPause = 5 * time.Second
	missPause  = time.Second
	longPause  = 10 * time.Minute
	watchPause = 6 * time.Hour
	// refusedPause comes after the first refusal to cancel a spare booking.
	refusedPause = time.Minute
	// findSlack is how far before the intent and after now a booking is looked for: carriers' clocks are not ours.
	findSlack = 24 * time.Hour
	// missesNeeded is how often a carrier must know nothing, a grace apart, before that counts.
	missesNeeded = 2
)

// findings is what one look at the carrier has shown.
type findings struct {
	bookings []carrier.Booking
	refused  *carrier.Error // the same booking, sent again, was refused; err then tells of looking for it
	err      *carrier.Error
	calls    []call
}

// call is one question to the carrier, for the trace.
type call struct {
	op    string
	trace *carrier.Trace
	err   *carrier.Error
}

// RunReconcile is the handler of reconcile jobs: it finds out what became of an attempt whose outcome is unknown. Until it
// knows, no other carrier is asked.
func (s *Service) RunReconcile(ctx context.Context, j store.Job) (jobs.Outcome, error) {
	if failpoint.WithoutReconcile {
		return jobs.Done(), nil
	}
	sh, err := s.Store.Shipment(ctx, j.Tenant, shipment.ID(j.Key))
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("reconcile job %s: %w", j.ID, err)
	}
	a := sh.Open(sh.Way())
	if a == nil {
		return s.adrift(ctx, sh)
	}
	number := a.Number
	acc, ok := s.Carriers.Account(sh.Tenant, a.Account)
	if !ok {
		return s.unaskable(ctx, sh, number, accountGone())
	}
	m, started := acc.Manifest()
	if !started {
		again := jobs.Again(s.Clock.Now().Add(s.unstarted(a)))
		if failedToStart(acc) {
			_, err = s.unaskable(ctx, sh, number, notStarted())
		}
		return again, err
	}
	if now, due := s.Clock.Now(), s.firstLook(sh, a, time.Time{}); due.After(now) {
		return jobs.Again(due), nil
	}
	f := s.look(ctx, sh, a, acc, m)
	var again time.Time
	settled := false
	sh, err = s.change(ctx, sh, "reconcile", func(sh *shipment.Shipment) (*store.Tx, error) {
		settled, again = false, time.Time{}
		a := sh.Attempt(number)
		var tx *store.Tx
		if a.Open() {
			tx, again = s.conclude(sh, a, m, f)
			settled = true
		} else {
			tx = &store.Tx{}
			if fresh, err := s.recordFound(ctx, sh, a, f.bookings, tx); err != nil {
				return nil, err
			} else if !fresh {
				return nil, errUnchanged
			}
		}
		for _, c := range f.calls {
			tx.Exchanges = append(tx.Exchanges, exchangesOf(sh, a.Account, c.op, a.Number, a.Round, c.trace, c.err)...)
		}
		if !again.IsZero() {
			plan(tx, sh, s.job(sh, JobReconcile, again))
		}
		return tx, nil
	})
	if err != nil || !settled {
		return jobs.Done(), err
	}
	if again.IsZero() {
		a = sh.Attempt(number)
		s.metrics.attempts.WithLabelValues(a.Adapter, string(a.State)).Inc()
	}
	return jobs.Settled(), nil
}

// adrift ends a reconcile job whose attempt has found its end otherwise: where that has left the order without a job, it is
// dispatched on.
func (s *Service) adrift(ctx context.Context, sh *shipment.Shipment) (jobs.Outcome, error) {
	settled := false
	_, err := s.change(ctx, sh, "adrift", func(sh *shipment.Shipment) (*store.Tx, error) {
		now := s.Clock.Now()
		settled = sh.Waiting() && sh.Open(sh.Way()) == nil && sh.Live(sh.Way()) == nil &&
			sh.Status != shipping.PendingRelease && sh.Status != shipping.PendingAutoRetry
		if !settled {
			return nil, errUnchanged
		}
		return &store.Tx{DropJobs: drop(sh, JobReconcile), PutJobs: []store.Job{s.job(sh, JobDispatch, clock.Later(sh.Order.DispatchAt.Time, now))}}, nil
	})
	if err != nil || !settled {
		return jobs.Done(), err
	}
	return jobs.Settled(), nil
}

// look asks the carrier once: by sending the same booking again where the carrier makes one per reference whatever is sent,
// else by looking for it.
func (s *Service) look(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, acc Account, m carrier.Manifest) findings {
	var f findings
	if m.Idempotency == carrier.Native && !duplicated(a) {
		again := *a
		again.IntendedAt = s.Clock.Now()
		again.Deadline = again.IntendedAt.Add(callTime(a))
		b, trace, err := s.book(ctx, sh, &again, acc, rulesSettings(a.Set))
		f.calls, f.err = append(f.calls, call{"book", trace, err}), err
		switch {
		case err == nil:
			f.bookings = []carrier.Booking{b}
			return f
		case !refusedForGood(err):
			return f
		}
		// The carrier may look at the order before it looks at the reference: a refusal now says nothing of what it did then.
		f.refused = err
		if !m.Has(carrier.CanFind) {
			return f
		}
	}
	ctx, cancel := context.WithTimeout(ctx, callTime(a))
	defer cancel()
	ctx, trace := carrier.WithTrace(ctx)
	f.bookings, f.err = s.find(ctx, sh, a, acc)
	f.calls = append(f.calls, call{"find", trace, f.err})
	return f
}

// find asks the carrier what it has under the attempt's reference. Each booking that is answered has a number.
func (s *Service) find(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, acc Account) ([]carrier.Booking, *carrier.Error) {
	r := s.findRequest(sh, a)
	r.LabelFormat = a.LabelFormat
	found, err := acc.Find(ctx, r)
	if err != nil {
		return nil, carrierError(err)
	}
	if slices.ContainsFunc(found, func(b carrier.Booking) bool { return !readable(b) }) {
		return nil, &carrier.Error{Source: carrier.SourceAdapter, Effect: carrier.EffectNone, Code: carrier.CarrierProtocol,
			Message: "The adapter found a booking without any number of it, or with what cannot be one."}
	}
	return found, nil
}

// findRequest asks for what was booked under the attempt's reference: since its intent, or before, where it is the booking of an earlier time
// that a store which was restored knew nothing of.
func (s *Service) findRequest(sh *shipment.Shipment, a *shipment.Attempt) carrier.FindRequest {
	from := a.IntendedAt
	if duplicated(a) {
		from = sh.CreatedAt
	}
	if b := a.Booking; b != nil && !b.BookedAt.IsZero() && b.BookedAt.Before(from) {
		from = clock.Later(b.BookedAt, sh.CreatedAt)
	}
	return carrier.FindRequest{Reference: a.Reference, From: from.Add(-findSlack), To: s.Clock.Now().Add(findSlack)}
}

// refusedForGood reports whether the carrier itself has said no, so that asking the same again is of no use: not busy, not
// unreachable, not a matter of credentials.
func refusedForGood(err *carrier.Error) bool {
	if err.Effect != carrier.EffectNone || err.Retry == carrier.RetrySafe || err.Retry == carrier.RetryAfter {
		return false
	}
	switch err.Code {
	case carrier.Unsupported, carrier.CancelRefused, carrier.EditRefused:
		return true
	case carrier.CarrierRateLimited, carrier.CarrierUnavailable, carrier.CredentialsRejected, carrier.AccountNotEnabled, carrier.BookingNotFound:
		return false
	}
	return err.Source == carrier.SourceCarrier || err.Source == carrier.SourceCaller
}

func liveBooking(found []carrier.Booking) *carrier.Booking {
	for i := range found {
		if !found[i].Cancelled {
			return &found[i]
		}
	}
	return nil
}

// conclude draws the conclusion from a look. again is when to look next, zero where the attempt's fate is known.
func (s *Service) conclude(sh *shipment.Shipment, a *shipment.Attempt, m carrier.Manifest, f findings) (_ *store.Tx, again time.Time) {
	now := s.Clock.Now()
	if a.Doubt == nil {
		a.Doubt = &shipment.Doubt{Since: now}
	}
	d := a.Doubt
	d.Looks++
	d.LastAt = now
	switch live := liveBooking(f.bookings); {
	case live != nil:
		d.Last = "found"
		return s.success(sh, a, f.bookings, shipment.Adopted, systemUser), time.Time{}
	case f.refused != nil && f.err == f.refused && f.err.Code == carrier.DuplicateReference:
		return s.undecidable(sh, a, "the carrier has a booking under the reference, and the adapter cannot look for it")
	case f.refused != nil && f.err == f.refused:
		d.Last = f.err.Error()
	case f.err != nil && f.err.Code == carrier.Unsupported:
		return s.undecidable(sh, a, "the adapter cannot look for bookings")
	case f.err != nil:
		return s.unanswered(sh, a, f.err), now.Add(max(f.err.RetryAfter, pause(d.Looks, firstPause, longPause)))
	default:
		d.Last = "not found"
	}
	d.Heard()
	d.Misses++
	if d.Misses < missesNeeded {
		wait := s.grace(sh, a, m)
		if f.refused != nil {
			wait += callTime(a) // of an earlier look that sent the booking and was cut off
		}
		return &store.Tx{}, now.Add(max(wait, missPause))
	}
	if len(f.bookings) > 0 || f.refused != nil && !m.Has(carrier.CanFind) {
		return s.absent(sh, a, false), time.Time{}
	}
	switch {
	case m.Absence == carrier.Proven:
	case duplicated(a):
		return s.undecidable(sh, a, "the carrier says that it has booked under the reference, and shows no booking")
	case s.doubtPolicy(sh, a, m) == shipment.Attention:
		return s.undecidable(sh, a, "the carrier knows of no booking but cannot prove that there is none")
	}
	return s.absent(sh, a, true), time.Time{}
}

func pause(n int, from, to time.Duration) time.Duration {
	d := from
	for range n - 1 {
		if d *= 2; d >= to {
			return to
		}
	}
	return d
}

func (s *Service) doubtPolicy(sh *shipment.Shipment, a *shipment.Attempt, m carrier.Manifest) string {
	if t := s.Config().Tenants[sh.Tenant]; t != nil && t.Accounts[a.Account] != nil && t.Accounts[a.Account].Doubt != "" {
		return t.Accounts[a.Account].Doubt
	}
	if m.Has(carrier.CanCancel) {
		return "watch"
	}
	return shipment.Attention
}

// undecidable leaves the attempt for a person and keeps looking at long intervals.
func (s *Service) undecidable(sh *shipment.Shipment, a *shipment.Attempt, why string) (*store.Tx, time.Time) {
	tx := &store.Tx{}
	if a.Doubt.Needs == "" || a.Doubt.Unasked {
		a.Doubt.Needs, a.Doubt.Unasked = shipment.Attention, false
		tx = changed(sh, s.aside(sh, a, "NEEDS_ATTENTION( "+a.Provider+": "+why+" )"))
		s.Log.Warn("only a person can say whether an order is booked; look at the carrier's, then resolve it", "shipment_id", sh.ID, "account", a.Account,
			"attempt", a.Number, "reference", a.Reference, "why", why)
	}
	a.Doubt.Last = why
	return tx, s.Clock.Now().Add(watchPause)
}

// absent ends an attempt that has not become a booking: another carrier may be asked now, unless the order was to be cancelled.
// watch has it looked for on: nobody can prove it, or the proof rests on the carrier's being no later than the grace that it is given.
func (s *Service) absent(sh *shipment.Shipment, a *shipment.Attempt, watch bool) *store.Tx {
	now := s.Clock.Now()
	a.State, a.EndedAt = shipment.Absent, now
	a.Doubt.Heard()
	a.Doubt.Needs = ""
	sh.UpdatedAt = now
	var tx *store.Tx
	if sh.Cancel != nil {
		tx = s.cancelledLocally(sh, sh.Cancel.By)
	} else {
		tx = &store.Tx{DropJobs: drop(sh, JobReconcile), PutJobs: []store.Job{s.job(sh, JobDispatch, now)}}
	}
	tx.Usage = append(tx.Usage, uncounted(sh, a))
	if watch && !failpoint.WithoutWatch {
		tx.PutJobs = append(tx.PutJobs, s.watchJob(sh, a, now.Add(s.Config().Dispatch.WatchEvery)))
	}
	tx.Counts = tally.Back(a)
	return tx
}
