package tracker_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestTimeline: what the carrier says and what a person says stand in one timeline, with all that is known of each event.
func TestTimeline(t *testing.T) {
	h := serve(t)
	at := apitest.Start.Add(-time.Hour)
	h.UPS.Set(apitest.Hooks{Track: func(r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
		return []carrier.TrackUpdate{{Number: r.Parcels[0].Number, Events: []shipping.TrackingEvent{
			{Time: shipping.At(at), ZoneKnown: true, CarrierTime: "2026-03-07T14:30:00-05:00", Status: shipping.PickupCompleted, CarrierCode: "OR", CarrierWords: "Origin Scan", City: "Houston", State: "TX", CountryCode: "US"},
			{Time: shipping.At(time.Date(2026, 3, 7, 14, 0, 0, 0, time.UTC)), Status: shipping.InTransit, CarrierCode: "DP", CarrierWords: "Departed from Facility"},
			{Time: shipping.At(at.Add(40 * time.Minute)), ZoneKnown: true, CarrierCode: "ZZ", CarrierWords: "Something new"},
		}}}, nil
	}})
	a := h.Do("POST", "/trackers", body(t, "provider", "ups", "trackingId", "1Z5R89390357567127", "trackerExternalId", "t")).Want(201)
	refreshed, err := h.Tracking.Refresh(t.Context(), caller("shop"), trackerID(a))
	if err != nil || refreshed.Status != shipping.InTransit {
		t.Fatalf("%v %+v", err, refreshed)
	}
	h.Clock.Advance(time.Hour)
	b := h.Do("POST", "/trackers/t/status", `{"status":"OUT_FOR_DELIVERY","note":"Joe","actor":"Ann","driver":{"name":"Joe","phone":"+12142342232"},"lastLocation":{"latitude":1,"longitude":2}}`).Want(200)
	is(t, b, map[string]any{"status": "OUT_FOR_DELIVERY", "milestone": "out_for_delivery", "driver.name": "Joe", "lastLocation.isManual": true})
	events := h.Do("GET", "/trackers/t/events", "").Want(200)
	golden(t, "events", events)
	is(t, events, map[string]any{"status": "OUT_FOR_DELIVERY", "events.0.carrierWords": "Origin Scan", "events.0.place.city": "Houston", "events.0.source": "poll",
		"events.0.zoneKnown": true, "events.0.localTime": "2026-03-07T13:30:00-06:00", "events.0.carrierTime": "2026-03-07T14:30:00-05:00", "events.2.carrierTime": nil, "events.1.localTime": "2026-03-07T14:00:00", "events.1.zoneKnown": false,
		"events.2.status": nil, "events.2.milestone": "pending", "events.3.source": "manual", "events.3.user": "Default_Business_Key", "events.3.note": "Joe", "events.3.actor": "Ann"})
	is(t, h.Do("POST", "/trackers/t/status", `{"status":"PICKUP_STARTED"}`).Want(409), map[string]any{"type": "INVALID_OPERATION"})
	is(t, h.Do("POST", "/trackers/t/status", `{"status":"AWAY","at":"soon"}`).Want(400), map[string]any{"type": "VALIDATION_ERROR", "errors.1.parameter": "status"})
	h.Do("POST", "/trackers/t/status", `{"status":"ORDER_DELIVERED","attachments":[{"type":"photo","url":"https://x.example/p.jpg","contentType":"image/jpeg"}]}`).Want(200)
	is(t, h.Do("GET", "/trackers/t", "").Want(200), map[string]any{"milestone": "delivered", "attachments.0.url": "https://x.example/p.jpg"})
	erased := h.Do("POST", "/trackers/t/erase", "").Want(200)
	golden(t, "erased", erased)
	is(t, erased, map[string]any{"deliveryContact": nil, "driver": nil, "attachments": []any{}, "status": "ORDER_DELIVERED", "trackingId": "1Z5R89390357567127"})
	if text := string(h.Do("GET", "/trackers/t/events", "").Want(200).Body); strings.Contains(text, "Joe") || strings.Contains(text, "Ann") || strings.Contains(text, "Scan") {
		t.Errorf("erased and told all the same: %s", text)
	}
}

