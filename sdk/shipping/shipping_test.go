package shipping

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDecimal(t *testing.T) {
	for _, good := range []string{"0", "10", "-1", "78.65", "3.20", "1e3", "1E-2", "-0.5", "99999999999999999999"} {
		d, err := ParseDecimal(good)
		if err != nil || d.String() != good {
			t.Errorf("ParseDecimal(%q) = %q, %v", good, d, err)
		}
		b, err := json.Marshal(d)
		if err != nil || string(b) != good {
			t.Errorf("%q is written %s, %v", good, b, err)
		}
	}
	for _, bad := range []string{"", "-", "+1", "01", "1.", ".5", "1e", "1e99", "0x10", "NaN", "Infinity", "1,5", " 1", "1_000", strings.Repeat("9", 41), "1e999999999"} {
		if d, err := ParseDecimal(bad); err == nil {
			t.Errorf("ParseDecimal(%q) = %q, want an error", bad, d)
		}
	}
	var d Decimal
	if err := json.Unmarshal([]byte(`"10"`), &d); err == nil {
		t.Error("text was taken for a number")
	}
	if err := json.Unmarshal([]byte(`null`), &d); err != nil || !d.IsZero() {
		t.Errorf("null = %q, %v", d, err)
	}
	if b, _ := json.Marshal(Decimal{}); string(b) != "null" {
		t.Errorf("no number is written %s", b)
	}
	if got := MustDecimal("2.345").Fixed(2); got != "2.35" {
		t.Errorf("Fixed = %s", got)
	}
}

func TestBindMoney(t *testing.T) {
	cases := []struct {
		text, currency string
		minor          int64
		fault          string
	}{
		{"10.33", "USD", 1033, ""}, {"10", "JPY", 10, ""}, {"1.234", "KWD", 1234, ""}, {"1e2", "EUR", 10000, ""}, {"-0.5", "USD", -50, ""},
		{"1.234", "USD", 0, "more decimals"}, {"1.5", "JPY", 0, "more decimals"}, {"1", "XXX", 0, "unknown currency"}, {"1", "usd", 0, "unknown currency"},
		{"99999999999999999999", "USD", 0, "out of range"},
	}
	for _, c := range cases {
		m, err := BindMoney(MustDecimal(c.text), c.currency)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s %s: %v, want %q", c.text, c.currency, err, c.fault)
			}
			continue
		}
		if err != nil || m.Minor != c.minor {
			t.Errorf("%s %s = %v, %v", c.text, c.currency, m, err)
		}
	}
}

// What was bound says the same number in major units, and adding agrees with adding the exact numbers.
func TestMoneyIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		currency := rapid.SampledFrom([]string{"USD", "JPY", "KWD", "EUR"}).Draw(t, "currency")
		a := Money{Minor: rapid.Int64Range(-1e15, 1e15).Draw(t, "a"), Currency: currency}
		b := Money{Minor: rapid.Int64Range(-1e15, 1e15).Draw(t, "b"), Currency: currency}
		back, err := BindMoney(a.Major(), currency)
		if err != nil || back != a {
			t.Fatalf("%v in major units is %s, which is %v (%v)", a, a.Major(), back, err)
		}
		sum, err := a.Add(b)
		if err != nil {
			t.Fatal(err)
		}
		if want := new(big.Rat).Add(a.Major().Rat(), b.Major().Rat()); sum.Major().Rat().Cmp(want) != 0 {
			t.Fatalf("%v + %v = %v", a, b, sum)
		}
	})
	if _, err := (Money{1, "USD"}).Add(Money{1, "EUR"}); err == nil {
		t.Error("two currencies were added")
	}
	if _, err := (Money{1<<63 - 1, "USD"}).Add(Money{1, "USD"}); err == nil {
		t.Error("a sum overflowed in silence")
	}
	if s := (Money{1034, "USD"}).String(); s != "10.34 USD" {
		t.Errorf("String = %q", s)
	}
}

func TestUnitsAreExact(t *testing.T) {
	lb := Weight{Value: MustDecimal("60"), Unit: "lb"}
	if got, want := lb.Grams(), big.NewRat(27215542, 1000); got.Cmp(new(big.Rat).Add(want, big.NewRat(1, 5000))) < 0 && got.FloatString(4) != "27215.5422" {
		t.Errorf("60 lb = %s g", got.FloatString(6))
	}
	if got := lb.In("lb").FloatString(3); got != "60.000" {
		t.Errorf("60 lb in lb = %s", got)
	}
	l, _, _ := (Size{Length: MustDecimal("10"), Width: MustDecimal("1"), Height: MustDecimal("1"), Unit: "in"}).In("cm")
	if l.FloatString(2) != "25.40" {
		t.Errorf("10 in = %s cm", l.FloatString(4))
	}
}

func TestInstant(t *testing.T) {
	var w TimeWindow
	if err := json.Unmarshal([]byte(`{"startsAt":1679592688115,"endsAt":null}`), &w); err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2023, 3, 23, 17, 31, 28, 115e6, time.UTC); !w.StartsAt.Equal(want) || !w.EndsAt.IsZero() {
		t.Errorf("window = %+v", w)
	}
	if b, _ := json.Marshal(w); string(b) != `{"startsAt":1679592688115,"endsAt":null}` {
		t.Errorf("window is written %s", b)
	}
	for _, bad := range []string{`-1`, `"1679592688115"`, `1.5`, `4102444800001`, `1e20`, `{}`} {
		var i Instant
		if err := json.Unmarshal([]byte(bad), &i); err == nil {
			t.Errorf("%s was taken for the moment %v", bad, i)
		}
	}
}

