package rules_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// patchedRules has a rule in every phase, with another form at a location and another at those with a tag. Every form has a bound of its own in its
// condition: 100, 101, 102.
const patchedRules = `rules: 1
currency: USD
providers: [ups, doordash]
hold:
  - { name: Hold, when: order.quantity > 100, until: released }
set:
  - { name: Set, when: order.quantity < 100, set: { tip: 1.00 } }
exclude:
  - { name: Early, when: order.quantity > 100 }
  - { name: Late, when: order.quantity > 100 or option.fee > usd(90) }
adjust:
  - { name: Adjust, when: order.quantity < 100, add: 1.00 }
choose:
  - { name: Choose, when: order.quantity < 100, prefer: [ups] }
guard:
  - { name: Guard, when: order.quantity < 100, max_fee: 50.00, on_breach: next }
fallback:
  - { name: Fallback, when: order.quantity < 100, on: [no_driver], steps: [next_ranked], limit: { attempts: 10 } }
warn:
  - { name: Warn, when: order.quantity < 100, message: "by form 100" }
locations:
  l1:
    hold: { Hold: { when: order.quantity > 101 } }
    set: { Set: { when: order.quantity < 101, set: { tip: 2.00 } } }
    exclude: { Early: { when: order.quantity > 101 }, Late: { when: order.quantity > 101 or option.fee > usd(90) } }
    adjust: { Adjust: { when: order.quantity < 101, add: 2.00 } }
    choose: { Choose: { when: order.quantity < 101, prefer: [doordash] } }
    guard: { Guard: { when: order.quantity < 101, max_fee: 51.00 } }
    fallback: { Fallback: { when: order.quantity < 101, limit: { attempts: 11 } } }
    warn: { Warn: { when: order.quantity < 101, message: "by form 101" } }
  "tag:air":
    hold: { Hold: { when: order.quantity > 102 } }
    set: { Set: { when: order.quantity < 102, set: { tip: 3.00 } } }
    exclude: { Early: { when: order.quantity > 102 }, Late: { when: order.quantity > 102 or option.fee > usd(90) } }
    adjust: { Adjust: { when: order.quantity < 102, add: 3.00 } }
    choose: { Choose: { when: order.quantity < 102, prefer: [doordash/delivery] } }
    guard: { Guard: { when: order.quantity < 102, max_fee: 52.00 } }
    fallback: { Fallback: { when: order.quantity < 102, limit: { attempts: 12 } } }
    warn: { Warn: { when: order.quantity < 102, message: "by form 102" } }
`

var ruleHead = regexp.MustCompile(`^  (.*) "(\w+)"$`)

// TestTheFormThatAppliedIsExplained, once, with its own condition and what it did, whichever of the forms of a rule it is.
func TestTheFormThatAppliedIsExplained(t *testing.T) {
	for _, c := range []struct{ location, tip, wants, attempts, bound string }{
		{"l2", "1.00", "prefer ups", "10", "100"},
		{"l1", "2.00", "prefer doordash", "11", "101"},
		{"{ id: l2, tags: [air] }", "3.00", "prefer doordash/delivery", "12", "102"},
		{"{ id: l1, tags: [air] }", "2.00", "prefer doordash", "11", "101"}, // an id goes before a tag
	} {
		b, d := decided(t, patchedRules, "{ name: A, location: "+c.location+", order: { id: a, total: 20, quantity: 1 }, quotes: [ { provider: ups, service: ground, fee: 5 }, "+
			"{ provider: doordash, fee: 6 } ], expect: { choose: Choose, warnings: [Warn] } }")
		text, err := rules.Explain(b, d)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(text, "\n")
		seen := map[string]int{}
		for i, line := range lines {
			if m := ruleHead.FindStringSubmatch(line); m != nil {
				seen[m[2]]++
				if !strings.Contains(lines[i+1], " "+c.bound) {
					t.Errorf("at %s, %s shows the condition %s", c.location, line, lines[i+1])
				}
			}
		}
		for name, n := range map[string]int{"Hold": 1, "Set": 1, "Early": 2, "Late": 2, "Adjust": 2, "Choose": 1, "Guard": 2, "Fallback": 1, "Warn": 1} {
			if seen[name] != n {
				t.Errorf("at %s, %s is explained %d times, want %d:\n%s", c.location, name, seen[name], n, text)
			}
		}
		for _, did := range []string{"tip = " + c.tip + " USD", c.wants, "on no_driver: the next of the ranking; at most " + c.attempts + " bookings"} {
			if strings.Count(text, "-> "+did+"\n") != 1 {
				t.Errorf("at %s it does not say once %q:\n%s", c.location, did, text)
			}
		}
		if i := slices.Index(lines, "    -> tip = "+c.tip+" USD"); i < 0 || !slices.Contains(lines[:i], `  SET by "Set"`) {
			t.Errorf("at %s a value stands before the rule that set it:\n%s", c.location, text)
		}
	}
}

