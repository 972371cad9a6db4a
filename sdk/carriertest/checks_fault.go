package carriertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/plugin"
)

// reaction is what an error must say after a fault.
type reaction struct {
	codes   []carrier.Code
	effects []carrier.Effect
	retry   carrier.Retry // "" for any
}

func (r reaction) check(err error) error {
	e := carrier.AsError(err)
	switch {
	case e == nil:
		return errors.New("it succeeded")
	case !slices.Contains(r.codes, e.Code):
		return fmt.Errorf("code %s, want %v: %w", e.Code, r.codes, e)
	case !slices.Contains(r.effects, e.Effect):
		return fmt.Errorf("effect %s, want %v: %w", e.Effect, r.effects, e)
	case r.retry != "" && e.Retry != r.retry:
		return fmt.Errorf("retry %s, want %s: %w", e.Retry, r.retry, e)
	case r.retry == carrier.RetryAfter && e.RetryAfter != retryAfterSec*time.Second:
		return fmt.Errorf("retry after %s, the carrier said %d s: %w", e.RetryAfter, retryAfterSec, e)
	}
	return nil
}

var (
	none     = []carrier.Effect{carrier.EffectNone}
	unknown  = []carrier.Effect{carrier.EffectUnknown}
	unproven = []carrier.Effect{carrier.EffectNone, carrier.EffectUnknown}

	onQuote = map[Fault]reaction{
		RateLimited: {[]carrier.Code{carrier.CarrierRateLimited}, none, carrier.RetryAfter},
		Unavailable: {[]carrier.Code{carrier.CarrierUnavailable}, none, ""},
		Garbage:     {[]carrier.Code{carrier.CarrierProtocol}, none, ""},
		Empty:       {[]carrier.Code{carrier.CarrierProtocol}, none, ""},
		HTML:        {[]carrier.Code{carrier.CarrierProtocol}, none, ""},
		Truncated:   {[]carrier.Code{carrier.CarrierUnavailable, carrier.CarrierProtocol}, none, ""},
	}
	onBook = map[Fault]reaction{
		RateLimited: {[]carrier.Code{carrier.CarrierRateLimited}, none, carrier.RetryAfter},
		Unavailable: {[]carrier.Code{carrier.CarrierUnavailable, carrier.OutcomeUnknown}, unproven, ""},
		Garbage:     {[]carrier.Code{carrier.CarrierProtocol, carrier.OutcomeUnknown}, unknown, ""},
		Empty:       {[]carrier.Code{carrier.CarrierProtocol, carrier.OutcomeUnknown}, unknown, ""},
		HTML:        {[]carrier.Code{carrier.CarrierProtocol, carrier.OutcomeUnknown}, unknown, ""},
		Truncated:   {[]carrier.Code{carrier.CarrierProtocol, carrier.OutcomeUnknown}, unknown, ""},
	}
)

var faultChecks = func() []Check {
	var out []Check
	for _, f := range []Fault{RateLimited, Unavailable, Garbage, Empty, HTML, Truncated} {
		out = append(out,
			Check{"quote_" + string(f), "Asking a carrier that misbehaves has no effect, and the code says what happened.", carrier.CanQuote, quoteUnder(f)},
			Check{"book_" + string(f), "Booking at a carrier that misbehaves says whether it may have booked, and the code says what happened.", carrier.CanBook, bookUnder(f)})
	}
	return append(out,
		Check{"quote_deadline", "A call ends at its deadline, at the latest 100 ms later.", carrier.CanQuote, with(patiently(checkDeadline))},
		Check{"quote_cancelled", "A call that is given up ends within 100 ms, and so does its request to the carrier.", carrier.CanQuote, with(patiently(checkCancelled))},
		Check{"book_hang", "A booking without an answer in time is OUTCOME_UNKNOWN, effect unknown.", carrier.CanBook, with(patiently(checkBookHang))},
		Check{"book_lost_response", "A booking whose answer is lost has effect unknown, and Find finds it.", carrier.CanBook, with(checkLostResponse)})
}()

// A check that measures time is tried a few times, and more often where the machine was too busy for a try to say anything: that is, where
// this program itself was woken late by a good part of what an adapter has to answer in once its time is over.
const (
	fewTries  = 5
	mostTries = 15
	tooLate   = 20 * time.Millisecond
)

