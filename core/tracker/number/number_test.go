package number_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/core/tracker/number"
)

var update = flag.Bool("update", false, "write the golden files")

// TestPublishedNumbers holds the formats against numbers that carriers and their customers have published.
func TestPublishedNumbers(t *testing.T) {
	for _, c := range []struct {
		number, courier, format string
		valid                   bool
	}{
		{"1Z5R89390357567127", "ups", "UPS 1Z", true},
		{"1Z879E930346834440", "ups", "UPS 1Z", true},
		{"1Z410E7W0392751591", "ups", "UPS 1Z", true},
		{"1Z8V92A70367203024", "ups", "UPS 1Z", true},
		{"1ZXX3150YW44070023", "ups", "UPS 1Z", true},
		{"1Z12345E0390817264", "ups", "UPS 1Z", false}, // of UPS's test host
		{"K1506235620", "ups", "UPS waybill", true},
		{"986578788855", "fedex", "FedEx Express (12 digits)", true},
		{"477179081230", "fedex", "FedEx Express (12 digits)", true},
		{"799531274483", "fedex", "FedEx Express (12 digits)", true},
		{"790535312317", "fedex", "FedEx Express (12 digits)", true},
		{"776094337676", "fedex", "FedEx Express (12 digits)", true},
		{"123456789012", "fedex", "FedEx Express (12 digits)", true},
		{"1001921334250001000300779017972697", "fedex", "FedEx Express (34 digits)", true},
		{"041441760228964", "fedex", "FedEx Ground (15 digits)", true},
		{"9611020987654312345672", "fedex", "FedEx Ground 96 (22 digits)", true},
		{"9400111206206406260787", "usps", "USPS IMpb (94)", true},
		{"9400109104250532908587", "usps", "USPS IMpb (94)", true},
		{"9405803699300124287899", "usps", "USPS IMpb (94)", true},
		{"9234690361980900000142", "usps", "USPS IMpb (92, 93, 95)", true},
		{"9205590006662200704797", "usps", "USPS IMpb (92, 93, 95)", true},
		{"9361289673090019555035", "usps", "USPS IMpb (92, 93, 95)", true},
		{"92612903103110541475013303", "usps", "USPS IMpb (92, 93, 95)", true},
		{"92419900000033499522966220", "usps", "USPS IMpb (92, 93, 95)", true},
		{"420787019400111206206406260787", "usps", "USPS IMpb (94)", true},
		{"4207870112349400111206206406260787", "usps", "USPS IMpb (94)", true},
		{"4207870192612903103110541475013303", "usps", "USPS IMpb (92, 93, 95)", true},
		{"RB123456785GB", "gb_post", "UPU S10", true},
		{"EA123456785US", "usps", "UPU S10", true},
		{"EA123456795US", "usps", "UPU S10", false},
		{"RB123456785CA", "canada_post", "UPU S10", true},
		{"RB123456785FJ", "s10", "UPU S10", true},
		{"RB123456785XX", "s10", "UPU S10", false}, // no country
		{"73891051146", "dhl", "DHL Express", true},
		{"0073938000549297", "canada_post", "Canada Post (16 digits)", true},
		{"C11031500001879", "ontrac", "OnTrac C", true},
		{"07209562763", "old_dominion", "Old Dominion PRO", true},
	} {
		best := number.Detect(c.number)
		if len(best) == 0 || best[0].Courier != c.courier || best[0].Format != c.format || best[0].Valid != c.valid {
			t.Errorf("%s: %+v, want first %s %s %v", c.number, best, c.courier, c.format, c.valid)
		}
	}
}

// TestBestFirst has the numbers that several couriers could have given.
func TestBestFirst(t *testing.T) {
	for _, c := range []struct {
		number, want string // couriers, ! behind those whose check digit is wrong
		ambiguous    bool
	}{
		{"1Z5R89390357567127", "ups", false},
		{"486578788855", "fedex! purolator!", false},
		{"100000000008", "purolator fedex!", false},
		{"100000000003", "fedex purolator!", false},
		{"100000237576", "fedex purolator", true},
		{"A1234567894", "amazon ups!", false},
		{"A1234567895", "ups amazon", true},
		{"C1234567893", "amazon", false},
		{"07209562763", "old_dominion dhl!", false},
		{"12345678901234", "dhl", false},
		{"LX123456785CN", "cn_post dhl", true},
		{"LX123456784CN", "dhl cn_post!", false},
		{"JAB123456789", "dhl purolator", true},
		{"GMA123456789", "purolator", false},
		{"4207870112349400111206206406260787", "usps fedex!", false},
		{"92612903103110541475013303", "usps", false},
		{"9205590006662200704798", "usps!", false},
		{"1LS712301012345671", "", false},
		{"1LS71230112345671", "lasership", false},
		{"1LS7123012123456-1", "lasership", false},
		{"1LS7 1 23 01 2 123456 1", "lasership", false},
		{"", "", false},
		{"hello", "", false},
		{"1Z", "", false},
		{"1Z5R8939035756712", "", false},
		{"1Z5R893903575671277", "", false},
		{"1Z5R8939035756712é", "", false},
		{"１Z5R89390357567127", "", false}, // a wide digit is no digit of a bar code
		{strings.Repeat("9", 35), "", false},
		{strings.Repeat(" ", 83) + "1Z5R89390357567127", "", false},
		{strings.Repeat(" ", 82) + "1Z5R89390357567127", "ups", false},
		{strings.Repeat("9", 1<<20), "", false},
	} {
		got := number.Detect(c.number)
		var words []string
		for _, g := range got {
			w := g.Courier
			if !g.Valid {
				w += "!"
			}
			words = append(words, w)
		}
		if s := strings.Join(words, " "); s != c.want || number.Ambiguous(got) != c.ambiguous {
			t.Errorf("%.60q: %q ambiguous %v, want %q %v", c.number, s, number.Ambiguous(got), c.want, c.ambiguous)
		}
	}
}

