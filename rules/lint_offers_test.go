package rules_test

import (
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

// TestLintOffers holds rules against what carriers have asked.
func TestLintOffers(t *testing.T) {
	b, err := rules.Load(oneFile("rules: 1\ncurrency: USD\nproviders: [doordash, own_fleet, ups]\nguard:\n  - { name: Low, max_fee: 1.00, on_breach: next }\n"+
		"  - { name: High, max_fee: 100.00, on_breach: next }\n  - { name: Share, max_fee: order.total * 0.01, on_breach: next }\n"), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	silent := offers()[:0]
	for _, o := range offers() {
		if o.Account != "own_fleet" {
			silent = append(silent, o)
		}
	}
	d := b.Decide(b.Prepare(input(t, source()), candidates()), silent)
	var o rules.Offered
	if found := b.LintOffers(o); len(found) > 0 {
		t.Errorf("nothing was asked, and it finds %v", found)
	}
	o.Add(&d)
	found := b.LintOffers(o)
	if len(found) != 2 || found[0].Code != "W627" || found[0].Where != `rule "Low"` || found[1].Code != "W628" {
		t.Errorf("%+v", found)
	}
}
