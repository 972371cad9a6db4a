package rules_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

// TestBacktestTellsWhatCustomersAreCharged: that is a change, though the same carrier goes for the same fee.
func TestBacktestTellsWhatCustomersAreCharged(t *testing.T) {
	const surcharge = "adjust:\n  - { name: Surcharge, charge: "
	lines := stored(t, mustLoaded(t, replayed+surcharge+"5.90 }\n"), 20)
	r := backtest(t, mustLoaded(t, replayed+surcharge+"204.90 }\n"), lines, 2)
	if r.Changed != r.Compared || r.Compared == 0 || r.Unknown != 0 || !slices.Equal(r.Causes, []rules.Cause{{What: "Surcharge", Orders: r.Changed}}) {
		t.Fatalf("%+v", r)
	}
	n := int64(r.Compared)
	if want := (rules.CostPair{Orders: r.Compared, Old: n * 590, New: n * 20490}); r.Charge["USD"] != want {
		t.Errorf("charged %+v, want %+v", r.Charge["USD"], want)
	}
	if s := r.Samples[0]; !strings.Contains(s.Old, "charged 5.90 USD") || !strings.Contains(s.New, "charged 204.90 USD") {
		t.Errorf("the sample does not tell: %s %s", s.Old, s.New)
	}
	for condition, want := range map[string]bool{
		"cost_delta_pct > 0 or changed > 0": true, "cost_delta > 0": false, "charge_delta >= 199.00": true, "charge_per_order_delta == 199": true,
		"charge_delta_pct > 3372": true, "charge_delta_pct > 3373": false,
	} {
		if failed, err := r.FailIf(condition); err != nil || failed != want {
			t.Errorf("%s is %v (%v)", condition, failed, err)
		}
	}
	same := backtest(t, mustLoaded(t, replayed+surcharge+"5.90, reason: dear }\n"), lines, 1)
	if same.Changed != 0 || same.Charge["USD"].Old != same.Charge["USD"].New {
		t.Errorf("the same charge is a change: %+v", same)
	}
}

// TestWhatComesFromNothingIsBeyondEveryBound, and has an amount too.
func TestWhatComesFromNothingIsBeyondEveryBound(t *testing.T) {
	r := &rules.Backtest{Orders: 5, Compared: 5, Cost: map[string]rules.CostPair{"USD": {Orders: 5, Old: 0, New: 16475}}}
	for condition, want := range map[string]bool{"cost_delta_pct > 2": true, "cost_delta_pct > 1000000": true, "cost_delta > 164.74": true, "cost_delta > 164.75": false, "cost_per_order_delta == 32.95": true} {
		if failed, err := r.FailIf(condition); err != nil || failed != want {
			t.Errorf("%s is %v (%v)", condition, failed, err)
		}
	}
	text, err := json.Marshal(r.Figures())
	if err != nil || !strings.Contains(string(text), `"cost_delta_pct":"+Inf"`) || !strings.Contains(string(text), `"cost_delta":164.75`) {
		t.Errorf("%s (%v)", text, err)
	}
	r.Cost = map[string]rules.CostPair{"USD": {Orders: 1, Old: 1000, New: 900}, "JPY": {Orders: 1, Old: 1000, New: 980}}
	if f := r.Figures(); f["cost_delta_pct"] != -2 || f["cost_delta"] != -1 {
		t.Errorf("of two currencies that fall the one counts that falls least: %v", f)
	}
	r.Cost = map[string]rules.CostPair{"USD": {Orders: 1, Old: 0, New: 0}}
	if f := r.Figures(); f["cost_delta_pct"] != 0 || math.IsNaN(float64(f["cost_per_order_delta"])) {
		t.Errorf("nothing after nothing: %v", f)
	}
}

// TestFailIfDivides: a condition may have a share of its own, also where there is nothing to divide by.
func TestFailIfDivides(t *testing.T) {
	for condition, want := range map[string]bool{"changed / orders > 0.1": true, "changed / unknown > 100": true, "held_delta / unknown > 0": false} {
		if _, err := new(rules.Backtest).FailIf(condition); err != nil {
			t.Error(err)
		}
		if failed, err := (&rules.Backtest{Orders: 5, Changed: 1}).FailIf(condition); err != nil || failed != want {
			t.Errorf("%s: %t (%v)", condition, failed, err)
		}
	}
}
