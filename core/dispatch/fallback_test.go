package dispatch_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tally"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func fallbackRules(extra string) string {
	return "rules: 1\nname: careful\ncurrency: USD\nfallback:\n  - name: Careful\n    on: [ booking_failed, cancelled_by_carrier, no_driver ]\n" + extra
}

func refuses(f *fakeCarrier, no bool) {
	f.set(func(f *fakeCarrier) {
		if f.onBook = nil; no {
			f.onBook = func(carrier.BookRequest) (bool, error) { return false, refusal(carrier.CarrierUnavailable) }
		}
	})
}

// fallbackTx puts the job that tells the fallback rules of an event after the last attempt of an order.
func (e *engine) fallbackTx(sh *shipment.Shipment, event string) *store.Tx {
	e.t.Helper()
	payload, err := json.Marshal(dispatch.FallbackEvent{Event: event, Attempt: len(sh.Attempts)})
	if err != nil {
		e.t.Fatal(err)
	}
	return &store.Tx{Shipments: []*shipment.Shipment{sh}, Now: e.clock.Now(),
		PutJobs: []store.Job{{ID: string(sh.ID) + "/fallback", Tenant: sh.Tenant, Kind: dispatch.JobFallback, Key: string(sh.ID), Due: e.clock.Now(), Payload: payload}}}
}

// tellFallback tells the fallback rules of an event that has been written down already, or that changes nothing by itself.
func (e *engine) tellFallback(id, event string) {
	e.t.Helper()
	sh := e.get(id)
	if err := e.store.Commit(context.Background(), sh.Tenant, e.fallbackTx(sh, event)); err != nil {
		e.t.Fatal(err)
	}
}

// happens tells the engine what has happened to the last attempt of an order, as whoever learns of it does.
func (e *engine) happens(id, event string) {
	e.t.Helper()
	sh := e.get(id)
	a := &sh.Attempts[len(sh.Attempts)-1]
	tx := e.fallbackTx(sh, event)
	if event == "cancelled_by_carrier" {
		a.State, a.EndedAt = shipment.Ended, e.clock.Now()
		f := e.carriers[a.Account]
		f.set(func(f *fakeCarrier) { f.bookings[a.Reference][0].Cancelled = true })
		tx.Counts = tally.GivenUp(a)
		tx.Changes = []store.Change{{Shipment: sh.ID, Change: sh.Move(shipping.ErrorException, e.clock.Now(), a.Provider, shipment.WithAttempt(a.Number))}}
	}
	if err := e.store.Commit(context.Background(), sh.Tenant, tx); err != nil {
		e.t.Fatal(err)
	}
	e.pass(time.Minute)
}

// TestAFallbackWaitsAndBeginsAnew: everybody refuses, the rules wait, and then the best is asked again.
func TestAFallbackWaitsAndBeginsAnew(t *testing.T) {
	cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
	e := newEngine(t, cheap, dear)
	e.bundle = rulesOf(t, fallbackRules("    steps: [ next_ranked, { hold_for: 30m } ]\n    limit: { attempts: 4, within: 6h }\n"))
	refuses(cheap, true)
	refuses(dear, true)
	if res, err := e.create("o"); err != nil || res.Shipment.Status != shipping.PendingAutoRetry {
		t.Fatalf("%+v, %v", res.Shipment, err)
	}
	if sh := e.get("o"); len(sh.Attempts) != 2 || sh.Fallback == nil || sh.Fallback.Tried != 2 || sh.Rules != e.bundle.Hash() || !sh.RetryAt.Equal(sh.UpdatedAt.Add(30*time.Minute)) {
		t.Errorf("%d attempts, %+v, stays on %q, again at %v", len(sh.Attempts), sh.Fallback, sh.Rules, sh.RetryAt)
	}
	e.pass(29 * time.Minute)
	e.wantLive("o", "")
	refuses(cheap, false)
	e.pass(2 * time.Minute)
	e.wantLive("o", "cheap")
	if sh := e.get("o"); sh.Failure != nil || sh.Status != shipping.OrderDispatched {
		t.Errorf("%s, %+v", sh.Status, sh.Failure)
	}
	e.wantNoJobs()
}

