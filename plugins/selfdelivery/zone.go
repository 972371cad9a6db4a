package main

import (
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// zone is a checked Zone.
type zone struct {
	radius  *big.Rat // metres; nil: not limited
	codes   []postalPattern
	polygon []Point
	all     bool
	except  []postalPattern
}

// postalPattern is a postal code, or the beginning of one, in the spelling of canonicalPostal.
type postalPattern struct {
	text   string
	prefix bool
}

func newZone(f *shipping.Faults, c Zone) zone {
	out := zone{codes: postalPatterns(f, "zone.postal_codes", c.PostalCodes), except: postalPatterns(f, "zone.except_postal_codes", c.Except), polygon: c.Polygon}
	if !c.RadiusKM.IsZero() {
		between(f, "zone.radius_km", c.RadiusKM, maxKM)
		out.radius = new(big.Rat).Mul(c.RadiusKM.Rat(), rat(1000))
	}
	if n := len(c.Polygon); n > 0 && n < 3 {
		f.Add("zone.polygon", "must have at least three corners, has %d", n)
	}
	for i, p := range c.Polygon {
		// The negated form refuses NaN too.
		if !(math.Abs(p.Latitude) <= 90 && math.Abs(p.Longitude) <= 180) {
			f.Add(fmt.Sprintf("zone.polygon[%d]", i), "must have a latitude of at most 90 and a longitude of at most 180 degrees")
		}
	}
	switch c.Match {
	case "", "any":
	case "all":
		out.all = true
	default:
		f.Add("zone.match", "must be any or all")
	}
	return out
}

func postalPatterns(f *shipping.Faults, path string, in []string) []postalPattern {
	var out []postalPattern
	for i, s := range in {
		text, prefix := strings.CutSuffix(strings.TrimSpace(s), "*")
		p := postalPattern{text: canonicalPostal(text), prefix: prefix}
		if p.text == "" || strings.Contains(p.text, "*") {
			f.Add(fmt.Sprintf("%s[%d]", path, i), "must be a postal code such as 75206, or the beginning of one such as 752*")
		}
		out = append(out, p)
	}
	return out
}

// canonicalPostal drops what people write differently: case, blanks and hyphens.
func canonicalPostal(s string) string {
	return postalNoise.Replace(strings.ToUpper(s))
}

var postalNoise = strings.NewReplacer(" ", "", "-", "")

// matches reports whether one of the patterns is the address's postal code. A United States ZIP+4 matches its ZIP.
func matches(patterns []postalPattern, a shipping.Address) bool {
	code := canonicalPostal(a.PostalCode)
	zip := code
	if a.CountryCode == "US" && len(code) == 9 {
		zip = code[:5]
	}
	for _, p := range patterns {
		if p.prefix && strings.HasPrefix(code, p.text) || p.text == code || p.text == zip {
			return true
		}
	}
	return false
}

// refuses says why the drivers do not go from the merchant's address to the buyer's, "" where they do. what is what to call the latter.
func (z zone) refuses(from, to shipping.Address, what string, metres int64) string {
	sameCountry := strings.EqualFold(from.CountryCode, to.CountryCode)
	if sameCountry && matches(z.except, to) {
		return "The postal code of the " + what + " is excepted from the zone."
	}
	var kinds, holding int
	var why []string
	judge := func(given, holds bool, reason string) {
		if !given {
			return
		}
		kinds++
		if holds {
			holding++
		} else {
			why = append(why, reason)
		}
	}
	placed := from.Placed() && to.Placed() || metres > 0
	judge(z.radius != nil, z.radius != nil && placed && rat(metres).Cmp(z.radius) <= 0, "beyond the radius of the zone")
	judge(len(z.codes) > 0, sameCountry && matches(z.codes, to), "not in a postal code of the zone")
	judge(len(z.polygon) > 0, to.Placed() && inside(z.polygon, to), "not in the polygon of the zone")
	if kinds == 0 || holding == kinds || !z.all && holding > 0 {
		return ""
	}
	if !to.Placed() {
		why = append(why, "without coordinates")
	}
	return "The " + what + " is " + strings.Join(why, ", ") + "."
}

// inside counts how often a ray to the east crosses the edges: an odd number is inside. Edges are straight in degrees, which
// is right for zones of a town's size.
func inside(polygon []Point, a shipping.Address) bool {
	lat, lng := *a.Latitude, *a.Longitude
	in := false
	for i, p := range polygon {
		q := polygon[(i+len(polygon)-1)%len(polygon)]
		if (p.Latitude > lat) != (q.Latitude > lat) &&
			lng < (q.Longitude-p.Longitude)*(lat-p.Latitude)/(q.Latitude-p.Latitude)+p.Longitude {
			in = !in
		}
	}
	return in
}
