package shipping_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

func TestPrefer(t *testing.T) {
	h := apitest.New(t)
	for id, prefer := range map[string]string{"a": "respond-async", "b": "wait=10, RESPOND-ASYNC; x=1", "c": "return=minimal,respond-async"} {
		a := h.Do("POST", "/shipments", apitest.Order(id), "Prefer", prefer).Want(202)
		is(t, a, map[string]any{"status": "REQUEST_RECEIVED", "provider.id": ""})
		if a.Header.Get("Preference-Applied") != "respond-async" || a.Header.Get("Location") != "https://ship.example.com/shipments/"+id {
			t.Errorf("headers %v", a.Header)
		}
	}
	if n := len(h.UPS.Quotes()); n != 0 {
		t.Errorf("a carrier was asked %d times", n)
	}
	a := h.Do("POST", "/shipments", apitest.Order("d"), "Prefer", "respond-asynchronously").Want(201)
	if got := a.Header.Get("Preference-Applied"); got != "" {
		t.Errorf("Preference-Applied: %s", got)
	}
}

func TestScheduled(t *testing.T) {
	h := apitest.New(t)
	at := apitest.Start.Add(time.Hour).UnixMilli()
	a := h.Do("POST", "/shipments", apitest.Order("s", "dispatch", map[string]any{"type": "scheduled", "time": at})).Want(202)
	is(t, a, map[string]any{"status": "PENDING_DISPATCH", "dispatch": map[string]any{"type": "scheduled", "time": at}})
	is(t, h.Do("GET", "/shipments/s/status-history", "").Want(200), map[string]any{"0.orderStatus.1.note": "SCHEDULED( 2026-03-07T21:30:00Z )"})
	h.Do("POST", "/shipments", apitest.Order("i", "dispatch", map[string]any{"type": "immediate"})).Want(201)
}

func TestHeldAndRetriedByRules(t *testing.T) {
	h := apitest.New(t)
	h.Rules(`
rules: 1
hold:
  - { name: Dear orders, when: 'order.total > money("50.00", "USD")', until: released, reason: worth more than 50 }
none: { hold_for: 10m, retry: 3 }
`)
	a := h.Do("POST", "/shipments", apitest.Order("held", "orderValue", 51)).Want(202)
	is(t, a, map[string]any{"status": "PENDING_RELEASE"})
	h.DoorDash.Set(apitest.Hooks{Quote: refusesQuote.Quote})
	is(t, h.Do("POST", "/shipments", dallas("again")).Want(202), map[string]any{"status": "PENDING_AUTORETRY"})
	is(t, h.Do("POST", "/rates", apitest.Order("r", "orderValue", 51)).Want(200), map[string]any{"warnings.0.code": "ORDER_WOULD_WAIT", "rates": []any{}})
}

