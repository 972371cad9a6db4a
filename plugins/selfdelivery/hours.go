package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // an adapter may run where no zone files are

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// hours are checked Hours. A moment is judged by what a clock on the wall shows, so a window keeps its hours over a change to
// or from summer time: an hour that does not exist is not missed, one that comes twice is open twice.
type hours struct {
	days     [7][]span // by time.Weekday; all empty: round the clock
	holidays map[string]bool
}

// span is a window in minutes of the day. An end beyond 1440 lies in the next day.
type span struct{ from, to int }

const minutesOfDay = 24 * 60

// maxWait is how far ahead an opening is looked for.
const maxWait = 31 * 24 * time.Hour

func newHours(f *shipping.Faults, c Hours) hours {
	out := hours{holidays: map[string]bool{}}
	names := [7]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
	for day, windows := range [7][]string{c.Sunday, c.Monday, c.Tuesday, c.Wednesday, c.Thursday, c.Friday, c.Saturday} {
		for i, w := range windows {
			s, ok := parseSpan(w)
			if !ok {
				f.Add(fmt.Sprintf("hours.%s[%d]", names[day], i), "must be a window such as 09:00-18:00")
				continue
			}
			out.days[day] = append(out.days[day], s)
		}
	}
	for i, h := range c.Holidays {
		_, yearly := time.Parse("2006-01-02", "2000-"+h) // a leap year, for 02-29
		_, once := time.Parse("2006-01-02", h)
		if yearly != nil && once != nil {
			f.Add(fmt.Sprintf("hours.holidays[%d]", i), "must be a day such as 2026-12-25, or 12-25 for every year")
		}
		out.holidays[h] = true
	}
	return out
}

func parseSpan(s string) (span, bool) {
	a, b, ok := strings.Cut(s, "-")
	from, ok1 := parseClock(a)
	to, ok2 := parseClock(b)
	if !ok || !ok1 || !ok2 || from == to || from == minutesOfDay {
		return span{}, false
	}
	if to < from {
		to += minutesOfDay
	}
	return span{from, to}, true
}

func parseClock(s string) (minutes int, ok bool) {
	h, m, ok := strings.Cut(strings.TrimSpace(s), ":")
	hour, err1 := strconv.ParseUint(h, 10, 8)
	minute, err2 := strconv.ParseUint(m, 10, 8)
	minutes = int(hour)*60 + int(minute)
	return minutes, ok && len(h) <= 2 && len(m) == 2 && err1 == nil && err2 == nil && minute < 60 && minutes <= minutesOfDay
}

// limited reports whether any moment is closed at all.
func (h hours) limited() bool { return h.weekly() || len(h.holidays) > 0 }

func (h hours) weekly() bool {
	for _, d := range h.days {
		if len(d) > 0 {
			return true
		}
	}
	return false
}

// open reports whether drivers set out at t, whose location is the pickup place's.
func (h hours) open(t time.Time) bool {
	year, month, day := t.Date()
	minute := t.Hour()*60 + t.Minute()
	if !h.holiday(year, month, day) {
		if !h.weekly() {
			return true
		}
		for _, s := range h.days[t.Weekday()] {
			if s.from <= minute && minute < s.to {
				return true
			}
		}
	}
	// Noon exists on every day in every zone.
	before := time.Date(year, month, day-1, 12, 0, 0, 0, time.UTC)
	if h.holiday(before.Date()) {
		return false
	}
	for _, s := range h.days[before.Weekday()] {
		if minute < s.to-minutesOfDay {
			return true
		}
	}
	return false
}

func (h hours) holiday(year int, month time.Month, day int) bool {
	if len(h.holidays) == 0 {
		return false
	}
	yearly := fmt.Sprintf("%02d-%02d", month, day)
	return h.holidays[yearly] || h.holidays[fmt.Sprintf("%04d-%s", year, yearly)]
}

// next returns the first open moment from t to latest, both included; openings begin on whole minutes.
func (h hours) next(t, latest time.Time) (time.Time, bool) {
	if h.open(t) {
		return t, !t.After(latest)
	}
	if end := t.Add(maxWait); latest.After(end) {
		latest = end
	}
	for t = t.Truncate(time.Minute).Add(time.Minute); !t.After(latest); t = t.Add(time.Minute) {
		if h.open(t) {
			return t, true
		}
	}
	return time.Time{}, false
}

// endOfDay is the last minute of t's day.
func endOfDay(t time.Time) time.Time {
	year, month, day := t.Date()
	return time.Date(year, month, day+1, 0, 0, 0, 0, t.Location()).Add(-time.Minute)
}

// zones keeps what loadZone has read: parsing zone data costs more than a whole quote.
var zones sync.Map

// loadZone returns the zone of a pickup place. Names come from the engine's own locations, so there are few.
func loadZone(name string) (*time.Location, error) {
	if z, ok := zones.Load(name); ok {
		return z.(*time.Location), nil
	}
	z, err := time.LoadLocation(name)
	if name == "" || err != nil {
		return nil, &carrier.Error{Source: carrier.SourceCaller, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: carrier.InvalidField,
			Field: "pickup.zone", Message: "The drivers have hours, and the pickup place has no IANA time zone that is known.", Err: err}
	}
	zones.Store(name, z)
	return z, nil
}
