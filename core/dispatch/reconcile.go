package dispatch

import (
	"context"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// How often the carrier is asked about an attempt in doubt: the pause grows with each look that found nothing out.
const (
	firstPause = 5 * time.Second
	missPause  = time.Second
	longPause  = 10 * time.Minute
	watchPause = 6 * time.Hour
	// findSlack is how far before the intent and after now a booking is looked for: carriers' clocks are not ours.
	findSlack = 24 * time.Hour
	// missesNeeded is how often a carrier must know nothing, a grace apart, before that counts.
	missesNeeded = 2
)

// findings is what one look at the carrier has shown.
type findings struct {
	bookings []carrier.Booking
	resent   bool
	trace    *carrier.Trace
	err      *carrier.Error
	op       string
}

// RunReconcile is the handler of reconcile jobs: it finds out what became of an attempt whose outcome is unknown. Until it
// knows, no other carrier is asked.
func (s *Service) RunReconcile(ctx context.Context, j store.Job) (jobs.Outcome, error) {
	sh, err := s.Store.Shipment(ctx, j.Tenant, shipment.ID(j.Key))
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("reconcile job %s: %w", j.ID, err)
	}
	a := sh.Open(shipment.Forward)
	if a == nil {
		return jobs.Done(), nil
	}
	acc, ok := s.Carriers.Account(sh.Tenant, a.Account)
	if !ok {
		return jobs.Again(s.Clock.Now().Add(longPause)), nil
	}
	m, started := acc.Manifest()
	if !started {
		return jobs.Again(s.Clock.Now().Add(firstPause)), nil
	}
	if now, due := s.Clock.Now(), s.firstLook(sh, a, time.Time{}); due.After(now) {
		return jobs.Again(due), nil
	}
	f := s.look(ctx, sh, a, acc, m)
	number := a.Number
	var again time.Time
	sh, err = s.change(ctx, sh, func(sh *shipment.Shipment) (*store.Tx, error) {
		a := sh.Attempt(number)
		if !a.Open() {
			return nil, errUnchanged
		}
		var tx *store.Tx
		tx, again = s.conclude(sh, a, m, f)
		tx.Exchanges = append(tx.Exchanges, exchangesOf(sh, a.Account, f.op, a.Number, a.Round, f.trace, f.err)...)
		if !again.IsZero() {
			plan(tx, sh, s.job(sh, JobReconcile, again))
		}
		return tx, nil
	})
	if err != nil {
		return jobs.Outcome{}, err
	}
	a = sh.Attempt(number)
	if again.IsZero() {
		s.metrics.attempts.WithLabelValues(a.Adapter, string(a.State)).Inc()
		s.cancelSpares(ctx, sh, a, acc, f)
	}
	if sh.Cancel != nil && sh.Live(shipment.Forward) != nil {
		if _, err := s.finishCancel(ctx, sh); err != nil {
			return jobs.Outcome{}, err
		}
	}
	return jobs.Settled(), nil
}

// look asks the carrier once: by sending the same booking again where the carrier makes one per reference whatever is sent,
// else by looking for it.
func (s *Service) look(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, acc Account, m carrier.Manifest) findings {
	timeout := a.Deadline.Sub(a.IntendedAt)
	if m.Idempotency == carrier.Native {
		again := *a
		again.IntendedAt = s.Clock.Now()
		again.Deadline = again.IntendedAt.Add(timeout)
		b, trace, err := s.book(ctx, sh, &again, acc, rulesSettings(a.Set))
		f := findings{resent: true, trace: trace, err: err, op: "book"}
		if err == nil {
			f.bookings = []carrier.Booking{b}
		}
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ctx, trace := carrier.WithTrace(ctx)
	found, err := acc.Find(ctx, carrier.FindRequest{
		Reference: a.Reference, From: a.IntendedAt.Add(-findSlack), To: s.Clock.Now().Add(findSlack), LabelFormat: a.LabelFormat,
	})
	f := findings{bookings: found, trace: trace, err: carrier.AsError(err), op: "find"}
	if f.err == nil {
		s.fetchLabels(ctx, a, acc, m, &f)
	}
	return f
}

// fetchLabels gets the labels of a found booking that came without, where the carrier hands them out again.
func (s *Service) fetchLabels(ctx context.Context, a *shipment.Attempt, acc Account, m carrier.Manifest, f *findings) {
	live := liveBooking(f.bookings)
	if live == nil || !m.Has(carrier.CanProvideDocument) {
		return
	}
	for i := range live.Parcels {
		p := &live.Parcels[i]
		if p.Label != nil {
			continue
		}
		label, err := acc.Document(ctx, carrier.DocumentRequest{Reference: a.Reference, CarrierRef: live.CarrierRef, Number: p.Number, LabelFormat: a.LabelFormat})
		if err != nil {
			s.Log.Warn("label of an adopted booking could not be fetched", "account", a.Account, "attempt", a.Number, "err", err)
			continue
		}
		p.Label = &label
	}
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
		return s.success(sh, a, *live, shipment.Adopted, systemUser), time.Time{}
	case f.resent && f.err.Effect == carrier.EffectNone && f.err.Retry != carrier.RetrySafe && f.err.Retry != carrier.RetryAfter:
		d.Last = f.err.Error()
		return s.absent(sh, a, nil), time.Time{}
	case f.err != nil && f.err.Code == carrier.Unsupported:
		return s.undecidable(sh, a, "the adapter cannot look for bookings")
	case f.err != nil:
		d.Last = f.err.Error()
		return &store.Tx{}, now.Add(max(f.err.RetryAfter, pause(d.Looks, firstPause, longPause)))
	}
	d.Misses++
	d.Last = "not found"
	if d.Misses < missesNeeded {
		return &store.Tx{}, now.Add(max(s.grace(sh, a, m), missPause))
	}
	if m.Absence == carrier.Proven || len(f.bookings) > 0 {
		return s.absent(sh, a, nil), time.Time{}
	}
	if s.doubtPolicy(sh, a, m) == "attention" {
		return s.undecidable(sh, a, "the carrier knows of no booking but cannot prove that there is none")
	}
	watch := s.job(sh, JobWatch, now.Add(longPause))
	watch.ID += fmt.Sprintf("/%d", a.Number)
	watch.Payload = []byte(fmt.Sprint(a.Number))
	return s.absent(sh, a, []store.Job{watch}), time.Time{}
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
	return "attention"
}

