package tracktor_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// twoFulfilments opens a shop with an order that has two.
func twoFulfilments(t *testing.T) *shop {
	s := open(t)
	s.taken("orders/create", order(orderID, "2026-03-05T10:00:00-05:00"))
	s.taken("fulfillments/create", fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber))
	s.taken("fulfillments/create", fulfillment(secondID, orderID, "2026-03-06T10:00:00-05:00", "UPS", "1Z999AA10123456793"))
	return s
}

func orderPath(id int64) string { return fmt.Sprintf("%sorders/%d.json", admin, id) }

// TestStatusByHand: whatever a person sets holds, forward and back, whatever the carrier says, until it is handed back.
func TestStatusByHand(t *testing.T) {
	s := twoFulfilments(t)
	l, end := listen(t), listen(t)
	s.hears(l, "order/all")
	s.hears(end, "order/delivered")
	s.Catch()
	wants(t, "nothing yet", l.brief(t))
	s.happens(upsNumber, shipping.OutForDelivery)
	l.heard()
	a := s.Do("POST", orderPath(orderID), `{"status":"at_customs","extra":1}`).Want(200)
	if a.At("statuses.0") != "at_customs" || a.At("statuses.1") != "at_customs" || a.At("automatic_carrier_updates") != false || a.At("fulfillments.0.is_automatic") != false {
		t.Errorf("%s", a.Body)
	}
	golden(t, "order_by_hand", a.Body)
	s.Catch()
	wants(t, "by hand", l.brief(t), "order/all at_customs,order_ready", "order/all at_customs,at_customs")
	s.happens(upsNumber, shipping.OrderDelivered)
	s.is(fulfillmentID, "at_customs", "")
	wants(t, "the carrier's word does not count", l.brief(t))

	s.Do("POST", orderPath(orderID), fmt.Sprintf(`{"status":"delivered","fulfillment_id":%d}`, secondID)).Want(200)
	s.is(fulfillmentID, "at_customs", "")
	s.is(secondID, "delivered", "")
	s.Do("POST", orderPath(orderID), `{"status":"order_ready"}`).Want(200)
	s.is(secondID, "order_ready", "")
	l.heard()
	s.Do("POST", orderPath(orderID), fmt.Sprintf(`{"is_automatic":true,"fulfillment_id":%d}`, fulfillmentID)).Want(200)
	s.Catch() // the carrier is asked again, and says what it said in between
	s.is(fulfillmentID, "delivered", "")
	s.is(secondID, "order_ready", "")
	a = s.Do("POST", orderPath(orderID), `{"is_automatic":true}`).Want(200)
	if a.At("automatic_carrier_updates") != true {
		t.Errorf("%s", a.Body)
	}
	a = s.Do("POST", orderPath(orderID), `{"is_automatic":false}`).Want(200)
	if a.At("automatic_carrier_updates") != false || a.At("statuses.0") != "delivered" {
		t.Errorf("%s", a.Body)
	}
	l.heard()
	s.Do("POST", orderPath(orderID), `{"status":"delivered"}`).Want(200)
	s.Catch()
	wants(t, "all by hand", l.brief(t), "order/all delivered,delivered")
	wants(t, "all by hand", end.brief(t), "order/delivered delivered,delivered")
	s.Do("POST", orderPath(orderID), `{"status":"delivered"}`).Want(200)
	s.Catch()
	wants(t, "again", l.brief(t))
}

