package shipping_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/sdk/carrier"
	sdk "github.com/waybill-dev/waybill/sdk/shipping"
)

// TestFieldsOfACreate shows what each member of an order does: what is answered, and what the carrier is told.
func TestFieldsOfACreate(t *testing.T) {
	h := apitest.New(t)
	day := apitest.Start.Add(72 * time.Hour)
	a := h.Do("POST", "/shipments", apitest.Order("fields", "groupId", "g-1", "brandExternalId", "brand-x", "orderValue", 78.65, "tips", 2.5,
		"locale", "fr-CA", "createdDate", 1651402682000, "signature", "direct", "deliveryInstructions", "Ring twice", "pickupInstructions", "Dock 4",
		"orderAttributes", map[string]any{"payment": "Cash", "vip": true, "points": 7, "none": nil},
		"deliveryAddress.apartmentNumber", "4B", "deliveryAddress.addressType", "apartment", "deliveryContact.email", "ann@example.com",
		"package.barcode", "BAR-1", "package.temperatureControl", "none",
		"itemList.0.barcode", "0123456", "itemList.0.tags", []any{"fragile"}, "itemList.0.description", "with a strap",
		"pickupTime", map[string]any{"startsAt": day.UnixMilli(), "endsAt": day.Add(time.Hour).UnixMilli()},
		"deliveryTime", map[string]any{"endsAt": day.Add(9 * time.Hour).UnixMilli()},
		"proposedProviders", []any{map[string]any{"name": "Ups", "services": []any{map[string]any{"id": "ground"}}}})).Want(201)
	is(t, a, map[string]any{
		"groupId": "g-1", "brandExternalId": "brand-x", "orderValue": 78.65, "tips": 2.5, "locale": "fr-CA", "createdDate": 1651402682000,
		"signature": "direct", "deliveryInstructions": "Ring twice", "pickupInstructions": "Dock 4",
		"orderAttributes":                 map[string]any{"payment": "Cash", "vip": true, "points": 7, "none": nil},
		"deliveryAddress.apartmentNumber": "4B", "deliveryAddress.addressType": "apartment", "deliveryContact.email": "ann@example.com",
		"package.barcode": "BAR-1", "itemList.0.barcode": "0123456", "itemList.0.tags.0": "fragile", "itemList.0.description": "with a strap",
		"itemList.0.price": 3, "itemList.0.salePrice": 3, "itemList.0.title": "Watch",
		"pickupTime":               map[string]any{"startsAt": day.UnixMilli(), "endsAt": day.Add(time.Hour).UnixMilli()},
		"deliveryTime":             map[string]any{"startsAt": nil, "endsAt": day.Add(9 * time.Hour).UnixMilli()},
		"proposedProviders.0.name": "Ups", "provider.id": "ups", "provider.serviceId": "ground", "warnings": nil,
	})
	if n := len(h.DoorDash.Quotes()); n != 0 {
		t.Errorf("a carrier that was not proposed was asked %d times", n)
	}
	quotes := h.UPS.Quotes()
	if len(quotes) != 1 || !slices.Equal(quotes[0].Services, []string{"ground"}) {
		t.Fatalf("asked %d times for %v", len(quotes), quotes[0].Services)
	}
	told := h.UPS.Booked()[0].Consignment
	if told.ExternalID != "fields" || told.Locale != "fr-CA" || told.Signature != "direct" || told.Currency != "USD" ||
		told.OrderValue.Minor != 7865 || told.Tip.Minor != 250 || told.Return == nil || told.Return.Name != "WareHouse 301" {
		t.Errorf("the carrier was told %+v", told)
	}
	if p := told.Pickup; p.Instructions != "Dock 4" || p.Contact.Phone != "+12345678900" || p.Window.StartsAt.UnixMilli() != day.UnixMilli() || p.Zone != "America/New_York" {
		t.Errorf("pickup %+v", p)
	}
	if d := told.Delivery; d.Instructions != "Ring twice" || d.Address.ApartmentNumber != "4B" || d.Contact.Email != "ann@example.com" || d.Window.EndsAt.UnixMilli() != day.Add(9*time.Hour).UnixMilli() {
		t.Errorf("delivery %+v", d)
	}
	if len(told.Parcels) != 1 || told.Parcels[0].Barcode != "BAR-1" || told.Parcels[0].Weight.Value.String() != "10" || len(told.Items) != 1 || told.DistanceMetres < 900 || told.DistanceMetres > 2000 {
		t.Errorf("parcels %+v, %d m", told.Parcels, told.DistanceMetres)
	}
}

