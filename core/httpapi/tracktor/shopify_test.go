package tracktor_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestOnlyTheShopIsBelieved: what is not signed with the shop's secret is refused, and nothing of it is written.
func TestOnlyTheShopIsBelieved(t *testing.T) {
	s := open(t)
	body := order(orderID, "2026-03-05T10:00:00-05:00")
	good := sign(apitest.ShopSecret, body)
	raw, err := base64.StdEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte{}, raw...)
	flipped[31] ^= 1
	for name, given := range map[string]string{
		"none": "", "of another secret": sign("rival-webhook-secret", body), "of another body": sign(apitest.ShopSecret, body+" "), "of no secret": sign("", body),
		"one bit off": base64.StdEncoding.EncodeToString(flipped), "cut short": base64.StdEncoding.EncodeToString(raw[:31]),
		"in hex": hex.EncodeToString(raw), "no base64": "%%%", "twice": good + good, "for URLs": base64.URLEncoding.EncodeToString([]byte{255, 254, 253}),
	} {
		if a := s.sends("orders/create", body, "X-Shopify-Hmac-Sha256", given); a.Status != 401 || a.At("error.code") != "UNAUTHORIZED" {
			t.Errorf("signature %s: %d %s", name, a.Status, a.Body)
		}
	}
	if n := s.Store.Commits(); n != 0 {
		t.Errorf("%d commits", n)
	}
	s.Do("POST", door, body, "X-Shopify-Topic", "orders/create").Want(401) // a client's key opens the door for clients only
	s.Do("POST", "/apps/tracktor/shopify/rival", body, "X-Shopify-Topic", "orders/create", "X-Shopify-Hmac-Sha256", good).Want(401)
	s.Do("POST", "/apps/tracktor/shopify/nobody", body, "X-Shopify-Topic", "orders/create", "X-Shopify-Hmac-Sha256", good).Want(404)
	s.Config.Tenants["shop"].Tracktor.WebhookSecret = ""
	s.sends("orders/create", body, "X-Shopify-Hmac-Sha256", sign("", body)).Want(401)
	if n := s.Store.Commits(); n != 0 {
		t.Errorf("%d commits", n)
	}
}

// TestTheSameMessageIsTakenOnce, by its id, whatever it says the second time.
func TestTheSameMessageIsTakenOnce(t *testing.T) {
	s := open(t)
	l := listen(t)
	s.hears(l, "fulfillment/all")
	s.taken("orders/create", order(orderID, "2026-03-05T10:00:00-05:00"))
	body := fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber)
	s.taken("fulfillments/create", body)
	id := fmt.Sprintf("b54557e4-bdd9-4b37-8a5f-%012d", s.sent)
	s.Catch()
	commits := s.Store.Commits()
	for range 3 {
		if a := s.sends("fulfillments/create", body, "X-Shopify-Webhook-Id", id).Want(200); a.At("result") != "known" {
			t.Errorf("a repetition: %s", a.Body)
		}
	}
	if n := s.Store.Commits() - commits; n != 0 {
		t.Errorf("repetitions made %d commits", n)
	}
	s.sends("fulfillments/create", body, "X-Shopify-Webhook-Id", strings.Repeat("long", 100)).Want(200) // the same news under another id
	s.Catch()
	wants(t, "once", l.brief(t), "fulfillment/all order_ready")
}

// TestAtOnce: twins of one message, and the messages of one order, come at the same moment.
func TestAtOnce(t *testing.T) {
	s := open(t)
	l := listen(t)
	s.hears(l, "order/all")
	s.hears(l, "fulfillment/all")
	var wg sync.WaitGroup
	for i := range 12 {
		topic, body := "orders/create", order(orderID, "2026-03-05T10:00:00-05:00")
		if i%3 > 0 {
			topic, body = "fulfillments/create", fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber)
		}
		wg.Go(func() {
			a, err := s.Send("POST", door, []byte(body), "x-api-key", "", "X-Shopify-Topic", topic, "X-Shopify-Hmac-Sha256", sign(apitest.ShopSecret, body),
				"X-Shopify-Webhook-Id", fmt.Sprint(i%6))
			if err != nil || a.Status != 200 {
				t.Errorf("%v %v", a, err)
			}
		})
	}
	wg.Wait()
	s.Catch()
	count := map[string]int{}
	for _, words := range l.brief(t) {
		count[words]++
	}
	if len(count) != 2 || count["order/all order_ready"] != 1 || count["fulfillment/all order_ready"] != 1 {
		t.Errorf("heard %v", count)
	}
}