// TestStatusByHandRefusals: faults are told all at once, and change nothing.
func TestStatusByHandRefusals(t *testing.T) {
	s := twoFulfilments(t)
	s.taken("orders/create", order(orderID+1, "2026-03-05T10:00:00-05:00"))
	commits := s.Store.Commits()
	a := s.Do("POST", orderPath(orderID), `{"status":"lost","fulfillment_id":7}`).Want(422)
	if a.At("error.code") != "INVALID_DATA" || len(a.At("error.details").([]any)) != 2 || !strings.Contains(string(a.Body), "ready_for_pickup") {
		t.Errorf("%s", a.Body)
	}
	golden(t, "error", []byte(strings.Replace(string(a.Body), a.Header.Get("X-Request-Id"), "…", 1)))
	for _, body := range []string{`{}`, `{"status":""}`, `{"status":"delivered","is_automatic":true}`, `{"status":7}`, `{"status":"delivered","fulfillment_id":"7"}`, `{"status":"pre_transit"}`} {
		s.Do("POST", orderPath(orderID), body).Want(422)
	}
	for _, body := range []string{"", "{", "[]", "1"} {
		s.Do("POST", orderPath(orderID), body).Want(400)
	}
	s.Do("POST", orderPath(orderID+1), `{"status":"delivered"}`).Want(409)
	s.Do("POST", orderPath(orderID+2), `{"status":"delivered"}`).Want(404)
	if n := s.Store.Commits() - commits; n != 0 {
		t.Errorf("%d commits", n)
	}
}

// TestPathsThatNameNothing are 404, or 405 where they are there.
func TestPathsThatNameNothing(t *testing.T) {
	s := twoFulfilments(t)
	for _, path := range []string{"orders/1.json", "orders/0.json", "orders/-1.json", "orders/x.json", "orders/99999999999999999999.json", "fulfillments/1.json", "fulfillments/%2F.json",
		fmt.Sprintf("fulfillments/%d.json", orderID), fmt.Sprintf("orders/%d.json", fulfillmentID), fmt.Sprintf("orders/%d", orderID), "nowhere.json", "webhooks/1.json"} {
		method := "GET"
		if strings.HasPrefix(path, "webhooks/") {
			method = "DELETE"
		}
		a := s.Do(method, admin+path, "").Want(404)
		if a.At("error.code") != "NOT_FOUND" || a.At("error.request_id") == "" {
			t.Errorf("%s: %s", path, a.Body)
		}
	}
	if a := s.Do("PUT", orderPath(orderID), "{}").Want(405); a.At("error.code") != "METHOD_NOT_ALLOWED" {
		t.Errorf("%s", a.Body)
	}
	s.Do("GET", "/apps/tracktor/api/admin/nobody/status-options.json", "").Want(404)
	for _, uuid := range []string{"shop", "corner-shop", "0f8fad5b-d9cb-469f-a165-70867728950e"} {
		s.Do("GET", "/apps/tracktor/api/admin/"+uuid+"/status-options.json", "").Want(200)
	}
}

// TestKeys: no key and an unknown key are 401 before anything is told about a shop.
func TestKeys(t *testing.T) {
	s := twoFulfilments(t)
	for _, headers := range [][]string{{"x-api-key", ""}, {"x-api-key", "wrong"}, {"x-api-key", "", "Authorization", "Bearer wrong"}} {
		for _, path := range []string{orderPath(orderID), "/apps/tracktor/api/admin/nobody/status-options.json"} {
			if a := s.Do("GET", path, "", headers...).Want(401); a.At("error.code") != "UNAUTHORIZED" {
				t.Errorf("%s", a.Body)
			}
		}
	}
	s.Do("GET", orderPath(orderID), "", "x-api-key", "", "Authorization", "Bearer "+apitest.Key).Want(200)
}