// TestTraceOfADeadAdapter: what died with a process is noted as lost.
func TestTraceOfADeadAdapter(t *testing.T) {
	h := apitest.New(t)
	h.DoorDash.Set(apitest.Hooks{Quote: func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
		return carrier.QuoteAnswer{}, apitest.Refusal(carrier.AdapterDied)
	}})
	h.Do("POST", "/shipments", dallas("o")).Want(422)
	a := h.Do("GET", "/shipments/o/trace", "").Want(200)
	var lost, kept map[string]any
	for _, x := range a.At("exchanges").([]any) {
		if row := x.(map[string]any); row["lost"] != nil {
			lost = row
		} else {
			kept = row
		}
	}
	if kept["method"] != "POST" || kept["at"] != "2026-03-07T20:30:00.000Z" {
		t.Errorf("what came back: %v", kept)
	}
	if why, _ := lost["lost"].(string); !strings.Contains(why, "died") || lost["op"] != "quote" || lost["provider"] != "doordash" {
		t.Errorf("what was lost: %v", lost)
	}
	for _, member := range []string{"at", "durationMs", "method", "url", "status", "requestBody", "responseBody", "error"} {
		if lost[member] != nil {
			t.Errorf("%s of a lost exchange is %v", member, lost[member])
		}
	}
}

func TestMoneyIsExact(t *testing.T) {
	h := apitest.New(t)
	for id, value := range map[string]string{"a": "0.1", "b": "78.650", "c": "90071992547409.93", "d": "1e2"} {
		body := strings.Replace(apitest.Order(id, "orderValue", "@@"), `"@@"`, value, 1)
		if got := string(h.Do("POST", "/shipments", body).Want(201).Body); !strings.Contains(got, `"orderValue":`+value+",") {
			t.Errorf("%s is not echoed as it came: %s", value, got)
		}
	}
	yen := h.Do("POST", "/shipments", apitest.Order("yen", "locationExternalId", "osaka", "orderValue", 1200, "deliveryAddress",
		map[string]any{"street1": "2-1", "city": "Osaka", "countryCode": "JP", "latitude": 34.70, "longitude": 135.49},
		"deliveryContact.phone", "06-6341-0000")).Want(201)
	is(t, yen, map[string]any{"currencyCode": "JPY", "orderValue": 1200, "amount": 1210, "fee": 1210})
}

func TestPackages(t *testing.T) {
	h := apitest.New(t)
	preset := h.Do("POST", "/shipments", apitest.Order("preset", "package", map[string]any{"name": "SMALL"})).Want(201)
	is(t, preset, map[string]any{"package.name": "SMALL", "package.size.length": 6, "package.weight": map[string]any{"value": 2, "unit": "lb"},
		"package.itemQuantity": 1, "package.temperatureControl": "none", "packages": nil, "parcels": nil})
	explicit := h.Do("POST", "/shipments", apitest.Order("explicit", "package", map[string]any{"name": "small", "weight": map[string]any{"value": 9, "unit": "kg"}})).Want(201)
	is(t, explicit, map[string]any{"package.size.length": 6, "package.weight": map[string]any{"value": 9, "unit": "kg"}})
	several := h.Do("POST", "/shipments", apitest.Order("several", "package", apitest.Absent,
		"packages", []any{map[string]any{"name": "small"}, map[string]any{"name": "Solid"}})).Want(201)
	is(t, several, map[string]any{"packages.0.name": "small", "packages.1.name": "Solid", "package.name": "small",
		"parcels.0.trackingId": "ups-000003-1", "parcels.1.trackingId": "ups-000003-2",
		"parcels.1.label": "https://ship.example.com/shipments/several/label?parcel=2", "attachments.1.url": "https://ship.example.com/shipments/several/label?parcel=2"})
	if several.At("packages.0.barcode") == several.At("packages.1.barcode") {
		t.Error("two parcels have one barcode")
	}
	one := h.Do("POST", "/shipments", apitest.Order("one", "package", apitest.Absent, "packages", []any{map[string]any{"name": "small"}})).Want(201)
	is(t, one, map[string]any{"packages": nil, "package.name": "small", "parcels": nil})
}

