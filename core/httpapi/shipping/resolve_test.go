package shipping_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// undecided makes orders whose bookings only a person can decide on: the answers were lost, and nobody can look for them.
func undecided(t testing.TB, ids ...string) *apitest.Harness {
	t.Helper()
	h := apitest.New(t)
	h.Config.Dispatch.AnswerWithin = 0
	h.DoorDash.SetManifest(func(m *carrier.Manifest) { m.Absence = carrier.Unproven })
	h.Config.Tenants["shop"].Accounts["doordash"].Doubt = "attention"
	h.DoorDash.Set(apitest.Hooks{Book: func(carrier.BookRequest) error {
		return &carrier.Error{Source: carrier.SourceNetwork, Effect: carrier.EffectUnknown, Code: carrier.OutcomeUnknown, Message: "The answer was lost."}
	}})
	for _, id := range ids {
		h.Do("POST", "/shipments", dallas(id)).Want(202)
	}
	h.DoorDash.Set(apitest.Hooks{})
	runner, err := jobs.New(jobs.Config{Store: h.Store, Clock: h.Clock, Source: clock.Seeded(1, h.Clock), Handlers: h.Service.Handlers()})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		h.Clock.Advance(time.Minute)
		if _, err := runner.RunDue(context.Background(), h.Clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func TestResolve(t *testing.T) {
	const needing = `{"needsAttention":true}`
	for name, c := range map[string]struct {
		body   string
		status int
		order  string
	}{
		"absent": {`{"attempt":1,"outcome":"absent"}`, 202, "PENDING_DISPATCH"},
		"booked": {`{"outcome":"booked","trackingId":"D-77"}`, 200, "ORDER_DISPATCHED"},
	} {
		t.Run(name, func(t *testing.T) {
			h := undecided(t, "o")
			h.Do("POST", "/shipments", apitest.Order("another")).Want(201)
			is(t, h.Do("POST", "/shipments/list", needing).Want(200), map[string]any{"data.0.orderExternalId": "o", "data.1": nil})
			is(t, h.Do("POST", "/shipments/o/resolve", c.body).Want(c.status), map[string]any{"status": c.order})
			is(t, h.Do("POST", "/shipments/list", needing).Want(200), map[string]any{"data.0": nil})
			is(t, h.Do("POST", "/shipments/o/resolve", c.body).Want(409), map[string]any{"type": "INVALID_OPERATION"})
		})
	}
}

func TestResolveRefusals(t *testing.T) {
	h := undecided(t, "o")
	for body, fault := range map[string]string{
		`{}`:                                    "outcome",
		`{"outcome":"perhaps"}`:                 "outcome",
		`{"outcome":"booked"}`:                  "trackingId",
		`{"outcome":"absent","trackingId":"x"}`: "trackingId",
		`{"outcome":"spare","trackingId":"x"}`:  "attempt",
		`{"outcome":"spare","attempt":1}`:       "trackingId",
		`{"outcome":"absent","attempt":-1}`:     "attempt",
		`{"outcome":"absent","attempt":"1"}`:    "attempt",
		`{"outcome":"absent","withdraw":"x"}`:   "reason",
		`{"outcome":"absent","reason":"x"}`:     "reason",
		`{"outcome":"absent","withdraw":"x","reason":"` + strings.Repeat("x", 501) + `"}`: "reason",
		`{"outcome":"absent","withdraw":"x\ny","reason":"x"}`:                             "withdraw",
		`{"outcome":"spare","attempt":1,"trackingId":"x","withdraw":"x","reason":"x"}`:    "withdraw",
	} {
		a := h.Do("POST", "/shipments/o/resolve", body).Want(400)
		if p := parameters(a); len(p) != 1 || p[0] != fault {
			t.Errorf("%s: faults of %v, want %s", body, p, fault)
		}
	}
	h.Do("POST", "/shipments/o/resolve", `{"outcome":"absent","attempt":2}`).Want(409)
	h.Do("POST", "/shipments/nobody/resolve", `{"outcome":"absent"}`).Want(404)
	h.Do("POST", "/shipments/o/resolve", `{"outcome":"absent"}`, "x-api-key", h.OtherKey).Want(404)
	h.Do("POST", "/shipments/o/resolve", `{"outcome":"absent"}`, "x-api-key", "wrong").Want(401)
}

// TestADeliveryIsTakenBack that was of another's parcel, whose number a person had told.
func TestADeliveryIsTakenBack(t *testing.T) {
	h := undecided(t, "o")
	h.Do("POST", "/shipments/o/resolve", `{"outcome":"booked","trackingId":"D-77"}`).Want(200)
	h.Do("POST", "/shipments/o/status", `{"status":"ORDER_DELIVERED","override":true,"note":"the buyer says so"}`).Want(200)
	is(t, h.Do("POST", "/shipments/o/resolve", `{"outcome":"absent"}`).Want(409), map[string]any{"type": "INVALID_OPERATION"})
	is(t, h.Do("POST", "/shipments/o/resolve", `{"outcome":"booked","trackingId":"D-78","withdraw":"D-77","reason":"a digit was wrong"}`).Want(200),
		map[string]any{"status": "ORDER_DISPATCHED", "trackingId": "D-78"})
	is(t, h.Do("POST", "/shipments/o/status", `{"status":"ORDER_DELIVERED","override":true,"note":"the buyer says so"}`).Want(200), map[string]any{"status": "ORDER_DELIVERED"})
}

// TestASpareIsShown with its attempt, and what the carrier said when it would not cancel it.
func TestASpareIsShown(t *testing.T) {
	h := undecided(t, "o")
	is(t, h.Do("POST", "/shipments/o/resolve", `{"outcome":"booked","trackingId":"D-77"}`).Want(200), nil)
	is(t, h.Do("GET", "/shipments/o/decision", "").Want(200), map[string]any{"attempts.0.doubt.told": true, "attempts.0.spares": nil})
	h.DoorDash.Set(apitest.Hooks{Cancel: func(carrier.CancelRequest) error { return apitest.Refusal(carrier.CancelRefused) }})
	h.Do("POST", "/shipments/o/resolve", `{"outcome":"spare","attempt":1,"trackingId":"D-78"}`).Want(200)
	runner, err := jobs.New(jobs.Config{Store: h.Store, Clock: h.Clock, Source: clock.Seeded(2, h.Clock), Handlers: h.Service.Handlers()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runner.RunDue(context.Background(), h.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	is(t, h.Do("GET", "/shipments/o/decision", "").Want(200), map[string]any{"attempts.0.spares.0.trackingId": "D-78",
		"attempts.0.spares.0.needs": "attention", "attempts.0.spares.0.last": "The carrier says no.", "attempts.0.spares.1": nil})
}

// TestANumberIsConfirmed: the carrier cannot be asked whose a number is that a person has told.
func TestANumberIsConfirmed(t *testing.T) {
	h := undecided(t, "o")
	h.Do("POST", "/shipments/o/resolve", `{"outcome":"booked","trackingId":"D-77"}`).Want(200)
	for _, query := range []string{"", "?confirmNumber=", "?confirmNumber=D-78"} {
		is(t, h.Do("DELETE", "/shipments/o"+query, "").Want(409), map[string]any{"type": "INVALID_OPERATION"})
	}
	is(t, h.Do("GET", "/shipments/o", "").Want(200), map[string]any{"status": "ORDER_DISPATCHED"})
	h.Do("DELETE", "/shipments/o?confirmNumber=D-77", "", "x-api-key", h.OtherKey).Want(404)
	is(t, h.Do("DELETE", "/shipments/o?confirmNumber=D-77", "").Want(200), map[string]any{"status": "ORDER_CANCELLED"})
}

// TestANumberIsOneOrders: the refusal names the order that has it.
func TestANumberIsOneOrders(t *testing.T) {
	h := undecided(t, "o", "p")
	h.Do("POST", "/shipments/o/resolve", `{"outcome":"booked","trackingId":"D-77"}`).Want(200)
	a := h.Do("POST", "/shipments/p/resolve", `{"outcome":"booked","trackingId":"D-77"}`).Want(409)
	is(t, a, map[string]any{"type": "INVALID_OPERATION"})
	if !strings.Contains(string(a.Body), "another order, o.") {
		t.Errorf("the order that has it is not named: %s", a.Body)
	}
}
