package tracker_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

// TestSampleCreate sends the API's published example: the answer has every key of the published one.
func TestSampleCreate(t *testing.T) {
	h := serve(t)
	a := h.Do("POST", "/trackers", read(t, "seed/create.json")).Want(201)
	object := a.Object()
	for path := range strings.Lines(read(t, "seed/create.keys")) {
		if path = strings.TrimSpace(path); !has(object, path) {
			t.Errorf("the answer lacks %s", path)
		}
	}
	golden(t, "create", a)
	is(t, a, map[string]any{
		"status": "ORDER_DISPATCHED", "trackerExternalId": "tracker001", "orderExternalId": "tracker001", "timeZone": "America/Chicago",
		"pickupTime": map[string]any{"startsAt": 1649253600000, "endsAt": nil}, "deliveryTime": map[string]any{"startsAt": nil, "endsAt": 1649268000000},
		"provider.id": "quiet", "provider.displayName": "Self Delivery", "provider.name": "Quiet", "source.name": "Default_Business_Key", "source.type": "api_key",
		"pickupInstructions": "location pickupInstructions", "pickupContact.name": "Peter Brown", "brandExternalId": "dummyaccount1", "currencyCode": "USD",
		"barcodes": []string{"12312351", "77091078"}, "warnings.0.code": "PROVIDER_NOT_FOLLOWED", "warnings.1": nil, "referenceLinks.customerWebflowUrl": nil,
	})
	id := object["id"].(string)
	if got := a.Header.Get("Location"); got != "https://ship.example.com/trackers/"+id {
		t.Errorf("Location: %s", got)
	}
	for _, name := range []string{id, "tracker001"} {
		b := h.Do("GET", "/trackers/"+name, "").Want(200)
		if string(b.Body) != string(a.Body) {
			t.Errorf("read by %s:\n%s\nwant\n%s", name, b.Body, a.Body)
		}
	}
}

func TestARequestCanBeRepeated(t *testing.T) {
	h := serve(t)
	one := body(t)
	a := h.Do("POST", "/trackers", one, "Idempotency-Key", "k").Want(201)
	commits := h.Store.Commits()
	b := h.Do("POST", "/trackers", one, "Idempotency-Key", "k").Want(201)
	if string(a.Body) != string(b.Body) || a.Header.Get("Location") != b.Header.Get("Location") {
		t.Errorf("the repetition answers\n%s\nwant\n%s", b.Body, a.Body)
	}
	is(t, h.Do("POST", "/trackers", body(t, "groupId", "g"), "Idempotency-Key", "k").Want(422), map[string]any{"type": "DUPLICATE_RESOURCE"})
	is(t, h.Do("POST", "/trackers", one, "Idempotency-Key", strings.Repeat("k", 256)).Want(422), map[string]any{"type": "INVALID_TRACKER_DATA"})
	if n := h.Store.Commits() - commits; n != 0 {
		t.Errorf("repetitions wrote %d times", n)
	}
	// Without names of its own, only the key tells that two requests are one; twins of one moment are one too.
	nameless := body(t, "trackerExternalId", apitest.Absent)
	var made sync.Map
	var twins sync.WaitGroup
	for range 4 {
		twins.Go(func() {
			answer, err := h.Send("POST", "/trackers", []byte(nameless), "Idempotency-Key", "twin")
			if err != nil || answer.Status != 201 {
				t.Errorf("a twin fails: %v, %v", answer, err)
				return
			}
			made.Store(answer.At("id"), true)
		})
	}
	twins.Wait()
	n := 0
	made.Range(func(_, _ any) bool { n++; return true })
	if n != 1 {
		t.Errorf("twins created %d trackers", n)
	}
	h.Clock.Advance(24*time.Hour + time.Second)
	if again := h.Do("POST", "/trackers", nameless, "Idempotency-Key", "twin").Want(201); len(again.Object()) == 0 {
		t.Error("no answer")
	} else if _, same := made.Load(again.At("id")); same {
		t.Error("the key is remembered for more than a day")
	}
}

