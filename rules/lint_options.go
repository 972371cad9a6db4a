package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/logic"
	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// excludes finds exclusions that others make superfluous, providers that are never left, and orders that no provider may take.
func (l *linter) excludes() {
	for i := range l.b.excludes {
		x := &l.b.excludes[i]
		tx := l.scoped(&x.head, x.only)
		for j := range l.b.excludes {
			y := &l.b.excludes[j]
			if i == j || l.dead[&x.head] || l.dead[&y.head] || x.name == y.name {
				continue
			}
			ty := l.scoped(&y.head, y.only)
			if !l.implies(tx, ty) || j > i && l.implies(ty, tx) { // of two that are the same, the later one is named
				continue
			}
			_, _, w := l.can(tx)
			l.claim(&x.head, "W604", fmt.Sprintf("it makes no difference: %q excludes the same and more", y.name), "remove one of the two, or narrow the other", w, alsoOut(x, y))
			break
		}
	}
	var all []*logic.Tree
	for _, p := range l.b.providers {
		out := l.outWithout(p)
		if out == nil {
			continue
		}
		if possible, _, _ := l.can(logic.Negate(out)); !possible {
			h := l.alwaysOut(p)
			_, _, w := l.can(out)
			l.claim(h, "W608", fmt.Sprintf("provider %s is never used: some exclude always applies to it", p), "remove the provider, or narrow the rule", w, takenOut(p))
		}
		all = append(all, out)
	}
	if len(all) < max(len(l.b.providers), 2) {
		return
	}
	var held []*logic.Tree
	for i := range l.b.holds {
		held = append(held, l.trees[&l.b.holds[i].head])
	}
	nobody := logic.All(all...)
	for _, t := range []*logic.Tree{logic.All(nobody, logic.Negate(logic.Any(held...))), nobody} { // an order that is not held is the better example
		if _, sure, w := l.can(t); sure && l.show(l.alwaysOut(l.b.providers[0]), "W607", "together with others it can exclude every provider", "such an order gets none: what that says", w, l.nobodyLeft) {
			return
		}
	}
}

// outWithout is when a provider is out whatever it would quote; nil where no rule speaks of it. Only what is understood counts.
func (l *linter) outWithout(provider string) *logic.Tree {
	var any []*logic.Tree
	for i := range l.b.excludes {
		x := &l.b.excludes[i]
		if x.stage > stageProvider || l.dead[&x.head] || x.only != nil && !selects(x.only, provider, "") {
			continue
		}
		any = append(any, l.trees[&x.head].Fix("option.provider", provider))
	}
	if any == nil {
		return nil
	}
	return logic.Any(any...)
}

// alwaysOut is an exclude that speaks of a provider.
func (l *linter) alwaysOut(provider string) *head {
	for i := range l.b.excludes {
		x := &l.b.excludes[i]
		if x.stage <= stageProvider && !l.dead[&x.head] && (x.only == nil || selects(x.only, provider, "")) {
			return &x.head
		}
	}
	return &head{}
}

func (l *linter) adjusts() {
	for i := range l.b.adjusts {
		x := &l.b.adjusts[i]
		idle := func(a *amount) bool { return a == nil || a.formula == nil && a.percent == nil && a.money.Minor == 0 }
		if idle(x.add) && idle(x.charge) {
			l.report(&x.head, "W619", "it adds nothing", "give it an amount, or remove it", nil)
		}
	}
}

func (l *linter) chooses() {
	for i := range l.b.chooses {
		x := &l.b.chooses[i]
		seen := map[selector]bool{}
		for _, s := range x.list {
			if seen[s] || s.service != "" && seen[selector{s.account, ""}] {
				l.report(&x.head, "W621", fmt.Sprintf("%s stands in the list before", s), "remove it", nil)
			}
			seen[s] = true
			l.gone(&x.head, s.account)
		}
		for _, a := range x.arms {
			if account, _, _ := strings.Cut(a.to, "/"); a.to != "rank" && a.percent > 0 {
				l.gone(&x.head, account)
			}
		}
		if x.kind == "split" && slices.ContainsFunc(x.arms, func(a arm) bool { return a.percent == 0 }) {
			l.report(&x.head, "W623", "a part of the split gets no order", "remove it, or give it a percentage", nil)
		}
	}
}

