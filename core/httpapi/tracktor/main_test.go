package tracktor_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestMain(m *testing.M) { apitest.Leaks(m) }

var update = flag.Bool("update", false, "write the golden files")

const (
	admin = "/apps/tracktor/api/admin/corner-shop/"
	door  = "/apps/tracktor/shopify/corner-shop"

	orderID       = 820982911946154508 // more than a float64 holds exactly
	fulfillmentID = 1069019862123456789
	secondID      = 1069019862123456790
	upsNumber     = "1Z999AA10123456784"
)

// shop is a harness with a shop's own side.
type shop struct {
	*apitest.Harness
	t  testing.TB
	mu sync.Mutex
	// news is what the carrier knows of each number.
	news map[string][]shipping.TrackingEvent
	sent int
}

func open(t testing.TB) *shop {
	s := &shop{Harness: apitest.New(t), t: t, news: map[string][]shipping.TrackingEvent{}}
	s.Config.Tenants["shop"].Notify.AllowPrivate = true // subscribers here are on loopback
	track := apitest.Hooks{Track: func(r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		var out []carrier.TrackUpdate
		for _, p := range r.Parcels {
			out = append(out, carrier.TrackUpdate{Number: p.Number, Unknown: len(s.news[p.Number]) == 0, Events: s.news[p.Number]})
		}
		return out, nil
	}}
	for _, c := range []*apitest.Carrier{s.UPS, s.Quiet} {
		c.SetManifest(func(m *carrier.Manifest) { m.Abilities = append(m.Abilities, carrier.CanTrack) })
		c.Set(track)
	}
	return s
}

// happens lets a carrier know something, an hour after what it knew last, and be asked.
func (s *shop) happens(number string, status shipping.Status, more ...string) {
	s.t.Helper()
	s.Clock.Advance(7 * time.Hour)
	e := shipping.TrackingEvent{Time: shipping.At(s.Clock.Now().Add(-time.Hour)), ZoneKnown: true, CarrierCode: string(status), CarrierWords: "About " + strings.ToLower(string(status)),
		Status: status, City: "Boston", State: "MA", CountryCode: "US"}
	if len(more) > 0 {
		e.SubStatus = more[0]
	}
	s.mu.Lock()
	s.news[number] = append(s.news[number], e)
	s.mu.Unlock()
	s.Catch()
}

// order is the body of an orders/* webhook. Text such as `"email":null` replaces members.
func order(id int64, updated string, replace ...string) string {
	return edited(map[string]any{
		"id": id, "admin_graphql_api_id": fmt.Sprintf("gid://shopify/Order/%d", id), "name": "#9999", "email": "jon@example.com", "phone": nil,
		"source_name": "web", "created_at": "2026-03-05T10:00:00-05:00", "updated_at": updated, "total_price": "414.95", "currency": "USD",
		"fulfillment_status": "partial", "cancelled_at": nil,
		"customer": map[string]any{"id": 115310627314723954, "first_name": "John", "last_name": "Smith", "email": "john@example.com"},
		"line_items": []any{map[string]any{"id": 866550311766439020, "quantity": 1, "title": "IPod Nano - 8GB"},
			map[string]any{"id": 141249953214522974, "quantity": 2, "title": "IPod Nano - 16GB"}},
		"fulfillments": []any{},
	}, replace)
}

// fulfillment is the body of a fulfillments/* webhook.
func fulfillment(id, order int64, updated, company, number string, replace ...string) string {
	return edited(map[string]any{
		"id": id, "order_id": order, "status": "success", "created_at": "2026-03-06T10:00:00-05:00", "service": "manual", "updated_at": updated,
		"tracking_company": company, "shipment_status": nil, "location_id": nil, "name": "#9999.1", "tracking_number": number, "tracking_numbers": []string{number},
		"tracking_url": "https://tracking.example.com/" + number, "receipt": map[string]any{},
		"line_items": []any{map[string]any{"id": 866550311766439020, "variant_id": 808950810, "title": "IPod Nano - 8GB", "quantity": 1, "product_id": 632910392,
			"requires_shipping": true, "name": "IPod Nano - 8GB", "grams": 567, "price": "199.00"}},
	}, replace)
}

