package rules

import (
	"cmp"
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
		l.inAnother(i)
	}
	var all []*logic.Tree
	for _, p := range l.b.providers {
		out := l.outWithout(p)
		if out == nil {
			continue
		}
		if !l.can(logic.Negate(out)) {
			l.claim(claim{h: l.alwaysOut(p), code: "W608", sentence: fmt.Sprintf("provider %s is never used: some exclude always applies to it", p),
				hint: "remove the provider, or narrow the rule", bases: []*logic.Tree{out}, stands: decided(takenOut(p)), shows: decided(takenOut(p))})
		}
		all = append(all, out)
	}
	if len(all) < max(len(l.b.providers), 2) {
		return
	}
	l.claim(claim{h: l.alwaysOut(l.b.providers[0]), code: "W607", sentence: "together with others it can exclude every provider",
		hint: "such an order gets none: what that says", bases: []*logic.Tree{logic.All(all...)}, only: true, shows: decided(l.nobodyLeft)})
}

// inAnother finds an exclude that takes out all that one of them does.
func (l *linter) inAnother(i int) {
	x := &l.b.excludes[i]
	if l.dead[&x.head] {
		return
	}
	tx := l.scoped(&x.head)
	for j := range l.b.excludes {
		y := &l.b.excludes[j]
		if l.solver.Spent() {
			return
		}
		if i == j || l.dead[&y.head] || x.name == y.name {
			continue
		}
		ty := l.scoped(&y.head)
		if !l.implies(tx, ty) || j > i && l.implies(ty, tx) { // of two that are the same, the later one is named
			continue
		}
		l.claim(claim{h: &x.head, code: "W604", sentence: fmt.Sprintf("it makes no difference: %q excludes the same and more", y.name),
			hint: "remove one of the two, or narrow the other", about: []*head{&y.head}, bases: []*logic.Tree{tx}, stands: decided(alsoOut(x, y)), shows: bothOut(x, y)})
		return
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

// alwaysOut is the exclude that by itself takes a provider out of every order; where only several do together, the first that speaks of it.
func (l *linter) alwaysOut(provider string) *head {
	var first *head
	for i := range l.b.excludes {
		x := &l.b.excludes[i]
		if x.stage > stageProvider || l.dead[&x.head] || x.only != nil && !selects(x.only, provider, "") {
			continue
		}
		if !l.can(logic.Negate(l.trees[&x.head].Fix("option.provider", provider))) {
			return &x.head
		}
		first = cmp.Or(first, &x.head)
	}
	return cmp.Or(first, &head{})
}

func (l *linter) adjusts() {
	for i := range l.b.adjusts {
		x := &l.b.adjusts[i]
		idle := func(a *amount) bool { return a == nil || a.formula == nil && a.percent == nil && a.money.Minor == 0 }
		if idle(x.add) && idle(x.charge) {
			l.claim(claim{h: &x.head, code: "W619", sentence: "it adds nothing", hint: "give it an amount, or remove it",
				bases: []*logic.Tree{l.scoped(&x.head)}, shows: decided(adjusts(x.name))})
		}
	}
}

func (l *linter) chooses() {
	for i := range l.b.chooses {
		x := &l.b.chooses[i]
		seen := map[selector]bool{}
		var named []string
		for _, s := range x.list {
			if seen[s] || s.service != "" && seen[selector{s.account, ""}] {
				l.claim(claim{h: &x.head, code: "W621", sentence: fmt.Sprintf("%s stands in the list before", s), hint: "remove it",
					bases: []*logic.Tree{l.trees[&x.head]}, shows: decided(chooses(x.name))})
			}
			seen[s] = true
			named = append(named, s.account)
		}
		for _, a := range x.arms {
			if account, _, _ := strings.Cut(a.to, "/"); a.to != "rank" && a.percent > 0 {
				named = append(named, account)
			}
		}
		l.gone(&x.head, named)
		if x.kind == "split" && slices.ContainsFunc(x.arms, func(a arm) bool { return a.percent == 0 }) {
			l.claim(claim{h: &x.head, code: "W623", sentence: "a part of the split gets no order", hint: "remove it, or give it a percentage",
				bases: []*logic.Tree{l.trees[&x.head]}, shows: decided(chooses(x.name))})
		}
	}
}

// gone finds choices of providers that are always out where the rule applies, each once however often the rule names it.
func (l *linter) gone(h *head, named []string) {
	for i, provider := range named {
		out := l.outWithout(provider)
		if slices.Contains(named[:i], provider) || out == nil || l.dead[h] || !l.implies(l.trees[h], out) {
			continue
		}
		l.claim(claim{h: h, code: "W624", sentence: fmt.Sprintf("it names %s, which is excluded whenever the rule applies", provider),
			hint: "narrow the exclude, or name another", bases: []*logic.Tree{l.trees[h]},
			stands: func(t *trial) bool { return taken(h)(t.d) || takenOut(provider)(t.d) },
			shows:  func(t *trial) bool { return takenOut(provider)(t.d) && applies(h)(t) }})
	}
}

func (l *linter) guards() {
	for i := range l.b.guards {
		x := &l.b.guards[i]
		for j := range l.b.guards {
			y := &l.b.guards[j]
			if i == j || x.name == y.name || x.breach != "next" || y.breach != "next" { // two that hold or warn both do, and each is released or read by itself
				continue
			}
			if y.applies != nil || x.budget != nil || x.maxDropoff > 0 || l.dead[&x.head] || l.dead[&y.head] {
				continue
			}
			if l.mayFail(&x.head) || l.sure(x.applies) != nil { // one that fails takes out what is within its bound, too
				continue
			}
			a, ok1 := fixed(x.maxFee)
			z, ok2 := fixed(y.maxFee)
			if c, err := unit.CompareMoney(a, z); ok1 && ok2 && err == nil && (c > 0 || c == 0 && i > j) && l.implies(l.trees[&x.head], l.trees[&y.head]) {
				w := map[string]string{"option.fee": shipping.Money{Minor: a.Minor + 1, Currency: a.Currency}.String()}
				l.claim(claim{h: &x.head, code: "W618", sentence: fmt.Sprintf("it makes no difference: %q has a lower bound", y.name), hint: "remove it, or give it a bound below",
					about: []*head{&y.head}, bases: []*logic.Tree{l.trees[&x.head]}, values: []map[string]string{w}, shows: decided(breaks(x.name, y.name))})
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
		here := []*logic.Tree{l.trees[&x.head]}
		var by []*head
		reached := len(x.fallback.On) == 0
		for _, event := range x.fallback.On {
			before := l.before(&x.head, taken[event])
			reached = reached || before == nil
			by = append(by, before...)
			taken[event] = append(taken[event], &x.head)
		}
		if !reached && !l.dead[&x.head] {
			by = unique(by)
			l.claim(claim{h: &x.head, code: "W616", sentence: "it is never reached: " + speakFirst(by), hint: "the first that speaks of an event wins; change the order", about: by,
				bases: here, stands: decided(silent(x)),
				shows: func(t *trial) bool {
					return silent(x)(t.d) && applies(&x.head)(t) && t.d.Plan.Hold == nil && t.d.Hold == nil
				}})
		}
		bookings := 0
		used := map[string]bool{}
		var named []string
		for _, s := range x.fallback.Steps {
			if s.NextRanked || s.Use != "" {
				bookings++
			}
			if s.Use != "" && used[s.Use] {
				l.claim(claim{h: &x.head, code: "W615", sentence: fmt.Sprintf("it uses %s twice; what failed once is not tried again", s.Use),
					hint: "name another, or next_ranked", bases: here, shows: decided(fallsBack(x.name))})
			}
			used[s.Use] = true
			if account, _, _ := strings.Cut(s.Use, "/"); account != "" {
				named = append(named, account)
			}
		}
		l.gone(&x.head, named)
		if a := x.fallback.Attempts; a > 0 && bookings >= a+1 {
			l.claim(claim{h: &x.head, code: "W625", sentence: fmt.Sprintf("it has %d steps that book, but %d attempts in all: the last steps are never taken", bookings, a),
				hint: "raise attempts, or remove steps", bases: here, shows: decided(fallsBack(x.name))})
		}
	}
}

// unique leaves out of a list what stands in it before.
func unique(list []*head) []*head {
	var out []*head
	for _, h := range list {
		if !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

// speakFirst says of fallbacks that they leave a later one no event.
func speakFirst(by []*head) string {
	if len(by) == 1 {
		return quoted(by) + " speaks of its events first"
	}
	return quoted(by) + " speak of its events first"
}

// unused finds names that nothing uses.
func (l *linter) unused() {
	note := func(code, path, what, hint string) {
		if l.b.used[path] {
			return
		}
		at := l.b.spot(path)
		l.found = append(l.found, Finding{NoWitness: inTheFiles, Problem: Problem{Code: code, File: at.file, Line: at.line, Column: at.column, End: at.end, Sentence: what, Hint: hint}})
	}
	for _, name := range slices.Sorted(maps.Keys(l.b.lists)) {
		note("W609", "lists."+name, fmt.Sprintf("nothing uses list %s", name), "remove it, or ask: order.to.state in lists."+name)
	}
	for _, x := range slices.Concat(l.b.orderLets, l.b.optionLets) {
		note("W610", x.name, fmt.Sprintf("nothing uses let %s", x.name), "remove it, or use it in a condition")
	}
	for _, name := range l.b.attributes {
		note("W611", "order.attributes."+name, fmt.Sprintf("nothing uses attribute %s", name), "remove it: what is declared is kept with every decision")
	}
}

// spot is where something stands that is no rule, the beginning of the first file where that is not known.
func (b *Bundle) spot(what string) spot {
	if at, ok := b.spots[what]; ok {
		return at
	}
	return spot{b.file, 1, 1, 2}
}
