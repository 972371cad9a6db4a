package dispatch_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestTheCheapestCarrierIsBooked(t *testing.T) {
	ups, dash := newFake("ups", "UPS", 1200), newFake("doordash", "DoorDash", 975)
	e := newEngine(t, ups, dash)
	res, err := e.create("o1")
	if err != nil || res.Waiting {
		t.Fatalf("create: %+v, %v", res, err)
	}
	e.wantStatus("o1", shipping.RequestReceived, shipping.EstimatesReceived, shipping.OrderDispatched)
	e.wantLive("o1", "doordash")
	e.wantNoJobs()
	a := e.get("o1").Live(shipment.Forward)
	if a.Fee.Minor != 975 || a.Booking.Amount.Minor != 975 || a.Provider != "DoorDash" || a.DisplayName != "DoorDash account" || len(a.Reference) != 26 {
		t.Errorf("attempt = %+v", a)
	}
	l, err := e.Label(context.Background(), caller, "o1", 1)
	if err != nil || l.Format != shipping.ZPL || !strings.Contains(string(l.Data), a.Booking.TrackingID) {
		t.Errorf("label = %+v, %v", l, err)
	}
	if _, err := e.Label(context.Background(), caller, "o1", 2); err == nil {
		t.Error("a second label of one parcel")
	}
	tr, err := e.Trace(context.Background(), caller, "o1")
	if err != nil || len(tr.Exchanges) != 3 {
		t.Errorf("trace has %d exchanges, want two quotes and a booking: %v", len(tr.Exchanges), err)
	}
	ds, err := e.Decisions(context.Background(), caller, "o1")
	if err != nil || len(ds) != 1 || !strings.Contains(dispatch.Sentence(ds[0].Record), "DoorDash") && !strings.Contains(dispatch.Sentence(ds[0].Record), "doordash") {
		t.Errorf("decisions = %v, %v", ds, err)
	}
}

func TestWhatCarriersHear(t *testing.T) {
	f := newFake("own_fleet", "Self Delivery", 500)
	e := newEngine(t, f)
	e.mustCreate("o1", func(r *dispatch.CreateRequest) {
		ins := "The dog may be playing."
		r.Order.DeliveryInstructions = &ins
		r.Order.Tips = shipping.MustDecimal("2.50")
		sig := "mystery"
		r.Order.Signature = &sig
		r.Order.DeliveryContact.Phone = "232-323-2323"
	})
	q := f.asked[0]
	switch {
	case q.Delivery.Contact.Phone != "+12323232323":
		t.Errorf("phone = %q", q.Delivery.Contact.Phone)
	case q.Tip != shipping.Money{Minor: 250, Currency: "USD"}, q.OrderValue != shipping.Money{Minor: 1000, Currency: "USD"}:
		t.Errorf("money = %v %v", q.Tip, q.OrderValue)
	case q.Signature != "not_required":
		t.Errorf("an unknown signature was asked of the carrier: %q", q.Signature)
	case q.DistanceMetres < 1000 || q.DistanceMetres > 1700:
		t.Errorf("distance = %d m", q.DistanceMetres)
	case !q.Pickup.Window.IsZero() || !q.Delivery.Window.IsZero():
		t.Errorf("an order wanted as soon as possible has windows: %+v %+v", q.Pickup.Window, q.Delivery.Window)
	case q.Return == nil || q.Return.Name != "WareHouse 301":
		t.Errorf("return = %+v", q.Return)
	case q.Parcels[0].Barcode == "" || q.Parcels[0].TemperatureControl != "none":
		t.Errorf("parcel = %+v", q.Parcels[0])
	}
	sh := e.get("o1")
	if len(sh.Warnings) != 1 || sh.Warnings[0].Code != "UNKNOWN_SIGNATURE" || *sh.Order.Signature != "mystery" {
		t.Errorf("warnings = %+v, signature %q", sh.Warnings, *sh.Order.Signature)
	}
	if sh.PickupTime.StartsAt.IsZero() || sh.DeliveryTime.EndsAt.IsZero() {
		t.Errorf("windows in force = %+v %+v", sh.PickupTime, sh.DeliveryTime)
	}
	// The second quote of the day counts the first booking.
	e.mustCreate("o2")
	if u := f.asked[1].Usage; u != (carrier.Usage{Open: 1, Today: 1}) {
		t.Errorf("usage at the second order = %+v", u)
	}
}

