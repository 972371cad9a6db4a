package rules

import (
	"slices"

	"github.com/waybill-dev/waybill/rules/internal/logic"
)

// claim is a finding, and how an order that shows it is told.
type claim struct {
	h                    *head
	code, sentence, hint string

	about  []*head             // rules that it speaks of beside h
	bases  []*logic.Tree       // what orders that show it have in common, the best first
	values []map[string]string // given besides: an order for each, of each base
	stands func(*trial) bool   // an order that was decided agrees with it; nil where none can refute it. The proof knows less of an order than the order does
	shows  func(*trial) bool   // an order that was decided shows it
	only   bool                // said only where an order shows it
}

// note is a finding that was made while the files were read. Where it speaks of the form of a rule at a place, rule and at name it.
type note struct {
	Finding
	rule, at string
}

func (l *linter) note(n note) {
	for _, h := range l.b.heads() {
		if n.rule != "" && h.name == n.rule && h.at == n.at {
			n.Finding.Witness, n.NoWitness, _ = l.search(claim{h: h, bases: []*logic.Tree{l.scoped(h), l.trees[h]}, shows: applies(h)})
			n.phase = h.phase
			l.found = append(l.found, n.Finding)
			return
		}
	}
	n.NoWitness = inTheFiles
	l.found = append(l.found, n.Finding)
}

// claim reports a finding with the order that shows it, unless an order speaks against it.
func (l *linter) claim(c claim) {
	if l.follows != nil {
		l.report(c.h, c.code, c.sentence, c.hint, "")
		return
	}
	witness, why, refuted := l.search(c)
	if refuted || c.only && witness == nil {
		return
	}
	l.report(c.h, c.code, c.sentence, c.hint, why)
	l.found[len(l.found)-1].Witness = witness
}

// decided is what is told by the decision alone.
func decided(say func(*Decision) bool) func(*trial) bool {
	return func(t *trial) bool { return say(t.d) }
}

func rests(h *head) func(*trial) bool {
	return func(t *trial) bool { yes, _ := t.came(h); return !yes }
}

func always(h *head) func(*trial) bool {
	return func(t *trial) bool { _, no := t.came(h); return !no }
}

func applies(h *head) func(*trial) bool {
	return func(t *trial) bool { yes, _ := t.came(h); return yes }
}

// bothOut tells whether x takes an option out, and y would as well.
func bothOut(x, y *excludeRule) func(*trial) bool {
	return func(t *trial) bool {
		out := slices.ContainsFunc(t.d.Excluded, func(a Exclusion) bool { return a.Rule == x.name })
		return out && alsoOut(x, y)(t.d) && applies(&y.head)(t)
	}
}

func adjusts(rule string) func(*Decision) bool {
	return func(d *Decision) bool {
		return slices.ContainsFunc(d.Adjusted, func(a Adjustment) bool { return a.Rule == rule })
	}
}

func chooses(rule string) func(*Decision) bool {
	return func(d *Decision) bool { return d.Choose != nil && d.Choose.Rule == rule }
}

func fallsBack(rule string) func(*Decision) bool {
	return func(d *Decision) bool {
		return slices.ContainsFunc(d.Fallback, func(f Fallback) bool { return f.Rule == rule })
	}
}

// breaks tells whether each of some guards objects to something.
func breaks(names ...string) func(*Decision) bool {
	return func(d *Decision) bool {
		return !slices.ContainsFunc(names, func(name string) bool {
			return !slices.ContainsFunc(d.Guards, func(b Breach) bool { return b.Guard == name })
		})
	}
}

func fails(rule string) func(*trial) bool {
	return func(t *trial) bool {
		return slices.ContainsFunc(t.d.Faults, func(f Fault) bool { return f.Rule == rule })
	}
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
