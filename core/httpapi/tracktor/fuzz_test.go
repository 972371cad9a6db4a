package tracktor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/core/httpapi/tracktor"
	core "github.com/waybill-dev/waybill/core/shop"
	"github.com/waybill-dev/waybill/core/usecase"
)

// clerk takes what a shop sends and keeps nothing of it.
type clerk struct {
	tracktor.Shop
	taken []core.Delivery
}

func (c *clerk) Take(_ context.Context, _ usecase.Caller, d core.Delivery) (bool, error) {
	c.taken = append(c.taken, d)
	return true, nil
}

// FuzzShopify lets a shop say anything: it is refused, or what is taken of it can be kept.
func FuzzShopify(f *testing.F) {
	f.Add("orders/create", "1", []byte(order(orderID, "2026-03-05T10:00:00-05:00")))
	f.Add("orders/updated", "", []byte(order(orderID, "2026-03-05T10:00:00-05:00", `"fulfillments":[`+fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber)+`]`)))
	f.Add("fulfillments/create", strings.Repeat("x", 300), []byte(fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "Royal Mail", upsNumber)))
	f.Add("fulfillments/update", "2", []byte(`{"id":1,"order_id":8,"updated_at":"2026-03-06T10:00:00-05:00","line_items":[{}],"tracking_numbers":["a","a\n"],"status":"cancelled"}`))
	f.Add("orders/create", "3", []byte(`{"id":8,"updated_at":"2026-03-06T10:00:00Z","total_price":1e3,"line_items":[1,"a",null],"customer":null}`))
	f.Add("orders/create", "4", []byte(`{"id":8,"updated_at":"0000-01-01T00:00:00Z","total_price":"-0"}`))
	cfg := &config.Config{Server: config.Server{MaxBody: 1 << 20}, Tenants: map[string]*config.Tenant{
		"corner-shop": {ID: "corner-shop", Tracktor: config.Tracktor{WebhookSecret: apitest.ShopSecret}}}}
	current := func() *config.Config { return cfg }
	at := clock.NewManual(apitest.Start)
	f.Fuzz(func(t *testing.T, topic, id string, body []byte) {
		desk := &clerk{}
		r := httpapi.New(httpapi.Settings{Config: current, Clock: at, Source: clock.Seeded(1, at), Log: hclog.NewNullLogger()})
		tracktor.Mount(r, tracktor.Settings{Shop: desk, Config: current, Log: hclog.NewNullLogger()})
		q := httptest.NewRequest("POST", door, bytes.NewReader(body))
		q.Header.Set("X-Shopify-Topic", topic)
		q.Header.Set("X-Shopify-Webhook-Id", id)
		q.Header.Set("X-Shopify-Hmac-Sha256", sign(apitest.ShopSecret, string(body)))
		w := httptest.NewRecorder()
		r.ServeHTTP(w, q)
		if !slices.Contains([]int{200, 400, 422}, w.Code) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Code != 200 && len(desk.taken) > 0 {
			t.Fatalf("refused and taken: %s", w.Body)
		}
		for _, d := range desk.taken {
			keepable(t, d)
		}
	})
}

func keepable(t *testing.T, d core.Delivery) {
	t.Helper()
	if b, err := json.Marshal(d); err != nil || !utf8.Valid(b) || len(d.ID) > 200 {
		t.Fatalf("%v: %s", err, b)
	}
	if d.Order == nil && len(d.Fulfilments) == 0 {
		t.Fatal("nothing was taken")
	}
	if o := d.Order; o != nil && (o.ID <= 0 || o.UpdatedAt.IsZero() || utf8.RuneCountInString(o.Name) > 500) {
		t.Fatalf("%+v", o)
	}
	for _, f := range d.Fulfilments {
		if f.ID <= 0 || f.OrderID <= 0 || f.UpdatedAt.IsZero() || len(f.Numbers) > 50 || len(f.Items) > 1000 {
			t.Fatalf("%+v", f)
		}
		for i, n := range f.Numbers {
			if n == "" || len(n) > 100 || strings.ContainsFunc(n, unicode.IsControl) || slices.Contains(f.Numbers[:i], n) {
				t.Fatalf("number %q of %q", n, f.Numbers)
			}
		}
	}
}

