package rules_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

// TestVolumesInRules: a volume is compared with those that stand in the text, computed with, explained, tested, and searched for by lint.
func TestVolumesInRules(t *testing.T) {
	b, err := loaded(t, `rules: 1
currency: USD
providers: [ups, doordash]
let:
  boxes: order.volume / liters(2)
exclude:
  - { name: Large, when: order.volume > liters(5) and boxes > 2.5, providers: [ups], reason: large }
  - { name: Tiny, when: order.volume + cm3(1) < inch3(1) * 2, providers: [ups], reason: tiny }
  - { name: Never, when: order.volume > liters(3) and order.volume < cm3(3000) }
  - { name: Everybody, when: order.volume >= liters(900), reason: too large }
`, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	suite, err := rules.LoadSuite(b, rules.File{Name: "a.test.yaml", Data: []byte(`tests: 1
fixtures:
  quotes: { both: [ { provider: ups, fee: 1 }, { provider: doordash, fee: 2 } ] }
cases:
  - { name: a little more, quotes: both, order: { volume: 5001 cm3 }, expect: { excluded: { ups: large } } }
  - { name: as much, quotes: both, order: { volume: 5 liters }, expect: { chosen: ups, not_excluded: [ups] } }
  - { name: as much in short, quotes: both, order: { volume: 5 l }, expect: { chosen: ups } }
  - { name: tiny, quotes: both, order: { volume: 1 inch3 }, expect: { excluded: { ups: tiny } } }
  - { name: not tiny, quotes: both, order: { volume: 2 inch3 }, expect: { chosen: ups } }
  - { name: wrong, quotes: both, order: { volume: 6 l }, expect: { chosen: ups } }
`)})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range suite.Run(nil) {
		if r.Passed() != (r.Name != "wrong") {
			t.Errorf("%s: %v\n%s", r.Name, r.Failures, r.Explanation)
		}
		if r.Name == "wrong" && (!strings.Contains(r.Explanation, "order.volume > liters(5)") || !strings.Contains(r.Explanation, "= 6000000 mm³ (6 l)")) {
			t.Error(r.Explanation)
		}
	}
	found := b.Lint(t.Context())
	never := slices.IndexFunc(found, func(f rules.Finding) bool { return f.Code == "W601" && strings.Contains(f.Where, "Never") })
	all := slices.IndexFunc(found, func(f rules.Finding) bool { return f.Code == "W607" })
	if never < 0 || all < 0 {
		t.Fatalf("lint finds %v", found)
	}
	if text := found[all].WitnessText(); !strings.Contains(text, "volume: 900000000 mm3") {
		t.Errorf("an order that nobody may take is %s", text)
	}
}
