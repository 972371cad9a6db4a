package geo_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/geo"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newPlacer(t testing.TB, cfg geo.Config) *geo.Placer {
	t.Helper()
	p, err := geo.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func ptr(f float64) *float64 { return &f }

// wantError checks the reason, and that the text says what to do without the street.
func wantError(t *testing.T, err error, reason geo.Reason, transient bool) *geo.Error {
	t.Helper()
	e, ok := errors.AsType[*geo.Error](err)
	if !ok {
		t.Fatalf("error = %v (%T), want *geo.Error %s", err, err, reason)
	}
	if e.Reason != reason || e.Transient != transient || e.Detail == "" {
		t.Errorf("error = %s transient=%v %q, want %s transient=%v", e.Reason, e.Transient, e.Detail, reason, transient)
	}
	if strings.Contains(err.Error(), "Albany") {
		t.Errorf("error names the street: %v", err)
	}
	return e
}

func TestPlaceByPostalCode(t *testing.T) {
	p := newPlacer(t, geo.Config{})
	tests := []struct {
		name, country, code string
		near                geo.Point // somewhere in the code's area, off a map
		within              float64   // metres
		zone                string
		precision           geo.Precision
	}{
		{"Boston", "US", "02118", geo.Point{Lat: 42.3347, Lng: -71.0718}, 2_000, "America/New_York", geo.PrecisionPostal},
		{"Dallas, Greenville", "US", "75206", geo.Point{Lat: 32.8284, Lng: -96.7700}, 3_000, "America/Chicago", geo.PrecisionPostal},
		{"Dallas, Oak Lawn", "US", "75219", geo.Point{Lat: 32.8146, Lng: -96.8050}, 3_000, "America/Chicago", geo.PrecisionPostal},
		{"New York, Times Square", "US", "10036", geo.Point{Lat: 40.7580, Lng: -73.9855}, 2_000, "America/New_York", geo.PrecisionPostal},
		{"New York, Harlem", "US", "10039", geo.Point{Lat: 40.8296, Lng: -73.9368}, 2_000, "America/New_York", geo.PrecisionPostal},
		{"one building", "US", "10118", geo.Point{Lat: 40.7484, Lng: -73.9857}, 1_500, "America/New_York", geo.PrecisionPostal},
		{"nine digits, small letters", "us", " 02118-2420 ", geo.Point{Lat: 42.3347, Lng: -71.0718}, 2_000, "America/New_York", geo.PrecisionPostal},
		{"Phoenix keeps standard time", "US", "85004", geo.Point{Lat: 33.4510, Lng: -112.0710}, 3_000, "America/Phoenix", geo.PrecisionPostal},
		{"San Juan", "PR", "00901", geo.Point{Lat: 18.4655, Lng: -66.1057}, 3_000, "America/Puerto_Rico", geo.PrecisionPostal},
		{"Guam", "GU", "96910", geo.Point{Lat: 13.4745, Lng: 144.7504}, 5_000, "Pacific/Guam", geo.PrecisionPostal},
		{"a Boston code that is not in use", "US", "02160", geo.Point{Lat: 42.3347, Lng: -71.0718}, 50_000, "America/New_York", geo.PrecisionArea},
		{"Toronto", "CA", "m5v 3l9", geo.Point{Lat: 43.6426, Lng: -79.3871}, 3_000, "America/Toronto", geo.PrecisionPostal},
		{"Vancouver", "CA", "V6B1A1", geo.Point{Lat: 49.2827, Lng: -123.1207}, 3_000, "America/Vancouver", geo.PrecisionPostal},
		{"Baffin Island", "CA", "X0A 0H0", geo.Point{Lat: 63.7467, Lng: -68.5170}, 1_000_000, "America/Iqaluit", geo.PrecisionArea},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := p.Place(t.Context(), geo.Query{Street1: "725 Albany Street", CountryCode: tt.country, PostalCode: tt.code})
			if err != nil {
				t.Fatal(err)
			}
			if d := geo.Distance(got.Point, tt.near); d > tt.within {
				t.Errorf("placed at %v, %.0f m from %v, want %.0f at most", got.Point, d, tt.near, tt.within)
			}
			if got.Zone != tt.zone || got.Precision != tt.precision || got.Source != geo.SourcePostal {
				t.Errorf("got %+v, want zone %s, %s, by postal code", got, tt.zone, tt.precision)
			}
		})
	}
}

