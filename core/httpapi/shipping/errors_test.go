package shipping_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// The ways in which the carrier of a test says no.
var (
	refusesQuote = apitest.Hooks{Quote: func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
		return carrier.QuoteAnswer{}, apitest.Refusal(carrier.ServiceUnavailable)
	}}
	refusesBook   = apitest.Hooks{Book: func(carrier.BookRequest) error { return apitest.Refusal(carrier.InvalidField) }}
	unknownNo     = apitest.Hooks{Book: func(carrier.BookRequest) error { return apitest.Refusal(carrier.CarrierRejected) }}
	refusesCancel = apitest.Hooks{Cancel: func(carrier.CancelRequest) error { return apitest.Refusal(carrier.CancelRefused) }}
	unknownCancel = apitest.Hooks{Cancel: func(carrier.CancelRequest) error { return apitest.Refusal(carrier.CarrierRejected) }}
	failsCancel   = apitest.Hooks{Cancel: func(carrier.CancelRequest) error { return apitest.Refusal(carrier.CarrierUnavailable) }}
)

// dallas is a location with one carrier, DoorDash.
func dallas(id string, changes ...any) string {
	return apitest.Order(id, append([]any{"locationExternalId", "100983"}, changes...)...)
}

const (
	noBody    = ""
	elsewhere = `{"deliveryAddress":{"street1":"1 Elsewhere Road"}}` // asks for a new booking
	nowhere   = `{"deliveryAddress":{"postalCode":"00000"}}`
)

type refusalCase struct {
	row    string // METHOD path TYPE, as in the table
	path   string
	body   string
	header []string
	setup  func(h *apitest.Harness)
}

func booked(h *apitest.Harness) { h.Do("POST", "/shipments", dallas("o")).Want(201) }
func waiting(h *apitest.Harness) {
	h.Do("POST", "/shipments", dallas("o"), "Prefer", "respond-async").Want(202)
}
func dash(k apitest.Hooks) func(*apitest.Harness) {
	return func(h *apitest.Harness) { h.DoorDash.Set(k) }
}
func failed(h *apitest.Harness) {
	h.DoorDash.Set(refusesBook)
	h.Do("POST", "/shipments", dallas("o")).Want(422)
}
func all(fs ...func(*apitest.Harness)) func(*apitest.Harness) {
	return func(h *apitest.Harness) {
		for _, f := range fs {
			f(h)
		}
	}
}
func unassign(h *apitest.Harness) { h.Config.Tenants["shop"].Locations["100983"].Accounts = nil }

var long = strings.Repeat("x", 101)