// TestOlderNeverOverwritesNewer, whichever comes first.
func TestOlderNeverOverwritesNewer(t *testing.T) {
	s := open(t)
	s.taken("orders/updated", order(orderID, "2026-03-06T12:00:00-05:00", `"email":"new@example.com"`))
	s.taken("orders/create", order(orderID, "2026-03-06T11:59:59-05:00", `"email":"old@example.com"`))
	s.taken("orders/create", order(orderID, "2026-03-06T16:59:59Z", `"email":"old@example.com"`)) // the same second in another zone
	if got := s.order(orderID).At("order_email"); got != "new@example.com" {
		t.Errorf("order_email %v", got)
	}
	s.taken("orders/updated", order(orderID, "2026-03-06T12:00:00-05:00", `"email":null`)) // as new, and later
	if got := s.order(orderID).At("order_email"); got != "" {
		t.Errorf("order_email %v", got)
	}
	s.taken("fulfillments/update", fulfillment(fulfillmentID, orderID, "2026-03-06T12:00:00-05:00", "UPS", upsNumber))
	s.taken("fulfillments/create", fulfillment(fulfillmentID, orderID, "2026-03-06T11:00:00-05:00", "FedEx", "old"))
	s.taken("orders/updated", order(orderID, "2026-03-06T13:00:00-05:00",
		`"fulfillments":[`+fulfillment(fulfillmentID, orderID, "2026-03-06T11:30:00-05:00", "FedEx", "old")+`]`))
	a := s.fulfillment(fulfillmentID)
	if a.At("tracking_number") != upsNumber || a.At("shopify_carrier") != "UPS" {
		t.Errorf("the older fulfilment won: %s", a.Body)
	}
}

// TestFulfilmentBeforeItsOrder is kept and followed, and the order is told when it comes.
func TestFulfilmentBeforeItsOrder(t *testing.T) {
	s := open(t)
	l := listen(t)
	s.hears(l, "order/in_transit")
	s.taken("fulfillments/create", fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber))
	s.happens(upsNumber, shipping.InTransit)
	s.is(fulfillmentID, "in_transit", "")
	a := s.fulfillment(fulfillmentID)
	if a.At("order_name") != "#9999" || a.At("fulfillment_status") != nil {
		t.Errorf("before its order: %s", a.Body)
	}
	s.Do("GET", fmt.Sprintf("%sorders/%d.json", admin, orderID), "").Want(404)
	wants(t, "before its order", l.brief(t))
	s.taken("orders/create", order(orderID, "2026-03-05T10:00:00-05:00"))
	s.Catch()
	wants(t, "with its order", l.brief(t), "order/in_transit in_transit")
	if a := s.fulfillment(fulfillmentID); a.At("fulfillment_status") != "partial" {
		t.Errorf("with its order: %s", a.Body)
	}
}

// TestOrdersBringTheirFulfilments, as Shopify sends them inside.
func TestOrdersBringTheirFulfilments(t *testing.T) {
	s := open(t)
	s.taken("orders/updated", order(orderID, "2026-03-06T10:00:00-05:00", `"fulfillments":[`+
		fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber)+`,`+
		fulfillment(secondID, orderID, "2026-03-06T10:00:00-05:00", "Royal Mail", "AA123456785GB", `"order_id":null`)+`]`))
	a := s.order(orderID)
	if a.At("fulfillments.0.fulfillment_id") == nil || a.At("fulfillments.1.carrier.slug") != "gb_post" || a.At("automatic_carrier_updates") != false {
		t.Errorf("%s", a.Body)
	}
	if a.At("fulfillments.0.is_automatic") != true || a.At("fulfillments.1.is_automatic") != false {
		t.Errorf("nobody asks Royal Mail: %s", a.Body)
	}
}

