package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules/internal/formula"
)

// head is what all rules have in common.
type head struct {
	name      string
	when      *formula.Formula // nil is always
	applies   *formula.Formula // of a guard: for which options it is asked; nil is all
	from      string           // first and last day in the location's zone, "" for open
	until     string
	locations []string // ids and tag:<tag>; empty for all
	variant
	file     string
	phase    string
	node     *yaml.Node // as it stands in the file
	column   int
	line     int // of the rule, and of its condition
	whenLine int
}

// conditions are those that decide whether a rule speaks, the first first.
func (h *head) conditions() []*formula.Formula {
	var out []*formula.Formula
	for _, f := range []*formula.Formula{h.when, h.applies} {
		if f != nil {
			out = append(out, f)
		}
	}
	return out
}

// anyRule is a rule of any phase.
type anyRule interface {
	common() *head
	formulas() []*formula.Formula // that stand beside its conditions
}

func (h *head) common() *head { return h }

func (h *head) formulas() []*formula.Formula { return nil } // of most phases

type holdRule struct {
	head
	until    *formula.Formula // nil: until released, or until a duration has passed
	duration Duration
	reason   *template
}

type excludeRule struct {
	head
	stage  int
	only   []selector // nil is every option
	reason *template
}

type adjustRule struct {
	head
	only   []selector
	add    *amount
	charge *amount
	reason *template
}

type rankRule struct {
	terms []*formula.Formula
	texts []string
	whole *formula.Formula
	ties  []*formula.Formula
	file  string
	line  int
}

type chooseRule struct {
	head
	kind       string // prefer, only, split
	list       []selector
	arms       []arm
	by         *formula.Formula
	experiment string
}

// arm is one part of a split: percent of the orders go to a provider, or stay with the ranking.
type arm struct {
	to      string
	percent int
}

type fallbackRule struct {
	head
	fallback Fallback
	extra    *amount
}

type warnRule struct {
	head
	message *template
	level   string
}

type noneRule struct {
	none    None
	message *template
}

// selector is a provider, or one service of it.
type selector struct{ account, service string }

func (s selector) matches(account, service string) bool {
	return s.account == account && (s.service == "" || s.service == service)
}

func (s selector) String() string {
	if s.service == "" {
		return s.account
	}
	return s.account + "/" + s.service
}

func selects(list []selector, account, service string) bool {
	return list == nil || slices.ContainsFunc(list, func(s selector) bool { return s.matches(account, service) })
}

var commonKeys = []string{"name", "when", "enabled", "from", "until", "locations", "about", "id"}

// phases reads what a file says in each phase.
func (c *checker) phases(d *document) {
	for _, p := range d.members {
		switch p.key {
		case "hold", "set", "exclude", "adjust", "choose", "guard", "fallback", "warn":
			for _, n := range d.items(p.value, p.key) {
				if c.rulesRead++; c.rulesRead > maxRead {
					d.fault(n, "E401", fmt.Sprintf("the bundle has more than %d rules, those that are not enabled counted; the rest is not looked at", maxRead), "remove some")
					return
				}
				c.rule(d, p.key, n)
			}
		case "rank":
			d.where = "rank"
			if other := c.doubled(d.source, "rank", p.node); other != "" {
				d.fault(p.node, "E504", "the bundle ranks twice"+other, "keep one rank:")
			}
			c.bundle.rankNode = p.value
			for i := 0; i+1 < len(p.value.Content) && p.value.Kind == yaml.MappingNode; i += 2 {
				c.mark(d, p.value.Content[i].Value, p.value.Content[i+1]) // score and ties
			}
			c.readRank(d, p.value)
		case "none":
			d.where = "none"
			if other := c.doubled(d.source, "none", p.node); other != "" {
				d.fault(p.node, "E504", "the bundle has two none:"+other, "keep one of them")
			}
			c.bundle.noneNode = p.value
			c.mark(d, "none", p.node)
			c.readNone(d, p.value)
		}
		d.where = ""
	}
}

var phaseKeys = map[string][]string{
	"hold": {"for", "reason"}, "set": {"set"}, "exclude": {"providers", "services", "reason"},
	"adjust": {"providers", "services", "add", "charge", "reason"}, "choose": {"prefer", "only", "split"},
	"guard":    {"applies", "max_fee", "max_dropoff", "daily_budget", "per", "on_breach", "reason"},
	"fallback": {"on", "steps", "limit", "requote", "use"}, "warn": {"message", "level"},
}

// rule reads one rule of a phase, and its forms at the locations that patch it.
func (c *checker) rule(d *document, phase string, n *yaml.Node) {
	name := ""
	for i := 0; i+1 < len(n.Content) && n.Kind == yaml.MappingNode; i += 2 {
		if n.Content[i].Value == "name" {
			name = n.Content[i+1].Value
		}
	}
	places, forms := c.patched(d, phase, name, n)
	c.ruleForm(d, phase, name, n, variant{places, ""})
	for i, form := range forms {
		c.ruleForm(d, phase, name, form, variant{places, places[i]})
	}
}

