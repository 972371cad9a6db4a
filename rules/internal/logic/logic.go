// Package logic asks whether conditions can hold at all, and shows an order for which they do.
//
// A condition is a tree of and, or and not over atoms: a number compared with a constant, a text compared with constants, a truth, or
// something that is not understood. What is not understood may be true or false as it likes, and fields know nothing of each other, but
// for a day and its day of the week: so whatever is called impossible is impossible, and nothing else is claimed.
//
// Trees share their parts: a name that stands twice in a condition is one tree. Whatever walks them keeps to that, for written out a few
// names that double each other are larger than any memory. Measure says how large, without writing anything out.
package logic

import (
	"math/big"
	"slices"
)

// Op is the kind of a node.
type Op int

// The kinds. A Name stands for a tree that the caller knows, and a List for the entries of a list; both are replaced by Resolve.
const (
	And Op = iota
	Or
	Not
	Fixed   // Truth
	Is      // the truth of Path
	Compare // Path Cmp Number, in Unit
	In      // Path is one of Texts
	List    // Path is in the list Ref
	Name    // the condition that Ref names
	Free    // not understood; Ref tells two of them apart
)

// Tree is a condition.
type Tree struct {
	Op     Op
	Kids   []*Tree
	Path   string
	Cmp    string // == != < <= > >=
	Number *big.Rat
	Unit   string // "USD", "weight", …; amounts in two currencies are not compared
	Texts  []string
	Known  map[string]bool // the Texts again, where they are many and shared; nil where looking through them is as good
	Ref    string          // of a Name and a List what they stand for
	Truth  bool            // of a Name: it holds where Resolve knows nothing of it
	Text   string          // as the author wrote it
	Sure   *Tree           // of a leaf: when computing it does not fail; nil where it never does. Exact takes it in, and nothing else looks at it
}

// All is the conjunction of trees; nil ones hold always.
func All(trees ...*Tree) *Tree {
	t := &Tree{Op: And}
	for _, k := range trees {
		if k != nil {
			t.Kids = append(t.Kids, k)
		}
	}
	return t
}

// Any is the disjunction of trees.
func Any(trees ...*Tree) *Tree { return &Tree{Op: Or, Kids: trees} }

// Negate is what holds where t does not. Nil, which holds always, becomes what never does.
func Negate(t *Tree) *Tree {
	if t == nil {
		return &Tree{Op: Fixed}
	}
	return &Tree{Op: Not, Kids: []*Tree{t}}
}

// Entries are what a list holds: sorted, and as a set. All conditions that ask the list share them.
type Entries struct {
	Texts []string
	Known map[string]bool
}

// Resolve replaces names and lists, in Sure too. What it does not know becomes Free, but for a Name that holds where nothing is known of it.
func (t *Tree) Resolve(names map[string]*Tree, lists map[string]Entries) *Tree {
	return t.replace(map[*Tree]*Tree{}, func(t *Tree) *Tree {
		if t.Sure != nil {
			known := *t
			known.Sure = t.Sure.Resolve(names, lists).Always()
			t = &known
		}
		switch t.Op {
		case Name:
			if t.Truth && names[t.Ref] == nil {
				return &Tree{Op: Fixed, Truth: true}
			}
			if known := names[t.Ref]; known != nil {
				return known
			}
			return &Tree{Op: Free, Ref: t.Ref, Text: t.Ref}
		case List:
			if list, ok := lists[t.Ref]; ok {
				return &Tree{Op: In, Path: t.Path, Texts: list.Texts, Known: list.Known, Text: t.Text}
			}
			return &Tree{Op: Free, Ref: t.Text, Text: t.Text}
		}
		return t
	})
}

// Always gives a tree, nil where it plainly holds always: an and of nothing else, an or with a part that does.
func (t *Tree) Always() *Tree {
	switch {
	case t == nil || t.Op == Fixed && t.Truth:
		return nil
	case t.Op == Or && slices.ContainsFunc(t.Kids, func(k *Tree) bool { return k.Always() == nil }):
		return nil
	case t.Op == And && !slices.ContainsFunc(t.Kids, func(k *Tree) bool { return k.Always() != nil }):
		return nil
	}
	return t
}

// has reports whether a text is one of those of an In.
func (t *Tree) has(text string) bool {
	if t.Known != nil {
		return t.Known[text]
	}
	return slices.Contains(t.Texts, text)
}

// Fix replaces the comparisons of a text with what they come to when it has a value.
func (t *Tree) Fix(path, value string) *Tree {
	return t.replace(map[*Tree]*Tree{}, func(t *Tree) *Tree {
		if t.Op == In && t.Path == path {
			return &Tree{Op: Fixed, Truth: t.has(value)}
		}
		return t
	})
}

// Apart gives a tree whose parts that are not understood are none of another tree's: what they name is something else there.
func (t *Tree) Apart(mark string) *Tree {
	return t.replace(map[*Tree]*Tree{}, func(t *Tree) *Tree {
		if t.Op == Free {
			return &Tree{Op: Free, Ref: mark + t.Ref, Text: t.Text}
		}
		return t
	})
}

// replace gives a tree with other leaves. What was one part stays one.
func (t *Tree) replace(done map[*Tree]*Tree, leaf func(*Tree) *Tree) *Tree {
	if t == nil {
		return nil
	}
	if len(t.Kids) == 0 {
		return leaf(t)
	}
	if known := done[t]; known != nil {
		return known
	}
	made := *t
	made.Kids = make([]*Tree, len(t.Kids))
	for i, k := range t.Kids {
		made.Kids[i] = k.replace(done, leaf)
	}
	done[t] = &made
	return &made
}

