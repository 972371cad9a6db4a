package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules/unit"
)

// Coordinates tell where somebody lives, so they are in no record: whoever decides asks the bundle which of its zones a place lies in,
// and the input holds their names.

// area is a zone on the map: a circle, or what lies between corners.
type area struct {
	center  point
	metres  float64 // radius of a circle
	corners []point
}

type point struct{ lat, lng float64 }

// maxCorners bounds the work of one question.
const maxCorners = 200

var coordinates = regexp.MustCompile(`^(-?\d{1,2}(?:\.\d+)?), *(-?\d{1,3}(?:\.\d+)?)$`)

var radiusText = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) +(` + strings.Join(slices.Sorted(maps.Keys(unit.DistanceUnits)), "|") + `)$`)

// readZones reads zones: at the top of a file.
func (c *checker) readZones(d *document, n *yaml.Node) {
	for _, p := range d.mapping(n, "zones", nil) {
		if !identifier.MatchString(p.key) {
			d.fault(p.node, "E504", fmt.Sprintf("%q cannot name a zone", p.key), "use small letters, digits and _")
			continue
		}
		if other := c.doubled(d.source, "zone "+p.key, p.node); other != "" {
			d.fault(p.node, "E504", fmt.Sprintf("two zones are named %q%s", p.key, other), "give each its own name")
			continue
		}
		before := len(c.problems)
		var z area
		for _, m := range d.mapping(p.value, "a zone", []string{"center", "radius", "corners"}) {
			switch m.key {
			case "center":
				z.center = d.point(m.value)
			case "radius":
				z.metres = d.metres(m.value)
			case "corners":
				for _, corner := range d.items(m.value, "corners") {
					z.corners = append(z.corners, d.point(corner))
				}
			}
		}
		if circle := z.metres > 0 && z.center != (point{}); len(c.problems) == before && (circle == (len(z.corners) > 0) || !circle && len(z.corners) < 3 || len(z.corners) > maxCorners) {
			d.fault(p.value, "E502", "a zone is a circle or has corners",
				fmt.Sprintf(`center: "41.88,-87.63" with radius: 3 mi, or corners: [ "41.7,-87.6", … ] with 3 to %d of them`, maxCorners))
		}
		c.zones[p.key] = z
	}
}

// point reads "41.88,-87.63": latitude and longitude in degrees.
func (s *source) point(n *yaml.Node) point {
	m := coordinates.FindStringSubmatch(s.text(n, "a point"))
	if m != nil {
		lat, err1 := strconv.ParseFloat(m[1], 64)
		lng, err2 := strconv.ParseFloat(m[2], 64)
		if err1 == nil && err2 == nil && math.Abs(lat) <= 90 && math.Abs(lng) <= 180 {
			return point{lat, lng}
		}
	}
	s.fault(n, "E505", fmt.Sprintf("%q is not a point", n.Value), `write latitude and longitude: "41.88,-87.63"`)
	return point{}
}

// metres reads "3 mi".
func (s *source) metres(n *yaml.Node) float64 {
	m := radiusText.FindStringSubmatch(s.text(n, "a radius"))
	var value float64
	if m != nil {
		value, _ = strconv.ParseFloat(m[1], 64)
	}
	if !(value > 0) || value > 1e6 {
		s.fault(n, "E505", fmt.Sprintf("%q is not a distance", n.Value), "write 3 mi, 5 km or 500 m")
		return 0
	}
	scale, _ := unit.DistanceUnits[m[2]].Float64()
	return value * scale
}

// earth is the mean radius in metres.
const earth = 6371008.8

func (z *area) holds(p point) bool {
	if len(z.corners) == 0 {
		rad := func(d float64) float64 { return d * math.Pi / 180 }
		a, b := rad(z.center.lat), rad(p.lat)
		h := math.Pow(math.Sin((b-a)/2), 2) + math.Cos(a)*math.Cos(b)*math.Pow(math.Sin(rad(p.lng-z.center.lng)/2), 2)
		return 2*earth*math.Asin(math.Sqrt(min(h, 1))) <= z.metres
	}
	inside := false
	for i, a := range z.corners { // how often a ray to the north crosses an edge
		b := z.corners[(i+1)%len(z.corners)]
		if (a.lng > p.lng) != (b.lng > p.lng) && p.lat < (b.lat-a.lat)*(p.lng-a.lng)/(b.lng-a.lng)+a.lat {
			inside = !inside
		}
	}
	return inside
}

// ZonesAt names the zones of the bundle that a place lies in, for InputSource: latitude and longitude in degrees. A zone with corners
// does not reach over the 180th meridian.
func (b *Bundle) ZonesAt(lat, lng float64) []string {
	var in []string
	for _, name := range slices.Sorted(maps.Keys(b.zones)) {
		if z := b.zones[name]; z.holds(point{lat, lng}) {
			in = append(in, b.zoneID(name))
		}
	}
	return in
}

// ZonesKnown names all zones of the bundle, for InputSource.
func (b *Bundle) ZonesKnown() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(b.zones)) {
		all = append(all, b.zoneID(name))
	}
	return all
}

// zoneID tells zones of one name apart that are different areas: name, @ and a part of what the area is.
func (b *Bundle) zoneID(name string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%v", b.zones[name]))
	return name + "@" + hex.EncodeToString(sum[:4])
}

// own reports whether an id is that of a zone of the bundle, and names it. In tests people write names alone.
func (b *Bundle) own(id string) (name string, is bool) {
	name, _, marked := strings.Cut(id, "@")
	_, is = b.zones[name]
	return name, is && (!marked || b.zoneID(name) == id)
}

// keepZones leaves of an input the zones of the bundle: another may have been asked too.
func (b *Bundle) keepZones(in *Input) {
	for _, list := range []*[]string{&in.Zones, &in.Order.To.Zones, &in.Order.From.Zones} {
		*list = names(slices.DeleteFunc(slices.Clone(*list), func(id string) bool { _, is := b.own(id); return !is }))
	}
}

// zoned is the names, as expressions know them, of those zones among ids that are the bundle's own.
func (b *Bundle) zoned(ids []string) []string {
	out := []string{}
	for _, id := range ids {
		if name, is := b.own(id); is {
			out = append(out, name)
		}
	}
	return out
}
