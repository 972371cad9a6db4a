// Package opening says when a merchant's place is open, by its hours and its holidays: whether it works today, when it opens next, and
// which days of the coming year it stays closed. It reads no clock; the caller says what time it is, in the place's zone.
package opening

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rickar/cal/v2"

	"github.com/waybill-dev/waybill/core/clock"
)

// Plan is when a place is open. The zero Plan, and none, is open round the clock and keeps no holidays. It never changes once it is made.
type Plan struct {
	week     map[time.Weekday]span // nil is round the clock; a day that is not there is closed
	named    []*cal.Holiday        // of named calendars
	holidays map[string]bool       // days: 2026-12-24
	years    sync.Map              // the days of named, by year
}

// span is from one minute of the day up to another.
type span struct{ from, to int }

// Day is how a place stands at a moment.
type Day struct {
	Closed  bool // all of today
	Holiday bool // today is a holiday
	// NextOpening is when the place opens next: now where it is open. It is the zero time where it does not open within a year.
	NextOpening time.Time
	// NextBusinessMorning is when it opens on the next day, after today, from Monday to Friday that is no holiday; on the next day that it
	// opens at all where it opens on none of these. It is the zero time where it does not open within a year.
	NextBusinessMorning time.Time
}

// morning is when a business day begins for a place that keeps no hours.
const morning = 8 * 60

// horizon is how many days are looked ahead.
const horizon = 366

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Fault is what is wrong with one entry of hours or holidays.
type Fault struct {
	Path    string // hours.mon, holidays[2]
	Message string
	Hint    string
}

// New makes a Plan. hours maps days ("mon", "mon-fri") to times ("08:00-20:00", "closed"); days that it does not name are closed, and without
// hours the place is open round the clock. holidays are days ("2026-12-24") and the names of calendars (see Calendars). All faults are returned
// together.
func New(hours map[string]string, holidays []string) (*Plan, []Fault) {
	p := &Plan{holidays: map[string]bool{}}
	var faults []Fault
	for _, days := range slices.Sorted(maps.Keys(hours)) {
		if p.week == nil {
			p.week = map[time.Weekday]span{}
		}
		if f := p.open(days, strings.TrimSpace(hours[days])); f != nil {
			f.Path = "hours." + days
			faults = append(faults, *f)
		}
	}
	for i, h := range holidays {
		if _, err := time.Parse(time.DateOnly, h); err == nil {
			p.holidays[h] = true
			continue
		}
		known := calendars[strings.ToLower(h)]
		if known == nil {
			faults = append(faults, Fault{Path: fmt.Sprintf("holidays[%d]", i), Message: fmt.Sprintf("%q is neither a day nor a calendar", h),
				Hint: "write 2026-12-24, or one of " + strings.Join(Calendars(), ", ")})
			continue
		}
		p.named = append(p.named, known...)
	}
	return p, faults
}

// open reads the hours of one day or of several.
func (p *Plan) open(days, times string) *Fault {
	first, last, several := strings.Cut(strings.ToLower(days), "-")
	from, to := slices.Index(weekdays, first), slices.Index(weekdays, last)
	if !several {
		to = from
	}
	if from < 0 || to < 0 {
		return &Fault{Message: fmt.Sprintf("%q names no day of the week", days), Hint: "write mon, tue, wed, thu, fri, sat, sun, or mon-fri"}
	}
	var s span
	if times != "closed" {
		begin, end, ok := strings.Cut(times, "-")
		a, err1 := minute(begin)
		b, err2 := minute(end)
		if !ok || err1 != nil || err2 != nil || a >= b {
			return &Fault{Message: fmt.Sprintf("%q are no hours", times), Hint: "write 08:00-20:00, up to 24:00, or closed"}
		}
		s = span{a, b}
	}
	for d := from; ; d = (d + 1) % 7 {
		if _, twice := p.week[time.Weekday(d)]; twice {
			return &Fault{Message: fmt.Sprintf("the hours of %s are given twice", weekdays[d]), Hint: "keep one of them"}
		}
		p.week[time.Weekday(d)] = s
		if d == to {
			return nil
		}
	}
}

