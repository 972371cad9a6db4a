package rules

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/internal/logic"
)

// Finding is something in sound rules that is probably not meant. Codes are W6xx.
type Finding struct {
	Problem
	// Witness is an order that shows it, as members of `with:` in a test, and of an offer where they begin with option; empty where no order is
	// needed to see it. WitnessTest makes a test of it.
	Witness map[string]string `json:"witness,omitempty"`
}

// Lint looks for rules that never or always hold, that others make useless, that contradict each other, and for what nothing uses. What it
// says of conditions is proven; what it does not understand it leaves alone.
func (b *Bundle) Lint() []Finding {
	l := &linter{b: b, found: slices.Clone(b.notes), trees: map[*head]*logic.Tree{}}
	l.prepare()
	l.conditions()
	l.firstHit()
	l.sets()
	l.excludes()
	l.adjusts()
	l.chooses()
	l.guards()
	l.fallbacks()
	l.unused()
	l.edges()
	slices.SortStableFunc(l.found, func(x, y Finding) int {
		return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column), cmp.Compare(x.Code, y.Code))
	})
	return l.found
}

// DryRun decides orders at the edge of what there is, and names the rules that fail while they run.
func (b *Bundle) DryRun() []Finding {
	l := &linter{b: b}
	l.edges()
	return l.found
}

// LintHits names the rules that did nothing in a number of orders; hits counts, by rule, those in which it did.
func (b *Bundle) LintHits(hits map[string]int, orders int) []Finding {
	l := &linter{b: b}
	named := map[string]bool{}
	for _, h := range b.heads() {
		if hits[h.name] == 0 && !named[h.name] {
			named[h.name] = true
			l.report(h, "W620", fmt.Sprintf("it did nothing in %d orders", orders), "see whether it still says what is meant", nil)
		}
	}
	return l.found
}

type linter struct {
	b       *Bundle
	names   map[string]*logic.Tree
	lists   map[string][]string
	domains map[string]logic.Domain
	trees   map[*head]*logic.Tree // conditions with dates and, as a path of its own, the place
	dead    map[*head]bool
	found   []Finding
}

func (l *linter) report(h *head, code, sentence, hint string, witness map[string]string) {
	where := fmt.Sprintf("rule %q", h.name)
	if h.at != "" {
		where += " at " + h.at
	}
	l.found = append(l.found, Finding{Problem{Code: code, File: h.file, Line: h.line, Column: h.column, End: h.column + 1, Where: where, Sentence: sentence, Hint: hint}, readable(witness)})
}

// atLeastZero are the numbers that are never negative, with the greatest value that they have, 0 for none.
var atLeastZero = map[string]int64{
	"order.weight": 0, "order.distance": 0, "order.longest_side": 0, "order.girth": 0, "order.volume": 0, "order.quantity": 0, "order.line_count": 0,
	"order.parcel_count": 0, "local.minute_of_day": 1439, "option.transit_days": 0, "option.pickup_late": 0,
	"option.on_time_rate_30d": 1, "option.cancel_rate_7d": 1, // shares, not percentages
}

func (l *linter) prepare() {
	l.lists, l.names, l.domains, l.dead = map[string][]string{}, map[string]*logic.Tree{}, map[string]logic.Domain{}, map[*head]bool{}
	for name, list := range l.b.lists {
		l.lists[name] = slices.Sorted(maps.Keys(list.Set))
	}
	for _, lets := range [][]let{l.b.orderLets, l.b.optionLets} {
		for _, x := range lets {
			if x.formula.Kind == formula.Bool {
				l.names[x.name] = x.formula.Logic().Resolve(l.names, l.lists)
			}
		}
	}
	for path, texts := range l.b.env.Enums {
		l.domains[path] = logic.Domain{Texts: texts}
	}
	for path, most := range atLeastZero {
		d := logic.Domain{Least: new(big.Rat), Whole: l.b.env.Whole(path)}
		if most > 0 {
			d.Most = big.NewRat(most, 1)
		}
		l.domains[path] = d
	}
	l.domains["local.date"] = logic.Domain{Whole: true}
	l.domains["local.weekday"] = logic.Domain{DayOf: "local.date"} // the members of the clock are one moment
	for _, q := range l.b.quotas {
		path := "quota." + q.Account + "." + q.Period + ".used"
		if q.Per != "" {
			path = "quota." + q.Account + "." + q.Period + "." + q.Per + ".used"
		}
		l.domains[path] = logic.Domain{Least: new(big.Rat), Whole: true}
	}
	for _, h := range l.b.heads() {
		l.trees[h] = l.treeOf(h)
	}
}

