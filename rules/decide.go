package rules

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Decide chooses among the offers. The plan must come from Prepare of the same bundle. The order of offers and refusals does not
// matter. An offer of a service that was excluded or not asked stays out, whatever the carrier says.
func (b *Bundle) Decide(p Plan, offers []Offer, refused ...Refused) Decision {
	return b.decide(RecordSchema, p, offers, refused)
}

// decide is Decide for a record of a schema.
func (b *Bundle) decide(schema int, p Plan, offers []Offer, refused []Refused) Decision {
	d := Decision{Schema: schema, Rules: b.hash, Plan: p, Excluded: slices.Clone(p.Excluded), Refused: slices.Clone(refused)}
	slices.SortFunc(d.Refused, compareRefused)
	r := &deciding{run: b.start(schema, &p.Input, p.Candidates, &p.Set), d: &d}
	defer r.close()
	r.take(offers)
	if p.Hold == nil {
		r.judge()
		r.adjust()
		r.rank()
		r.choose()
		r.guard()
		r.moved()
		r.breached()
		r.settle()
		r.fallbacks()
		r.warn()
		r.none()
	}
	slices.SortFunc(d.Excluded, byPlace)
	slices.SortFunc(r.faults, byFault)
	d.Faults = append(slices.Clone(p.Faults), r.faults...)
	return d
}

// deciding is the second half of a decision while it is computed. vars are the options as expressions see them, eligible the places in
// d.Options of those that are not excluded, best first once they are ranked.
type deciding struct {
	*run
	d        *Decision
	vars     []option
	ties     [][]any
	eligible []int
	alone    []int     // eligible before a choose rule spoke; nil where none did
	spends   [][]Spend // by option
}

// take puts the offers into the order of the record.
func (r *deciding) take(offers []Offer) {
	places := make([]*Offer, len(offers)) // quotes are large; their places are what is moved about
	for i := range offers {
		places[i] = &offers[i]
	}
	slices.SortFunc(places, compareOffers)
	places = r.most(places)
	r.d.Options = make([]Option, len(places))
	r.vars = make([]option, len(places))
	for i, o := range places {
		q := recorded(o.Quote)
		r.d.Options[i] = Option{ID: o.ID, Account: o.Account, Service: q.ServiceID, Quote: q, Fee: q.Amount, Cost: q.Amount}
		r.vars[i] = r.optionOf(o.Account, &r.d.Options[i].Quote)
	}
}

// most keeps the cheapest of more offers than one decision looks at, and says of the others that they were left out.
func (r *deciding) most(offers []*Offer) []*Offer {
	if len(offers) <= maxOffers {
		return offers
	}
	byFee := slices.Clone(offers)
	slices.SortStableFunc(byFee, func(a, b *Offer) int { return cmp.Compare(a.Quote.Amount.Minor, b.Quote.Amount.Minor) })
	for _, o := range byFee[maxOffers:] {
		r.d.Refused = append(r.d.Refused, Refused{Account: o.Account, Service: o.Quote.ServiceID, Code: "TOO_MANY_OFFERS",
			Message: fmt.Sprintf("A decision looks at the %d cheapest offers; this one asks %s.", maxOffers, o.Quote.Amount)})
	}
	slices.SortFunc(r.d.Refused, compareRefused)
	kept := byFee[:maxOffers]
	slices.SortFunc(kept, compareOffers)
	return kept
}

func compareRefused(x, y Refused) int {
	return cmp.Or(strings.Compare(x.Account, y.Account), strings.Compare(x.Service, y.Service), strings.Compare(x.Code, y.Code),
		strings.Compare(x.Message, y.Message))
}

func compareOffers(a, b *Offer) int {
	if c := cmp.Or(
		strings.Compare(a.Account, b.Account), strings.Compare(a.Quote.ServiceID, b.Quote.ServiceID),
		cmp.Compare(a.Quote.Amount.Minor, b.Quote.Amount.Minor), strings.Compare(a.ID, b.ID),
	); c != 0 {
		return c
	}
	x, _ := json.Marshal(recorded(a.Quote)) // two quotes alike so far: any order will do that does not depend on how they came, nor on what is not recorded
	y, _ := json.Marshal(recorded(b.Quote))
	return bytes.Compare(x, y)
}

// recorded is a quote as records hold it.
func recorded(q shipping.Quote) shipping.Quote {
	q.Token, q.Charges, q.Warnings = nil, nil, nil
	return q
}