// Minute reads a time of day, 17:30, as a minute of the day; 24:00 is the end of it.
func Minute(text string) (int, error) { return minute(text) }

func minute(text string) (int, error) {
	if text = strings.TrimSpace(text); text == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time of day such as 17:30", text)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// Calendars lists the calendars of holidays that have names: countries by their two letters, states of Australia and Germany and
// cantons of Switzerland as de-by.
func Calendars() []string { return slices.Sorted(maps.Keys(calendars)) }

// At tells how the place stands at a moment. now must be in the place's zone.
func (p *Plan) At(now time.Time) Day {
	if p == nil {
		p = &Plan{}
	}
	d := Day{Holiday: p.holiday(now)}
	s, open := p.hours(now)
	d.Closed = !open
	if open && minuteOf(now) < s.to {
		d.NextOpening = clock.Later(minuteOn(now, 0, s.from), now)
	}
	var other time.Time
	for n := 1; n <= horizon && (d.NextOpening.IsZero() || d.NextBusinessMorning.IsZero()); n++ {
		day := minuteOn(now, n, 0)
		s, open := p.hours(day)
		if !open {
			continue
		}
		if d.NextOpening.IsZero() {
			d.NextOpening = minuteOn(now, n, s.from)
		}
		begins := minuteOn(now, n, s.from)
		if p.week == nil {
			begins = minuteOn(now, n, morning)
		}
		if other.IsZero() {
			other = begins
		}
		if w := day.Weekday(); d.NextBusinessMorning.IsZero() && w != time.Saturday && w != time.Sunday {
			d.NextBusinessMorning = begins
		}
	}
	if d.NextBusinessMorning.IsZero() {
		d.NextBusinessMorning = other
	}
	return d
}

// Holidays lists the holidays from today on, a year ahead, as 2026-12-24.
func (p *Plan) Holidays(now time.Time) []string {
	if p == nil || len(p.named)+len(p.holidays) == 0 {
		return nil
	}
	var days []string
	for n := range horizon {
		if day := minuteOn(now, n, 0); p.holiday(day) {
			days = append(days, day.Format(time.DateOnly))
		}
	}
	return days
}

// hours are those of a day, and whether it has any.
func (p *Plan) hours(day time.Time) (span, bool) {
	if p.holiday(day) {
		return span{}, false
	}
	if p.week == nil {
		return span{0, 24 * 60}, true
	}
	s := p.week[day.Weekday()]
	return s, s.to > 0
}

// holiday reports whether a day is one of those that were named, or is kept as one by a named calendar: the very day, and the weekday
// that stands in for it.
func (p *Plan) holiday(day time.Time) bool {
	text := day.Format(time.DateOnly)
	return p.holidays[text] || len(p.named) > 0 && p.year(day.Year())[text]
}

// year is the days of a year on which named holidays are kept. One that is observed on another day may be so in the next year.
func (p *Plan) year(year int) map[string]bool {
	if known, ok := p.years.Load(year); ok {
		return known.(map[string]bool)
	}
	days := map[string]bool{}
	for y := year - 1; y <= year+1; y++ {
		for _, h := range p.named {
			actual, observed := h.Calc(y)
			for _, t := range []time.Time{actual, observed} {
				if t.Year() == year {
					days[t.Format(time.DateOnly)] = true
				}
			}
		}
	}
	p.years.Store(year, days)
	return days
}

// minuteOn is a minute of the day that is so many days after another.
func minuteOn(day time.Time, days, minute int) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day()+days, minute/60, minute%60, 0, 0, day.Location())
}

func minuteOf(t time.Time) int { return t.Hour()*60 + t.Minute() }
