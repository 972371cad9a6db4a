package shipping_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// TestEditMerges: absent stays, null clears, objects merge, lists and windows are replaced.
func TestEditMerges(t *testing.T) {
	h := apitest.New(t)
	later := apitest.Start.Add(24 * time.Hour).UnixMilli()
	h.Do("POST", "/shipments", apitest.Order("o", "groupId", "g", "deliveryInstructions", "Ring", "pickupInstructions", "Dock",
		"orderAttributes", map[string]any{"a": "1", "b": "2"}, "package.content", []any{"alcohol"}, "locale", "en", "createdDate", 5, "tips", 1,
		"pickupTime", map[string]any{"startsAt": later}, "proposedProviders", []any{map[string]any{"name": "ups"}}), "Prefer", "respond-async").Want(202)
	for _, step := range []struct {
		body string
		want map[string]any
	}{
		{`{}`, map[string]any{"groupId": "g", "deliveryInstructions": "Ring", "package.content.0": "alcohol"}},
		{`{"groupId":"h"}`, map[string]any{"groupId": "h", "deliveryInstructions": "Ring"}},
		{`{"deliveryInstructions":"Knock"}`, map[string]any{"deliveryInstructions": "Knock", "pickupInstructions": "Dock"}},
		{`{"pickupInstructions":"Gate"}`, map[string]any{"pickupInstructions": "Gate"}},
		{`{"orderAttributes":{"b":"3","c":true}}`, map[string]any{"orderAttributes": map[string]any{"a": "1", "b": "3", "c": true}}},
		{`{"package":{"content":["lithium"]}}`, map[string]any{"package.content": []string{"lithium"}, "package.name": "Solid"}},
		{`{"package":{"weight":{"value":11}}}`, map[string]any{"package.weight": map[string]any{"value": 11, "unit": "lb"}, "package.size.length": 10}},
		{`{"deliveryContact":{"name":"Bob"}}`, map[string]any{"deliveryContact.name": "Bob", "deliveryContact.phone": "+1 234-567-8900"}},
		{`{"deliveryAddress":{"apartmentNumber":"9"}}`, map[string]any{"deliveryAddress.apartmentNumber": "9", "deliveryAddress.street1": "725 Albany Street", "deliveryAddress.latitude": nil}},
		{`{"deliveryAddress":{"latitude":42.3,"longitude":-71.1}}`, map[string]any{"deliveryAddress.latitude": 42.3, "deliveryAddress.longitude": -71.1}},
		{`{"deliveryAddress":{"latitude":42.4}}`, map[string]any{"deliveryAddress.latitude": 42.4, "deliveryAddress.longitude": -71.1}},
		{`{"itemList":[{"sku":"n","quantity":2}]}`, map[string]any{"itemList.0.sku": "n", "itemList.0.title": "", "itemList.0.price": nil, "itemList.1": nil}},
		{`{"pickupTime":{"endsAt":` + itoa(int(later)) + `}}`, map[string]any{"pickupTime": map[string]any{"startsAt": nil, "endsAt": later}}},
		{`{"proposedProviders":[{"name":"doordash"}]}`, map[string]any{"proposedProviders.0.name": "doordash", "proposedProviders.0.services": nil}},
		{`{"orderValue":7.25,"signature":"adult","locale":"de","createdDate":6,"tips":2}`, map[string]any{"orderValue": 7.25, "signature": "adult", "locale": "de", "createdDate": 6, "tips": 2}},
		{`{"groupId":null,"deliveryInstructions":null,"pickupInstructions":null,"orderAttributes":null,"itemList":null,"proposedProviders":null,
			"signature":null,"locale":null,"createdDate":null,"tips":null,"orderValue":null,"pickupTime":null}`,
			map[string]any{"groupId": nil, "deliveryInstructions": nil, "pickupInstructions": nil, "orderAttributes": map[string]any{}, "itemList": []any{},
				"proposedProviders": []any{}, "signature": "not_required", "locale": nil, "createdDate": nil, "tips": nil, "orderValue": nil,
				"pickupTime": map[string]any{"startsAt": apitest.Start.UnixMilli(), "endsAt": nil}}},
		{`{"locationExternalId":"100983"}`, map[string]any{"locationExternalId": "100983", "pickupAddress.city": "Dallas"}},
		{`{"packages":[{"name":"small"},{"name":"Solid"}]}`, map[string]any{"packages.1.name": "Solid", "package.name": "small"}},
		{`{"package":{"name":"small"}}`, map[string]any{"packages": nil, "package.name": "small"}},
		{`{"dispatch":{"type":"scheduled","time":` + itoa(int(later)) + `}}`, map[string]any{"dispatch": map[string]any{"type": "scheduled", "time": later}}},
		{`{"dispatch":null}`, map[string]any{"dispatch": nil}},
		{`{"orderExternalId":"p"}`, map[string]any{"orderExternalId": "p"}},
	} {
		a := h.Do("PUT", "/shipments/o", step.body).Want(200)
		is(t, a, step.want)
		id := a.At("orderExternalId").(string)
		if read := h.Do("GET", "/shipments/"+id, "").Want(200); read.At("lastUpdatedAt") != a.At("lastUpdatedAt") {
			t.Errorf("%s: read %v, answered %v", step.body, read.At("lastUpdatedAt"), a.At("lastUpdatedAt"))
		} else {
			is(t, read, step.want)
		}
	}
	h.Do("GET", "/shipments/o", "").Want(404)
	h.Do("POST", "/shipments", apitest.Order("o")).Want(201) // the old id is free
	is(t, h.Do("PUT", "/shipments/o", `{"orderExternalId":"p"}`).Want(422), map[string]any{"type": "DUPLICATE_ID"})
}