// TestShipmentTimeline: an order's events are those of the bookings made for it.
func TestShipmentTimeline(t *testing.T) {
	h := serve(t)
	h.Do("POST", "/shipments", apitest.Order("o")).Want(201)
	h.Clock.Advance(time.Hour)
	h.Do("POST", "/shipments/o/status", `{"status":"PICKUP_COMPLETED","note":"at last"}`).Want(409) // UPS tracks it
	h.Do("POST", "/shipments/o/status", `{"status":"PICKUP_COMPLETED","note":"at last","override":true}`).Want(200)
	a := h.Do("GET", "/shipments/o/events", "").Want(200)
	is(t, a, map[string]any{"orderExternalId": "o", "events.0.status": "PICKUP_COMPLETED", "events.0.source": "manual", "events.0.note": "at last", "events.1": nil})
	h.Do("GET", "/shipments/o/events", "", "x-api-key", h.OtherKey).Want(404)
	h.Do("GET", "/shipments/none/events", "").Want(404)
	is(t, h.Do("GET", "/trackers", "").Want(200), map[string]any{"data": []any{}}) // its tracker is not one of this surface
}

func TestList(t *testing.T) {
	h := serve(t)
	var all []string
	for i := range 7 {
		id := string(rune('a' + i))
		changes := []any{"trackerExternalId", id, "groupId", []any{nil, "g"}[i%2]}
		h.Do("POST", "/trackers", body(t, changes...)).Want(201)
		h.Clock.Advance(time.Second)
		if i%3 == 0 {
			h.Do("POST", "/trackers/"+id+"/status", `{"status":"ORDER_DELIVERED"}`).Want(200)
		}
		all = append([]string{id}, all...)
	}
	names := func(query string) (out []string, next, previous string) {
		a := h.Do("GET", "/trackers"+query, "").Want(200)
		for _, x := range a.Object()["data"].([]any) {
			out = append(out, x.(map[string]any)["trackerExternalId"].(string))
		}
		next, _ = a.At("paginationToken.next").(string)
		previous, _ = a.At("paginationToken.previous").(string)
		return out, next, previous
	}
	for query, want := range map[string][]string{
		"": all, "?groupId=g": {"f", "d", "b"}, "?status=ORDER_DELIVERED": {"g", "d", "a"}, "?status=ORDER_DELIVERED&groupId=g": {"d"},
		"?status=ORDER_DELIVERED,ORDER_DISPATCHED": all, "?status=ORDER_FAILED": nil, "?groupId=nobody": nil, "?limit=2": {"g", "f"},
	} {
		if got, _, _ := names(query); !cmp.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	for _, filter := range []string{"", "&status=ORDER_DELIVERED", "&groupId=g"} {
		want, _, _ := names("?" + strings.TrimPrefix(filter, "&"))
		var got []string
		token, back := "", ""
		for range 10 {
			page, next, previous := names("?limit=2" + filter + "&paginationToken=" + url.QueryEscape(token))
			if got, back = append(got, page...), previous; next == "" {
				break
			}
			token = next
		}
		if !cmp.Equal(got, want) || back == "" {
			t.Errorf("pages of %q: %v, want %v, and back with %q", filter, got, want, back)
		}
	}
	for query, parameter := range map[string]string{
		"?limit=0": "limit", "?limit=1001": "limit", "?limit=x": "limit", "?limit=1&limit=2": "limit", "?status=AWAY": "status",
		"?groupId=" + strings.Repeat("x", 101): "groupId", "?paginationToken=x": "paginationToken",
	} {
		is(t, h.Do("GET", "/trackers"+query, "").Want(400), map[string]any{"type": "INVALID_DATA", "errors.0.parameter": parameter})
	}
}

func TestDelete(t *testing.T) {
	h := serve(t)
	a := h.Do("POST", "/trackers", body(t)).Want(201)
	if b := h.Do("DELETE", "/trackers/tracker001", "").Want(200); string(b.Body) != string(a.Body) {
		t.Errorf("removed %s, want %s", b.Body, a.Body)
	}
	for _, path := range []string{"tracker001", "tracker001/events", a.At("id").(string)} {
		h.Do("GET", "/trackers/"+path, "").Want(404)
	}
	h.Do("DELETE", "/trackers/tracker001", "").Want(404)
	h.Do("POST", "/trackers", body(t)).Want(201) // the id is free again
}

// TestTenantsSeeNothingOfEachOther asks every route with the key of another tenant.
func TestTenantsSeeNothingOfEachOther(t *testing.T) {
	h := serve(t)
	a := h.Do("POST", "/trackers", body(t, "groupId", "g")).Want(201)
	rival := []string{"x-api-key", h.OtherKey}
	h.Strangers([]string{"/trackers"}, []string{"tracker001", a.At("id").(string)}, map[string]apitest.Visit{
		"POST /trackers":             {Bodies: []string{body(t)}, Status: 422}, // a location of the owner's
		"GET /trackers":              {Status: 200, Empty: `{"data":[],"paginationToken":{"next":null,"previous":null}}`},
		"GET /trackers/{id}":         {},
		"DELETE /trackers/{id}":      {},
		"GET /trackers/{id}/events":  {},
		"POST /trackers/{id}/erase":  {},
		"POST /trackers/{id}/return": {Bodies: []string{`{"reason":"other"}`}},
		"POST /trackers/{id}/status": {Bodies: []string{`{"status":"ORDER_DELIVERED"}`}},
	}, a.At("id").(string), "del_004", "nycustomer")
	for _, query := range []string{"?groupId=g", "?status=ORDER_DISPATCHED"} {
		is(t, h.Do("GET", "/trackers"+query, "", rival...).Want(200), map[string]any{"data": []any{}})
	}
	mine := `{"trackingId":"1Z5R89390357567127","locationExternalId":"7709","type":"pickup","trackerExternalId":"tracker001"}`
	is(t, h.Do("POST", "/trackers", mine, rival...).Want(201), map[string]any{"pickupAddress.street1": "1 Beacon Street"})
	is(t, h.Do("POST", "/trackers", body(t), rival...).Want(422), map[string]any{"type": "INVALID_TRACKER_DATA"})
}

func TestOddIds(t *testing.T) {
	h := serve(t)
	for _, id := range []string{"a/b", "a b", "100%", "ü/ö", "注文-1", "..", ".", "a;b&c", `a"b\c`, strings.Repeat("x", 100), strings.Repeat("0", 24)} {
		a := h.Do("POST", "/trackers", body(t, "trackerExternalId", id)).Want(201)
		path := "/trackers/" + url.PathEscape(id)
		is(t, h.Do("GET", path, "").Want(200), map[string]any{"trackerExternalId": id, "id": a.At("id")})
		is(t, h.Do("GET", path+"/events", "").Want(200), map[string]any{"trackerId": a.At("id")})
		h.Do("DELETE", path, "").Want(200)
	}
	for _, id := range []string{strings.Repeat("x", 101), "a%00b", "%0A", "%FF"} {
		is(t, h.Do("GET", "/trackers/"+id, "").Want(422), map[string]any{"type": "INVALID_DATA"})
	}
}

func FuzzCreateBody(f *testing.F) {
	for _, text := range []string{read(f, "seed/create.json"), `{}`, `[]`, `{"pickup":{"address":{}}}`, `{"trackingId":"1Z5R89390357567127","locationExternalId":"7709","type":"pickup"}`,
		`{"packages":[{}],"itemList":[{}],"barcodes":[""],"orderAttributes":{"a":{}}}`, `{"deliveryAddress":{"latitude":1}}`, "{\"trackingId\":\"\xff\"}"} {
		f.Add([]byte(text))
	}
	h := serve(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := h.Store.Commits()
		q := httptest.NewRequest(http.MethodPost, "/trackers", bytes.NewReader(raw))
		q.Header.Set("x-api-key", h.Key)
		w := httptest.NewRecorder()
		h.Router.ServeHTTP(w, q)
		if !utf8.Valid(w.Body.Bytes()) || !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%d: the answer is not JSON: %q", w.Code, w.Body)
		}
		switch stored := h.Store.Commits() != before; {
		case w.Code == 201 && stored:
			var v struct{ ID string }
			if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
				t.Fatal(err)
			}
			again := httptest.NewRequest(http.MethodGet, "/trackers/"+v.ID, nil)
			again.Header.Set("x-api-key", h.Key)
			g := httptest.NewRecorder()
			if h.Router.ServeHTTP(g, again); g.Body.String() != w.Body.String() {
				t.Fatalf("answered %s, read %s", w.Body, g.Body)
			}
		case (w.Code == 400 || w.Code == 422 || w.Code == 413) && !stored:
		default:
			t.Fatalf("answered %d, stored: %v: %s", w.Code, stored, w.Body)
		}
	})
}
