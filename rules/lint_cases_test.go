package rules_test

import (
	"strings"
	"testing"
)

// TestTextsThatNoCaseHas: what lower or upper has made is equal to no text with letters of the other case.
func TestTextsThatNoCaseHas(t *testing.T) {
	for when, never := range map[string]bool{
		`lower(order.to.country) == "US"`:                 true,
		`upper(order.to.city) == "Boston"`:                true,
		`"Boston" == upper(order.to.city)`:                true,
		`order.asap and lower(order.to.city) == "Boston"`: true,
		`lower(order.to.country) == "us"`:                 false,
		`upper(order.to.city) == "BOSTON 2"`:              false,
		`upper(order.to.city) != "boston"`:                false,
		`lower(order.to.city) != "Boston"`:                false,
		`lower(order.to.city) == "ǆ"`:                     false,
	} {
		_, found := lint(t, "rules: 1\nexclude:\n  - { name: A, when: '"+when+"', providers: [ups] }\n", "W601", "W602", "W603")
		got := len(found) == 1 && strings.Contains(found[0].Sentence, "never")
		if got != never {
			t.Errorf("%s: never %t, want %t: %+v", when, got, never, found)
		}
	}
}

// TestAGoneProviderIsToldOnce, however often the rule names it.
func TestAGoneProviderIsToldOnce(t *testing.T) {
	_, found := lint(t, "rules: 1\nproviders: [ups, doordash]\nexclude: [ { name: No, providers: [ups] } ]\n"+
		"fallback:\n  - { name: F, on: [booking_failed], steps: [ { use: ups }, { use: ups/ground }, { use: doordash } ] }\n"+
		"choose:\n  - { name: C, prefer: [ups/ground, ups/air, doordash] }\n", "W624")
	if len(found) != 2 {
		t.Errorf("%+v", found)
	}
}
