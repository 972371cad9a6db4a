package rules

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// checker reads the files of a bundle and collects everything that is wrong with them.
type checker struct {
	rulesRead int
	steps     int // that patterns may still have
	opt       Options
	problems  []Problem
	bundle    *Bundle

	currency   string
	providers  []string // closed list; empty where nothing is known
	attributes []string
	lists      map[string]formula.List
	entries    map[string][]listEntry     // of lists
	sought     map[string]map[string]bool // what is looked for in lists: paths, "" for what is computed
	zones      map[string]area
	lets       []let
	letStage   map[string]int
	letNames   map[string]bool    // which all environments share
	rules      map[string]string  // phases by name
	first      map[string]string  // where names first stand, by what they name: "rule Cold food"
	patches    map[string][]patch // by name of the rule
	env        environments
}

// doubled says where a name stood first that now stands a second time, and remembers the place of one that is new.
func (c *checker) doubled(s *source, what string, n *yaml.Node) string {
	s = s.home(n)
	if first, double := c.first[what]; double {
		return "; the other is at " + first
	}
	c.first[what] = fmt.Sprintf("%s:%d", s.name, n.Line)
	return ""
}

// let is a named expression.
type let struct {
	name    string
	formula *formula.Formula
	stage   int
	zero    any
	file    string
	line    int
}

// spot is a place in the files.
type spot struct {
	file              string
	line, column, end int
}

// mark notes where something stands.
func (c *checker) mark(d *document, what string, n *yaml.Node) {
	c.bundle.spots[what] = spot{d.name, n.Line, n.Column, n.Column + width(n)}
}

// document is one YAML file with its top-level members.
type document struct {
	*source
	members []pair
}

func (d *document) get(key string) *yaml.Node {
	for _, p := range d.members {
		if p.key == key {
			return p.value
		}
	}
	return nil
}

var topKeys = []string{
	"rules", "name", "about", "env", "currency", "providers", "attributes", "lists", "zones", "let",
	"hold", "set", "exclude", "adjust", "rank", "choose", "guard", "fallback", "warn", "none", "locations",
}

// read goes through the files twice: first for names, then for what uses them.
func (c *checker) read(files []File) {
	var docs []*document
	for _, f := range files {
		s := &source{name: f.Name, lines: strings.Split(strings.ReplaceAll(string(f.Data), "\r\n", "\n"), "\n"), found: &c.problems}
		if strings.HasSuffix(f.Name, ".csv") {
			c.listFile(s, f.Data)
			continue
		}
		root := s.parseYAML(f.Data)
		if root == nil {
			continue
		}
		d := &document{s, s.mapping(root, "a rule file", topKeys)}
		docs = append(docs, d)
		if v := d.get("rules"); v == nil {
			s.report(Problem{Code: "E502", Line: 1, Column: 1, End: 2, Sentence: "the file does not say rules: 1", Hint: "begin it with rules: 1"})
		} else if !isOne(v) {
			s.fault(v, "E505", fmt.Sprintf("rules: %s is not known", v.Value), "this version reads rules: 1")
		}
	}
	for _, d := range docs {
		c.header(d)
	}
	c.checkProviders(docs)
	c.readLets(docs)
	c.makeEnvironments()
	c.readPatches(docs)
	for _, d := range docs {
		c.phases(d)
	}
	c.unusedPatches()
	c.checkEntries()
	if n := c.bundle.Size(); n > maxRules {
		docs[0].report(Problem{Code: "E401", Line: 1, Column: 1, End: 2, Sentence: fmt.Sprintf("the bundle has %d rules, more than %d", n, maxRules)})
	}
	if c.first["rank"] == "" && len(c.problems) == 0 {
		c.bundle.rank = c.strategy("cheapest")
	}
	c.bundle.lists = c.lists
	c.bundle.zones = c.zones
	c.bundle.providers = c.providers
	c.bundle.currency = c.currency
	c.bundle.env = c.env.option
	if len(docs) > 0 {
		c.bundle.file = docs[0].name
	}
	c.bundle.attributes = c.attributes
}

var (
	identifier = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	// attributeName is that of a member of orderAttributes, which shops name as they like: giftWrap.
	attributeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
)

