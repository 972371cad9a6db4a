package carrier

import (
	"context"
	"time"
)

type nowKey struct{}

// WithNow returns a context that says what time the engine's clock shows. It stands still for the length of the call, so that
// a virtual run gives the same answers every time.
func WithNow(ctx context.Context, now time.Time) context.Context {
	return context.WithValue(ctx, nowKey{}, now)
}

// nowOf returns the engine's time of ctx.
func nowOf(ctx context.Context) (time.Time, bool) {
	t, ok := ctx.Value(nowKey{}).(time.Time)
	return t, ok
}
