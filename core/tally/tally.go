// Package tally says what a booking counts as: for the quotas and budgets of rules, and for the rates by which they judge accounts. It is
// pure: it names counts of the store and what is to be added to them, and whoever commits a booking, its end or its delivery puts that into
// the same transaction.
//
// Every booking counts for the quotas of its account, asked for or not, so that rules which ask from tomorrow on know of today; a budget
// counts from when its guard is there. Counts belong to the day on which the booking was decided, at its location, also what is counted later.
package tally

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
)

// Quota names the bookings of an account, at one location or, where that is "", at all. period is a day or a month.
func Quota(account, location, period string) store.CountKey {
	name := "quota/" + account // an account's id has no @
	if location != "" {
		name += "@" + short(location)
	}
	return store.CountKey{Name: name, Period: period}
}

// Budget names what the bookings of a day take from the budget of a guard.
func Budget(guard, location, currency, day string) store.CountKey {
	name := "budget/" + currency + "/" + strconv.Quote(short(guard))
	if location != "" {
		name += "@" + short(location)
	}
	return store.CountKey{Name: name, Period: day}
}

// short keeps names that people gave from making keys that no store takes.
func short(name string) string {
	if len(name) <= 500 {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Month is the month of a day.
func Month(day string) string { return day[:len("2006-01")] }

// Booked is what an attempt counts as.
func Booked(a *shipment.Attempt) []store.Count { return counts(a, 1) }

// Back takes back what an attempt was counted as, once: it is no booking, or is one no more.
func Back(a *shipment.Attempt) []store.Count {
	if a.Counted == nil {
		return nil
	}
	out := counts(a, -1)
	a.Counted = nil
	return out
}

// GivenUp is Back for a booking that its carrier has cancelled by itself. It adds to the account's rate of cancellations.
func GivenUp(a *shipment.Attempt) []store.Count {
	if a.Counted == nil {
		return nil
	}
	day := a.Counted.Day
	return append(Back(a), rate(cancelled, a.Account, day, 1))
}

// Delivered is what the delivery of a booking adds to the account's rate of those in time. by is when it was promised, zero where nothing was.
// It is to be called when the booking becomes delivered, once.
func Delivered(a *shipment.Attempt, by, at time.Time) []store.Count { return deliveries(a, by, at, 1) }

// Undelivered takes back what Delivered has added: it was not this booking that was delivered.
func Undelivered(a *shipment.Attempt, by, at time.Time) []store.Count {
	return deliveries(a, by, at, -1)
}

func deliveries(a *shipment.Attempt, by, at time.Time, n int64) []store.Count {
	if a.Counted == nil {
		return nil
	}
	out := []store.Count{rate(delivered, a.Account, a.Counted.Day, n)}
	if by.IsZero() || !at.After(by) {
		out = append(out, rate(onTime, a.Account, a.Counted.Day, n))
	}
	return out
}

// The counts behind rates.
const (
	cancelled = "cancelled"
	delivered = "delivered"
	onTime    = "on_time"
)

func rateKey(what, account, day string) store.CountKey {
	return store.CountKey{Name: what + "/" + account, Period: day}
}

func rate(what, account, day string, n int64) store.Count {
	return store.Count{CountKey: rateKey(what, account, day), Add: n}
}

// How many days, today included, rates look back.
const (
	cancelDays = 7
	onTimeDays = 30
)

// RateKeys names the counts that an account's rates are made of on a day, in the order that Rates reads them.
func RateKeys(account string, today time.Time) []store.CountKey {
	var keys []store.CountKey
	day := func(n int) string { return today.AddDate(0, 0, -n).Format(time.DateOnly) }
	for n := range cancelDays {
		keys = append(keys, Quota(account, "", day(n)), rateKey(cancelled, account, day(n)))
	}
	for n := range onTimeDays {
		keys = append(keys, rateKey(delivered, account, day(n)), rateKey(onTime, account, day(n)))
	}
	return keys
}

// Rates are the shares that the counts of RateKeys make: of deliveries those in time, 1 where there were none, and of bookings those that the
// carrier cancelled, 0 where there were none. any is false where nothing was counted at all.
func Rates(has []int64) (inTime, given float64, any bool) {
	sum := func(from, to, odd int) (n int64) {
		for i := from + odd; i < to; i += 2 {
			n += has[i]
		}
		return n
	}
	end := 2 * cancelDays
	kept, lost := sum(0, end, 0), sum(0, end, 1)
	all, good := sum(end, len(has), 0), sum(end, len(has), 1)
	inTime = 1
	if all > 0 {
		inTime = float64(good) / float64(all)
	}
	if kept+lost > 0 {
		given = float64(lost) / float64(kept+lost)
	}
	return inTime, given, kept+lost+all > 0
}

func counts(a *shipment.Attempt, sign int64) []store.Count {
	var out []store.Count
	c := a.Counted
	add := func(k store.CountKey, n int64) { out = append(out, store.Count{CountKey: k, Add: sign * n}) }
	for _, period := range []string{c.Day, Month(c.Day)} {
		add(Quota(a.Account, "", period), 1)
		if c.Location != "" {
			add(Quota(a.Account, c.Location, period), 1)
		}
	}
	for _, sp := range c.Spends {
		place := ""
		if sp.PerLocation {
			place = c.Location
		}
		add(Budget(sp.Guard, place, sp.Amount.Currency, c.Day), sp.Amount.Minor)
	}
	return out
}