// ask asks the router without a socket in between, with the shop's key.
func ask(s *shop, method, path string, body []byte) *httptest.ResponseRecorder {
	q := httptest.NewRequest(method, admin+path, bytes.NewReader(body))
	q.Header.Set("x-api-key", s.Key)
	w := httptest.NewRecorder()
	s.Router.ServeHTTP(w, q)
	return w
}

// refused fails unless w is a refusal of a body, in this surface's shape.
func refused(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	var b struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &b); err != nil || b.Error.Code == "" || b.Error.Message == "" || !slices.Contains([]int{400, 409, 413, 422}, w.Code) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

// FuzzUpdateBody sets where an order is: what is refused changes nothing, what is answered is what is read.
func FuzzUpdateBody(f *testing.F) {
	for _, body := range []string{``, `{}`, `[]`, `null`, `{"status":"in_transit"}`, `{"status":"delivered","is_automatic":false}`, `{"status":"no such"}`, `{"status":7}`,
		`{"status":"in_transit","fulfillment_id":1069019862123456789}`, `{"status":"in_transit","fulfillment_id":1e400}`, `{"status":"in_transit","fulfillment_id":-1,"is_automatic":null}`,
		`{"is_automatic":true}`, "{\"status\":\"\xff\"}"} {
		f.Add([]byte(body))
	}
	s := open(f)
	s.taken("orders/create", order(orderID, "2026-03-05T10:00:00-05:00"))
	s.taken("fulfillments/create", fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber))
	path := fmt.Sprintf("orders/%d.json", orderID)
	f.Fuzz(func(t *testing.T, body []byte) {
		before := ask(s, "GET", path, nil).Body.String()
		w := ask(s, "POST", path, body)
		now := ask(s, "GET", path, nil).Body.String()
		if w.Code == 200 {
			if w.Body.String() != now {
				t.Fatalf("answered %s, read %s", w.Body, now)
			}
			return
		}
		if refused(t, w); now != before {
			t.Fatalf("refused with %s and changed:\n%s\n%s", w.Body, before, now)
		}
	})
}

// FuzzWebhookBody asks for a webhook: what is refused stores nothing, what is taken is listed and can be removed.
func FuzzWebhookBody(f *testing.F) {
	for _, body := range []string{``, `{}`, `[]`, `null`, `{"topic":"order/all","address":"https://8.8.8.8/hook"}`, `{"topic":"order/all","address":"http://8.8.8.8"}`,
		`{"topic":"none","address":" "}`, `{"topic":1,"address":[]}`, `{"topic":"order/all","address":"https://u:p@8.8.8.8"}`, `{"topic":"order/all","address":"ftp://8.8.8.8"}`,
		"{\"topic\":\"order/all\",\"address\":\"https://8.8.8.8/\xff\"}", `{"topic":"fulfillment/all","address":"https://8.8.8.8/` + strings.Repeat("x", 3000) + `"}`} {
		f.Add([]byte(body))
	}
	s := open(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		commits := s.Store.Commits()
		w := ask(s, "POST", "webhooks.json", body)
		if w.Code != 200 {
			if refused(t, w); s.Store.Commits() != commits {
				t.Fatalf("refused with %s, and something was stored", w.Body)
			}
			return
		}
		var made struct{ ID, Topic, Address string }
		if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || made.ID == "" {
			t.Fatalf("%v: %s", err, w.Body)
		}
		if list := ask(s, "GET", "webhooks.json", nil); !strings.Contains(list.Body.String(), made.ID) {
			t.Fatalf("made %s, and the list is %s", w.Body, list.Body)
		}
		if w := ask(s, "DELETE", "webhooks/"+made.ID+".json", nil); w.Code != 200 {
			t.Fatalf("it cannot be removed: %d %s", w.Code, w.Body)
		}
	})
}
