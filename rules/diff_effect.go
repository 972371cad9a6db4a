package rules

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/internal/logic"
)

// effect looks into a rule that reads otherwise and whose condition holds for the same orders in both bundles: either it means the same, or there
// should be an order about which it decides otherwise.
func (d *diffing) effect(h, g *head, c *Change) {
	if c.Old == c.New || c.NoLonger != nil || c.Now != nil || c.NotFound != "" {
		return
	}
	if c.Same = d.sameNames && effectText(h.node) == effectText(g.node); c.Same {
		if c.Same = d.abroad(h, g); !c.Same {
			c.NotFound = fmt.Sprintf("they come to the same for orders in %s; for one in another currency, money cannot be compared, and one of them may fail where the other does not", d.now.currency)
		}
		return
	}
	vary := merged(d.old.variables(d.old.asking(h)), d.now.variables(d.now.asking(g)))
	c.Otherwise, c.NotFound = d.otherwise(h.phase, d.basesOf(h, g), vary, func(old, now *Decision) bool {
		switch h.phase {
		case "choose":
			return changed(old, now) && slices.Equal(behind(old, now), []string{h.name})
		case "guard":
			guards := &comparing{old: old, now: now}
			guards.guarded(old, now)
			guards.guarded(now, old)
			return slices.Contains(guards.found, h.name) || warns(old, now, h.name) || unlike(old.effect(h), now.effect(g))
		}
		return unlike(old.effect(h), now.effect(g))
	})
}

// abroad reports whether two forms of a rule apply to the same orders also where these are in another currency than the files say.
func (d *diffing) abroad(h, g *head) bool {
	if d.now.currency == "" || h.when == nil {
		return true
	}
	old, now := d.every()
	was, is := old.scoped(h), now.scoped(g)
	return now.implies(was, is) && now.implies(is, was)
}

// unlike compares what a rule did in two decisions. That it did nothing in one of them may be the doing of others.
func unlike(old, now string) bool { return old != "" && now != "" && old != now }

// warns reports whether a guard says something of an offer in one of two decisions that both choose it, and nothing in the other.
func warns(old, now *Decision, guard string) bool {
	says := func(d *Decision) bool {
		lead := d.leader()
		return slices.ContainsFunc(d.Guards, func(b Breach) bool { return b.Guard == guard && b.of(lead) })
	}
	return old.Winner != nil && now.Winner != nil && !changed(old, now) && says(old) != says(now)
}

// ranking looks into another rank, as effect does into a rule.
func (d *diffing) ranking(c *Change) {
	a, b := &d.old.b.rank, &d.now.b.rank
	if c.Same = d.sameNames && slices.Equal(a.texts, b.texts) && slices.Equal(sourcesOf(a.ties), sourcesOf(b.ties)); c.Same {
		return
	}
	vary := doubled(merged(d.old.variables(standIns(a.terms, a.ties)), d.now.variables(standIns(b.terms, b.ties))))
	pairs := d.pairs(vary)
	bases := append(slices.Clone(pairs), map[string]string{})
	for _, p := range d.now.b.providers { // beside offers that cost 10 and do not say when they arrive
		for _, offer := range [][2]string{{"10.01", "10m"}, {"12", "10m"}, {"9", "100h"}} {
			bases = append(bases, map[string]string{"option.provider": p, "option.fee": offer[0] + strings.TrimPrefix(d.now.b.usualFee(), "10"), "option.dropoff_in": offer[1]})
		}
	}
	s := d.apart("rank", func(old, now *Decision) bool {
		return changed(old, now) && !slices.ContainsFunc(behind(old, now), func(rule string) bool { return !strings.HasPrefix(rule, "rank.") })
	})
	if i := slices.IndexFunc(vary, func(v variable) bool { return v.path == "option.fee" }); i >= 0 {
		s.edges, s.edge = among(bases[:len(pairs)], vary), &vary[i]
	}
	c.Otherwise, c.NotFound = s.orWhy(bases, vary)
}

// nobody looks into another none.
func (d *diffing) nobody(c *Change) {
	if c.Same = d.sameNames && effectText(d.old.b.noneNode) == effectText(d.now.b.noneNode); c.Same {
		return
	}
	bases := []map[string]string{{}, {"option.fee": "100000" + strings.TrimPrefix(d.now.b.usualFee(), "10")}}
	for _, h := range d.now.standing("exclude")[:min(len(d.now.standing("exclude")), 10)] {
		if v, w := d.now.solver.Solve(d.now.trees[h]); v != logic.TooLarge && v != logic.Impossible {
			bases = append(bases, readable(w.Values))
		}
	}
	bases = append(bases, map[string]string{quotesOf: nobody})
	c.Otherwise, c.NotFound = d.otherwise("none", bases, nil, func(old, now *Decision) bool {
		return old.None != nil && now.None != nil && *old.None != *now.None
	})
}

