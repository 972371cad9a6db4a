package rules_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/measure"
)

// examples are the folders of rules that the project shows, with the least number of tests that each must have.
var examples = map[string]int{
	"../examples/rules": 10, "../examples/rules/restaurant": 20, "../examples/rules/parcel": 18, "../examples/rules/split": 20,
}

func exampleSuites(t testing.TB, dir string) (*rules.Bundle, []*rules.Suite) {
	t.Helper()
	b, err := rules.LoadDir(os.DirFS(dir), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	suites, err := rules.LoadSuites(b, os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return b, suites
}

func TestExamplesPassTheirTests(t *testing.T) {
	for dir, least := range examples {
		b, suites := exampleSuites(t, dir)
		n := 0
		hit := map[string]bool{}
		for _, s := range suites {
			for _, r := range s.Run(func(name string) ([]byte, error) { return fs.ReadFile(os.DirFS(dir), name) }) {
				n++
				for _, f := range r.Failures {
					t.Errorf("%s: %s:%d %s: %s\n%s", dir, r.File, f.Line, r.Name, f, r.Explanation)
				}
				for _, rule := range r.Decision.Hits() {
					hit[rule] = true
				}
			}
		}
		if n < least {
			t.Errorf("%s has %d tests", dir, n)
		}
		for _, rule := range b.RuleNames() {
			if !hit[rule] {
				t.Errorf("%s: no test lets rule %q do anything", dir, rule)
			}
		}
	}
}

const suiteRules = `rules: 1
currency: USD
providers: [ups, doordash]
attributes: [gift]
hold: [{ name: Review, when: order.attributes.gift == "review", until: released }]
set: [{ name: Tip, when: order.total > usd(10), set: { tip: 10% } }]
exclude: [{ name: Cap, when: 'option.provider == "doordash" and quota("doordash", "day").used >= 5', reason: cap }]
adjust: [{ name: Extra, providers: [ups], add: 1.00, charge: 0.50 }]
choose: [{ name: Gifts, when: order.attributes.gift == "yes", split: { ups: 100 } }]
guard: [{ name: Budget, daily_budget: 100.00, on_breach: warn }]
fallback: [{ name: Next, on: [no_driver], steps: [next_ranked], limit: { attempts: 2 } }]
warn: [{ name: Broken, when: 'order.quantity > 5 and order.items[9].sku == "x"', message: m }]
none: { then: { message: "nobody for {order.id}" } }
`

func suiteBundle(t testing.TB) *rules.Bundle {
	t.Helper()
	b, err := rules.Load([]rules.File{{Name: "s.rules.yaml", Data: []byte(suiteRules)}}, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func loadSuite(t testing.TB, text string) (*rules.Suite, error) {
	t.Helper()
	return rules.LoadSuite(suiteBundle(t), rules.File{Name: "s.test.yaml", Data: []byte(text)})
}

func noGolden(name string) ([]byte, error) {
	if name == "good.txt" {
		return []byte("something else"), nil
	}
	return nil, fs.ErrNotExist
}

const suiteQuotes = `quotes: [ { provider: ups, service: ground, fee: 9.00 }, { provider: doordash, fee: 9.50 } ]`

// TestEveryExpectationHoldsAndCanFail pairs what holds of an order with what does not.
func TestEveryExpectationHoldsAndCanFail(t *testing.T) {
	for _, c := range []struct{ order, key, good, bad string }{
		{"{ total: 20.00 }", "chosen", "doordash", "ups"},
		{"{ total: 20.00 }", "chosen", "doordash/delivery", "doordash/ground"},
		{"{ total: 20.00 }", "ranked", "[ doordash, ups/ground ]", "[ ups/ground, doordash ]"},
		{"{ total: 20.00 }", "cost", "{ ups: 10.00 USD }", "{ ups: 9.00 USD }"},
		{"{ total: 20.00 }", "set", "{ tip: 2.00 USD }", "{ tip: 3.00 USD }"},
		{"{ total: 20.00 }", "rule_hits", "[ Tip, Extra ]", "[ Cap ]"},
		{"{ total: 20.00 }", "not_hit", "[ Cap, Gifts ]", "[ Tip ]"},
		{"{ total: 20.00 }", "not_excluded", "[ ups ]", "[ doordash ] # capped"},
		{"{ total: 20.00 } # capped", "excluded", "{ doordash: cap }", "{ ups: cap }"},
		{"{ total: 20.00 } # capped", "excluded", "[ doordash ]", "{ doordash: Capped }"},
		{"{ total: 20.00 } # capped", "asked", "[ ups ]", "[ doordash ]"},
		{"{ total: 20.00 } # capped", "not_asked", "[ doordash ]", "[ ups ]"},
		{"{ total: 20.00 } # capped", "charge", "0.50 USD", "0.60 USD"},
		{"{ total: 20.00 } # capped", "charge", "0.5", "0"},
		{"{ total: 20.00 }", "charge", "0", "0.50"},
		{"{ total: 20.00 }", "cost", "{ ups/ground: 10 }", "{ ups/ground: 10.01 }"},
		{"{ total: 20.00 }", "set", "{ tip: 2 }", "{ tip: 2.01 }"},
		{"{ attributes: { gift: \"yes\" } }", "choose", "Gifts", "Tip"},
		{"{ attributes: { gift: \"yes\" } }", "arm", "ups", "rank"},
		{"{ attributes: { gift: review } }", "held", "Review", "Tip"},
		{"{ total: 20.00 }", "held", "\"false\"", "Review"},
		{"{ total: 20.00 } # spent", "warnings", "[ Budget ]", "[]"},
		{"{ total: 20.00 } # spent", "guards", "{ Budget: warn }", "{ Budget: next }"},
		{"{ total: 20.00 }", "fallback", "Next", "Tip"},
		{"{ total: 20.00 }", "next", "ups", "doordash"},
		{"{ total: 20.00 }", "attempts_left", "1", "2"},
		{"{ total: 20.00 }", "none", "false", "true"},
		{"{ id: o9 } # alone", "message", "nobody for o9", "nobody for o8"},
		{"{ quantity: 6 }", "faults", "[ Broken ]", "[]"},
		{"{ quantity: 5 }", "faults", "[]", "[ Broken ]"},
	} {
		t.Run(c.key+" "+c.good, func(t *testing.T) {
			for _, want := range []string{c.good, c.bad} {
				with, quotes := "with: {}", suiteQuotes
				switch both := c.order + want; {
				case strings.Contains(both, "# capped"):
					with = "with: { quota.doordash.day.used: 5 }"
				case strings.Contains(both, "# spent"):
					with = "with: { budget.Budget.spent: 99.00 }"
				case strings.Contains(both, "# alone"):
					quotes = "quotes: []"
				}
				s, err := loadSuite(t, fmt.Sprintf("tests: 1\ncases:\n  - name: A\n    event: no_driver\n    %s\n    %s\n    order: %s\n    expect:\n      %s: %s\n",
					with, quotes, c.order, c.key, want))
				if err != nil {
					t.Fatal(err)
				}
				r := s.Run(noGolden)[0]
				if r.Passed() != (want == c.good) {
					t.Errorf("%s: %s: failures %v\n%s", c.key, want, r.Failures, r.Explanation)
				}
				if !r.Passed() && (r.Failures[0].What != c.key || r.Failures[0].Line != 9 || r.Explanation == "") {
					t.Errorf("failure is %+v", r.Failures[0])
				}
			}
		})
	}
}

func TestGoldenExplanations(t *testing.T) {
	s, err := loadSuite(t, "tests: 1\ncases:\n  - { name: A, "+suiteQuotes+", expect: { golden: good.txt } }\n")
	if err != nil {
		t.Fatal(err)
	}
	r := s.Run(noGolden)[0]
	if r.Passed() || !strings.Contains(r.Goldens["good.txt"], "sha256:…") {
		t.Fatalf("another explanation passed: %v %v", r.Failures, r.Goldens)
	}
	again := s.Run(func(name string) ([]byte, error) { return []byte(r.Goldens[name]), nil })[0]
	if !again.Passed() {
		t.Error(again.Failures)
	}
}

// TestUnexpectedFaultsFail lets a rule fail that the test does not speak of.
func TestUnexpectedFaultsFail(t *testing.T) {
	s, err := loadSuite(t, "tests: 1\ncases:\n  - { name: A, order: { quantity: 6 }, "+suiteQuotes+", expect: { chosen: doordash } }\n")
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Run(noGolden)[0]; len(r.Failures) != 1 || r.Failures[0].What != "faults" {
		t.Errorf("failures %v", r.Failures)
	}
}

var suiteSlips = []measure.Slip{
	{Code: "E502", Text: "«c»ases: []\n", Want: "tests: 1"},
	{Code: "E505", Text: "tests: «2»\ncases: []\n", Want: "tests: 1"},
	{Code: "E501", Text: "tests: 1\n«case»: []\n", Want: "cases"},
	{Code: "E501", Text: "tests: 1\ncases:\n  - { name: A, expect: { «choosen»: ups } }\n", Want: "chosen"},
	{Code: "E501", Text: "tests: 1\ncases:\n  - { name: A, order: { «totl»: 5.00 }, expect: { chosen: ups } }\n", Want: "total"},
	{Code: "E503", Text: "tests: 1\ncases:\n  - { name: A, order: { weight: «12» }, expect: { chosen: ups } }\n", Want: "12 lb"},
	{Code: "E503", Text: "tests: 1\ncases:\n  - { name: A, order: { total: «much» }, expect: { chosen: ups } }\n", Want: "12.50 USD"},
	{Code: "E503", Text: "tests: 1\ncases:\n  - { name: A, now: «tomorrow», expect: { chosen: ups } }\n", Want: "2026-04-10"},
	{Code: "E109", Text: "tests: 1\ncases:\n  - { name: A, order: «smal», expect: { chosen: ups } }\nfixtures: { orders: { small: {} } }\n", Want: "small"},
	{Code: "E109", Text: "tests: 1\ncases:\n  - { name: A, quotes: «usul», expect: { chosen: ups } }\nfixtures: { quotes: { usual: [] } }\n", Want: "usual"},
	{Code: "E507", Text: "tests: 1\ncases:\n  - { name: A, order: a, expect: { chosen: ups } }\nfixtures: { orders: { a: { like: «a» } } }\n", Want: "itself"},
	{Code: "E105", Text: "tests: 1\ncases:\n  - { name: A, quotes: [{ provider: «upps», fee: 1.00 }], expect: { chosen: ups } }\n", Want: "ups"},
	{Code: "E105", Text: "tests: 1\ncases:\n  - { name: A, expect: { excluded: { «dordash»: cap } } }\n", Want: "doordash"},
	{Code: "E109", Text: "tests: 1\ncases:\n  - { name: A, expect: { rule_hits: [«Capp»] } }\n", Want: "Cap"},
	{Code: "E109", Text: "tests: 1\ncases:\n  - { name: A, expect: { guards: { «Budgett»: warn } } }\n", Want: "Budget"},
	{Code: "E109", Text: "tests: 1\ncases:\n  - { name: A, with: { quota.ups.day.used: «3» }, expect: { chosen: ups } }\n", Want: "no rule asks"},
	{Code: "E109", Text: "tests: 1\ncases:\n  - { name: A, with: { budget.X.spent: «3.00» }, expect: { chosen: ups } }\n", Want: "no guard"},
	{Code: "E109", Text: "tests: 1\ncases:\n  - { name: A, with: { option.fee: «3.00» }, expect: { chosen: ups } }\n", Want: "what can"},
	{Code: "E102", Text: "tests: 1\ncases:\n  - { name: A, with: { order.to.stat: «MA» }, expect: { chosen: ups } }\n", Want: "state"},
	{Code: "E502", Text: "tests: 1\ncases:\n  - «{» name: A }\n", Want: "expect"},
	{Code: "E502", Text: "tests: 1\ncases:\n  - «{» expect: { chosen: ups } }\n", Want: "name"},
	{Code: "E504", Text: "tests: 1\ncases:\n  - { name: A, expect: { chosen: ups } }\n  - { name: «A», expect: { chosen: ups } }\n", Want: "own name"},
	{Code: "E505", Text: "tests: 1\ncases:\n  - { name: A, expect: { golden: «../../etc/passwd» } }\n", Want: "below the folder"},
	{Code: "E505", Text: "tests: 1\noptions: { zone: «Mars» }\ncases: []\n", Want: "America/Denver"},
	{Code: "E401", Text: "tests: 1\ncases:\n  - name: A\n    expect: { chosen: ups }\n    matrix: «{» order.quantity: [" + strings.Repeat("1,", 200) + "1], order.line_count: [" + strings.Repeat("1,", 200) + "1] }\n", Want: "combinations"},
}

// blindSlips are tests that could never fail: something in them would not be looked at.
var blindSlips = []measure.Slip{
	{Code: "E109", Text: blind("[ { when: { «ordr.weight»: 1 lb }, chosen: none }, { else: true, not_excluded: [ups] } ]"), Want: "order.weight"},
	{Code: "E109", Text: "tests: 1\ncases:\n  - { name: A, expect: [ { when: { «order.weight»: 1 lb }, chosen: none } ] }\n", Want: "no matrix"},
	{Code: "E505", Text: blind("[ { when: { order.weight: «62 lb» }, chosen: none }, { else: true, not_excluded: [ups] } ]"), Want: "1 lb, 61 lb"},
	{Code: "E503", Text: blind("[ { when: { order.weight: «61 lbs» }, chosen: none }, { else: true, not_excluded: [ups] } ]"), Want: "12 lb"},
	{Code: "E503", Text: blind("[ { when: { order.weight: «[»] }, chosen: none }, { else: true, not_excluded: [ups] } ]"), Want: "12 lb"},
	{Code: "E502", Text: blind("[ { when: «{»}, chosen: none } ]"), Want: "when:"},
	{Code: "E505", Text: blind("[ «{» when: { order.weight: 1 lb }, else: true, chosen: none } ]"), Want: "else"},
	{Code: "E505", Text: blind("[ { else: «false», chosen: none } ]"), Want: "true"},
	{Code: "E505", Text: blind("[ { when: { order.weight: 1 lb }, chosen: none }, { when: { order.weight: 61.0 lb }, chosen: none }, «{» else: true, chosen: ups } ]"), Want: "looked at"},
	{Code: "E502", Text: blind("[ «{» when: { order.weight: 1 lb } }, { else: true, chosen: none } ]"), Want: "never fail"},
	{Code: "E505", Text: blind("«[» { when: { order.weight: 1 lb }, chosen: none } ]"), Want: "speaks of [order.weight=61 lb]"},
	{Code: "E505", Text: blind("«[» { when: { order.weight: 1 lb }, chosen: none } ]"), Want: "anything: true"},
	{Code: "E505", Text: blind("«[» { when: { order.weight: 1 lb, order.quantity: 2 }, chosen: none }, { when: { order.weight: 61 lb, order.quantity: 4 }, anything: true } ]\n"+
		"    with: { order.distance: 1 mi }", "order.quantity: [ 2, 3, 4 ]"), Want: "[order.weight=61 lb order.quantity=2], [order.weight=1 lb order.quantity=3], [order.weight=61 lb order.quantity=3], 1 more"},
	{Code: "E502", Text: blind("«[» { else: true, anything: true } ]"), Want: "never fail"},
	{Code: "E502", Text: blind("[ «{» anything: true }, { else: true, chosen: none } ]"), Want: "never fail"},
	{Code: "E505", Text: blind("[ { when: { order.weight: 1 lb }, chosen: none }, { else: true, anything: «false» } ]"), Want: "only be true"},
	{Code: "E505", Text: blind("[ { when: { order.weight: 1 lb }, chosen: none }, «{» else: true, anything: true, chosen: ups } ]"), Want: "anything"},
	{Code: "E502", Text: "tests: 1\ncases:\n  - { name: A, matrix: { order.weight: «[»] }, expect: { chosen: ups } }\n", Want: "never run"},
	{Code: "E502", Text: "tests: 1\ncases: [ «{»} ]\n", Want: "name"},
	{Code: "E502", Text: "«t»ests: 1\ncases: []\n", Want: "no cases"},
	{Code: "E503", Text: one("excluded: { ups: «[»nonsense] }"), Want: "the reason or the rule"},
	{Code: "E503", Text: one("excluded: { ups: «{» reason: nonsense } }"), Want: "text"},
	{Code: "E503", Text: one("set: { signature: «{» x: 1 } }"), Want: "text"},
	{Code: "E107", Text: one("set: { «signatur»: adult }"), Want: "signature"},
	{Code: "E503", Text: one("cost: «[» ups ]"), Want: "mapping"},
	{Code: "E505", Text: one("guards: { Budget: «warm» }"), Want: "warn"},
	{Code: "E502", Text: "tests: 1\ncases:\n  - { name: A, expect: «{»} }\n", Want: "never fail"},
	{Code: "E502", Text: "tests: 1\ncases:\n  - { name: A, expect: «[»] }\n", Want: "never fail"},
	{Code: "E502", Text: one("excluded: «{»}"), Want: "names nothing"},
	{Code: "E502", Text: one("rule_hits: «[»]"), Want: "names nothing"},
	{Code: "E105", Text: one("chosen: «nobody»"), Want: "doordash"},
	{Code: "E105", Text: one("chosen: «upps/ground»"), Want: "ups"},
	{Code: "E503", Text: one("charge: «dear»"), Want: "12.50 USD"},
	{Code: "E503", Text: one("cost: { ups: «9 quid» }"), Want: "12.50 USD"},
	{Code: "E503", Text: one("set: { tip: «10%» }"), Want: "12.50 USD"},
	{Code: "E105", Text: one("next: «upps»"), Want: "ups"},
	{Code: "E105", Text: one("arm: «upps»"), Want: "ups"},
	{Code: "E108", Text: "tests: 1\ncases:\n  - { name: A, event: «no_drivr», expect: { next: ups } }\n", Want: "no_driver"},
}

func blind(expect string, more ...string) string {
	return "tests: 1\ncases:\n  - name: A\n    matrix: { " + strings.Join(append([]string{"order.weight: [ 1 lb, 61 lb ]"}, more...), ", ") + " }\n    expect: " + expect + "\n"
}

func one(expect string) string {
	return "tests: 1\ncases:\n  - { name: A, expect: { " + expect + " } }\n"
}

// TestNoTestIsBlind refuses what could never fail, and the schema refuses those of them whose form alone shows it.
func TestNoTestIsBlind(t *testing.T) {
	b, s := suiteBundle(t), schema(t, "tests.json", rules.TestSchema())
	for _, slip := range blindSlips {
		t.Run(slip.Text, func(t *testing.T) {
			checkSlipOf(t, slip, slip.Text, func(text string) error {
				_, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml", Data: []byte(text)})
				return err
			})
			var v any
			if err := yaml.Unmarshal([]byte(strings.NewReplacer("«", "", "»", "").Replace(slip.Text)), &v); err != nil {
				t.Fatal(err)
			}
			ofForm := slip.Code == "E502" || slip.Code == "E107" || slip.Code == "E108" || slip.Code == "E503" && !strings.Contains(slip.Text, "when") ||
				strings.Contains(slip.Text, "guards") || strings.Contains(slip.Text, "else: «false»") || strings.Contains(slip.Text, "lb }, else") || strings.Contains(slip.Text, "anything: «false»") || strings.Contains(slip.Text, "anything: true, chosen")
			if refused := s.Validate(v) != nil; refused != ofForm {
				t.Errorf("the schema refuses it: %t, want %t", refused, ofForm)
			}
		})
	}
}

// TestAnythingMayComeOnPurpose leaves a combination open, of which only a rule that fails is told.
func TestAnythingMayComeOnPurpose(t *testing.T) {
	s, err := loadSuite(t, "tests: 1\ncases:\n  - name: A\n    "+suiteQuotes+"\n    matrix: { order.quantity: [ 1, 2, 6 ] }\n"+
		"    expect: [ { when: { order.quantity: 1 }, chosen: none }, { else: true, anything: true } ]\n")
	if err != nil {
		t.Fatal(err)
	}
	results := s.Run(noGolden)
	for i, want := range []string{"chosen", "", "faults"} {
		var got string
		for _, f := range results[i].Failures {
			got += f.What
		}
		if got != want {
			t.Errorf("%s: failures of %q, want of %q", results[i].Name, got, want)
		}
	}
}

// TestValuesOfWhenAreComparedByWhatTheyMean writes the values of a matrix in other words.
func TestValuesOfWhenAreComparedByWhatTheyMean(t *testing.T) {
	for _, c := range []struct{ key, values, when string }{
		{"order.weight", "[ 1 lb, 61 lb ]", "976 oz"},
		{"order.weight", "[ 1 lb, 61 lb ]", "61.0 lb"},
		{"order.total", "[ 1.00, 2.5 USD ]", "2.50"},
		{"now", "[ 2026-04-10 18:00, 2026-04-10 19:00 ]", "\"2026-04-10T19:00:00Z\""},
		{"order.promise_by", "[ 1h, 2h ]", "120m"},
		{"order.tags", "[ [a], [a, b] ]", "[ a, b ]"},
		{"ups.available", "[ true, false ]", "false"},
		{"quota.doordash.day.used", "[ 3, 4 ]", "4"},
	} {
		s, err := loadSuite(t, fmt.Sprintf("tests: 1\ncases:\n  - name: A\n    %s\n    matrix: { %s: %s }\n    expect: [ { when: { %[2]s: %[4]s }, none: true }, { else: true, none: false } ]\n",
			suiteQuotes, c.key, c.values, c.when))
		if err != nil {
			t.Errorf("%s %s: %v", c.key, c.when, err)
			continue
		}
		results := s.Run(noGolden)
		if len(results) != 2 || !results[0].Passed() || results[1].Passed() {
			t.Errorf("%s %s: the branch is not that of the second value: %v", c.key, c.when, results)
		}
	}
}

// TestTimesThatClocksSkipAreRefused: in Denver no clock shows 02:15 on 2026-03-08.
func TestTimesThatClocksSkipAreRefused(t *testing.T) {
	b := suiteBundle(t)
	const denver = "tests: 1\noptions: { zone: America/Denver }\ncases:\n  - { name: A, expect: { none: true }, "
	for _, text := range []string{
		"now: «2026-03-08 02:15» }\n", "now: «2026-03-08 02:59:59» }\n", "order: { promise_by: «2026-03-08 02:15» } }\n",
		"matrix: { now: [ 2026-03-08 01:59, «2026-03-08 02:00» ] } }\n", "now: 2026-03-08 12:00, with: { local.hour: «2» } }\n",
		"now: 2026-03-07 02:15, with: { local.date: «2026-03-08» } }\n", "now: 2026-03-07 02:15, with: { local.weekday: «sun» } }\n",
		"now: 2026-03-08 12:00, with: { local.minute_of_day: «150» } }\n",
	} {
		t.Run(text, func(t *testing.T) {
			checkSlipOf(t, measure.Slip{Code: "E505", Want: "America/Denver"}, denver+text, func(text string) error {
				_, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml", Data: []byte(text)})
				return err
			})
		})
	}
	for _, text := range []string{
		"now: 2026-03-08 01:59 }\n", "now: 2026-03-08 03:00 }\n", "now: 2026-03-08 8:00 }\n", "now: \"2026-03-08 12:00:00.5\" }\n", "now: 2026-03-08T09:15:00Z }\n", "now: 2026-11-01 01:30 }\n",
		"now: 2026-03-08 12:00, with: { local.hour: 3 } }\n", "now: 2026-03-07 03:15, with: { local.weekday: sun } }\n",
	} {
		if _, err := loadSuite(t, denver+text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSuiteSlips(t *testing.T) {
	b := suiteBundle(t)
	for _, s := range suiteSlips {
		t.Run(s.Text[:min(len(s.Text), 80)], func(t *testing.T) {
			checkSlipOf(t, s, s.Text, func(text string) error {
				_, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml", Data: []byte(text)})
				return err
			})
		})
	}
}

func FuzzSuite(f *testing.F) {
	for _, s := range append(slices.Clone(suiteSlips), blindSlips...) {
		f.Add([]byte(strings.NewReplacer("«", "", "»", "").Replace(s.Text)))
	}
	for dir := range examples {
		files, _ := fs.Glob(os.DirFS(dir), "*.test.yaml")
		for _, name := range files {
			data, err := fs.ReadFile(os.DirFS(dir), name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	b := suiteBundle(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := rules.LoadSuite(b, rules.File{Name: "f.test.yaml", Data: data})
		var check *rules.CheckError
		if err != nil {
			if !errors.As(err, &check) || len(check.Problems) == 0 {
				t.Fatalf("refused without a reason: %v", err)
			}
			return
		}
		if len(s.Cases()) < 200 {
			s.Run(noGolden)
		}
	})
}

func TestVerify(t *testing.T) {
	for dir := range examples {
		b, _ := exampleSuites(t, dir)
		if err := b.Verify(os.DirFS(dir)); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
	b := suiteBundle(t)
	folder := func(test string) fs.FS { return fstest.MapFS{"a.test.yaml": {Data: []byte(test)}} }
	var failed *rules.TestError
	err := b.Verify(folder("tests: 1\ncases: [ { name: A, expect: { chosen: ups } } ]\n"))
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), `a.test.yaml:2: test "A" failed`) || !strings.Contains(err.Error(), "chosen: want ups, got none") {
		t.Error(err)
	}
	var check *rules.CheckError
	if err := b.Verify(folder("tests: 2\n")); !errors.As(err, &check) {
		t.Error(err)
	}
}

// TestOffersInAnotherCurrencyAreLeftOut, as the engine leaves them out.
func TestOffersInAnotherCurrencyAreLeftOut(t *testing.T) {
	const quotes = "quotes: [ { provider: ups, fee: 5.00 CAD }, { provider: doordash, fee: 9.00 USD } ]"
	for _, c := range []struct{ file, order, quotes, chosen string }{
		{"currency: USD", "{}", quotes, "doordash"},
		{"currency: USD", "{ total: 20.00 CAD }", quotes, "ups"},
		{"currency: CAD", "{}", quotes, "ups"},
		{"currency: USD", "{}", "quotes: [ { provider: ups, fee: 5.00 CAD } ]", "none"},
		{"name: any", "{ total: 20.00 USD }", quotes, "doordash"},
		{"name: any", "{}", "quotes: [ { provider: ups, fee: 5.00 EUR }, { provider: doordash, fee: 4.00 EUR } ]", "doordash"},
	} {
		b, err := rules.Load([]rules.File{{Name: "s.rules.yaml", Data: []byte("rules: 1\n" + c.file + "\nproviders: [ups, doordash]\n")}}, rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml",
			Data: fmt.Appendf(nil, "tests: 1\ncases: [ { name: A, order: %s, %s, expect: { chosen: %s } } ]\n", c.order, c.quotes, c.chosen)})
		if err != nil {
			t.Fatal(err)
		}
		r := s.Run(noGolden)[0]
		if !r.Passed() {
			t.Errorf("%s, order %s: %v\n%s", c.file, c.order, r.Failures, r.Explanation)
		}
		if told := slices.ContainsFunc(r.Decision.Refused, func(r rules.Refused) bool { return r.Code == "CURRENCY_MISMATCH" }); told == strings.Contains(c.quotes, "EUR") {
			t.Errorf("%s, order %s: refused %v", c.file, c.order, r.Decision.Refused)
		}
	}
}

// TestHugeQuantitiesAreNoWork gives an order more pieces than anybody could count.
func TestHugeQuantitiesAreNoWork(t *testing.T) {
	before := processorTime(t)
	s, err := loadSuite(t, "tests: 1\ncases:\n  - { name: A, order: { items: [ { sku: a, price: 0.01, quantity: 2000000000 }, { sku: b, price: 1.00, quantity: 2 } ] }, "+
		"quotes: [], expect: { none: true, faults: [] } }\n")
	if err != nil {
		t.Fatal(err)
	}
	r := s.Run(noGolden)[0]
	if took := processorTime(t) - before; took > muchTooLong {
		t.Errorf("it took %v", took)
	}
	if got := r.Decision.Plan.Input.Order.Subtotal; got != usd(2_000_000_200) {
		t.Errorf("the subtotal is %v", got)
	}
}

// TestSuiteTellsTheCountsOfALocation apart from those of all: each rule is told the one that it asks for, and the other may be given beside it.
func TestSuiteTellsTheCountsOfALocation(t *testing.T) {
	const given = "with: { budget.A.spent: 99.00, budget.A.location.spent: 1.00, quota.ups.day.used: 50, quota.ups.day.location.used: 2 }"
	for _, c := range []struct{ rules, chosen string }{
		{"guard: [ { name: A, daily_budget: 20.00, on_breach: next } ]\nexclude: [ { name: B, when: 'quota(\"ups\", \"day\").used > 100' } ]", "none"},
		{"guard: [ { name: A, daily_budget: 20.00, per: location, on_breach: next } ]\nexclude: [ { name: B, when: 'quota(\"ups\", \"day\").used > 100' } ]", "ups"},
		{"guard: [ { name: A, daily_budget: 200.00, on_breach: next } ]\nexclude: [ { name: B, when: 'quota(\"ups\", \"day\").used > 20' } ]", "none"},
		{"guard: [ { name: A, daily_budget: 200.00, on_breach: next } ]\nexclude: [ { name: B, when: 'quota(\"ups\", \"day\", \"location\").used > 20' } ]", "ups"},
	} {
		b := diffed(t, c.rules)
		s, err := rules.LoadSuite(b, rules.File{Name: "a.test.yaml", Data: []byte("tests: 1\ncases:\n  - name: x\n    " + given +
			"\n    quotes: [ { provider: ups, fee: 9.00 } ]\n    expect: { chosen: " + c.chosen + " }\n")})
		if err != nil {
			t.Errorf("%s: %v", c.rules, err)
			continue
		}
		for _, r := range s.Run(noGolden) {
			if len(r.Failures) > 0 {
				t.Errorf("%s: %v", c.rules, r.Failures)
			}
		}
	}
}
