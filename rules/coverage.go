package rules

import (
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/trace"
)

// Coverage counts, over decisions, which rules and which clauses of their conditions were seen to hold and to fail. It serves one
// goroutine.
type Coverage struct {
	bundle *Bundle
	rules  map[*head]*ruleCount

	formulas map[*formula.Formula]*ruleCount // lets, and values of rules
	once     map[string]bool                 // lets whose parts say all that is to be said of them: see lone

	lists  map[string]map[string]int
	orders int
}

type ruleCount struct {
	hit, miss int
	clauses   map[string]*clauseCount
}

type clauseCount struct{ yes, no, skipped int }

// NewCoverage begins to count for a bundle.
func NewCoverage(b *Bundle) *Coverage {
	c := &Coverage{bundle: b, rules: map[*head]*ruleCount{}, formulas: map[*formula.Formula]*ruleCount{}, lists: map[string]map[string]int{}}
	c.once = c.lone()
	return c
}

// Add counts one decision of the bundle.
func (c *Coverage) Add(d *Decision) error {
	e := &explaining{saw: c.saw, spoke: c.spoke, ran: c.entries, valued: c.values, out: &trace.Writer{}}
	e.explain(c.bundle, d)
	c.orders++
	return e.err
}

func (c *Coverage) saw(h *head, t *trace.Tree) { c.clauses(c.rule(h), t) }

func (c *Coverage) spoke(h *head, held bool) {
	if r := c.rule(h); held {
		r.hit++
	} else {
		r.miss++
	}
}

func (c *Coverage) rule(h *head) *ruleCount {
	r := c.rules[h]
	if r == nil {
		r = &ruleCount{clauses: map[string]*clauseCount{}}
		c.rules[h] = r
	}
	return r
}

// clauses counts the parts of a condition that and, or, not and a choice between two join. What decides a choice within a part is counted too:
// by it, each way is known to have been taken.
func (c *Coverage) clauses(r *ruleCount, t *trace.Tree) {
	if len(t.Parts) > 0 && slices.Contains(joining, t.Op) {
		for _, p := range t.Parts {
			c.clauses(r, p)
		}
		return
	}
	text := strings.Join(strings.Fields(t.Text), " ")
	if c.once[text] {
		return
	}
	n := r.clauses[text]
	if n == nil {
		n = &clauseCount{}
		r.clauses[text] = n
	}
	if len(t.Values) == 0 {
		n.skipped++
	}
	for _, v := range t.Values {
		if v == true {
			n.yes++
		} else {
			n.no++
		}
	}
	c.choices(r, t)
}

var joining = []string{"and", "or", "not", trace.Choice}

// choices counts what decides the choices within a part.
func (c *Coverage) choices(r *ruleCount, t *trace.Tree) {
	for _, p := range t.Parts {
		if p.Op == trace.Choice {
			c.clauses(r, p.Parts[0])
		}
		c.choices(r, p)
	}
}

// entries notes which entries of lists were found by any part of an expression, for any item that it looked at.
func (c *Coverage) entries(t *trace.Tree) {
	for _, p := range t.Parts {
		c.entries(p)
	}
	if t.Op != "in" || len(t.Parts) != 2 {
		return
	}
	name, ok := strings.CutPrefix(t.Parts[1].Text, "lists.")
	for _, v := range t.Parts[0].Values {
		value, text := v.(string)
		if !ok || !text || !c.bundle.lists[name].Set[value] {
			continue
		}
		if c.lists[name] == nil {
			c.lists[name] = map[string]int{}
		}
		c.lists[name][value]++
	}
}

// CoverageReport is what was covered. An outcome is a clause that held, or one that did not; a rule without a condition has one outcome.
type CoverageReport struct {
	Orders  int            `json:"orders"`
	Seen    int            `json:"seen"`     // outcomes
	Of      int            `json:"of"`       // outcomes
	Percent float64        `json:"percent"`  // Seen of Of; 100 where there is nothing to see
	Rules   []RuleCoverage `json:"rules"`    // lets, then rules in the order of the phases, then the score
	Lists   []ListCoverage `json:"lists"`    // sorted
	NotSeen []string       `json:"not_seen"` // what is missing, one sentence each
}

// RuleCoverage is one rule, or one form that it has at a location; or a let ("let <name>") or the score ("rank") in which something is joined or
// chosen: then Hit counts how often it was looked at and not false.
type RuleCoverage struct {
	Name    string           `json:"name"`
	At      string           `json:"at,omitempty"` // location or tag of a patched form
	File    string           `json:"file"`
	Line    int              `json:"line"`
	When    int              `json:"when,omitempty"` // line of the condition; 0 where the rule has none
	Hit     int              `json:"hit"`
	Miss    int              `json:"miss"`
	Clauses []ClauseCoverage `json:"clauses,omitempty"`
}

// ClauseCoverage is one part of a condition, or what decides a choice between two values.
type ClauseCoverage struct {
	Text         string `json:"text"`
	True         int    `json:"true"`
	False        int    `json:"false"`
	NotEvaluated int    `json:"not_evaluated"`
}

// ListCoverage is how many entries of a list were found by some order.
type ListCoverage struct {
	Name    string `json:"name"`
	Used    int    `json:"used"`
	Entries int    `json:"entries"`
}

// Report sums up what was counted.
func (c *Coverage) Report() CoverageReport {
	r := CoverageReport{Orders: c.orders, Rules: []RuleCoverage{}, Lists: []ListCoverage{}, NotSeen: []string{}}
	values := c.bundle.valuesOf()
	for _, lets := range [][]let{c.bundle.orderLets, c.bundle.optionLets} {
		for i := range lets {
			r.addShared("let "+lets[i].name, lets[i].file, lets[i].line, c.seen(lets[i].formula))
		}
	}
	for _, h := range c.bundle.heads() {
		r.add(h, len(h.conditions()) == 0, c.rules[h], c.seen(values[h]...))
	}
	if rank := &c.bundle.rank; rank.file != "" {
		r.addShared("rank", rank.file, rank.line, c.seen(append([]*formula.Formula{rank.whole}, rank.ties...)...))
	}
	for _, name := range slices.Sorted(maps.Keys(c.bundle.lists)) {
		r.Lists = append(r.Lists, ListCoverage{name, len(c.lists[name]), len(c.bundle.lists[name].Set)})
	}
	r.Percent = 100
	if r.Of > 0 {
		r.Percent = 100 * float64(r.Seen) / float64(r.Of)
	}
	return r
}

func (r *CoverageReport) add(h *head, always bool, n, values *ruleCount) {
	if n == nil {
		n = &ruleCount{}
	}
	rule := RuleCoverage{Name: h.name, At: h.at, File: h.file, Line: h.line, When: h.whenLine, Hit: n.hit, Miss: n.miss}
	who := `"` + h.name + `"`
	if h.at != "" {
		who += " at " + h.at
	}
	switch {
	case always:
		r.outcome(n.hit, who+" never applied")
	case n.hit+n.miss == 0:
		r.Of += 2
		r.NotSeen = append(r.NotSeen, who+" was never asked")
	}
	r.addClauses(&rule, who, n)
	r.addClauses(&rule, who, values)
	r.Rules = append(r.Rules, rule)
}

func (r *CoverageReport) outcome(n int, missing string) {
	r.Of++
	if n > 0 {
		r.Seen++
	} else {
		r.NotSeen = append(r.NotSeen, missing)
	}
}
