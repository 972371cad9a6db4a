package tracker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// keep stores the tracker of a parcel that has arrived.
func keep(t testing.TB, h *apitest.Harness, id tracker.ID, externalID string) *tracker.Tracker {
	t.Helper()
	kept := &tracker.Tracker{Schema: tracker.Schema, ID: id, Tenant: "shop", Surface: tracker.OfAPI, Type: "shipping", Number: "1Z",
		Names: []string{tracker.Name("tracker", externalID)}, Status: shipping.OrderDelivered, CreatedAt: apitest.Start, UpdatedAt: apitest.Start,
		Order: &shipment.Order{ExternalID: externalID, LocationID: "7709", Packages: []shipping.Parcel{{Name: "small"}},
			DeliveryContact: shipping.Contact{Name: "Ann Example", Phone: "+1 234-567-8900"},
			DeliveryAddress: shipping.Address{Street1: "725 Albany Street", City: "Boston", State: "MA", PostalCode: "02118", CountryCode: "US"}}}
	if err := h.Store.Commit(context.Background(), "shop", &store.Tx{Trackers: []*tracker.Tracker{kept}, Now: apitest.Start}); err != nil {
		t.Fatal(err)
	}
	return kept
}

// ask asks the router without a socket in between.
func ask(t *testing.T, h *apitest.Harness, method, path string, body []byte) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	q := httptest.NewRequest(method, path, bytes.NewReader(body))
	q.Header.Set("x-api-key", h.Key)
	w := httptest.NewRecorder()
	h.Router.ServeHTTP(w, q)
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s %s: %d: the answer is not JSON: %q", method, path, w.Code, w.Body)
	}
	return w, answer
}

// FuzzReturnBody asks for the return of what a tracker has followed: what is refused changes nothing, what is taken is an order, and the
// next body is about the next tracker.
func FuzzReturnBody(f *testing.F) {
	for _, body := range []string{``, `{}`, `[]`, `null`, `{"reason":"damaged"}`, `{"reason":"other","itemList":[{"sku":"watch","quantity":1}]}`, `{"reason":7,"packages":{}}`,
		`{"reason":"other","package":{"name":"small"}}`, `{"reason":"other","package":{"name":"no such"}}`, `{"reason":"other","pickupAddress":{"street1":"x"}}`,
		`{"reason":"other","pickupContact":null,"pickupInstructions":""}`, "{\"reason\":\"other\",\"note\":\"\xff\"}"} {
		f.Add([]byte(body))
	}
	h := apitest.New(f)
	number := 0
	next := func(t testing.TB) string {
		number++
		id := tracker.ID(fmt.Sprintf("aaaaaaaaaaaaaaaa%08d", number))
		keep(t, h, id, fmt.Sprintf("t%d", number))
		return "/trackers/" + string(id)
	}
	path := next(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		before, _ := ask(t, h, "GET", path, nil)
		commits := h.Store.Commits()
		w, answer := ask(t, h, "POST", path+"/return", body)
		id, kept := answer["id"].(string)
		switch {
		case w.Code == http.StatusCreated || w.Code == http.StatusAccepted || w.Code == http.StatusUnprocessableEntity && kept:
			if got, _ := ask(t, h, "GET", "/shipments/"+id, nil); got.Code != http.StatusOK {
				t.Fatalf("answered %s, and it reads as %d %s", w.Body, got.Code, got.Body)
			}
			path = next(t)
		case w.Code == http.StatusBadRequest || w.Code == http.StatusUnprocessableEntity || w.Code == http.StatusRequestEntityTooLarge:
			if now, _ := ask(t, h, "GET", path, nil); now.Body.String() != before.Body.String() || h.Store.Commits() != commits {
				t.Fatalf("refused with %s and stored; it was\n%s\nand is\n%s", w.Body, before.Body, now.Body)
			}
		default:
			t.Fatalf("answered %d: %s", w.Code, w.Body)
		}
	})
}

// FuzzStatusBody sets a tracker's status by hand: what is refused changes nothing, what is answered is what is read.
func FuzzStatusBody(f *testing.F) {
	for _, body := range []string{``, `{}`, `[]`, `{"status":"ORDER_DELIVERED"}`, `{"status":"IN_TRANSIT","note":"n","at":1}`, `{"status":1}`, `{"at":"soon"}`,
		`{"status":"ORDER_DELAYED","eventReason":{"code":"c","title":"t","note":"n"}}`, `{"status":"IN_TRANSIT","at":9223372036854775807}`} {
		f.Add([]byte(body))
	}
	h := apitest.New(f)
	const path = "/trackers/aaaaaaaaaaaaaaaaaaaaaaa1"
	keep(f, h, "aaaaaaaaaaaaaaaaaaaaaaa1", "t")
	f.Fuzz(func(t *testing.T, body []byte) {
		before, _ := ask(t, h, "GET", path, nil)
		w, _ := ask(t, h, "POST", path+"/status", body)
		now, _ := ask(t, h, "GET", path, nil)
		switch w.Code {
		case http.StatusOK:
			if now.Body.String() != w.Body.String() {
				t.Fatalf("answered %s, read %s", w.Body, now.Body)
			}
		case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusConflict, http.StatusRequestEntityTooLarge:
			if now.Body.String() != before.Body.String() {
				t.Fatalf("refused with %s and changed:\n%s\n%s", w.Body, before.Body, now.Body)
			}
		default:
			t.Fatalf("answered %d: %s", w.Code, w.Body)
		}
	})
}
