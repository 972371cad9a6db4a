package rules_test

import (
	"os"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

// TestDiffFindsTheCommonEditsOfMoney: an order that tells two amounts apart needs a total, a fee on the edge, or a second offer; each of these has one.
func TestDiffFindsTheCommonEditsOfMoney(t *testing.T) {
	type decision = rules.Decision
	breaches := func(old, now decision) bool { return len(old.Guards) != len(now.Guards) }
	winners := func(old, now decision) bool {
		return old.Winner != nil && now.Winner != nil && old.Winner.Account != now.Winner.Account
	}
	charged := func(old, now decision) bool { return old.Adjusted[0].Charge != now.Adjusted[0].Charge }
	for name, c := range map[string]struct {
		old, now string
		differ   func(old, now decision) bool
	}{
		"tip": {"set: [ { name: A, set: { tip: 10% } } ]", "set: [ { name: A, set: { tip: 100% } } ]",
			func(old, now decision) bool { return old.Plan.Set.By[0].Value != now.Plan.Set.By[0].Value }},
		"tip of large orders": {"set: [ { name: A, when: order.total > usd(70), set: { tip: 10% } } ]", "set: [ { name: A, when: order.total > usd(70), set: { tip: 11% } } ]",
			func(old, now decision) bool { return old.Plan.Set.By[0].Value != now.Plan.Set.By[0].Value }},
		"charge":               {"adjust: [ { name: A, charge: order.total * 0.01 } ]", "adjust: [ { name: A, charge: order.total * 0.5 } ]", charged},
		"charge by distance":   {"adjust: [ { name: A, when: order.asap, charge: 'order.distance > km(5) ? usd(4) : usd(2)' } ]", "adjust: [ { name: A, when: order.asap, charge: 'order.distance > km(5) ? usd(9) : usd(2)' } ]", charged},
		"charge by items":      {"adjust: [ { name: A, charge: 'any(order.items, .price > usd(50)) ? usd(4) : usd(2)' } ]", "adjust: [ { name: A, charge: 'any(order.items, .price > usd(50)) ? usd(9) : usd(2)' } ]", charged},
		"bound by the total":   {"guard: [ { name: A, max_fee: order.total * 0.25, on_breach: next } ]", "guard: [ { name: A, max_fee: order.total * 0.9, on_breach: next } ]", breaches},
		"a close bound":        {"guard: [ { name: A, max_fee: order.total * 0.25, on_breach: warn } ]", "guard: [ { name: A, max_fee: order.total * 0.26, on_breach: warn } ]", breaches},
		"bound in percent":     {"guard: [ { name: A, max_fee: 25%, on_breach: hold } ]", "guard: [ { name: A, max_fee: 30%, on_breach: hold } ]", breaches},
		"bound by days":        {"guard: [ { name: A, max_dropoff: 2h, on_breach: next } ]", "guard: [ { name: A, max_dropoff: 3h, on_breach: next } ]", breaches},
		"what a breach does":   {"guard: [ { name: A, max_fee: 25.00, on_breach: next } ]", "guard: [ { name: A, max_fee: 25.00, on_breach: warn } ]", func(old, now decision) bool { return old.Winner == nil && now.Winner != nil }},
		"a breach of a share":  {"guard: [ { name: A, max_fee: order.total * 0.25, on_breach: hold } ]", "guard: [ { name: A, max_fee: order.total * 0.25, on_breach: warn } ]", func(old, now decision) bool { return old.Hold != nil && now.Hold == nil }},
		"a breach of a budget": {"guard: [ { name: A, daily_budget: 900.00, on_breach: next } ]", "guard: [ { name: A, daily_budget: 900.00, on_breach: warn } ]", func(old, now decision) bool { return old.Winner == nil && now.Winner != nil }},
		"budget":               {"guard: [ { name: A, daily_budget: order.total * 2, on_breach: next } ]", "guard: [ { name: A, daily_budget: order.total * 3, on_breach: next } ]", breaches},
		"whose budget":         {"guard: [ { name: A, daily_budget: 300.00, on_breach: next } ]", "guard: [ { name: A, daily_budget: 300.00, per: location, on_breach: next } ]", breaches},
		"whose budget, shared": {"guard: [ { name: A, daily_budget: 300.00, per: location, on_breach: warn } ]", "guard: [ { name: A, daily_budget: 300.00, on_breach: warn } ]", breaches},
		"whose quota": {`exclude: [ { name: A, when: 'quota("ups", "day").used >= 20', providers: [ups] } ]`, `exclude: [ { name: A, when: 'quota("ups", "day", "location").used >= 20', providers: [ups] } ]`,
			func(old, now decision) bool { return len(old.Excluded) != len(now.Excluded) }},
		"weight of time":  {"rank: { score: dollars(option.cost) + mins(option.dropoff_in) * 0.01 }", "rank: { score: dollars(option.cost) + mins(option.dropoff_in) * 0.1 }", winners},
		"a slight weight": {"rank: { score: dollars(option.cost) + mins(option.dropoff_in) * 0.10 }", "rank: { score: dollars(option.cost) + mins(option.dropoff_in) * 0.11 }", winners},
		"weight of days":  {"rank: { score: dollars(option.cost) + option.transit_days * 2 }", "rank: { score: dollars(option.cost) + option.transit_days * 20 }", winners},
		"weight of rates": {"rank: { score: dollars(option.cost) - option.on_time_rate_30d * 1 }", "rank: { score: dollars(option.cost) - option.on_time_rate_30d * 10 }", winners},
		"weight at night": {`rank: { score: 'dollars(option.cost) + (time_between("18:00", "22:00") ? 0.20 : 0.08) * mins(option.pickup_in)' }`, `rank: { score: 'dollars(option.cost) + (time_between("18:00", "22:00") ? 2.0 : 0.08) * mins(option.pickup_in)' }`, winners},
		"retries":         {"none: { hold_for: 3m, retry: 4 }", "none: { hold_for: 3m, retry: 400 }", func(old, now decision) bool { return old.None.Retry == 4 && now.None.Retry == 400 }},
		"extra cost": {"fallback: [ { name: A, on: [no_driver], steps: [next_ranked], limit: { extra_cost: order.total * 0.1 } } ]", "fallback: [ { name: A, on: [no_driver], steps: [next_ranked], limit: { extra_cost: order.total * 0.5 } } ]",
			func(old, now decision) bool { return old.Fallback[0].ExtraCost != now.Fallback[0].ExtraCost }},
		"a share of a split": {"choose: [ { name: A, split: { ups: 20, doordash: 80, by: order.id } } ]", "choose: [ { name: A, split: { ups: 25, doordash: 75, by: order.id } } ]", winners},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := diffed(t, c.old), diffed(t, c.now)
			changes := rules.Diff(t.Context(), a, b)
			if len(changes) != 1 || changes[0].Same || changes[0].NotFound != "" {
				t.Fatalf("%+v", changes)
			}
			orders := []map[string]string{changes[0].Otherwise, changes[0].NoLonger, changes[0].Now}
			told := false
			for _, order := range orders {
				if order == nil {
					continue
				}
				told = true
				f := rules.Finding{Witness: order}
				before, err1 := a.Witness(f)
				after, err2 := b.Witness(f)
				if err1 != nil || err2 != nil || !c.differ(before, after) {
					t.Errorf("%s is decided %q and %q (%v, %v)", rules.OrderText(order), before.Sentence(), after.Sentence(), err1, err2)
				}
			}
			if !told {
				t.Errorf("no order: %+v", changes)
			}
		})
	}
}

