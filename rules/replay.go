package rules

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Replay is an old decision made again with other rules, from the input and the offers of then.
type Replay struct {
	Decision Decision
	// Unknown lists what the other rules would have looked at and the record does not hold: services that nobody asked for a quote then
	// (the rules of then excluded them first, or held the order), quotes for another signature, weight or whatever else the rules of then had
	// carriers told otherwise, counts that the rules of then did not need. The decision is then made with what is recorded, and
	// nobody knows whether it would have come so.
	Unknown []string

	recharged bool // the customer is asked another amount than by the record
}

// Certain reports whether the record holds all that the decision was made from.
func (r *Replay) Certain() bool { return len(r.Unknown) == 0 }

// Differs reports whether it is certain that the other rules come to something else than the record: another offer, another charge
// for the customer, a hold, or nothing.
func (r *Replay) Differs(record *Decision) bool { return r.Certain() && changed(record, &r.Decision) }

// Sentence says for people what the other rules decide, and claims nothing where that is not certain.
func (r *Replay) Sentence() string {
	if !r.Certain() {
		return "Not known: these rules look at what was not recorded."
	}
	if r.recharged {
		return r.Decision.Sentence() + r.Decision.asksOnTop()
	}
	return r.Decision.Sentence()
}

// asksOnTop says what the customer is asked on top of the winner's fee.
func (d *Decision) asksOnTop() string {
	if d.Winner == nil {
		return ""
	}
	if d.Winner.Charge.Minor == 0 {
		return " The customer is charged nothing on top."
	}
	return fmt.Sprintf(" The customer is charged %s on top.", d.Winner.Charge)
}

// Differs reports whether another decision about the same order comes to something else: another offer, another charge, a hold, or
// nothing.
func (d *Decision) Differs(other *Decision) bool { return changed(d, other) }

// Apart lists the rules that are behind the difference of two decisions about one order, sorted; "rank.score" and "rank.ties" stand for the
// ranking.
func (d *Decision) Apart(other *Decision) []string { return behind(d, other) }

// Replay decides a recorded order with the rules of b. No carrier is asked.
func (b *Bundle) Replay(record *Decision) Replay { return b.replay(record, record.Plan.Input) }

// replay is Replay with an input whose counts may be others than those of the record.
func (b *Bundle) replay(record *Decision, in Input) Replay {
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
	r.recharged = recharged(record, &r.Decision)
	r.unknown()
	return r
}

// unknown adds to what is unknown, and puts it in order.
func (r *Replay) unknown(more ...string) {
	r.Unknown = append(r.Unknown, more...)
	slices.Sort(r.Unknown)
	r.Unknown = slices.Compact(r.Unknown)
}

// unquoted finds what would be asked now and was not asked then, or not in these words.
func (r *Replay) unquoted(plan *Plan, record *Decision) {
	again := false
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
			if asked(record.Plan.Ask, a.Account, service) {
				again = true
			} else {
				r.Unknown = append(r.Unknown, "quote of "+selector{a.Account, service}.String())
			}
		}
	}
	if again {
		for _, attribute := range plan.ToldApart(&record.Plan) {
			r.Unknown = append(r.Unknown, "quotes for the new "+attribute)
		}
	}
}

// ToldApart lists, as rules of set name them, what carriers that are asked for quotes are told otherwise about one order by one plan than by
// another. The least vehicle is not among them, nor is the format of labels: the first is compared with the quotes, the other is said when
// a carrier is booked.
func (p *Plan) ToldApart(other *Plan) []string {
	var out []string
	add := func(attribute string, same bool) {
		if !same {
			out = append(out, attribute)
		}
	}
	add("signature", p.signature() == other.signature())
	add("tip", sameAmount(p.tip(), other.tip()))
	add("instructions", p.Set.Instructions == other.Set.Instructions)
	add("pickup_instructions", p.Set.PickupInstructions == other.Set.PickupInstructions)
	add("ship_date", p.Set.ShipAt.Equal(other.Set.ShipAt))
	add("weight", p.sameWeight(other))
	return out
}

func (p *Plan) signature() string { return cmp.Or(p.Set.Signature, p.Input.Order.Signature) }

func (p *Plan) tip() shipping.Money {
	if p.Set.Tip != nil {
		return *p.Set.Tip
	}
	return p.Input.Order.Tip
}

func sameAmount(a, b shipping.Money) bool { return a == b || a.Minor == 0 && b.Minor == 0 }

// sameWeight compares the weight of each parcel. Of several parcels that rules did not weigh only the sum is recorded.
func (p *Plan) sameWeight(other *Plan) bool {
	if p.Set.Weight == nil && other.Set.Weight == nil {
		return true
	}
	a, b := p.parcelWeight(), other.parcelWeight()
	return a != nil && b != nil && a.Cmp(b) == 0
}

// parcelWeight is what each parcel weighs, in grams; nil where that is not known.
func (p *Plan) parcelWeight() *big.Rat {
	switch {
	case p.Set.Weight != nil:
		return p.Set.Weight.Grams()
	case p.Input.Order.Parcels == 1:
		return p.Input.Order.Weight.Rat()
	}
	return nil
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
			missing = append(missing, n.name())
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
			missing = append(missing, n.name())
		}
	}
	return missing
}
