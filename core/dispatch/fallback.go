package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// bookingFailed is the event of a carrier that certainly has not booked; the others happen after a booking, and providerDown at any time.
const (
	bookingFailed = "booking_failed"
	noDriver      = usecase.NoDriver
	providerDown  = usecase.ProviderDown
)

// FallbackEvent is the payload of a fallback job.
type FallbackEvent = usecase.FallbackEvent

// course is how far down its options a round may book, by the ranking and the fallback rules, and what comes then.
type course struct {
	queue []rules.Choice
	rule  *rules.Fallback // nil where none speaks
	steps []int           // of the rule that are taken when that place in queue is booked
	end   int             // steps that are taken when all have failed
	hold  time.Duration   // what comes after the queue, 0 for nothing
}

// course lays out the round. done is how far the fallback has come in earlier rounds, nil where it has not begun.
func (e *estimate) course(done *shipment.Fallback, now time.Time) course {
	d := e.decision
	if d.Winner == nil && e.kept == nil {
		return course{}
	}
	event := bookingFailed
	if done != nil {
		event = done.Event
	}
	var before *rules.Progress
	if done != nil {
		before = &rules.Progress{Step: done.Step, Tried: done.Tried, Fee: done.Fee, Failed: done.Failed, Anew: done.Anew}
	}
	c, f := d.Course(event, before)
	switch {
	case f == nil || done != nil && done.Rule != "" && done.Rule != f.Rule:
		return course{queue: d.Ranked} // the rules have changed since: they speak as if nothing had happened
	case done != nil && f.Within > 0 && now.Sub(done.Since) > time.Duration(f.Within):
		return course{rule: f, end: done.Step}
	}
	return course{rule: f, queue: c.Queue, steps: c.Steps, end: c.End, hold: c.Hold}
}

// over reports whether the time that the fallback has is over.
func (c *course) over(done *shipment.Fallback, now time.Time) bool {
	return c.rule != nil && c.rule.Within > 0 && done != nil && now.Sub(done.Since) > time.Duration(c.rule.Within)
}

// keeps reports whether the rule wants nobody to be asked anew: an offer that has expired is a refusal like any other.
func (c *course) keeps() bool { return c.rule != nil && c.rule.Requote == never }

// failed notes that the booking of a place in the queue has come to nothing.
func (c *course) failed(done *shipment.Fallback, place int, now time.Time) *shipment.Fallback {
	if c.rule == nil {
		return done
	}
	next := shipment.Fallback{Rule: c.rule.Rule, Event: bookingFailed, Since: now, Fee: c.queue[place].Fee}
	if done != nil {
		next = *done
		next.Rule = c.rule.Rule
	}
	next.Step, next.Anew, next.Keeps = c.steps[place], false, c.keeps()
	next.Tried++
	next.Failed = append(slices.Clone(next.Failed), c.queue[place].Account)
	return &next
}

// taken is how far the fallback has come when the booking of a place in the queue is tried; nil where none is at work.
func (c *course) taken(done *shipment.Fallback, place int) *shipment.Fallback {
	if done == nil || c.rule == nil {
		return nil
	}
	next := *done
	next.Step, next.Anew = c.steps[place], false
	return &next
}

