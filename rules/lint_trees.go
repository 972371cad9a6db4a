package rules

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/internal/logic"
)

// named is a let as a tree. One that is too large is not looked into.
func (l *linter) named(x let) *logic.Tree {
	t := l.resolved(x.formula.Logic(l.currency))
	yes, no := t.Exact()
	why := tooLarge(t)
	if why == "" {
		why = tooLarge(yes)
	}
	if why != "" {
		l.huge[x.name] = fmt.Sprintf("let %s comes to %s", x.name, why)
		sure := &logic.Tree{Op: logic.Free, Ref: "computes let " + x.name, Text: x.name}
		l.names[formula.Computes+x.name] = sure
		return &logic.Tree{Op: logic.Free, Ref: x.name, Text: x.name, Sure: sure}
	}
	if t.MayFail() {
		l.names[formula.Computes+x.name] = logic.Any(yes, no)
	}
	return t
}

// name reads a let: what it comes to, where it is a condition, and when it can be computed, where it may fail.
func (l *linter) name(x let) {
	if x.formula.Kind == formula.Bool {
		l.names[x.name] = l.named(x)
	} else if sure := l.sure(x.formula); sure != nil {
		l.names[formula.Computes+x.name] = sure
	}
}

// resolved puts what is known of lets and lists in the places of their names. A let fails where an expression comes to it, and nowhere else.
func (l *linter) resolved(t *logic.Tree) *logic.Tree { return t.Resolve(l.names, l.lists) }

// sure is when a formula can be computed, nil where it never fails.
func (l *linter) sure(f *formula.Formula) *logic.Tree {
	if f == nil {
		return nil
	}
	return l.resolved(f.Sure(l.currency)).Always()
}

// condition reads the condition of a rule. One that is too large, or hangs on a let that is, is not looked into, and lint says so.
func (l *linter) condition(h *head) {
	t := l.resolved(h.when.Logic(l.currency))
	why := ""
	t.Each(func(part *logic.Tree) {
		if part.Op == logic.Free && why == "" {
			why = l.huge[part.Ref]
		}
	})
	yes, no := t.Exact()
	own := tooLarge(t)
	if own == "" {
		own = tooLarge(yes)
	}
	if own != "" {
		why = "its condition comes to " + own
		text := strings.TrimSpace(h.when.Source)
		t = &logic.Tree{Op: logic.Free, Ref: h.when.Source, Text: text, Sure: &logic.Tree{Op: logic.Free, Ref: "computes " + h.when.Source, Text: text}}
		yes, no = t.Exact()
	}
	if why != "" {
		l.report(h, "W629", "it is too large to be looked at: "+why, "say it in fewer parts: a list in place of many comparisons, or two rules", inTheFiles)
	}
	l.written[h], l.whens[h], l.nots[h] = t, yes, no
}

// tooLarge says how large a tree is that is larger than lint looks at.
func tooLarge(t *logic.Tree) string {
	switch atoms, terms := t.Measure(); {
	case atoms > maxAtoms:
		return fmt.Sprintf("more than %d comparisons when every let is written out", maxAtoms)
	case terms > maxTerms:
		return fmt.Sprintf("more than %d cases when every or is taken apart", maxTerms)
	}
	return ""
}

// domains are what is known of fields whatever the order.
func (l *linter) domains() map[string]logic.Domain {
	domains := map[string]logic.Domain{}
	for path, texts := range l.b.env.Enums {
		domains[path] = logic.Domain{Texts: texts}
	}
	for path, most := range atLeastZero {
		d := logic.Domain{Least: new(big.Rat), Whole: l.b.env.Whole(path)}
		if most > 0 {
			d.Most = big.NewRat(most, 1)
		}
		domains[path] = d
	}
	domains["order.asap"] = logic.Domain{Excludes: "order.has_promise"} // neither window was given
	domains["order.has_promise"] = logic.Domain{Excludes: "order.asap"}
	domains["local.date"] = logic.Domain{Whole: true}
	domains["local.weekday"] = logic.Domain{DayOf: "local.date"} // the members of the clock are one moment
	for _, q := range l.b.quotas {
		path := "quota." + q.Account + "." + q.Period + ".used"
		if q.Per != "" {
			path = "quota." + q.Account + "." + q.Period + "." + q.Per + ".used"
		}
		domains[path] = logic.Domain{Least: new(big.Rat), Whole: true}
	}
	return domains
}

// treeOf is when a rule does what it says: its condition, its days and its place.
func (l *linter) treeOf(h *head) *logic.Tree {
	parts := []*logic.Tree{l.valued(h)}
	switch {
	case h.when == nil:
	case h.phase == "exclude" || h.phase == "guard": // one that fails takes the option out, as if it held
		if parts = append(parts, l.whens[h]); l.mayFail(h) {
			parts = []*logic.Tree{logic.Negate(l.nots[h])}
		}
	default:
		parts = append(parts, l.whens[h])
	}
	for _, d := range []struct{ op, day string }{{">=", h.from}, {"<=", h.until}} {
		if n, ok := formula.DayNumber(d.day); ok {
			parts = append(parts, &logic.Tree{Op: logic.Compare, Path: "local.date", Cmp: d.op, Number: n, Unit: "day"})
		}
	}
	var places []*logic.Tree
	for _, at := range h.locations {
		places = append(places, place(at))
	}
	if len(places) > 0 {
		parts = append(parts, logic.Any(places...))
	}
	for _, at := range h.patches { // another form holds where an earlier patch fits
		if at == h.at {
			parts = append(parts, place(at))
			break
		}
		parts = append(parts, logic.Negate(place(at)))
	}
	return logic.All(parts...)
}

func place(at string) *logic.Tree {
	if tag, ok := strings.CutPrefix(at, "tag:"); ok {
		return &logic.Tree{Op: logic.Is, Path: fmt.Sprintf("%q in location.tags", tag)}
	}
	return &logic.Tree{Op: logic.In, Path: "location.id", Texts: []string{at}}
}

// mayFail reports whether the condition of a rule may.
func (l *linter) mayFail(h *head) bool {
	return h.when != nil && (l.written[h] == nil || l.written[h].MayFail())
}

// valued is when what a rule needs besides its condition can be computed, nil where that never fails: a rule of choose that does not know by
// what it splits leaves the order to the next, and so does a fallback that does not know what it may cost.
func (l *linter) valued(h *head) *logic.Tree {
	switch r := l.b.ruleOf(h).(type) {
	case *chooseRule:
		return l.sure(r.by)
	case *fallbackRule:
		if r.extra != nil {
			return l.sure(r.extra.formula)
		}
	}
	return nil
}
