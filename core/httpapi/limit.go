package httpapi

import (
	"math"
	"net/http"
	"strconv"
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

// allowance is what a key may ask after a request was counted. wait is how long the next request must wait, 0 where this one was
// taken.
type allowance struct {
	wait      time.Duration
	limit     int           // requests at once
	remaining int           // of these
	reset     time.Duration // until remaining is limit
}

// tell sets the headers that tell a caller how much it may ask.
func (a allowance) tell(h http.Header) {
	h.Set("RateLimit-Limit", strconv.Itoa(a.limit))
	h.Set("RateLimit-Remaining", strconv.Itoa(a.remaining))
	h.Set("RateLimit-Reset", wholeSeconds(a.reset))
}

// wholeSeconds rounds up, so that whoever waits so long has waited long enough.
func wholeSeconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

// take takes a token, where there is one.
func (l *limits) take(k *config.Key) allowance {
	l.mu.Lock()
	b := l.byKey[k.SHA256]
	if b == nil || b.rate != k.Rate {
		b = &bucket{rate: k.Rate, limiter: rate.NewLimiter(rate.Limit(k.Rate.PerSecond), k.Rate.Burst)}
		l.byKey[k.SHA256] = b
	}
	l.mu.Unlock()
	now := l.clock.Now()
	a := allowance{limit: k.Rate.Burst}
	res := b.limiter.ReserveN(now, 1)
	if a.wait = res.DelayFrom(now); a.wait > 0 {
		res.CancelAt(now)
	}
	tokens := max(0, b.limiter.TokensAt(now))
	a.remaining = int(tokens)
	if k.Rate.PerSecond > 0 {
		a.reset = time.Duration((float64(a.limit) - tokens) / k.Rate.PerSecond * float64(time.Second))
	}
	return a
}