// exhausted ends a round in which every booking has failed: the rules may want to wait and begin anew, else the order has failed.
func (s *Service) exhausted(ctx context.Context, sh *shipment.Shipment, e *estimate, c course, p *past, first bool, user string, f *shipment.Failure) (*shipment.Shipment, ending, error) {
	now, done := s.Clock.Now(), p.fallback
	if c.hold == 0 || done == nil || c.rule.Within > 0 && now.Add(c.hold).Sub(done.Since) > time.Duration(c.rule.Within) {
		e.notices = c.rest(s, sh, p, false)
		return s.failRound(ctx, sh, e, first, shipping.OrderFailed, user, f)
	}
	e.notices = c.rest(s, sh, p, true)
	var end ending
	sh, err := s.change(ctx, sh, "fallback-hold", func(sh *shipment.Shipment) (*store.Tx, error) {
		var stop bool
		if end, stop = e.outrun(sh, first); stop {
			return nil, errUnchanged
		}
		due := s.Clock.Now().Add(c.hold)
		sh.RetryAt = due
		tx := changed(sh, sh.Move(shipping.PendingAutoRetry, s.Clock.Now(), systemUser,
			shipment.WithNote(fmt.Sprintf("FALLBACK( %s: again at %s )", c.rule.Rule, due.UTC().Format(time.RFC3339)))))
		if first {
			if err := s.estimated(sh, e, tx); err != nil {
				return nil, err
			}
		}
		next := *done
		next.Step, next.Anew, next.Failed = c.end, true, nil // time has passed: all may be asked again
		sh.Fallback = &next
		sh.Rules = e.stays(c.rule)
		sh.Failure, sh.Offers = f, nil
		plan(tx, sh, s.job(sh, JobDispatch, due))
		s.notify(tx, sh, e.notices)
		return tx, nil
	})
	return sh, end, err
}

// stays is the version of the rules that what comes after this decision stays on, "" for the latest.
func (e *estimate) stays(f *rules.Fallback) string {
	if f != nil && f.Version == "latest" {
		return ""
	}
	return e.bundle.Hash()
}

// RunFallback is the handler of fallback jobs: something has happened to a booking, and the rules may know what to do.
func (s *Service) RunFallback(ctx context.Context, j store.Job) (jobs.Outcome, error) {
	var ev FallbackEvent
	if err := json.Unmarshal(j.Payload, &ev); err != nil {
		return jobs.Outcome{}, fmt.Errorf("fallback job %s: payload: %w", j.ID, err)
	}
	sh, err := s.Store.Shipment(ctx, j.Tenant, shipment.ID(j.Key))
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("fallback job %s: %w", j.ID, err)
	}
	a := sh.Attempt(ev.Attempt)
	if a == nil || a.Kind != shipment.Forward {
		return jobs.Done(), nil
	}
	d, ok, err := s.decisionOf(ctx, sh, a.Round)
	if err != nil || !ok {
		return jobs.Done(), err
	}
	f, ok := d.FallbackFor(ev.Event)
	if !ok && ev.Else != "" {
		ev.Event = ev.Else
		f, ok = d.FallbackFor(ev.Event)
	}
	if !ok {
		return jobs.Done(), nil
	}
	if ev.Event == noDriver && a.Live() {
		if due := s.driverBy(sh, a); due.After(s.Clock.Now()) {
			return jobs.Again(due), nil // the carrier comes later than it had said
		}
	}
	_, err = s.change(ctx, sh, "fallback", func(sh *shipment.Shipment) (*store.Tx, error) {
		return s.fallBack(sh, ev, f, d.Rules)
	})
	if later, ok := errors.AsType[*notYet](err); ok {
		return jobs.Again(later.at), nil
	}
	return jobs.Done(), err
}

// notYet is returned for an event about a booking that is being cancelled at somebody's wish: should its carrier refuse, the rules hear of
// the event then.
type notYet struct{ at time.Time }

func (*notYet) Error() string { return "the booking is being cancelled" }

// untilAnswered is notYet where somebody's cancellation of a live booking, or their edit that needs another one, is not decided, else nil. A
// fallback's own is at work on the order already.
func (s *Service) untilAnswered(sh *shipment.Shipment, a *shipment.Attempt) error {
	ci := a.CancelIntent
	if !a.Live() || ci == nil || ci.By == systemUser && ci.Replace != nil && sh.Cancel == nil {
		return nil
	}
	return &notYet{s.Clock.Now().Add(pause(ci.Asks, firstPause, longPause))}
}

// decisionOf is the decision of a round.
func (s *Service) decisionOf(ctx context.Context, sh *shipment.Shipment, round int) (rules.Decision, bool, error) {
	all, err := s.Store.Decisions(ctx, sh.Tenant, sh.ID)
	if err != nil {
		return rules.Decision{}, false, fmt.Errorf("decisions of order %s: %w", sh.ID, err)
	}
	for _, d := range all {
		if d.Round == round {
			record, err := rules.ParseDecision(d.Record)
			return record, err == nil, err
		}
	}
	return rules.Decision{}, false, nil
}

