package number

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Courier is somebody who gives tracking numbers. What is not known for certain is empty.
type Courier struct {
	// Code names the courier in the engine: "ups", "canada_post". An adapter for it has the same name.
	Code string
	// Ship24 is the courierCode that clients of Ship24's API use: the Code with hyphens, and for postal operators the country and
	// "-post". Ship24 has published us-post, fr-post and cn-post; the others follow these and are not verified.
	Ship24 string
	Name   string
	// Website is the courier's own, a whole URL.
	Website string
	// CountryCode is the country that it works in most, ISO 3166-1 alpha-2; "" where it works in many.
	CountryCode string
	// Post tells that it is a postal operator.
	Post bool

	track string // the public tracking page, with %s for the number
}

// TrackingURL returns the courier's public page about a number. It is "" where none is known, and for a number that has other
// characters than letters and digits once it is normalised, which no courier gives.
func (c Courier) TrackingURL(s string) string {
	n := Normalize(s)
	strange := strings.ContainsFunc(n, func(r rune) bool { return (r < '0' || r > '9') && (r < 'A' || r > 'Z') })
	if c.track == "" || n == "" || len(s) > MaxLength || strange {
		return ""
	}
	return strings.Replace(c.track, "%s", url.QueryEscape(n), 1)
}

// unnamedPost is the courier of S10 numbers from countries whose operator is not listed.
const unnamedPost = "s10"

// private are the couriers that are no postal operators. Tracking pages are those of jkeen/tracking_number_data (MIT), DHL's and
// OnTrac's by https, where it has http; websites and countries are not verified.
var private = []Courier{
	{Code: "amazon", Name: "Amazon Logistics", Website: "https://www.amazon.com", CountryCode: "US"},
	{Code: "canpar", Name: "Canpar", Website: "https://www.canpar.com", CountryCode: "CA", track: "https://www.canpar.com/en/track/tracking.jsp?reference=%s&locale=en"},
	{Code: "dhl", Name: "DHL", Website: "https://www.dhl.com", CountryCode: "DE", track: "https://www.dhl.com/en/express/tracking.html?brand=DHL&AWB=%s"},
	{Code: "dpd", Name: "DPD", Website: "https://www.dpd.com", track: "https://www.dpdgroup.com/nl/mydpd/my-parcels/track?lang=en&parcelNumber=%s"},
	{Code: "fedex", Name: "FedEx", Website: "https://www.fedex.com", CountryCode: "US", track: "https://www.fedex.com/apps/fedextrack/?tracknumbers=%s"},
	{Code: "gofo", Name: "GOFO Express", Website: "https://www.gofoexpress.com", CountryCode: "US", track: "https://www.gofoexpress.com/tracking.html?searchID=%s"},
	{Code: "landmark", Name: "Landmark Global", Website: "https://landmarkglobal.com", track: "https://track.landmarkglobal.com/?search=%s"},
	{Code: "lasership", Name: "LaserShip", Website: "https://www.lasership.com", CountryCode: "US"},
	{Code: "old_dominion", Name: "Old Dominion Freight Line", Website: "https://www.odfl.com", CountryCode: "US", track: "https://www.odfl.com/us/en/tools/trace-track-ltl-freight/trace.html?proNumbers=%s"},
	{Code: "ontrac", Name: "OnTrac", Website: "https://www.ontrac.com", CountryCode: "US", track: "https://www.ontrac.com/tracking/?number=%s"},
	{Code: "purolator", Name: "Purolator", Website: "https://www.purolator.com", CountryCode: "CA", track: "https://www.purolator.com/en/shipping/tracker?searchValue=%s"},
	{Code: "speedee", Name: "Spee-Dee Delivery", Website: "https://www.speedeedelivery.com", CountryCode: "US", track: "https://www.speedeedelivery.com/track/?tracking=%s"},
	{Code: "ups", Name: "UPS", Website: "https://www.ups.com", CountryCode: "US", track: "https://wwwapps.ups.com/WebTracking/track?track=yes&trackNums=%s"},
	{Code: "yodel", Name: "Yodel", Website: "https://www.yodel.co.uk", CountryCode: "GB", track: "https://www.yodel.co.uk/tracking/%s"},
	{Code: "yunexpress", Name: "YunExpress", Website: "https://www.yunexpress.com", CountryCode: "CN", track: "https://www.yuntrack.com/parcelTracking?id=%s"},
}

