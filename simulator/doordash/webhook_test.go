package doordash_test

import (
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/doordash"
)

// engine hears DoorDash's webhooks and refuses as many as it is told.
type engine struct {
	*httptest.Server
	mu     sync.Mutex
	refuse int
	events []string
	bodies [][]byte
	auth   string
}

func hear(t *testing.T) *engine {
	e := &engine{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var got struct {
			Event string `json:"event_name"`
		}
		_ = json.Unmarshal(body, &got)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.events, e.bodies, e.auth = append(e.events, got.Event), append(e.bodies, body), r.Header.Get("Authorization")
		if e.refuse > 0 {
			e.refuse--
			w.WriteHeader(http.StatusAccepted) // anything but 200 is a failure
		}
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *engine) config(location bool) doordash.Config {
	return doordash.Config{Accounts: []doordash.Account{{DeveloperID: doordash.DevDeveloperID, KeyID: doordash.DevKeyID,
		SigningSecret: doordash.DevSigningSecret, Webhook: doordash.Webhook{URL: e.URL, Authorization: "Basic ZDpk", LocationEvents: location}}}}
}

func (e *engine) heard(t *testing.T, d *drive, want ...string) {
	t.Helper()
	d.RunDue(context.WithoutCancel(t.Context()))
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Equal(e.events, want) {
		t.Errorf("heard %v, want %v", e.events, want)
	}
	e.events = nil
}

func TestWebhooks(t *testing.T) {
	e := hear(t)
	d := open(t, e.config(true))
	d.ask(200, "POST", "/drive/v2/quotes", with("a"))
	e.heard(t, d)
	d.ask(200, "POST", "/drive/v2/quotes/a/accept", "")
	e.heard(t, d, "DELIVERY_CREATED")
	d.run("a", "arrived_at_pickup")
	e.heard(t, d, "DASHER_CONFIRMED", "DASHER_ENROUTE_TO_PICKUP", "DASHER_CONFIRMED_PICKUP_ARRIVAL")
	golden(t, d, "webhook", e.bodies[len(e.bodies)-1])
	if e.auth != "Basic ZDpk" {
		t.Errorf("Authorization %q", e.auth)
	}
	d.run("a", "created")
	e.heard(t, d) // nobody is told that a Dasher left
	d.run("a", "arrived_at_dropoff")
	e.heard(t, d, "DASHER_CONFIRMED", "DASHER_ENROUTE_TO_PICKUP", "DASHER_CONFIRMED_PICKUP_ARRIVAL", "DASHER_PICKED_UP",
		"DASHER_ENROUTE_TO_DROPOFF", "DASHER_CONFIRMED_DROPOFF_ARRIVAL")
	d.run("a", "returned")
	e.heard(t, d, "DELIVERY_RETURN_INITIALIZED", "DASHER_ENROUTE_TO_RETURN", "DASHER_CONFIRMED_RETURN_ARRIVAL", "DELIVERY_RETURNED")
	if body := string(slices.Concat(e.bodies...)); strings.Contains(body, "delivery_status") || strings.Contains(body, "event_id") {
		t.Error("a webhook tells more than DoorDash's do")
	}
}

func TestWebhooksWithoutLocationEvents(t *testing.T) {
	e := hear(t)
	d := open(t, e.config(false))
	d.ask(200, "POST", "/drive/v2/deliveries", with("a"))
	d.run("a", "delivered")
	e.heard(t, d, "DELIVERY_CREATED", "DASHER_CONFIRMED", "DASHER_CONFIRMED_PICKUP_ARRIVAL", "DASHER_PICKED_UP",
		"DASHER_CONFIRMED_DROPOFF_ARRIVAL", "DASHER_DROPPED_OFF")
	d.ask(200, "POST", "/drive/v2/deliveries", with("b"))
	d.ask(200, "PUT", "/drive/v2/deliveries/b/cancel", "")
	e.heard(t, d, "DELIVERY_CREATED", "DELIVERY_CANCELLED")
	if last := e.bodies[len(e.bodies)-1]; !strings.Contains(string(last), `"cancellation_reason":"cancelled_by_creator"`) {
		t.Errorf("a cancellation without its reason: %s", last)
	}
}

// TestProofs: who asks for a signature gets its picture, anybody else one of the doorstep, in answers and webhooks, and the links lead
// to pictures.
func TestProofs(t *testing.T) {
	for _, c := range []struct{ asked, want, not string }{
		{`"shoe_size":44`, "dropoff_verification_image_url", "dropoff_signature_image_url"},
		{`"dropoff_options":{"signature":"required"}`, "dropoff_signature_image_url", "dropoff_verification_image_url"},
		{`"dropoff_requires_signature":true,"pickup_verification_metadata":{"verification_type":"SCAN_BARCODE"}`, "pickup_verification_image_url", "dropoff_verification_image_url"},
	} {
		e := hear(t)
		d := open(t, e.config(false))
		d.ask(200, "POST", "/drive/v2/deliveries", with("a", `"shoe_size":44`, c.asked))
		if before := d.ask(200, "GET", "/drive/v2/deliveries/a", ""); strings.Contains(string(before.body), "image_url") {
			t.Errorf("a picture before anybody came: %s", before.body)
		}
		d.run("a", "delivered")
		d.RunDue(context.WithoutCancel(t.Context()))
		last := e.bodies[len(e.bodies)-1]
		for _, body := range [][]byte{d.ask(200, "GET", "/drive/v2/deliveries/a", "").body, last} {
			var got map[string]any
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatal(err)
			}
			url, _ := got[c.want].(string)
			if url == "" || got[c.not] != nil {
				t.Fatalf("asked %s: %s", c.asked, body)
			}
			_, path, _ := strings.Cut(url, "/track/")
			r, err := d.client.Get(d.url + "/track/" + path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = png.Decode(r.Body)
			_ = r.Body.Close()
			if r.StatusCode != 200 || err != nil {
				t.Errorf("%s answers %d, %v", url, r.StatusCode, err)
			}
		}
		d.ask(404, "GET", "/track/a/other.png", "")
		d.ask(404, "GET", "/track/b/dropoff.png", "")
	}
}

func TestWebhooksAreTriedThreeTimes(t *testing.T) {
	e := hear(t)
	e.refuse = 5
	d := open(t, e.config(false))
	d.ask(200, "POST", "/drive/v2/deliveries", with("a"))
	for range 10 {
		d.RunDue(context.WithoutCancel(t.Context()))
		d.clock.Advance(time.Minute)
	}
	e.heard(t, d, "DELIVERY_CREATED", "DELIVERY_CREATED", "DELIVERY_CREATED")
	if n := d.totals().Pushes; n != 3 {
		t.Errorf("the ledger has %d pushes", n)
	}
}

// TestResponseLostHasBooked is the case that engines must get right.
func TestResponseLostHasBooked(t *testing.T) {
	d := open(t, doordash.Config{})
	if _, err := d.SetFault(simulator.Fault{On: simulator.FaultOn{Carrier: "doordash", Op: "accept", Nth: 1, Count: 1, Reference: "a"},
		Do: simulator.FaultDo{Kind: simulator.ResponseLost}}); err != nil {
		t.Fatal(err)
	}
	d.ask(200, "POST", "/drive/v2/quotes", with("a"))
	req, err := http.NewRequestWithContext(t.Context(), "POST", d.url+"/drive/v2/quotes/a/accept", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+d.sign(d.clock.Now()))
	if _, err = d.client.Do(req); err == nil {
		t.Fatal("an answer arrived")
	}
	if r := d.ask(200, "GET", "/drive/v2/deliveries/a", ""); r.Status != "created" {
		t.Errorf("got %s", r.body)
	}
	if n := d.totals().LiveBookings; n != 1 {
		t.Errorf("%d live bookings", n)
	}
}

func TestFaultsSpeakDoorDash(t *testing.T) {
	for status, code := range map[int]string{503: "service_fault", 429: "too_many_requests", 401: "authentication_error", 422: "invalid_delivery_parameters"} {
		d := open(t, doordash.Config{})
		if _, err := d.SetFault(simulator.Fault{Do: simulator.FaultDo{Kind: simulator.HTTPError, Status: status}}); err != nil {
			t.Fatal(err)
		}
		if r := d.ask(status, "GET", "/drive/v2/deliveries/a", ""); r.Code != code {
			t.Errorf("%d: %s", status, r.body)
		}
	}
}

// FuzzRequests: whatever comes, the dialect answers as a carrier and does not fall over.
func FuzzRequests(f *testing.F) {
	d := open(f, doordash.Config{})
	f.Add([]byte(with("a")))
	f.Add([]byte(`{"external_delivery_id":"é","pickup_window":{"start_time":null},"dropoff_location":[]}`))
	f.Add([]byte(`{"cancel_reason":1,"tip":-1,"dropoff_phone_number":null}`))
	token := d.sign(d.clock.Now())
	f.Fuzz(func(t *testing.T, body []byte) {
		d.t = t
		for _, route := range []string{"POST quotes", "POST quotes/a/accept", "POST deliveries", "PATCH deliveries/a", "PUT deliveries/a/cancel", "POST serviceability"} {
			method, path, _ := strings.Cut(route, " ")
			if r := d.send(token, method, "/drive/v2/"+path, string(body)); r.status >= 500 {
				t.Fatalf("%s answered %d %s", route, r.status, r.body)
			}
		}
	})
}

// FuzzToken: whatever a caller shows as its token, only one that was signed as it must be opens anything.
func FuzzToken(f *testing.F) {
	d := open(f, doordash.Config{})
	good := d.sign(d.clock.Now())
	f.Add(good)
	f.Add(good + "A")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if strings.ContainsFunc(token, unicode.IsControl) {
			return // no such header is sent
		}
		d.t = t
		r := d.send(token, "GET", "/drive/v2/deliveries/a", "")
		// The last two bits of a signature in base64 say nothing.
		if r.status >= 500 || r.status != 401 && !strings.HasPrefix(strings.TrimSpace(token), good[:len(good)-1]) {
			t.Fatalf("%q: answered %d %s", token, r.status, r.body)
		}
	})
}

// BenchmarkQuoteAndAccept is what one order asks of DoorDash, over loopback,
// with the client's share of the work; heap-B/order is what stays in memory.
func BenchmarkQuoteAndAccept(b *testing.B) {
	steady, err := simulator.LoadProfile("doordash-steady")
	if err != nil {
		b.Fatal(err)
	}
	d := open(b, doordash.Config{Profile: &steady})
	token := d.sign(d.clock.Now())
	body := with("ID")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		id := fmt.Sprintf("order-%d", n)
		if r := d.send(token, "POST", "/drive/v2/quotes", strings.Replace(body, `"ID"`, `"`+id+`"`, 1)); r.status != 200 {
			b.Fatalf("quote: %d %s", r.status, r.body)
		}
		if r := d.send(token, "POST", "/drive/v2/quotes/"+id+"/accept", ""); r.status != 200 {
			b.Fatalf("accept: %d %s", r.status, r.body)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(b.N), "heap-B/order")
	runtime.KeepAlive(d)
}
