package shipping_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

// TestErasedFreeWords: what somebody has written in the place of a name or a code is gone with all else, from the order, its history and its
// timeline.
func TestErasedFreeWords(t *testing.T) {
	h := apitest.New(t)
	h.Do("POST", "/shipments", apitest.Order("o", "package", map[string]any{"name": "Box for CanaryName", "size": map[string]any{"length": 1, "width": 1, "height": 1, "unit": "in"},
		"weight": map[string]any{"value": 1, "unit": "lb"}, "description": "CanaryThing"})).Want(201)
	h.Do("POST", "/shipments/o/status", `{"status":"ORDER_DELIVERED","override":true,"subStatus":"at CanaryPlace","note":"CanaryNote said (twice)","actor":"CanaryDriver",
		"eventReason":{"code":"CanaryCode too","title":"CanaryTitle","note":"CanaryWhy"}}`).Want(200)
	paths := []string{"", "/status-history", "/events"}
	for _, path := range paths {
		if text := string(h.Do("GET", "/shipments/o"+path, "").Want(200).Body); !strings.Contains(text, "Canary") {
			t.Fatalf("%s never held what is to be erased: %s", path, text)
		}
	}
	h.Do("POST", "/shipments/o/erase", "").Want(200)
	for _, path := range paths {
		text := string(h.Do("GET", "/shipments/o"+path, "").Want(200).Body)
		if strings.Contains(text, "Canary") {
			t.Errorf("left in %q: %s", path, text)
		}
	}
}
