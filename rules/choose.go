package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/formula"
)

var errNoNumber = errors.New("the result is not a finite number")

// choose applies the first choose rule whose condition holds.
func (r *deciding) choose() {
	r.phase = PhaseChoose
	delete(r.m.Vars, "option")
	for i := range r.bundle.chooses {
		rule := &r.bundle.chooses[i]
		if !r.holds(&rule.head) {
			continue
		}
		chosen := rule.chosen()
		first := slices.Clone(r.eligible)
		switch rule.kind {
		case "prefer":
			r.prefer(rule.list)
		case "only":
			r.only(rule)
		case "split":
			key, err := r.eval(rule.by)
			if err != nil {
				r.fault(rule.name, err)
				continue
			}
			chosen.Bucket = formula.Bucket(rule.experiment, key.(string))
			chosen.Arm = armOf(rule.arms, chosen.Bucket)
			if chosen.Arm != "rank" {
				account, service, _ := strings.Cut(chosen.Arm, "/")
				r.prefer([]selector{{account, service}})
			}
		}
		chosen.Moved = len(r.eligible) > 0 && r.eligible[0] != first[0]
		r.d.Choose, r.alone = chosen, first
		return
	}
}

// moved writes down, once the guards have spoken, whether a choose rule has made another option lead than the ranking alone. Schema 1 says it of
// the order before the guards.
func (r *deciding) moved() {
	c := r.d.Choose
	if c == nil || r.d.Schema == 1 {
		return
	}
	c.Moved = false
	if len(r.eligible) == 0 {
		return
	}
	for _, i := range r.alone {
		if i == r.eligible[0] {
			break
		}
		if !r.outAnyway(i) {
			led := &r.d.Options[i]
			c.Moved, c.Instead = true, selector{led.Account, led.Service}.String()
			break
		}
	}
	delete(r.m.Vars, "option")
}

// outAnyway reports whether a guard takes an option out wherever it stands in the ranking.
func (r *deciding) outAnyway(i int) bool {
	if slices.Contains(r.eligible, i) || len(r.bundle.guards) == 0 {
		return false
	}
	r.look(&r.vars[i], stageQuote)
	r.m.Vars["chosen"] = &r.vars[i]
	for n := range r.bundle.guards {
		if rule := &r.bundle.guards[n]; rule.breach == "next" {
			if reason, err := r.breach(rule, i); reason != "" || err != nil {
				return true
			}
		}
	}
	return false
}

// chosen is what a rule says of itself, whatever the order.
func (rule *chooseRule) chosen() *Chosen {
	c := &Chosen{Rule: rule.name, Kind: rule.kind, Experiment: rule.experiment}
	if rule.when != nil {
		c.When = rule.when.Source
	}
	for _, s := range rule.list {
		c.List = append(c.List, s.String())
	}
	for _, a := range rule.arms {
		c.Arms = append(c.Arms, Arm{To: a.to, Percent: a.percent})
	}
	if rule.by != nil {
		c.By = rule.by.Source
	}
	return c
}

// asksFor reports whether an option is what the rule asks for, of a split the part that the order falls to.
func (c *Chosen) asksFor(o *Option) bool {
	list := c.List
	if c.Kind == "split" {
		list = []string{c.Arm}
	}
	return slices.ContainsFunc(list, func(s string) bool {
		account, service, _ := strings.Cut(s, "/")
		return selector{account, service}.matches(o.Account, o.Service)
	})
}

// Heeded reports whether the option that leads is one that the choose rule asks for. It is not where guards, or carriers that gave no offer,
// have left none of these. A record of schema 1 says of a split alone what it asks for; of other rules of it Heeded is Moved.
func (d *Decision) Heeded() bool {
	c, leads := d.Choose, d.leader()
	switch {
	case c == nil || leads == nil:
		return false
	case c.Kind == "split" && c.Arm == "rank":
		return true
	case c.Kind != "split" && len(c.List) == 0:
		return c.Moved
	}
	return c.asksFor(leads)
}

// Denied lists the exclusions by guards of what the choose rule asks for.
func (d *Decision) Denied() []Exclusion {
	var out []Exclusion
	for i := range d.Options {
		o := &d.Options[i]
		if d.Choose == nil || !d.Choose.asksFor(o) {
			continue
		}
		for _, x := range d.Excluded {
			if x.Phase == PhaseGuard && late(x, o) && !slices.Contains(out, x) {
				out = append(out, x)
			}
		}
	}
	return out
}

