package geo_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/waybill-dev/waybill/core/geo"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// berlin is an address that only a geocoder places; a real server's answer to it, shortened to what matters and a
// few of the fields that do not.
var berlin = geo.Query{Street1: "Albany  Straße 77", Street2: "Hinterhaus", City: "Berlin", PostalCode: "10115", CountryCode: "de"}

const berlinAnswer = `[{"place_id":1,"licence":"ODbL","lat":"52.5310","lon":"13.3848","category":"building","type":"yes",
	"place_rank":30,"importance":0.0001,"addresstype":"building","display_name":"77, …","boundingbox":["52.5","52.6","13.3","13.4"]}]`

// server answers like a geocoder and counts how often it was asked.
func server(t *testing.T, handle http.HandlerFunc) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		handle(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }
}

func asking(url string) geo.Config {
	return geo.Config{Nominatim: &geo.NominatimConfig{BaseURL: url, RatePerSecond: 10_000}}
}

func TestGeocoderPlaces(t *testing.T) {
	var request *http.Request
	url, asked := server(t, func(w http.ResponseWriter, r *http.Request) {
		request = r
		fmt.Fprint(w, berlinAnswer)
	})
	cfg := asking(url + "/nominatim/")
	cfg.Nominatim.UserAgent, cfg.Nominatim.Email = "waybill-test/1", "ops@example.com"
	p := newPlacer(t, cfg)
	want := geo.Place{Point: geo.Point{Lat: 52.5310, Lng: 13.3848}, Zone: "Europe/Berlin", Source: geo.SourceGeocoder, Precision: geo.PrecisionDoor}
	for range 3 {
		if got, err := p.Place(t.Context(), berlin); err != nil || got != want {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times for one address, want once", asked.Load())
	}
	if request.URL.Path != "/nominatim/search" || request.UserAgent() != "waybill-test/1" {
		t.Errorf("asked %s as %q", request.URL.Path, request.UserAgent())
	}
	wantQuery := map[string][]string{
		"format": {"jsonv2"}, "limit": {"1"}, "countrycodes": {"de"}, "email": {"ops@example.com"},
		"street": {"Albany Straße 77"}, "city": {"Berlin"}, "postalcode": {"10115"},
	}
	if diff := cmp.Diff(wantQuery, map[string][]string(request.URL.Query())); diff != "" {
		t.Error(diff)
	}
}

func TestGeocoderIsAskedLast(t *testing.T) {
	url, asked := server(t, says(`[{"lat":"61.2","lon":"-149.9","place_rank":26}]`))
	p := newPlacer(t, asking(url))
	tests := []struct {
		name   string
		q      geo.Query
		source geo.Source
		asked  int64
	}{
		{"coordinates", geo.Query{CountryCode: "DE", Latitude: ptr(52.5), Longitude: ptr(13.4)}, geo.SourceGiven, 0},
		{"a known code", geo.Query{CountryCode: "US", PostalCode: "02118"}, geo.SourcePostal, 0},
		{"a code known by its group only", geo.Query{CountryCode: "US", PostalCode: "02160"}, geo.SourceGeocoder, 1},
		{"rural Canada", geo.Query{CountryCode: "CA", PostalCode: "X0A 0H0"}, geo.SourceGeocoder, 1},
		{"an unknown code", geo.Query{CountryCode: "US", PostalCode: "99596"}, geo.SourceGeocoder, 1},
		{"no code", geo.Query{CountryCode: "US", City: "Anchorage"}, geo.SourceGeocoder, 1},
	}
	for _, tt := range tests {
		before := asked.Load()
		got, err := p.Place(t.Context(), tt.q)
		if err != nil || got.Source != tt.source || asked.Load()-before != tt.asked {
			t.Errorf("%s: %+v, %v, asked %d times; want %s, %d", tt.name, got, err, asked.Load()-before, tt.source, tt.asked)
		}
	}
	_, err := p.Place(t.Context(), geo.Query{CountryCode: "DE", PostalCode: "SW1A 1AA"})
	wantError(t, err, geo.ReasonPostalFormat, false)
}

func TestGeocoderFails(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	tests := []struct {
		name      string
		handle    http.HandlerFunc
		reason    geo.Reason
		transient bool
	}{
		{"nothing found", says(`[]`), geo.ReasonNotFound, false},
		{"only the country", says(`[{"lat":"51.1","lon":"10.4","place_rank":4}]`), geo.ReasonNotFound, false},
		{"broken", status(500), geo.ReasonUnavailable, true},
		{"too many", status(429), geo.ReasonUnavailable, true},
		{"blocked", status(403), geo.ReasonUnavailable, false},
		{"a page", says(`<html>hello</html>`), geo.ReasonUnavailable, true},
		{"an object", says(`{"error":"no"}`), geo.ReasonUnavailable, true},
		{"cut short", says(berlinAnswer[:50]), geo.ReasonUnavailable, true},
		{"no numbers", says(`[{"lat":"north","lon":"east","place_rank":30}]`), geo.ReasonUnavailable, true},
		{"off the earth", says(`[{"lat":"152.5","lon":"13.4","place_rank":30}]`), geo.ReasonUnavailable, true},
		{"endless", says("[" + strings.Repeat(" ", 2<<20) + "]"), geo.ReasonUnavailable, true},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, geo.ReasonUnavailable, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url, asked := server(t, tt.handle)
			p := newPlacer(t, asking(url))
			_, err := p.Place(t.Context(), berlin)
			wantError(t, err, tt.reason, tt.transient)
			if _, err = p.Place(t.Context(), berlin); err == nil || asked.Load() < 2 {
				t.Errorf("asked %d times, %v: a failure must not be remembered", asked.Load(), err)
			}
			// A US code known by its group is placed all the same.
			got, err := p.Place(t.Context(), geo.Query{CountryCode: "US", PostalCode: "02160"})
			if err != nil || got.Precision != geo.PrecisionArea || got.Source != geo.SourcePostal {
				t.Errorf("with a group to fall back on: %+v, %v", got, err)
			}
		})
	}
}