func edited(members map[string]any, replace []string) string {
	for _, r := range replace {
		var m map[string]any
		d := json.NewDecoder(strings.NewReader("{" + r + "}"))
		d.UseNumber()
		if err := d.Decode(&m); err != nil {
			panic(err)
		}
		for k, v := range m {
			members[k] = v
		}
	}
	b, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// sends is a webhook of the shop with an id of its own, signed as it must be.
func (s *shop) sends(topic, body string, headers ...string) *apitest.Answer {
	s.t.Helper()
	s.sent++
	headers = append([]string{"x-api-key", "", "X-Shopify-Topic", topic, "X-Shopify-Hmac-Sha256", sign(apitest.ShopSecret, body),
		"X-Shopify-Webhook-Id", fmt.Sprintf("b54557e4-bdd9-4b37-8a5f-%012d", s.sent), "X-Shopify-Shop-Domain", "corner-shop.myshopify.com"}, headers...)
	return s.Do("POST", door, body, headers...)
}

func (s *shop) taken(topic, body string) {
	s.t.Helper()
	if a := s.sends(topic, body).Want(200); a.At("result") != "taken" {
		s.t.Fatalf("%s: %s", topic, a.Body)
	}
}

func (s *shop) order(id int64) *apitest.Answer {
	s.t.Helper()
	return s.Do("GET", fmt.Sprintf("%sorders/%d.json", admin, id), "").Want(200)
}

func (s *shop) fulfillment(id int64) *apitest.Answer {
	s.t.Helper()
	return s.Do("GET", fmt.Sprintf("%sfulfillments/%d.json", admin, id), "").Want(200)
}

// is wants a fulfilment to be in a status with an exception, "" for none.
func (s *shop) is(id int64, status, exception string) {
	s.t.Helper()
	a := s.fulfillment(id)
	var want any
	if exception != "" {
		want = exception
	}
	if a.At("shipment_status") != status || a.At("exception_status") != want {
		s.t.Fatalf("the fulfilment is %v with %v, want %s with %v\n%s", a.At("shipment_status"), a.At("exception_status"), status, want, a.Body)
	}
}

// told is a request that a subscriber got.
type told struct {
	topic, bearer string
	body          []byte
}

// listener is a subscriber on loopback.
type listener struct {
	*httptest.Server
	mu   sync.Mutex
	list []told
}

func listen(t testing.TB) *listener {
	l := &listener{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, err := io.ReadAll(q.Body)
		if err != nil {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.list = append(l.list, told{q.Header.Get("X-Tracktor-Topic"), q.Header.Get("Authorization"), b})
	}))
	t.Cleanup(l.Close)
	return l
}

// heard takes what was heard since it was taken last.
func (l *listener) heard() []told {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.list
	l.list = nil
	return out
}

// brief is what was heard, as topic and status or statuses.
func (l *listener) brief(t testing.TB) []string {
	t.Helper()
	out := []string{}
	for _, h := range l.heard() {
		var v struct {
			Shipment   string   `json:"shipment_status"`
			Exception  *string  `json:"exception_status"`
			Statuses   []string `json:"statuses"`
			Exceptions []string `json:"exception_statuses"`
		}
		if err := json.Unmarshal(h.body, &v); err != nil {
			t.Fatal(err)
		}
		words := append(v.Statuses, v.Exceptions...)
		if v.Shipment != "" {
			words = append(words, v.Shipment)
		}
		if v.Exception != nil {
			words = append(words, *v.Exception)
		}
		out = append(out, h.topic+" "+strings.Join(words, ","))
	}
	return out
}

// hears creates a webhook and returns its bearer token.
func (s *shop) hears(l *listener, topic string) string {
	s.t.Helper()
	a := s.Do("POST", admin+"webhooks.json", fmt.Sprintf(`{"topic":%q,"address":%q}`, topic, l.URL+"/hooks")).Want(200)
	return a.At("bearer_token").(string)
}

// inOurShape fails unless a webhook of the shape waybill was told these topics of a fulfilment, each once.
func (s *shop) inOurShape(l *listener, want ...string) {
	s.t.Helper()
	var got []string
	last := 0
	for _, h := range l.heard() {
		var v struct {
			Type     string `json:"type"`
			Sequence int    `json:"sequence"`
			Data     struct {
				Surface string `json:"surface"`
				Tracker struct {
					ID         string `json:"id"`
					TrackingID string `json:"trackingId"`
				} `json:"tracker"`
			} `json:"data"`
		}
		if err := json.Unmarshal(h.body, &v); err != nil {
			s.t.Fatal(err)
		}
		if got = append(got, v.Type); v.Data.Surface != "tracktor" || v.Data.Tracker.TrackingID != upsNumber || v.Data.Tracker.ID == "" || v.Sequence <= last {
			s.t.Errorf("told in our shape: %s", h.body)
		}
		last = v.Sequence
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("told in our shape: %q, want %q", got, want)
	}
}

// golden holds JSON against a file.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, got, "", "  "); err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	b.WriteByte('\n')
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
