package unit

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// ErrRange says that a result does not fit.
var ErrRange = errors.New("the result is out of range")

// Rational is an exact fraction of 64-bit numbers; the zero value is 0.
type Rational struct {
	n int64
	d int64 // one less than the denominator, so that the zero value is 0/1
}

func reduced(n, d int64) Rational { return Rational{n: n, d: d - 1} }

func (r Rational) den() int64 { return r.d + 1 }

func (r Rational) big() *big.Rat { return big.NewRat(r.n, r.den()) }

// Rat is the number as the standard library computes with it.
func (r Rational) Rat() *big.Rat { return r.big() }

// finest are the denominators that FromRat falls back to when a fraction does not fit.
var finest = []int64{1_000_000_000, 1_000_000, 1_000, 1}

// FromRat returns r, exactly wherever numerator and denominator fit into 64 bits, else to the nearest of 1e-9, 1e-6, 1e-3 or 1 that fits.
func FromRat(r *big.Rat) (Rational, error) {
	if r.Num().IsInt64() && r.Denom().IsInt64() {
		return reduced(r.Num().Int64(), r.Denom().Int64()), nil
	}
	for _, d := range finest {
		scaled := new(big.Rat).Mul(r, new(big.Rat).SetInt64(d))
		text := scaled.FloatString(0)
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			b := big.NewRat(n, d)
			return reduced(b.Num().Int64(), b.Denom().Int64()), nil
		}
	}
	return Rational{}, ErrRange
}

// FromFloat reads f as the shortest decimal that gives f, so that 15.9 is 159/10.
func FromFloat(f float64) (Rational, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) || math.Abs(f) > math.MaxInt64 {
		return Rational{}, ErrRange
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return reduced(int64(f), 1), nil
	}
	var buffer [32]byte
	text := strconv.AppendFloat(buffer[:0], f, 'f', -1, 64)
	if r, ok := shortDecimal(text); ok {
		return r, nil
	}
	r, _ := new(big.Rat).SetString(string(text))
	return FromRat(r)
}

// shortDecimal reads a decimal of at most 18 digits without the cost of big numbers; scores scale money by such.
func shortDecimal(text []byte) (Rational, bool) {
	if len(text) > 18 {
		return Rational{}, false
	}
	n, d, negative, fraction := int64(0), int64(1), false, false
	for _, c := range text {
		switch c {
		case '-':
			negative = true
		case '.':
			fraction = true
		default:
			n = n*10 + int64(c-'0')
			if fraction {
				d *= 10
			}
		}
	}
	if negative {
		n = -n
	}
	g := int64(gcd(abs(n), uint64(d)))
	return reduced(n/g, d/g), true
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, 1)
}

// FromInt returns n.
func FromInt(n int64) Rational { return reduced(n, 1) }

// Cmp is -1, 0 or +1.
func (r Rational) Cmp(o Rational) int {
	if r.d == o.d {
		return compare(r.n, o.n)
	}
	if sr, so := sign(r.n), sign(o.n); sr != so {
		return compare(sr, so)
	}
	ah, al := bits.Mul64(abs(r.n), uint64(o.den()))
	bh, bl := bits.Mul64(abs(o.n), uint64(r.den()))
	c := compare(ah, bh)
	if c == 0 {
		c = compare(al, bl)
	}
	return c * int(sign(r.n))
}

func compare[T int64 | uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func sign(n int64) int64 {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func abs(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// Add returns r+o.
func (r Rational) Add(o Rational) (Rational, error) {
	if r.d == 0 && o.d == 0 {
		if s := r.n + o.n; (s > r.n) == (o.n > 0) {
			return reduced(s, 1), nil
		}
	}
	return FromRat(new(big.Rat).Add(r.big(), o.big()))
}

// Sub returns r-o.
func (r Rational) Sub(o Rational) (Rational, error) {
	return FromRat(new(big.Rat).Sub(r.big(), o.big()))
}

// Mul returns r*o.
func (r Rational) Mul(o Rational) (Rational, error) {
	return FromRat(new(big.Rat).Mul(r.big(), o.big()))
}

// Quo returns r/o; dividing by zero is an error.
func (r Rational) Quo(o Rational) (Rational, error) {
	if o.n == 0 {
		return Rational{}, errors.New("division by zero")
	}
	return FromRat(new(big.Rat).Quo(r.big(), o.big()))
}

// Float is the nearest float64, for scores and display.
func (r Rational) Float() float64 {
	f, _ := r.big().Float64()
	return f
}

// text is exact: a decimal where there is a finite one, else a fraction.
func (r Rational) text() string {
	if r.d == 0 {
		return strconv.FormatInt(r.n, 10)
	}
	digits, rest := 0, r.den()
	twos, fives := bits.TrailingZeros64(uint64(rest)), 0
	rest >>= twos
	for ; rest%5 == 0; rest /= 5 {
		fives++
	}
	if digits = max(twos, fives); rest != 1 {
		return fmt.Sprintf("%d/%d", r.n, r.den())
	}
	return r.big().FloatString(digits)
}

// short is for people: at most two decimals.
func (r Rational) short() string {
	s := r.big().FloatString(2)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

func parse(text, unit string) (Rational, error) {
	number, ok := strings.CutSuffix(text, " "+unit)
	if !ok || len(number) > 64 || strings.ContainsAny(number, "eEpPxX_") {
		return Rational{}, fmt.Errorf("%q is not a number of %s", text, unit)
	}
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		return Rational{}, fmt.Errorf("%q is not a number of %s", text, unit)
	}
	return FromRat(r)
}
