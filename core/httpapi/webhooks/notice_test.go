package webhooks_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// TestWhatRulesWantToBeToldReachesAWebhook: a step of a fallback when it is passed or the fallback has ended, and the word of none; each stands in
// the history and in the log of deliveries.
func TestWhatRulesWantToBeToldReachesAWebhook(t *testing.T) {
	no := apitest.Hooks{Book: func(carrier.BookRequest) error { return apitest.Refusal(carrier.CarrierRejected) }}
	const fallback = "rules: 1\nexclude: [{ name: One service, services: [ups/next_day_air] }]\nfallback: [{ name: Careful, on: [booking_failed], steps: [{ notify: manager }, next_ranked, { notify: owner }] }]\n"
	for name, c := range map[string]struct {
		rules         string
		ups, doordash apitest.Hooks
		status        int
		told          []string // whom, of which event, with which message
	}{
		"nothing has happened":   {rules: fallback, status: 201},
		"one refuses":            {rules: fallback, ups: no, status: 201, told: []string{"manager Careful booking_failed Order o: a carrier has refused the booking."}},
		"all refuse":             {rules: fallback, ups: no, doordash: no, status: 422, told: []string{"manager Careful booking_failed Order o: a carrier has refused the booking.", "owner Careful booking_failed Order o: a carrier has refused the booking."}},
		"nobody is left":         {rules: "rules: 1\nexclude: [{ name: Nobody, when: order.total >= usd(0), reason: shut }]\nnone: { then: { notify: desk, message: 'Nobody for {order.id}' } }\n", status: 422, told: []string{"desk none no_option Nobody for o"}},
		"nobody is left, a hold": {rules: "rules: 1\nexclude: [{ name: Nobody, when: order.total >= usd(0), reason: shut }]\nnone: { then: { hold: true, notify: desk } }\n", status: 202, told: []string{"desk none no_option Nobody can carry order o. doordash: "}},
	} {
		t.Run(name, func(t *testing.T) {
			h, k := harness(t)
			h.Rules(c.rules)
			h.UPS.Set(c.ups)
			h.DoorDash.Set(c.doordash)
			made := h.Do("POST", "/webhooks", apitest.JSON(map[string]any{"url": k.URL, "topics": []string{"rules.*"}})).Want(201)
			if a := h.Do("POST", "/shipments", apitest.Order("o")); a.Status != c.status {
				t.Fatalf("status %d, want %d: %s", a.Status, c.status, a.Body)
			}
			due(t, h)
			if len(k.got) != len(c.told) {
				t.Fatalf("told %v, want %v", k.got, c.told)
			}
			history := string(h.Do("GET", "/shipments/o/status-history", "").Want(200).Body)
			for i, body := range k.got {
				var m struct {
					Type string `json:"type"`
					Data struct{ Notify, Rule, Event, Message, OrderExternalID, ShipmentID, Status string }
				}
				if err := json.Unmarshal([]byte(body), &m); err != nil {
					t.Fatal(err)
				}
				d := m.Data
				if got := strings.Join([]string{d.Notify, d.Rule, d.Event, d.Message}, " "); !strings.HasPrefix(got, c.told[i]) || m.Type != "rules.notify" || d.Status == "" {
					t.Errorf("told %s, want %s", body, c.told[i])
				}
				if line := "NOTIFY( " + d.Notify + ": " + d.Rule + ": " + d.Event + " )"; strings.Count(history, line) != 1 {
					t.Errorf("the history does not say %q once: %s", line, history)
				}
			}
			log := h.Do("GET", "/webhooks/"+made.At("id").(string)+"/deliveries?state=delivered", "").Want(200)
			if n := strings.Count(string(log.Body), `"topic":"rules.notify"`); n != len(c.told) {
				t.Errorf("%d deliveries in the log, want %d: %s", n, len(c.told), log.Body)
			}
		})
	}
}
