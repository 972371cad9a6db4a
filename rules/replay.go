package rules

import (
	"slices"
	"strings"
)

// Replay is an old decision made again with other rules, from the input and the offers of then.
type Replay struct {
	Decision Decision
	// Unknown lists what the other rules would have looked at and the record does not hold: services that nobody asked for a quote then
	// (the rules of then excluded them first), counts that the rules of then did not need. What comes of a decision with
	// unknown parts is not certain.
	Unknown []string
}

// Differs reports whether another decision about the same order comes to something else: another offer, a hold, or nothing.
func (d *Decision) Differs(other *Decision) bool { return changed(d, other) }

// Apart lists the rules that are behind the difference of two decisions about one order, sorted; "rank.score" and "rank.ties" stand for the
// ranking.
func (d *Decision) Apart(other *Decision) []string { return behind(d, other) }

// Replay decides a recorded order with the rules of b. No carrier is asked.
func (b *Bundle) Replay(record *Decision) Replay {
	in := record.Plan.Input
	r := Replay{Unknown: b.unrecorded(&in, record.Rules)}
	if b.Needs().Rates && record.Rules != b.hash && !slices.ContainsFunc(record.Plan.Candidates, func(c Candidate) bool { return c.Rates != nil }) {
		r.Unknown = append(r.Unknown, "rates of carriers")
	}
	plan := b.Prepare(in, record.Plan.Candidates)
	var offers []Offer
	for i := range record.Options {
		o := &record.Options[i]
		if asked(plan.Ask, o.Account, o.Service) {
			offers = append(offers, Offer{ID: o.ID, Account: o.Account, Quote: o.Quote})
		}
	}
	if plan.Hold == nil {
		r.unquoted(&plan, record)
	}
	r.Decision = b.Decide(plan, offers, record.Refused...)
	slices.Sort(r.Unknown)
	r.Unknown = slices.Compact(r.Unknown)
	return r
}

// unquoted finds what would be asked now and was not asked then.
func (r *Replay) unquoted(plan *Plan, record *Decision) {
	for _, a := range plan.Ask {
		services := a.Services
		if services == nil {
			services = []string{}
			for _, c := range plan.Candidates {
				for _, s := range c.Services {
					if c.Account == a.Account {
						services = append(services, s.ID)
					}
				}
			}
		}
		if len(services) == 0 {
			services = []string{""}
		}
		for _, service := range services {
			if !asked(record.Plan.Ask, a.Account, service) {
				r.Unknown = append(r.Unknown, "quote of "+selector{a.Account, service}.String())
			}
		}
	}
}

// unrecorded finds what the rules of b need of an order and the record does not hold.
func (b *Bundle) unrecorded(in *Input, rules string) []string {
	if rules == b.hash {
		return nil
	}
	var missing []string
	needs := b.Needs()
	for _, n := range needs.Quotas {
		if !slices.ContainsFunc(in.Quotas, func(q Quota) bool { return q.QuotaNeed == n }) {
			missing = append(missing, "quota of "+n.Account+" per "+n.Period)
		}
	}
	for _, id := range b.ZonesKnown() {
		if !slices.Contains(in.Zones, id) {
			name, _, _ := strings.Cut(id, "@")
			missing = append(missing, "zone "+name)
		}
	}
	if b.pii && in.Recipient == (Recipient{}) {
		missing = append(missing, "the recipient")
	}
	for _, n := range needs.Budgets {
		if !slices.ContainsFunc(in.Budgets, func(x Budget) bool { return x.BudgetNeed == n }) {
			missing = append(missing, "budget of "+n.Guard)
		}
	}
	return missing
}