func TestEveryMemberIsKept(t *testing.T) {
	h := serve(t)
	a := h.Do("POST", "/trackers", body(t, "provider", "UPS", "locationExternalId", apitest.Absent, "trackingId", "1Z5R89390357567127", "type", apitest.Absent,
		"groupId", "g", "orderAttributes", map[string]any{"a": "b", "n": 1}, "pickupInstructions", "back door", "deliveryInstructions", "ring", "locale", "de_DE",
		"createdDate", 1649253600001, "packages", []any{map[string]any{"name": "box", "itemQuantity": 2}},
		"estimatedDeliveryTime", map[string]any{"startsAt": 1649267000000},
		"itemList", []any{map[string]any{"sku": "s", "title": "Watch", "quantity": 2, "price": 3.5}},
		"pickup", map[string]any{"name": "Berlin", "instructions": "unused", "contact": map[string]any{"name": "Kai", "phone": "+49 30 1234567"},
			"address": map[string]any{"street1": "Alexanderplatz 1", "city": "Berlin", "countryCode": "DE", "postalCode": "10178", "latitude": 52.52, "longitude": 13.41}})).Want(201)
	golden(t, "everything", a)
	is(t, a, map[string]any{"type": "shipping", "groupId": "g", "orderAttributes": map[string]any{"a": "b", "n": 1}, "pickupInstructions": "back door",
		"deliveryInstructions": "ring", "locale": "de_DE", "createdDate": 1649253600001, "packages.0.name": "box", "itemList.0.title": "Watch",
		"estimatedDeliveryTime.startsAt": 1649267000000, "timeZone": "Europe/Berlin", "pickupAddress.city": "Berlin", "pickupContact.name": "Kai",
		"locationExternalId": nil, "provider.id": "ups", "warnings": nil})
	// The number tells the carrier where nobody names it; a pickup needs no address of delivery.
	b := h.Do("POST", "/trackers", `{"trackingId":"1z5r8939 0357 5671 27","locationExternalId":"7709","type":"pickup"}`).Want(201)
	is(t, b, map[string]any{"provider.id": "ups", "trackingId": "1z5r8939 0357 5671 27", "deliveryAddress": nil, "deliveryContact": nil, "trackerExternalId": nil})
	for _, name := range []string{"ups", "Ups", " UPS "} {
		is(t, h.Do("POST", "/trackers", body(t, "trackerExternalId", apitest.Absent, "provider", name)).Want(201), map[string]any{"provider.id": "ups"})
	}
}

// TestOpenWindows: a window that nobody gives means as soon as possible, and is answered with the instants; what is collected is not
// delivered. A package is kept at no temperature unless one is named.
func TestOpenWindows(t *testing.T) {
	h := serve(t)
	now := h.Clock.Now().UnixMilli()
	packages := []any{map[string]any{"name": "a"}, map[string]any{"name": "b", "temperatureControl": "frozen"}}
	for _, open := range []any{nil, apitest.Absent} {
		a := h.Do("POST", "/trackers", body(t, "trackerExternalId", apitest.Absent, "pickupTime", open, "deliveryTime", open, "packages", packages)).Want(201)
		want := map[string]any{"pickupTime.startsAt": now, "pickupTime.endsAt": nil, "deliveryTime.startsAt": nil, "deliveryTime.endsAt": now + 60_000,
			"packages.0.temperatureControl": "none", "packages.1.temperatureControl": "frozen"}
		is(t, a, want)
		is(t, h.Do("GET", "/trackers/"+a.At("id").(string), "").Want(200), want)
	}
	given := map[string]any{"startsAt": 1649253600001, "endsAt": 1649257200001}
	a := h.Do("POST", "/trackers", body(t, "trackerExternalId", apitest.Absent, "pickupTime", given, "deliveryTime", given)).Want(201)
	is(t, a, map[string]any{"pickupTime.startsAt": 1649253600001, "deliveryTime.startsAt": 1649253600001, "deliveryTime.endsAt": 1649257200001})
	a = h.Do("POST", "/trackers", body(t, "trackerExternalId", apitest.Absent, "type", "pickup", "pickupTime", nil, "deliveryTime", nil)).Want(201)
	is(t, a, map[string]any{"pickupTime.startsAt": now, "deliveryTime.endsAt": nil})
}

