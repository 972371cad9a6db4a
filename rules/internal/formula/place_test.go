package formula

import (
	"testing"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestPlacesByTheirNames(t *testing.T) {
	for text, want := range map[string]string{
		"California": "CA", " new york": "NY", "US-TX": "TX", "ca-on": "ON", "Québec": "QC", "Yukon": "YT", "Washington": "WA", "ma": "MA",
		"CA": "", "ON": "", "": "", "Bayern": "BAYERN", "NSW": "", "US": "", "Baja California": "BAJA CALIFORNIA",
	} {
		if got := meantState(text); got != want {
			t.Errorf("state %q is taken for %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"Germany": "DE", "united states": "US", "USA": "US", "U.S.A.": "US", "deu": "DE", "UK": "GB", "us": "US", "Holland": "NL", "Turkey": "TR",
		"US": "", "XK": "", "": "", "Narnia": "", "XX": "", "EU": "",
	} {
		if got := meantCountry(text); got != want {
			t.Errorf("country %q is taken for %q, want %q", text, got, want)
		}
	}
	for name, code := range countryCodes() {
		if !shipping.KnownCountry(code) || meantCountry(name) != code {
			t.Errorf("%q is %q", name, code)
		}
	}
	codes := map[string]bool{}
	for _, code := range stateCodes() {
		codes[code] = true
	}
	if len(codes) != 56+3+13 {
		t.Errorf("%d states", len(codes))
	}
}

// TestStatesAsRulesSeeThem: names become codes where the country has states that are known, and all are in capitals.
func TestStatesAsRulesSeeThem(t *testing.T) {
	for address, want := range map[[2]string]string{
		{"US", "hi"}: "HI", {"US", " Massachusetts "}: "MA", {"CA", "québec"}: "QC", {"CA", "ca-bc"}: "BC", {"PR", "Puerto Rico"}: "PR", {"", "texas"}: "TX",
		{"DE", "Bayern"}: "BAYERN", {"GE", "Georgia"}: "GEORGIA", {"AU", "nsw"}: "NSW", {"US", ""}: "", {"US", "Narnia"}: "NARNIA",
	} {
		if got := State(address[0], address[1]); got != want {
			t.Errorf("state %q of %q is %q, want %q", address[1], address[0], got, want)
		}
	}
	for text, want := range map[string]string{"US": "US", " us": "US", "usa": "US", "Germany": "DE", "UK": "GB", "": "", "Narnia": "NARNIA"} {
		if got := Country(text); got != want {
			t.Errorf("country %q is %q, want %q", text, got, want)
		}
	}
}
