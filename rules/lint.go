package rules

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/logic"
)

// Finding is something in sound rules that is probably not meant. Codes are W6xx.
type Finding struct {
	Problem
	// Witness is an order that shows it, as members of `with:` in a test, and of an offer where they begin with option. It was decided, and
	// the decision shows what is found. WitnessTest makes a test of it.
	Witness map[string]string `json:"witness,omitempty"`
	// NoWitness says why there is none, where there is none.
	NoWitness string `json:"no_witness,omitempty"`
	// Currency is set where it goes for orders in this currency, that of the files, and may not for one in another: that makes rules fail
	// which compare money.
	Currency string `json:"currency,omitempty"`

	phase string // of the rule that it speaks of
}

// What one Lint may cost, whatever the rules. 500 rules that are written by hand are far from it.
const (
	maxLintSteps = 800_000 // of logic, over all questions
	maxLintWork  = 250_000 // rules asked over all orders that are tried
	maxAtoms     = 500     // comparisons of a condition whose lets are written out
	maxTerms     = 64      // of it as an or of ands
)

// Lint looks for rules that never or always hold, that others make useless, that contradict each other, and for what nothing uses. What it
// says of conditions is proven; what it does not understand it leaves alone, and of what is too large for it, it says so. It stops when ctx
// ends; what it returns is then not all.
func (b *Bundle) Lint(ctx context.Context) []Finding {
	l := newLinter(ctx, b, b.currency)
	for _, n := range b.notes {
		l.note(n)
	}
	before := len(l.found)
	l.prove()
	l.qualify(ctx, l.found[before:])
	if l.unused(); !l.stop() {
		l.edges(true)
	}
	if l.solver.Steps <= 0 {
		l.found = append(l.found, Finding{NoWitness: inTheFiles, Problem: Problem{Code: "W630", File: b.file, Line: 1, Column: 1, End: 2,
			Sentence: "the rules are too many and too large to be compared with each other to the end: what is found is true, and is not all",
			Hint:     "put texts into lists, and split what holds for one group of orders off into another bundle"}})
	}
	slices.SortStableFunc(l.found, func(x, y Finding) int {
		return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column), cmp.Compare(x.Code, y.Code))
	})
	return l.found
}

// prove looks for what follows from the conditions.
func (l *linter) prove() {
	for _, look := range []func(){l.conditions, l.firstHit, l.sets, l.excludes, l.adjusts, l.chooses, l.guards, l.fallbacks} {
		if look(); l.stop() {
			return
		}
	}
}

// qualify says of what was proven of orders in the currency of the files that it goes for these alone, where it does not follow for all.
func (l *linter) qualify(ctx context.Context, proven []Finding) {
	if l.currency == "" || len(proven) == 0 {
		return
	}
	every := newLinter(ctx, l.b, "")
	every.solver.Steps, every.follows = max(l.solver.Steps, 1), map[string]bool{}
	every.prove()
	l.solver.Steps = every.solver.Steps
	for i := range proven {
		if f := &proven[i]; !every.follows[f.Code+f.Where+f.Sentence] {
			f.Currency, f.Sentence = l.currency, fmt.Sprintf("for orders in %s, %s", l.currency, f.Sentence)
		}
	}
}

// DryRun decides orders at the edge of what there is, and names the rules that fail while they run.
func (b *Bundle) DryRun() []Finding {
	l := &linter{b: b}
	l.edges(false)
	return l.found
}

// Doubts are what stands in sound rules and no order is likely to have: the name of a state where orders have its code. Lint tells them too.
func (b *Bundle) Doubts() []Problem {
	var out []Problem
	for _, n := range b.notes {
		if n.Code == "W633" {
			out = append(out, n.Problem)
		}
	}
	return out
}

// LintHits names the rules that did nothing in a number of orders; hits counts, by rule, those in which it did.
func (b *Bundle) LintHits(hits map[string]int, n int) []Finding {
	l := &linter{b: b}
	named := map[string]bool{}
	for _, h := range b.heads() {
		if hits[h.name] == 0 && !named[h.name] {
			named[h.name] = true
			l.report(h, "W620", "it did nothing in "+orders(n), "see whether it still says what is meant", pastOrders)
		}
	}
	return l.found
}

