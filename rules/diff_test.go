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