func TestPlaceByGivenCoordinates(t *testing.T) {
	p := newPlacer(t, geo.Config{})
	tests := []struct {
		name     string
		q        geo.Query
		lat, lng float64
		zone     string
	}{
		{"with its ZIP code", geo.Query{CountryCode: "US", PostalCode: "02118"}, 42.3346944, -71.071818, "America/New_York"},
		{"alone", geo.Query{}, 52.52, 13.405, "Europe/Berlin"},
		{"far from the ZIP code it claims", geo.Query{CountryCode: "US", PostalCode: "02118"}, 32.8284, -96.77, "America/Chicago"},
		{"a prefix with two zones", geo.Query{CountryCode: "US", PostalCode: "37380"}, 35.02, -85.72, "America/Chicago"},
		{"a code that fits nothing", geo.Query{CountryCode: "US", PostalCode: "no code"}, 42.3346944, -71.071818, "America/New_York"},
		{"on the date line", geo.Query{CountryCode: "FJ"}, -16.8, 180, "Pacific/Fiji"},
		{"equator", geo.Query{CountryCode: "GA"}, 0, 9.5, "Africa/Libreville"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.q.Latitude, tt.q.Longitude = ptr(tt.lat), ptr(tt.lng)
			got, err := p.Place(t.Context(), tt.q)
			want := geo.Place{Point: geo.Point{Lat: tt.lat, Lng: tt.lng}, Zone: tt.zone, Source: geo.SourceGiven, Precision: geo.PrecisionExact}
			if err != nil || got != want {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		})
	}
}

func TestPlaceRefuses(t *testing.T) {
	p := newPlacer(t, geo.Config{})
	us := func(code string) geo.Query {
		return geo.Query{Street1: "725 Albany Street", CountryCode: "US", PostalCode: code}
	}
	at := func(lat, lng *float64) geo.Query {
		return geo.Query{CountryCode: "US", PostalCode: "02118", Latitude: lat, Longitude: lng}
	}
	tests := []struct {
		name   string
		q      geo.Query
		reason geo.Reason
		says   string
	}{
		{"latitude alone", at(ptr(42), nil), geo.ReasonCoordinates, "both or neither"},
		{"longitude alone", at(nil, ptr(42)), geo.ReasonCoordinates, "both or neither"},
		{"null island", at(ptr(0), ptr(0)), geo.ReasonCoordinates, "latitude 0 with longitude 0"},
		{"latitude too great", at(ptr(90.1), ptr(1)), geo.ReasonCoordinates, "latitude 90.1"},
		{"both out of range", at(ptr(-91), ptr(-181)), geo.ReasonCoordinates, "latitude -91 is not between -90 and 90; longitude -181"},
		{"not a number", at(ptr(math.NaN()), ptr(1)), geo.ReasonCoordinates, "NaN"},
		{"infinite", at(ptr(1), ptr(math.Inf(1))), geo.ReasonCoordinates, "Inf"},
		{"no country", geo.Query{PostalCode: "02118"}, geo.ReasonCountry, "ISO 3166"},
		{"three letters", geo.Query{CountryCode: "USA", PostalCode: "02118"}, geo.ReasonCountry, `"USA"`},
		{"no code", us(" "), geo.ReasonPostalMissing, "no postal code"},
		{"a zero lost", us("2118"), geo.ReasonPostalFormat, "99999 or 999999999"},
		{"British code in the US", us("SW1A 1AA"), geo.ReasonPostalFormat, `"SW1A 1AA"`},
		{"US code in Canada", geo.Query{CountryCode: "CA", PostalCode: "02118"}, geo.ReasonPostalFormat, "A9A9A9"},
		{"no such prefix", us("00000"), geo.ReasonPostalUnknown, "00000"},
		{"beyond the last code", us("99999"), geo.ReasonPostalUnknown, "99999"},
		{"Palau among Guam's", us("96940"), geo.ReasonPostalUnknown, "96940"},
		{"a prefix as wide as Alaska", us("99596"), geo.ReasonPostalUnknown, "99596"},
		{"forces abroad", us("09012"), geo.ReasonPostalUnknown, "09012"},
		{"Santa Claus", geo.Query{CountryCode: "CA", PostalCode: "H0H 0H0"}, geo.ReasonPostalUnknown, "H0H0H0"},
		{"country without a table", geo.Query{CountryCode: "DE", PostalCode: "10115"}, geo.ReasonNoGeocoder, "configure a geocoder"},
		{"country without postal codes", geo.Query{CountryCode: "HK"}, geo.ReasonNoGeocoder, "HK"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := p.Place(t.Context(), tt.q)
			if e := wantError(t, err, tt.reason, false); !strings.Contains(e.Detail, tt.says) {
				t.Errorf("says %q, want %q in it", e.Detail, tt.says)
			}
			if got != (geo.Place{}) {
				t.Errorf("a place beside the error: %+v", got)
			}
		})
	}
}

