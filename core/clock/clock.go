// Package clock is where the engine's time and randomness come from. Everything in core that asks what time it is,
// waits, draws a random number or makes an id gets a Clock or a Source handed in, so that a node runs alike on the
// wall clock and in virtual time, where a driver moves a Manual clock from one due moment to the next and a Seeded
// source repeats a whole run draw by draw.
package clock

import (
	"context"
	"time"
)

// A Clock tells the time and lets a loop wait for it. It is safe for concurrent use.
type Clock interface {
	// Now answers the present instant in UTC.
	Now() time.Time
	// NewTimer starts a timer that sends once on its channel when d has passed; at once when d is not positive.
	NewTimer(d time.Duration) Timer
}

// A Timer sends the instant at which it was due. The channel holds one value, so nobody has to be listening.
type Timer interface {
	C() <-chan time.Time
	// Stop reports whether it prevented the timer from firing. After Stop returns, nothing stale is in the channel.
	Stop() bool
	// Reset makes the timer fire d from now, whatever it did before, and reports whether it was still waiting.
	Reset(d time.Duration) bool
}

// Sleep waits until d has passed on c. It answers nil then, or the cause of ctx when that ended first.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	t := c.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Later is the later of two instants.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Millis writes an instant as the public APIs and messages do: RFC 3339 with milliseconds, in UTC.
func Millis(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
