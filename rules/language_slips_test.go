package rules_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/measure"
)

// TestSlipsOfTheLanguage: what is nearly an expression is told with the expression that was meant, in the words of the language.
func TestSlipsOfTheLanguage(t *testing.T) {
	const exclude = "exclude:\n  - name: A\n    when: "
	for _, s := range []measure.Slip{
		{Code: "E201", Text: exclude + "order.items «==» []\n", Want: "len(order.items) == 0"},
		{Code: "E201", Text: exclude + "'[] «!=» order.items'\n", Want: "len(order.items) != 0"},
		{Code: "E201", Text: exclude + "order.items «==» filter(order.items, .quantity > 1)\n", Want: "len(order.items)"},
		{Code: "E201", Text: exclude + "«order» == 5\n", Want: "order.total > usd(5)"},
		{Code: "E201", Text: exclude + "«order.to» == \"CA\"\n", Want: "order.to.country, order.to.state"},
		{Code: "E201", Text: exclude + "«order.to» in [\"CA\"]\n", Want: "order.to.state"},
		{Code: "E201", Text: exclude + "«option» > usd(5)\n", Want: "option.fee, option.cost"},
		{Code: "E201", Text: exclude + "«location» == \"den-2\"\n", Want: "location.id"},
		{Code: "E201", Text: exclude + "«order.items[0]» == \"A\"\n", Want: "order.items[0].sku"},
		{Code: "E201", Text: exclude + "«order.items» == 5\n", Want: "len(order.items)"},
		{Code: "E202", Text: exclude + "«order»\n", Want: "order.gift"},
		{Code: "E205", Text: exclude + "order.to.country == «\"Germany\"»\n", Want: "DE"},
		{Code: "E305", Text: exclude + "option.fee > order.total * «30%»\n", Want: "number: 0.3"},
		{Code: "E305", Text: exclude + "option.on_time_rate_30d > «95%»\n", Want: "number: 0.95"},
		{Code: "E305", Text: exclude + "option.fee > «12.5 %» * order.total\n", Want: "number: 0.125"},
		{Code: "E305", Text: exclude + "«5% of» order.total > usd(3)\n", Want: "0.05 *"},
		{Code: "E202", Text: exclude + "«location.caps»\n", Want: "location.caps.doordash"},
		{Code: "E202", Text: exclude + "«location.caps»\n", Want: "this is numbers by name"},
		{Code: "E202", Text: exclude + "«order.items»\n", Want: "this is list of items"},
		{Code: "E201", Text: "attributes: [payment]\n" + exclude + "order.attributes == «\"x\"»\n", Want: "order.attributes.payment"},
		{Code: "E201", Text: exclude + "order.attributes == «\"x\"»\n", Want: "texts by name and text do not fit"},
		{Code: "E101", Text: exclude + "order.promise_by == «null»\n", Want: "not order.has_promise"},
		{Code: "E101", Text: exclude + "order.to.city != «None»\n", Want: `an absent text is ""`},
		{Code: "E302", Text: exclude + "order.to.city == «nil»\n", Want: `an absent text is ""`},
		{Code: "E101", Text: exclude + "any(order.items, «sku» == \"A\")\n", Want: ".sku"},
		{Code: "E101", Text: exclude + "any(order.items, .sku == \"A\" and «quantity» > 2)\n", Want: ".quantity"},
		{Code: "E101", Text: exclude + "any(order.items, .sku == \"A\") and «quantity» > 2\n", Want: "order.quantity"},
		{Code: "E101", Text: exclude + "order.to.state in «remote»\n", Want: "lists.remote"},
		{Code: "E101", Text: exclude + "order.total > «USD»(5)\n", Want: "usd(…)"},
		{Code: "E101", Text: exclude + "order.total > «chf»(5)\n", Want: `money("12.50", "CHF")`},
		{Code: "E101", Text: exclude + "order.weight > «lbs»(5)\n", Want: "lb"},
		{Code: "E201", Text: exclude + "order.weight > «usd(60)»\n", Want: "lb(60)"},
		{Code: "E201", Text: exclude + "«minutes(30)» < order.distance\n", Want: "mi(30)"},
		{Code: "E201", Text: exclude + "order.weight «>» order.total\n", Want: "both must be weight, or both money"},
		{Code: "E201", Text: exclude + "order.to.state «==» [\"MA\", \"NY\"]\n", Want: `order.to.state in ["MA", "NY"]`},
		{Code: "E201", Text: exclude + "order.to.state «!=» [\"MA\", \"NY\"]\n", Want: `order.to.state not in ["MA", "NY"]`},
		{Code: "E201", Text: exclude + "local.weekday in [«6», 7]\n", Want: `"sat"`},
		{Code: "E305", Text: exclude + "order.weight > «lb 70»\n", Want: "write lb(70)"},
		{Code: "E305", Text: exclude + "order.total > «USD 70.50» and order.asap\n", Want: "write usd(70.50)"},
		{Code: "E301", Text: exclude + "any(order.tags«,» # == \"x\")\n", Want: "begins a comment"},
		{Code: "E301", Text: exclude + "order.total > usd(5) an«d» # x\n", Want: "begins a comment"},
		{Code: "E201", Text: exclude + "order.volume > «5»\n", Want: "liters(5)"},
		{Code: "E305", Text: exclude + "order.volume > «5 l»\n", Want: "write liters(5)"},
		{Code: "E305", Text: exclude + "order.volume > «200 in3»\n", Want: "write inch3(200)"},
		{Code: "E305", Text: exclude + "order.volume > «5 cm3»\n", Want: "write cm3(5)"},
		{Code: "E101", Text: exclude + "order.volume > «litres»(5)\n", Want: "liters"},
		{Code: "E201", Text: exclude + "order.volume > «inch(5)»\n", Want: "inch3(5)"},
		{Code: "E305", Text: exclude + "order.volume > «liters(1,5)»\n", Want: "point"},
		{Code: "E203", Text: exclude + "order.volume > cm3(«\"5\"»)\n", Want: "cm3(10)"},
		{Code: "E201", Text: exclude + "'order.volume > (order.asap ? «liters(1) : lb»(1))'\n", Want: "both must be volume"},
	} {
		t.Run(s.Text, func(t *testing.T) { checkSlip(t, s, "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\n"+s.Text) })
	}
}