// TestWebhooks creates, lists and removes them.
func TestWebhooks(t *testing.T) {
	s := twoFulfilments(t)
	if a := s.Do("GET", admin+"webhooks.json", "").Want(200); string(a.Body) != "[]" {
		t.Errorf("%s", a.Body)
	}
	var ids []string
	for _, kind := range []string{"order", "fulfillment"} {
		for _, topic := range []string{"all", "pre_transit", "in_transit", "out_for_delivery", "delivered"} {
			a := s.Do("POST", admin+"webhooks.json", fmt.Sprintf(`{"topic":"%s/%s","address":"http://127.0.0.1:1/x"}`, kind, topic)).Want(200)
			ids = append(ids, a.At("id").(string))
			if a.At("topic") != kind+"/"+topic || a.At("address") != "http://127.0.0.1:1/x" || len(a.At("bearer_token").(string)) < 40 || a.At("created_at") != "2026-03-07T20:30:00Z" {
				t.Errorf("%s", a.Body)
			}
		}
	}
	if _, err := s.Notify.Subscribe(t.Context(), usecase.Caller{Tenant: "shop"}, notify.NewSubscription{URL: "http://127.0.0.1:1/other"}); err != nil {
		t.Fatal(err)
	}
	list := s.Do("GET", admin+"webhooks.json", "").Want(200)
	if strings.Contains(string(list.Body), "bearer_token") || strings.Contains(string(list.Body), "/other") || strings.Count(string(list.Body), `"id"`) != 10 {
		t.Errorf("%s", list.Body)
	}
	if a := s.Do("DELETE", admin+"webhooks/"+ids[3]+".json", "").Want(200); a.At("success") != true {
		t.Errorf("%s", a.Body)
	}
	s.Do("DELETE", admin+"webhooks/"+ids[3]+".json", "").Want(404)
	if a := s.Do("GET", admin+"webhooks.json", "").Want(200); strings.Contains(string(a.Body), ids[3]) || !strings.Contains(string(a.Body), ids[4]) {
		t.Errorf("%s", a.Body)
	}
	commits := s.Store.Commits()
	for body, parameters := range map[string]string{
		`{}`: "topic address", `{"topic":"order/exception","address":"http://127.0.0.1:1/"}`: "topic", `{"topic":"order/all","address":"ftp://x"}`: "address",
		`{"topic":"order/all","address":"relative"}`: "address", `{"topic":1,"address":true}`: "topic address", `{"topic":"order/order_ready","address":" "}`: "topic address",
	} {
		a := s.Do("POST", admin+"webhooks.json", body).Want(422)
		for _, p := range strings.Fields(parameters) {
			if !strings.Contains(string(a.Body), fmt.Sprintf("%q", p)) {
				t.Errorf("%s: %s is not among the faults: %s", body, p, a.Body)
			}
		}
	}
	s.Config.Tenants["shop"].Notify.AllowPrivate = false
	s.Do("POST", admin+"webhooks.json", `{"topic":"order/all","address":"http://127.0.0.1:1/"}`).Want(422)
	if n := s.Store.Commits() - commits; n != 0 {
		t.Errorf("refused webhooks made %d commits", n)
	}
}

// TestDeliveriesAreTheSameEachTime: what is told again is what was told, whatever has happened since.
func TestDeliveriesAreTheSameEachTime(t *testing.T) {
	s := open(t)
	l := listen(t)
	s.hears(l, "order/all")
	good := l.Config.Handler
	l.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		rec := &failing{ResponseWriter: w}
		good.ServeHTTP(rec, q)
		w.WriteHeader(500)
	})
	s.taken("orders/create", order(orderID, "2026-03-05T10:00:00-05:00"))
	s.taken("fulfillments/create", fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber))
	s.Catch()
	firstTry := l.heard()
	s.Config.Tenants["shop"].Tracktor.ShopURL = "another.example.com"
	s.taken("orders/updated", order(orderID, "2026-03-08T10:00:00-05:00", `"email":"new@example.com"`))
	l.Config.Handler = good
	s.happens(upsNumber, shipping.InTransit)
	again := l.heard()
	if len(firstTry) != 1 || len(again) != 2 || string(again[0].body) != string(firstTry[0].body) {
		t.Errorf("first %s\nthen %s", firstTry, again)
	}
}

// failing takes no status: the one behind it has the word.
type failing struct{ http.ResponseWriter }

func (*failing) WriteHeader(int) {}

