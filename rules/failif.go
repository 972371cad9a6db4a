package rules

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/formula"
)

// Figures are the numbers of a backtest by name, as FailIf sees them. Shares are in percent, deltas are new minus old, 0 where there is nothing
// to compare. All but orders, unknown, unknown_pct and faulty are of the orders without an unknown part.
func (r *Backtest) Figures() map[string]float64 {
	part := func(n, of int) float64 {
		if of == 0 {
			return 0
		}
		return 100 * float64(n) / float64(of)
	}
	f := map[string]float64{
		"orders": float64(r.Orders), "changed": float64(r.Changed), "changed_pct": part(r.Changed, r.Orders-r.Unknown),
		"unknown": float64(r.Unknown), "unknown_pct": part(r.Unknown, r.Orders), "faulty": float64(r.Faulty),
		"held_delta": float64(r.New.Held - r.Old.Held), "none_delta": float64(r.New.None - r.Old.None),
		"warned_delta": float64(r.New.Warned - r.Old.Warned), "at_risk_delta": float64(r.New.AtRisk - r.Old.AtRisk),
		"p50_delta_minutes": later(r.Old.P50, r.New.P50), "p90_delta_minutes": later(r.Old.P90, r.New.P90), "cost_delta_pct": 0,
	}
	for _, pair := range r.Cost { // of several currencies, the one that grows most
		delta := 0.0
		if pair.Old != 0 {
			delta = 100 * float64(pair.New-pair.Old) / float64(pair.Old)
		}
		if len(r.Cost) == 1 || delta > f["cost_delta_pct"] {
			f["cost_delta_pct"] = delta
		}
	}
	return f
}

func later(old, now *float64) float64 {
	if old == nil || now == nil {
		return 0
	}
	return *now - *old
}

// FailIf computes a condition over the Figures, such as "cost_delta_pct > 2 or none_delta > 0".
func (r *Backtest) FailIf(condition string) (bool, error) {
	figures := r.Figures()
	vars := map[string]any{}
	for name, n := range figures {
		vars[name] = n
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
	maps.Copy(m.Vars, vars)
	v, err := m.Eval(f)
	if err != nil {
		return false, fmt.Errorf("condition %q: %w", condition, err)
	}
	return v.(bool), nil
}
