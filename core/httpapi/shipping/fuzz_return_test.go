package shipping_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// FuzzReturnBody asks for the return of an order that was delivered: what is refused changes nothing, what is taken is an order that can
// be read, and the next body is about the next order.
func FuzzReturnBody(f *testing.F) {
	for _, body := range []string{``, `{}`, `[]`, `null`, `{"reason":"other"}`, `{"reason":"other","itemList":[{"sku":"watch","quantity":1}]}`,
		`{"reason":"other","itemList":[{"line":1,"quantity":1},{"line":1,"quantity":-1}]}`, `{"reason":7,"itemList":{}}`, `{"reason":"no","type":"gift"}`,
		`{"type":"exchange","reason":"too_small","exchangeItems":[{"sku":"watch-xl","quantity":1}]}`, `{"reason":"other","exchangeItems":[null]}`,
		`{"reason":"other","package":{"name":"small"},"packages":[{"name":"small"}]}`, `{"reason":"other","pickupAddress":{"street1":"x"},"pickupContact":{"phone":"+1 2"}}`,
		`{"reason":"other","pickupAddress":null,"pickupInstructions":"\u0000"}`, `{"reason":"other","proposedProviders":[{}]}`, "{\"reason\":\"other\",\"note\":\"\xff\"}",
		`{"reason":"other","itemList":[{"line":9223372036854775807,"quantity":9223372036854775807}]}`, `{"reason":"other","package":{"weight":{"value":1e400}}}`} {
		f.Add([]byte(body), "")
	}
	f.Add([]byte(`{"reason":"other"}`), "key")
	f.Add([]byte(`{"reason":"other"}`), strings.Repeat("k", 300))
	h := apitest.New(f)
	h.Config.Tenants["shop"].Returns.Exchanges = true
	h.UPS.SetManifest(func(m *carrier.Manifest) { m.Abilities = append(m.Abilities, carrier.CanReturn) })
	orders := 0
	next := func(t testing.TB) string {
		orders++
		id := "o" + strconv.Itoa(orders)
		if w := serve(h, "POST", "/shipments", []byte(watches(id))); w.Code != http.StatusCreated {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w := serve(h, "POST", "/shipments/"+id+"/status", []byte(`{"status":"ORDER_DELIVERED"}`)); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return "/shipments/" + id
	}
	path := next(f)
	f.Fuzz(func(t *testing.T, body []byte, key string) {
		if strings.ContainsFunc(key, unicode.IsControl) {
			return // no such header comes through a connection
		}
		commits, before := h.Store.Commits(), serve(h, "GET", path, nil).Body.String()
		w := serveWith(h, "POST", path+"/return", body, "Idempotency-Key", key)
		refused := sound(t, w, http.StatusCreated, http.StatusAccepted)
		var back struct{ ID string } // what no carrier takes is kept as well, and its refusal says as what
		if err := json.Unmarshal(w.Body.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
		if refused && back.ID == "" {
			if after := serve(h, "GET", path, nil).Body.String(); after != before || h.Store.Commits() != commits {
				t.Fatalf("refused with %s and stored; it was\n%s\nand is\n%s", w.Body, before, after)
			}
			return
		}
		if got := serve(h, "GET", "/shipments/"+back.ID, nil); got.Code != http.StatusOK {
			t.Fatalf("answered %s, and it reads as %d %s", w.Body, got.Code, got.Body)
		}
		path = next(t)
	})
}