func refusals() []refusalCase {
	cs := []refusalCase{
		{row: "POST /shipments VALIDATION_ERROR", path: "/shipments", body: `{}`},
		{row: "POST /shipments INVALID_DATA", path: "/shipments", body: apitest.Order("o", "locationExternalId", "atlantis")},
		{row: "POST /shipments DUPLICATE_ID", path: "/shipments", body: dallas("o"), setup: booked},
		{row: "POST /shipments DUPLICATE_NAME", path: "/shipments", body: dallas("o", "proposedProviders", []any{map[string]any{"name": "UPS"}, map[string]any{"name": "ups"}})},
		{row: "POST /shipments DUPLICATE_NAME", path: "/shipments", body: dallas("o", "proposedProviders", []any{map[string]any{"name": "doordash"}, map[string]any{"name": "DoorDash"}})},
		{row: "POST /shipments DUPLICATE_RESOURCE", path: "/shipments", body: dallas("p"), header: []string{"Idempotency-Key", "k"},
			setup: func(h *apitest.Harness) { h.Do("POST", "/shipments", dallas("o"), "Idempotency-Key", "k").Want(201) }},
		{row: "POST /shipments NO_PROVIDER_ASSIGNED", path: "/shipments", body: apitest.Order("o", "locationExternalId", "301")},
		{row: "POST /shipments NO_PROVIDER_MATCHED", path: "/shipments", body: dallas("o"), setup: dash(refusesQuote)},
		{row: "POST /shipments PLACE_ORDER_FAILED", path: "/shipments", body: dallas("o"), setup: dash(refusesBook)},
		{row: "POST /shipments GEOCODING_FAILED", path: "/shipments", body: apitest.Order("o", "deliveryAddress.postalCode", "00000",
			"deliveryAddress.latitude", apitest.Absent, "deliveryAddress.longitude", apitest.Absent)},
		{row: "POST /shipments UNMAPPED_ERROR", path: "/shipments", body: dallas("o"), setup: dash(unknownNo)},
		{row: "POST /shipments/list INVALID_DATA", path: "/shipments/list", body: `{"lastUpdatedAt":{"startsAt":1651402682000,"endsAt":1655402682000}}`},
		{row: "GET /shipments/{shipmentId} INVALID_DATA", path: "/shipments/" + long},
		{row: "GET /shipments/{shipmentId} NOT_FOUND", path: "/shipments/o"},
		{row: "DELETE /shipments/{shipmentId} NOT_FOUND", path: "/shipments/o"},
		{row: "DELETE /shipments/{shipmentId} CANCELLATION_NOT_ALLOWED", path: "/shipments/o", setup: all(booked, dash(refusesCancel))},
		{row: "DELETE /shipments/{shipmentId} ORDER_CANCELLATION_FAILED", path: "/shipments/o", setup: all(booked, dash(failsCancel))},
		{row: "DELETE /shipments/{shipmentId} UNMAPPED_ERROR", path: "/shipments/o", setup: all(booked, dash(unknownCancel))},
		{row: "DELETE /shipments/{shipmentId} ORDER_ALREADY_CANCELED", path: "/shipments/o",
			setup: all(booked, func(h *apitest.Harness) { h.Do("DELETE", "/shipments/o", "").Want(200) })},
		{row: "PUT /shipments/{shipmentId} INVALID_DATA", path: "/shipments/o", body: `{"locationExternalId":"atlantis"}`, setup: waiting},
		{row: "PUT /shipments/{shipmentId} VALIDATION_ERROR", path: "/shipments/o", body: `{"package":{"name":"small"}}`, setup: booked},
		{row: "PUT /shipments/{shipmentId} NOT_FOUND", path: "/shipments/o", body: `{}`},
		{row: "PUT /shipments/{shipmentId} NO_PROVIDER_ASSIGNED", path: "/shipments/o", body: `{"locationExternalId":"301"}`, setup: waiting},
		{row: "PUT /shipments/{shipmentId} NO_PROVIDER_MATCHED", path: "/shipments/o", body: elsewhere, setup: all(booked, dash(refusesQuote))},
		{row: "PUT /shipments/{shipmentId} PLACE_ORDER_FAILED", path: "/shipments/o", body: elsewhere, setup: all(booked, dash(refusesBook))},
		{row: "PUT /shipments/{shipmentId} GEOCODING_FAILED", path: "/shipments/o", body: nowhere, setup: waiting},
		{row: "PUT /shipments/{shipmentId} UNMAPPED_ERROR", path: "/shipments/o", body: elsewhere, setup: all(booked, dash(unknownNo))},
		{row: "POST /shipments/{shipmentId}/retry NOT_FOUND", path: "/shipments/o/retry"},
		{row: "POST /shipments/{shipmentId}/retry INVALID_DATA", path: "/shipments/" + long + "/retry"},
		{row: "POST /shipments/{shipmentId}/retry INVALID_OPERATION", path: "/shipments/o/retry", setup: booked},
		{row: "POST /shipments/{shipmentId}/retry NO_PROVIDER_ASSIGNED", path: "/shipments/o/retry", setup: all(failed, unassign)},
		{row: "POST /shipments/{shipmentId}/retry NO_PROVIDER_MATCHED", path: "/shipments/o/retry", setup: all(failed, dash(refusesQuote))},
		{row: "POST /shipments/{shipmentId}/retry PLACE_ORDER_FAILED", path: "/shipments/o/retry", setup: failed},
		{row: "POST /shipments/{shipmentId}/retry UNMAPPED_ERROR", path: "/shipments/o/retry", setup: all(failed, dash(unknownNo))},
	}
	broken := func(h *apitest.Harness) { h.Store.Fail(errors.New("the disk is on fire")) }
	spent := func(h *apitest.Harness) {
		for range 2 {
			h.Do("GET", "/locations", "", "x-api-key", apitest.SlowKey).Want(200)
		}
	}
	for _, route := range []struct{ row, path, body string }{
		{"POST /shipments", "/shipments", dallas("o")},
		{"POST /shipments/list", "/shipments/list", noBody},
		{"GET /shipments/{shipmentId}", "/shipments/o", noBody},
		{"DELETE /shipments/{shipmentId}", "/shipments/o", noBody},
		{"PUT /shipments/{shipmentId}", "/shipments/o", `{"orderValue":5}`},
		{"GET /shipments/{shipmentId}/status-history", "/shipments/o/status-history", noBody},
		{"POST /shipments/{shipmentId}/retry", "/shipments/o/retry", noBody},
	} {
		cs = append(cs,
			refusalCase{row: route.row + " UNAUTHORIZED", path: route.path, body: route.body, header: []string{"x-api-key", "wrong"}},
			refusalCase{row: route.row + " INTERNAL_SERVER_ERROR", path: route.path, body: route.body, setup: broken},
			refusalCase{row: route.row + " TOO_MANY_REQUESTS", path: route.path, body: route.body, header: []string{"x-api-key", apitest.SlowKey}, setup: spent})
	}
	return cs
}

