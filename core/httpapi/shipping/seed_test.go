package shipping_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// The files of testdata/seed are the API's published examples: requests as they stand there, and of each answer the paths of all
// its members. Every answer must have every one of them.

// hasKeys fails for each path of the published answer that the answer has not. Lists are looked into at their first element;
// what an example shows inside a list or object that is empty here is shown by another test.
func hasKeys(t *testing.T, published string, a *apitest.Answer, except ...string) {
	t.Helper()
	var v any
	if err := json.Unmarshal(a.Body, &v); err != nil {
		t.Fatal(err)
	}
	for path := range strings.Lines(read(t, "seed/"+published+".keys")) {
		path = strings.TrimSpace(path)
		skip := false
		for _, e := range except {
			skip = skip || strings.HasPrefix(path, e)
		}
		if !skip && !has(v, strings.Split(path, ".")) {
			t.Errorf("the answer lacks %s", path)
		}
	}
}

func has(v any, path []string) bool {
	if len(path) == 0 {
		return true
	}
	name := strings.TrimSuffix(path[0], "[]")
	if name != "" {
		object, ok := v.(map[string]any)
		if v, ok = object[name], ok && hasMember(object, name); !ok {
			return false
		}
	}
	if name == path[0] {
		return has(v, path[1:])
	}
	list, ok := v.([]any)
	if !ok {
		return false
	}
	for _, e := range list {
		if has(e, path[1:]) {
			return true
		}
	}
	return false
}

func hasMember(m map[string]any, name string) bool { _, ok := m[name]; return ok }

// sample changes a published request by top-level members.
func sample(t *testing.T, name string, changes map[string]any) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(read(t, "seed/"+name+".json")), &v); err != nil {
		t.Fatal(err)
	}
	for k, c := range changes {
		if c == any(apitest.Absent) {
			delete(v, k)
			continue
		}
		v[k] = c
	}
	return apitest.JSON(v)
}

func TestSampleCreate(t *testing.T) {
	h := apitest.New(t)
	a := h.Do("POST", "/shipments", read(t, "seed/create.json")).Want(201)
	hasKeys(t, "create", a)
	golden(t, "create", a)
	is(t, a, map[string]any{
		"locationExternalId": "7709", "orderExternalId": "7709-001", "orderValue": 10, "tenantId": "shop",
		"brandExternalId": "dummyaccount1", "groupId": nil, "currencyCode": "USD", "status": "ORDER_DISPATCHED",
		"deliveryContact":  map[string]any{"name": "asd", "phone": "+1 234-567-8900", "email": ""},
		"pickupContact":    map[string]any{"name": "asd", "phone": "+1 234-567-8900"},
		"returnLocationId": "301", "undeliverableOrderReturnLocation.name": "WareHouse 301",
		"undeliverableOrderReturnLocation.contact.name": "John Smith", "undeliverableOrderReturnLocation.address.street1": "502 Park Avenue",
		"package.temperatureControl": "none", "pickupAddress.street1": "345 Harrison Avenue",
		"provider":        map[string]any{"id": "ups", "name": "UPS", "displayName": "UPS", "serviceId": "ground", "serviceType": "Ground"},
		"orderAttributes": map[string]any{}, "proposedProviders": []any{}, "vehicle": nil, "returnRequest": nil,
		"pickupTime.startsAt": apitest.Start.UnixMilli(), "pickupTime.endsAt": nil,
	})
	if code, _ := a.At("package.barcode").(string); len(code) != 16 {
		t.Errorf("barcode = %q", code)
	}
	if got := a.Header.Get("Location"); got != "https://ship.example.com/shipments/7709-001" {
		t.Errorf("Location = %s", got)
	}
	got := h.Do("GET", "/shipments/7709-001", "").Want(200)
	if string(got.Body) != string(a.Body) {
		t.Errorf("what is read differs from what was answered:\n%s\n%s", got.Body, a.Body)
	}
}

