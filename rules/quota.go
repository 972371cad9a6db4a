package rules

import (
	"cmp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Quota is how many bookings an account had when the decision was made. It is counted by the caller, who says so in InputSource;
// what to count is told by Needs.
type Quota struct {
	QuotaNeed
	Used int `json:"used"`
}

// Budget is how much was spent, when the decision was made, of what a guard allows for a day.
type Budget struct {
	BudgetNeed
	Spent shipping.Money `json:"spent"`
}

// QuotaNeed is a count that rules of a bundle ask for: the bookings of an account that were made and not cancelled.
type QuotaNeed struct {
	Account string `json:"account"`
	// Period is day or month: the calendar day or month of the decision, in the zone of the order's location.
	Period string `json:"period"`
	// Per is "location" where only bookings from the order's location count, "" where those of all locations do.
	Per string `json:"per,omitempty"`
}

func (n QuotaNeed) key() string { return formula.QuotaKey(n.Account, n.Period, n.Per) }

func (n QuotaNeed) name() string { return "quota of " + n.Account + " per " + n.Period }

// BudgetNeed is a sum that a guard of a bundle asks for: the Spends of the choices that were booked on the day of the decision, in
// the zone of the order's location.
type BudgetNeed struct {
	Guard string `json:"guard"`         // name of the rule
	Per   string `json:"per,omitempty"` // "location" where each location has a budget of its own, "" where all share one
}

func (n BudgetNeed) name() string { return "budget of " + n.Guard }

// Needs is what a bundle wants to know beside the order. What it needs and is not told makes the rule fail that asks.
type Needs struct {
	Quotas  []QuotaNeed  // sorted
	Budgets []BudgetNeed // sorted
	Rates   bool         // of every account: Candidate.Rates
}

// Spend is what a choice, once it is booked, takes from the budget of a guard.
type Spend struct {
	BudgetNeed
	Amount shipping.Money `json:"amount"`
}

func byNeed(a, b BudgetNeed) int {
	return cmp.Or(strings.Compare(a.Guard, b.Guard), strings.Compare(a.Per, b.Per))
}

// Needs lists what the caller must count for the rules of the bundle.
func (b *Bundle) Needs() Needs {
	n := Needs{Quotas: slices.Clone(b.quotas), Rates: b.used["option.on_time_rate_30d"] || b.used["option.cancel_rate_7d"] ||
		b.used["chosen.on_time_rate_30d"] || b.used["chosen.cancel_rate_7d"]}
	for i := range b.guards {
		if g := &b.guards[i]; g.budget != nil {
			n.Budgets = append(n.Budgets, BudgetNeed{g.name, g.per})
		}
	}
	slices.SortFunc(n.Budgets, byNeed)
	n.Budgets = slices.Compact(n.Budgets)
	return n
}

// With adds what another bundle needs.
func (n Needs) With(m Needs) Needs {
	n.Quotas, n.Budgets = append(slices.Clone(n.Quotas), m.Quotas...), append(slices.Clone(n.Budgets), m.Budgets...)
	slices.SortFunc(n.Quotas, func(a, b QuotaNeed) int { return strings.Compare(a.key(), b.key()) })
	slices.SortFunc(n.Budgets, byNeed)
	n.Quotas, n.Budgets = slices.Compact(n.Quotas), slices.Compact(n.Budgets)
	n.Rates = n.Rates || m.Rates
	return n
}

// None reports whether there is nothing that a booking adds to.
func (n Needs) None() bool { return len(n.Quotas)+len(n.Budgets) == 0 }

// needed keeps of an input what the bundle asks for, in the order of the record.
func (b *Bundle) needed(in *Input) {
	if len(in.Quotas) == 0 && len(in.Budgets) == 0 {
		return
	}
	needs := b.Needs()
	in.Quotas = slices.DeleteFunc(slices.Clone(in.Quotas), func(q Quota) bool { return !slices.Contains(needs.Quotas, q.QuotaNeed) })
	slices.SortFunc(in.Quotas, func(x, y Quota) int { return strings.Compare(x.key(), y.key()) })
	in.Budgets = slices.DeleteFunc(slices.Clone(in.Budgets), func(x Budget) bool { return !slices.Contains(needs.Budgets, x.BudgetNeed) })
	slices.SortFunc(in.Budgets, func(x, y Budget) int { return byNeed(x.BudgetNeed, y.BudgetNeed) })
}

// quotas is the snapshot as expressions see it.
func (in *Input) quotas() formula.Quotas {
	if len(in.Quotas) == 0 {
		return nil
	}
	used := make(formula.Quotas, len(in.Quotas))
	for _, q := range in.Quotas {
		used[q.key()] = q.Used
	}
	return used
}

// want notes the quotas that an expression names.
func (c *checker) want(uses map[string]bool) {
	for path := range uses {
		c.bundle.used[path] = true
		key, ok := strings.CutPrefix(path, formula.QuotaUse)
		if !ok {
			continue
		}
		part := strings.Split(key, "/")
		need := QuotaNeed{part[0], part[1], part[2]}
		at, found := slices.BinarySearchFunc(c.bundle.quotas, need, func(a, b QuotaNeed) int { return strings.Compare(a.key(), b.key()) })
		if !found {
			c.bundle.quotas = slices.Insert(c.bundle.quotas, at, need)
		}
	}
}
