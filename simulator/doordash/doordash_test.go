package doordash_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/doordash"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is a Friday in the world of these tests.
var noon = time.Date(2026, 5, 15, 18, 5, 0, 0, time.UTC)

// order is a delivery of about a mile within Chicago.
const order = `{"external_delivery_id":"ID","pickup_address":"1 N State St, Chicago, IL 60602","pickup_phone_number":"+13125550100",
"dropoff_address":"233 S Wacker Dr, Chicago, IL 60606","dropoff_phone_number":"+13125550142","dropoff_contact_given_name":"B",
"order_value":6420,"tip":600,"items":[{"name":"Meal","quantity":2}],"shoe_size":44}`

// with replaces parts of the order: pairs of old and new.
func with(id string, pairs ...string) string {
	return strings.Replace(strings.NewReplacer(pairs...).Replace(order), `"ID"`, `"`+id+`"`, 1)
}

// drive is a DoorDash on a loopback socket with a clock that stands still.
type drive struct {
	*simulator.Server
	t      testing.TB
	clock  *simulator.ManualClock
	url    string
	client *http.Client
	sign   func(now time.Time) string
}

func open(t testing.TB, cfg doordash.Config) *drive {
	t.Helper()
	clock := simulator.NewManualClock(noon)
	d := openAt(t, cfg, clock)
	d.clock = clock
	return d
}

func openAt(t testing.TB, cfg doordash.Config, clock simulator.Clock) *drive {
	t.Helper()
	if cfg.Profile == nil {
		manual, err := simulator.LoadProfile("doordash-manual")
		if err != nil {
			t.Fatal(err)
		}
		cfg.Profile = &manual
	}
	dialect, err := doordash.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d := &drive{t: t, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	if d.Server, err = simulator.New(simulator.Config{Dialects: []simulator.Dialect{dialect}, Clock: clock, Seed: 11}); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.url = "http://" + ln.Addr().String() + "/doordash"
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		if err := d.Serve(ctx, ln); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		d.client.CloseIdleConnections()
		cancel()
		group.Wait()
	})
	d.sign = func(now time.Time) string {
		return sign(t, doordash.DevSigningSecret, "DD-JWT-V1", jwt.MapClaims{"aud": "doordash", "iss": doordash.DevDeveloperID,
			"kid": doordash.DevKeyID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()})
	}
	return d
}

func sign(t testing.TB, secret, version string, claims jwt.MapClaims) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	token.Header["dd-ver"] = version
	s, err := token.SignedString(raw)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reply is an answer with what tests look at.
type reply struct {
	status int
	body   []byte

	Code, Message, Reason string
	ID                    string                          `json:"external_delivery_id"`
	Fields                []struct{ Field, Error string } `json:"field_errors"`
	Status                string                          `json:"delivery_status"`
	Cancellation          string                          `json:"cancellation_reason"`
	Fee, Tip              int64
	Dasher                string    `json:"dasher_name"`
	Tracking              string    `json:"tracking_url"`
	Pickup                time.Time `json:"pickup_time_estimated"`
	PickedUp              time.Time `json:"pickup_time_actual"`
	Dropoff               time.Time `json:"dropoff_time_estimated"`
	Delivered             time.Time `json:"dropoff_time_actual"`
	Serviceable           *bool     `json:"is_serviceable"`
	Reasons               []string  `json:"reasons_not_serviceable"`
}

func (d *drive) send(token, method, path, body string) reply {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := d.client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	r := reply{status: res.StatusCode}
	if r.body, err = io.ReadAll(res.Body); err != nil {
		d.t.Fatal(err)
	}
	if err := json.Unmarshal(r.body, &r); err != nil {
		d.t.Fatalf("%s %s: %v: %s", method, path, err, r.body)
	}
	return r
}

// ask sends a request of the developer account and expects a status.
func (d *drive) ask(status int, method, path, body string) reply {
	d.t.Helper()
	r := d.send(d.sign(d.clock.Now()), method, path, body)
	if r.status != status {
		d.t.Fatalf("%s %s: got %d %s, want %d", method, path, r.status, r.body, status)
	}
	return r
}

func (d *drive) run(id string, to simulator.State) {
	d.t.Helper()
	if _, err := d.World().RunTo("doordash", id, to); err != nil {
		d.t.Fatal(err)
	}
}

func (d *drive) totals() simulator.Totals { return d.World().Ledger().Totals()["doordash"] }

func golden(t *testing.T, d *drive, name string, body []byte) {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, body, "", "  "); err != nil {
		t.Fatalf("%s is not JSON: %v", name, err)
	}
	got := strings.ReplaceAll(out.String(), d.url, "BASE") + "\n"
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs from its golden file; run with -update and read the diff\n%s", name, got)
	}
}