const heldRules = `rules: 1
currency: USD
providers: [ups]
hold:
  - { name: Gone, when: order.gift, until: location.next_opening }
  - { name: Short, when: order.gift, for: 30m }
  - { name: First, when: order.gift, until: released }
  - { name: Second, when: order.quantity > 0, until: released }
set:
  - { name: Set, set: { tip: 1.00 } }
guard:
  - { name: Cap, max_fee: 4.00, on_breach: hold }
fallback:
  - { name: Fallback, on: [no_driver], steps: [next_ranked] }
`

// TestHoldsAreExplainedAsTheyWereAsked: what holds an order ends the matter, and what a person has released does not come up again.
func TestHoldsAreExplainedAsTheyWereAsked(t *testing.T) {
	const testCase = "{ name: A, order: { id: a, total: 20, quantity: 1, gift: true }, quotes: [ { provider: ups, service: ground, fee: 5 } ], expect: { faults: [] } }"
	b, d := decided(t, heldRules, testCase)
	fee, err := shipping.BindMoney(shipping.MustDecimal("5.00"), "USD")
	if err != nil {
		t.Fatal(err)
	}
	offer := rules.Offer{Account: "ups", Quote: shipping.Quote{ServiceID: "ground", Amount: fee}}
	explained := func(released, waited []string) string {
		in := d.Plan.Input
		in.Released, in.Waited = released, waited
		text, err := rules.Explain(b, b.Decide(b.Prepare(in, d.Plan.Candidates), []rules.Offer{offer}))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, c := range []struct {
		what             string
		released, waited []string
		says             []string
		silent           []string
	}{
		{"held", nil, nil, []string{
			"  hold passed over \"Gone\"\n    order.gift  = true\n    until\n    location.next_opening  = 2026-01-05T12:00:00Z\n    -> what it waits for has come\n",
			`HELD by "Short"`, `hold "First" not evaluated, because "Short" holds the order`, `hold "Second" not evaluated, because "Short" holds the order`,
			`set "Set" not evaluated, because the order is held`, "option ups/ground  fee 5.00 USD  not looked at, because the order is held\n",
		}, []string{`Cap`, `passed over "First"`, `passed over "Second"`, `passed over "Set"`}},
		{"its time is over", nil, []string{"Short"}, []string{`hold "Short" not evaluated, because the order has waited its time`, `HELD by "First"`}, []string{`passed over "Short"`}},
		{"released", []string{"First"}, []string{"Short"}, []string{
			`hold "First" not evaluated, because a person has released the order from it`, `HELD by "Second"`,
		}, []string{`passed over "First"`}},
		{"held by a guard", []string{"First", "Second"}, []string{"Short"}, []string{
			`SET by "Set"`, `HELD by guard "Cap"`, `fallback "Fallback" not evaluated, because the order is held`,
		}, []string{"without effect"}},
		{"released from the guard too", []string{"First", "Second", "Cap"}, []string{"Short"}, []string{
			`guard without effect "Cap"`, "-> a person has released the order from it", "  fallback \"Fallback\"\n",
		}, []string{`guard kept "Cap"`}},
	} {
		text := explained(c.released, c.waited)
		for _, want := range c.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s: it does not say %q:\n%s", c.what, want, text)
			}
		}
		for _, no := range c.silent {
			if strings.Contains(text, no) {
				t.Errorf("%s: it says %q:\n%s", c.what, no, text)
			}
		}
	}
}

