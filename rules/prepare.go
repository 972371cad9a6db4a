package rules

import (
	"slices"
	"strings"
	"time"
)

// Prepare runs the hold and set rules and every exclusion that needs no quote: those of the merchant that speak of nothing but order,
// location, local time, lists and the provider (and its services, where the manifest declares them), and the built-in ones: a service is
// never asked for content, a temperature or a signature that it does not support.
//
// Rules of set see the order as it came. Everything after them sees the signature and the tip that they set.
func (b *Bundle) Prepare(in Input, candidates []Candidate) Plan {
	return b.prepare(RecordSchema, in, candidates)
}

// prepare is Prepare for a record of a schema.
func (b *Bundle) prepare(schema int, in Input, candidates []Candidate) Plan {
	in.Order.Attributes = b.declared(in.Order.Attributes)
	if !b.used["order.customer_id"] {
		in.Order.CustomerID = "" // who the customer is belongs in no record that has no use for it
	}
	if !b.pii {
		in.Recipient = Recipient{}
	}
	b.needed(&in)
	b.keepZones(&in)
	plan := Plan{Rules: b.hash, Input: in, Candidates: slices.Clone(candidates)}
	slices.SortFunc(plan.Candidates, func(x, y Candidate) int { return strings.Compare(x.Account, y.Account) })
	r := b.start(schema, &plan.Input, plan.Candidates, &Settings{})
	if plan.Hold = r.hold(); plan.Hold == nil {
		plan.Set = r.set()
		faults := r.faults
		if plan.Set.Signature != "" || plan.Set.Tip != nil || plan.Set.Weight != nil {
			r.close()
			r = b.start(schema, &plan.Input, plan.Candidates, &plan.Set)
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

// ask judges one candidate before it is quoted.
func (r *run) ask(plan *Plan, c *Candidate) {
	provider := r.providerOption(c.Account)
	o := provider
	r.look(&o, stageProvider)
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
		o = provider
		o.Service, o.Mode, o.Supports = s.ID, s.Mode, s.Supports
		r.look(&o, stageService)
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
