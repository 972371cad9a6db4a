package logic

import (
	"math/big"
	"strings"
)

// Sample are values that make a tree hold. Most questions whether it holds only where another tree does are answered by them alone.
type Sample struct {
	domains map[string]Domain
	truths  map[string]bool // also of what is not understood
	numbers map[string]*big.Rat
	texts   map[string]string
}

// Sample finds values that make a tree hold, nil where there are none or the search was given up.
func (s *Solver) Sample(t *Tree) *Sample {
	if s.Spent() {
		return nil
	}
	q := &search{domains: s.Domains, left: min(MaxSteps, s.Steps)}
	begun := q.left
	st := q.find([]*literal{{t, true}}, state{}, true)
	s.Steps -= begun - q.left
	if st == nil {
		return nil
	}
	out := &Sample{s.Domains, map[string]bool{}, map[string]*big.Rat{}, map[string]string{}}
	for key, l := range st {
		switch {
		case l.truth != nil:
			out.truths[key] = *l.truth
		case strings.Contains(key, " ") && !strings.HasPrefix(key, `"`):
			path, _, _ := strings.Cut(key, " ")
			out.numbers[key] = l.number(s.Domains[path].Whole)
		default:
			out.texts[key] = l.text()
		}
	}
	return out
}

// Refutes reports whether there are values with the sample's among them for which a tree does not hold; that it does not find any proves
// nothing. What the sample leaves open is taken to be false all over, and then true.
func (s *Sample) Refutes(t *Tree) bool {
	for _, open := range []bool{false, true} {
		e := evaluation{s, open, map[*Tree]verdict{}}
		if v := e.of(t); v.known && !v.truth {
			return true
		}
	}
	return false
}

type evaluation struct {
	*Sample
	open bool // what truths come to that the sample leaves open
	done map[*Tree]verdict
}

// verdict is what a part comes to: false or true where that is known.
type verdict struct{ truth, known bool }

func (s *evaluation) of(t *Tree) verdict {
	if t == nil {
		return verdict{true, true}
	}
	switch t.Op {
	case Not:
		v := s.of(t.Kids[0])
		return verdict{!v.truth, v.known}
	case And, Or:
		if v, ok := s.done[t]; ok {
			return v
		}
		v := verdict{t.Op == And, true}
		for _, k := range t.Kids {
			x := s.of(k)
			if x.known && x.truth != (t.Op == And) {
				v = verdict{x.truth, true}
				break
			}
			v.known = v.known && x.known
		}
		s.done[t] = v
		return v
	}
	return s.atom(t)
}

func (s *evaluation) atom(t *Tree) verdict {
	switch t.Op {
	case Fixed:
		return verdict{t.Truth, true}
	case Free, Is:
		key := t.Path
		if t.Op == Free {
			key = "?" + t.Ref
		}
		truth, known := s.truths[key]
		if !known {
			truth = s.open && s.domains[key].Excludes == "" // of two that exclude each other, no sample has to hold both
		}
		return verdict{truth, true}
	case In:
		text, known := s.texts[t.Path]
		if d := s.domains[t.Path]; !known && (d.Texts != nil || d.DayOf != "") {
			return verdict{}
		}
		return verdict{known && t.has(text), true} // one that is open is a text that nobody names
	case Compare:
		n := s.numbers[t.Path+" "+t.Unit]
		if n == nil {
			return verdict{}
		}
		c := n.Cmp(t.Number)
		return verdict{compared(c, t.Cmp), true}
	}
	return verdict{}
}

func compared(c int, op string) bool {
	switch op {
	case "==":
		return c == 0
	case "!=":
		return c != 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}
