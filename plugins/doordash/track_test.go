package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestTrack(t *testing.T) {
	f := newFake(t)
	a := f.account(t, nil)
	if _, err := a.Book(call(t, now), carrier.BookRequest{Consignment: consignment()}); err != nil {
		t.Fatal(err)
	}
	for member, v := range map[string]any{
		"delivery_status": "delivered", "pickup_time_actual": "2026-03-04T18:21:00Z", "dropoff_time_actual": "2026-03-04T18:44:10.250Z",
		"dasher_id": 1232142, "dasher_name": "Alex D.", "dasher_dropoff_phone_number": "+15555555555", "dasher_location": map[string]any{"lat": 32.8, "lng": -96.7},
		"dasher_vehicle_make": "Toyota", "dasher_vehicle_model": "Camry", "dasher_vehicle_year": "2020", "tip": 350, "pickup_verification_image_url": "https://img/0", "dropoff_verification_image_url": "https://img/1", "dropoff_signature_image_url": "https://img/2",
	} {
		f.set(reference, member, v)
	}
	updates, err := a.Track(call(t, now), carrier.TrackRequest{Parcels: []carrier.TrackedParcel{{Number: "1391249345", Reference: reference}, {Number: "unknown"}}})
	if err != nil {
		t.Fatal(err)
	}
	delivered := shipping.At(time.Date(2026, 3, 4, 18, 44, 10, 250e6, time.UTC))
	want := []carrier.TrackUpdate{{
		Number: "1391249345", Reference: reference, TrackingURL: "https://doordash.com/tracking?id=9f8e",
		Events:       []shipping.TrackingEvent{{Time: delivered, ZoneKnown: true, CarrierTime: "2026-03-04T18:44:10.250Z", CarrierCode: "delivered", Status: shipping.OrderDelivered}},
		Pickup:       moment("2026-03-04T18:20:00Z"),
		Delivery:     moment("2026-03-04T18:45:00Z"),
		ActualPickup: parseTime("2026-03-04T18:21:00Z"), ActualDelivery: delivered,
		Driver:       &shipping.Driver{Name: "Alex D.", Phone: "+15555555555"},
		Vehicle:      &shipping.Vehicle{Type: "2020 Toyota Camry"},
		LastLocation: &shipping.Location{Latitude: 32.8, Longitude: -96.7, UpdatedAt: delivered},
		Proofs:       []carrier.Proof{{Type: "pickup_photo", URL: "https://img/0"}, {Type: "photo", URL: "https://img/1"}, {Type: "signature", URL: "https://img/2"}},
		Amount:       shipping.Money{Minor: 975, Currency: "USD"},
		Tip:          shipping.Money{Minor: 350, Currency: "USD"},
	}, {Number: "unknown", Unknown: true}}
	if diff := cmp.Diff(want, updates); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTrackManyInParallel(t *testing.T) {
	f := newFake(t)
	a := f.account(t, nil)
	var r carrier.TrackRequest
	for i := range 40 {
		id := fmt.Sprintf("ref%02d", i)
		f.deliveries[id] = map[string]any{"external_delivery_id": id, "delivery_status": "confirmed"}
		r.Parcels = append(r.Parcels, carrier.TrackedParcel{Number: id, Reference: id})
	}
	f.answer = func(w http.ResponseWriter, r *http.Request) bool {
		broken := strings.HasSuffix(r.URL.Path, "ref07")
		if broken {
			refuse(w, 503, "")
		}
		return broken
	}
	updates, err := a.Track(call(t, now), r)
	if err != nil || len(updates) != 40 {
		t.Fatal(len(updates), err)
	}
	for i, u := range updates {
		if u.Number != r.Parcels[i].Number || u.Unknown || (len(u.Events) == 1) == (i == 7) {
			t.Errorf("update %d: %+v", i, u)
		}
	}
	f.always(429, "")
	_, err = a.Track(call(t, now), r)
	wantError(t, err, carrier.CarrierRateLimited, carrier.EffectNone)
}

func TestTrackIsBounded(t *testing.T) {
	var mu sync.Mutex
	active, most := 0, 0
	arrived := make(chan struct{}, 64)
	release := make(chan struct{})
	f := newFake(t)
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		active++
		most = max(most, active)
		mu.Unlock()
		arrived <- struct{}{}
		<-release
		mu.Lock()
		active--
		mu.Unlock()
		refuse(w, 404, `{"code":"unknown_delivery_id"}`)
	})
	done := make(chan error, 1)
	go func() {
		_, err := f.account(t, nil).Track(call(t, now), carrier.TrackRequest{Parcels: make([]carrier.TrackedParcel, 3*maxParallel)})
		done <- err
	}()
	for range maxParallel { // they all wait at the carrier together
		<-arrived
	}
	close(release)
	if err := <-done; err != nil || most != maxParallel {
		t.Errorf("%d reads at once, want %d; %v", most, maxParallel, err)
	}
}