// undecidable leaves the attempt for a person and keeps looking at long intervals.
func (s *Service) undecidable(sh *shipment.Shipment, a *shipment.Attempt, why string) (*store.Tx, time.Time) {
	if a.Doubt.Needs == "" {
		a.Doubt.Needs = "attention"
		s.metrics.needs.Inc()
	}
	a.Doubt.Last = why
	return &store.Tx{}, s.Clock.Now().Add(watchPause)
}

// absent ends an attempt that has not become a booking: another carrier may be asked now, unless the order was to be cancelled.
func (s *Service) absent(sh *shipment.Shipment, a *shipment.Attempt, watch []store.Job) *store.Tx {
	now := s.Clock.Now()
	a.State, a.EndedAt = shipment.Absent, now
	a.Doubt.Needs = ""
	sh.UpdatedAt = now
	if sh.Cancel != nil {
		tx := s.cancelledLocally(sh, sh.Cancel.By)
		tx.PutJobs = watch
		return tx
	}
	return &store.Tx{DropJobs: drop(sh, JobReconcile), PutJobs: append(watch, s.job(sh, JobDispatch, now))}
}

// cancelSpares cancels bookings beyond the one that was adopted: the carrier has booked one reference more than once.
func (s *Service) cancelSpares(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, acc Account, f findings) {
	if a.Booking == nil {
		return
	}
	for _, b := range f.bookings {
		if b.Cancelled || firstOf(b.CarrierRef, b.TrackingID) == a.Booking.CarrierRef {
			continue
		}
		if err := s.cancelSpare(ctx, sh, a, acc, b); err != nil {
			s.Log.Error("spare booking could not be cancelled; cancel it at the carrier's", "shipment_id", sh.ID, "account", a.Account,
				"carrier_ref", b.CarrierRef, "err", err)
		}
	}
}

// cancelSpare cancels a booking that no order wants, and enters it in the history.
func (s *Service) cancelSpare(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, acc Account, b carrier.Booking) error {
	cctx, cancel := context.WithTimeout(ctx, a.Deadline.Sub(a.IntendedAt))
	defer cancel()
	cctx, trace := carrier.WithTrace(cctx)
	_, err := acc.Cancel(cctx, carrier.CancelRequest{Reference: a.Reference, CarrierRef: firstOf(b.CarrierRef, b.TrackingID),
		TrackingID: b.TrackingID, ServiceID: a.ServiceID, Reason: "spare booking"})
	if err != nil {
		return err
	}
	number := a.Number
	_, err = s.change(ctx, sh, func(sh *shipment.Shipment) (*store.Tx, error) {
		a := sh.Attempt(number)
		if a.State == shipment.Absent {
			a.State = shipment.Voided
		}
		line := sh.Move(sh.Status, s.Clock.Now(), systemUser, shipment.WithAttempt(number), func(c *shipment.Change) { c.Late = true },
			shipment.WithNote("SPARE_CANCELLED( "+a.Provider+" "+b.TrackingID+" )"))
		tx := changed(sh, line)
		tx.Exchanges = exchangesOf(sh, a.Account, "cancel", number, a.Round, trace, nil)
		return tx, nil
	})
	return err
}

// RunWatch is the handler of watch jobs: an attempt was treated as absent although the carrier could not prove it. Should its
// booking show after all, it is cancelled.
func (s *Service) RunWatch(ctx context.Context, j store.Job) (jobs.Outcome, error) {
	sh, err := s.Store.Shipment(ctx, j.Tenant, shipment.ID(j.Key))
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("watch job %s: %w", j.ID, err)
	}
	var number int
	if _, err := fmt.Sscan(string(j.Payload), &number); err != nil {
		return jobs.Outcome{}, fmt.Errorf("watch job %s: payload %q: %w", j.ID, j.Payload, err)
	}
	a := sh.Attempt(number)
	if a == nil || a.State != shipment.Absent || s.Clock.Now().Sub(a.IntendedAt) > s.Config().Dispatch.WatchFor {
		return jobs.Done(), nil
	}
	acc, ok := s.Carriers.Account(sh.Tenant, a.Account)
	if !ok {
		return jobs.Again(s.Clock.Now().Add(watchPause)), nil
	}
	fctx, cancel := context.WithTimeout(ctx, a.Deadline.Sub(a.IntendedAt))
	defer cancel()
	found, err := acc.Find(fctx, carrier.FindRequest{Reference: a.Reference, From: a.IntendedAt.Add(-findSlack), To: s.Clock.Now().Add(findSlack)})
	if err != nil {
		return jobs.Again(s.Clock.Now().Add(longPause)), nil
	}
	spare := false
	for _, b := range found {
		if b.Cancelled {
			continue
		}
		spare = true
		if err := s.cancelSpare(ctx, sh, a, acc, b); err != nil {
			return jobs.Outcome{}, fmt.Errorf("spare booking of attempt %d of shipment %s: %w", number, sh.ID, err)
		}
	}
	if spare {
		return jobs.Done(), nil
	}
	return jobs.Again(s.Clock.Now().Add(pause(j.Tries, longPause, watchPause))), nil
}
