package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestManifest(t *testing.T) {
	m := adapter.Manifest()
	for _, want := range []carrier.Ability{carrier.CanCheck, carrier.CanQuote, carrier.CanBook, carrier.CanCancel, carrier.CanFind, carrier.CanTrack,
		carrier.CanReturn, carrier.CanValidateAddress, carrier.CanProvideDocument} {
		if !m.Has(want) {
			t.Errorf("the manifest lacks %s", want)
		}
	}
	if m.Absence != carrier.Unproven || m.Idempotency != carrier.NoIdempotency || m.Grace != time.Minute {
		t.Errorf("absence %q, idempotency %q, grace %v", m.Absence, m.Idempotency, m.Grace)
	}
	seen := map[string]bool{}
	for _, s := range m.Services {
		if seen[s.ID] {
			t.Errorf("service %s stands twice", s.ID)
		}
		seen[s.ID] = true
	}
	for id, code := range map[string]string{"next_day_air": "01", "2nd_day_air": "02", "ground": "03", "next_day_air_early": "14", "worldwide_express": "07"} {
		if s, ok := m.Service(id); !ok || s.Code != code {
			t.Errorf("service %s has code %q, want %s", id, s.Code, code)
		}
	}
	if !strings.Contains(string(m.ConfigSchema), `"x-secret":true`) {
		t.Errorf("the schema marks no secret: %s", m.ConfigSchema)
	}
}

func TestServiceMeaningDependsOnOrigin(t *testing.T) {
	for _, tt := range []struct{ code, origin, id string }{
		{"01", "US", "next_day_air"}, {"01", "CA", "express"}, {"02", "CA", "expedited"}, {"13", "CA", "express_saver"}, {"14", "CA", "express_early"},
		{"11", "CA", "standard"}, {"07", "DE", "worldwide_express"}, {"ZZ", "US", ""},
	} {
		if o, ok := offerByCode(tt.code, tt.origin); o.ID != tt.id || ok != (tt.id != "") {
			t.Errorf("code %s from %s is %q, want %q", tt.code, tt.origin, o.ID, tt.id)
		}
	}
	if _, ok := offerByID("next_day_air", "CA"); ok {
		t.Error("Next Day Air is sold from Canada, where its code means Express")
	}
	if _, ok := offerByID("express", "US"); ok {
		t.Error("Canada's Express is sold from the United States")
	}
}

func TestConfigFaultsComeAllAtOnce(t *testing.T) {
	cfg := testConfig("ftp://x")
	cfg.ClientID, cfg.ClientSecret, cfg.ShipperNumber = " ", "", "12-45"
	cfg.Shipper = &Shipper{CountryCode: "USA", Street1: strings.Repeat("long ", 40), Street2: strings.Repeat("long ", 40)}
	_, err := adapter.Open(t.Context(), cfg, carrier.NewEnv(carrier.EnvSettings{}))
	e := carrier.AsError(err)
	if e == nil || e.Code != carrier.ConfigInvalid || e.Source != carrier.SourceConfig || e.Field != "base_url" {
		t.Fatalf("got %+v", e)
	}
	for _, want := range []string{"base_url", "client_id", "client_secret", "shipper_number", "shipper.country_code", "shipper.street1"} {
		if !strings.Contains(e.Message, want) {
			t.Errorf("%q does not name %s", e.Message, want)
		}
	}
}

func TestConfigFromJSON(t *testing.T) {
	cfg, err := carrier.DecodeConfig[Config]([]byte(`{"client_id":"id","client_secret":"s3cret","shipper_number":"A1B2C3","units":"metric"}`))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.BaseURL != "https://onlinetools.ups.com" || !cfg.NegotiatedRates || cfg.PickupType != "01" || cfg.LabelFormat != "GIF" || cfg.Shipper != nil {
		t.Errorf("defaults are missing: %+v", cfg)
	}
	if err := cfg.check(); err != nil {
		t.Error(err)
	}
}