// TestHandlingExcludes: a service that cannot do what the order needs is not offered it.
func TestHandlingExcludes(t *testing.T) {
	h := apitest.New(t)
	for id, c := range map[string]struct {
		changes []any
		want    string
	}{
		"plain":    {nil, "ups"},
		"wine":     {[]any{"package.content", []any{"alcohol"}}, "doordash"},
		"cold":     {[]any{"package.temperatureControl", "refrigerated"}, "doordash"},
		"signed":   {[]any{"signature", "adult"}, "ups"},
		"none":     {[]any{"signature", "not_required"}, "ups"},
		"proposed": {[]any{"proposedProviders", []any{map[string]any{"name": "doordash_123"}}}, "doordash"},
		"by id":    {[]any{"proposedProviders", []any{map[string]any{"name": "DOORDASH"}}}, "doordash"},
	} {
		is(t, h.Do("POST", "/shipments", apitest.Order(id, c.changes...)).Want(201), map[string]any{"provider.id": c.want})
	}
	no := h.Do("POST", "/shipments", apitest.Order("frozen", "package.temperatureControl", "frozen")).Want(422)
	is(t, no, map[string]any{"type": "NO_PROVIDER_MATCHED"})
}

func TestWarnings(t *testing.T) {
	h := apitest.New(t)
	for id, c := range map[string]struct {
		changes         []any
		code, parameter string
		provider        any
	}{
		"past":      {[]any{"deliveryTime", map[string]any{"endsAt": 1651402682000}}, "TIME_IN_PAST", "deliveryTime", nil},
		"signature": {[]any{"signature", "blood"}, "UNKNOWN_SIGNATURE", "signature", nil},
		"provider": {[]any{"proposedProviders", []any{map[string]any{"name": "Pigeon"}, map[string]any{"name": "ups"}}},
			"PROVIDER_NOT_ASSIGNED", "proposedProviders", "Pigeon"},
	} {
		a := h.Do("POST", "/shipments", apitest.Order(id, c.changes...)).Want(201)
		is(t, a, map[string]any{"warnings.0.code": c.code, "warnings.0.parameter": c.parameter, "warnings.0.provider": c.provider, "warnings.1": nil})
		is(t, h.Do("GET", "/shipments/"+id, "").Want(200), map[string]any{"warnings.0.code": c.code})
	}
	kept := h.Do("GET", "/shipments/signature", "").Want(200)
	is(t, kept, map[string]any{"signature": "blood"})
	past := h.Do("GET", "/shipments/past", "").Want(200)
	if end, _ := past.At("deliveryTime.endsAt").(float64); int64(end) <= apitest.Start.UnixMilli() {
		t.Errorf("a window in the past is answered with %v", past.At("deliveryTime"))
	}
	none := h.Do("POST", "/shipments", apitest.Order("nobody", "proposedProviders", []any{map[string]any{"name": "Pigeon"}})).Want(422)
	is(t, none, map[string]any{"type": "NO_PROVIDER_MATCHED"})
}

func TestPlainDeliveryHasNoLabel(t *testing.T) {
	h := apitest.New(t)
	a := h.Do("POST", "/shipments", apitest.Order("plain", "locationExternalId", "nolabel")).Want(201)
	is(t, a, map[string]any{"label": nil, "attachments": []any{}, "returnLocationId": nil, "undeliverableOrderReturnLocation": nil})
	is(t, h.Do("GET", "/shipments/plain/label", "").Want(404), map[string]any{"type": "NOT_FOUND"})
}

