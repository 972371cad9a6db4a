package rules

import (
	"slices"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// carrying follows through the rounds of a backtest, in the order of time, how far the counts of bookings and of budgets are other ones than
// recorded because the new rules have decided otherwise. It counts as the engine does: what a round decides counts for the day and the month on
// which it decides, at its location and at all, until the next round of the order does. Every winner is taken to have been booked.
type carrying struct {
	needs  Needs
	moved  map[countKey]int64     // by the new rules minus as it was
	unsure map[countKey]int       // orders of which nobody knows whether they count
	of     map[string][]countMove // by order: what its present round has moved
}

type countKey struct{ name, per, location, currency, period string }

type countMove struct {
	countKey
	by     int64
	unsure int
}

func newCarrying(needs Needs) *carrying {
	return &carrying{needs: needs, moved: map[countKey]int64{}, unsure: map[countKey]int{}, of: map[string][]countMove{}}
}

func quotaKey(n QuotaNeed, in *Input) countKey {
	period := in.Local.Date
	if n.Period == "month" {
		period = period[:min(len(period), len("2006-01"))]
	}
	return countKey{name: "quota " + n.Account, per: n.Per, location: in.countedAt(n.Per), period: period}
}

func budgetKey(n BudgetNeed, currency string, in *Input) countKey {
	return countKey{name: "budget " + n.Guard, per: n.Per, location: in.countedAt(n.Per), currency: currency, period: in.Local.Date}
}

func (in *Input) countedAt(per string) string {
	if per == "location" {
		return in.Location.ID
	}
	return ""
}

// release takes back what the round before of an order counts as: there is another one only where that booking has ended, or came to none.
func (c *carrying) release(order string) {
	for _, m := range c.of[order] {
		c.moved[m.countKey] -= m.by
		c.unsure[m.countKey] -= m.unsure
	}
	delete(c.of, order)
}

// add counts what a round has come to.
func (c *carrying) add(order string, old *Decision, r *Replay) {
	if c.needs.None() {
		return
	}
	in, list := &old.Plan.Input, []countMove(nil)
	count := func(k countKey, was, is int64, possible bool) {
		m := countMove{countKey: k, by: is - was}
		if !r.Certain() {
			if m.by = -was; possible {
				m.unsure = 1
			}
		}
		if m.by == 0 && m.unsure == 0 {
			return
		}
		list = append(list, m)
		c.moved[k] += m.by
		c.unsure[k] += m.unsure
	}
	for _, n := range c.needs.Quotas {
		possible := slices.ContainsFunc(old.Plan.Candidates, func(x Candidate) bool { return x.Account == n.Account })
		count(quotaKey(n, in), old.bookings(n.Account), r.Decision.bookings(n.Account), possible)
	}
	for _, n := range c.needs.Budgets {
		currency := in.Order.Total.Currency
		count(budgetKey(n, currency, in), old.spends(n, currency), r.Decision.spends(n, currency), true)
	}
	c.of[order] = list
}

// bookings is how often a decision counts for an account.
func (d *Decision) bookings(account string) int64 {
	if d.Winner != nil && d.Winner.Account == account {
		return 1
	}
	return 0
}

// spends is what a decision takes from a budget, in minor units.
func (d *Decision) spends(n BudgetNeed, currency string) (total int64) {
	if d.Winner == nil {
		return 0
	}
	for _, s := range d.Winner.Spends {
		if s.BudgetNeed == n && s.Amount.Currency == currency {
			total += s.Amount.Minor
		}
	}
	return total
}

// maxWays is how many combinations of counts are tried where the counts are not known.
const maxWays = 16

// openQuota is a count that may be higher by up to most, at its place in the input.
type openQuota struct{ at, most int }

// replay decides a recorded order with the counts that there would have been; recorded is the decision with those that were. Where a count is not known
// after orders with an unknown part, it is unknown here too, unless the decision is the same for all that it can be.
func (c *carrying) replay(b *Bundle, old *Decision, recorded Replay) Replay {
	in := old.Plan.Input
	open, unknown, moved := c.carry(&in)
	ways := 1
	for _, q := range open {
		ways = min(ways*(q.most+1), maxWays+1)
	}
	if !moved && ways == 1 && len(unknown) == 0 {
		return recorded
	}
	r := b.replay(old, in)
	if r.Certain() && len(unknown) == 0 && (ways > maxWays || !c.allTheSame(b, old, in, open, &r)) {
		for _, q := range open {
			unknown = append(unknown, in.Quotas[q.at].name()+afterUnknown)
		}
	}
	r.unknown(unknown...)
	return r
}

// afterUnknown says why a count is not known that was recorded.
const afterUnknown = ", after orders with an unknown part"

// carry puts the counts into an input that there would have been, the least that they can be. It tells the quotas that may be higher, and the budgets
// that are not known.
func (c *carrying) carry(in *Input) (open []openQuota, unknown []string, moved bool) {
	in.Quotas, in.Budgets = slices.Clone(in.Quotas), slices.Clone(in.Budgets)
	for i := range in.Quotas {
		q := &in.Quotas[i]
		k := quotaKey(q.QuotaNeed, in)
		if by := c.moved[k]; by != 0 {
			q.Used, moved = max(q.Used+int(by), 0), true
		}
		if n := c.unsure[k]; n > 0 && slices.Contains(c.needs.Quotas, q.QuotaNeed) {
			open = append(open, openQuota{i, n})
		}
	}
	for i := range in.Budgets {
		x := &in.Budgets[i]
		k := budgetKey(x.BudgetNeed, x.Spent.Currency, in)
		if by := c.moved[k]; by != 0 {
			x.Spent, moved = shipping.Money{Minor: max(x.Spent.Minor+by, 0), Currency: x.Spent.Currency}, true
		}
		if c.unsure[k] > 0 && slices.Contains(c.needs.Budgets, x.BudgetNeed) {
			unknown = append(unknown, x.name()+afterUnknown)
		}
	}
	return open, unknown, moved
}

// allTheSame reports whether an order comes to the same for every combination of the counts that are open. r is what it comes to with the lowest.
func (c *carrying) allTheSame(b *Bundle, old *Decision, in Input, open []openQuota, r *Replay) bool {
	more := make([]int, len(open))
	for {
		i := 0
		for ; i < len(open) && more[i] == open[i].most; i++ {
			more[i] = 0
		}
		if i == len(open) {
			return true
		}
		more[i]++
		with := in
		with.Quotas = slices.Clone(in.Quotas)
		for k, q := range open {
			with.Quotas[q.at].Used += more[k]
		}
		other := b.replay(old, with)
		if !other.Certain() || changed(&r.Decision, &other.Decision) || !sameReport(&r.Decision, &other.Decision) {
			return false
		}
	}
}

// sameReport reports whether a backtest tells the same of two decisions that choose the same offer.
func sameReport(a, b *Decision) bool {
	return (len(a.Warnings) == 0) == (len(b.Warnings) == 0) && (len(a.Faults) == 0) == (len(b.Faults) == 0) &&
		(a.Winner == nil || slices.Equal(a.Winner.Spends, b.Winner.Spends))
}