// optionOf is an offer as expressions see it.
func (r *run) optionOf(account string, q *shipping.Quote) option {
	now := r.in.Local.Now
	o := r.providerOption(account)
	o.Service, o.Mode, o.Fee, o.Cost, o.Tax = q.ServiceID, q.Mode, q.Amount, q.Amount, q.Tax
	if slices.Contains(vehicles, q.Vehicle) { // else nobody knows how it compares with these
		o.Vehicle = q.Vehicle
	}
	o.PickupAt, o.DropoffAt, o.TransitDays, o.Guaranteed, o.Distance = never, never, q.TransitDays, q.Guaranteed, unit.Metres(q.DistanceMetres)
	switch {
	case !q.Pickup.StartsAt.IsZero():
		o.PickupAt = q.Pickup.StartsAt.Time
	case !q.Pickup.EndsAt.IsZero():
		o.PickupAt = q.Pickup.EndsAt.Time
	}
	o.HasDropoff = true
	switch {
	case !q.Delivery.EndsAt.IsZero():
		o.DropoffAt = q.Delivery.EndsAt.Time
	case !q.Delivery.StartsAt.IsZero():
		o.DropoffAt = q.Delivery.StartsAt.Time
	case q.TransitDays > 0:
		o.DropoffAt = now.AddDate(0, 0, q.TransitDays)
	default:
		o.HasDropoff = false
	}
	o.DeliverBy, o.PickupIn, o.DropoffIn = o.DropoffAt, o.PickupAt.Sub(now), o.DropoffAt.Sub(now)
	if o.PickupAt != never {
		o.PickupLate = max(o.PickupAt.Sub(r.in.Order.ReadyAt), 0)
	}
	for i := range r.candidates {
		c := &r.candidates[i]
		if c.Account != account {
			continue
		}
		for _, s := range c.Services {
			if s.ID == q.ServiceID {
				o.Supports, o.Mode = s.Supports, cmp.Or(q.Mode, s.Mode)
			}
		}
	}
	return o
}

// declared reports whether the manifest of an account names a service, so that Prepare has judged it.
func declared(candidates []Candidate, account, service string) bool {
	return slices.ContainsFunc(candidates, func(c Candidate) bool {
		return c.Account == account && slices.ContainsFunc(c.Services, func(s ServiceInfo) bool { return s.ID == service })
	})
}

// judge excludes options.
func (r *deciding) judge() {
	p := &r.d.Plan
	for i := range r.d.Options {
		o := &r.d.Options[i]
		before := len(r.d.Excluded)
		switch {
		case slices.ContainsFunc(p.Excluded, func(e Exclusion) bool {
			return e.Account == o.Account && (e.Service == "" || e.Service == o.Service)
		}):
			o.Excluded = true
			continue
		case !slices.ContainsFunc(p.Ask, func(a Ask) bool { return a.Account == o.Account }):
			r.d.Excluded = append(r.d.Excluded, exclusion(o.Account, o.Service, "not asked", "was not asked", PhaseBuiltin))
		default:
			r.look(&r.vars[i], stageQuote)
			least := stageQuote
			if !declared(p.Candidates, o.Account, o.Service) {
				least = stageService
				r.d.Excluded = r.unsupported(o.Account, o.Service, nil, r.d.Excluded)
			}
			if small := p.Set.tooSmall(o.Quote.Vehicle); small != "" {
				r.d.Excluded = append(r.d.Excluded, exclusion(o.Account, o.Service, "vehicle", small, PhaseBuiltin))
			}
			r.d.Excluded = r.run.excluded(o.Account, o.Service, least, stageQuote, r.d.Excluded)
		}
		if o.Excluded = len(r.d.Excluded) > before; !o.Excluded {
			r.eligible = append(r.eligible, i)
		}
	}
}

// adjust sums what the adjust rules add to the cost and charge the customer. Every rule sees the cost before any of them.
func (r *deciding) adjust() {
	for n, i := range r.eligible {
		o := &r.d.Options[i]
		if len(r.bundle.adjusts) == 0 {
			break
		}
		if n == 1 { // the others are mostly adjusted by as many rules
			r.d.Adjusted = slices.Grow(r.d.Adjusted, len(r.d.Adjusted)*(len(r.eligible)-1))
		}
		r.look(&r.vars[i], stageQuote)
		r.phase, r.account, r.service = PhaseAdjust, o.Account, o.Service
		for n := range r.bundle.adjusts {
			rule := &r.bundle.adjusts[n]
			if !selects(rule.only, o.Account, o.Service) || !r.holds(&rule.head) {
				continue
			}
			if a, ok := r.adjustment(rule, o); ok {
				r.d.Adjusted = append(r.d.Adjusted, a)
			}
		}
		r.vars[i].Cost = o.Cost
		r.chargeNothing(o)
	}
	r.account, r.service = "", ""
	slices.SortStableFunc(r.d.Adjusted, func(a, b Adjustment) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.Service, b.Service), strings.Compare(a.ID, b.ID), strings.Compare(a.Rule, b.Rule))
	})
}

