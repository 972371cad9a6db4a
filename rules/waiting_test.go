package rules_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

// TestWhatWaitingMayChange: an exclusion passes by itself only where its condition goes by something that time changes.
func TestWhatWaitingMayChange(t *testing.T) {
	for condition, want := range map[string]bool{
		`when: order.distance > mi(15)`: false,
		`when: far`:                     false,
		`when: order.weight > lb(60) and option.mode == "air"`: false,
		`providers: [ups]`:                                                false,
		`providers: [ups], until: 2026-03-01`:                             true,
		`when: order.to.state in lists.remote`:                            false,
		`when: time_between("17:30", "20:30")`:                            true,
		`when: late`:                                                      true,
		`when: local.weekday == "sun" or far`:                             true,
		`when: location.closed_today`:                                     true,
		`when: option.fee > usd(10)`:                                      true,
		`when: option.provider == "ups" and not doordash.available`:       true,
		`when: option.provider in order.failed_providers`:                 true,
		`when: option.provider == "ups" and quota("ups", "day").used > 5`: true,
	} {
		text := "rules: 1\nproviders: [ups, doordash]\nlet: { far: order.distance > mi(15), evening: 'time_between(\"17:30\", \"20:30\")', late: evening and far }\nexclude:\n  - { name: R, " + quoted(condition) + " }\n"
		b, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte(text)}, {Name: "lists/remote.csv", Data: []byte("AK\n")}}, rules.Options{})
		if err != nil {
			t.Errorf("%s: %v", condition, err)
			continue
		}
		if got := b.MayPass(rules.Exclusion{Rule: "R", Phase: rules.PhaseExclude}); got != want {
			t.Errorf("%s: %v", condition, got)
		}
	}
	b := rules.Default()
	if b.MayPass(rules.Exclusion{Rule: "signature", Phase: rules.PhaseBuiltin}) || !b.MayPass(rules.Exclusion{Rule: "G", Phase: rules.PhaseGuard}) {
		t.Error("an ability that is lacking does not come with time; what a guard goes by may")
	}
}

// quoted makes a flow-style member of a condition.
func quoted(condition string) string {
	if rest, ok := strings.CutPrefix(condition, "when: "); ok {
		return "when: '" + rest + "'"
	}
	return condition
}