func TestOneTokenServesManyCalls(t *testing.T) {
	f := newFake(t)
	f.answer = func(sent) string {
		return "200\n\n" + `{"VoidShipmentResponse":{"SummaryResult":{"Status":{"Code":"1"}}}}`
	}
	a := openAccount(t, testConfig(f.URL))
	ctx := callContext(t)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := a.Cancel(ctx, carrier.CancelRequest{CarrierRef: aNumber}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if f.tokens != 1 {
		t.Errorf("%d tokens were asked for 16 calls", f.tokens)
	}
	ids := map[string]bool{}
	for _, r := range f.requests {
		ids[r.Header.Get("transId")] = true
	}
	if len(ids) != 16 {
		t.Errorf("16 requests have %d ids", len(ids))
	}
}

func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	const refused = "401\n\n" + `{"response":{"errors":[{"code":"250002","message":"Invalid Authentication Information."}]}}`
	f := newFake(t)
	f.answer = func(s sent) string {
		if s.Header.Get("Authorization") == "Bearer token-1" {
			return refused
		}
		return "200\n\n" + `{"ShipmentResponse":{"ShipmentResults":{"ShipmentIdentificationNumber":"` + aNumber + `"}}}`
	}
	a := openAccount(t, testConfig(f.URL))
	b, err := a.Book(callContext(t), carrier.BookRequest{Consignment: domestic(), ServiceID: "ground"})
	if err != nil || b.CarrierRef != aNumber || f.tokens != 2 || len(f.requests) != 2 {
		t.Errorf("booked %q with %d tokens and %d requests, error %v", b.CarrierRef, f.tokens, len(f.requests), err)
	}

	f.answer = func(sent) string { return refused }
	_, err = a.Book(callContext(t), carrier.BookRequest{Consignment: domestic(), ServiceID: "ground"})
	e := carrier.AsError(err)
	if e.Code != carrier.CredentialsRejected || e.Effect != carrier.EffectNone || e.Source != carrier.SourceConfig || len(f.requests) != 4 {
		t.Errorf("after two refusals: %+v, %d requests", e, len(f.requests))
	}
}

func TestTokenRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		code   carrier.Code
	}{
		"bad client":  {401, `{"response":{"errors":[{"code":"10401","message":"ClientId is Invalid"}]}}`, carrier.CredentialsRejected},
		"bad header":  {400, `{"response":{"errors":[{"code":"10400","message":"Invalid/Missing Authorization Header"}]}}`, carrier.CredentialsRejected},
		"too many":    {429, `{"response":{"errors":[{"code":"10429","message":"Too Many Requests"}]}}`, carrier.CarrierRateLimited},
		"blocked":     {403, `<html>`, carrier.AccountNotEnabled},
		"down":        {503, ``, carrier.CarrierUnavailable},
		"no token":    {200, `{"status":"approved"}`, carrier.CarrierProtocol},
		"not JSON":    {200, `<html>`, carrier.CarrierProtocol},
		"error in it": {200, `{"response":{"errors":[{"code":"10401","message":"ClientId is Invalid"}]}}`, carrier.CredentialsRejected},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if user, pass, _ := r.BasicAuth(); user != "id" || pass != "secret" || r.FormValue("grant_type") != "client_credentials" {
					t.Errorf("token asked as %q with %v", user, r.Form)
				}
				w.WriteHeader(tt.status)
				_, _ = fmt.Fprint(w, tt.body)
			}))
			defer s.Close()
			// A booking: whatever goes wrong with the token, nothing was booked.
			_, err := openAccount(t, testConfig(s.URL)).Book(callContext(t), carrier.BookRequest{Consignment: domestic(), ServiceID: "ground"})
			if e := carrier.AsError(err); e == nil || e.Code != tt.code || e.Effect != carrier.EffectNone {
				t.Errorf("got %+v, want %s and no effect", e, tt.code)
			}
		})
	}
}

// TestLostAnswers cuts the connection after the request has arrived.
func TestLostAnswers(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == tokenPath {
			_, _ = fmt.Fprintf(w, tokenBody, 1)
			return
		}
		panic(http.ErrAbortHandler)
	}))
	defer s.Close()
	a := openAccount(t, testConfig(s.URL))
	for op, want := range map[string]carrier.Effect{
		"quote": carrier.EffectNone, "track": carrier.EffectNone, "find": carrier.EffectNone, "address": carrier.EffectNone, "document": carrier.EffectNone,
		"book": carrier.EffectUnknown, "void": carrier.EffectUnknown,
	} {
		_, err := operations[op](callContext(t), a)
		if e := carrier.AsError(err); e == nil || e.Effect != want {
			t.Errorf("%s: got %+v, want effect %s", op, e, want)
		}
	}
}

func TestUnreachableHasNoEffect(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = openAccount(t, testConfig(base)).Book(callContext(t), carrier.BookRequest{Consignment: domestic(), ServiceID: "ground"})
	if e := carrier.AsError(err); e.Effect != carrier.EffectNone || e.Code != carrier.CarrierUnavailable {
		t.Errorf("got %+v", e)
	}
}

