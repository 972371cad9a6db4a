package dispatch_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// keepers are three carriers, cheapest first, behind a fallback that asks nobody anew.
func keepers(t *testing.T, steps string) (*engine, []*fakeCarrier) {
	fs := []*fakeCarrier{newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900), newFake("dearest", "Dearest", 1200)}
	e := newEngine(t, fs...)
	e.bundle = rulesOf(t, fallbackRules("    steps: "+steps+"\n    requote: never\n"))
	e.Version = func(string, string) *rules.Bundle { return e.bundle }
	return e, fs
}

// givesUp has the carrier of the live booking cancel it by itself, as tracking tells of that.
func (e *engine) givesUp(id string) {
	e.t.Helper()
	sh := e.get(id)
	a := sh.Live(shipment.Forward)
	if a == nil {
		e.t.Fatalf("%s is not booked: %s", id, sh.Status)
	}
	f := e.carriers[a.Account]
	f.set(func(f *fakeCarrier) { f.bookings[a.Reference][0].Cancelled = true })
	if err := e.hear(id, shipment.Heard{Status: shipping.OrderCancelled, User: a.Provider}); err != nil {
		e.t.Fatal(err)
	}
	e.tellFallback(id, "cancelled_by_carrier")
}

// wantAsked checks how often each carrier was asked for an offer.
func wantAsked(t *testing.T, want int, fs ...*fakeCarrier) {
	t.Helper()
	for _, f := range fs {
		if f.quotes != want {
			t.Errorf("%s was asked %d times, want %d", f.manifest.Name, f.quotes, want)
		}
	}
}

// lastDecision is the record of the order's latest round.
func (e *engine) lastDecision(id string) rules.Decision {
	e.t.Helper()
	ds, err := e.Decisions(context.Background(), caller, id)
	if err != nil || len(ds) == 0 {
		e.t.Fatalf("decisions: %d, %v", len(ds), err)
	}
	d, err := rules.ParseDecision(ds[len(ds)-1].Record)
	if err != nil {
		e.t.Fatal(err)
	}
	again, err := rules.Recompute(e.bundle, d)
	if err != nil {
		e.t.Fatal(err)
	}
	if got, err := again.JSON(); err != nil || !bytes.Equal(got, ds[len(ds)-1].Record) {
		e.t.Errorf("the record computes again to\n%s (%v), not\n%s", got, err, ds[len(ds)-1].Record)
	}
	return d
}

// TestRequoteNeverBooksTheOffersThatAreKept, one after the other, whatever has happened to the booking, and by an engine that was started since.
func TestRequoteNeverBooksTheOffersThatAreKept(t *testing.T) {
	for _, event := range []string{"cancelled_by_carrier", "no_driver"} {
		t.Run(event, func(t *testing.T) {
			e, fs := keepers(t, "[ next_ranked, next_ranked ]")
			e.mustCreate("o")
			for _, next := range []string{"dear", "dearest"} {
				if event == "no_driver" {
					e.tellFallback("o", event)
				} else {
					e.givesUp("o")
				}
				version := e.Version
				e = e.crash()
				e.Version = version
				e.pass(10 * time.Minute)
				e.wantLive("o", next)
				booked := e.carriers[next].booked
				if r := booked[len(booked)-1]; string(r.Token) != r.Reference || r.Quoted.Minor != e.carriers[next].fee {
					t.Errorf("%s was asked to book %s for %v by the offer %q", next, r.Reference, r.Quoted, r.Token)
				}
				if d := e.lastDecision("o"); d.Winner == nil || d.Winner.Account != next || len(d.Refused) == 0 || d.Refused[0].Code != "NOT_ASKED" {
					t.Errorf("the record says %+v of %+v", d.Winner, d.Refused)
				}
			}
			wantAsked(t, 1, fs...)
			if got := e.notes("o", "OFFERS_KEPT"); len(got) != 2 || got[0] != "OFFERS_KEPT( those of 2026-03-02T15:00:00Z, nobody was asked anew )" {
				t.Errorf("history %v", got)
			}
			if err := e.hear("o", shipment.Heard{Status: shipping.PickupCompleted, User: "Dearest"}); err != nil {
				t.Fatal(err)
			}
			if sh := e.get("o"); sh.Offers != nil {
				t.Errorf("picked up, the order still keeps %+v", sh.Offers)
			}
			e.pass(time.Hour)
			e.wantNoJobs()
		})
	}
}

