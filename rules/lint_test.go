package rules_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/rules"
)

const lintHead = "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\n"

// planted are bundles with one fault each, and the code that finds it. witness is a part of what it must show, "" where no order is needed.
var planted = []struct{ name, code, witness, text string }{
	{"never by numbers", "W601", "", "exclude: [{ name: A, when: order.weight > lb(60) and order.weight < lb(50) }]"},
	{"never by texts", "W601", "", "exclude: [{ name: A, when: order.to.state == \"MA\" and order.to.state == \"NY\" }]"},
	{"never by providers", "W601", "", "exclude: [{ name: A, when: option.provider == \"ups\", providers: [doordash] }]"},
	{"never by dates", "W601", "", "warn: [{ name: A, when: 'date_between(\"2026-01-01\", \"2026-01-31\")', from: \"2026-12-01\", message: m }]"},
	{"always", "W602", "order.quantity", "warn: [{ name: A, when: order.quantity > 5 or order.quantity <= 5, message: m }]"},
	{"always by a domain", "W602", "order.quantity", "warn: [{ name: A, when: order.quantity >= 0, message: m }]"},
	{"choose out of reach", "W603", "order.total", "choose: [{ name: A, when: order.total > usd(10), prefer: [ups] }, { name: B, when: order.total > usd(20), prefer: [doordash] }]"},
	{"hold out of reach", "W603", "order.to.state", "hold: [{ name: A, until: released }, { name: B, when: order.to.state == \"MA\", until: released }]"},
	{"exclude in another", "W604", "order.weight", "exclude: [{ name: A, when: order.weight > lb(50), providers: [ups] }, { name: B, when: order.weight > lb(60), providers: [ups] }]"},
	{"set always overwritten", "W605", "order.total", "set: [{ name: A, when: order.total > usd(20), set: { signature: direct } }, { name: B, when: order.total > usd(10), set: { signature: adult } }]"},
	{"set sometimes overwritten", "W606", "order.asap", "set: [{ name: A, when: order.asap, set: { signature: direct } }, { name: B, when: order.total > usd(10), set: { signature: adult } }]"},
	{"nobody is left", "W607", "order.weight", "exclude: [{ name: A, when: order.weight > lb(50), providers: [ups] }, { name: B, when: order.weight > lb(60), providers: [doordash] }]"},
	{"a provider never left", "W608", "", "exclude: [{ name: A, providers: [ups] }]"},
	{"a list for nothing", "W609", "", "lists: { zips: [\"1\"] }"},
	{"a let for nothing", "W610", "", "let: { dear: order.total > usd(5) }"},
	{"an attribute for nothing", "W611", "", "attributes: [gift]"},
	{"times the wrong way round", "W612", "local.minute_of_day", "warn: [{ name: A, when: 'time_between(\"20:30\", \"17:30\")', message: m }]"},
	{"another currency", "W613", "order.total", "adjust: [{ name: A, add: 2.00 EUR }]"},
	{"a patch for nothing", "W614", "", "adjust: [{ name: A, add: 2.00 }]\nlocations: { x: { adjust: { A: { add: 2.00 } } } }"},
	{"a fallback twice", "W615", "", "fallback: [{ name: A, on: [no_driver], steps: [{ use: ups }, { use: ups }] }]"},
	{"a fallback out of reach", "W616", "order.asap", "fallback: [{ name: A, on: [no_driver], steps: [next_ranked] }, { name: B, when: order.asap, on: [no_driver], steps: [{ notify: x }] }]"},
	{"computed numbers", "W617", "", "warn: [{ name: A, when: dollars(chosen.fee) == 12.5, message: m }]"},
	{"a guard above another", "W618", "", "guard: [{ name: A, max_fee: 10.00, on_breach: next }, { name: B, max_fee: 12.00, on_breach: next }]"},
	{"an adjustment of nothing", "W619", "", "adjust: [{ name: A, add: 0.00 }]"},
	{"a choice twice", "W621", "", "choose: [{ name: A, prefer: [ups, ups/ground] }]"},
	{"a part for nothing", "W622", "order.weight", "warn: [{ name: A, when: order.weight > lb(50) and order.weight > lb(60), message: m }]"},
	{"an empty part of a split", "W623", "", "choose: [{ name: A, split: { ups: 0, rank: 100 } }]"},
	{"a choice that is out", "W624", "order.weight", "exclude: [{ name: A, when: order.weight > lb(50), providers: [ups] }]\nchoose: [{ name: B, when: order.weight > lb(55), prefer: [ups] }]"},
	{"an item that may not be there", "W626", "order.items", "warn: [{ name: A, when: 'order.items[0].sku == \"x\"', message: m }]"},
	{"too few attempts", "W625", "", "fallback: [{ name: A, on: [no_driver], steps: [next_ranked, next_ranked, next_ranked], limit: { attempts: 2 } }]"},
}

func TestLintFindsPlantedFaults(t *testing.T) {
	for _, p := range planted {
		t.Run(p.name, func(t *testing.T) {
			b, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte(lintHead + p.text + "\n")}}, rules.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, f := range b.Lint() {
				all = append(all, fmt.Sprintf("%s %v %v", f.Code, f.Problem, f.Witness))
				if f.Code != p.code {
					continue
				}
				if _, ok := f.Witness[p.witness]; p.witness != "" && !ok {
					t.Errorf("the witness is %v", f.Witness)
				}
				if f.Line == 0 || f.File != "a.rules.yaml" || f.Sentence == "" || f.Hint == "" {
					t.Errorf("finding %+v", f)
				}
				return
			}
			t.Errorf("it found %s", strings.Join(all, "\n"))
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
