package tracker_test

import (
	"context"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

func TestReturnOfATracker(t *testing.T) {
	for name, end := range map[string][2]string{"removed": {"DELETE", "/trackers/t%2F1"}, "erased": {"POST", "/trackers/t%2F1/erase"}} {
		t.Run(name, func(t *testing.T) { returnOfATracker(t, end[0], end[1]) })
	}
}

// returnOfATracker ends with what removes the tracker, or erases it.
func returnOfATracker(t *testing.T, method, gone string) {
	h := apitest.New(t)
	ctx := context.Background()
	kept := keep(t, h, "aaaaaaaaaaaaaaaaaaaaaaa1", "t/1")
	const path, body = "/trackers/t%2F1/return", `{"reason":"damaged"}`
	h.Do("POST", path, `{}`).Want(400)
	h.Do("POST", "/trackers/nothing/return", body).Want(404)
	a := h.Do("POST", path, body, "Idempotency-Key", "k").Want(201)
	if a.At("orderExternalId") != "t/1-R1" || a.At("status") != "ORDER_DISPATCHED" || a.At("labelUrl") != "https://ship.example.com/shipments/t%2F1-R1/label" {
		t.Errorf("%s", a.Body)
	}
	if again := h.Do("POST", path, body, "Idempotency-Key", "k").Want(201); again.At("id") != a.At("id") {
		t.Errorf("sent again, it is %s", again.Body)
	}
	h.Do("POST", "/trackers/"+string(kept.ID)+"/return", body).Want(409)
	if shown := h.Do("GET", "/trackers/t%2F1", "").Want(200); shown.At("returnRequest.id") != a.At("id") || shown.At("returns") != nil {
		t.Errorf("%s", shown.Body)
	}
	back := h.Do("GET", "/shipments/t%2F1-R1", "").Want(200)
	if back.At("returnOf.trackerId") != string(kept.ID) || back.At("pickupAddress.street1") != "725 Albany Street" {
		t.Errorf("%s", back.Body)
	}
	if now, err := h.Store.Tracker(ctx, "shop", kept.ID); err != nil || len(now.Returns) != 1 || string(now.Returns[0]) != a.At("id") {
		t.Errorf("the tracker knows %v, %v", now, err)
	}
	h.Do("POST", "/trackers/%FF/return", body).Want(422)

	// The buyer's page and label hang on the tracker for as long as the return is under way.
	if no := h.Do("DELETE", "/trackers/t%2F1", "").Want(409); no.At("type") != "INVALID_OPERATION" || !strings.Contains(string(no.Body), "t/1-R1") {
		t.Errorf("%s", no.Body)
	}
	if no := h.Do("POST", "/trackers/t%2F1/erase", "").Want(409); no.At("type") != "INVALID_OPERATION" || !strings.Contains(string(no.Body), "t/1-R1") {
		t.Errorf("%s", no.Body)
	}
	if shown := h.Do("GET", "/trackers/t%2F1", "").Want(200); shown.At("deliveryContact.name") != "Ann Example" {
		t.Errorf("%s", shown.Body)
	}
	h.Do("POST", "/shipments/t%2F1-R1/status", `{"status":"ORDER_DELIVERED"}`).Want(200)

	// The return was picked up where the tracker was delivered.
	h.Do(method, gone, "").Want(200)
	h.Catch()
	text := string(h.Do("GET", "/shipments/t%2F1-R1", "").Want(200).Body)
	for _, private := range []string{"Ann Example", "725 Albany"} {
		if strings.Contains(text, private) {
			t.Errorf("%s is left of the return: %s", private, text)
		}
	}
}
