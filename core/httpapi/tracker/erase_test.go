package tracker_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
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

// shopSays has the tenant's shop send a webhook.
func shopSays(h *apitest.Harness, topic, id, body string) {
	mac := hmac.New(sha256.New, []byte(apitest.ShopSecret))
	mac.Write([]byte(body))
	h.Do("POST", "/apps/tracktor/shopify/corner-shop", body, "x-api-key", "", "X-Shopify-Topic", topic, "X-Shopify-Webhook-Id", id,
		"X-Shopify-Hmac-Sha256", base64.StdEncoding.EncodeToString(mac.Sum(nil))).Want(200)
}

// The ids of a shop.
const shopOrder, shopParcel, shopCancelled = 820982911946154508, 1069019862123456789, 1069019862123456790

// elsewhere follows a parcel through the other surfaces, with canaries in what they are told, and answers all its trackers and Ship24's id.
func elsewhere(t *testing.T, h *apitest.Harness) (all []*tracker.Tracker, ship24 string) {
	t.Helper()
	const number = "1Z5R89390357567127"
	ship24 = h.Do("POST", "/public/v1/trackers", `{"trackingNumber":"`+number+`","clientTrackerId":"client-1","courierCode":"ups","title":"CanaryThing",
		"recipient":{"name":"CanaryName","email":"canary@example.com"}}`).Want(201).At("data.tracker.trackerId").(string)
	shopSays(h, "orders/create", "m0", fmt.Sprintf(`{"id":%d,"name":"#1","email":"canary@example.com","created_at":"2026-03-07T10:00:00Z","updated_at":"2026-03-07T10:00:00Z",
		"customer":{"first_name":"CanaryName","last_name":"CanaryLast"},"total_price":"1.00","line_items":[]}`, shopOrder))
	for id, status := range map[int]string{shopParcel: "success", shopCancelled: "cancelled"} {
		shopSays(h, "fulfillments/create", fmt.Sprint(id), fmt.Sprintf(`{"id":%d,"order_id":%d,"name":"#1.1","status":%q,"tracking_company":"UPS","tracking_numbers":[%q],
			"tracking_url":"https://x.example/Canary","created_at":"2026-03-07T10:00:00Z","updated_at":"2026-03-07T10:00:00Z","line_items":[{"id":1,"name":"CanaryShirt","quantity":1}]}`,
			id, shopOrder, status, number))
	}
	h.UPS.Set(apitest.Hooks{Track: func(r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
		return []carrier.TrackUpdate{{Number: r.Parcels[0].Number, SignedBy: "CanaryHand", Events: []shipping.TrackingEvent{
			{Time: shipping.At(h.Clock.Now().Add(-time.Hour)), ZoneKnown: true, Status: shipping.PickupCompleted, CarrierCode: "OR", CarrierWords: "CanaryWords"}}}}, nil
	}})
	h.Catch()
	h.Catch()
	page, err := h.Tracking.ListTrackers(t.Context(), caller("shop"), store.TrackerQuery{})
	if err != nil || len(page.Trackers) != 4 {
		t.Fatalf("%d trackers, %v", len(page.Trackers), err)
	}
	return page.Trackers, ship24
}

// TestEraseAnySurface erases, by the one route, what came through the others: by each id that those show, with all that was told of it, and
// for nobody but the tenant.
func TestEraseAnySurface(t *testing.T) {
	of := func(surface tracker.Surface) func([]*tracker.Tracker, string) string {
		return func(all []*tracker.Tracker, _ string) string {
			return string(all[slices.IndexFunc(all, func(x *tracker.Tracker) bool { return x.Surface == surface })].ID)
		}
	}
	is24 := func(x *tracker.Tracker) bool { return x.Surface == tracker.OfShip24 }
	isShop := func(x *tracker.Tracker) bool { return !is24(x) }
	for name, test := range map[string]struct {
		id   func(all []*tracker.Tracker, ship24 string) string
		gone func(*tracker.Tracker) bool
	}{
		"ship24 trackerId":           {func(_ []*tracker.Tracker, ship24 string) string { return ship24 }, is24},
		"ship24 clientTrackerId":     {func([]*tracker.Tracker, string) string { return "client-1" }, is24},
		"ship24 id of the engine's":  {of(tracker.OfShip24), is24},
		"shop order":                 {func([]*tracker.Tracker, string) string { return fmt.Sprint(shopOrder) }, isShop},
		"shop fulfillment":           {func([]*tracker.Tracker, string) string { return fmt.Sprint(shopParcel) }, isShop},
		"shop fulfillment cancelled": {func([]*tracker.Tracker, string) string { return fmt.Sprint(shopCancelled) }, isShop},
		"shop id of the engine's":    {of(tracker.OfTracktor), isShop},
	} {
		t.Run(name, func(t *testing.T) {
			h := serve(t)
			l := listen(t, h)
			all, ship24 := elsewhere(t, h)
			told, something := map[tracker.ID][]store.Message{}, false
			for _, x := range all {
				told[x.ID] = messagesOf(t, h, x.ID)
				something = something || test.gone(x) && len(told[x.ID]) > 0
			}
			if !something {
				t.Fatal("nothing was told of what is to be erased")
			}
			path := "/trackers/" + test.id(all, ship24) + "/erase"
			h.Do("POST", path, "", "x-api-key", h.OtherKey).Want(404)
			h.Do("POST", path+"?surface=tracker", "").Want(404)
			is(t, h.Do("POST", path+"?surface=mine", "").Want(422), map[string]any{"type": "INVALID_DATA", "errors.0.parameter": "surface"})
			h.Do("POST", path, "").Want(200)
			h.Do("POST", path, "").Want(200) // once more changes nothing
			h.Catch()
			for _, was := range all {
				now, err := h.Tracking.Tracker(t.Context(), caller("shop"), was.ID)
				if err != nil {
					t.Fatal(err)
				}
				gone := test.gone(was)
				if text := strings.ToLower(apitest.JSON(now)); strings.Contains(text, "canary") == gone {
					t.Errorf("a tracker of %s, to be erased: %v, holds %s", was.Surface, gone, text)
				}
				if left := messagesOf(t, h, was.ID); gone && len(left) > 0 || !gone && len(left) != len(told[was.ID]) {
					t.Errorf("of %d messages about a tracker of %s, to be erased: %v, %d are left", len(told[was.ID]), was.Surface, gone, len(left))
				}
				if gone {
					l.forgot(t, told[was.ID])
				}
			}
		})
	}
}

