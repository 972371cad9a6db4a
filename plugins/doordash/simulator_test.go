package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/doordash"
)

// city is the simulated DoorDash on a socket, with a clock that stands still, and an account that talks to it.
type city struct {
	*simulator.Server
	clock   *simulator.ManualClock
	account *Account
	t       *testing.T

	mu     sync.Mutex
	pushes []carrier.Push
}

func newCity(t *testing.T, cfg doordash.Config) *city {
	t.Helper()
	c := &city{t: t, clock: simulator.NewManualClock(now)}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.pushes = append(c.pushes, carrier.Push{Method: r.Method, Header: r.Header, Body: body})
	}))
	t.Cleanup(receiver.Close)
	manual, err := simulator.LoadProfile("doordash-manual")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Profile = &manual
	cfg.Places = map[string]doordash.Point{"75219": {Lat: 32.8146, Lng: -96.8198}, "75206": {Lat: 32.8284, Lng: -96.7769}}
	cfg.Accounts = []doordash.Account{{DeveloperID: doordash.DevDeveloperID, KeyID: doordash.DevKeyID, SigningSecret: doordash.DevSigningSecret,
		Webhook: doordash.Webhook{URL: receiver.URL, Authorization: pushAuth, LocationEvents: true}}}
	dialect, err := doordash.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if c.Server, err = simulator.New(simulator.Config{Dialects: []simulator.Dialect{dialect}, Clock: c.clock, Seed: 7}); err != nil {
		t.Fatal(err)
	}
	carrierSide := httptest.NewServer(c.Server) // without Serve: what is due happens when the test says so
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		carrierSide.Close()
	})
	conf := Config{BaseURL: carrierSide.URL + "/doordash", DeveloperID: doordash.DevDeveloperID, KeyID: doordash.DevKeyID,
		SigningSecret: doordash.DevSigningSecret, PushAuthorization: pushAuth}
	if c.account, err = open(t.Context(), conf, carrier.NewEnv(carrier.EnvSettings{BaseURL: conf.BaseURL, Transport: transport})); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *city) call() context.Context { return call(c.t, c.clock.Now()) }

// moves lets a delivery reach a state, and returns what the webhooks of it say.
func (c *city) moves(to simulator.State) []shipping.TrackingEvent {
	c.t.Helper()
	c.clock.Advance(time.Minute)
	if _, err := c.World().RunTo("doordash", reference, to); err != nil {
		c.t.Fatal(err)
	}
	return c.told()
}

// told returns what the webhooks since the last look say of the delivery's way.
func (c *city) told() []shipping.TrackingEvent {
	c.t.Helper()
	var out []shipping.TrackingEvent
	for _, u := range c.news() {
		out = append(out, u.Events...)
	}
	return out
}

// news returns what the webhooks since the last look say.
func (c *city) news() []carrier.TrackUpdate {
	c.t.Helper()
	c.clock.Advance(time.Minute) // webhooks arrive with a lag
	c.RunDue(c.t.Context())
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []carrier.TrackUpdate
	for _, p := range c.pushes {
		answer, err := c.account.ReceivePush(c.call(), p)
		if err != nil {
			c.t.Fatalf("%s: %v", p.Body, err)
		}
		for _, u := range answer.Updates {
			if u.Reference != reference {
				c.t.Errorf("push of %q", u.Reference)
			}
		}
		out = append(out, answer.Updates...)
	}
	c.pushes = nil
	return out
}

func (c *city) quote(o carrier.Consignment) carrier.QuoteAnswer {
	c.t.Helper()
	answer, err := c.account.Quote(c.call(), carrier.QuoteRequest{Consignment: o})
	if err != nil {
		c.t.Fatal(err)
	}
	return answer
}

