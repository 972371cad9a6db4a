package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/logic"
)

// orderedPhases are those in which it matters which of two rules stands first: of hold, choose and fallback the first that applies speaks,
// of set the last.
var orderedPhases = []string{"hold", "set", "choose", "fallback"}

// maxPairs is how many pairs of rules that changed places are looked into, of one phase.
const maxPairs = 50

// orders tells the phases in which rules that both bundles have stand in another order.
func (d *diffing) orders() []Change {
	var changes []Change
	for _, phase := range orderedPhases {
		was, is := d.old.standing(phase), d.now.standing(phase)
		was, is = common(was, is), common(is, was)
		from, to := 0, len(is)
		for from < to && was[from].name == is[from].name {
			from++
		}
		for from < to && was[to-1].name == is[to-1].name {
			to--
		}
		if was, is = was[from:to], is[from:to]; len(is) == 0 {
			continue
		}
		c := Change{Kind: "changed", What: "order of " + phase, Old: namesOf(was), New: namesOf(is), Position: is[0].position()}
		if c.Otherwise, c.NotFound = d.swapped(phase, was, is); c.Otherwise != nil || c.NotFound != "" {
			changes = append(changes, c)
		}
	}
	return changes
}

// standing are the rules of a phase in their order; of one that has other forms at places, the first.
func (l *linter) standing(phase string) []*head {
	var out []*head
	for _, h := range l.b.heads() {
		if h.phase == phase && !slices.ContainsFunc(out, func(x *head) bool { return x.name == h.name }) {
			out = append(out, h)
		}
	}
	return out
}

// common are the rules of a list whose names another has too.
func common(list, other []*head) []*head {
	return slices.DeleteFunc(slices.Clone(list), func(h *head) bool {
		return !slices.ContainsFunc(other, func(x *head) bool { return x.name == h.name })
	})
}

func namesOf(list []*head) string {
	var out []string
	for _, h := range list {
		out = append(out, h.name)
	}
	return strings.Join(out, ", ")
}

// swapped looks for an order about which two rules decide that have changed places: what one said, the other says otherwise. Those that
// stand near each other now are looked into first. Where none is found it says why, and nothing where there can be none.
func (d *diffing) swapped(phase string, was, is []*head) (map[string]string, string) {
	before := map[string]int{}
	for i, h := range was {
		before[h.name] = i
	}
	pairs, why := 0, ""
	for gap := 1; gap < len(is); gap++ {
		for i := 0; i+gap < len(is); i++ {
			x, y := is[i], is[i+gap]
			if before[x.name] < before[y.name] || !d.now.b.meet(x, y) {
				continue
			}
			if pairs++; pairs > maxPairs || d.now.stop() {
				return nil, cmp.Or(why, "not all of the rules that changed places were looked into")
			}
			w, reason := d.decides(phase, [2]*head{was[before[x.name]], was[before[y.name]]}, [2]*head{x, y})
			if w != nil {
				return w, ""
			}
			why = cmp.Or(why, reason)
		}
	}
	return nil, why
}

// meet reports whether two rules can be about the same: of set some attribute, of fallback some event.
func (b *Bundle) meet(x, y *head) bool {
	if len(x.patches)+len(y.patches) > 0 || !slices.Contains([]string{"set", "fallback"}, x.phase) { // other forms may be about something else
		return true
	}
	about := b.about(y)
	return slices.ContainsFunc(b.about(x), func(one string) bool { return slices.Contains(about, one) })
}

// about are the attributes that a rule sets, or the events that it speaks of.
func (b *Bundle) about(h *head) []string {
	switch r := b.ruleOf(h).(type) {
	case *setRule:
		var out []string
		for _, a := range r.assign {
			out = append(out, a.attribute)
		}
		return out
	case *fallbackRule:
		return r.fallback.On
	}
	return nil
}

