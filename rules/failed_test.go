package rules_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

// TestFailedRules: each rule that fails is told once, with what came of it in its phase.
func TestFailedRules(t *testing.T) {
	const zero = "1 % (order.line_count - order.line_count)"
	for name, c := range map[string]struct{ file, want string }{
		"set":                  {"set:\n  - { name: A, when: 1 % (order.line_count - order.line_count) == 1, set: { signature: adult } }", `Rule "A" (set) failed and was not applied: `},
		"a text of set":        {"set:\n  - { name: A, set: { signature: adult, instructions: 'x {" + zero + "}' } }", `Rule "A" (set) failed and was applied in part: `},
		"hold":                 {"hold:\n  - { name: A, when: 1 % (order.line_count - order.line_count) == 1, until: released }", `Rule "A" (hold) failed and was not applied: `},
		"exclude":              {"exclude:\n  - { name: A, when: 'order.items[99].sku == \"x\"', providers: [ups] }", `Rule "A" (exclude) failed for ups and excludes what it could not judge: `},
		"adjust":               {"adjust:\n  - { name: A, add: option.fee * 1e300 }", ` and was not applied: `},
		"the reason of adjust": {"adjust:\n  - { name: A, add: 1.00, reason: '{" + zero + "}' }", ` and was applied in part: `},
		"score":                {"rank: { score: 1.0 / (order.line_count - order.line_count) }", ` and what has no score comes last: `},
		"choose":               {"choose:\n  - { name: A, when: 'order.items[99].sku == \"x\"', prefer: [ups] }", `Rule "A" (choose) failed and was not applied: `},
		"guard":                {"guard:\n  - { name: A, max_fee: 'order.items[99].price', on_breach: next }", ` and counts as gone beyond: `},
		"warn":                 {"warn:\n  - { name: A, message: '{" + zero + "}' }", `Rule "A" (warn) failed and was applied in part: `},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := rules.Load(oneFile("rules: 1\ncurrency: USD\nproviders: [ups, doordash, own_fleet]\n"+c.file+"\n"), rules.Options{})
			if err != nil {
				t.Fatal(err)
			}
			d := b.Decide(b.Prepare(input(t, source()), candidates()), offers())
			failed := d.FailedRules()
			if len(failed) != 1 || !strings.Contains(failed[0].Text, c.want) || strings.HasSuffix(failed[0].Text, ": ") {
				t.Fatalf("%q, want one with %q; faults %+v", failed, c.want, d.Faults)
			}
			if strings.Contains(failed[0].Text, " more") != (failed[0].Rule == "A" && slices.Contains([]string{"adjust", "the reason of adjust", "guard"}, name) || name == "score") {
				t.Errorf("not bounded, or bounded too early: %s", failed[0].Text)
			}
		})
	}
	if d := rules.Default().Decide(rules.Default().Prepare(input(t, source()), candidates()), offers()); len(d.FailedRules()) != 0 {
		t.Error(d.FailedRules())
	}
}
