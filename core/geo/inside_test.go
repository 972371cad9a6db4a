package geo

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/ringsaturn/tzf"
	"github.com/waybill-dev/waybill/core/geo/internal/table"
)

// TestTableIsWhole looks at every row that is embedded: places where the country is, zones that time knows.
func TestTableIsWhole(t *testing.T) {
	codes, err := postalCodes()
	if err != nil {
		t.Fatal(err)
	}
	for country, atLeast := range map[string]int{"US": 41_000, "CA": 1_600} {
		if got := len(codes[country]); got < atLeast {
			t.Errorf("%s has %d codes, want %d", country, got, atLeast)
		}
	}
	zones := map[string]bool{}
	for country, rows := range codes {
		for i, r := range rows {
			if i > 0 && r.Code <= rows[i-1].Code {
				t.Fatalf("%s %s is not in order", country, r.Code)
			}
			if east := r.Lng > 140 && country == "US"; !(r.Lat > -15 && r.Lat < 84) || !(r.Lng > -180 && r.Lng < -50 || east) {
				t.Errorf("%s %s lies at %v %v", country, r.Code, r.Lat, r.Lng)
			}
			zones[r.Zone] = true
		}
	}
	for zone := range zones {
		if _, err := time.LoadLocation(zone); err != nil {
			t.Error(err)
		}
	}
}

// TestZonesComeFromTheTable takes the map of zones away: what the table knows must not need it, and what it does not
// know must say that the map could not be loaded.
func TestZonesComeFromTheTable(t *testing.T) {
	loaded := zoneFinder
	t.Cleanup(func() { zoneFinder = loaded })
	noMap := errors.New("no map")
	zoneFinder = func() (tzf.F, error) { return nil, noMap }
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	lat, lng := 42.3346944, -71.071818
	for name, q := range map[string]Query{
		"by code":     {CountryCode: "US", PostalCode: "02118"},
		"coordinates": {CountryCode: "US", PostalCode: "02118", Latitude: &lat, Longitude: &lng},
	} {
		if place, err := p.Place(t.Context(), q); err != nil || place.Zone != "America/New_York" {
			t.Errorf("%s: %+v, %v", name, place, err)
		}
	}
	if _, err := p.Place(t.Context(), Query{Latitude: &lat, Longitude: &lng}); !errors.Is(err, noMap) {
		t.Errorf("without a code: %v, want %v", err, noMap)
	}
}

func TestNauticalZones(t *testing.T) {
	for lng, want := range map[float64]string{0: "Etc/GMT", 7: "Etc/GMT", -50: "Etc/GMT+3", 180: "Etc/GMT-12", -180: "Etc/GMT+12"} {
		if got := nautical(lng); got != want {
			t.Errorf("%v: %s, want %s", lng, got, want)
		}
	}
}

func TestCacheForgetsTheOldest(t *testing.T) {
	c := newCache(2)
	for i := range 2 {
		c.put(fmt.Sprint(i), Place{Zone: fmt.Sprint(i)})
	}
	c.get("0")
	c.put("2", Place{Zone: "2"})
	c.put("2", Place{Zone: "again"})
	for key, want := range map[string]string{"0": "0", "1": "", "2": "again"} {
		if got, found := c.get(key); got.Zone != want || found != (want != "") {
			t.Errorf("%s: %q %v, want %q", key, got.Zone, found, want)
		}
	}
	if len(c.byKey) != 2 || c.order.Len() != 2 {
		t.Errorf("holds %d keys in %d elements, want 2", len(c.byKey), c.order.Len())
	}
}

// FuzzDecodeSearch feeds the decoder of the geocoder's answers.
func FuzzDecodeSearch(f *testing.F) {
	f.Add([]byte(`[]`))
	f.Add([]byte(`[{"lat":"52.52","lon":"13.4","place_rank":30}]`))
	f.Add([]byte(`[{"lat":"NaN","lon":"1e999","place_rank":30}]`))
	f.Add([]byte(`[{"lat":1,"lon":null}]`))
	f.Add([]byte(`<html>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		place, err := decodeSearch(body)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if !(math.Abs(place.Lat) <= 90 && math.Abs(place.Lng) <= 180) || place.Point == (Point{}) || place.Precision == "" {
			t.Fatalf("%+v", place)
		}
	})
}

func BenchmarkReadTable(b *testing.B) {
	for b.Loop() {
		if _, err := table.Decode(postalData); err != nil {
			b.Fatal(err)
		}
	}
}