// TestEveryRow has each row of the tables of refusals answered over HTTP, with its status, type and severity.
func TestEveryRow(t *testing.T) {
	table, err := os.ReadFile("../admin/testdata/rows.txt")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][2]string{}
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if strings.HasPrefix(f[1], "/trackers") { // another surface's
			continue
		}
		rows[strings.Join(f[:3], " ")] = [2]string{f[3], f[4]}
	}
	seen := map[string]bool{}
	for _, c := range refusals() {
		t.Run(strings.ReplaceAll(c.row, "/", "."), func(t *testing.T) {
			h := apitest.New(t)
			if c.setup != nil {
				c.setup(h)
			}
			method, _, _ := strings.Cut(c.row, " ")
			a := h.Do(method, c.path, c.body, c.header...)
			want, listed := rows[c.row]
			if !listed { // every route can be asked too often
				want = [2]string{"429", "Transient"}
			}
			body := a.Object()
			if got := [2]string{itoa(a.Status), body["severity"].(string)}; got != want || body["type"] != c.row[strings.LastIndexByte(c.row, ' ')+1:] {
				t.Errorf("answered %v %v, want %v\n%s", got, body["type"], want, a.Body)
			}
			if len(body["errors"].([]any)) == 0 || body["message"] == "" || body["requestId"] != a.Header.Get("X-Request-Id") {
				t.Errorf("a part of the refusal is missing: %s", a.Body)
			}
			if wait := a.Header.Get("Retry-After"); (a.Status == 429) != (wait == "1") {
				t.Errorf("%d has Retry-After %q", a.Status, wait)
			}
			if strings.Contains(string(a.Body), "fire") {
				t.Errorf("the cause is told to the caller: %s", a.Body)
			}
			if a.Status == 500 && !strings.Contains(h.Log(), "the disk is on fire") {
				t.Errorf("the cause is not in the log: %s", h.Log())
			}
		})
		seen[c.row] = true
	}
	for row := range rows {
		if !seen[row] {
			t.Errorf("no test answers %s", row)
		}
	}
}

func itoa(n int) string { return apitest.JSON(n) }

// TestRefusedOrdersThatAreStored: where the order is kept, the refusal names it, and it can be read, edited, retried and cancelled.
func TestRefusedOrdersThatAreStored(t *testing.T) {
	for name, c := range map[string]struct {
		hooks  apitest.Hooks
		status string
	}{
		"NO_PROVIDER_MATCHED": {refusesQuote, "ESTIMATES_FAILED"},
		"PLACE_ORDER_FAILED":  {refusesBook, "ORDER_FAILED"},
		"UNMAPPED_ERROR":      {unknownNo, "ORDER_FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			h := apitest.New(t)
			h.DoorDash.Set(c.hooks)
			no := h.Do("POST", "/shipments", dallas("o")).Want(422)
			is(t, no, map[string]any{"type": name, "errors.0.provider": "DoorDash", "errors.0.code": "X-100", "errors.0.message": "not today"})
			got := h.Do("GET", "/shipments/o", "").Want(200)
			if got.At("id") != no.At("id") || got.At("status") != c.status {
				t.Errorf("%v at %v, want %v at %s", got.At("id"), got.At("status"), no.At("id"), c.status)
			}
			byID := h.Do("GET", "/shipments/"+no.At("id").(string), "").Want(200)
			is(t, byID, map[string]any{"orderExternalId": "o"})
			is(t, h.Do("POST", "/shipments", dallas("o")).Want(422), map[string]any{"type": "DUPLICATE_ID"})
			h.Do("PUT", "/shipments/o", `{"package":{"name":"small"},"deliveryContact":{"name":"Bob"}}`).Want(200)
			h.DoorDash.Set(apitest.Hooks{})
			h.Do("POST", "/shipments/o/retry", "").Want(201)
			h.Do("DELETE", "/shipments/o", "").Want(200)
		})
	}
}

// TestRefusedOrdersThatAreNotStored: the other refusals of a create leave nothing behind.
func TestRefusedOrdersThatAreNotStored(t *testing.T) {
	h := apitest.New(t)
	for _, body := range []string{
		`{}`, apitest.Order("o", "locationExternalId", "atlantis"), apitest.Order("o", "locationExternalId", "301"),
		apitest.Order("o", "deliveryAddress.postalCode", "00000", "deliveryAddress.latitude", apitest.Absent, "deliveryAddress.longitude", apitest.Absent),
	} {
		if a := h.Do("POST", "/shipments", body); a.Status < 400 || a.At("id") != nil {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if n := h.Store.Commits(); n != 0 {
		t.Errorf("%d transactions were written", n)
	}
	h.Do("POST", "/shipments", apitest.Order("o")).Want(201)
}

func TestStoreThatCannotWriteSaysSo(t *testing.T) {
	h := apitest.New(t)
	h.Store.Fail(store.ErrUnavailable)
	a := h.Do("POST", "/shipments", apitest.Order("o")).Want(500)
	if got := a.At("message").(string); !strings.Contains(got, "nothing was changed") {
		t.Errorf("message = %s", got)
	}
	h.Store.Fail(nil)
	h.Do("POST", "/shipments", apitest.Order("o")).Want(201)
}