func TestEvents(t *testing.T) {
	at := shipping.At(now)
	for _, c := range []struct {
		word, cancellation string
		status             shipping.Status
		sub, reason        string
	}{
		{"created", "", shipping.OrderDispatched, "", ""},
		{"confirmed", "", shipping.OrderAssigned, "", ""},
		{"arrived_at_pickup", "", shipping.PickupStarted, "DRIVER_AT_PICKUP", ""},
		{"DASHER_CONFIRMED", "", shipping.OrderAssigned, "", ""},
		{"Dasher_Enroute_To_Dropoff", "", shipping.OutForDelivery, "", ""},
		{"DASHER_DROPPED_OFF", "", shipping.OrderDelivered, "", ""},
		{"DELIVERY_RETURN_INITIALIZED", "", shipping.OrderUndeliverable, "RETURN_STARTED", ""},
		{"DELIVERY_CANCELLED", "", shipping.OrderCancelled, "", ""},
		{"DELIVERY_CANCELLED", "failed_to_return", shipping.OrderUndeliverable, "RETURN_FAILED", "OTHER"},
		{"cancelled", "cancelled_by_creator", shipping.OrderCancelled, "", "CANCELLED_BY_MERCHANT"},
		{"cancelled", "failed_to_assign_and_refunded", shipping.OrderFailed, "", "NO_DRIVER_AVAILABLE"},
		{"cancelled", "failed_to_pickup", shipping.ErrorException, "", "ORDER_ISSUE"},
		{"cancelled", "failed_to_deliver", shipping.OrderUndeliverable, "DELIVERY_ATTEMPTED", "CUSTOMER_UNAVAILABLE"},
		{"cancelled", "something_new", shipping.OrderCancelled, "", "OTHER"},
		{"teleported", "", "", "", ""},
	} {
		e := event(c.word, c.cancellation, at, "2026-03-04T18:25:00Z")
		reason := ""
		if e.Reason != nil {
			reason = e.Reason.Code
		}
		if e.Status != c.status || e.SubStatus != c.sub || reason != c.reason || e.CarrierCode != c.word || e.Time != at || e.CarrierTime != "2026-03-04T18:25:00Z" {
			t.Errorf("%s %s: %+v", c.word, c.cancellation, e)
		}
	}
}

const pushBody = `{"created_at":"2026-03-04T18:25:00.5Z","event_name":"DASHER_PICKED_UP","external_delivery_id":"` + reference + `","dasher_id":1232142,
	"dasher_name":"Alex D.","dasher_dropoff_phone_number":"+15555555555","dasher_location":{"lat":32.8,"lng":-96.7},"fee":975,"tip":300,"currency":"USD",
	"tracking_url":"https://doordash.com/tracking?id=9f8e","dasher_vehicle_make":"Toyota","dasher_vehicle_model":"Camry","dropoff_verification_image_url":"https://img/1","something_new":[1]}`

