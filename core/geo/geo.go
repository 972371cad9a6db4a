// Package geo places an address: it answers where on the earth it is and in which time zone, without asking anybody
// where it can. Coordinates that come with an address are used as they are; else the postal code is looked up in a
// table that is part of the program (all US ZIP codes, all Canadian forward sortation areas); else a geocoder that
// speaks Nominatim's HTTP is asked, when one is configured. An address that none of them places is refused with the
// reason, which is what the API answers as GEOCODING_FAILED.
package geo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Point is a place on the WGS 84 ellipsoid in decimal degrees: latitude north, longitude east.
type Point struct {
	Lat float64 `json:"lat"`
	Lng float64 `json:"lng"`
}

// earthRadius is the mean radius of the earth in metres, R1 of the IUGG.
const earthRadius = 6_371_008.8

// Distance answers the great-circle distance in metres. It takes the earth for a sphere, so it is off by half a
// percent at most, and it is no driving distance.
func Distance(a, b Point) float64 {
	const radian = math.Pi / 180
	north := math.Sin((b.Lat - a.Lat) * radian / 2)
	east := math.Sin((b.Lng - a.Lng) * radian / 2)
	h := north*north + math.Cos(a.Lat*radian)*math.Cos(b.Lat*radian)*east*east
	return 2 * earthRadius * math.Asin(math.Sqrt(min(h, 1)))
}

// Query is an address to place. Latitude and Longitude come together or not at all.
type Query struct {
	Street1, Street2, City, State string
	PostalCode                    string
	CountryCode                   string // ISO 3166-1 alpha-2, in either case
	Latitude, Longitude           *float64
}

// Place is where an address is.
type Place struct {
	Point
	Zone      string    `json:"zone"` // IANA time zone, "America/New_York"
	Source    Source    `json:"source"`
	Precision Precision `json:"precision"`
}

// Source says who placed an address.
type Source string

const (
	SourceGiven    Source = "given"    // the coordinates came with the address
	SourcePostal   Source = "postal"   // the table of postal codes
	SourceGeocoder Source = "geocoder" // the configured geocoder
)

// Precision says how near a place is to the door.
type Precision string

const (
	PrecisionExact  Precision = "exact"  // as given by who sent the address
	PrecisionDoor   Precision = "door"   // the building
	PrecisionStreet Precision = "street" // somewhere on the street
	PrecisionPostal Precision = "postal" // the centre of the postal code: some kilometres
	PrecisionArea   Precision = "area"   // the centre of the town or of a group of postal codes: tens of kilometres
)

// Config says how addresses are placed. The zero value uses no network.
type Config struct {
	// Nominatim is the geocoder for what the table cannot place; nil for none.
	Nominatim *NominatimConfig
	// CacheSize is how many of the geocoder's answers are remembered; 4096 when 0.
	CacheSize int
}

// DefaultCacheSize is how many answers of the geocoder are remembered.
const DefaultCacheSize = 4096

// Placer places addresses. It is safe for concurrent use.
type Placer struct {
	postal   postalTable
	geocoder *nominatim // nil when none is configured
}

// New checks cfg, all of it, and reads the table of postal codes.
func New(cfg Config) (*Placer, error) {
	var faults []error
	if cfg.CacheSize < 0 {
		faults = append(faults, fmt.Errorf("cache size: %d is negative; leave it out for %d", cfg.CacheSize, DefaultCacheSize))
	}
	if cfg.Nominatim != nil {
		var wrong shipping.Faults
		cfg.Nominatim.Validate(&wrong)
		for _, f := range wrong {
			faults = append(faults, fmt.Errorf("nominatim: %s %s", f.Path, f.Message))
		}
	}
	postal, err := postalCodes()
	if err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	p := &Placer{postal: postal}
	if cfg.Nominatim != nil {
		p.geocoder = newNominatim(*cfg.Nominatim, cmp.Or(cfg.CacheSize, DefaultCacheSize))
	}
	return p, nil
}

// Close waits for calls to the geocoder, which end within its timeout, and closes its connections. Nothing may be
// placed from then on.
func (p *Placer) Close() {
	if p.geocoder != nil {
		p.geocoder.close()
	}
}