func TestLabels(t *testing.T) {
	h := apitest.New(t)
	h.Do("POST", "/shipments", apitest.Order("a/b", "package", apitest.Absent, "packages", []any{map[string]any{"name": "small"}, map[string]any{"name": "small"}})).Want(201)
	first := h.Do("GET", "/shipments/a%2Fb/label", "").Want(200)
	if got := first.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" || string(first.Body) != "label of ups-000001-1" {
		t.Errorf("%s: %s", got, first.Body)
	}
	if got := first.Header.Get("Content-Disposition"); got != `inline; filename="label-a%2Fb-1.zpl"` {
		t.Errorf("Content-Disposition: %s", got)
	}
	if second := h.Do("GET", "/shipments/a%2Fb/label?parcel=2", "").Want(200); string(second.Body) != "label of ups-000001-2" {
		t.Errorf("the second parcel has %s", second.Body)
	}
	h.Do("GET", "/shipments/a%2Fb/label?parcel=3", "").Want(404)
	for _, bad := range []string{"0", "-1", "x", "1.5", "99999999999999999999"} {
		is(t, h.Do("GET", "/shipments/a%2Fb/label?parcel="+bad, "").Want(400), map[string]any{"errors.0.parameter": "parcel"})
	}
	head := h.Do("HEAD", "/shipments/a%2Fb/label", "").Want(200)
	if len(head.Body) != 0 || head.Header.Get("Content-Length") != "21" {
		t.Errorf("HEAD: %d bytes, Content-Length %s", len(head.Body), head.Header.Get("Content-Length"))
	}
}

func TestLabelFormats(t *testing.T) {
	h := apitest.New(t)
	for format, want := range map[sdk.LabelFormat]string{
		sdk.GIF: "image/gif", sdk.PNG: "image/png", sdk.PDF: "application/pdf", sdk.ZPL: "text/plain; charset=utf-8", sdk.EPL: "text/plain; charset=utf-8",
	} {
		h.UPS.SetLabel(format)
		id := string(format)
		a := h.Do("POST", "/shipments", apitest.Order(id)).Want(201)
		is(t, a, map[string]any{"attachments.0.contentType": want, "attachments.0.type": "label"})
		label := h.Do("GET", "/shipments/"+id+"/label", "").Want(200)
		if got := label.Header.Get("Content-Type"); got != want {
			t.Errorf("%s is served as %s", format, got)
		}
		name := "label-" + id + "-1." + strings.ToLower(id)
		if got := label.Header.Get("Content-Disposition"); got != `inline; filename="`+name+`"` {
			t.Errorf("%s: %s", format, got)
		}
	}
}

func TestRates(t *testing.T) {
	h := apitest.New(t)
	h.DoorDash.Set(apitest.Hooks{Quote: refusesQuote.Quote})
	a := h.Do("POST", "/rates", apitest.Order("", "orderExternalId", apitest.Absent)).Want(200)
	golden(t, "rates", a)
	is(t, a, map[string]any{"rates.0.providerId": "ups", "rates.0.ruleApplied": true, "rates.0.amount": 10.34, "rates.1.serviceId": "next_day_air",
		"rates.1.ruleApplied": false, "rates.2": nil, "errors.0.provider": "DoorDash", "errors.0.type": "SERVICE_UNAVAILABLE", "errors.0.code": "X-100"})
	if n := h.Store.Commits() + int64(len(h.UPS.Booked())); n != 0 {
		t.Errorf("something was stored or booked")
	}
	is(t, h.Do("POST", "/rates", apitest.Order("x", "locationExternalId", "atlantis")).Want(422), map[string]any{"type": "INVALID_DATA"})
	is(t, h.Do("POST", "/rates", apitest.Order("x", "locationExternalId", "301")).Want(422), map[string]any{"type": "NO_PROVIDER_ASSIGNED"})
}

