package rules_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/measure"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestClassicSlips is the table of slips that people bring along from other languages: each is named, and what to write instead is said.
func TestClassicSlips(t *testing.T) {
	for _, s := range []measure.Slip{
		{Code: "E305", Text: `order.to.country «=» "US"`, Want: "=="},
		{Code: "E305", Text: `order.asap «AND» order.has_promise`, Want: "write and"},
		{Code: "E305", Text: `order.asap «OR» order.has_promise`, Want: "write or"},
		{Code: "E305", Text: `«NOT» order.asap`, Want: "write not"},
		{Code: "E305", Text: `order.asap «oR» order.has_promise`, Want: "write or"},
		{Code: "E305", Text: `order.asap «aNd» order.has_promise`, Want: "write and"},
		{Code: "E301", Text: `order.to.state == «"»MA`, Want: `close them with "`},
		{Code: "E301", Text: `order.to.state == «'»MA`, Want: "not closed"},
		{Code: "E201", Text: `local.date «>» 2026-01-01`, Want: `local.date > "2026-12-24"`},
		{Code: "E305", Text: `order.to.type «is» "business"`, Want: "write =="},
		{Code: "E305", Text: `order.to.type «is not» "business"`, Want: "write !="},
		{Code: "E305", Text: `order.quantity «=<» 3`, Want: "write <="},
		{Code: "E305", Text: `order.total > «$5»`, Want: "usd(5)"},
		{Code: "E305", Text: `option.fee > «5%»`, Want: "order.total * 0.05"},
		{Code: "E305", Text: `order.to.country == «“»US”`, Want: "straight"},
		{Code: "E201", Text: `«not» order.quantity == 3`, Want: "a != b"},
		{Code: "E201", Text: `order.total > «100»`, Want: "usd(100)"},
		{Code: "E201", Text: `local.weekday == «6»`, Want: `"sat"`},
		{Code: "E305", Text: `if order.asap «then» true else false`, Want: "condition ? a : b"},
		{Code: "E203", Text: `«bucket»("x") > 3`, Want: `bucket("experiment", order.id)`},
		{Code: "E301", Text: `order.weight > lb(«1e400»)`, Want: "smaller"},
		{Code: "E201", Text: `«-»order.total < usd(0)`, Want: "usd(-5)"},
		{Code: "E102", Text: `order.items.«sku» == "x"`, Want: "any(order.items, .sku"},
		{Code: "E201", Text: `order.items == «"x"»`, Want: "any(order.items, .sku"},
		{Code: "E201", Text: `order.tags == «"vip"»`, Want: `"vip" in order.tags`},
		{Code: "E201", Text: `order.tags != «"vip"»`, Want: `"vip" not in order.tags`},
		{Code: "E201", Text: `order.to.country «in» "US"`, Want: "order.to.country == "},
		{Code: "E205", Text: `not supports(«"alcool"»)`, Want: "alcohol"},
		{Code: "E203", Text: `any(«lists.remote_states», # == order.to.state)`, Want: "order.to.state in lists.remote_states"},
		{Code: "E203", Text: `count(«lists.remote_states», # == order.to.state) > 1`, Want: "asked with in"},
		{Code: "E203", Text: `len(«lists.remote_states») > 1`, Want: "asked with in"},
		{Code: "E203", Text: `«lists.remote_states»[0] == "MA"`, Want: "no parts"},
		{Code: "E201", Text: `order.to.state «==» lists.remote_states`, Want: "asked with in"},
		{Code: "E203", Text: `«len»(order.total) > 1`, Want: "takes a text, or a list"},
		{Code: "E203", Text: `any(order.«total», true)`, Want: "goes through a list"},
		{Code: "E301", Text: `order.id ?? "x" «==» "x"`, Want: "brackets"},
		{Code: "E301", Text: `order.id «~» "a"`, Want: "matches"},
		{Code: "E305", Text: `order.id «like» "a%"`, Want: "matches"},
		{Code: "E201", Text: `«not» order.to.state == "MA"`, Want: "write a != b"},
		{Code: "E305", Text: `«let x =» order.total; x > usd(1)`, Want: "under let:"},
		{Code: "E305", Text: `order.asap «Or» order.has_promise`, Want: "write or"},
		{Code: "E305", Text: `order.asap «And» order.has_promise`, Want: "write and"},
		{Code: "E305", Text: `«Not» order.asap`, Want: "write not"},
		{Code: "E205", Text: `option.vehicle == «"scoter"»`, Want: "scooter"},
		{Code: "E205", Text: `option.vehicle in ["bike", «"vans"»]`, Want: "van"},
		{Code: "E205", Text: `option.mode == «"ari"»`, Want: "air"},
		{Code: "E205", Text: `option.mode == «"Air"»`, Want: "air"},
		{Code: "E102", Text: `quota("ups", "day").«left» > 3`, Want: `quota("ups", "day", "location").left`},
		{Code: "E401", Text: `order.quantity in «1..1000000000»`, Want: "both ends"},
	} {
		t.Run(s.Text, func(t *testing.T) { checkSlip(t, s, measure.SlipFile+s.Text+"\n") })
	}
}

