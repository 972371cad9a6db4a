package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestNextIsWhomTheEngineBooks asks tests of rules whom a fallback books; dispatch books by the same Course.
func TestNextIsWhomTheEngineBooks(t *testing.T) {
	const three = "{ provider: ups, service: ground, fee: 6.00 }, { provider: doordash, fee: 6.40 }, { provider: own_fleet, fee: 25.00 }"
	const two = "{ provider: ups, service: ground, fee: 6.00 }, { provider: own_fleet, fee: 25.00 }"
	for _, c := range []struct{ name, fallback, event, order, quotes, next string }{
		{"the next ranked", "steps: [next_ranked]", "no_driver", "", three, "doordash"},
		{"the first booking is all", "steps: [next_ranked], limit: { attempts: 1 }", "booking_failed", "", three, "none"},
		{"nor after it was booked", "steps: [next_ranked], limit: { attempts: 1 }", "no_driver", "", three, "none"},
		{"one more", "steps: [next_ranked], limit: { attempts: 2 }", "no_driver", "", three, "doordash"},
		{"within what it may cost", "steps: [next_ranked], limit: { extra_cost: 0.50 }", "no_driver", "", three, "doordash"},
		{"nobody is cheap enough", "steps: [next_ranked], limit: { extra_cost: 0.50 }", "no_driver", "", two, "none"},
		{"nor in the round itself", "steps: [next_ranked], limit: { extra_cost: 0.50 }", "booking_failed", "", two, "none"},
		{"the one named is too dear", "steps: [{ use: own_fleet }, next_ranked], limit: { extra_cost: 0.50 }", "no_driver", "", three, "doordash"},
		{"it waits first", "steps: [{ hold_for: 30m }, next_ranked]", "no_driver", "", three, "none"},
		{"somebody is told first", "steps: [{ notify: m }, next_ranked]", "no_driver", "", three, "doordash"},
		{"the one named", "steps: [{ use: own_fleet }]", "no_driver", "", three, "own_fleet"},
		{"by its service", "steps: [{ use: own_fleet/delivery }]", "no_driver", "", three, "own_fleet/delivery"},
		{"another service of the account", "steps: [next_ranked]", "booking_failed", "", "{ provider: ups, service: ground, fee: 6.00 }, { provider: ups, service: 2day, fee: 7.00 }", "ups/2day"},
		{"but not after it was booked", "steps: [next_ranked]", "no_driver", "", "{ provider: ups, service: ground, fee: 6.00 }, { provider: ups, service: 2day, fee: 7.00 }", "none"},
		{"nor when it is asked anew", "steps: [next_ranked], requote: always", "booking_failed", "", "{ provider: ups, service: ground, fee: 6.00 }, { provider: ups, service: 2day, fee: 7.00 }", "none"},
		{"the second step", "steps: [next_ranked, { use: own_fleet }]", "no_driver", "failed_providers: [ups, doordash]", three, "own_fleet"},
		{"no step is left", "steps: [next_ranked]", "no_driver", "failed_providers: [ups, doordash]", three, "none"},
		{"no attempt is left", "steps: [next_ranked, next_ranked], limit: { attempts: 2 }", "no_driver", "failed_providers: [ups, doordash]", three, "none"},
		{"from the first fee", "steps: [next_ranked], limit: { extra_cost: 0.50 }", "no_driver", "failed_providers: [ups]", two, "none"},
		{"no rule speaks of it", "steps: [next_ranked]", "provider_down", "", three, "none"},
		{"a refusal that no rule speaks of goes on", "steps: [next_ranked, next_ranked], on: [no_driver]", "booking_failed", "", three, "doordash"},
		{"with another service of the account", "steps: [next_ranked], on: [no_driver]", "booking_failed", "", "{ provider: ups, service: ground, fee: 6.00 }, { provider: ups, service: 2day, fee: 7.00 }", "ups/2day"},
		{"down the ranking, and not by the steps", "steps: [{ use: own_fleet }], on: [no_driver]", "booking_failed", "", three, "doordash"},
		{"to none that has failed", "steps: [next_ranked], on: [no_driver]", "booking_failed", "failed_providers: [ups, doordash]", three, "own_fleet"},
		{"to the end of the ranking", "steps: [next_ranked], on: [no_driver]", "booking_failed", "", "{ provider: ups, service: ground, fee: 6.00 }", "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := rules.Load([]rules.File{{Name: "f.rules.yaml", Data: fmt.Appendf(nil,
				"rules: 1\ncurrency: USD\nproviders: [ups, doordash, own_fleet]\nfallback: [{ name: F, %s }]\n", withEvents(c.fallback))}}, rules.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, wanted := range []string{"ups", "doordash", "own_fleet", "none", c.next} {
				s, err := rules.LoadSuite(b, rules.File{Name: "f.test.yaml", Data: fmt.Appendf(nil,
					"tests: 1\ncases: [{ name: A, event: %s, order: { %s }, quotes: [ %s ], expect: { next: %s } }]\n", c.event, c.order, c.quotes, wanted)})
				if err != nil {
					t.Fatal(err)
				}
				if r := s.Run(nil)[0]; wanted == c.next != r.Passed() && wanted+"/2day" != c.next && wanted+"/delivery" != c.next {
					t.Errorf("next: %s: passed %t: %v", wanted, r.Passed(), r.Failures)
				}
			}
		})
	}
}

