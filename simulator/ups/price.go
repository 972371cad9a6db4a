package ups

import (
	"math"
	"strconv"
)

// The carrier's surcharges, in cents. The codes are those of its itemized charges; the amounts are ours.
const (
	fuelPercent   = 18
	residential   = 610
	saturday      = 1600
	signature     = 690
	adult         = 840
	handling      = 1900
	returnLabel   = 100
	valuePer100   = 135
	valueFree     = 100_00
	simplestValue = 405
)

const (
	chargeFuel      = "375"
	chargeResident  = "270"
	chargeSaturday  = "300"
	chargeSignature = "120"
	chargeHandling  = "100"
	chargeReturn    = "250"
	chargeValue     = "400"
)

// Limits of one package.
const (
	maxPounds  = 150
	maxLength  = 108
	maxGirth   = 165
	dimDaily   = 139
	dimRetail  = 166
	heavy      = 50 // pounds from which handling is charged
	longInches = 48
)

// parcel is what pricing needs to know of one package.
type parcel struct {
	pounds       float64
	sides        [3]float64 // inches, longest first; zero when not given
	signature    string     // DCISType
	declared     int64      // cents
	handlingAsks bool
}

// item is one itemized charge.
type item struct {
	code, kind string
	cents      int64
}

// parcelPrice is the price of one package.
type parcelPrice struct {
	billed  int64 // pounds
	base    int64
	fuel    int64
	options []item
	handled bool // additional handling was set by the carrier itself
}

func (p *parcelPrice) optionsTotal() int64 { return sum(p.options) }

// price is the price of a shipment. base + fuel is the transportation charge; all other items are options.
type price struct {
	parcels []parcelPrice
	base    int64
	fuel    int64
	options []item // of the shipment; those of the parcels stand with them
	billed  int64
}

func sum(items []item) (cents int64) {
	for _, i := range items {
		cents += i.cents
	}
	return cents
}

func (p *price) transportation() int64 { return p.base + p.fuel }

func (p *price) optionsTotal() int64 {
	total := sum(p.options)
	for i := range p.parcels {
		total += p.parcels[i].optionsTotal()
	}
	return total
}

func (p *price) total() int64 { return p.transportation() + p.optionsTotal() }

// negotiated is the price with a discount in percent on the transportation charge; fuel follows it.
func (p *price) negotiated(percent int) (base, fuel, total int64) {
	base = p.base - p.base*int64(percent)/100
	fuel = base * fuelPercent / 100
	return base, fuel, base + fuel + p.optionsTotal()
}

// terms are what the price of a shipment depends on besides its parcels.
type terms struct {
	lane        lane
	residential bool
	saturday    bool
	returning   bool
	daily       bool // account rates: the smaller divisor of dimensional weight
	roundUp     bool
}

func quote(s *service, t *terms, parcels []parcel) price {
	out := price{parcels: make([]parcelPrice, len(parcels))}
	for i := range parcels {
		p := &out.parcels[i]
		p.price(s, t, &parcels[i])
		out.base += p.base
		out.fuel += p.fuel
		out.billed += p.billed
	}
	if t.residential && s.kind == domestic {
		out.options = append(out.options, item{code: chargeResident, cents: residential * int64(len(parcels))})
	}
	if t.saturday && s.saturday {
		out.options = append(out.options, item{code: chargeSaturday, cents: saturday})
	}
	if t.returning {
		out.options = append(out.options, item{code: chargeReturn, cents: returnLabel * int64(len(parcels))})
	}
	return out
}

func (p *parcelPrice) price(s *service, t *terms, in *parcel) {
	p.billed = max(1, int64(math.Ceil(in.pounds)), dimensional(in.sides, t.daily, t.roundUp))
	steps := int64(t.lane.zone - 1)
	if t.lane.domestic {
		steps = int64(t.lane.zone - 2)
	}
	p.base = s.base + s.zone*steps + (p.billed-1)*(s.pound+s.zoned*steps)
	p.fuel = p.base * fuelPercent / 100
	switch in.signature {
	case "2":
		p.options = append(p.options, item{code: chargeSignature, cents: signature})
	case "3":
		p.options = append(p.options, item{code: chargeSignature, cents: adult})
	}
	if in.handlingAsks || in.pounds > heavy || in.sides[0] > longInches {
		p.handled = !in.handlingAsks
		p.options = append(p.options, item{code: chargeHandling, cents: handling})
	}
	if in.declared > valueFree {
		p.options = append(p.options, item{code: chargeValue, kind: "EVS", cents: max(simplestValue, (in.declared+9999)/100_00*valuePer100)})
	}
}