// TestGuardsWithoutEffectSayWhy: an option beyond a bound is never told to keep it.
func TestGuardsWithoutEffectSayWhy(t *testing.T) {
	for breach, want := range map[string]string{
		"warn": "it warns of the option that leads alone", "next": "",
	} {
		b, d := decided(t, fmt.Sprintf("rules: 1\ncurrency: USD\nproviders: [ups, doordash, own_fleet]\nchoose: [ { name: C, only: [ups, doordash] } ]\n"+
			"guard:\n  - { name: Cap, max_fee: 6.00, on_breach: %s }\n", breach),
			"{ name: A, quotes: [ { provider: ups, service: ground, fee: 5 }, { provider: doordash, fee: 7 }, { provider: own_fleet, fee: 8 } ], expect: { chosen: ups } }")
		text, err := rules.Explain(b, d)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(text, `guard kept "Cap"`) != 1 || strings.Contains(text, `guard without effect "Cap"`) != (want != "") || !strings.Contains(text, want) ||
			!strings.Contains(text, `guard "Cap" not evaluated, because "C" took the option out before`) {
			t.Errorf("%s:\n%s", breach, text)
		}
	}
}

// TestLetsOfOptionsAreExplained where they are computed: before quotes for an account that is not asked, and for every offer.
func TestLetsOfOptionsAreExplained(t *testing.T) {
	b, d := decided(t, "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\nlet: { ours: 'option.provider == \"ups\"', dear: option.fee > usd(9) }\n"+
		"exclude: [ { name: A, when: ours }, { name: B, when: dear } ]\n",
		"{ name: A, quotes: [ { provider: ups, fee: 5 }, { provider: doordash, fee: 7 } ], expect: { chosen: doordash } }")
	text, err := rules.Explain(b, d)
	if err != nil {
		t.Fatal(err)
	}
	for part, n := range map[string]int{
		"  let ours\n    option.provider == \"ups\"  = true\n": 1, "  let ours\n    option.provider == \"ups\"  = false\n": 1, "  let dear\n    option.fee > usd(9)  = false\n": 1,
	} {
		if strings.Count(text, part) != n {
			t.Errorf("want %d times %q in\n%s", n, part, text)
		}
	}
}

// TestFailedRulesAreNotPassedOver: a rule whose condition holds, and that could not do what it says, is told to have failed, and for the right option.
func TestFailedRulesAreNotPassedOver(t *testing.T) {
	b, d := decided(t, `rules: 1
currency: USD
providers: [ups, doordash]
attributes: [n]
set: [ { name: Set, set: { tip: 'order.total * (1 / len(order.attributes.n))' } } ]
adjust: [ { name: Adjust, add: 'order.total * (1.0 / option.transit_days)' } ]
choose: [ { name: Choose, split: { ups: 100, by: 'order.content[3]' } } ]
`, "{ name: A, order: { id: a, total: 20 }, quotes: [ { provider: ups, fee: 5, transit_days: 2 }, { provider: doordash, fee: 7 } ], expect: { faults: [Set, Adjust, Choose] } }")
	text, err := rules.Explain(b, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`set failed "Set"`, `adjust failed "Adjust"`, `ADJUSTED 10.00 USD by "Adjust"`, `choose failed "Choose"`, `FAILED choose "Choose": `} {
		if strings.Count(text, want) != 1 {
			t.Errorf("it does not say once %s:\n%s", want, text)
		}
	}
}

