package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// The whole walk: quote, accept, find, edit, cancel; every request as it goes over the wire.
func TestRequestsGolden(t *testing.T) {
	f := newFake(t)
	a := f.account(t, nil)
	c := consignment()
	answer, err := a.Quote(call(t, now), carrier.QuoteRequest{Consignment: c})
	if err != nil {
		t.Fatal(err)
	}
	b, err := a.Book(call(t, now), carrier.BookRequest{Consignment: c, ServiceID: serviceID, Token: answer.Quotes[0].Token})
	if err != nil {
		t.Fatal(err)
	}
	found, err := a.Find(call(t, now), carrier.FindRequest{Reference: reference})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]carrier.Booking{b}, found); diff != "" {
		t.Errorf("found something else than was booked (-booked +found):\n%s", diff)
	}
	c.Delivery.Instructions, c.Delivery.Contact.Phone = "Leave it with the porter", "+12015550199"
	if _, err = a.Edit(call(t, now), carrier.EditRequest{Consignment: c, CarrierRef: b.CarrierRef}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // cancelled already is success
		if _, err = a.Cancel(call(t, now), carrier.CancelRequest{Reference: reference, CarrierRef: b.CarrierRef}); err != nil {
			t.Fatal(err)
		}
	}
	var got strings.Builder
	for _, r := range f.sent() {
		got.WriteString(pretty(t, r))
	}
	golden(t, "requests.txt", got.String())
	answers, err := json.Marshal(map[string]any{"quote": answer, "booking": b}, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "answers.json", string(answers)+"\n")
}

func TestRichOrderGolden(t *testing.T) {
	f := newFake(t)
	a := f.account(t, func(c *Config) {
		c.BusinessID, c.StoreID, c.Vehicles, c.Silent, c.FulfillmentMethod = "default", "301", []string{"bicycle", "car"}, true, "large_order"
	})
	c := consignment()
	c.Return, c.Signature, c.Content, c.Locale = &carrier.Stop{Name: "WareHouse 301"}, "adult", []string{"alcohol", "otc", "tobacco"}, "fr-FR"
	c.Pickup.Window.StartsAt = shipping.At(now.Add(time.Hour))
	c.Delivery.Window.StartsAt = shipping.At(now.Add(2 * time.Hour))
	c.Items = []shipping.Item{{SKU: "W-1", Title: "Wine", Quantity: 2, Price: shipping.MustDecimal("12.50"), SalePrice: shipping.MustDecimal("9.99"), Barcode: "4006381333931",
		Size:   &shipping.Size{Length: shipping.MustDecimal("30"), Width: shipping.MustDecimal("8"), Height: shipping.MustDecimal("8"), Unit: "cm"},
		Weight: &shipping.Weight{Value: shipping.MustDecimal("40"), Unit: "oz"}}}
	b, err := a.Book(call(t, now), carrier.BookRequest{Consignment: c, ServiceID: serviceID})
	if err != nil || b.Reference != reference {
		t.Fatal(b, err)
	}
	golden(t, "create.txt", pretty(t, f.sent()[0]))
}

// The way back is fetched where the buyer is, whatever store the account has, and goes back there where nobody takes it.
func TestWayBack(t *testing.T) {
	for _, back := range []bool{false, true} {
		f := newFake(t)
		a := f.account(t, func(c *Config) { c.BusinessID, c.StoreID = "default", "301" })
		c := consignment()
		c.Return = nil
		if _, err := a.Quote(call(t, now), carrier.QuoteRequest{Consignment: c, WayBack: back}); err != nil {
			t.Fatal(err)
		}
		sent := f.sent()[0]
		if strings.Contains(sent, `"pickup_external_store_id"`) == back || strings.Contains(sent, `"pickup_address"`) != back ||
			strings.Contains(sent, `"action_if_undeliverable":"return_to_pickup"`) != back {
			t.Errorf("way back %v: sent %s", back, sent)
		}
	}
}

