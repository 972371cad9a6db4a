package config

import (
	"maps"
	"slices"
	"time"
)

// checkTimeouts checks that what a call waits for at its longest ends before the call must be answered: a carrier's answer to one quote and
// to one booking, or to a cancellation, which has the time of a booking.
func checkTimeouts(c *Config, at reporter) {
	within := c.Server.CallWithin()
	raise := func(need time.Duration) string {
		need = (need*4/3 + time.Second).Truncate(time.Second)
		return "lower it, or raise server.write_timeout to " + need.String() + " or more"
	}
	if d := c.Dispatch.AnswerWithin; d > within {
		at("dispatch.answer_within", raise(d), "%s is more than a call may take, %s: three quarters of server.write_timeout, %s", d, within, c.Server.WriteTimeout)
	}
	asks := func(path string, quote, book time.Duration) {
		if quote+book > within {
			at(path, raise(quote+book), "a quote of %s and a booking of %s take more than a call may, %s: three quarters of server.write_timeout, %s",
				quote, book, within, c.Server.WriteTimeout)
		}
	}
	asks("dispatch.book_timeout", c.Dispatch.QuoteTimeout, c.Dispatch.BookTimeout)
	for _, t := range slices.Sorted(maps.Keys(c.Tenants)) {
		for _, id := range slices.Sorted(maps.Keys(c.Tenants[t].Accounts)) {
			a, path := c.Tenants[t].Accounts[id], "tenants."+t+".accounts."+id
			switch {
			case a.BookTimeout > 0:
				path += ".book_timeout"
			case a.QuoteTimeout > 0:
				path += ".quote_timeout"
			default:
				continue // as the others
			}
			quote, book := a.QuoteTimeout, a.BookTimeout
			fill(&quote, c.Dispatch.QuoteTimeout)
			fill(&book, c.Dispatch.BookTimeout)
			asks(path, quote, book)
		}
	}
}