func TestWindowsInThePast(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	now := e.clock.Now()
	sh := e.mustCreate("past", func(r *dispatch.CreateRequest) {
		r.Order.PickupTime = shipping.TimeWindow{StartsAt: shipping.At(now.Add(-time.Hour))}
	})
	if len(sh.Warnings) != 1 || sh.Warnings[0].Code != "TIME_IN_PAST" || !f.asked[0].Pickup.Window.IsZero() {
		t.Errorf("past window: %+v, carrier heard %+v", sh.Warnings, f.asked[0].Pickup.Window)
	}
	future := shipping.TimeWindow{StartsAt: shipping.At(now.Add(time.Hour)), EndsAt: shipping.At(now.Add(2 * time.Hour))}
	sh = e.mustCreate("future", func(r *dispatch.CreateRequest) { r.Order.PickupTime = future })
	if len(sh.Warnings) != 0 || f.asked[1].Pickup.Window != future || sh.PickupTime != future {
		t.Errorf("future window: %+v, carrier heard %+v", sh.Warnings, f.asked[1].Pickup.Window)
	}
}

func TestRefusedOrdersStoreNothing(t *testing.T) {
	cases := map[usecase.Type]func(*dispatch.CreateRequest){
		usecase.ValidationError: func(r *dispatch.CreateRequest) { r.Order.DeliveryContact.Phone = "12" },
		usecase.InvalidData:     func(r *dispatch.CreateRequest) { r.Order.LocationID = "nowhere" },
		usecase.GeocodingFailed: func(r *dispatch.CreateRequest) {
			r.Order.DeliveryAddress.Latitude, r.Order.DeliveryAddress.Longitude = nil, nil
			r.Order.DeliveryAddress.PostalCode = "00000"
		},
		usecase.NoProviderAssigned: func(r *dispatch.CreateRequest) { r.Order.LocationID = "301" },
		usecase.DuplicateName: func(r *dispatch.CreateRequest) {
			r.Order.Proposed = []shipment.ProposedProvider{{Name: "UPS"}, {Name: "ups"}}
		},
	}
	for want, change := range cases {
		t.Run(string(want), func(t *testing.T) {
			f := newFake("ups", "UPS", 500)
			e := newEngine(t, f)
			_, err := e.create("o1", change)
			wantType(t, err, want)
			if _, err := e.Get(context.Background(), caller, "o1"); err == nil {
				t.Error("the order was stored")
			}
			if f.quotes != 0 {
				t.Error("the carrier was asked")
			}
			e.wantNoJobs()
		})
	}
}

func TestPresetsAndFaultsAtOnce(t *testing.T) {
	e := newEngine(t, newFake("ups", "UPS", 500))
	sh := e.mustCreate("o1", func(r *dispatch.CreateRequest) { r.Order.Packages = []shipping.Parcel{{Name: "SMALL"}} })
	if p := sh.Order.Packages[0]; p.Weight.Value.String() != "2" || p.Size.Length.String() != "6" || p.ItemQuantity != 1 {
		t.Errorf("preset was not taken: %+v", p)
	}
	_, err := e.create("o2", func(r *dispatch.CreateRequest) {
		r.Order.Packages = []shipping.Parcel{{Name: "free text"}}
		r.Order.Items = append(r.Order.Items, r.Order.Items[0])
		r.Order.Value = shipping.MustDecimal("1.234")
		r.Order.DeliveryContact.Name = ""
	})
	f := wantType(t, err, usecase.ValidationError).Faults
	for _, path := range []string{"package.size", "package.weight", "itemList[1].sku", "orderValue", "deliveryContact.name"} {
		found := false
		for _, x := range f {
			found = found || x.Path == path
		}
		if !found {
			t.Errorf("no fault at %s in %v", path, f)
		}
	}
}