// TestLengths: an IMpb number has 22 or 26 digits, with a third length for 94 and nine digits of mailer; a nine-digit ZIP stands
// before the shorter only.
func TestLengths(t *testing.T) {
	of := func(s string) string {
		for _, c := range number.Detect(s) {
			if strings.HasPrefix(c.Format, "USPS IMpb") {
				return c.Format
			}
		}
		return ""
	}
	const n, c = "USPS IMpb (94)", "USPS IMpb (92, 93, 95)"
	for _, x := range []struct {
		prefix string
		length int
		want   string
	}{
		{"94000", 22, n}, {"94000", 26, n}, {"94000", 30, ""}, {"940009", 30, n}, {"94000", 21, ""}, {"94000", 24, ""},
		{"4201234594000", 30, n}, {"42012345678994000", 34, n}, {"4201234594000", 34, n}, {"42012345940009", 38, ""}, {"42012345678994000", 38, ""},
		{"920009", 22, c}, {"920008", 22, ""}, {"930008", 26, c}, {"930009", 26, ""}, {"950009", 22, c}, {"950000", 26, c}, {"950009", 30, ""},
		{"42012345920009", 30, c}, {"42012345920009", 34, c}, {"420123456789920009", 34, c}, {"420123456789920009", 38, ""}, {"910009", 26, ""},
	} {
		if got := of(x.prefix + strings.Repeat("1", x.length-len(x.prefix))); got != x.want {
			t.Errorf("%s with %d digits: %q, want %q", x.prefix, x.length, got, x.want)
		}
	}
}

func TestNormalize(t *testing.T) {
	for in, want := range map[string]string{
		" 1z 5r8-939\u00a00357\t567127\r\n": "1Z5R89390357567127",
		"1Z\u200b5R8\u2013939\u2212\ufeff":  "1Z5R8939",
		"a/b_c.d":                           "A/B_C.D",
		"ıſ":                                "ıſ", // no letters of bar codes, though Unicode's capitals of them are
	} {
		if got := number.Normalize(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		courier, number string
		want            number.Verdict
	}{
		{"ups", "1Z5R89390357567127", number.Verdict{Known: true, Valid: true, Format: "UPS 1Z"}},
		{"UPS", "1z5r8939 0357 5671 27", number.Verdict{Known: true, Valid: true, Format: "UPS 1Z"}},
		{"ups", "1Z12345E0390817264", number.Verdict{Known: true, Format: "UPS 1Z"}},
		{"ups", "986578788855", number.Verdict{}},
		{"us-post", "EA123456785US", number.Verdict{Known: true, Valid: true, Format: "UPU S10"}},
		{"usps", "RB123456785GB", number.Verdict{}},
		{"amazon", "TBA123456789012", number.Verdict{Known: true, Valid: true, Format: "Amazon Logistics"}},
		{"somebody", "1Z5R89390357567127", number.Verdict{}},
		{"", "", number.Verdict{}},
	} {
		if got := number.Check(c.courier, c.number); got != c.want {
			t.Errorf("%s %s: %+v, want %+v", c.courier, c.number, got, c.want)
		}
	}
}

func TestCouriers(t *testing.T) {
	all := number.Couriers()
	codes := map[string]bool{}
	for _, c := range all {
		for _, code := range []string{c.Code, c.Ship24, strings.ToUpper(c.Ship24), strings.ReplaceAll(c.Code, "_", "-")} {
			if got, ok := number.Lookup(code); !ok || got != c {
				t.Errorf("Lookup(%s) = %+v %v", code, got, ok)
			}
		}
		if codes[c.Code] || codes[c.Ship24] && c.Code != c.Ship24 || c.Name == "" {
			t.Errorf("%+v is there twice, or has no name", c)
		}
		codes[c.Code], codes[c.Ship24] = true, true
		if u, err := url.Parse(c.Website); c.Website != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
			t.Errorf("%s: website %q", c.Code, c.Website)
		}
		if page := c.TrackingURL("X1"); page != "" && (!strings.HasPrefix(page, "https://") || strings.Count(page, "X1") != 1 || strings.Contains(page, "%s")) {
			t.Errorf("%s: page %q", c.Code, page)
		}
	}
	if !slices.IsSortedFunc(all, func(a, b number.Courier) int { return strings.Compare(a.Code, b.Code) }) {
		t.Error("not in order")
	}
	for code, ship24 := range map[string]string{"usps": "us-post", "fr_post": "fr-post", "cn_post": "cn-post", "ups": "ups", "old_dominion": "old-dominion"} {
		if c, ok := number.Lookup(code); !ok || c.Ship24 != ship24 {
			t.Errorf("%s: %+v", code, c)
		}
	}
	if c, ok := number.Lookup("nobody"); ok {
		t.Errorf("nobody: %+v", c)
	}
	all[0].Code = "changed"
	if number.Couriers()[0].Code == "changed" {
		t.Error("a caller changes the list of all")
	}
}

