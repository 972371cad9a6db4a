package rules_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

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

// randomCondition is a condition over few values, so that every order can be tried.
func randomCondition(t *rapid.T, depth int) string {
	if depth > 0 {
		switch rapid.IntRange(0, 3).Draw(t, "op") {
		case 0:
			return "(" + randomCondition(t, depth-1) + " and " + randomCondition(t, depth-1) + ")"
		case 1:
			return "(" + randomCondition(t, depth-1) + " or " + randomCondition(t, depth-1) + ")"
		case 2:
			return "not (" + randomCondition(t, depth-1) + ")"
		}
	}
	n := rapid.IntRange(0, 3).Draw(t, "n")
	op := rapid.SampledFrom([]string{"==", "!=", "<", "<=", ">", ">="}).Draw(t, "cmp")
	switch rapid.IntRange(0, 5).Draw(t, "atom") {
	case 0:
		return fmt.Sprintf("order.quantity %s %d", op, n)
	case 1:
		return fmt.Sprintf("usd(%d) %s order.total", n, op)
	case 2:
		return fmt.Sprintf("order.to.state %s %q", rapid.SampledFrom([]string{"==", "!="}).Draw(t, "eq"), []string{"MA", "NY", "CA", "TX"}[n])
	case 3:
		return `order.to.state in ["MA", "NY"]`
	case 4:
		return `order.to.city startsWith "B"` // not understood
	}
	return "order.asap"
}

// everyOrder runs a rule over every order that randomCondition can tell apart, and reports whether it ever applies and ever does not.
func everyOrder(t interface{ Fatal(...any) }, b *rules.Bundle, base rules.Input) (applied, passed bool) {
	for quantity := range 5 {
		for total := range 5 {
			for _, state := range []string{"MA", "NY", "CA", "other"} {
				for asap := range 2 {
					in := base
					in.Order.Quantity, in.Order.Total = quantity, usd(int64(total)*100)
					in.Order.To.State, in.Order.To.City, in.Order.ASAP = state, []string{"Boston", "Austin"}[(quantity+total)%2], asap == 1
					hit := b.Prepare(in, nil).Hold != nil
					applied, passed = applied || hit, passed || !hit
					if applied && passed {
						return
					}
				}
			}
		}
	}
	return applied, passed
}

// TestLintNeverClaimsWhatIsFalse tries every order against what lint says of random conditions.
func TestLintNeverClaimsWhatIsFalse(t *testing.T) {
	in := input(t, source())
	claims := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		condition := randomCondition(t, 3)
		b, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte("rules: 1\nhold:\n  - name: A\n    until: released\n    when: '" + condition + "'\n")}}, rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		never, always := false, false
		for _, f := range b.Lint() {
			never, always = never || f.Code == "W601", always || f.Code == "W602"
			claims[f.Code]++
		}
		if !never && !always {
			return
		}
		applied, passed := everyOrder(t, b, in)
		if never && applied {
			t.Fatalf("%s is said never to hold", condition)
		}
		if always && passed {
			t.Fatalf("%s is said always to hold", condition)
		}
	})
	if claims["W601"] == 0 || claims["W602"] == 0 {
		t.Errorf("nothing was claimed: %v", claims)
	}
}
