package rules

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/trace"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Explain renders a decision with the value of every part of every rule, for every option. It computes the decision again, so the bundle
// must be the one that decided.
func Explain(b *Bundle, d Decision) (string, error) {
	again, err := recompute(b, &d, shapeSchema(d.Schema))
	if err != nil {
		return "", err
	}
	out := writers.Get().(*trace.Writer)
	defer writers.Put(out)
	out.Reset()
	e := &explaining{out: out}
	e.explain(b, &again)
	return out.String(), e.err
}

var writers = sync.Pool{New: func() any { return new(trace.Writer) }}

// explain goes through everything that the rules of b said of an order; d is what b decided.
func (e *explaining) explain(b *Bundle, d *Decision) {
	e.d = d
	again := d
	e.run = b.start(d.Schema, &again.Plan.Input, again.Plan.Candidates, &Settings{})
	defer func() { e.run.close() }()
	in := &again.Plan.Input
	fmt.Fprintf(e.out, "order %s  %s %s %s  rules %s@%s\n%s\n", in.Order.ID, in.Local.Weekday, in.Local.Date, in.Local.Time, b.name, b.hash[:len("sha256:")+12], again.Sentence())
	e.orderRules()
	e.run.close()
	e.run = b.start(d.Schema, &again.Plan.Input, again.Plan.Candidates, &again.Plan.Set)
	e.again = e.decides()
	e.lets()
	e.beforeQuotes()
	for _, i := range e.best() {
		e.option(i)
	}
	e.rest()
}

// explaining writes one explanation.
type explaining struct {
	*run
	d     *Decision
	again *deciding
	out   *trace.Writer
	err   error

	refused map[selector]bool // of which it is said that they gave no quote, and why

	skipped int // parts of conditions that were not evaluated

	speaks *head                        // the rule whose parts are being shown, nil where it is none
	saw    func(h *head, t *trace.Tree) // is told what each condition of a rule came to
	spoke  func(h *head, held bool)     // is told whether all of them hold; of a rule without, that it speaks
	ran    func(t *trace.Tree)          // is told what any expression came to, those of lets too

	valued func(f *formula.Formula, t *trace.Tree) // is told what a value came to that was asked for, and a let that was
	held   bool                                    // the rule applies of which values are being shown
}

// tree writes what the parts of a formula come to.
func (e *explaining) tree(f *formula.Formula) {
	t := e.silent(f)
	if t == nil {
		return // why is in e.err
	}
	if e.speaks != nil {
		e.tell(t)
	}
	used := e.counted(f, t)
	if e.ran != nil {
		e.ran(t)
	}
	clocks(t)
	e.skipped += unreached(t)
	e.out.Tree(t, "    ")
	e.open(used) // which ends the tree
}

// tell hands a condition of the rule that speaks to whoever wants to know, and notes whether it holds.
func (e *explaining) tell(t *trace.Tree) {
	e.held = t.Err == nil && len(t.Values) == 1 && t.Values[0] == true
	if e.saw != nil {
		e.saw(e.speaks, t)
	}
}

func (e *explaining) line(format string, args ...any) { fmt.Fprintf(e.out, format+"\n", args...) }

func (e *explaining) rule(verdict string, h *head) {
	e.held = false
	if !e.inVariant(&h.variant) {
		return // another form of the rule speaks at this location
	}
	if kind, over := strings.CutSuffix(verdict, " passed over"); over && e.failed(h) {
		verdict = kind + " failed"
	}
	e.line("  %s %q", verdict, h.name)
	if !e.inForce(h) {
		e.line("    not in force on this day or at this location")
		return
	}
	e.speaks = h
	e.conditions(h)
	e.speaks = nil
}

// failed reports whether a rule failed while it ran, for the option that is being explained where it speaks of one.
func (e *explaining) failed(h *head) bool {
	return slices.ContainsFunc(e.d.Faults, func(f Fault) bool {
		return string(f.Phase) == h.phase && f.Rule == h.name && f.Account == e.account && f.Service == e.service
	})
}

// inForce reports whether dates and locations let the rule speak at all.
func (e *explaining) inForce(h *head) bool {
	ok, _ := e.applies(&head{from: h.from, until: h.until, locations: h.locations, variant: h.variant})
	return ok
}

