package rules_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// history writes what an engine exports of orders that it decided one after the other.
type history struct {
	t      *testing.T
	rules  *rules.Bundle
	lines  []string
	rounds map[string]int
	now    time.Time
	used   int            // of DoorDash's quotas, in every decision from here on
	spent  shipping.Money // of the budget of the guard Budget
}

func newHistory(t *testing.T, b *rules.Bundle) *history {
	return &history{t: t, rules: b, rounds: map[string]int{}, now: friday, spent: usd(0)}
}

// decide adds a round of an order, a minute after the one before.
func (h *history) decide(order string, change ...func(*rules.InputSource)) rules.Decision {
	h.t.Helper()
	src := source()
	src.ExternalID, src.Now, src.PlacedAt = order, h.now, h.now
	src.Location.ID = "shop"
	h.now = h.now.Add(time.Minute)
	for _, c := range change {
		c(&src)
	}
	for _, n := range h.rules.Needs().Quotas {
		src.Quotas = append(src.Quotas, rules.Quota{QuotaNeed: n, Used: h.used})
	}
	for _, n := range h.rules.Needs().Budgets {
		src.Budgets = append(src.Budgets, rules.Budget{BudgetNeed: n, Spent: h.spent})
	}
	plan := h.rules.Prepare(input(h.t, src), candidates())
	var made []rules.Offer
	for _, o := range offers() {
		if slices.ContainsFunc(plan.Ask, func(a rules.Ask) bool {
			return a.Account == o.Account && (a.Services == nil || slices.Contains(a.Services, o.Quote.ServiceID))
		}) {
			made = append(made, o)
		}
	}
	d := h.rules.Decide(plan, made)
	h.rounds[order]++
	h.lines = append(h.lines, fmt.Sprintf(`{"id":"id of %s","round":%d,"at":%q,"record":%s}`, order, h.rounds[order], src.Now.Format(time.RFC3339Nano), encode(h.t, d)))
	return d
}

// backtest replays the export, the newest order first.
func (h *history) backtest(b *rules.Bundle) *rules.Backtest {
	h.t.Helper()
	newest := slices.Clone(h.lines)
	slices.Reverse(newest)
	return backtest(h.t, b, []byte(strings.Join(newest, "\n")), 2)
}

func wins(r *rules.Backtest) string {
	var list []string
	for _, account := range slices.Sorted(maps.Keys(r.New.Providers)) {
		list = append(list, fmt.Sprintf("%s %d", account, r.New.Providers[account]))
	}
	return strings.Join(list, ", ")
}

// TestAnOrderCountsOnce, by what its last round has come to, however many there were.
func TestAnOrderCountsOnce(t *testing.T) {
	held := mustLoaded(t, replayed+"hold:\n  - { name: A, until: released }\n  - { name: B, until: released }\n")
	h := newHistory(t, held)
	for _, released := range [][]string{nil, {"A"}, nil, {"A"}, {"A", "B"}} {
		h.decide("released", func(s *rules.InputSource) { s.Released = released })
	}
	h.rules = mustLoaded(t, replayed)
	first := h.decide("edited").Winner
	last := h.decide("edited", func(s *rules.InputSource) { s.Failed = []string{first.Account} }).Winner
	h.rules = held
	r := h.backtest(held)
	if r.Orders != 2 || r.Rounds != 7 || r.Old.Held != 0 || r.Compared+r.New.Held != 2 || len(r.Samples) != r.Changed {
		t.Errorf("%+v", r)
	}
	h.rules = mustLoaded(t, replayed)
	r = h.backtest(h.rules)
	want := map[string]int{last.Account: 2}
	if r.Orders != 2 || r.Changed != 0 || r.Unknown != 0 || r.Cost["USD"] != (rules.CostPair{Orders: 2, Old: 2 * last.Fee.Minor, New: 2 * last.Fee.Minor}) || !maps.Equal(r.Old.Providers, want) {
		t.Errorf("%+v, want two orders by %+v", r, want)
	}

	h.decide("edited", func(s *rules.InputSource) { s.IsReturn = true })
	if r = h.backtest(h.rules); r.Orders != 3 || r.Compared != 3 {
		t.Errorf("the way back is a booking of its own: %+v", r)
	}
	var bare bytes.Buffer
	for _, line := range h.lines[5:7] { // without the export's words, and with the line ends of another system
		_, record, _ := strings.Cut(line, `"record":`)
		bare.WriteString(strings.TrimSuffix(record, "}") + "\r\n\r\n")
	}
	if r = backtest(t, h.rules, bare.Bytes(), 1); r.Orders != 1 || r.Rounds != 2 || r.Changed != 0 {
		t.Errorf("records alone: %+v", r)
	}
}

