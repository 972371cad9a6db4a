package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestOrdersAreHeldAgainstTheirDriversBook has drivers know something else than the order says.
func TestOrdersAreHeldAgainstTheirDriversBook(t *testing.T) {
	const (
		dispatched, cancelled, delivered = shipping.OrderDispatched, shipping.OrderCancelled, shipping.OrderDelivered
		started, aboard, out             = shipping.PickupStarted, shipping.PickupCompleted, shipping.OutForDelivery
	)
	steps := func(s ...shipping.Status) []shipping.Status { return s }
	const refusal = "CANCELLATION_REFUSED( Self Delivery: it is picked up )"
	for name, c := range map[string]struct {
		status  shipping.Status
		adapter string
		said    told
		history []shipping.Status
		note    string
		want    string
	}{
		"nobody has moved it":                   {dispatched, withoutLedger, told{}, nil, "", ""},
		"it has moved by itself":                {out, withoutLedger, told{}, nil, "", "no driver has said so"},
		"brought to its end":                    {delivered, withoutLedger, told{driven: steps(started, aboard, out, delivered)}, steps(dispatched, started, aboard, out, delivered), "", ""},
		"a step that was forgotten":             {delivered, withoutLedger, told{driven: steps(aboard, delivered)}, steps(dispatched, delivered), "", "its history does not know"},
		"further than its driver":               {delivered, withoutLedger, told{driven: steps(aboard)}, steps(dispatched, aboard, delivered), "", "has brought it to PICKUP_COMPLETED"},
		"behind its driver":                     {aboard, withoutLedger, told{driven: steps(aboard, out)}, steps(aboard, out), "", "has brought it to OUT_FOR_DELIVERY"},
		"cancelled before anybody had it":       {cancelled, withoutLedger, told{cancelled: 200, driven: steps(started)}, steps(started), "", ""},
		"cancelled from under its driver":       {cancelled, withoutLedger, told{cancelled: 200, driven: steps(started, aboard)}, steps(started, aboard), "", "is cancelled, and its driver was told"},
		"a cancellation refused once aboard":    {delivered, withoutLedger, told{cancelled: 422, driven: steps(aboard, delivered)}, steps(aboard, delivered), refusal, ""},
		"a cancellation refused without ground": {dispatched, withoutLedger, told{cancelled: 202}, nil, refusal, "no driver has picked it up"},
		"one refused on the way there":          {started, withoutLedger, told{cancelled: 202, driven: steps(started)}, nil, refusal, "no driver has picked it up"},
		"delivered by hand":                     {delivered, withoutLedger, told{delivered: 200}, nil, "", ""},
		"delivered by hand, the answer lost":    {delivered, withoutLedger, told{delivered: 400}, nil, "", ""},
		"driven by nobody":                      {dispatched, "ups", told{driven: steps(started)}, steps(started), "", "no driver has a booking of it"},
		"another carrier's":                     {delivered, "ups", told{}, nil, "", ""},
	} {
		x := newExamination(nil)
		for _, s := range c.history {
			x.line("o", shipment.Change{Status: s})
		}
		x.line("o", shipment.Change{Status: c.status, Note: c.note})
		if len(c.said.driven) > 0 {
			c.said.drove = "r"
		}
		state := shipment.Booked
		if c.status == cancelled {
			state = shipment.Cancelled
		}
		x.driven(&owned{id: "o", status: c.status, attempts: []shipment.Attempt{{Number: 1, Reference: "r", Adapter: c.adapter, State: state}}}, &c.said)
		var found []string
		for _, d := range x.found {
			found = append(found, d.Detail)
		}
		if got := strings.Join(found, "; "); (got == "") != (c.want == "") || !strings.Contains(got, c.want) || len(found) > 1 {
			t.Errorf("%s: found %q, want %q", name, got, c.want)
		}
		if want := c.adapter == withoutLedger; (x.drivers == 1) != want {
			t.Errorf("%s: %d orders were held against their drivers' book", name, x.drivers)
		}
	}
}

// TestSparesAreHeldAgainstTheLedger has a booking show after its absence was believed.
func TestSparesAreHeldAgainstTheLedger(t *testing.T) {
	ended := time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC)
	booked := []string{"1Z1 r1 booking", "1Z1 r1 charge"}
	gone := append(slices.Clone(booked), "1Z1 r1 void", "1Z1 r1 refund")
	for name, c := range map[string]struct {
		ledger []string
		state  shipment.AttemptState
		found  time.Duration // after the end
		shown  int
		want   string // kind
	}{
		"shown and cancelled":                   {gone, shipment.Voided, time.Second, 1, ""},
		"cancelled, and it lives":               {booked, shipment.Voided, time.Second, 0, "orphan"},
		"cancelled, and it is charged":          {gone[:3], shipment.Voided, time.Second, 0, "money"},
		"of nobody's":                           {nil, shipment.Voided, time.Second, 0, "lost"},
		"a booking beside the one that is kept": {gone, shipment.Adopted, -time.Second, 0, ""},
	} {
		x := newExamination(ledgerOf(c.ledger...))
		o := &owned{id: "o", status: shipping.OrderFailed}
		a := shipment.Attempt{Number: 1, Adapter: "ups", Reference: "r1", State: c.state, EndedAt: ended,
			Spares: []shipment.Spare{{CarrierRef: "1Z1", FoundAt: ended.Add(c.found), CancelledAt: ended.Add(time.Minute)}}}
		x.byRef["r1"] = o
		x.spares(o, &a)
		x.strangers()
		if got := len(x.found); x.shown["ups"] != c.shown || (got > 0) != (c.want != "") || got > 0 && (got > 1 || x.found[0].Kind != c.want) {
			t.Errorf("%s: found %+v and %d shown, want %q and %d", name, x.found, x.shown["ups"], c.want, c.shown)
		}
	}
}

// TestADriverIsAtTheBookingThatWasMoved has an edit give an order to another booking between a driver's look and his word.
func TestADriverIsAtTheBookingThatWasMoved(t *testing.T) {
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		fmt.Fprint(w, `{"attempts":[{"provider":"own_fleet","reference":"r1","trackingId":"SD1","state":"cancelled"},
			{"provider":"ups","reference":"r2","trackingId":"1Z1","state":"refused"},{"provider":"own_fleet","reference":"r3","trackingId":"SD3","state":"booked"}]}`)
	}))
	defer engine.Close()
	o := &sent{chaos: &chaos{api: newClient(engine.URL, "")}, id: "o"}
	for answered, want := range map[string]string{`{"trackingId":"SD1"}`: "r1", `{"trackingId":"SD3"}`: "r3", `{"trackingId":"1Z1"}`: "r1", `{}`: "r1"} {
		if got, err := o.driven(t.Context(), answer{status: http.StatusOK, body: []byte(answered)}, "r1"); err != nil || got != want {
			t.Errorf("answered with %s the driver is at %s, %v, want %s", answered, got, err, want)
		}
	}
	if got, err := o.driven(t.Context(), answer{status: http.StatusConflict, body: []byte(`{"trackingId":"SD3"}`)}, "r1"); err != nil || got != "r1" {
		t.Errorf("refused, the driver is at %s, %v", got, err)
	}
	if account, reference, err := o.booking(t.Context()); err != nil || account != drivenBy || reference != "r3" {
		t.Errorf("the order is booked at %s as %s, %v", account, reference, err)
	}
}
