package rules

import (
	"slices"

	"github.com/waybill-dev/waybill/rules/trace"
)

// claim reports a finding, unless the decision of its witness says otherwise: the proof knows less of an order than the order does. stands
// tells of a decision whether it agrees; no rule of hold stands in its way.
func (l *linter) claim(h *head, code, sentence, hint string, witness map[string]string, stands func(*Decision) bool) {
	l.report(h, code, sentence, hint, witness)
	last := len(l.found) - 1
	if len(witness) == 0 {
		return
	}
	if d, err := l.replay(l.found[last]); err == nil && !stands(d) {
		l.found = l.found[:last]
	}
}

// show is claim for what only the witness proves: without a decision that shows it, nothing is said.
func (l *linter) show(h *head, code, sentence, hint string, witness map[string]string, stands func(*Decision) bool) bool {
	l.report(h, code, sentence, hint, witness)
	last := len(l.found) - 1
	d, err := l.replay(l.found[last])
	if err == nil && stands(d) {
		return true
	}
	l.found = l.found[:last]
	return false
}

// replay decides the order that shows a finding as if every rule of hold had let it go, for none is what a finding of a later phase speaks of.
func (l *linter) replay(f Finding) (*Decision, error) {
	c, err := l.b.witnessCase(f)
	if err != nil {
		return nil, err
	}
	if f.Code != "W603" { // which speaks of hold, too
		for i := range l.b.holds {
			c.input.Released = append(c.input.Released, l.b.holds[i].name)
		}
	}
	d := c.decide(l.b)
	return &d, nil
}

// came tells what the condition of a rule came to in a decision, over its options.
func (l *linter) came(d *Decision, h *head) (yes, no bool) {
	e := &explaining{out: &trace.Writer{}, saw: func(of *head, t *trace.Tree) {
		if of == h && t != nil && len(t.Values) == 1 {
			yes, no = yes || t.Values[0] == true, no || t.Values[0] == false
		}
	}}
	e.explain(l.b, d)
	return yes, no
}

func (l *linter) never(h *head) func(*Decision) bool {
	return func(d *Decision) bool { yes, _ := l.came(d, h); return !yes }
}

func (l *linter) always(h *head) func(*Decision) bool {
	return func(d *Decision) bool { _, no := l.came(d, h); return !no }
}

// taken tells whether a rule of hold or choose did not get its turn.
func taken(h *head) func(*Decision) bool {
	return func(d *Decision) bool {
		return (d.Choose == nil || d.Choose.Rule != h.name) && (d.Plan.Hold == nil || d.Plan.Hold.Rule != h.name)
	}
}

// alsoOut tells whether whatever x excludes is excluded by y as well; one that runs later has no more to say of it.
func alsoOut(x, y *excludeRule) func(*Decision) bool {
	return func(d *Decision) bool {
		return y.stage > x.stage || !slices.ContainsFunc(d.Excluded, func(a Exclusion) bool {
			return a.Rule == x.name && !slices.ContainsFunc(d.Excluded, func(b Exclusion) bool {
				return b.Rule == y.name && b.Account == a.Account && (b.Service == "" || b.Service == a.Service)
			})
		})
	}
}

// overwritten tells whether something that one rule of set says was set again, where another spoke of it.
func overwritten(a, z *head) func(*Decision) bool {
	return func(d *Decision) bool {
		return slices.ContainsFunc(d.Plan.Set.By, func(x Assignment) bool {
			return x.Rule == a.name && x.OverwrittenBy != "" && slices.ContainsFunc(d.Plan.Set.By, func(y Assignment) bool {
				return y.Rule == z.name && y.Attribute == x.Attribute
			})
		})
	}
}

// idle tells whether nothing that a rule of set says held.
func idle(h *head) func(*Decision) bool {
	return func(d *Decision) bool {
		return !slices.ContainsFunc(d.Plan.Set.By, func(x Assignment) bool { return x.Rule == h.name && x.OverwrittenBy == "" })
	}
}

// nobodyLeft tells whether rules of exclude take every provider out before it is asked.
func (l *linter) nobodyLeft(d *Decision) bool {
	return !slices.ContainsFunc(l.b.providers, func(p string) bool { return !takenOut(p)(d) })
}

// takenOut tells whether rules of exclude take a provider out before it is asked.
func takenOut(provider string) func(*Decision) bool {
	return func(d *Decision) bool {
		return slices.ContainsFunc(d.Plan.Excluded, func(x Exclusion) bool {
			return x.Account == provider && x.Service == "" && x.Phase == PhaseExclude
		})
	}
}

// silent tells whether a fallback has none of its events for itself.
func silent(x *fallbackRule) func(*Decision) bool {
	return func(d *Decision) bool {
		return !slices.ContainsFunc(x.fallback.On, func(event string) bool {
			f, ok := d.FallbackFor(event)
			return ok && f.Rule == x.name
		})
	}
}
