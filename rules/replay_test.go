package rules_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

const replayed = "rules: 1\ncurrency: USD\nproviders: [ups, doordash, own_fleet]\n"

func mustLoaded(t *testing.T, text string) *rules.Bundle {
	t.Helper()
	b, err := loaded(t, text, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestAnotherQuestionHasNoKnownAnswer: where rules have carriers told otherwise what then they were told, the quotes of then are no prices.
func TestAnotherQuestionHasNoKnownAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		old, now string
		unknown  []string
	}{
		"signature":             {"", "signature: direct", []string{"signature"}},
		"no signature any more": {"signature: required", "", []string{"signature"}},
		"what the order says":   {"", "signature: not_required", nil},
		"an adult's":            {"signature: adult", "id_check: age_21", nil},
		"tip":                   {"tip: 2.00", "tip: 3.00", []string{"tip"}},
		"no tip":                {"", "tip: 0.00", nil},
		"as the cap says":       {"tip: 3.00", "tip: 9.00, tip_max: 3.00", nil},
		"weight":                {"", "weight: 49 lb", []string{"weight"}},
		"in another unit":       {"weight: 1 kg", "weight: 1000 g", nil},
		"day":                   {"", "ship_date: next_business_day", []string{"ship_date"}},
		"instructions":          {"instructions: Ring", "instructions: Knock, pickup_instructions: Backdoor", []string{"instructions", "pickup_instructions"}},
		"vehicle and label":     {"", "vehicle: foot, label_format: ZPL", nil},
		"several":               {"", "weight: 49 lb, signature: direct", []string{"signature", "weight"}},
	} {
		t.Run(name, func(t *testing.T) {
			with := func(set string) *rules.Bundle {
				return mustLoaded(t, replayed+"set:\n  - { name: One, set: { instructions: Ring } }\n  - { name: Two, set: { instructions: Ring, "+set+" } }\n")
			}
			if strings.HasPrefix(c.old, "instructions") {
				with = func(set string) *rules.Bundle {
					return mustLoaded(t, replayed+"set:\n  - { name: Two, set: { "+set+" } }\n")
				}
			}
			b := with(c.old)
			lines := stored(t, b, 20)
			r := backtest(t, with(c.now), lines, 2)
			var want []rules.Cause
			for _, attribute := range c.unknown {
				want = append(want, rules.Cause{What: "quotes for the new " + attribute, Orders: 20})
			}
			if diff := cmp.Diff(append([]rules.Cause{}, want...), r.Unknowns); diff != "" {
				t.Fatal(diff)
			}
			if len(want) == 0 {
				if r.Unknown != 0 || r.Compared == 0 || r.Cost["USD"].Old != r.Cost["USD"].New {
					t.Errorf("the carriers are told the same: %+v", r)
				}
				return
			}
			if r.Unknown != 20 || r.Changed != 0 || r.Compared != 0 || len(r.Cost)+len(r.Old.Providers)+len(r.New.Providers)+len(r.Causes) != 0 {
				t.Errorf("prices that nobody knows are compared: %+v", r)
			}
			for _, s := range r.Samples {
				if !strings.HasPrefix(s.New, "Not known: ") || len(s.Unknown) != len(want) {
					t.Errorf("%s, unknown %v", s.New, s.Unknown)
				}
			}
		})
	}
}

// TestTheSumOfParcelsIsNoWeightOfEach: one parcel weighs what the order weighs, of several nobody knows.
func TestTheSumOfParcelsIsNoWeightOfEach(t *testing.T) {
	heavy, plain := mustLoaded(t, replayed+"set:\n  - { name: W, set: { weight: 10 lb } }\n"), mustLoaded(t, replayed)
	for parcels, want := range map[int][]string{1: nil, 2: {"weight"}} {
		src := source()
		src.Parcels[0].Weight = &shipping.Weight{Value: shipping.MustDecimal("10"), Unit: "lb"}
		for len(src.Parcels) < parcels {
			src.Parcels = append(src.Parcels, src.Parcels[0])
		}
		p, q := heavy.Prepare(input(t, src), candidates()), plain.Prepare(input(t, src), candidates())
		if got := p.ToldApart(&q); !slices.Equal(got, want) || !slices.Equal(q.ToldApart(&p), want) {
			t.Errorf("%d parcels of 10 lb each, by rules too: told apart by %v", parcels, got)
		}
	}
}

