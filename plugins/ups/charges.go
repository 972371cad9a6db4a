package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// price is what UPS asks, and what it is made of.
type price struct {
	total   shipping.Money
	tax     shipping.Money
	charges []shipping.Charge
}

// priceOf prefers the account's own rates to the published ones, and totals with taxes to those without. A line that
// cannot be read is left out; a total that cannot is an error.
func priceOf(published charges, own many[negotiated]) (price, error) {
	if n := own.first(); len(n.TotalCharge) > 0 || len(n.TotalChargesWithTaxes) > 0 {
		return makePrice(n.TotalCharge, n.TotalChargesWithTaxes, n.TaxCharges, func(p *price) {
			p.add("BASE", "Base service charge", n.BaseServiceCharge.first())
			p.addItems(n.ItemizedCharges)
		})
	}
	return makePrice(published.TotalCharges, published.TotalChargesWithTaxes, published.TaxCharges, func(p *price) {
		// Base and items are what transportation and options are made of; the shipment's own base may be 0.00 while its
		// packages' is not, so the sums are the safer lines.
		p.add("TRANSPORTATION", "Transportation", published.TransportationCharges.first())
		p.add("OPTIONS", "Service options", published.ServiceOptionsCharges.first())
	})
}

func makePrice(total, withTaxes many[paid], taxes many[tax], lines func(*price)) (price, error) {
	p := price{}
	said := withTaxes
	if len(said) == 0 || said.first().MonetaryValue == "" {
		said = total
	}
	if len(said) == 0 {
		return p, errors.New("no total charges")
	}
	var err error
	if p.total, err = said.first().money(); err != nil {
		return p, fmt.Errorf("total charges: %w", err)
	}
	lines(&p)
	if len(withTaxes) > 0 {
		for _, t := range taxes {
			m, err := paid{text(p.total.Currency), t.MonetaryValue}.money()
			if err != nil {
				continue
			}
			if sum, err := p.tax.Add(m); err == nil {
				p.tax = sum
			}
			p.charges = append(p.charges, shipping.Charge{Code: "TAX " + string(t.Type), Name: "Tax", Amount: m})
		}
	}
	return p, nil
}

func (p *price) add(code, name string, v paid) {
	if m, err := v.money(); err == nil && m.Minor != 0 {
		p.charges = append(p.charges, shipping.Charge{Code: code, Name: name, Amount: m})
	}
}

func (p *price) addItems(items many[itemized]) {
	for _, c := range items {
		name := string(c.Description)
		if name == "" {
			name = chargeNames[string(c.Code)]
		}
		if name == "" {
			name = strings.ReplaceAll(string(c.SubType), "_", " ")
		}
		p.add(string(c.Code), name, paid{c.CurrencyCode, c.MonetaryValue})
	}
}

// chargeNames are the itemized codes seen in recorded answers whose meaning is known; UPS sends no words with them.
var chargeNames = map[string]string{
	"375": "Fuel surcharge", "270": "Residential surcharge", "250": "Return label", "300": "Saturday delivery", "400": "Declared value",
}

func (v paid) money() (shipping.Money, error) {
	if m, ok := cents(string(v.MonetaryValue), string(v.CurrencyCode)); ok {
		return m, nil
	}
	s := string(v.MonetaryValue)
	if strings.HasPrefix(s, ".") {
		s = "0" + s
	}
	d, err := shipping.ParseDecimal(s)
	if err != nil {
		return shipping.Money{}, err
	}
	return shipping.BindMoney(d, string(v.CurrencyCode))
}

// cents reads the form that nearly every amount has, digits with two decimals in a currency of two, without the exact
// arithmetic that the others need: a rate answer has a hundred amounts.
func cents(s, currency string) (shipping.Money, bool) {
	n := len(s)
	if n < 4 || n > 15 || s[n-3] != '.' {
		return shipping.Money{}, false
	}
	if digits, ok := shipping.CurrencyDigits(currency); !ok || digits != 2 {
		return shipping.Money{}, false
	}
	var minor int64
	for i := range n {
		if i == n-3 {
			continue
		}
		if s[i] < '0' || s[i] > '9' {
			return shipping.Money{}, false
		}
		minor = minor*10 + int64(s[i]-'0')
	}
	return shipping.Money{Minor: minor, Currency: currency}, true
}
