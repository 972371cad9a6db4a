package apitest

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Leaks(m) }

// TestHoldFails shows that what openapi.yaml does not say cannot pass unseen.
func TestHoldFails(t *testing.T) {
	h := New(t)
	good := h.Do("POST", "/shipments", Order("held")).Want(201)
	q, err := http.NewRequestWithContext(t.Context(), "GET", h.URL+"/shipments/held", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"a key more in the envelope":    {`{"id":`, `{"surprise":1,"id":`},
		"a key more in a shared word":   {`"street1":`, `"surprise":1,"street1":`},
		"a key more deep in a list":     {`"sku":`, `"surprise":1,"sku":`},
		"a key missing":                 {`"trackingId":`, `"warnings":[],"x":`},
		"a status that is none":         {`"ORDER_DISPATCHED"`, `"ON_ITS_WAY"`},
		"text where a number should be": {`"orderValue":10`, `"orderValue":"10"`},
	} {
		bad := bytes.Replace(good.Body, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(bad, good.Body) {
			t.Fatalf("%s: %q is not in the answer", name, change[0])
		}
		if hold(q, nil, &Answer{Status: 200, Header: good.Header, Body: bad, t: t}) == nil {
			t.Errorf("%s passes", name)
		}
	}
	refusal := []byte(`{"type":"PLACE_ORDER_FAILED","message":"m","severity":"Hard","errors":[],"requestId":"r"}`)
	err = hold(q, nil, &Answer{Status: 404, Header: good.Header, Body: refusal, t: t})
	if err == nil || !strings.Contains(err.Error(), "does not list") {
		t.Errorf("a refusal that the route does not list: %v", err)
	}
	if hold(q, nil, &Answer{Status: 418, Header: good.Header, Body: refusal, t: t}) == nil {
		t.Error("a status that the route does not list passes")
	}
	q.Method = "POST"
	if hold(q, []byte(Order("x", "orderValue", -1)), &Answer{Status: 200, Header: good.Header, Body: good.Body, t: t}) == nil {
		t.Error("a route that is not listed passes")
	}
	q.URL.Path = "/shipments"
	q.Header.Set("Content-Type", "application/json")
	err = hold(q, []byte(Order("x", "orderValue", -1)), &Answer{Status: 201, Header: good.Header, Body: good.Body, t: t})
	if err == nil || !strings.Contains(err.Error(), "was taken") {
		t.Errorf("a request beyond the limits that was taken: %v", err)
	}
}

// TestEveryRouteIsOfASurface: a surface that is mounted must be looked at with a stranger's key, by a test that calls Strangers with its
// prefixes, and is named here then. What shows a tenant's configuration, or needs no tenant's key, stands apart, and so do Ship24's
// API, whose own test speaks its dialect, and versions of rules, whose names are no things of a tenant's but hashes.
func TestEveryRouteIsOfASurface(t *testing.T) {
	visited := []string{"/shipments", "/rates", "/decisions", "/webhooks", "/trackers", "/apps/tracktor/api/admin"}
	apart := []string{"/public/v1", "/v1", "/rules/versions", "/carriers", "/track", "/returns", "/apps/tracktor/shopify", "/couriers/detect", "/healthz", "/readyz", "/openapi.yaml", "/metrics", "/locations", "/providers", "/admin"}
	routes, err := New(t).Router.Routes()
	if err != nil || len(routes) == 0 {
		t.Fatal(routes, err)
	}
	for _, r := range routes {
		_, path, _ := strings.Cut(r, " ")
		if !slices.ContainsFunc(append(visited, apart...), func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") }) {
			t.Errorf("%s: no test asks it with the key of another tenant", r)
		}
	}
}
