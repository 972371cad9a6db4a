package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/rules"
)

// manyRules is a bundle of 30 rules over all phases.
func manyRules(t testing.TB) *rules.Bundle {
	t.Helper()
	var b strings.Builder
	b.WriteString("rules: 1\ncurrency: USD\nlet:\n  dear: order.total >= usd(250) or order.quantity >= 40\nexclude:\n")
	for i := range 18 {
		fmt.Fprintf(&b, "  - { name: exclude %d, when: 'not dear and option.fee > usd(%d) and order.to.country == \"US\" and any(order.items, .sku startsWith \"X%d\")', reason: no }\n", i, i, i)
	}
	b.WriteString("adjust:\n")
	for i := range 8 {
		fmt.Fprintf(&b, "  - { name: adjust %d, when: 'option.dropoff_in > minutes(%d) and order.weight <= lb(70)', add: 0.%02d }\n", i, i*10, i)
	}
	b.WriteString("set:\n")
	for i := range 4 {
		fmt.Fprintf(&b, "  - { name: set %d, when: 'order.total > usd(%d)', set: { signature: required } }\n", i, i*100+900)
	}
	b.WriteString("rank: { score: 'dollars(option.cost) + mins(option.dropoff_in) * 0.12', ties: [option.provider] }\n")
	bundle, err := rules.Load([]rules.File{{Name: "many.rules.yaml", Data: []byte(b.String())}}, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

const fewRules = `rules: 1
currency: USD
providers: [ups, doordash, own_fleet]
exclude:
  - { name: Too heavy, when: order.weight > lb(60), providers: [own_fleet], reason: weight }
  - { name: Too dear, when: option.fee > order.total * 0.9, reason: uneconomic }
adjust:
  - { name: Residential, when: order.to.type == "residential", providers: [ups], add: 5.55 }
`

// BenchmarkDecision measures Prepare and Decide together, with the slowest of a hundred as p99.
func BenchmarkDecision(b *testing.B) {
	few, err := rules.Load([]rules.File{{Name: "few.rules.yaml", Data: []byte(fewRules)}}, rules.Options{})
	if err != nil {
		b.Fatal(err)
	}
	eight := append(offers(), offers()[:3]...)
	for i := range eight {
		eight[i].ID = fmt.Sprintf("q%d", i)
	}
	six := eight[:6]
	for _, bench := range []struct {
		name   string
		bundle *rules.Bundle
		offers []rules.Offer
	}{{"rules=30,options=6", manyRules(b), six}, {"rules=3,options=8", few, eight}, {"rules=0,options=8", rules.Default(), eight}} {
		b.Run(bench.name, func(b *testing.B) {
			in, accounts := input(b, source()), candidates()
			b.ReportAllocs()
			took := make([]time.Duration, 0, b.N)
			for b.Loop() {
				start := time.Now()
				d := bench.bundle.Decide(bench.bundle.Prepare(in, accounts), bench.offers)
				took = append(took, time.Since(start))
				if d.Winner == nil {
					b.Fatal("nothing won")
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
	b.Run("json", func(b *testing.B) {
		d := few.Decide(few.Prepare(input(b, source()), candidates()), eight)
		for b.Loop() {
			if _, err := d.JSON(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("input", func(b *testing.B) {
		src := source()
		for b.Loop() {
			if _, err := rules.NewInput(src); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkExplain shows every part of every rule for six options under thirty rules; the floor is 5 ms.
func BenchmarkExplain(b *testing.B) {
	bundle := manyRules(b)
	six := append(offers(), offers()[:1]...)
	six[5].ID = "q6"
	d := bundle.Decide(bundle.Prepare(input(b, source()), candidates()), six)
	took := make([]time.Duration, 0, b.N)
	for b.Loop() {
		start := time.Now()
		if _, err := rules.Explain(bundle, d); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
