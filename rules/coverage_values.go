package rules

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/trace"
)

// word is a name in the text of a part; what follows a dot is a member of something.
var word = regexp.MustCompile(`(?:^|[^.\w])([a-z]\w*)`)

// counted tells of a value that was asked for, and gives the lets that it or a condition has looked at.
func (e *explaining) counted(f *formula.Formula, t *trace.Tree) []string {
	if e.valued == nil || e.speaks == nil && !e.held {
		return nil
	}
	if e.speaks == nil {
		e.valued(f, t)
	}
	return e.letsOf(t, nil)
}

// letsOf adds the lets that were looked at while a tree was computed.
func (e *explaining) letsOf(t *trace.Tree, to []string) []string {
	for _, p := range t.Parts {
		to = e.letsOf(p, to)
	}
	if len(t.Parts) > 0 || len(t.Values) == 0 {
		return to
	}
	for _, m := range word.FindAllStringSubmatch(t.Text, -1) {
		if e.bundle.let(m[1]) != nil && !slices.Contains(to, m[1]) {
			to = append(to, m[1])
		}
	}
	return to
}

// open tells what lets came to, and those that they have looked at.
func (e *explaining) open(names []string) {
	for i := 0; i < len(names); i++ { // it grows
		f := e.bundle.let(names[i]).formula
		if t := e.silent(f); t != nil {
			e.valued(f, t)
			names = e.letsOf(t, names)
		}
	}
}

// values tells of values that are not shown.
func (e *explaining) values(list ...*formula.Formula) {
	if e.valued == nil || !e.held {
		return
	}
	for _, f := range list {
		if t := e.silent(f); t != nil {
			e.open(e.counted(f, t))
		}
	}
}

func (e *explaining) silent(f *formula.Formula) *trace.Tree {
	twin, err := e.bundle.twin(f)
	if err != nil {
		e.err = fmt.Errorf("explain %q: %w", f.Source, err)
		return nil
	}
	return e.traced(f, twin)
}

// let is the named expression of a name, nil where there is none.
func (b *Bundle) let(name string) *let {
	for _, lets := range [][]let{b.orderLets, b.optionLets} {
		for i := range lets {
			if lets[i].name == name {
				return &lets[i]
			}
		}
	}
	return nil
}

// formulasOf are the expressions among amounts.
func formulasOf(amounts ...*amount) []*formula.Formula {
	var out []*formula.Formula
	for _, a := range amounts {
		if a != nil && a.formula != nil {
			out = append(out, a.formula)
		}
	}
	return out
}

func (r *setRule) formulas() []*formula.Formula {
	var out []*formula.Formula
	for _, a := range r.assign {
		out = append(out, formulasOf(a.amount)...)
		if a.moment != nil {
			out = append(out, a.moment)
		}
		if a.text == nil {
			continue
		}
		for _, p := range a.text.parts {
			if p.formula != nil {
				out = append(out, p.formula)
			}
		}
	}
	return out
}

func (r *chooseRule) formulas() []*formula.Formula {
	if r.by == nil {
		return nil
	}
	return []*formula.Formula{r.by}
}

func (r *fallbackRule) formulas() []*formula.Formula { return formulasOf(r.extra) }

func (r *holdRule) formulas() []*formula.Formula {
	if r.until == nil {
		return nil
	}
	return []*formula.Formula{r.until}
}

func (r *adjustRule) formulas() []*formula.Formula { return formulasOf(r.add, r.charge) }

// valuesOf are the expressions of a rule beside its conditions.
func (b *Bundle) valuesOf() map[*head][]*formula.Formula {
	out := map[*head][]*formula.Formula{}
	for r := range b.rules() {
		out[r.common()] = r.formulas()
	}
	return out
}

// values counts the clauses of a let or a value.
func (c *Coverage) values(f *formula.Formula, t *trace.Tree) {
	r := c.formulas[f]
	if r == nil {
		r = &ruleCount{clauses: map[string]*clauseCount{}}
		c.formulas[f] = r
	}
	if t.Err == nil && len(t.Values) == 1 && t.Values[0] == false {
		r.miss++
	} else {
		r.hit++
	}
	c.parts(r, f, t)
}