// header reads what names things: name, currency, providers, attributes, zones, lists.
func (c *checker) header(d *document) {
	if v := d.get("name"); v != nil && c.bundle.name == "" {
		c.bundle.name = d.text(v, "name")
	}
	if v := d.get("about"); v != nil {
		d.text(v, "about")
	}
	if v := d.get("currency"); v != nil {
		code := d.text(v, "currency")
		if _, ok := shipping.CurrencyDigits(code); !ok && code != "" {
			d.fault(v, "E505", fmt.Sprintf("unknown currency %q", code), "use an ISO 4217 code such as USD")
		} else if c.currency != "" && c.currency != code {
			d.fault(v, "E505", fmt.Sprintf("another file of the bundle says %s", c.currency), "a bundle has one currency")
		}
		c.currency = code
	}
	if v := d.get("providers"); v != nil {
		c.providers = append(c.providers, d.texts(v, "providers")...)
	}
	if v := d.get("env"); v != nil {
		for _, m := range d.mapping(v, "env", []string{"pii"}) {
			if !d.truth(m.value, "pii") {
				continue
			}
			if c.bundle.pii = true; c.opt.NoPersonal {
				d.fault(m.value, "E508", "these rules ask for personal data, and the engine's configuration does not let them", "set rules_pii: true for the tenant in waybill.yaml, or take it out")
			}
		}
	}
	if v := d.get("attributes"); v != nil {
		for _, n := range d.items(v, "attributes") {
			if name := d.text(n, "an attribute"); !attributeName.MatchString(name) {
				d.fault(n, "E505", fmt.Sprintf("%q cannot name an attribute", name), "use letters, digits and _, as the shop writes it in orderAttributes")
			} else {
				c.attributes = append(c.attributes, name)
				c.mark(d, "order.attributes."+name, n)
			}
		}
	}
	if v := d.get("zones"); v != nil {
		c.readZones(d, v)
	}
	if v := d.get("lists"); v != nil {
		for _, p := range d.mapping(v, "lists", nil) {
			if !identifier.MatchString(p.key) {
				d.fault(p.node, "E504", fmt.Sprintf("%q cannot name a list", p.key), "use small letters, digits and _")
				continue
			}
			if other := c.doubled(d.source, "list "+p.key, p.node); other != "" {
				d.fault(p.node, "E504", fmt.Sprintf("two lists are named %q%s", p.key, other), "give each its own name")
				continue
			}
			set := map[string]bool{}
			for _, n := range d.items(p.value, "a list") {
				if t := d.text(n, "an entry of a list"); t != "" {
					set[t] = true
					c.entries[p.key] = append(c.entries[p.key], listEntry{d.source, t, n.Line, n.Column, n.Column + width(n)})
				}
			}
			c.lists[p.key] = formula.List{Set: set}
			c.mark(d, "lists."+p.key, p.node)
		}
	}
}

var reserved = []string{"order", "recipient", "location", "local", "lists", "option", "best", "chosen", "reasons", "rank", "true", "false", "not", "and", "or", "in", "nil", "let", "if", "else", "matches", "contains", "any", "all", "none", "one", "count", "sum", "filter", "len", "min", "max", "abs"}

// checkProviders compares the files' providers with the accounts that there are.
func (c *checker) checkProviders(docs []*document) {
	slices.Sort(c.providers)
	c.providers = slices.Compact(c.providers)
	accounts := slices.Sorted(maps.Keys(c.opt.Providers))
	if len(c.providers) == 0 {
		c.providers = accounts
	}
	for _, d := range docs {
		v := d.get("providers")
		if v == nil || v.Kind != yaml.SequenceNode {
			continue
		}
		for _, n := range v.Content {
			switch {
			case !identifier.MatchString(n.Value) || slices.Contains(reserved, n.Value):
				d.fault(n, "E505", fmt.Sprintf("%q cannot name a provider", n.Value), "a provider is an account id: small letters, digits and _")
			case c.opt.Providers != nil && !slices.Contains(accounts, n.Value):
				d.guess(n, "E105", fmt.Sprintf("there is no account %q", n.Value), accounts)
			}
		}
	}
}

