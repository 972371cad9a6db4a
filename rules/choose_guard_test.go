package rules_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/rules"
)

// decided is what rules make of one test case.
func decided(t *testing.T, text, testCase string) (*rules.Bundle, rules.Decision) {
	t.Helper()
	b, err := rules.Load(oneFile(text), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml", Data: []byte("tests: 1\ncases:\n  - " + testCase + "\n")})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Run(noGolden)[0]
	if !r.Passed() {
		t.Fatal(r.Failures)
	}
	return b, r.Decision
}

// TestGuardsComeBetweenChooseAndTheWinner: the reason of a decision is that of the winner, and the ranking alone stands under the same guards.
func TestGuardsComeBetweenChooseAndTheWinner(t *testing.T) {
	const (
		mine = `{ name: G, applies: option.provider == "own_fleet", max_fee: 12.00, on_breach: next }` // takes own_fleet out
		ups  = `{ name: G, applies: option.provider == "ups", max_fee: 8.00, on_breach: next }`        // takes ups out
		hold = `{ name: G, applies: option.provider == "ups", max_fee: 8.00, on_breach: hold }`
	)
	for _, c := range []struct {
		name, choose, guards string
		winner, instead      string
		why, verdict, denied string
	}{
		{"what it prefers is out", "prefer: [own_fleet]", mine, "ups", "", "it is the cheapest of 2 offers", "ASKED FOR (prefer)", "own_fleet/delivery"},
		{"the part of a split is out", "split: { own_fleet: 100, by: order.id }", mine, "ups", "", "it is the cheapest of 2 offers", "ASKED FOR (split own_fleet)", "own_fleet/delivery"},
		{"the next of what it prefers leads", "prefer: [own_fleet, doordash]", mine, "doordash", "ups/ground", `rule "R" puts it first`, "CHOSEN (prefer)", "own_fleet/delivery"},
		{"the first of the ranking is out too", "prefer: [doordash]", ups, "doordash", "", "it is the cheapest of 2 offers", "CHOSEN (prefer)", ""},
		{"another is out", "prefer: [own_fleet]", ups, "own_fleet", "doordash/delivery", `rule "R" puts it first`, "CHOSEN (prefer)", ""},
		{"only, and the first is out by a guard anyway", "only: [doordash]", ups, "doordash", "", "it is the only offer that is left", "CHOSEN (only)", ""},
		{"only, and the first is not out", "only: [doordash]", mine, "doordash", "ups/ground", `rule "R" puts it first`, "CHOSEN (only)", ""},
		{"the ranking alone would be held", "prefer: [doordash]", hold, "doordash", "ups/ground", `rule "R" puts it first`, "CHOSEN (prefer)", ""},
		{"the ranking is left as it is", "split: { rank: 100, by: order.id }", mine, "ups", "", "it is the cheapest of 2 offers", "CHOSEN (split rank)", ""},
		{"it has no offer at all", "prefer: [roadie]", mine, "ups", "", "it is the cheapest of 2 offers", "ASKED FOR (prefer)", ""},
	} {
		b, d := decided(t, "rules: 1\ncurrency: USD\nproviders: [ups, doordash, own_fleet, roadie]\nrank: { strategy: cheapest }\nchoose: [ { name: R, "+c.choose+" } ]\n"+
			"guard:\n  - "+c.guards+"\n", "{ name: A, order: { id: a, total: 20 }, quotes: [ { provider: ups, service: ground, fee: 9 }, { provider: own_fleet, fee: 15 }, "+
			"{ provider: doordash, fee: 10 } ], expect: { chosen: "+c.winner+", choose: R } }")
		if d.Choose.Moved != (c.instead != "") || d.Choose.Instead != c.instead {
			t.Errorf("%s: moved %v, instead %q", c.name, d.Choose.Moved, d.Choose.Instead)
		}
		if got := d.Sentence(); !strings.Contains(got, " was chosen because "+c.why) {
			t.Errorf("%s: %s", c.name, got)
		}
		text, err := rules.Explain(b, d)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, "  "+c.verdict+" by \"R\"\n") || strings.Contains(text, "alone, which has "+c.instead+" first") != d.Choose.Moved {
			t.Errorf("%s: explained as\n%s", c.name, text)
		}
		if denied := "    -> " + c.denied + `, which it asks for, is out by guard "G"`; strings.Contains(text, denied) != (c.denied != "") {
			t.Errorf("%s: who was denied is explained as\n%s", c.name, text)
		}
		if again, err := rules.Recompute(b, d); err != nil || !bytes.Equal(encode(t, again), encode(t, d)) {
			t.Errorf("%s: recomputed differently (%v)", c.name, err)
		}
	}
}