// orderRules explains the rules that come before any option is looked at.
func (e *explaining) orderRules() {
	held := false
	for i := range e.bundle.holds {
		held = e.hold(&e.bundle.holds[i], held) || held
	}
	for i := range e.bundle.sets {
		h := &e.bundle.sets[i].head
		if held {
			e.unasked("set", h, "because the order is held")
		} else if e.inVariant(&h.variant) {
			e.set(&e.bundle.sets[i])
		}
	}
}

// hold explains one rule of hold and reports whether it is the one that holds the order; held says that one before it does.
func (e *explaining) hold(rule *holdRule, held bool) bool {
	by := e.d.Plan.Hold
	switch {
	case held:
		e.unasked("hold", &rule.head, fmt.Sprintf("because %q holds the order", by.Rule))
		return false
	case e.in.overruled(rule.name, false):
		e.unasked("hold", &rule.head, "because a person has released the order from it")
		return false
	case e.in.overruled(rule.name, rule.duration > 0):
		e.unasked("hold", &rule.head, "because the order has waited its time")
		return false
	}
	holds := by != nil && by.Rule == rule.name && e.inVariant(&rule.variant)
	if holds {
		e.rule("HELD by", &rule.head)
	} else {
		e.rule("hold passed over", &rule.head)
	}
	if ok, err := e.applies(&rule.head); rule.until != nil && ok && err == nil {
		e.line("    until")
		e.tree(rule.until)
		if !holds && !slices.ContainsFunc(e.d.Plan.Faults, func(f Fault) bool { return f.Rule == rule.name }) {
			e.line("    -> what it waits for has come")
		}
	}
	return holds
}

// set explains one rule of set, in the form that it has at this location.
func (e *explaining) set(rule *setRule) {
	verdict := "set passed over"
	var did []string
	for _, a := range e.d.Plan.Set.By {
		if a.Rule != rule.name {
			continue
		}
		verdict = "SET by"
		over := ""
		if a.OverwrittenBy != "" {
			over = fmt.Sprintf(", overwritten by %q", a.OverwrittenBy)
		}
		did = append(did, a.Attribute+" = "+a.Value+over)
	}
	e.rule(verdict, &rule.head)
	e.values(rule.formulas()...)
	for _, what := range did {
		e.line("    -> %s", what)
	}
}

// unasked names a rule that was not asked, unless another form of it speaks at this location.
func (e *explaining) unasked(what string, h *head, because string) {
	if e.inVariant(&h.variant) {
		e.line("  %s %q not evaluated, %s", what, h.name, because)
	}
}

func (e *explaining) lets() {
	e.held = false
	for i := range e.bundle.orderLets {
		e.letOf("", &e.bundle.orderLets[i])
	}
}

// optionLets explains the named expressions of some stages that speak of the option.
func (e *explaining) optionLets(least, most int) {
	e.held = false
	for i := range e.bundle.optionLets {
		if l := &e.bundle.optionLets[i]; l.stage >= least && l.stage <= most {
			e.letOf("  ", l)
		}
	}
}

// letOf explains what a name stands for. Of one that cannot be computed it says what comes of that, since it may be that no rule has come to it.
func (e *explaining) letOf(margin string, l *let) {
	e.line("%slet %s", margin, l.name)
	e.tree(l.formula)
	if _, err := e.let(l.name); err != nil {
		e.line("    -> a rule that comes to it fails")
	}
}

// best lists the options as they are ranked, the excluded ones last.
func (e *explaining) best() []int {
	places := make([]int, len(e.d.Options))
	for i := range places {
		places[i] = i
	}
	rank := func(i int) int {
		if r := e.d.Options[i].Rank; r > 0 {
			return r
		}
		return len(places) + 1
	}
	slices.SortStableFunc(places, func(a, b int) int { return rank(a) - rank(b) })
	return places
}

