package rules

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// edge is an order at the edge of what there is.
type edge struct {
	input   Input
	witness map[string]string
}

// edges are orders that make careless expressions fail: without items and with one, worth nothing and much, of every type of address, with and
// without a promise.
func (b *Bundle) edges() []edge {
	now := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	src := InputSource{ExternalID: "edge", Currency: cmp.Or(b.currency, "USD"), Now: now, Location: LocationSource{ID: "edge"}}
	for _, n := range b.Needs().Quotas {
		src.Quotas = append(src.Quotas, Quota{QuotaNeed: n})
	}
	for _, n := range b.Needs().Budgets {
		src.Budgets = append(src.Budgets, Budget{BudgetNeed: n})
	}
	var out []edge
	add := func(witness map[string]string, change func(*InputSource)) {
		s := src
		change(&s)
		if in, err := NewInput(s); err == nil {
			out = append(out, edge{in, witness})
		}
	}
	add(map[string]string{"order.items": "[]"}, func(*InputSource) {})
	add(map[string]string{"order.items": "[ { sku: A } ]", "order.total": "1 " + src.Currency}, func(s *InputSource) {
		s.Value = shipping.MustDecimal("1")
		s.Items = []shipping.Item{{SKU: "A", Quantity: 1, Price: shipping.MustDecimal("1")}}
	})
	add(map[string]string{"order.total": "1000000 " + src.Currency, "order.promise_by": "2h"}, func(s *InputSource) {
		s.Value, s.DropTime.EndsAt = shipping.MustDecimal("1000000"), shipping.At(now.Add(2*time.Hour))
	})
	for _, kind := range shipping.AddressTypes {
		add(map[string]string{"order.to.type": kind}, func(s *InputSource) { s.Delivery.Type = kind })
	}
	return out
}

// usualService is that of the offers at the edge which ask the usual fee.
const usualService = "c"

// edges decides the orders at the edge, with an offer of nothing, one of much and a usual one from each provider, and reports the rules that fail; with an
// order that shows it where that is asked for.
func (l *linter) edges(show bool) {
	b := l.b
	var candidates []Candidate
	for _, p := range b.providers {
		candidates = append(candidates, Candidate{Account: p})
	}
	amount, of, _ := strings.Cut(b.usualFee(), " ")
	usual, err := shipping.BindMoney(shipping.MustDecimal(amount), of)
	if err != nil {
		usual = shipping.Money{Currency: of} // a currency that nobody pays in
	}
	reported := map[string]bool{}
	for _, e := range b.edges() {
		if show && l.stop() {
			return
		}
		var offers []Offer
		currency := e.input.Order.Total.Currency
		for _, p := range b.providers {
			offers = append(offers,
				Offer{ID: "1", Account: p, Quote: shipping.Quote{ServiceID: "a", Amount: shipping.Money{Currency: currency}}},
				Offer{ID: "2", Account: p, Quote: shipping.Quote{ServiceID: "b", Amount: shipping.Money{Minor: 1_000_000, Currency: currency}, TransitDays: 3}},
				Offer{ID: "3", Account: p, Quote: shipping.Quote{ServiceID: usualService, Amount: usual}})
		}
		d := b.Decide(b.Prepare(e.input, candidates), offers)
		for _, f := range d.Faults {
			if reported[f.Rule] || b.currency == "" && strings.Contains(f.Message, "cannot ") { // the currency of the orders is not known here
				continue
			}
			below := strings.Contains(f.Message, belowZero)
			if below && f.Phase == PhaseAdjust && f.Service != usualService {
				continue // every discount is more than no fee
			}
			reported[f.Rule] = true
			h := l.headOf(f.Rule)
			c := claim{h: h, code: "W626", sentence: "it fails while it runs: " + f.Message, hint: l.runHint(h, f.Message), shows: fails(f.Rule)}
			if below {
				c.sentence = "it goes below zero: " + f.Message
			}
			if !show {
				l.report(c.h, c.code, c.sentence, c.hint, "")
				continue
			}
			for _, fee := range []string{"", "0", "10000"} {
				w := maps.Clone(e.witness)
				if f.Account != "" {
					w["option.provider"] = f.Account
				}
				if fee != "" {
					w["option.fee"] = fee + " " + currency
				}
				c.values = append(c.values, w)
			}
			l.claim(c)
		}
	}
}

// headOf finds a rule by its name; the score, the ties and none are no rule, and stand somewhere all the same.
func (l *linter) headOf(name string) *head {
	for _, h := range l.b.heads() {
		if h.name == name {
			return h
		}
	}
	at := l.b.spot(name)
	return &head{name: name, file: at.file, line: at.line, column: at.column}
}

// entryAsked is where an expression asks for one entry of a list of the order by its number.
var entryAsked = regexp.MustCompile(`\b(order\.[a-z_.]+)\[(\d+)\]`)

// runHint says what to do about an expression of a rule that fails while it runs.
func (l *linter) runHint(h *head, message string) string {
	switch {
	case strings.Contains(message, "index out of range"):
		path, number := "…", "0"
		if m := entryAsked.FindStringSubmatch(l.sourcesOf(h)); m != nil {
			path, number = m[1], m[2]
		}
		hint := fmt.Sprintf("make sure of what it asks for: len(%s) > %s and …", path, number)
		if path != "…" && path != "order.items" {
			hint += fmt.Sprintf("; or ask whether it is among them: \"…\" in %s", path)
		}
		return hint
	case strings.Contains(message, belowZero):
		return "say when, or give zero otherwise: order.total > usd(20) ? order.total - usd(20) : usd(0)"
	case strings.Contains(message, "memory budget"):
		return "it makes too long a list; compare with both ends of a range, or ask a shorter list"
	}
	return "ask before, with and or ? :, for what makes it fail"
}

// sourcesOf is the condition of a rule with the lets that it names, or the score with all lets.
func (l *linter) sourcesOf(h *head) string {
	text := strings.Join(l.b.rank.texts, " ")
	if h.when != nil {
		text = h.when.Source
	}
	for _, let := range slices.Concat(l.b.orderLets, l.b.optionLets) {
		if h.when == nil || h.when.Uses[let.name] {
			text += " " + let.formula.Source
		}
	}
	return text
}
