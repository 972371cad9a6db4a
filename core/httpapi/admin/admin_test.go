package admin_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

func TestHealthAndReadinessNeedNoKey(t *testing.T) {
	h := apitest.New(t)
	if got := h.Do("GET", "/healthz", "", "x-api-key", "").Want(200).Object(); got["status"] != "ok" || got["version"] != "1.0.0-test" {
		t.Errorf("health = %v", got)
	}
	h.Do("GET", "/readyz", "", "x-api-key", "").Want(200)
	typo := errors.New("rules of tenant shop: a typo")
	h.Degraded.Store(&typo)
	if got := h.Do("GET", "/readyz", "", "x-api-key", "").Want(200).Object(); got["status"] != "degraded" || got["problem"] != typo.Error() {
		t.Errorf("degraded = %v", got)
	}
	why := errors.New("the store cannot write: the disk is full")
	h.Ready.Store(&why)
	if got := h.Do("GET", "/readyz", "", "x-api-key", "").Want(503).Object(); got["status"] != "not ready" || got["problem"] != why.Error() {
		t.Errorf("readiness = %v", got)
	}
	h.Do("GET", "/healthz", "").Want(200) // alive all the same
}

func TestSpecificationIsServed(t *testing.T) {
	h := apitest.New(t)
	a := h.Do("GET", "/openapi.yaml", "", "x-api-key", "").Want(200)
	if !strings.HasPrefix(string(a.Body), "openapi: 3.0.3") || a.Header.Get("Content-Type") != "application/yaml; charset=utf-8" {
		t.Errorf("%s: %.40q", a.Header.Get("Content-Type"), a.Body)
	}
}

func TestMetricsCountRequestsByRoute(t *testing.T) {
	h := apitest.New(t)
	h.Do("GET", "/shipments/somebodys-secret-id", "").Want(404)
	h.Do("GET", "/nowhere/else", "").Want(404)
	h.Do("BREW", "/locations", "").Want(405)
	text := string(h.Do("GET", "/metrics", "", "x-api-key", apitest.OperatorKey).Want(200).Body)
	for _, want := range []string{
		`waybill_http_requests_total{method="GET",route="/shipments/{id}",status="404"} 1`,
		`waybill_http_requests_total{method="GET",route="",status="404"} 1`,
		`waybill_http_requests_total{method="other",route="",status="405"} 1`,
		`waybill_http_request_seconds_count{route="/shipments/{id}"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if strings.Contains(text, "secret-id") {
		t.Error("an id became a label")
	}
}

// TestMetricsAreAnOperatorsUnlessTheyAreOpen: they name tenants and their accounts.
func TestMetricsAreAnOperatorsUnlessTheyAreOpen(t *testing.T) {
	h := apitest.New(t)
	for _, key := range []string{"", h.Key, "nobody's"} {
		if a := h.Do("GET", "/metrics", "", "x-api-key", key).Want(401); strings.Contains(string(a.Body), "waybill_") {
			t.Errorf("with the key %q: %s", key, a.Body)
		}
	}
	h.Do("GET", "/metrics", "", "x-api-key", "", "Authorization", "Bearer "+apitest.OperatorKey).Want(200) // as Prometheus sends it
	h.Do("HEAD", "/metrics", "", "x-api-key", "").Want(401)
	h.Do("GET", "/locations", "", "x-api-key", apitest.OperatorKey).Want(401) // an operator is no tenant
	h.Config.Server.Metrics = config.MetricsOpen
	h.Do("GET", "/metrics", "", "x-api-key", "").Want(200)
}

func TestLocations(t *testing.T) {
	h := apitest.New(t)
	a := h.Do("GET", "/locations", "").Want(200)
	if got := len(a.At("data").([]any)); got != 6 {
		t.Fatalf("%d locations, want the 6 of the tenant", got)
	}
	for path, want := range map[string]any{
		"data.0.locationExternalId": "100983", "data.0.instructions": "Enter from the staff entrance to pick up the package",
		"data.0.timeZone": "America/Chicago", "data.0.currencyCode": "USD", "data.0.address.postalCode": "75219",
		"data.2.locationExternalId": "7709", "data.2.returnLocationId": "301", "data.2.providers.1": "doordash",
		"data.5.locationExternalId": "osaka", "data.5.currencyCode": "JPY", "data.1.locationExternalId": "301",
	} {
		if got := a.At(path); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
	if got := h.Do("GET", "/locations", "", "x-api-key", h.OtherKey).Want(200).At("data").([]any); len(got) != 1 {
		t.Errorf("the rival sees %d locations, want its own", len(got))
	}
}

func TestProviders(t *testing.T) {
	h := apitest.New(t)
	a := h.Do("GET", "/providers", "").Want(200)
	for path, want := range map[string]any{
		"data.0.id": "doordash", "data.0.name": "DoorDash", "data.0.displayName": "DoorDash_123", "data.0.state": "ready",
		"data.1.id": "quiet", "data.1.state": "quarantined", "data.1.problem": "the adapter died five times", "data.1.name": "",
		"data.2.id": "ups", "data.2.displayName": "UPS", "data.2.version": "1.2.3", "data.2.abilities.0": "quote", "data.2.retired": false,
		"data.2.services.0.id": "ground", "data.2.services.0.type": "Ground", "data.2.services.1.mode": "air",
		"data.2.services.0.supports.0": "signature_required",
	} {
		if got := a.At(path); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
	if got := h.Do("GET", "/providers", "", "x-api-key", h.OtherKey).Want(200).At("data").([]any); len(got) != 1 {
		t.Errorf("the rival sees %d providers, want its own", len(got))
	}
}
