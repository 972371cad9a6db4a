package rules_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/rules"
)

func TestDiffShowsWhatChangesAndForWhom(t *testing.T) {
	load := func(text string) *rules.Bundle {
		b, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte("rules: 1\ncurrency: USD\nproviders: [ups, own_fleet]\n" + text)}}, rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	a := load(`let: { dear: order.total > usd(100) }
lists: { far: [AK] }
exclude:
  - { name: Heavy, when: order.weight > g(500), providers: [own_fleet] } # a comment
  - { name: Gone, when: order.asap }
  - { name: Far, when: order.to.state in lists.far, providers: [own_fleet] }
set: [ { name: Sign, when: dear, set: { signature: direct } } ]
`)
	b := load(`let: { dear: order.total > usd(200) }
lists: { far: [AK, HI] }
rank: { strategy: fastest }
exclude:
  - name: Far
    providers: [own_fleet]
    when: order.to.state in lists.far
  - { name: Heavy, when: order.weight > g(400), providers: [own_fleet] }
set: [ { name: Sign, when: dear, set: { signature: direct } } ]
warn: [ { name: New, when: order.asap, message: m } ]
`)
	type line struct{ Kind, What, Name string }
	var got []line
	changes := rules.Diff(t.Context(), a, b)
	for _, c := range changes {
		got = append(got, line{c.Kind, c.What, c.Name})
	}
	want := []line{
		{"changed", "set", "Sign"}, {"changed", "exclude", "Heavy"}, {"removed", "exclude", "Gone"}, {"changed", "exclude", "Far"}, {"added", "warn", "New"},
		{"changed", "let", "dear"}, {"changed", "list", "far"}, {"added", "rank", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	by := func(name string) rules.Change {
		return changes[slices.IndexFunc(changes, func(c rules.Change) bool { return c.Name == name })]
	}
	if c := by("Sign"); c.NoLonger["order.total"] == "" || c.Now != nil {
		t.Errorf("Sign: %+v", c)
	}
	if c := by("Heavy"); c.Now["order.weight"] == "" || c.NoLonger != nil {
		t.Errorf("Heavy: %+v", c)
	}
	if c := by("Far"); c.Now["order.to.state"] != "HI" {
		t.Errorf("Far: %+v", c)
	}
	if changes := rules.Diff(t.Context(), a, a); len(changes) != 0 {
		t.Errorf("a bundle differs from itself: %+v", changes)
	}
	example, err := rules.LoadDir(os.DirFS("../examples/rules/restaurant"), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if changes := rules.Diff(t.Context(), example, example); len(changes) != 0 {
		t.Errorf("a bundle differs from itself: %+v", changes)
	}
}

// TestDiffOfComputedParts: the order of each is computed by both, whatever the change hangs on; where none is found, it is said why.
func TestDiffOfComputedParts(t *testing.T) {
	load := func(condition string) *rules.Bundle {
		b, err := loaded(t, "rules: 1\ncurrency: USD\nproviders: [ups, own_fleet]\nlet: { share: order.total * "+map[bool]string{true: "0.4", false: "0.3"}[condition == "share  > option.fee"]+" }\n"+
			"lists: { far: [AK, "+map[bool]string{true: "HI", false: "PR"}[strings.Contains(condition, "lists.far ")]+"] }\nexclude: [ { name: A, when: '"+condition+"' } ]\n", rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for old, now := range map[string]string{
		`order.total * 0.3 > option.fee`:                       `order.total * 0.4 > option.fee`,
		`share > option.fee`:                                   `share  > option.fee`,
		`bucket("trial", order.customer_id) < 20`:              `bucket("trial", order.customer_id) < 30`,
		`any(order.items, .price > usd(5))`:                    `any(order.items, .price > usd(6))`,
		`order.to.city startsWith "Bo"`:                        `order.to.city startsWith "Bos"`,
		`order.promise_by < local.now + business_days(2)`:      `order.promise_by < local.now + business_days(5)`,
		`any(["x", "y"], order.to.state in lists.far)`:         `any(["x", "y"], order.to.state in lists.far )`,
		`order.to.city matches "^Bo[a-z]{3}$" and order.gift`:  `order.to.city matches "^Bo[a-z]{4}$" and order.gift`,
		`order.asap and order.total - order.tip > option.cost`: `order.total - order.tip > option.cost`,
	} {
		a, b := load(old), load(now)
		changes := rules.Diff(t.Context(), a, b)
		i := slices.IndexFunc(changes, func(c rules.Change) bool { return c.Name == "A" })
		if i < 0 || changes[i].NoLonger == nil && changes[i].Now == nil || changes[i].NotFound != "" {
			t.Errorf("%s: %+v", old, changes)
			continue
		}
		for order, applied := range map[*map[string]string]bool{&changes[i].NoLonger: true, &changes[i].Now: false} {
			if *order == nil {
				continue
			}
			before, err1 := a.Witness(rules.Finding{Witness: *order})
			after, err2 := b.Witness(rules.Finding{Witness: *order})
			if err1 != nil || err2 != nil || applied != (len(before.Excluded) > len(after.Excluded)) || len(before.Excluded) == len(after.Excluded) {
				t.Errorf("%s: %v does not tell them apart (%v, %v)", old, *order, err1, err2)
			}
		}
	}
	changes := rules.Diff(t.Context(), load(`bucket("a", order.id) + bucket("b", order.id) == 198`), load(`bucket("a", order.id) + bucket("b", order.id) == 197 + 1`))
	if len(changes) != 1 || !strings.Contains(changes[0].NotFound, "that were tried") {
		t.Errorf("%+v", changes)
	}
}

// TestDiffTellsTheOrderOfRules: where it decides, with an order that both bundles decide, otherwise.
func TestDiffTellsTheOrderOfRules(t *testing.T) {
	for phase, c := range map[string]struct {
		first, second string
		effect        func(d rules.Decision) string
	}{
		"choose": {"{ name: A, when: order.gift, prefer: [ups] }", "{ name: B, prefer: [doordash] }", func(d rules.Decision) string { return d.Winner.Account }},
		"set": {"{ name: A, when: order.gift, set: { signature: direct } }", "{ name: B, when: order.total > usd(5), set: { signature: adult } }",
			func(d rules.Decision) string { return d.Plan.Set.Signature }},
		"hold": {"{ name: A, when: order.gift, until: released }", "{ name: B, when: order.asap, until: released }", func(d rules.Decision) string { return d.Plan.Hold.Rule }},
		"fallback": {"{ name: A, when: order.gift, on: [booking_failed], steps: [ next_ranked ] }", "{ name: B, on: [booking_failed], steps: [ { notify: manager } ] }",
			func(d rules.Decision) string { f, _ := d.FallbackFor("booking_failed"); return f.Rule }},
	} {
		load := func(list ...string) *rules.Bundle {
			b, err := loaded(t, "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\n"+phase+":\n  - "+strings.Join(list, "\n  - ")+"\n", rules.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		a, b := load(c.first, c.second), load(c.second, c.first)
		changes := rules.Diff(t.Context(), a, b)
		if len(changes) != 1 || changes[0].What != "order of "+phase || changes[0].Old != "A, B" || changes[0].New != "B, A" || changes[0].Otherwise == nil {
			t.Errorf("%s: %+v", phase, changes)
			continue
		}
		f := rules.Finding{Witness: changes[0].Otherwise}
		if phase == "hold" {
			continue // a witness of no phase is released from holds
		}
		before, err1 := a.Witness(f)
		after, err2 := b.Witness(f)
		if err1 != nil || err2 != nil || c.effect(before) == c.effect(after) {
			t.Errorf("%s: %v is decided alike (%v, %v)", phase, f.Witness, err1, err2)
		}
	}
}

// TestDiffOfOrdersOfLists: of every list in a file the order is told where it decides, and only there.
func TestDiffOfOrdersOfLists(t *testing.T) {
	for _, c := range []struct{ old, now, want string }{
		{"exclude: [ { name: A, when: order.gift }, { name: B, when: order.asap } ]", "exclude: [ { name: B, when: order.asap }, { name: A, when: order.gift } ]", ""},
		{"adjust: [ { name: A, add: 1.00 }, { name: B, charge: 2.00 } ]", "adjust: [ { name: B, charge: 2.00 }, { name: A, add: 1.00 } ]", ""},
		{"warn: [ { name: A, message: m }, { name: B, message: n } ]", "warn: [ { name: B, message: n }, { name: A, message: m } ]", ""},
		// TestOrderOfRulesNeverMatters holds that guards judge alike in any order
		{"guard: [ { name: A, max_fee: 9.00, on_breach: hold }, { name: B, max_fee: 8.00, on_breach: next } ]", "guard: [ { name: B, max_fee: 8.00, on_breach: next }, { name: A, max_fee: 9.00, on_breach: hold } ]", ""},
		{"exclude: [ { name: A, when: order.gift, providers: [ups, doordash] } ]", "exclude: [ { providers: [doordash, ups], name: A, when: order.gift } ]", ""},
		{"exclude: [ { name: A, services: [ups/a, ups/b], locations: [x, y] } ]", "exclude: [ { name: A, services: [ups/b, ups/a], locations: [y, x] } ]", ""},
		{"choose: [ { name: A, only: [ups, doordash] } ]", "choose: [ { name: A, only: [doordash, ups] } ]", ""},
		{"choose: [ { name: A, prefer: [ups, doordash] } ]", "choose: [ { name: A, prefer: [doordash, ups] } ]", "choose A"},
		{"choose: [ { name: A, split: { ups: 20, doordash: 80 } } ]", "choose: [ { name: A, split: { doordash: 80, ups: 20 } } ]", "choose A"},
		{"choose: [ { name: A, when: order.gift, prefer: [ups] }, { name: B, when: not order.gift, prefer: [doordash] } ]",
			"choose: [ { name: B, when: not order.gift, prefer: [doordash] }, { name: A, when: order.gift, prefer: [ups] } ]", ""},
		{"choose: [ { name: A, when: order.gift, prefer: [ups] }, { name: B, when: order.asap, prefer: [doordash] } ]",
			"choose: [ { name: B, when: order.asap, prefer: [doordash] }, { name: A, when: order.gift, prefer: [ups] } ]", "order of choose"},
		{"set: [ { name: A, set: { tip: 1.00, tip_max: 9.00 } }, { name: B, set: { vehicle: car } } ]", "set: [ { name: B, set: { vehicle: car } }, { name: A, set: { tip_max: 9.00, tip: 1.00 } } ]", ""},
		{"set: [ { name: A, set: { tip: 1.00 } }, { name: B, set: { tip: 2.00 } } ]", "set: [ { name: B, set: { tip: 2.00 } }, { name: A, set: { tip: 1.00 } } ]", "order of set"},
		{"fallback: [ { name: A, on: [no_driver, booking_failed], steps: [next_ranked, { notify: m }] } ]", "fallback: [ { name: A, on: [booking_failed, no_driver], steps: [next_ranked, { notify: m }] } ]", ""},
		{"fallback: [ { name: A, on: [no_driver], steps: [next_ranked, { notify: m }] } ]", "fallback: [ { name: A, on: [no_driver], steps: [{ notify: m }, next_ranked] } ]", "fallback A"},
		{"fallback: [ { name: A, on: [no_driver], steps: [next_ranked] }, { name: B, on: [booking_failed], steps: [{ notify: m }] } ]",
			"fallback: [ { name: B, on: [booking_failed], steps: [{ notify: m }] }, { name: A, on: [no_driver], steps: [next_ranked] } ]", ""},
		{"fallback: [ { name: A, on: [no_driver], steps: [next_ranked] }, { name: B, on: [no_driver], steps: [{ notify: m }] } ]",
			"fallback: [ { name: B, on: [no_driver], steps: [{ notify: m }] }, { name: A, on: [no_driver], steps: [next_ranked] } ]", "order of fallback"},
		{"rank: { score: dollars(option.cost), ties: [option.provider, option.service] }", "rank: { ties: [option.provider, option.service], score: dollars(option.cost) }", ""},
		{"rank: { score: dollars(option.cost), ties: [option.provider, option.service] }", "rank: { score: dollars(option.cost), ties: [option.service, option.provider] }", "rank "},
		{"none: { hold_for: 3m, retry: 2 }", "none: { retry: 2, hold_for: 3m }", ""},
		{"let: { a: order.gift, b: order.asap }\nlists: { l: [MA, NY], m: [x] }", "let: { b: order.asap, a: order.gift }\nlists: { m: [x], l: [NY, MA] }", ""},
		{"exclude: [ { name: A, when: order.gift } ]\nlocations: { x: { exclude: { A: { when: order.asap } } }, y: { exclude: { A: { enabled: false } } } }",
			"exclude: [ { name: A, when: order.gift } ]\nlocations: { y: { exclude: { A: { enabled: false } } }, x: { exclude: { A: { when: order.asap } } } }", ""},
		{"exclude: [ { name: A, when: order.gift } ]\nlocations: { tag:x: { exclude: { A: { when: order.asap } } }, tag:y: { exclude: { A: { when: order.paid } } } }",
			"exclude: [ { name: A, when: order.gift } ]\nlocations: { tag:y: { exclude: { A: { when: order.paid } } }, tag:x: { exclude: { A: { when: order.asap } } } }", "exclude A"},
	} {
		var got []string
		for _, x := range rules.Diff(t.Context(), diffed(t, c.old), diffed(t, c.now)) {
			got = append(got, x.What+strings.TrimRight(" "+x.Name, " "))
		}
		if told := slices.Contains(got, strings.TrimSpace(c.want)); told != (c.want != "") || !told && len(got) > 0 {
			t.Errorf("%s\n%s\ngot %q, want %q", c.old, c.now, got, c.want)
		}
	}
}

func diffed(t *testing.T, text string) *rules.Bundle {
	t.Helper()
	b, err := loaded(t, "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\n"+text+"\n", rules.Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return b
}

// TestDiffTellsWhatStandsAtTheTop of the files: it decides as well.
func TestDiffTellsWhatStandsAtTheTop(t *testing.T) {
	load := func(text string) *rules.Bundle {
		b, err := loaded(t, "rules: 1\n"+text, rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var got []string
	for _, c := range rules.Diff(t.Context(), load("currency: USD\nproviders: [ups]\nzones: { near: { center: \"42.3, -71.0\", radius: 5 km } }\n"),
		load("name: shop\ncurrency: EUR\nproviders: [ups, doordash]\nattributes: [plan]\nenv: { pii: true }\nzones: { near: { center: \"42.3, -71.0\", radius: 6 km } }\n")) {
		got = append(got, strings.Join([]string{c.Kind, c.What, c.Name, c.Old, c.New}, "|"))
	}
	want := []string{"added|name|||shop", "changed|currency||USD|EUR", "changed|providers||ups|doordash, ups", "added|attributes|||plan", "added|env|||pii: true",
		"changed|zone|near|center: 42.3, -71; radius: 5000 m|center: 42.3, -71; radius: 6000 m"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
