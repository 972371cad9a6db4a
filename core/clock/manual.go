package clock

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Manual is a clock that stands still until it is moved. Moving it fires the timers that have become due in the
// order of their due times, and those due at the same instant in the order in which they were started.
type Manual struct {
	mu      sync.Mutex
	now     time.Time
	waiting []*manualTimer // ordered by due time, then by age
	changed chan struct{}  // closed and replaced whenever a timer is started
}

var _ Clock = (*Manual)(nil)

// NewManual answers a clock that stands at start.
func NewManual(start time.Time) *Manual {
	return &Manual{now: start.UTC().Round(0), changed: make(chan struct{})}
}

// Now answers the instant the clock was last moved to.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Advance moves the clock by d; see Set.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(m.now.Add(d))
}

// Set moves the clock to t and fires what is due by then; each timer sends the instant at which it was due. An
// earlier t moves the clock back, as a wall clock may be, and fires nothing.
func (m *Manual) Set(t time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(t.UTC().Round(0))
}

func (m *Manual) set(t time.Time) {
	m.now = t
	for len(m.waiting) > 0 && !m.waiting[0].due.After(t) {
		first := m.waiting[0]
		m.waiting = m.waiting[1:]
		first.c <- first.due
	}
}

// NextTimer answers when the earliest waiting timer is due; false when none is waiting.
func (m *Manual) NextTimer() (time.Time, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) == 0 {
		return time.Time{}, false
	}
	return m.waiting[0].due, true
}

// AwaitTimers blocks until at least n timers are waiting: a test's way of knowing that the loops it started have come
// to rest before it moves the clock. It answers the cause of ctx when that ended first.
func (m *Manual) AwaitTimers(ctx context.Context, n int) error {
	for {
		m.mu.Lock()
		enough, changed := len(m.waiting) >= n, m.changed
		m.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// NewTimer starts a timer on this clock.
func (m *Manual) NewTimer(d time.Duration) Timer {
	t := &manualTimer{clock: m, c: make(chan time.Time, 1)}
	m.mu.Lock()
	defer m.mu.Unlock()
	t.start(d)
	return t
}

type manualTimer struct {
	clock *Manual
	c     chan time.Time
	due   time.Time
}

func (t *manualTimer) C() <-chan time.Time { return t.c }

func (t *manualTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	return t.stop()
}

func (t *manualTimer) Reset(d time.Duration) bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	waited := t.stop()
	t.start(d)
	return waited
}

// start and stop are called with the clock's lock held. The channel is empty when start is called, so neither start
// nor a later set can block on it.
func (t *manualTimer) start(d time.Duration) {
	m := t.clock
	t.due = m.now.Add(d)
	if d <= 0 {
		t.c <- m.now
		return
	}
	at, _ := slices.BinarySearchFunc(m.waiting, t.due, func(w *manualTimer, due time.Time) int {
		if w.due.After(due) {
			return 1
		}
		return -1
	})
	m.waiting = slices.Insert(m.waiting, at, t)
	close(m.changed)
	m.changed = make(chan struct{})
}

func (t *manualTimer) stop() bool {
	m := t.clock
	if at := slices.Index(m.waiting, t); at >= 0 {
		m.waiting = slices.Delete(m.waiting, at, at+1)
		return true
	}
	select {
	case <-t.c:
	default:
	}
	return false
}
