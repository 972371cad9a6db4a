package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
	"github.com/waybill-dev/waybill/simulator"
	simulated "github.com/waybill-dev/waybill/simulator/ups"
)

// world is the simulator's UPS on a loopback socket, with a clock that the test moves and the account sees.
type world struct {
	*simulator.Server
	clock *simulator.ManualClock
	url   string
	*Account
}

func newWorld(t *testing.T, change func(*simulated.Config, *Config)) *world {
	t.Helper()
	sc := simulated.Config{Pace: simulated.PaceCalm, Quirks: simulated.Quirks{StrictHeaders: true}}
	cfg := testConfig("")
	cfg.ClientID, cfg.ClientSecret = simulated.DevClient.ID, carrier.Secret(simulated.DevClient.Secret)
	cfg.ShipperNumber = simulated.DevClient.Accounts[0].Number
	if change != nil {
		change(&sc, &cfg)
	}
	d, err := simulated.New(sc)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{clock: simulator.NewManualClock(testNow)}
	if w.Server, err = simulator.New(simulator.Config{Dialects: []simulator.Dialect{d}, Clock: w.clock, Seed: 7}); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(w.Server)
	t.Cleanup(s.Close)
	w.url, cfg.BaseURL = s.URL, s.URL+"/ups"
	env := carrier.NewEnv(carrier.EnvSettings{BaseURL: cfg.BaseURL, Now: w.clock.Now, Secrets: carrier.SecretsIn(cfg)})
	if w.Account, err = adapter.Open(t.Context(), cfg, env); err != nil {
		t.Fatal(err)
	}
	return w
}

