package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Figure is a number of a backtest. In JSON one that is infinite is text: "+Inf" or "-Inf".
type Figure float64

// MarshalJSON implements json.Marshaler.
func (f Figure) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(f), 0) {
		return json.Marshal(fmt.Sprintf("%+v", float64(f)))
	}
	return json.Marshal(float64(f))
}

// Figures are the numbers of a backtest by name, as FailIf sees them. Shares are in percent, deltas are new minus old, 0 where there is nothing
// to compare. Amounts are in major units of their currency: cost is what carriers ask, charge what customers are asked on top of it. An amount that
// comes from nothing has grown by +Inf percent, beyond every bound. All but orders, unknown, unknown_pct and faulty are of the orders without an
// unknown part.
func (r *Backtest) Figures() map[string]Figure {
	part := func(n, of int) Figure {
		if of == 0 {
			return 0
		}
		return 100 * Figure(n) / Figure(of)
	}
	f := map[string]Figure{
		"orders": Figure(r.Orders), "changed": Figure(r.Changed), "changed_pct": part(r.Changed, r.Orders-r.Unknown),
		"unknown": Figure(r.Unknown), "unknown_pct": part(r.Unknown, r.Orders), "faulty": Figure(r.Faulty),
		"held_delta": Figure(r.New.Held - r.Old.Held), "none_delta": Figure(r.New.None - r.Old.None),
		"warned_delta": Figure(r.New.Warned - r.Old.Warned), "at_risk_delta": Figure(r.New.AtRisk - r.Old.AtRisk),
		"p50_delta_minutes": later(r.Old.P50, r.New.P50), "p90_delta_minutes": later(r.Old.P90, r.New.P90),
	}
	for name, pairs := range map[string]map[string]CostPair{"cost": r.Cost, "charge": r.Charge} {
		f[name+"_delta"] = most(pairs, func(p CostPair, unit float64) float64 { return float64(p.New-p.Old) / unit })
		f[name+"_per_order_delta"] = most(pairs, func(p CostPair, unit float64) float64 { return float64(p.New-p.Old) / unit / float64(p.Orders) })
		f[name+"_delta_pct"] = most(pairs, func(p CostPair, _ float64) float64 { return p.Growth() })
	}
	return f
}

// most is a figure of the currency where it is greatest. unit is how many minor units a major one has.
func most(pairs map[string]CostPair, figure func(p CostPair, unit float64) float64) Figure {
	greatest, first := 0.0, true
	for currency, p := range pairs {
		unit := 1.0
		if digits, ok := shipping.CurrencyDigits(currency); ok {
			unit = math.Pow10(digits)
		}
		if v := figure(p, unit); first || v > greatest {
			greatest, first = v, false
		}
	}
	return Figure(greatest)
}

// Growth is how much more the new sum is, in percent of the old one: infinite where that is nothing.
func (p CostPair) Growth() float64 {
	if p.New == p.Old {
		return 0
	}
	return 100 * float64(p.New-p.Old) / math.Abs(float64(p.Old))
}

func later(old, now *float64) Figure {
	if old == nil || now == nil {
		return 0
	}
	return Figure(*now - *old)
}

// FailIf computes a condition over the Figures, such as "cost_delta_pct > 2 or none_delta > 0". That it can be read shows with an empty backtest.
func (r *Backtest) FailIf(condition string) (bool, error) {
	figures := r.Figures()
	vars := map[string]any{}
	for name, n := range figures {
		vars[name] = float64(n)
	}
	f, problem := (&formula.Env{Vars: vars}).Compile(condition, formula.Bool)
	if problem != nil {
		text := problem.Message
		if problem.DidYouMean != "" {
			text += "; did you mean " + problem.DidYouMean + "?"
		}
		return false, fmt.Errorf("condition %q: %w", condition, errors.New(text+" (figures: "+strings.Join(slices.Sorted(maps.Keys(figures)), ", ")+")"))
	}
	m := formula.NewMachine()
	defer m.Release()
	m.Former = true // figures are infinite where they come from nothing: what is divided by one of zero is likewise
	maps.Copy(m.Vars, vars)
	v, err := m.Eval(f)
	if err != nil {
		return false, fmt.Errorf("condition %q: %w", condition, err)
	}
	return v.(bool), nil
}