// chargeNothing keeps what the customer pays, the fee and every charge, from going below zero. The rule that takes off most is told of it.
func (r *deciding) chargeNothing(o *Option) {
	pays, err := o.Fee.Add(o.Charge)
	if err != nil || pays.Minor >= 0 || r.eager {
		return
	}
	var most *Adjustment
	for n := range r.d.Adjusted {
		a := &r.d.Adjusted[n]
		if a.Account != o.Account || a.Service != o.Service || a.ID != o.ID {
			continue
		}
		if most == nil || a.Charge.Minor < most.Charge.Minor || a.Charge.Minor == most.Charge.Minor && a.Rule < most.Rule {
			most = a
		}
	}
	if most == nil || o.Fee.Minor < 0 { // it is the carrier that pays
		return
	}
	r.fault(most.Rule, fmt.Errorf("with a charge of %s on a fee of %s the customer would pay %s, "+belowZero+": the fee is charged back and no more", o.Charge, o.Fee, pays))
	o.Charge.Minor = -o.Fee.Minor
}

// adjustment applies one rule to one option, whole or not at all.
func (r *deciding) adjustment(rule *adjustRule, o *Option) (Adjustment, bool) {
	a := Adjustment{Account: o.Account, Service: o.Service, ID: o.ID, Rule: rule.name, Reason: r.text(rule.name, rule.reason)}
	cost, charge := o.Cost, o.Charge
	var err error
	if rule.add != nil {
		if a.Add, err = rule.add.eval(r.m, o.Fee); err == nil {
			cost, err = cost.Add(a.Add)
		}
	}
	if rule.charge != nil && err == nil {
		if a.Charge, err = rule.charge.eval(r.m, o.Fee); err == nil {
			charge, err = charge.Add(a.Charge)
		}
	}
	if err == nil && rule.charge != nil && o.Fee.Currency != a.Charge.Currency {
		_, err = o.Fee.Add(a.Charge)
	}
	if err != nil {
		r.fault(rule.name, err)
		return a, false
	}
	o.Cost, o.Charge = cost, charge
	return a, true
}

// rank scores the eligible options and puts them in order. Those whose score fails come last, the cheapest of them first.
func (r *deciding) rank() {
	rule := &r.bundle.rank
	r.d.ScoreTerms = rule.texts
	r.m.Vars["best"] = r.best()
	r.ties = make([][]any, len(r.d.Options))
	for _, i := range r.eligible {
		o := &r.d.Options[i]
		r.look(&r.vars[i], stageQuote)
		r.phase, r.account, r.service = PhaseRank, o.Account, o.Service
		r.score(rule, o)
		for _, f := range rule.ties {
			v, err := r.eval(f)
			if err != nil {
				r.fault("ties", err)
				v = math.Inf(1)
			}
			if n, ok := v.(int); ok {
				v = float64(n)
			}
			if n, ok := v.(float64); ok && math.IsNaN(n) { // it would come before every number
				r.fault("ties", errNoNumber)
				v = math.Inf(1)
			}
			r.ties[i] = append(r.ties[i], v)
			o.Ties = append(o.Ties, forPeople(v))
		}
	}
	r.account, r.service = "", ""
	slices.SortStableFunc(r.eligible, func(a, b int) int {
		x, y := &r.d.Options[a], &r.d.Options[b]
		return cmp.Or(compareScores(x.Score, y.Score), compareUnscored(x, y), compareTies(r.ties[a], r.ties[b]), cmp.Compare(a, b))
	})
}

func (r *deciding) score(rule *rankRule, o *Option) {
	sum := 0.0
	terms := make([]float64, 0, len(rule.terms))
	for _, f := range rule.terms {
		v, err := r.eval(f)
		if err != nil {
			r.fault("score", err)
			return
		}
		n, ok := v.(float64)
		if whole, isInt := v.(int); isInt {
			n, ok = float64(whole), true
		}
		if !ok || math.IsNaN(n) || math.IsInf(n, 0) {
			r.fault("score", errNoNumber)
			return
		}
		terms = append(terms, n)
		sum += n
	}
	if math.IsInf(sum, 0) {
		r.fault("score", errNoNumber)
		return
	}
	o.Score, o.Terms = &sum, terms
}

func compareScores(a, b *float64) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return cmp.Compare(*a, *b)
}

// compareUnscored puts the cheaper of two options without a score first: a ranking that fails must not book the dearest by its name.
func compareUnscored(a, b *Option) int {
	if a.Score != nil || b.Score != nil {
		return 0
	}
	c, err := unit.CompareMoney(a.Cost, b.Cost)
	if err != nil { // of two currencies
		return 0
	}
	return c
}

func compareTies(a, b []any) int {
	for i := range a {
		var c int
		switch x := a[i].(type) {
		case string:
			y, _ := b[i].(string)
			c = strings.Compare(x, y)
		case float64:
			y, ok := b[i].(float64)
			if !ok {
				y = math.Inf(1)
			}
			c = cmp.Compare(x, y)
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// best is the least fee and the least time over the eligible options, each on its own.
func (r *deciding) best() bestOffer {
	best := bestOffer{DropoffIn: time.Duration(math.MaxInt64)}
	for n, i := range r.eligible {
		o := &r.vars[i]
		if less, err := unit.CompareMoney(o.Fee, best.Fee); n == 0 || err == nil && less < 0 {
			best.Fee = o.Fee
		}
		best.DropoffIn = min(best.DropoffIn, o.DropoffIn)
	}
	return best
}