func TestTimesOfAnOrder(t *testing.T) {
	at := func(h int) shipping.Instant { return shipping.At(now.Add(time.Duration(h) * time.Hour)) }
	for name, c := range map[string]struct {
		pickup, delivery shipping.Instant
		want             string
	}{
		"as soon as possible":    {},
		"windows in the past":    {pickup: at(-2), delivery: at(-1)},
		"pickup later":           {pickup: at(1), delivery: at(2), want: `"pickup_time":"2026-03-04T19:00:00Z"`},
		"only the delivery late": {pickup: at(-1), delivery: at(2), want: `"dropoff_time":"2026-03-04T20:00:00Z"`},
	} {
		f := newFake(t)
		x := consignment()
		x.Pickup.Window.StartsAt, x.Delivery.Window.StartsAt = c.pickup, c.delivery
		if _, err := f.account(t, nil).Quote(call(t, now), carrier.QuoteRequest{Consignment: x}); err != nil {
			t.Fatal(err)
		}
		sent := f.sent()[0]
		if n := strings.Count(sent, `"pickup_time"`) + strings.Count(sent, `"dropoff_time"`); !strings.Contains(sent, c.want) || (n > 0) != (c.want != "") || n > 1 {
			t.Errorf("%s: sent %s", name, sent)
		}
	}
}

