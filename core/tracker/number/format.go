package number

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
)

// format is one kind of number of one courier.
type format struct {
	courier string // "" where postal finds it
	name    string
	layouts []layout
	digit   digit // nil where there is none; else a layout has two groups, the serial number and the check digit
	postal  bool  // of the postal operator whose country stands at the end
}

// layout is one of the lengths or beginnings that a format's numbers have. Where a number fits several, one that is right counts.
type layout struct {
	*regexp.Regexp
	fixed int // characters that are the same in every number
}

// read reads a normalised number. ok tells whether it is in the format.
func (f *format) read(n string) (r reading, ok bool) {
	r.Candidate = Candidate{Courier: f.courier, Format: f.name, Checked: f.digit != nil}
	for _, l := range f.layouts {
		m := l.FindStringSubmatch(n)
		if m == nil {
			continue
		}
		valid := f.digit == nil || f.digit(m[1]) == m[2][0]
		if ok && !valid {
			continue
		}
		r.Valid, r.fixed, ok = valid, l.fixed, true
		if valid {
			break
		}
	}
	if ok && f.postal {
		country := n[len(n)-2:]
		r.Courier = operatorOf(country)
		r.Valid = r.Valid && isCountry(country)
	}
	return r, ok
}

func of(courier, name string, d digit, patterns ...string) format {
	f := format{courier: courier, name: name, digit: d}
	for _, p := range patterns {
		tree, err := syntax.Parse(p, syntax.Perl)
		if err != nil {
			panic(err) // a constant of this package
		}
		f.layouts = append(f.layouts, layout{regexp.MustCompile(`\A(?:` + p + `)\z`), fixed(tree)})
	}
	return f
}

// fixed counts the characters that a pattern fixes in everything that matches it.
func fixed(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpConcat, syntax.OpCapture, syntax.OpPlus:
		n := 0
		for _, sub := range re.Sub {
			n += fixed(sub)
		}
		return n
	case syntax.OpRepeat:
		return re.Min * fixed(re.Sub[0])
	case syntax.OpAlternate:
		least := fixed(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			least = min(least, fixed(sub))
		}
		return least
	}
	return 0
}

// USPS's IMpb behind its application identifier, and the ZIP code that may be scanned in front of it: of five digits, or of nine
// before the shorter form only.
const (
	impb22 = `(?:92[0-9]{3}9|93[0-9]{3}[0-8]|95[0-9]{4})[0-9]{15}`
	impb26 = `(?:92[0-9]{3}9|93[0-9]{3}[0-8]|95[0-9]{4})[0-9]{19}`
	zip5   = `420[0-9]{5}`
	zip9   = `420[0-9]{9}`
)

// formats are all that are known, those in wider use first. The facts are from jkeen/tracking_number_data (MIT), where they
// were gathered from the couriers' papers and from numbers in use; UPS, USPS, FedEx Express, Ground and S10 are confirmed by
// numbers that these carriers have published.
var formats = sync.OnceValue(func() []format {
	s10 := of("", "UPU S10", upuDigit, `[A-Z]{2}([0-9]{8})([0-9])[A-Z]{2}`)
	s10.postal = true
	return slices.Concat(american(), []format{s10}, others())
})

func american() []format {
	return []format{
		of("ups", "UPS 1Z", mod10(1, 2), `1Z([0-9A-Z]{15})([0-9])`),
		of("ups", "UPS waybill", mod10(1, 2), `[AHJKTV]([0-9]{9})([0-9])`),

		of("fedex", "FedEx Express (12 digits)", sevenThreeOne, `([0-9]{11})([0-9])`),
		of("fedex", "FedEx Express (34 digits)", sevenThreeOne, `[0-8][0-9]{19}([0-9]{13})([0-9])`),
		of("fedex", "FedEx ASTRA (32 digits)", sevenThreeOne, `3[0-9]{15}([0-9]{11})([0-9])[0-9]{4}`),
		of("fedex", "FedEx Ground (15 digits)", mod10(1, 3), `([0-9]{14})([0-9])`),
		of("fedex", "FedEx Ground SSCC-18", mod10(3, 1), `[0-9]{2}([0-9]{15})([0-9])`),
		of("fedex", "FedEx Ground 96 (22 digits)", mod10(1, 3), `96[0-9]{5}([0-9]{14})([0-9])`),
		of("fedex", "FedEx Ground GSN (34 digits)", sevenThreeOne, `96[0-9]{18}([0-9]{13})([0-9])`),

		of("usps", "USPS IMpb (94)", mod10(3, 1), `(94[0-9]{19})([0-9])`, `(94[0-9]{23})([0-9])`, `(94[0-9]{3}9[0-9]{23})([0-9])`,
			zip5+`(94[0-9]{19})([0-9])`, zip9+`(94[0-9]{19})([0-9])`, zip5+`(94[0-9]{23})([0-9])`),
		of("usps", "USPS IMpb (92, 93, 95)", mod10(3, 1), `(`+impb22+`)([0-9])`, `(`+impb26+`)([0-9])`,
			zip5+`(`+impb22+`)([0-9])`, zip9+`(`+impb22+`)([0-9])`, zip5+`(`+impb26+`)([0-9])`),
		of("usps", "USPS (20 digits)", mod10(3, 1), `([0-9]{19})([0-9])`),
		of("usps", "USPS legacy (91)", behind("91", mod10(3, 1)), `(91[0-9]{19})([0-9])`, `([0-9]{19})([0-9])`,
			zip5+`(91[0-9]{19})([0-9])`, zip5+`([0-9]{19})([0-9])`, zip9+`(91[0-9]{19})([0-9])`, zip9+`([0-9]{19})([0-9])`),
	}
}