// TestPostalFormats tries a real code of each form, as people write it; without a geocoder a code of the right form is
// refused for another reason than its form.
func TestPostalFormats(t *testing.T) {
	p := newPlacer(t, geo.Config{})
	reason := func(country, code string) geo.Reason {
		_, err := p.Place(t.Context(), geo.Query{CountryCode: country, PostalCode: code})
		return wantAnyError(t, err).Reason
	}
	right := map[string]string{
		"GB": "SW1A 1AA|M1 1AE|B33 8TH|CR2 6XH|DN55 1PT|W1A 0AX", "IE": "D6W XY00|A65 F4E2", "DE": "10115|DE-10115",
		"FR": "75008", "NL": "1012 JS|1012", "SE": "113 30|SE-113 30", "LV": "LV-1010", "LT": "LT-01103", "PL": "00-950",
		"PT": "1000-205", "JP": "100-0001", "KR": "03051", "BR": "01310-100", "AR": "1425|C1425DKA", "AU": "2000",
		"IN": "110 001", "SG": "018956", "MX": "06000", "CH": "8001", "IS": "101", "IL": "9103401", "TW": "100|10617",
		"HK": "anything", "CZ": "110 00", "GR": "105 57",
	}
	for country, codes := range right {
		for code := range strings.SplitSeq(codes, "|") {
			if got := reason(country, code); got != geo.ReasonNoGeocoder {
				t.Errorf("%s %q: %s", country, code, got)
			}
		}
	}
	wrong := map[string]string{
		"GB": "SW1A|02118|SWA 1AA", "DE": "1011|D10115X|ABCDE", "NL": "10122 JS", "AU": "20000", "JP": "1000",
		"IN": "11000", "BR": "01310", "FR": "7500８", "CA": "M5V", "IE": "D6W",
	}
	for country, codes := range wrong {
		for code := range strings.SplitSeq(codes, "|") {
			if got := reason(country, code); got != geo.ReasonPostalFormat {
				t.Errorf("%s %q: %s, want it refused for its form", country, code, got)
			}
		}
	}
}

func wantAnyError(t *testing.T, err error) *geo.Error {
	t.Helper()
	e, ok := errors.AsType[*geo.Error](err)
	if !ok {
		t.Fatalf("error = %v (%T), want *geo.Error", err, err)
	}
	return e
}

