package rules_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/measure"
)

// TestSlipsOfMerchants: what people write who know spreadsheets, other languages or other countries is told where it stands, with what to write.
func TestSlipsOfMerchants(t *testing.T) {
	const exclude = "exclude:\n  - name: A\n    when: "
	for _, s := range []measure.Slip{
		{Code: "E305", Text: exclude + "order.to.state == «„»CA“\n", Want: "straight quotes"},
		{Code: "E305", Text: exclude + "option.fee > «usd(5,55)»\n", Want: "5.55"},
		{Code: "E305", Text: exclude + "local.date == «24.12.2026»\n", Want: "2026-12-24"},
		{Code: "E305", Text: exclude + "order.to.postal_code «starts with» \"021\"\n", Want: "startsWith"},
		{Code: "E305", Text: exclude + "order.to.postal_code «matches /»^021/\n", Want: "quotes"},
		{Code: "E301", Text: exclude + "local.time > 18«:»00\n", Want: "\"18:00\""},
		{Code: "E303", Text: exclude + "order.to.postal_code matches «\"*021\"»\n", Want: "startsWith"},
		{Code: "E303", Text: exclude + "order.to.postal_code matches «\"(021\"»\n", Want: "pairs"},
		{Code: "E303", Text: exclude + "order.to.postal_code matches «\"^(?!021)\"»\n", Want: "look ahead"},
		{Code: "E101", Text: exclude + "order.gift == «yes»\n", Want: "true"},
		{Code: "E201", Text: exclude + "order.gift == «\"true\"»\n", Want: "without quotes"},
		{Code: "E201", Text: exclude + "order.to.state == \"CA\" or «\"NV\"»\n", Want: "in [\"CA\", \"NV\"]"},
		{Code: "E201", Text: exclude + "order.to.postal_code == «02118»\n", Want: "\"02118\""},
		{Code: "E201", Text: exclude + "order.to.postal_code in [«02118», 02119]\n", Want: "in quotes"},
		{Code: "E301", Text: exclude + "order.to.city == «\"»a #b\"\n", Want: "begins a comment"},
		{Code: "E101", Text: "lists: { far: [AK] }\n" + exclude + "order.to.state in «far»\n", Want: "lists.far"},
		{Code: "E505", Text: "adjust:\n  - name: A\n    add: «5,55»\n", Want: "write 5.55"},
		{Code: "E505", Text: "adjust:\n  - name: A\n    add: «5,55 USD»\n", Want: "write 5.55 USD"},
		{Code: "E505", Text: "adjust:\n  - name: A\n    add: «2,5%»\n", Want: "write 2.5%"},
		{Code: "E505", Text: "adjust:\n  - name: A\n    add: «$5.55»\n", Want: "write 5.55 USD"},
		{Code: "E505", Text: "adjust:\n  - name: A\n    add: «5 €»\n", Want: "write 5 EUR"},
		{Code: "E505", Text: "adjust:\n  - name: A\n    add: «10 percent»\n", Want: "10%"},
		{Code: "E505", Text: "guard:\n  - name: A\n    max_fee: «1,000.00»\n    on_breach: next\n", Want: "write 1000.00"},
		{Code: "E505", Text: "guard:\n  - name: A\n    max_dropoff: «55 minutes»\n    on_breach: next\n", Want: "write 55m"},
		{Code: "E505", Text: "guard:\n  - name: A\n    max_dropoff: «1h 30m»\n    on_breach: next\n", Want: "write 1h30m"},
		{Code: "E505", Text: "guard:\n  - name: A\n    max_dropoff: «55»\n    on_breach: next\n", Want: "55m"},
		{Code: "E505", Text: "guard:\n  - name: A\n    max_dropoff: «soon»\n    on_breach: next\n", Want: "30s, 3m"},
		{Code: "E202", Text: "hold:\n  - name: A\n    until: «2026-12-24»\n", Want: "location.next_opening"},
		{Code: "E503", Text: "set:\n  - name: A\n    set: { tip: 2,«50» }\n", Want: "write 2.50"},
		{Code: "E503", Text: "exclude:\n  - name: A\n    providers: «ups»\n", Want: "[ups]"},
		{Code: "E503", Text: "exclude:\n  - name: A\n    when: order.asap\n    enabled: «no»\n", Want: "true or false"},
		{Code: "E503", Text: "choose:\n  - name: A\n    split: { ups: «50%», rank: 50 }\n", Want: "write 50,"},
		{Code: "E201", Text: exclude + "local.time < «12»\n", Want: "\"12:00\""},
		{Code: "E501", Text: "let:\n  a: order.gift\n  «b = order.asap»\n", Want: "b: order.asap"},
		{Code: "E503", Text: "fallback:\n  - name: A\n    on: [no_driver]\n    steps: [next_ranked]\n    limit: «3»\n", Want: "attempts: 3"},
		{Code: "E505", Text: "fallback:\n  - name: A\n    on: [no_driver]\n    steps: [«next»]\n", Want: "next_ranked, { use: own_fleet }"},
		{Code: "E505", Text: "fallback:\n  - name: A\n    on: [no_driver]\n    steps: [«ups/ground»]\n", Want: "{ use: ups/ground }"},
		{Code: "E503", Text: "rank: «cheapest»\n", Want: "strategy: cheapest"},
		{Code: "E501", Text: "exclude:\n  - name«:»A\n    when: order.asap\n", Want: "blank behind it"},
		{Code: "E501", Text: "exclude:\n  «-»name: A\n   when: order.asap\n", Want: "blank behind it"},
		{Code: "E503", Text: "warn:\n  - { name: A, message: m }\nlocations:\n  «-» hp: { warn: { A: { enabled: false } } }\n", Want: "without a - before it"},
		{Code: "E503", Text: "warn:\n  - { name: A, message: m }\nlocations:\n  tag: «airport»\n", Want: "tag:airport"},
		{Code: "E501", Text: "warn:\n  - { name: A, message: m }\nlocations:\n  tag: airport«:»\n    warn: { A: { enabled: false } }\n", Want: "tag:airport:"},
		{Code: "E503", Text: "warn:\n  - { name: A, message: m }\nlocations:\n  hp:\n    warn:\n      «-» name: A\n", Want: "the name of a rule"},
		{Code: "E503", Text: "warn:\n  - { name: A, message: m }\nlocations:\n  hp:\n    warn: { A: «off» }\n", Want: "enabled: false"},
		{Code: "E201", Text: exclude + "order.to.postal_code in «80000..80300»\n", Want: "order.to.postal_code >= \"80000\" and order.to.postal_code <= \"80300\""},
		{Code: "E201", Text: exclude + "order.weight not in «1..3»\n", Want: "order.weight >= lb(1) and order.weight <= lb(3)"},
		{Code: "E201", Text: exclude + "order.total in «usd(1)..usd(5)»\n", Want: "x >= a and x <= b"},
		{Code: "E203", Text: exclude + "time_between(«\"9:00\"», \"12:00\")\n", Want: "\"09:00\""},
		{Code: "E203", Text: exclude + "time_between(\"09:00\", «12»)\n", Want: ""},
		{Code: "E203", Text: exclude + "date_between(\"2026-11-23\", «\"2027-1-7\"»)\n", Want: "\"2027-01-07\""},
		{Code: "E203", Text: exclude + "order.weight > lb(«\"5\"»)\n", Want: ""},
		{Code: "E203", Text: exclude + "order.total > usd(«order.quantity»)\n", Want: ""},
		{Code: "E203", Text: exclude + "order.total > money(«5», \"USD\")\n", Want: ""},
		{Code: "E203", Text: exclude + "quota(\"ups\", «\"week\"»).used > 5\n", Want: ""},
		{Code: "E203", Text: exclude + "within(«order», \"x\")\n", Want: ""},
		{Code: "E203", Text: exclude + "mins(«order.total») > 5\n", Want: "mins(option.dropoff_in)"},
		{Code: "E203", Text: exclude + "business_days(«\"x\"») > hours(1)\n", Want: "business_days(2)"},
		{Code: "E201", Text: exclude + "order.tags[«\"vip\"»]\n", Want: "\"vip\" in order.tags"},
		{Code: "E202", Text: exclude + "«order.tags»\n", Want: "\"…\" in order.tags"},
		{Code: "E205", Text: exclude + "'«\"Alcohol\"» in order.content'\n", Want: "alcohol"},
		{Code: "E205", Text: exclude + "order.to.verified != «\"verified\"»\n", Want: "\"valid\""},
		{Code: "E205", Text: exclude + "order.to.verified == «\"good\"»\n", Want: "unknown of every order"},
		{Code: "E505", Text: "adjust:\n  - name: A\n    charge: «.5»\n", Want: "write 0.5"},
		{Code: "E505", Text: "adjust:\n  - name: A\n    charge: «5.»\n", Want: "write 5"},
		{Code: "E505", Text: "adjust:\n  - name: A\n    charge: «1_000»\n", Want: "write 1000"},
		{Code: "E505", Text: "adjust:\n  - name: A\n    charge: «-.5 USD»\n", Want: "write -0.5 USD"},
		{Code: "E505", Text: "adjust:\n  - name: A\n    add: «1e3»\n", Want: "12.50"},
		{Code: "E202", Text: "adjust:\n  - name: A\n    add: «order.quantity * 2»\n", Want: "usd(1) * "},
	} {
		t.Run(s.Text, func(t *testing.T) { checkSlip(t, s, "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\n"+s.Text) })
	}
}