func TestTrackingURL(t *testing.T) {
	for _, c := range []struct{ courier, number, want string }{
		{"usps", "9400 1112 0620 6406 2607 87", "https://tools.usps.com/go/TrackConfirmAction?tLabels=9400111206206406260787"},
		{"canpar", "d1", "https://www.canpar.com/en/track/tracking.jsp?reference=D1&locale=en"},
		{"yodel", "..", ""},
		{"ups", "1Z&x=y", ""},
		{"ups", "é", ""},
		{"ups", " - ", ""},
		{"ups", strings.Repeat("1", number.MaxLength+1), ""},
		{"amazon", "TBA123456789012", ""},
	} {
		k, _ := number.Lookup(c.courier)
		if got := k.TrackingURL(c.number); got != c.want {
			t.Errorf("%s %q: %s, want %s", c.courier, c.number, got, c.want)
		}
	}
}

// TestNoise: what people put between the characters changes nothing.
func TestNoise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.StringMatching(`[0-9A-Z]{1,30}`).Draw(t, "number")
		var noisy strings.Builder
		for _, r := range n {
			noisy.WriteString(rapid.SampledFrom([]string{"", "", " ", "-"}).Draw(t, "before"))
			noisy.WriteRune(r)
		}
		s := strings.ToLower(noisy.String())
		if got, want := number.Detect(s), number.Detect(n); !slices.Equal(got, want) {
			t.Fatalf("%q: %+v, %q: %+v", s, got, n, want)
		}
	})
}

// TestShape holds the JSON of candidates against a file: it is public.
func TestShape(t *testing.T) {
	got, err := json.MarshalIndent([][]number.Candidate{number.Detect("100000000003"), number.Detect("LX123456785CN"), number.Detect("?")}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "candidates.json")
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if string(want) != string(got)+"\n" {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func FuzzDetect(f *testing.F) {
	for _, s := range []string{"", "1Z5R89390357567127", "420787019400111206206406260787", "rb 123-456-785 gb", "GM\xff", "9\u0300", strings.Repeat("A", 200)} {
		f.Add(s)
	}
	rank := func(c number.Candidate) int {
		switch {
		case !c.Valid:
			return 2
		case !c.Checked:
			return 1
		}
		return 0
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := number.Normalize(s)
		if again := number.Normalize(n); again != n {
			t.Errorf("%q is normalised to %q, and that to %q", s, n, again)
		}
		got := number.Detect(s)
		if !slices.IsSortedFunc(got, func(a, b number.Candidate) int { return rank(a) - rank(b) }) {
			t.Errorf("%q: %+v is not best first", s, got)
		}
		seen := map[string]bool{}
		for _, c := range got {
			if seen[c.Format] || !c.Valid && !c.Checked {
				t.Errorf("%q: %+v", s, got)
			}
			seen[c.Format] = true
			k, ok := number.Lookup(c.Courier)
			if !ok {
				t.Fatalf("%q: no courier %s", s, c.Courier)
			}
			if !number.Check(c.Courier, s).Known {
				t.Errorf("%s does not know its own %q", c.Courier, s)
			}
			if page := k.TrackingURL(s); page != "" && !strings.Contains(page, n) {
				t.Errorf("%q: %s", s, page)
			}
		}
		if len(got) > 0 && !slices.Equal(got, number.Detect(n)) {
			t.Errorf("%q and %q are read differently", s, n)
		}
	})
}

func ExampleDetect() {
	for _, c := range number.Detect("9400 1112 0620 6406 2607 87") {
		courier, _ := number.Lookup(c.Courier)
		fmt.Println(courier.Name, "|", c.Format, "|", c.Valid)
	}
	// Output: United States Postal Service | USPS IMpb (94) | true
}

func BenchmarkDetect(b *testing.B) {
	for b.Loop() {
		number.Detect("9400111206206406260787")
	}
}
