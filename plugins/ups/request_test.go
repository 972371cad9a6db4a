package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestRequests holds every request body against a golden file, and against UPS's own schema where that is at hand.
func TestRequests(t *testing.T) {
	quote := func(c carrier.Consignment) func(context.Context, *Account) {
		return func(ctx context.Context, a *Account) { _, _ = a.Quote(ctx, carrier.QuoteRequest{Consignment: c}) }
	}
	book := func(c carrier.Consignment, service string, format shipping.LabelFormat, token string) func(context.Context, *Account) {
		return func(ctx context.Context, a *Account) {
			_, _ = a.Book(ctx, carrier.BookRequest{Consignment: c, ServiceID: service, LabelFormat: format, Token: []byte(token)})
		}
	}
	signed := domestic()
	signed.Signature = "direct"
	signed.Parcels = append(signed.Parcels, parcel("70", "kg", "0.3", "0.2", "0.1", "m"))
	signed.Parcels[1].Weight.Value = shipping.MustDecimal("60.25")
	toCanada := domestic()
	toCanada.Delivery = abroad().Pickup
	toCanada.OrderValue = shipping.Money{}
	back := domestic()
	back.Pickup, back.Delivery = back.Delivery, back.Pickup
	tests := []struct {
		name, path, query, spec, schema string
		config                          func(*Config)
		call                            func(context.Context, *Account)
	}{
		{"rate_domestic", "/api/rating/v2409/Shoptimeintransit", "additionalinfo=timeintransit", "Rating", "RATERequestWrapper", nil, quote(domestic())},
		{"rate_abroad", "/api/rating/v2409/Shoptimeintransit", "additionalinfo=timeintransit", "Rating", "RATERequestWrapper", func(c *Config) {
			c.SaturdayDelivery, c.NegotiatedRates = true, false
		}, quote(abroad())},
		{"rate_return", "/api/rating/v2409/Shoptimeintransit", "additionalinfo=timeintransit", "Rating", "RATERequestWrapper", func(c *Config) {
			c.SaturdayDelivery = true
		}, func(ctx context.Context, a *Account) {
			wanted := back
			wanted.Signature = "adult" // which a return does not get
			_, _ = a.Quote(ctx, carrier.QuoteRequest{Consignment: wanted, WayBack: true})
		}},
		{"ship_domestic", "/api/shipments/v2409/ship", "", "Shipping", "SHIPRequestWrapper", nil, book(signed, "next_day_air", "ZPL", saturdayToken)},
		{"ship_abroad", "/api/shipments/v2409/ship", "additionaladdressvalidation=city", "Shipping", "SHIPRequestWrapper", func(c *Config) {
			c.ValidateAddresses = true
			c.Shipper = &Shipper{Name: "Maple Goods Inc.", Attention: "Billing", Phone: "+14165550100", Street1: "200 King St W", City: "Toronto",
				State: "ON", PostalCode: "M5H 3T4", CountryCode: "CA"}
		}, book(abroad(), "express_saver", "", "")},
		{"ship_to_canada", "/api/shipments/v2409/ship", "", "Shipping", "SHIPRequestWrapper", nil, book(toCanada, "standard", "EPL", "")},
		{"return_domestic", "/api/shipments/v2409/ship", "", "Shipping", "SHIPRequestWrapper", nil, func(ctx context.Context, a *Account) {
			_, _ = a.BookReturn(ctx, carrier.BookRequest{Consignment: back, ServiceID: "ground"})
		}},
		{"recovery_by_reference", "/api/labels/v1/recovery", "", "Shipping", "LABELRECOVERYRequestWrapper", nil, func(ctx context.Context, a *Account) {
			_, _ = a.Find(ctx, carrier.FindRequest{Reference: back.Reference})
		}},
		{"recovery_by_number", "/api/labels/v1/recovery", "", "Shipping", "LABELRECOVERYRequestWrapper", nil, func(ctx context.Context, a *Account) {
			_, _ = a.Document(ctx, carrier.DocumentRequest{Number: "1Z5R89390357567127", LabelFormat: shipping.PDF})
		}},
		{"address", "/api/addressvalidation/v2/3", "maximumcandidatelistsize=15", "AddressValidation", "XAVRequestWrapper", nil, func(ctx context.Context, a *Account) {
			_, _ = a.ValidateAddress(ctx, carrier.AddressRequest{Address: domestic().Pickup.Address})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			cfg := testConfig(f.URL)
			if tt.config != nil {
				tt.config(&cfg)
			}
			tt.call(callContext(t), openAccount(t, cfg))
			got := f.last(t)
			if got.Method != "POST" || got.Path != tt.path || got.Query != tt.query {
				t.Errorf("asked %s %s?%s, want POST %s?%s", got.Method, got.Path, got.Query, tt.path, tt.query)
			}
			golden(t, filepath.Join("requests", tt.name+".json"), pretty(t, got.Body))
			if tt.schema != "" {
				checkSchema(t, tt.spec, tt.schema, got.Body)
			}
		})
	}
}

// checkSchema validates a body against a vendor's OpenAPI file, and skips, saying so, where that is not at hand.
func checkSchema(t *testing.T, spec, name string, body []byte) {
	t.Helper()
	for _, e := range violations(t, spec, name, body) {
		t.Errorf("%s: %v", name, e)
	}
}

