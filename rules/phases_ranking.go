package rules

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules/internal/formula"
)

func (r *reading) choose() {
	rule := chooseRule{head: r.head}
	kinds := 0
	for _, kind := range []string{"prefer", "only", "split"} {
		n := r.member(kind)
		if n == nil {
			continue
		}
		kinds++
		rule.kind = kind
		if kind == "split" {
			r.split(&rule, n)
			continue
		}
		for _, item := range r.some(n, kind, "name a provider or a service") {
			if s, ok := r.selector(r.source, item, false); ok {
				rule.list = append(rule.list, s)
			}
		}
	}
	if kinds != 1 {
		r.fault(r.node, "E502", "a rule of choose has one of prefer, only and split", "prefer: [own_fleet] puts it first, only: […] leaves nothing else")
	}
	if r.enabled {
		r.bundle.chooses = append(r.bundle.chooses, rule)
	}
}

// split reads { roadie: 15, rank: 85, by: order.id, experiment: roadie-share }.
func (r *reading) split(rule *chooseRule, n *yaml.Node) {
	sum := 0
	rule.experiment = rule.name
	for _, p := range r.mapping(n, "split", nil) {
		switch p.key {
		case "by":
			rule.by = r.formula(r.source, p.value, r.env, formula.Text)
		case "experiment":
			rule.experiment = r.text(p.value, "experiment")
		default:
			if p.key != "rank" {
				if _, ok := r.selector(r.source, p.node, false); !ok {
					continue
				}
			}
			percent := r.whole(p.value, p.key, 0, 100)
			sum += percent
			rule.arms = append(rule.arms, arm{p.key, percent})
		}
	}
	if r.sound() && sum != 100 {
		r.fault(n, "E505", fmt.Sprintf("the parts of the split make %d, not 100", sum), "rank: takes the orders that stay with the ranking")
	}
	if r.member("split") != nil && rule.by == nil {
		rule.by = r.formula(r.source, &yaml.Node{Kind: yaml.ScalarNode, Value: "order.id", Line: n.Line, Column: n.Column}, r.env, formula.Text)
	}
}

// FallbackEvents are what a fallback rule can be about. pickup_late_<n>m is one for every number of minutes.
var FallbackEvents = []string{"booking_failed", "cancelled_by_carrier", "no_driver", "provider_down", "pickup_late_15m"}

const latePickup = "pickup_late_"

// LatePickup returns after how many minutes the event pickup_late_<n>m is; ok is false of any other.
func LatePickup(event string) (minutes int, ok bool) {
	span, late := strings.CutPrefix(event, latePickup)
	number, whole := strings.CutSuffix(span, "m")
	minutes, err := strconv.Atoi(number)
	return minutes, late && whole && err == nil && minutes > 0 && minutes < 1_000_000 && number[0] != '+'
}

// event reads what a fallback rule can be about.
func (s *source) event(n *yaml.Node) string {
	event := s.text(n, "an event")
	if strings.HasPrefix(event, latePickup) {
		if _, ok := LatePickup(event); !ok {
			s.fault(n, "E505", fmt.Sprintf("%q is not an event", event), "say how many minutes late: pickup_late_15m")
		}
	} else if event != "" && !slices.Contains(FallbackEvents, event) {
		s.guess(n, "E108", fmt.Sprintf("there is no event %q", event), FallbackEvents)
	}
	return event
}