// decides looks for an order about which one of two rules had its way in the old bundle, and the other has it in the new one.
func (d *diffing) decides(phase string, was, is [2]*head) (map[string]string, string) {
	v, w := d.now.solver.Solve(logic.All(d.now.trees[is[0]], d.now.trees[is[1]]))
	if v == logic.Impossible && len(is[0].patches)+len(is[1].patches) == 0 {
		return nil, ""
	}
	bases := []map[string]string{{}}
	if v != logic.TooLarge && v != logic.Impossible {
		bases = append([]map[string]string{readable(w.Values)}, bases...)
	}
	s := &search{work: &d.now.work, stop: d.now.stop, cost: d.old.cost + d.now.cost, fee: d.now.b.usualFee(), see: func(w map[string]string) string {
		before, err1 := d.old.b.attempt(w, phase)
		after, err2 := d.now.b.attempt(w, phase)
		if err1 != nil || err2 != nil || len(before.d.Faults)+len(after.d.Faults) > 0 {
			return ""
		}
		old, now := outcomes(before.d, phase), outcomes(after.d, phase)
		for of, x := range old {
			y := now[of]
			if x.rule != y.rule && x.effect != y.effect && between(x.rule, is) && between(y.rule, is) {
				return found
			}
		}
		return fmt.Sprint(applies(was[0])(before), applies(was[1])(before), applies(is[0])(after), applies(is[1])(after))
	}}
	if w := s.run(bases, func() []variable { return merged(d.old.variables(was[:]), d.now.variables(is[:])) }, false); w != nil {
		return w, ""
	}
	return nil, s.why(w.Open) + s.looked()
}

func between(rule string, pair [2]*head) bool { return rule == pair[0].name || rule == pair[1].name }

// outcome is which rule had its way, and what came of it.
type outcome struct{ rule, effect string }

// outcomes are those of a phase: of set by attribute, of fallback by event.
func outcomes(d *Decision, phase string) map[string]outcome {
	out := map[string]outcome{}
	switch phase {
	case "hold":
		if d.Plan.Hold != nil {
			out[""] = outcome{d.Plan.Hold.Rule, d.Plan.Hold.Rule}
		}
	case "set":
		for _, a := range d.Plan.Set.By {
			if a.OverwrittenBy == "" {
				out[a.Attribute] = outcome{a.Rule, a.Value}
			}
		}
	case "choose":
		if d.Choose != nil && d.Winner != nil {
			out[""] = outcome{d.Choose.Rule, d.Winner.Account + "/" + d.Winner.Service}
		}
	case "fallback":
		for _, f := range slices.Backward(d.Fallback) { // the first that speaks of an event wins
			for _, event := range f.On {
				out[event] = outcome{f.Rule, f.Rule}
			}
		}
	}
	return out
}

// diffHeaders compares what the files say at their top: for which orders, between whom and about what the rules decide.
func diffHeaders(a, b *Bundle) []Change {
	var changes []Change
	for _, x := range []struct{ what, old, now string }{
		{"name", a.name, b.name}, {"currency", a.currency, b.currency}, {"providers", sortedText(a.providers), sortedText(b.providers)},
		{"attributes", sortedText(a.attributes), sortedText(b.attributes)}, {"env", a.envText(), b.envText()},
	} {
		changes = appendChange(changes, Change{What: x.what, Old: x.old, New: x.now})
	}
	names := maps.Clone(a.zones)
	if names == nil {
		names = map[string]area{}
	}
	maps.Copy(names, b.zones)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		changes = appendChange(changes, Change{What: "zone", Name: name, Old: a.zoneText(name), New: b.zoneText(name)})
	}
	return changes
}

func sortedText(list []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(list))), ", ")
}

func (b *Bundle) envText() string {
	if b.pii {
		return "pii: true"
	}
	return ""
}

// zoneText is a zone as text, "" where there is none of the name.
func (b *Bundle) zoneText(name string) string {
	z, ok := b.zones[name]
	switch {
	case !ok:
		return ""
	case len(z.corners) == 0:
		return fmt.Sprintf("center: %v, %v; radius: %v m", z.center.lat, z.center.lng, z.metres)
	}
	var corners []string
	for _, p := range z.corners {
		corners = append(corners, fmt.Sprintf("%v, %v", p.lat, p.lng))
	}
	return "corners: " + strings.Join(corners, "; ")
}
