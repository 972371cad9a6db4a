package rules_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

// TestCoverageCountsWhatWasAskedBeforeQuotes: a rule of exclude is asked about every account, also about those that another one takes out,
// about their services, and about accounts that make no offer.
func TestCoverageCountsWhatWasAskedBeforeQuotes(t *testing.T) {
	b, err := loaded(t, `rules: 1
currency: USD
providers: [ups, doordash]
exclude:
  - { name: mine, when: order.weight > lb(10) and option.provider == "ups" }
  - { name: urgent, when: order.asap, providers: [ups] }
  - { name: air, when: option.service == "air" }
  - { name: dear, when: option.fee > usd(5) }
`, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	src := source()
	services := []rules.ServiceInfo{{ID: "air"}, {ID: "ground"}}
	plan := b.Prepare(input(t, src), []rules.Candidate{{Account: "ups", Services: services}, {Account: "doordash", Services: services}})
	d := b.Decide(plan, nil, rules.Refused{Account: "doordash", Code: "REFUSED", Message: "no"})
	c := rules.NewCoverage(b)
	if err := c.Add(&d); err != nil {
		t.Fatal(err)
	}
	want := map[string][2]int{
		"mine":   {0, 2}, // ups and doordash
		"urgent": {1, 0}, // ups
		"air":    {1, 1}, // the two services of doordash: ups is out before its services are looked at
		"dear":   {0, 0},
	}
	for _, r := range c.Report().Rules {
		if got := [2]int{r.Hit, r.Miss}; got != want[r.Name] {
			t.Errorf("%s held and did not %v times, want %v", r.Name, got, want[r.Name])
		}
	}
	text, err := rules.Explain(b, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`exclude "air" not evaluated, because the account was out before`,
		`exclude "dear" not evaluated, because it was not quoted`,
		`exclude "dear" not evaluated, because there is no offer`,
		"option doordash  no offer\n  exclude passed over \"mine\"\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("it does not say %s:\n%s", line, text)
		}
	}
}