// Each calls see once for every part of a tree, the parts of a part before it.
func (t *Tree) Each(see func(*Tree)) { t.each(map[*Tree]bool{}, see) }

func (t *Tree) each(seen map[*Tree]bool, see func(*Tree)) {
	if t == nil || seen[t] {
		return
	}
	seen[t] = true
	for _, k := range t.Kids {
		k.each(seen, see)
	}
	see(t)
}

// Paths lists what the atoms of a tree speak of; free ones give their text.
func (t *Tree) Paths() []string {
	var out []string
	t.Each(func(t *Tree) {
		if t.Op == Free {
			out = append(out, t.Text)
		} else if t.Path != "" {
			out = append(out, t.Path)
		}
	})
	return out
}

// Most is what Measure counts up to.
const Most = 1 << 20

// Measure is how many atoms a tree has when it is written out, and how many terms when it is then made an or of ands; Most where it is
// that many or more.
func (t *Tree) Measure() (atoms, terms int) {
	m := measuring{}
	size := m.of(t)
	return size.atoms, size.yes
}

type measuring map[*Tree]sizes

// sizes are of a part: its atoms, and the terms of itself and of its opposite.
type sizes struct{ atoms, yes, no int }

func (m measuring) of(t *Tree) sizes {
	if t == nil {
		return sizes{1, 1, 1}
	}
	if known, ok := m[t]; ok {
		return known
	}
	size := sizes{1, 1, 1}
	switch t.Op {
	case Not:
		k := m.of(t.Kids[0])
		size = sizes{k.atoms, k.no, k.yes}
	case And, Or:
		every, some := 1, 0
		size.atoms = 0
		for _, k := range t.Kids {
			s := m.of(k)
			all, any := s.yes, s.no
			if t.Op == Or {
				all, any = any, all
			}
			size.atoms, every, some = min(size.atoms+s.atoms, Most), min(every*all, Most), min(some+any, Most)
		}
		if size.yes, size.no = every, some; t.Op == Or {
			size.yes, size.no = some, every
		}
	}
	m[t] = size
	return size
}

// Domain is what is known of a field whatever the order.
type Domain struct {
	Least, Most *big.Rat // nil where there is no bound
	Whole       bool     // only whole numbers
	Texts       []string // nil where any text may be
	Excludes    string   // of a truth: another that is never true together with it, and says so too
	DayOf       string   // where its texts are the days of the week of another field, which counts days in the unit "day": that field
}

// Verdict is the answer of Solve.
type Verdict int

// The answers.
const (
	Impossible Verdict = iota
	Possible           // the witness makes it hold
	Perhaps            // it holds if what was not understood comes out right
	TooLarge           // the search was given up
)

// Part is a part of a tree that is not understood, and what a witness needs it to come to.
type Part struct {
	Text string
	Want bool
}

// Witness are values that make a tree hold. Numbers are exact, with their unit after a space.
type Witness struct {
	Values map[string]string // by path
	Open   []Part            // what else must come out so, sorted by text
}

// MaxSteps is what one question costs at most.
const MaxSteps = 20_000

// Solver answers questions about fields of these domains, as long as it has Steps left, and until Stop says so.
type Solver struct {
	Domains map[string]Domain
	Steps   int
	Stop    func() bool // may be nil
}

// Spent reports whether the solver answers no more questions.
func (s *Solver) Spent() bool { return s.Steps <= 0 || s.Stop != nil && s.Stop() }

// Solve looks for values that make a tree hold.
func (s *Solver) Solve(t *Tree) (Verdict, Witness) {
	for _, free := range []bool{false, true} {
		if s.Spent() {
			return TooLarge, Witness{}
		}
		q := &search{domains: s.Domains, left: min(MaxSteps, s.Steps)}
		begun := q.left
		st := q.find([]*literal{{t, true}}, state{}, free)
		s.Steps -= begun - q.left
		switch {
		case st != nil && !free:
			return Possible, st.witness(s.Domains)
		case st != nil:
			return Perhaps, st.witness(s.Domains)
		case q.left <= 0:
			return TooLarge, Witness{}
		}
	}
	return Impossible, Witness{}
}

type search struct {
	domains map[string]Domain
	left    int
}

// literal is a tree that must hold, or must not.
type literal struct {
	tree *Tree
	want bool
}

// find works through what must hold; free says whether what is not understood may be relied on.
func (s *search) find(todo []*literal, st state, free bool) state {
	for len(todo) > 0 {
		if s.left--; s.left <= 0 {
			return nil
		}
		l := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		t := l.tree
		switch {
		case t == nil:
			if !l.want {
				return nil
			}
		case t.Op == Not:
			todo = append(slices.Clip(todo), &literal{t.Kids[0], !l.want})
		case t.Op == And && l.want, t.Op == Or && !l.want:
			todo = slices.Clip(todo)
			for _, k := range t.Kids {
				todo = append(todo, &literal{k, l.want})
			}
		case t.Op == And, t.Op == Or:
			for _, k := range t.Kids {
				s.left -= len(st) / 2 // what is settled is copied
				if found := s.find(append(slices.Clone(todo), &literal{k, l.want}), st.clone(), free); found != nil {
					return found
				}
			}
			return nil
		default:
			if !st.add(t, l.want, s, free) {
				return nil
			}
		}
	}
	return st
}