// gone finds a choice of a provider that is always out where the rule applies.
func (l *linter) gone(h *head, provider string) {
	out := l.outWithout(provider)
	if out == nil || l.dead[h] || !l.implies(l.trees[h], out) {
		return
	}
	_, _, w := l.can(l.trees[h])
	l.claim(h, "W624", fmt.Sprintf("it names %s, which is excluded whenever the rule applies", provider), "narrow the exclude, or name another", w,
		func(d *Decision) bool { return taken(h)(d) || takenOut(provider)(d) })
}

func (l *linter) guards() {
	for i := range l.b.guards {
		x := &l.b.guards[i]
		for j := range l.b.guards {
			y := &l.b.guards[j]
			if i == j || x.name == y.name || x.breach != y.breach || y.applies != nil || x.budget != nil || x.maxDropoff > 0 || l.dead[&x.head] || l.dead[&y.head] {
				continue
			}
			a, ok1 := fixed(x.maxFee)
			z, ok2 := fixed(y.maxFee)
			if c, err := unit.CompareMoney(a, z); ok1 && ok2 && err == nil && (c > 0 || c == 0 && i > j) && l.implies(l.trees[&x.head], l.trees[&y.head]) {
				_, _, w := l.can(l.trees[&x.head])
				w = maps.Clone(w)
				w["option.fee"] = shipping.Money{Minor: a.Minor + 1, Currency: a.Currency}.String()
				l.report(&x.head, "W618", fmt.Sprintf("it makes no difference: %q has a lower bound", y.name), "remove it, or give it a bound below", w)
				break
			}
		}
	}
}

func fixed(a *amount) (shipping.Money, bool) {
	if a == nil || a.formula != nil || a.percent != nil {
		return shipping.Money{}, false
	}
	return a.money, true
}

func (l *linter) fallbacks() {
	taken := map[string][]*head{}
	for i := range l.b.fallbacks {
		x := &l.b.fallbacks[i]
		reached := len(x.fallback.On) == 0
		by := ""
		for _, event := range x.fallback.On {
			covered := slices.ContainsFunc(taken[event], func(e *head) bool {
				by = e.name
				return l.implies(l.trees[&x.head], l.trees[e])
			})
			reached = reached || !covered
			taken[event] = append(taken[event], &x.head)
		}
		if !reached && !l.dead[&x.head] {
			_, _, w := l.can(l.trees[&x.head])
			l.claim(&x.head, "W616", fmt.Sprintf("it is never reached: %q speaks of its events first", by), "the first that speaks of an event wins; change the order", w, silent(x))
		}
		bookings := 0
		used := map[string]bool{}
		for _, s := range x.fallback.Steps {
			if s.NextRanked || s.Use != "" {
				bookings++
			}
			if s.Use != "" && used[s.Use] {
				l.report(&x.head, "W615", fmt.Sprintf("it uses %s twice; what failed once is not tried again", s.Use), "name another, or next_ranked", nil)
			}
			used[s.Use] = true
			if account, _, _ := strings.Cut(s.Use, "/"); account != "" {
				l.gone(&x.head, account)
			}
		}
		if a := x.fallback.Attempts; a > 0 && bookings >= a+1 {
			l.report(&x.head, "W625", fmt.Sprintf("it has %d steps that book, but %d attempts in all: the last steps are never taken", bookings, a), "raise attempts, or remove steps", nil)
		}
	}
}

// unused finds names that nothing uses.
func (l *linter) unused() {
	note := func(code, what, hint string) {
		l.found = append(l.found, Finding{Problem: Problem{Code: code, File: l.b.file, Line: 1, Column: 1, End: 2, Sentence: what, Hint: hint}})
	}
	for _, name := range slices.Sorted(maps.Keys(l.b.lists)) {
		if !l.b.used["lists."+name] {
			note("W609", fmt.Sprintf("nothing uses list %s", name), "remove it, or ask: order.to.state in lists."+name)
		}
	}
	for _, lets := range [][]let{l.b.orderLets, l.b.optionLets} {
		for _, x := range lets {
			if !l.b.used[x.name] {
				note("W610", fmt.Sprintf("nothing uses let %s", x.name), "remove it, or use it in a condition")
			}
		}
	}
	for _, name := range l.b.attributes {
		if !l.b.used["order.attributes."+name] {
			note("W611", fmt.Sprintf("nothing uses attribute %s", name), "remove it: what is declared is kept with every decision")
		}
	}
}
