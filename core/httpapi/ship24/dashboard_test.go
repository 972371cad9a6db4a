package ship24_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// TestOutdatedDates: a shippingDate of long ago is refused in each of its shapes, at creation and in a change.
func TestOutdatedDates(t *testing.T) {
	a := newAPI(t)
	id := a.ask("POST", "/trackers", `{"trackingNumber":"1Z5R89390357567127","shippingDate":"2021-03-01T11:09:00.000Z"}`).want(201).text("data.tracker.trackerId")
	for _, date := range []string{"2016-03-06", "2010-01-01T00:00:00", "1999-12-31T23:59:59.999Z", "2015-06-01T10:00:00+02:00"} {
		body := `"shippingDate":"` + date + `"}`
		a.ask("POST", "/trackers", `{"trackingNumber":"1Z5R89390357567127",`+body).refused(400, "shipping_date_outdated")
		a.ask("POST", "/tracking/search", `{"trackingNumber":"1Z5R89390357567127",`+body).refused(400, "shipping_date_outdated")
		a.ask("PATCH", "/trackers/"+id, `{`+body).refused(400, "shipping_date_outdated")
		a.ask("POST", "/trackers/bulk", `[{"trackingNumber":"1Z5R89390357567127",`+body+`]`).want(400).is(map[string]any{"data.0.errors.0.code": "shipping_date_outdated"})
	}
	for _, date := range []string{"2016-03-08", "2026-03-07", "2026-04-01"} {
		a.ask("PATCH", "/trackers/"+id, `{"shippingDate":"`+date+`"}`).want(200)
	}
}

// TestParcelNotFound: a search that the courier answers with "never heard of it" is no result; one that nobody could answer is.
func TestParcelNotFound(t *testing.T) {
	a := newAPI(t)
	a.UPS.Set(apitest.Hooks{Track: func(r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
		return []carrier.TrackUpdate{{Number: r.Parcels[0].Number, Unknown: true}}, nil
	}})
	a.ask("POST", "/tracking/search", `{"trackingNumber":"1Z5R89390357567127"}`).refused(404, "parcel_not_found")
	a.ask("POST", "/tracking/search", `{"trackingNumber":"ABC12345X"}`).want(201).is(map[string]any{"data.trackings.0.shipment.statusMilestone": "pending"})
	a.ask("POST", "/trackers/track", `{"trackingNumber":"1Z5R89390357567127"}`).want(200)
}

// TestQuota: one more than the month's quota is refused; what exists is found all the same, and the next month begins anew.
func TestQuota(t *testing.T) {
	a := newAPI(t)
	a.Config.Tenants["shop"].Ship24.Quota = 2
	one, two, three := `{"trackingNumber":"1Z5R89390357567127"}`, `{"trackingNumber":"ABC12345X"}`, `{"trackingNumber":"ABC12345Y"}`
	a.ask("POST", "/trackers", one).want(201)
	a.ask("POST", "/trackers/bulk", "["+two+","+three+"]").want(207).is(map[string]any{"summary.totalCreated": 1, "data.1.errors.0.code": "quota_limit_reached"})
	a.ask("POST", "/trackers", three).refused(403, "quota_limit_reached")
	a.ask("POST", "/trackers/track", three).refused(403, "quota_limit_reached")
	a.ask("POST", "/trackers/bulk", "["+three+"]").want(403).is(map[string]any{"status": "error", "summary": nil, "data": nil, "error.code": "quota_limit_reached"})
	a.ask("POST", "/trackers", two).want(201)
	a.Clock.Advance(31 * 24 * time.Hour)
	a.ask("POST", "/trackers", three).want(201)
}

// TestRequestConflict: what others keep changing at the same time is a conflict, and no fault of the engine's.
func TestRequestConflict(t *testing.T) {
	a := newAPI(t)
	id := a.ask("POST", "/trackers", full).want(201).text("data.tracker.trackerId")
	a.Store.FailCommits(store.ErrConflict)
	a.ask("PATCH", "/trackers/"+id, `{"isSubscribed":false}`).refused(409, "request_conflict")
}

// TestConfiguredWebhook: the webhook of the configuration is told as one of the API is, follows changes of the configuration, keeps what
// a person has set, and goes with its section.
func TestConfiguredWebhook(t *testing.T) {
	a := newAPI(t)
	first, second := a.subscriber(), a.subscriber()
	id := a.ask("POST", "/trackers", full).want(201).text("data.tracker.trackerId")
	told := func(s *subscriber, events int, secret string) {
		t.Helper()
		a.Clock.Advance(time.Minute)
		a.tells(events)
		a.hear(id)
		got := a.deliver(s)
		if secret == "" && len(got) == 0 {
			return
		}
		if len(got) != 1 || got[0].authorization != "Bearer "+secret {
			t.Fatalf("heard %+v, want one with the secret %q", got, secret)
		}
		holdWebhook(t, got[0].body)
	}
	a.Config.Tenants["shop"].Ship24.Webhook = &config.Ship24Webhook{URL: first.URL, Secret: "one"}
	a.deliver(first)
	told(first, 1, "one")
	list := a.Do("GET", "/webhooks", "").Want(200)
	hook, _ := list.At("data.0.id").(string)
	if hook == "" || list.At("data.0.url") != first.URL || strings.Contains(string(list.Body), "one\"") {
		t.Fatalf("listed %s", list.Body)
	}
	a.ask("POST", "/trackers/"+id+"/webhook-events/resend", "").want(201).is(map[string]any{"data.summary.totalResent": 1})
	if got := a.deliver(first); len(got) != 1 {
		t.Errorf("%d were resent", len(got))
	}
	a.Do("PATCH", "/webhooks/"+hook, `{"state":"paused"}`).Want(200)
	told(first, 2, "")
	a.ask("POST", "/trackers/"+id+"/webhook-events/resend", "").refused(422, "no_active_subscription")
	a.Do("PATCH", "/webhooks/"+hook, `{"state":"active"}`).Want(200)
	if got := a.deliver(first); len(got) != 1 {
		t.Errorf("%d were told after the pause", len(got))
	}
	a.Config.Tenants["shop"].Ship24.Webhook = &config.Ship24Webhook{URL: second.URL, Secret: "two"}
	a.deliver(second)
	told(second, 3, "two")
	a.Config.Tenants["shop"].Ship24.Webhook = nil
	a.deliver(second)
	told(second, 4, "")
	a.ask("POST", "/trackers/"+id+"/webhook-events/resend", "").refused(400, "webhook_url_missing")
}
