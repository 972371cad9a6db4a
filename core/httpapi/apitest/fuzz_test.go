package apitest

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/web/console"
	"github.com/waybill-dev/waybill/rules"
)

// all is every route of a node.
func all(t testing.TB) (*Harness, []string) {
	t.Helper()
	h := New(t)
	console.Mount(h.Router, console.Settings{Orders: h.Service, Live: func(string) console.Live { return console.Live{Bundle: rules.Default()} },
		Providers: func(*config.Tenant) map[string]rules.Provider { return nil }})
	routes, err := h.Router.Routes()
	if err != nil || len(routes) == 0 {
		t.Fatal(routes, err)
	}
	slices.Sort(routes)
	return h, slices.Compact(routes)
}

var variable = regexp.MustCompile(`\{[^}]*\}`)

// recorder takes deadlines as a connection does; streams set them.
type recorder struct{ *httptest.ResponseRecorder }

// SetWriteDeadline is what http.ResponseController asks for.
func (recorder) SetWriteDeadline(time.Time) error { return nil }

// FuzzRoutes asks every mounted route, those that somebody adds tomorrow among them, with any path, query and body: it answers, never
// with a fault of the engine's, and in JSON where it says so.
func FuzzRoutes(f *testing.F) {
	h, routes := all(f)
	routes = slices.DeleteFunc(routes, func(r string) bool {
		return strings.HasSuffix(r, " /track/{token}/events") || strings.HasPrefix(r, "HEAD ") // a stream that ends with its reader; what GET answers without its body
	})
	for i := range routes { // the fuzzer runs all seeds before it begins, so there are few
		f.Add(uint16(i), "held", "limit=-1&cursor=AAAA&limit=\xff;", []byte(`{"status":1,"reason":[],"trackingNumber":{},"url":null,"order":{"a":1e400}}`))
	}
	f.Add(uint16(0), "\xff\x00/%", "page=1e9&from=now", []byte("[\xff"))
	f.Add(uint16(slices.Index(routes, "GET /decisions")), "", "", []byte(nil))
	order := httptest.NewRequest(http.MethodPost, "/shipments", strings.NewReader(Order("held")))
	order.Header.Set("x-api-key", h.Key)
	h.Router.ServeHTTP(httptest.NewRecorder(), order)
	f.Fuzz(func(t *testing.T, n uint16, thing, query string, body []byte) {
		method, path, _ := strings.Cut(routes[int(n)%len(routes)], " ")
		if strings.Contains(path, "/{uuid}") {
			path = strings.Replace(path, "{uuid}", "corner-shop", 1)
		}
		q := httptest.NewRequest(method, variable.ReplaceAllLiteralString(path, url.PathEscape(thing)), strings.NewReader(string(body)))
		q.URL.RawQuery = query
		q.Header.Set("x-api-key", h.Key)
		w := recorder{httptest.NewRecorder()}
		h.Router.ServeHTTP(w, q)
		if w.Code >= http.StatusInternalServerError {
			t.Fatalf("%s %s?%s: %d %s", method, q.URL.Path, query, w.Code, w.Body)
		}
		var documents []string
		switch kind, _, _ := mime.ParseMediaType(w.Header().Get("Content-Type")); kind {
		case "application/json":
			documents = []string{w.Body.String()}
		case "application/jsonl": // one a line, and none where there is nothing
			documents = slices.Collect(strings.Lines(w.Body.String()))
		}
		for _, d := range documents {
			if method != http.MethodHead && (!utf8.ValidString(d) || !json.Valid([]byte(d))) {
				t.Fatalf("%s %s: %d: the answer is not JSON: %q", method, q.URL.Path, w.Code, d)
			}
		}
	})
}