// TestTextsOfTests: what a test gives is held against the values that there can be, as what rules compare with is.
func TestTextsOfTests(t *testing.T) {
	declared := map[string]rules.Provider{"ups": {Services: []rules.ServiceInfo{{ID: "ground", Mode: "ground"}, {ID: "2nd_day_air", Mode: "air"}}}}
	for _, c := range []struct {
		options rules.Options
		slip    measure.Slip
	}{
		{rules.Options{}, measure.Slip{Text: "quotes: [{ provider: ups, fee: 1 USD, vehicle: «scoter» }]", Want: "scooter"}},
		{rules.Options{}, measure.Slip{Text: "quotes: [{ provider: ups, fee: 1 USD, mode: '«Air»' }]", Want: "air"}},
		{rules.Options{}, measure.Slip{Text: "order: { to: { type: «residental» } }", Want: "residential"}},
		{rules.Options{}, measure.Slip{Text: "with: { order.signature: «adlt» }", Want: "adult"}},
		{rules.Options{Providers: declared}, measure.Slip{Text: "quotes: [{ provider: ups, service: «groud», fee: 1 USD }]", Want: "ground"}},
		{rules.Options{Providers: declared}, measure.Slip{Text: "quotes: [{ provider: ups, service: ground, fee: 1 USD, mode: «sea» }]", Want: "air"}},
	} {
		b, err := rules.Load(rules.DefaultFiles(), c.options)
		if err != nil {
			t.Fatal(err)
		}
		c.slip.Code = "E205"
		c.slip.Text = "tests: 1\ncases:\n  - { name: A, " + c.slip.Text + ", expect: { none: true } }\n"
		checkSlipOf(t, c.slip, c.slip.Text, func(text string) error {
			_, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml", Data: []byte(text)})
			return err
		})
	}
}

