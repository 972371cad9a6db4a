package rules

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// patch is what `locations:` says of one rule at one location, or at those with a tag.
type patch struct {
	at    string // id or tag:<tag>
	phase string
	d     *document
	name  *yaml.Node // names the rule
	value *yaml.Node
}

// variant is where a rule that has patches is in force. The rule itself and each patched form of it are rules of their own with the same
// name; of them, the form of the first patch that fits the order's location holds, and the rule itself where none does.
type variant struct {
	patches []string // of the rule: ids before tags, each in the order of the files
	at      string   // "" is the rule itself
}

func (r *run) inVariant(v *variant) bool {
	if len(v.patches) == 0 {
		return true
	}
	first := ""
	for _, at := range v.patches {
		if r.atLocation([]string{at}) {
			first = at
			break
		}
	}
	return first == v.at
}

var patchable = []string{"hold", "set", "exclude", "adjust", "choose", "guard", "fallback", "warn"}

// readPatches collects the patches of all files before the rules are read.
func (c *checker) readPatches(docs []*document) {
	c.patches = map[string][]patch{}
	seen := map[[2]string]bool{}
	for _, d := range docs {
		v := d.get("locations")
		if v == nil {
			continue
		}
		for _, where := range d.mapping(v, "locations", nil) {
			d.where = "locations: " + where.key
			if where.key == "tag:" {
				d.fault(where.node, "E505", "tag: names no tag", "write tag:airport")
			}
			c.place(d.source, where.node)
			for _, phase := range d.mapping(where.value, "a location", patchable) {
				for _, rule := range d.mapping(phase.value, "the patches of "+phase.key, nil) {
					if seen[[2]string{where.key, rule.key}] {
						d.fault(rule.node, "E504", fmt.Sprintf("%q is patched twice for %s", rule.key, where.key), "keep one of them")
						continue
					}
					seen[[2]string{where.key, rule.key}] = true
					if len(seen) > maxRules { // each makes a rule of its own
						d.fault(rule.node, "E401", fmt.Sprintf("the bundle has more than %d patches of rules", maxRules), "give the locations a tag, and patch the tag")
						c.patches = map[string][]patch{}
						return
					}
					c.patches[rule.key] = append(c.patches[rule.key], patch{where.key, phase.key, d, rule.node, rule.value})
				}
			}
			d.where = ""
		}
	}
	for _, list := range c.patches {
		slices.SortStableFunc(list, func(a, b patch) int { return tagged(a.at) - tagged(b.at) })
	}
}

func tagged(at string) int {
	if strings.HasPrefix(at, "tag:") {
		return 1
	}
	return 0
}

// patched returns the forms of a rule at the locations that patch it.
func (c *checker) patched(d *document, phase, name string, n *yaml.Node) (places []string, forms []*yaml.Node) {
	for _, p := range c.patches[name] {
		if p.phase != phase {
			continue // reported by unusedPatches
		}
		where := p.d.where
		p.d.where = fmt.Sprintf("locations: %s: %q", p.at, name)
		keys := append(slices.Clone(commonKeys), phaseKeys[phase]...)
		keys = slices.DeleteFunc(keys, func(k string) bool { return k == "name" })
		members := p.d.mapping(p.value, "a patch of "+phase, keys)
		p.d.where = where
		form := &yaml.Node{Kind: yaml.MappingNode, Line: n.Line, Column: n.Column}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !slices.ContainsFunc(members, func(m pair) bool { return m.key == n.Content[i].Value }) {
				form.Content = append(form.Content, n.Content[i], n.Content[i+1])
			}
		}
		c.idle(p, members, n)
		for _, m := range members {
			form.Content = append(form.Content, m.node, m.value)
			if p.d != d {
				d.adopt(m.node, p.d.source)
				d.adopt(m.value, p.d.source)
			}
		}
		places, forms = append(places, p.at), append(forms, form)
	}
	return places, forms
}