// treeOf is when a rule is in force: its condition, its days and its place.
func (l *linter) treeOf(h *head) *logic.Tree {
	var parts []*logic.Tree
	if h.when != nil {
		parts = append(parts, h.when.Logic().Resolve(l.names, l.lists))
	}
	for _, d := range []struct{ op, day string }{{">=", h.from}, {"<=", h.until}} {
		if n, ok := formula.DayNumber(d.day); ok {
			parts = append(parts, &logic.Tree{Op: logic.Compare, Path: "local.date", Cmp: d.op, Number: n, Unit: "day"})
		}
	}
	var places []*logic.Tree
	for _, at := range h.locations {
		places = append(places, place(at))
	}
	if len(places) > 0 {
		parts = append(parts, logic.Any(places...))
	}
	for _, at := range h.patches { // another form holds where an earlier patch fits
		if at == h.at {
			parts = append(parts, place(at))
			break
		}
		parts = append(parts, logic.Negate(place(at)))
	}
	return logic.All(parts...)
}

func place(at string) *logic.Tree {
	if tag, ok := strings.CutPrefix(at, "tag:"); ok {
		return &logic.Tree{Op: logic.Is, Path: fmt.Sprintf("%q in location.tags", tag)}
	}
	return &logic.Tree{Op: logic.In, Path: "location.id", Texts: []string{at}}
}

// can reports whether a condition can hold, and an order for which it does; sure is false where that hangs on what is not understood.
func (l *linter) can(t *logic.Tree) (possible, sure bool, witness map[string]string) {
	v, w := logic.Solve(t, l.domains)
	return v != logic.Impossible, v == logic.Possible, w
}

// implies reports whether a holds only where b does.
func (l *linter) implies(a, b *logic.Tree) bool {
	possible, _, _ := l.can(logic.All(a, logic.Negate(b)))
	return !possible
}

// scoped adds to a condition the options that a rule is about.
func (l *linter) scoped(h *head, only []selector) *logic.Tree {
	if only == nil {
		return l.trees[h]
	}
	var any []*logic.Tree
	for _, s := range only {
		t := &logic.Tree{Op: logic.In, Path: "option.provider", Texts: []string{s.account}}
		if s.service != "" {
			t = logic.All(t, &logic.Tree{Op: logic.In, Path: "option.service", Texts: []string{s.service}})
		}
		any = append(any, t)
	}
	return logic.All(l.trees[h], logic.Any(any...))
}

func (l *linter) scopeOf(h *head) []selector {
	for i := range l.b.excludes {
		if &l.b.excludes[i].head == h {
			return l.b.excludes[i].only
		}
	}
	for i := range l.b.adjusts {
		if &l.b.adjusts[i].head == h {
			return l.b.adjusts[i].only
		}
	}
	return nil
}

// conditions looks at each condition by itself.
func (l *linter) conditions() {
	for _, h := range l.b.heads() {
		if possible, _, _ := l.can(l.scoped(h, l.scopeOf(h))); !possible {
			l.dead[h] = true
			_, _, example := l.can(l.trees[h])
			l.claim(h, "W601", "it never applies: its condition, days and providers exclude each other", "compare what it asks for", example, l.never(h))
			continue
		}
		if h.when == nil {
			continue
		}
		when := h.when.Logic().Resolve(l.names, l.lists)
		if possible, _, _ := l.can(logic.Negate(when)); !possible {
			_, _, w := l.can(when)
			l.claim(h, "W602", "its condition always holds", "leave out when:, or say what was meant", w, l.always(h))
		} else {
			l.redundant(h, when)
		}
		l.window(h)
		l.equality(h)
	}
}