// TestSeveralParcels: each number of a fulfilment is asked for, and it is delivered when all are.
func TestSeveralParcels(t *testing.T) {
	s := open(t)
	const other = "1Z999AA10123456793"
	s.taken("orders/create", order(orderID, "2026-03-05T10:00:00-05:00"))
	s.taken("fulfillments/create", fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber,
		fmt.Sprintf(`"tracking_numbers":[%q,%q,"",null]`, upsNumber, other)))
	if got := s.fulfillment(fulfillmentID).At("tracking_numbers").([]any); len(got) != 2 || got[1] != other {
		t.Fatalf("tracking_numbers %v", got)
	}
	s.happens(upsNumber, shipping.InTransit)
	s.is(fulfillmentID, "in_transit", "")
	s.happens(upsNumber, shipping.OrderDelivered)
	s.is(fulfillmentID, "in_transit", "")
	s.happens(other, shipping.OrderDelivered)
	s.is(fulfillmentID, "delivered", "")
}

// TestAnotherNumberBeginsAnew: what was heard of a number is not true of the one that took its place.
func TestAnotherNumberBeginsAnew(t *testing.T) {
	s := open(t)
	l := listen(t)
	s.hears(l, "fulfillment/all")
	const wrong, right = "1Z999AA10123456793", upsNumber
	s.taken("orders/create", order(orderID, "2026-03-05T10:00:00-05:00"))
	s.taken("fulfillments/create", fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "", "", `"tracking_number":null,"tracking_numbers":[],"tracking_company":null`))
	if a := s.fulfillment(fulfillmentID); a.At("tracking_number") != "" || a.At("is_automatic") != false || a.At("carrier.slug") != "" {
		t.Errorf("without a number: %s", a.Body)
	}
	s.taken("fulfillments/update", fulfillment(fulfillmentID, orderID, "2026-03-06T11:00:00-05:00", "Other", wrong))
	if a := s.fulfillment(fulfillmentID); a.At("is_automatic") != true { // the number tells whose it is
		t.Errorf("with a number of UPS: %s", a.Body)
	}
	s.happens(wrong, shipping.OrderDelivered)
	s.is(fulfillmentID, "delivered", "")
	s.taken("fulfillments/update", fulfillment(fulfillmentID, orderID, "2026-03-08T12:00:00-05:00", "UPS", right))
	s.is(fulfillmentID, "order_ready", "")
	s.happens(wrong, shipping.InTransit)
	s.is(fulfillmentID, "order_ready", "pending")
	s.happens(right, shipping.OutForDelivery)
	s.is(fulfillmentID, "out_for_delivery", "")
	wants(t, "what became of it", l.brief(t), "fulfillment/all order_ready", "fulfillment/all delivered", "fulfillment/all order_ready", "fulfillment/all out_for_delivery")
}

// TestCarrierMapping: the shop's own name for a carrier leads to an account or to a courier.
func TestCarrierMapping(t *testing.T) {
	s := open(t)
	s.taken("orders/create", order(orderID, "2026-03-05T10:00:00-05:00"))
	for i, c := range []struct {
		company, number, slug, name string
		automatic                   bool
	}{
		{"brown TRUCK", "X1", "ups", "UPS", true},
		{"Vans", "X2", "quiet", "quiet", true},
		{"Royal Mail", "X3", "gb_post", "Royal Mail", false},
		{"USPS", "9400111202555842332669", "usps", "United States Postal Service", false},
		{"Canada Post", "X4", "canada_post", "Canada Post", false},
		{"United States Postal Service", "X5", "usps", "United States Postal Service", false},
		{"Bob & Söhne", "X6", "bob_s_hne", "Bob & Söhne", false},
	} {
		id := int64(fulfillmentID + i)
		s.taken("fulfillments/create", fulfillment(id, orderID, "2026-03-06T10:00:00-05:00", c.company, c.number, `"tracking_url":null`))
		a := s.fulfillment(id)
		if a.At("carrier.slug") != c.slug || a.At("carrier.name") != c.name || a.At("is_automatic") != c.automatic || a.At("shopify_carrier") != c.company {
			t.Errorf("%s: %s", c.company, a.Body)
		}
	}
	s.happens("X2", shipping.InTransit)
	s.is(fulfillmentID+1, "in_transit", "")
}