// Wants says for people what the rule wants: "prefer own_fleet, doordash". Of a record of schema 1 only the kind is known, and of a split the part.
func (c *Chosen) Wants() string {
	if c.Kind != "split" {
		return strings.TrimSpace(c.Kind + " " + strings.Join(c.List, ", "))
	}
	if len(c.Arms) == 0 {
		return fmt.Sprintf("split: number %d of 0 to 99 in experiment %q falls to %s", c.Bucket, c.Experiment, c.Arm)
	}
	parts := make([]string, len(c.Arms))
	for i, a := range c.Arms {
		parts[i] = fmt.Sprintf("%s %d", a.To, a.Percent)
	}
	return fmt.Sprintf("split %s by %s: number %d of 0 to 99 in experiment %q falls to %s", strings.Join(parts, ", "), c.By, c.Bucket, c.Experiment, c.Arm)
}

func armOf(arms []arm, bucket int) string {
	for _, a := range arms {
		if bucket -= a.percent; bucket < 0 {
			return a.to
		}
	}
	return "rank"
}

// prefer moves what the list names to the front, in the list's order; within one entry, and for the rest, the ranking stays.
func (r *deciding) prefer(list []selector) {
	place := func(i int) int {
		o := &r.d.Options[i]
		n := slices.IndexFunc(list, func(s selector) bool { return s.matches(o.Account, o.Service) })
		if n < 0 {
			return len(list)
		}
		return n
	}
	slices.SortStableFunc(r.eligible, func(a, b int) int { return place(a) - place(b) })
}

// only takes out everything that the list does not name.
func (r *deciding) only(rule *chooseRule) {
	var kept []int
	for _, i := range r.eligible {
		o := &r.d.Options[i]
		if selects(rule.list, o.Account, o.Service) {
			kept = append(kept, i)
			continue
		}
		o.Excluded = true
		r.d.Excluded = append(r.d.Excluded, exclusion(o.Account, o.Service, rule.name, "is not among the chosen ones", PhaseChoose))
	}
	r.eligible = kept
}

// settle writes the ranking down.
func (r *deciding) settle() {
	for rank, i := range r.eligible {
		o := &r.d.Options[i]
		o.Rank = rank + 1
		if r.d.Hold != nil {
			continue
		}
		c := Choice{ID: o.ID, Account: o.Account, Service: o.Service, Fee: o.Fee, Charge: o.Charge}
		if r.spends != nil {
			c.Spends = r.spends[i]
		}
		r.d.Ranked = append(r.d.Ranked, c)
	}
	if len(r.d.Ranked) > 0 {
		winner := r.d.Ranked[0]
		r.d.Winner = &winner
	}
}

func (r *deciding) fallbacks() {
	if r.d.Hold != nil {
		return
	}
	r.phase = PhaseFallback
	for i := range r.bundle.fallbacks {
		rule := &r.bundle.fallbacks[i]
		if !r.holds(&rule.head) {
			continue
		}
		f := rule.fallback
		if rule.extra != nil {
			base := r.order.Total
			if r.d.Winner != nil {
				base = r.d.Winner.Fee
			}
			var err error
			if f.ExtraCost, err = rule.extra.eval(r.m, base); err != nil {
				r.fault(rule.name, err)
				continue
			}
		}
		r.d.Fallback = append(r.d.Fallback, f)
	}
}

func (r *deciding) warn() {
	if r.d.Winner == nil {
		return
	}
	r.phase = PhaseWarn
	r.m.Vars["chosen"] = &r.vars[r.eligible[0]]
	for i := range r.bundle.warns {
		rule := &r.bundle.warns[i]
		if r.holds(&rule.head) {
			r.d.Warnings = append(r.d.Warnings, Warning{Rule: rule.name, Level: rule.level, Message: r.text(rule.name, rule.message)})
		}
	}
	r.warnOfScores()
	slices.SortFunc(r.d.Warnings, func(a, b Warning) int { return strings.Compare(a.Rule, b.Rule) })
}

// warnOfScores tells of options whose score could not be computed: they came last, which the author of the score has not meant.
func (r *deciding) warnOfScores() {
	var who []string
	for _, i := range r.eligible {
		if o := &r.d.Options[i]; o.Score == nil {
			who = append(who, selector{o.Account, o.Service}.String())
		}
	}
	if len(who) == 0 {
		return
	}
	slices.Sort(who)
	r.d.Warnings = append(r.d.Warnings, Warning{Rule: "score", Level: "high",
		Message: "The score of the ranking could not be computed for " + strings.Join(slices.Compact(who), ", ") + "; options without a score come last, the cheapest of them first."})
}

func (r *deciding) none() {
	rule := r.bundle.none
	if r.d.Winner != nil || r.d.Hold != nil || rule == nil {
		return
	}
	r.phase = PhaseNone
	n := rule.none
	slices.SortFunc(r.d.Excluded, byPlace)
	r.m.Vars["reasons"] = r.d.reasons()
	n.Message = r.text("none", rule.message)
	r.d.None = &n
}