// Why a finding has no order that shows it.
const (
	inTheFiles = "it stands in the files, whatever the order"
	pastOrders = "it is about the past orders that were given"
)

type linter struct {
	b      *Bundle
	stop   func() bool
	solver logic.Solver
	work   int // that is left for trying orders
	cost   int // of trying one
	names  map[string]*logic.Tree
	lists  map[string]logic.Entries
	// digests are of lists that are compared with those of another bundle.
	digests map[string][sha256.Size]byte
	written map[*head]*logic.Tree // conditions as they stand there; nil where a let that they name may fail
	whens   map[*head]*logic.Tree // when conditions are computed to true; nil is always
	nots    map[*head]*logic.Tree // and when to false
	trees   map[*head]*logic.Tree // when rules do what they say: with dates and, as a path of its own, the place
	scopes  map[*head]*logic.Tree // and with the options that they are about
	// samples are of trees that were asked for what they imply.
	samples map[*logic.Tree]*logic.Sample
	held    *logic.Tree       // some rule of hold applies; nil where there is none
	huge    map[string]string // lets that are too large, and how large they are
	dead    map[*head]bool
	found   []Finding
	// currency is what all money of the orders is in that are looked at, "" for any.
	currency string
	// follows is not nil where no order is looked for: what would be claimed is noted there.
	follows map[string]bool
}

// report notes a finding that no order shows.
func (l *linter) report(h *head, code, sentence, hint, why string) {
	where := fmt.Sprintf("rule %q", h.name)
	if h.at != "" {
		where += " at " + h.at
	}
	if l.follows != nil {
		l.follows[code+where+sentence] = true
		return
	}
	l.found = append(l.found, Finding{NoWitness: why, phase: h.phase,
		Problem: Problem{Code: code, File: h.file, Line: h.line, Column: h.column, End: h.column + 1, Where: where, Sentence: sentence, Hint: hint}})
}

// atLeastZero are the numbers that are never negative, with the greatest value that they have, 0 for none.
var atLeastZero = map[string]int64{
	"order.weight": 0, "order.distance": 0, "order.longest_side": 0, "order.girth": 0, "order.volume": 0, "order.quantity": 0, "order.line_count": 0,
	"order.parcel_count": 0, "local.minute_of_day": 1439, "option.transit_days": 0, "option.pickup_late": 0,
	"option.on_time_rate_30d": 1, "option.cancel_rate_7d": 1, // shares, not percentages
}

// newLinter reads every condition of a bundle, for orders in a currency, "" for any. It stops working when ctx ends.
func newLinter(ctx context.Context, b *Bundle, currency string) *linter {
	l := &linter{
		b: b, currency: currency, stop: func() bool { return ctx.Err() != nil }, work: maxLintWork, cost: costOf(b), names: map[string]*logic.Tree{}, lists: map[string]logic.Entries{}, digests: map[string][sha256.Size]byte{},
		written: map[*head]*logic.Tree{}, whens: map[*head]*logic.Tree{}, nots: map[*head]*logic.Tree{}, trees: map[*head]*logic.Tree{}, huge: map[string]string{}, dead: map[*head]bool{},
		scopes: map[*head]*logic.Tree{}, samples: map[*logic.Tree]*logic.Sample{},
	}
	l.solver = logic.Solver{Domains: l.domains(), Steps: maxLintSteps, Stop: l.stop}
	for name, list := range b.lists {
		l.lists[name] = logic.Entries{Texts: slices.Sorted(maps.Keys(list.Set)), Known: list.Set}
	}
	for _, lets := range [][]let{b.orderLets, b.optionLets} {
		for _, x := range lets {
			if !l.stop() {
				l.name(x)
			}
		}
	}
	var held []*logic.Tree
	for _, h := range b.heads() {
		if l.stop() {
			break
		}
		if h.when != nil {
			l.condition(h)
		}
		if l.trees[h] = l.treeOf(h); h.phase == "hold" {
			held = append(held, l.trees[h])
		}
	}
	if len(held) > 0 {
		l.held = logic.Any(held...)
	}
	return l
}

