package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// TestSurfaces walks the four public surfaces beside each other, through HTTP alone, on one engine with its real adapters and the
// simulated carriers: an order that is booked here, a tracker of a delivery by own drivers, and the same parcel as Ship24 and as
// Tracktor show it. Each is asked with the bodies of the documents that define it, until it is delivered, and each tells of it by a webhook in its own
// words.
func TestSurfaces(t *testing.T) {
	t.Parallel()
	w := &surfaces{T: t, d: startDev(t, "--config", onlyBy(t, "ups")), heard: map[string][]hook{}}
	subscribers := httptest.NewServer(w)
	defer subscribers.Close()
	w.hooks = subscribers.URL
	number := w.order()
	w.tracker()
	w.ship24(number)
	w.tracktor(number)
	w.carrier()
	w.orderDelivered()
	w.trackerDelivered()
	w.ship24Delivered(number)
	w.tracktorDelivered(number)
}

// surfaces is a walk of all surfaces; it serves the webhooks, each surface's at a path of its own.
type surfaces struct {
	*testing.T
	d     *devProcess
	hooks string // URL of the subscribers
	token string // of Tracktor's webhooks
	sign  string // of our own

	mu    sync.Mutex
	heard map[string][]hook // by path
}

// hook is one webhook as it came.
type hook struct {
	header http.Header
	body   []byte
}

func (w *surfaces) ServeHTTP(rw http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard[q.URL.Path] = append(w.heard[q.URL.Path], hook{q.Header.Clone(), body})
}

// told waits until one of the webhooks at a path is what is looked for, and returns them all.
func (w *surfaces) told(path, what string, last func(hook) bool) []hook {
	w.Helper()
	var all []hook
	err := w.d.wait(what, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		all = slices.Clone(w.heard[path])
		return slices.ContainsFunc(all, last)
	})
	if err != nil {
		w.Fatalf("%v\nheard: %s", err, all)
	}
	return all
}

