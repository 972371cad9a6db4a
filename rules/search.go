package rules

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/internal/logic"
)

// trial is an order with offers, and what the rules of a bundle decided about it.
type trial struct {
	b *Bundle
	c *testCase
	d *Decision
}

// attempt decides an order that is given as a witness. No rule of hold stands in the way of a later phase: where one does, a person has released it.
func (b *Bundle) attempt(witness map[string]string, phase string) (*trial, error) {
	c, err := b.witnessCase(Finding{Witness: witness})
	if err != nil {
		return nil, err
	}
	if o := &c.input.Order; o.ASAP && o.HasPromise {
		return nil, errors.New("no order asks for as soon as possible and has a promise: the promise is a window")
	}
	d := c.decide(b)
	if d.Plan.Hold != nil && phase != "hold" {
		for i := range b.holds {
			c.input.Released = append(c.input.Released, b.holds[i].name)
		}
		d = c.decide(b)
	}
	return &trial{b, c, &d}, nil
}

// came tells what the condition of a rule comes to for the order, over the offers that the rule is asked about.
func (t *trial) came(h *head) (yes, no bool) {
	for _, holds := range t.told(h, false) {
		yes, no = yes || holds, no || !holds
	}
	return yes, no
}

// told is what the condition of a rule comes to, by offer; one entry where it speaks of the order alone. An offer that the rule is not asked
// about is not in it, nor one for which its days and places do not let it speak, or it fails; with all, only the rule itself decides what it
// is asked about.
func (t *trial) told(h *head, all bool) map[selector]bool {
	set := &t.d.Plan.Set
	if h.phase == "hold" || h.phase == "set" {
		set = &Settings{}
	}
	r := t.b.start(RecordSchema, &t.d.Plan.Input, t.d.Plan.Candidates, set)
	defer r.close()
	out := map[selector]bool{}
	see := func(of selector) {
		if force, _ := r.applies(&head{from: h.from, until: h.until, locations: h.locations, variant: h.variant}); !force {
			return
		}
		if holds, err := r.applies(h); err == nil {
			out[of] = out[of] || holds
		}
	}
	only := t.b.scopeOf(h)
	about := func(vars *option) {
		if of := (selector{vars.Provider, vars.Service}); selects(only, of.account, of.service) {
			r.look(vars, stageQuote)
			r.m.Vars["chosen"] = vars
			see(of)
		}
	}
	switch {
	case h.phase == "hold" || h.phase == "set" || h.phase == "choose" || h.phase == "fallback":
		see(selector{})
	case all || h.phase == "exclude":
		for i := range t.c.offers {
			o := &t.c.offers[i]
			vars := r.optionOf(o.Account, &o.Quote)
			about(&vars)
		}
	default:
		for i := range t.d.Options {
			o := &t.d.Options[i]
			if h.phase == "adjust" && o.Excluded || h.phase == "warn" && (t.d.Winner == nil || o.Rank != 1) {
				continue
			}
			vars := r.optionOf(o.Account, &o.Quote)
			vars.Cost = o.Cost
			about(&vars)
		}
	}
	return out
}

// What one search costs at most.
const (
	maxTries  = 400  // orders
	maxHalves = 12   // between two values of a field
	maxDrawn  = 250  // orders that are drawn
	maxEdges  = 1600 // orders along edges, beside these
)

// search looks for an order that shows a claim: first those that logic gives, then others, with other values of the fields that the rules
// read. Every one is decided. It returns why there is none, or that an order speaks against the claim.
func (l *linter) search(c claim) (witness map[string]string, why string, refuted bool) {
	bases, open := l.bases(c)
	s := &search{work: &l.work, stop: l.stop, cost: l.cost, fee: l.b.usualFee(), see: func(w map[string]string) string {
		t, err := l.b.attempt(w, c.h.phase)
		if err != nil {
			return ""
		}
		switch faulty := len(t.d.Faults) > 0 && c.code != "W626"; {
		case c.stands != nil && !c.stands(t):
			refuted = true
			return found
		case faulty: // what fails shows nothing but that
		case c.shows(t):
			return found
		}
		return ""
	}}
	w := s.run(bases, func() []variable { return l.variables(append([]*head{c.h}, c.about...)) }, c.only)
	switch {
	case refuted:
		return nil, "", true
	case w != nil:
		return w, "", false
	}
	return nil, s.why(open), false
}

