package rules_test

import (
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

// TestDiffShowsWhatAnotherEffectDecides: a rule whose condition stays and that does something else has an order about which the two decide otherwise.
func TestDiffShowsWhatAnotherEffectDecides(t *testing.T) {
	for name, c := range map[string]struct {
		old, now string
		differ   func(old, now rules.Decision) bool
	}{
		"adjust": {"adjust: [ { name: A, when: order.gift, providers: [ups], add: 1.00 } ]", "adjust: [ { name: A, when: order.gift, providers: [ups], add: 2.00 } ]",
			func(old, now rules.Decision) bool {
				return old.Adjusted[0].Add.Minor == 100 && now.Adjusted[0].Add.Minor == 200
			}},
		"guard": {"guard: [ { name: A, max_fee: 10.00, on_breach: next } ]", "guard: [ { name: A, max_fee: 12.00, on_breach: next } ]",
			func(old, now rules.Decision) bool { return old.Winner == nil && now.Winner != nil }},
		"budget behind a cap": {"guard: [ { name: 'A: a', daily_budget: 100.00, on_breach: next }, { name: B, max_fee: 14.00, on_breach: next } ]",
			"guard: [ { name: 'A: a', daily_budget: 200.00, on_breach: next }, { name: B, max_fee: 14.00, on_breach: next } ]",
			func(old, now rules.Decision) bool {
				return old.Winner == nil && now.Winner != nil && old.Guards[0].Guard == "A: a" && len(old.Guards) == 2
			}},
		"budget beside a cap": {"guard: [ { name: A, max_fee: 14.00, daily_budget: 100.00, per: location, on_breach: hold } ]",
			"guard: [ { name: A, max_fee: 14.00, daily_budget: 99.00, per: location, on_breach: hold } ]",
			func(old, now rules.Decision) bool { return old.Hold == nil && now.Hold != nil }},
		"guard's action": {"guard: [ { name: A, max_fee: 10.00, on_breach: next } ]", "guard: [ { name: A, max_fee: 9.00, on_breach: hold } ]",
			func(old, now rules.Decision) bool { return old.Hold == nil && now.Hold != nil }},
		"set": {"set: [ { name: A, when: order.total > usd(70), set: { vehicle: car } } ]", "set: [ { name: A, when: order.total > usd(70), set: { vehicle: van } } ]",
			func(old, now rules.Decision) bool {
				return old.Plan.Set.Vehicle == "car" && now.Plan.Set.Vehicle == "van"
			}},
		"choose": {"choose: [ { name: A, when: order.gift, prefer: [ups] } ]", "choose: [ { name: A, when: order.gift, prefer: [doordash] } ]",
			func(old, now rules.Decision) bool {
				return old.Winner.Account == "ups" && now.Winner.Account == "doordash"
			}},
		"fallback": {"fallback: [ { name: A, on: [no_driver], steps: [next_ranked] } ]", "fallback: [ { name: A, on: [no_driver], steps: [next_ranked, next_ranked] } ]",
			func(old, now rules.Decision) bool {
				return len(old.Fallback[0].Steps) == 1 && len(now.Fallback[0].Steps) == 2
			}},
		"warn": {"warn: [ { name: A, message: m } ]", "warn: [ { name: A, message: m, level: high } ]",
			func(old, now rules.Decision) bool { return old.Warnings[0].Level != now.Warnings[0].Level }},
		"rank": {"rank: { strategy: cheapest }", "rank: { strategy: fastest }",
			func(old, now rules.Decision) bool { return old.Winner.Account != now.Winner.Account }},
		"none": {"none: { hold_for: 3m, retry: 4 }\nguard: [ { name: A, max_fee: 100.00, on_breach: next } ]", "none: { hold_for: 3m, retry: 5 }\nguard: [ { name: A, max_fee: 100.00, on_breach: next } ]",
			func(old, now rules.Decision) bool { return old.None.Retry == 4 && now.None.Retry == 5 }},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := diffed(t, c.old), diffed(t, c.now)
			changes := rules.Diff(t.Context(), a, b)
			if len(changes) != 1 || changes[0].Otherwise == nil || changes[0].Same || changes[0].NotFound != "" {
				t.Fatalf("%+v", changes)
			}
			f := rules.Finding{Witness: changes[0].Otherwise}
			before, err1 := a.Witness(f)
			after, err2 := b.Witness(f)
			if err1 != nil || err2 != nil || !c.differ(before, after) {
				t.Errorf("%v is decided %q and %q (%v, %v)", f.Witness, before.Sentence(), after.Sentence(), err1, err2)
			}
		})
	}
}

// TestDiffTellsWhatMeansTheSame, and does not say so of what may not.
func TestDiffTellsWhatMeansTheSame(t *testing.T) {
	const let = "let: { big: order.total > usd(5) }\n"
	for _, c := range []struct {
		old, now string
		same     bool
	}{
		{"guard: [ { name: A, max_fee: 10.00, on_breach: next } ]", "guard: [ { name: A, max_fee: 10, on_breach: next } ]", true},
		{"guard: [ { name: A, max_fee: 10.00, on_breach: next } ]", "guard: [ { name: A, max_fee: \"10.0\", on_breach: next } ]", true},
		{"guard: [ { name: A, max_fee: 10.00, on_breach: next } ]", "guard: [ { name: A, max_fee: 10.01, on_breach: next } ]", false},
		{"guard: [ { name: A, max_dropoff: 2h, on_breach: next } ]", "guard: [ { name: A, max_dropoff: 120m, on_breach: next } ]", true},
		{"adjust: [ { name: A, add: 5% } ]", "adjust: [ { name: A, add: 5.0 % } ]", true},
		{"adjust: [ { name: A, add: 5% } ]", "adjust: [ { name: A, add: 5 } ]", false},
		{"exclude: [ { name: A, when: order.gift and option.fee > usd(10) } ]", "exclude: [ { name: A, when: order.gift and usd(10) < option.fee } ]", true},
		// An offer in another currency is excluded by the second as it fails, be the order a gift or not.
		{"exclude: [ { name: A, when: order.gift and option.fee > usd(10) } ]", "exclude: [ { name: A, when: usd(10) < option.fee and order.gift } ]", false},
		{"exclude: [ { name: A, when: order.gift and option.fee > usd(10), reason: a } ]", "exclude: [ { name: A, when: usd(10) < option.fee and order.gift, reason: b } ]", false},
		{"exclude: [ { name: A, when: order.gift and option.fee > usd(10) } ]", "exclude: [ { name: A, when: usd(10) <= option.fee and order.gift } ]", false},
		{"warn: [ { name: A, message: \"10.00\" } ]", "warn: [ { name: A, message: \"10\" } ]", false},
		{let + "guard: [ { name: A, max_fee: 10.00, on_breach: next } ]", "let: { big: order.total > usd(6) }\nguard: [ { name: A, max_fee: 10, on_breach: next } ]", false},
		{"rank: { strategy: cheapest }", "rank: { strategy: fastest }", false},
		{"none: { hold_for: 3m, retry: 2 }", "none: { hold_for: 180s, retry: 2 }", true},
		{"none: { hold_for: 3m, retry: 2 }", "none: { hold_for: 3m, retry: 3 }", false},
	} {
		changes := rules.Diff(t.Context(), diffed(t, c.old), diffed(t, c.now))
		if len(changes) == 0 || changes[0].Same != c.same || c.same && (changes[0].Otherwise != nil || changes[0].NotFound != "") {
			t.Errorf("%s\n%s\nsame %v expected: %+v", c.old, c.now, c.same, changes)
		}
	}
}