// fault puts one fault into the simulator's table.
func (w *world) fault(t *testing.T, body string) {
	t.Helper()
	r, err := http.Post(w.url+"/_sim/faults", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode > 299 {
		t.Fatalf("fault %s: %s", body, r.Status)
	}
}

func (w *world) live() int { return w.World().Ledger().Totals()["ups"].LiveBookings }

func TestOneShipmentAtTheSimulator(t *testing.T) {
	w := newWorld(t, nil)
	ctx := callContext(t)
	if err := w.Check(ctx); err != nil {
		t.Fatal(err)
	}
	c := domestic()
	c.Parcels = append(c.Parcels, parcel("2", "kg", "30", "20", "10", "cm"))
	answer, err := w.Quote(ctx, carrier.QuoteRequest{Consignment: c})
	if err != nil || len(answer.Quotes) < 4 {
		t.Fatalf("%+v, %v", answer, err)
	}
	var ground shipping.Quote
	for _, q := range answer.Quotes {
		if q.Amount.Minor <= 0 || q.Amount.Currency != "USD" || q.Delivery.EndsAt.IsZero() || q.TransitDays == 0 {
			t.Errorf("quote lacks something: %+v", q)
		}
		if q.ServiceID == "ground" {
			ground = q
		}
	}
	b, err := w.Book(ctx, carrier.BookRequest{Consignment: c, ServiceID: "ground", Token: ground.Token, Quoted: ground.Amount, LabelFormat: shipping.ZPL})
	if err != nil {
		t.Fatal(err)
	}
	if b.Amount != ground.Amount || len(b.Parcels) != 2 || b.CarrierRef == "" || len(b.Warnings) != 0 {
		t.Errorf("booked %+v for a quote of %v", b, ground.Amount)
	}
	for _, p := range b.Parcels {
		if p.Label == nil || p.Label.Format != shipping.ZPL || !strings.HasPrefix(string(p.Label.Data), "^XA") {
			t.Fatalf("label of %s is %+v", p.Number, p.Label)
		}
	}
	found, err := w.Find(ctx, carrier.FindRequest{Reference: c.Reference, From: w.clock.Now(), To: w.clock.Now(), LabelFormat: shipping.ZPL})
	if err != nil || len(found) != 1 || found[0].CarrierRef != b.CarrierRef || len(found[0].Parcels) != 2 || found[0].Cancelled {
		t.Errorf("found %+v, %v", found, err)
	}
	l, err := w.Document(ctx, carrier.DocumentRequest{Number: b.Parcels[1].Number, CarrierRef: b.CarrierRef, LabelFormat: shipping.PDF})
	if err != nil || l.Format != shipping.PDF || !strings.HasPrefix(string(l.Data), "%PDF") {
		t.Errorf("label again: %s of %d bytes, %v", l.Format, len(l.Data), err)
	}

	w.clock.Set(ground.Delivery.EndsAt.AddDate(0, 0, 1))
	w.World().RunDue(w.clock.Now())
	updates, err := w.Track(ctx, carrier.TrackRequest{Parcels: []carrier.TrackedParcel{{Number: b.Parcels[1].Number}, {Number: "1Z5R89390357567127"}, {Reference: c.Reference}}})
	if err != nil || len(updates) != 3 || !updates[1].Unknown {
		t.Fatalf("%+v, %v", updates, err)
	}
	for _, u := range []carrier.TrackUpdate{updates[0], updates[2]} {
		want := []shipping.Status{shipping.OrderDispatched, shipping.PickupCompleted, shipping.InTransit, shipping.OutForDelivery, shipping.OrderDelivered}
		for _, e := range u.Events {
			if len(want) > 0 && e.Status == want[0] {
				want = want[1:]
			}
			if e.Status == "" || !e.ZoneKnown {
				t.Errorf("event %+v", e)
			}
		}
		if len(want) > 0 || u.ActualDelivery.IsZero() || u.ActualDelivery.After(ground.Delivery.EndsAt.Time) {
			t.Errorf("%s lacks %v, was delivered %v, promised %v: %+v", u.Number, want, u.ActualDelivery, ground.Delivery.EndsAt, u.Events)
		}
	}
	if tokens := w.World().Ledger().Totals()["ups"].Tokens; tokens > 3 {
		t.Errorf("%d tokens for a week", tokens)
	}
}

func TestVoidAtTheSimulator(t *testing.T) {
	w := newWorld(t, nil)
	ctx := callContext(t)
	b, err := w.Book(ctx, carrier.BookRequest{Consignment: domestic(), ServiceID: "next_day_air"})
	if err != nil || b.Parcels[0].Label.Format != shipping.GIF {
		t.Fatalf("%+v, %v", b, err)
	}
	for range 2 { // the second time it is void already
		if _, err := w.Cancel(ctx, carrier.CancelRequest{CarrierRef: b.CarrierRef}); err != nil {
			t.Fatal(err)
		}
	}
	if w.live() != 0 {
		t.Errorf("%d bookings are live", w.live())
	}
	found, err := w.Find(ctx, carrier.FindRequest{Reference: domestic().Reference, From: w.clock.Now(), To: w.clock.Now()})
	if err != nil || len(found) > 1 || len(found) == 1 && !found[0].Cancelled {
		t.Errorf("found %+v, %v", found, err)
	}
	ups, err := w.Track(ctx, carrier.TrackRequest{Parcels: []carrier.TrackedParcel{{Number: b.TrackingID}}})
	if err != nil || len(ups) != 1 || len(ups[0].Events) == 0 {
		t.Fatalf("tracked %+v, %v", ups, err)
	}
	if e := ups[0].Events[len(ups[0].Events)-1]; e.Status != shipping.OrderCancelled || e.Reason == nil || e.Reason.Code != shipping.CancelledByMerchant {
		t.Errorf("the shipper's void is tracked as %+v", e)
	}
	_, err = w.Cancel(ctx, carrier.CancelRequest{CarrierRef: "1Z5R89390357567127"})
	if e := carrier.AsError(err); e.Code != carrier.BookingNotFound || e.Effect != carrier.EffectNone {
		t.Errorf("void of an unknown shipment: %+v", e)
	}
	old, err := w.Book(ctx, carrier.BookRequest{Consignment: domestic(), ServiceID: "ground"})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(29 * 24 * time.Hour)
	_, err = w.Cancel(ctx, carrier.CancelRequest{CarrierRef: old.CarrierRef})
	if e := carrier.AsError(err); e.Code != carrier.CancelRefused || e.Effect != carrier.EffectNone {
		t.Errorf("late void: %+v", e)
	}
}

func TestReturnAndAddressAtTheSimulator(t *testing.T) {
	w := newWorld(t, nil)
	ctx := callContext(t)
	back := domestic()
	back.Pickup, back.Delivery = back.Delivery, back.Pickup
	b, err := w.BookReturn(ctx, carrier.BookRequest{Consignment: back, ServiceID: "ground"})
	if err != nil || len(b.Parcels) != 1 || b.Parcels[0].Label == nil {
		t.Errorf("%+v, %v", b, err)
	}
	there, err := w.Quote(ctx, carrier.QuoteRequest{Consignment: back})
	if err != nil {
		t.Fatal(err)
	}
	forward := map[string]int64{}
	for _, q := range there.Quotes {
		forward[q.ServiceID] = q.Amount.Minor
	}
	answer, err := w.Quote(ctx, carrier.QuoteRequest{Consignment: back, WayBack: true})
	if err != nil || len(answer.Quotes) < 3 {
		t.Fatalf("%+v, %v", answer, err)
	}
	for _, q := range answer.Quotes {
		b, err := w.BookReturn(ctx, carrier.BookRequest{Consignment: back, ServiceID: q.ServiceID, Token: q.Token, Quoted: q.Amount})
		if err != nil || b.Amount != q.Amount || q.Amount.Minor <= forward[q.ServiceID] {
			t.Errorf("%s: quoted %v, booked for %v; the way there costs %d: %v", q.ServiceID, q.Amount, b.Amount, forward[q.ServiceID], err)
		}
	}
	two := back
	two.Parcels = append(two.Parcels, two.Parcels[0])
	if answer, err = w.Quote(ctx, carrier.QuoteRequest{Consignment: two, WayBack: true}); err != nil || len(answer.Quotes) != 0 || answer.Refusals[0].Code != "NOT_SUPPORTED" {
		t.Errorf("two parcels back: %+v, %v", answer, err)
	}
	a, err := w.ValidateAddress(ctx, carrier.AddressRequest{Address: domestic().Pickup.Address})
	if err != nil || a.Verdict == "" || a.Type == "" {
		t.Errorf("%+v, %v", a, err)
	}
	wrong := domestic()
	wrong.Delivery.Address.PostalCode = "10004"
	_, err = w.Quote(ctx, carrier.QuoteRequest{Consignment: wrong})
	if e := carrier.AsError(err); e == nil || e.Code != carrier.InvalidField || e.Source != carrier.SourceCaller {
		t.Errorf("a New York code in California: %v", err)
	}
}

// TestFaultsOfTheSimulator: whatever breaks while UPS books, the error says truly whether it has.
func TestFaultsOfTheSimulator(t *testing.T) {
	for name, tt := range map[string]struct {
		do     string
		effect carrier.Effect
		booked int // what UPS's own ledger says afterwards
	}{
		"refused":         {`{"kind":"http_error","status":429}`, carrier.EffectNone, 0},
		"down":            {`{"kind":"http_error","status":503}`, carrier.EffectUnknown, 0},
		"limited":         {`{"kind":"rate_limit"}`, carrier.EffectNone, 0},
		"reset":           {`{"kind":"reset"}`, carrier.EffectUnknown, 0},
		"lost":            {`{"kind":"response_lost"}`, carrier.EffectUnknown, 1},
		"cut":             {`{"kind":"malformed_body","shape":"truncated_json"}`, carrier.EffectUnknown, 1},
		"page":            {`{"kind":"malformed_body","shape":"html_page"}`, carrier.EffectUnknown, 1},
		"empty":           {`{"kind":"malformed_body","shape":"empty_200"}`, carrier.EffectUnknown, 1},
		"mid-response":    {`{"kind":"reset","at":"mid_response"}`, carrier.EffectUnknown, 1},
		"something wrong": {`{"kind":"malformed_body","shape":"wrong_type"}`, carrier.EffectUnknown, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.fault(t, fmt.Sprintf(`{"on":{"carrier":"ups","op":"ship"},"do":%s}`, tt.do))
			ctx := callContext(t)
			b, err := w.Book(ctx, carrier.BookRequest{Consignment: domestic(), ServiceID: "ground"})
			e := carrier.AsError(err)
			if e == nil || e.Effect != tt.effect || w.live() != tt.booked {
				t.Fatalf("booked %+v with %+v, %d are live; want effect %s and %d", b, e, w.live(), tt.effect, tt.booked)
			}
			found, err := w.Find(ctx, carrier.FindRequest{Reference: domestic().Reference, From: w.clock.Now(), To: w.clock.Now()})
			if err != nil || len(found) != tt.booked {
				t.Errorf("afterwards %d were found: %v", len(found), err)
			}
		})
	}
}