func TestRefusedWithoutAsking(t *testing.T) {
	f := newFake(t)
	a := openAccount(t, testConfig(f.URL))
	ctx := callContext(t)
	change := func(fn func(*carrier.Consignment)) carrier.Consignment {
		c := domestic()
		fn(&c)
		return c
	}
	book := func(c carrier.Consignment, service string, format shipping.LabelFormat) error {
		_, err := a.Book(ctx, carrier.BookRequest{Consignment: c, ServiceID: service, LabelFormat: format})
		return err
	}
	giveBack := func(c carrier.Consignment, service string) error {
		_, err := a.BookReturn(ctx, carrier.BookRequest{Consignment: c, ServiceID: service})
		return err
	}
	two := change(func(c *carrier.Consignment) { c.Parcels = append(c.Parcels, c.Parcels[0]) })
	for name, tt := range map[string]struct {
		err   error
		code  carrier.Code
		field string
	}{
		"no parcels":        {book(change(func(c *carrier.Consignment) { c.Parcels = nil }), "ground", ""), carrier.InvalidField, "parcels"},
		"no weight":         {book(change(func(c *carrier.Consignment) { c.Parcels = []shipping.Parcel{{}} }), "ground", ""), carrier.InvalidField, "parcels[0].weight"},
		"street too long":   {book(change(func(c *carrier.Consignment) { c.Delivery.Address.Street2 = strings.Repeat("x", 100) }), "ground", ""), carrier.InvalidField, "delivery.address.street1"},
		"too heavy":         {book(change(func(c *carrier.Consignment) { c.Parcels = []shipping.Parcel{parcel("151", "lb", "1", "1", "1", "in")} }), "ground", ""), carrier.InvalidField, "parcels[0]"},
		"no such service":   {book(domestic(), "teleport", ""), carrier.ServiceUnavailable, "serviceId"},
		"not from there":    {book(domestic(), "express", ""), carrier.ServiceUnavailable, "serviceId"},
		"no PDF":            {book(domestic(), "ground", shipping.PDF), carrier.InvalidField, "labelFormat"},
		"no such return":    {giveBack(domestic(), "next_day_air_saver"), carrier.InvalidField, "serviceId"},
		"two parcels back":  {giveBack(two, "ground"), carrier.InvalidField, "parcels"},
		"nothing to cancel": {func() error { _, err := a.Cancel(ctx, carrier.CancelRequest{}); return err }(), carrier.InvalidField, "carrierRef"},
		"no label named":    {func() error { _, err := a.Document(ctx, carrier.DocumentRequest{}); return err }(), carrier.InvalidField, "number"},
		"address abroad": {func() error {
			_, err := a.ValidateAddress(ctx, carrier.AddressRequest{Address: abroad().Delivery.Address})
			return err
		}(), carrier.Unsupported, "address.countryCode"},
	} {
		if e := carrier.AsError(tt.err); e == nil || e.Code != tt.code || e.Field != tt.field || e.Effect != carrier.EffectNone {
			t.Errorf("%s: got %+v, want %s at %s", name, e, tt.code, tt.field)
		}
	}
	for name, tt := range map[string]struct {
		p    shipping.Parcel
		code string
	}{
		"too heavy": {parcel("150.1", "lb", "1", "1", "1", "in"), "TOO_HEAVY"},
		"too long":  {parcel("1", "lb", "1", "1", "109", "in"), "TOO_LARGE"},
		"too thick": {parcel("1", "lb", "60", "30", "23", "in"), "TOO_LARGE"},
	} {
		got, err := a.Quote(ctx, carrier.QuoteRequest{Consignment: change(func(c *carrier.Consignment) { c.Parcels = []shipping.Parcel{tt.p} })})
		if err != nil || len(got.Refusals) != 1 || got.Refusals[0].Code != tt.code || got.Refusals[0].ServiceID != "" {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	if len(f.requests) != 0 {
		t.Errorf("UPS was asked %d times", len(f.requests))
	}
}

func TestSaturdayIsBoughtOnlyWhereConfigured(t *testing.T) {
	const row = `{"Service":{"Code":"02"},"TotalCharges":{"CurrencyCode":"USD","MonetaryValue":"%s"},"TimeInTransit":{"ServiceSummary":{"SaturdayDelivery":"%s"}}}`
	for _, order := range [][2]string{{"0", "1"}, {"1", "0"}} {
		price := map[string]string{"0": "30.00", "1": "46.00"}
		body := fmt.Sprintf(`{"RateResponse":{"RatedShipment":[`+row+","+row+`]}}`, price[order[0]], order[0], price[order[1]], order[1])
		for saturday, want := range map[bool]int64{false: 3000, true: 4600} {
			f := newFake(t, "200\n\n"+body)
			cfg := testConfig(f.URL)
			cfg.SaturdayDelivery = saturday
			got, err := openAccount(t, cfg).Quote(callContext(t), carrier.QuoteRequest{Consignment: domestic()})
			if err != nil || len(got.Quotes) != 1 || got.Quotes[0].Amount.Minor != want || (string(got.Quotes[0].Token) == saturdayToken) != saturday {
				t.Errorf("rows %v, saturday %t: got %+v, %v", order, saturday, got, err)
			}
		}
	}
}

func TestTrackManyNumbers(t *testing.T) {
	f := newFake(t)
	f.answer = func(s sent) string {
		number := s.Path[strings.LastIndex(s.Path, "/")+1:]
		if strings.HasSuffix(number, "7") {
			return "200\n\n" + `{"trackResponse":{"shipment":[{"warnings":[{"code":"TW0001"}]}]}}`
		}
		return "200\n\n" + `{"trackResponse":{"shipment":[{"package":[{"trackingNumber":"` + number + `"}]}]}}`
	}
	a := openAccount(t, testConfig(f.URL))
	var r carrier.TrackRequest
	for i := range 20 {
		r.Parcels = append(r.Parcels, carrier.TrackedParcel{Number: fmt.Sprintf("1Z00000000000000%02d", i), Reference: fmt.Sprint("ref", i)})
	}
	r.Parcels = append(r.Parcels, carrier.TrackedParcel{})
	got, err := a.Track(callContext(t), r)
	if err != nil || len(got) != len(r.Parcels) {
		t.Fatalf("%d updates of %d, %v", len(got), len(r.Parcels), err)
	}
	for i, u := range got {
		if u.Number != r.Parcels[i].Number || u.Reference != r.Parcels[i].Reference || u.Unknown != (u.Number == "" || strings.HasSuffix(u.Number, "7")) {
			t.Errorf("update %d is %+v", i, u)
		}
	}

	f.answer = func(sent) string { return "503\n\nno" }
	if _, err := a.Track(callContext(t), r); carrier.AsError(err).Code != carrier.CarrierUnavailable {
		t.Errorf("got %v", err)
	}
}

func TestTrackByReference(t *testing.T) {
	const ref = "abcdefghijklmnopqrstuvwx01"
	f := newFake(t, "200\n\n"+`{"trackResponse":{"shipment":[{"package":[{"trackingNumber":"1Z1","referenceNumber":[{"number":"other"}]},{"trackingNumber":"1Z2","referenceNumber":[{"number":"`+ref+`"}]}]}]}}`)
	got, err := openAccount(t, testConfig(f.URL)).Track(callContext(t), carrier.TrackRequest{Parcels: []carrier.TrackedParcel{{Reference: ref}}})
	if err != nil || got[0].Number != "1Z2" || got[0].Reference != ref {
		t.Errorf("got %+v, %v", got, err)
	}
	if p := f.last(t).Path; p != "/api/track/v1/reference/details/"+ref {
		t.Errorf("asked %s", p)
	}
}

func TestCheck(t *testing.T) {
	f := newFake(t, "400\n\n"+`{"response":{"errors":[{"code":"112111","message":"Missing or invalid shipper number."}]}}`)
	cfg := testConfig(f.URL)
	a := openAccount(t, cfg)
	for range 2 {
		if err := a.Check(callContext(t)); err != nil {
			t.Error(err)
		}
	}
	if f.tokens < 2 || len(f.requests) != 0 {
		t.Errorf("two checks asked for %d tokens and sent %d requests", f.tokens, len(f.requests))
	}
	cfg.Shipper = &Shipper{Name: "Example", Street1: "12 Front St", City: "New York", State: "NY", PostalCode: "10004", CountryCode: "US"}
	e := carrier.AsError(openAccount(t, cfg).Check(callContext(t)))
	if e == nil || e.Code != carrier.ConfigInvalid || e.Field != "shipper_number" {
		t.Errorf("got %+v", e)
	}
}

func TestNoSecretInExchanges(t *testing.T) {
	f := newFake(t, "200\n\n{}")
	cfg := testConfig(f.URL)
	cfg.ClientSecret = "very-s3cret"
	ctx, trace := carrier.WithTrace(callContext(t))
	_, err := openAccount(t, cfg).Book(ctx, carrier.BookRequest{Consignment: domestic(), ServiceID: "ground"})
	xs, _ := trace.Exchanges()
	if len(xs) != 2 {
		t.Fatalf("%d exchanges were recorded", len(xs))
	}
	all := fmt.Sprintf("%+v %v", xs, err)
	for _, secret := range []string{"very-s3cret", "token-1", "aWQ6dmVyeS1zM2NyZXQ="} {
		if strings.Contains(all, secret) {
			t.Errorf("%s is in the recorded exchanges", secret)
		}
	}
}

// TestStatuses holds the map of statuses, and that three digits win over type and code.
func TestStatuses(t *testing.T) {
	for _, tt := range []struct {
		kind, code, three text
		want              shipping.Status
		sub               string
	}{
		{"M", "MP", "003", shipping.OrderDispatched, ""}, {"M", "??", "", shipping.OrderDispatched, ""},
		{"I", "OR", "005", shipping.PickupCompleted, ""}, {"I", "AR", "005", shipping.InTransit, ""}, {"I", "??", "005", shipping.InTransit, ""},
		{"I", "??", "", "", ""}, {"I", "OT", "021", shipping.OutForDelivery, ""}, {"I", "OF", "72", shipping.OutForDelivery, ""},
		{"I", "DP", "", shipping.InTransit, ""}, {"M", "DP", "", shipping.OrderDispatched, ""}, {"X", "DP", "", shipping.ErrorException, ""},
		{"X", "OR", "", shipping.ErrorException, ""}, {"P", "PU", "038", shipping.PickupCompleted, ""},
		{"D", "FS", "", shipping.OrderDelivered, ""}, {"D", "??", "", "", ""}, {"D", "OT", "021", shipping.OutForDelivery, ""},
		{"D", "UA", "011", shipping.OrderUndeliverable, returned}, {"D", "FS", "034", shipping.OrderUndeliverable, returned},
		{"D", "2Q", "161", shipping.OrderAtLocation, ""}, {"D", "ZP", "040", shipping.OrderAtLocation, ""},
		{"X", "48", "022", shipping.OrderRedelivery, ""}, {"X", "49", "022", shipping.OrderUndeliverable, ""}, {"X", "55", "060", shipping.OrderRedelivery, ""},
		{"X", "DL", "033", shipping.OrderUndeliverable, returnStarted}, {"X", "", "092", shipping.OrderDelayed, customs},
		{"X", "RZ", "014", shipping.InTransit, ""}, {"X", "RZ", "", shipping.OrderDelayed, customs}, {"X", "DJ", "", shipping.OrderDelayed, weather},
		{"MV", "VP", "007", shipping.OrderCancelled, ""}, {"MV", "VP", "", shipping.OrderCancelled, ""},
		{"MV", "", "", shipping.OrderCancelled, ""}, {"W", "XX", "", "", ""}, {"", "011", "", shipping.OrderDelivered, ""},
	} {
		got := meaningOfStatus(status{Type: tt.kind, Code: tt.code, StatusCode: tt.three})
		if got.status != tt.want || got.sub != tt.sub {
			t.Errorf("%s/%s/%s is %q %q, want %q %q", tt.kind, tt.code, tt.three, got.status, got.sub, tt.want, tt.sub)
		}
		if by := got.reason == shipping.CancelledByMerchant; by != (tt.want == shipping.OrderCancelled) {
			t.Errorf("%s/%s/%s is for the reason %q", tt.kind, tt.code, tt.three, got.reason)
		}
	}
	for _, m := range []map[text]outcome{bySure, byPair, byDoubt, byType} {
		for code, o := range m {
			if !slices.Contains(shipping.Statuses, o.status) || o.reason != "" && reasonTitles[o.reason] == "" {
				t.Errorf("%s means %+v", code, o)
			}
		}
	}
}

func TestCancelledCallStopsAsking(t *testing.T) {
	f := newFake(t)
	a := openAccount(t, testConfig(f.URL))
	for op, do := range operations {
		ctx, stop := context.WithCancel(callContext(t))
		stop()
		_, err := do(ctx, a)
		if e, ok := errors.AsType[*carrier.Error](err); !ok || e.Effect != carrier.EffectNone {
			t.Errorf("%s on an ended call: %v", op, err)
		}
	}
	if len(f.requests) != 0 {
		t.Errorf("UPS was asked %d times", len(f.requests))
	}
}
