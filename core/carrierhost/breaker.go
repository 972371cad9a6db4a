package carrierhost

import (
	"sync"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// When a breaker opens, and for how long: the pause doubles with every failed probe.
const (
	breakerFaults   = 5
	breakerPause    = 5 * time.Second
	breakerMaxPause = time.Minute
)

// verdict is what a call says about the health of the carrier.
type verdict int

const (
	silent  verdict = iota // nothing: it never got there, or the caller gave up
	healthy                // the carrier answered, were it a no
	faulty                 // the carrier or the way to it is broken
)

// breaker keeps calls away from a carrier that fails one call after another. After a pause it lets a single probe through: an
// answer closes it, another fault doubles the pause. It reads the engine's clock.
type breaker struct {
	clock clock.Clock
	moved func(open bool) // told of each change, with the lock held

	mu      sync.Mutex
	faults  int           // in a row, while closed
	pause   time.Duration // of the present opening; 0 while closed
	until   time.Time     // end of the pause
	probing bool
	failed  int    // probes of the present opening that were faults too
	round   uint64 // of openings and closings: results of calls that began in an earlier round are stale
}

// ticket is leave to make one call. It must be handed back to done.
type ticket struct {
	round uint64
	probe bool
}

// allow gives leave, or answers how long to wait.
func (b *breaker) allow() (t ticket, wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pause == 0 {
		return ticket{round: b.round}, 0, true
	}
	left := b.until.Sub(b.clock.Now())
	// A clock that was set back must not prolong the pause.
	if left > 0 && left <= b.pause {
		return ticket{}, left, false
	}
	if b.probing {
		return ticket{}, b.pause, false
	}
	b.probing = true
	return ticket{round: b.round, probe: true}, 0, true
}

// done tells how the call went. retryAfter is how long the carrier asked to be left alone, 0 where it did not.
func (b *breaker) done(t ticket, v verdict, retryAfter time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.round != b.round {
		return
	}
	if t.probe {
		b.probing = false
	}
	switch {
	case v == healthy && t.probe:
		b.pause, b.faults, b.failed = 0, 0, 0
		b.turn()
	case v == healthy:
		b.faults = 0
	case v == faulty && t.probe:
		b.failed++
		b.open(min(2*b.pause, breakerMaxPause), retryAfter)
	case v == faulty:
		if b.faults++; b.faults >= breakerFaults {
			b.open(breakerPause, retryAfter)
		}
	}
}

func (b *breaker) open(pause, retryAfter time.Duration) {
	b.pause = max(pause, min(retryAfter, breakerMaxPause))
	b.until = b.clock.Now().Add(b.pause)
	b.turn()
}

func (b *breaker) turn() {
	b.round++
	b.moved(b.pause > 0)
}

func (b *breaker) isOpen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pause > 0
}

// proven reports whether the breaker is open and a probe has confirmed it: an open breaker alone may only wait for somebody to call.
func (b *breaker) proven() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pause > 0 && b.failed > 0
}

// judge reads a verdict from a call's error. A clear no is a sign of health, and so is a faulty order or account. What the
// engine itself made (a full queue, a dead adapter) says nothing about the carrier: a death is the supervisor's business, and
// counting it would keep an account shut after its adapter is back.
func judge(err *carrier.Error) verdict {
	if err == nil {
		return healthy
	}
	switch err.Code {
	case carrier.CarrierUnavailable, carrier.CarrierProtocol, carrier.CarrierRateLimited, carrier.OutcomeUnknown, carrier.DeadlineExceeded:
		return faulty
	case carrier.AdapterDied, carrier.AdapterUnavailable, carrier.AdapterPanic, carrier.AccountNotOpen, carrier.Unsupported,
		carrier.TooBusy, carrier.BreakerOpen, carrier.HostNotAllowed, carrier.PushRejected, carrier.ConfigInvalid:
		return silent
	case carrier.Internal:
		switch err.Source {
		case carrier.SourceCarrier, carrier.SourceNetwork, carrier.SourceEngine:
			return faulty
		}
		return silent
	}
	return healthy
}