// TestSampleGet makes the order of the published answer and reads it.
func TestSampleGet(t *testing.T) {
	h := apitest.New(t)
	day := apitest.Start.Add(48 * time.Hour)
	h.Do("POST", "/shipments", apitest.Order("876581", "locationExternalId", "NYClocation101", "groupId", "group1", "orderValue", 11,
		"brandExternalId", "demoBrand", "itemList", []any{}, "deliveryAddress", map[string]any{"street1": "8th 62nd Avenue, Times Square",
			"street2": "", "city": "Manhattan", "state": "NY", "postalCode": "10039", "countryCode": "US"},
		"deliveryContact", map[string]any{"name": "Robert Wan", "phone": "4344344344", "email": "nycustomer@email.com"},
		"pickupTime", map[string]any{"startsAt": day.UnixMilli(), "endsAt": day.Add(time.Hour).UnixMilli()},
		"deliveryTime", map[string]any{"startsAt": day.Add(2 * time.Hour).UnixMilli(), "endsAt": day.Add(4 * time.Hour).UnixMilli()},
		"package", map[string]any{"name": "custom", "size": map[string]any{"length": 2, "width": 2, "height": 2, "unit": "in"},
			"weight": map[string]any{"value": 2, "unit": "lb"}, "itemQuantity": 1, "barcode": "1YT4V90308440011",
			"temperatureControl": "refrigerated", "content": []any{"alcohol"}},
		"deliveryInstructions", "Some text for delivery instructions", "orderAttributes", map[string]any{"payment": "Cash"})).Want(201)
	h.Do("DELETE", "/shipments/876581", "").Want(200)
	a := h.Do("GET", "/shipments/876581", "").Want(200)
	hasKeys(t, "get", a)
	golden(t, "get", a)
	is(t, a, map[string]any{
		"brandExternalId": "demoBrand", "groupId": "group1", "status": "ORDER_CANCELLED", "itemList": []any{},
		"package.content.0": "alcohol", "package.barcode": "1YT4V90308440011", "package.temperatureControl": "refrigerated",
		"pickupInstructions": "Always be smiling", "deliveryInstructions": "Some text for delivery instructions",
		"orderAttributes.payment": "Cash", "deliveryContact.phone": "4344344344",
		"provider.name": "DoorDash", "provider.displayName": "DoorDash_123", "provider.serviceId": "delivery", "provider.serviceType": "Delivery",
		"pickupTime.endsAt": day.Add(time.Hour).UnixMilli(), "amount": 12.1, "fee": 12.1, "trackingId": "doordash-000001-1",
	})
}

func TestSampleList(t *testing.T) {
	h := apitest.New(t)
	for _, id := range []string{"1908241", "1908242", "1908243", "1908244"} {
		h.Do("POST", "/shipments", apitest.Order(id, "locationExternalId", "100983", "orderValue", 78.65, "itemList", []any{},
			"deliveryAddress", map[string]any{"street1": "5411 Mercedes Avenue", "street2": "", "city": "Dallas", "state": "TX", "countryCode": "US",
				"postalCode": "75206", "latitude": 32.8284237, "longitude": -96.7768713, "apartmentNumber": ""},
			"package", map[string]any{"name": "small", "weight": map[string]any{"value": 10, "unit": "lb"}, "itemQuantity": 1, "description": ""},
			"signature", "not_required", "deliveryInstructions", "The dog may be playing in the yard.",
			"proposedProviders", []any{map[string]any{"name": "DoorDash", "services": []any{map[string]any{"id": "delivery"}}}})).Want(201)
		h.Do("DELETE", "/shipments/"+id, "").Want(200)
		h.Clock.Advance(time.Minute)
	}
	a := h.Do("POST", "/shipments/list", `{"limit":100}`).Want(200)
	hasKeys(t, "list", a)
	golden(t, "list", a)
	is(t, a, map[string]any{"data.0.orderExternalId": "1908244", "data.3.orderExternalId": "1908241", "paginationToken.next": nil,
		"data.0.proposedProviders.0.services.0.id": "delivery", "data.0.package.size.unit": "in", "data.0.package.weight.value": 10,
		"data.0.pickupInstructions": "Enter from the staff entrance to pick up the package"})

	// The published question, moved to the present: its token is not one of ours, and without it it finds the one order asked for.
	from, to := apitest.Start.Add(-time.Hour).UnixMilli(), apitest.Start.Add(time.Hour).UnixMilli()
	window := map[string]any{"startsAt": from, "endsAt": to}
	now := map[string]any{"lastUpdatedAt": window, "createdAt": window, "pickupTime": map[string]any{"startsAt": from},
		"deliveryTime": map[string]any{"endsAt": apitest.Start.Add(48 * time.Hour).UnixMilli()}}
	bad := h.Do("POST", "/shipments/list", sample(t, "list", now)).Want(400)
	is(t, bad, map[string]any{"type": "INVALID_DATA", "severity": "Hard", "errors.0.parameter": "paginationToken"})
	now["paginationToken"] = apitest.Absent
	found := h.Do("POST", "/shipments/list", sample(t, "list", now)).Want(200)
	is(t, found, map[string]any{"data.0.orderExternalId": "1908241", "data.1": nil})
}

