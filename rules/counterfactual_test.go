package rules_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

const whatIfRules = `rules: 1
name: what if
currency: USD
let:
  heavy: order.weight > lb(60)
exclude:
  - { name: Heavy carts need a car, when: 'heavy and option.vehicle in ["bike", "scooter"]', reason: weight }
  - { name: No alcohol, when: '"alcohol" in order.content', providers: [roadie], reason: alcohol }
  - { name: Two reasons, when: order.total > usd(20) and order.quantity > 5, providers: [ups], reason: both }
`

// TestWhatIfNamesTheLeastChange: each sentence names a change that does let the option win, and the fee is exact to the cent.
func TestWhatIfNamesTheLeastChange(t *testing.T) {
	b, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte(whatIfRules)}}, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	in, err := rules.NewInput(rules.InputSource{ExternalID: "g2", Currency: "USD", Value: shipping.MustDecimal("42"), Parcels: []shipping.Parcel{{
		ItemQuantity: 9, Weight: &shipping.Weight{Value: shipping.MustDecimal("75"), Unit: "lb"}, Content: []string{"alcohol"}}}})
	if err != nil {
		t.Fatal(err)
	}
	// The carriers say themselves what they carry; alcohol is a matter of the rules here.
	supports := []rules.ServiceInfo{{ID: "s", Supports: []string{"alcohol"}}}
	var candidates []rules.Candidate
	var offers []rules.Offer
	for account, minor := range map[string]int64{"car": 900, "scooter": 700, "roadie": 800, "ups": 600, "dear": 950} {
		vehicle := "car"
		if account == "scooter" {
			vehicle = "scooter"
		}
		candidates = append(candidates, rules.Candidate{Account: account, Services: supports})
		offers = append(offers, rules.Offer{ID: account, Account: account, Quote: shipping.Quote{ServiceID: "s", Vehicle: vehicle, Amount: shipping.Money{Minor: minor, Currency: "USD"}}})
	}
	plan := b.Prepare(in, candidates)
	for _, a := range []string{"roadie", "ups"} { // they were asked all the same, so that there is a fee to judge by
		if slices.ContainsFunc(plan.Ask, func(x rules.Ask) bool { return x.Account == a }) {
			t.Fatalf("%s is not excluded", a)
		}
	}
	d := b.Decide(plan, offers)
	got, err := rules.WhatIf(b, d)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"with a fee of 8.99 USD instead of 9.50 USD, dear/s would win",
		"with order.content = [] instead of [\"alcohol\"], roadie/s would win with 8.00",
		"with order.weight = 27215.54 g (60 lb) instead of 34019.43 g (75 lb), scooter/s would win with 7.00",
		"with order.quantity = 5 instead of 9, ups/s would win with 6.00",
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("missing: %s\nsaid:\n%s", w, strings.Join(got, "\n"))
		}
	}
	if len(got) != len(want) {
		t.Errorf("said:\n%s", strings.Join(got, "\n"))
	}
}