// fallBack begins a fallback: the order is dispatched anew, at once where its booking has ended, else when its carrier has cancelled it.
func (s *Service) fallBack(sh *shipment.Shipment, ev FallbackEvent, f rules.Fallback, version string) (*store.Tx, error) {
	now := s.Clock.Now()
	a, live := sh.Attempt(ev.Attempt), sh.Live(shipment.Forward)
	if ev.Event == noDriver && live != nil && !sh.Driverless(a) {
		return nil, errUnchanged
	}
	if err := s.untilAnswered(sh, a); err != nil && sh.Stage() == shipment.WithCarrier {
		return nil, err
	}
	if sh.Cancel != nil || sh.Open(shipment.Forward) != nil || live != nil && (live != a || a.CancelIntent != nil || sh.Stage() != shipment.WithCarrier) ||
		live == nil && (a.State != shipment.Ended || a != sh.Last(shipment.Forward) || !sh.Retryable()) || !sh.ErasedAt.IsZero() {
		return nil, errUnchanged // it is somebody's already, or too late to be anybody's: it may be delivered
	}
	next := shipment.Fallback{Since: a.IntendedAt, Fee: a.Quote.Amount}
	if sh.Fallback != nil && slices.Contains(f.On, sh.Fallback.Event) && sh.Fallback.Rule == f.Rule {
		next = *sh.Fallback
	}
	next.Rule, next.Event, next.Anew, next.Keeps = f.Rule, ev.Event, false, f.Requote == never
	next.Tried++
	next.Failed = append(slices.Clone(next.Failed), a.Account)
	if f.Attempts > 0 && next.Tried >= f.Attempts || f.Within > 0 && now.Sub(next.Since) > time.Duration(f.Within) {
		return s.fallbackEnds(sh, a, &next, f, "its limit is reached"), nil
	}
	if !slices.ContainsFunc(f.Steps[min(next.Step, len(f.Steps)):], func(st rules.Step) bool { return st.Notify == "" }) {
		return s.fallbackEnds(sh, a, &next, f, "no step is left"), nil
	}
	if next.Keeps && !bookable(sh, next.Failed, now) && !slices.ContainsFunc(f.Steps[next.Step:], func(st rules.Step) bool { return st.HoldFor > 0 }) {
		return s.fallbackEnds(sh, a, &next, f, "it asks nobody anew, and no offer that is kept can be booked any more"), nil
	}
	if live != nil && told(live) { // it may be another's
		return s.fallbackEnds(sh, a, &next, f, "the number of its booking is a person's word, which the carrier has not confirmed"), nil
	}
	sh.Fallback, sh.Rules, sh.Failure, sh.Retries = &next, version, nil, 0
	if f.Version == "latest" {
		sh.Rules = ""
	}
	note := shipment.WithNote("FALLBACK( " + f.Rule + ": " + ev.Event + " )")
	if live == nil {
		sh.Progress = shipment.Progress{}
		tx := changed(sh, sh.Move(shipping.RequestReceived, now, systemUser, note))
		plan(tx, sh, s.job(sh, JobDispatch, now))
		return tx, nil
	}
	line := s.aside(sh, a, "FALLBACK( "+f.Rule+": "+ev.Event+" )")
	s.intendCancel(sh, systemUser, sh.Wish())
	tx := changed(sh, line)
	plan(tx, sh, s.job(sh, JobCancel, now))
	return tx, nil
}

// fallbackEnds says why nothing follows, and has those told whom the rule still names.
func (s *Service) fallbackEnds(sh *shipment.Shipment, a *shipment.Attempt, done *shipment.Fallback, f rules.Fallback, why string) *store.Tx {
	tx := changed(sh, s.aside(sh, a, "FALLBACK_ENDS( "+f.Rule+": "+why+" )"))
	s.notify(tx, sh, s.steps(sh, &f, done.Event, done.Step, len(f.Steps)))
	return tx
}
