package doordash

import (
	"math"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/waybill-dev/waybill/simulator"
)

// Point is a place on Earth, in degrees.
type Point struct {
	Lat float64 `json:"lat" yaml:"lat"`
	Lng float64 `json:"lng" yaml:"lng"`
}

func (p Point) valid() bool {
	return math.Abs(p.Lat) <= 90 && math.Abs(p.Lng) <= 180 && p != (Point{})
}

// milesTo is the great-circle distance.
func (p Point) milesTo(q Point) float64 {
	const earth, radian = 3958.8, math.Pi / 180
	lat, lng := (q.Lat-p.Lat)*radian/2, (q.Lng-p.Lng)*radian/2
	h := math.Sin(lat)*math.Sin(lat) + math.Cos(p.Lat*radian)*math.Cos(q.Lat*radian)*math.Sin(lng)*math.Sin(lng)
	return 2 * earth * math.Asin(math.Min(1, math.Sqrt(h)))
}

func (p Point) middle(q Point) Point { return Point{(p.Lat + q.Lat) / 2, (p.Lng + q.Lng) / 2} }

// DoorDash's fee, of a third party's digest of its price page: 9.75 USD to
// five miles, 0.75 for each begun mile more, nothing beyond fifteen.
const (
	currency   = "USD"
	baseFee    = 975
	mileFee    = 75
	baseMiles  = 5
	mostMiles  = 15
	milesAfoot = 2.5 // the farthest that a seeded distance within one postal code goes
)

func feeFor(miles float64) int64 {
	return baseFee + mileFee*int64(math.Ceil(max(0, miles-baseMiles)))
}

var postalCode = regexp.MustCompile(`\b([0-9]{5})(?:-[0-9]{4})?\b`)

// zip is the last five-digit group of an address, which is where Americans
// write it; "" when there is none.
func zip(address string) string {
	all := postalCode.FindAllStringSubmatch(address, -1)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1][1]
}

// route is where a delivery leads. A zero point is one that cannot be placed.
type route struct {
	from, to Point
	miles    float64
}

// locate measures a delivery: by coordinates where they are given, else by the
// postal codes. Within one code, and where a code is not known, the distance
// is drawn by the two addresses, so that it is the same every time.
func (d *Dialect) locate(tx *simulator.Tx, req request) route {
	pickup, dropoff := d.pickupAddress(req), req.text("dropoff_address")
	fromZip, toZip := zip(pickup), zip(dropoff)
	r := route{from: d.places[fromZip], to: d.places[toZip]}
	exact := false
	if v, ok := req["dropoff_location"]; ok {
		exact = json.Unmarshal(v, &r.to) == nil
	}
	seeded := tx.Rand(Name, strings.ToLower(pickup+"|"+dropoff), "distance")
	switch {
	case r.from.valid() && r.to.valid() && (exact || fromZip != toZip):
		r.miles = r.from.milesTo(r.to)
	case fromZip != "" && fromZip == toZip:
		r.miles = 0.3 + seeded.Float64()*(milesAfoot-0.3)
	case fromZip != "" && toZip != "" && max(fromZip[0], toZip[0])-min(fromZip[0], toZip[0]) > 1:
		// The first digit of a ZIP code is a group of states, ordered from east to west.
		r.miles = 1000
	default:
		r.miles = 0.8 + seeded.Float64()*6
	}
	return r
}

// pickupAddress is the address given, or that of the store, which overrides it.
func (d *Dialect) pickupAddress(req request) string {
	if at, ok := d.cfg.Stores[storeKey(req)]; ok {
		return at
	}
	return req.text("pickup_address")
}

func storeKey(req request) string {
	return req.text("pickup_external_business_id") + "/" + req.text("pickup_external_store_id")
}

// uncovered is DoorDash's reason for refusing where it does not drive, or "".
func (d *Dialect) uncovered(req request) string {
	from, to := zip(d.pickupAddress(req)), zip(req.text("dropoff_address"))
	for _, beginning := range d.cfg.NotCovered {
		if from != "" && strings.HasPrefix(from, beginning) {
			return "pickup_address_not_in_coverage"
		}
		if to != "" && strings.HasPrefix(to, beginning) {
			return "delivery_address_not_in_coverage"
		}
	}
	return ""
}
