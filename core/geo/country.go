package geo

import "strings"

// postalFormats are what postal codes look like, without spaces and hyphens: 9 stands for a digit, A for a letter,
// * for either, | for "or". Formats are those of the postal operators, as the Universal Postal Union publishes them;
// a form that was in use until lately stands beside its successor. A country that is not listed has no postal codes,
// or ones that are not checked.
var postalFormats = map[string]string{
	"US": "99999|999999999", "PR": "99999|999999999", "VI": "99999|999999999", "GU": "99999|999999999",
	"AS": "99999|999999999", "MP": "99999|999999999",
	"CA": "A9A9A9", "MX": "99999",
	"AR": "9999|A9999AAA", "BR": "99999999", "CL": "9999999", "CO": "999999", "PE": "99999",
	"GB": "A99AA|A999AA|AA99AA|AA999AA|A9A9AA|AA9A9AA", "IE": "A99****|A9A****",
	"DE": "99999", "FR": "99999", "MC": "99999", "IT": "99999", "SM": "99999", "VA": "99999", "ES": "99999",
	"PT": "9999999|9999", "NL": "9999AA|9999", "BE": "9999", "LU": "9999", "CH": "9999", "LI": "9999", "AT": "9999",
	"DK": "9999", "NO": "9999", "SE": "99999", "FI": "99999", "IS": "999",
	"PL": "99999", "CZ": "99999", "SK": "99999", "HU": "9999", "RO": "999999", "BG": "9999", "GR": "99999",
	"CY": "9999", "HR": "99999", "SI": "9999", "EE": "99999", "LV": "9999", "LT": "99999", "UA": "99999",
	"TR": "99999", "IL": "9999999|99999", "SA": "99999|999999999", "ZA": "9999",
	"IN": "999999", "CN": "999999", "JP": "9999999", "KR": "99999", "TW": "999|99999|999999", "SG": "999999",
	"MY": "99999", "TH": "99999", "PH": "9999", "ID": "99999", "VN": "99999|999999",
	"AU": "9999", "NZ": "9999",
}

func isCountryCode(s string) bool { return len(s) == 2 && fits("AA", s) }

var withoutSeparators = strings.NewReplacer(" ", "", "-", "", "\u00a0", "", "\t", "")

// normalPostalCode takes out of a code what people add to it: spaces, hyphens, small letters, and the country before
// it ("LV-1010", "SE-113 30").
func normalPostalCode(country, code string) string {
	code = strings.ToUpper(withoutSeparators.Replace(code))
	if bare, cut := strings.CutPrefix(code, country); cut && country != "" && !fitsCountry(country, code) && fitsCountry(country, bare) {
		return bare
	}
	return code
}

// fitsCountry says whether a normal code looks like one of the country; true when the country's are not checked.
func fitsCountry(country, code string) bool {
	formats, listed := postalFormats[country]
	if !listed {
		return true
	}
	for format := range strings.SplitSeq(formats, "|") {
		if fits(format, code) {
			return true
		}
	}
	return false
}

func fits(format, code string) bool {
	if len(format) != len(code) {
		return false
	}
	for i := range len(code) {
		digit := code[i] >= '0' && code[i] <= '9'
		letter := code[i] >= 'A' && code[i] <= 'Z'
		if !(digit && format[i] != 'A' || letter && format[i] != '9') {
			return false
		}
	}
	return true
}