func (r *reading) fallback() {
	rule := fallbackRule{head: r.head, fallback: Fallback{Rule: r.head.name}}
	if n := r.member("on"); n == nil {
		r.fault(r.node, "E502", "the rule does not say on which events", "on: [cancelled_by_carrier, no_driver]")
	} else {
		for _, item := range r.some(n, "on", "on: [cancelled_by_carrier, no_driver]") {
			rule.fallback.On = append(rule.fallback.On, r.event(item))
		}
	}
	if n := r.member("steps"); n == nil {
		r.fault(r.node, "E502", "the rule has no steps", "steps: [ next_ranked, { notify: manager } ]")
	} else {
		for _, item := range r.some(n, "steps", "steps: [ next_ranked, { notify: manager } ]") {
			rule.fallback.Steps = append(rule.fallback.Steps, r.step(item))
		}
	}
	if n := r.member("limit"); n != nil {
		for _, p := range r.mapping(n, "limit", []string{"attempts", "within", "extra_cost"}) {
			switch p.key {
			case "attempts":
				rule.fallback.Attempts = r.whole(p.value, "attempts", 1, 50)
			case "within":
				rule.fallback.Within = r.duration(p.value, "within")
			case "extra_cost":
				rule.extra = r.bound(p.value, "extra_cost")
			}
		}
	}
	if n := r.member("use"); n != nil && r.oneOf(n, "use", []string{"pinned", "latest"}) == "latest" {
		rule.fallback.Version = "latest"
	}
	if n := r.member("requote"); n != nil {
		rule.fallback.Requote = r.oneOf(n, "requote", []string{"always", "never", "expired"})
	}
	if r.enabled {
		r.bundle.fallbacks = append(r.bundle.fallbacks, rule)
	}
}

const stepForms = "next_ranked, { use: own_fleet }, { hold_for: 30m } or { notify: manager }"

func (r *reading) step(n *yaml.Node) Step {
	if n.Kind == yaml.ScalarNode {
		t, hint := r.text(n, "a step"), "a step is "+stepForms
		if account, _, _ := strings.Cut(t, "/"); slices.Contains(r.providers, account) {
			hint = fmt.Sprintf("write { use: %s }", t)
		}
		if t != "" && t != "next_ranked" {
			r.home(n).report(Problem{Code: "E505", Line: n.Line, Column: n.Column, End: n.Column + width(n), Sentence: fmt.Sprintf("a step cannot be %q", t), Hint: hint,
				DidYouMean: formula.Suggest(t, []string{"next_ranked"})})
		}
		return Step{NextRanked: true}
	}
	var s Step
	kinds := 0
	for _, p := range r.mapping(n, "a step", []string{"use", "if_available", "hold_for", "notify"}) {
		kinds++
		switch p.key {
		case "use":
			if sel, ok := r.selector(r.source, p.value, false); ok {
				s.Use = sel.String()
			}
		case "if_available":
			kinds--
			s.IfAvailable = r.truth(p.value, p.key)
		case "hold_for":
			s.HoldFor = r.duration(p.value, p.key)
		case "notify":
			s.Notify = r.text(p.value, p.key)
		}
	}
	if kinds != 1 {
		r.fault(n, "E502", "a step does one thing", stepForms)
	}
	return s
}

func (r *reading) warn() {
	rule := warnRule{head: r.head, level: "normal", message: r.optionalTemplate("message", r.env)}
	if r.member("message") == nil {
		r.fault(r.node, "E502", "the rule has no message", "")
	}
	if n := r.member("level"); n != nil {
		rule.level = r.oneOf(n, "level", []string{"low", "normal", "high"})
	}
	if r.enabled {
		r.bundle.warns = append(r.bundle.warns, rule)
	}
}

// strategies are rankings with a name.
var strategies = map[string]struct {
	score string
	ties  []string
}{
	"cheapest": {"dollars(option.cost)", []string{"mins(option.dropoff_in)"}},
	"fastest":  {"mins(option.dropoff_in)", []string{"dollars(option.cost)"}},
}

func (c *checker) strategy(name string) rankRule {
	s := strategies[name]
	rule := rankRule{texts: []string{s.score}}
	compile := func(src string) *formula.Formula {
		f, problem := c.env.rank.CompileWithin(&c.steps, src, formula.Number)
		if problem != nil {
			panic("strategy " + name + ": " + problem.Message)
		}
		return f
	}
	rule.whole = compile(s.score)
	rule.terms = []*formula.Formula{rule.whole}
	for _, t := range s.ties {
		rule.ties = append(rule.ties, compile(t))
	}
	return rule
}

