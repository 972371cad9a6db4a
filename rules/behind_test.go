package rules_test

import (
	"maps"
	"slices"
	"testing"
)

// TestBacktestNamesWhatIsBehindAChange edits one rule at a time: another amount, preference, score or bound leaves every rule where it spoke, and
// is behind each change all the same.
func TestBacktestNamesWhatIsBehindAChange(t *testing.T) {
	lines := stored(t, demo(t), 300)
	for name, edit := range map[string]struct {
		old, text string
		want      []string
	}{
		"amount":     {"add: 2.00", "add: 50.00", []string{"Own drivers cost us fuel"}},
		"preference": {"prefer: [ own_fleet ]", "prefer: [ ups ]", []string{"Own drivers near by"}},
		"score":      {"score: dollars(option.cost) +", "score: 0.0 - dollars(option.cost) -", []string{"rank.score"}},
		"bound":      {"\nrank:", "\nguard:\n  - { name: cap, max_fee: 8.00, on_breach: next }\n\nrank:", []string{"cap"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := backtest(t, altered(t, edit.old, edit.text), lines, 1)
			causes := map[string]int{}
			for _, c := range r.Causes {
				causes[c.What] = c.Orders
			}
			if got := slices.Sorted(maps.Keys(causes)); !slices.Equal(got, edit.want) || r.Changed == 0 || causes[edit.want[0]] != r.Changed {
				t.Errorf("%d changed, causes %v, want %v behind each", r.Changed, r.Causes, edit.want)
			}
			for _, s := range r.Samples {
				if !slices.Equal(s.Rules, s.Was.Apart(&s.Record)) || !slices.Equal(s.Rules, s.Record.Apart(&s.Was)) {
					t.Errorf("order %s: %v behind it, by the other way %v", s.Order, s.Rules, s.Record.Apart(&s.Was))
				}
			}
		})
	}
}
