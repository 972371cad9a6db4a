package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
	simulated "github.com/waybill-dev/waybill/simulator/ups"
)

// TestSubscriptionAtTheSimulator: what is subscribed is pushed to the URL that the request has named, with the agreed credential, and is
// read; what is not is not.
func TestSubscriptionAtTheSimulator(t *testing.T) {
	w := newWorld(t, func(_ *simulated.Config, c *Config) { c.TrackAlert, c.PushCredential = alertWithURL, "agreed" })
	pushes := make(chan carrier.Push, 100)
	engine := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		pushes <- carrier.Push{Method: q.Method, Header: q.Header, Body: body}
	}))
	t.Cleanup(engine.Close)
	ctx := callContext(t)
	c := domestic()
	c.Parcels = append(c.Parcels, parcel("2", "kg", "30", "20", "10", "cm"))
	b, err := w.Book(ctx, carrier.BookRequest{Consignment: c, ServiceID: "ground"})
	if err != nil {
		t.Fatal(err)
	}
	told, untold := b.Parcels[0].Number, b.Parcels[1].Number
	s, err := w.SubscribePush(ctx, carrier.SubscribeRequest{Numbers: []string{told, "9400111202544843610364"}, URL: engine.URL + "/push"})
	if err != nil || len(s.Numbers) != 1 || s.Numbers[0] != told || s.Until.IsZero() {
		t.Fatalf("agreed to %+v, %v", s, err)
	}
	for range 60 {
		w.clock.Advance(6 * time.Hour)
		w.RunDue(t.Context())
	}
	close(pushes)
	heard := 0
	for p := range pushes {
		answer, err := w.ReceivePush(ctx, p)
		if err != nil {
			t.Fatalf("%v: %s", err, p.Body)
		}
		if answer.Updates[0].Number == untold {
			t.Error("a parcel is told of that nobody has subscribed")
		}
		heard++
	}
	if heard < 4 {
		t.Errorf("%d pushes of a whole way", heard)
	}
	if s, err = w.SubscribePush(ctx, carrier.SubscribeRequest{Numbers: []string{"9400111202544843610364"}, URL: engine.URL}); err != nil || len(s.Numbers) != 0 {
		t.Errorf("a number of another carrier: %+v, %v", s, err)
	}
}

// TestNothingIsSubscribedUnasked: an account that is not configured for it asks nobody; one that is needs the credential.
func TestNothingIsSubscribedUnasked(t *testing.T) {
	f := newFake(t)
	s, err := openAccount(t, testConfig(f.URL)).SubscribePush(callContext(t), carrier.SubscribeRequest{Numbers: []string{"1Z5R89390357567127"}, URL: "https://engine.example"})
	if err != nil || len(s.Numbers) != 0 || len(f.requests) != 0 {
		t.Errorf("%+v, %v, %d requests", s, err, len(f.requests))
	}
	c := testConfig(f.URL)
	c.TrackAlert, c.PushCredential = "v2", ""
	if err := c.check(); err == nil {
		t.Error("Track Alert without a credential is taken")
	}
}