// expires has a carrier's offers end so long after they are made: by the carrier's word, or as the pickup that they promise is over then.
func expires(f *fakeCarrier, e *engine, after time.Duration, byPickup bool) {
	f.onQuote = func(r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
		q := shipping.Quote{ServiceID: "delivery", Mode: "courier", Amount: shipping.Money{Minor: f.fee, Currency: "USD"}, Token: []byte(r.Reference)}
		if at := shipping.At(e.clock.Now().Add(after)); byPickup {
			q.Pickup = shipping.TimeWindow{StartsAt: at}
		} else {
			q.Expires = at
		}
		return carrier.QuoteAnswer{Quotes: []shipping.Quote{q}}, nil
	}
}

// TestKeptOffersAreBookedOnlyWhileTheyHold, and one that does not is passed over with the reason.
func TestKeptOffersAreBookedOnlyWhileTheyHold(t *testing.T) {
	for name, c := range map[string]struct {
		byPickup bool
		after    time.Duration
		want     string
	}{
		"in time":                   {false, 4 * time.Minute, "dear"},
		"expired":                   {false, 5 * time.Minute, "dearest"},
		"before the pickup":         {true, 4 * time.Minute, "dear"},
		"its pickup is in the past": {true, 6 * time.Minute, "dearest"},
	} {
		t.Run(name, func(t *testing.T) {
			e, fs := keepers(t, "[ next_ranked ]")
			expires(fs[1], e, 5*time.Minute, c.byPickup)
			e.mustCreate("o")
			e.pass(c.after)
			e.givesUp("o")
			e.pass(0)
			e.wantLive("o", c.want)
			wantAsked(t, 1, fs...)
			said := slices.ContainsFunc(e.lastDecision("o").Refused, func(r rules.Refused) bool {
				return r.Account == "dear" && r.Code == string(carrier.QuoteExpired) && strings.Contains(r.Message, "expired")
			})
			if said != (c.want == "dearest") {
				t.Errorf("the record says of the others %+v", e.lastDecision("o").Refused)
			}
		})
	}
}

// TestNothingIsGivenUpForOffersThatHaveExpired: a booking stays where nobody else can be booked. Where the rule waits and asks all then, it does.
func TestNothingIsGivenUpForOffersThatHaveExpired(t *testing.T) {
	for steps, want := range map[string]string{"[ next_ranked ]": "cheap", "[ next_ranked, { hold_for: 30m }, next_ranked ]": "dear"} {
		t.Run(want, func(t *testing.T) {
			e, fs := keepers(t, steps)
			for _, f := range fs[1:] {
				expires(f, e, time.Minute, false)
			}
			e.mustCreate("o")
			e.pass(2 * time.Minute)
			e.tellFallback("o", "no_driver")
			refuses(fs[0], want == "dear") // so that another is taken after the wait
			e.pass(20 * time.Minute)
			if want == "cheap" {
				e.wantLive("o", want)
				wantAsked(t, 1, fs...)
				if got := e.notes("o", "FALLBACK_ENDS"); len(got) != 1 || !strings.Contains(got[0], "asks nobody anew") {
					t.Errorf("history %v", got)
				}
				return
			}
			if sh := e.get("o"); sh.Status != shipping.PendingAutoRetry || sh.Offers != nil {
				t.Errorf("the order is at %s and keeps %+v", sh.Status, sh.Offers)
			}
			wantAsked(t, 1, fs...)
			e.pass(20 * time.Minute)
			e.wantLive("o", want)
			wantAsked(t, 2, fs...)
		})
	}
}

