package tracking

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// JobPoll is the job that asks the carrier of one account about everything that is due. It puts itself off for ever, and ends where
// the account leaves the configuration.
const JobPoll = "poll"

const (
	// batch is how many trackers are asked for in one call.
	batch = 50
	// rounds is how many calls the job makes before it lets others run.
	rounds = 20
	// look and idle bound how long the job sleeps: bookings come with a time to ask first, and without telling the job. It sleeps twice
	// as long each time that it finds nothing to do.
	look = 30 * time.Second
	idle = 5 * time.Minute
	// callTime bounds one call.
	callTime = time.Minute
	// firstPause and longPause bound how long an account is left alone whose calls fail as a whole.
	firstPause = 5 * time.Second
	longPause  = 10 * time.Minute
)

// PollKey names the job of an account.
func PollKey(account string) store.JobKey {
	return store.JobKey{Kind: JobPoll, Key: JobPoll + "/" + account}
}

func pollJob(tenant, account string, due time.Time) store.Job {
	return store.Job{ID: JobPoll + "/" + account, Tenant: tenant, Kind: JobPoll, Key: JobPoll + "/" + account, Due: due}
}

// Plan sees to it that every account of the present configuration has its job. It is called at start and after each change of the
// configuration.
func (s *Service) Plan(ctx context.Context) error {
	var errs []error
	tenants := s.Config().Tenants
	for _, tenant := range slices.Sorted(maps.Keys(tenants)) {
		tx := &store.Tx{}
		for _, account := range slices.Sorted(maps.Keys(tenants[tenant].Accounts)) {
			tx.PutJobs = append(tx.PutJobs, pollJob(tenant, account, s.Clock.Now()))
		}
		if len(tx.PutJobs) == 0 {
			continue
		}
		if err := s.commit(ctx, tenant, "poll", tx); err != nil {
			errs = append(errs, fmt.Errorf("plan the polls of tenant %s: %w", tenant, err))
		}
	}
	return errors.Join(errs...)
}

// wake returns the job of an account where it means to sleep on: to be put with a tracker that is to be asked for now.
func (s *Service) wake(t *tracker.Tracker) []store.Job {
	now := s.Clock.Now()
	if t.Account == "" || t.NextPoll.IsZero() || t.NextPoll.After(now) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pace(t.Tenant, t.Account)
	if !p.asleep.After(now) || p.failures > 0 {
		return nil
	}
	p.asleep = time.Time{}
	return []store.Job{pollJob(t.Tenant, t.Account, now)}
}

// pace returns the pace of an account. s.mu must be held.
func (s *Service) pace(tenant, account string) *pace {
	key := accountKey{tenant, account}
	p := s.paces[key]
	if p == nil {
		p = &pace{}
		s.paces[key] = p
	}
	return p
}

// sleep notes when the account's job looks again, and puts it off till then.
func (s *Service) sleep(a *config.Account, until time.Time) (jobs.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pace(a.Tenant, a.ID).asleep = until
	return jobs.Again(until), nil
}

// RunPoll is the handler of poll jobs.
func (s *Service) RunPoll(ctx context.Context, j store.Job) (jobs.Outcome, error) {
	a := s.account(j.Tenant, strings.TrimPrefix(j.Key, JobPoll+"/"))
	if a == nil {
		return jobs.Done(), nil
	}
	s.mu.Lock()
	p := s.pace(a.Tenant, a.ID)
	p.asleep, p.idle = time.Time{}, min(max(look, 2*p.idle), idle)
	rest := p.idle
	s.mu.Unlock()
	for range rounds {
		now := s.Clock.Now()
		s.mu.Lock()
		limit, wait := s.pace(a.Tenant, a.ID).allowance(now, s.Config().TrackingOf(a).PerSecond)
		s.mu.Unlock()
		due, next, err := s.Store.TrackersDue(ctx, a.Tenant, a.ID, now, min(max(limit, 1), batch))
		if err != nil {
			return jobs.Outcome{}, fmt.Errorf("poll %s: %w", a.ID, err)
		}
		if len(due) == 0 {
			until := now.Add(rest)
			if !next.IsZero() && next.Before(until) {
				until = clock.Later(next, now)
			}
			return s.sleep(a, until)
		}
		s.mu.Lock()
		p.idle = 0
		s.mu.Unlock()
		rest = look
		if wait > 0 {
			return s.sleep(a, now.Add(wait))
		}
		pause, err := s.poll(ctx, a, due)
		if err != nil {
			return jobs.Outcome{}, fmt.Errorf("poll %s: %w", a.ID, err)
		}
		if pause > 0 {
			return s.sleep(a, s.Clock.Now().Add(pause))
		}
	}
	return s.sleep(a, s.Clock.Now())
}