// ruleForm reads one form of a rule. A rule that is not enabled is checked like any other, and then left out.
func (c *checker) ruleForm(d *document, phase, name string, n *yaml.Node, v variant) {
	if d.where = "a rule of " + phase; name != "" {
		d.where = ruleAt(name, phase, v.at)
	}
	before := len(c.problems)
	keys := append(slices.Clone(commonKeys), phaseKeys[phase]...)
	r := &reading{checker: c, document: d, node: n, enabled: true, before: before, head: head{variant: v, file: d.name, line: n.Line, column: n.Column, phase: phase, node: n}}
	r.members = d.mapping(n, "a rule of "+phase, keys)
	if len(r.members) == 0 && !r.sound() {
		return
	}
	r.env = c.env.order
	switch phase {
	case "exclude", "adjust":
		r.env = c.env.option
	case "warn":
		r.env = c.env.warn
	case "guard":
		r.env = c.env.guard
	}
	r.readName(phase)
	r.readHead(phase)
	map[string]func(){
		"hold": r.hold, "set": r.set, "exclude": r.exclude, "adjust": r.adjust, "choose": r.choose, "guard": r.guard, "fallback": r.fallback, "warn": r.warn,
	}[phase]()
}

// reading is one rule while it is read.
type reading struct {
	*checker
	*document
	node    *yaml.Node
	members []pair
	env     *formula.Env
	head    head
	enabled bool
	before  int // problems that there were before this rule
}

// sound reports whether nothing was found wrong with the rule so far; what is missing is only worth saying then.
func (r *reading) sound() bool { return len(r.problems) == r.before }

func (r *reading) member(key string) *yaml.Node {
	for _, p := range r.members {
		if p.key == key {
			return p.value
		}
	}
	return nil
}

// ruleAt says which rule a problem is of: of a phase, in its form at a place, "" for the usual one.
func ruleAt(name, phase, at string) string {
	where := fmt.Sprintf("rule %q (%s)", name, phase)
	if at != "" {
		where += " at " + at
	}
	return where
}

func (r *reading) readName(phase string) {
	n := r.member("name")
	if n == nil {
		r.fault(r.node, "E502", "the rule has no name", "name: what it does, in words; it is shown wherever the rule applied")
		return
	}
	r.head.name = r.text(n, "name")
	if r.where = ruleAt(r.head.name, phase, r.head.at); r.head.at != "" {
		return
	}
	if r.head.name != "" {
		if other := r.doubled(r.source, "rule "+r.head.name, n); other != "" {
			r.fault(n, "E504", fmt.Sprintf("two rules are named %q%s", r.head.name, other), "give each its own name")
		}
	}
	r.rules[r.head.name] = phase
}

func (r *reading) readHead(phase string) {
	for _, p := range r.members {
		switch p.key {
		case "when":
			r.head.whenLine = p.value.Line
			r.head.when = r.formula(r.source, p.value, r.env, formula.Bool)
		case "enabled":
			r.enabled = r.truth(p.value, "enabled")
		case "from":
			r.head.from = r.date(p.value, "from")
		case "until":
			if phase != "hold" { // there it says how long to wait
				r.head.until = r.date(p.value, "until")
			}
		case "locations":
			r.head.locations = r.places(p.value)
		case "about", "id":
			r.text(p.value, p.key)
		}
	}
	if r.head.from != "" && r.head.until != "" && r.head.from > r.head.until {
		r.fault(r.member("from"), "E505", "from is after until", "")
	}
}

// some reads a list that is not empty. An empty one is never what was meant: none of the keys that take one says "for nobody" by it.
func (s *source) some(n *yaml.Node, what, instead string) []*yaml.Node {
	items := s.items(n, what)
	if n.Kind == yaml.SequenceNode && len(items) == 0 {
		s.fault(n, "E502", what+" is empty", instead)
	}
	return items
}

// places reads the locations of a rule: ids and tag:<tag>.
func (r *reading) places(n *yaml.Node) []string {
	var out []string
	for _, item := range r.some(n, "locations", "name a location or tag:<tag>, or leave it out for all; enabled: false ends a rule") {
		place := r.text(item, "an entry of locations")
		if place == "tag:" {
			r.fault(item, "E505", "tag: names no tag", "write tag:airport, in quotes where it stands in brackets")
		}
		r.place(r.source, item)
		out = append(out, place)
	}
	return out
}

func (r *reading) date(n *yaml.Node, what string) string {
	t := n.Value
	if _, err := time.Parse(time.DateOnly, t); err != nil {
		r.fault(n, "E505", fmt.Sprintf("%s is not a date: %q", what, t), "write 2026-12-24; the day counts in the location's zone")
		return ""
	}
	return t
}

func (r *reading) optionalTemplate(key string, env *formula.Env) *template {
	if n := r.member(key); n != nil {
		return r.template(r.source, n, key, env)
	}
	return nil
}

// momentWords are how people say when, in words or as a time of day.
var momentWords = regexp.MustCompile(`^(?i:(?:(?:next|this|the|in|a|an|until) +)*(?:tomorrow|today|tonight|noon|midnight|morning|afternoon|evening|opening|open|week|weekend|day|hour|mon|tue|wed|thu|fri|sat|sun|(?:mon|tues|wednes|thurs|fri|satur|sun)day)s?(?: +(?:morning|noon|afternoon|evening|night))?|\d{1,2}(?::\d\d){0,2} ?(?:am|pm)?)$`)

