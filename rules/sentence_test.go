package rules_test

import (
	"strings"
	"testing"
)

// TestTheSentenceTellsWhatAdjustDid: that an offer won by what rules have added to costs, with the figures, is said where it is so and only there.
func TestTheSentenceTellsWhatAdjustDid(t *testing.T) {
	const own, ups = "{ name: Own, providers: [own_fleet], add: -2.00 }", "{ name: Ups, providers: [ups], add: -8.00 }"
	for name, c := range map[string]struct{ rules, want string }{
		"another is cheaper": {"adjust: [ " + own + ", " + ups + " ]", `its cost of 1.60 USD is the lowest of 3 offers (rule "Ups" adds -8.00 USD); ` +
			`own_fleet delivery asks 5.90 USD and costs 3.90 USD (rule "Own" adds -2.00 USD).`},
		"as a score": {"adjust: [ " + ups + " ]\nrank: { score: dollars(option.cost) }", `its cost of 1.60 USD is the lowest of 3 offers (rule "Ups" adds -8.00 USD); ` +
			`own_fleet delivery asks 5.90 USD and costs 5.90 USD.`},
		"the others are dearer": {"adjust:\n  - { name: A, providers: [own_fleet], add: 4.00 }\n  - { name: B, providers: [own_fleet], add: 50% }",
			`its cost of 9.60 USD is the lowest of 3 offers; own_fleet delivery asks 5.90 USD and costs 12.85 USD (rule "A" adds 4.00 USD, rule "B" adds 2.95 USD).`},
		"in a sum": {"adjust: [ " + ups + " ]\nrank: { score: dollars(option.cost) + 1.0 }", `its score of 2.60 is the best of 3 offers; next is own_fleet delivery with 6.90; ` +
			`ups ground asks 9.60 USD and costs 1.60 USD (rule "Ups" adds -8.00 USD), own_fleet delivery asks 5.90 USD and costs 5.90 USD.`},
		"no difference":          {"adjust: [ " + own + " ]", "it is the cheapest of 3 offers."},
		"nothing":                {"warn: []", "it is the cheapest of 3 offers."},
		"no difference, a sum":   {"adjust: [ " + own + " ]\nrank: { score: dollars(option.cost) + 1.0 }", "its score of 4.90 is the best of 3 offers; next is ups ground with 10.60."},
		"the cheaper one is out": {"adjust: [ " + ups + " ]\nexclude: [ { name: No, providers: [own_fleet] } ]", "it is the cheapest of 2 offers."},
	} {
		t.Run(name, func(t *testing.T) {
			winner := "ups"
			if strings.HasPrefix(name, "no") {
				winner = "own_fleet"
			}
			_, d := decided(t, "rules: 1\ncurrency: USD\nproviders: [ups, doordash, own_fleet]\n"+c.rules+"\n", "{ name: A, order: { id: a, total: 20 }, quotes: [ { provider: ups, service: ground, fee: 9.60 }, "+
				"{ provider: own_fleet, fee: 5.90 }, { provider: doordash, fee: 14 } ], expect: { chosen: "+winner+" } }")
			if _, why, _ := strings.Cut(d.Sentence(), " was chosen because "); why != c.want {
				t.Errorf("got  %s\nwant %s", d.Sentence(), c.want)
			}
		})
	}
}