// TestAFallbackKeepsItsLimits: attempts over all rounds, and the time since the first.
func TestAFallbackKeepsItsLimits(t *testing.T) {
	for name, c := range map[string]struct {
		limit    string
		attempts int
	}{
		"attempts":              {"attempts: 3", 3},
		"time":                  {"within: 45m", 4},
		"less time than a wait": {"within: 20m", 2},
	} {
		t.Run(name, func(t *testing.T) {
			cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
			e := newEngine(t, cheap, dear)
			e.bundle = rulesOf(t, fallbackRules("    steps: [ next_ranked, { hold_for: 30m }, next_ranked, { hold_for: 30m }, next_ranked ]\n    limit: { "+c.limit+" }\n"))
			refuses(cheap, true)
			refuses(dear, true)
			_, err := e.create("o")
			e.pass(3 * time.Hour)
			if sh := e.get("o"); len(sh.Attempts) != c.attempts || sh.Status != shipping.OrderFailed || sh.Fallback != nil {
				t.Errorf("%d attempts, want %d; %s, %+v, %v", len(sh.Attempts), c.attempts, sh.Status, sh.Fallback, err)
			}
			e.wantNoJobs()
		})
	}
}

// TestRetriesStayOnTheirRules: what is decided later goes by the rules that decided first, unless the fallback says latest.
func TestRetriesStayOnTheirRules(t *testing.T) {
	for use, want := range map[string]string{"pinned": "cheap", "latest": "dear"} {
		t.Run(use, func(t *testing.T) {
			cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
			old := rulesOf(t, fallbackRules("    steps: [ { hold_for: 30m } ]\n    use: "+use+"\n"))
			e := newEngine(t, cheap, dear)
			e.Version = func(_, hash string) *rules.Bundle {
				if hash == old.Hash() {
					return old
				}
				return nil
			}
			e.bundle = old
			refuses(cheap, true)
			if _, err := e.create("o"); err != nil {
				t.Fatal(err)
			}
			refuses(cheap, false)
			e.bundle = rulesOf(t, "rules: 1\nexclude: [ { name: Not cheap, providers: [cheap] } ]\n")
			e.pass(time.Hour)
			e.wantLive("o", want)
		})
	}
	t.Run("nothing available", func(t *testing.T) {
		f := newFake("ups", "UPS", 500)
		f.onQuote = func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
			return carrier.QuoteAnswer{}, refusal(carrier.CarrierUnavailable)
		}
		old := rulesOf(t, "rules: 1\nname: old\nnone: { hold_for: 3m, retry: 2 }\n")
		e := newEngine(t, f)
		e.Version = func(string, string) *rules.Bundle { return old }
		e.bundle = old
		if _, err := e.create("o"); err != nil {
			t.Fatal(err)
		}
		f.set(func(f *fakeCarrier) { f.onQuote = nil })
		e.bundle = rulesOf(t, "rules: 1\nexclude: [ { name: Nobody, providers: [ups] } ]\n")
		e.pass(10 * time.Minute)
		e.wantLive("o", "ups")
	})
}

// TestRequoteAlwaysAsksAnew before the next is booked.
func TestRequoteAlwaysAsksAnew(t *testing.T) {
	for requote, rounds := range map[string]int{"always": 2, "never": 1} {
		cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
		e := newEngine(t, cheap, dear)
		e.bundle = rulesOf(t, fallbackRules("    steps: [ next_ranked ]\n    requote: "+requote+"\n"))
		refuses(cheap, true)
		e.mustCreate("o")
		e.wantLive("o", "dear")
		if dear.quotes != rounds {
			t.Errorf("requote %s: asked %d times, want %d", requote, dear.quotes, rounds)
		}
	}
}

// TestWhatHappensAfterABooking: a carrier gives the booking up, or its driver does not come; the next by the rules takes the order, and never
// one that has failed.
func TestWhatHappensAfterABooking(t *testing.T) {
	for _, event := range []string{"cancelled_by_carrier", "no_driver"} {
		t.Run(event, func(t *testing.T) {
			cheap, dear, dearest := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900), newFake("dearest", "Dearest", 1200)
			e := newEngine(t, cheap, dear, dearest)
			e.bundle = rulesOf(t, fallbackRules("    steps: [ next_ranked, next_ranked ]\n    limit: { attempts: 3, within: 1h }\n"))
			e.mustCreate("o")
			e.wantLive("o", "cheap")
			e.happens("o", event)
			e.wantLive("o", "dear")
			e.happens("o", event)
			e.wantLive("o", "dearest")
			e.happens("o", event)
			sh := e.get("o")
			if event == "no_driver" {
				e.wantLive("o", "dearest") // it keeps what it has
			} else if e.wantLive("o", ""); sh.Status != shipping.ErrorException {
				t.Errorf("the order is at %s", sh.Status)
			}
			_, history, err := e.History(context.Background(), caller, "o")
			if err != nil || !slices.ContainsFunc(history, func(c shipment.Change) bool { return strings.HasPrefix(c.Note, "FALLBACK_ENDS( Careful: its limit") }) {
				t.Errorf("the history does not say why nothing follows: %+v %v", history, err)
			}
			e.wantNoJobs()
		})
	}
}