// patiently repeats a check that measures time: a busy machine fails it now and then, a faulty adapter always.
func patiently(f func(context.Context, Subject, *plugin.Account) error) func(context.Context, Subject, *plugin.Account) error {
	return func(ctx context.Context, s Subject, a *plugin.Account) (err error) {
		for told, all := 0, 0; told < fewTries && all < mostTries && ctx.Err() == nil; all++ {
			s.tries = min(all, fewTries-1)
			late := watchLateness()
			err = f(ctx, s, a)
			if late() < tooLate {
				told++
			}
			if err == nil || errors.As(err, new(skip)) {
				return err
			}
			if err := s.fault(NoFault); err != nil {
				return err
			}
		}
		return err
	}
}

// watchLateness begins to measure how late this program is woken. stop ends that, and returns by how much it was at worst.
func watchLateness() (stop func() time.Duration) {
	const nap = time.Millisecond
	done, worst := make(chan struct{}), make(chan time.Duration)
	go func() {
		var late time.Duration
		for last := time.Now(); ; {
			select {
			case <-done:
				worst <- late
				return
			case <-time.After(nap):
			}
			now := time.Now()
			late, last = max(late, now.Sub(last)-2*nap), now
		}
	}()
	return func() time.Duration {
		close(done)
		return <-worst
	}
}

// warm makes the adapter fetch its token, so that a fault meets the call itself.
func (s Subject) warm(ctx context.Context, a *plugin.Account) (carrier.BookRequest, error) {
	r, err := s.quote(ctx, a)
	if err != nil {
		return r, fmt.Errorf("before the fault: %w", err)
	}
	return r, nil
}

func quoteUnder(f Fault) func(context.Context, Subject) error {
	return with(func(ctx context.Context, s Subject, a *plugin.Account) error {
		if _, err := s.warm(ctx, a); err != nil {
			return err
		}
		if err := s.fault(f); err != nil {
			return err
		}
		_, err := a.Quote(ctx, carrier.QuoteRequest{Consignment: s.consignment()})
		return onQuote[f].check(err)
	})
}

func bookUnder(f Fault) func(context.Context, Subject) error {
	return with(func(ctx context.Context, s Subject, a *plugin.Account) error {
		r, err := s.warm(ctx, a)
		if err != nil {
			return err
		}
		if err := s.fault(f); err != nil {
			return err
		}
		_, err = a.Book(ctx, r)
		return onBook[f].check(err)
	})
}

const (
	shortCall = 300 * time.Millisecond
	tolerance = 100 * time.Millisecond
)

// short is how long a call may take that is to end at its deadline: the longer the busier the machine has shown itself, as the adapter must
// have asked its carrier by then.
func (s Subject) short() time.Duration { return shortCall * time.Duration(s.tries+1) }

func checkDeadline(ctx context.Context, s Subject, a *plugin.Account) error {
	if _, err := s.warm(ctx, a); err != nil {
		return err
	}
	if err := s.fault(Hang); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.short())
	defer cancel()
	ctx, trace := carrier.WithTrace(ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := a.Quote(ctx, carrier.QuoteRequest{Consignment: s.consignment()})
		ended <- err
	}()
	if !promptly(s.short(), func() bool { return len(ended) > 0 }) {
		return fmt.Errorf("the call had %s and still runs %s later", s.short(), tolerance)
	}
	err := <-ended
	if err := (reaction{[]carrier.Code{carrier.DeadlineExceeded}, none, ""}).check(err); err != nil {
		return err
	}
	return endedItself(trace)
}

func checkCancelled(ctx context.Context, s Subject, a *plugin.Account) error {
	if s.Fake.Active == nil {
		return skip{"the fake carrier does not count active requests"}
	}
	if _, err := s.warm(ctx, a); err != nil {
		return err
	}
	if !eventually(5*time.Second, func() bool { return s.Fake.Active() == 0 }) {
		return errors.New("requests to the carrier outlive their calls")
	}
	if err := s.fault(Hang); err != nil {
		return err
	}
	call, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := a.Quote(call, carrier.QuoteRequest{Consignment: s.consignment()})
		ended <- err
	}()
	if !eventually(5*time.Second, func() bool { return s.Fake.Active() > 0 }) {
		return errors.New("no request reached the carrier")
	}
	cancel()
	if !promptly(0, func() bool { return len(ended) > 0 }) {
		return fmt.Errorf("the call still runs %s after it was cancelled", tolerance)
	}
	if <-ended == nil {
		return errors.New("the cancelled call succeeded")
	}
	if !promptly(0, func() bool { return s.Fake.Active() == 0 }) {
		return fmt.Errorf("the request to the carrier still runs %s after the call was cancelled", tolerance)
	}
	return nil
}

