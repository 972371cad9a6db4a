package main

import (
	"fmt"
	"math/big"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// fee is a checked Fee in exact numbers.
type fee struct {
	flat, perKM, includedKM *big.Rat // never nil
	tiers                   []tier
	freeOver                *big.Rat // nil: never free
}

type tier struct {
	upToKM *big.Rat // nil: any distance
	amount *big.Rat
}

// price is what a delivery costs; the charges add up to the amount.
type price struct {
	amount  shipping.Money
	charges []shipping.Charge
	refusal *shipping.Refusal // why there is no price
}

func rat(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

func newFee(f *shipping.Faults, c Fee) fee {
	between(f, "fee.flat", c.Flat, maxFee)
	between(f, "fee.per_km", c.PerKM, maxFee)
	between(f, "fee.included_km", c.IncludedKM, maxKM)
	out := fee{flat: c.Flat.Rat(), perKM: c.PerKM.Rat(), includedKM: c.IncludedKM.Rat()}
	if !c.FreeOver.IsZero() {
		if c.FreeOver.Sign() < 0 {
			f.Add("fee.free_over", "must be 0 or more")
		}
		out.freeOver = c.FreeOver.Rat()
	}
	for i, t := range c.Tiers {
		path := fmt.Sprintf("fee.tiers[%d]", i)
		if t.Amount.IsZero() {
			f.Add(path+".amount", "is required")
		}
		between(f, path+".amount", t.Amount, maxFee)
		x := tier{amount: t.Amount.Rat()}
		if !t.UpToKM.IsZero() {
			x.upToKM = t.UpToKM.Rat()
			between(f, path+".up_to_km", t.UpToKM, maxKM)
		} else if i < len(c.Tiers)-1 {
			f.Add(path+".up_to_km", "is required in all tiers but the last")
		}
		if i > 0 && x.upToKM != nil && out.tiers[i-1].upToKM != nil && x.upToKM.Cmp(out.tiers[i-1].upToKM) <= 0 {
			f.Add(path+".up_to_km", "must be more than that of the tier before")
		}
		out.tiers = append(out.tiers, x)
	}
	return out
}

// feeQuestion is what a price depends on.
type feeQuestion struct {
	metres   int64
	known    bool // whether metres is a distance at all
	value    shipping.Money
	currency string
}

// price adds the parts of the fee, each rounded half up to the currency's minor unit.
func (p fee) price(q feeQuestion) (price, error) {
	digits, ok := shipping.CurrencyDigits(q.currency)
	if !ok {
		return price{}, &carrier.Error{Source: carrier.SourceCaller, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: carrier.InvalidField,
			Field: "currency", Message: "The order has no ISO 4217 currency, and neither has the account."}
	}
	km := new(big.Rat).SetFrac64(q.metres, 1000)
	if !q.known && (len(p.tiers) > 0 || p.perKM.Sign() > 0) {
		r := refuse(distanceUnknown, "The fee depends on the distance, and an address has no coordinates.")
		return price{refusal: &r}, nil
	}
	var out price
	minor := pow10(digits)
	add := func(code, name string, major *big.Rat) {
		m := shipping.Money{Minor: roundHalfUp(new(big.Rat).Mul(major, minor)), Currency: q.currency}
		if m.Minor != 0 {
			out.charges = append(out.charges, shipping.Charge{Code: code, Name: name, Amount: m})
			out.amount.Minor += m.Minor
		}
	}
	out.amount.Currency = q.currency
	add("flat", "Delivery fee", p.flat)
	if len(p.tiers) > 0 {
		t, ok := p.tierFor(km)
		if !ok {
			r := refuse(outOfZone, "The distance is beyond the last tier of the fee.")
			return price{refusal: &r}, nil
		}
		add("tier", "Delivery fee by distance", t)
	}
	if beyond := new(big.Rat).Sub(km, p.includedKM); beyond.Sign() > 0 {
		add("per_km", "Distance", beyond.Mul(beyond, p.perKM))
	}
	if p.free(q, minor) && out.amount.Minor > 0 {
		out.charges = append(out.charges, shipping.Charge{Code: "free_delivery", Name: "Free delivery",
			Amount: shipping.Money{Minor: -out.amount.Minor, Currency: q.currency}})
		out.amount.Minor = 0
	}
	return out, nil
}

func (p fee) tierFor(km *big.Rat) (*big.Rat, bool) {
	for _, t := range p.tiers {
		if t.upToKM == nil || km.Cmp(t.upToKM) <= 0 {
			return t.amount, true
		}
	}
	return nil, false
}

// free reports whether the order is worth enough. A value in another currency than the fee's cannot be compared.
func (p fee) free(q feeQuestion, minor *big.Rat) bool {
	if p.freeOver == nil || q.value.Currency != q.currency {
		return false
	}
	return rat(q.value.Minor).Cmp(new(big.Rat).Mul(p.freeOver, minor)) >= 0
}

func pow10(n int) *big.Rat {
	return new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil))
}

// roundHalfUp rounds a number that is 0 or more. What the configuration may hold keeps the result within int64.
func roundHalfUp(r *big.Rat) int64 {
	twice := new(big.Int).Lsh(r.Num(), 1)
	twice.Add(twice, r.Denom())
	return twice.Quo(twice, new(big.Int).Lsh(r.Denom(), 1)).Int64()
}