func TestGeocoderIsNotThere(t *testing.T) {
	url, _ := server(t, says(`[]`))
	p := newPlacer(t, asking(strings.Replace(url, "http:", "https:", 1)))
	_, err := p.Place(t.Context(), berlin)
	e := wantError(t, err, geo.ReasonUnavailable, true)
	if e.Err == nil || strings.Contains(err.Error(), "street=") {
		t.Errorf("error = %v: want the cause without the URL", err)
	}
}

func TestGeocoderIsSlow(t *testing.T) {
	url, _ := server(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	cfg := asking(url)
	cfg.Nominatim.Timeout = 30 * time.Millisecond
	_, err := newPlacer(t, cfg).Place(t.Context(), berlin)
	if e := wantError(t, err, geo.ReasonUnavailable, true); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(e.Detail, "30ms") {
		t.Errorf("error = %v, want a deadline of 30ms exceeded", err)
	}
}

func TestGeocoderIsPaced(t *testing.T) {
	url, asked := server(t, says(berlinAnswer))
	cfg := asking(url)
	cfg.Nominatim.RatePerSecond, cfg.Nominatim.Timeout = 0.001, time.Minute
	p := newPlacer(t, cfg)
	if _, err := p.Place(t.Context(), berlin); err != nil {
		t.Fatal(err)
	}
	other := berlin
	other.City = "Potsdam"
	_, err := p.Place(t.Context(), other) // its turn is in a thousand seconds: refused at once
	wantError(t, err, geo.ReasonUnavailable, true)
	if asked.Load() != 1 {
		t.Errorf("asked %d times, want once", asked.Load())
	}
}

// TestOneQuestionForMany lets many ask for one address while the geocoder thinks, and the first of them leave.
func TestOneQuestionForMany(t *testing.T) {
	entered, release := make(chan struct{}, 100), make(chan struct{})
	url, asked := server(t, func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-release
		fmt.Fprint(w, berlinAnswer)
	})
	p := newPlacer(t, asking(url))
	why := errors.New("went home")
	ctx, leave := context.WithCancelCause(t.Context())
	left := make(chan error)
	go func() {
		_, err := p.Place(ctx, berlin)
		left <- err
	}()
	<-entered
	leave(why)
	err := <-left
	wantError(t, err, geo.ReasonUnavailable, true)
	if !errors.Is(err, why) {
		t.Errorf("error = %v, want %v in it", err, why)
	}
	var started, all sync.WaitGroup
	for range 20 {
		started.Add(1)
		all.Go(func() {
			started.Done()
			if got, err := p.Place(t.Context(), berlin); err != nil || got.Zone != "Europe/Berlin" {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	started.Wait()
	close(release)
	all.Wait()
	if asked.Load() != 1 {
		t.Errorf("asked %d times, want once", asked.Load())
	}
}

func TestNewReportsAllFaults(t *testing.T) {
	_, err := geo.New(geo.Config{CacheSize: -1, Nominatim: &geo.NominatimConfig{
		BaseURL: "ftp://example.com", UserAgent: "a\nb", Email: "nobody", Timeout: -1, RatePerSecond: -1,
	}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"cache size", "base_url", "user_agent", "email", "timeout", "rate_per_second"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v\nwant %q in it", err, want)
		}
	}
	const canary = "canary-4711"
	for _, base := range []string{"", "example.com", "http://", "http://:80", "http://a b", "https://example.com?key=" + canary, "https://u:" + canary + "@example.com#x", "https://u:" + canary + "/@example.com"} {
		p, err := geo.New(geo.Config{Nominatim: &geo.NominatimConfig{BaseURL: base}})
		if err == nil {
			p.Close()
			t.Errorf("base URL %q was accepted", base)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("a secret shows: %v", err)
		}
	}
	for _, base := range []string{"http://127.0.0.1:8088", "https://u:p@example.com/maps/"} {
		var f shipping.Faults
		if (geo.NominatimConfig{BaseURL: base}).Validate(&f); len(f) > 0 {
			t.Errorf("%s: %v", base, f)
		}
	}
}

func ExamplePlacer_Place() {
	p, err := geo.New(geo.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	boston, _ := p.Place(context.Background(), geo.Query{PostalCode: "02118", CountryCode: "US"})
	dallas, _ := p.Place(context.Background(), geo.Query{PostalCode: "75206", CountryCode: "US"})
	fmt.Printf("%s to %s, %.0f km\n", boston.Zone, dallas.Zone, geo.Distance(boston.Point, dallas.Point)/1000)
	_, err = p.Place(context.Background(), geo.Query{PostalCode: "2118", CountryCode: "US"})
	fmt.Println(err)
	// Output:
	// America/New_York to America/Chicago, 2486 km
	// place address: postal code "2118" is not one of US, which looks like 99999 or 999999999
}