// promptly polls f for d and the tolerance of the contract. What this program itself is woken late counts for the adapter too: on a busy
// machine both are late.
func promptly(d time.Duration, f func() bool) bool {
	const most = time.Second // however busy the machine is
	began := time.Now()
	var late time.Duration
	for last := began; ; {
		if f() {
			return true
		}
		if time.Since(began) > d+tolerance+min(10*late, most) {
			return false
		}
		time.Sleep(time.Millisecond)
		now := time.Now()
		late, last = max(late, now.Sub(last)-2*time.Millisecond), now
	}
}

// eventually polls: the fake carrier may be anything, so there is nothing to wait on.
func eventually(d time.Duration, f func() bool) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(d); ; <-tick.C {
		if f() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

func checkBookHang(ctx context.Context, s Subject, a *plugin.Account) error {
	r, err := s.warm(ctx, a)
	if err != nil {
		return err
	}
	if err := s.fault(Hang); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.short())
	defer cancel()
	ctx, trace := carrier.WithTrace(ctx)
	_, err = a.Book(ctx, r)
	if err := endedItself(trace); err != nil { // else the doubt is the host's, not the adapter's
		return err
	}
	return reaction{[]carrier.Code{carrier.OutcomeUnknown}, unknown, ""}.check(err)
}

// endedItself requires that a call at its deadline was ended by the adapter: then its exchanges have come home.
func endedItself(trace *carrier.Trace) error {
	if xs, dropped := trace.Exchanges(); len(xs) == 0 || dropped > 0 {
		return fmt.Errorf("%d exchanges arrived and %d were lost: the adapter did not end its call when its context did", len(xs), dropped)
	}
	return nil
}

func checkLostResponse(ctx context.Context, s Subject, a *plugin.Account) error {
	r, err := s.warm(ctx, a)
	if err != nil {
		return err
	}
	if err := s.fault(LostResponse); err != nil {
		return err
	}
	_, err = a.Book(ctx, r)
	if err := (reaction{[]carrier.Code{carrier.OutcomeUnknown, carrier.CarrierProtocol, carrier.CarrierUnavailable}, unknown, ""}).check(err); err != nil {
		return err
	}
	s.Fake.SetFault(NoFault)
	if !a.Process().Manifest().Has(carrier.CanFind) {
		return nil
	}
	return s.found(ctx, a, r, "")
}

// sink collects log lines.
type sink struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func checkSecrets(ctx context.Context, s Subject) error {
	if len(s.Secrets) == 0 {
		return skip{"the configuration has no secrets"}
	}
	logged := &sink{}
	a, done, err := s.open(ctx, hclog.New(&hclog.LoggerOptions{Output: logged, Level: hclog.Trace}))
	if err != nil {
		return err
	}
	defer done()
	ctx, trace := carrier.WithTrace(ctx)
	m := a.Process().Manifest()
	said := map[string]string{}
	note := func(where string, err error) {
		if err != nil {
			said["the error of "+where] = err.Error()
		}
	}
	if m.Has(carrier.CanCheck) {
		note("check", a.Check(ctx))
	}
	r, err := s.quote(ctx, a)
	note("quote", err)
	if m.Has(carrier.CanBook) {
		_, err := a.Book(ctx, r)
		note("book", err)
		for _, f := range []Fault{Unavailable, Garbage} {
			if s.fault(f) == nil {
				_, err := a.Book(ctx, r)
				note("book under "+string(f), err)
			}
		}
	}
	done() // the log is complete once the process has ended
	xs, _ := trace.Exchanges()
	exchanges, err := json.Marshal(xs)
	if err != nil {
		return err
	}
	said["the exchanges"], said["the log"] = string(exchanges), logged.String()
	for where, text := range said {
		for i, secret := range s.Secrets {
			if strings.Contains(text, secret) {
				return fmt.Errorf("secret number %d of the configuration stands in %s", i+1, where)
			}
		}
	}
	return nil
}
