package shipping

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// maxDecimalDigits bounds a Decimal's text and the size of its exponent, so that a hostile number such as 1e999999999
// costs nothing to hold or compare.
const (
	maxDecimalText     = 40
	maxDecimalExponent = 18
)

// Decimal is an exact number as it was written: "10", "78.65", "3.20". The zero value means that no number was given and
// is null in JSON.
type Decimal struct{ text string }

// ParseDecimal reads a JSON number. It refuses everything else (NaN, hex, leading plus, blanks), more than 40 characters and
// exponents beyond 18.
func ParseDecimal(s string) (Decimal, error) {
	if len(s) > maxDecimalText {
		return Decimal{}, fmt.Errorf("number is longer than %d characters", maxDecimalText)
	}
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(s), "e")
	if !validMantissa(mantissa) {
		return Decimal{}, fmt.Errorf("%q is not a number", s)
	}
	if hasExponent {
		n, err := strconv.Atoi(exponent)
		if err != nil {
			return Decimal{}, fmt.Errorf("%q is not a number", s)
		}
		if n > maxDecimalExponent || n < -maxDecimalExponent {
			return Decimal{}, fmt.Errorf("number %q is out of range", s)
		}
	}
	return Decimal{text: s}, nil
}

func validMantissa(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole, fraction, hasFraction := strings.Cut(s, ".")
	if whole == "" || (len(whole) > 1 && whole[0] == '0') || (hasFraction && fraction == "") {
		return false
	}
	for _, c := range whole + fraction {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// MustDecimal is ParseDecimal for constants in code; it panics on a fault.
func MustDecimal(s string) Decimal {
	d, err := ParseDecimal(s)
	if err != nil {
		panic(err)
	}
	return d
}

// DecimalFromInt returns n as a Decimal.
func DecimalFromInt(n int64) Decimal { return Decimal{text: strconv.FormatInt(n, 10)} }

// IsZero reports whether no number was given. "0" is a number that was given.
func (d Decimal) IsZero() bool { return d.text == "" }

// String returns the text as it was written, "" where none was given.
func (d Decimal) String() string { return d.text }

// Rat returns the exact value, 0 where none was given.
func (d Decimal) Rat() *big.Rat {
	r := new(big.Rat)
	if d.text != "" {
		r.SetString(d.text)
	}
	return r
}

// Sign is -1, 0 or +1.
func (d Decimal) Sign() int { return d.Rat().Sign() }

// Float is the nearest float64, for display and for carriers that ask for one; never for money.
func (d Decimal) Float() float64 {
	f, _ := d.Rat().Float64()
	return f
}

// Fixed returns the value with exactly n decimals, rounded half away from zero, as carriers that take numbers as strings want.
func (d Decimal) Fixed(n int) string { return d.Rat().FloatString(n) }

// MarshalJSON writes the number as it came, null where none was given.
func (d Decimal) MarshalJSON() ([]byte, error) {
	if d.text == "" {
		return []byte("null"), nil
	}
	return []byte(d.text), nil
}

// UnmarshalJSON reads a JSON number or null.
func (d *Decimal) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*d = Decimal{}
		return nil
	}
	if len(b) > 0 && b[0] == '"' {
		return errors.New("must be a number, not text")
	}
	p, err := ParseDecimal(string(b))
	if err != nil {
		return err
	}
	*d = p
	return nil
}
