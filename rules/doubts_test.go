package rules_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

// TestNamesOfPlacesAreDoubted: orders have codes, so that a name is equal to none of them. That is said where it stands, once, by Lint and for check.
func TestNamesOfPlacesAreDoubted(t *testing.T) {
	for text, want := range map[string]string{
		`order.to.state == «"California"»`:                                                            `"CA"`,
		`«"new york"» != order.from.state`:                                                            `"NY"`,
		`order.to.state not in ["MA", «"Ontario"», "NY"]`:                                             `"ON"`,
		`order.to.state == «"ma"» or order.to.city == "ma"`:                                           `"MA"`,
		`order.to.country == «"UK"»`:                                                                  `"GB"`,
		`order.to.state == "BY" or order.to.state in [«"Bayern"», ""]`:                                `"BAYERN"`,
		`order.to.state == "CA" or order.to.city == "California" or order.to.state in ["BAYERN", ""]`: "",
		`order.to.city in lists.west or order.to.country in ["GB", ""]`:                               "",
	} {
		bare := strings.NewReplacer("«", "", "»", "").Replace(text)
		b, err := loaded(t, "rules: 1\nproviders: [ups]\nlists: { west: [NV, California, Oregon], eu: [FR, Germany] }\nexclude:\n  - name: A\n    when: '"+bare+
			"'\nlocations: { x: { exclude: { A: { reason: r } } } }\n", rules.Options{})
		if err != nil {
			t.Fatalf("%s: %v", bare, err)
		}
		doubts := b.Doubts()
		linted := slices.DeleteFunc(b.Lint(t.Context()), func(f rules.Finding) bool { return f.Code != "W633" })
		if len(linted) != len(doubts) {
			t.Errorf("%s: lint says %v, check %v", bare, linted, doubts)
		}
		if want == "" {
			if len(doubts) > 0 {
				t.Errorf("%s: %v", bare, doubts)
			}
			continue
		}
		from := len("    when: '") + len(text[:strings.Index(text, "«")]) + 1
		end := from + strings.Index(text, "»") - strings.Index(text, "«") - len("«")
		if len(doubts) != 1 || doubts[0].Line != 6 || doubts[0].Column != from || doubts[0].End != end || doubts[0].DidYouMean != want || doubts[0].Where != `rule "A" (exclude)` {
			t.Errorf("%s: %+v, want %s at %d to %d", bare, doubts, want, from, end)
		}
	}
}
