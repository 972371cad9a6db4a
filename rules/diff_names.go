package rules

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/logic"
)

// diffNames compares what rules name: lets and lists.
func diffNames(a, b *Bundle) []Change {
	var changes []Change
	lets := func(b *Bundle) map[string]string {
		out := map[string]string{}
		for _, list := range [][]let{b.orderLets, b.optionLets} {
			for _, x := range list {
				out[x.name] = strings.TrimSpace(x.formula.Source)
			}
		}
		return out
	}
	lists := func(b *Bundle) map[string]string {
		out := map[string]string{}
		for name, l := range b.lists {
			out[name] = strings.Join(slices.Sorted(maps.Keys(l.Set)), ", ") + " "
		}
		return out
	}
	for what, of := range map[string]func(*Bundle) map[string]string{"let": lets, "list": lists} {
		old, now := of(a), of(b)
		names := map[string]bool{}
		for name := range old {
			names[name] = true
		}
		for name := range now {
			names[name] = true
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			changes = appendChange(changes, Change{What: what, Name: name, Old: old[name], New: now[name]})
		}
	}
	slices.SortStableFunc(changes, func(x, y Change) int { return strings.Compare(x.What, y.What) })
	return changes
}

// maxNames is how many lets and lists are looked into that say something else.
const maxNames = 30

// named looks for an order that is decided otherwise for nothing but what a let or a list says now: one of the bundles decides it, and the same with
// what the other says there.
func (d *diffing) named(c *Change) {
	if c.Kind != "changed" {
		return // the rules that name it have changed as well, or nothing comes of it
	}
	if d.names++; d.names > maxNames {
		c.NotFound = fmt.Sprintf("no more than %d names are looked into", maxNames)
		return
	}
	why := "no rule names it"
	for _, from := range []*linter{d.old, d.now} {
		other := d.now.b
		if from == d.now {
			other = d.old.b
		}
		mixed := from.b.saying(c.What, c.Name, other)
		users := from.users(c.What, c.Name)
		switch {
		case len(users) == 0:
			continue
		case mixed == nil:
			why = "it was of another kind or looked at other things, so that what one says cannot stand in the rules of the other"
			continue
		}
		pair := &diffing{old: from, now: d.lint(mixed)}
		if from == d.now { // the new one decides second
			pair.old, pair.now = pair.now, pair.old
		}
		pair.now.work, pair.now.stop = min(d.now.work, maxTries*(pair.old.cost+pair.now.cost)), d.now.stop
		before := pair.now.work
		pair.tell(c.What, c.Name)
		var reason string
		c.Otherwise, reason = pair.because(users)
		d.now.work -= before - pair.now.work
		if c.Otherwise != nil {
			return
		}
		why = reason
	}
	c.NotFound = why
}

// saying is the bundle with what another says under the name of a let or a list, nil where that cannot stand there.
func (b *Bundle) saying(what, name string, other *Bundle) *Bundle {
	mixed := *b
	if what == "list" {
		mixed.lists = maps.Clone(b.lists)
		mixed.lists[name] = other.lists[name]
		return &mixed
	}
	for _, lists := range []struct {
		mine   *[]let
		theirs []let
	}{{&mixed.orderLets, other.orderLets}, {&mixed.optionLets, other.optionLets}} {
		mine := slices.IndexFunc(*lists.mine, func(x let) bool { return x.name == name })
		theirs := slices.IndexFunc(lists.theirs, func(x let) bool { return x.name == name })
		if mine < 0 || theirs < 0 || (*lists.mine)[mine].formula.Kind != lists.theirs[theirs].formula.Kind ||
			(*lists.mine)[mine].stage != lists.theirs[theirs].stage { // then the rules that name it are judged at another moment
			continue
		}
		mixed.quotas = b.Needs().With(other.Needs()).Quotas
		*lists.mine = slices.Clone(*lists.mine)
		(*lists.mine)[mine] = lists.theirs[theirs]
		return &mixed
	}
	return nil
}