func TestARefusalMovesToTheNext(t *testing.T) {
	ups, dash := newFake("ups", "UPS", 1200), newFake("doordash", "DoorDash", 975)
	dash.onBook = func(carrier.BookRequest) (bool, error) { return false, refusal(carrier.ServiceUnavailable) }
	e := newEngine(t, ups, dash)
	e.mustCreate("o1")
	e.wantLive("o1", "ups")
	sh := e.get("o1")
	if len(sh.Attempts) != 2 || sh.Attempts[0].State != shipment.Refused || sh.Attempts[0].Error.CarrierCode != "X1" {
		t.Errorf("attempts = %+v", sh.Attempts)
	}
	e.wantStatus("o1", shipping.RequestReceived, shipping.EstimatesReceived, shipping.OrderDispatched)
}

func TestWhenNobodyCan(t *testing.T) {
	t.Run("no quotes", func(t *testing.T) {
		f := newFake("ups", "UPS", 500)
		f.onQuote = func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
			return carrier.QuoteAnswer{Refusals: []shipping.Refusal{{Code: "OUT_OF_ZONE", Message: "too far"}}}, nil
		}
		e := newEngine(t, f)
		_, err := e.create("o1")
		x := wantType(t, err, usecase.NoProviderMatched)
		if len(x.Providers) == 0 || x.Providers[0].Type != "OUT_OF_ZONE" || x.Shipment == "" {
			t.Errorf("error = %+v", x)
		}
		e.wantStatus("o1", shipping.RequestReceived, shipping.EstimatesFailed)
		_, err = e.create("o1")
		wantType(t, err, usecase.DuplicateID)
		// It can be retried once the carrier can.
		f.set(func(f *fakeCarrier) { f.onQuote = nil })
		if _, err := e.Retry(context.Background(), caller, "o1"); err != nil {
			t.Fatal(err)
		}
		e.wantLive("o1", "ups")
		_, err = e.Retry(context.Background(), caller, "o1")
		wantType(t, err, usecase.InvalidOperation)
	})
	t.Run("every booking refused", func(t *testing.T) {
		a, b := newFake("ups", "UPS", 500), newFake("doordash", "DoorDash", 600)
		for _, f := range []*fakeCarrier{a, b} {
			f.onBook = func(carrier.BookRequest) (bool, error) { return false, refusal(carrier.ServiceUnavailable) }
		}
		e := newEngine(t, a, b)
		_, err := e.create("o1")
		if x := wantType(t, err, usecase.PlaceOrderFailed); len(x.Providers) != 2 {
			t.Errorf("providers = %+v", x.Providers)
		}
		e.wantStatus("o1", shipping.RequestReceived, shipping.EstimatesReceived, shipping.OrderFailed)
		e.wantNoJobs()
	})
	t.Run("a refusal that no table knows", func(t *testing.T) {
		f := newFake("ups", "UPS", 500)
		f.onBook = func(carrier.BookRequest) (bool, error) { return false, refusal(carrier.CarrierRejected) }
		e := newEngine(t, f)
		_, err := e.create("o1")
		wantType(t, err, usecase.UnmappedError)
	})
	t.Run("none proposed is assigned", func(t *testing.T) {
		e := newEngine(t, newFake("ups", "UPS", 500))
		_, err := e.create("o1", func(r *dispatch.CreateRequest) { r.Order.Proposed = []shipment.ProposedProvider{{Name: "Uber"}} })
		wantType(t, err, usecase.NoProviderMatched)
		if w := e.get("o1").Warnings; len(w) != 1 || w[0].Code != "PROVIDER_NOT_ASSIGNED" {
			t.Errorf("warnings = %+v", w)
		}
	})
}