// can reports whether a condition can hold, for all that is known.
func (l *linter) can(t *logic.Tree) bool {
	v, _ := l.solver.Solve(t)
	return v != logic.Impossible
}

// implies reports whether a holds only where b does.
func (l *linter) implies(a, b *logic.Tree) bool {
	sample, known := l.samples[a]
	if !known {
		sample = l.solver.Sample(a)
		l.samples[a] = sample
	}
	l.solver.Steps--
	if sample != nil && sample.Refutes(b) {
		return false
	}
	return !l.can(logic.All(a, logic.Negate(b)))
}

// scoped adds to a condition the options that a rule is about.
func (l *linter) scoped(h *head) *logic.Tree {
	if known := l.scopes[h]; known != nil {
		return known
	}
	t := l.trees[h]
	if only := l.b.scopeOf(h); only != nil {
		var any []*logic.Tree
		for _, s := range only {
			t := &logic.Tree{Op: logic.In, Path: "option.provider", Texts: []string{s.account}}
			if s.service != "" {
				t = logic.All(t, &logic.Tree{Op: logic.In, Path: "option.service", Texts: []string{s.service}})
			}
			any = append(any, t)
		}
		t = logic.All(t, logic.Any(any...))
	}
	l.scopes[h] = t
	return t
}

// scopeOf are the options that a rule is about; nil is all.
func (b *Bundle) scopeOf(h *head) []selector {
	switch r := b.ruleOf(h).(type) {
	case *excludeRule:
		return r.only
	case *adjustRule:
		return r.only
	}
	return nil
}

// conditions looks at each condition by itself.
func (l *linter) conditions() {
	for _, h := range l.b.heads() {
		if l.stop() {
			return
		}
		scoped := l.scoped(h)
		if !l.can(scoped) {
			l.dead[h] = true
			l.claim(claim{h: h, code: "W601", sentence: "it never applies: its condition, days and providers exclude each other", hint: "compare what it asks for",
				bases: nearly(scoped), stands: rests(h), shows: rests(h)})
			continue
		}
		if h.when == nil {
			continue
		}
		when := l.whens[h]
		if !l.can(logic.Negate(when)) {
			l.claim(claim{h: h, code: "W602", sentence: "its condition always holds", hint: "leave out when:, or say what was meant",
				bases: []*logic.Tree{scoped, when}, stands: always(h), shows: applies(h)})
		} else {
			l.redundant(h)
		}
		l.window(h)
		l.equality(h)
	}
}

// nearly are the conditions that are short of one that never holds by one of its parts, and at last by all.
func nearly(never *logic.Tree) []*logic.Tree {
	parts := []*logic.Tree{}
	flat(never, &parts)
	var out []*logic.Tree
	for i := range parts[:min(len(parts), 8)] {
		out = append(out, logic.All(slices.Delete(slices.Clone(parts), i, i+1)...))
	}
	return append(out, logic.All())
}

// flat lists what a conjunction is made of.
func flat(t *logic.Tree, out *[]*logic.Tree) {
	if t == nil {
		return
	}
	if t.Op != logic.And || len(*out) > 100 {
		*out = append(*out, t)
		return
	}
	for _, k := range t.Kids {
		flat(k, out)
	}
}

// redundant finds a part of a condition that the others already say. What may fail is no part for nothing where the condition would then fail
// for other orders.
func (l *linter) redundant(h *head) {
	when := l.written[h]
	if when == nil || len(when.Kids) < 2 || when.Op != logic.And && when.Op != logic.Or {
		return
	}
	for i, part := range when.Kids {
		if part.Op == logic.Free {
			continue
		}
		rest := &logic.Tree{Op: when.Op, Kids: slices.Delete(slices.Clone(when.Kids), i, i+1)}
		if l.idlePart(h, rest, part) {
			l.claim(claim{h: h, code: "W622", sentence: fmt.Sprintf("a part of the condition makes no difference: %s", cmp.Or(part.Text, strings.Join(part.Paths(), ", "))),
				hint: "the rest says as much", bases: []*logic.Tree{logic.All(l.scoped(h), rest, part), logic.All(rest, part)}, shows: applies(h)})
			return
		}
	}
}

