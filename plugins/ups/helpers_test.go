package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Connections that the process keeps open for its next request.
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// sent is one request that reached the fake.
type sent struct {
	Method, Path, Query string
	Header              http.Header
	Body                []byte
}

// fakeUPS answers every token request, and others from a queue or by its function.
type fakeUPS struct {
	*httptest.Server
	mu       sync.Mutex
	requests []sent // without those for tokens
	tokens   int
	answers  []string // HTTP answers in text form, first come first served
	answer   func(sent) string
}

const tokenBody = `{"token_type":"Bearer","issued_at":"1712244289410","client_id":"id","access_token":"token-%d","expires_in":"14399","status":"approved"}`

func newFake(t testing.TB, answers ...string) *fakeUPS {
	f := &fakeUPS{answers: answers}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeUPS) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.URL.Path == tokenPath {
		f.tokens++
		reply(w, "200\n\n"+strings.ReplaceAll(tokenBody, "%d", string(rune('0'+f.tokens))))
		return
	}
	s := sent{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header, body}
	f.requests = append(f.requests, s)
	switch {
	case f.answer != nil:
		reply(w, f.answer(s))
	case len(f.answers) > 0:
		reply(w, f.answers[0])
		f.answers = f.answers[1:]
	default:
		reply(w, "500\n\nno answer was prepared")
	}
}

// reply writes an answer in text form: a line with the status, lines of headers, an empty line, the body.
func reply(w http.ResponseWriter, text string) {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ": ")
		w.Header().Set(name, value)
	}
	status := 0
	for _, c := range lines[0] {
		status = status*10 + int(c-'0')
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, strings.TrimSuffix(body, "\n"))
}

func (f *fakeUPS) last(t testing.TB) sent {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.requests) == 0 {
		t.Fatal("UPS was not asked")
	}
	return f.requests[len(f.requests)-1]
}

var testNow = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC) // a Monday, 10:00 in New York

func testConfig(base string) Config {
	return Config{BaseURL: base, ClientID: "id", ClientSecret: "secret", ShipperNumber: "A1B2C3", NegotiatedRates: true,
		PickupType: "01", Packaging: "02", Units: "auto", LabelFormat: "GIF"}
}

func openAccount(t testing.TB, cfg Config) *Account {
	t.Helper()
	env := carrier.NewEnv(carrier.EnvSettings{BaseURL: cfg.BaseURL, Now: func() time.Time { return testNow }, Secrets: carrier.SecretsIn(cfg)})
	a, err := adapter.Open(t.Context(), cfg, env)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// patience bounds what has no reason to take long. It only ends what would never end: on a busy machine everything takes long.
const patience = 2 * time.Minute

// callContext is what a method is called with.
func callContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	ctx, _ = carrier.WithTrace(ctx)
	return ctx
}

func stop(name, contact, street, city, state, zip, country, zone string) carrier.Stop {
	return carrier.Stop{Name: name, Zone: zone, Contact: shipping.Contact{Name: contact, Phone: "+12125550123", Email: "someone@example.com"},
		Address: shipping.Address{Street1: street, City: city, State: state, PostalCode: zip, CountryCode: country}}
}

func parcel(weight, unit string, l, w, h string, lengthUnit string) shipping.Parcel {
	return shipping.Parcel{
		Weight: &shipping.Weight{Value: shipping.MustDecimal(weight), Unit: unit},
		Size:   &shipping.Size{Length: shipping.MustDecimal(l), Width: shipping.MustDecimal(w), Height: shipping.MustDecimal(h), Unit: lengthUnit},
	}
}

// domestic goes from New York to Los Angeles.
func domestic() carrier.Consignment {
	c := carrier.Consignment{
		Reference: "abcdefghijklmnopqrstuvwx01", ExternalID: "WEB-10001",
		Pickup:   stop("WareHouse 301", "Dock Desk", "12 Front St", "New York", "NY", "10004-1234", "US", "America/New_York"),
		Delivery: stop("", "Ann Example", "9 Hill Rd", "Los Angeles", "CA", "90012", "US", "America/Los_Angeles"),
		Parcels:  []shipping.Parcel{parcel("5.04", "lb", "12", "9.5", "20.32", "in")},
		Items:    []shipping.Item{{SKU: "A", Title: "Red chair", Quantity: 1}, {SKU: "B", Title: "Lamp", Quantity: 2}},
		Currency: "USD", OrderValue: shipping.Money{Minor: 12050, Currency: "USD"},
	}
	c.Delivery.Address.ApartmentNumber = "Apt 4"
	c.Delivery.Address.Type = "residential"
	c.Pickup.Window.StartsAt = shipping.At(testNow.Add(2 * time.Hour))
	return c
}

// abroad goes from Toronto to Berlin, in metric units, with an adult's signature.
func abroad() carrier.Consignment {
	c := domestic()
	c.Pickup = stop("Maple Goods", "Dock Desk", "1 Bay St", "Toronto", "ON", "M5J 2X2", "CA", "America/Toronto")
	c.Delivery = stop("Bär GmbH", "Max Müller", "Unter den Linden 1", "Berlin", "", "10117", "DE", "Europe/Berlin")
	c.Delivery.Contact.Phone = "+493012345678"
	c.Parcels = []shipping.Parcel{parcel("2", "kg", "300", "200", "100", "mm"), parcel("1", "lb", "10", "10", "10", "cm")}
	c.Currency, c.OrderValue = "CAD", shipping.Money{Minor: 9900, Currency: "CAD"}
	c.Signature = "adult"
	return c
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

func pretty(t testing.TB, v any) []byte {
	t.Helper()
	var raw []byte
	var err error
	if b, ok := v.([]byte); ok {
		raw = bytes.Clone(b)
	} else if raw, err = json.Marshal(v, json.FormatNilSliceAsNull(true), json.Deterministic(true), json.OmitZeroStructFields(true),
		json.WithMarshalers(json.MarshalFunc(func(d time.Duration) ([]byte, error) { return json.Marshal(d.String()) }))); err != nil {
		t.Fatal(err)
	}
	value := jsontext.Value(raw)
	if err := value.Indent(jsontext.WithIndent("  ")); err != nil {
		t.Fatal(err)
	}
	return append(value, '\n')
}
