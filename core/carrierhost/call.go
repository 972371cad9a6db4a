package carrierhost

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// wall is the machine's clock: processes and the deadlines of contexts know no other.
var wall = clock.Real()

// op is a kind of call.
type op int

const (
	opCheck op = iota
	opQuote
	opBook
	opCancel
	opFind
	opTrack
	opPush
	opSubscribe
	opEdit
	opReturn
	opAddress
	opSchedulePickup
	opCancelPickup
	opManifest
	opDocument
	numOps
)

// class groups the calls that share a breaker: a carrier whose booking is down may still quote, and must never keep us from
// cancelling.
type class int

const (
	unguarded class = iota // asked by people, or asks no carrier
	quoting
	booking
	cancelling
	finding
	tracking
	classes
)

var classNames = [classes]string{"", "quote", "book", "cancel", "find", "track"}

var ops = [numOps]struct {
	name  string
	class class
	slow  bool // bounded by the account's book timeout rather than its quote timeout
}{
	opCheck:          {"check", unguarded, false},
	opQuote:          {"quote", quoting, false},
	opBook:           {"book", booking, true},
	opCancel:         {"cancel", cancelling, true},
	opFind:           {"find", finding, false},
	opTrack:          {"track", tracking, false},
	opPush:           {"receive_push", unguarded, false},
	opSubscribe:      {"subscribe_push", tracking, false},
	opEdit:           {"edit", booking, true},
	opReturn:         {"return", booking, true},
	opAddress:        {"validate_address", quoting, false},
	opSchedulePickup: {"schedule_pickup", booking, true},
	opCancelPickup:   {"cancel_pickup", cancelling, true},
	opManifest:       {"close_manifest", booking, true},
	opDocument:       {"provide_document", finding, true},
}

// call makes one call of an account: within its deadline, its limit of calls at once and its breaker, on a process that lives.
func call[Q, R any](ctx context.Context, c *Account, o op, q Q, do func(remote, context.Context, Q) (R, error)) (R, error) {
	var none R
	if !c.gate.enter() {
		return none, c.gone()
	}
	defer c.gate.leave()
	t := c.terms.Load()
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.timeout(o))
		defer cancel()
	}
	m := c.meters.of(o)
	leave, err := t.admit(o)
	if err != nil {
		m.count(err.Code)
		return none, err
	}
	if err := c.acquire(ctx, t); err != nil {
		t.report(o, leave, silent, 0)
		m.count(err.Code)
		return none, err
	}
	defer t.limit.Release(1)
	c.meters.inFlight.Inc()
	defer c.meters.inFlight.Dec()
	started := wall.Now()
	answer, failure := attempt(ctx, c, q, do)
	m.observe(wall.Now().Sub(started), failure)
	if failure == nil {
		t.report(o, leave, healthy, 0)
		return answer, nil
	}
	v := judge(failure)
	if errors.Is(ctx.Err(), context.Canceled) {
		v = silent // the caller left; how the carrier would have answered nobody knows
	}
	t.report(o, leave, v, failure.RetryAfter)
	return answer, failure
}

// attempt makes the call, and once more on a fresh session where the account was not open in the process, or the process died
// and the call has certainly changed nothing at the carrier: it was not sent, or only asked.
func attempt[Q, R any](ctx context.Context, c *Account, q Q, do func(remote, context.Context, Q) (R, error)) (R, *carrier.Error) {
	var stale *session
	for {
		s, err := c.ready(ctx, stale)
		if err != nil {
			var none R
			return none, carrier.AsError(err)
		}
		answer, err := behind(ctx, s.terms.veil, func(ctx context.Context) (R, error) { return do(s.remote, ctx, q) })
		if err == nil {
			return answer, nil
		}
		e := carrier.AsError(err)
		if e.Code == carrier.AdapterDied {
			c.adapter.suspect(s.run)
		}
		again := e.Effect == carrier.EffectNone && ctx.Err() == nil && (e.Code == carrier.AccountNotOpen || s.run.over())
		if !again || stale != nil {
			return answer, e
		}
		stale = s
	}
}

// admit asks the breaker.
func (t *terms) admit(o op) (ticket, *carrier.Error) {
	k := ops[o].class
	if k == unguarded {
		return ticket{}, nil
	}
	leave, wait, ok := t.breakers[k].allow()
	if ok {
		return leave, nil
	}
	return ticket{}, &carrier.Error{
		Source: carrier.SourceEngine, Effect: carrier.EffectNone, Retry: carrier.RetryAfter, Code: carrier.BreakerOpen, RetryAfter: wait,
		Message: fmt.Sprintf("Account %s is not asked to %s for now: its carrier has failed several times in a row.", t.cfg.ID, classNames[k]),
	}
}

func (t *terms) report(o op, leave ticket, v verdict, retryAfter time.Duration) {
	if k := ops[o].class; k != unguarded {
		t.breakers[k].done(leave, v, retryAfter)
	}
}

// acquire takes one of the account's places for calls at once, and waits for it at most half of the time that is left.
func (c *Account) acquire(ctx context.Context, t *terms) *carrier.Error {
	if ctx.Err() == nil && t.limit.TryAcquire(1) {
		return nil
	}
	waiting, cancel := boundedWait(ctx, c.host.timing.queue)
	defer cancel()
	if err := t.limit.Acquire(waiting, 1); err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return notSent(ctx, c.key.id)
	}
	return &carrier.Error{
		Source: carrier.SourceEngine, Effect: carrier.EffectNone, Retry: carrier.RetryAfter, Code: carrier.TooBusy, RetryAfter: time.Second,
		Message: fmt.Sprintf("Account %s has %d calls in flight, as many as it may; ask again later or raise its concurrency.", c.key.id, concurrency(t.cfg)),
	}
}

// gone is the error of a call that came too late.
func (c *Account) gone() *carrier.Error {
	if c.left.Load() {
		return &carrier.Error{
			Source: carrier.SourceConfig, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: carrier.AccountNotOpen,
			Message: fmt.Sprintf("Account %s has left the configuration.", c.key.id),
		}
	}
	return c.adapter.unavailable()
}

// notSent is the error of a call whose context ended before it was sent.
func notSent(ctx context.Context, account string) *carrier.Error {
	return &carrier.Error{
		Source: carrier.SourceEngine, Effect: carrier.EffectNone, Retry: carrier.RetrySafe, Code: carrier.DeadlineExceeded,
		Message: fmt.Sprintf("The call to account %s ended before it was sent.", account), Err: context.Cause(ctx),
	}
}