// ask sends a request with headers (name, value …) beside the key, and requires a status.
func (w *surfaces) ask(status int, method, path, body string, headers ...string) []byte {
	w.Helper()
	q, err := http.NewRequestWithContext(w.Context(), method, w.d.URL+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	if len(headers) == 0 {
		headers = []string{"x-api-key", w.d.Key}
	}
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	if res.StatusCode != status {
		w.Fatalf("%s %s: %d, want %d: %s", method, path, res.StatusCode, status, answer)
	}
	return answer
}

// at reads a value of JSON by the names and numbers on the way to it, as text; "" where it is null or missing.
func (w *surfaces) at(raw []byte, path string) string {
	w.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // ids of shops have more digits than a float
	var v any
	if err := d.Decode(&v); err != nil {
		w.Fatalf("%v: %s", err, raw)
	}
	for name := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(x) {
				return ""
			}
			v = x[i]
		default:
			return ""
		}
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func (w *surfaces) is(raw []byte, want map[string]string) {
	w.Helper()
	for path, value := range want {
		if got := w.at(raw, path); got != value {
			w.Errorf("%s is %q, want %q, in %s", path, got, value, raw)
		}
	}
}

// order books the shipping API's own example, and returns the carrier's number.
func (w *surfaces) order() string {
	w.Helper()
	sub := w.ask(201, "POST", "/webhooks", `{"url":"`+w.hooks+`/orders","topics":["shipment.*"],"shape":"waybill"}`)
	w.sign = w.at(sub, "secret")
	made := w.ask(201, "POST", "/shipments", boston("7709-001"))
	w.is(made, map[string]string{"status": "ORDER_DISPATCHED", "provider.id": "ups", "orderExternalId": "7709-001"})
	number := w.at(made, "trackingId")
	if !strings.HasPrefix(number, "1Z") {
		w.Fatalf("trackingId %q is none of UPS: %s", number, made)
	}
	return number
}

// seedTracker is the Tracker API's own example.
const seedTracker = `{"provider":"Self Delivery","locationExternalId":"Self Delivery Store","trackerExternalId":"tracker001","trackingId":"del_004",
	"barcodes":["12312351","77091078"],"type":"delivery","orderAttributes":{},"orderValue":100,"pickupTime":{"startsAt":1649253600000},"deliveryTime":{"endsAt":1649268000000},
	"deliveryContact":{"name":"Mein Wan","phone":"+12322322323","email":"nycustomer@email.com"},
	"deliveryAddress":{"street1":"8849 North Sam Houston Parkway West","street2":"","city":"Houston","state":"TX","countryCode":"US","postalCode":"77064",
	"latitude":29.9259823,"longitude":-95.5523879,"apartmentNumber":""}}`

func (w *surfaces) tracker() {
	w.Helper()
	w.ask(201, "POST", "/webhooks", `{"url":"`+w.hooks+`/trackers","topics":["tracker.*"],"shape":"waybill"}`)
	made := w.ask(201, "POST", "/trackers", seedTracker)
	w.is(made, map[string]string{"status": "ORDER_DISPATCHED", "trackerExternalId": "tracker001", "trackingId": "del_004", "timeZone": "America/Chicago",
		"pickupContact.name": "Peter Brown", "deliveryTime.endsAt": "1649268000000", "provider.name": "Self Delivery"})
	page := w.at(made, "referenceLinks.customerWebflowUrl")
	if path := strings.TrimPrefix(page, w.d.URL); !strings.HasPrefix(path, "/track/") || !strings.Contains(string(w.ask(200, "GET", path, "")), "<html") {
		w.Errorf("customerWebflowUrl %q leads to no page", page)
	}
	for _, status := range []string{"ORDER_ASSIGNED", "PICKUP_COMPLETED", "OUT_FOR_DELIVERY", "ORDER_DELIVERED"} {
		w.ask(200, "POST", "/trackers/tracker001/status", `{"status":"`+status+`","note":"by our own driver"}`)
	}
}

const ship24Secret = "a-secret-of-the-subscriber"

func (w *surfaces) bearer() []string { return []string{"Authorization", "Bearer " + w.d.Key} }

// ship24 creates a tracker with every member that Ship24's request has.
func (w *surfaces) ship24(number string) {
	w.Helper()
	w.ask(201, "POST", "/webhooks", `{"url":"`+w.hooks+`/ship24","topics":["tracker.*"],"shape":"ship24","bearer":"`+ship24Secret+`"}`)
	body := `{"trackingNumber":"` + number + `","shipmentReference":"c6e4fef4-a816-b68f-4024-3b7e4c5a9f81","clientTrackerId":"3fa99515-3ca0-4901-85bb-056ee016799b",
		"originCountryCode":"US","destinationCountryCode":"USA","destinationPostCode":"02118","courierCode":["ups"],"courierName":"UPS Standard",
		"trackingUrl":"https://example.com/?n=1","orderNumber":"DF14R2022","title":"Watch","recipient":{"email":"r@example.com","name":"Marc"},
		"settings":{"restrictTrackingToCourierCode":true}}`
	made := w.ask(201, "POST", "/public/v1/trackers", body, w.bearer()...)
	w.is(made, map[string]string{"data.tracker.trackingNumber": number, "data.tracker.isSubscribed": "true", "data.tracker.courierCode": "[ups]"})
	again := w.ask(201, "POST", "/v1/trackers", body, w.bearer()...)
	w.is(again, map[string]string{"data.tracker.trackerId": w.at(made, "data.tracker.trackerId")})
	w.ask(400, "GET", "/public/v1/trackers?page=1&limit=1", "", "x-nothing", "")
}

// What Shopify sends of an order and of its fulfilment, and where Tracktor's clients ask.
const (
	shopOrder       = 820982911946154508
	shopFulfillment = 1069019908
	shopSecret      = "dev-shopify-secret"
	tracktorBase    = "/apps/tracktor/api/admin/0f8fad5b-d9cb-469f-a165-70867728950e/"

	orderWebhook = `{"id":820982911946154508,"admin_graphql_api_id":"gid://shopify/Order/820982911946154508","name":"#9999","email":"jon@example.com","phone":null,
		"source_name":"web","created_at":%[1]q,"updated_at":%[1]q,"total_price":"414.95","currency":"USD","fulfillment_status":"partial","cancelled_at":null,
		"customer":{"id":115310627314723954,"first_name":"John","last_name":"Smith","email":"john@example.com"},
		"line_items":[{"id":866550311766439020,"quantity":1,"title":"IPod Nano - 8GB"},{"id":141249953214522974,"quantity":2,"title":"IPod Nano - 16GB"}],"fulfillments":[]}`
	fulfillmentWebhook = `{"id":1069019908,"order_id":820982911946154508,"status":"success","created_at":%[1]q,"updated_at":%[1]q,"service":"manual",
		"tracking_company":"Brown Truck","shipment_status":null,"location_id":null,"name":"#9999.1","tracking_number":%[2]q,"tracking_numbers":[%[2]q],
		"tracking_url":"https://tracking.example.com/1","receipt":{},"line_items":[{"id":866550311766439020,"variant_id":808950810,"title":"IPod Nano - 8GB",
		"quantity":1,"product_id":632910392,"requires_shipping":true,"name":"IPod Nano - 8GB","grams":567,"price":"199.00"}]}`
)

// shopify sends a webhook of the shop, signed as Shopify signs, and returns what became of it.
func (w *surfaces) shopify(id int, topic, body string) string {
	w.Helper()
	mac := hmac.New(sha256.New, []byte(shopSecret))
	mac.Write([]byte(body))
	answer := w.ask(200, "POST", "/apps/tracktor/shopify/demo", body, "X-Shopify-Topic", topic, "X-Shopify-Webhook-Id", fmt.Sprintf("b54557e4-bdd9-4b37-8a5f-%012d", id),
		"X-Shopify-Hmac-Sha256", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return w.at(answer, "result")
}

func (w *surfaces) tracktor(number string) {
	w.Helper()
	for _, topic := range []string{"order/delivered", "fulfillment/all"} {
		made := w.ask(200, "POST", tracktorBase+"webhooks.json", `{"topic":"`+topic+`","address":"`+w.hooks+"/"+topic+`"}`)
		w.token = w.at(made, "bearer_token")
	}
	began := time.Now().UTC()
	now, later := began.Format(time.RFC3339), began.Add(time.Second).Format(time.RFC3339)
	order := fmt.Sprintf(orderWebhook, now)
	for i, x := range []struct{ topic, body string }{
		{"orders/create", order}, {"fulfillments/create", fmt.Sprintf(fulfillmentWebhook, now, number)},
		{"orders/updated", strings.Replace(fmt.Sprintf(orderWebhook, later), `"phone":null`, `"phone":"+16175550123"`, 1)},
		{"fulfillments/update", fmt.Sprintf(fulfillmentWebhook, later, number)},
	} {
		if got := w.shopify(i, x.topic, x.body); got != "taken" {
			w.Errorf("%s is %s", x.topic, got)
		}
	}
	if got := w.shopify(0, "orders/create", order); got != "known" {
		w.Errorf("a webhook that came again is %s", got)
	}
	w.ask(401, "POST", "/apps/tracktor/shopify/demo", order, "X-Shopify-Topic", "orders/create", "X-Shopify-Hmac-Sha256", "bm90IHRoZSBzaWduYXR1cmU=")
	if options := string(w.ask(200, "GET", tracktorBase+"status-options.json", "")); !strings.Contains(options, "out_for_delivery") || !strings.Contains(options, "ready_for_pickup") {
		w.Errorf("status options: %s", options)
	}
	w.is(w.ask(200, "GET", fmt.Sprintf("%sfulfillments/%d.json", tracktorBase, shopFulfillment), ""), map[string]string{
		"order_id": fmt.Sprint(shopOrder), "shopify_carrier": "Brown Truck", "tracking_number": number, "shipment_status": "order_ready", "is_automatic": "true"})
}

// carrier lets the parcel go all its way.
func (w *surfaces) carrier() {
	w.Helper()
	_, body := w.d.Sim(w.T, "GET", "/entities?carrier=ups", "")
	id := w.at(body, "entities.0.id")
	if status, body := w.d.Sim(w.T, "POST", "/entities/ups/"+id+"/run-to", `{"state":"DELIVERED"}`); status != http.StatusOK {
		w.Fatalf("run parcel %q to its end: %d %s", id, status, body)
	}
}

// orderDelivered: webhooks signed as Standard Webhooks has it, one for each change, numbered in their order.
func (w *surfaces) orderDelivered() {
	w.Helper()
	all := w.told("/orders", "webhook of the delivered order", func(h hook) bool { return w.at(h.body, "type") == "shipment.order_delivered" })
	verify, err := standardwebhooks.NewWebhook(w.sign)
	if err != nil {
		w.Fatal(err)
	}
	seq := 0
	for _, h := range all {
		if err := verify.Verify(h.body, h.header); err != nil {
			w.Errorf("signature of %s: %v", h.body, err)
		}
		n, err := strconv.Atoi(w.at(h.body, "sequence"))
		if err != nil || n <= seq {
			w.Errorf("number %d comes behind %d", n, seq)
		}
		seq = n
	}
	w.is(all[len(all)-1].body, map[string]string{"data.shipment.orderExternalId": "7709-001", "data.shipment.status": "ORDER_DELIVERED", "data.change.statusUser": "UPS"})
	w.is(w.ask(200, "GET", "/shipments/7709-001", ""), map[string]string{"status": "ORDER_DELIVERED"})
}

func (w *surfaces) trackerDelivered() {
	w.Helper()
	ours := func(h hook) bool { return w.at(h.body, "data.surface") == "tracker" } // it is told of the trackers of all surfaces
	all := w.told("/trackers", "webhook of the delivered tracker", func(h hook) bool { return ours(h) && w.at(h.body, "type") == "tracker.order_delivered" })
	all = slices.DeleteFunc(all, func(h hook) bool { return !ours(h) })
	var types []string
	for _, h := range all {
		types = append(types, w.at(h.body, "type"))
	}
	want := []string{"tracker.order_dispatched", "tracker.order_assigned", "tracker.pickup_completed", "tracker.out_for_delivery", "tracker.order_delivered"}
	if !slices.Equal(types, want) && !slices.Equal(types, want[1:]) {
		w.Errorf("told %v, want %v", types, want)
	}
	last := all[len(all)-1].body
	w.is(last, map[string]string{"data.tracker.trackerExternalId": "tracker001", "data.tracker.status": "ORDER_DELIVERED"})
	w.is(w.ask(200, "GET", "/trackers/tracker001", ""), map[string]string{"status": "ORDER_DELIVERED", "orderExternalId": "tracker001"})
}

// ship24Delivered: a webhook holds only what is new, so all of them together hold what the results do.
func (w *surfaces) ship24Delivered(number string) {
	w.Helper()
	all := w.told("/ship24", "Ship24's webhook of the delivery", func(h hook) bool { return w.at(h.body, "trackings.0.shipment.statusMilestone") == "delivered" })
	var results struct {
		Data struct {
			Trackings []struct{ Events []struct{ EventID string } }
		}
	}
	raw := w.ask(200, "GET", "/public/v1/trackers/search/"+number+"/results", "", w.bearer()...)
	w.is(raw, map[string]string{"data.trackings.0.shipment.statusMilestone": "delivered", "data.trackings.0.shipment.statusCode": "delivery_delivered",
		"data.trackings.0.tracker.clientTrackerId": "3fa99515-3ca0-4901-85bb-056ee016799b", "data.trackings.0.events.0.courierCode": "ups", "data.trackings.1": ""})
	if err := json.Unmarshal(raw, &results); err != nil {
		w.Fatal(err)
	}
	want, got := map[string]bool{}, map[string]bool{}
	for _, e := range results.Data.Trackings[0].Events {
		want[e.EventID] = true
	}
	for _, h := range all {
		if h.header.Get("Authorization") != "Bearer "+ship24Secret {
			w.Errorf("Authorization: %s", h.header.Get("Authorization"))
		}
		w.is(h.body, map[string]string{"trackings.0.metadata.topic": "tracking/events", "trackings.0.tracker.trackingNumber": number, "trackings.0.tracker.isTracked": ""})
		for i := 0; w.at(h.body, fmt.Sprintf("trackings.0.events.%d.eventId", i)) != ""; i++ {
			id := w.at(h.body, fmt.Sprintf("trackings.0.events.%d.eventId", i))
			if got[id] {
				w.Errorf("event %s was told twice", id)
			}
			got[id] = true
		}
	}
	if !maps.Equal(got, want) || len(want) < 4 {
		w.Errorf("webhooks told events %v, results show %v", got, want)
	}
}

func (w *surfaces) tracktorDelivered(number string) {
	w.Helper()
	all := w.told("/order/delivered", "Tracktor's webhook of the delivered order", func(hook) bool { return true })
	w.is(all[0].body, map[string]string{"order_id": fmt.Sprint(shopOrder), "order_name": "#9999", "statuses.0": "delivered", "fulfillments.0.tracking_number": number})
	if len(all) != 1 || all[0].header.Get("X-Tracktor-Topic") != "order/delivered" {
		w.Errorf("order/delivered was told %d times: %v", len(all), all[0].header)
	}
	parcel := w.told("/fulfillment/all", "Tracktor's webhook of the delivered fulfilment", func(h hook) bool { return w.at(h.body, "shipment_status") == "delivered" })
	for _, h := range parcel {
		if h.header.Get("Authorization") != "Bearer "+w.token || h.header.Get("X-Tracktor-Topic") != "fulfillment/all" {
			w.Errorf("headers of fulfillment/all: %v", h.header)
		}
	}
	w.is(w.ask(200, "GET", fmt.Sprintf("%sorders/%d.json", tracktorBase, shopOrder), ""), map[string]string{"statuses.0": "delivered",
		"order_phone": "+16175550123", "customer_full_name": "John Smith", "total_price": "414.95", "line_item_count": "2", "automatic_carrier_updates": "true"})
	w.is(w.ask(200, "GET", fmt.Sprintf("%sfulfillments/%d.json", tracktorBase, shopFulfillment), ""), map[string]string{"shipment_status": "delivered", "exception_status": "",
		"carrier.name": "UPS", "latest_status.status": "delivered"})
}