func TestEditAfterDispatch(t *testing.T) {
	h := apitest.New(t)
	h.Do("POST", "/shipments", dallas("o", "groupId", "g", "deliveryInstructions", "Ring")).Want(201)
	// Local fields ask nobody.
	is(t, h.Do("PUT", "/shipments/o", `{"groupId":"h","orderValue":5,"locale":"fr","createdDate":9,"orderAttributes":{"a":1}}`).Want(200),
		map[string]any{"groupId": "h", "orderValue": 5, "locale": "fr", "createdDate": 9, "orderAttributes.a": 1, "status": "ORDER_DISPATCHED"})
	if n := len(h.DoorDash.Edits()) + len(h.DoorDash.Cancels()); n != 0 {
		t.Errorf("the carrier was asked %d times", n)
	}
	// What the driver must know goes to the carrier.
	h.Do("PUT", "/shipments/o", `{"deliveryInstructions":"Knock","deliveryContact":{"name":"Bob"}}`).Want(200)
	if e := h.DoorDash.Edits(); len(e) != 1 || e[0].Delivery.Instructions != "Knock" || e[0].Delivery.Contact.Name != "Bob" {
		t.Errorf("edits %+v", e)
	}
	h.DoorDash.Set(apitest.Hooks{Edit: func(carrier.EditRequest) error { return apitest.Refusal(carrier.EditRefused) }})
	is(t, h.Do("PUT", "/shipments/o", `{"deliveryInstructions":"Sing"}`).Want(200),
		map[string]any{"deliveryInstructions": "Sing", "warnings.0.code": "PROVIDER_NOT_INFORMED", "warnings.0.provider": "DoorDash"})
	// The order says so to everyone who reads it, once, until the carrier takes a change, which tells it all of the order.
	h.Do("PUT", "/shipments/o", `{"deliveryInstructions":"Whistle"}`).Want(200)
	is(t, h.Do("GET", "/shipments/o", "").Want(200), map[string]any{"warnings.0.code": "PROVIDER_NOT_INFORMED", "warnings.1": nil})
	h.DoorDash.Set(apitest.Hooks{})
	is(t, h.Do("PUT", "/shipments/o", `{"deliveryInstructions":"Hum"}`).Want(200), map[string]any{"warnings": nil})
	h.DoorDash.Set(apitest.Hooks{Edit: func(carrier.EditRequest) error { return apitest.Refusal(carrier.EditRefused) }})
	is(t, h.Do("PUT", "/shipments/o", `{"deliveryInstructions":"Sing"}`).Want(200), map[string]any{"warnings.0.code": "PROVIDER_NOT_INFORMED"})
	// Another address is booked anew, once the old booking is cancelled.
	a := h.Do("PUT", "/shipments/o", elsewhere).Want(200)
	is(t, a, map[string]any{"deliveryAddress.street1": "1 Elsewhere Road", "trackingId": "doordash-000002-1", "status": "ORDER_DISPATCHED", "warnings": nil})
	if h.DoorDash.Live() != 1 || len(h.DoorDash.Cancels()) != 1 {
		t.Errorf("%d live bookings, %d cancelled", h.DoorDash.Live(), len(h.DoorDash.Cancels()))
	}
	h.Do("PUT", "/shipments/o", `{"package":{"description":"other"}}`).Want(400)
	// Once picked up only local fields can change.
	h.Do("POST", "/shipments/o/status", `{"status":"PICKUP_COMPLETED"}`).Want(200)
	is(t, h.Do("PUT", "/shipments/o", `{"deliveryInstructions":"Late"}`).Want(400), map[string]any{"type": "VALIDATION_ERROR"})
	h.Do("PUT", "/shipments/o", `{"groupId":null}`).Want(200)
}
