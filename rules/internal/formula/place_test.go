package formula

import (
	"testing"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestPlacesByTheirNames(t *testing.T) {
	for text, want := range map[string]string{
		"California": "CA", " new york": "NY", "US-TX": "TX", "ca-on": "ON", "Québec": "QC", "Yukon": "YT", "Washington": "WA", "ma": "MA",
		"CA": "", "ON": "", "": "", "Bayern": "", "NSW": "", "US": "", "Baja California": "",
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
