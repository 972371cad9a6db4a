package shipping

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Instant is a moment in UTC. In JSON it is Unix milliseconds; the zero Instant is null.
type Instant struct{ time.Time }

// At returns t as an Instant in UTC, to the millisecond.
func At(t time.Time) Instant {
	if t.IsZero() {
		return Instant{}
	}
	return Instant{t.UTC().Truncate(time.Millisecond)}
}

// The range of instants that a body may name: far enough for any order, small enough for every carrier's format.
const (
	minMillis = 0
	maxMillis = 4_102_444_800_000 // 2100-01-01
)

// MarshalJSON writes Unix milliseconds, or null for the zero Instant.
func (i Instant) MarshalJSON() ([]byte, error) {
	if i.IsZero() {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, i.UnixMilli(), 10), nil
}

// UnmarshalJSON reads Unix milliseconds between 1970 and 2100, or null.
func (i *Instant) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*i = Instant{}
		return nil
	}
	ms, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return errors.New("must be a whole number of Unix milliseconds")
	}
	if ms < minMillis || ms > maxMillis {
		return fmt.Errorf("%d is not a moment between 1970 and 2100 in Unix milliseconds", ms)
	}
	*i = Instant{time.UnixMilli(ms).UTC()}
	return nil
}

// TimeWindow is a stretch of time; either end may be open.
type TimeWindow struct {
	StartsAt Instant `json:"startsAt"`
	EndsAt   Instant `json:"endsAt"`
}

// IsZero reports whether both ends are open.
func (w TimeWindow) IsZero() bool { return w.StartsAt.IsZero() && w.EndsAt.IsZero() }

// Validate adds a fault when the window ends before it starts.
func (w TimeWindow) Validate(f *Faults, path string) {
	if !w.StartsAt.IsZero() && !w.EndsAt.IsZero() && w.EndsAt.Before(w.StartsAt.Time) {
		f.Add(join(path, "startsAt"), "must not be after endsAt")
	}
}
