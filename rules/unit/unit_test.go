package unit_test

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestPoundsAreExact(t *testing.T) {
	w := shipping.Weight{Value: shipping.MustDecimal("60"), Unit: "lb"}
	order, err := unit.FromRat(w.Grams())
	if err != nil {
		t.Fatal(err)
	}
	literal, err := unit.In(unit.FromInt(60), unit.WeightUnits["lb"])
	if err != nil {
		t.Fatal(err)
	}
	if order.Cmp(literal) != 0 {
		t.Errorf("60 lb is %v, lb(60) is %v", unit.Weight{Rational: order}, unit.Weight{Rational: literal})
	}
	if rounded := unit.FromInt(27216); literal.Cmp(rounded) >= 0 {
		t.Error("lb(60) is not below 27,216 g")
	}
	text, _ := unit.Weight{Rational: literal}.MarshalText()
	if string(text) != "27215.5422 g" {
		t.Errorf("text is %s", text)
	}
}

func rationals() *rapid.Generator[unit.Rational] {
	return rapid.Custom(func(t *rapid.T) unit.Rational {
		n, d := rapid.Int64Range(-1e12, 1e12).Draw(t, "n"), rapid.SampledFrom([]int64{1, 2, 5, 10, 16, 1000, 100000}).Draw(t, "d")
		r, err := unit.FromRat(big.NewRat(n, d))
		if err != nil {
			t.Fatal(err)
		}
		return r
	})
}

func TestComparisonAgreesWithBigNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n1, n2 := rapid.Int64().Draw(t, "n1"), rapid.Int64().Draw(t, "n2")
		d1, d2 := rapid.Int64Range(1, 1<<62).Draw(t, "d1"), rapid.Int64Range(1, 1<<62).Draw(t, "d2")
		x, y := big.NewRat(n1, d1), big.NewRat(n2, d2)
		a, err := unit.FromRat(x)
		if err != nil {
			t.Skip("out of range")
		}
		b, err := unit.FromRat(y)
		if err != nil {
			t.Skip("out of range")
		}
		if a.Cmp(b) != x.Cmp(y) {
			t.Fatalf("%v against %v is %d, want %d", x, y, a.Cmp(b), x.Cmp(y))
		}
	})
}

func TestTextRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := unit.Weight{Rational: rationals().Draw(t, "weight")}
		text, err := w.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back unit.Weight
		if err := back.UnmarshalText(text); err != nil || back != w {
			t.Fatalf("%s reads back as %v, %v", text, back, err)
		}
	})
}

func TestFloatsAreReadAsWritten(t *testing.T) {
	for _, text := range []string{"15.9", "0.1", "-2.25", "1234567890.125", "0.000001", "1234567.1234567"} {
		want, _ := new(big.Rat).SetString(text)
		f, _ := want.Float64()
		got, err := unit.FromFloat(f)
		if err != nil {
			t.Fatal(err)
		}
		if wanted, _ := unit.FromRat(want); got.Cmp(wanted) != 0 {
			t.Errorf("%s is read as %v", text, got)
		}
	}
}

func TestMoneyRoundsHalfEven(t *testing.T) {
	for _, c := range []struct {
		minor  int64
		factor float64
		want   int64
	}{{5, 0.5, 2}, {15, 0.1, 2}, {25, 0.1, 2}, {-5, 0.5, -2}, {-15, 0.1, -2}, {4250, 0.25, 1062}, {1033, 0.04, 41}, {7, 1, 7}, {100, -0.015, -2}} {
		f, err := unit.FromFloat(c.factor)
		if err != nil {
			t.Fatal(err)
		}
		got, err := unit.ScaleMoney(shipping.Money{Minor: c.minor, Currency: "USD"}, f)
		if err != nil || got.Minor != c.want {
			t.Errorf("%d * %v is %d (%v), want %d", c.minor, c.factor, got.Minor, err, c.want)
		}
	}
	huge, _ := unit.FromFloat(1e9)
	if _, err := unit.ScaleMoney(shipping.Money{Minor: 1 << 60, Currency: "USD"}, huge); err == nil {
		t.Error("an amount out of range was not refused")
	}
}

func TestBadTextIsRefused(t *testing.T) {
	for _, text := range []string{"", "5", "5 kg", "x g", "1e9 g", "0x1 g", "1/0 g"} {
		var w unit.Weight
		if err := w.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, w)
		}
	}
}

func TestVolumes(t *testing.T) {
	of := func(n int64, name string) unit.Volume {
		r, err := unit.In(unit.FromInt(n), unit.VolumeUnits[name])
		if err != nil {
			t.Fatal(err)
		}
		return unit.Volume{Rational: r}
	}
	side, err := unit.In(unit.FromInt(10), unit.LengthUnits["inch"])
	if err != nil {
		t.Fatal(err)
	}
	cube := side
	for range 2 {
		if cube, err = cube.Mul(side); err != nil {
			t.Fatal(err)
		}
	}
	if of(1000, "inch3").Cmp(cube) != 0 || of(1000, "cm3").Cmp(of(1, "liters").Rational) != 0 {
		t.Errorf("a cube of ten inches is %v and %v, a litre %v and %v", of(1000, "inch3"), unit.Volume{Rational: cube}, of(1, "liters"), of(1000, "cm3"))
	}
	if got := of(2, "liters").String(); got != "2000000 mm³ (2 l)" {
		t.Error(got)
	}
}
