package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/waybill-dev/waybill/core/geo/internal/table"
)

// TestRun builds a table from packages of a few lines each, in the form in which the real ones are.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	census := write("key-value.js", `module.exports = [
  ["10036",{"latitude":40.759792,"longitude":-73.990685}],
  ["02118",{"latitude":42.33786,"longitude":-71.069805}]
]`)
	row := func(code, state, lat, lng string) string {
		return "US\t" + code + "\tPlace\tState\t" + state + "\tCounty\t001\t\t\t" + lat + "\t" + lng + "\t4\n"
	}
	geonames := write("US.txt", row("10036", "NY", "1", "1")+ // known to the census
		row("10118", "NY", "40.749", "-73.9865")+
		row("10099", "NY", "47.7", "-73.9")+ // far from its neighbours
		row("09012", "", "49.4333", "7.6")+row("96201", "AP", "37.5", "127")) // forces abroad
	canada := write("codesCanada.js", `exports.codes = {"M5V":{"zip":"M5V","latitude":43.6525,"longitude":-79.3686,"city":"Toronto"},`+
		`"H0H":{"zip":"H0H","latitude":90,"longitude":0,"city":"Reserved (santa Claus)"}};`)
	out := filepath.Join(dir, "postal.bin")
	if err := run(census, geonames, canada, out); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got, err := table.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	want := []table.Table{
		{Country: "CA", Rows: []table.Row{{Code: "M5V", Lat: 43.653, Lng: -79.369, Zone: "America/Toronto"}}},
		{Country: "US", Rows: []table.Row{
			{Code: "02118", Lat: 42.338, Lng: -71.070, Zone: "America/New_York"},
			{Code: "10036", Lat: 40.760, Lng: -73.991, Zone: "America/New_York"},
			{Code: "10118", Lat: 40.749, Lng: -73.987, Zone: "America/New_York"},
		}},
	}
	if !slices.EqualFunc(got, want, func(a, b table.Table) bool { return a.Country == b.Country && slices.Equal(a.Rows, b.Rows) }) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for name, bad := range map[string][3]string{
		"no file":          {filepath.Join(dir, "none"), geonames, canada},
		"another package":  {canada, geonames, canada},
		"too few columns":  {census, write("short.txt", "US\t10118\n"), canada},
		"no number":        {census, write("words.txt", row("10118", "NY", "north", "1")), canada},
		"no areas at all":  {census, geonames, census},
		"no second number": {census, write("half.txt", row("10118", "NY", "1", "")), canada},
	} {
		if err := run(bad[0], bad[1], bad[2], out); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
