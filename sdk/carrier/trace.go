package carrier

import (
	"context"
	"sync"
	"time"
)

// Limits of what is kept of the exchanges of one call.
const (
	MaxExchangeBytes = 64 << 10  // of one exchange, both bodies together
	MaxTraceBytes    = 256 << 10 // of one call
)

// Exchange is one HTTP request to a carrier and its answer, redacted: no secrets, label bytes cut out.
type Exchange struct {
	At             time.Time         `json:"at"`
	Duration       time.Duration     `json:"duration"`
	Method         string            `json:"method"`
	URL            string            `json:"url"`
	RequestHeader  map[string]string `json:"requestHeader,omitempty"`
	RequestBody    string            `json:"requestBody,omitempty"`
	Status         int               `json:"status"` // 0 where no answer came
	ResponseHeader map[string]string `json:"responseHeader,omitempty"`
	ResponseBody   string            `json:"responseBody,omitempty"`
	Truncated      bool              `json:"truncated,omitempty"` // a body was longer than what is kept
	Error          string            `json:"error,omitempty"`     // why no answer came
}

// Trace collects the exchanges of one call. It is safe for concurrent use.
type Trace struct {
	mu        sync.Mutex
	exchanges []Exchange
	bytes     int
	dropped   int
}

type traceKey struct{}

// WithTrace returns a context whose calls record their exchanges in the returned trace.
func WithTrace(ctx context.Context) (context.Context, *Trace) {
	t := &Trace{}
	return context.WithValue(ctx, traceKey{}, t), t
}

// TraceOf returns the trace of ctx, nil where there is none. A nil *Trace may be used.
func TraceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

// Add records exchanges, as long as the trace stays within MaxTraceBytes; the rest is counted as dropped.
func (t *Trace) Add(xs ...Exchange) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range xs {
		n := len(x.RequestBody) + len(x.ResponseBody) + len(x.URL)
		if t.bytes+n > MaxTraceBytes {
			t.dropped++
			continue
		}
		t.bytes += n
		t.exchanges = append(t.exchanges, x)
	}
}

// Drop counts exchanges that were left out elsewhere for want of room.
func (t *Trace) Drop(n int) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropped += n
}

// Exchanges returns what was recorded, in order, and how many exchanges were dropped for want of room.
func (t *Trace) Exchanges() (xs []Exchange, dropped int) {
	if t == nil {
		return nil, 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Exchange(nil), t.exchanges...), t.dropped
}
