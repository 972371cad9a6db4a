package ups

import (
	"math"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // scans carry local times, which must not depend on the host
)

// state is what the carrier knows about a state of the USA: whose postal codes lie in it and roughly where it is.
type state struct {
	lat, lon float64
	zone     string // IANA time zone of most of it
	zips     [][2]int
}

const (
	eastern  = "America/New_York"
	central  = "America/Chicago"
	mountain = "America/Denver"
	pacific  = "America/Los_Angeles"
)

// states has the first three digits of the postal codes and the rough centre of population of each state.
var states = map[string]state{
	"AL": {33.0, -86.8, central, [][2]int{{350, 369}}}, "AK": {61.3, -149.0, "America/Anchorage", [][2]int{{995, 999}}},
	"AZ": {33.4, -111.8, "America/Phoenix", [][2]int{{850, 865}}}, "AR": {35.1, -92.6, central, [][2]int{{716, 729}}},
	"CA": {35.5, -119.4, pacific, [][2]int{{900, 961}}}, "CO": {39.5, -105.2, mountain, [][2]int{{800, 816}}},
	"CT": {41.5, -72.9, eastern, [][2]int{{60, 69}}}, "DE": {39.4, -75.6, eastern, [][2]int{{197, 199}}},
	"DC": {38.9, -77.0, eastern, [][2]int{{200, 200}, {202, 205}}}, "FL": {27.8, -81.6, eastern, [][2]int{{320, 349}}},
	"GA": {33.4, -83.9, eastern, [][2]int{{300, 319}, {398, 399}}}, "HI": {21.1, -157.5, "Pacific/Honolulu", [][2]int{{967, 968}}},
	"ID": {44.2, -115.1, "America/Boise", [][2]int{{832, 838}}}, "IL": {41.3, -88.4, central, [][2]int{{600, 629}}},
	"IN": {40.2, -86.3, "America/Indiana/Indianapolis", [][2]int{{460, 479}}}, "IA": {42.0, -93.0, central, [][2]int{{500, 528}}},
	"KS": {38.5, -96.5, central, [][2]int{{660, 679}}}, "KY": {37.8, -85.3, eastern, [][2]int{{400, 427}}},
	"LA": {30.7, -91.5, central, [][2]int{{700, 714}}}, "ME": {44.3, -69.7, eastern, [][2]int{{39, 49}}},
	"MD": {39.1, -76.8, eastern, [][2]int{{206, 219}}}, "MA": {42.3, -71.4, eastern, [][2]int{{10, 27}, {55, 55}}},
	"MI": {42.9, -84.2, "America/Detroit", [][2]int{{480, 499}}}, "MN": {45.2, -93.6, central, [][2]int{{550, 567}}},
	"MS": {32.6, -89.6, central, [][2]int{{386, 397}}}, "MO": {38.4, -92.2, central, [][2]int{{630, 658}}},
	"MT": {46.8, -111.2, mountain, [][2]int{{590, 599}}}, "NE": {41.2, -97.4, central, [][2]int{{680, 693}}},
	"NV": {37.2, -116.3, pacific, [][2]int{{889, 898}}}, "NH": {43.2, -71.5, eastern, [][2]int{{30, 38}}},
	"NJ": {40.4, -74.4, eastern, [][2]int{{70, 89}}}, "NM": {34.6, -106.3, mountain, [][2]int{{870, 884}}},
	"NY": {41.5, -74.6, eastern, [][2]int{{5, 5}, {100, 149}}}, "NC": {35.6, -79.7, eastern, [][2]int{{270, 289}}},
	"ND": {47.4, -99.3, central, [][2]int{{580, 588}}}, "OH": {40.5, -82.7, eastern, [][2]int{{430, 459}}},
	"OK": {35.6, -96.8, central, [][2]int{{730, 749}}}, "OR": {44.7, -122.6, pacific, [][2]int{{970, 979}}},
	"PA": {40.5, -77.0, eastern, [][2]int{{150, 196}}}, "PR": {18.3, -66.3, "America/Puerto_Rico", [][2]int{{6, 9}}},
	"RI": {41.8, -71.4, eastern, [][2]int{{28, 29}}}, "SC": {34.0, -81.0, eastern, [][2]int{{290, 299}}},
	"SD": {44.0, -99.0, central, [][2]int{{570, 577}}}, "TN": {35.8, -86.4, central, [][2]int{{370, 385}}},
	"TX": {30.9, -97.4, central, [][2]int{{750, 799}, {885, 885}}}, "UT": {40.4, -111.9, mountain, [][2]int{{840, 847}}},
	"VT": {44.1, -72.8, eastern, [][2]int{{50, 54}, {56, 59}}}, "VA": {37.8, -77.8, eastern, [][2]int{{201, 201}, {220, 246}}},
	"WA": {47.3, -121.6, pacific, [][2]int{{980, 994}}}, "WV": {38.8, -80.8, eastern, [][2]int{{247, 268}}},
	"WI": {43.7, -89.0, central, [][2]int{{530, 549}}}, "WY": {42.7, -107.0, mountain, [][2]int{{820, 831}}},
}

