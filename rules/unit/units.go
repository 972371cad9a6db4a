package unit

import (
	"fmt"
	"math/big"
)

// Weight is a mass; its base unit is the gram.
type Weight struct{ Rational }

// Length is a length; its base unit is the millimetre.
type Length struct{ Rational }

// Volume is a volume; its base unit is the cubic millimetre.
type Volume struct{ Rational }

// Distance is a way; its base unit is the metre.
type Distance struct{ Rational }

// Of gives one unit in base units, by the name of its function in rules: lb, kg, oz, g for weights; inch, ft, cm, mm for lengths; cm3,
// inch3, liters for volumes; mi, km, m for distances.
var (
	WeightUnits = map[string]*big.Rat{
		"lb": big.NewRat(45359237, 100000), "oz": big.NewRat(45359237, 1600000), "kg": big.NewRat(1000, 1), "g": big.NewRat(1, 1),
	}
	LengthUnits = map[string]*big.Rat{
		"inch": big.NewRat(254, 10), "ft": big.NewRat(3048, 10), "cm": big.NewRat(10, 1), "mm": big.NewRat(1, 1),
	}
	VolumeUnits = map[string]*big.Rat{
		"cm3": big.NewRat(1000, 1), "inch3": big.NewRat(16387064, 1000), "liters": big.NewRat(1_000_000, 1),
	}
	DistanceUnits = map[string]*big.Rat{
		"mi": big.NewRat(1609344, 1000), "km": big.NewRat(1000, 1), "m": big.NewRat(1, 1),
	}
)

// In returns n units as base units.
func In(n Rational, unit *big.Rat) (Rational, error) { return FromRat(new(big.Rat).Mul(n.big(), unit)) }

// Metres returns a whole number of metres.
func Metres(n int64) Distance { return Distance{FromInt(n)} }

func (r Rational) per(unit *big.Rat) Rational {
	q, err := FromRat(new(big.Rat).Quo(r.big(), unit))
	if err != nil {
		return Rational{}
	}
	return q
}

// String is for people: "27215.54 g (60 lb)".
func (w Weight) String() string {
	return fmt.Sprintf("%s g (%s lb)", w.short(), w.per(WeightUnits["lb"]).short())
}

// String is for people: "1219.2 mm (48 in)".
func (l Length) String() string {
	return fmt.Sprintf("%s mm (%s in)", l.short(), l.per(LengthUnits["inch"]).short())
}

// String is for people: "28316846.59 mm³ (28.32 l)".
func (v Volume) String() string {
	return fmt.Sprintf("%s mm³ (%s l)", v.short(), v.per(VolumeUnits["liters"]).short())
}

// String is for people: "4023.36 m (2.5 mi)".
func (d Distance) String() string {
	return fmt.Sprintf("%s m (%s mi)", d.short(), d.per(DistanceUnits["mi"]).short())
}

// MarshalText is exact: "27215.5422 g".
func (w Weight) MarshalText() ([]byte, error) { return []byte(w.text() + " g"), nil }

// UnmarshalText reads what MarshalText wrote.
func (w *Weight) UnmarshalText(b []byte) (err error) {
	w.Rational, err = parse(string(b), "g")
	return err
}

// MarshalText is exact: "1219.2 mm".
func (l Length) MarshalText() ([]byte, error) { return []byte(l.text() + " mm"), nil }

// UnmarshalText reads what MarshalText wrote.
func (l *Length) UnmarshalText(b []byte) (err error) {
	l.Rational, err = parse(string(b), "mm")
	return err
}

// MarshalText is exact: "28316846.592 mm3".
func (v Volume) MarshalText() ([]byte, error) { return []byte(v.text() + " mm3"), nil }

// UnmarshalText reads what MarshalText wrote.
func (v *Volume) UnmarshalText(b []byte) (err error) {
	v.Rational, err = parse(string(b), "mm3")
	return err
}

// MarshalText is exact: "4023.36 m".
func (d Distance) MarshalText() ([]byte, error) { return []byte(d.text() + " m"), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Distance) UnmarshalText(b []byte) (err error) {
	d.Rational, err = parse(string(b), "m")
	return err
}
