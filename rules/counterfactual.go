package rules

import (
	"context"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/logic"
	"github.com/waybill-dev/waybill/rules/trace"
	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// What a search for changes may cost.
const (
	maxWhatIfOptions = 8
	maxWhatIfTries   = 400 // decisions
)

// WhatIf says what single change would have let each other option win: the least change of a fact of the order that its exclusions
// speak of, or of its fee. Each was tried: the decision was made again with it. An option that no single change helps is left
// out, and so is one that was never quoted, as nobody knows what it would have asked.
func WhatIf(b *Bundle, d Decision) ([]string, error) {
	again, err := recompute(b, &d, shapeSchema(d.Schema))
	if err != nil {
		return nil, err
	}
	w := &whatIf{bundle: b, d: &again, linter: newLinter(context.Background(), b, b.currency)}
	var out []string
	for i := range again.Options {
		o := &again.Options[i]
		if o.Rank == 1 || w.options == maxWhatIfOptions {
			continue
		}
		w.options++
		if s := w.fact(i); s != "" {
			out = append(out, s)
		}
		if s := w.fee(i); s != "" {
			out = append(out, s)
		}
	}
	return out, nil
}

type whatIf struct {
	bundle  *Bundle
	d       *Decision
	linter  *linter
	options int
	tries   int
}

// decide makes the decision again with other facts and another fee of one option, and reports whether that option wins.
func (w *whatIf) decide(in Input, i int, fee shipping.Money) (Decision, bool) {
	if w.tries++; w.tries > maxWhatIfTries {
		return Decision{}, false
	}
	plan := w.bundle.prepare(w.d.Schema, in, w.d.Plan.Candidates)
	offers := make([]Offer, len(w.d.Options))
	for n, o := range w.d.Options {
		offers[n] = Offer{ID: o.ID, Account: o.Account, Quote: o.Quote}
	}
	offers[i].Quote.Amount = fee
	made := w.bundle.decide(w.d.Schema, plan, offers, w.d.Refused)
	o := &w.d.Options[i]
	return made, made.Winner != nil && made.Winner.ID == o.ID && made.Winner.Account == o.Account && made.Winner.Service == o.Service
}

// fee finds the highest fee with which an option would win.
func (w *whatIf) fee(i int) string {
	o := &w.d.Options[i]
	at := func(minor int64) bool {
		_, wins := w.decide(w.d.Plan.Input, i, shipping.Money{Minor: minor, Currency: o.Fee.Currency})
		return wins
	}
	if o.Fee.Minor <= 0 || !at(0) {
		return ""
	}
	low, high := int64(0), o.Fee.Minor // wins with low, not with high
	for high-low > 1 {
		if mid := low + (high-low)/2; at(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return fmt.Sprintf("with a fee of %s instead of %s, %s would win", shipping.Money{Minor: low, Currency: o.Fee.Currency}, o.Fee, selector{o.Account, o.Service})
}

// change is one fact of the order as it might have been. Far says how large the change is, against what the fact is.
type change struct {
	path, was, is string
	far           *big.Rat
	in            Input
}

// fact finds the least change of one fact that lets an option win.
func (w *whatIf) fact(i int) string {
	o := &w.d.Options[i]
	var best *change
	var with Decision
	for _, c := range w.changes(o) {
		if best != nil && c.far.Cmp(best.far) >= 0 {
			continue
		}
		if made, wins := w.decide(c.in, i, o.Fee); wins {
			best, with = &c, made
		}
	}
	if best == nil {
		return ""
	}
	score := ""
	if s := with.ranked(1).Score; s != nil {
		score = " with " + decimals(*s)
	}
	return fmt.Sprintf("with %s = %s instead of %s, %s would win%s", best.path, best.is, best.was, selector{o.Account, o.Service}, score)
}

// changes lists what the exclusions of an option speak of, each fact at the edges of what they compare it with.
func (w *whatIf) changes(o *Option) []change {
	var out []change
	for _, x := range w.d.Excluded {
		if x.Account != o.Account || x.Service != "" && x.Service != o.Service {
			continue
		}
		for _, h := range w.bundle.heads() {
			if h.name == x.Rule {
				w.atoms(w.linter.trees[h], &out)
			}
		}
	}
	return out
}

func (w *whatIf) atoms(t *logic.Tree, out *[]change) { t.Each(func(t *logic.Tree) { w.atom(t, out) }) }

func (w *whatIf) atom(t *logic.Tree, out *[]change) {
	switch t.Op {
	case logic.Compare:
		for _, step := range []int64{0, -1, 1} {
			w.try(t.Path, func(v reflect.Value) bool { return setNumber(v, t.Number, t.Unit, step) }, out)
		}
	case logic.In:
		for _, text := range slices.Concat(t.Texts, w.bundle.env.Enums[t.Path], []string{""}) {
			w.try(t.Path, func(v reflect.Value) bool { return setText(v, text) }, out)
		}
	case logic.Is:
		quoted, path, member := strings.Cut(t.Path, " in ")
		if text, err := strconv.Unquote(quoted); member && err == nil {
			w.try(path, func(v reflect.Value) bool { return toggleText(v, text) }, out)
		} else if !member {
			w.try(t.Path, func(v reflect.Value) bool {
				if v.Kind() != reflect.Bool {
					return false
				}
				v.SetBool(!v.Bool())
				return true
			}, out)
		}
	}
}

// try notes the input with one fact set, where that can be set and changes anything.
func (w *whatIf) try(path string, set func(reflect.Value) bool, out *[]change) {
	c := change{path: path, in: w.d.Plan.Input}
	v := factOf(&c.in, path)
	if !v.IsValid() {
		return
	}
	c.was = trace.Format(v.Interface())
	before := size(v)
	if !set(v) {
		return
	}
	if c.is = trace.Format(v.Interface()); c.is == c.was {
		return
	}
	c.far = big.NewRat(1, 1) // another text, or the opposite: neither far nor near
	if before != nil {
		c.far = new(big.Rat).Sub(size(v), before)
		if c.far.Abs(c.far); before.Sign() != 0 {
			c.far.Quo(c.far, new(big.Rat).Abs(before))
		}
	}
	*out = append(*out, c)
}

// factOf finds the member of an input that a path names. Times are left out: what follows from them would have to follow.
func factOf(in *Input, path string) reflect.Value {
	root, rest, _ := strings.Cut(path, ".")
	var v reflect.Value
	switch root {
	case "order":
		v = reflect.ValueOf(&in.Order).Elem()
	case "location":
		v = reflect.ValueOf(&in.Location).Elem()
	default:
		return reflect.Value{}
	}
	for name := range strings.SplitSeq(rest, ".") {
		if v.Kind() != reflect.Struct {
			return reflect.Value{}
		}
		at := -1
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("expr") == name {
				at = i
			}
		}
		if at < 0 {
			return reflect.Value{}
		}
		v = v.Field(at)
	}
	return v
}

func setNumber(v reflect.Value, number *big.Rat, in string, step int64) bool {
	n := new(big.Rat).Set(number)
	switch x := v.Interface().(type) {
	case int:
		n.Add(n, big.NewRat(step, 1))
		if !n.IsInt() || n.Sign() < 0 {
			return false
		}
		v.SetInt(n.Num().Int64())
		return true
	case shipping.Money:
		digits, known := shipping.CurrencyDigits(x.Currency)
		for range digits {
			n.Mul(n, big.NewRat(10, 1))
		}
		n.Add(n, big.NewRat(step, 1))
		if !known || in != x.Currency || !n.IsInt() || n.Sign() < 0 {
			return false
		}
		v.Set(reflect.ValueOf(shipping.Money{Minor: n.Num().Int64(), Currency: x.Currency}))
		return true
	}
	n.Add(n, big.NewRat(step, 1)) // a gram, a millimetre, a metre
	r, err := unit.FromRat(n)
	if err != nil || n.Sign() < 0 {
		return false
	}
	switch v.Interface().(type) {
	case unit.Weight:
		v.Set(reflect.ValueOf(unit.Weight{Rational: r}))
	case unit.Length:
		v.Set(reflect.ValueOf(unit.Length{Rational: r}))
	case unit.Volume:
		v.Set(reflect.ValueOf(unit.Volume{Rational: r}))
	case unit.Distance:
		v.Set(reflect.ValueOf(unit.Distance{Rational: r}))
	default:
		return false
	}
	return true
}

func setText(v reflect.Value, text string) bool {
	if v.Kind() != reflect.String {
		return false
	}
	v.SetString(text)
	return true
}

// toggleText takes a text out of a list, or puts it in. The list is another's too, so it is copied.
func toggleText(v reflect.Value, text string) bool {
	list, ok := v.Interface().([]string)
	if !ok {
		return false
	}
	if slices.Contains(list, text) {
		list = slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == text })
	} else {
		list = sorted(append(slices.Clone(list), text))
	}
	v.Set(reflect.ValueOf(list))
	return true
}

// size is a fact as a number, nil where it is none.
func size(v reflect.Value) *big.Rat {
	switch x := v.Interface().(type) {
	case int:
		return big.NewRat(int64(x), 1)
	case shipping.Money:
		return big.NewRat(x.Minor, 1)
	case interface{ Rat() *big.Rat }:
		return x.Rat()
	}
	return nil
}
