package rules_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/measure"
)

// TestLintFindsPlantedFaults finds each, and decides the order that shows it: the record says what the finding claims, and can be explained
// and tried.
func TestLintFindsPlantedFaults(t *testing.T) {
	for _, p := range measure.Faults {
		t.Run(p.Name, func(t *testing.T) {
			b := p.Bundle()
			found := b.Lint(t.Context())
			i := slices.IndexFunc(found, func(f rules.Finding) bool { return f.Code == p.Code })
			if i < 0 {
				t.Fatalf("it found %v", found)
			}
			f := found[i]
			if f.Line == 0 || f.File == "" || f.Sentence == "" || f.Hint == "" {
				t.Errorf("finding %+v", f)
			}
			d, err := b.Witness(f)
			if p.Shown == nil {
				if err == nil || f.NoWitness == "" || f.WitnessText() != "" {
					t.Errorf("no order can show it, and it says %q, %v", f.WitnessText(), err)
				}
				return
			}
			if err != nil || f.NoWitness != "" {
				t.Fatalf("%v, %s\n%s", err, f.NoWitness, b.WitnessTest(f))
			}
			explained, err := rules.Explain(b, d)
			if err != nil || !p.Shown(d) {
				t.Errorf("the witness does not show it (%v):\n%s\n%s", err, b.WitnessTest(f), explained)
			}
			record, err := rules.ParseDecision(encode(t, d))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Try(&record, "", "order.total > usd(5)"); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLintIsQuietAboutTheExamples allows only what the examples mean.
func TestLintIsQuietAboutTheExamples(t *testing.T) {
	meant := map[string]bool{"W606": true, "W607": true}
	for dir := range examples {
		b, err := rules.LoadDir(os.DirFS(dir), rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range b.Lint(t.Context()) {
			if !meant[f.Code] {
				t.Errorf("%s: %s %v %v", dir, f.Code, f.Problem, f.Witness)
			}
		}
	}
}

// TestLintNeverClaimsWhatIsFalse tries every order against what lint says of random bundles.
func TestLintNeverClaimsWhatIsFalse(t *testing.T) {
	c := measure.RandomBundles(140, 2, 4, nil)
	if c.Bundles != 140 || len(c.False) > 0 {
		t.Errorf("%d bundles, false: %v", c.Bundles, c.False)
	}
	for _, code := range []string{"W601", "W602", "W603", "W604", "W605", "W606", "W607", "W608", "W616", "W622", "W626", "W631"} {
		if c.Made[code] == 0 {
			t.Errorf("%s was never claimed: %v", code, c.Made)
		}
	}
}

// TestTheClockIsOneMoment: what cannot come together on a clock is called impossible, and is no reason for a finding about other rules; what
// can come together is shown by an order that is decided as the finding says.
func TestTheClockIsOneMoment(t *testing.T) {
	const head = "rules: 1\ncurrency: USD\nproviders: [ups, own_fleet]\nexclude:\n  - { name: gifts, when: order.gift, providers: [ups] }\n"
	for condition, want := range map[string]string{
		`time_between("22:00", "06:00") and local.hour == 12`:              "W601",
		`local.weekday == "mon" and local.date == "2026-04-10"`:            "W601",
		`local.hour == 3 and local.minute_of_day > 1000`:                   "W601",
		`time_between("22:00", "06:00") and local.time == "12:00"`:         "W601",
		`local.hour > 3.5 and local.hour < 4`:                              "W601",
		`local.date > "2026-04-10" and local.date < "2026-04-11"`:          "W601",
		`time_between("22:00", "06:00") and local.hour == 23`:              "W607",
		`local.weekday == "fri" and local.date == "2026-04-10"`:            "W607",
		`local.weekday in ["sat", "sun"] and local.date > "2026-04-13"`:    "W607",
		`local.weekday == "tue" and local.time >= "17:30"`:                 "W607",
		`local.hour in [3, 12] and time_between("00:00", "06:00")`:         "W607",
		`local.date <= "2026-04-10" and not (local.weekday == "fri")`:      "W607",
		`local.hour != 12 and local.minute_of_day < 1000 and local.hour>9`: "W607",
	} {
		b, err := loaded(t, head+"  - { name: clock, providers: [own_fleet], when: '"+condition+"' }\n", rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		found := slices.DeleteFunc(b.Lint(t.Context()), func(f rules.Finding) bool { return f.Code != "W601" && f.Code != "W607" })
		if len(found) != 1 || found[0].Code != want {
			t.Errorf("%s: %v, want %s", condition, found, want)
			continue
		}
		if want != "W607" {
			continue
		}
		if d, err := b.Witness(found[0]); err != nil || d.Winner != nil || len(d.Plan.Ask) > 0 {
			t.Errorf("%s: the witness %v does not show it (%v)", condition, found[0].Witness, err)
		}
	}
}

// TestComputedPartsHaveTrueWitnesses: what logic does not understand is tried, and the order for which it holds is decided as the finding says.
func TestComputedPartsHaveTrueWitnesses(t *testing.T) {
	const head = "rules: 1\ncurrency: USD\nproviders: [ups, own_fleet]\nattributes: [plan]\n"
	for _, part := range []string{
		`order.promise_by < local.now + business_days(2)`, `order.total * 0.3 > option.fee`, `bucket("trial", order.customer_id) < 5`,
		`any(order.items, .price > usd(40) and .sku startsWith "BX")`, `order.to.city startsWith "Bos"`, `order.to.postal_code matches "^99[0-9]{3}$"`,
		`dollars(order.total) * 2 > 77 and dollars(order.total) < 39`, `count(order.items, .quantity >= 3) >= 2`, `lower(order.attributes.plan) == "gold"`,
		`order.weight / lb(1) > 60`, `mins(option.dropoff_in) > 90`, `order.subtotal - order.tip > usd(70)`, `len(order.tags) > 0 and order.tags[0] == "vip"`,
	} {
		b, err := loaded(t, head+"exclude:\n  - { name: A, providers: [ups], when: '"+part+"' }\n  - { name: B, providers: [ups], when: '("+part+") and order.gift' }\n", rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		found := slices.DeleteFunc(b.Lint(t.Context()), func(f rules.Finding) bool { return f.Code != "W604" })
		if len(found) != 1 || found[0].Witness == nil || found[0].NoWitness != "" {
			t.Errorf("%s: %+v", part, found)
			continue
		}
		d, err := b.Witness(found[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range []string{"A", "B"} {
			if !slices.ContainsFunc(d.Excluded, func(x rules.Exclusion) bool { return x.Rule == rule && x.Account == "ups" }) {
				t.Errorf("%s: %s does not exclude for %s", part, rule, found[0].WitnessText())
			}
		}
	}
}

// TestWithoutAWitnessItSaysWhy: it names what it could not find, as the merchant wrote it, and gives no order instead.
func TestWithoutAWitnessItSaysWhy(t *testing.T) {
	const part = `bucket("a", order.id) + bucket("b", order.id) == 198 and order.promise_by < local.now + business_days(2)`
	b, err := loaded(t, "rules: 1\ncurrency: USD\nproviders: [ups]\nchoose:\n  - { name: A, when: '"+part+"', prefer: [ups] }\n  - { name: B, when: '"+part+" and order.gift', prefer: [ups] }\n", rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found := b.Lint(t.Context())
	if len(found) != 1 || found[0].Code != "W603" || found[0].WitnessText() != "" || !strings.Contains(found[0].NoWitness, `bucket("a", order.id) + bucket("b", order.id) == 198`) ||
		!strings.Contains(found[0].NoWitness, "order.promise_by < local.now + business_days(2)") {
		t.Fatalf("%+v", found)
	}
	if _, err := b.Witness(found[0]); err == nil || !strings.Contains(err.Error(), found[0].NoWitness) {
		t.Errorf("%v", err)
	}
}

// TestAWitnessIsDecidedAlsoBehindAHold: the record says that the rule of hold was overruled.
func TestAWitnessIsDecidedAlsoBehindAHold(t *testing.T) {
	b, err := loaded(t, `rules: 1
currency: USD
providers: [ups, own_fleet]
hold: [ { name: Gifts wait, when: order.gift, until: released } ]
exclude:
  - { name: A, providers: [ups], when: order.gift }
  - { name: B, providers: [ups], when: order.gift and order.asap }
`, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found := slices.DeleteFunc(b.Lint(t.Context()), func(f rules.Finding) bool { return f.Code != "W604" })
	if len(found) != 1 {
		t.Fatalf("%+v", found)
	}
	d, err := b.Witness(found[0])
	if err != nil || !slices.Contains(d.Plan.Input.Released, "Gifts wait") || len(d.Excluded) != 2 {
		t.Errorf("%+v (%v)", d.Excluded, err)
	}
}

// TestWitnessesOfRulesOfHold are held, also where the finding is about the form of one at a place; and without any provider there is still an offer.
func TestWitnessesOfRulesOfHold(t *testing.T) {
	b, err := loaded(t, `rules: 1
hold: [ { name: Gifts wait, when: order.gift, until: released } ]
exclude: [ { name: Any, when: order.quantity >= 0 } ]
locations: { x: { hold: { Gifts wait: { until: released } } } }
`, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found := b.Lint(t.Context())
	if len(found) != 2 || found[0].Code != "W602" || found[1].Code != "W614" {
		t.Fatalf("%+v", found)
	}
	if d, err := b.Witness(found[0]); err != nil || len(d.Excluded) != 1 || d.Excluded[0].Rule != "Any" {
		t.Errorf("%+v (%v)", d.Excluded, err)
	}
	if d, err := b.Witness(found[1]); err != nil || d.Plan.Hold == nil || d.Plan.Input.Location.ID != "x" {
		t.Errorf("%+v (%v)", d.Plan.Hold, err)
	}
}

// TestLintSaysNothingThatItsWitnessContradicts: here what stands in the way is a rule that sets what another asks for.
func TestLintSaysNothingThatItsWitnessContradicts(t *testing.T) {
	b, err := loaded(t, `rules: 1
currency: USD
providers: [ups, own_fleet]
set: [ { name: sign, set: { signature: adult } } ]
exclude:
  - { name: A, when: order.gift, providers: [ups] }
  - { name: B, when: 'order.signature == "not_required"', providers: [own_fleet] }
`, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range b.Lint(t.Context()) {
		t.Errorf("%s %s %v", f.Code, f.Sentence, f.Witness)
	}
}

// TestLintHelpsWithWhatFails: only where an item is indexed is it to be made sure that there is one.
func TestLintHelpsWithWhatFails(t *testing.T) {
	for condition, items := range map[string]bool{
		`order.items[0].sku == "x"`:                                 true,
		`order.total / order.total > 1.0`:                           false,
		`order.quantity in 1..99000 and 5 in order.quantity..99000`: false,
	} {
		b, err := loaded(t, "rules: 1\ncurrency: USD\nproviders: [ups]\nwarn: [ { name: A, when: '"+condition+"', message: m } ]\n", rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range b.DryRun() {
			if says := strings.Contains(f.Hint, "order.items"); says != items || f.Hint == "" {
				t.Errorf("%s: %s, help: %s", condition, f.Sentence, f.Hint)
			}
		}
		if len(b.DryRun()) == 0 {
			t.Errorf("%s does not fail", condition)
		}
	}
}

// TestAlwaysOutNamesTheRuleThatIs: of the excludes that speak of a provider, the one that always applies.
func TestAlwaysOutNamesTheRuleThatIs(t *testing.T) {
	b, err := loaded(t, `rules: 1
currency: USD
providers: [ups, own_fleet]
exclude:
  - { name: gift, when: order.gift, providers: [ups] }
  - { name: all, when: order.quantity >= 0, providers: [ups] }
`, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found := slices.DeleteFunc(b.Lint(t.Context()), func(f rules.Finding) bool { return f.Code != "W608" })
	if len(found) != 1 || found[0].Where != `rule "all"` {
		t.Errorf("%+v", found)
	}
}

// TestAWitnessMayBeTheWordNull: what is a text in a condition is given as one.
func TestAWitnessMayBeTheWordNull(t *testing.T) {
	for _, word := range []string{"null", "NULL", "true", "1e3", "2026-01-05"} {
		b, err := loaded(t, "rules: 1\ncurrency: USD\nproviders: [ups]\nexclude:\n  - { name: A, when: 'order.id == \""+word+"\"' }\n", rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		before, err := loaded(t, "rules: 1\ncurrency: USD\nproviders: [ups]\nexclude:\n  - { name: A, when: 'order.id == \"before\"' }\n", rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if changes := rules.Diff(t.Context(), before, b); len(changes) != 1 || changes[0].Now["order.id"] != word {
			t.Errorf("%s: %+v", word, changes)
		}
	}
}

// TestLintTellsAGoneProviderOnce: a rule that names an excluded provider in several places, by its services or again, has one finding for it.
func TestLintTellsAGoneProviderOnce(t *testing.T) {
	for _, text := range []string{
		"fallback: [ { name: B, when: order.gift, on: [no_driver], steps: [ { use: ups/ground }, next_ranked, { use: ups/2day } ] } ]",
		"choose: [ { name: B, when: order.gift, prefer: [ ups/ground, ups/2day, doordash ] } ]",
		"choose: [ { name: B, when: order.gift, split: { ups/ground: 20, ups/2day: 20, doordash: 60, by: order.id } } ]",
	} {
		b := diffed(t, "exclude: [ { name: A, when: order.gift, providers: [ups] } ]\n"+text)
		n := 0
		for _, f := range b.Lint(t.Context()) {
			if f.Code == "W624" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s: %d findings of W624, want 1", text, n)
		}
	}
}