// visit is one tracker that is due, and what was said about it.
type visit struct {
	t       *tracker.Tracker
	updates []carrier.TrackUpdate
	failed  *carrier.Error
	charged shipping.Money // by the order, when the visit began
	asked   *agreement     // what was agreed about pushes, nil where that was not asked
}

// poll asks for the trackers that are due, and commits what comes of it. It returns how long the account is to be left alone.
func (s *Service) poll(ctx context.Context, a *config.Account, due []*tracker.Tracker) (time.Duration, error) {
	var visits []*visit
	for _, t := range due {
		charged, ask, err := s.prepare(ctx, t)
		if err != nil {
			return 0, err
		}
		if ask {
			visits = append(visits, &visit{t: t, charged: charged})
		}
	}
	if len(visits) == 0 {
		return 0, nil
	}
	if fault := s.ask(ctx, a, visits); fault != nil {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return s.leaveAlone(a, fault), nil
	}
	s.mu.Lock()
	s.pace(a.Tenant, a.ID).failures = 0
	s.mu.Unlock()
	s.subscribe(ctx, a, visits)
	return 0, s.record(ctx, a, visits)
}

// prepare looks after what can be done for a tracker without its carrier: news that were parked when it was not there yet, and an
// order that waits for it no more. It reports whether the carrier is to be asked, and what the booking is known to cost.
func (s *Service) prepare(ctx context.Context, t *tracker.Tracker) (charged shipping.Money, ask bool, err error) {
	live := true
	if t.Shipment != "" {
		sh, err := s.Store.Shipment(ctx, t.Tenant, t.Shipment)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return charged, false, err
		}
		if live = err == nil && followed(sh, t); live && sh.Attempt(t.Attempt).Booking != nil {
			charged = sh.Attempt(t.Attempt).Booking.Amount
		}
	}
	if live && t.Polls.Count == 0 {
		if live, err = s.takeUp(ctx, t); err != nil {
			return charged, false, err
		}
	}
	switch {
	case t.NextPoll.IsZero(), t.NextPoll.After(s.Clock.Now()):
		return charged, false, nil // parked news have said enough
	case live && s.can(t.Tenant, t.Account, carrier.CanTrack):
		return charged, true, nil
	}
	_, err = s.change(ctx, t, "poll", func(t *tracker.Tracker) (*news, error) {
		t.NextPoll = time.Time{} // of what cannot be asked for, pushes and people tell
		if !live && t.Stopped == "" {
			stop(t, tracker.StopCancelled)
		}
		return &news{}, nil
	})
	return charged, false, err
}

// followed reports whether an order still waits for what its tracker says.
func followed(sh *shipment.Shipment, t *tracker.Tracker) bool {
	a := sh.Attempt(t.Attempt)
	return a != nil && a.Live() && sh.ErasedAt.IsZero()
}

// takeUp merges what was pushed before the tracker was there. It reports whether there is still something to ask for.
func (s *Service) takeUp(ctx context.Context, t *tracker.Tracker) (bool, error) {
	parked, err := s.parkedFor(ctx, t)
	if err != nil || len(parked) == 0 {
		return err == nil, err
	}
	changed, err := s.change(ctx, t, "news", func(t *tracker.Tracker) (*news, error) {
		n := &news{}
		s.unpark(t, parked, n)
		if tracker.Final(t.Status, t.SubStatus) {
			s.schedule(t, s.Clock.Now())
		}
		return n, nil
	})
	if err == nil && changed != t {
		*t = *changed
	}
	return err == nil && t.Stopped == "", err
}