func (c *checker) readRank(d *document, n *yaml.Node) {
	var rule rankRule
	var score, strategy, ties *yaml.Node
	for _, p := range d.mapping(n, "rank", []string{"score", "strategy", "ties", "about"}) {
		switch p.key {
		case "score":
			score = p.value
		case "strategy":
			strategy = p.value
		case "ties":
			ties = p.value
		case "about":
			d.text(p.value, "about")
		}
	}
	switch {
	case score != nil && strategy != nil:
		d.fault(strategy, "E505", "score and strategy exclude each other", "keep one of them")
		return
	case score != nil:
		if rule.whole = c.formula(d.source, score, c.env.rank, formula.Number); rule.whole == nil {
			return
		}
		c.terms(&rule)
		if !finite(&rule) {
			d.fault(score, "E206", "the score, or a part of it, is never a finite number", "a part of it is divided by zero, or is larger than numbers can be")
			return
		}
	default:
		name := "cheapest"
		if strategy != nil {
			name = d.oneOf(strategy, "strategy", []string{"cheapest", "fastest"})
		}
		if name == "" {
			return
		}
		rule = c.strategy(name)
	}
	if ties != nil {
		rule.ties = nil
		for _, item := range d.items(ties, "ties") {
			if f := c.formula(d.source, item, c.env.rank, formula.Number, formula.Text); f != nil {
				rule.ties = append(rule.ties, f)
			}
		}
	}
	rule.file, rule.line = d.name, n.Line
	c.bundle.rank = rule
}

// terms splits the score into its summands, so that a decision can show what each contributed.
func (c *checker) terms(rule *rankRule) {
	rule.texts = rule.whole.Summands()
	for _, text := range rule.texts {
		f, problem := c.env.rank.CompileWithin(&c.steps, text, formula.Number)
		if problem != nil { // a summand that is no number by itself: keep the sum whole
			rule.texts, rule.terms = []string{strings.TrimSpace(rule.whole.Source)}, []*formula.Formula{rule.whole}
			return
		}
		rule.terms = append(rule.terms, f)
	}
}

// finite reports whether the parts of the score that depend on nothing have a value.
func finite(rule *rankRule) bool {
	m := formula.NewMachine()
	defer m.Release()
	for _, f := range rule.terms {
		if len(f.Uses) > 0 {
			continue
		}
		v, err := m.Eval(f)
		if n, isFloat := v.(float64); err != nil || isFloat && (math.IsNaN(n) || math.IsInf(n, 0)) {
			return false
		}
	}
	return true
}

func (c *checker) readNone(d *document, n *yaml.Node) {
	rule := &noneRule{}
	c.bundle.none = rule
	before := len(c.problems)
	for _, p := range d.mapping(n, "none", []string{"hold_for", "retry", "then"}) {
		switch p.key {
		case "hold_for":
			rule.none.HoldFor = d.duration(p.value, p.key)
		case "retry":
			rule.none.Retry = d.whole(p.value, p.key, 1, 1000)
		case "then":
			for _, t := range d.mapping(p.value, "then", []string{"hold", "notify", "message"}) {
				switch t.key {
				case "hold":
					rule.none.Hold = d.truth(t.value, t.key)
				case "notify":
					rule.none.Notify = d.text(t.value, t.key)
				case "message":
					rule.message = c.template(d.source, t.value, t.key, c.env.none)
				}
			}
		}
	}
	if len(c.problems) == before && rule.none.Retry > 0 && rule.none.HoldFor == 0 {
		d.fault(n, "E502", "retry needs hold_for", "hold_for: 3m says how long to wait before each try")
	}
	if rule.none.HoldFor > 0 && rule.none.Retry == 0 {
		rule.none.Retry = 1
	}
}