// TestPushes: what a carrier pushes about a fulfilment's number is told as well.
func TestPushes(t *testing.T) {
	s := open(t)
	l := listen(t)
	s.hears(l, "fulfillment/delivered")
	s.UPS.SetManifest(func(m *carrier.Manifest) { m.Abilities = append(m.Abilities, carrier.CanReceivePush) })
	s.taken("fulfillments/create", fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber))
	secret, err := s.Tracking.PushSecret(t.Context(), "shop", "ups")
	if err != nil {
		t.Fatal(err)
	}
	s.Do("POST", "/carriers/ups/push/"+secret, fmt.Sprintf(`{"Number":%q,"Events":[{"time":%d,"zoneKnown":true,"status":"ORDER_DELIVERED"}]}`, upsNumber, s.Clock.Now().UnixMilli()),
		"Authorization", apitest.PushKey).Want(200)
	s.Catch()
	s.is(fulfillmentID, "delivered", "")
	wants(t, "by a push", l.brief(t), "fulfillment/delivered delivered")
}

// TestOtherTopics are acknowledged, for Shopify takes a webhook away that is not, and ignored.
func TestOtherTopics(t *testing.T) {
	s := open(t)
	for _, topic := range []string{"orders/paid", "customers/create", "ORDERS/CREATE", "", strings.Repeat("x", 2000)} {
		if a := s.sends(topic, order(orderID, "2026-03-05T10:00:00-05:00")).Want(200); a.At("result") != "ignored" {
			t.Errorf("%s: %s", topic, a.Body)
		}
	}
	if s.Store.Commits() != 0 || !strings.Contains(s.Log(), "customers/create") {
		t.Errorf("%d commits, log %s", s.Store.Commits(), s.Log())
	}
	for _, private := range []string{"jon@example.com", "Smith"} {
		if strings.Contains(s.Log(), private) {
			t.Errorf("the log shows %s", private)
		}
	}
}

// TestFaultyMessages tell all their faults, and change nothing.
func TestFaultyMessages(t *testing.T) {
	s := open(t)
	a := s.sends("orders/create", `{"id":"7","updated_at":"yesterday","created_at":"2026","total_price":"much","customer":[],"fulfillments":[{"id":-1,"updated_at":null}]}`).Want(422)
	got := map[string]bool{}
	for _, d := range a.At("error.details").([]any) {
		got[d.(map[string]any)["parameter"].(string)] = true
	}
	for _, want := range []string{"id", "updated_at", "created_at", "total_price", "customer", "fulfillments[0].id", "fulfillments[0].updated_at"} {
		if !got[want] {
			t.Errorf("%s is not among the faults: %s", want, a.Body)
		}
	}
	for _, body := range []string{"", "{", "[]", "null", `{"id":1,"id":2}`, "{\"name\":\"\xff\"}", order(orderID, "2026-03-05T10:00:00-05:00") + "x"} {
		s.sends("orders/create", body).Want(400)
	}
	s.sends("fulfillments/create", `{"id":99999999999999999999}`).Want(422)
	s.sends("fulfillments/create", fulfillment(1, 0, "2026-03-06T10:00:00-05:00", "UPS", upsNumber)).Want(422)
	if s.Store.Commits() != 0 {
		t.Errorf("%d commits", s.Store.Commits())
	}
}

// TestStoreThatFails: nothing is acknowledged that is not written, so that the shop sends it again, and the next try is taken.
func TestStoreThatFails(t *testing.T) {
	s := open(t)
	body := order(orderID, "2026-03-05T10:00:00-05:00", `"fulfillments":[`+fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber)+`]`)
	s.Store.Fail(http.ErrServerClosed)
	s.sends("orders/create", body).Want(500)
	id := fmt.Sprintf("b54557e4-bdd9-4b37-8a5f-%012d", s.sent)
	s.Do("GET", fmt.Sprintf("%sorders/%d.json", admin, orderID), "").Want(500)
	s.Do("GET", fmt.Sprintf("%sfulfillments/%d.json", admin, fulfillmentID), "").Want(500)
	s.Do("POST", fmt.Sprintf("%sorders/%d.json", admin, orderID), `{"status":"delivered"}`).Want(500)
	s.Do("GET", admin+"webhooks.json", "").Want(500)
	s.Store.Fail(nil)
	if a := s.sends("orders/create", body, "X-Shopify-Webhook-Id", id).Want(200); a.At("result") != "taken" {
		t.Errorf("%s", a.Body)
	}
	s.is(fulfillmentID, "order_ready", "")
}