func TestReceivePush(t *testing.T) {
	f := newFake(t)
	push := carrier.Push{Method: "POST", Header: http.Header{"Authorization": {pushAuth}}, Body: []byte(pushBody)}
	answer, err := f.account(t, nil).ReceivePush(call(t, now), push)
	if err != nil {
		t.Fatal(err)
	}
	at := shipping.At(time.Date(2026, 3, 4, 18, 25, 0, 500e6, time.UTC))
	want := carrier.PushAnswer{Updates: []carrier.TrackUpdate{{
		Reference: reference, TrackingURL: "https://doordash.com/tracking?id=9f8e",
		Events:       []shipping.TrackingEvent{{Time: at, ZoneKnown: true, CarrierTime: "2026-03-04T18:25:00.5Z", CarrierCode: "DASHER_PICKED_UP", Status: shipping.PickupCompleted}},
		Driver:       &shipping.Driver{Name: "Alex D.", Phone: "+15555555555"},
		Vehicle:      &shipping.Vehicle{Type: "Toyota Camry"},
		LastLocation: &shipping.Location{Latitude: 32.8, Longitude: -96.7, UpdatedAt: at},
		Proofs:       []carrier.Proof{{Type: "photo", URL: "https://img/1"}},
		Tip:          shipping.Money{Minor: 300, Currency: "USD"},
	}}}
	if diff := cmp.Diff(want, answer); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for body, want := range map[string]shipping.Money{
		`"event_name":"DELIVERY_RETURN_INITIALIZED","fee":1560,"currency":"USD"`:                                 {Minor: 1560, Currency: "USD"},
		`"event_name":"DELIVERY_RETURNED","fee":1560,"tax":200,"currency":"cad"`:                                 {Minor: 1760, Currency: "CAD"},
		`"event_name":"DELIVERY_RETURNED","fee":1560,"currency":"CAD"`:                                           {},
		`"event_name":"DELIVERY_RETURNED","currency":"USD"`:                                                      {},
		`"event_name":"DELIVERY_RETURNED","fee":1560`:                                                            {},
		`"event_name":"DASHER_PICKED_UP","fee":975,"currency":"USD"`:                                             {},
		`"event_name":"DELIVERY_CANCELLED","cancellation_reason":"failed_to_return","fee":1560,"currency":"USD"`: {Minor: 1560, Currency: "USD"},
	} {
		u, err := decodeWebhook([]byte(`{"external_delivery_id":"x","created_at":"2026-03-04T18:25:00Z",` + body + `}`))
		if err != nil || u.Amount != want {
			t.Errorf("%s costs %s, %v; want %s", body, u.Amount, err, want)
		}
	}
	for _, header := range []string{"", "Basic", pushAuth + "x", "Bearer " + pushAuth} {
		push.Header = http.Header{"Authorization": {header}}
		_, err = f.account(t, nil).ReceivePush(call(t, now), push)
		wantError(t, err, carrier.PushRejected, carrier.EffectNone)
	}
	push.Header = http.Header{}
	_, err = f.account(t, func(c *Config) { c.PushAuthorization = "" }).ReceivePush(call(t, now), push)
	wantError(t, err, carrier.PushRejected, carrier.EffectNone)
	push.Header.Set("Authorization", pushAuth)
	for _, body := range []string{"", "[]", "{}", `{"event_name":"X","external_delivery_id":"a"}`, `{"event_name":"X","external_delivery_id":"a","created_at":"yesterday"}`} {
		push.Body = []byte(body)
		_, err = f.account(t, nil).ReceivePush(call(t, now), push)
		wantError(t, err, carrier.CarrierProtocol, carrier.EffectNone)
	}
}

func FuzzDecodeWebhook(f *testing.F) {
	f.Add([]byte(pushBody))
	f.Add([]byte(`{"event_name":"DELIVERY_CANCELLED","cancellation_reason":null,"external_delivery_id":"x","created_at":"2026-03-04T18:25:00Z","dasher_location":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := decodeWebhook(b)
		if err == nil && (u.Reference == "" || len(u.Events) != 1 || u.Events[0].Time.IsZero() || u.Events[0].CarrierCode == "") {
			t.Errorf("accepted %q as %+v", b, u)
		}
	})
}

func FuzzDecodeDelivery(f *testing.F) {
	f.Add([]byte(`{"external_delivery_id":"x","delivery_status":"delivered","fee":975,"fee_components":[{"type":"a","amount":1}],"currency":"USD","dropoff_time_actual":"2026-03-04T18:25:00Z"}`))
	f.Add([]byte(`{"external_delivery_id":"x","delivery_status":"quote","fee":null,"currency":"","dasher_location":{"lat":1e400}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := decodeDelivery(b)
		if err != nil {
			return
		}
		booking := d.booking(consignment())
		if booking.CarrierRef == "" || booking.TrackingID == "" || len(booking.Parcels) != 1 || booking.Amount.Currency == "" {
			t.Errorf("%q became %+v", b, booking)
		}
		d.same(consignment())
		d.changed()
	})
}