// costOf is what deciding one order costs: one for each rule, and more for each long range, whose numbers are made one by one.
func costOf(b *Bundle) int {
	const numbers = 100 // that cost as much as a rule
	cost := 1 + b.Size()
	add := func(f *formula.Formula) {
		if f == nil || !strings.Contains(f.Source, "..") {
			return
		}
		most := big.NewRat(numbers, 1)
		for _, c := range f.Constants().Numbers {
			if c.Number.Cmp(most) > 0 {
				most = c.Number
			}
		}
		longest := big.NewRat(100_000, 1) // longer ones are refused while they run
		if most.Cmp(longest) > 0 {
			most = longest
		}
		cost += int(floor(most).Int64()) / numbers * max(len(b.providers), 1)
	}
	for _, h := range b.heads() {
		add(h.when)
	}
	for _, x := range slices.Concat(b.orderLets, b.optionLets) {
		add(x.formula)
	}
	for _, f := range slices.Concat(b.rank.terms, b.rank.ties) {
		add(f)
	}
	return cost
}

// bases are the orders that logic gives for a claim, and what is not understood of the conditions that they are to fulfil.
func (l *linter) bases(c claim) (bases []map[string]string, open []logic.Part) {
	for _, t := range c.bases {
		for _, free := range []*logic.Tree{l.held, nil} { // an order that is not held is the better example
			if free != nil {
				if c.h.phase == "hold" {
					continue
				}
				free = logic.Negate(free)
			} else if len(bases) > 0 && l.held == nil {
				break
			}
			v, w := l.solver.Solve(logic.All(t, free))
			if v != logic.Possible && v != logic.Perhaps {
				continue
			}
			bases, open = append(bases, readable(w.Values)), append(open, w.Open...)
		}
	}
	if len(c.bases) == 0 {
		bases = append(bases, map[string]string{})
	}
	if len(c.values) == 0 {
		return bases, open
	}
	var out []map[string]string
	for _, given := range c.values {
		for _, base := range bases {
			w := maps.Clone(base)
			maps.Copy(w, given)
			out = append(out, w)
		}
	}
	return out, open
}

// found is what an order comes to that ends a search.
const found = "found"

// search tries orders until one is found.
type search struct {
	see   func(witness map[string]string) string // what an order comes to: orders that come to something else lie on two sides of an edge
	work  *int
	cost  int    // of one order
	fee   string // that an offer has where the order does not say
	stop  func() bool
	tries int
	spent bool
	paths []string // of the fields that were varied
	// edges are orders that are tried with every value of the field edge, ahead of what is varied else; nil where there are none. What they take of the
	// tries is extra.
	edges []map[string]string
	edge  *variable
	extra int
}

func (s *search) try(w map[string]string) (string, bool) {
	if s.tries >= maxTries+s.extra || *s.work <= 0 || s.stop() {
		s.spent = s.spent || *s.work <= 0
		return "", false
	}
	s.tries++
	*s.work -= s.cost
	what := s.see(w)
	return what, what == found
}

// run looks for an order. What the rules read of an offer's fee stands in it, also where it is the one that every offer has.
func (s *search) run(bases []map[string]string, fields func() []variable, only bool) map[string]string {
	if len(bases) == 0 {
		return nil
	}
	var vary []variable
	w := s.first(bases)
	if w == nil && only {
		return nil
	}
	if vary = fields(); w == nil {
		for _, v := range vary {
			s.paths = append(s.paths, v.path)
		}
		if w = s.along(); w == nil {
			w = s.vary(bases, vary)
		}
	}
	if w == nil {
		return nil
	}
	w = maps.Clone(w)
	if w["option.fee"] == "" && w[quotesOf] != nobody && slices.ContainsFunc(vary, func(v variable) bool { return v.path == "option.fee" }) {
		w["option.fee"] = s.fee
	}
	if len(w) == 0 {
		w["order.id"] = "any" // whatever the order
	}
	return w
}

