package shipping_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

// TestHistoryInWords: days have their ordinals, and times the letters of the location's zone at that moment.
func TestHistoryInWords(t *testing.T) {
	h := apitest.New(t)
	for when, want := range map[string]string{
		"2026-04-01T06:45:45Z": "April 1st 2026, 2:45:45 am EDT",
		"2026-04-02T04:00:00Z": "April 2nd 2026, 12:00:00 am EDT",
		"2026-04-03T16:00:00Z": "April 3rd 2026, 12:00:00 pm EDT",
		"2026-04-04T17:00:59Z": "April 4th 2026, 1:00:59 pm EDT",
		"2026-04-11T12:00:00Z": "April 11th 2026, 8:00:00 am EDT",
		"2026-04-12T12:00:00Z": "April 12th 2026, 8:00:00 am EDT",
		"2026-04-13T12:00:00Z": "April 13th 2026, 8:00:00 am EDT",
		"2026-04-21T12:00:00Z": "April 21st 2026, 8:00:00 am EDT",
		"2026-04-22T12:00:00Z": "April 22nd 2026, 8:00:00 am EDT",
		"2026-04-23T12:00:00Z": "April 23rd 2026, 8:00:00 am EDT",
		"2026-05-31T12:00:00Z": "May 31st 2026, 8:00:00 am EDT",
		"2026-03-08T06:59:59Z": "March 8th 2026, 1:59:59 am EST",
		"2026-03-08T07:00:00Z": "March 8th 2026, 3:00:00 am EDT",
		"2026-11-01T05:30:00Z": "November 1st 2026, 1:30:00 am EDT",
		"2026-11-01T06:30:00Z": "November 1st 2026, 1:30:00 am EST",
	} {
		at, err := time.Parse(time.RFC3339, when)
		if err != nil {
			t.Fatal(err)
		}
		h.Clock.Set(at)
		id := strings.ReplaceAll(when, ":", "")
		h.Do("POST", "/shipments", apitest.Order(id), "Prefer", "respond-async").Want(202)
		is(t, h.Do("GET", "/shipments/"+id+"/status-history", "").Want(200),
			map[string]any{"0.orderStatus.0.updatedAt": want, "0.orderStatus.0.updatedAtEpoch": at.UnixMilli()})
	}
	h.Clock.Set(apitest.Start)
	for place, want := range map[string]string{"100983": "March 7th 2026, 2:30:00 pm CST", "osaka": "March 8th 2026, 5:30:00 am JST"} {
		h.Do("POST", "/shipments", apitest.Order(place, "locationExternalId", place), "Prefer", "respond-async").Want(202)
		is(t, h.Do("GET", "/shipments/"+place+"/status-history", "").Want(200), map[string]any{"0.orderStatus.0.updatedAt": want})
	}
	if got := h.Do("GET", "/shipments/unknown/status-history", "").Want(200); strings.TrimSpace(string(got.Body)) != "[]" {
		t.Errorf("history of nobody: %s", got.Body)
	}
}

func TestStatusByHand(t *testing.T) {
	h := apitest.New(t)
	h.Do("POST", "/shipments", apitest.Order("o")).Want(201)
	at := apitest.Start.Add(-time.Minute).UnixMilli()
	a := h.Do("POST", "/shipments/o/status", apitest.JSON(map[string]any{"status": "PICKUP_COMPLETED", "note": "from the shelf", "actor": "Joe", "time": at})).Want(200)
	is(t, a, map[string]any{"status": "PICKUP_COMPLETED", "actualPickupTime": at, "actualDeliveryTime": nil})
	h.Clock.Advance(time.Minute)
	a = h.Do("POST", "/shipments/o/status", `{"status":"ORDER_DELIVERED"}`).Want(200)
	is(t, a, map[string]any{"status": "ORDER_DELIVERED", "actualPickupTime": at, "actualDeliveryTime": apitest.Start.Add(time.Minute).UnixMilli()})
	if got := strings.Join(statuses(h, "o"), " "); got != "REQUEST_RECEIVED ESTIMATES_RECEIVED ORDER_DISPATCHED PICKUP_COMPLETED ORDER_DELIVERED" {
		t.Errorf("history %s", got)
	}
	is(t, h.Do("GET", "/shipments/o/status-history", "").Want(200), map[string]any{"0.orderStatus.3.note": "from the shelf", "0.orderStatus.3.actor": "Joe",
		"0.orderStatus.3.updatedAtEpoch": at, "0.orderStatus.4.actor": nil})
	is(t, h.Do("POST", "/shipments/o/status", `{"status":"PICKUP_STARTED"}`).Want(409), map[string]any{"type": "INVALID_OPERATION", "severity": "Hard"})
	is(t, h.Do("DELETE", "/shipments/o", "").Want(403), map[string]any{"type": "CANCELLATION_NOT_ALLOWED"})
	for body, want := range map[string]string{
		`{}`: "status", `{"status":"GONE"}`: "status", `{"status":7}`: "status", `{"status":"ORDER_DELIVERED","note":7}`: "note",
		`{"status":"ORDER_DELIVERED","subStatus":"` + long + `"}`:                   "subStatus",
		`{"status":"ORDER_DELIVERED","eventReason":{}}`:                             "eventReason.code",
		`{"status":"ORDER_DELIVERED","at":4102444800000}`:                           "at",
		`{"status":"ORDER_DELIVERED","time":4102444800000}`:                         "time",
		`{"status":"ORDER_DELIVERED","at":1649253600000,"time":1649253600001}`:      "time",
		`{"status":"ORDER_DELIVERED","actor":"a\nb"}`:                               "actor",
		`{"status":"ORDER_DELIVERED","at":"now"}`:                                   "at",
		`{"status":"ORDER_DELIVERED","note":"` + strings.Repeat("x", 10_001) + `"}`: "note",
	} {
		bad := h.Do("POST", "/shipments/o/status", body).Want(400)
		is(t, bad, map[string]any{"type": "VALIDATION_ERROR", "errors.0.parameter": want, "errors.1": nil})
	}
	h.Do("POST", "/shipments/unknown/status", `{"status":"ORDER_DELIVERED"}`).Want(404)
}
