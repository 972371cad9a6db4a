package webhooks_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

func TestMain(m *testing.M) { apitest.Leaks(m) }

// hook is a subscriber on loopback.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []string
	header []http.Header
}

func newHook(t *testing.T) *hook {
	t.Helper()
	k := &hook{status: 200}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, err := io.ReadAll(q.Body)
		if err != nil {
			return
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.got, k.header = append(k.got, string(b)), append(k.header, q.Header.Clone())
		w.Header().Set("X-Seen", "yes")
		w.WriteHeader(k.status)
		_, _ = io.WriteString(w, "thanks")
	}))
	t.Cleanup(k.Close)
	return k
}

func (k *hook) answer(status int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status = status
}

func harness(t *testing.T) (*apitest.Harness, *hook) {
	t.Helper()
	h := apitest.New(t)
	h.Config.Tenants["shop"].Notify.AllowPrivate = true
	return h, newHook(t)
}

func due(t *testing.T, h *apitest.Harness) {
	t.Helper()
	if _, err := h.Notify.RunDue(context.Background(), h.Clock.Now()); err != nil {
		t.Fatal(err)
	}
}

func TestAnOrderReachesAWebhook(t *testing.T) {
	h, k := harness(t)
	made := h.Do("POST", "/webhooks", apitest.JSON(map[string]any{"url": k.URL})).Want(201)
	id, secret := made.At("id").(string), made.At("secret").(string)
	if made.Header.Get("Location") != "https://ship.example.com/webhooks/"+id || !strings.HasPrefix(secret, "whsec_") {
		t.Errorf("%v %s", made.Header, made.Body)
	}
	order := h.Do("POST", "/shipments", apitest.Order("7709-001")).Want(201)
	due(t, h)
	var types []string
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	for i, body := range k.got {
		var b struct {
			Type string `json:"type"`
			Data struct {
				Shipment json.RawMessage `json:"shipment"`
			} `json:"data"`
		}
		if err := json.Unmarshal([]byte(body), &b); err != nil {
			t.Fatal(err)
		}
		types = append(types, b.Type)
		if err := w.VerifyIgnoringTimestamp([]byte(body), k.header[i]); err != nil {
			t.Error(err)
		}
		if i == len(k.got)-1 && string(b.Data.Shipment) != string(order.Body) {
			t.Errorf("the webhook's shipment is not that of the API:\n%s\n%s", b.Data.Shipment, order.Body)
		}
	}
	if want := []string{"shipment.request_received", "shipment.estimates_received", "shipment.order_dispatched"}; !slices.Equal(types, want) {
		t.Errorf("told %v, want %v", types, want)
	}
	a := h.Do("GET", "/webhooks/"+id+"/deliveries?state=delivered&limit=2", "").Want(200)
	if a.At("data.0.topic") != "shipment.order_dispatched" || a.At("data.0.attempts.0.response.body") != "thanks" || a.At("data.0.attempts.0.response.headers.X-Seen") != "yes" ||
		a.At("data.0.attempts.0.request.body") != k.got[2] || a.At("data.2") != nil {
		t.Errorf("%s", a.Body)
	}
	next := a.At("paginationToken.next").(string)
	if a := h.Do("GET", "/webhooks/"+id+"/deliveries?state=delivered&limit=2&paginationToken="+next, "").Want(200); a.At("data.0.topic") != "shipment.request_received" {
		t.Errorf("%s", a.Body)
	}
	for _, filter := range []string{"state=waiting", "subject=shipment/nobody", "from=9999999999999", "to=1"} {
		if filter == "from=9999999999999" {
			h.Do("GET", "/webhooks/"+id+"/deliveries?"+filter, "").Want(400)
			continue
		}
		if a := h.Do("GET", "/webhooks/"+id+"/deliveries?"+filter, "").Want(200); a.At("data.0") != nil {
			t.Errorf("%s: %s", filter, a.Body)
		}
	}
	for _, path := range []string{"/webhooks", "/webhooks/" + id, "/webhooks/" + id + "/deliveries"} {
		if a := h.Do("GET", path, "").Want(200); strings.Contains(string(a.Body), secret) {
			t.Errorf("%s tells the secret", path)
		}
	}
}