// idle notes a patch that says what the rule says anyway.
func (c *checker) idle(p patch, members []pair, rule *yaml.Node) {
	for _, m := range members {
		same := m.key == "enabled" && m.value.Value == "true" && !slices.ContainsFunc(rule.Content, func(k *yaml.Node) bool { return k.Value == "enabled" })
		for i := 0; i+1 < len(rule.Content); i += 2 {
			same = same || rule.Content[i].Value == m.key && c.sameValue(m.key, rule.Content[i+1], m.value)
		}
		if !same {
			return
		}
	}
	c.bundle.notes = append(c.bundle.notes, note{rule: p.name.Value, at: p.at, Finding: Finding{Problem: Problem{Code: "W614", File: p.d.name, Line: p.name.Line, Column: p.name.Column,
		End: p.name.Column + width(p.name), Where: "locations: " + p.at, Sentence: fmt.Sprintf("the patch of %q changes nothing", p.name.Value),
		Hint: "remove it, or give it what is different there"}}})
}

// sameValue reports whether two values of a key mean the same: 10 is 10.00, and 60m is 1h.
func (c *checker) sameValue(key string, a, b *yaml.Node) bool {
	if sameNode(a, b) {
		return true
	}
	switch key {
	case "set":
		if a.Kind != yaml.MappingNode || b.Kind != yaml.MappingNode || len(a.Content) != len(b.Content) {
			return false
		}
		for i := 0; i+1 < len(a.Content); i += 2 {
			if a.Content[i].Value != b.Content[i].Value || !c.sameValue(a.Content[i].Value, a.Content[i+1], b.Content[i+1]) {
				return false
			}
		}
		return true
	case "add", "charge", "max_fee", "daily_budget", "tip", "tip_max":
		x, y := c.worth(a.Value), c.worth(b.Value)
		return a.Kind == yaml.ScalarNode && b.Kind == yaml.ScalarNode && x != "" && x == y
	case "for", "max_dropoff":
		x, err1 := parseDuration(a.Value)
		y, err2 := parseDuration(b.Value)
		return err1 == nil && err2 == nil && x == y
	}
	return false
}

// worth is an amount or a share written in the one way that all of its kind have, "" where it is computed.
func (c *checker) worth(text string) string {
	number, unit := "", c.currency
	if bareAmount.MatchString(text) {
		number = text
	} else if m := percentAmount.FindStringSubmatch(text); m != nil {
		number, unit = m[1], "%"
	} else if m := currencyAmount.FindStringSubmatch(text); m != nil {
		number, unit = m[1], m[2]
	}
	r, ok := new(big.Rat).SetString(strings.TrimPrefix(number, "+"))
	if !ok {
		return ""
	}
	return r.RatString() + " " + unit
}

func sameNode(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.Value == b.Value && slices.EqualFunc(a.Content, b.Content, sameNode)
}

// adopt remembers that a node stands in another file.
func (s *source) adopt(n *yaml.Node, from *source) {
	if s.homes == nil {
		s.homes = map[*yaml.Node]*source{}
	}
	s.homes[n] = from
	for _, c := range n.Content {
		s.adopt(c, from)
	}
}

// unusedPatches reports patches of rules that there are not.
func (c *checker) unusedPatches() {
	for _, name := range slices.Sorted(maps.Keys(c.patches)) {
		for _, p := range c.patches[name] {
			if c.rules[name] == p.phase {
				continue
			}
			p.d.where = "locations: " + p.at
			if phase := c.rules[name]; phase != "" {
				p.d.fault(p.name, "E109", fmt.Sprintf("%q is a rule of %s, not of %s", name, phase, p.phase), "put the patch under "+phase+":")
			} else {
				var known []string
				for _, other := range slices.Sorted(maps.Keys(c.rules)) {
					if c.rules[other] == p.phase {
						known = append(known, other)
					}
				}
				p.d.guess(p.name, "E109", fmt.Sprintf("there is no rule %q in %s", name, p.phase), known)
			}
			p.d.where = ""
		}
	}
}
