package main

import (
	"context"
	"encoding/base64"
	"flag"
	"fmt"
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
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var update = flag.Bool("update", false, "write the golden files")

// TestMain lets the test's own binary be the adapter's: a host that starts it sets the handshake's cookie.
func TestMain(m *testing.M) {
	if os.Getenv("WAYBILL_CARRIER") != "" {
		main()
	}
	// Connections that are kept alive belong to the process, not to a test.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

var now = time.Date(2026, 3, 4, 18, 0, 0, 0, time.UTC)

var secretBytes = []byte("a secret of \xff\xfe bytes")

const (
	developer = "8a6fe2ac-7d0f-4fd2-9b9d-1ba2ee6a1b7e"
	keyID     = "0d0f8a9e-3f0c-4a56-a2a0-6d3f4c0a8a11"
	pushAuth  = "Basic d2F5YmlsbDpzM2NyZXQ="
)

// fake is the little of DoorDash that the adapter's behaviour hangs on. Deliveries are loose maps, so that no struct of the
// adapter can agree with itself.
type fake struct {
	*httptest.Server
	mu         sync.Mutex
	deliveries map[string]map[string]any
	requests   []string // "POST /drive/v2/quotes {...}"
	answer     func(w http.ResponseWriter, r *http.Request) bool
	faults     []string // what was wrong with requests
}

func newFake(t testing.TB) *fake {
	f := &fake{deliveries: map[string]map[string]any{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() {
		f.Close()
		for _, x := range f.faults {
			t.Error(x)
		}
	})
	return f
}

func (f *fake) account(t testing.TB, change func(*Config)) *Account {
	t.Helper()
	cfg := Config{BaseURL: f.URL, DeveloperID: developer, KeyID: keyID, PushAuthorization: pushAuth,
		SigningSecret: carrier.Secret(base64.RawURLEncoding.EncodeToString(secretBytes))}
	if change != nil {
		change(&cfg)
	}
	env := carrier.NewEnv(carrier.EnvSettings{BaseURL: cfg.BaseURL, Secrets: carrier.SecretsIn(cfg)})
	a, err := open(t.Context(), cfg, env)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// patience bounds what has no reason to take long. It only ends what would never end: on a busy machine everything takes long.
const patience = 2 * time.Minute

// call is the context of one call, at a moment of the engine's clock.
func call(t testing.TB, at time.Time) context.Context {
	ctx, cancel := context.WithTimeout(carrier.WithNow(t.Context(), at), patience)
	t.Cleanup(cancel)
	ctx, _ = carrier.WithTrace(ctx)
	return ctx
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.faults = append(f.faults, err.Error())
	}
	f.requests = append(f.requests, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
	f.checkToken(r.Header.Get("Authorization"))
	if f.answer != nil && f.answer(w, r) {
		return
	}
	rest := strings.TrimPrefix(r.URL.Path, "/drive/v2/")
	kind, id, _ := strings.Cut(rest, "/")
	id, verb, _ := strings.Cut(id, "/")
	var sent map[string]any
	if len(body) > 0 {
		if err := json.Unmarshal(body, &sent); err != nil {
			f.faults = append(f.faults, "body: "+err.Error())
		}
	}
	switch r.Method + " " + kind + " " + verb {
	case "POST quotes ", "POST deliveries ":
		id = fmt.Sprint(sent["external_delivery_id"])
		if f.deliveries[id] != nil {
			refuse(w, 409, `{"code":"duplicate_delivery_id","message":"Duplicate delivery ID","external_delivery_id":"`+id+`"}`)
			return
		}
		sent["delivery_status"] = map[string]string{"quotes": "quote", "deliveries": "created"}[kind]
		f.deliveries[id] = sent
		f.show(w, id)
	case "POST quotes accept":
		d := f.deliveries[id]
		switch {
		case d == nil:
			refuse(w, 404, `{"code":"unknown_delivery_id","message":"not found","external_delivery_id":"`+id+`"}`)
		case d["delivery_status"] != "quote":
			refuse(w, 409, `{"code":"duplicate_delivery_id","message":"Duplicate delivery ID"}`)
		default:
			d["delivery_status"] = "created"
			f.show(w, id)
		}
	case "GET deliveries ", "PATCH deliveries ", "PUT deliveries cancel":
		d := f.deliveries[id]
		if d == nil {
			refuse(w, 404, `{"code":"unknown_delivery_id","message":"not found","external_delivery_id":"`+id+`"}`)
			return
		}
		for k, v := range sent {
			d[k] = v
		}
		if verb == "cancel" {
			if d["delivery_status"] == "cancelled" {
				refuse(w, 409, `{"code":"cancel_not_allowed","message":"Delivery is cancelled","reason":"delivery_cancelled"}`)
				return
			}
			d["delivery_status"], d["cancellation_reason"] = "cancelled", "cancelled_by_creator"
		}
		f.show(w, id)
	default:
		f.faults = append(f.faults, "unexpected request "+r.Method+" "+r.URL.Path)
		refuse(w, 404, "")
	}
}

// show answers with a delivery, in the shape of DoorDash's published sample.
func (f *fake) show(w http.ResponseWriter, id string) {
	out := map[string]any{
		"currency": "USD", "fee": 975, "support_reference": "1391249345", "tracking_url": "https://doordash.com/tracking?id=9f8e", "updated_at": "2026-03-04T17:59:30Z",
		"fee_components":        []any{map[string]any{"type": "distance_based_fee", "amount": 825}, map[string]any{"type": "service_fee", "amount": 150}},
		"pickup_time_estimated": "2026-03-04T18:20:00Z", "dropoff_time_estimated": "2026-03-04T18:45:00Z", "dasher_id": nil, "tax": nil,
	}
	for k, v := range f.deliveries[id] {
		out[k] = v
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.MarshalWrite(w, out); err != nil {
		f.faults = append(f.faults, err.Error())
	}
}

func refuse(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// checkToken judges a token as DoorDash's documentation says it does.
func (f *fake) checkToken(header string) {
	text, ok := strings.CutPrefix(header, "Bearer ")
	parsed, err := jwt.Parse(text, func(*jwt.Token) (any, error) { return secretBytes, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithAudience("doordash"), jwt.WithIssuer(developer), jwt.WithoutClaimsValidation())
	if !ok || err != nil {
		f.faults = append(f.faults, fmt.Sprintf("token %q: %v", header, err))
		return
	}
	claims := parsed.Claims.(jwt.MapClaims)
	iat, exp := claims["iat"].(float64), claims["exp"].(float64)
	if parsed.Header["dd-ver"] != "DD-JWT-V1" || claims["kid"] != keyID || claims["aud"] != "doordash" || claims["iss"] != developer || exp-iat > 1800 || exp <= iat {
		f.faults = append(f.faults, fmt.Sprintf("token header %v, claims %v", parsed.Header, claims))
	}
}

// sent returns the requests since the last time.
func (f *fake) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.requests
	f.requests = nil
	return out
}

func (f *fake) set(id, member string, value any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deliveries[id][member] = value
}

// always answers everything with one status and body.
func (f *fake) always(status int, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		refuse(w, status, body)
		return true
	}
}

const reference = "a1b2c3d4e5f6g7h8i9j0k1l2m3"

func consignment() carrier.Consignment {
	lat, lng := 32.828424, -96.776869
	return carrier.Consignment{
		Reference: reference, ExternalID: "1908244", Currency: "USD", Locale: "en_US", DistanceMetres: 5000,
		OrderValue: shipping.Money{Minor: 7865, Currency: "USD"}, Tip: shipping.Money{Minor: 300, Currency: "USD"},
		Pickup: carrier.Stop{Name: "WareHouse 301", Zone: "America/Chicago", Instructions: "Enter from the staff entrance",
			Address: shipping.Address{Street1: "The Mall", City: "Dallas", State: "TX", PostalCode: "75219", CountryCode: "US"},
			Contact: shipping.Contact{Name: "Michele Parker", Phone: "+12015550123"}},
		Delivery: carrier.Stop{Zone: "America/Chicago", Instructions: "Please close the gate once you enter.",
			Address: shipping.Address{Street1: "5411 Mercedes Avenue", ApartmentNumber: "4B", City: "Dallas", State: "TX", PostalCode: "75206", CountryCode: "US", Latitude: &lat, Longitude: &lng},
			Contact: shipping.Contact{Name: "Charlize van Brian", Phone: "+12015555555"}},
		Parcels: []shipping.Parcel{{Name: "small",
			Size:   &shipping.Size{Length: shipping.MustDecimal("6"), Width: shipping.MustDecimal("6"), Height: shipping.MustDecimal("6"), Unit: "in"},
			Weight: &shipping.Weight{Value: shipping.MustDecimal("1"), Unit: "kg"}}},
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// pretty writes a request with its JSON body indented.
func pretty(t *testing.T, request string) string {
	t.Helper()
	line, body, ok := strings.Cut(request, " {")
	if !ok {
		return request + "\n"
	}
	v := jsontext.Value("{" + body)
	if err := v.Indent(jsontext.WithIndent("  ")); err != nil {
		t.Fatal(err)
	}
	return line + "\n" + string(v) + "\n"
}

func wantError(t *testing.T, err error, code carrier.Code, effect carrier.Effect) *carrier.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", code)
	}
	e := carrier.AsError(err)
	if e.Code != code || e.Effect != effect {
		t.Fatalf("got %s with effect %s (%v), want %s with effect %s", e.Code, e.Effect, err, code, effect)
	}
	return e
}