const (
	allByUPS   = "choose:\n  - { name: UPS, prefer: [ups] }\n"
	byDoorDash = "choose:\n  - { name: DoorDash, prefer: [doordash, ups] }\n"
)

// counting are rules that read a count of DoorDash's and heed it from the bound on.
func counting(t *testing.T, more, quota string, bound int) *rules.Bundle {
	return mustLoaded(t, replayed+fmt.Sprintf("%sexclude:\n  - { name: Cap, when: 'quota(%s).used >= %d', providers: [doordash], reason: cap }\n", more, quota, bound))
}

// TestBacktestHeedsItsOwnCap: what the new rules book counts for the orders after it, on that day and at that place.
func TestBacktestHeedsItsOwnCap(t *testing.T) {
	day := func(s *rules.InputSource) { s.Now = s.Now.AddDate(0, 0, 1) }
	elsewhere := func(s *rules.InputSource) { s.Location.ID = "elsewhere" }
	const perDay, perPlace, perMonth = `"doordash", "day"`, `"doordash", "day", "location"`, `"doordash", "month"`
	for name, c := range map[string]struct {
		quota string
		other func(*rules.InputSource)
		want  string
	}{
		"one day":        {perDay, nil, "doordash 2, ups 28"},
		"two days":       {perDay, day, "doordash 4, ups 26"},
		"two in a month": {perMonth, day, "doordash 2, ups 28"},
		"two places":     {perPlace, elsewhere, "doordash 4, ups 26"},
		"all places":     {perDay, elsewhere, "doordash 2, ups 28"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, counting(t, allByUPS, c.quota, 1000))
			h.used = 8
			for i := range 30 {
				var change []func(*rules.InputSource)
				if c.other != nil && i%2 == 1 {
					change = append(change, c.other)
				}
				if d := h.decide(fmt.Sprint(i), change...); d.Winner.Account != "ups" {
					t.Fatalf("%+v", d.Winner)
				}
			}
			if r := h.backtest(counting(t, byDoorDash, c.quota, 10)); wins(r) != c.want || r.Unknown != 0 {
				t.Errorf("%s, %d unknown, want %s", wins(r), r.Unknown, c.want)
			}
		})
	}
}

// TestBacktestGivesBackWhatNewRulesDoNotBook, and what an order's earlier round counted as.
func TestBacktestGivesBackWhatNewRulesDoNotBook(t *testing.T) {
	h := newHistory(t, counting(t, byDoorDash, `"doordash", "day"`, 1000))
	for i := range 6 {
		h.used = i
		h.decide(fmt.Sprint(i))
	}
	dear := mustLoaded(t, replayed+byDoorDash+"exclude:\n  - { name: First, when: 'order.id in [\"0\", \"1\"]', providers: [doordash], reason: first }\n"+
		"  - { name: Cap, when: 'quota(\"doordash\", \"day\").used >= 3', providers: [doordash], reason: cap }\n")
	if r := h.backtest(dear); wins(r) != "doordash 3, ups 3" { // 2, 3 and 4 go by DoorDash, as 0 and 1 do not
		t.Error(wins(r))
	}

	h = newHistory(t, counting(t, allByUPS, `"doordash", "day"`, 1000))
	for range 5 {
		h.decide("edited again and again")
	}
	h.decide("another")
	if r := h.backtest(counting(t, byDoorDash, `"doordash", "day"`, 2)); wins(r) != "doordash 2" {
		t.Error(wins(r))
	}
}

// TestBacktestHeedsItsOwnBudget for a day: what other bookings than those of then have spent.
func TestBacktestHeedsItsOwnBudget(t *testing.T) {
	guarded := func(choose string, bound int64) *rules.Bundle {
		return mustLoaded(t, replayed+choose+fmt.Sprintf("guard:\n  - { name: Budget, daily_budget: %s, on_breach: hold }\n", usd(bound).Major()))
	}
	ups := newHistory(t, mustLoaded(t, replayed+allByUPS)).decide("").Winner.Fee.Minor
	h := newHistory(t, guarded(byDoorDash, 100_000))
	for i := range 5 {
		h.spent.Minor += h.decide(fmt.Sprint(i)).Winner.Fee.Minor
	}
	if r := h.backtest(guarded(byDoorDash, h.spent.Minor)); r.Changed != 0 {
		t.Errorf("enough is not enough: %+v", r.New)
	}
	if r := h.backtest(guarded(allByUPS, 3*ups)); wins(r) != "ups 3" || r.New.Held != 2 || r.Unknown != 0 {
		t.Errorf("%s, %d held, %d unknown", wins(r), r.New.Held, r.Unknown)
	}
}

