package shipping_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

// TestTenantsSeeNothingOfEachOther asks every route with the key of another tenant: it finds nothing and changes nothing.
func TestTenantsSeeNothingOfEachOther(t *testing.T) {
	h := apitest.New(t)
	mine := h.Do("POST", "/shipments", apitest.Order("mine", "groupId", "g"), "Idempotency-Key", "k").Want(201)
	h.Do("POST", "/shipments", apitest.Order("waits"), "Prefer", "respond-async").Want(202)
	h.UPS.Set(refusesBook)
	h.DoorDash.Set(refusesBook)
	h.Do("POST", "/shipments", apitest.Order("failed")).Want(422)
	h.UPS.Set(apitest.Hooks{})
	before := string(h.Do("POST", "/shipments/list", "").Want(200).Body)
	commits := h.Store.Commits()
	rival := []string{"x-api-key", h.OtherKey}

	for _, id := range []string{"mine", "waits", "failed", mine.At("id").(string)} {
		for _, c := range []struct{ method, path, body string }{
			{"GET", "", ""}, {"PUT", "", `{"orderValue":99}`}, {"DELETE", "", ""}, {"POST", "/retry", ""},
			{"POST", "/status", `{"status":"ORDER_DELIVERED"}`}, {"GET", "/label", ""}, {"GET", "/decision", ""}, {"GET", "/trace", ""},
		} {
			a := h.Do(c.method, "/shipments/"+id+c.path, c.body, rival...).Want(404)
			is(t, a, map[string]any{"type": "NOT_FOUND", "id": nil})
		}
		if a := h.Do("GET", "/shipments/"+id+"/status-history", "", rival...).Want(200); strings.TrimSpace(string(a.Body)) != "[]" {
			t.Errorf("history of %s: %s", id, a.Body)
		}
	}
	for _, body := range []string{"", `{"orderExternalIds":["mine","waits"]}`, `{"groupId":"g"}`, `{"locationExternalIds":["7709"]}`} {
		is(t, h.Do("POST", "/shipments/list", body, rival...).Want(200), map[string]any{"data": []any{}})
	}
	if after := string(h.Do("POST", "/shipments/list", "").Want(200).Body); after != before || h.Store.Commits() != commits {
		t.Error("the rival changed something")
	}
	// Ids and idempotency keys are the tenant's own.
	theirs := h.Do("POST", "/shipments", apitest.Order("mine"), "x-api-key", h.OtherKey, "Idempotency-Key", "k").Want(201)
	is(t, theirs, map[string]any{"tenantId": "rival", "pickupAddress.street1": "1 Beacon Street"})
	is(t, h.Do("GET", "/shipments/mine", "").Want(200), map[string]any{"tenantId": "shop", "id": mine.At("id")})
	// A token of one tenant's list is no token of another's.
	page := h.Do("POST", "/shipments/list", `{"limit":1}`).Want(200)
	body := apitest.JSON(map[string]any{"limit": 1, "paginationToken": page.At("paginationToken.next")})
	is(t, h.Do("POST", "/shipments/list", body, rival...).Want(400), map[string]any{"type": "INVALID_DATA"})
	// A carrier or location of another tenant is nobody's.
	is(t, h.Do("POST", "/shipments", apitest.Order("x", "locationExternalId", "100983"), rival...).Want(422), map[string]any{"type": "INVALID_DATA"})
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