func messagesOf(t *testing.T, h *apitest.Harness, id tracker.ID) []store.Message {
	t.Helper()
	told, err := h.Store.MessagesOf(t.Context(), "shop", store.TrackerSubject(string(id)))
	if err != nil {
		t.Fatal(err)
	}
	return told
}

// forgot fails where messages are in the webhook's log, or can be sent again.
func (l *told) forgot(t *testing.T, messages []store.Message) {
	t.Helper()
	text := string(l.Do("GET", "/webhooks/"+l.id+"/deliveries", "").Want(200).Body)
	for _, m := range messages {
		if strings.Contains(text, m.ID) {
			t.Errorf("message %s is in the log of deliveries", m.ID)
		}
		l.Do("POST", "/webhooks/"+l.id+"/redeliver", fmt.Sprintf(`{"messageId":%q}`, m.ID)).Want(404)
	}
}

// TestEraseMeansOneTracker: an id that two surfaces have is refused until the caller says which.
func TestEraseMeansOneTracker(t *testing.T) {
	h := serve(t)
	h.Do("POST", "/trackers", personal(t, fmt.Sprint(shopOrder))).Want(201)
	shopSays(h, "orders/create", "m0", fmt.Sprintf(`{"id":%d,"name":"#1","email":"canary@example.com","created_at":"2026-03-07T10:00:00Z","updated_at":"2026-03-07T10:00:00Z"}`, shopOrder))
	path := fmt.Sprintf("/trackers/%d/erase", shopOrder)
	if a := h.Do("POST", path, "").Want(409); a.At("type") != "INVALID_OPERATION" || !strings.Contains(string(a.Body), "tracker and tracktor") {
		t.Errorf("%s", a.Body)
	}
	h.Do("POST", path+"?surface=tracktor", "").Want(200)
	if mine := h.Do("GET", fmt.Sprintf("/trackers/%d", shopOrder), "").Want(200); mine.At("deliveryContact.name") != "CanaryName" {
		t.Errorf("another tracker was erased: %s", mine.Body)
	}
	h.Do("POST", path+"?surface=tracker", "").Want(200)
	hides(t, "the tracker", string(h.Do("GET", fmt.Sprintf("/trackers/%d", shopOrder), "").Want(200).Body))
}

// TestEraseOfABooking: a tracker of an order goes with its order alone.
func TestEraseOfABooking(t *testing.T) {
	h := serve(t)
	id := h.Do("POST", "/shipments", apitest.Order("o")).Want(201).At("id").(string)
	booked, err := h.Store.TrackersByTag(t.Context(), "shop", tracker.ShipmentTag(shipment.ID(id)), 1)
	if err != nil || len(booked) != 1 {
		t.Fatal(booked, err)
	}
	if a := h.Do("POST", "/trackers/"+string(booked[0].ID)+"/erase", "").Want(409); !strings.Contains(string(a.Body), id) {
		t.Errorf("%s", a.Body)
	}
}

// TestGoneWhileItMoves erases and removes trackers while their carrier is asked: whoever comes first, no message of them is left.
func TestGoneWhileItMoves(t *testing.T) {
	h := serve(t)
	listen(t, h)
	for n := range 40 {
		id := fmt.Sprint("T", n)
		created := trackerID(h.Do("POST", "/trackers", personal(t, id)).Want(201))
		h.UPS.Set(apitest.Hooks{Track: func(r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
			return []carrier.TrackUpdate{{Number: r.Parcels[0].Number, Events: []shipping.TrackingEvent{
				{Time: shipping.At(h.Clock.Now()), ZoneKnown: true, Status: shipping.InTransit, CarrierCode: fmt.Sprint("C", n), CarrierWords: "CanaryWords"}}}}, nil
		}})
		asked := make(chan error, 1)
		go func() {
			_, err := h.Tracking.Refresh(t.Context(), caller("shop"), created)
			asked <- err
		}()
		method, path := "POST", "/trackers/"+id+"/erase"
		if n%2 == 1 {
			method, path = "DELETE", "/trackers/"+id
		}
		h.Do(method, path, "").Want(200)
		if err := <-asked; err != nil && usecase.AsError(err).Type != usecase.NotFound {
			t.Fatal(err)
		}
		if left := messagesOf(t, h, created); len(left) > 0 {
			t.Errorf("%s %s: %d messages are left: %s", method, path, len(left), left[0].Body)
		}
	}
}