// TestCallsAreExplainedAsTheyAreWritten: what a call was turned into while compiling is not the author's.
func TestCallsAreExplainedAsTheyAreWritten(t *testing.T) {
	for when, want := range map[string][]string{
		`date_between("2026-11-23", "2027-01-17")`: {
			`date_between("2026-11-23", "2027-01-17") = false`, `local.date = "2026-06-01"`},
		`not within(order.to, "downtown") and supports("alcohol")`: {
			`not within(order.to, "downtown") and supports("alcohol") = false`, `not within(order.to, "downtown") = true`,
			`within(order.to, "downtown") = false`, `order.to.zones = []`, `supports("alcohol") = false`, `option.supports = []`},
	} {
		b, d := decided(t, "rules: 1\ncurrency: USD\nproviders: [ups]\nzones: { downtown: { center: \"42.3452369,-71.0639399\", radius: 3 mi } }\nexclude: [ { name: R, reason: r, when: '"+when+"' } ]\n",
			`{ name: A, now: "2026-06-01 12:00", order: { id: a, total: 20 }, quotes: [ { provider: ups, fee: 9 } ], expect: { chosen: ups } }`)
		text, err := rules.Explain(b, d)
		if err != nil {
			t.Fatal(err)
		}
		_, tree, _ := strings.Cut(text, `exclude passed over "R"`+"\n")
		tree, _, _ = strings.Cut(tree, "  score\n")
		var got []string
		for line := range strings.Lines(tree) {
			got = append(got, strings.Join(strings.Fields(strings.TrimLeft(line, " |`-")), " "))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s is explained as\n%s", when, tree)
		}
		c := rules.NewCoverage(b)
		if err := c.Add(&d); err != nil {
			t.Fatal(err)
		}
		for _, cl := range c.Report().Rules[0].Clauses {
			if !strings.Contains(when, cl.Text) {
				t.Errorf("%s: coverage speaks of %s", when, cl.Text)
			}
		}
	}
}

// TestWhoGaveNoQuoteIsExplainedOnce: why there is none, and what the rules said of it, under one head.
func TestWhoGaveNoQuoteIsExplainedOnce(t *testing.T) {
	b := mustLoaded(t, replayed+"exclude:\n  - { name: No air, when: 'option.mode == \"air\"' }\n  - { name: Never, when: order.quantity > 1000 }\n")
	list := offers()
	list = slices.DeleteFunc(list, func(o rules.Offer) bool { return o.Account == "doordash" || o.Quote.ServiceID == "ground" })
	d := b.Decide(b.Prepare(input(t, source()), candidates()), list,
		rules.Refused{Account: "ups", Service: "ground", Code: "SERVICE_UNAVAILABLE", Message: "not here"},
		rules.Refused{Account: "ups", Service: "other", Code: "SERVICE_UNAVAILABLE", Message: "nor this"},
		rules.Refused{Account: "doordash", Code: "TIMEOUT", Message: "no answer"})
	text, err := rules.Explain(b, d)
	if err != nil {
		t.Fatal(err)
	}
	heads := map[string]int{}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "option "); ok {
			who, _, _ := strings.Cut(rest, " ")
			heads[who]++
		}
	}
	if heads["ups/ground"] != 1 || heads["ups/other"] != 1 || heads["doordash"] != 1 {
		t.Errorf("heads %v\n%s", heads, text)
	}
	for _, want := range []string{
		"option ups/ground  NO OFFER: SERVICE_UNAVAILABLE not here\n  exclude passed over \"No air\"\n", "option ups/other  NO OFFER: SERVICE_UNAVAILABLE nor this\n",
		"option doordash  NO OFFER: TIMEOUT no answer\n  exclude passed over \"Never\"\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
}