// TestDoubledNames: what has a name already, in this file or another, is told with the place of the other.
func TestDoubledNames(t *testing.T) {
	const rule = "warn: [ { name: A, message: m } ]\n"
	for what, files := range map[string][2]string{
		"two rules are named":     {rule, "hold: [ { name: A, for: 5m } ]\n"},
		"let far stands in two":   {"let: { far: order.asap }\n", "let: { far: order.asap }\n"},
		"two zones are named":     {"zones: { far: { center: \"41.88,-87.63\", radius: 3 mi } }\n", "zones: { far: { center: \"41.88,-87.63\", radius: 3 mi } }\n"},
		"two lists are named":     {"lists: { far: [AK] }\n", "lists: { far: [AK] }\n"},
		"the bundle ranks twice":  {"rank: { strategy: cheapest }\n", "rank: { strategy: fastest }\n"},
		"the bundle has two none": {"none: { hold_for: 3m }\n", "none: { hold_for: 3m }\n"},
	} {
		_, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte("rules: 1\n" + files[0])}, {Name: "b.rules.yaml", Data: []byte("rules: 1\n\n" + files[1])}}, rules.Options{})
		check, ok := errors.AsType[*rules.CheckError](err)
		if !ok || len(check.Problems) != 1 || check.Problems[0].Code != "E504" || check.Problems[0].File != "b.rules.yaml" || check.Problems[0].Line != 3 ||
			!strings.HasPrefix(check.Problems[0].Sentence, what) || !strings.HasSuffix(check.Problems[0].Sentence, "; the other is at a.rules.yaml:2") {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte("rules: 1\nlists: { far: [AK] }\n")}, {Name: "lists/far.csv", Data: []byte("AK\n")}}, rules.Options{})
	if err == nil || !strings.Contains(err.Error(), "the other is at lists/far.csv") {
		t.Errorf("a list of the file and one of the folder: %v", err)
	}
}