// TestNoFallbackForWhatIsOver: a cancelled order stays cancelled, an event that no rule speaks of changes nothing.
func TestNoFallbackForWhatIsOver(t *testing.T) {
	cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
	e := newEngine(t, cheap, dear)
	e.bundle = rulesOf(t, fallbackRules("    steps: [ next_ranked ]\n"))
	e.mustCreate("o")
	e.happens("o", "pickup_late_15m")
	e.wantLive("o", "cheap")
	if _, err := e.Cancel(context.Background(), caller, "o", ""); err != nil {
		t.Fatal(err)
	}
	e.happens("o", "no_driver")
	e.wantLive("o", "")
	e.wantStatusEnd("o", shipping.OrderCancelled)
	e.wantNoJobs()
}

// TestACarriersOwnCancelIsCountedBack in quotas and budgets, and adds to its rate.
func TestACarriersOwnCancelIsCountedBack(t *testing.T) {
	cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
	e := newEngine(t, cheap, dear)
	e.bundle = rulesOf(t, "rules: 1\ncurrency: USD\nproviders: [cheap, dear]\nexclude:\n  - { name: One a day, when: 'option.provider == \"cheap\" and quota(\"cheap\", \"day\").used >= 1' }\n"+
		"adjust:\n  - { name: Cancels often, when: option.cancel_rate_7d > 0.4, add: 10.00 }\n")
	e.mustCreate("a")
	e.happens("a", "cancelled_by_carrier")
	cheap.set(func(f *fakeCarrier) { f.bookings = map[string][]carrier.Booking{} })
	e.mustCreate("b")
	if got := e.used("b"); got[rules.QuotaNeed{Account: "cheap", Period: "day"}] != 0 {
		t.Errorf("the booking that was given up counts still: %v", got)
	}
	e.wantLive("b", "dear") // every booking of cheap so far was given up
	ds, err := e.Decisions(context.Background(), caller, "b")
	if err != nil {
		t.Fatal(err)
	}
	d, err := rules.ParseDecision(ds[0].Record)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range d.Plan.Candidates {
		if c.Account == "cheap" && (c.Rates == nil || c.Rates.Cancelled7d != 1 || c.Rates.OnTime30d != 1) {
			t.Errorf("recorded rates %+v", c.Rates)
		}
		if c.Account == "dear" && c.Rates != nil {
			t.Errorf("dear has done nothing, and has rates %+v", c.Rates)
		}
	}
}

// TestALatePickupIsNoticed by the minutes of the rule, and one in time is left alone.
func TestALatePickupIsNoticed(t *testing.T) {
	for _, late := range []bool{true, false} {
		cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
		e := newEngine(t, cheap, dear)
		at := shipping.At(e.clock.Now().Add(20 * time.Minute))
		cheap.onBooked = func(_ context.Context, b *carrier.Booking) { b.Pickup = shipping.TimeWindow{StartsAt: at} }
		e.bundle = rulesOf(t, "rules: 1\nfallback:\n  - { name: Late, on: [ pickup_late_15m ], steps: [ next_ranked ] }\n")
		e.mustCreate("o")
		e.pass(34 * time.Minute)
		e.wantLive("o", "cheap")
		want := "dear"
		if !late {
			sh := e.get("o")
			line := sh.Move(shipping.PickupCompleted, e.clock.Now(), "Cheap", shipment.WithAttempt(1))
			if err := e.store.Commit(context.Background(), sh.Tenant, &store.Tx{Shipments: []*shipment.Shipment{sh}, Now: e.clock.Now(),
				Changes: []store.Change{{Shipment: sh.ID, Change: line}}}); err != nil {
				t.Fatal(err)
			}
			want = "cheap"
		}
		e.pass(2 * time.Minute)
		e.wantLive("o", want)
		e.wantNoJobs()
	}
}