func (e *explaining) option(i int) {
	o := &e.d.Options[i]
	who := selector{o.Account, o.Service}
	if e.d.Plan.Hold != nil {
		e.line("option %s  fee %s  not looked at, because the order is held", who, o.Fee)
		return
	}
	vars := e.optionOf(o.Account, &o.Quote)
	e.look(&vars, stageQuote)
	e.account, e.service = o.Account, o.Service
	switch {
	case o.Excluded:
		e.line("option %s  EXCLUDED  fee %s", who, o.Fee)
	case o.Score == nil:
		e.line("option %s  rank %d  no score  fee %s", who, o.Rank, o.Fee)
	default:
		e.line("option %s  rank %d  score %s  fee %s  cost %s%s", who, o.Rank, e.sum(o), o.Fee, o.Cost, charged(o.Charge))
	}
	if slices.ContainsFunc(e.d.Plan.Excluded, func(x Exclusion) bool {
		return x.Account == o.Account && (x.Service == "" || x.Service == o.Service)
	}) {
		e.line("  quoted although it was excluded before; see above")
		return
	}
	e.optionLets(stageOrder, stageQuote)
	for _, x := range e.d.Excluded {
		if x.Phase == PhaseBuiltin && x.Account == o.Account && (x.Service == "" || x.Service == o.Service) {
			e.line("  OUT without a rule: %s", x.Reason)
		}
	}
	for n := range e.bundle.excludes {
		rule := &e.bundle.excludes[n]
		if !selects(rule.only, o.Account, o.Service) {
			continue
		}
		verdict := "exclude passed over"
		for _, x := range e.d.Excluded {
			if x.Rule == rule.name && x.Account == o.Account && (x.Service == "" || x.Service == o.Service) {
				verdict = "EXCLUDED by"
			}
		}
		e.rule(verdict, &rule.head)
	}
	if o.Excluded && !slices.ContainsFunc(e.d.Excluded, func(x Exclusion) bool { return late(x, o) }) {
		return
	}
	for n := range e.bundle.adjusts {
		rule := &e.bundle.adjusts[n]
		if selects(rule.only, o.Account, o.Service) {
			e.rule(e.adjusted(rule.name, o), &rule.head)
			for _, a := range []*amount{rule.add, rule.charge} {
				if a != nil && a.formula != nil && e.inForce(&rule.head) && e.inVariant(&rule.variant) {
					e.tree(a.formula)
				}
			}
		}
	}
	vars.Cost = o.Cost
	e.look(&vars, stageQuote) // what a let makes of the cost is another now
	e.m.Vars["best"] = e.again.best()
	e.line("  score")
	e.held = true
	e.tree(e.bundle.rank.whole)
	e.values(e.bundle.rank.ties...)
	e.held = false
	e.m.Vars["chosen"] = &vars
	e.guards(i)
}

// guards explains what the guards say of an option. They are not asked about one that a choose rule has taken out.
func (e *explaining) guards(i int) {
	o := &e.d.Options[i]
	because := ""
	for _, x := range e.d.Excluded {
		if x.Phase == PhaseChoose && late(x, o) {
			e.line("  OUT by %q: %s", x.Rule, x.Reason)
			because = fmt.Sprintf("because %q took the option out before", x.Rule)
		}
	}
	for n := range e.bundle.guards {
		if rule := &e.bundle.guards[n]; because != "" {
			e.unasked("guard", &rule.head, because)
		} else if e.inVariant(&rule.variant) {
			e.guard(rule, i)
		}
	}
}

// late reports whether an exclusion took an option out after it was ranked.
func late(x Exclusion, o *Option) bool {
	return (x.Phase == PhaseChoose || x.Phase == PhaseGuard) && x.Account == o.Account && x.Service == o.Service
}

// guard explains what one guard says of one option.
func (e *explaining) guard(rule *guardRule, i int) {
	o := &e.d.Options[i]
	verdict, reason := "guard kept", ""
	for _, b := range e.d.Guards {
		if b.Guard == rule.name && b.of(o) {
			verdict, reason = map[string]string{"next": "OUT by guard", "hold": "HELD by guard", "warn": "WARNED by guard"}[b.Action], b.Reason
		}
	}
	if reason == "" {
		if over, err := e.again.breach(rule, i); over != "" || err != nil {
			verdict, reason = "guard without effect", "-> "+e.spared(rule, o)
		} else if ok, _ := e.again.bounded(rule); !ok {
			verdict = "guard passed over"
		}
	}
	e.rule(verdict, &rule.head)
	if !e.inForce(&rule.head) {
		return
	}
	if e.held {
		e.bounds(rule, o)
		for _, f := range rule.formulas() {
			e.tree(f)
		}
	}
	if reason != "" {
		e.line("    %s", reason)
	}
}

// spared says why nothing came of a guard that an option goes beyond.
func (e *explaining) spared(rule *guardRule, o *Option) string {
	switch {
	case rule.breach == "hold" && e.in.overruled(rule.name, false):
		return "a person has released the order from it"
	case o.Excluded:
		return "another guard took the option out"
	}
	return "it warns of the option that leads alone"
}

// formulas are what a guard computes beside its conditions.
func (g *guardRule) formulas() []*formula.Formula { return formulasOf(g.maxFee, g.budget) }

