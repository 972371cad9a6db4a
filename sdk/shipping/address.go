package shipping

import (
	"math"
	"strings"
)

// Limits of the public API, in characters.
const (
	MaxText  = 100
	MaxNote  = 10_000
	MaxItems = 100
)

// Address is a place as people write it, with coordinates where they are known.
type Address struct {
	Street1         string   `json:"street1"`
	Street2         string   `json:"street2"`
	ApartmentNumber string   `json:"apartmentNumber"`
	City            string   `json:"city"`
	State           string   `json:"state"`
	PostalCode      string   `json:"postalCode"`
	CountryCode     string   `json:"countryCode"` // ISO 3166-1 alpha-2, upper case
	Latitude        *float64 `json:"latitude,omitempty"`
	Longitude       *float64 `json:"longitude,omitempty"`
	// Type is "residential", "business", "apartment", "po_box", "military" or "" where unknown.
	Type string `json:"addressType,omitempty"`
}

// AddressTypes lists what Address.Type may say.
var AddressTypes = []string{"residential", "business", "apartment", "po_box", "military", "unknown"}

// Placed reports whether the address has coordinates.
func (a Address) Placed() bool { return a.Latitude != nil && a.Longitude != nil }

// countries are the codes of ISO 3166-1 alpha-2, and XK, which carriers use for Kosovo.
const countries = " AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI " +
	"CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU " +
	"GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME " +
	"MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE " +
	"RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA " +
	"VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW "

// KnownCountry reports whether ISO 3166 knows a two-letter code.
func KnownCountry(code string) bool {
	return len(code) == 2 && strings.Contains(countries, " "+code+" ")
}

// Validate adds every fault of a to f. A street, a city and a country are required. Whether the address can be placed, by its
// coordinates, its postal code or a geocoder, is judged where that is tried.
func (a Address) Validate(f *Faults, path string) {
	f.Required(join(path, "street1"), a.Street1, MaxText)
	f.Line(join(path, "street2"), a.Street2, MaxText)
	f.Line(join(path, "apartmentNumber"), a.ApartmentNumber, MaxText)
	f.Required(join(path, "city"), a.City, MaxText)
	f.Line(join(path, "state"), a.State, MaxText)
	f.Line(join(path, "postalCode"), a.PostalCode, MaxText)
	if !KnownCountry(a.CountryCode) {
		f.Add(join(path, "countryCode"), "must be a two-letter ISO 3166 code such as US")
	}
	coordinate(f, join(path, "latitude"), a.Latitude, 90)
	coordinate(f, join(path, "longitude"), a.Longitude, 180)
	if (a.Latitude == nil) != (a.Longitude == nil) {
		f.Add(join(path, "latitude"), "and longitude must be given together")
	}
	oneOf(f, join(path, "addressType"), a.Type, AddressTypes)
}

func coordinate(f *Faults, path string, v *float64, limit float64) {
	if v != nil && (math.IsNaN(*v) || math.Abs(*v) > limit) {
		f.Add(path, "must be between -%g and %g", limit, limit)
	}
}

func oneOf(f *Faults, path, v string, allowed []string) {
	if v == "" {
		return
	}
	for _, a := range allowed {
		if v == a {
			return
		}
	}
	f.Add(path, "must be one of %s", strings.Join(allowed, ", "))
}

// Contact is whom to ask for at a place.
type Contact struct {
	Name  string `json:"name"`
	Phone string `json:"phone"`
	Email string `json:"email"`
}

// Validate adds every fault of c to f. A name and a phone number are required; whether the number is possible is checked where
// the phone library is at hand.
func (c Contact) Validate(f *Faults, path string) {
	f.Required(join(path, "name"), c.Name, MaxText)
	f.Required(join(path, "phone"), c.Phone, MaxText)
	f.Line(join(path, "email"), c.Email, MaxText)
	if c.Email != "" && (!strings.Contains(strings.Trim(c.Email, "@"), "@") || strings.ContainsAny(c.Email, " \t\r\n")) {
		f.Add(join(path, "email"), "is not an e-mail address")
	}
}
