package rules

import (
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Progress is how far the fallback of an order has come.
type Progress struct {
	Step   int            // the first that has not been taken
	Tried  int            // bookings so far
	Fee    shipping.Money // of the first of them
	Failed []string       // accounts that are not booked again
	Anew   bool           // it has waited: the ranking begins from its top
}

// Course is what a fallback books, and what comes when all of it has failed.
type Course struct {
	Queue []Choice
	Steps []int         // that have been taken when that place of Queue is booked
	End   int           // steps that have been taken when all of Queue has failed
	Hold  time.Duration // how long it waits then before everybody is asked again; 0 where it ends
}

// Course lays out what is booked of a ranking. done is nil where nothing has been booked yet: then the winner is the first of it.
func (f Fallback) Course(ranked []Choice, done *Progress) Course {
	var c Course
	var first shipping.Money
	tried, rest := 0, slices.Clone(ranked)
	switch {
	case done == nil && len(ranked) == 0:
		return Course{}
	case done == nil:
		first = ranked[0].Fee
	default:
		c.End, tried, first = done.Step, done.Tried, done.Fee
		rest = slices.DeleteFunc(rest, func(x Choice) bool { return slices.Contains(done.Failed, x.Account) })
	}
	take := func(at int) {
		if at >= 0 {
			c.Queue, c.Steps = append(c.Queue, rest[at]), append(c.Steps, c.End)
			rest = slices.Delete(rest, at, at+1)
		}
	}
	if (done == nil || done.Anew) && len(rest) > 0 {
		take(0)
	}
	for c.Hold == 0 && c.End < len(f.Steps) {
		st := f.Steps[c.End]
		c.End++
		if st.HoldFor > 0 {
			c.Hold = time.Duration(st.HoldFor)
		} else if st.books() {
			take(slices.IndexFunc(rest, func(x Choice) bool { return st.fits(x) && f.affords(first, x.Fee) }))
		}
	}
	if f.Attempts > 0 && tried+len(c.Queue) >= f.Attempts {
		c.Queue, c.Hold = c.Queue[:max(f.Attempts-tried, 0)], 0
	}
	return c
}

// Course lays out what is booked of the ranking when an event is due, and says by which rule: the first that speaks of the event. Where none
// does (rule is nil) a refusal is followed by the rest of the ranking as it stands, and anything later by nobody new. done is as for
// Fallback.Course.
func (d *Decision) Course(event string, done *Progress) (c Course, rule *Fallback) {
	f, ok := d.FallbackFor(event)
	if !ok {
		return Course{Queue: d.Ranked}, nil
	}
	return f.Course(d.Ranked, done), &f
}

// books reports whether the step asks for a booking.
func (st Step) books() bool { return st.NextRanked || st.Use != "" }

// fits reports whether the step may book a choice.
func (st Step) fits(c Choice) bool {
	return st.NextRanked || st.Use == c.Account || st.Use == c.Account+"/"+c.Service
}

// affords reports whether a fee stays within what a later choice may cost more than the first.
func (f Fallback) affords(first, fee shipping.Money) bool {
	return f.ExtraCost.IsZero() || f.ExtraCost.Currency != fee.Currency || fee.Minor-first.Minor <= f.ExtraCost.Minor
}

// bookingFailed is the event of a carrier that refuses: the round goes on at once, where the others end a booking.
const bookingFailed = "booking_failed"

// next is whom the engine books first when an event has happened to the winner; none where it books nobody or waits first. There is a winner.
// Where the order says that accounts have failed before, they are what the event has happened to.
func (d *Decision) next(event string, first shipping.Money) (Choice, bool) {
	f, speaks := d.FallbackFor(event)
	var done *Progress
	switch failed := d.Plan.Input.Order.Failed; {
	case !speaks && event != bookingFailed:
		return Choice{}, false
	case len(failed) > 0:
		done = &Progress{Step: f.behind(failed), Tried: len(failed), Fee: first, Failed: failed}
	case event != bookingFailed || f.Requote == "always":
		done = &Progress{Tried: 1, Fee: first, Failed: []string{d.Winner.Account}}
	}
	c, rule := d.Course(event, done)
	queue := c.Queue
	switch {
	case done == nil: // the round goes on, with the other services of the same account too
		queue = queue[min(1, len(queue)):]
	case rule == nil:
		queue = slices.DeleteFunc(slices.Clone(queue), func(c Choice) bool { return slices.Contains(done.Failed, c.Account) })
	}
	if len(queue) == 0 {
		return Choice{}, false
	}
	return queue[0], true
}

// behind is how many steps have been taken when those accounts have failed, the first of them the one that was chosen.
func (f Fallback) behind(failed []string) int {
	left := len(failed) - 1
	for i, st := range f.Steps {
		if left <= 0 {
			return i
		}
		if account, _, _ := strings.Cut(st.Use, "/"); st.NextRanked || slices.Contains(failed, account) {
			left--
		}
	}
	return len(f.Steps)
}
