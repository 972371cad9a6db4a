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
	"strings"
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
	Ref    string // of a Name and a List what they stand for
	Truth  bool
	Text   string // as the author wrote it
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

// Resolve replaces names and lists. What it does not know becomes Free.
func (t *Tree) Resolve(names map[string]*Tree, lists map[string][]string) *Tree {
	return t.replace(map[*Tree]*Tree{}, func(t *Tree) *Tree {
		switch t.Op {
		case Name:
			if known := names[t.Ref]; known != nil {
				return known
			}
			return &Tree{Op: Free, Ref: t.Ref, Text: t.Ref}
		case List:
			if texts, ok := lists[t.Ref]; ok {
				return &Tree{Op: In, Path: t.Path, Texts: texts, Text: t.Text}
			}
			return &Tree{Op: Free, Ref: t.Text, Text: t.Text}
		}
		return t
	})
}

// Fix replaces the comparisons of a text with what they come to when it has a value.
func (t *Tree) Fix(path, value string) *Tree {
	return t.replace(map[*Tree]*Tree{}, func(t *Tree) *Tree {
		if t.Op == In && t.Path == path {
			return &Tree{Op: Fixed, Truth: slices.Contains(t.Texts, value)}
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
			if !st.add(t, l.want, s.domains, free) {
				return nil
			}
		}
	}
	return st
}

// state is what is settled of each path.
type state map[string]*limits

// limits are the values that a path may still have.
type limits struct {
	truth               *bool
	text                string // of what is not understood
	unit                string
	least, most         *big.Rat
	openLeast, openMost bool
	notNumbers          []*big.Rat
	texts               []string // nil is any
	notTexts            []string
	weekdays            *weekdays // nil is any
}

// weekdays are days of the week, Thursday first, as day 0 was one; those that are set are left.
type weekdays [7]bool

var weekdayNames = [len(weekdays{})]string{"thu", "fri", "sat", "sun", "mon", "tue", "wed"}

func weekdayOf(day *big.Rat) int {
	return int(new(big.Int).Mod(day.Num(), big.NewInt(int64(len(weekdayNames)))).Int64())
}

func (st state) clone() state {
	out := make(state, len(st))
	for k, v := range st {
		c := *v
		c.notNumbers, c.notTexts = slices.Clip(c.notNumbers), slices.Clip(c.notTexts)
		out[k] = &c
	}
	return out
}

// add settles one atom and reports whether that is possible.
func (st state) add(t *Tree, want bool, domains map[string]Domain, free bool) bool {
	switch t.Op {
	case Fixed:
		return t.Truth == want
	case Free:
		return free && st.open(t, want)
	case Is:
		return st.is(t.Path, want)
	case Compare:
		if key := t.Path + " " + t.Unit; true {
			return st.compare(key, t, want, domains[t.Path])
		}
	case In:
		if d := domains[t.Path]; d.DayOf != "" {
			return st.onWeekday(t, want, d.DayOf, domains[d.DayOf])
		}
		return st.in(t, want, domains[t.Path])
	}
	return free // a name that nobody resolved
}

func (st state) at(path string, d Domain) *limits {
	l := st[path]
	if l == nil {
		l = &limits{least: d.Least, most: d.Most, texts: d.Texts}
		st[path] = l
	}
	return l
}

func (st state) is(path string, want bool) bool {
	l := st.at(path, Domain{})
	if l.truth != nil {
		return *l.truth == want
	}
	l.truth = &want
	return true
}

// open settles what is not understood.
func (st state) open(t *Tree, want bool) bool {
	if !st.is("?"+t.Ref, want) {
		return false
	}
	st["?"+t.Ref].text = t.Text
	return true
}

var opposite = map[string]string{"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}

func (st state) compare(key string, t *Tree, want bool, d Domain) bool {
	l := st.at(key, d)
	l.unit = t.Unit
	op := t.Cmp
	if !want {
		op = opposite[op]
	}
	n := t.Number
	switch op {
	case "==":
		l.atLeast(n, false)
		l.atMost(n, false)
	case "!=":
		l.notNumbers = append(l.notNumbers, n)
	case "<":
		l.atMost(n, true)
	case "<=":
		l.atMost(n, false)
	case ">":
		l.atLeast(n, true)
	case ">=":
		l.atLeast(n, false)
	}
	return l.number(d.Whole) != nil
}

func (l *limits) atLeast(n *big.Rat, open bool) {
	if l.least == nil || l.least.Cmp(n) < 0 || l.least.Cmp(n) == 0 && open {
		l.least, l.openLeast = n, open
	}
}

func (l *limits) atMost(n *big.Rat, open bool) {
	if l.most == nil || l.most.Cmp(n) > 0 || l.most.Cmp(n) == 0 && open {
		l.most, l.openMost = n, open
	}
}

// number picks a value within the limits, nil where there is none.
func (l *limits) number(whole bool) *big.Rat {
	one := big.NewRat(1, 1)
	if !whole && l.least != nil && l.most != nil {
		one = new(big.Rat).Sub(l.most, l.least)
		one.Quo(one, big.NewRat(int64(len(l.notNumbers)+2), 1))
		if one.Sign() == 0 {
			one.SetInt64(1)
		}
	}
	start, step := new(big.Rat), one
	switch {
	case l.least != nil:
		start.Set(l.least)
		if whole && !start.IsInt() {
			start.SetInt(ceil(start))
		} else if l.openLeast {
			start.Add(start, step)
		}
	case l.most != nil:
		start.Set(l.most)
		step = new(big.Rat).Neg(one)
		if whole && !start.IsInt() {
			start.SetInt(new(big.Int).Sub(ceil(start), big.NewInt(1)))
		} else if l.openMost {
			start.Add(start, step)
		}
	}
	tries := len(l.notNumbers) + 2
	if l.weekdays != nil {
		tries *= len(l.weekdays)
	}
	for range tries {
		if !l.within(start) {
			return nil
		}
		if l.falls(start) && !slices.ContainsFunc(l.notNumbers, func(n *big.Rat) bool { return n.Cmp(start) == 0 }) {
			return start
		}
		start = new(big.Rat).Add(start, step)
	}
	return nil
}

// falls reports whether a day is on one of the days of the week that are left.
func (l *limits) falls(day *big.Rat) bool {
	return l.weekdays == nil || day.IsInt() && l.weekdays[weekdayOf(day)]
}

func ceil(r *big.Rat) *big.Int {
	q := new(big.Int).Div(r.Num(), r.Denom()) // floor
	return q.Add(q, big.NewInt(1))
}

func (l *limits) within(n *big.Rat) bool {
	if l.least != nil {
		if c := n.Cmp(l.least); c < 0 || c == 0 && l.openLeast {
			return false
		}
	}
	if l.most != nil {
		if c := n.Cmp(l.most); c > 0 || c == 0 && l.openMost {
			return false
		}
	}
	return true
}

func (st state) in(t *Tree, want bool, d Domain) bool {
	l := st.at(t.Path, d)
	if !want {
		l.notTexts = append(l.notTexts, t.Texts...)
	} else if l.texts == nil {
		l.texts = append([]string{}, t.Texts...)
	} else {
		l.texts = slices.DeleteFunc(slices.Clone(l.texts), func(x string) bool { return !slices.Contains(t.Texts, x) })
	}
	_, ok := l.pick()
	return ok
}

// onWeekday settles the day of the week of a field that counts days.
func (st state) onWeekday(t *Tree, want bool, path string, d Domain) bool {
	l := st.at(path+" "+dayUnit, d)
	l.unit = dayUnit
	left := weekdays{}
	for i, name := range weekdayNames {
		left[i] = (l.weekdays == nil || l.weekdays[i]) && slices.Contains(t.Texts, name) == want
	}
	l.weekdays = &left
	return l.number(d.Whole) != nil
}

const dayUnit = "day"

// pick picks a text within the limits.
func (l *limits) pick() (string, bool) {
	if l.texts != nil {
		for _, x := range l.texts {
			if !slices.Contains(l.notTexts, x) {
				return x, true
			}
		}
		return "", false
	}
	other := "other"
	for slices.Contains(l.notTexts, other) {
		other += "x"
	}
	return other, true
}

// witness writes the settled values by path.
func (st state) witness(domains map[string]Domain) Witness {
	out := map[string]string{}
	var open []Part
	for key, l := range st {
		switch {
		case strings.HasPrefix(key, "?"):
			open = append(open, Part{l.text, *l.truth})
		case l.truth != nil:
			out[key] = "false"
			if *l.truth {
				out[key] = "true"
			}
		case strings.Contains(key, " ") && !strings.HasPrefix(key, `"`):
			path, _, _ := strings.Cut(key, " ")
			if of := weekdayPath(domains, path); of != "" && l.least == nil && l.most == nil && len(l.notNumbers) == 0 {
				out[of] = weekdayNames[weekdayOf(l.number(true))] // any week will do
				continue
			}
			out[path] = strings.TrimSpace(decimal(l.number(domains[path].Whole)) + " " + l.unit)
		default:
			text, _ := l.pick()
			out[key] = text
		}
	}
	slices.SortFunc(open, func(a, b Part) int { return strings.Compare(a.Text, b.Text) })
	return Witness{out, open}
}

// weekdayPath is the field with the days of the week of another, "" where there is none.
func weekdayPath(domains map[string]Domain, path string) string {
	for of, d := range domains {
		if d.DayOf == path {
			return of
		}
	}
	return ""
}

func decimal(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	return strings.TrimRight(strings.TrimRight(r.FloatString(6), "0"), ".")
}