func TestDecisionAndTrace(t *testing.T) {
	h := apitest.New(t)
	h.DoorDash.Set(apitest.Hooks{Quote: refusesQuote.Quote})
	h.Do("POST", "/shipments", apitest.Order("why")).Want(201)
	d := h.Do("GET", "/shipments/why/decision", "").Want(200)
	is(t, d, map[string]any{"orderExternalId": "why", "decisions.0.round": 1, "decisions.0.at": "2026-03-07T20:30:00.000Z",
		"decisions.0.record.winner.account": "ups", "attempts.0.number": 1, "attempts.0.state": "booked", "attempts.0.provider": "ups",
		"attempts.0.serviceId": "ground", "attempts.0.fee": 10.34, "attempts.0.trackingId": "ups-000001-1", "attempts.0.error": nil, "attempts.0.doubt": nil})
	if s, _ := d.At("decisions.0.sentence").(string); !strings.Contains(s, "UPS") && !strings.Contains(s, "ups") {
		t.Errorf("sentence = %q", s)
	}
	tr := h.Do("GET", "/shipments/why/trace", "").Want(200)
	golden(t, "trace", tr)
	ops := []any{tr.At("exchanges.0.op"), tr.At("exchanges.1.op"), tr.At("exchanges.2.op")}
	if !same([]any{"quote", "quote", "book"}, ops) {
		t.Errorf("exchanges %v", ops)
	}
	is(t, tr, map[string]any{"exchanges.2.attempt": 1, "exchanges.2.durationMs": 1.5, "exchanges.0.attempt": nil, "exchanges.2.status": 200})
	h.Do("GET", "/shipments/unknown/decision", "").Want(404)
	h.Do("GET", "/shipments/unknown/trace", "").Want(404)
	h.Do("GET", "/shipments/"+long+"/decision", "").Want(422)
	h.Do("GET", "/shipments/"+long+"/trace", "").Want(422)
	h.Do("GET", "/shipments/"+long+"/label", "").Want(422)
}

// TestCurrencyOfAnOrder: what the caller says of its own money counts before the location's and the tenant's.
func TestCurrencyOfAnOrder(t *testing.T) {
	h := apitest.New(t)
	is(t, h.Do("POST", "/shipments", apitest.Order("usual")).Want(201), map[string]any{"currencyCode": "USD"})
	is(t, h.Do("POST", "/shipments", apitest.Order("named", "currencyCode", "USD")).Want(201), map[string]any{"currencyCode": "USD"})
	is(t, h.Do("POST", "/shipments", apitest.Order("yen", "locationExternalId", "osaka", "currencyCode", "JPY")).Want(201), map[string]any{"currencyCode": "JPY"})
	for value, member := range map[string]string{"DOLLAR": "currencyCode", "usd": "currencyCode"} {
		a := h.Do("POST", "/shipments", apitest.Order("bad", "currencyCode", value)).Want(400)
		is(t, a, map[string]any{"errors.0.parameter": member})
	}
	h.Do("POST", "/shipments", apitest.Order("number", "currencyCode", 840)).Want(400)
	a := h.Do("POST", "/shipments", apitest.Order("decimals", "currencyCode", "JPY", "orderValue", 10.5)).Want(400)
	is(t, a, map[string]any{"errors.0.parameter": "orderValue"})
}

// TestEmptyTextIsEchoed: an empty text is answered as it came, and what was not given is not made up.
func TestEmptyTextIsEchoed(t *testing.T) {
	h := apitest.New(t)
	is(t, h.Do("POST", "/shipments", apitest.Order("e1", "locale", "", "signature", "", "groupId", "")).Want(201), map[string]any{"locale": "", "signature": "", "groupId": ""})
	is(t, h.Do("GET", "/shipments/e1", "").Want(200), map[string]any{"locale": "", "signature": "", "groupId": ""})
	is(t, h.Do("POST", "/shipments", apitest.Order("e2", "locale", apitest.Absent, "signature", apitest.Absent)).Want(201), map[string]any{"locale": nil, "signature": "not_required"})
	is(t, h.Do("PUT", "/shipments/e1", `{"locale":null,"signature":null}`).Want(200), map[string]any{"locale": nil, "signature": "not_required"})
}
