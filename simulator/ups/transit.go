package ups

import "time"

// businessDay tells whether the carrier works on a day of the USA.
func businessDay(t time.Time) bool {
	return t.Weekday() != time.Saturday && t.Weekday() != time.Sunday && !holiday(t)
}

// holiday tells whether the carrier rests: New Year, Memorial Day, Independence Day, Labor Day, Thanksgiving, Christmas.
func holiday(t time.Time) bool {
	_, month, day := t.Date()
	switch month {
	case time.January:
		return day == 1
	case time.May:
		return t.Weekday() == time.Monday && day > 24
	case time.July:
		return day == 4
	case time.September:
		return t.Weekday() == time.Monday && day <= 7
	case time.November:
		return t.Weekday() == time.Thursday && day > 21 && day <= 28
	case time.December:
		return day == 25
	}
	return false
}

func nextBusinessDay(t time.Time) time.Time {
	for t = t.AddDate(0, 0, 1); !businessDay(t); {
		t = t.AddDate(0, 0, 1)
	}
	return t
}

func midnight(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
}

// cutoff is the hour after which a parcel waits for the pickup of the next day.
const cutoff = 18

// pickupDay is the day on which a parcel that is ready at a time is fetched.
func pickupDay(ready time.Time) time.Time {
	day := midnight(ready)
	if ready.Hour() >= cutoff || !businessDay(day) {
		return nextBusinessDay(day)
	}
	return day
}

// journey is the time that a service needs on one lane.
type journey struct {
	pickup   time.Time // midnight of the day, in the sender's zone
	arrival  time.Time // the time by which it is promised, in the wall time of the receiver
	days     int       // business days
	rest     int       // weekend days on the way
	holidays int
	saturday bool
}

func (j *journey) totalDays() int { return j.days + j.rest + j.holidays }

// travel computes when a parcel of the service that is fetched on a day arrives.
func travel(s *service, l *lane, pickup time.Time) journey {
	j := journey{pickup: pickup, days: s.days(l)}
	day := pickup
	for left := j.days; left > 0; {
		day = day.AddDate(0, 0, 1)
		switch {
		case holiday(day):
			j.holidays++
		case day.Weekday() == time.Saturday || day.Weekday() == time.Sunday:
			j.rest++
		default:
			left--
		}
	}
	j.arrival = day.Add(s.commit)
	return j
}

// onSaturday gives the journey with delivery on a Saturday, where the service and the day allow one.
func (j journey) onSaturday(s *service) (journey, bool) {
	day := j.pickup.AddDate(0, 0, j.days)
	if !s.saturday || day.Weekday() != time.Saturday || holiday(day) {
		return journey{}, false
	}
	j.arrival, j.rest, j.holidays, j.saturday = day.Add(s.commit), 0, 0, true
	return j, true
}