// TestDiffFindsEditsOfTheExamples: among the other rules of whole files as well, with their guards, their choices and their times of day.
func TestDiffFindsEditsOfTheExamples(t *testing.T) {
	for _, c := range []struct{ folder, old, now string }{
		{"parcel", "order.total * 0.25", "order.total * 0.9"},
		{"parcel", "daily_budget: 900.00", "daily_budget: 1900.00"},
		{"parcel", "on_breach: hold", "on_breach: warn"},
		{"parcel", "on_breach: next", "on_breach: warn"},
		{"parcel", "transit_days * 0.40", "transit_days * 4.0"},
		{"split", "per: location", ""},
		{"split", "0.20 : 0.08", "2.0 : 0.08"},
		{"split", "0.20 : 0.08", "0.20 : 0.8"},
		{"split", "max_dropoff: 2h", "max_dropoff: 3h"},
		{"split", "roadie: 15, rank: 85", "roadie: 25, rank: 75"},
		{"split", "location.subsidy_budget", "location.subsidy_budget * 2.0"},
		{"restaurant", "tip: 10%", "tip: 100%"},
		{"restaurant", "dropoff_in) * 0.12", "dropoff_in) * 1.2"},
		{"restaurant", "pickup_late) * 0.50", "pickup_late) * 5.0"},
		{"restaurant", "charge: 1.99", "charge: order.total * 0.5"},
		{"restaurant", "max_fee: 11.00", "max_fee: 12.00"},
		{"restaurant", "uber_direct: 10, rank: 90", "uber_direct: 11, rank: 89"},
		{"restaurant", "retry: 4", "retry: 400"},
		{"restaurant", "    per: location\n", ""},
	} {
		load := func(old, now string) *rules.Bundle {
			files, err := rules.ReadDir(os.DirFS("../examples/rules/" + c.folder))
			if err != nil {
				t.Fatal(err)
			}
			for i := range files {
				files[i].Data = []byte(strings.Replace(string(files[i].Data), old, now, 1))
			}
			b, err := rules.Load(files, rules.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		changes := rules.Diff(t.Context(), load("", ""), load(c.old, c.now))
		if len(changes) == 0 {
			t.Errorf("%s: %q is not there", c.folder, c.old)
		}
		for _, x := range changes {
			if x.Otherwise == nil || x.NotFound != "" {
				t.Errorf("%s, %q to %q: %+v", c.folder, c.old, c.now, x)
			}
		}
	}
}
