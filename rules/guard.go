package rules

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// guardRule bounds what the ranking may choose.
type guardRule struct {
	head
	maxFee     *amount
	maxDropoff Duration
	budget     *amount // for a day
	per        string
	breach     string // next, hold, warn
	reason     *template
}

// Breach is a guard that an option goes beyond.
type Breach struct {
	Guard   string `json:"guard"` // name of the rule
	ID      string `json:"id,omitempty"`
	Account string `json:"account"`
	Service string `json:"service"`
	Action  string `json:"action"` // next: the option is out; hold: the order waits; warn
	Reason  string `json:"reason"`
}

// breachActions are what a guard can do with an option that goes beyond it.
var breachActions = []string{"next", "hold", "warn"}

func (r *reading) guard() {
	rule := guardRule{head: r.head, reason: r.optionalTemplate("reason", r.env)}
	if n := r.member("applies"); n != nil {
		rule.applies = r.formula(r.source, n, r.env, formula.Bool)
	}
	if n := r.member("max_fee"); n != nil {
		rule.maxFee = r.bound(n, "max_fee")
	}
	if n := r.member("max_dropoff"); n != nil {
		rule.maxDropoff = r.duration(n, "max_dropoff")
	}
	if n := r.member("daily_budget"); n != nil {
		rule.budget = r.bound(n, "daily_budget")
	}
	if n := r.member("per"); n != nil {
		if rule.per = r.oneOf(n, "per", []string{"location"}); rule.per != "" && r.member("daily_budget") == nil {
			r.fault(n, "E505", "per needs daily_budget", "it says that each location has a budget of its own")
		}
	}
	if r.sound() && rule.maxFee == nil && rule.maxDropoff == 0 && rule.budget == nil {
		r.fault(r.node, "E502", "the guard bounds nothing", "give it max_fee, max_dropoff or daily_budget")
	}
	if n := r.member("on_breach"); n != nil {
		rule.breach = r.oneOf(n, "on_breach", breachActions)
	} else if r.sound() {
		r.fault(r.node, "E502", "the guard does not say what happens on a breach",
			"on_breach: next takes the next option, hold lets a person look, warn only tells")
	}
	if r.enabled {
		r.bundle.guards = append(r.bundle.guards, rule)
	}
}

// guard takes out, holds or warns of what goes beyond the bounds. It judges every option that is left, because each may be booked
// when the one before it fails.
func (r *deciding) guard() {
	if len(r.bundle.guards) == 0 {
		return
	}
	r.phase = PhaseGuard
	r.spends = make([][]Spend, len(r.d.Options))
	var kept []int
	for _, i := range r.eligible {
		o := &r.d.Options[i]
		r.look(&r.vars[i], stageQuote)
		r.m.Vars["chosen"] = &r.vars[i]
		r.account, r.service = o.Account, o.Service
		out, before := false, len(r.d.Guards)
		for n := range r.bundle.guards {
			out = r.bound(&r.bundle.guards[n], i, len(kept) == 0) || out
		}
		slices.SortFunc(r.spends[i], func(a, b Spend) int { return byNeed(a.BudgetNeed, b.BudgetNeed) })
		if out { // then nobody is to wait for it or be warned of it
			o.Excluded = true
			said := slices.DeleteFunc(slices.Clone(r.d.Guards[before:]), func(b Breach) bool { return b.Action != "next" })
			r.d.Guards = append(r.d.Guards[:before], said...)
			continue
		}
		kept = append(kept, i)
	}
	slices.SortStableFunc(r.d.Guards, func(a, b Breach) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.Service, b.Service), strings.Compare(a.ID, b.ID), strings.Compare(a.Guard, b.Guard))
	})
	r.account, r.service = "", ""
	delete(r.m.Vars, "option")
	r.eligible = kept
}

func (b Breach) of(o *Option) bool {
	return b.ID == o.ID && b.Account == o.Account && b.Service == o.Service
}