func validAddress() Address {
	return Address{Street1: "725 Albany Street", City: "Boston", State: "MA", PostalCode: "02118", CountryCode: "US"}
}

func TestValidate(t *testing.T) {
	num := func(f float64) *float64 { return &f }
	ten := MustDecimal("10")
	cases := []struct {
		name string
		v    interface{ Validate(*Faults, string) }
		want []string // paths
	}{
		{"address", validAddress(), nil},
		{"empty address", Address{}, []string{"x.street1", "x.city", "x.countryCode"}},
		{"coordinates stand for a postal code", Address{Street1: "a", City: "b", CountryCode: "US", Latitude: num(1), Longitude: num(2)}, nil},
		{"half a pair", func() Address { a := validAddress(); a.Latitude = num(3); return a }(), []string{"x.latitude"}},
		{"off the earth", func() Address { a := validAddress(); a.Latitude, a.Longitude = num(91), num(-181); return a }(), []string{"x.latitude", "x.longitude"}},
		{"no such country", func() Address { a := validAddress(); a.CountryCode = "ZZ"; return a }(), []string{"x.countryCode"}},
		{"lower-case country", func() Address { a := validAddress(); a.CountryCode = "us"; return a }(), []string{"x.countryCode"}},
		{"long street", func() Address { a := validAddress(); a.Street1 = strings.Repeat("é", 101); return a }(), []string{"x.street1"}},
		{"control characters", func() Address { a := validAddress(); a.City = "a\x00b"; return a }(), []string{"x.city"}},
		{"odd type", func() Address { a := validAddress(); a.Type = "castle"; return a }(), []string{"x.addressType"}},
		{"contact", Contact{Name: "a", Phone: "1", Email: ""}, nil},
		{"empty contact", Contact{Email: "no"}, []string{"x.name", "x.phone", "x.email"}},
		{"size", Size{ten, ten, ten, "in"}, nil},
		{"bad size", Size{MustDecimal("0"), MustDecimal("-1"), Decimal{}, "furlong"}, []string{"x.unit", "x.length", "x.width", "x.height"}},
		{"huge size", Size{MustDecimal("101"), ten, ten, "m"}, []string{"x.length"}},
		{"weight", Weight{ten, "kg"}, nil},
		{"bad weight", Weight{MustDecimal("0"), "stone"}, []string{"x.unit", "x.value"}},
		{"heavy", Weight{MustDecimal("100001"), "kg"}, []string{"x.value"}},
		{"parcel", Parcel{Name: "Solid", ItemQuantity: 1}, nil},
		{"bad parcel", Parcel{ItemQuantity: -1, TemperatureControl: "warm", Content: []string{""}, Size: &Size{Unit: "in", Length: ten, Width: ten}},
			[]string{"x.itemQuantity", "x.size.height", "x.temperatureControl", "x.content[0]"}},
		{"window", TimeWindow{}, nil},
		{"reversed window", TimeWindow{StartsAt: At(time.Unix(10, 0)), EndsAt: At(time.Unix(9, 0))}, []string{"x.startsAt"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var f Faults
			c.v.Validate(&f, "x")
			var got []string
			for _, x := range f {
				got = append(got, x.Path)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("faults at %v, want %v: %v", got, c.want, f)
			}
		})
	}
	var f Faults
	Item{Quantity: 0, Price: MustDecimal("1.001"), SalePrice: MustDecimal("-1")}.Validate(&f, "itemList[0]", "USD")
	if len(f) != 3 || f.Err() == nil || !strings.Contains(f.Error(), "itemList[0].price") {
		t.Errorf("item faults = %v", f)
	}
}

func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"1", "-0.50", "1e18", "1e-18", "NaN", "0x1p4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDecimal(s)
		if err != nil {
			return
		}
		if !json.Valid([]byte(s)) {
			t.Fatalf("%q is no JSON number", s)
		}
		var back Decimal
		if err := json.Unmarshal([]byte(s), &back); err != nil || back != d {
			t.Fatalf("%q does not read back: %v %v", s, back, err)
		}
		if m, err := BindMoney(d, "USD"); err == nil {
			if fmt.Sprint(m.Major().Rat()) != fmt.Sprint(d.Rat()) {
				t.Fatalf("%q bound to %v", s, m)
			}
		}
	})
}

func TestLinesAndNotes(t *testing.T) {
	for text, want := range map[string]struct{ line, note bool }{
		"plain": {true, true}, "two\nlines": {false, true}, "a\ttab": {false, true}, "a return\r": {false, true}, "a\x00b": {false, false}, "\xff": {false, false},
		"eleven chars": {false, false},
	} {
		var line, note Faults
		line.Line("x", text, 11)
		note.Text("x", text, 11)
		if (len(line) == 0) != want.line || (len(note) == 0) != want.note || len(line) > 1 {
			t.Errorf("%q: as a line %v, as a note %v", text, line, note)
		}
	}
}
