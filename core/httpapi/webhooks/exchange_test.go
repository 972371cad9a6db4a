package webhooks_test

import (
	"encoding/json"
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