// ask asks the carrier for all numbers at once, and fills in what it says. A failure of the whole is returned, unless it may be the
// fault of one number: then each is asked for by itself.
func (s *Service) ask(ctx context.Context, a *config.Account, visits []*visit) *carrier.Error {
	acc, ok := s.Carriers.Account(a.Tenant, a.ID)
	if !ok {
		return &carrier.Error{Source: carrier.SourceConfig, Effect: carrier.EffectNone, Retry: carrier.RetrySafe, Code: carrier.AccountNotOpen,
			Message: "The account is not configured any more."}
	}
	err := s.askFor(ctx, a, acc, visits)
	if err == nil || !ofOneNumber(err) {
		return err
	}
	if len(visits) == 1 {
		visits[0].failed = err
		return nil
	}
	for _, v := range visits {
		if err := s.askFor(ctx, a, acc, []*visit{v}); err != nil {
			if !ofOneNumber(err) {
				return err
			}
			v.failed = err
		}
	}
	return nil
}

// ofOneNumber reports an error that may be about one of the numbers: the same call would fail again.
func ofOneNumber(e *carrier.Error) bool {
	switch e.Code {
	case carrier.InvalidField, carrier.TrackingNotFound, carrier.CarrierProtocol, carrier.CarrierRejected, carrier.Internal, carrier.AdapterPanic:
		return true
	}
	return false
}

func (s *Service) askFor(ctx context.Context, a *config.Account, acc Account, visits []*visit) *carrier.Error {
	var r carrier.TrackRequest
	asked := map[carrier.TrackedParcel]bool{}
	for _, v := range visits {
		for _, p := range questions(v.t) {
			if !asked[p] {
				asked[p] = true
				r.Parcels = append(r.Parcels, p)
			}
		}
	}
	s.mu.Lock()
	s.pace(a.Tenant, a.ID).spend(len(r.Parcels))
	s.mu.Unlock()
	cctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	updates, err := acc.Track(cctx, r)
	if err != nil {
		s.metrics.polls.WithLabelValues(a.Adapter, "failed").Add(float64(len(r.Parcels)))
		return carrier.AsError(err)
	}
	for _, v := range visits {
		for _, q := range questions(v.t) {
			i := slices.IndexFunc(updates, func(u carrier.TrackUpdate) bool { return answers(u, q) })
			if i >= 0 {
				v.updates = append(v.updates, updates[i])
			}
		}
	}
	return nil
}

// questions are what the carrier is asked about a tracker: each parcel, by number and where it is ours by reference.
func questions(t *tracker.Tracker) []carrier.TrackedParcel {
	var out []carrier.TrackedParcel
	for _, n := range t.Numbers() {
		out = append(out, carrier.TrackedParcel{Number: n, Reference: t.Reference})
	}
	if len(out) == 0 && t.Reference != "" {
		out = append(out, carrier.TrackedParcel{Reference: t.Reference})
	}
	return out
}

func answers(u carrier.TrackUpdate, q carrier.TrackedParcel) bool {
	if q.Number != "" && u.Number != "" {
		return tracker.SameNumber(u.Number, q.Number)
	}
	return q.Reference != "" && u.Reference == q.Reference
}

// leaveAlone says for how long an account is not asked whose calls fail as a whole.
func (s *Service) leaveAlone(a *config.Account, fault *carrier.Error) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pace(a.Tenant, a.ID)
	p.failures++
	pause := max(backoff(p.failures, firstPause, longPause), fault.RetryAfter)
	if p.failures&(p.failures-1) == 0 {
		s.Log.Warn("carrier cannot be asked where parcels are, it will be asked again", "account", a.ID, "tenant", a.Tenant, "failures", p.failures,
			"code", string(fault.Code), "status", fault.HTTPStatus, "again_in", pause.String())
	}
	return pause
}

// record commits what the visits have come to: those without news together.
func (s *Service) record(ctx context.Context, a *config.Account, visits []*visit) error {
	quiet := &store.Tx{}
	var again []*visit
	for _, v := range visits {
		n, heard := s.observe(v.t, v)
		s.metrics.polls.WithLabelValues(a.Adapter, heard).Inc()
		if !n.any() && (n.amount.IsZero() || n.amount == v.charged) {
			quiet.Trackers = append(quiet.Trackers, v.t)
			again = append(again, v)
			continue
		}
		if err := s.recordOne(ctx, v, n); err != nil {
			return err
		}
	}
	if len(quiet.Trackers) == 0 {
		return nil
	}
	err := s.commit(ctx, a.Tenant, "poll", quiet)
	if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrTooLarge) {
		return err
	}
	for _, v := range again { // one of them was changed meanwhile, or all have long timelines
		if v.t, err = s.Store.Tracker(ctx, a.Tenant, v.t.ID); errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := s.recordOne(ctx, v, nil); err != nil {
			return err
		}
	}
	return nil
}