// readLets compiles the named expressions, each after those that it uses.
func (c *checker) readLets(docs []*document) {
	type entry struct {
		d    *document
		p    pair
		uses map[string]bool
	}
	entries := map[string]entry{}
	var order []string
	base := c.baseEnv()
	for _, d := range docs {
		v := d.get("let")
		if v == nil {
			continue
		}
		for _, p := range d.mapping(v, "let", nil) {
			other := c.doubled(d.source, "let "+p.key, p.node)
			switch {
			case other != "":
				d.fault(p.node, "E504", fmt.Sprintf("let %s stands in two files%s", p.key, other), "keep one of them")
			case !identifier.MatchString(p.key) || slices.Contains(reserved, p.key) || slices.Contains(c.providers, p.key):
				d.fault(p.node, "E505", fmt.Sprintf("%q cannot name an expression", p.key), "use small letters, digits and _, and no name that is taken")
			default:
				entries[p.key] = entry{d, p, base.Names(p.value.Value)}
				order = append(order, p.key)
			}
		}
	}
	if len(order) > maxLets {
		e := entries[order[maxLets]]
		e.d.fault(e.p.node, "E401", fmt.Sprintf("the bundle has %d lets, more than %d", len(order), maxLets), "write what one rule alone needs into the rule")
		order = order[:maxLets] // the others are read where these name them
	}
	env := with(base, map[string]any{"option": option{}}, absentNames)
	state := map[string]int{} // 1 being read, 2 done
	broken := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		e := entries[name]
		state[name] = 1
		for _, used := range slices.Sorted(maps.Keys(e.uses)) {
			if _, isLet := entries[used]; !isLet {
				continue
			}
			if state[used] == 1 {
				e.d.fault(e.p.value, "E507", fmt.Sprintf("let %s and let %s need each other", name, used), "write one of them without the other")
				broken[name] = true
				break
			}
			if state[used] == 0 {
				visit(used)
			}
			broken[name] = broken[name] || broken[used]
		}
		state[name] = 2
		if broken[name] { // its users are not to be told that it is unknown
			c.lets = append(c.lets, let{name: name, zero: false})
			return
		}
		c.compileLet(e.d, e.p, env)
	}
	for _, name := range order {
		if state[name] == 0 {
			visit(name)
		}
	}
}

var letKinds = []string{formula.Bool, formula.Number, formula.Text, formula.Money, formula.Weight, formula.Length, formula.Volume,
	formula.Distance, formula.Moment, formula.Duration}

func (c *checker) compileLet(d *document, p pair, env *formula.Env) {
	d.where = fmt.Sprintf("let %s", p.key)
	defer func() { d.where = "" }()
	fresh := &formula.Env{Vars: maps.Clone(env.Vars), Enums: env.Enums, Usual: env.Usual, Places: env.Places, Members: env.Members, Elsewhere: env.Elsewhere, Currency: env.Currency, Lets: env.Lets}
	for _, l := range c.lets {
		fresh.Vars[l.name] = l.zero
	}
	f := c.formula(d.source, p.value, fresh, letKinds...)
	zero := any(false) // a faulty let is taken for a condition, so that its users are not reported as well
	stage := stageOrder
	if f != nil {
		zero = reflect.Zero(f.Type).Interface()
		stage = c.stageOf(f.Uses)
	}
	c.letStage[p.key], c.letNames[p.key] = stage, true
	c.mark(d, p.key, p.node)
	l := let{p.key, f, stage, zero, d.name, p.node.Line}
	c.lets = append(c.lets, l)
	if stage == stageOrder {
		c.bundle.orderLets = append(c.bundle.orderLets, l)
	} else {
		c.bundle.optionLets = append(c.bundle.optionLets, l)
	}
}

// formula compiles an expression that stands in n.
func (c *checker) formula(s *source, n *yaml.Node, env *formula.Env, want ...string) *formula.Formula {
	if n.Kind != yaml.ScalarNode {
		s.fault(n, "E503", "an expression must be one text", "put it into single quotes where it begins with \" [ or {")
		return nil
	}
	return c.compile(s, n, 0, n.Value, env, want...)
}

func (c *checker) compile(s *source, n *yaml.Node, offset int, text string, env *formula.Env, want ...string) *formula.Formula {
	f, problem := env.CompileWithin(&c.steps, text, want...)
	if problem != nil {
		s.formulaFault(n, offset, problem)
		return nil
	}
	c.want(f.Uses)
	c.doubt(s, n, offset, f)
	return f
}

// doubt notes what an expression compares places with and no order has; once, however many forms the rule has. It also notes what is looked for in
// lists.
func (c *checker) doubt(s *source, n *yaml.Node, offset int, f *formula.Formula) {
	var odd []Problem
	for _, m := range f.Misplaced() {
		of := *s
		of.found = &odd
		of.formulaFault(n, offset, &m)
	}
	for _, p := range odd {
		c.note(p)
	}
	for name, paths := range f.Listed() {
		if c.sought[name] == nil {
			c.sought[name] = map[string]bool{}
		}
		for _, path := range paths {
			c.sought[name][path] = true
		}
	}
}

// note adds a doubt where it is not told yet.
func (c *checker) note(p Problem) {
	if !slices.ContainsFunc(c.bundle.notes, func(n note) bool {
		return n.Code == p.Code && n.File == p.File && n.Line == p.Line && n.Column == p.Column
	}) {
		c.bundle.notes = append(c.bundle.notes, note{Finding: Finding{Problem: p}})
	}
}