func TestQuoteRefused(t *testing.T) {
	for body, want := range map[string]string{
		`{"code":"invalid_delivery_parameters","reason":"distance_too_long","message":"Too far"}`: "TOO_FAR",
		`{"code":"delivery_address_not_in_coverage","message":"Not in coverage"}`:                 "OUT_OF_ZONE", // as DoorDash's SDK expects it
		`{"code":"invalid_delivery_parameters","reason":"outside_of_delivery_time"}`:              "OUTSIDE_HOURS",
		`{"code":"invalid_delivery_parameters","reason":"full_moon","message":"Not tonight"}`:     "FULL_MOON",
	} {
		f := newFake(t)
		f.always(422, body)
		answer, err := f.account(t, nil).Quote(call(t, now), carrier.QuoteRequest{Consignment: consignment()})
		if err != nil || len(answer.Refusals) != 1 || answer.Refusals[0].Code != want || len(answer.Quotes) > 0 {
			t.Errorf("%s: %v, %v", body, answer, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		code   carrier.Code
		effect carrier.Effect
		source carrier.Source
		field  string
	}{
		"bad field":     {400, `{"code":"validation_error","message":"bad","field_errors":[{"field":"dropoff_phone_number","error":"not valid"}]}`, carrier.InvalidField, carrier.EffectNone, carrier.SourceCaller, "delivery.contact.phone"},
		"bad item":      {400, `{"code":"validation_error","field_errors":[{"field":"items[0].name","error":"missing"}]}`, carrier.InvalidField, carrier.EffectNone, carrier.SourceCaller, "items"},
		"credentials":   {401, `{"code":"authentication_error","message":"bad token"}`, carrier.CredentialsRejected, carrier.EffectNone, carrier.SourceConfig, ""},
		"permission":    {403, `{"code":"authorization_error","message":"no"}`, carrier.AccountNotEnabled, carrier.EffectNone, carrier.SourceConfig, ""},
		"no store":      {404, `{"code":"unknown_store_id_under_business_id","message":"no"}`, carrier.CarrierRejected, carrier.EffectNone, carrier.SourceCarrier, ""},
		"not served":    {422, `{"code":"invalid_delivery_parameters","reason":"distance_too_long"}`, carrier.ServiceUnavailable, carrier.EffectNone, carrier.SourceCaller, ""},
		"rate":          {429, `slow down`, carrier.CarrierRateLimited, carrier.EffectNone, carrier.SourceCarrier, ""},
		"fault":         {500, `{"code":"service_fault"}`, carrier.CarrierUnavailable, carrier.EffectUnknown, carrier.SourceCarrier, ""},
		"gateway":       {502, `<html>Bad Gateway</html>`, carrier.CarrierUnavailable, carrier.EffectUnknown, carrier.SourceCarrier, ""},
		"not JSON":      {200, `<html>OK</html>`, carrier.CarrierProtocol, carrier.EffectUnknown, carrier.SourceCarrier, ""},
		"cut JSON":      {200, `{"external_delivery_id":"a1b2`, carrier.CarrierProtocol, carrier.EffectUnknown, carrier.SourceCarrier, ""},
		"empty object":  {200, `{}`, carrier.CarrierProtocol, carrier.EffectUnknown, carrier.SourceCarrier, ""},
		"other's order": {200, `{"external_delivery_id":"x","delivery_status":"created"}`, carrier.CarrierProtocol, carrier.EffectUnknown, carrier.SourceCarrier, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.always(c.status, c.body)
			_, err := f.account(t, nil).Book(call(t, now), carrier.BookRequest{Consignment: consignment(), ServiceID: serviceID})
			e := wantError(t, err, c.code, c.effect)
			if e.Source != c.source || e.Field != c.field {
				t.Errorf("source %s field %q, want %s %q", e.Source, e.Field, c.source, c.field)
			}
			if c.code == carrier.CarrierRateLimited && (e.Retry != carrier.RetryAfter || e.RetryAfter <= 0) {
				t.Errorf("retry %s after %v", e.Retry, e.RetryAfter)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	f := newFake(t)
	a := f.account(t, nil)
	if err := a.Check(call(t, now)); err != nil {
		t.Error(err)
	}
	f.always(401, `{"code":"authentication_error"}`)
	wantError(t, a.Check(call(t, now)), carrier.CredentialsRejected, carrier.EffectNone)
}

// A quote asked for twice under one reference, as after a lost answer, is read again.
func TestQuoteTwice(t *testing.T) {
	f := newFake(t)
	a := f.account(t, nil)
	first, err := a.Quote(call(t, now), carrier.QuoteRequest{Consignment: consignment()})
	if err != nil {
		t.Fatal(err)
	}
	again, err := a.Quote(call(t, now.Add(time.Minute)), carrier.QuoteRequest{Consignment: consignment()})
	if err != nil || len(again.Quotes) != 1 || again.Quotes[0].Amount != first.Quotes[0].Amount {
		t.Fatal(again, err)
	}
	if want := now.Add(-30*time.Second + quoteLife); !again.Quotes[0].Expires.Equal(want) { // counted from updated_at
		t.Errorf("expires %v, want %v", again.Quotes[0].Expires, want)
	}
	other := consignment()
	other.Delivery.Contact.Phone = "+12015550000"
	_, err = a.Quote(call(t, now), carrier.QuoteRequest{Consignment: other})
	wantError(t, err, carrier.DuplicateReference, carrier.EffectNone)
	if _, err = a.Book(call(t, now), carrier.BookRequest{Consignment: consignment(), Token: first.Quotes[0].Token}); err != nil {
		t.Fatal(err)
	}
	_, err = a.Quote(call(t, now), carrier.QuoteRequest{Consignment: consignment()})
	wantError(t, err, carrier.DuplicateReference, carrier.EffectNone)
}

func TestBookConflicts(t *testing.T) {
	type world struct {
		f     *fake
		a     *Account
		token []byte
	}
	begin := func(t *testing.T) world {
		f := newFake(t)
		a := f.account(t, nil)
		q, err := a.Quote(call(t, now), carrier.QuoteRequest{Consignment: consignment()})
		if err != nil {
			t.Fatal(err)
		}
		f.sent()
		return world{f, a, q.Quotes[0].Token}
	}
	t.Run("accepted before", func(t *testing.T) {
		w := begin(t)
		r := carrier.BookRequest{Consignment: consignment(), Token: w.token}
		first, err := w.a.Book(call(t, now), r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.a.Book(call(t, now), r)
		if diff := cmp.Diff(first, again); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		if got := w.f.sent(); len(got) != 3 || !strings.HasPrefix(got[2], "GET ") {
			t.Errorf("sent %q", got)
		}
	})
	t.Run("another order has the reference", func(t *testing.T) {
		w := begin(t)
		w.f.set(reference, "delivery_status", "confirmed")
		w.f.set(reference, "order_value", 1)
		_, err := w.a.Book(call(t, now), carrier.BookRequest{Consignment: consignment(), Token: w.token})
		wantError(t, err, carrier.DuplicateReference, carrier.EffectNone)
	})
	t.Run("cancelled before", func(t *testing.T) {
		w := begin(t)
		w.f.set(reference, "delivery_status", "cancelled")
		_, err := w.a.Book(call(t, now), carrier.BookRequest{Consignment: consignment(), Token: w.token})
		wantError(t, err, carrier.DuplicateReference, carrier.EffectNone)
	})
	t.Run("created without its quote", func(t *testing.T) {
		w := begin(t)
		_, err := w.a.Book(call(t, now), carrier.BookRequest{Consignment: consignment()})
		wantError(t, err, carrier.QuoteExpired, carrier.EffectNone)
	})
	t.Run("the conflict cannot be looked into", func(t *testing.T) {
		w := begin(t)
		w.f.set(reference, "delivery_status", "created")
		w.f.answer = func(rw http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet {
				refuse(rw, 503, "")
			}
			return r.Method == http.MethodGet
		}
		_, err := w.a.Book(call(t, now), carrier.BookRequest{Consignment: consignment(), Token: w.token})
		wantError(t, err, carrier.CarrierUnavailable, carrier.EffectUnknown)
	})
	t.Run("still a quote", func(t *testing.T) {
		w := begin(t)
		w.f.answer = func(rw http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost {
				refuse(rw, 409, `{"code":"duplicate_delivery_id"}`)
			}
			return r.Method == http.MethodPost
		}
		_, err := w.a.Book(call(t, now), carrier.BookRequest{Consignment: consignment(), Token: w.token})
		wantError(t, err, carrier.OutcomeUnknown, carrier.EffectUnknown)
	})
}

func TestQuoteExpires(t *testing.T) {
	f := newFake(t)
	a := f.account(t, nil)
	q, err := a.Quote(call(t, now), carrier.QuoteRequest{Consignment: consignment()})
	if err != nil {
		t.Fatal(err)
	}
	f.sent()
	r := carrier.BookRequest{Consignment: consignment(), Token: q.Quotes[0].Token}
	_, err = a.Book(call(t, now.Add(quoteLife)), r)
	wantError(t, err, carrier.QuoteExpired, carrier.EffectNone)
	if got := f.sent(); len(got) > 0 {
		t.Errorf("a quote that is known to be too old was sent: %q", got)
	}
	for _, late := range []struct {
		status int
		body   string
	}{
		{404, `{"code":"unknown_delivery_id"}`},
		{400, `{"code":"validation_error","field_errors":[{"field":"external_delivery_id","error":"expired"}]}`},
		{400, `{"code":"validation_error","message":"The Quote is no longer valid"}`},
		{400, `{"code":"validation_error","reason":"quote_expired"}`},
	} {
		f.always(late.status, late.body)
		_, err = a.Book(call(t, now), r)
		wantError(t, err, carrier.QuoteExpired, carrier.EffectNone)
	}
	f.always(404, `{"code":"not_found","message":"No such route"}`) // about the address of the server, not about the quote
	if _, err = a.Book(call(t, now), r); carrier.AsError(err).Code == carrier.QuoteExpired || carrier.AsError(err).Effect != carrier.EffectNone {
		t.Errorf("404 of a route: %v", err)
	}
	f.always(400, `{"code":"validation_error","message":"One or more fields are invalid"}`)
	_, err = a.Book(call(t, now), r)
	wantError(t, err, carrier.InvalidField, carrier.EffectNone)
	if said := carrier.AsError(err).CarrierMessage; said != "One or more fields are invalid" {
		t.Errorf("DoorDash's words came as %q", said)
	}
	f.always(400, `{"code":"validation_error","field_errors":[{"field":"tip","error":"too small"}]}`)
	_, err = a.Book(call(t, now), r)
	wantError(t, err, carrier.InvalidField, carrier.EffectNone)
	r.Token = []byte("no token")
	_, err = a.Book(call(t, now), r)
	wantError(t, err, carrier.InvalidField, carrier.EffectNone)
}

// An answer that breaks off after the carrier has acted is unknown, and Find then sees the booking.
func TestLostAnswerIsFound(t *testing.T) {
	f := newFake(t)
	a := f.account(t, nil)
	found, err := a.Find(call(t, now), carrier.FindRequest{Reference: reference})
	if err != nil || len(found) > 0 {
		t.Fatal(found, err)
	}
	q, err := a.Quote(call(t, now), carrier.QuoteRequest{Consignment: consignment()})
	if err != nil {
		t.Fatal(err)
	}
	if found, err = a.Find(call(t, now), carrier.FindRequest{Reference: reference}); err != nil || len(found) > 0 {
		t.Fatalf("a quote is not a booking: %v, %v", found, err)
	}
	f.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		f.deliveries[reference]["delivery_status"] = "created"
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("{"))
		panic(http.ErrAbortHandler)
	}
	_, err = a.Book(call(t, now), carrier.BookRequest{Consignment: consignment(), Token: q.Quotes[0].Token})
	wantError(t, err, carrier.OutcomeUnknown, carrier.EffectUnknown)
	if found, err = a.Find(call(t, now), carrier.FindRequest{Reference: reference}); err != nil || len(found) != 1 || found[0].Reference != reference || found[0].Cancelled {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestCancelAndEditRefused(t *testing.T) {
	for body, c := range map[string]struct {
		edit bool
		code carrier.Code
	}{
		`{"code":"cancel_not_allowed","reason":"delivery_picked_up","message":"no"}`: {false, carrier.CancelRefused},
		`{"code":"cancellation_window_closed","message":"no"}`:                       {false, carrier.CancelRefused},
		`{"code":"update_not_allowed","reason":"update_window_closed"}`:              {true, carrier.EditRefused},
		`{"code":"delivery_picked_up"}`:                                              {true, carrier.EditRefused},
	} {
		f := newFake(t)
		a := f.account(t, nil)
		f.always(409, body)
		var err error
		if c.edit {
			_, err = a.Edit(call(t, now), carrier.EditRequest{Consignment: consignment()})
		} else {
			_, err = a.Cancel(call(t, now), carrier.CancelRequest{Reference: reference})
		}
		wantError(t, err, c.code, carrier.EffectNone)
		f.always(404, `{"code":"unknown_delivery_id"}`)
		_, err = a.Cancel(call(t, now), carrier.CancelRequest{Reference: reference})
		wantError(t, err, carrier.BookingNotFound, carrier.EffectNone)
	}
}

// A token serves until shortly before its end by the engine's clock, and is dropped after a 401.
func TestTokenIsCached(t *testing.T) {
	f := newFake(t)
	a := f.account(t, nil)
	var seen []string
	f.answer = func(_ http.ResponseWriter, r *http.Request) bool {
		seen = append(seen, r.Header.Get("Authorization"))
		return false
	}
	for _, at := range []time.Duration{0, time.Minute, tokenLife - 31*time.Second, tokenLife - 30*time.Second} {
		if err := a.Check(call(t, now.Add(at))); err != nil {
			t.Fatal(err)
		}
	}
	if len(slices.Compact(slices.Clone(seen))) != 2 || seen[2] == seen[3] {
		t.Errorf("four calls used %d tokens", len(slices.Compact(seen)))
	}
}

func TestOpenReportsEveryFault(t *testing.T) {
	_, err := open(t.Context(), Config{BaseURL: "ftp://x", SigningSecret: "not base64url!", StoreID: "1", Vehicles: []string{"tank"}, FulfillmentMethod: "pigeon"},
		carrier.NewEnv(carrier.EnvSettings{}))
	e := wantError(t, err, carrier.ConfigInvalid, carrier.EffectNone)
	for _, member := range []string{"base_url", "developer_id", "key_id", "signing_secret", "pickup_external_store_id", "dasher_allowed_vehicles[0]", "order_fulfillment_method"} {
		if !strings.Contains(e.Message, member) {
			t.Errorf("%s is not in %q", member, e.Message)
		}
	}
	if strings.Contains(e.Error(), "not base64url!") {
		t.Error("the secret is in the error")
	}
}

func TestCurrencies(t *testing.T) {
	canadian := carrier.Consignment{Pickup: carrier.Stop{Address: shipping.Address{CountryCode: "CA"}}}
	for _, c := range []struct {
		d      delivery
		amount shipping.Money
	}{
		{delivery{Fee: 975, told: told{Currency: "usd"}}, shipping.Money{Minor: 975, Currency: "USD"}},
		{delivery{Fee: 975}, shipping.Money{Minor: 975, Currency: "CAD"}},
		{delivery{Fee: 1000, Tax: 130, told: told{Currency: "CAD"}, FeeComponents: []feeComponent{{"flat_fee", 900}, {"service_fee", 100}}}, shipping.Money{Minor: 1130, Currency: "CAD"}},
	} {
		amount, _, charges := c.d.price(canadian)
		var sum int64
		for _, x := range charges {
			sum += x.Amount.Minor
		}
		if amount != c.amount || sum != amount.Minor {
			t.Errorf("%+v: %v of charges %v", c.d, amount, charges)
		}
	}
}
