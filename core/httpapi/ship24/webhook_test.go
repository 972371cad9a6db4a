package ship24_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

// events are the eventIds of a webhook's body.
func events(t *testing.T, body []byte) []string {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	var out []string
	list, _ := apitest.Lookup(v, "trackings.0.events").([]any)
	for _, e := range list {
		out = append(out, e.(map[string]any)["eventId"].(string))
	}
	return out
}

// holdWebhook holds a body that was pushed against Ship24's document. A webhook's tracker has no isTracked, which its schema
// requires and the example beside it leaves out.
func holdWebhook(t *testing.T, body []byte) {
	t.Helper()
	if err := apitest.HoldSchema("Ship24Webhook", body); err != nil {
		t.Errorf("a webhook is not as openapi.yaml says: %v\n%s", err, body)
	}
	doc, err := document()
	if err != nil {
		t.Log("Ship24's OpenAPI document is not beside the repository: webhooks are not held against it")
		return
	}
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	list := v["trackings"].([]any)
	if len(list) == 0 {
		t.Errorf("no trackings: %s", body)
	}
	for _, one := range list {
		about := one.(map[string]any)["tracker"].(map[string]any)
		if _, there := about["isTracked"]; there {
			t.Errorf("a webhook tells isTracked: %s", body)
		}
		about["isTracked"] = true
		if err := doc.Components.Schemas["tracking"].Value.VisitJSON(one, openapi3.MultiErrors()); err != nil {
			t.Errorf("a webhook is not as Ship24's document says: %v\n%s", err, body)
		}
	}
}

// TestWebhooks tells each event once, resends all, and shows what became of it.
func TestWebhooks(t *testing.T) {
	a := newAPI(t)
	id := a.ask("POST", "/trackers", full).want(201).text("data.tracker.trackerId")
	a.ask("POST", "/trackers/"+id+"/webhook-events/resend", "").refused(400, "webhook_url_missing")
	a.ask("GET", "/trackers/"+id+"/webhook-history/download", "").want(200).is(map[string]any{"webhooks": []any{}, "metadata.webhookUrl": nil, "metadata.trackerId": id})
	hook := a.subscribe()

	told := map[string]bool{}
	var last []byte
	for _, first := range []int{1, 3, 3, 6} {
		a.Clock.Advance(time.Minute)
		a.tells(first)
		a.hear(id)
		for _, h := range a.deliver(hook) {
			if h.authorization != "Bearer the-secret" {
				t.Errorf("Authorization: %s", h.authorization)
			}
			holdWebhook(t, h.body)
			for _, e := range events(t, h.body) {
				if told[e] {
					t.Errorf("event %s was told twice", e)
				}
				told[e] = true
			}
			last = h.body
		}
		if len(told) != first {
			t.Errorf("%d events were told, want %d", len(told), first)
		}
	}
	golden(t, "webhook", last)
	results := a.ask("GET", "/trackers/"+id+"/results", "").at("data.trackings.0.events").([]any)
	for _, e := range results {
		if !told[e.(map[string]any)["eventId"].(string)] {
			t.Errorf("%v was not told", e)
		}
	}

	count := a.ask("POST", "/trackers/"+id+"/webhook-events/resend", "").want(201).at("data.summary.totalResent").(float64)
	again := a.deliver(hook)
	if len(again) != int(count) || count < 3 {
		t.Errorf("%d were resent, %v said so", len(again), count)
	}
	var messages []string
	for _, h := range again {
		messages = append(messages, string(h.body))
	}
	if !strings.Contains(strings.Join(messages, "\n"), string(last)) {
		t.Error("what is resent is not what was sent")
	}

	// A subscriber that fails is shown as failed.
	hook.mu.Lock()
	hook.status = http.StatusInternalServerError
	hook.mu.Unlock()
	a.Clock.Advance(time.Minute)
	a.ask("POST", "/trackers/"+id+"/webhook-events/resend?searchBy=trackerId", "").want(201)
	a.ask("GET", "/trackers/"+id+"/webhook-history/download", "").want(200).is(map[string]any{"webhooks.0.status": "success"}) // nothing was tried yet
	a.deliver(hook)
	file := a.ask("GET", "/trackers/3fa99515-3ca0-4901-85bb-056ee016799b/webhook-history/download?searchBy=clientTrackerId", "").want(200)
	file.is(map[string]any{"metadata.trackingNumber": ours, "metadata.webhookUrl": hook.URL, "metadata.lastSuccessfulPushAt": nil, "webhooks.0.status": "failed",
		"webhooks.0.responseStatusCode": "500", "webhooks.0.responseBody": "OK", "webhooks.0.responseHeaders.content-type": "text/plain",
		"metadata.lastFailedPushAt": file.at("webhooks.0.pushTimestamp")})
	if got := len(file.at("webhooks").([]any)); got != int(count) {
		t.Errorf("%d webhooks in the file, want %v", got, count)
	}
	if name := file.Header.Get("Content-Disposition"); name != `attachment; filename="webhook-history-`+ours+`-20260307.json"` {
		t.Errorf("Content-Disposition: %s", name)
	}
	holdWebhook(t, []byte(apitest.JSON(file.at("webhooks.0.requestBody"))))
}