// users are the rules that name a let or a list, or a let that does; the ranking and the lets themselves stand among them as rules without a phase.
func (l *linter) users(what, name string) []*head {
	if what == "list" {
		name = "lists." + name
	}
	names := []string{name}
	var out []*head
	for _, x := range slices.Concat(l.b.orderLets, l.b.optionLets) { // each behind those that it names
		if x.name == name || slices.ContainsFunc(names, func(n string) bool { return x.formula.Uses[n] }) {
			names, out = append(names, x.name), append(out, &head{name: x.name, when: x.formula})
		}
	}
	asks := regexp.MustCompile(`\b(?:` + strings.ReplaceAll(strings.Join(names, "|"), ".", `\.`) + `)\b`)
	used := false
	values := l.b.valuesOf()
	for _, h := range l.b.heads() {
		if !asks.MatchString(nodeText(h.node)) {
			continue
		}
		out, used = append(out, h), true
		for _, f := range values[h] {
			out = append(out, &head{name: h.name, when: f})
		}
	}
	for _, f := range slices.Concat(l.b.rank.terms, l.b.rank.ties) {
		if asks.MatchString(f.Source) {
			out, used = append(out, &head{name: "rank", when: f}), true
		}
	}
	if !used && !asks.MatchString(nodeText(l.b.noneNode)) {
		return nil
	}
	return out
}

// tell makes the entries that only one of the bundles has the first that are tried.
func (d *diffing) tell(what, name string) {
	if what != "list" {
		return
	}
	a, b := d.old.lists[name], d.now.lists[name]
	var odd []string
	for _, sides := range [][2]logic.Entries{{a, b}, {b, a}} {
		for _, text := range sides[0].Texts {
			if !sides[1].Known[text] {
				odd = append(odd, text)
			}
		}
	}
	d.now.lists[name] = logic.Entries{Texts: append(odd, b.Texts...), Known: b.Known}
}

// because looks for an order that the two bundles decide otherwise in anything; users are the rules that can be behind it.
func (d *diffing) because(users []*head) (map[string]string, string) {
	heads := d.old.b.heads()
	apart := func(old, now *Decision) bool {
		return changed(old, now) || (old.None == nil) != (now.None == nil) || old.None != nil && *old.None != *now.None || choiceOf(old) != choiceOf(now) ||
			slices.ContainsFunc(heads, func(h *head) bool { return old.effect(h) != now.effect(h) })
	}
	why := ""
	for _, phase := range []string{"hold", ""} {
		var asked []*head
		bases := []map[string]string{}
		for _, h := range users {
			if h.phase != "" && (h.phase == "hold") != (phase == "hold") {
				continue
			}
			if asked = append(asked, h); h.phase != "" && len(bases) < 20 {
				bases = append(bases, d.aside(h)...)
			}
		}
		if phase == "hold" && len(bases) == 0 {
			continue
		}
		var w map[string]string
		if w, why = d.otherwise(phase, append(bases, map[string]string{}), merged(d.old.variables(asked), d.now.variables(asked)), apart); w != nil {
			return w, ""
		}
	}
	return nil, why
}

// aside are orders to which a rule applies in one bundle and not in the other, or to which it applies.
func (d *diffing) aside(h *head) []map[string]string {
	was, is := d.old.trees[h], d.now.trees[h]
	var out []map[string]string
	for _, t := range []*logic.Tree{logic.All(was, logic.Negate(is)), logic.All(is, logic.Negate(was)), was} {
		if v, w := d.now.solver.Solve(t); v == logic.Possible || v == logic.Perhaps {
			out = append(out, readable(w.Values))
		}
	}
	return out
}

// choiceOf is the rule of choose that spoke, with its arm.
func choiceOf(d *Decision) string {
	if d.Choose == nil {
		return ""
	}
	return fmt.Sprint(d.Choose.Rule, " ", d.Choose.Arm)
}