// violations are what a schema has against a body, but for its own defects.
func violations(t *testing.T, spec, name string, body []byte) []*openapi3.SchemaError {
	t.Helper()
	path := filepath.Join(repositoryRoot(t), "..", "shared", "carriers", "specs", "ups", "json", spec+".json")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("UPS's schema is not at hand, the body is checked against its golden file only: %v", err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	found := schemaErrors(doc.Components.Schemas[name].Value.VisitJSON(v, openapi3.MultiErrors()))
	return slices.DeleteFunc(found, func(e *openapi3.SchemaError) bool {
		_, defect := specDefects[strings.Join(e.JSONPointer(), "/")+" "+e.SchemaField]
		return defect
	})
}

// specDefects are demands of UPS's schemas that contradict UPS's own text beside them, by place and keyword.
var specDefects = map[string]string{
	"LabelRecoveryRequest/TrackingNumbers required":                           "required by the schema, and by its description a list of Roadie (1R) numbers only",
	"LabelRecoveryRequest/ReferenceValues required":                           "required by the schema, and by its description only where no tracking number is given, or for Roadie",
	"LabelRecoveryRequest/LabelSpecification/LabelImageFormat/Code minLength": "four letters by the schema, and GIF, PDF, ZPL, EPL and SPL are the values that its description allows",
}

// schemaErrors are the single faults that a validation has found.
func schemaErrors(err error) []*openapi3.SchemaError {
	var out []*openapi3.SchemaError
	var single *openapi3.SchemaError
	var several openapi3.MultiError
	switch {
	case err == nil:
	case errors.As(err, &several):
		for _, e := range several {
			out = append(out, schemaErrors(e)...)
		}
	case errors.As(err, &single):
		out = append(out, single)
	default:
		out = append(out, &openapi3.SchemaError{Reason: err.Error()})
	}
	return out
}

// TestSchemaFaultsShow: apart from the defects that are known, a body that UPS's schema refuses is refused.
func TestSchemaFaultsShow(t *testing.T) {
	body := `{"LabelRecoveryRequest":{"Request":{},"LabelSpecification":{"LabelImageFormat":{"Code":"GIF"},"LabelStockSize":{"Height":"6"}},
		"TrackingNumber":"1Z5R89390357567127000","ReferenceValues":{"ReferenceNumber":{"Value":"x"},"ShipperNumber":"A1B2C34"}}}`
	var places []string
	for _, e := range violations(t, "Shipping", "LABELRECOVERYRequestWrapper", []byte(body)) {
		places = append(places, strings.Join(e.JSONPointer(), "/"))
	}
	slices.Sort(places)
	if want := []string{"LabelRecoveryRequest/LabelSpecification/LabelStockSize/Width", "LabelRecoveryRequest/ReferenceValues/ShipperNumber", "LabelRecoveryRequest/TrackingNumber"}; !slices.Equal(places, want) {
		t.Errorf("faults at %q, want %q", places, want)
	}
}

func repositoryRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = up
	}
}

func TestGetAndDeleteRequests(t *testing.T) {
	f := newFake(t)
	f.answer = func(s sent) string {
		return `400` + "\n\n" + `{"response":{"errors":[{"code":"300007","message":"No label"}]}}`
	}
	a := openAccount(t, testConfig(f.URL))
	ctx := callContext(t)

	_, _ = a.Cancel(ctx, carrier.CancelRequest{CarrierRef: "1Z 1/2"})
	if got := f.last(t); got.Method != "DELETE" || got.Path != "/api/shipments/v2409/void/cancel/1Z%201%2F2" || len(got.Body) != 0 {
		t.Errorf("void asked %s %s with %q", got.Method, got.Path, got.Body)
	}
	_, _ = a.Track(ctx, carrier.TrackRequest{Parcels: []carrier.TrackedParcel{{Number: "1Z5R89390357567127"}}})
	got := f.last(t)
	if got.Method != "GET" || got.Path != "/api/track/v1/details/1Z5R89390357567127" {
		t.Errorf("tracking asked %s %s", got.Method, got.Path)
	}
	if id := got.Header.Get("transId"); len(id) != 32 || got.Header.Get("transactionSrc") == "" {
		t.Errorf("tracking needs transId (32 characters) and transactionSrc, got %q and %q", id, got.Header.Get("transactionSrc"))
	}
	_, _ = a.Find(ctx, carrier.FindRequest{Reference: "abcdefghijklmnopqrstuvwx01", From: testNow, To: testNow})
	got = f.last(t)
	want := url.Values{"locale": {"en_US"}, "fromPickUpDate": {"20260301"}, "toPickUpDate": {"20260310"}, "shipperNum": {"A1B2C3"}, "refNumType": {"SmallPackage"}}
	if got.Path != "/api/track/v1/reference/details/abcdefghijklmnopqrstuvwx01" || got.Query != want.Encode() {
		t.Errorf("tracking by reference asked %s?%s", got.Path, got.Query)
	}
}

// TestLimits holds every text of a booking with oversized texts against the lengths of UPS's fields.
func TestLimits(t *testing.T) {
	long := strings.Repeat("Wörd ", 18)
	c := abroad()
	for _, s := range []*carrier.Stop{&c.Pickup, &c.Delivery} {
		s.Name, s.Contact.Name, s.Address.City = long, long+"\n\x01", long
		s.Address.Street1 = long
		s.Address.State, s.Address.PostalCode = "Ontario", "M5J-2X2-9999"
		s.Contact.Email = strings.Repeat("a", 60) + "@example.com"
		s.Contact.Phone = "+4930123456789012345"
	}
	c.Items[0].Title = long
	c.ExternalID = long
	f := newFake(t)
	_, _ = openAccount(t, testConfig(f.URL)).Book(callContext(t), carrier.BookRequest{Consignment: c, ServiceID: "express"})
	checkSchema(t, "Shipping", "SHIPRequestWrapper", f.last(t).Body)
}
