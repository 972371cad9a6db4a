package logic

import (
	"math/big"
	"slices"
	"strings"
)

// state is what is settled of each path.
type state map[string]*limits

// limits are the values that a path may still have.
type limits struct {
	truth               *bool
	free                string // the text of what is not understood
	unit                string
	least, most         *big.Rat
	openLeast, openMost bool
	notNumbers          []*big.Rat
	among               *Tree // an In whose first texts are not left, as many as gone says; nil is any text
	gone                int
	in, notIn           []*Tree   // what a text must be one of besides, and what it must not
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
		c.notNumbers, c.in, c.notIn = slices.Clip(c.notNumbers), slices.Clip(c.in), slices.Clip(c.notIn)
		out[k] = &c
	}
	return out
}

// add settles one atom and reports whether that is possible.
func (st state) add(t *Tree, want bool, s *search, free bool) bool {
	domains := s.domains
	switch t.Op {
	case Fixed:
		return t.Truth == want
	case Free:
		return free && st.open(t, want)
	case Is:
		if other := st[domains[t.Path].Excludes]; want && other != nil && *other.truth {
			return false
		}
		return st.is(t.Path, want)
	case Compare:
		if key := t.Path + " " + t.Unit; true {
			return st.compare(key, t, want, domains[t.Path])
		}
	case In:
		if d := domains[t.Path]; d.DayOf != "" {
			return st.onWeekday(t, want, d.DayOf, domains[d.DayOf])
		}
		l := st.at(t.Path, domains[t.Path])
		l.restrict(t, want)
		return l.settle(s)
	}
	return free // a name that nobody resolved
}

func (st state) at(path string, d Domain) *limits {
	l := st[path]
	if l == nil {
		l = &limits{least: d.Least, most: d.Most}
		if d.Texts != nil {
			l.among = &Tree{Op: In, Path: path, Texts: d.Texts}
		}
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
	st["?"+t.Ref].free = t.Text
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

// restrict takes the texts of an In into account. What is left is looked for among the fewest.
func (l *limits) restrict(t *Tree, want bool) {
	switch {
	case !want:
		l.notIn = append(l.notIn, t)
	case l.among == nil:
		l.among = t
	case len(t.Texts) < len(l.among.Texts):
		l.in = append(l.in, l.among)
		l.among, l.gone = t, 0
	default:
		l.in = append(l.in, t)
	}
}

// perStep is how many texts are looked at for what one step costs.
const perStep = 8

// settle goes on to the first text that is left, and reports whether there is one. What it looks at is taken from what the question may cost.
func (l *limits) settle(s *search) bool {
	if l.among == nil {
		return true
	}
	begun := l.gone
	for ; l.gone < len(l.among.Texts); l.gone++ {
		if looked := l.gone - begun; looked%perStep == perStep-1 {
			if s.left -= 1 + (len(l.in)+len(l.notIn))/perStep; s.left <= 0 {
				return false
			}
		}
		if l.leaves(l.among.Texts[l.gone]) {
			return true
		}
	}
	return false
}

// leaves reports whether a text is in all that it must be in, and in nothing else that is spoken of.
func (l *limits) leaves(text string) bool {
	return !slices.ContainsFunc(l.in, func(t *Tree) bool { return !t.has(text) }) &&
		!slices.ContainsFunc(l.notIn, func(t *Tree) bool { return t.has(text) })
}

// onWeekday settles the day of the week of a field that counts days.
func (st state) onWeekday(t *Tree, want bool, path string, d Domain) bool {
	l := st.at(path+" "+dayUnit, d)
	l.unit = dayUnit
	left := weekdays{}
	for i, name := range weekdayNames {
		left[i] = (l.weekdays == nil || l.weekdays[i]) && t.has(name) == want
	}
	l.weekdays = &left
	return l.number(d.Whole) != nil
}

const dayUnit = "day"

// text is the one that was settled, or where any may be one that is not spoken of.
func (l *limits) text() string {
	if l.among != nil {
		return l.among.Texts[l.gone]
	}
	other := "other"
	for !l.leaves(other) {
		other += "x"
	}
	return other
}

// witness writes the settled values by path.
func (st state) witness(domains map[string]Domain) Witness {
	out := map[string]string{}
	var open []Part
	for key, l := range st {
		switch {
		case strings.HasPrefix(key, "?"):
			open = append(open, Part{l.free, *l.truth})
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
			out[key] = l.text()
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