func TestFaultsAreAllSaidAtOnce(t *testing.T) {
	h := apitest.New(t)
	for body, want := range map[string][]string{
		`{}`: {"url"},
		`{"url":"ftp://x","topics":["shipment.nowhere","*","tracker"],"shape":"square"}`: {"shape", "topics[0]", "topics[2]", "url"},
		`{"url":"http://127.0.0.1/"}`:             {"url"},
		`{"url":"http://169.254.169.254/latest"}`: {"url"},
		`{"url":"http://[::ffff:10.0.0.1]/"}`:     {"url"},
		`{"url":5,"topics":"x"}`:                  {"topics", "url"},
	} {
		a := h.Do("POST", "/webhooks", body).Want(400)
		var got []string
		for _, e := range a.At("errors").([]any) {
			got = append(got, e.(map[string]any)["parameter"].(string))
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
	if a := h.Do("GET", "/webhooks", "").Want(200); a.At("data.0") != nil || h.Store.Commits() != 0 {
		t.Errorf("something was created: %s", a.Body)
	}
	h.Do("GET", "/webhooks/nobody/deliveries?state=odd&limit=0&from=x", "").Want(400)
	a := h.Do("POST", "/webhooks/nobody/redeliver", `{"messageId":"a","from":1}`).Want(400)
	if a.At("errors.0.parameter") != "messageId" {
		t.Errorf("%s", a.Body)
	}
	h.Do("POST", "/webhooks/nobody/redeliver", `{}`).Want(400)
	h.Do("POST", "/webhooks/nobody/redeliver", `{"from":5,"to":4}`).Want(400)
}

func TestLifeOfAWebhook(t *testing.T) {
	h, k := harness(t)
	made := h.Do("POST", "/webhooks", apitest.JSON(map[string]any{"url": k.URL, "topics": []string{"shipment.order_dispatched"}, "shape": "delivery_solutions"})).Want(201)
	path := "/webhooks/" + made.At("id").(string)
	rotated := h.Do("POST", path+"/rotate", "").Want(200)
	if rotated.At("secret") == made.At("secret") || rotated.At("secrets.1.expiresAt") != "2026-03-08T20:30:00.000Z" {
		t.Errorf("%s", rotated.Body)
	}
	test := h.Do("POST", path+"/test", "").Want(202).At("messageId").(string)
	due(t, h)
	if len(k.got) != 1 || k.header[0].Get("webhook-id") != test || len(strings.Fields(k.header[0].Get("webhook-signature"))) != 2 {
		t.Fatalf("%d requests, %v", len(k.got), k.header)
	}
	k.answer(500)
	h.Do("POST", "/shipments", apitest.Order("7709-001")).Want(201)
	due(t, h)
	failed := h.Do("GET", path+"/deliveries?state=waiting", "").Want(200)
	if failed.At("data.0.attempts.0.error") == "" || failed.At("data.0.nextTryAt") == nil {
		t.Errorf("%s", failed.Body)
	}
	k.answer(200)
	if a := h.Do("POST", path+"/redeliver", apitest.JSON(map[string]any{"messageId": failed.At("data.0.messageId")})).Want(202); a.At("messages") != 1.0 {
		t.Errorf("%s", a.Body)
	}
	due(t, h)
	if a := h.Do("GET", path+"/deliveries", "").Want(200); a.At("data.0.state") != "delivered" || a.At("data.0.redelivery") != true || len(k.got) != 3 {
		t.Errorf("%d requests; %s", len(k.got), a.Body)
	}
	if a := h.Do("POST", path+"/redeliver", `{"from":1}`).Want(202); a.At("messages") != 1.0 {
		t.Errorf("%s", a.Body)
	}
	h.Do("POST", path+"/redeliver", `{"messageId":"nonsense"}`).Want(404)
	h.Do("PATCH", path, `{"state":"asleep","topics":[]}`).Want(400)
	if a := h.Do("PATCH", path, `{"state":"paused"}`).Want(200); a.At("state") != "paused" || a.At("topics.0") != "shipment.order_dispatched" {
		t.Errorf("%s", a.Body)
	}
	h.Do("POST", path+"/test", "").Want(409)
	h.Do("POST", path+"/redeliver", `{"from":1}`).Want(409)
	h.Do("DELETE", path, "").Want(200)
	h.Do("GET", path, "").Want(404)
	h.Do("DELETE", path, "").Want(404)
	if a := h.Do("GET", "/shipments/7709-001/communications", "").Want(200); string(a.Body) != `{"data":[]}` {
		t.Errorf("%s", a.Body)
	}
	h.Do("GET", "/shipments/nobody/communications", "").Want(404)
}

// TestTenantsSeeNothingOfEachOther asks every route with another tenant's key.
func TestTenantsSeeNothingOfEachOther(t *testing.T) {
	h, k := harness(t)
	made := h.Do("POST", "/webhooks", apitest.JSON(map[string]any{"url": k.URL + "/my-secret-path"})).Want(201)
	h.Do("POST", "/shipments", apitest.Order("mine")).Want(201)
	due(t, h)
	id := made.At("id").(string)
	message := h.Do("GET", "/webhooks/"+id+"/deliveries", "").Want(200).At("data.0.messageId").(string)
	h.Strangers([]string{"/webhooks"}, []string{id}, map[string]apitest.Visit{
		"POST /webhooks":                {Bodies: []string{`{"url":"http://127.0.0.1/"}`}, Status: 400},
		"GET /webhooks":                 {Status: 200, Empty: `{"data":[]}`},
		"GET /webhooks/{id}":            {},
		"PATCH /webhooks/{id}":          {Bodies: []string{`{"state":"disabled"}`, `{"url":"https://8.8.8.8/"}`}},
		"DELETE /webhooks/{id}":         {},
		"POST /webhooks/{id}/rotate":    {},
		"POST /webhooks/{id}/test":      {},
		"GET /webhooks/{id}/deliveries": {},
		"POST /webhooks/{id}/redeliver": {Bodies: []string{apitest.JSON(map[string]any{"messageId": message}), `{"from":1}`}},
	}, id, "my-secret-path", made.At("secret").(string))
}
