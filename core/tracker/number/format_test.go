package number

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// made draws a number of one layout with the right check digit.
func made(t *rapid.T, f *format, l layout) (n string, check int) {
	n = rapid.StringMatching(l.String()).Draw(t, "number")
	if f.postal {
		n = n[:len(n)-2] + rapid.SampledFrom(countries()).Draw(t, "country")
	}
	if f.digit == nil {
		return n, -1
	}
	at := l.FindStringSubmatchIndex(n)
	return n[:at[4]] + string(f.digit(n[at[2]:at[3]])) + n[at[5]:], at[4]
}

func find(candidates []Candidate, name string) (Candidate, bool) {
	i := slices.IndexFunc(candidates, func(c Candidate) bool { return c.Format == name })
	if i < 0 {
		return Candidate{}, false
	}
	return candidates[i], true
}

// TestEveryFormat: a number made by a format's rule is found to be valid and of its courier, and is not valid in that format
// with any other check digit.
func TestEveryFormat(t *testing.T) {
	for i := range formats() {
		f := &formats()[i]
		t.Run(f.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				l := rapid.SampledFrom(f.layouts).Draw(t, "layout")
				n, check := made(t, f, l)
				c, ok := find(Detect(n), f.name)
				courier := f.courier
				if f.postal {
					courier = operatorOf(n[len(n)-2:])
				}
				if !ok || !c.Valid || c.Courier != courier || c.Checked != (f.digit != nil) {
					t.Fatalf("%s: %+v", n, Detect(n))
				}
				if v := Check(courier, n); !v.Known || !v.Valid {
					t.Fatalf("%s is not good to %s: %+v", n, courier, v)
				}
				fits := 0
				for _, other := range f.layouts {
					if other.MatchString(n) {
						fits++
					}
				}
				if check < 0 || fits > 1 { // read in two ways, it may be right in the other
					return
				}
				for d := byte('0'); d <= '9'; d++ {
					wrong := n[:check] + string(d) + n[check+1:]
					if c, ok := find(Detect(wrong), f.name); wrong != n && (!ok || c.Valid) {
						t.Fatalf("%s became %s: %+v %v", n, wrong, c, ok)
					}
				}
			})
		})
	}
}

func TestTables(t *testing.T) {
	if n := len(formats()); n != 39 {
		t.Errorf("%d formats, want 39", n)
	}
	names := map[string]bool{}
	for _, f := range formats() {
		if names[f.name] {
			t.Errorf("two formats are named %s", f.name)
		}
		names[f.name] = true
		if c, ok := Lookup(f.courier); !f.postal && (!ok || c.Code != f.courier) {
			t.Errorf("%s: no courier %q", f.name, f.courier)
		}
		for _, l := range f.layouts {
			if groups := l.NumSubexp(); f.digit != nil && groups != 2 || f.digit == nil && groups != 0 {
				t.Errorf("%s: %s has %d groups", f.name, l, groups)
			}
		}
	}
	if n := len(countries()); n != 249 || !slices.IsSorted(countries()) || len(slices.Compact(slices.Clone(countries()))) != n {
		t.Errorf("%d countries, or out of order, or twice; ISO 3166-1 has 249", n)
	}
	for country := range postal {
		if !isCountry(country) {
			t.Errorf("%s is no country", country)
		}
	}
}

// fact is one row of the file that the formats' facts come from.
type fact struct {
	Courier    string `json:"courier"`
	Format     string `json:"format"`
	Pattern    string `json:"pattern"`
	URL        string `json:"tracking_url"`
	Validation struct {
		Checksum *checksum `json:"checksum"`
		Serial   struct {
			PrependIf struct {
				Content string `json:"content"`
			} `json:"prepend_if"`
		} `json:"serial_number_format"`
	} `json:"validation"`
}

type checksum struct {
	Name       string `json:"name"`
	Evens      int    `json:"evens_multiplier"`
	Odds       int    `json:"odds_multiplier"`
	Reverse    bool   `json:"reverse"`
	Weightings []int  `json:"weightings"`
	Modulo1    int    `json:"modulo1"`
	Modulo2    int    `json:"modulo2"`
}

