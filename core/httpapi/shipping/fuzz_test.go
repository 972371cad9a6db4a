package shipping_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

// serve asks the router without a socket in between.
func serve(h *apitest.Harness, method, path string, body []byte) *httptest.ResponseRecorder {
	return serveWith(h, method, path, body)
}

// serveWith is serve with further headers, names and values in turn.
func serveWith(h *apitest.Harness, method, path string, body []byte, headers ...string) *httptest.ResponseRecorder {
	q := httptest.NewRequest(method, path, strings.NewReader(string(body)))
	q.Header.Set("x-api-key", h.Key)
	for i := 0; i+1 < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.Router.ServeHTTP(w, q)
	return w
}

// sound fails when an answer is one that no body may cause.
func sound(t *testing.T, w *httptest.ResponseRecorder, taken ...int) (refused bool) {
	t.Helper()
	if !utf8.Valid(w.Body.Bytes()) || !json.Valid(w.Body.Bytes()) {
		t.Fatalf("%d: the answer is not JSON: %q", w.Code, w.Body)
	}
	for _, code := range taken {
		if w.Code == code {
			return false
		}
	}
	if w.Code != http.StatusBadRequest && w.Code != http.StatusUnprocessableEntity && w.Code != http.StatusRequestEntityTooLarge {
		t.Fatalf("answered %d: %s", w.Code, w.Body)
	}
	return true
}

func FuzzCreateBody(f *testing.F) {
	for _, c := range append(notJSON(), wrongMembers()...) {
		if len(c.body) < 10_000 {
			f.Add([]byte(c.body))
		}
	}
	f.Add([]byte(read(f, "seed/create.json")))
	f.Add([]byte(apitest.Order("o")))
	h := apitest.New(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		before := h.Store.Commits()
		if sound(t, serve(h, "POST", "/rates", body), 200) && h.Store.Commits() != before {
			t.Fatal("a price question was stored")
		}
		w := serve(h, "POST", "/shipments", body)
		var answer map[string]any
		if sound(t, w, 201, 202) {
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			if _, stored := answer["id"]; stored != (h.Store.Commits() != before) {
				t.Fatalf("stored: %v, said so: %v", !stored, stored)
			}
			return
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		if got := serve(h, "GET", "/shipments/"+answer["id"].(string), nil); got.Code != 200 || got.Body.String() != w.Body.String() {
			t.Fatalf("answered %s, read %s", w.Body, got.Body)
		}
	})
}

func FuzzEditBody(f *testing.F) {
	f.Add([]byte(read(f, "seed/edit.json")))
	for _, body := range []string{`{}`, `{"groupId":null}`, `{"package":{"content":["a"]}}`, `{"deliveryAddress":{"latitude":1}}`, `{"packages":[{"name":"small"}]}`,
		`{"orderAttributes":{"a":null}}`, `{"dispatch":{"type":"scheduled","time":5}}`, `{"pickupTime":{}}`, `[]`, `{"itemList":[{"quantity":1}]}`} {
		f.Add([]byte(body))
	}
	h := apitest.New(f)
	w := serve(h, "POST", "/shipments", []byte(apitest.Order("edited", "dispatch", map[string]any{"type": "scheduled", "time": 2000000000000})))
	var order struct{ ID string }
	if err := json.Unmarshal(w.Body.Bytes(), &order); err != nil || w.Code != 202 {
		f.Fatalf("%d %s", w.Code, w.Body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		path := "/shipments/" + order.ID
		before := serve(h, "GET", path, nil).Body.String()
		w := serve(h, "PUT", path, body)
		refused := sound(t, w, 200)
		after := serve(h, "GET", path, nil).Body.String()
		if refused && after != before {
			t.Fatalf("refused and changed:\n%s\n%s", before, after)
		}
		if refused {
			return
		}
		// The same edit again changes nothing, so the answer is the order.
		if again := serve(h, "PUT", path, body); again.Code != 200 || again.Body.String() != after {
			t.Fatalf("the same edit again:\n%s\n%s", after, again.Body)
		}
	})
}