func TestADeliveryInTheSimulator(t *testing.T) {
	c := newCity(t, doordash.Config{})
	if err := c.account.Check(c.call()); err != nil {
		t.Fatal(err)
	}
	q := c.quote(consignment()).Quotes[0]
	if q.Amount.Currency != "USD" || q.Amount.Minor <= 0 || q.Delivery.IsZero() {
		t.Errorf("quote %+v", q)
	}
	if found, err := c.account.Find(c.call(), carrier.FindRequest{Reference: reference}); err != nil || len(found) > 0 {
		t.Fatalf("a quote was found as a booking: %v, %v", found, err)
	}
	b, err := c.account.Book(c.call(), carrier.BookRequest{Consignment: consignment(), ServiceID: serviceID, Token: q.Token, Quoted: q.Amount})
	if err != nil {
		t.Fatal(err)
	}
	if b.Amount != q.Amount || b.CarrierRef != reference || b.TrackingID == "" {
		t.Errorf("booking %+v", b)
	}
	o := consignment()
	o.Delivery.Instructions = ""
	if _, err = c.account.Edit(c.call(), carrier.EditRequest{Consignment: o, CarrierRef: b.CarrierRef}); err != nil {
		t.Error(err)
	}
	var statuses []shipping.Status
	for _, e := range c.moves("delivered") {
		statuses = append(statuses, e.Status)
	}
	want := []shipping.Status{shipping.OrderDispatched, shipping.OrderAssigned, shipping.PickupStarted, shipping.PickupStarted, shipping.PickupCompleted,
		shipping.OutForDelivery, shipping.OutForDelivery, shipping.OrderDelivered}
	if diff := cmp.Diff(want, statuses); diff != "" {
		t.Errorf("webhooks (-want +got):\n%s", diff)
	}
	updates, err := c.account.Track(c.call(), carrier.TrackRequest{Parcels: []carrier.TrackedParcel{{Number: b.TrackingID, Reference: reference}}})
	if err != nil {
		t.Fatal(err)
	}
	if u := updates[0]; u.Events[0].Status != shipping.OrderDelivered || u.ActualPickup.IsZero() || u.ActualDelivery != u.Events[0].Time || u.Driver == nil ||
		u.Vehicle == nil || u.LastLocation == nil || len(u.Proofs) != 1 || u.Tip != consignment().Tip {
		t.Errorf("tracked %+v", u)
	}
	_, err = c.account.Cancel(c.call(), carrier.CancelRequest{Reference: reference, CarrierRef: b.CarrierRef})
	wantError(t, err, carrier.CancelRefused, carrier.EffectNone)
	_, err = c.account.Edit(c.call(), carrier.EditRequest{Consignment: o, CarrierRef: b.CarrierRef})
	wantError(t, err, carrier.EditRefused, carrier.EffectNone)
}

// A return to the pickup costs more than was quoted, and both ways of hearing of it tell how much.
func TestTheWayBackInTheSimulator(t *testing.T) {
	c := newCity(t, doordash.Config{})
	b, err := c.account.Book(c.call(), carrier.BookRequest{Consignment: consignment(), ServiceID: serviceID})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.World().RunTo("doordash", reference, "returned"); err != nil {
		t.Fatal(err)
	}
	updates, err := c.account.Track(c.call(), carrier.TrackRequest{Parcels: []carrier.TrackedParcel{{Number: b.TrackingID, Reference: reference}}})
	if err != nil {
		t.Fatal(err)
	}
	updates = append(updates, c.news()...)
	last, total := updates[len(updates)-1], c.World().Ledger().Totals()["doordash"].Charged["USD"]-consignment().Tip.Minor
	for _, u := range []carrier.TrackUpdate{updates[0], last} {
		if u.Amount.Minor != total || total <= b.Amount.Minor || u.Events[0].Status != shipping.OrderUndeliverable {
			t.Errorf("booked for %s, charged %d, told %+v", b.Amount, total, u)
		}
	}
}

func TestCancelInTheSimulator(t *testing.T) {
	c := newCity(t, doordash.Config{})
	if _, err := c.account.Book(c.call(), carrier.BookRequest{Consignment: consignment(), ServiceID: serviceID}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.account.Cancel(c.call(), carrier.CancelRequest{Reference: reference}); err != nil {
			t.Fatal(err)
		}
	}
	found, err := c.account.Find(c.call(), carrier.FindRequest{Reference: reference})
	if err != nil || len(found) != 1 || !found[0].Cancelled {
		t.Errorf("found %v, %v", found, err)
	}
	if events := c.told(); len(events) == 0 || events[len(events)-1].Status != shipping.OrderCancelled || events[len(events)-1].Reason.Code != "CANCELLED_BY_MERCHANT" {
		t.Errorf("told %v", events)
	}
	_, err = c.account.Cancel(c.call(), carrier.CancelRequest{Reference: "unknown"})
	wantError(t, err, carrier.BookingNotFound, carrier.EffectNone)
}

