package shipping_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// delivered makes an order of two watches and a strap that has reached its buyer.
func delivered(h *apitest.Harness, id string) {
	h.Do("POST", "/shipments", watches(id)).Want(201)
	h.Do("POST", "/shipments/"+id+"/status", `{"status":"ORDER_DELIVERED"}`).Want(200)
}

func watches(id string) string {
	return apitest.Order(id, "itemList", []any{
		map[string]any{"sku": "watch", "quantity": 2, "price": 4, "salePrice": 3.5, "title": "Watch"},
		map[string]any{"sku": "strap", "quantity": 1, "price": 3, "title": "Strap"},
	})
}

func TestReturnOverHTTP(t *testing.T) {
	h := apitest.New(t)
	h.Config.Tenants["shop"].Returns.Exchanges = true
	h.UPS.SetManifest(func(m *carrier.Manifest) { m.Abilities = append(m.Abilities, carrier.CanReturn) })
	delivered(h, "o")
	is(t, h.Do("GET", "/shipments/o", "").Want(200), map[string]any{"returnRequest": nil, "returns": nil, "returnOf": nil})
	const body = `{"reason":"too_small","note":"sorry","itemList":[{"sku":"watch","quantity":1}],"exchangeItems":[{"sku":"watch-xl","quantity":1}]}`
	a := h.Do("POST", "/shipments/o/return", body, "Idempotency-Key", "k").Want(201)
	golden(t, "return", a)
	if got := a.Header.Get("Location"); got != "https://ship.example.com/shipments/o-R1" {
		t.Errorf("Location %q", got)
	}
	is(t, h.Do("POST", "/shipments/o/return", body, "Idempotency-Key", "k").Want(201), map[string]any{"id": a.At("id")})
	is(t, h.Do("POST", "/shipments/o/return", `{"reason":"other"}`, "Idempotency-Key", "k").Want(422), map[string]any{"type": "DUPLICATE_RESOURCE"})
	h.Do("GET", "/shipments/o-R1/label", "").Want(200)
	golden(t, "returned", h.Do("GET", "/shipments/o", "").Want(200))

	// The way back goes on, and the order shows it.
	is(t, h.Do("POST", "/shipments/o-R1/status", `{"status":"ORDER_DELIVERED"}`).Want(200), map[string]any{
		"pickupAddress.street1": "725 Albany Street", "deliveryAddress.street1": "502 Park Avenue", "returnOf.orderExternalId": "o", "returnOf.type": "exchange"})
	is(t, h.Do("GET", "/shipments/o", "").Want(200), map[string]any{"returnRequest.status": "ORDER_DELIVERED", "status": "ORDER_DELIVERED"})

	twice := h.Do("POST", "/shipments/o/return", `{"reason":"other","itemList":[{"sku":"watch","quantity":2}]}`).Want(400)
	is(t, twice, map[string]any{"type": "VALIDATION_ERROR", "errors.0.parameter": "itemList[0].quantity", "errors.1": nil})
	rest := h.Do("POST", "/shipments/o/return", `{"reason":"other"}`).Want(201)
	is(t, rest, map[string]any{"items.0.quantity": 1.0, "items.1.sku": "strap", "type": "return"})
	is(t, h.Do("POST", "/shipments/o/return", `{"reason":"other"}`).Want(409), map[string]any{"type": "INVALID_OPERATION"})
	is(t, h.Do("POST", "/shipments/list", `{"orderExternalIds":["o"]}`).Want(200), map[string]any{"data.0.returnRequest.id": rest.At("id"), "data.0.returns.0.id": a.At("id")})
	// Of several the last counts that was not cancelled.
	h.Do("DELETE", "/shipments/o-R2", "").Want(200)
	is(t, h.Do("GET", "/shipments/o", "").Want(200), map[string]any{"returnRequest.id": a.At("id"), "returns.1.status": "ORDER_CANCELLED"})
}