func sourcesOf(list []*formula.Formula) []string {
	var out []string
	for _, f := range list {
		out = append(out, strings.TrimSpace(f.Source))
	}
	return out
}

// otherwise looks for an order about which the two bundles decide apart.
func (d *diffing) otherwise(phase string, bases []map[string]string, vary []variable, apart func(old, now *Decision) bool) (map[string]string, string) {
	return d.apart(phase, apart).orWhy(bases, vary)
}

// apart is a search for such an order.
func (d *diffing) apart(phase string, apart func(old, now *Decision) bool) *search {
	return &search{work: &d.now.work, stop: d.now.stop, cost: d.old.cost + d.now.cost, fee: d.now.b.usualFee(), see: func(w map[string]string) string {
		before, err1 := d.old.b.attempt(w, phase)
		after, err2 := d.now.b.attempt(w, phase)
		switch {
		case err1 != nil || err2 != nil || len(before.d.Faults)+len(after.d.Faults) > 0:
			return ""
		case apart(before.d, after.d):
			return found
		}
		return leading(before.d) + ", " + leading(after.d)
	}}
}

// orWhy is the order that is found, or why there is none.
func (s *search) orWhy(bases []map[string]string, vary []variable) (map[string]string, string) {
	if w := s.run(bases, func() []variable { return vary }, false); w != nil {
		return w, ""
	}
	return nil, s.why(nil) + s.looked()
}

// leading is who leads in a decision, whatever it costs.
func leading(d *Decision) string {
	lead := d.leader()
	if lead == nil {
		return ""
	}
	return lead.Account + "/" + lead.Service
}

// effect is what a rule did in a decision, "" where it did nothing.
func (d *Decision) effect(h *head) string {
	var did []any
	switch h.phase {
	case "hold":
		if x := d.Plan.Hold; x != nil && x.Rule == h.name {
			did = append(did, x)
		}
	case "set":
		did = those(d.Plan.Set.By, func(a Assignment) bool { return a.Rule == h.name && a.OverwrittenBy == "" })
	case "exclude":
		did = those(d.Excluded, func(x Exclusion) bool { return x.Phase == PhaseExclude && x.Rule == h.name })
	case "adjust":
		did = those(d.Adjusted, func(a Adjustment) bool { return a.Rule == h.name })
	case "guard":
		did = those(d.Guards, func(g Breach) bool { return g.Guard == h.name })
	case "warn":
		did = those(d.Warnings, func(w Warning) bool { return w.Rule == h.name })
	case "fallback":
		did = those(d.Fallback, func(f Fallback) bool {
			return f.Rule == h.name && slices.ContainsFunc(f.On, func(event string) bool { x, _ := d.FallbackFor(event); return x.Rule == h.name })
		})
	}
	if len(did) == 0 {
		return ""
	}
	text, err := json.Marshal(did)
	if err != nil {
		return ""
	}
	return string(text)
}

func those[T any](list []T, are func(T) bool) []any {
	var out []any
	for _, x := range list {
		if are(x) {
			out = append(out, x)
		}
	}
	return out
}

// quantities are the keys whose values are amounts, weights or stretches of time.
var quantities = []string{"add", "charge", "max_fee", "daily_budget", "extra_cost", "tip", "tip_max", "weight", "for", "hold_for", "max_dropoff", "within"}

var plainAmount = regexp.MustCompile(`^([-+]?\d+(?:\.\d+)?)(?: ?([A-Z]{3}|%|lb|oz|kg|g))?$`)

// effectText is what a rule says beside its condition, in the one way of the many in which that can be written.
func effectText(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	return nodeText(measure(inOrder(n), "", true))
}

func measure(n *yaml.Node, key string, top bool) *yaml.Node {
	out := *n
	out.Content = nil
	switch {
	case n.Kind == yaml.ScalarNode && slices.Contains(quantities, key):
		value := strings.TrimSpace(n.Value)
		if m := plainAmount.FindStringSubmatch(value); m != nil {
			if r, ok := new(big.Rat).SetString(m[1]); ok {
				value = strings.TrimSpace(r.RatString() + " " + m[2])
			}
		} else if t, err := time.ParseDuration(value); err == nil {
			value = t.String()
		}
		out.Value, out.Tag = value, "!!str"
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if k := n.Content[i]; !top || k.Value != "when" {
				out.Content = append(out.Content, k, measure(n.Content[i+1], k.Value, false))
			}
		}
	default:
		for _, c := range n.Content {
			out.Content = append(out.Content, measure(c, "", false))
		}
	}
	return &out
}
