package webhooks_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

// TestAnExchangeReachesTheShop: what a buyer wants for what comes back is told once, and a plain return is not told as one.
func TestAnExchangeReachesTheShop(t *testing.T) {
	h, k := harness(t)
	h.Config.Tenants["shop"].Returns.Exchanges = true
	h.Do("POST", "/webhooks", apitest.JSON(map[string]any{"url": k.URL, "topics": []string{"return.*"}})).Want(201)
	order := h.Do("POST", "/shipments", apitest.Order("o", "itemList", []any{map[string]any{"sku": "watch", "quantity": 2, "title": "Watch"}})).Want(201)
	h.Do("POST", "/shipments/o/status", `{"status":"ORDER_DELIVERED"}`).Want(200)
	h.Do("POST", "/shipments/o/return", `{"reason":"damaged","itemList":[{"line":1,"quantity":1}]}`).Want(201)
	const body = `{"reason":"too_small","note":"please","exchangeItems":[{"sku":"watch-xl","title":"Large watch","quantity":1}]}`
	back := h.Do("POST", "/shipments/o/return", body, "Idempotency-Key", "k").Want(201)
	h.Do("POST", "/shipments/o/return", body, "Idempotency-Key", "k").Want(201)
	due(t, h)
	if len(k.got) != 1 {
		t.Fatalf("%d messages: %v", len(k.got), k.got)
	}
	var told struct {
		Type string         `json:"type"`
		Data map[string]any `json:"data"`
	}
	if err := json.Unmarshal([]byte(k.got[0]), &told); err != nil {
		t.Fatal(err)
	}
	wanted, _ := told.Data["exchangeItems"].([]any)
	if d := told.Data; told.Type != "return.exchange_requested" || d["returnId"] != back.At("id") || d["returnExternalId"] != "o-R2" || d["orderExternalId"] != "o" ||
		d["shipmentId"] != order.At("id") || d["reason"] != "too_small" || d["note"] != "please" || len(wanted) != 1 || wanted[0].(map[string]any)["sku"] != "watch-xl" {
		t.Errorf("told %s", k.got[0])
	}
}

// TestTheTopicsOfAWebhookThatNamesNone are all that a shop must know: orders, trackers, exchanges, and webhooks that are paused.
func TestTheTopicsOfAWebhookThatNamesNone(t *testing.T) {
	h, k := harness(t)
	h.Config.Tenants["shop"].Returns.Exchanges = true
	made := h.Do("POST", "/webhooks", apitest.JSON(map[string]any{"url": k.URL})).Want(201)
	for i, want := range []any{"shipment.*", "tracker.*", "return.*", "subscription.paused", nil} {
		if got := made.At(fmt.Sprintf("topics.%d", i)); got != want {
			t.Errorf("topics[%d] is %v, want %v", i, got, want)
		}
	}
	if refused := h.Do("POST", "/webhooks", apitest.JSON(map[string]any{"url": k.URL, "topics": []string{}})).Want(400); refused.At("errors.0.parameter") != "topics" {
		t.Errorf("a webhook for nothing: %s", refused.Body)
	}
	h.Do("POST", "/shipments", apitest.Order("o")).Want(201)
	h.Do("POST", "/shipments/o/status", `{"status":"ORDER_DELIVERED"}`).Want(200)
	h.Do("POST", "/shipments/o/return", `{"reason":"too_small","exchangeItems":[{"title":"Large watch","quantity":1}]}`).Want(201)
	due(t, h)
	if !slices.ContainsFunc(k.got, func(body string) bool { return strings.Contains(body, `"type":"return.exchange_requested"`) }) {
		t.Errorf("the exchange is not told: %v", k.got)
	}
}
