package rules_test

import (
	"fmt"
	"slices"
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
		"option doordash  NO OFFER: REFUSED no\n  exclude passed over \"mine\"\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("it does not say %s:\n%s", line, text)
		}
	}
}

// covered is what the cases of a test file cover.
func covered(t *testing.T, text, cases string) rules.CoverageReport {
	t.Helper()
	b, err := rules.Load(oneFile(text), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml", Data: []byte("tests: 1\n" + cases)})
	if err != nil {
		t.Fatal(err)
	}
	c := rules.NewCoverage(b)
	for _, r := range s.Run(noGolden) {
		if !r.Passed() {
			t.Fatal(r.Name, r.Failures)
		}
		if err := c.Add(&r.Decision); err != nil {
			t.Fatal(err)
		}
	}
	return c.Report()
}

// TestCoverageCountsTheFormThatApplied in every phase: each form of a rule holds for one order and does not for another.
func TestCoverageCountsTheFormThatApplied(t *testing.T) {
	for phase, does := range map[string]string{
		"hold": "until: released", "set": "set: { tip: 1.00 }", "exclude": "providers: [doordash]", "adjust": "add: 1.00, providers: [ups]", "choose": "prefer: [ups]",
		"guard": "max_fee: 50.00, on_breach: warn", "fallback": "on: [no_driver], steps: [next_ranked]", "warn": "message: m",
	} {
		cases := "cases:\n"
		for _, at := range []string{"l1", "l2", "{ id: l3, tags: [air] }"} {
			cases += "  - { name: '" + at + "', location: " + at + ", order: { id: a }, quotes: [ { provider: ups, fee: 5 } ], matrix: { order.quantity: [1, 9] }, expect: { faults: [] } }\n"
		}
		r := covered(t, "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\n"+phase+":\n  - { name: R, when: order.quantity < 5, "+does+" }\n"+
			"locations:\n  l1:\n    "+phase+": { R: { when: order.quantity < 6 } }\n  'tag:air':\n    "+phase+": { R: { when: order.quantity < 7 } }\n", cases)
		if len(r.Rules) != 3 || r.Seen != 6 || r.Of != 6 || len(r.NotSeen) > 0 {
			t.Errorf("%s: %+v", phase, r)
		}
		for _, x := range r.Rules {
			if x.Hit != 1 || x.Miss != 1 {
				t.Errorf("%s at %q held %d times and did not %d times, want one of each", phase, x.At, x.Hit, x.Miss)
			}
		}
	}
}

// TestCoverageCountsEntriesWhereverTheyAreFound: by an item, in a let of the order or of the option, and beside other clauses.
func TestCoverageCountsEntriesWhereverTheyAreFound(t *testing.T) {
	for what, rule := range map[string]string{
		"an item":              "exclude: [ { name: R, when: 'any(order.items, .sku in lists.fragile)' } ]",
		"a count of items":     "exclude: [ { name: R, when: 'count(order.items, .sku in lists.fragile) > 0' } ]",
		"an item, denied":      "exclude: [ { name: R, when: 'order.has_promise or not none(order.items, .sku in lists.fragile)' } ]",
		"an attribute":         "attributes: [sku]\nexclude: [ { name: R, when: 'order.attributes.sku in lists.fragile or order.has_promise' } ]",
		"a let":                "let: { glass: 'any(order.items, .sku in lists.fragile)' }\nexclude: [ { name: R, when: glass } ]",
		"a let of the account": "let: { glass: 'option.provider == \"ups\" and any(order.items, .sku in lists.fragile)' }\nexclude: [ { name: R, when: glass } ]",
		"a let of the option":  "let: { glass: 'option.fee > usd(1) and any(order.items, .sku in lists.fragile)' }\nexclude: [ { name: R, when: glass } ]",
	} {
		attribute := func(sku string) string {
			if strings.HasPrefix(rule, "attributes") {
				return "attributes: { sku: " + sku + " }"
			}
			return "items: [ { sku: Y }, { sku: " + sku + " } ]"
		}
		r := covered(t, "rules: 1\ncurrency: USD\nproviders: [ups]\nlists: { fragile: [G1, G2] }\n"+rule+"\n", "cases:\n"+
			"  - { name: A, order: { id: a, "+attribute("G1")+" }, quotes: [ { provider: ups, fee: 5 } ], expect: { excluded: [ups] } }\n"+
			"  - { name: B, order: { id: b, "+attribute("X")+" }, quotes: [ { provider: ups, fee: 5 } ], expect: { chosen: ups } }\n")
		if len(r.Lists) != 1 || r.Lists[0] != (rules.ListCoverage{Name: "fragile", Used: 1, Entries: 2}) {
			t.Errorf("by %s: %+v", what, r.Lists)
		}
	}
}

// TestCoverageSeesBothWaysOfAChoice: a way that no order has taken is missing.
func TestCoverageSeesBothWaysOfAChoice(t *testing.T) {
	for condition, missing := range map[string][]string{
		"order.gift ? order.quantity > 5 : order.weight > lb(5)":                        {"never true: order.gift", "never true: order.quantity > 5", "never false: order.quantity > 5"},
		"order.has_promise or (order.gift ? order.quantity > 5 : order.weight > lb(5))": {"never true: order.has_promise", "never true: order.gift", "never true: order.quantity > 5", "never false: order.quantity > 5"},
		"order.weight > (order.gift ? lb(1) : lb(5))":                                   {"never true: order.gift"},
		"order.gift ? true : order.weight > lb(5)":                                      {"never true: order.gift"},
	} {
		r := covered(t, "rules: 1\ncurrency: USD\nproviders: [ups]\nhold:\n  - { name: R, when: '"+condition+"', until: released }\n", "cases:\n"+
			"  - { name: A, order: { id: a, weight: 6 lb }, quotes: [ { provider: ups, fee: 5 } ], expect: { held: R } }\n"+
			"  - { name: B, order: { id: b, weight: 4 lb }, quotes: [ { provider: ups, fee: 5 } ], expect: { chosen: ups } }\n")
		var want []string
		for _, m := range missing {
			want = append(want, `"R": `+m)
		}
		slices.Sort(want)
		if got := slices.Sorted(slices.Values(r.NotSeen)); !slices.Equal(got, want) {
			t.Errorf("%s: not seen %q, want %q", condition, got, want)
		}
	}
}

// TestCoverageOpensLets: what a let joins is counted once, where a rule has come to it, and so is what decides the choices of values.
func TestCoverageOpensLets(t *testing.T) {
	const both = "  - { name: A, order: { id: a, gift: true, paid: true }, quotes: [ { provider: ups, fee: 5 } ], expect: { faults: [] } }\n" +
		"  - { name: B, order: { id: b, gift: true, paid: false }, quotes: [ { provider: ups, fee: 5 } ], expect: { faults: [] } }\n"
	choice := []string{"never false: order.gift", "never false: order.asap", "never true: order.asap"}
	for text, want := range map[string]map[string][]string{
		"let: { z: 'order.gift ? order.paid : order.asap' }\nexclude: [ { name: R, reason: x, when: z } ]":                                           {"let z": choice},
		"let: { z: 'order.gift ? order.paid : order.asap', w: not z }\nwarn: [ { name: R, message: x, when: w }, { name: S, message: x, when: z } ]": {"let z": choice},
		"let: { y: order.gift or order.asap }\nexclude: [ { name: R, reason: x, when: y and order.paid } ]":                                          {"let y": choice},
		"let: { y: order.gift or order.asap }\nexclude: [ { name: R, reason: x, when: order.gift or y } ]": { // nobody has come to y
			"let y": append([]string{"never true: order.gift"}, choice...), `"R"`: {"never false: order.gift"}},
		"let: { y: order.gift or order.asap }\nexclude: [ { name: R, reason: x, when: y }, { name: S, reason: x, when: y and order.paid } ]": { // each is to see it hold and fail
			"let y": choice, `"R"`: {"never false: y"}, `"S"`: {"never false: y"}},
		"let: { fee: 'order.gift ? usd(1) : usd(2)' }\nadjust: [ { name: R, add: fee } ]":             {"let fee": {"never false: order.gift"}},
		"adjust: [ { name: R, add: 'order.gift ? usd(1) : usd(2)' } ]":                                {`"R"`: {"never false: order.gift"}},
		"adjust: [ { name: R, when: order.has_promise, add: 'order.gift ? usd(1) : usd(2)' } ]":       {`"R"`: {"never true: order.has_promise", "never false: order.gift", "never true: order.gift"}},
		"guard: [ { name: R, max_fee: 'order.gift ? usd(90) : usd(20)', on_breach: warn } ]":          {`"R"`: {"never false: order.gift"}},
		"set: [ { name: R, set: { tip: 'order.gift ? usd(1) : usd(2)' } } ]":                          {`"R"`: {"never false: order.gift"}},
		"rank: { score: 'dollars(option.fee) + (order.gift ? 1 : 2)', ties: ['order.asap ? 1 : 2'] }": {"rank": {"never false: order.gift", "never false: order.asap"}},
		"let: { plain: order.gift }\nexclude: [ { name: R, reason: x, when: plain } ]":                {`"R"`: {"never false: plain"}},
	} {
		r := covered(t, "rules: 1\ncurrency: USD\nproviders: [ups]\n"+text+"\n", "cases:\n"+both)
		var missing []string
		for who, list := range want {
			for _, m := range list {
				missing = append(missing, who+": "+m)
			}
		}
		slices.Sort(missing)
		if got := slices.Sorted(slices.Values(r.NotSeen)); !slices.Equal(got, missing) {
			t.Errorf("%s: not seen\n%q, want\n%q", text, got, missing)
		}
	}
}

// TestCoverageCountsNoLetTwice: to give a part of a condition a name changes nothing of what there is to see.
func TestCoverageCountsNoLetTwice(t *testing.T) {
	const cases = "cases:\n  - { name: A, order: { id: a, gift: true }, quotes: [ { provider: ups, fee: 5 } ], expect: { faults: [] } }\n"
	for named, plain := range map[string]string{
		"let: { y: order.gift or order.paid }\nwarn: [ { name: R, message: m, when: y } ]":                     "warn: [ { name: R, message: m, when: order.gift or order.paid } ]",
		"let: { y: order.gift or order.paid }\nwarn: [ { name: R, message: m, when: y and order.asap } ]":      "warn: [ { name: R, message: m, when: (order.gift or order.paid) and order.asap } ]",
		"let: { y: order.gift or order.paid, z: y }\nwarn: [ { name: R, message: m, when: z } ]":               "warn: [ { name: R, message: m, when: order.gift or order.paid } ]",
		"let: { y: not order.gift }\nwarn: [ { name: R, message: m, when: y } ]":                               "warn: [ { name: R, message: m, when: not order.gift } ]",
		"let: { y: order.gift }\nwarn: [ { name: R, message: m, when: y } ]":                                   "warn: [ { name: R, message: m, when: order.gift } ]",
		"let: { y: order.gift or order.paid }\nadjust: [ { name: R, add: 'y ? usd(1) : usd(2)' } ]":            "adjust: [ { name: R, add: '(order.gift or order.paid) ? usd(1) : usd(2)' } ]",
		"let: { y: order.gift or order.paid }\nexclude: [ { name: R, when: y and option.fee > order.total } ]": "exclude: [ { name: R, when: (order.gift or order.paid) and option.fee > order.total } ]",
	} {
		got, want := covered(t, "rules: 1\ncurrency: USD\nproviders: [ups]\n"+named+"\n", cases), covered(t, "rules: 1\ncurrency: USD\nproviders: [ups]\n"+plain+"\n", cases)
		if got.Of != want.Of || got.Seen != want.Seen {
			t.Errorf("%s: %d of %d, without the let %d of %d: %q", named, got.Seen, got.Of, want.Seen, want.Of, got.NotSeen)
		}
	}
}

// A guard that speaks of some options only holds for those: it is not covered by one of which it does not speak.
func TestCoverageOfAGuardThatSpeaksOfSomeOptions(t *testing.T) {
	for _, c := range []struct{ when, mode, want string }{
		{"", "ground", `hit 0 miss 1 [{option.mode == "air" 0 1 0}]`},
		{"", "air", `hit 1 miss 0 [{option.mode == "air" 1 0 0}]`},
		{"when: order.asap, ", "air", `hit 0 miss 1 [{option.mode == "air" 0 0 1} {order.asap 0 1 0}]`},
	} {
		b, d := decided(t, "rules: 1\ncurrency: USD\nproviders: [ups]\nguard:\n  - { name: Air cap, "+c.when+"applies: option.mode == \"air\", max_fee: 10.00, on_breach: next }\n",
			"{ name: A, order: { id: a, total: 20, asap: false }, quotes: [ { provider: ups, service: ground, fee: 9, mode: "+c.mode+" } ], expect: { chosen: ups } }")
		cov := rules.NewCoverage(b)
		if err := cov.Add(&d); err != nil {
			t.Fatal(err)
		}
		r := cov.Report().Rules[0]
		if got := fmt.Sprintf("hit %d miss %d %v", r.Hit, r.Miss, r.Clauses); got != c.want {
			t.Errorf("%s%s: %s, want %s", c.when, c.mode, got, c.want)
		}
		text, err := rules.Explain(b, d)
		if err != nil {
			t.Fatal(err)
		}
		if over := strings.Contains(text, `guard passed over "Air cap"`); over != (r.Hit == 0) {
			t.Errorf("%s%s: it is explained as\n%s", c.when, c.mode, text)
		}
	}
}