func TestBookedTwiceIsFoundTwice(t *testing.T) {
	w := newWorld(t, nil)
	ctx := callContext(t)
	for range 2 {
		if _, err := w.Book(ctx, carrier.BookRequest{Consignment: domestic(), ServiceID: "ground"}); err != nil {
			t.Fatal(err)
		}
	}
	found, err := w.Find(ctx, carrier.FindRequest{Reference: domestic().Reference, From: w.clock.Now(), To: w.clock.Now()})
	if err != nil || len(found) != 2 || found[0].CarrierRef == found[1].CarrierRef || found[0].Parcels[0].Label == nil {
		t.Errorf("found %+v, %v", found, err)
	}
}

// TestParcelsWithoutLabelsAreFoundAsOneShipment: UPS hands out labels for a while only. The parcels of one shipment are one booking
// afterwards too, and two shipments are never taken for one.
func TestParcelsWithoutLabelsAreFoundAsOneShipment(t *testing.T) {
	w := newWorld(t, func(s *simulated.Config, _ *Config) { s.LabelWindow = time.Hour })
	ctx := callContext(t)
	c := domestic()
	c.Parcels = append(c.Parcels, parcel("2", "kg", "30", "20", "10", "cm"))
	find := func() []carrier.Booking {
		t.Helper()
		w.clock.Set(w.clock.Now().Add(2 * time.Hour))
		w.World().RunDue(w.clock.Now())
		found, err := w.Find(ctx, carrier.FindRequest{Reference: c.Reference, From: w.clock.Now().AddDate(0, 0, -1), To: w.clock.Now()})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	b, err := w.Book(ctx, carrier.BookRequest{Consignment: c, ServiceID: "ground"})
	if err != nil {
		t.Fatal(err)
	}
	found := find()
	if len(found) != 1 || len(found[0].Parcels) != 2 || found[0].Parcels[0].Label != nil || found[0].Parcels[1].Number == found[0].Parcels[0].Number {
		t.Errorf("%d parcels booked as %s, found %+v", len(b.Parcels), b.CarrierRef, found)
	}
	if _, err := w.Book(ctx, carrier.BookRequest{Consignment: c, ServiceID: "ground"}); err != nil {
		t.Fatal(err)
	}
	if found := find(); len(found) < 2 {
		t.Errorf("two shipments are found as %+v", found)
	}
}

func TestCredentialsAtTheSimulator(t *testing.T) {
	w := newWorld(t, func(_ *simulated.Config, c *Config) { c.ClientSecret = "wrong" })
	if e := carrier.AsError(w.Check(callContext(t))); e == nil || e.Code != carrier.CredentialsRejected || e.Source != carrier.SourceConfig {
		t.Errorf("wrong secret: %+v", e)
	}
	w = newWorld(t, func(_ *simulated.Config, c *Config) {
		c.ShipperNumber = "ZZZZZZ"
		c.Shipper = &Shipper{Name: "Example", Street1: "12 Front St", City: "New York", State: "NY", PostalCode: "10004", CountryCode: "US"}
	})
	if e := carrier.AsError(w.Check(callContext(t))); e == nil || e.Code != carrier.ConfigInvalid || e.Field != "shipper_number" {
		t.Errorf("wrong shipper number: %+v", e)
	}
	// A token that ends in the middle of a day is replaced without anybody noticing.
	w = newWorld(t, nil)
	for range 3 {
		if _, err := w.Quote(callContext(t), carrier.QuoteRequest{Consignment: domestic()}); err != nil {
			t.Error(err)
		}
		w.clock.Advance(5 * time.Hour)
	}
}

func TestAbroadAtTheSimulator(t *testing.T) {
	w := newWorld(t, nil)
	c := abroad()
	answer, err := w.Quote(callContext(t), carrier.QuoteRequest{Consignment: c})
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range answer.Quotes {
		if _, ok := offerByID(q.ServiceID, "CA"); !ok {
			t.Errorf("%s is not sold from Canada", q.ServiceID)
		}
	}
	if len(answer.Quotes) == 0 {
		t.Errorf("no quotes: %+v", answer)
		return
	}
	b, err := w.Book(callContext(t), carrier.BookRequest{Consignment: c, ServiceID: answer.Quotes[0].ServiceID})
	if err != nil || len(b.Parcels) != 2 || b.Amount != answer.Quotes[0].Amount {
		t.Errorf("booked %+v, %v", b, err)
	}
}
