package ruleset_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestNoDecisionIsDroppedOrMixedWhileRulesAreReloaded: every second load is of broken files. Each version charges and warns by its
// own number, so that a decision which took anything from two versions would show it.
func TestNoDecisionIsDroppedOrMixedWhileRulesAreReloaded(t *testing.T) {
	t.Parallel()
	const reloads, deciders = 100, 4 // `waybill bench reload` does it for longer
	s, dir := newSet(t)
	version := func(n int) string {
		return fmt.Sprintf("rules: 1\nname: v%d\ncurrency: USD\nadjust:\n  - { name: Charge, charge: \"%d.00\" }\nwarn:\n  - { name: Say, message: \"v%d\" }\n", n, n, n)
	}
	number := sync.Map{} // of each good version, by hash
	put := func(n int) {
		write(t, dir, version(n))
		number.Store(rules.HashOf([]rules.File{{Name: "a.rules.yaml", Data: []byte(version(n))}}), int64(n))
	}
	put(1)
	if err := s.Load(); err != nil {
		t.Fatal(err)
	}
	input, err := rules.NewInput(rules.InputSource{ExternalID: "o", Currency: "USD"})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var stop atomic.Bool
	var made atomic.Int64
	for range deciders {
		wg.Go(func() {
			for !stop.Load() {
				b := s.Bundle("demo")
				plan := b.Prepare(input, []rules.Candidate{{Account: "doordash"}})
				d := b.Decide(plan, []rules.Offer{{ID: "1", Account: "doordash", Quote: shipping.Quote{Amount: shipping.Money{Minor: 500, Currency: "USD"}}}})
				n, known := number.Load(d.Rules)
				switch {
				case !known || plan.Rules != d.Rules:
					t.Errorf("decided by %s, planned by %s: no version that was ever good", d.Rules, plan.Rules)
				case d.Winner == nil:
					t.Error("a decision was dropped")
				case d.Winner.Charge.Minor != n.(int64)*100 || d.Warnings[0].Message != fmt.Sprint("v", n):
					t.Errorf("version %v charges %s and says %s", n, d.Winner.Charge, d.Warnings[0].Message)
				default:
					made.Add(1)
					continue
				}
				return
			}
		})
	}
	taken, refused := 0, 0
	for i := range reloads {
		if i%2 == 0 {
			write(t, dir, broken+fmt.Sprintf("# %d\n", i))
		} else {
			put(i + 2)
		}
		if err := s.Load(); err != nil {
			refused++
		} else {
			taken++
		}
	}
	stop.Store(true)
	wg.Wait()
	if taken != reloads/2 || refused != reloads/2 || made.Load() == 0 {
		t.Errorf("%d loads taken, %d refused, %d decisions", taken, refused, made.Load())
	}
}