func TestDistance(t *testing.T) {
	tests := []struct {
		name string
		a, b geo.Point
		want float64 // metres
	}{
		{"nowhere", geo.Point{Lat: 42, Lng: -71}, geo.Point{Lat: 42, Lng: -71}, 0},
		{"a degree north", geo.Point{Lat: 0, Lng: 7}, geo.Point{Lat: 1, Lng: 7}, 111_195},
		{"a degree east at 60 north", geo.Point{Lat: 60, Lng: 7}, geo.Point{Lat: 60, Lng: 8}, 55_597},
		{"across the date line", geo.Point{Lat: 0, Lng: 179.5}, geo.Point{Lat: 0, Lng: -179.5}, 111_195},
		{"pole to pole", geo.Point{Lat: 90}, geo.Point{Lat: -90, Lng: 50}, 20_015_115},
		{"Kennedy to Heathrow", geo.Point{Lat: 40.6413, Lng: -73.7781}, geo.Point{Lat: 51.4700, Lng: -0.4543}, 5_540_000},
	}
	for _, tt := range tests {
		if got := geo.Distance(tt.a, tt.b); math.Abs(got-tt.want) > tt.want*0.001+1e-6 {
			t.Errorf("%s: %.1f m, want %.0f", tt.name, got, tt.want)
		}
	}
}

func points() *rapid.Generator[geo.Point] {
	return rapid.Custom(func(t *rapid.T) geo.Point {
		return geo.Point{Lat: rapid.Float64Range(-90, 90).Draw(t, "lat"), Lng: rapid.Float64Range(-180, 180).Draw(t, "lng")}
	})
}

func TestDistanceIsAMetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := points().Draw(t, "a"), points().Draw(t, "b"), points().Draw(t, "c")
		ab, ba := geo.Distance(a, b), geo.Distance(b, a)
		if math.Abs(ab-ba) > 1e-3 || !(ab >= 0) || ab > 20_015_116 || geo.Distance(a, a) != 0 {
			t.Fatalf("%v to %v: %v there, %v back", a, b, ab, ba)
		}
		if way := geo.Distance(a, c) + geo.Distance(c, b); ab > way+1 {
			t.Fatalf("the way over %v is shorter: %v, straight %v", c, way, ab)
		}
	})
}

func TestZone(t *testing.T) {
	for at, want := range map[geo.Point]string{
		{Lat: 42.3601, Lng: -71.0589}: "America/New_York", {Lat: 32.8284, Lng: -96.77}: "America/Chicago",
		{Lat: 51.5072, Lng: -0.1276}: "Europe/London", {Lat: 40, Lng: -50}: "Etc/GMT+3", {Lat: 28.6, Lng: 77.2}: "Asia/Kolkata",
	} {
		if got, err := geo.Zone(at.Lat, at.Lng); got != want || err != nil {
			t.Errorf("Zone(%v) = %q, %v, want %q", at, got, err, want)
		}
	}
	_, err := geo.Zone(91, 0)
	wantError(t, err, geo.ReasonCoordinates, false)
	rapid.Check(t, func(t *rapid.T) {
		at := points().Draw(t, "at")
		zone, err := geo.Zone(at.Lat, at.Lng)
		if err != nil || zone == "" {
			t.Fatalf("Zone(%v) = %q, %v", at, zone, err)
		}
		if _, err := time.LoadLocation(zone); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzPlace sends what strangers may send: it must answer a place on earth or an *Error.
func FuzzPlace(f *testing.F) {
	f.Add("US", "02118")
	f.Add("CA", "M5V 3L9")
	f.Add("gb", "\xff1")
	f.Add("PR", "PR00901")
	f.Fuzz(func(t *testing.T, country, code string) {
		p := newPlacer(t, geo.Config{})
		place, err := p.Place(t.Context(), geo.Query{CountryCode: country, PostalCode: code})
		if err != nil {
			wantAnyError(t, err)
			return
		}
		if math.Abs(place.Lat) > 90 || math.Abs(place.Lng) > 180 || place.Zone == "" {
			t.Fatalf("%q %q: %+v", country, code, place)
		}
	})
}

func BenchmarkPlaceByPostalCode(b *testing.B) {
	p := newPlacer(b, geo.Config{})
	for b.Loop() {
		if _, err := p.Place(b.Context(), geo.Query{CountryCode: "US", PostalCode: "02118"}); err != nil {
			b.Fatal(err)
		}
	}
}
