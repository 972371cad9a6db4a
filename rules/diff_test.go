package rules_test

import (
	"os"
	"slices"
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
