package rules

import (
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Prepare runs the hold and set rules and every exclusion that needs no quote: those of the merchant that speak of nothing but order,
// location, local time, lists and the provider (and its services, where the manifest declares them), and the built-in ones: a service is
// never asked for content, a temperature or a signature that it does not support.
//
// Rules of set see the order as it came. Everything after them sees the signature and the tip that they set.
func (b *Bundle) Prepare(in Input, candidates []Candidate) Plan {
	in.Order.Attributes = b.declared(in.Order.Attributes)
	b.needed(&in)
	b.keepZones(&in)
	plan := Plan{Rules: b.hash, Input: in, Candidates: slices.Clone(candidates)}
	slices.SortFunc(plan.Candidates, func(x, y Candidate) int { return strings.Compare(x.Account, y.Account) })
	r := b.start(&plan.Input, plan.Candidates, &Settings{})
	if plan.Hold = r.hold(); plan.Hold == nil {
		plan.Set = r.set()
		faults := r.faults
		if plan.Set.Signature != "" || plan.Set.Tip != nil {
			r.close()
			r = b.start(&plan.Input, plan.Candidates, &plan.Set)
			r.faults = faults
		}
		for i := range plan.Candidates {
			r.ask(&plan, &plan.Candidates[i])
		}
	}
	slices.SortFunc(plan.Excluded, byPlace)
	slices.SortFunc(r.faults, byFault)
	plan.Faults = r.faults
	r.close()
	return plan
}

// declared keeps the attributes that the rules can name. Shops put all kinds of things into the others, and none of it belongs in a record.
func (b *Bundle) declared(attributes map[string]string) map[string]string {
	var kept map[string]string
	for _, name := range b.attributes {
		if v, ok := attributes[name]; ok {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[name] = v
		}
	}
	return kept
}

func (r *run) hold() *Hold {
	r.phase = PhaseHold
	for i := range r.bundle.holds {
		rule := &r.bundle.holds[i]
		if r.in.overruled(rule.name, rule.duration > 0) || !r.holds(&rule.head) {
			continue
		}
		h := &Hold{Rule: rule.name, Reason: r.text(rule.name, rule.reason)}
		if rule.duration > 0 {
			h.Until = r.in.Local.Now.Add(time.Duration(rule.duration))
		}
		if rule.until != nil {
			v, err := r.eval(rule.until)
			if err != nil {
				r.fault(rule.name, err)
				continue
			}
			h.Until = instant(v.(time.Time))
			if !h.Until.After(r.in.Local.Now) {
				continue // what it waits for has come
			}
		}
		if h.Reason == "" {
			h.Reason = rule.name
		}
		return h
	}
	return nil
}

// overruled reports whether a rule that would hold the order holds it no more: a person has said so, or its time has passed, where it
// holds for a time.
func (in *Input) overruled(rule string, timed bool) bool {
	return slices.Contains(in.Released, rule) || timed && slices.Contains(in.Waited, rule)
}

func (r *run) set() Settings {
	r.phase = PhaseSet
	var s Settings
	var tipMax *shipping.Money
	for i := range r.bundle.sets {
		rule := &r.bundle.sets[i]
		if !r.holds(&rule.head) {
			continue
		}
		for _, a := range rule.assign {
			value := a.value
			switch a.attribute {
			case "signature":
				s.Signature = value
			case "label_format":
				s.LabelFormat = shipping.LabelFormat(value)
			case "instructions":
				value = r.text(rule.name, a.text)
				s.Instructions = value
			case "pickup_instructions":
				value = r.text(rule.name, a.text)
				s.PickupInstructions = value
			case "tip", "tip_max":
				m, err := a.amount.eval(r.m, r.order.Total)
				if err != nil {
					r.fault(rule.name, err)
					continue
				}
				value = m.String()
				if a.attribute == "tip" {
					s.Tip = &m
				} else {
					tipMax = &m
				}
			}
			for n := range s.By {
				if s.By[n].Attribute == a.attribute && s.By[n].OverwrittenBy == "" {
					s.By[n].OverwrittenBy = rule.name
				}
			}
			s.By = append(s.By, Assignment{Attribute: a.attribute, Value: value, Rule: rule.name})
		}
	}
	r.capTip(&s, tipMax)
	return s
}

// capTip keeps a tip that rules set between zero and tip_max.
func (r *run) capTip(s *Settings, most *shipping.Money) {
	if s.Tip == nil {
		return
	}
	if s.Tip.Minor < 0 {
		s.Tip.Minor = 0
	}
	if most == nil {
		return
	}
	over, err := unit.CompareMoney(*s.Tip, *most)
	if err != nil {
		r.fault(lastBy(s.By, "tip_max"), err)
	} else if over > 0 {
		s.Tip = most
	}
}

func lastBy(by []Assignment, attribute string) string {
	rule := ""
	for _, a := range by {
		if a.Attribute == attribute {
			rule = a.Rule
		}
	}
	return rule
}

// ask judges one candidate before it is quoted.
func (r *run) ask(plan *Plan, c *Candidate) {
	o := option{Provider: c.Account}
	r.m.Vars["option"] = &o
	r.lets(r.bundle.optionLets, stageProvider)
	out := r.excluded(c.Account, "", 0, stageProvider, nil)
	if len(c.Services) == 0 {
		out = r.unsupported(c.Account, "", nil, out)
	}
	if len(out) > 0 {
		plan.Excluded = append(plan.Excluded, out...)
		return
	}
	var open []string
	for _, s := range c.Services {
		o = option{Provider: c.Account, Service: s.ID, Mode: s.Mode, Supports: s.Supports}
		r.lets(r.bundle.optionLets, stageService)
		before := len(plan.Excluded)
		plan.Excluded = r.unsupported(c.Account, s.ID, s.Supports, plan.Excluded)
		plan.Excluded = r.excluded(c.Account, s.ID, stageService, stageService, plan.Excluded)
		if len(plan.Excluded) == before {
			open = append(open, s.ID)
		}
	}
	switch {
	case len(open) == len(c.Services):
		plan.Ask = append(plan.Ask, Ask{Account: c.Account})
	case len(open) > 0:
		plan.Ask = append(plan.Ask, Ask{Account: c.Account, Services: open})
	}
}
