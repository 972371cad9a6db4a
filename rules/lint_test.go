package rules_test

import (
	"os"
	"slices"
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
			found := b.Lint()
			i := slices.IndexFunc(found, func(f rules.Finding) bool { return f.Code == p.Code })
			if i < 0 {
				t.Fatalf("it found %v", found)
			}
			f := found[i]
			if f.Line == 0 || f.File == "" || f.Sentence == "" || f.Hint == "" {
				t.Errorf("finding %+v", f)
			}
			d, err := b.Witness(f)
			if err != nil {
				t.Fatalf("%v\n%s", err, b.WitnessTest(f))
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
		for _, f := range b.Lint() {
			if !meant[f.Code] {
				t.Errorf("%s: %s %v %v", dir, f.Code, f.Problem, f.Witness)
			}
		}
	}
}

// TestLintNeverClaimsWhatIsFalse tries every order against what lint says of random bundles.
func TestLintNeverClaimsWhatIsFalse(t *testing.T) {
	c := measure.RandomBundles(60, 2, 1, nil)
	if c.Bundles != 60 || len(c.False) > 0 {
		t.Errorf("%d bundles, false: %v", c.Bundles, c.False)
	}
	for _, code := range []string{"W601", "W602", "W603", "W604", "W605", "W606"} {
		if c.Made[code] == 0 {
			t.Errorf("%s was never claimed: %v", code, c.Made)
		}
	}
}