// idlePart reports whether a condition comes to the same without one of its parts; rest is what is left.
func (l *linter) idlePart(h *head, rest, part *logic.Tree) bool {
	switch when := l.written[h]; {
	case when.MayFail():
		yes, no := rest.Exact()
		return l.implies(yes, l.whens[h]) && l.implies(l.whens[h], yes) && l.implies(no, l.nots[h]) && l.implies(l.nots[h], no)
	case when.Op == logic.Or:
		return l.implies(part, rest)
	}
	return l.implies(rest, part)
}

// window finds times of day that go round by accident.
func (l *linter) window(h *head) {
	for _, w := range h.when.Windows() {
		from, to := w[0], w[1]
		length := (to - from + 1440) % 1440
		if from < to || length > 0 && length <= 12*60 {
			continue
		}
		at := &logic.Tree{Op: logic.Compare, Path: "local.minute_of_day", Cmp: "==", Number: big.NewRat(int64(from), 1)}
		l.claim(claim{h: h, code: "W612",
			sentence: fmt.Sprintf("the time from %02d:%02d to %02d:%02d goes over midnight and lasts %d hours", from/60, from%60, to/60, to%60, (length+1439)%1440/60+1),
			hint:     "change the two times round, if the day was meant", bases: []*logic.Tree{logic.All(l.trees[h], at), at}, shows: applies(h)})
	}
}

// equality finds numbers with a fraction that are compared for being the same.
func (l *linter) equality(h *head) {
	if text := h.when.FloatEquality(); text != "" {
		l.claim(claim{h: h, code: "W617", sentence: "it asks whether two computed numbers are the same: " + text,
			hint: "use <= and >=; computed numbers differ in the last digits", bases: []*logic.Tree{l.trees[h]}, shows: applies(h)})
	}
}

// sets finds assignments that a later rule always overwrites, and those that it may.
func (l *linter) sets() {
	for i := range l.b.sets {
		a := &l.b.sets[i]
		for j := i + 1; j < len(l.b.sets) && !l.dead[&a.head] && !l.solver.Spent(); j++ {
			l.overwrites(a, &l.b.sets[j])
		}
	}
}

// overwrites looks at what a later rule makes of an earlier one.
func (l *linter) overwrites(a, z *setRule) {
	var common []string
	for _, x := range a.assign {
		if slices.ContainsFunc(z.assign, func(y assignment) bool { return y.attribute == x.attribute }) {
			common = append(common, x.attribute)
		}
	}
	if len(common) == 0 || l.dead[&z.head] {
		return
	}
	both := logic.All(l.trees[&a.head], l.trees[&z.head])
	c := claim{h: &a.head, about: []*head{&z.head}, bases: []*logic.Tree{both}, shows: decided(overwritten(&a.head, &z.head))}
	possible := l.can(both)
	switch {
	case len(common) == len(a.assign) && l.implies(l.trees[&a.head], l.assigns(z, common)):
		c.code, c.sentence = "W605", fmt.Sprintf("it never has an effect: %q overwrites %s whenever it applies", z.name, strings.Join(common, ", "))
		c.hint, c.stands = "the last rule that applies wins; change the order", decided(idle(&a.head))
		l.claim(c)
	case possible && !l.implies(l.trees[&z.head], l.trees[&a.head]):
		c.code, c.sentence = "W606", fmt.Sprintf("%q may overwrite %s", z.name, strings.Join(common, ", "))
		c.hint, c.only = "the last rule that applies wins; if that is meant, leave it", true
		l.claim(c)
	}
}

// assigns is when a rule of set sets all of some attributes: one whose value cannot be computed stays as it was.
func (l *linter) assigns(z *setRule, attributes []string) *logic.Tree {
	all := []*logic.Tree{l.trees[&z.head]}
	for _, x := range z.assign {
		if !slices.Contains(attributes, x.attribute) {
			continue
		}
		all = append(all, l.sure(x.moment))
		if x.amount != nil {
			all = append(all, l.sure(x.amount.formula))
		}
	}
	return logic.All(all...)
}