// digit computes a check digit as the file's words say, apart from what is tested.
func (c *checksum) digit(serial string) string {
	values := make([]int, len(serial))
	for i, r := range serial {
		values[i] = int(r - '0')
		if r >= 'A' {
			values[i] = (int(r) - 3) % 10
		}
	}
	if c.Reverse || c.Name == "luhn" {
		slices.Reverse(values)
	}
	sum := 0
	for i, v := range values {
		switch c.Name {
		case "mod10":
			sum += v * []int{c.Evens, c.Odds}[i%2]
		case "luhn":
			sum += []int{v*2/10 + v*2%10, v}[i%2]
		case "mod7":
			sum = (sum*10 + v) % 7
		default:
			sum += v * c.Weightings[i]
		}
	}
	const digits = "0123456789"
	switch c.Name {
	case "mod10", "luhn":
		return digits[(10-sum%10)%10:][:1]
	case "mod7":
		return digits[sum:][:1]
	case "s10":
		return string("50987654321"[sum%11]) // by rest: 0 is 5, 1 is 0, others 11 less the rest
	}
	return digits[sum%c.Modulo1%c.Modulo2:][:1]
}

// mod37 is the file's mod_37_36, by the standard's other way: the whole number with its check character comes out as 1.
func mod37(s string) bool {
	p := 36
	for i := range len(s) {
		v := strings.IndexByte("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", s[i])
		if i == len(s)-1 {
			return (p+v)%36 == 1
		}
		if p = (p + v) % 36; p == 0 {
			p = 36
		}
		p = p * 2 % 37
	}
	return false
}

// ours names the formats of the file as they are called here.
var ours = map[string]string{
	"Amazon Logistics": "Amazon Logistics", "Amazon International": "Amazon international", "Canada Post (16)": "Canada Post (16 digits)",
	"Canpar (22)": "Canpar", "DHL Express": "DHL Express", "DHL Express (Piece ID)": "DHL Express piece", "DHL E-Commerce": "DHL eCommerce",
	"DHL E-Commerce (14)": "DHL eCommerce (14 digits)", "DPD (28)": "DPD (28 characters)", "DPD (14)": "DPD (15 characters)",
	"FedEx Express (12)": "FedEx Express (12 digits)", "FedEx Express (34)": "FedEx Express (34 digits)", "FedEx ASTRA (32)": "FedEx ASTRA (32 digits)",
	"FedEx Ground": "FedEx Ground (15 digits)", "FedEx Ground (SSCC-18)": "FedEx Ground SSCC-18", "FedEx Ground 96 (22)": "FedEx Ground 96 (22 digits)",
	"FedEx Ground GSN": "FedEx Ground GSN (34 digits)", "GOFO Express (US)": "GOFO Express (US)", "Landmark Global LTN": "Landmark Global LTN",
	"LaserShip LX": "LaserShip L", "LaserShip 1LS7 (15)": "LaserShip 1LS7 (15 characters)", "LaserShip 1LS7 (18)": "LaserShip 1LS7 (18 characters)",
	"LaserShip 1LSCX (15)": "LaserShip 1LSCX", "Old Dominion": "Old Dominion PRO", "Old Dominion Guaranteed Shipment": "Old Dominion guaranteed",
	"OnTrac": "OnTrac C", "OnTrac D": "OnTrac D", "Purolator (12)": "Purolator (12 digits)", "Purolator (alpha + 9)": "Purolator (3 letters, 9 digits)",
	"S10": "UPU S10", "Spee-Dee (20)": "Spee-Dee", "UPS": "UPS 1Z", "UPS Waybill": "UPS waybill", "USPS 20": "USPS (20 digits)",
	"USPS IMpb N": "USPS IMpb (94)", "USPS Legacy": "USPS legacy (91)", "USPS IMpb C": "USPS IMpb (92, 93, 95)", "Yodel": "Yodel", "YunExpress": "YunExpress",
}

