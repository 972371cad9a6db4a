package main

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// system is the pair of units that one shipment is measured in. UPS wants the shipper's country's.
type system struct {
	length, weight         string // as shipping names them
	lengthCode, weightCode string // as UPS does
	lengthName, weightName string
	maxWeight              int64 // of one parcel; ups.com
	maxLength              int64 // of the longest side; ups.com
	maxGirthed             int64 // length + 2·(width + height); 0 where sources disagree
}

var (
	imperial = &system{"in", "lb", "IN", "LBS", "Inches", "Pounds", 150, 108, 165}
	metric   = &system{"cm", "kg", "CM", "KGS", "Centimeters", "Kilograms", 70, 270, 0}
)

// unitsFor returns the configured system, else that of the origin: imperial in the United States and its territories.
func unitsFor(configured, origin string) *system {
	switch configured {
	case "imperial":
		return imperial
	case "metric":
		return metric
	}
	if slices.Contains([]string{"US", "PR", "VI", "GU", "AS", "MP"}, origin) {
		return imperial
	}
	return metric
}

// weightText writes a weight in at most five characters, which Ship allows: one decimal below 1000, whole units above.
// It rounds up, so that a parcel is never declared lighter than it is.
func weightText(w *big.Rat) string {
	if w.Cmp(big.NewRat(1000, 1)) >= 0 {
		return ceil(w).String()
	}
	tenths := ceil(new(big.Rat).Mul(w, big.NewRat(10, 1)))
	return new(big.Rat).SetFrac(tenths, big.NewInt(10)).FloatString(1)
}

// sides returns the three sides in whole units, longest first, as UPS requires. Ship allows three characters; each side is
// rounded up, as UPS bills.
func sides(s shipping.Size, u *system) [3]*big.Int {
	l, w, h := s.In(u.length)
	out := [3]*big.Int{ceil(l), ceil(w), ceil(h)}
	slices.SortFunc(out[:], func(a, b *big.Int) int { return b.Cmp(a) })
	return out
}

func ceil(r *big.Rat) *big.Int {
	q, rest := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

// oversize says why UPS does not carry a parcel, "" where it does.
func oversize(p shipping.Parcel, u *system) (code, message string) {
	if w := p.Weight.In(u.weight); w.Cmp(big.NewRat(u.maxWeight, 1)) > 0 {
		return "TOO_HEAVY", fmt.Sprintf("a parcel weighs %s %s, UPS carries at most %d", weightText(w), u.weight, u.maxWeight)
	}
	if p.Size == nil {
		return "", ""
	}
	s := sides(*p.Size, u)
	if s[0].Cmp(big.NewInt(u.maxLength)) > 0 {
		return "TOO_LARGE", fmt.Sprintf("a parcel is %s %s long, UPS carries at most %d", s[0], u.length, u.maxLength)
	}
	girth := new(big.Int).Add(s[1], s[2])
	girthed := girth.Lsh(girth, 1).Add(girth, s[0])
	if u.maxGirthed > 0 && girthed.Cmp(big.NewInt(u.maxGirthed)) > 0 {
		return "TOO_LARGE", fmt.Sprintf("a parcel's length and girth are %s %s, UPS carries at most %d", girthed, u.length, u.maxGirthed)
	}
	return "", ""
}

// line makes one line of at most limit characters: control characters become blanks (UPS has answered a request that held
// one with an empty 200), runs of blanks become one.
func line(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > limit {
		s = strings.TrimSpace(string([]rune(s)[:limit]))
	}
	return s
}

// Limits of UPS's fields, in characters.
const (
	maxName      = 35
	maxLine      = 35
	maxLines     = 3
	maxCity      = 30
	maxState     = 5
	maxPostal    = 9
	maxPhone     = 15
	maxEmail     = 50
	maxReference = 35
)

// addressLines spreads a street over at most three lines of 35 characters; ok is false where it does not fit.
func addressLines(a shipping.Address) (lines []string, ok bool) {
	var parts []string
	for _, s := range []string{a.Street1, a.Street2, a.ApartmentNumber} {
		if s = line(s, shipping.MaxText); s != "" {
			parts = append(parts, s)
		}
	}
	for _, p := range parts {
		lines = append(lines, wrap(p, maxLine)...)
	}
	if len(lines) > maxLines {
		lines = wrap(strings.Join(parts, ", "), maxLine)
	}
	if len(lines) > maxLines {
		return lines[:maxLines], false
	}
	return lines, true
}

// wrap breaks s at blanks into lines of at most limit characters; a longer word is cut.
func wrap(s string, limit int) []string {
	var lines []string
	current := []rune{}
	for word := range strings.FieldsSeq(s) {
		w := []rune(word)
		if len(current) > 0 && len(current)+1+len(w) <= limit {
			current = append(append(current, ' '), w...)
			continue
		}
		if len(current) > 0 {
			lines = append(lines, string(current))
		}
		for len(w) > limit {
			lines = append(lines, string(w[:limit]))
			w = w[limit:]
		}
		current = slices.Clone(w)
	}
	if len(current) > 0 {
		lines = append(lines, string(current))
	}
	return lines
}

// postal writes a postal code in at most nine characters: ZIP+4 without its hyphen.
func postal(a shipping.Address) string {
	code := strings.TrimSpace(a.PostalCode)
	if domesticUS(a.CountryCode) {
		code = strings.ReplaceAll(code, "-", "")
	}
	return line(code, maxPostal)
}

// phone writes an E.164 number as digits; in the North American plan ten of them.
func phone(e164 string) string {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, e164)
	if len(digits) == 11 && digits[0] == '1' {
		return digits[1:]
	}
	return line(digits, maxPhone)
}

func domesticUS(country string) bool { return country == "US" || country == "PR" }

// residential reports whether an address is somebody's home; an unknown type is left for UPS to judge.
func residential(a shipping.Address) bool { return a.Type == "residential" || a.Type == "apartment" }

// money writes an amount as UPS does: all decimals of its currency.
func money(m shipping.Money) string {
	digits, _ := shipping.CurrencyDigits(m.Currency)
	return m.Major().Fixed(digits)
}
