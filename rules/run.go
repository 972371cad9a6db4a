package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/trace"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// run is one half of a decision while it is computed.
type run struct {
	bundle     *Bundle
	in         *Input
	candidates []Candidate
	order      Order // as the rules of the moment see it: after set, with what was set
	location   Location
	m          *formula.Machine
	named      map[string]came // of the lets that some expression has come to
	eager      bool            // as a record of a schema before meaningSchema means it
	before     map[string]any  // where it is eager: what lets have come to last that did not fail
	faults     []Fault

	phase            Phase
	account, service string
}

// came is what a let has come to.
type came struct {
	value any
	err   error
}

// start fills a machine with everything but the option, for a decision whose record has a schema. It must be closed.
func (b *Bundle) start(schema int, in *Input, candidates []Candidate, set *Settings) *run {
	r := &run{bundle: b, in: in, candidates: candidates, order: in.Order, m: formula.NewMachine(), eager: schema < meaningSchema}
	r.m.Let, r.m.Former = r.let, r.eager
	if set.Signature != "" {
		r.order.Signature = set.Signature
	}
	if set.Tip != nil {
		r.order.Tip = *set.Tip
	}
	if set.Weight != nil {
		r.order.weigh(set.Weight)
	}
	if len(b.zones) > 0 {
		r.order.To.Zones, r.order.From.Zones = b.zoned(in.Order.To.Zones), b.zoned(in.Order.From.Zones)
	}
	vars := r.m.Vars
	r.place()
	vars["order"], vars["location"], vars["local"], vars["lists"] = &r.order, &r.location, &in.Local, b.lists
	if b.pii {
		vars["recipient"] = &in.Recipient
	}
	vars[formula.QuotasVar] = in.quotas()
	for _, p := range b.providers {
		vars[p] = unavailable
		if slices.ContainsFunc(candidates, func(c Candidate) bool { return c.Account == p && !c.Down }) {
			vars[p] = available
		}
	}
	r.all(b.orderLets, stageOrder)
	return r
}

// What stands for a bound that a location does not have: more than anybody books or spends in a day.
const (
	noCap    = 999_999_999
	noBudget = 999_999_999_999
)

// place is the location as expressions see it: with a cap for every provider, and a budget.
func (r *run) place() {
	r.location = r.in.Location
	r.location.Caps = make(map[string]int, len(r.bundle.providers))
	for _, p := range r.bundle.providers {
		r.location.Caps[p] = noCap
		if most, ok := r.in.Location.Caps[p]; ok {
			r.location.Caps[p] = most
		}
	}
	if r.location.SubsidyBudget == (shipping.Money{}) {
		r.location.SubsidyBudget = shipping.Money{Minor: noBudget, Currency: r.in.Order.Total.Currency}
	}
}

// providerOption is an option of which nothing is known but its provider.
func (r *run) providerOption(account string) option {
	o := option{Provider: account, OnTimeRate: 1}
	for i := range r.candidates {
		if c := &r.candidates[i]; c.Account == account && c.Rates != nil {
			o.OnTimeRate, o.CancelRate = c.Rates.OnTime30d, c.Rates.Cancelled7d
		}
	}
	return o
}

var available, unavailable = any(health{true}), any(health{false})

func (r *run) close() { r.m.Release() }

// let is what a named expression comes to. It is computed when an expression comes to it, once for the order, or for the option that it speaks of.
func (r *run) let(name string) (any, error) {
	o, known := r.named[name]
	if !known {
		if o.value, o.err = r.eval(r.bundle.let(name).formula); o.err != nil {
			o = came{value: r.before[name], err: fmt.Errorf("let %s: %w", name, o.err)}
		} else if r.eager {
			if r.before == nil {
				r.before = map[string]any{}
			}
			r.before[name] = o.value
		}
		if r.named == nil {
			r.named = map[string]came{}
		}
		r.named[name] = o
	}
	if r.eager {
		return o.value, nil // eval has failed for it; an amount, which did not, had what was there of an option before
	}
	return o.value, o.err
}

// look makes an option the one that expressions speak of, or tells that it is another than it was. stage is how much is known of it.
func (r *run) look(o *option, stage int) {
	r.m.Vars["option"] = o
	for i := range r.bundle.optionLets {
		delete(r.named, r.bundle.optionLets[i].name)
	}
	r.all(r.bundle.optionLets, stage)
}

// all computes the lets of a stage as a record of before means it: whether or not something comes to them.
func (r *run) all(lets []let, stage int) {
	if !r.eager {
		return
	}
	for i := range lets {
		if lets[i].stage <= stage {
			_, _ = r.let(lets[i].name) // eval fails for it
		}
	}
}

func (r *run) eval(f *formula.Formula) (any, error) {
	if err := r.barred(f); err != nil {
		return nil, err
	}
	return r.m.Eval(f)
}

