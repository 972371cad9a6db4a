package tracker_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// canaries are words of people, each in another member of a tracker.
var canaries = []string{"CanaryName", "CanaryStreet", "CanaryDoor", "CanaryGate", "CanaryStaff", "CanaryYard", "CanaryBox", "CanaryReason", "CanaryCode", "CanarySub",
	"CanaryNote", "CanaryWords", "CanaryPlate", "CanaryTag"}

// personal is a tracker that is full of them.
func personal(t testing.TB, id string) string {
	return body(t, "trackerExternalId", id, "provider", "ups", "trackingId", "1Z5R89390357567127", "locationExternalId", apitest.Absent,
		"pickup", map[string]any{"name": "CanaryYard", "instructions": "CanaryGate", "contact": map[string]any{"name": "CanaryStaff", "phone": "+12142342232"},
			"address": map[string]any{"street1": "1 CanaryYard", "city": "Houston", "state": "TX", "postalCode": "77064", "countryCode": "US"}},
		"deliveryContact", map[string]any{"name": "CanaryName", "phone": "+12142342232"},
		"deliveryAddress", map[string]any{"street1": "1 CanaryStreet", "city": "Houston", "state": "TX", "postalCode": "77064", "countryCode": "US"},
		"deliveryInstructions", "CanaryDoor", "orderAttributes", map[string]any{"for": "CanaryTag"},
		"packages", []any{map[string]any{"name": "CanaryBox for her", "size": map[string]any{"length": 1, "width": 1, "height": 1, "unit": "in"}, "weight": map[string]any{"value": 1, "unit": "lb"}}})
}

// told is a webhook of the tenant, and what it has heard.
type told struct {
	*apitest.Harness
	id    string
	mu    sync.Mutex
	heard []string
}

func listen(t testing.TB, h *apitest.Harness) *told {
	h.Config.Tenants["shop"].Notify.AllowPrivate = true
	l := &told{Harness: h}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		b, err := io.ReadAll(q.Body)
		if err != nil {
			b = []byte(err.Error())
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.heard = append(l.heard, string(b))
	}))
	t.Cleanup(server.Close)
	l.id = h.Do("POST", "/webhooks", fmt.Sprintf(`{"url":%q,"topics":["*"]}`, server.URL)).Want(201).At("id").(string)
	return l
}

// take returns what was heard since it was asked last.
func (l *told) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	heard := l.heard
	l.heard = nil
	return heard
}

// live has a tracker's carrier and people say things of it, and answers the messages by which they were told.
func (l *told) live(t *testing.T, id string) (messages []string) {
	t.Helper()
	l.UPS.Set(apitest.Hooks{Track: func(r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
		return []carrier.TrackUpdate{{Number: r.Parcels[0].Number, Driver: &shipping.Driver{Name: "CanaryPlate"}, Events: []shipping.TrackingEvent{
			{Time: shipping.At(l.Clock.Now().Add(-time.Hour)), ZoneKnown: true, Status: shipping.PickupCompleted, CarrierCode: "OR", CarrierWords: "CanaryWords", City: "CanaryStreet"}}}}, nil
	}})
	l.Catch()
	l.Clock.Advance(time.Minute)
	l.Do("POST", "/trackers/"+id+"/status", `{"status":"OUT_FOR_DELIVERY","note":"CanaryNote","subStatus":"CanarySub is there","eventReason":{"code":"CanaryCode 7","title":"CanaryReason","note":"CanaryNote"}}`).Want(200)
	l.Catch()
	for _, d := range l.Do("GET", "/webhooks/"+l.id+"/deliveries", "").Want(200).At("data").([]any) {
		messages = append(messages, d.(map[string]any)["messageId"].(string))
	}
	if heard := strings.Join(l.take(), ""); len(messages) < 2 || !strings.Contains(heard, "CanaryName") || !strings.Contains(heard, "CanaryDoor") {
		t.Fatalf("told %v: %s", messages, heard)
	}
	return messages
}

// hides fails where a canary is in a text.
func hides(t *testing.T, where, text string) {
	t.Helper()
	var found []string
	for _, c := range canaries {
		if strings.Contains(text, c) {
			found = append(found, c)
		}
	}
	if len(found) > 0 {
		t.Errorf("%s holds %v", where, found)
	}
}

// clean fails where a canary is in what the webhook keeps, or in what it is sent again.
func (l *told) clean(t *testing.T, messages []string) {
	t.Helper()
	hides(t, "the log of deliveries", string(l.Do("GET", "/webhooks/"+l.id+"/deliveries", "").Want(200).Body))
	for _, m := range messages {
		if a := l.Do("POST", "/webhooks/"+l.id+"/redeliver", fmt.Sprintf(`{"messageId":%q}`, m)); a.Status != 404 {
			t.Errorf("a message that tells of the erased is sent again: %d %s", a.Status, a.Body)
		}
	}
	l.Catch()
	hides(t, "what was sent again", strings.Join(l.take(), ""))
}

func TestEraseTakesMessagesAlong(t *testing.T) {
	h := serve(t)
	l := listen(t, h)
	h.Do("POST", "/trackers", personal(t, "T1")).Want(201)
	messages := l.live(t, "T1")
	h.Do("POST", "/trackers/T1/erase", "").Want(200)
	l.clean(t, messages)
	for _, path := range []string{"", "/events"} {
		hides(t, "GET /trackers/T1"+path, string(h.Do("GET", "/trackers/T1"+path, "").Want(200).Body))
	}
}

func TestDeleteTakesMessagesAlong(t *testing.T) {
	h := serve(t)
	l := listen(t, h)
	h.Do("POST", "/trackers", personal(t, "T2")).Want(201)
	messages := l.live(t, "T2")
	h.Do("DELETE", "/trackers/T2", "").Want(200)
	l.clean(t, messages)
}