func charged(m shipping.Money) string {
	if m.IsZero() {
		return ""
	}
	return "  charge " + m.String()
}

func (e *explaining) adjusted(rule string, o *Option) string {
	for _, a := range e.d.Adjusted {
		if a.Rule == rule && a.Account == o.Account && a.Service == o.Service && a.ID == o.ID {
			return strings.TrimSpace(fmt.Sprintf("ADJUSTED %s%s by", a.Add, charged(a.Charge)))
		}
	}
	return "adjust passed over"
}

// sum shows what the terms of a score contributed: "17.30 = 8.50 (dollars(option.cost)) + 8.80 (…)".
func (e *explaining) sum(o *Option) string {
	if len(o.Terms) < 2 {
		return decimals(*o.Score)
	}
	parts := make([]string, len(o.Terms))
	for i, t := range o.Terms {
		parts[i] = fmt.Sprintf("%s (%s)", decimals(t), e.d.ScoreTerms[i])
	}
	return decimals(*o.Score) + " = " + strings.Join(parts, " + ")
}

// decides is the second half of the decision as it was before guards and choose rules took anything out.
func (e *explaining) decides() *deciding {
	r := &deciding{run: e.run, d: e.d, vars: make([]option, len(e.d.Options)), spends: make([][]Spend, len(e.d.Options))}
	for i := range e.d.Options {
		o := &e.d.Options[i]
		if r.vars[i] = e.optionOf(o.Account, &o.Quote); e.d.wasRanked(o) {
			r.eligible = append(r.eligible, i)
		}
	}
	return r
}

// warns explains the rules that speak of the winner.
func (e *explaining) warns() {
	for i := range e.d.Options {
		o := &e.d.Options[i]
		if e.d.Winner == nil || o.Rank != 1 {
			continue
		}
		vars := e.optionOf(o.Account, &o.Quote)
		vars.Cost = o.Cost
		e.m.Vars["chosen"] = &vars
		for n := range e.bundle.warns {
			h := &e.bundle.warns[n].head
			verdict := "warn passed over"
			if slices.ContainsFunc(e.d.Warnings, func(w Warning) bool { return w.Rule == h.name }) {
				verdict = "WARNED by"
			}
			e.rule(verdict, h)
		}
	}
}

// rest explains the rules that look at the ranking as a whole.
func (e *explaining) rest() {
	delete(e.m.Vars, "option")
	e.account, e.service = "", ""
	if e.d.Plan.Hold != nil {
		e.failures()
		return
	}
	e.line("all options")
	e.chooses()
	for i := range e.bundle.fallbacks {
		rule := &e.bundle.fallbacks[i]
		if e.d.Hold != nil {
			e.unasked("fallback", &rule.head, "because the order is held")
			continue
		}
		e.rule("fallback", &rule.head)
		e.values(rule.formulas()...)
		for _, f := range e.d.Fallback {
			if f.Rule == rule.name && e.inVariant(&rule.variant) {
				e.line("    -> %s", f)
			}
		}
	}
	e.warns()
	for _, w := range e.d.Warnings {
		e.line("warning (%s) by %q: %s", w.Level, w.Rule, w.Message)
	}
	if n := e.d.None; n != nil {
		e.line("none: wait %s, %d tries, notify %q: %s", time.Duration(n.HoldFor), n.Retry, n.Notify, n.Message)
	}
	e.failures()
	e.summary()
}

// chooses explains the rules of choose down to the one that spoke.
func (e *explaining) chooses() {
	c := e.d.Choose
	spoke := false
	for i := range e.bundle.chooses {
		h := &e.bundle.chooses[i].head
		switch {
		case spoke:
			e.unasked("choose", h, fmt.Sprintf("because %q has spoken", c.Rule))
		case c != nil && c.Rule == h.name && e.inVariant(&h.variant):
			e.rule(strings.TrimSpace(map[bool]string{true: "CHOSEN (", false: "ASKED FOR ("}[e.d.Winner != nil && e.d.Heeded()]+c.Kind+" "+c.Arm)+") by", h)
			e.values(e.bundle.chooses[i].formulas()...)
			e.chosen(c)
			spoke = true
		default:
			e.rule("choose passed over", h)
		}
	}
}

func (e *explaining) failures() {
	for _, f := range e.d.Faults {
		e.line("%s: %s", strings.TrimSpace(fmt.Sprintf("FAILED %s %q %s", f.Phase, f.Rule, selector{f.Account, f.Service})), f.Message)
	}
}