func TestRefusals(t *testing.T) {
	h := serve(t)
	h.Do("POST", "/trackers", body(t, "trackerExternalId", "taken")).Want(201)
	commits := h.Store.Commits()
	long := strings.Repeat("x", 101)
	const missing, invalid = "MISSING_TRACKER_DATA", "INVALID_TRACKER_DATA"
	for _, c := range []struct {
		name, body, kind string
		want             []string
	}{
		{"empty", ``, missing, nil},
		{"no JSON", `{"trackingId":`, missing, nil},
		{"a list", `[]`, missing, nil},
		{"twice", `{"trackingId":"a","trackingId":"b"}`, missing, nil},
		{"nothing", `{}`, missing, []string{"deliveryAddress", "locationExternalId", "provider", "trackingId"}},
		{"no place of pickup", body(t, "locationExternalId", apitest.Absent), missing, []string{"locationExternalId"}},
		{"no address", body(t, "deliveryAddress", nil), missing, []string{"deliveryAddress"}},
		{"half an address", body(t, "deliveryAddress", map[string]any{"street1": " ", "city": "Houston", "countryCode": "US"}), missing, []string{"deliveryAddress.street1"}},
		{"no number", body(t, "trackingId", " "), missing, []string{"trackingId"}},
		{"no provider, and a number that tells none", body(t, "provider", nil), missing, []string{"provider"}},
		{"missing and wrong", body(t, "trackingId", nil, "type", "fast"), missing, []string{"trackingId", "type"}},
		{"an unknown location", body(t, "locationExternalId", "nowhere"), invalid, []string{"locationExternalId"}},
		{"an unknown provider", body(t, "provider", "Postmates"), invalid, []string{"provider"}},
		{"an id that is taken", body(t, "trackerExternalId", "taken"), invalid, []string{"trackerExternalId"}},
		{"an unknown type", body(t, "type", "fast"), invalid, []string{"type"}},
		{"a value below zero", body(t, "orderValue", -1), invalid, []string{"orderValue"}},
		{"text for a number", body(t, "orderValue", "a lot"), invalid, []string{"orderValue"}},
		{"a number for a text", body(t, "trackingId", 7), invalid, []string{"trackingId"}},
		{"a country that is none", body(t, "deliveryAddress", map[string]any{"street1": "a", "city": "b", "countryCode": "XX"}), invalid, []string{"deliveryAddress.countryCode"}},
		{"a window that ends before", body(t, "deliveryTime", map[string]any{"startsAt": 2, "endsAt": 1}), invalid, []string{"deliveryTime.startsAt"}},
		{"a zone that is none", body(t, "locationExternalId", nil, "pickup", map[string]any{"timeZone": "Mars", "address": map[string]any{"street1": "a", "city": "b", "countryCode": "US"}}),
			invalid, []string{"pickup.timeZone"}},
		{"everything too long", body(t, "trackingId", long, "trackerExternalId", long, "groupId", long, "locale", long, "pickupInstructions", strings.Repeat("x", 10_001)),
			invalid, []string{"groupId", "locale", "pickupInstructions", "trackerExternalId", "trackingId"}},
		{"phones, codes and things", body(t, "deliveryContact", map[string]any{"name": "A", "phone": "12"}, "barcodes", []string{""},
			"packages", []any{map[string]any{"itemQuantity": -1}}, "itemList", []any{map[string]any{"sku": "a", "quantity": 0}}, "orderAttributes", map[string]any{"a": []int{1}}),
			missing, []string{"barcodes[0]", "deliveryContact.phone", "itemList[0].quantity", "orderAttributes.a", "packages[0].itemQuantity"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			status := map[string]int{missing: 400, invalid: 422}[c.kind]
			a := h.Do("POST", "/trackers", c.body).Want(status)
			is(t, a, map[string]any{"type": c.kind, "severity": "Hard"})
			if got := parameters(a); !slices.Equal(got, c.want) {
				t.Errorf("names %v, want %v\n%s", got, c.want, a.Body)
			}
		})
	}
	is(t, h.Do("POST", "/trackers", body(t), "x-api-key", "").Want(401), map[string]any{"type": "UNAUTHORIZED"})
	h.Store.Fail(errors.New("the disk is on fire"))
	a := h.Do("POST", "/trackers", body(t)).Want(500)
	h.Store.Fail(nil)
	is(t, a, map[string]any{"type": "INTERNAL_SERVER_ERROR", "severity": "Transient"})
	if strings.Contains(string(a.Body), "fire") {
		t.Errorf("the cause is told to the caller: %s", a.Body)
	}
	if n := h.Store.Commits(); n != commits {
		t.Errorf("%d commits", n-commits)
	}
}
