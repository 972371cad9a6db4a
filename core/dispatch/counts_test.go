package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

const quotaOfTen = `rules: 1
name: capped
currency: USD
exclude:
  - name: Ten a day
    when: option.provider == "cheap" and quota("cheap", "day").used >= 10
    reason: cap reached
`

// used is the snapshot of quotas in the last decision about an order.
func (e *engine) used(id string) map[rules.QuotaNeed]int {
	e.t.Helper()
	ds, err := e.Decisions(context.Background(), caller, id)
	if err != nil || len(ds) == 0 {
		e.t.Fatalf("decisions of %s: %d, %v", id, len(ds), err)
	}
	d, err := rules.ParseDecision(ds[len(ds)-1].Record)
	if err != nil {
		e.t.Fatal(err)
	}
	out := map[rules.QuotaNeed]int{}
	for _, q := range d.Plan.Input.Quotas {
		out[q.QuotaNeed] = q.Used
	}
	return out
}

// TestAQuotaIsExactWhoeverComesAtOnce: 64 orders against a quota of 10, at one node and at two that share the store.
func TestAQuotaIsExactWhoeverComesAtOnce(t *testing.T) {
	const orders, quota = 64, 10
	for nodes := 1; nodes <= 2; nodes++ {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
			engines := []*engine{newEngine(t, cheap, dear)}
			if nodes == 2 {
				engines = append(engines, engineOn(t, engines[0].store, engines[0].clock, cheap, dear))
			}
			for _, e := range engines {
				e.bundle = rulesOf(t, quotaOfTen)
			}
			var wg sync.WaitGroup
			for i := range orders {
				wg.Go(func() {
					if _, err := engines[i%nodes].create(fmt.Sprint("o", i)); err != nil {
						t.Errorf("order %d: %v", i, err)
					}
				})
			}
			wg.Wait()
			if cheap.live() != quota || dear.live() != orders-quota {
				t.Errorf("%d bookings under a quota of %d, %d elsewhere; want %d", cheap.live(), quota, dear.live(), orders-quota)
			}
			seen := map[int]bool{}
			for i := range orders {
				sh := engines[0].get(fmt.Sprint("o", i))
				n := engines[0].used(fmt.Sprint("o", i))[rules.QuotaNeed{Account: "cheap", Period: "day"}]
				if at := sh.Live(shipment.Forward).Account; (at == "cheap") != (n < quota) {
					t.Errorf("order %d is at %s, and its decision has seen %d bookings", i, at, n)
				} else if at == "cheap" && seen[n] {
					t.Errorf("two orders were decided as booking %d", n)
				}
				seen[n] = true
			}
		})
	}
}

func TestWhatIsNoBookingIsCountedBack(t *testing.T) {
	cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
	e := newEngine(t, cheap, dear)
	e.bundle = rulesOf(t, quotaOfTen+"  - name: Month\n    when: quota(\"cheap\", \"month\").used > 100 or quota(\"cheap\", \"day\", \"location\").used > 100\n    providers: [dear]\n    reason: none\n")
	probe := 0
	want := func(what string, n int) {
		t.Helper()
		probe++
		cheap.set(func(f *fakeCarrier) {
			f.onBook = func(carrier.BookRequest) (bool, error) { return false, refusal(carrier.CarrierRejected) }
		})
		defer cheap.set(func(f *fakeCarrier) { f.onBook = nil })
		id := fmt.Sprint("probe", probe)
		e.mustCreate(id) // refused by cheap, booked at dear: leaves the counts as they are
		for need, used := range e.used(id) {
			if used != n {
				t.Errorf("%s: %+v has seen %d, want %d", what, need, used, n)
			}
		}
		if got := len(e.used(id)); got != 3 {
			t.Errorf("%s: %d quotas in the record, want 3", what, got)
		}
	}
	want("at first", 0)
	e.mustCreate("kept")
	want("after a booking", 1)
	want("after a refusal", 1)
	e.mustCreate("gone")
	if _, err := e.Cancel(context.Background(), caller, "gone", ""); err != nil {
		t.Fatal(err)
	}
	want("after a cancellation", 1)
	cheap.set(func(f *fakeCarrier) { f.onBook = func(carrier.BookRequest) (bool, error) { return false, lost() } })
	e.mustCreate("doubt")
	cheap.set(func(f *fakeCarrier) { f.onBook = nil })
	dear.set(func(f *fakeCarrier) { f.fee = 100 }) // the next round goes there
	e.pass(time.Hour)
	e.wantStatusEnd("doubt", shipping.OrderDispatched)
	dear.set(func(f *fakeCarrier) { f.fee = 900 })
	want("after a proven absence", 1)
	e.clock.Advance(24 * time.Hour)
	e.mustCreate("tomorrow")
	if got := e.used("tomorrow"); got[rules.QuotaNeed{Account: "cheap", Period: "day"}] != 0 || got[rules.QuotaNeed{Account: "cheap", Period: "month"}] != 1 {
		t.Errorf("the next day has seen %v", got)
	}
}