// withEvents is a fallback rule of both kinds of events, where it does not say itself of which.
func withEvents(rule string) string {
	if strings.Contains(rule, "on: [") {
		return rule
	}
	return rule + ", on: [no_driver, booking_failed]"
}

// TestACourseKeepsItsLimits draws rankings, rules and what has happened.
func TestACourseKeepsItsLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		account := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		fee := rapid.Map(rapid.Int64Range(0, 500), usd)
		ranked := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) rules.Choice {
			return rules.Choice{Account: account.Draw(t, "account"), Service: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "service"), Fee: fee.Draw(t, "fee")}
		}), 0, 6).Draw(t, "ranked")
		step := rapid.OneOf(rapid.Just(rules.Step{NextRanked: true}), rapid.Just(rules.Step{Notify: "m"}), rapid.Just(rules.Step{HoldFor: 1}),
			rapid.Map(account, func(a string) rules.Step { return rules.Step{Use: a} }))
		f := rules.Fallback{Steps: rapid.SliceOfN(step, 0, 5).Draw(t, "steps"), Attempts: rapid.IntRange(0, 4).Draw(t, "attempts"), ExtraCost: fee.Draw(t, "extra")}
		var done *rules.Progress
		if rapid.Bool().Draw(t, "begun") {
			done = &rules.Progress{Step: rapid.IntRange(0, len(f.Steps)).Draw(t, "step"), Tried: rapid.IntRange(1, 4).Draw(t, "tried"), Fee: fee.Draw(t, "first"),
				Failed: rapid.SliceOfDistinct(account, rapid.ID[string]).Draw(t, "failed"), Anew: rapid.Bool().Draw(t, "anew")}
		}
		before := slices.Clone(ranked)
		keepsLimits(t, f, ranked, done, f.Course(ranked, done))
		if !slices.EqualFunc(before, ranked, func(a, b rules.Choice) bool {
			return a.Account == b.Account && a.Service == b.Service && a.Fee == b.Fee
		}) {
			t.Error("the ranking was changed")
		}
	})
}

func keepsLimits(t *rapid.T, f rules.Fallback, ranked []rules.Choice, done *rules.Progress, c rules.Course) {
	if len(c.Queue) > len(ranked) || len(c.Queue) > len(c.Steps) || c.End > len(f.Steps) {
		t.Fatalf("course %+v of %d steps and %d choices", c, len(f.Steps), len(ranked))
	}
	if len(ranked) == 0 {
		return
	}
	tried, first, top := 0, ranked[0].Fee, 1
	if done != nil {
		tried, first = done.Tried, done.Fee
		if !done.Anew {
			top = 0
		}
	}
	if f.Attempts > 0 && len(c.Queue) > 0 && tried+len(c.Queue) > f.Attempts {
		t.Errorf("%d bookings of %d, %d before", len(c.Queue), f.Attempts, tried)
	}
	if c.Hold > 0 && f.Attempts > 0 && tried+len(c.Queue) >= f.Attempts {
		t.Error("it waits for a booking that it may not make")
	}
	for i, x := range c.Queue {
		if done != nil && slices.Contains(done.Failed, x.Account) {
			t.Errorf("%s has failed before", x.Account)
		}
		if over := (shipping.Money{Minor: x.Fee.Minor - first.Minor, Currency: "USD"}); i >= top && !f.ExtraCost.IsZero() && over.Minor > f.ExtraCost.Minor {
			t.Errorf("%v more than the first, at most %v", over, f.ExtraCost)
		}
	}
}
