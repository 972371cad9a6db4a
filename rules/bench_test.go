package rules_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/measure"
)

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
	}{{"rules=30,options=6", measure.ManyRules(), six}, {"rules=3,options=8", few, eight}, {"rules=0,options=8", rules.Default(), eight}} {
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
	bundle := measure.ManyRules()
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
