package dispatch_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestOnlyWhatMayChangeWaits: rules that say "wait and try again" mean reasons that time may take away.
func TestOnlyWhatMayChangeWaits(t *testing.T) {
	refuses := func(codes ...string) func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
		return func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
			var a carrier.QuoteAnswer
			for _, c := range codes {
				a.Refusals = append(a.Refusals, shipping.Refusal{Code: c, Message: c})
			}
			return a, nil
		}
	}
	fails := func(code carrier.Code) func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
		return func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) { return carrier.QuoteAnswer{}, refusal(code) }
	}
	for name, c := range map[string]struct {
		rules string
		ups   func(carrier.QuoteRequest) (carrier.QuoteAnswer, error)
		waits bool
	}{
		"too far by a rule":           {rules: "exclude: [{ name: Far, when: order.distance > km(0), reason: too far }]"},
		"late by a rule":              {rules: "exclude: [{ name: Late, when: local.minute_of_day >= 0 and order.distance > km(0) }]", waits: true},
		"late and too far by rules":   {rules: "exclude: [{ name: Late, when: local.minute_of_day >= 0 and order.distance > km(0) }, { name: Far, when: order.distance > km(0) }]"},
		"too dear by a rule":          {rules: "exclude: [{ name: Dear, when: 'option.fee > money(\"1.00\", \"USD\")' }]", waits: true},
		"too far for the carrier":     {ups: refuses("TOO_FAR")},
		"too heavy, and nobody there": {ups: refuses("TOO_HEAVY", "OUTSIDE_HOURS")},
		"nobody there":                {ups: refuses("OUTSIDE_HOURS"), waits: true},
		"full":                        {ups: refuses("CAPACITY_FULL"), waits: true},
		"a code that nobody knows":    {ups: refuses("STRIKE"), waits: true},
		"the carrier refuses a field": {ups: fails(carrier.InvalidField)},
		"the carrier is down":         {ups: fails(carrier.CarrierUnavailable), waits: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake("ups", "UPS", 500)
			f.onQuote = c.ups
			e := newEngine(t, f)
			e.bundle = rulesOf(t, "rules: 1\nnone: { hold_for: 3m, retry: 2 }\n"+c.rules+"\n")
			res, err := e.create("o1")
			if c.waits {
				if err != nil || res.Shipment.Status != shipping.PendingAutoRetry {
					t.Errorf("%+v, %v", res.Shipment, err)
				}
				return
			}
			wantType(t, err, usecase.NoProviderMatched)
			e.wantStatus("o1", shipping.RequestReceived, shipping.EstimatesFailed)
			e.wantNoJobs()
		})
	}
}

// fleet is a carrier that takes so many orders at once, as the engine counts them.
func fleet(places int) *fakeCarrier {
	f := newFake("own", "Own drivers", 100)
	f.onQuote = func(r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
		if r.Usage.Open >= places {
			return carrier.QuoteAnswer{Refusals: []shipping.Refusal{{Code: "CAPACITY_FULL", Message: "all drivers are out"}}}, nil
		}
		return carrier.QuoteAnswer{Capacity: carrier.Usage{Open: places},
			Quotes: []shipping.Quote{{ServiceID: "delivery", Amount: shipping.Money{Minor: 100, Currency: r.Currency}}}}, nil
	}
	return f
}

// TestCapacityIsNeverExceeded creates 64 orders at once where there are five places: five get them, the others go to the next
// carrier.
func TestCapacityIsNeverExceeded(t *testing.T) {
	own, ups := fleet(5), newFake("ups", "UPS", 900)
	e := newEngine(t, own, ups)
	const n = 64
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, errs[i] = e.create(fmt.Sprint("o", i)) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("order %d: %v", i, err)
		}
	}
	if own.live() != 5 || ups.live() != n-5 || len(own.booked) != 5 {
		t.Errorf("own %d (asked %d times), ups %d", own.live(), len(own.booked), ups.live())
	}
	e.wantNoJobs()
}

// TestAPlaceComesFree: an order that found every place taken waits where rules say so, and a booking that is refused or cancelled
// gives its place back.
func TestAPlaceComesFree(t *testing.T) {
	own := fleet(1)
	e := newEngine(t, own)
	e.bundle = rulesOf(t, "rules: 1\nnone: { hold_for: 3m, retry: 2 }\n")
	refusing := true
	own.onBook = func(carrier.BookRequest) (bool, error) {
		if refusing {
			return false, refusal(carrier.ServiceUnavailable)
		}
		return true, nil
	}
	_, err := e.create("o1")
	wantType(t, err, usecase.PlaceOrderFailed)
	refusing = false
	e.mustCreate("o2")
	if res, err := e.create("o3"); err != nil || res.Shipment.Status != shipping.PendingAutoRetry {
		t.Fatalf("%+v, %v", res, err)
	}
	if _, err := e.Cancel(t.Context(), caller, "o2", ""); err != nil {
		t.Fatal(err)
	}
	e.pass(5 * time.Minute)
	e.wantLive("o3", "own")
}

// TestAnAdapterThatQuotesBeyondItsCapacity is asked once more, and then passed over.
func TestAnAdapterThatQuotesBeyondItsCapacity(t *testing.T) {
	own, ups := fleet(1), newFake("ups", "UPS", 900)
	quote := own.onQuote
	own.onQuote = func(r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
		r.Usage = carrier.Usage{}
		return quote(r)
	}
	e := newEngine(t, own, ups)
	e.mustCreate("o1")
	e.mustCreate("o2")
	if own.quotes != 3 || own.live() != 1 || ups.live() != 1 {
		t.Errorf("asked %d times, own %d, ups %d", own.quotes, own.live(), ups.live())
	}
	e.wantStatus("o2", shipping.RequestReceived, shipping.EstimatesReceived, shipping.OrderDispatched)
	alone := fleet(1)
	alone.onQuote = own.onQuote
	e = newEngine(t, alone)
	e.mustCreate("o1")
	_, err := e.create("o2")
	if x := wantType(t, err, usecase.PlaceOrderFailed); len(x.Providers) != 1 || x.Providers[0].Type != "CAPACITY_FULL" {
		t.Errorf("%+v", x)
	}
	e.wantNoJobs()
}