func others() []format {
	return []format{
		of("amazon", "Amazon Logistics", nil, `TB[ACM][0-9]{12}`),
		of("amazon", "Amazon international", nil, `[AFC][0-9]{10}`),

		of("dhl", "DHL Express", mod7, `([0-9]{9})([0-9])`, `([0-9]{10})([0-9])`),
		of("dhl", "DHL Express piece", nil, `J[A-Z]{2,3}[0-9]{9,10}`),
		of("dhl", "DHL eCommerce", nil, `(?:GM|LX|RX|UV|CN|SG|TH|IN|HK|MY)[0-9][0-9A-Z]{9,38}`),
		of("dhl", "DHL eCommerce (14 digits)", nil, `[0-9]{14}`),

		of("canada_post", "Canada Post (16 digits)", mod10(3, 1), `([0-9]{15})([0-9])`),
		of("purolator", "Purolator (12 digits)", luhn, `([0-5][0-9]{10})([0-9])`),
		of("purolator", "Purolator (3 letters, 9 digits)", nil, `[A-Z]{3}[0-9]{9}`),
		of("canpar", "Canpar", nil, `[CDKLSUXZ][0-9]{21}`),

		of("dpd", "DPD (28 characters)", mod37by36, `([0-9]{27})([0-9A-Z])`),
		of("dpd", "DPD (15 characters)", mod37by36, `([0-9]{14})([0-9A-Z])`),
		of("yodel", "Yodel", nil, `JJ?D[0-9]{16}`),

		// The sum counts the letter as UPS would, C as 4 and D as 5. Where the digits begin with that very digit the source does not
		// count it; no published number shows whether OnTrac does.
		of("ontrac", "OnTrac C", behind("4", mod10(1, 2)), `C([0-9]{13})([0-9])`),
		of("ontrac", "OnTrac D", behind("5", mod10(1, 2)), `D([0-9]{13})([0-9])`),
		of("lasership", "LaserShip L", nil, `L[AIEHNX][1-3][0-9]{7}`),
		of("lasership", "LaserShip 1LS7 (15 characters)", nil, `1LS7[12][0-9]{10}`),
		of("lasership", "LaserShip 1LS7 (18 characters)", nil, `1LS7[12][0-9]{2}01[1-4][0-9]{6}1`), // printed with a hyphen before the last
		of("lasership", "LaserShip 1LSCX", nil, `1LSCX[0-9A-Z]{10}`),
		of("speedee", "Spee-Dee", nil, `SP[0-9]{18}`),
		of("old_dominion", "Old Dominion PRO", luhn, `((?:77[78]|072|780)[0-9]{7})([0-9])`),
		of("old_dominion", "Old Dominion guaranteed", luhn, `(80[0-9]{8})([0-9])`),

		of("gofo", "GOFO Express (US)", nil, `GFUS[0-9]{14}`),
		of("landmark", "Landmark Global LTN", nil, `LTN[0-9]{8}N1`),
		of("yunexpress", "YunExpress", nil, `YT[0-9]{16}`),
	}
}

// isCountry tells whether two letters are a country's in ISO 3166-1, which S10 takes them from.
func isCountry(code string) bool {
	_, found := slices.BinarySearch(countries(), code)
	return found
}

var countries = sync.OnceValue(func() []string {
	return strings.Fields(`
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP
KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT
MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ
UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW`)
})