func TestSampleCancel(t *testing.T) {
	h := apitest.New(t)
	// Not dispatched yet, as in the published answer: its provider is empty.
	h.Do("POST", "/shipments", apitest.Order("15June11", "locationExternalId", "100983", "orderValue", 78.65, "itemList", []any{},
		"signature", "not_required", "deliveryInstructions", "Close the gate",
		"proposedProviders", []any{map[string]any{"name": "DoorDash", "services": []any{map[string]any{"id": "delivery"}}}}),
		"Prefer", "respond-async").Want(202)
	a := h.Do("DELETE", "/shipments/15June11", "").Want(200)
	hasKeys(t, "cancel", a)
	golden(t, "cancel", a)
	is(t, a, map[string]any{"status": "ORDER_CANCELLED", "amount": nil, "fee": nil, "label": nil,
		"estimatedDeliveryTime": map[string]any{"startsAt": nil, "endsAt": nil},
		"provider":              map[string]any{"id": "", "name": "", "displayName": "", "serviceId": nil, "serviceType": nil},
		"referenceLinks":        map[string]any{"trackingUrl": nil, "qrcodeLink": nil}})
	if n := len(h.DoorDash.Cancels()); n != 0 {
		t.Errorf("the carrier was asked %d times to cancel what it does not have", n)
	}
}

func TestSampleEdit(t *testing.T) {
	h := apitest.New(t)
	h.Do("POST", "/shipments", apitest.Order("876581", "groupId", "group1", "package.content", []any{"alcohol"},
		"package.temperatureControl", "refrigerated", "orderAttributes", map[string]any{"payment": "Cash"},
		"deliveryInstructions", "Ring"), "Prefer", "respond-async").Want(202)
	a := h.Do("PUT", "/shipments/876581", read(t, "seed/edit.json")).Want(200)
	hasKeys(t, "edit", a)
	golden(t, "edit", a)
	is(t, a, map[string]any{"orderExternalId": "19082413", "orderValue": 160.99, "groupId": "group1", "orderAttributes.payment": "Cash",
		"deliveryContact.phone": "232-323-2323", "deliveryAddress.street1": "5411 Mercedes Avenue", "deliveryAddress.latitude": nil,
		"package.description": "Package Description", "package.itemQuantity": 2, "package.content.0": "alcohol", "package.size.length": 2,
		"status": "REQUEST_RECEIVED", "warnings.0.code": "TIME_IN_PAST"})
	h.Do("GET", "/shipments/876581", "").Want(404)
	h.Do("GET", "/shipments/19082413", "").Want(200)
	// After dispatch the same package is no change, another one is refused.
	h.Do("POST", "/shipments", apitest.Order("booked")).Want(201)
	no := h.Do("PUT", "/shipments/booked", `{"package":{"name":"custom"}}`).Want(400)
	is(t, no, map[string]any{"type": "VALIDATION_ERROR", "severity": "Hard"})
	h.Do("PUT", "/shipments/booked", `{"package":{"name":"Solid","itemQuantity":1},"orderValue":160.99}`).Want(200)
}

func TestSampleHistory(t *testing.T) {
	h := apitest.New(t)
	h.Do("POST", "/shipments", apitest.Order("6268")).Want(201)
	h.Clock.Advance(time.Hour)
	h.Do("POST", "/shipments/6268/status", `{"status":"PICKUP_COMPLETED"}`).Want(200)
	h.Do("POST", "/shipments/6268/status", `{"status":"ORDER_UNDELIVERABLE","subStatus":"RETURN_AT_LOCATION","note":"ARRIVED_AT_RETURN( RT-001 )",
		"eventReason":{"code":"CUSTOMER_REJECTED","title":"Customer Rejected","note":"RT-001"}}`).Want(200)
	a := h.Do("GET", "/shipments/6268/status-history", "").Want(200)
	hasKeys(t, "history", a)
	golden(t, "history", a)
	is(t, a, map[string]any{"0.tenantId": "shop", "0.orderStatus.0.status": "REQUEST_RECEIVED", "0.orderStatus.0.note": nil,
		"0.orderStatus.0.statusUser": "Default_Business_Key", "0.orderStatus.0.updatedAt": "March 7th 2026, 3:30:00 pm EST",
		"0.orderStatus.0.updatedAtEpoch": apitest.Start.UnixMilli(),
		"0.orderStatus.4.subStatus":      "RETURN_AT_LOCATION", "0.orderStatus.4.eventReason.title": "Customer Rejected"})
}

func TestSampleRetry(t *testing.T) {
	h := apitest.New(t)
	refuse := apitest.Hooks{Book: func(carrier.BookRequest) error { return apitest.Refusal(carrier.InvalidField) }}
	h.DoorDash.Set(refuse)
	h.Do("POST", "/shipments", apitest.Order("19082418", "locationExternalId", "100983", "itemList", []any{}, "orderValue", apitest.Absent,
		"package.description", "Package Description", "deliveryContact.email", apitest.Absent)).Want(422)
	h.DoorDash.Set(apitest.Hooks{})
	a := h.Do("POST", "/shipments/19082418/retry", "").Want(201)
	hasKeys(t, "retry", a)
	golden(t, "retry", a)
	is(t, a, map[string]any{"status": "ORDER_DISPATCHED", "amount": 12.1, "fee": 12.1, "deliveryInstructions": nil, "orderValue": nil,
		"estimatedPickupTime": map[string]any{"startsAt": apitest.Start.Add(time.Hour).UnixMilli(), "endsAt": nil}})
}