func TestReturnThatWaitsOrFails(t *testing.T) {
	h := apitest.New(t)
	h.Config.Dispatch.AnswerWithin = 0
	for _, id := range []string{"async", "lost", "refused", "late"} {
		delivered(h, id)
	}
	a := h.Do("POST", "/shipments/async/return", `{"reason":"other"}`, "Prefer", "respond-async").Want(202)
	is(t, a, map[string]any{"status": "REQUEST_RECEIVED", "provider": nil, "labelUrl": nil})
	if a.Header.Get("Preference-Applied") != "respond-async" {
		t.Errorf("%v", a.Header)
	}
	fail := func(err error) {
		h.UPS.Set(apitest.Hooks{Book: func(carrier.BookRequest) error { return err }})
		h.DoorDash.Set(apitest.Hooks{Book: func(carrier.BookRequest) error { return err }})
	}
	fail(apitest.Lost())
	is(t, h.Do("POST", "/shipments/lost/return", `{"reason":"other"}`).Want(202), map[string]any{"status": "PENDING_DISPATCH", "warnings.0.code": "DISPATCH_IN_DOUBT"})
	fail(apitest.Refusal(carrier.InvalidField))
	no := h.Do("POST", "/shipments/refused/return", `{"reason":"other"}`).Want(422)
	is(t, no, map[string]any{"type": "PLACE_ORDER_FAILED"})
	is(t, h.Do("GET", "/shipments/refused", "").Want(200), map[string]any{"returnRequest.id": no.At("id"), "returnRequest.status": "ORDER_FAILED"})
	fail(nil)
	is(t, h.Do("POST", "/shipments/refused-R1/retry", "").Want(201), map[string]any{"status": "ORDER_DISPATCHED", "returnOf.orderExternalId": "refused"})
	h.Clock.Advance(31 * 24 * time.Hour)
	is(t, h.Do("POST", "/shipments/late/return", `{"reason":"other"}`).Want(409), map[string]any{"type": "INVALID_OPERATION"})
}

// TestErasedReturn: neither an order nor its return keeps free words, or names labels that are gone.
func TestErasedReturn(t *testing.T) {
	h := apitest.New(t)
	delivered(h, "o")
	is(t, h.Do("POST", "/shipments/o/return", `{"reason":"other","package":{"name":"small","description":"Ann's shoes"}}`).Want(201),
		map[string]any{"labelUrl": "https://ship.example.com/shipments/o-R1/label"})
	h.Do("POST", "/shipments/o-R1/status", `{"status":"ORDER_DELIVERED"}`).Want(200)
	h.Do("POST", "/shipments/o/erase", "").Want(200)
	is(t, h.Do("GET", "/shipments/o", "").Want(200), map[string]any{"package.name": "", "package.description": "", "attachments": []any{}, "label": nil,
		"returnRequest.labelUrl": nil, "returnRequest.labelUrls": []any{}, "returnRequest.warnings": nil, "warnings": nil, "returnRequest.trackingId": h.Do("GET", "/shipments/o-R1", "").At("trackingId")})
	is(t, h.Do("GET", "/shipments/o-R1", "").Want(200), map[string]any{"package.description": "", "attachments": []any{}, "label": nil})
	h.Do("GET", "/shipments/o-R1/label", "").Want(404)
}

func TestReturnBodies(t *testing.T) {
	h := apitest.New(t)
	delivered(h, "o")
	for body, paths := range map[string][]string{
		``:                           {},
		`[]`:                         {},
		`{}`:                         {"reason"},
		`{"reason":7,"itemList":{}}`: {"reason", "itemList"},
		`{"reason":"no","type":"gift","itemList":[{"quantity":1},{"sku":"x","quantity":1},{"line":9,"quantity":1},{"line":1,"sku":"strap","quantity":1},{"line":1},{"sku":"watch","quantity":1}]}`: {
			"itemList[0]", "itemList[1]", "itemList[2]", "itemList[3]", "itemList[4].quantity", "itemList[5]", "reason", "type"},
		`{"reason":"other","exchangeItems":[{"sku":"a","quantity":1}]}`:                       {"type"},
		`{"reason":"other","package":{"name":"small"},"packages":[{"name":"small"}]}`:         {"packages"},
		`{"reason":"other","pickupAddress":{"street1":"x"},"pickupContact":{"phone":"+1 2"}}`: {"pickupAddress.city", "pickupAddress.countryCode"},
	} {
		a := h.Do("POST", "/shipments/o/return", body).Want(400)
		got := map[string]bool{}
		for i := 0; a.At(fmt.Sprintf("errors.%d", i)) != nil; i++ {
			p, _ := a.At(fmt.Sprintf("errors.%d.parameter", i)).(string)
			got[p] = true
		}
		for _, p := range paths {
			if !got[p] {
				t.Errorf("%s: no fault at %s: %s", body, p, a.Body)
			}
		}
	}
	is(t, h.Do("GET", "/shipments/o", "").Want(200), map[string]any{"returnRequest": nil})
	is(t, h.Do("POST", "/shipments/"+long+"/return", `{"reason":"other"}`).Want(422), map[string]any{"type": "INVALID_DATA"})
}