// Place answers where q is, or an *Error that says why it cannot be placed. It blocks only for the geocoder, and no
// longer than its timeout or ctx.
func (p *Placer) Place(ctx context.Context, q Query) (Place, error) {
	if q.Latitude != nil || q.Longitude != nil {
		return p.given(q)
	}
	country := strings.ToUpper(strings.TrimSpace(q.CountryCode))
	if !isCountryCode(country) {
		return Place{}, &Error{Reason: ReasonCountry, Detail: fmt.Sprintf("country code %q is not two letters of ISO 3166-1", q.CountryCode)}
	}
	code := normalPostalCode(country, q.PostalCode)
	if code != "" && !fitsCountry(country, code) {
		return Place{}, &Error{Reason: ReasonPostalFormat, Detail: fmt.Sprintf("postal code %q is not one of %s, which looks like %s",
			q.PostalCode, country, strings.ReplaceAll(postalFormats[country], "|", " or "))}
	}
	place, found := p.postal.find(country, code)
	if found && (place.Precision == PrecisionPostal || p.geocoder == nil) {
		return place, nil
	}
	if p.geocoder == nil {
		return Place{}, p.unplaced(country, code)
	}
	located, err := p.geocoder.locate(ctx, request(q, country))
	switch {
	case err == nil:
		return withZone(located)
	case found: // an area is better than nothing
		return place, nil
	default:
		return Place{}, err
	}
}

// given takes the coordinates that came with the address. Its postal code saves the search for the time zone.
func (p *Placer) given(q Query) (Place, error) {
	at, err := checkCoordinates(q.Latitude, q.Longitude)
	if err != nil {
		return Place{}, err
	}
	place := Place{Point: at, Source: SourceGiven, Precision: PrecisionExact}
	country := strings.ToUpper(strings.TrimSpace(q.CountryCode))
	place.Zone = p.postal.zoneAt(country, normalPostalCode(country, q.PostalCode), at)
	if place.Zone != "" {
		return place, nil
	}
	return withZone(place)
}

func withZone(place Place) (Place, error) {
	zone, err := Zone(place.Lat, place.Lng)
	if err != nil {
		return Place{}, err
	}
	place.Zone = zone
	return place, nil
}

// unplaced says why there is no place for an address when nobody else can be asked.
func (p *Placer) unplaced(country, code string) *Error {
	const remedy = "send latitude and longitude, or configure a geocoder"
	switch {
	case !p.postal.covers(country):
		return &Error{Reason: ReasonNoGeocoder, Detail: fmt.Sprintf("addresses of %s are not placed by postal code: %s", country, remedy)}
	case code == "":
		return &Error{Reason: ReasonPostalMissing, Detail: "the address has no postal code: add it, or " + remedy}
	default:
		return &Error{Reason: ReasonPostalUnknown, Detail: fmt.Sprintf("postal code %s is not known in %s: correct it, or %s", code, country, remedy)}
	}
}

func checkCoordinates(lat, lng *float64) (Point, error) {
	if lat == nil || lng == nil {
		return Point{}, &Error{Reason: ReasonCoordinates, Detail: "latitude and longitude belong together: send both or neither"}
	}
	at := Point{Lat: *lat, Lng: *lng}
	fault := at.rangeFault()
	if at == (Point{}) { // what programs send that have none
		fault = "latitude 0 with longitude 0 is no address: leave both out if they are not known"
	}
	if fault != "" {
		return Point{}, &Error{Reason: ReasonCoordinates, Detail: fault}
	}
	return at, nil
}

// rangeFault says which of the coordinates are out of range; empty when none is. The conditions are turned round so
// that NaN does not pass.
func (p Point) rangeFault() string {
	var faults []string
	if !(math.Abs(p.Lat) <= 90) {
		faults = append(faults, fmt.Sprintf("latitude %v is not between -90 and 90", p.Lat))
	}
	if !(math.Abs(p.Lng) <= 180) {
		faults = append(faults, fmt.Sprintf("longitude %v is not between -180 and 180", p.Lng))
	}
	return strings.Join(faults, "; ")
}