// TestInsteadIsWhatLeadsWithoutTheRule: whatever guards and quotes say, the record names what leads once the choose rule is taken away.
func TestInsteadIsWhatLeadsWithoutTheRule(t *testing.T) {
	accounts := []string{"doordash", "own_fleet", "ups"}
	rapid.Check(t, func(t *rapid.T) {
		some := func(label string) string {
			return strings.Join(rapid.SliceOfNDistinct(rapid.SampledFrom(accounts), 1, 3, rapid.ID[string]).Draw(t, label), ", ")
		}
		text := "rules: 1\ncurrency: USD\nproviders: [ups, doordash, own_fleet]\nguard:\n"
		for i := range rapid.IntRange(1, 3).Draw(t, "guards") {
			text += fmt.Sprintf("  - { name: G%d, applies: option.provider == %q, max_fee: %d.00, on_breach: %s }\n", i, rapid.SampledFrom(accounts).Draw(t, "of"),
				rapid.IntRange(1, 9).Draw(t, "bound"), rapid.SampledFrom([]string{"next", "hold", "warn"}).Draw(t, "breach"))
		}
		choose := "choose:\n  - { name: R, " + rapid.SampledFrom([]string{"prefer: [", "only: ["}).Draw(t, "kind") + some("list") + "] }\n"
		quotes := ""
		for _, a := range accounts {
			quotes += fmt.Sprintf("{ provider: %s, fee: %d.00 }, ", a, rapid.IntRange(1, 9).Draw(t, "fee"))
		}
		leads := func(text string) (rules.Decision, string) {
			b, err := rules.Load(oneFile(text), rules.Options{})
			if err != nil {
				t.Fatal(err)
			}
			s, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml", Data: []byte("tests: 1\ncases: [{ name: A, order: { id: a }, quotes: [" + quotes + "], expect: { faults: [] } }]\n")})
			if err != nil {
				t.Fatal(err)
			}
			d := s.Run(noGolden)[0].Decision
			for _, o := range d.Options {
				if o.Rank == 1 {
					return d, o.Account + "/" + o.Service
				}
			}
			return d, ""
		}
		d, leader := leads(text + choose)
		_, alone := leads(text)
		want := ""
		if leader != "" && leader != alone {
			want = alone
		}
		if d.Choose.Moved != (want != "") || d.Choose.Instead != want {
			t.Errorf("%s%s%s\nit leads %s, alone %s; moved %v, instead %q", text, choose, quotes, leader, alone, d.Choose.Moved, d.Choose.Instead)
		}
	})
}

// TestRecordOfSchema1TellsTheReason: that schema says of the order before the guards whether a choose rule moved it. Its bytes stay, its sentence does not
// repeat it where it is plain that the winner leads by the ranking.
func TestRecordOfSchema1TellsTheReason(t *testing.T) {
	record, err := os.ReadFile("testdata/records/v1-denied/record.json")
	if err != nil {
		t.Fatal(err)
	}
	d, err := rules.ParseDecision(record)
	if err != nil || !d.Choose.Moved || !slices.ContainsFunc(d.Guards, func(b rules.Breach) bool { return b.Account == "own_fleet" }) {
		t.Fatal(d.Choose, d.Guards, err)
	}
	if got, want := d.Sentence(), "was chosen because it is the cheapest of "; !strings.Contains(got, want) {
		t.Errorf("%s; want %s", got, want)
	}
	b, err := rules.LoadDir(os.DirFS("testdata/records/v1-denied"), rules.Options{Providers: manifests()})
	if err != nil {
		t.Fatal(err)
	}
	if now := b.Replay(&d).Decision; now.Choose.Moved || now.Choose.Instead != "" || now.Differs(&d) {
		t.Errorf("decided anew: %+v", now.Choose)
	}
	text, err := rules.Explain(b, d)
	if err != nil || !strings.Contains(text, "ASKED FOR (prefer)") || strings.Contains(text, "another option leads") {
		t.Errorf("explained as (%v)\n%s", err, text)
	}
	moved, err := os.ReadFile("testdata/records/v1/record.json")
	if err != nil {
		t.Fatal(err)
	}
	if d, err = rules.ParseDecision(moved); err != nil || !strings.Contains(d.Sentence(), `because rule "Own drivers near by" puts it first`) {
		t.Errorf("%s (%v)", d.Sentence(), err)
	}
}