func FuzzListBody(f *testing.F) {
	f.Add([]byte(read(f, "seed/list.json")))
	for _, body := range []string{``, `{}`, `{"limit":1}`, `{"createdAt":{"startsAt":0}}`, `{"orderExternalIds":["a","b"]}`, `{"groupId":""}`,
		`{"status":["ORDER_DISPATCHED"]}`, `{"paginationToken":""}`, `{"paginationToken":"AAAA"}`,
		`{"pickupTime":{"startsAt":1},"deliveryTime":{"endsAt":4102444800000}}`} {
		f.Add([]byte(body))
	}
	h := apitest.New(f)
	for _, id := range []string{"a", "b", "c"} {
		serve(h, "POST", "/shipments", []byte(apitest.Order(id)))
	}
	f.Fuzz(func(t *testing.T, body []byte) { sound(t, serve(h, "POST", "/shipments/list", body), 200) })
}

func FuzzStatusBody(f *testing.F) {
	for _, body := range []string{``, `{}`, `{"status":"PICKUP_COMPLETED"}`, `{"status":"ORDER_DELIVERED","note":"n","at":1}`,
		`{"status":"ORDER_DELAYED","eventReason":{"code":"c","title":"t","note":"n"}}`, `{"status":1}`, `{"at":"soon"}`} {
		f.Add([]byte(body))
	}
	h := apitest.New(f)
	serve(h, "POST", "/shipments", []byte(apitest.Order("a")))
	f.Fuzz(func(t *testing.T, body []byte) { sound(t, serve(h, "POST", "/shipments/a/status", body), 200, 409) })
}

// FuzzResolveBody asks about an order that waits for a person's word, and for the next one once a body was taken.
func FuzzResolveBody(f *testing.F) {
	for _, body := range []string{``, `{}`, `[]`, `{"outcome":"absent"}`, `{"outcome":"booked","trackingId":"D-77"}`, `{"attempt":1,"outcome":"absent"}`,
		`{"attempt":2,"outcome":"absent"}`, `{"attempt":"1","outcome":"absent"}`, `{"outcome":"absent","trackingId":"x"}`, `{"outcome":"absent","withdraw":"D-77","reason":"x"}`, `{"attempt":1e3,"outcome":null}`} {
		f.Add([]byte(body))
	}
	var ids []string
	for i := range 50 {
		ids = append(ids, fmt.Sprintf("o%d", i))
	}
	h := undecided(f, ids...)
	f.Fuzz(func(t *testing.T, body []byte) {
		path := "/shipments/" + ids[0]
		before := serve(h, "GET", path, nil).Body.String()
		w := serve(h, "POST", path+"/resolve", body)
		if w.Code != http.StatusOK && w.Code != http.StatusAccepted {
			sound(t, w, http.StatusConflict)
			if after := serve(h, "GET", path, nil).Body.String(); after != before {
				t.Fatalf("refused with %s and changed:\n%s\n%s", w.Body, before, after)
			}
			return
		}
		if again := serve(h, "POST", path+"/resolve", body); again.Code != http.StatusConflict {
			t.Fatalf("%s was taken twice: %d %s", body, again.Code, again.Body)
		}
		if len(ids) > 1 {
			ids = ids[1:]
		}
	})
}

// FuzzIgnoredBody sends a body where none is read: the answer is that to none.
func FuzzIgnoredBody(f *testing.F) {
	for _, body := range []string{``, `{}`, `null`, `{"reason":"`, "\xff\x00"} {
		f.Add([]byte(body))
	}
	h := apitest.New(f)
	serve(h, "POST", "/shipments", []byte(apitest.Order("delivered")))
	serve(h, "POST", "/shipments/delivered/status", []byte(`{"status":"ORDER_DELIVERED"}`))
	serve(h, "POST", "/shipments", []byte(apitest.Order("booked")))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, c := range []struct {
			method, path string
			refused      int
		}{
			{"DELETE", "/shipments/delivered", http.StatusForbidden}, {"POST", "/shipments/delivered/retry", http.StatusConflict},
			{"POST", "/shipments/booked/erase", http.StatusConflict},
		} {
			if w := serve(h, c.method, c.path, nil); w.Code != c.refused {
				t.Fatalf("%s %s without a body: %d %s", c.method, c.path, w.Code, w.Body)
			}
			if w := serve(h, c.method, c.path, body); sound(t, w, c.refused) {
				t.Fatalf("%s %s: with the body %q it is %d %s", c.method, c.path, body, w.Code, w.Body)
			}
		}
	})
}
