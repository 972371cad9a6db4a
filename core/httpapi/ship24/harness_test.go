package ship24_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	"github.com/waybill-dev/waybill/core/httpapi/ship24"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	flag.Parse()
	apitest.Leaks(m)
}

// api is the surface with everything behind it: the real use cases, store and notifications, and a UPS that is made up.
type api struct {
	*apitest.Harness
	t testing.TB
}

func newAPI(t testing.TB) *api {
	t.Helper()
	h := apitest.New(t)
	for _, c := range []*apitest.Carrier{h.UPS, h.DoorDash} {
		c.SetManifest(func(m *carrier.Manifest) { m.Abilities = append(m.Abilities, carrier.CanTrack, carrier.CanReceivePush) })
	}
	h.Config.Tenants["shop"].Notify.AllowPrivate = true
	return &api{Harness: h, t: t}
}

// answer is what came back.
type answer struct {
	*http.Response
	body []byte
	t    testing.TB
}

// ask sends a request as Ship24's clients do, under /public/v1 unless path says otherwise, and holds the answer against Ship24's
// document. Headers are names and values in turn; one whose value is "" is not sent.
func (a *api) ask(method, path, body string, headers ...string) *answer {
	a.t.Helper()
	if path[:4] != "/v1/" {
		path = "/public/v1" + path
	}
	q, err := http.NewRequestWithContext(a.t.Context(), method, a.URL+path, bytes.NewReader([]byte(body)))
	if err != nil {
		a.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+a.Key)
	q.Header.Set("Content-Type", "application/json; charset=utf-8")
	for i := 0; i+1 < len(headers); i += 2 {
		if q.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			q.Header.Del(headers[i])
		}
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	hold(a.t, q, res.StatusCode, res.Header, raw)
	if err := apitest.Hold(q, []byte(body), res.StatusCode, res.Header, raw); err != nil {
		a.t.Error(err)
	}
	return &answer{Response: res, body: raw, t: a.t}
}

func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.StatusCode != status {
		a.t.Fatalf("%s %s: status %d, want %d\n%s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, a.body)
	}
	return a
}

func (a *answer) value() (v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, &v); err != nil {
		a.t.Fatalf("%v\n%s", err, a.body)
	}
	return v
}

// at is the value at a path, such as data.tracker.trackerId.
func (a *answer) at(path string) any {
	a.t.Helper()
	return apitest.Lookup(a.value(), path)
}

func (a *answer) text(path string) string {
	a.t.Helper()
	s, ok := a.at(path).(string)
	if !ok {
		a.t.Fatalf("%s is no text\n%s", path, a.body)
	}
	return s
}

// is fails for every path whose value differs.
func (a *answer) is(want map[string]any) *answer {
	a.t.Helper()
	for path, w := range want {
		same(a.t, path, a.at(path), w)
	}
	return a
}

// same compares decoded JSON with a value of Go: a number is a number.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	var w any
	if err := json.Unmarshal([]byte(apitest.JSON(want)), &w); err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(got, w) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// refused fails unless the answer is a refusal with these codes.
func (a *answer) refused(status int, codes ...string) *answer {
	a.t.Helper()
	a.want(status)
	var got []string
	list, _ := a.at("errors").([]any)
	for _, e := range list {
		got = append(got, e.(map[string]any)["code"].(string))
		if e.(map[string]any)["message"] == "" {
			a.t.Errorf("no message: %s", a.body)
		}
	}
	whole, _ := a.value().(map[string]any)
	if _, there := whole["data"]; !cmp.Equal(got, codes) || !there || whole["data"] != nil {
		a.t.Errorf("codes %q, want %q\n%s", got, codes, a.body)
	}
	return a
}

// said is what UPS says of a number: events, oldest first.
func said(number string, events ...shipping.TrackingEvent) []carrier.TrackUpdate {
	return []carrier.TrackUpdate{{Number: number, Events: events}}
}

// event is something that happened so many hours after noon of the 1st of March 2026.
func event(hours int, status shipping.Status, words string) shipping.TrackingEvent {
	return shipping.TrackingEvent{Time: shipping.At(time.Date(2026, 3, 1, 12+hours, 0, 0, 0, time.UTC)), ZoneKnown: true, Status: status, CarrierWords: words}
}

// journey is what UPS says of a number that was delivered.
func journey() []shipping.TrackingEvent {
	label := event(0, shipping.OrderDispatched, "Shipper created a label")
	scan := event(20, shipping.InTransit, "Departed from Facility")
	scan.City, scan.State, scan.PostalCode, scan.CountryCode, scan.ZoneKnown = "SAN RAFAEL", "CA", "94901", "US", false
	strange := event(30, "", "Something that nobody has heard of")
	return []shipping.TrackingEvent{label, event(5, shipping.PickupCompleted, "Origin scan"), scan, strange,
		event(40, shipping.OutForDelivery, "Out for Delivery"), event(44, shipping.OrderDelivered, "Delivered to the addressee")}
}

// tells makes UPS say the first events of the journey about every number that it is asked for.
func (a *api) tells(first int) {
	a.UPS.Set(apitest.Hooks{Track: func(r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
		var out []carrier.TrackUpdate
		for _, p := range r.Parcels {
			u := said(p.Number, journey()[:first]...)[0]
			if first == len(journey()) {
				u.SignedBy = "John Doe"
			}
			u.Delivery = shipping.TimeWindow{StartsAt: shipping.At(time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)), EndsAt: shipping.At(time.Date(2026, 3, 3, 18, 0, 0, 0, time.UTC))}
			out = append(out, u)
		}
		return out, nil
	}})
}

// hear asks UPS about a tracker now, as a poll does.
func (a *api) hear(id string) {
	a.t.Helper()
	if _, err := a.Tracking.Refresh(a.t.Context(), caller, engineID(id)); err != nil {
		a.t.Fatal(err)
	}
}

var caller = usecase.Caller{Tenant: "shop", Key: "Default_Business_Key"}

// heard is a request that a subscriber got.
type heard struct {
	authorization string
	body          []byte
}

// subscriber is a real server that keeps what it hears and answers with status.
type subscriber struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []heard
}

// subscribe gives the tenant a webhook of the shape ship24, through the API.
func (a *api) subscribe() *subscriber {
	a.t.Helper()
	s := a.subscriber()
	a.Do("POST", "/webhooks", apitest.JSON(map[string]any{"url": s.URL, "shape": "ship24", "bearer": "the-secret"})).Want(201)
	return s
}

// subscriber starts a server that nobody knows yet.
func (a *api) subscriber() *subscriber {
	a.t.Helper()
	s := &subscriber{status: 200}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.got = append(s.got, heard{q.Header.Get("Authorization"), body})
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, "OK")
	}))
	a.t.Cleanup(s.Close)
	return s
}

// deliver sends what is due and returns what the subscriber heard since.
func (a *api) deliver(s *subscriber) []heard {
	a.t.Helper()
	if _, err := a.Notify.RunDue(context.Background(), a.Clock.Now()); err != nil {
		a.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}

// engineID is a shown id as the engine has it.
func engineID(shown string) tracker.ID {
	id, ok := ship24.EngineID(shown)
	if !ok {
		panic(shown + " is no id")
	}
	return id
}
