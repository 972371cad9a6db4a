package httpapi

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
)

// limits keeps a token bucket per key. There are as many as keys in the configuration, so it needs no bound of its own.
type limits struct {
	clock clock.Clock
	mu    sync.Mutex
	byKey map[string]*bucket
}

type bucket struct {
	rate    config.Rate
	limiter *rate.Limiter
}

func newLimits(c clock.Clock) *limits { return &limits{clock: c, byKey: map[string]*bucket{}} }

// take takes a token; where there is none it says how long to wait.
func (l *limits) take(k *config.Key) (wait time.Duration, ok bool) {
	l.mu.Lock()
	b := l.byKey[k.SHA256]
	if b == nil || b.rate != k.Rate {
		b = &bucket{rate: k.Rate, limiter: rate.NewLimiter(rate.Limit(k.Rate.PerSecond), k.Rate.Burst)}
		l.byKey[k.SHA256] = b
	}
	l.mu.Unlock()
	now := l.clock.Now()
	res := b.limiter.ReserveN(now, 1)
	if wait = res.DelayFrom(now); wait > 0 {
		res.CancelAt(now)
		return wait, false
	}
	return 0, true
}