// stateOf finds the state in which a postal code lies.
var stateOf = func() (at [1000]string) {
	for code, s := range states {
		for _, r := range s.zips {
			for z := r[0]; z <= r[1]; z++ {
				at[z] = code
			}
		}
	}
	return at
}()

// zip3 gives the first three digits of a US postal code: 12345, 123456789 or 12345-6789.
func zip3(postal string) (int, bool) {
	digits := strings.Replace(postal, "-", "", 1)
	if len(digits) != 5 && len(digits) != 9 {
		return 0, false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(digits[:3])
	return n, err == nil
}

// fits tells whether the postal code lies in the state; a state left out fits every code that exists.
func (a *address) fits() bool {
	if !a.american() {
		return true
	}
	z, ok := zip3(string(a.PostalCode))
	if !ok || stateOf[z] == "" {
		return false
	}
	return a.State == "" || a.inState() == stateOf[z]
}

// inState is the state of an address, "PR" for the country PR.
func (a *address) inState() string {
	if a.CountryCode == "PR" {
		return "PR"
	}
	return strings.ToUpper(string(a.State))
}

// american tells whether the address lies where US domestic services go.
func (a *address) american() bool { return a.CountryCode == "US" || a.CountryCode == "PR" }

// Zones 2 to 8 of the mainland follow the distance; remote is Alaska, Hawaii and Puerto Rico.
const remoteZone = 9

var zoneMiles = [...]float64{150, 300, 600, 1000, 1400, 1800}

// domesticZone is the carrier's zone between two US postal codes, by the distance between their states and, within
// a state, by how far apart their first three digits are.
func domesticZone(from, to *address) int {
	a, _ := zip3(string(from.PostalCode))
	b, _ := zip3(string(to.PostalCode))
	sa, sb := stateOf[a], stateOf[b]
	if sa == sb {
		gap := max(a-b, b-a)
		switch {
		case gap <= 3:
			return 2
		case gap <= 20:
			return 3
		}
		return 4
	}
	for _, s := range [...]string{sa, sb} {
		if s == "AK" || s == "HI" || s == "PR" {
			return remoteZone
		}
	}
	miles := distance(states[sa], states[sb])
	for i, limit := range zoneMiles {
		if miles <= limit {
			return i + 2
		}
	}
	return 8
}

// distance is the great circle in miles.
func distance(a, b state) float64 {
	const degree = math.Pi / 180
	sinLat, sinLon := math.Sin((b.lat-a.lat)*degree/2), math.Sin((b.lon-a.lon)*degree/2)
	h := sinLat*sinLat + math.Cos(a.lat*degree)*math.Cos(b.lat*degree)*sinLon*sinLon
	return 2 * 3959 * math.Asin(math.Sqrt(h))
}

// country is what the carrier knows of a country abroad: its international zone and the time that its scans carry.
type country struct {
	name, zone string
	band       int // 1 near to 4 far
}

var countries = map[string]country{
	"US": {"UNITED STATES", eastern, 2}, "PR": {"PUERTO RICO", "America/Puerto_Rico", 2},
	"CA": {"CANADA", "America/Toronto", 1}, "MX": {"MEXICO", "America/Mexico_City", 1},
	"GB": {"UNITED KINGDOM", "Europe/London", 2}, "IE": {"IRELAND", "Europe/Dublin", 2}, "DE": {"GERMANY", "Europe/Berlin", 2},
	"FR": {"FRANCE", "Europe/Paris", 2}, "NL": {"NETHERLANDS", "Europe/Amsterdam", 2}, "BE": {"BELGIUM", "Europe/Brussels", 2},
	"ES": {"SPAIN", "Europe/Madrid", 2}, "IT": {"ITALY", "Europe/Rome", 2}, "AT": {"AUSTRIA", "Europe/Vienna", 2},
	"CH": {"SWITZERLAND", "Europe/Zurich", 2}, "PL": {"POLAND", "Europe/Warsaw", 3}, "SE": {"SWEDEN", "Europe/Stockholm", 2},
	"DK": {"DENMARK", "Europe/Copenhagen", 2}, "NO": {"NORWAY", "Europe/Oslo", 3}, "FI": {"FINLAND", "Europe/Helsinki", 3},
	"PT": {"PORTUGAL", "Europe/Lisbon", 2}, "JP": {"JAPAN", "Asia/Tokyo", 3}, "CN": {"CHINA", "Asia/Shanghai", 3},
	"KR": {"SOUTH KOREA", "Asia/Seoul", 3}, "SG": {"SINGAPORE", "Asia/Singapore", 3}, "IN": {"INDIA", "Asia/Kolkata", 4},
	"AU": {"AUSTRALIA", "Australia/Sydney", 4}, "NZ": {"NEW ZEALAND", "Pacific/Auckland", 4}, "BR": {"BRAZIL", "America/Sao_Paulo", 4},
}

// locations are the zones of the tables above, loaded once.
var locations = func() map[string]*time.Location {
	at := map[string]*time.Location{}
	add := func(name string) {
		loc, err := time.LoadLocation(name)
		if err != nil {
			panic("ups: time zone " + name + " of the table does not load: " + err.Error())
		}
		at[name] = loc
	}
	for _, s := range states {
		add(s.zone)
	}
	for _, c := range countries {
		add(c.zone)
	}
	return at
}()

// local is the time zone at an address.
func (a *address) local() *time.Location {
	if s, ok := states[a.inState()]; ok && a.american() {
		return locations[s.zone]
	}
	if c, ok := countries[string(a.CountryCode)]; ok {
		return locations[c.zone]
	}
	return time.UTC
}

// place is where a scan happens.
type place struct {
	city, state, postal, country string
	slic                         string // the carrier's own number of the building; may hold letters
	local                        *time.Location
}

func (a *address) place() place {
	p := place{city: string(a.City), state: string(a.State), postal: string(a.PostalCode), country: string(a.CountryCode), local: a.local()}
	if len(p.postal) >= 3 && a.american() {
		p.slic = p.postal[:3] + "9"
	}
	return p
}

func hub(city, state, slic string) place {
	return place{city: city, state: state, country: "US", slic: slic, local: locations[states[state].zone]}
}

// hubs are sorting centres by the first digit of the postal codes that they serve.
var hubs = [10]place{
	hub("Chelmsford", "MA", "0190"), hub("Secaucus", "NJ", "0799"), hub("Laurel", "MD", "2079"), hub("Atlanta", "GA", "3039"),
	hub("Louisville", "KY", "4009"), hub("Minneapolis", "MN", "5549"), hub("Hodgkins", "IL", "6059"), hub("Dallas", "TX", "7529"),
	hub("Commerce City", "CO", "8009"), hub("Ontario", "CA", "9179"),
}

// exportHub is where parcels leave the country.
var exportHub = hubs[4]

// route lists the places a parcel is scanned at between its ends, both excluded.
func route(from, to *address) []place {
	var way []place
	add := func(p place) {
		if len(way) == 0 || way[len(way)-1].city != p.city {
			way = append(way, p)
		}
	}
	if z, ok := zip3(string(from.PostalCode)); ok && from.american() {
		add(hubs[z/100])
	}
	if from.CountryCode != to.CountryCode && !(from.american() && to.american()) {
		add(exportHub)
	}
	if z, ok := zip3(string(to.PostalCode)); ok && to.american() {
		add(hubs[z/100])
	}
	return way
}
