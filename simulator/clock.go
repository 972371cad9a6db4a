package simulator

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

// Clock is the simulator's only source of time. Implementations are safe for
// concurrent use.
type Clock interface {
	// Now returns the world's time, in UTC. It never goes backwards.
	Now() time.Time
	// Until returns a channel that is closed once Now has reached at, and a
	// function that gives the wait up. Calling stop twice is harmless.
	Until(at time.Time) (reached <-chan struct{}, stop func())
	// Delay lets d of a caller's patience pass. A clock bound to wall time
	// waits d of wall time and returns 0; a virtual clock returns d at once,
	// for the answer to state it. It returns the context's cause when that
	// ends first.
	Delay(ctx context.Context, d time.Duration) (virtual time.Duration, err error)
}

// Speeds outside these bounds are refused: a world that stands still would
// hang its callers, and one that runs faster than this outruns its own events.
const (
	MinSpeed = 0.01
	MaxSpeed = 100_000
)

// RealClock follows wall time, multiplied by a speed that may be changed while
// it runs. Delays are never multiplied: a client's deadline is wall time.
type RealClock struct {
	mu      sync.Mutex
	base    time.Time // the world's time at wall
	wall    time.Time
	speed   float64
	changed chan struct{} // closed and replaced by SetSpeed
}

// NewRealClock returns a clock that reads wall time now and runs at speed.
func NewRealClock(speed float64) (*RealClock, error) {
	if err := checkSpeed(speed); err != nil {
		return nil, err
	}
	now := time.Now()
	return &RealClock{base: now.UTC(), wall: now, speed: speed, changed: make(chan struct{})}, nil
}

func checkSpeed(speed float64) error {
	if math.IsNaN(speed) || speed < MinSpeed || speed > MaxSpeed {
		return fmt.Errorf("speed %v is outside %v to %v: choose 1 for real time", speed, MinSpeed, float64(MaxSpeed))
	}
	return nil
}

// Now implements [Clock].
func (c *RealClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *RealClock) now() time.Time {
	passed := time.Since(c.wall)
	return c.base.Add(time.Duration(float64(passed) * c.speed))
}

// wallNow is the machine's own time, whatever the speed.
func (c *RealClock) wallNow() time.Time { return time.Now().UTC() }

// Speed returns how many seconds of the world pass in one of wall time.
func (c *RealClock) Speed() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.speed
}

// SetSpeed changes the speed from now on; the time already passed stays.
func (c *RealClock) SetSpeed(speed float64) error {
	if err := checkSpeed(speed); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.wall, c.speed = c.now(), time.Now(), speed
	close(c.changed)
	c.changed = make(chan struct{})
	return nil
}

// notBefore moves the clock on to at, if that has not passed.
func (c *RealClock) notBefore(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Before(at) {
		c.base, c.wall = at, time.Now()
	}
}

// Until implements [Clock].
func (c *RealClock) Until(at time.Time) (<-chan struct{}, func()) {
	reached, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		for {
			c.mu.Lock()
			left := at.Sub(c.now())
			wait := time.Duration(math.Ceil(float64(left) / c.speed))
			changed := c.changed
			c.mu.Unlock()
			if left <= 0 {
				close(reached)
				return
			}
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-changed:
				timer.Stop()
			case <-stopped:
				timer.Stop()
				return
			}
		}
	}()
	return reached, sync.OnceFunc(func() { close(stopped) })
}

// Delay implements [Clock]: it waits d of wall time.
func (c *RealClock) Delay(ctx context.Context, d time.Duration) (time.Duration, error) {
	if d <= 0 {
		return 0, context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return 0, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// ManualClock moves only when told to: the clock of tests and of virtual runs.
type ManualClock struct {
	mu    sync.Mutex
	now   time.Time
	waits map[chan struct{}]time.Time
}

// NewManualClock returns a clock that stands at start.
func NewManualClock(start time.Time) *ManualClock {
	return &ManualClock{now: start.UTC(), waits: map[chan struct{}]time.Time{}}
}

// Now implements [Clock].
func (c *ManualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Set moves the clock to at; a time that has already passed leaves it alone.
func (c *ManualClock) Set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(c.now) {
		c.now = at.UTC()
	}
	for ch, due := range c.waits {
		if !due.After(c.now) {
			close(ch)
			delete(c.waits, ch)
		}
	}
}

// Advance moves the clock forward by d.
func (c *ManualClock) Advance(d time.Duration) { c.Set(c.Now().Add(d)) }

// Until implements [Clock].
func (c *ManualClock) Until(at time.Time) (<-chan struct{}, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan struct{})
	if !at.After(c.now) {
		close(ch)
		return ch, func() {}
	}
	c.waits[ch] = at
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waits, ch)
	}
}

// Delay implements [Clock]: it returns d at once, as virtual time.
func (c *ManualClock) Delay(ctx context.Context, d time.Duration) (time.Duration, error) {
	return max(d, 0), context.Cause(ctx)
}

var (
	_ Clock = (*RealClock)(nil)
	_ Clock = (*ManualClock)(nil)
)