func TestProposedProvidersNarrow(t *testing.T) {
	ups, dash := newFake("ups", "UPS", 1200, carrier.Service{ID: "ground", Name: "Ground"}, carrier.Service{ID: "air", Name: "Air"}), newFake("doordash", "DoorDash", 100)
	e := newEngine(t, ups, dash)
	e.mustCreate("o1", func(r *dispatch.CreateRequest) {
		r.Order.Proposed = []shipment.ProposedProvider{{Name: "ups ACCOUNT", Services: []shipment.ProposedService{{ID: "air"}}}}
	})
	if dash.quotes != 0 || len(ups.asked) != 1 || len(ups.asked[0].Services) != 1 || ups.asked[0].Services[0] != "air" {
		t.Errorf("asked: doordash %d, ups %+v", dash.quotes, ups.asked)
	}
	e.wantLive("o1", "ups")
}

func TestAQuoteThatHasExpiredIsAskedAgain(t *testing.T) {
	f := newFake("doordash", "DoorDash", 975)
	n := 0
	f.onBook = func(carrier.BookRequest) (bool, error) {
		if n++; n == 1 {
			return false, refusal(carrier.QuoteExpired)
		}
		return true, nil
	}
	e := newEngine(t, f)
	e.mustCreate("o1")
	sh := e.get("o1")
	if len(sh.Attempts) != 2 || sh.Attempts[0].Reference == sh.Attempts[1].Reference || sh.Round != 2 {
		t.Errorf("attempts = %+v", sh.Attempts)
	}
	e.wantLive("o1", "doordash")
}

func TestAsyncAndScheduled(t *testing.T) {
	e := newEngine(t, newFake("ups", "UPS", 500))
	res, err := e.create("async", func(r *dispatch.CreateRequest) { r.Async = true })
	if err != nil || !res.Waiting || res.Shipment.Status != shipping.RequestReceived {
		t.Fatalf("async: %+v, %v", res, err)
	}
	at := e.clock.Now().Add(time.Hour)
	res, err = e.create("later", func(r *dispatch.CreateRequest) { r.Order.DispatchAt = shipping.At(at) })
	if err != nil || !res.Waiting || res.Shipment.Status != shipping.PendingDispatch {
		t.Fatalf("scheduled: %+v, %v", res, err)
	}
	e.pass(time.Minute)
	e.wantStatus("async", shipping.RequestReceived, shipping.EstimatesReceived, shipping.OrderDispatched)
	e.wantStatus("later", shipping.RequestReceived, shipping.PendingDispatch)
	e.pass(time.Hour)
	e.wantStatus("later", shipping.RequestReceived, shipping.PendingDispatch, shipping.EstimatesReceived, shipping.OrderDispatched)
}

