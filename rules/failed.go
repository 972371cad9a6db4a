package rules

import (
	"fmt"
	"slices"
	"strings"
)

// FailedRule is a rule that failed while it ran, with all the options for which it did. Of the ranking, Rule is score or ties.
type FailedRule struct {
	Phase Phase
	Rule  string
	Text  string // for people: which rule it is, what came of the failure, and why it failed. A sentence without its full stop
}

// maxFailed is how many options the text of a failure names; the record has all.
const maxFailed = 3

// FailedRules are the rules of the decision that failed while they ran, in the order of the record, each once for every thing that came of it.
func (d Decision) FailedRules() []FailedRule {
	type kind struct {
		phase       Phase
		rule, after string
	}
	var order []kind
	who, why := map[kind][]string{}, map[kind]string{}
	for _, f := range d.Faults {
		k := kind{f.Phase, f.Rule, d.aftermath(f)}
		if _, known := why[k]; !known {
			order = append(order, k)
			why[k] = f.Message
		}
		if f.Account != "" {
			if s := (selector{f.Account, f.Service}).String(); !slices.Contains(who[k], s) {
				who[k] = append(who[k], s)
			}
		}
	}
	out := make([]FailedRule, len(order))
	for i, k := range order {
		name := fmt.Sprintf("Rule %q (%s)", k.rule, k.phase)
		switch k.phase {
		case PhaseRank:
			name = fmt.Sprintf("%q of the ranking", k.rule)
		case PhaseNone:
			name = `"none" of the rules`
		}
		at := ""
		if list := who[k]; len(list) > 0 {
			rest := ""
			if len(list) > maxFailed {
				rest = fmt.Sprintf(" and %d more", len(list)-maxFailed)
				list = list[:maxFailed]
			}
			at = " for " + strings.Join(list, ", ") + rest
		}
		out[i] = FailedRule{k.phase, k.rule, fmt.Sprintf("%s failed%s %s: %s", name, at, k.after, why[k])}
	}
	return out
}

// aftermath says what came of a failure. What acted all the same has failed in a text, or in one of several things that it does.
func (d Decision) aftermath(f Fault) string {
	const skipped, inPart = "and was not applied", "and was applied in part"
	of := func(account, service, rule string) bool {
		return account == f.Account && service == f.Service && rule == f.Rule
	}
	acted := false
	switch f.Phase {
	case PhaseExclude:
		return "and excludes what it could not judge"
	case PhaseRank:
		if f.Rule == "score" {
			return "and what has no score comes last"
		}
		return "and comes last where only this decides"
	case PhaseGuard:
		if slices.ContainsFunc(d.Guards, func(b Breach) bool { return of(b.Account, b.Service, b.Guard) }) {
			return "and counts as gone beyond"
		}
		return skipped
	case PhaseNone:
		return "in its message"
	case PhaseHold:
		acted = d.Plan.Hold != nil && d.Plan.Hold.Rule == f.Rule
	case PhaseSet:
		acted = slices.ContainsFunc(d.Plan.Set.By, func(a Assignment) bool { return a.Rule == f.Rule })
	case PhaseAdjust:
		acted = slices.ContainsFunc(d.Adjusted, func(a Adjustment) bool { return of(a.Account, a.Service, a.Rule) })
	case PhaseWarn:
		acted = slices.ContainsFunc(d.Warnings, func(w Warning) bool { return w.Rule == f.Rule })
	}
	switch {
	case acted && strings.Contains(f.Message, belowZero):
		return "and was held at zero"
	case acted:
		return inPart
	}
	return skipped
}