// TestSlipsOfTestsOfMerchants: the same for test files; of fixtures also for those that no test has asked for yet.
func TestSlipsOfTestsOfMerchants(t *testing.T) {
	b, err := loaded(t, "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\n", rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const cases = "cases:\n  - { name: A, expect: { none: true } }\n"
	for _, s := range []measure.Slip{
		{Code: "E501", Text: "fixtures: { orders: { small: { «wieght»: 5 lb } } }\n" + cases, Want: "weight"},
		{Code: "E503", Text: "fixtures: { orders: { small: { like: big }, big: { total: «$5» } } }\n" + cases, Want: "write 5 USD"},
		{Code: "E105", Text: "fixtures: { quotes: { usual: [ { provider: «upss», fee: 1 } ] } }\n" + cases, Want: "ups"},
		{Code: "E105", Text: "cases:\n  - { name: A, quotes: [ { provider: «ups/ground», fee: 1 } ], expect: { none: true } }\n", Want: "service: ground"},
		{Code: "E502", Text: "cases:\n  - { name: A, refused: [ «{» code: X } ], expect: { none: true } }\n", Want: "provider: ups"},
		{Code: "E503", Text: "cases:\n  - { name: A, refused: [ «ups» ], expect: { none: true } }\n", Want: "provider"},
		{Code: "E503", Text: "cases:\n  - { name: A, expect: { excluded: «ups» } }\n", Want: "too heavy"},
		{Code: "E503", Text: "cases:\n  - { name: A, expect: { cost: «9.50» } }\n", Want: "ups: 9.00 USD"},
		{Code: "E505", Text: "options: { zone: «Local» }\n" + cases, Want: "America/Denver"},
	} {
		t.Run(s.Text, func(t *testing.T) {
			checkSlipOf(t, s, "tests: 1\n"+s.Text, func(text string) error {
				_, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml", Data: []byte(text)})
				return err
			})
		})
	}
}

// TestSlipsOfLists: what is more than the entry on a line of a list is refused, as it would be equal to nothing.
func TestSlipsOfLists(t *testing.T) {
	for text, refused := range map[string]bool{"- AK\n- HI\n": true, "# far\nAK\n": true, "'AK'\n": true, "\"# 2 pencil\"\n": false, "#12\n-5\n": false, "O'Hare\n": false} {
		_, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte("rules: 1\n")}, {Name: "lists/far.csv", Data: []byte(text)}}, rules.Options{})
		check, ok := errors.AsType[*rules.CheckError](err)
		if ok != refused || ok && (check.Problems[0].File != "lists/far.csv" || check.Problems[0].Line != 1 || !strings.Contains(check.Problems[0].Hint, "the entry alone")) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestAnUnknownKeyIsToldOfItsRule: also before the rule's own name is read.
func TestAnUnknownKeyIsToldOfItsRule(t *testing.T) {
	_, err := loaded(t, "rules: 1\nexclude:\n  - provider: [ups]\n    name: Far away\n", rules.Options{})
	check, ok := errors.AsType[*rules.CheckError](err)
	if !ok || check.Problems[0].Where != `rule "Far away" (exclude)` {
		t.Errorf("%v", err)
	}
}
