package rules_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

const lintHead = "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\n"

// lint gives what lint says of rules, with the codes that are asked for.
func lint(t *testing.T, text string, codes ...string) (*rules.Bundle, []rules.Finding) {
	t.Helper()
	b, err := loaded(t, text, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b, slices.DeleteFunc(b.Lint(t.Context()), func(f rules.Finding) bool { return !slices.Contains(codes, f.Code) })
}

// TestAHoldBehindAnotherIsReached: who releases an order, or waits, finds it held by the next rule that applies. So lint calls none out of
// reach, and says of one that never comes first that it does not.
func TestAHoldBehindAnotherIsReached(t *testing.T) {
	for _, c := range []struct {
		text   string
		second bool
	}{
		{"  - { name: A, when: order.total > usd(100), until: released }\n  - { name: B, when: order.total > usd(120), until: released }\n", true},
		{"  - { name: A, when: order.total > usd(100), for: 5m }\n  - { name: B, when: order.total > usd(120), until: released }\n", true},
		{"  - { name: A, when: order.total > usd(100), until: order.ready_at }\n  - { name: B, when: order.total > usd(120), until: released }\n", false},
		{"  - { name: A, when: 'order.items[0].quantity > 1 or order.total > usd(100)', until: released }\n  - { name: B, when: order.total > usd(120), until: released }\n", false},
		{"  - { name: A, when: order.gift, until: released }\n  - { name: C, when: not order.gift, until: released }\n  - { name: B, when: order.paid, until: released }\n", true},
	} {
		b, found := lint(t, lintHead+"hold:\n"+c.text, "W603", "W631")
		if !c.second {
			if len(found) > 0 {
				t.Errorf("%s%v", c.text, found)
			}
			continue
		}
		if len(found) != 1 || found[0].Code != "W631" || !strings.Contains(found[0].Where, `"B"`) {
			t.Errorf("%s%v", c.text, found)
			continue
		}
		d, err := b.Witness(found[0])
		if err != nil || d.Plan.Hold == nil || d.Plan.Hold.Rule == "B" {
			t.Fatalf("%v: %+v (%v)", found[0], d.Plan.Hold, err)
		}
		in := d.Plan.Input
		for range 2 { // as the people do who release it
			if h := b.Prepare(in, nil).Hold; h != nil && h.Rule != "B" {
				in.Released = append(in.Released, h.Rule)
			}
		}
		if h := b.Prepare(in, nil).Hold; h == nil || h.Rule != "B" {
			t.Errorf("%v: when it is released, it is held by %+v", found[0], h)
		}
	}
}

// TestWhatMayFailCoversNothing: a rule that fails while it runs is skipped, so that what stands behind it is reached; an exclude that fails takes
// its options out all the same.
func TestWhatMayFailCoversNothing(t *testing.T) {
	const risky = "order.items[0].quantity > 1"
	for _, c := range []struct {
		text, code string
		claimed    bool
	}{
		{"choose:\n  - { name: A, when: 'RISKY or order.total > usd(5)', only: [ups] }\n  - { name: B, when: order.total > usd(50), only: [doordash] }\n", "W603", false},
		{"choose:\n  - { name: A, when: 'order.total > usd(5) or RISKY', only: [ups] }\n  - { name: B, when: order.total > usd(50), only: [doordash] }\n", "W603", true},
		{"choose:\n  - { name: A, when: 'RISKY', only: [ups] }\n  - { name: B, when: 'RISKY and order.total > usd(50)', only: [doordash] }\n", "W603", true},
		{"choose:\n  - { name: A, when: 'order.tags[0] != \"x\" or order.gift', only: [ups] }\n  - { name: B, when: 'order.tags[0] == \"y\" and order.gift', only: [doordash] }\n", "W603", true},
		{"choose:\n  - { name: A, split: { ups: 10, rank: 90, by: 'order.tags[0]', experiment: e } }\n  - { name: B, when: order.gift, only: [doordash] }\n", "W603", false},
		{"let: { risky: 'RISKY' }\nchoose:\n  - { name: A, when: 'order.total > usd(5) or risky', only: [ups] }\n  - { name: B, when: order.total > usd(50), only: [doordash] }\n", "W603", true},
		{"let: { risky: 'RISKY' }\nchoose:\n  - { name: A, when: 'risky or order.total > usd(5)', only: [ups] }\n  - { name: B, when: order.total > usd(50), only: [doordash] }\n", "W603", false},
		{"let: { safe: order.gift, both: safe }\nchoose:\n  - { name: A, when: 'both or order.total > usd(5)', only: [ups] }\n  - { name: B, when: order.total > usd(50), only: [doordash] }\n", "W603", true},
		{"let: { ratio: order.total / order.subtotal }\nchoose:\n  - { name: A, when: 'order.gift or ratio > 2', only: [ups] }\n  - { name: B, when: order.gift, only: [doordash] }\n", "W603", true},
		{"let: { ratio: order.total / order.subtotal }\nchoose:\n  - { name: A, when: 'ratio > 2 or order.gift', only: [ups] }\n  - { name: B, when: order.gift, only: [doordash] }\n", "W603", false},
		{"let: { ratio: order.total / order.subtotal }\nchoose:\n  - { name: A, when: '(order.paid ? ratio : 1.5) > 2 or order.gift', only: [ups] }\n  - { name: B, when: order.gift, only: [doordash] }\n", "W603", false},
		{"let: { twice: order.quantity * 2 }\nchoose:\n  - { name: A, when: '(order.paid ? twice : 1) > 2 or order.gift', only: [ups] }\n  - { name: B, when: order.gift, only: [doordash] }\n", "W603", true},
		{"choose:\n  - { name: A, when: 'order.quantity / order.line_count > 3 or order.gift', only: [ups] }\n  - { name: B, when: order.gift, only: [doordash] }\n", "W603", false},
		{"choose:\n  - { name: A, when: 'order.quantity / 2 > 3 or order.gift', only: [ups] }\n  - { name: B, when: order.gift, only: [doordash] }\n", "W603", true},
		{"set:\n  - { name: A, when: order.total > usd(5), set: { tip: 5.00 } }\n  - { name: B, when: 'RISKY or order.total > usd(5)', set: { tip: 6.00 } }\n", "W605", false},
		{"set:\n  - { name: A, set: { tip: 5.00 } }\n  - { name: B, set: { tip: 'order.items[0].price * 2' } }\n", "W605", false},
		{"set:\n  - { name: A, set: { tip: 5.00 } }\n  - { name: B, set: { tip: order.total * 0.1 } }\n", "W605", true},
		{"set:\n  - { name: A, set: { ship_date: order.ready_at } }\n  - { name: B, set: { ship_date: 'order.ready_at + minutes(order.total / order.subtotal)' } }\n", "W605", false},
		{"fallback:\n  - { name: A, on: [no_driver], when: 'RISKY or order.total > usd(5)', steps: [next_ranked] }\n  - { name: B, on: [no_driver], when: order.total > usd(10), steps: [next_ranked] }\n", "W616", false},
		{"fallback:\n  - { name: A, on: [no_driver], steps: [next_ranked], limit: { extra_cost: 'order.items[0].price' } }\n  - { name: B, on: [no_driver], steps: [next_ranked] }\n", "W616", false},
		{"fallback:\n  - { name: A, on: [no_driver], when: order.gift, steps: [next_ranked] }\n  - { name: C, on: [no_driver], when: not order.gift, steps: [next_ranked] }\n  - { name: B, on: [no_driver], when: order.paid, steps: [next_ranked] }\n", "W616", true},
		{"warn:\n  - { name: A, when: 'RISKY or true', message: m }\n", "W602", false},
		{"warn:\n  - { name: A, when: 'true or RISKY', message: m }\n", "W602", true},
		{"exclude:\n  - { name: A, when: 'RISKY or order.gift', providers: [ups] }\n  - { name: B, when: order.gift, providers: [ups] }\n", "W604", true},
		{"exclude:\n  - { name: A, when: 'order.gift or order.paid', providers: [ups] }\n  - { name: B, when: 'order.gift and RISKY', providers: [ups] }\n", "W604", true},
		{"exclude:\n  - { name: A, when: 'order.paid', providers: [ups] }\n  - { name: B, when: 'RISKY and order.paid', providers: [ups] }\n", "W604", false},
		{"warn:\n  - { name: A, when: 'order.gift and (RISKY or order.gift)', message: m }\n", "W622", false},
		{"warn:\n  - { name: A, when: 'order.gift and (order.gift or RISKY)', message: m }\n", "W622", true},
		{"guard:\n  - { name: A, max_fee: 10.00, on_breach: hold }\n  - { name: B, max_fee: 12.00, on_breach: hold }\n", "W618", false},
		{"guard:\n  - { name: A, max_fee: 10.00, on_breach: next }\n  - { name: B, max_fee: 12.00, on_breach: next, applies: 'RISKY' }\n", "W618", false},
		{"guard:\n  - { name: A, max_fee: 10.00, on_breach: next }\n  - { name: B, max_fee: 12.00, on_breach: next, when: 'RISKY' }\n", "W618", false},
		{"choose:\n  - { name: A, when: order.gift, only: [ups] }\n  - { name: C, when: not order.gift, only: [ups] }\n  - { name: B, when: order.paid, only: [doordash] }\n", "W603", true},
	} {
		_, found := lint(t, lintHead+strings.ReplaceAll(c.text, "RISKY", risky), c.code)
		if claimed := len(found) > 0; claimed != c.claimed {
			t.Errorf("%s%s claimed: %v %v", c.text, c.code, claimed, found)
		}
	}
}

// TestTwoCurrenciesMayMeet: a rule that compares money is skipped for an order in another currency. Where the file says which is usual, lint goes by
// that and says so; what holds for any, it says of all.
func TestTwoCurrenciesMayMeet(t *testing.T) {
	const text = "choose:\n  - { name: A, when: 'order.total > usd(500) or order.gift', only: [ups] }\n  - { name: B, when: order.gift, only: [doordash] }\n"
	if _, found := lint(t, lintHead+text, "W603"); len(found) != 1 || found[0].Currency != "USD" || !strings.HasPrefix(found[0].Sentence, "for orders in USD, it is never reached") {
		t.Errorf("%v", found)
	}
	if _, found := lint(t, lintHead+strings.ReplaceAll(text, "order.total > usd(500) or ", "order.quantity > 5 or "), "W603"); len(found) != 1 || found[0].Currency != "" {
		t.Errorf("%v", found)
	}
	if _, found := lint(t, strings.Replace(lintHead, "currency: USD\n", "", 1)+text, "W603"); len(found) != 0 {
		t.Errorf("%v", found)
	}
	const zero = "choose:\n  - { name: A, when: 'order.total > usd(0) or order.gift', only: [ups] }\n  - { name: B, when: order.gift, only: [doordash] }\n"
	if _, found := lint(t, strings.Replace(lintHead, "currency: USD\n", "", 1)+zero, "W603"); len(found) != 0 {
		t.Errorf("%v", found)
	}
	if _, found := lint(t, lintHead+strings.ReplaceAll(text, "usd(500) or order.gift", "usd(20)")+"  - { name: C, when: order.total > usd(30), only: [ups] }\n", "W603"); len(found) != 1 || found[0].Currency != "" {
		t.Errorf("what fails for the second fails for the first as well: %+v", found)
	}
	const both = "choose:\n  - { name: A, when: 'order.total > usd(50)', only: [ups] }\n  - { name: B, when: order.total > usd(60), only: [doordash] }\n"
	b, found := lint(t, strings.Replace(lintHead, "currency: USD\n", "", 1)+both, "W603")
	if len(found) != 1 || found[0].Witness["order.total"] == "" || len(found[0].Witness) != 1 {
		t.Fatalf("%+v", found)
	}
	if d, err := b.Witness(found[0]); err != nil || d.Choose == nil || d.Choose.Rule != "A" {
		t.Errorf("%+v (%v)", d.Choose, err)
	}
}

// TestNobodyPromisesASAP: an order has a window for its delivery, or is wanted as soon as possible.
func TestNobodyPromisesASAP(t *testing.T) {
	if _, found := lint(t, lintHead+"warn: [ { name: A, when: order.asap and order.has_promise, message: m } ]\n", "W601"); len(found) != 1 || found[0].Witness["order.asap"] == found[0].Witness["order.has_promise"] && found[0].Witness["order.asap"] == "true" {
		t.Errorf("%+v", found)
	}
	_, found := lint(t, lintHead+"exclude:\n  - { name: A, when: not order.gift, providers: [ups] }\n  - { name: B, when: 'not order.gift and (order.asap or order.has_promise)', providers: [ups] }\n", "W604")
	if len(found) != 1 || found[0].Witness["order.asap"] == "true" && found[0].Witness["order.has_promise"] == "true" {
		t.Errorf("%+v", found)
	}
	if _, found := lint(t, lintHead+"warn: [ { name: A, when: order.asap or order.has_promise, message: m } ]\n", "W602"); len(found) != 0 {
		t.Errorf("an order that is to be picked up later is neither: %+v", found)
	}
}

// TestFindingsStandWhereTheirCauseDoes: lists, lets, attributes and the score are no rules, and stand somewhere all the same.
func TestFindingsStandWhereTheirCauseDoes(t *testing.T) {
	b, err := loaded(t, `rules: 1
currency: USD
providers: [ups]
attributes: [plan, gift]
lists:
  zips: [ "1" ]
let:
  dear: order.total > usd(5)
rank:
  ties: [ option.transit_days ]
  score: dollars(option.cost) / (order.quantity - order.quantity)
warn: [ { name: A, when: 'order.attributes.plan == "x"', message: m } ]
`, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := map[string][2]int{}
	for _, f := range b.Lint(t.Context()) {
		at[f.Code] = [2]int{f.Line, f.Column}
	}
	for code, want := range map[string][2]int{"W609": {6, 3}, "W610": {8, 3}, "W611": {4, 20}, "W626": {11, 10}} {
		if at[code] != want {
			t.Errorf("%s at %v, want %v", code, at[code], want)
		}
	}
}

// TestAPatchThatMeansTheSame changes nothing, however it is written.
func TestAPatchThatMeansTheSame(t *testing.T) {
	const base = lintHead + "guard: [ { name: G, max_fee: 10, max_dropoff: 60m, on_breach: next } ]\nset: [ { name: S, set: { tip: 5%, tip_max: 8.00 } } ]\nlocations: { x: { "
	for patch, same := range map[string]bool{
		"guard: { G: { max_fee: 10.00 } }": true, "guard: { G: { max_fee: 10.00 USD, max_dropoff: 1h } }": true, "set: { S: { set: { tip: 5.0%, tip_max: 8 } } }": true,
		"guard: { G: { max_fee: 10.01 } }": false, "guard: { G: { max_fee: 10% } }": false, "guard: { G: { max_dropoff: 61m } }": false, "set: { S: { set: { tip: 5.0%, tip_max: 9 } } }": false,
		"guard: { G: { max_fee: order.total * 0.1 } }": false,
	} {
		if _, found := lint(t, base+patch+" } }\n", "W614"); len(found) == 1 != same {
			t.Errorf("%s: %v", patch, found)
		}
	}
}

// TestAPartForNothingIsNamedAsItIsWritten, also where it was made into something else.
func TestAPartForNothingIsNamedAsItIsWritten(t *testing.T) {
	for condition, part := range map[string]string{
		`date_between("2026-05-01", "2026-06-01") and local.date == "2026-06-01"`: `date_between("2026-05-01", "2026-06-01")`,
		`within(order.to, "town") or within(order.to, "town") and order.gift`:     `within(order.to, "town") and order.gift`,
		`order.gift and (order.gift or order.paid)`:                               `(order.gift or order.paid)`,
		`time_between("09:00", "17:00") and local.hour == 12`:                     `time_between("09:00", "17:00")`,
		`not (order.quantity > 5) and order.quantity == 2`:                        `not (order.quantity > 5)`,
		`supports("alcohol") or not supports("alcohol") and supports("alcohol")`:  `not supports("alcohol") and supports("alcohol")`,
	} {
		_, found := lint(t, lintHead+"zones: { town: { center: \"41.88,-87.63\", radius: 3 mi } }\nexclude: [ { name: A, providers: [ups], when: '"+condition+"' } ]\n", "W622")
		if len(found) != 1 || !strings.HasSuffix(found[0].Sentence, ": "+strings.Trim(part, "()")) && !strings.HasSuffix(found[0].Sentence, ": "+part) {
			t.Errorf("%s: %+v", condition, found)
		}
	}
}

// TestAnEntryThatIsNotThere is told with the list that it is asked of.
func TestAnEntryThatIsNotThere(t *testing.T) {
	for when, want := range map[string]string{
		`order.tags[0] == "vip"`:    `len(order.tags) > 0 and …; or ask whether it is among them: "…" in order.tags`,
		`order.content[1] == "b"`:   `len(order.content) > 1 and …; or`,
		`order.items[0].sku == "A"`: `len(order.items) > 0 and …`,
		`dear and order.asap`:       `len(order.items) > 2 and …`,
	} {
		_, found := lint(t, "rules: 1\ncurrency: USD\nproviders: [ups]\nlet:\n  dear: order.items[2].quantity > 1\nexclude:\n  - name: A\n    when: '"+when+"'\n", "W626")
		hints := ""
		for _, f := range found {
			if f.Code == "W626" {
				hints += f.Hint + "\n"
			}
		}
		if !strings.Contains(hints, want) {
			t.Errorf("%s: %q, want %q", when, hints, want)
		}
	}
}
