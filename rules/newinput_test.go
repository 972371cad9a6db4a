package rules_test

import (
	"slices"
	"testing"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/measure"
)

// TestFactsAreWrittenInOneWay: however a shop writes a state or what is in a parcel, a rule that asks for it holds.
func TestFactsAreWrittenInOneWay(t *testing.T) {
	b := mustLoaded(t, `rules: 1
exclude:
  - { name: Nothing flies to islands, when: 'order.to.state in ["HI", "PR"]' }
  - { name: No alcohol, when: '"alcohol" in order.content', providers: [ups] }
`)
	for _, state := range []string{"HI", "hi", " Hawaii", "US-HI"} {
		src := measure.Source()
		src.Delivery.State, src.Pickup.State = state, "massachusetts"
		src.Parcels[0].Content = []string{"Alcohol ", "alcohol", "Our own word"}
		in := input(t, src)
		if in.Order.To.State != "HI" || in.Order.From.State != "MA" || !slices.Equal(in.Order.Content, []string{"Our own word", "alcohol"}) {
			t.Errorf("of %q: to %q, from %q, content %q", state, in.Order.To.State, in.Order.From.State, in.Order.Content)
		}
		plan := b.Prepare(in, candidates())
		if len(plan.Ask) > 0 {
			t.Errorf("%d accounts are asked for an order to %q", len(plan.Ask), state)
		}
		plan.Input.Order.To.State = state // a record of before says what was seen then, and that is what is decided again
		record := b.Decide(b.Prepare(plan.Input, candidates()), offers())
		if again, err := rules.Recompute(b, record); err != nil || again.Plan.Input.Order.To.State != state {
			t.Errorf("a record with %q is decided with %q (%v)", state, again.Plan.Input.Order.To.State, err)
		}
	}
}