// TestAnUnknownVehicleIsNone: rules compare with those that there are, so that what a carrier calls otherwise is none of them.
func TestAnUnknownVehicleIsNone(t *testing.T) {
	b, err := rules.Load(oneFile("rules: 1\nexclude: [{ name: A, when: option.vehicle == \"\" }]\n"), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for vehicle, excluded := range map[string]bool{"van": false, "": true, "hovercraft": true} {
		plan := b.Prepare(input(t, source()), []rules.Candidate{{Account: "ups"}})
		d := b.Decide(plan, []rules.Offer{{Account: "ups", Quote: shipping.Quote{ServiceID: "x", Vehicle: vehicle, Amount: shipping.Money{Minor: 100, Currency: "USD"}}}})
		if got := d.Winner == nil; got != excluded {
			t.Errorf("%q: excluded %t: %s", vehicle, got, d.Sentence())
		}
	}
}

// TestNamesAreNoSlips: a name behind a dot means what it says.
func TestNamesAreNoSlips(t *testing.T) {
	text := "rules: 1\nattributes: [is, then, giftWrap]\nexclude:\n  - { name: A, when: order.attributes.is == order.attributes.then and order.attributes.giftWrap == \"yes\", enabled: True }\n"
	b, err := rules.Load(oneFile(text), rules.Options{})
	if err != nil || b.Size() != 1 { // True is true
		t.Fatal(b, err)
	}
	src := source()
	src.Attributes = map[string]string{"giftWrap": "yes"}
	if d := b.Decide(b.Prepare(input(t, src), candidates()), offers()); d.Winner != nil {
		t.Error("an attribute with a capital in its name is not seen: " + d.Sentence())
	}
	_, err = rules.Load(oneFile(strings.Replace(text, "order.attributes.giftWrap ==", "order.attributes.giftWarp ==", 1)), rules.Options{})
	if err == nil || !strings.Contains(err.Error(), "did you mean giftWrap") {
		t.Error(err)
	}
}

// TestSwallowedByYAML: a value that begins with a quote or a bracket is something else to YAML than to whoever wrote it.
func TestSwallowedByYAML(t *testing.T) {
	for _, s := range []measure.Slip{
		{Code: "E501", Text: "rules: 1\nexclude:\n  - name: A\n    when: «\"alcohol\" in order.content»\n", Want: "single quotes"},
		{Code: "E501", Text: "rules: 1\nexclude:\n  - name: A\n    when: «[\"US\"] == order.to.country» # abroad\n", Want: "single quotes"},
		{Code: "E501", Text: "rules: 1\nexclude:\n  - name: A\n    about: |\n      note: \"this\" is text\n    when: «'alcohol' in order.content»\n", Want: "single quotes"},
		{Code: "E501", Text: "rules: 1\nexclude:\n  - { name: A, when: «\"alcohol\"» in order.content }\n", Want: "single quotes"},
		{Code: "E501", Text: "rules: 1\nexclude:\n  - { name: A, when: order.asap }\n  - name: B\n    reason: b\n    when: «\"alcohol\" in order.content»\n", Want: "goes on"},
		{Code: "E503", Text: "rules: 1\nexclude:\n  - name: A\n    when: «[»order.asap]\n", Want: "single quotes"},
		{Code: "E503", Text: "rules: 1\nexclude:\n  - name: A\n    when: «{»order.asap: 1}\n", Want: "single quotes"},
	} {
		t.Run(s.Text, func(t *testing.T) { checkSlip(t, s, s.Text) })
	}
}

// TestSwallowedHidesNothing: what YAML swallows is named once, where it stands, and the other mistakes of the file too.
func TestSwallowedHidesNothing(t *testing.T) {
	_, err := rules.Load(oneFile("rules: 1\nexclude:\n  - name: A\n    when: order.wieght > lb(1)\n  - name: B\n    when: \"alcohol\" in order.content\n"+
		"  - name: C\n    when: \"it's\" == order.id\n  - name: D\n    when: order.totl > usd(1)\n"), rules.Options{})
	check, ok := errors.AsType[*rules.CheckError](err)
	if !ok {
		t.Fatalf("it was not refused: %v", err)
	}
	var got []string
	for _, p := range check.Problems {
		got = append(got, fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.Code))
	}
	if diff := cmp.Diff([]string{"4:17 E102", "6:11 E501", "8:11 E501", "10:17 E102"}, got); diff != "" {
		t.Errorf("%s\n%v", diff, err)
	}
}

// TestChainedComparisons mean what they look like, so that they are no slip.
func TestChainedComparisons(t *testing.T) {
	b := rules.Default()
	src := source()
	d := b.Decide(b.Prepare(input(t, src), candidates()), offers())
	for expression, want := range map[string]string{
		"1 <= 5 <= 9": "= true", "1 <= 5 <= 3": "= false", "9 < 5 < 10": "= false", "usd(1) < order.total < usd(100000)": "= true", "usd(1) < order.total < usd(2)": "= false",
	} {
		got, err := b.Try(&d, "", expression)
		if first, _, _ := strings.Cut(got, "\n"); err != nil || !strings.HasSuffix(first, want) {
			t.Errorf("%s: %s (%v), want %s", expression, got, err, want)
		}
	}
}
