package shipping_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

// TestTenantsSeeNothingOfEachOther asks every route of the surface with the key of another tenant: it finds nothing and changes nothing.
func TestTenantsSeeNothingOfEachOther(t *testing.T) {
	h := undecided(t) // o, which needs a person
	mine := h.Do("POST", "/shipments", apitest.Order("mine", "groupId", "g"), "Idempotency-Key", "k").Want(201)
	h.Do("POST", "/shipments", apitest.Order("waits"), "Prefer", "respond-async").Want(202)
	h.UPS.Set(refusesBook)
	h.DoorDash.Set(refusesBook)
	h.Do("POST", "/shipments", apitest.Order("failed")).Want(422)
	h.UPS.Set(apitest.Hooks{})
	h.DoorDash.Set(apitest.Hooks{})
	elsewhere := apitest.Order("x", "locationExternalId", "100983") // a location of the owner's
	const nothing = `{"data":[],"paginationToken":{"next":null,"previous":null}}`
	things := []string{"mine", "waits", "failed", "o", mine.At("id").(string)}
	h.Strangers([]string{"/shipments", "/rates", "/decisions"}, things, map[string]apitest.Visit{
		"POST /shipments": {Bodies: []string{elsewhere}, Status: 422},
		"GET /decisions":  {Status: 200},
		"POST /rates":     {Bodies: []string{elsewhere}, Status: 422},
		"POST /shipments/list": {Status: 200, Empty: nothing, Bodies: []string{"", `{"orderExternalIds":["mine","waits","o"]}`, `{"groupId":"g"}`,
			`{"locationExternalIds":["7709"]}`, `{"needsAttention":true}`}},
		"GET /shipments/{id}":                {},
		"PUT /shipments/{id}":                {Bodies: []string{`{"orderValue":99}`, `{"orderExternalId":"stolen"}`}},
		"DELETE /shipments/{id}":             {},
		"GET /shipments/{id}/status-history": {Status: 200, Empty: "[]"},
		"POST /shipments/{id}/status":        {Bodies: []string{`{"status":"ORDER_DELIVERED"}`}},
		"POST /shipments/{id}/retry":         {},
		"POST /shipments/{id}/release":       {},
		"POST /shipments/{id}/return":        {Bodies: []string{`{"reason":"other"}`, `{"reason":"other","itemList":[{"line":1,"quantity":1}]}`}},
		"POST /shipments/{id}/erase":         {},
		"POST /shipments/{id}/resolve":       {Bodies: []string{`{"outcome":"absent"}`, `{"outcome":"booked","trackingId":"T-1"}`}},
		"GET /shipments/{id}/label":          {},
		"GET /shipments/{id}/decision":       {},
		"GET /shipments/{id}/trace":          {},
		"GET /shipments/{id}/communications": {},
		"GET /shipments/{id}/events":         {},
	}, "mine", mine.At("id").(string), mine.At("trackingId").(string), "Harrison", "carrier.example", "DoorDash_123")
	rival := []string{"x-api-key", h.OtherKey}
	// Ids and idempotency keys are the tenant's own.
	theirs := h.Do("POST", "/shipments", apitest.Order("mine"), "x-api-key", h.OtherKey, "Idempotency-Key", "k").Want(201)
	is(t, theirs, map[string]any{"tenantId": "rival", "pickupAddress.street1": "1 Beacon Street"})
	is(t, h.Do("GET", "/shipments/mine", "").Want(200), map[string]any{"tenantId": "shop", "id": mine.At("id")})
	// A token of one tenant's list is no token of another's.
	page := h.Do("POST", "/shipments/list", `{"limit":1}`).Want(200)
	body := apitest.JSON(map[string]any{"limit": 1, "paginationToken": page.At("paginationToken.next")})
	is(t, h.Do("POST", "/shipments/list", body, rival...).Want(400), map[string]any{"type": "INVALID_DATA"})
}

func TestOddIdsComeAndGo(t *testing.T) {
	h := apitest.New(t)
	for _, id := range []string{
		"a/b", "a b", " lead", "trail ", "100%", "%2F", "ü/ö", "注文-1", "a+b", "a?b=c", "a#b", "...", ".a", "a/..", "/", "%2e%2e", `\`, "list", "a;b", "a&b", `a"b\c`, "<b>",
		"0", "null", strings.Repeat("x", 100), "line\nbreak"[:4], "tab\there"[:3], "é\u0301", "📦",
	} {
		a := h.Do("POST", "/shipments", apitest.Order(id)).Want(201)
		is(t, a, map[string]any{"orderExternalId": id})
		path := "/shipments/" + url.PathEscape(id)
		is(t, h.Do("GET", path, "").Want(200), map[string]any{"orderExternalId": id, "id": a.At("id")})
		is(t, h.Do("GET", path+"/status-history", "").Want(200), map[string]any{"0.orderId": a.At("id")})
		h.Do("GET", path+"/label", "").Want(200)
		if label, _ := a.At("label").(string); label != "https://ship.example.com"+path+"/label" {
			t.Errorf("label of %q at %s", id, label)
		}
		is(t, h.Do("POST", "/shipments/list", apitest.JSON(map[string]any{"orderExternalIds": []string{id}})).Want(200), map[string]any{"data.0.id": a.At("id"), "data.1": nil})
		h.Do("DELETE", path, "").Want(200)
	}
}

func TestIdsThatCannotBe(t *testing.T) {
	h := apitest.New(t)
	h.Do("POST", "/shipments", apitest.Order("good")).Want(201)
	// What a URL's path cannot hold cannot be an id, nor become one.
	for _, id := range []string{".", ".."} {
		for _, a := range []*apitest.Answer{h.Do("POST", "/shipments", apitest.Order(id)), h.Do("PUT", "/shipments/good", apitest.JSON(map[string]any{"orderExternalId": id}))} {
			is(t, a.Want(400), map[string]any{"type": "VALIDATION_ERROR", "errors.0.parameter": "orderExternalId", "errors.1": nil})
		}
	}
	for _, id := range []string{long, strings.Repeat("%C3%A9", 101), "a%00b", "a%07", "%7F", "%0A", "%FF", "%C3%28"} {
		path := "/shipments/" + id
		h.Do("GET", path, "").Want(422)
		h.Do("POST", path+"/retry", "").Want(422)
		h.Do("PUT", path, `{}`).Want(400)
		a := h.Do("DELETE", path, "").Want(404)
		if got := a.At("message").(string); a.At("type") != "NOT_FOUND" || !strings.Contains(got, "not found") || strings.Contains(got, "Invalid") {
			t.Errorf("type and words disagree: %s", a.Body)
		}
		h.Do("POST", path+"/status", `{"status":"ORDER_DELIVERED"}`).Want(422)
		if a := h.Do("GET", path+"/status-history", "").Want(200); strings.TrimSpace(string(a.Body)) != "[]" {
			t.Errorf("history of %s: %s", id, a.Body)
		}
	}
	is(t, h.Do("GET", "/shipments/1908241-0061", "").Want(404), map[string]any{"message": "Order with id, 1908241-0061, is not found"})
}