// barred is why an expression failed when those failed that name a let that does, whether or not they come to it. It does where a record means it.
func (r *run) barred(f *formula.Formula) error {
	if !r.eager {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(f.Uses)) {
		if r.bundle.let(name) == nil {
			continue
		}
		r.let(name)
		if err := r.named[name].err; err != nil {
			return err
		}
	}
	return nil
}

// traced is eval by the traced twin of an expression. The tree is good until the next one.
func (r *run) traced(f *formula.Formula, twin *trace.Program) *trace.Tree {
	if err := r.barred(f); err != nil {
		t := twin.Shape()
		t.Err = err
		return t
	}
	return r.m.Run(twin)
}

// applies reports whether a rule's dates, locations and condition hold.
func (r *run) applies(h *head) (bool, error) {
	if h.from != "" && r.in.Local.Date < h.from || h.until != "" && r.in.Local.Date > h.until {
		return false, nil
	}
	if !r.inVariant(&h.variant) {
		return false, nil
	}
	if len(h.locations) > 0 && !r.atLocation(h.locations) {
		return false, nil
	}
	if h.when == nil {
		return true, nil
	}
	v, err := r.eval(h.when)
	if err != nil {
		return false, err
	}
	return v.(bool), nil
}

func (r *run) atLocation(list []string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		if tag, ok := strings.CutPrefix(entry, "tag:"); ok {
			return slices.Contains(r.in.Location.Tags, tag)
		}
		return entry == r.in.Location.ID
	})
}

// holds is applies for rules that are skipped when they fail.
func (r *run) holds(h *head) bool {
	ok, err := r.applies(h)
	if err != nil {
		r.fault(h.name, err)
	}
	return ok
}

func (r *run) fault(rule string, err error) {
	r.faults = append(r.faults, Fault{Phase: r.phase, Rule: rule, Account: r.account, Service: r.service, Message: err.Error()})
}

// text renders a template; what fails in it is recorded and leaves a mark in the text.
func (r *run) text(rule string, t *template) string {
	text, err := t.render(r.m)
	if err != nil {
		r.fault(rule, err)
	}
	return text
}

// excluded runs the exclude rules of the given stages over the option that the machine holds. service is "" where the whole account is meant.
func (r *run) excluded(account, service string, least, most int, out []Exclusion) []Exclusion {
	r.phase, r.account, r.service = PhaseExclude, account, service
	for i := range r.bundle.excludes {
		rule := &r.bundle.excludes[i]
		if rule.stage < least || rule.stage > most || !selects(rule.only, account, service) {
			continue
		}
		hit, err := r.applies(&rule.head)
		if err != nil {
			r.fault(rule.name, err)
			out = append(out, exclusion(account, service, rule.name, "the rule failed: "+err.Error(), PhaseExclude))
			continue
		}
		if !hit {
			continue
		}
		reason := r.text(rule.name, rule.reason)
		if reason == "" {
			reason = rule.name
		}
		out = append(out, exclusion(account, service, rule.name, reason, PhaseExclude))
	}
	r.account, r.service = "", ""
	return out
}

func exclusion(account, service, rule, reason string, phase Phase) Exclusion {
	who := selector{account, service}.String()
	text := who + ` is out by rule "` + rule + `"`
	if phase == PhaseBuiltin {
		text = who + " is out"
	}
	if reason != rule {
		text += ": " + reason
	}
	return Exclusion{Account: account, Service: service, Rule: rule, Reason: reason, Phase: phase, Text: text}
}

// unsupported lists what the order needs and a service cannot do.
func (r *run) unsupported(account, service string, supports []string, out []Exclusion) []Exclusion {
	need := func(ability, rule, reason string) {
		if !slices.Contains(supports, ability) {
			out = append(out, exclusion(account, service, rule, reason, PhaseBuiltin))
		}
	}
	for _, content := range r.order.Content {
		need(content, "content", "does not carry "+content)
	}
	if t := r.order.Temperature; t != "" && t != "none" {
		need(t, "temperature", "does not keep it "+t)
	}
	switch s := r.order.Signature; s {
	case "required", "direct", "adult":
		need("signature_"+s, "signature", "does not take a signature ("+s+")")
	}
	return out
}

// byPlace puts exclusions into the order of the record, whatever the order in which rules and options came.
func byPlace(a, b Exclusion) int {
	for _, c := range []int{strings.Compare(a.Account, b.Account), strings.Compare(a.Service, b.Service), strings.Compare(a.Rule, b.Rule)} {
		if c != 0 {
			return c
		}
	}
	return strings.Compare(a.Reason, b.Reason)
}

func byFault(a, b Fault) int {
	for _, c := range []int{
		strings.Compare(string(a.Phase), string(b.Phase)), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Account, b.Account),
		strings.Compare(a.Service, b.Service),
	} {
		if c != 0 {
			return c
		}
	}
	return strings.Compare(a.Message, b.Message)
}