// TestStrangers: the key of another tenant opens nothing here, and its own shop has none of it.
func TestStrangers(t *testing.T) {
	s := twoFulfilments(t)
	l := listen(t)
	s.hears(l, "order/all")
	ids := s.Do("GET", admin+"webhooks.json", "").Want(200).At("0.id").(string)
	things := []string{"shop", "corner-shop"}
	refused := apitest.Visit{Status: 404} // as a shop that there is not
	visits := map[string]apitest.Visit{}
	const prefix = "/apps/tracktor/api/admin"
	routes, err := s.Router.Routes()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		if method, path, _ := strings.Cut(r, " "); strings.HasPrefix(path, prefix) && method != "HEAD" {
			visits[r] = refused
		}
	}
	if len(visits) != 7 {
		t.Errorf("%d routes, want 7", len(visits))
	}
	secrets := []string{"jon@example.com", "Smith", upsNumber, l.URL}
	s.Strangers([]string{prefix}, things, visits, secrets...)

	other := "/apps/tracktor/api/admin/rival/"
	for _, path := range []string{fmt.Sprintf("orders/%d.json", orderID), fmt.Sprintf("fulfillments/%d.json", fulfillmentID)} {
		s.Do("GET", other+path, "", "x-api-key", apitest.OtherKey).Want(404)
	}
	s.Do("POST", fmt.Sprintf("%sorders/%d.json", other, orderID), `{"status":"delivered"}`, "x-api-key", apitest.OtherKey).Want(404)
	s.Do("DELETE", other+"webhooks/"+ids+".json", "", "x-api-key", apitest.OtherKey).Want(404)
	if a := s.Do("GET", other+"webhooks.json", "", "x-api-key", apitest.OtherKey).Want(200); string(a.Body) != "[]" {
		t.Errorf("%s", a.Body)
	}
	// The same ids at another shop are other things.
	body := order(orderID, "2026-03-09T10:00:00-05:00", `"email":"rival@example.com"`)
	s.sends("orders/create", body).Want(200)
	s.Do("POST", "/apps/tracktor/shopify/rival", body, "x-api-key", "", "X-Shopify-Topic", "orders/create", "X-Shopify-Hmac-Sha256", sign("rival-webhook-secret", body),
		"X-Shopify-Webhook-Id", "b54557e4-bdd9-4b37-8a5f-000000000001").Want(200)
	if a := s.Do("GET", fmt.Sprintf("%sorders/%d.json", other, orderID), "", "x-api-key", apitest.OtherKey).Want(200); len(a.At("fulfillments").([]any)) != 0 {
		t.Errorf("%s", a.Body)
	}
}

// TestErasedOrders: what is known of people can be taken out, and the shop's later words do not bring it back.
func TestErasedOrders(t *testing.T) {
	s := twoFulfilments(t)
	l := listen(t)
	s.hears(l, "order/all")
	s.Do("POST", fmt.Sprintf("/trackers/%d/erase", orderID), "").Want(200)
	s.taken("orders/updated", order(orderID, "2026-03-09T10:00:00-05:00"))
	s.taken("fulfillments/update", fulfillment(fulfillmentID, orderID, "2026-03-09T10:00:00-05:00", "UPS", upsNumber))
	s.Do("POST", orderPath(orderID), `{"status":"delivered"}`).Want(409)
	s.Catch()
	a := s.order(orderID)
	for _, private := range []string{"jon@example.com", "Smith", "IPod"} {
		if strings.Contains(string(a.Body), private) {
			t.Errorf("%s is there again: %s", private, a.Body)
		}
	}
	if a.At("fulfillments.0.tracking_number") != upsNumber {
		t.Errorf("numbers stay: %s", a.Body)
	}
	wants(t, "of what was erased", l.brief(t))
}

// TestErasedBeforeTheOrder: the shop told a fulfilment, which was erased, and tells its order then.
func TestErasedBeforeTheOrder(t *testing.T) {
	s := open(t)
	s.taken("fulfillments/create", fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber))
	s.Do("POST", fmt.Sprintf("/trackers/%d/erase", orderID), "").Want(200) // known by its fulfilment alone
	s.taken("orders/create", order(orderID, "2026-03-06T10:00:00-05:00"))
	s.Do("GET", orderPath(orderID), "").Want(404)
}
