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

// CarrierTime words a moment as a carrier's clock showed it: ISO 8601 to the second, with the offset of t from UTC where zoned says
// that the carrier gave one. The zero time is "".
func CarrierTime(t time.Time, zoned bool) string {
	switch {
	case t.IsZero():
		return ""
	case zoned:
		return t.Format(time.RFC3339)
	}
	return t.Format(localTime)
}

const localTime = "2006-01-02T15:04:05"

// ParseCarrierTime reads a carrier's time in one of four shapes: 2026-03-04T17:12:57 without a zone, the same with Z or with an
// offset such as -08:00, and the day alone, 2026-03-04. A fraction of a second may follow the seconds. zoned is false where the text
// names no zone; t is then as if it were UTC.
func ParseCarrierTime(s string) (t time.Time, zoned, ok bool) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, true, true
	}
	for _, layout := range []string{localTime, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, false, true
		}
	}
	return time.Time{}, false, false
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
