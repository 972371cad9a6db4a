package shipping_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/rules"
)

const review = "rules: 1\nname: review\nhold:\n  - { name: Fraud review, when: order.quantity > 0, until: released, reason: looked at }\n"

// TestRelease: an order that a rule holds goes on when a person says so, and the history tells who.
func TestRelease(t *testing.T) {
	h := apitest.New(t)
	h.Rules(review)
	is(t, h.Do("POST", "/shipments", apitest.Order("o")).Want(202), map[string]any{"status": "PENDING_RELEASE"})
	h.Do("POST", "/shipments/o/release", "", "x-api-key", h.OtherKey).Want(404)
	h.Do("POST", "/shipments/o/release", "", "x-api-key", "wrong").Want(401)
	h.Do("POST", "/shipments/"+strings.Repeat("x", 101)+"/release", "").Want(422)
	is(t, h.Do("POST", "/shipments/o/release", "").Want(201), map[string]any{"status": "ORDER_DISPATCHED"})
	is(t, h.Do("POST", "/shipments/o/release", "").Want(409), map[string]any{"type": "INVALID_OPERATION"})
	if body := string(h.Do("GET", "/shipments/o/status-history", "").Want(200).Body); !strings.Contains(body, "RELEASED( Fraud review )") {
		t.Errorf("the history does not tell of the release: %s", body)
	}
}

// TestExportOfDecisions: what is exported is what the records are, and a backtest of the same rules finds nothing changed.
func TestExportOfDecisions(t *testing.T) {
	h := apitest.New(t)
	for _, id := range []string{"a", "b", "c"} {
		h.Do("POST", "/shipments", apitest.Order(id)).Want(201)
	}
	export := h.Do("GET", "/decisions", "").Want(200)
	if got := export.Header.Get("Content-Type"); got != "application/jsonl" {
		t.Errorf("content type %q", got)
	}
	lines := bytes.Split(bytes.TrimSpace(export.Body), []byte("\n"))
	if len(lines) != 3 {
		t.Fatalf("%d lines, want 3\n%s", len(lines), export.Body)
	}
	var first struct {
		OrderExternalID string          `json:"orderExternalId"`
		Record          json.RawMessage `json:"record"`
	}
	if err := json.Unmarshal(lines[0], &first); err != nil || first.OrderExternalID == "" {
		t.Fatalf("line %s: %v", lines[0], err)
	}
	r, err := rules.RunBacktest(rules.Default(), bytes.NewReader(export.Body), rules.BacktestOptions{Workers: 1})
	if err != nil || r.Orders != 3 || r.Changed != 0 || r.Unknown != 0 {
		t.Errorf("backtest of the same rules: %+v, %v", r, err)
	}
	since := h.Clock.Now().Add(1).UTC().Format("2006-01-02T15:04:05Z07:00")
	for query, status := range map[string]int{"?since=yesterday": 400, "?since=2099-01-01T00:00:00Z": 200, "?since=" + since: 200} {
		if a := h.Do("GET", "/decisions"+query, "").Want(status); query == "?since=2099-01-01T00:00:00Z" && len(a.Body) != 0 {
			t.Errorf("%s: %s", query, a.Body)
		}
	}
	if a := h.Do("GET", "/decisions", "", "x-api-key", h.OtherKey).Want(200); len(a.Body) != 0 {
		t.Errorf("another tenant sees %s", a.Body)
	}
	h.Do("GET", "/decisions", "", "x-api-key", "").Want(401)
}