// The one reason that names a refund is told as one; with the others DoorDash does not say what becomes of the money.
func TestRefundInTheSimulator(t *testing.T) {
	for reason, want := range map[string]bool{assignFailed: true, "failed_to_process_payment": false, "cancelled_by_creator": false} {
		c := newCity(t, doordash.Config{})
		b, err := c.account.Book(c.call(), carrier.BookRequest{Consignment: consignment(), ServiceID: serviceID})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.World().Step("doordash", reference, "cancelled", reason); err != nil {
			t.Fatal(err)
		}
		done, err := c.account.Cancel(c.call(), carrier.CancelRequest{Reference: reference})
		if err != nil || done.Note != reason || !want && !done.Refund.IsZero() || want && done.Refund != b.Amount {
			t.Errorf("%s of a delivery at %s: %+v, %v", reason, b.Amount, done, err)
		}
		if n := c.World().Ledger().Totals()["doordash"]; want && n.Refunded["USD"] < done.Refund.Minor {
			t.Errorf("told a refund of %s, DoorDash has given back %v", done.Refund, n.Refunded)
		}
	}
}

func TestRefusalsInTheSimulator(t *testing.T) {
	c := newCity(t, doordash.Config{NotCovered: []string{"75206"}})
	if answer := c.quote(consignment()); len(answer.Refusals) != 1 || answer.Refusals[0].Code != "OUT_OF_ZONE" {
		t.Errorf("not covered: %+v", answer)
	}
	far := consignment()
	far.Reference, far.Delivery.Address = "b1b2c3d4e5f6g7h8i9j0k1l2m3", shipping.Address{Street1: "200 N Spring St", City: "Los Angeles", State: "CA", PostalCode: "90012", CountryCode: "US"}
	if answer := c.quote(far); len(answer.Refusals) != 1 || answer.Refusals[0].Code != "TOO_FAR" {
		t.Errorf("far: %+v", answer)
	}
	far.Delivery.Contact.Phone = "0142"
	_, err := c.account.Quote(c.call(), carrier.QuoteRequest{Consignment: far})
	if e := carrier.AsError(err); e == nil || e.Code != carrier.InvalidField || e.Field != "delivery.contact.phone" {
		t.Errorf("bad phone: %v", err)
	}
}

// Both ways in which DoorDash may answer an accept that it finds late and the adapter does not.
func TestLateAcceptInTheSimulator(t *testing.T) {
	for _, policy := range []string{"unknown_delivery_id", "validation_error"} {
		c := newCity(t, doordash.Config{LateAccept: policy})
		c.quote(consignment())
		c.clock.Advance(6 * time.Minute)
		c.RunDue(t.Context())
		token, err := json.Marshal(quoteToken{Expires: shipping.At(c.clock.Now().Add(time.Minute))})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.account.Book(c.call(), carrier.BookRequest{Consignment: consignment(), ServiceID: serviceID, Token: token})
		wantError(t, err, carrier.QuoteExpired, carrier.EffectNone)
	}
}

func TestLostAnswersInTheSimulator(t *testing.T) {
	for _, duplicates := range []doordash.Duplicates{doordash.Always409, doordash.SameBodyReturnsExisting} {
		for _, op := range []string{"quote", "accept", "create"} {
			t.Run(string(duplicates)+" "+op, func(t *testing.T) {
				c := newCity(t, doordash.Config{Duplicates: duplicates})
				if _, err := c.SetFault(simulator.Fault{On: simulator.FaultOn{Carrier: "doordash", Op: op, Count: 1}, Do: simulator.FaultDo{Kind: simulator.ResponseLost}}); err != nil {
					t.Fatal(err)
				}
				o := consignment()
				r := carrier.BookRequest{Consignment: o, ServiceID: serviceID}
				if op != "create" {
					answer, err := c.account.Quote(c.call(), carrier.QuoteRequest{Consignment: o})
					if op == "quote" {
						wantError(t, err, carrier.OutcomeUnknown, carrier.EffectUnknown) // the SDK makes it none: a question
						answer = c.quote(o)
					} else if err != nil {
						t.Fatal(err)
					}
					r.Token = answer.Quotes[0].Token
				}
				first, err := c.account.Book(c.call(), r)
				if op != "quote" {
					wantError(t, err, carrier.OutcomeUnknown, carrier.EffectUnknown)
					if first, err = c.account.Book(c.call(), r); err != nil { // a host that sends again books nothing twice
						t.Fatal(err)
					}
				} else if err != nil {
					t.Fatal(err)
				}
				found, err := c.account.Find(c.call(), carrier.FindRequest{Reference: reference})
				if err != nil || len(found) != 1 || found[0].TrackingID != first.TrackingID {
					t.Errorf("found %v, %v", found, err)
				}
				if n := c.World().Ledger().Totals()["doordash"]; n.Bookings != 1 {
					t.Errorf("DoorDash has %+v", n)
				}
			})
		}
	}
}