// dimensional is the weight by size: the sides in whole inches, multiplied, by the divisor, to the next whole pound.
func dimensional(sides [3]float64, daily, roundUp bool) int64 {
	round := math.Round
	if roundUp {
		round = math.Ceil
	}
	divisor := float64(dimRetail)
	if daily {
		divisor = dimDaily
	}
	return int64(math.Ceil(round(sides[0]) * round(sides[1]) * round(sides[2]) / divisor))
}

// codes are the errors of reading packages, which Rating and Shipping number differently.
type codes struct {
	packaging, weightMissing, weightZero, weightMax, sizeShort, sizeZero, sizeMax, lengthMax string
}

// Shipping's are published in a transcription of its guide; of Rating's only 111212 is, the others are Shipping's with
// Rating's prefix. 120600 for missing packaging and 121035 for overweight are not confirmed.
var (
	shippingCodes = codes{"120600", "120601", "121030", "121035", "120602", "120609", "121050", "121055"}
	ratingCodes   = codes{"111212", "110601", "111030", "111035", "110602", "110609", "111050", "111055"}
)

// parcelOf reads one package of a request.
func parcelOf(in *packageIn, packaging *codeIn, c *codes) (parcel, *refusal) {
	var p parcel
	if packaging == nil || packaging.Code == "" {
		return p, refuse(c.packaging, "Missing or invalid package type.")
	}
	if in.PackageWeight == nil || in.PackageWeight.Weight == "" {
		return p, refuse(c.weightMissing, "Missing or invalid package weight.")
	}
	weight, ok := number(in.PackageWeight.Weight)
	if !ok {
		return p, refuse(c.weightMissing, "Missing or invalid package weight.")
	}
	switch in.PackageWeight.UnitOfMeasurement.Code {
	case "KGS":
		weight *= 2.20462262
	case "OZS":
		weight /= 16
	}
	if weight <= 0 {
		return p, refuse(c.weightZero, "Packages must weigh more than zero pounds.")
	}
	if weight > maxPounds {
		return p, refuse(c.weightMax, "The maximum per package weight for the selected service from the selected country or territory is 150.00 pounds.")
	}
	p.pounds = weight
	if err := p.measure(in.Dimensions, c); err != nil {
		return p, err
	}
	if dc := in.PackageServiceOptions.DeliveryConfirmation; dc != nil {
		p.signature = string(dc.DCISType)
	}
	if dv := in.PackageServiceOptions.DeclaredValue; dv != nil {
		if value, ok := number(dv.MonetaryValue); ok {
			p.declared = int64(math.Round(value * 100))
		}
	}
	p.handlingAsks = bool(in.AdditionalHandling)
	return p, nil
}

func (p *parcel) measure(in *dimensionsIn, c *codes) *refusal {
	if in == nil {
		return nil
	}
	for i, side := range [...]text{in.Length, in.Width, in.Height} {
		if side == "" {
			return refuse(c.sizeShort, "Invalid combination of package dimensions.")
		}
		inches, ok := number(side)
		if !ok || inches <= 0 {
			return refuse(c.sizeZero, "All package dimensions are required and each must be greater than 0 inches.")
		}
		if in.UnitOfMeasurement.Code == "CM" {
			inches /= 2.54
		}
		p.sides[i] = inches
	}
	s := &p.sides
	if s[1] > s[0] {
		s[0], s[1] = s[1], s[0]
	}
	if s[2] > s[0] {
		s[0], s[2] = s[2], s[0]
	}
	if s[0] > maxLength {
		return refuse(c.lengthMax, "Package exceeds the maximum length constraint of 108 inches.")
	}
	if s[0]+2*(s[1]+s[2]) > maxGirth {
		return refuse(c.sizeMax, "Package exceeds the maximum size total constraint of 165 inches (length + girth, where girth is 2 x width plus 2 x height).")
	}
	return nil
}

// number reads a decimal as the carrier's strings hold them.
func number(t text) (float64, bool) {
	f, err := strconv.ParseFloat(string(t), 64)
	return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
}