// TestAnOrderThatWasHeldHasNoKnownOutcome when the new rules let it go: nobody was asked for quotes then. That is neither an order that nothing
// can carry nor a change by rules that both versions have.
func TestAnOrderThatWasHeldHasNoKnownOutcome(t *testing.T) {
	const rest = "set:\n  - { name: Sign, set: { signature: required } }\n"
	held := mustLoaded(t, replayed+"hold:\n  - { name: Dear, when: order.total > usd(200), until: released }\n"+rest)
	lines := stored(t, held, 60)
	r := backtest(t, mustLoaded(t, replayed+rest), lines, 2)
	was := 0
	for line := range bytes.Lines(lines) {
		if d, err := rules.ParseDecision(line); err != nil {
			t.Fatal(err)
		} else if d.Plan.Hold != nil {
			was++
		}
	}
	if was == 0 || was == 60 || r.Unknown != was || r.Changed != 0 || len(r.Causes) != 0 {
		t.Fatalf("of %d orders that were held %d are unknown, %d changed by %v", was, r.Unknown, r.Changed, r.Causes)
	}
	if diff := cmp.Diff(r.Old.Providers, r.New.Providers); diff != "" || r.Old.None != r.New.None || r.Old.Held+r.New.Held != 0 {
		t.Errorf("outcomes that nobody knows are counted: %s %+v %+v", diff, r.Old, r.New)
	}
	if failed, err := r.FailIf("none_delta > 0 or held_delta < 0 or changed > 0"); err != nil || failed {
		t.Error(failed, err)
	}
	if failed, err := r.FailIf("unknown_pct > 10"); err != nil || !failed {
		t.Error(failed, err)
	}

	all := backtest(t, mustLoaded(t, replayed+"hold:\n  - { name: Everything, until: released }\n"), lines, 1)
	if all.Unknown != 0 || all.New.Held != 60 || all.New.P50 != nil || rules.Span(all.New.P50) != "not said" {
		t.Errorf("a hold is certain, and nothing arrives: %+v", all.New)
	}
	text, err := json.Marshal(all)
	if err != nil || !bytes.Contains(text, []byte(`"p50_minutes":null`)) {
		t.Errorf("%s (%v)", text, err)
	}
	if f := all.Figures(); f["p50_delta_minutes"] != 0 {
		t.Errorf("nothing to compare with differs by %v", f["p50_delta_minutes"])
	}
}

// TestRulesOfSetAreNotBehindAHold: that an order was held says nothing of what would have been set.
func TestRulesOfSetAreNotBehindAHold(t *testing.T) {
	const rest = "set:\n  - { name: Sign, set: { signature: required } }\nexclude:\n  - { name: Nobody, when: order.total > usd(0), reason: none }\n"
	held := mustLoaded(t, replayed+"hold:\n  - { name: Wait, until: released }\n"+rest)
	r := backtest(t, mustLoaded(t, replayed+rest), stored(t, held, 3), 1)
	if want := []rules.Cause{{What: "Wait", Orders: 3}}; r.Changed != 3 || !slices.Equal(r.Causes, want) || r.New.None != 3 {
		t.Errorf("%d changed, behind it %v, want %v", r.Changed, r.Causes, want)
	}
}

// TestSamplesAreOfChangesFirst, and of orders with an unknown part after them.
func TestSamplesAreOfChangesFirst(t *testing.T) {
	lines := stored(t, mustLoaded(t, replayed), 60)
	next := mustLoaded(t, replayed+"set:\n  - { name: Sign, when: order.total > usd(150), set: { signature: direct } }\nrank: { score: 0.0 - dollars(option.cost) }\n")
	r := backtest(t, next, lines, 2)
	unsure := func(s rules.Sample) bool { return len(s.Unknown) > 0 }
	first := slices.IndexFunc(r.Samples, unsure)
	if r.Unknown == 0 || r.Changed == 0 || r.Changed+r.Unknown > 60 || first >= 0 && slices.ContainsFunc(r.Samples[first:], func(s rules.Sample) bool { return !unsure(s) }) {
		t.Fatalf("%d changed, %d unknown, the first such sample is %d of %d", r.Changed, r.Unknown, first, len(r.Samples))
	}
	if want := min(r.Changed, len(r.Samples)); first >= 0 && first != want || first < 0 && want != len(r.Samples) {
		t.Errorf("%d changed, and %d samples show it", r.Changed, first)
	}
}

// TestAChangedRecordIsTold, whatever was changed: what was put in and what has come out.
func TestAChangedRecordIsTold(t *testing.T) {
	b := demo(t)
	line := bytes.TrimSpace(stored(t, b, 1))
	for name, c := range map[string]struct {
		change func(d *rules.Decision)
		want   string
	}{
		"nothing":    {func(*rules.Decision) {}, ""},
		"a quote":    {func(d *rules.Decision) { d.Options[0].Quote.Amount.Minor++ }, "options"},
		"the winner": {func(d *rules.Decision) { d.Winner.Fee.Minor-- }, "winner"},
		"no winner":  {func(d *rules.Decision) { d.Winner, d.Ranked = nil, nil }, "ranked winner"},
		"a warning":  {func(d *rules.Decision) { d.Warnings = append(d.Warnings, rules.Warning{Rule: "none"}) }, "warnings"},
		"a hold":     {func(d *rules.Decision) { d.Plan.Hold = &rules.Hold{Rule: "none"} }, "plan"},
	} {
		d, err := rules.ParseDecision(line)
		if err != nil {
			t.Fatal(err)
		}
		c.change(&d)
		got, err := rules.Misrecorded(b, d)
		if err != nil || c.want == "" && len(got) > 0 {
			t.Errorf("%s: %v (%v)", name, got, err)
		}
		for _, member := range strings.Fields(c.want) {
			if !slices.Contains(got, member) {
				t.Errorf("%s: %v, want %s among them", name, got, member)
			}
		}
	}
}
