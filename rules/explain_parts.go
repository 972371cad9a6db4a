package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/rules/trace"
)

// clocks says of minutes of the day what the clock shows then.
func clocks(t *trace.Tree) {
	switch t.Text {
	case "local.minute_of_day", "location.cutoff_minute":
		if len(t.Values) == 1 {
			if n, ok := t.Values[0].(int); ok {
				t.Note = fmt.Sprintf("%02d:%02d", n/60, n%60)
			}
		}
	}
	for _, p := range t.Parts {
		clocks(p)
	}
}

// unreached counts the parts that were not evaluated because those before them settled it; a part within one of them is not counted again.
func unreached(t *trace.Tree) int {
	if len(t.Values) == 0 && t.Err == nil {
		return 1
	}
	n := 0
	for _, p := range t.Parts {
		n += unreached(p)
	}
	return n
}

// conditions writes what the conditions of the rule that speaks come to, hands them to whoever wants to know, and notes whether all hold.
func (e *explaining) conditions(h *head) {
	list := h.conditions()
	if len(list) == 0 {
		e.line("    always")
	}
	e.held = true
	for _, f := range list {
		if e.held {
			e.tree(f)
		} else if twin, err := e.bundle.twin(f); err == nil {
			e.tell(twin.Shape()) // nobody asks it
		}
	}
	if e.spoke != nil {
		e.spoke(h, e.held)
	}
}

// bounds writes what a guard bounds, and how the option stands to it.
func (e *explaining) bounds(rule *guardRule, o *Option) {
	if m := rule.maxFee; m != nil {
		if most, err := m.eval(e.m, e.order.Total); err == nil {
			e.line("    the fee is %s, the bound %s", o.Fee, most)
		}
	}
	if rule.maxDropoff > 0 {
		v := e.optionOf(o.Account, &o.Quote)
		arrives := "nobody knows when it arrives"
		if v.HasDropoff {
			arrives = "it arrives in " + v.DropoffIn.String()
		}
		e.line("    %s, the bound is %s", arrives, time.Duration(rule.maxDropoff))
	}
	if rule.budget == nil {
		return
	}
	need := BudgetNeed{rule.name, rule.per}
	at := slices.IndexFunc(e.in.Budgets, func(b Budget) bool { return b.BudgetNeed == need })
	if most, err := rule.budget.eval(e.m, e.order.Total); err == nil && at >= 0 {
		spent := "nothing was"
		if s := e.in.Budgets[at].Spent; !s.IsZero() {
			spent = s.String() + " were"
		}
		e.line("    %s spent today before this fee of %s, the bound is %s", spent, o.Fee, most)
	}
}

// chosen writes what a choose rule wants, and what it has made of the ranking.
func (e *explaining) chosen(c *Chosen) {
	e.line("    -> %s", c.Wants())
	for _, x := range e.d.Denied() {
		e.line("    -> %s, which it asks for, is out by guard %q", selector{x.Account, x.Service}, x.Rule)
	}
	if c.Moved {
		e.line("    -> another option leads than by the ranking alone, which has %s first", c.Instead)
	}
}

// String is the rule as a merchant would say it.
func (f Fallback) String() string {
	steps := make([]string, len(f.Steps))
	for i, st := range f.Steps {
		switch {
		case st.NextRanked:
			steps[i] = "the next of the ranking"
		case st.Use != "":
			if steps[i] = st.Use; st.IfAvailable {
				steps[i] += " if available"
			}
		case st.HoldFor > 0:
			steps[i] = "wait " + time.Duration(st.HoldFor).String()
		default:
			steps[i] = "tell " + st.Notify
		}
	}
	text := "on " + strings.Join(f.On, ", ") + ": " + strings.Join(steps, ", then ")
	if f.Attempts > 0 {
		text += fmt.Sprintf("; at most %d bookings", f.Attempts)
	}
	if f.Within > 0 {
		text += fmt.Sprintf("; within %s", time.Duration(f.Within))
	}
	if !f.ExtraCost.IsZero() {
		text += fmt.Sprintf("; for at most %s more", f.ExtraCost)
	}
	return text
}

// summary counts what a reader may have missed.
func (e *explaining) summary() {
	var overwritten []string
	for _, a := range e.d.Plan.Set.By {
		if a.OverwrittenBy != "" {
			overwritten = append(overwritten, fmt.Sprintf("%s of %q", a.Attribute, a.Rule))
		}
	}
	if len(overwritten) == 0 {
		overwritten = []string{"none"}
	}
	e.line("not evaluated: %d clauses (what stands before them settled it)   overwritten: %s   warnings: %d   failed: %d", e.skipped,
		strings.Join(overwritten, ", "), len(e.d.Warnings), len(e.d.Faults))
}