// recordOne commits one visit. first is what it has come to on the tracker as it is, nil where that is not known yet.
func (s *Service) recordOne(ctx context.Context, v *visit, first *news) error {
	_, err := s.change(ctx, v.t, "news", func(t *tracker.Tracker) (*news, error) {
		n := first
		if first = nil; n == nil {
			n, _ = s.observe(t, v)
		}
		return n, nil
	})
	if errors.Is(err, store.ErrNotFound) { // removed meanwhile
		return nil
	}
	return err
}

// observe takes a visit into a tracker, and says when the next one is. heard is a word for the metrics.
func (s *Service) observe(t *tracker.Tracker, v *visit) (n *news, heard string) {
	now := s.Clock.Now()
	n = &news{}
	t.Polls.Count++
	t.Polls.LastAt = now
	if v.asked != nil {
		t.PushedUntil, t.NextAsked = v.asked.until, v.asked.next
	}
	if v.failed == nil && len(v.updates) == 0 {
		v.failed = &carrier.Error{Source: carrier.SourceAdapter, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: carrier.CarrierProtocol,
			Message: "The answer does not hold the number that was asked for."}
	}
	if e := v.failed; e != nil {
		t.Polls.Errors++
		t.Polls.Last = string(e.Code) + ": " + e.Message
		if s.expire(t, now, n); t.Stopped == "" {
			t.NextPoll = now.Add(s.spread(t, max(backoff(t.Polls.Errors, firstRetry, lastRetry), e.RetryAfter)))
		}
		return n, "failed"
	}
	t.Polls.Errors, t.Polls.Last = 0, ""
	known := false
	for _, u := range v.updates {
		if !u.Unknown {
			known = true
			n.merge(t, u, tracker.Heard{Origin: tracker.ByPoll, At: now})
		}
	}
	heard = "quiet"
	switch {
	case !known:
		t.Polls.Unknown++
		heard = "unknown"
	default:
		t.Polls.Unknown = 0
		if t.Polls.FoundAt.IsZero() {
			t.Polls.FoundAt = now
		}
	}
	if len(n.entered) > 0 {
		heard = "news"
		revive(t)
	}
	s.expire(t, now, n)
	s.schedule(t, now)
	return n, heard
}

// revive lets a tracker be asked for again that had been given up too early.
func revive(t *tracker.Tracker) {
	if t.Stopped == tracker.StopExpired {
		t.Stopped = ""
	}
}

// expire gives a tracker up that the carrier has not known for too long, or of which it has said nothing for too long.
func (s *Service) expire(t *tracker.Tracker, now time.Time, n *news) {
	a := s.account(t.Tenant, t.Account)
	if a == nil || t.Stopped != "" || tracker.Final(t.Status, t.SubStatus) {
		return
	}
	c := s.Config().TrackingOf(a)
	heard := t.CreatedAt
	for i := range t.Events {
		heard = clock.Later(heard, t.Events[i].Received)
	}
	var sub, words string
	switch {
	case t.Polls.FoundAt.IsZero() && len(t.Events) == 0 && now.Sub(t.CreatedAt) >= c.NotFound:
		sub, words = tracker.SubNotFound, "The carrier has not known the number for "+days(c.NotFound)+"."
	case now.Sub(heard) >= c.Silent:
		sub, words = tracker.SubExpired, "The carrier has said nothing new for "+days(c.Silent)+"."
	default:
		return
	}
	n.merge(t, carrier.TrackUpdate{Number: t.Number, Events: []shipping.TrackingEvent{{Time: shipping.At(now), ZoneKnown: true, CarrierWords: words,
		Status: shipping.ErrorException, SubStatus: sub}}}, tracker.Heard{Origin: tracker.BySystem, At: now})
	stop(t, tracker.StopExpired)
	s.metrics.expired.Inc()
}

func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.String()
}