func TestIdempotencyKey(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.config.Dispatch.AnswerWithin = time.Hour
	with := func(r *dispatch.CreateRequest) { r.IdempotencyKey, r.BodyHash = "POST /shipments k", []byte("hash") }
	var wg sync.WaitGroup
	ids := make([]shipment.ID, 64)
	for i := range ids {
		wg.Go(func() {
			res, err := e.create("o1", with)
			if err != nil {
				t.Errorf("twin %d: %v", i, err)
				return
			}
			ids[i] = res.Shipment.ID
			if res.Shipment.Status != shipping.OrderDispatched {
				t.Errorf("twin %d was answered %s", i, res.Shipment.Status)
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("two orders for one key: %s and %s", ids[0], id)
		}
	}
	e.wantLive("o1", "ups")
	_, err := e.create("o2", func(r *dispatch.CreateRequest) { r.IdempotencyKey, r.BodyHash = "POST /shipments k", []byte("other") })
	wantType(t, err, usecase.DuplicateResource)
	e.clock.Advance(25 * time.Hour)
	_, err = e.create("o1", with)
	wantType(t, err, usecase.DuplicateID) // the key is forgotten after a day, the order is not
}

func TestTwoCreatesOfOneIDAtOnce(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Go(func() { _, errs[i] = e.create("o1") })
	}
	wg.Wait()
	ok := 0
	for _, err := range errs {
		if err == nil {
			ok++
			continue
		}
		wantType(t, err, usecase.DuplicateID)
	}
	if ok != 1 {
		t.Errorf("%d creates succeeded", ok)
	}
	e.wantLive("o1", "ups")
}

func TestNothingAvailableYet(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	f.onQuote = func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) { return carrier.QuoteAnswer{}, nil }
	e := newEngine(t, f)
	e.bundle = rulesOf(t, "rules: 1\nname: wait\nnone: { hold_for: 3m, retry: 2 }\n")
	res, err := e.create("o1")
	if err != nil || !res.Waiting || res.Shipment.Status != shipping.PendingAutoRetry {
		t.Fatalf("create: %+v, %v", res, err)
	}
	if at := res.Shipment.RetryAt; !at.Equal(res.Shipment.UpdatedAt.Add(3 * time.Minute)) {
		t.Errorf("it is tried again at %v", at)
	}
	e.pass(2 * time.Minute)
	if f.quotes != 1 {
		t.Errorf("asked %d times before its time", f.quotes)
	}
	f.set(func(f *fakeCarrier) { f.onQuote = nil })
	e.pass(90 * time.Second)
	e.wantStatus("o1", shipping.RequestReceived, shipping.PendingAutoRetry, shipping.EstimatesReceived, shipping.OrderDispatched)
	e.wantLive("o1", "ups")
	e.wantNoJobs()

	f.set(func(f *fakeCarrier) {
		f.onQuote = func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) { return carrier.QuoteAnswer{}, nil }
	})
	if _, err := e.create("o2"); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Hour)
	e.wantStatus("o2", shipping.RequestReceived, shipping.PendingAutoRetry, shipping.PendingAutoRetry, shipping.EstimatesFailed)
	e.wantNoJobs()
}

func TestHeldByARule(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.bundle = rulesOf(t, "rules: 1\nname: hold\nhold:\n  - name: Not in the morning\n    when: local.hour < 11\n    for: 2h\n    reason: too early\n")
	res, err := e.create("o1") // 10:00 in Boston
	if err != nil || !res.Waiting || res.Shipment.Status != shipping.PendingRelease || f.quotes != 0 {
		t.Fatalf("create: %+v, %v, %d quotes", res, err, f.quotes)
	}
	e.pass(119 * time.Minute)
	e.wantStatus("o1", shipping.RequestReceived, shipping.PendingRelease)
	e.pass(2 * time.Minute)
	e.wantStatus("o1", shipping.RequestReceived, shipping.PendingRelease, shipping.EstimatesReceived, shipping.OrderDispatched)
	e.wantNoJobs()
}

// A record that was stored with an order gives the same bytes when it is made again.
func TestAStoredDecisionCanBeRecomputed(t *testing.T) {
	e := newEngine(t, newFake("ups", "UPS", 1200), newFake("doordash", "DoorDash", 975))
	e.bundle = rulesOf(t, "rules: 1\nname: r\nexclude:\n  - name: No couriers\n    when: option.mode == \"courier\" and option.fee > usd(10)\n    reason: dear\n")
	e.mustCreate("o1")
	ds, err := e.Decisions(context.Background(), caller, "o1")
	if err != nil || len(ds) != 1 {
		t.Fatalf("%d decisions, %v", len(ds), err)
	}
	d, err := rules.ParseDecision(ds[0].Record)
	if err != nil {
		t.Fatal(err)
	}
	if d.Rules != e.bundle.Hash() || len(d.Excluded) != 1 || d.Excluded[0].Rule != "No couriers" {
		t.Errorf("decision = %+v", d)
	}
	again, err := rules.Recompute(e.bundle, d)
	if err != nil {
		t.Fatal(err)
	}
	b, err := again.JSON()
	if err != nil || string(b) != string(ds[0].Record) {
		t.Errorf("the record does not give itself again (%v):\n%s\n%s", err, b, ds[0].Record)
	}
}