// TestDoubt: where a carrier's answer was lost, and the carrier may act on the order for longer than a caller waits, the answer comes at
// once, and says not to send again. The clock stands still here: a wait would not end.
func TestDoubt(t *testing.T) {
	h := apitest.New(t)
	h.DoorDash.Set(apitest.Hooks{Book: func(carrier.BookRequest) error { return apitest.Lost() }})
	a := h.Do("POST", "/shipments", dallas("o"), "Idempotency-Key", "k")
	h.Do("POST", "/shipments", dallas("o"), "Idempotency-Key", "k").Want(202)
	is(t, a.Want(202), map[string]any{"status": "PENDING_DISPATCH", "warnings.0.code": "DISPATCH_IN_DOUBT", "warnings.0.provider": "DoorDash"})
	is(t, h.Do("GET", "/shipments/o", "").Want(200), map[string]any{"warnings.0.code": "DISPATCH_IN_DOUBT"})
	d := h.Do("GET", "/shipments/o/decision", "").Want(200)
	is(t, d, map[string]any{"attempts.0.state": "in_doubt", "attempts.0.error.effect": "unknown", "attempts.0.error.code": "OUTCOME_UNKNOWN", "attempts.0.doubt.looks": 0})
	h.Do("POST", "/shipments/o/retry", "").Want(409)
	is(t, h.Do("PUT", "/shipments/o", `{"deliveryInstructions":"x"}`).Want(400), map[string]any{"type": "VALIDATION_ERROR"})
	if n := len(h.DoorDash.Booked()); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// TestDoubtThatMayBeResolved: where the carrier can be asked soon, the caller waits for that, as long as answer_within says.
func TestDoubtThatMayBeResolved(t *testing.T) {
	h := apitest.New(t)
	h.DoorDash.SetManifest(func(m *carrier.Manifest) { m.Idempotency = carrier.Native })
	h.DoorDash.Set(apitest.Hooks{Book: func(carrier.BookRequest) error { return apitest.Lost() }})
	answers := make(chan *apitest.Answer, 1)
	failures := make(chan error, 1)
	go func() {
		a, err := h.Send("POST", "/shipments", []byte(dallas("o")), "Idempotency-Key", "k")
		answers <- a
		failures <- err
	}()
	if err := h.Clock.AwaitTimers(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(20 * time.Second)
	a := <-answers
	if err := <-failures; err != nil {
		t.Fatal(err)
	}
	is(t, a.Want(202), map[string]any{"status": "PENDING_DISPATCH", "warnings.0.code": "DISPATCH_IN_DOUBT"})
}

func TestCancelWhoseAnswerWasLost(t *testing.T) {
	h := apitest.New(t)
	h.Do("POST", "/shipments", dallas("o")).Want(201)
	h.DoorDash.Set(apitest.Hooks{Cancel: func(carrier.CancelRequest) error { return apitest.Lost() }})
	is(t, h.Do("DELETE", "/shipments/o", "").Want(202), map[string]any{"status": "ORDER_DISPATCHED", "warnings.0.code": "CANCEL_IN_DOUBT"})
	wantWarned(t, h, "CANCEL_IN_DOUBT")
}

// wantWarned checks that the order o says its one warning wherever it is read.
func wantWarned(t *testing.T, h *apitest.Harness, code string) {
	t.Helper()
	is(t, h.Do("GET", "/shipments/o", "").Want(200), map[string]any{"warnings.1": nil, "warnings.0.code": code})
	is(t, h.Do("POST", "/shipments/list", `{}`).Want(200), map[string]any{"data.0.warnings.1": nil, "data.0.warnings.0.code": code})
}

// TestEditWhoseAnswerWasLost: that it is in doubt stands on the order until it is known, and not on the answer to another edit.
func TestEditWhoseAnswerWasLost(t *testing.T) {
	h := apitest.New(t)
	h.Do("POST", "/shipments", dallas("o")).Want(201)
	h.DoorDash.Set(apitest.Hooks{Edit: func(carrier.EditRequest) error { return apitest.Lost() }})
	is(t, h.Do("PUT", "/shipments/o", `{"deliveryInstructions":"x"}`).Want(202), map[string]any{"warnings.1": nil, "warnings.0.code": "EDIT_IN_DOUBT"})
	wantWarned(t, h, "EDIT_IN_DOUBT")
	is(t, h.Do("PUT", "/shipments/o", `{"deliveryInstructions":null}`).Want(200), map[string]any{"warnings": nil})
	h.Do("PUT", "/shipments/o", `{"groupId":"g"}`).Want(400)
}

// TestSlowCarrier: a caller is answered with the order as it stands before its connection is closed.
func TestSlowCarrier(t *testing.T) {
	h := apitest.New(t)
	h.Service.CallWithin = time.Millisecond
	answered := make(chan struct{})
	h.DoorDash.Set(apitest.Hooks{Book: func(carrier.BookRequest) error { <-answered; return nil }})
	a := h.Do("POST", "/shipments", dallas("o")).Want(202)
	close(answered)
	if s := fmt.Sprint(a.At("status")); s != "REQUEST_RECEIVED" && s != "ESTIMATES_RECEIVED" {
		t.Errorf("answered at %s", s)
	}
	h.Service.Drain()
	is(t, h.Do("GET", "/shipments/o", "").Want(200), map[string]any{"status": "ORDER_DISPATCHED"})
}

func TestCarrierThatCannotCancel(t *testing.T) {
	h := apitest.New(t)
	h.DoorDash.SetManifest(func(m *carrier.Manifest) {
		m.Abilities = []carrier.Ability{carrier.CanQuote, carrier.CanBook, carrier.CanFind}
	})
	h.Do("POST", "/shipments", dallas("o")).Want(201)
	is(t, h.Do("DELETE", "/shipments/o", "").Want(403), map[string]any{"type": "CANCELLATION_NOT_ALLOWED"})
	is(t, h.Do("PUT", "/shipments/o", `{"deliveryInstructions":"x"}`).Want(200), map[string]any{"warnings.0.code": "PROVIDER_NOT_INFORMED"})
}

// TestTwins sends one request 64 times at once: there is one order, one booking, and one answer.
func TestTwins(t *testing.T) {
	h := apitest.New(t)
	const n = 64
	answers := make([]*apitest.Answer, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			answers[i], errs[i] = h.Send("POST", "/shipments", []byte(apitest.Order("twin")), "Idempotency-Key", "twin-1")
		})
	}
	wg.Wait()
	for i, a := range answers {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		if a.Want(201); string(a.Body) != string(answers[0].Body) {
			t.Fatalf("two answers:\n%s\n%s", a.Body, answers[0].Body)
		}
	}
	if booked, quoted := len(h.UPS.Booked()), len(h.UPS.Quotes()); booked != 1 || quoted != 1 {
		t.Errorf("booked %d times, quoted %d times", booked, quoted)
	}
}