// TestKeptOffersAreOfTheOrderAsItWas: of one that was changed since, all are asked anew.
func TestKeptOffersAreOfTheOrderAsItWas(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*shipment.Order)
		asked  int
	}{
		"instructions": {func(o *shipment.Order) { text := "ring twice"; o.DeliveryInstructions = &text }, 2},
		"group":        {func(o *shipment.Order) { text := "g"; o.GroupID = &text }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			e, fs := keepers(t, "[ next_ranked ]")
			e.mustCreate("o")
			if _, err := e.Edit(context.Background(), caller, "o", func(o shipment.Order) (shipment.Order, error) { c.change(&o); return o, nil }); err != nil {
				t.Fatal(err)
			}
			e.givesUp("o")
			e.pass(time.Minute)
			e.wantLive("o", "dear")
			wantAsked(t, c.asked, fs...)
		})
	}
}

// TestOffersAreKeptInBounds, and only where a rule may book them: what is too large is not kept, and passed over.
func TestOffersAreKeptInBounds(t *testing.T) {
	e, fs := keepers(t, "[ next_ranked ]")
	expires(fs[1], e, time.Hour, false)
	small := fs[1].onQuote
	fs[1].onQuote = func(r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
		a, err := small(r)
		a.Quotes[0].Token = bytes.Repeat([]byte("x"), 64<<10)
		return a, err
	}
	e.mustCreate("o")
	if kept := e.get("o").Offers; kept == nil || len(kept.Kept) != 1 || kept.Kept[0].Account != "dearest" {
		t.Fatalf("kept %+v", kept)
	}
	e.givesUp("o")
	e.pass(time.Minute)
	e.wantLive("o", "dearest")
	wantAsked(t, 1, fs...)

	e, fs = keepers(t, "[ next_ranked ]")
	e.bundle = rulesOf(t, fallbackRules("    steps: [ next_ranked ]\n"))
	e.mustCreate("o")
	if kept := e.get("o").Offers; kept != nil {
		t.Errorf("no rule books them, and %+v are kept", kept)
	}
	e.givesUp("o")
	e.pass(time.Minute)
	e.wantLive("o", "dear")
	wantAsked(t, 2, fs...)
}

// TestAnOfferIsTakenOnce: the first refuses, and of the second it is found only after a doubt that it has not booked; the third is booked by the
// offer that is kept, and nobody under a reference that was tried.
func TestAnOfferIsTakenOnce(t *testing.T) {
	e, fs := keepers(t, "[ next_ranked, next_ranked ]")
	refuses(fs[0], true)
	fs[1].onBook = func(carrier.BookRequest) (bool, error) { return false, lost() }
	e.mustCreate("o")
	e.pass(time.Hour)
	e.wantLive("o", "dearest")
	wantAsked(t, 1, fs...)
	if sh := e.get("o"); len(sh.Attempts) != 3 || sh.Attempts[1].State != shipment.Absent {
		t.Errorf("attempts %+v", sh.Attempts)
	}
	if got := e.lastDecision("o").Refused; len(got) != 2 || !strings.Contains(got[1].Message, "taken before") {
		t.Errorf("the record says of the others %+v", got)
	}
	e.watchOut()
	e.wantNoJobs()
}

// TestAKeptOfferWithoutAPlaceIsPassedOver: another order has taken the account's last place since, and still nobody is asked anew.
func TestAKeptOfferWithoutAPlaceIsPassedOver(t *testing.T) {
	e, fs := keepers(t, "[ next_ranked, next_ranked ]")
	expires(fs[1], e, time.Hour, false)
	roomy := fs[1].onQuote
	fs[1].onQuote = func(r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
		a, err := roomy(r)
		a.Capacity.Open = 1
		return a, err
	}
	e.mustCreate("o")
	refuses(fs[0], true)
	e.mustCreate("other")
	if a := e.get("other").Live(shipment.Forward); a == nil || a.Account != "dear" {
		t.Fatalf("the other order is live at %+v", a)
	}
	e.givesUp("o")
	e.pass(time.Minute)
	if a := e.get("o").Live(shipment.Forward); a == nil || a.Account != "dearest" {
		t.Errorf("the order is live at %+v", a)
	}
	wantAsked(t, 2, fs...) // once for each order
}