// parts counts what is joined in a condition, and in every other value only what decides its choices.
func (c *Coverage) parts(r *ruleCount, f *formula.Formula, t *trace.Tree) {
	switch {
	case len(t.Parts) > 0 && slices.Contains(joining, t.Op) && f.Type.Kind() == reflect.Bool:
		c.clauses(r, t)
		return
	case t.Op == trace.Choice:
		c.clauses(r, t.Parts[0])
	}
	c.choices(r, t)
}

// seen is what was counted of expressions, with the clauses that none of them came to.
func (c *Coverage) seen(list ...*formula.Formula) *ruleCount {
	sum := &ruleCount{clauses: map[string]*clauseCount{}}
	for _, f := range list {
		shape := &ruleCount{clauses: map[string]*clauseCount{}}
		if twin, err := c.bundle.twin(f); err == nil { // one that cannot be made has failed Add
			c.parts(shape, f, twin.Shape())
		}
		counts := []*ruleCount{shape}
		if r := c.formulas[f]; r != nil {
			counts = append(counts, r)
		}
		for i, r := range counts {
			sum.hit, sum.miss = sum.hit+r.hit, sum.miss+r.miss
			for text, n := range r.clauses {
				to := sum.clauses[text]
				if to == nil {
					to = &clauseCount{}
					sum.clauses[text] = to
				}
				if i > 0 { // what the shape has was not looked at
					to.yes, to.no, to.skipped = to.yes+n.yes, to.no+n.no, to.skipped+n.skipped
				}
			}
		}
	}
	return sum
}

// lone finds the lets that one expression alone names and whose parts are counted. To count the name there as well would be to count the same
// twice; where several name a let, each of them is to see it hold and fail.
func (c *Coverage) lone() map[string]bool {
	b, places := c.bundle, map[string]int{}
	for _, f := range b.expressions() {
		for name := range f.Uses {
			places[name]++
		}
	}
	once := map[string]bool{}
	lets := slices.Concat(b.orderLets, b.optionLets)
	for range lets { // one may be the name of another, in any order
		for _, l := range lets {
			if places[l.name] == 1 && (once[strings.TrimSpace(l.formula.Source)] || len(c.seen(l.formula).clauses) > 0) {
				once[l.name] = true
			}
		}
	}
	return once
}

// expressions are all whose clauses are counted.
func (b *Bundle) expressions() []*formula.Formula {
	var out []*formula.Formula
	for _, l := range slices.Concat(b.orderLets, b.optionLets) {
		out = append(out, l.formula)
	}
	values := b.valuesOf()
	for _, h := range b.heads() {
		out = append(out, h.conditions()...)
		out = append(out, values[h]...)
	}
	if b.rank.whole != nil {
		out = append(out, b.rank.whole)
	}
	return append(out, b.rank.ties...)
}

// addClauses adds the clauses that were counted for a rule, or for what stands beside its condition.
func (r *CoverageReport) addClauses(rule *RuleCoverage, who string, n *ruleCount) {
	for _, text := range slices.Sorted(maps.Keys(n.clauses)) {
		cl := n.clauses[text]
		rule.Clauses = append(rule.Clauses, ClauseCoverage{text, cl.yes, cl.no, cl.skipped})
		r.outcome(cl.yes, who+": never true: "+text)
		r.outcome(cl.no, who+": never false: "+text)
	}
}

// addShared adds an expression that is no rule's own: a let, or the score with its ties. One in which nothing is joined or chosen has no clauses of its own.
func (r *CoverageReport) addShared(who, file string, line int, n *ruleCount) {
	if len(n.clauses) == 0 {
		return
	}
	rule := RuleCoverage{Name: who, File: file, Line: line, When: line, Hit: n.hit, Miss: n.miss}
	r.addClauses(&rule, who, n)
	r.Rules = append(r.Rules, rule)
}