// targets are the fuzz targets of the bodies that routes take: what of each body must hold, beyond that it is answered. A route that reads no
// body has FuzzRoutes alone.
var targets = map[string]string{
	"POST /shipments":              "core/httpapi/shipping FuzzCreateBody",
	"POST /rates":                  "core/httpapi/shipping FuzzCreateBody",
	"PUT /shipments/{id}":          "core/httpapi/shipping FuzzEditBody",
	"POST /shipments/list":         "core/httpapi/shipping FuzzListBody",
	"POST /shipments/{id}/status":  "core/httpapi/shipping FuzzStatusBody",
	"POST /shipments/{id}/resolve": "core/httpapi/shipping FuzzResolveBody",
	"POST /shipments/{id}/return":  "core/httpapi/shipping FuzzReturnBody",
	"DELETE /shipments/{id}":       "core/httpapi/shipping FuzzIgnoredBody",
	"POST /shipments/{id}/retry":   "core/httpapi/shipping FuzzIgnoredBody",
	"POST /shipments/{id}/erase":   "core/httpapi/shipping FuzzIgnoredBody",
	"POST /shipments/{id}/release": "core/httpapi/apitest FuzzRoutes",

	"POST /trackers":             "core/httpapi/tracker FuzzCreateBody",
	"POST /trackers/{id}/status": "core/httpapi/tracker FuzzStatusBody",
	"POST /trackers/{id}/return": "core/httpapi/tracker FuzzReturnBody",
	"POST /trackers/{id}/erase":  "core/httpapi/apitest FuzzRoutes",
	"DELETE /trackers/{id}":      "core/httpapi/apitest FuzzRoutes",

	"POST /webhooks":                "core/httpapi/webhooks FuzzCreateBody",
	"PATCH /webhooks/{id}":          "core/httpapi/webhooks FuzzUpdateBody",
	"POST /webhooks/{id}/redeliver": "core/httpapi/webhooks FuzzRedeliverBody",
	"DELETE /webhooks/{id}":         "core/httpapi/apitest FuzzRoutes",
	"POST /webhooks/{id}/rotate":    "core/httpapi/apitest FuzzRoutes",
	"POST /webhooks/{id}/test":      "core/httpapi/apitest FuzzRoutes",

	"POST /apps/tracktor/api/admin/{uuid}/orders/{order_id}.json":       "core/httpapi/tracktor FuzzUpdateBody",
	"POST /apps/tracktor/api/admin/{uuid}/webhooks.json":                "core/httpapi/tracktor FuzzWebhookBody",
	"DELETE /apps/tracktor/api/admin/{uuid}/webhooks/{webhook_id}.json": "core/httpapi/apitest FuzzRoutes",
	"POST /apps/tracktor/shopify/{uuid}":                                "core/httpapi/tracktor FuzzShopify",

	"POST /public/v1/trackers":                                   "core/httpapi/ship24 FuzzBodies",
	"POST /public/v1/trackers/track":                             "core/httpapi/ship24 FuzzBodies", // the body of POST /trackers, read by the same decoder
	"POST /public/v1/trackers/bulk":                              "core/httpapi/ship24 FuzzBodies",
	"POST /public/v1/tracking/search":                            "core/httpapi/ship24 FuzzBodies",
	"PATCH /public/v1/trackers/{trackerId}":                      "core/httpapi/ship24 FuzzBodies",
	"POST /public/v1/trackers/{trackerId}/webhook-events/resend": "core/httpapi/apitest FuzzRoutes",

	"POST /carriers/{account}/push/{secret}":            "plugins/ups FuzzAlert",
	"POST /carriers/{account}/push/{secret}/{below:.+}": "plugins/doordash FuzzDecodeWebhook",
	"POST /returns/{token}":                             "core/web/returns FuzzForm",
	"POST /console/api/rules/try":                       "core/web/console FuzzTryBody",
}

// TestEveryBodyHasATarget: whoever mounts a route that takes a body says here which fuzz target looks at it.
func TestEveryBodyHasATarget(t *testing.T) {
	_, routes := all(t)
	found := map[string]bool{}
	for _, route := range routes {
		if strings.HasPrefix(route, "GET ") || strings.HasPrefix(route, "HEAD ") {
			continue
		}
		known := strings.Replace(route, " /v1/", " /public/v1/", 1) // a second name of the same
		found[known] = true
		target, ok := targets[known]
		if !ok {
			t.Errorf("%s: no fuzz target looks at its body", route)
			continue
		}
		folder, name, _ := strings.Cut(target, " ")
		if !hasTarget(t, folder, name) {
			t.Errorf("%s: there is no %s in %s", route, name, folder)
		}
	}
	for route := range targets {
		if !found[route] {
			t.Errorf("there is no route %s", route)
		}
	}
}

// hasTarget reports whether a folder of the project has a fuzz target.
func hasTarget(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../../..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(text), "\nfunc "+name+"(f *testing.F)")
	})
}