// TestARetryBeginsAfresh: what a fallback has used up does not bind the person who has the order tried again.
func TestARetryBeginsAfresh(t *testing.T) {
	e, fs := keepers(t, "[ next_ranked ]")
	e.mustCreate("o")
	for range 2 {
		e.givesUp("o")
		e.pass(time.Minute)
	}
	if sh := e.get("o"); sh.Status != shipping.ErrorException || sh.Offers == nil {
		t.Fatalf("the order is at %s and keeps %+v", sh.Status, sh.Offers)
	}
	if _, err := e.Retry(context.Background(), caller, "o"); err != nil {
		t.Fatal(err)
	}
	e.wantLive("o", "cheap")
	wantAsked(t, 2, fs...)
	if sh := e.get("o"); sh.Fallback != nil {
		t.Errorf("the fallback of before is at %+v", sh.Fallback)
	}
}

// TestKeptOffersEndWithTheOrder: cancelled or erased, it keeps nothing that a carrier has offered.
func TestKeptOffersEndWithTheOrder(t *testing.T) {
	e, _ := keepers(t, "[ next_ranked ]")
	e.mustCreate("o")
	if kept := e.get("o").Offers; kept == nil || len(kept.Kept) != 2 {
		t.Fatalf("kept %+v", kept)
	}
	if _, err := e.Cancel(context.Background(), caller, "o", ""); err != nil {
		t.Fatal(err)
	}
	if kept := e.get("o").Offers; kept != nil {
		t.Errorf("a cancelled order keeps %+v", kept)
	}
}

// TestKeptOffersOutliveTheEngine that stops between a refusal and the intent to book the next: nobody is asked anew, and who has refused is not
// tried again. Where nobody is left, the order fails as it would have.
func TestKeptOffersOutliveTheEngine(t *testing.T) {
	for name, c := range map[string]struct {
		steps  string
		refuse int // so many carriers refuse
		after  int // the commit that fails
		want   string
		down   bool // the rule is on carriers that are out of order
	}{
		"one has refused":                      {"[ next_ranked, next_ranked ]", 1, 4, "dear", false},
		"two have":                             {"[ next_ranked, next_ranked ]", 2, 6, "dearest", false},
		"all have":                             {"[ next_ranked, next_ranked ]", 3, 8, "", false},
		"the rule has no step left":            {"[ next_ranked ]", 2, 6, "", false},
		"by the rule of carriers out of order": {"[ next_ranked ]", 1, 4, "dear", true},
	} {
		t.Run(name, func(t *testing.T) {
			e, fs := keepers(t, c.steps)
			if c.down {
				e.bundle = rulesOf(t, "rules: 1\nname: careful\ncurrency: USD\nfallback:\n  - { name: Down, on: [ provider_down ], steps: [ next_ranked ], requote: never }\n")
			}
			for _, f := range fs[:c.refuse] {
				refuses(f, true)
			}
			e.store.fail(c.after, 1, false)
			if _, err := e.create("o"); err == nil {
				t.Fatal("a commit failed, and nobody heard of it")
			}
			if sh := e.get("o"); len(sh.Attempts) != c.refuse || sh.Attempts[c.refuse-1].State != shipment.Refused {
				t.Fatalf("attempts %+v", sh.Attempts)
			}
			e.store.heal()
			version := e.Version
			e = e.crash()
			e.Version = version
			e.pass(10 * time.Minute)
			e.wantLive("o", c.want)
			wantAsked(t, 1, fs...)
			for _, f := range fs {
				if len(f.booked) > 1 {
					t.Errorf("%s was asked to book %d times", f.manifest.Name, len(f.booked))
				}
			}
			if sh := e.get("o"); c.want == "" && sh.Status != shipping.OrderFailed {
				t.Errorf("the order is at %s: %+v", sh.Status, sh.Failure)
			}
			e.pass(time.Hour)
			e.wantNoJobs()
		})
	}
}