func TestIdempotencyKey(t *testing.T) {
	h := apitest.New(t)
	first := h.Do("POST", "/shipments", apitest.Order("o"), "Idempotency-Key", "k").Want(201)
	h.Do("PUT", "/shipments/o", `{"groupId":"changed"}`).Want(200)
	again := h.Do("POST", "/shipments", apitest.Order("o"), "Idempotency-Key", "k").Want(201)
	is(t, again, map[string]any{"id": first.At("id"), "groupId": "changed"}) // the order as it is now
	// The whole body counts, to the byte.
	is(t, h.Do("POST", "/shipments", apitest.Order("o")+" ", "Idempotency-Key", "k").Want(422), map[string]any{"type": "DUPLICATE_RESOURCE"})
	is(t, h.Do("POST", "/shipments", apitest.Order("o"), "Idempotency-Key", "other").Want(422), map[string]any{"type": "DUPLICATE_ID"})
	is(t, h.Do("POST", "/shipments", apitest.Order("p"), "Idempotency-Key", long+long+long).Want(400), map[string]any{"errors.0.parameter": "Idempotency-Key"})
	// What was refused and not stored uses no key.
	h.Do("POST", "/shipments", apitest.Order("q", "locationExternalId", "atlantis"), "Idempotency-Key", "q").Want(422)
	h.Do("POST", "/shipments", apitest.Order("q"), "Idempotency-Key", "q").Want(201)
	// A refused order that is stored is refused again in the same words.
	h.DoorDash.Set(refusesBook)
	no := h.Do("POST", "/shipments", dallas("r"), "Idempotency-Key", "r").Want(422)
	same := h.Do("POST", "/shipments", dallas("r"), "Idempotency-Key", "r").Want(422)
	is(t, same, map[string]any{"type": "PLACE_ORDER_FAILED", "id": no.At("id"), "message": no.At("message")})
	// After a day the key is forgotten.
	h.Clock.Advance(24*time.Hour + time.Millisecond)
	is(t, h.Do("POST", "/shipments", apitest.Order("o"), "Idempotency-Key", "k").Want(422), map[string]any{"type": "DUPLICATE_ID"})
}
