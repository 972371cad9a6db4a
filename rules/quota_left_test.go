package rules_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/measure"
)

// TestWhatIsLeftOfALocationsDay: quota(…).left is the location's cap less the location's bookings of the day, and has no other meaning.
func TestWhatIsLeftOfALocationsDay(t *testing.T) {
	b := mustLoaded(t, `rules: 1
providers: [ups, doordash]
exclude:
  - { name: Keep five, when: 'quota("doordash", "day", "location").left < 5', providers: [doordash], reason: 'left {quota("doordash", "day", "location").left}' }
`)
	need := rules.QuotaNeed{Account: "doordash", Period: "day", Per: "location"}
	for _, c := range []struct {
		caps map[string]int
		used int
		want string
	}{
		{map[string]int{"doordash": 200}, 195, ""}, {map[string]int{"doordash": 200}, 196, "left 4"}, {map[string]int{"doordash": 200}, 230, "left 0"},
		{map[string]int{"doordash": 0}, 0, "left 0"}, {map[string]int{"ups": 1}, 9999, ""},
	} {
		src := measure.Source()
		src.Location.Caps, src.Quotas = c.caps, []rules.Quota{{QuotaNeed: need, Used: c.used}}
		plan := b.Prepare(input(t, src), candidates())
		got := ""
		for _, x := range plan.Excluded {
			got = x.Reason
		}
		if got != c.want || len(plan.Faults) > 0 {
			t.Errorf("caps %v, %d used: %q, want %q; faults %v", c.caps, c.used, got, c.want, plan.Faults)
		}
		text, err := rules.Explain(b, b.Decide(plan, nil))
		if err != nil || c.want != "" && !strings.Contains(text, `quota("doordash", "day", "location").left  `) {
			t.Errorf("the explanation does not show it (%v):\n%s", err, text)
		}
	}
	for when, want := range map[string]string{
		`quota("ups", "month").left < 5`:            `quota("ups", "day", "location").left`,
		`quota("ups", "day").left < 5`:              `quota("ups", "day", "location").left`,
		`quota("upss", "day", "location").left < 5`: "did you mean ups?",
	} {
		if _, err := loaded(t, "rules: 1\nproviders: [ups]\nexclude:\n  - { name: A, when: '"+when+"' }\n", rules.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", when, err)
		}
	}
}