// first tries the bases as they are.
func (s *search) first(bases []map[string]string) map[string]string {
	for _, w := range bases {
		if _, ok := s.try(w); ok {
			return w
		}
	}
	return nil
}

// along tries the edges.
func (s *search) along() map[string]string {
	before := s.tries
	s.extra = maxEdges
	for i := range s.edges {
		if w := s.sweep(s.edges[i], s.edge); w != nil {
			return w
		}
	}
	s.extra = s.tries - before
	return nil
}

// vary tries the bases with one field changed, and then with several that are drawn.
func (s *search) vary(bases []map[string]string, vary []variable) map[string]string {
	for _, base := range bases[:min(len(bases), 2)] {
		for i := range vary {
			if w := s.sweep(base, &vary[i]); w != nil {
				return w
			}
		}
	}
	return s.draw(bases, vary)
}

// sweep gives a field one value after the other. Between two numbers on both sides of an edge it looks closer.
func (s *search) sweep(base map[string]string, v *variable) map[string]string {
	with := func(value string) map[string]string {
		w := maps.Clone(base)
		w[v.path] = value
		return w
	}
	for _, value := range v.values {
		if _, ok := s.try(with(value)); ok {
			return with(value)
		}
	}
	before := ""
	for i, n := range v.numbers {
		what, ok := s.try(with(v.text(n)))
		if ok {
			return with(v.text(n))
		}
		if i > 0 && what != before {
			if w := s.halve(v, with, v.numbers[i-1], n, before); w != nil {
				return w
			}
		}
		before = what
	}
	return nil
}

// halve looks between two numbers of a field; at the lower one orders come to below.
func (s *search) halve(v *variable, with func(string) map[string]string, low, high *big.Rat, below string) map[string]string {
	for range maxHalves {
		mid := new(big.Rat).Add(low, high)
		mid.Quo(mid, big.NewRat(2, 1))
		what, ok := s.try(with(v.text(mid)))
		if ok {
			return with(v.text(mid))
		}
		if what == below {
			low = mid
		} else {
			high = mid
		}
	}
	return nil
}

// draw gives several fields values at random, the same ones in every run.
func (s *search) draw(bases []map[string]string, vary []variable) map[string]string {
	if len(vary) == 0 {
		return nil
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range maxDrawn {
		base := bases[r.IntN(len(bases))]
		w := maps.Clone(base)
		for i := range vary {
			v := &vary[i]
			_, settled := base[v.path]
			if settled && r.IntN(4) > 0 || !settled && r.IntN(4) == 0 {
				continue
			}
			n := r.IntN(len(v.values) + len(v.numbers))
			if n < len(v.values) {
				w[v.path] = v.values[n]
			} else {
				w[v.path] = v.text(v.numbers[n-len(v.values)])
			}
		}
		if _, ok := s.try(w); ok {
			return w
		}
		if s.tries >= maxTries+s.extra || s.spent {
			break
		}
	}
	return nil
}

// why says why nothing was found.
func (s *search) why(open []logic.Part) string {
	var text string
	switch {
	case s.spent:
		text = "no more orders are tried for so many findings"
	case s.tries == 0:
		text = "no order is known for which the rules that it speaks of apply"
	default:
		text = fmt.Sprintf("none of %s that were tried shows it", orders(s.tries))
	}
	var parts []string
	for _, p := range open {
		parts = append(parts, p.Text)
	}
	slices.Sort(parts)
	if parts = slices.Compact(parts); len(parts) > 0 {
		text += "; it hangs on what is computed: " + strings.Join(parts[:min(len(parts), 3)], ", ")
	}
	return text
}

// looked says what was given other values in the orders that were tried, "" where nothing was.
func (s *search) looked() string {
	const most = 8
	paths := slices.Compact(slices.Sorted(slices.Values(s.paths)))
	switch n := len(paths); {
	case n == 0:
		return ""
	case n > most:
		return fmt.Sprintf("; %s and %d more fields were given other values", strings.Join(paths[:most], ", "), n-most)
	}
	return fmt.Sprintf("; other values were given to %s", strings.Join(paths, ", "))
}