// TestACountAfterAnUnknownOrderIsUnknown where it matters, and only there.
func TestACountAfterAnUnknownOrderIsUnknown(t *testing.T) {
	quota := `"doordash", "day"`
	h := newHistory(t, counting(t, allByUPS, quota, 1000))
	h.decide("0")
	h.rules = mustLoaded(t, replayed+allByUPS+"exclude:\n  - { name: None, providers: [doordash], reason: off, when: 'quota("+quota+").used >= 0' }\n")
	h.decide("nobody asked DoorDash")
	h.rules = counting(t, allByUPS, quota, 1000)
	for i := range 4 {
		h.decide(fmt.Sprint(1 + i))
	}
	r := h.backtest(counting(t, byDoorDash, quota, 3))
	// 0 and 1 go by DoorDash for certain, 2 does if the unknown one does not; then 2 or the unknown one has taken the last place.
	if wins(r) != "doordash 2" || r.Unknown != 4 {
		t.Errorf("%s, %d unknown: %v", wins(r), r.Unknown, r.Unknowns)
	}
	want := []rules.Cause{{What: "quota of doordash per day, after orders with an unknown part", Orders: 3}, {What: "quote of doordash/delivery", Orders: 1}}
	if diff := cmp.Diff(want, r.Unknowns); diff != "" {
		t.Error(diff)
	}
	if r := h.backtest(counting(t, byDoorDash, quota, 100)); wins(r) != "doordash 5" || r.Unknown != 1 {
		t.Errorf("with room for all: %s, %d unknown: %v", wins(r), r.Unknown, r.Unknowns)
	}
}

// FuzzBacktest reads anything as an export: what reads is a report, in which no order counts twice.
func FuzzBacktest(f *testing.F) {
	const record = `{"schema":2,"rules":"h","plan":{"input":{"order":{"id":"a","total":{"minor":100,"currency":"USD"}},"local":{"date":"2026-03-08"},` +
		`"quotas":[{"account":"doordash","period":"day","used":1}],"budgets":[{"guard":"Budget","spent":{"minor":1,"currency":"USD"}}]},` +
		`"candidates":[{"account":"doordash"}],"ask":[{"account":"doordash"}]},"options":[{"account":"doordash","service":"s","quote":{},"fee":{"minor":975,"currency":"USD"},"rank":1}],` +
		`"winner":{"account":"doordash","service":"s","fee":{"minor":975,"currency":"USD"}}}`
	f.Add([]byte(record + "\n" + record))
	f.Add([]byte(`{"id":"1","round":1,"at":"2026-03-08T10:00:00Z","record":` + record + "}\r\n" + `{"id":"1","round":2,"at":"2026-03-07T10:00:00Z","record":` + record + "}"))
	f.Add([]byte(`{"id":1,"round":"x","at":7,"record":` + record + `}`))
	f.Add([]byte("\n{\"schema\":9}\nnull\n"))
	b, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte(replayed +
		"exclude:\n  - { name: Cap, when: 'quota(\"doordash\", \"month\").used + quota(\"doordash\", \"day\").used >= 2', providers: [doordash], reason: cap }\n" +
		"guard:\n  - { name: Budget, daily_budget: 10.00, on_breach: hold }\n")}}, rules.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, lines []byte) {
		one, err := rules.RunBacktest(b, bytes.NewReader(lines), rules.BacktestOptions{Workers: 1})
		if err != nil {
			return
		}
		if _, err := json.Marshal(one); err != nil {
			t.Errorf("%+v: %v", one, err)
		}
		if one.Orders > one.Rounds || one.Changed+one.Unknown > one.Orders || one.Compared > one.Orders-one.Unknown {
			t.Errorf("%+v", one)
		}
	})
}

// TestBacktestTellsCountsApartWithoutALocation: what all locations count together is another count also where an order has none.
func TestBacktestTellsCountsApartWithoutALocation(t *testing.T) {
	both := func(choose string, bound int) *rules.Bundle {
		return mustLoaded(t, replayed+choose+fmt.Sprintf("exclude:\n  - { name: Cap, when: 'quota(\"doordash\", \"day\").used >= %[1]d or quota(\"doordash\", \"day\", \"location\").used >= %[1]d', providers: [doordash], reason: cap }\n", bound))
	}
	h := newHistory(t, both(allByUPS, 1000))
	for i := range 10 {
		h.decide(fmt.Sprint(i), func(s *rules.InputSource) { s.Location.ID = "" })
	}
	if r := h.backtest(both(byDoorDash, 4)); wins(r) != "doordash 4, ups 6" || r.Unknown != 0 {
		t.Errorf("%s, %d unknown", wins(r), r.Unknown)
	}
}