// TestSlipsOfMoments: a hold until a time in words is told with the moments that there are; a let of such a name is one.
func TestSlipsOfMoments(t *testing.T) {
	for _, words := range []string{"tomorrow", "next monday", "tonight", "18:00", "8am", "Friday evening"} {
		s := measure.Slip{Code: "E505", Text: "hold:\n  - name: A\n    until: «" + words + "»\n", Want: "local.now + hours(24)"}
		checkSlip(t, s, "rules: 1\n"+s.Text)
	}
	if _, err := loaded(t, "rules: 1\nlet: { tomorrow: local.now + hours(24) }\nhold:\n  - { name: A, until: tomorrow }\n", rules.Options{}); err != nil {
		t.Error(err)
	}
}

// TestSlipsOfEntries: an entry of a list without its dash.
func TestSlipsOfEntries(t *testing.T) {
	b, err := loaded(t, "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\n", rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []measure.Slip{
		{Code: "E503", Text: "    quotes:\n      «p»rovider: ups\n      fee: 9\n", Want: "- provider: ups"},
		{Code: "E504", Text: "    quotes:\n      - provider: ups\n        fee: 9\n        «provider»: doordash\n        fee: 8\n", Want: "put a - before it"},
		{Code: "E503", Text: "    order: { items: «{» sku: A } }\n", Want: "- sku: A"},
	} {
		t.Run(s.Text, func(t *testing.T) {
			checkSlipOf(t, s, "tests: 1\ncases:\n  - name: A\n    expect: { none: true }\n"+s.Text, func(text string) error {
				_, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml", Data: []byte(text)})
				return err
			})
		})
	}
	s := measure.Slip{Code: "E504", Text: "warn:\n  - name: A\n    message: m\n    «name»: B\n    message: n\n", Want: "put a - before it"}
	checkSlip(t, s, "rules: 1\n"+s.Text)
	s = measure.Slip{Code: "E503", Text: "tests: 1\ncases:\n  - { name: A, expect: { charge: «{» ups: 9.50 } } }\n", Want: "charge: 1.99 USD"}
	checkSlipOf(t, s, s.Text, func(text string) error {
		_, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml", Data: []byte(text)})
		return err
	})
}

// TestSlipsOfBrackets: of brackets that are not closed the innermost is shown, and what closes them all is said.
func TestSlipsOfBrackets(t *testing.T) {
	for _, s := range []measure.Slip{
		{Code: "E501", Text: "exclude: [ «{»name: ok\n", Want: "around it too: } ]"},
		{Code: "E501", Text: "exclude: [ «{»name: ok, when: order.asap\nwarn:\n  - { name: B, message: m }\n", Want: "around it too: } ]"},
		{Code: "E501", Text: "exclude: «[» { name: ok, when: order.asap }\n", Want: "close it with ]"},
		{Code: "E501", Text: "exclude: [ { name: A, providers: «[» ups\n", Want: "around it too: ] } ]"},
	} {
		checkSlip(t, s, "rules: 1\nproviders: [ups]\n"+s.Text)
	}
}

// TestFailuresName: a test that fails because something was done which must not be says what it was.
func TestFailuresName(t *testing.T) {
	b, err := loaded(t, "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\nwarn: [ { name: W, message: m } ]\nexclude: [ { name: X, when: order.gift, providers: [ups] } ]\n", rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	suite, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml", Data: []byte("tests: 1\ncases:\n" +
		"  - { name: A, quotes: [ { provider: ups, fee: 1 } ], expect: { not_asked: [ups] } }\n" +
		"  - { name: B, order: { gift: true }, quotes: [ { provider: ups, fee: 1 } ], expect: { asked: [ups] } }\n" +
		"  - { name: C, quotes: [ { provider: ups, fee: 1 } ], expect: { not_hit: [W] } }\n")})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"not_asked: want ups not asked, got ups was asked", "asked: want ups, got doordash", "not_hit: want W not hit, got W"}
	for i, r := range suite.Run(nil) {
		if len(r.Failures) != 1 || r.Failures[0].String() != want[i] {
			t.Errorf("%s: %v, want %s", r.Name, r.Failures, want[i])
		}
	}
}