// TestUnsubscribedIsNotTold: what another tracker's polls bring is shown, and not pushed.
func TestUnsubscribedIsNotTold(t *testing.T) {
	a := newAPI(t)
	hook := a.subscribe()
	quiet := a.ask("POST", "/trackers", full).want(201).text("data.tracker.trackerId")
	a.ask("PATCH", "/trackers/"+quiet, `{"isSubscribed":false}`).want(200)
	a.tells(2)
	a.hear(quiet)
	if got := a.deliver(hook); len(got) > 0 {
		t.Errorf("told: %s", got[0].body)
	}
	a.ask("POST", "/trackers/"+quiet+"/webhook-events/resend", "").want(201).is(map[string]any{"data.summary.totalResent": 0})
	if got := a.deliver(hook); len(got) > 0 {
		t.Errorf("resent: %s", got[0].body)
	}
	a.ask("GET", "/trackers/"+quiet+"/results", "").want(200).is(map[string]any{"data.trackings.0.shipment.statusMilestone": "in_transit", "data.trackings.0.tracker.isSubscribed": false})
	a.ask("POST", "/trackers", full).want(201).is(map[string]any{"data.tracker.trackerId": quiet, "data.tracker.isSubscribed": true, "data.tracker.isTracked": true})
	a.tells(3)
	a.hear(quiet)
	if got := a.deliver(hook); len(got) != 1 || len(events(t, got[0].body)) != 1 {
		t.Errorf("%d webhooks", len(got))
	}
}

// TestNobodyIsAskedWithoutTheAccount: a tracker whose account was taken out of the configuration is not tracked, and its carrier is told
// to push again.
func TestNobodyIsAskedWithoutTheAccount(t *testing.T) {
	a := newAPI(t)
	id := a.ask("POST", "/trackers", full).want(201).is(map[string]any{"data.tracker.isTracked": true}).text("data.tracker.trackerId")
	secret, err := a.Tracking.PushSecret(t.Context(), "shop", "ups")
	if err != nil {
		t.Fatal(err)
	}
	tenant := a.Config.Tenants["shop"]
	accounts := tenant.Accounts
	tenant.Accounts = maps.Clone(accounts)
	delete(tenant.Accounts, "ups")
	a.ask("GET", "/trackers/"+id, "").want(200).is(map[string]any{"data.tracker.isTracked": false, "data.tracker.isSubscribed": true})
	a.Do("POST", "/carriers/ups/push/"+secret, "{}", "x-api-key", "").Want(503)
	tenant.Accounts = accounts
	a.ask("GET", "/trackers/"+id, "").want(200).is(map[string]any{"data.tracker.isTracked": true})
}