// redundant finds a part of a condition that the others already say.
func (l *linter) redundant(h *head, when *logic.Tree) {
	if len(when.Kids) < 2 || when.Op != logic.And && when.Op != logic.Or {
		return
	}
	for i, part := range when.Kids {
		if part.Op == logic.Free {
			continue
		}
		rest := &logic.Tree{Op: when.Op, Kids: slices.Delete(slices.Clone(when.Kids), i, i+1)}
		idle := l.implies(rest, part)
		if when.Op == logic.Or {
			idle = l.implies(part, rest)
		}
		if idle {
			_, _, w := l.can(logic.All(rest, part))
			l.report(h, "W622", fmt.Sprintf("a part of the condition makes no difference: %s", cmp.Or(part.Text, strings.Join(part.Paths(), ", "))), "the rest says as much", w)
			return
		}
	}
}

// window finds times of day that go round by accident.
func (l *linter) window(h *head) {
	for _, w := range h.when.Windows() {
		from, to := w[0], w[1]
		length := (to - from + 1440) % 1440
		if from < to || length > 0 && length <= 12*60 {
			continue
		}
		l.report(h, "W612", fmt.Sprintf("the time from %02d:%02d to %02d:%02d goes over midnight and lasts %d hours", from/60, from%60, to/60, to%60, (length+1439)%1440/60+1),
			"change the two times round, if the day was meant", map[string]string{"local.minute_of_day": fmt.Sprint(from)})
	}
}

// equality finds numbers with a fraction that are compared for being the same.
func (l *linter) equality(h *head) {
	if text := h.when.FloatEquality(); text != "" {
		l.report(h, "W617", "it asks whether two computed numbers are the same: "+text, "use <= and >=; computed numbers differ in the last digits", nil)
	}
}

// firstHit finds rules that an earlier one of a phase always takes the place of.
func (l *linter) firstHit() {
	var holds, chooses []*head
	for i := range l.b.holds {
		if l.b.holds[i].until == nil { // one that waits for a moment lets the order on when it has come
			holds = append(holds, &l.b.holds[i].head)
		} else {
			l.covered(&l.b.holds[i].head, holds)
		}
	}
	for i := range l.b.chooses {
		chooses = append(chooses, &l.b.chooses[i].head)
	}
	for _, list := range [][]*head{holds, chooses} {
		for n, h := range list {
			l.covered(h, list[:n])
		}
	}
}

// covered reports a rule whose every order an earlier one takes.
func (l *linter) covered(h *head, earlier []*head) {
	if l.dead[h] {
		return
	}
	for _, e := range earlier {
		if l.dead[e] || !l.implies(l.trees[h], l.trees[e]) {
			continue
		}
		_, _, w := l.can(l.trees[h])
		l.claim(h, "W603", fmt.Sprintf("it is never reached: %q comes first and applies whenever it does", e.name), "put it before, or narrow the other", w, taken(h))
		return
	}
}

// sets finds assignments that a later rule always overwrites, and those that it may.
func (l *linter) sets() {
	for i := range l.b.sets {
		a := &l.b.sets[i]
		for j := i + 1; j < len(l.b.sets) && !l.dead[&a.head]; j++ {
			z := &l.b.sets[j]
			var common []string
			for _, x := range a.assign {
				if slices.ContainsFunc(z.assign, func(y assignment) bool { return y.attribute == x.attribute }) {
					common = append(common, x.attribute)
				}
			}
			if len(common) == 0 || l.dead[&z.head] {
				continue
			}
			possible, sure, w := l.can(logic.All(l.trees[&a.head], l.trees[&z.head]))
			switch {
			case len(common) == len(a.assign) && l.implies(l.trees[&a.head], l.trees[&z.head]):
				l.claim(&a.head, "W605", fmt.Sprintf("it never has an effect: %q overwrites %s whenever it applies", z.name, strings.Join(common, ", ")), "the last rule that applies wins; change the order", w, idle(&a.head))
			case possible && sure && !l.implies(l.trees[&z.head], l.trees[&a.head]):
				l.show(&a.head, "W606", fmt.Sprintf("%q may overwrite %s", z.name, strings.Join(common, ", ")), "the last rule that applies wins; if that is meant, leave it", w, overwritten(&a.head, &z.head))
			}
		}
	}
}