func (r *reading) hold() {
	rule := holdRule{head: r.head, reason: r.optionalTemplate("reason", r.env)}
	until, wait := r.member("until"), r.member("for")
	switch {
	case until != nil && wait != nil:
		r.fault(wait, "E505", "until and for exclude each other", "keep one of them")
	case wait != nil:
		rule.duration = r.duration(wait, "for")
	case until == nil:
		r.fault(r.node, "E502", "the rule does not say how long to hold", "give until: released, until: a moment, or for: 30m")
	case momentWords.MatchString(until.Value) && r.env.Vars[until.Value] == nil:
		r.fault(until, "E505", fmt.Sprintf("%q is no moment that rules know", until.Value), "write location.next_opening, location.next_business_morning, local.now + hours(24), or released; or for: 24h instead of until:")
	case until.Value != "released":
		rule.until = r.formula(r.source, until, r.env, formula.Moment)
	}
	if r.enabled {
		r.bundle.holds = append(r.bundle.holds, rule)
	}
}

func (r *reading) exclude() {
	rule := excludeRule{head: r.head, stage: stageProvider, only: r.selectors()}
	if r.sound() && rule.when == nil && rule.only == nil {
		r.fault(r.node, "E502", "the rule would exclude everything", "give it when:, providers: or services:")
	}
	if slices.ContainsFunc(rule.only, func(s selector) bool { return s.service != "" }) {
		rule.stage = stageService
	}
	if rule.when != nil {
		rule.stage = max(rule.stage, r.stageOf(rule.when.Uses))
	}
	rule.reason = r.optionalTemplate("reason", r.env)
	for _, f := range rule.reason.formulas() {
		rule.stage = max(rule.stage, r.stageOf(f.Uses))
	}
	if r.enabled {
		r.bundle.excludes = append(r.bundle.excludes, rule)
	}
}

func (t *template) formulas() []*formula.Formula {
	var out []*formula.Formula
	if t != nil {
		for _, p := range t.parts {
			if p.formula != nil {
				out = append(out, p.formula)
			}
		}
	}
	return out
}

func (r *reading) adjust() {
	rule := adjustRule{head: r.head, only: r.selectors(), reason: r.optionalTemplate("reason", r.env)}
	if n := r.member("add"); n != nil {
		rule.add, _ = r.met(n, "add")
	}
	if n := r.member("charge"); n != nil {
		rule.charge, _ = r.met(n, "charge")
	}
	if r.member("add") == nil && r.member("charge") == nil {
		r.fault(r.node, "E502", "the rule adjusts nothing", "add: 2.00 changes the cost in the ranking, charge: 2.00 what the customer pays")
	}
	if r.enabled {
		r.bundle.adjusts = append(r.bundle.adjusts, rule)
	}
}

// selectors reads providers: and services: together; nil where the rule has neither.
func (r *reading) selectors() []selector {
	var list []selector
	if n := r.member("providers"); n != nil {
		for _, item := range r.some(n, "providers", "name one, or leave it out for all; enabled: false ends a rule") {
			if s, ok := r.selector(r.source, item, false); ok {
				list = append(list, s)
			}
		}
	}
	if n := r.member("services"); n != nil {
		for _, item := range r.some(n, "services", "name one, or leave it out for all; enabled: false ends a rule") {
			if s, ok := r.selector(r.source, item, true); ok {
				list = append(list, s)
			}
		}
	}
	return list
}

// selector reads "ups", or "ups/ground".
func (c *checker) selector(s *source, n *yaml.Node, service bool) (selector, bool) {
	text := s.text(n, "a provider")
	account, id, both := strings.Cut(text, "/")
	sel := selector{account, id}
	switch {
	case text == "":
		return sel, false
	case n.Tag == "!!bool":
		s.fault(n, "E503", fmt.Sprintf("%q is neither a provider nor a service", text), "write ups, or ups/ground")
		return sel, false
	case service && !both:
		s.fault(n, "E505", fmt.Sprintf("%q is not a service", text), "write provider/service, such as ups/ground")
		return sel, false
	case len(c.providers) > 0 && !slices.Contains(c.providers, account):
		s.guess(n, "E105", fmt.Sprintf("unknown provider %q", account), c.providers)
		return sel, false
	case !identifier.MatchString(account) || both && id == "":
		s.fault(n, "E505", fmt.Sprintf("%q is neither a provider nor a service", text), "write ups, or ups/ground")
		return sel, false
	}
	known := c.opt.Providers[account].Services
	if id == "" || len(known) == 0 || slices.ContainsFunc(known, func(k ServiceInfo) bool { return k.ID == id }) {
		return sel, true
	}
	var ids []string
	for _, k := range known {
		ids = append(ids, account+"/"+k.ID)
	}
	s.guess(n, "E106", fmt.Sprintf("%s has no service %q", account, id), ids)
	return sel, false
}