func TestAQuoteThatIsAlwaysExpiredGivesWayToTheNext(t *testing.T) {
	dash, ups := newFake("doordash", "DoorDash", 975), newFake("ups", "UPS", 1200)
	dash.onBook = func(carrier.BookRequest) (bool, error) { return false, refusal(carrier.QuoteExpired) }
	e := newEngine(t, dash, ups)
	e.mustCreate("o1")
	e.wantLive("o1", "ups")
	if n := len(dash.booked); n != 2 {
		t.Errorf("the carrier whose quotes expire was asked to book %d times", n)
	}
}

func TestWaitingHelpsOnlyWhereSomethingMayChange(t *testing.T) {
	e := newEngine(t, newFake("ups", "UPS", 500))
	e.bundle = rulesOf(t, "rules: 1\nname: wait\nnone: { hold_for: 3m, retry: 2 }\n")
	for name, change := range map[string]func(*dispatch.CreateRequest){
		"nobody is left":       func(r *dispatch.CreateRequest) { r.Order.Proposed = []shipment.ProposedProvider{{Name: "FedEx"}} },
		"nobody has the means": func(r *dispatch.CreateRequest) { r.Order.Packages[0].TemperatureControl = "frozen" },
	} {
		_, err := e.create(name, change)
		if x := wantType(t, err, usecase.NoProviderMatched); x.Shipment == "" {
			t.Errorf("%s: %+v", name, x)
		}
	}
	e.carriers["ups"].set(func(f *fakeCarrier) {
		f.onQuote = func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
			return carrier.QuoteAnswer{Refusals: []shipping.Refusal{{Code: "OUTSIDE_HOURS", Message: "closed until ten"}}}, nil
		}
	})
	sh := e.mustCreate("later")
	if w := sh.Warnings; len(w) != 1 || w[0].Code != "NOTHING_AVAILABLE_YET" || !strings.Contains(w[0].Message, "closed until ten") {
		t.Errorf("warnings = %+v", w)
	}
}

func TestCurrencyOfTheOrder(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	sh := e.mustCreate("o1", func(r *dispatch.CreateRequest) { r.Order.Currency = "CAD" })
	if sh.Currency != "CAD" || f.asked[0].OrderValue.Currency != "CAD" {
		t.Errorf("currency = %s, the carrier heard %v", sh.Currency, f.asked[0].OrderValue)
	}
	_, err := e.create("o2", func(r *dispatch.CreateRequest) { r.Order.Currency = "ZZZ" })
	if x := wantType(t, err, usecase.ValidationError); x.Faults[0].Path != "currencyCode" {
		t.Errorf("faults = %v", x.Faults)
	}
}

func TestSignatureWarningsFollowTheOrder(t *testing.T) {
	e := newEngine(t, newFake("ups", "UPS", 500))
	e.mustCreate("o1")
	for _, sig := range []string{"weird", "required"} {
		if _, err := e.edit("o1", func(o *shipment.Order) { o.Signature = &sig }); err != nil {
			t.Fatal(err)
		}
		if w := e.get("o1").Warnings; (len(w) == 1) != (sig == "weird") {
			t.Errorf("after %s the warnings are %+v", sig, w)
		}
	}
}

func TestHeldByAGuard(t *testing.T) {
	f := newFake("ups", "UPS", 5000)
	e := newEngine(t, f)
	e.bundle = rulesOf(t, "rules: 1\nname: guard\ncurrency: USD\nguard:\n  - name: Too dear\n    max_fee: \"14.00\"\n    on_breach: hold\n")
	res, err := e.create("o1")
	if err != nil || !res.Waiting || res.Shipment.Status != shipping.PendingRelease || len(f.booked) != 0 {
		t.Fatalf("create: %+v, %v, %d bookings", res, err, len(f.booked))
	}
	if ds, err := e.Decisions(context.Background(), caller, "o1"); err != nil || len(ds) != 1 {
		t.Errorf("%d decisions, %v: nobody can see what it is held for", len(ds), err)
	}
	e.wantNoJobs()
}
