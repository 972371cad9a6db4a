package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/logic"
)

// firstHit finds rules of choose that earlier ones always take the place of, and rules of hold that come second to others.
func (l *linter) firstHit() {
	var holds, chooses []*head
	for i := range l.b.holds {
		x := &l.b.holds[i]
		if before := l.before(&x.head, holds); before != nil {
			l.claim(claim{h: &x.head, code: "W631", sentence: fmt.Sprintf("it holds only what was held before: %s, and who releases such an order finds it held again", comesFirst(before)),
				hint: "if two are to look at it, leave it; else put it before, or narrow the other", about: before, bases: []*logic.Tree{l.trees[&x.head]},
				stands: decided(taken(&x.head)), shows: second(&x.head, before)})
		}
		if x.until == nil { // one that waits for a moment lets the order on when it has come
			holds = append(holds, &x.head)
		}
	}
	for i := range l.b.chooses {
		h := &l.b.chooses[i].head
		if before := l.before(h, chooses); before != nil {
			l.claim(claim{h: h, code: "W603", sentence: "it is never reached: " + comesFirst(before), hint: "put it before, or narrow the other", about: before,
				bases: []*logic.Tree{l.trees[h]}, stands: decided(taken(h)),
				shows: func(t *trial) bool {
					return t.d.Choose != nil && taken(h)(t.d) && applies(h)(t) && someApply(before)(t)
				}})
		}
		chooses = append(chooses, h)
	}
}

// before finds the rules, of those that come earlier, of which one does what it says whenever h does; one alone where there is such a one, nil
// where there are none.
func (l *linter) before(h *head, earlier []*head) []*head {
	if l.dead[h] {
		return nil
	}
	var live []*head
	for _, e := range earlier {
		if l.solver.Spent() {
			return nil
		}
		if l.dead[e] {
			continue
		}
		if l.implies(l.trees[h], l.trees[e]) {
			return []*head{e}
		}
		live = append(live, e)
	}
	covered := func(by []*head) bool {
		trees := make([]*logic.Tree, len(by))
		for i, e := range by {
			trees[i] = l.trees[e]
		}
		return len(by) > 0 && l.implies(l.trees[h], logic.Any(trees...))
	}
	if !covered(live) {
		return nil
	}
	for i := len(live) - 1; i >= 0 && len(live) > 2; i-- { // the fewest that will do
		if without := slices.Delete(slices.Clone(live), i, i+1); covered(without) {
			live = without
		}
	}
	return live
}

// comesFirst says of the rules that before has found what they do.
func comesFirst(before []*head) string {
	if len(before) == 1 {
		return quoted(before) + " comes first and applies whenever it does"
	}
	return quoted(before) + " come first, and one of them applies whenever it does"
}

// quoted lists rules by their names.
func quoted(rules []*head) string {
	names := make([]string, len(rules))
	for i, h := range rules {
		names[i] = strconv.Quote(h.name)
	}
	return strings.Join(names, " and ")
}

func someApply(rules []*head) func(*trial) bool {
	return func(t *trial) bool { return slices.ContainsFunc(rules, func(e *head) bool { return applies(e)(t) }) }
}

// second tells whether others hold an order before h does, which holds it when they have been released.
func second(h *head, before []*head) func(*trial) bool {
	return func(t *trial) bool {
		held := t.d.Plan.Hold
		if held == nil || !slices.ContainsFunc(before, func(e *head) bool { return e.name == held.Rule }) {
			return false
		}
		in := t.c.input
		for range t.b.holds {
			if held == nil || held.Rule == h.name {
				break
			}
			in.Released = append(slices.Clone(in.Released), held.Rule)
			plan := t.b.Prepare(in, t.d.Plan.Candidates)
			held = plan.Hold
		}
		return held != nil && held.Rule == h.name
	}
}