// bound judges one option by one guard and reports whether the option is out.
func (r *deciding) bound(rule *guardRule, i int, leads bool) bool {
	o := &r.d.Options[i]
	reason, err := r.breach(rule, i)
	if err != nil {
		r.fault(rule.name, err)
		reason = "the rule failed: " + err.Error()
	}
	if reason == "" || rule.breach == "hold" && r.in.overruled(rule.name, false) {
		return false // what a person has let pass takes from a budget all the same
	}
	if err == nil && rule.reason != nil {
		reason = r.text(rule.name, rule.reason)
	}
	action := rule.breach
	if action == "hold" && !leads {
		action = "next" // a later try must not book what a person should have seen
	}
	if action == "warn" && !leads {
		return false
	}
	r.d.Guards = append(r.d.Guards, Breach{Guard: rule.name, ID: o.ID, Account: o.Account, Service: o.Service, Action: action, Reason: reason})
	if action == "next" {
		r.d.Excluded = append(r.d.Excluded, exclusion(o.Account, o.Service, rule.name, reason, PhaseGuard))
	}
	return action == "next"
}

// breach says what is wrong with an option, "" where nothing is. A guard that fails counts as gone beyond: it is there to be safe.
func (r *deciding) breach(rule *guardRule, i int) (string, error) {
	if ok, err := r.bounded(rule); err != nil || !ok {
		return "", err
	}
	var broken []string
	o := &r.vars[i]
	if rule.maxFee != nil {
		most, err := rule.maxFee.eval(r.m, r.order.Total)
		if err != nil {
			return "", err
		}
		over, err := unit.CompareMoney(o.Fee, most)
		if err != nil {
			return "", err
		}
		if over > 0 {
			broken = append(broken, fmt.Sprintf("the fee of %s is over %s", o.Fee, most))
		}
	}
	if most := time.Duration(rule.maxDropoff); most > 0 && o.DropoffIn > most {
		when := "it arrives in " + o.DropoffIn.String()
		if !o.HasDropoff {
			when = "nobody knows when it arrives"
		}
		broken = append(broken, fmt.Sprintf("%s, the bound is %s", when, most))
	}
	if rule.budget != nil {
		over, err := r.overBudget(rule, i)
		if err != nil {
			return "", err
		}
		if over != "" {
			broken = append(broken, over)
		}
	}
	return strings.Join(broken, "; "), nil
}

// bounded reports whether a guard speaks of the option that is looked at.
func (r *deciding) bounded(rule *guardRule) (bool, error) {
	if ok, err := r.applies(&rule.head); err != nil || !ok || rule.applies == nil {
		return ok, err
	}
	v, err := r.eval(rule.applies)
	return err == nil && v.(bool), err
}

func (r *deciding) overBudget(rule *guardRule, i int) (string, error) {
	need := BudgetNeed{rule.name, rule.per}
	fee := r.vars[i].Fee
	r.spends[i] = append(r.spends[i], Spend{need, fee})
	at := slices.IndexFunc(r.in.Budgets, func(b Budget) bool { return b.BudgetNeed == need })
	if at < 0 {
		return "", errors.New("nobody has counted what was spent today")
	}
	most, err := rule.budget.eval(r.m, r.order.Total)
	if err != nil {
		return "", err
	}
	spent := r.in.Budgets[at].Spent
	if spent == (shipping.Money{}) {
		spent.Currency = fee.Currency
	}
	sum, err := spent.Add(fee)
	if err != nil {
		return "", err
	}
	over, err := unit.CompareMoney(sum, most)
	if err != nil || over <= 0 {
		return "", err
	}
	return fmt.Sprintf("%s were spent today, and %s more are over %s", spent, fee, most), nil
}

// breached writes down what the guards say of the option that leads.
func (r *deciding) breached() {
	if len(r.eligible) == 0 {
		return
	}
	lead := &r.d.Options[r.eligible[0]]
	for _, b := range r.d.Guards {
		switch {
		case !b.of(lead):
		case b.Action == "hold" && r.d.Hold == nil:
			r.d.Hold = &Hold{Rule: b.Guard, Reason: b.Reason}
		case b.Action == "warn":
			r.d.Warnings = append(r.d.Warnings, Warning{Rule: b.Guard, Level: "high", Message: b.Reason})
		}
	}
}