// TestFacts holds the formats against the file that their facts come from: what one takes the other takes, with the same check digit.
func TestFacts(t *testing.T) {
	facts := readFacts(t)
	if len(facts) != len(formats()) {
		t.Errorf("the file has %d formats, here are %d", len(facts), len(formats()))
	}
	for _, known := range facts {
		t.Run(known.Format, func(t *testing.T) {
			i := slices.IndexFunc(formats(), func(f format) bool { return f.name == ours[known.Format] })
			if i < 0 {
				t.Fatal("is not known here")
			}
			f := &formats()[i]
			if !f.postal && f.courier != known.Courier {
				t.Errorf("is of %s, in the file of %s", f.courier, known.Courier)
			}
			c, _ := Lookup(f.courier)
			if want := strings.Replace(known.URL, "http:", "https:", 1); !f.postal && want != "" && c.track != want {
				t.Errorf("page %q, want %q", c.track, want)
			}
			known.compare(t, f)
		})
	}
}

// compare draws numbers from both and reads them with both. Conditions on what follows, which Go's patterns do not have, are
// left out of the file's: it then takes more numbers, and TestLengths and TestBestFirst hold those.
func (k *fact) compare(t *testing.T, f *format) {
	plain := ahead(k.Pattern)
	pattern := regexp.MustCompile(`\A(?:` + plain + `)\z`)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.StringMatching(rapid.SampledFrom(f.layouts).Draw(t, "layout").String()).Draw(t, "ours")
		if k.Format == "LaserShip 1LS7 (18)" {
			n = n[:len(n)-1] + "-" + n[len(n)-1:]
		}
		if !pattern.MatchString(n) {
			t.Fatalf("%s is not in the file's %s", n, k.Pattern)
		}
		k.sameDigit(t, f, pattern, n)
		if right, _ := made(t, f, rapid.SampledFrom(f.layouts).Draw(t, "layout of a right one")); k.Format != "LaserShip 1LS7 (18)" {
			k.sameDigit(t, f, pattern, right)
		}
		theirs := rapid.StringMatching(strings.NewReplacer(`\b`, "", `\s`, " ").Replace(plain)).Draw(t, "theirs")
		if plain != k.Pattern {
			return
		}
		if _, ok := f.read(Normalize(theirs)); !ok {
			t.Fatalf("the file's %q is not read", theirs)
		}
		k.sameDigit(t, f, pattern, theirs)
	})
}

func (k *fact) sameDigit(t *rapid.T, f *format, pattern *regexp.Regexp, n string) {
	c := k.Validation.Checksum
	if (c == nil) != (f.digit == nil) {
		t.Fatalf("one has a check digit and the other has not")
	}
	r, _ := f.read(Normalize(n))
	if c == nil {
		if !r.Valid {
			t.Fatalf("%s is not valid", n)
		}
		return
	}
	m := pattern.FindStringSubmatch(n)
	serial, check := m[pattern.SubexpIndex("SerialNumber")], m[pattern.SubexpIndex("CheckDigit")]
	if front := k.Validation.Serial.PrependIf.Content; !strings.HasPrefix(serial, front) {
		serial = front + serial
	}
	if strings.HasPrefix(f.name, "USPS IMpb") && len(n) == 34 {
		return // the ZIP may be of five or of nine digits; here both are tried
	}
	want := c.Name == "mod_37_36" && mod37(serial+check) || c.Name != "mod_37_36" && c.digit(serial) == check
	want = want && (!f.postal || isCountry(n[len(n)-2:]))
	if r.Valid != want {
		t.Fatalf("%s is valid: %v, by the file %v", n, r.Valid, want)
	}
}

// ahead takes the conditions on what follows out of a pattern.
func ahead(pattern string) string {
	for {
		i := strings.Index(pattern, "(?=")
		if j := strings.Index(pattern, "(?!"); i < 0 || j >= 0 && j < i {
			i = j
		}
		if i < 0 {
			return pattern
		}
		depth, end := 0, i
		for ; end == i || depth > 0; end++ {
			switch pattern[end] {
			case '(':
				depth++
			case ')':
				depth--
			}
		}
		pattern = pattern[:i] + pattern[end:]
	}
}

// readFacts reads the file beside the repository, and skips the test where it is not.
func readFacts(t *testing.T) []fact {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the package")
		}
	}
	path := filepath.Join(dir, "..", "shared", "carriers", "tracking-numbers.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("SKIPPED, NOTHING WAS TESTED: the facts are not beside the repository: %s", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	var facts []fact
	if err := json.Unmarshal(b, &facts); err != nil {
		t.Fatal(err)
	}
	return facts
}