func (e *engine) wantStatusEnd(id string, want shipping.Status) {
	e.t.Helper()
	if got := e.get(id).Status; got != want {
		e.t.Errorf("order %s is at %s, want %s", id, got, want)
	}
}

func TestADailyBudgetIsSpentOnce(t *testing.T) {
	const text = "rules: 1\nname: budget\ncurrency: USD\nguard:\n  - name: Courier budget\n    applies: option.provider == \"cheap\"\n    daily_budget: \"20.00\"\n    on_breach: next\n"
	cheap, dear := newFake("cheap", "Cheap", 600), newFake("dear", "Dear", 900)
	e := newEngine(t, cheap, dear)
	e.bundle = rulesOf(t, text)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := e.create(fmt.Sprint("o", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if cheap.live() != 3 {
		t.Errorf("%d bookings of 6.00 under a budget of 20.00, want 3", cheap.live())
	}
	for i := range 20 {
		if id := fmt.Sprint("o", i); e.get(id).Live(shipment.Forward).Account == "cheap" {
			if _, err := e.Cancel(context.Background(), caller, id, ""); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if a := e.mustCreate("again").Live(shipment.Forward); a.Account != "cheap" || len(a.Counted.Spends) != 1 {
		t.Errorf("a cancelled booking has not given its part back: at %s, counted %+v", a.Account, a.Counted)
	}
	if a := e.mustCreate("over").Live(shipment.Forward); a.Account != "dear" {
		t.Errorf("the budget was overspent at %s", a.Account)
	}
}

// TestAFallbackLooksAtTheCountsOfItsMoment: between the decision and the second booking, others have used the quota up.
func TestAFallbackLooksAtTheCountsOfItsMoment(t *testing.T) {
	first, cheap, dear := newFake("first", "First", 100), newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
	e := newEngine(t, first, cheap, dear)
	e.bundle = rulesOf(t, quotaOfTen)
	full := false
	first.onBook = func(carrier.BookRequest) (bool, error) {
		if !full {
			full = true
			day := e.clock.Now().Add(-5 * time.Hour).Format(time.DateOnly) // New York
			tx := &store.Tx{Counts: []store.Count{{CountKey: store.CountKey{Name: "quota/cheap", Period: day}, Add: 10}}}
			if err := e.store.Commit(context.Background(), "demo", tx); err != nil {
				t.Error(err)
			}
		}
		return false, refusal(carrier.CarrierRejected)
	}
	if a := e.mustCreate("o").Live(shipment.Forward); a.Account != "dear" {
		t.Errorf("booked at %s, beyond the quota", a.Account)
	}
}

func TestRulesThatCannotBeUsedStoreNothing(t *testing.T) {
	e := newEngine(t, newFake("cheap", "Cheap", 500))
	e.bundle = nil
	for what, err := range map[string]error{
		"create": second(e.create("o")), "rates": second(e.Rates(context.Background(), caller, order("o"))),
	} {
		if x, ok := errors.AsType[*usecase.Error](err); !ok || x.Type != usecase.InternalServerError || x.Shipment != "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	e.bundle = rules.Default()
	e.mustCreate("o")
}

func second[T any](_ T, err error) error { return err }

// TestZonesAreLookedUpAndNotRecorded: the rules know the zone, and the record holds its name and no coordinates.
func TestZonesAreLookedUpAndNotRecorded(t *testing.T) {
	e := newEngine(t, newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900))
	e.bundle = rulesOf(t, "rules: 1\nname: z\nzones:\n  south_end: { center: \"42.3346944,-71.071818\", radius: 500 m }\n  far: { center: \"40.1,-70.1\", radius: 1 km }\n"+
		"exclude:\n  - { name: Not here, when: 'within(order.to, \"south_end\") and not within(order.from, \"far\")', providers: [cheap], reason: zone }\n")
	if a := e.mustCreate("o").Live(shipment.Forward); a.Account != "dear" {
		t.Errorf("booked at %s, which the zone excludes", a.Account)
	}
	ds, err := e.Decisions(context.Background(), caller, "o")
	if err != nil {
		t.Fatal(err)
	}
	if record := string(ds[0].Record); !strings.Contains(record, `"zones":["south_end@`) || strings.Contains(record, "71.07") {
		t.Errorf("the record holds %s", record)
	}
}
