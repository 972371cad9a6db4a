package rules_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/rules"
)

// TestBusinessDays counts Monday to Friday from the location's weekday on.
func TestBusinessDays(t *testing.T) {
	b := rules.Default()
	for _, c := range []struct {
		day  string // of March 2026; the 2nd is a Monday
		n    int
		days int
	}{{"02", 1, 1}, {"02", 4, 4}, {"02", 5, 7}, {"05", 2, 4}, {"06", 1, 3}, {"07", 1, 2}, {"08", 1, 1}, {"06", 0, 0}, {"06", 10, 14}} {
		now, err := time.Parse(time.RFC3339, "2026-03-"+c.day+"T17:00:00Z")
		if err != nil {
			t.Fatal(err)
		}
		in, err := rules.NewInput(rules.InputSource{ExternalID: "o", Currency: "USD", Now: now})
		if err != nil {
			t.Fatal(err)
		}
		d := b.Decide(b.Prepare(in, nil), nil)
		text, err := b.Try(&d, "", fmt.Sprintf("business_days(%d) == days(%d)", c.n, c.days))
		if first, _, _ := strings.Cut(text, "\n"); err != nil || !strings.HasSuffix(first, "= true") {
			t.Errorf("%s + %d: %v\n%s", c.day, c.n, err, text)
		}
	}
	for _, bad := range []string{"business_days(-1)", "business_days(100000)"} {
		in, err := rules.NewInput(rules.InputSource{ExternalID: "o", Currency: "USD", Now: time.Unix(0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		d := b.Decide(b.Prepare(in, nil), nil)
		if text, err := b.Try(&d, "", bad); err != nil || !strings.Contains(text, "out of range") {
			t.Errorf("%s: %v\n%s", bad, err, text)
		}
	}
}