// postal are the operators that give S10 numbers, by country, with the website after the name where it is known. Ship24's API
// document confirms those of the United States and of France; the others are not verified.
var postal = map[string][2]string{
	"AT": {"Österreichische Post", "https://www.post.at"}, "AU": {"Australia Post", "https://auspost.com.au"},
	"BE": {"bpost", "https://www.bpost.be"}, "BR": {"Correios", "https://www.correios.com.br"},
	"CA": {"Canada Post", "https://www.canadapost-postescanada.ca"}, "CH": {"Swiss Post", "https://www.post.ch"},
	"CN": {"China Post", ""}, "CZ": {"Česká pošta", "https://www.ceskaposta.cz"},
	"DE": {"Deutsche Post", "https://www.deutschepost.de"}, "DK": {"PostNord Danmark", "https://www.postnord.dk"},
	"EE": {"Omniva", "https://www.omniva.ee"}, "ES": {"Correos", "https://www.correos.es"},
	"FI": {"Posti", "https://www.posti.fi"}, "FR": {"La Poste", "https://www.laposte.fr"},
	"GB": {"Royal Mail", "https://www.royalmail.com"}, "GR": {"Hellenic Post (ELTA)", "https://www.elta.gr"},
	"HK": {"Hongkong Post", "https://www.hongkongpost.hk"}, "HU": {"Magyar Posta", "https://www.posta.hu"},
	"IE": {"An Post", "https://www.anpost.com"}, "IL": {"Israel Post", ""},
	"IN": {"India Post", "https://www.indiapost.gov.in"}, "IT": {"Poste Italiane", "https://www.poste.it"},
	"JP": {"Japan Post", "https://www.post.japanpost.jp"}, "KR": {"Korea Post", "https://www.koreapost.go.kr"},
	"LT": {"Lietuvos paštas", "https://www.post.lt"}, "LU": {"POST Luxembourg", "https://www.post.lu"},
	"LV": {"Latvijas Pasts", "https://www.pasts.lv"}, "MX": {"Correos de México", ""},
	"MY": {"Pos Malaysia", "https://www.pos.com.my"}, "NL": {"PostNL", "https://www.postnl.nl"},
	"NO": {"Posten", "https://www.posten.no"}, "NZ": {"NZ Post", "https://www.nzpost.co.nz"},
	"PL": {"Poczta Polska", "https://www.poczta-polska.pl"}, "PT": {"CTT", "https://www.ctt.pt"},
	"RO": {"Poșta Română", "https://www.posta-romana.ro"}, "SE": {"PostNord Sverige", "https://www.postnord.se"},
	"SG": {"SingPost", "https://www.singpost.com"}, "SI": {"Pošta Slovenije", "https://www.posta.si"},
	"SK": {"Slovenská pošta", "https://www.posta.sk"}, "TH": {"Thailand Post", ""},
	"TR": {"PTT", "https://www.ptt.gov.tr"}, "TW": {"Chunghwa Post", "https://www.post.gov.tw"},
	"UA": {"Ukrposhta", "https://www.ukrposhta.ua"}, "US": {"United States Postal Service", "https://www.usps.com"},
	"ZA": {"South African Post Office", "https://www.postoffice.co.za"},
}

// operatorOf returns the code of a country's postal operator.
func operatorOf(country string) string {
	switch country {
	case "US":
		return "usps"
	case "CA":
		return "canada_post"
	}
	if _, ok := postal[country]; ok {
		return strings.ToLower(country) + "_post"
	}
	return unnamedPost
}

var couriers = sync.OnceValue(func() []Courier {
	out := slices.Clone(private)
	for i := range out {
		out[i].Ship24 = hyphens(out[i].Code)
	}
	track := map[string]string{
		"US": "https://tools.usps.com/go/TrackConfirmAction?tLabels=%s",
		"CA": "https://www.canadapost-postescanada.ca/track-reperage/en#/search?searchFor=%s",
	}
	for country, known := range postal {
		out = append(out, Courier{Code: operatorOf(country), Ship24: strings.ToLower(country) + "-post", Name: known[0], Website: known[1],
			CountryCode: country, Post: true, track: track[country]})
	}
	out = append(out, Courier{Code: unnamedPost, Ship24: unnamedPost, Name: "Postal operator (UPU S10)", Post: true})
	slices.SortFunc(out, func(a, b Courier) int { return cmp.Compare(a.Code, b.Code) })
	return out
})

// Couriers returns all couriers that a format is known of, by Code.
func Couriers() []Courier { return slices.Clone(couriers()) }

// Lookup finds a courier by its Code or its code at Ship24, in any case, with hyphens or underscores.
func Lookup(code string) (Courier, bool) {
	code = hyphens(strings.ToLower(code))
	for _, c := range couriers() {
		if code == c.Ship24 || code == hyphens(c.Code) {
			return c, true
		}
	}
	return Courier{}, false
}

func hyphens(code string) string { return strings.ReplaceAll(code, "_", "-") }
