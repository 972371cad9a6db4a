package opening_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/core/opening"
)

func plan(t testing.TB, hours map[string]string, holidays ...string) *opening.Plan {
	t.Helper()
	p, faults := opening.New(hours, holidays)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return p
}

func denver(t testing.TB, text string) time.Time {
	t.Helper()
	z, err := time.LoadLocation("America/Denver")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", text, z)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestAt(t *testing.T) {
	shop := plan(t, map[string]string{"mon-fri": "08:00-20:00", "sat": "10:00-18:00", "sun": "closed"}, "us", "2026-04-13")
	always, kiosk := plan(t, nil), plan(t, map[string]string{"sat-sun": "10:00-24:00"})
	never := plan(t, map[string]string{"mon": "closed"})
	for _, c := range []struct {
		what          string
		plan          *opening.Plan
		now           string
		closed, feast bool
		next, morning string // "" for the zero time
	}{
		{"open now", shop, "2026-04-10 12:00", false, false, "2026-04-10 12:00", "2026-04-14 08:00"},
		{"before it opens", shop, "2026-04-10 07:59", false, false, "2026-04-10 08:00", "2026-04-14 08:00"},
		{"as it closes", shop, "2026-04-10 20:00", false, false, "2026-04-11 10:00", "2026-04-14 08:00"},
		{"on Sunday, before a day of its own", shop, "2026-04-12 12:00", true, false, "2026-04-14 08:00", "2026-04-14 08:00"},
		{"on that day", shop, "2026-04-13 12:00", true, true, "2026-04-14 08:00", "2026-04-14 08:00"},
		{"on a public holiday that is a Thursday", shop, "2026-11-26 12:00", true, true, "2026-11-27 08:00", "2026-11-27 08:00"},
		{"on the Friday that stands in for a Saturday", shop, "2026-07-03 12:00", true, true, "2026-07-06 08:00", "2026-07-06 08:00"},
		{"on the last day of a year whose next begins on a Saturday", shop, "2021-12-31 12:00", true, true, "2022-01-03 08:00", "2022-01-03 08:00"},
		{"always open", always, "2026-04-10 23:59", false, false, "2026-04-10 23:59", "2026-04-13 08:00"},
		{"no plan", nil, "2026-04-10 23:59", false, false, "2026-04-10 23:59", "2026-04-13 08:00"},
		{"open at weekends only", kiosk, "2026-04-08 12:00", true, false, "2026-04-11 10:00", "2026-04-11 10:00"},
		{"until midnight", kiosk, "2026-04-11 23:59", false, false, "2026-04-11 23:59", "2026-04-12 10:00"},
		{"when the clocks go forward in the night", kiosk, "2026-03-07 23:59", false, false, "2026-03-07 23:59", "2026-03-08 10:00"},
		{"never open", never, "2026-04-08 12:00", true, false, "", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			d := c.plan.At(denver(t, c.now))
			text := func(at time.Time) string {
				if at.IsZero() {
					return ""
				}
				return at.Format("2006-01-02 15:04")
			}
			if d.Closed != c.closed || d.Holiday != c.feast || text(d.NextOpening) != c.next || text(d.NextBusinessMorning) != c.morning {
				t.Errorf("%+v, want closed %t, holiday %t, next %q, morning %q", d, c.closed, c.feast, c.next, c.morning)
			}
		})
	}
}

func TestHolidays(t *testing.T) {
	days := plan(t, nil, "US", "2026-12-24", "2029-01-02").Holidays(denver(t, "2026-11-20 23:00"))
	for _, want := range []string{"2026-11-26", "2026-12-24", "2026-12-25", "2027-01-01", "2027-07-05"} {
		if !slices.Contains(days, want) {
			t.Errorf("%s is missing of %v", want, days)
		}
	}
	if !slices.IsSorted(days) || slices.Contains(days, "2029-01-02") {
		t.Errorf("%v", days)
	}
	if got := plan(t, nil).Holidays(denver(t, "2026-11-20 23:00")); got != nil {
		t.Errorf("%v", got)
	}
	if got := plan(t, nil, "de-by").Holidays(denver(t, "2026-01-01 00:00")); !slices.Contains(got, "2026-01-06") {
		t.Errorf("Epiphany is one in Bavaria: %v", got)
	}
}

func TestFaultsAreToldTogether(t *testing.T) {
	_, faults := opening.New(map[string]string{"mon-fri": "08:00-20:00", "tue": "closed", "funday": "08:00-20:00", "sat": "20:00-08:00", "sun": "eight"},
		[]string{"us", "2026-02-30", "atlantis"})
	var at []string
	for _, f := range faults {
		if f.Hint == "" || f.Message == "" {
			t.Errorf("%+v", f)
		}
		at = append(at, f.Path)
	}
	if got := strings.Join(at, " "); got != "hours.funday hours.sat hours.sun hours.tue holidays[1] holidays[2]" {
		t.Error(got)
	}
}

// TestNextOpeningIsOpen draws plans and moments: the next opening is not in the past, is open, and the moment before it is not, unless
// it is now.
func TestNextOpeningIsOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hours := map[string]string{}
		for _, d := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
			if from := rapid.IntRange(0, 23).Draw(t, d); rapid.Bool().Draw(t, d+" open") {
				hours[d] = time.Date(2026, 1, 1, from, 0, 0, 0, time.UTC).Format("15:04") + "-24:00"
			}
		}
		if len(hours) == 0 {
			return
		}
		p, faults := opening.New(hours, []string{"us"})
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		now := time.Date(2026, 1, 1, 0, rapid.IntRange(0, 2_000_000).Draw(t, "minutes"), 0, 0, time.UTC)
		next := p.At(now).NextOpening
		if next.IsZero() || next.Before(now) || p.At(next).NextOpening != next {
			t.Fatalf("at %s it opens next at %s, and is not open then", now, next)
		}
		if before := next.Add(-time.Minute); next != now && !p.At(before).NextOpening.Equal(next) {
			t.Fatalf("it is open before %s", next)
		}
	})
}
