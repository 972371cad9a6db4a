package portal_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
	followed "github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestMain(m *testing.M) { apitest.Leaks(m) }

// serve is a harness whose tenant shop has pages.
func serve(t testing.TB) *apitest.Harness {
	h := apitest.New(t)
	p := &h.Config.Tenants["shop"].Portal
	p.Enabled, p.Name, p.SupportURL = true, "Corner Shop", "mailto:help@shop.example"
	h.UPS.SetManifest(func(m *carrier.Manifest) { m.Abilities = append(m.Abilities, carrier.CanTrack, carrier.CanReceivePush) })
	return h
}

const base = "https://ship.example.com"

// local is a link of an answer, at the harness.
func local(t testing.TB, h *apitest.Harness, link any) string {
	t.Helper()
	text, _ := link.(string)
	path, ok := strings.CutPrefix(text, base)
	if !ok || !strings.HasPrefix(path, "/track/") {
		t.Fatalf("the link is %v", link)
	}
	return h.URL + path
}

// tracker creates a tracker and returns its page.
func tracker(t testing.TB, h *apitest.Harness, id string, changes map[string]any) string {
	t.Helper()
	body := map[string]any{"provider": "ups", "locationExternalId": "7709", "trackerExternalId": id, "trackingId": "1Z5R89390357567127",
		"deliveryContact": map[string]any{"name": "Ann Example", "phone": "+1 234-567-8900", "email": "ann@example.com"},
		"deliveryAddress": map[string]any{"street1": "725 Albany Street", "city": "Dallas", "state": "TX", "countryCode": "US", "postalCode": "75201",
			"latitude": 32.7767, "longitude": -96.797}}
	for k, v := range changes {
		body[k] = v
	}
	a := h.Do("POST", "/trackers", apitest.JSON(body)).Want(201)
	return local(t, h, a.At("referenceLinks.customerWebflowUrl"))
}

type page struct {
	status int
	header http.Header
	text   string
}

func get(t testing.TB, url string, headers ...string) page {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return page{res.StatusCode, res.Header, string(b)}
}

func (p page) has(t testing.TB, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(p.text, w) {
			t.Errorf("the page lacks %q:\n%s", w, p.body())
		}
	}
}

func (p page) lacks(t testing.TB, not ...string) {
	t.Helper()
	for _, n := range not {
		if strings.Contains(p.body(), n) {
			t.Errorf("the page shows %q:\n%s", n, p.body())
		}
	}
}

// body is the page without its style and script.
func (p page) body() string {
	_, body, _ := strings.Cut(p.text, "<body>")
	body, _, _ = strings.Cut(body, "<script>")
	return body
}

// stream opens the events of a page, and returns their versions as they come; the channel is closed with the stream.
func stream(t testing.TB, url string) (<-chan string, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	versions := make(chan string, 100)
	go func() {
		defer close(versions)
		defer res.Body.Close()
		for s := bufio.NewScanner(res.Body); s.Scan(); {
			if v, ok := strings.CutPrefix(s.Text(), "data: "); ok {
				versions <- v
			}
		}
	}()
	t.Cleanup(cancel)
	return versions, cancel
}

// next lets time pass for a few looks at what is shown, until a stream says something. Time stands still while a look is under way and
// after the last one, so that no stream ends of old age on a busy machine.
func next(t testing.TB, h *apitest.Harness, versions <-chan string) string {
	t.Helper()
	patience := time.NewTimer(2 * time.Minute)
	defer patience.Stop()
	for looks := 0; ; {
		if at, waits := h.Clock.NextTimer(); waits && looks < 10 && at.Sub(h.Clock.Now()) <= 2*time.Second {
			h.Clock.Set(at)
			looks++
		}
		select {
		case v, ok := <-versions:
			if !ok {
				t.Fatal("the stream ended")
			}
			return v
		case <-time.After(time.Millisecond):
		case <-patience.C:
			t.Fatal("the stream says nothing")
		}
	}
}

// scans makes UPS tell some scans of a parcel on its way to Dallas.
func scans(h *apitest.Harness) {
	at := func(ago time.Duration) shipping.Instant { return shipping.At(apitest.Start.Add(-ago)) }
	h.UPS.Set(apitest.Hooks{Track: func(r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
		return []carrier.TrackUpdate{{Number: r.Parcels[0].Number, Delivery: shipping.TimeWindow{StartsAt: at(-2 * time.Hour), EndsAt: at(-4 * time.Hour)},
			Driver: &shipping.Driver{Name: "Joe Miller", Phone: "+12142342232"}, Vehicle: &shipping.Vehicle{Type: "van", Color: "white", Number: "TX 4711"},
			TrackingURL: "https://www.ups.example/track?n=1", Events: []shipping.TrackingEvent{
				{Time: at(26 * time.Hour), ZoneKnown: true, Status: shipping.PickupCompleted, CarrierCode: "OR", CarrierWords: "Origin Scan", City: "Boston", State: "MA", CountryCode: "US"},
				{Time: at(25 * time.Hour), ZoneKnown: true, Status: shipping.InTransit, CarrierCode: "DP", CarrierWords: "Departed from Facility", City: "Boston", State: "MA", CountryCode: "US"},
				{Time: at(9 * time.Hour), ZoneKnown: true, Status: shipping.InTransit, CarrierCode: "AR", CarrierWords: "Arrived at <Facility>", City: "Dallas", State: "TX", CountryCode: "US"},
				{Time: at(3 * time.Hour), ZoneKnown: true, Status: shipping.OutForDelivery, CarrierCode: "OT", CarrierWords: "Out For Delivery Today", City: "Dallas", State: "TX", CountryCode: "US"},
			}}}, nil
	}})
}

func poll(t testing.TB, h *apitest.Harness, id string) {
	t.Helper()
	found := h.Do("GET", "/trackers/"+id, "").Want(200)
	var v struct{ ID string }
	if err := json.Unmarshal(found.Body, &v); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Tracking.Refresh(t.Context(), usecase.Caller{Tenant: "shop", Key: "test"}, followed.ID(v.ID)); err != nil {
		t.Fatal(err)
	}
}
