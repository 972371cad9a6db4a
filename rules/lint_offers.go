package rules

import (
	"fmt"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Offered is what carriers have asked in a number of past orders.
type Offered struct {
	Orders   int
	Accounts map[string]bool           // those that made an offer
	Asked    map[string]bool           // those that were asked
	Least    map[string]shipping.Money // the least fee, by currency
}

// Add takes a decision in.
func (o *Offered) Add(d *Decision) {
	if o.Accounts == nil {
		o.Accounts, o.Asked, o.Least = map[string]bool{}, map[string]bool{}, map[string]shipping.Money{}
	}
	o.Orders++
	for _, a := range d.Plan.Ask {
		o.Asked[a.Account] = true
	}
	for i := range d.Options {
		fee := d.Options[i].Fee
		o.Accounts[d.Options[i].Account] = true
		if least, known := o.Least[fee.Currency]; !known || fee.Minor < least.Minor {
			o.Least[fee.Currency] = fee
		}
	}
}

// LintOffers names the guards whose bound is under every fee that was asked, and the providers that were asked and never made an offer.
func (b *Bundle) LintOffers(o Offered) []Finding {
	l := &linter{b: b}
	for i := range b.guards {
		g := &b.guards[i]
		if g.maxFee == nil || g.maxFee.formula != nil || g.maxFee.percent != nil {
			continue
		}
		if least, known := o.Least[g.maxFee.money.Currency]; known && g.maxFee.money.Minor < least.Minor {
			l.report(&g.head, "W627", fmt.Sprintf("its bound of %s is under every fee that was asked in %s: the least was %s", g.maxFee.money, orders(o.Orders), least),
				"raise max_fee: no option would be left", pastOrders)
		}
	}
	for _, p := range b.providers {
		if o.Asked[p] && !o.Accounts[p] {
			l.found = append(l.found, Finding{NoWitness: pastOrders, Problem: Problem{Code: "W628", File: b.file, Line: 1, Column: 1, End: 2, Where: "providers",
				Sentence: fmt.Sprintf("%s was asked in %s and never made an offer", p, orders(o.Orders)), Hint: "see whether the account works, or take it out"}})
		}
	}
	return l.found
}

func orders(n int) string {
	if n == 1 {
		return "1 order"
	}
	return fmt.Sprintf("%d orders", n)
}
