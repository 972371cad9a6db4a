package unit

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// ScaleMoney returns m times f, rounded half to even in the minor unit.
func ScaleMoney(m shipping.Money, f Rational) (shipping.Money, error) {
	high, low := bits.Mul64(abs(m.Minor), abs(f.n))
	if d := uint64(f.den()); high < d {
		q, rest := bits.Div64(high, low, d)
		if half := d - rest; rest > half || rest == half && q%2 == 1 {
			q++
		}
		if q <= math.MaxInt64 {
			return shipping.Money{Minor: sign(m.Minor) * sign(f.n) * int64(q), Currency: m.Currency}, nil
		}
	}
	return roundMoney(new(big.Rat).Mul(new(big.Rat).SetInt64(m.Minor), f.big()), m.Currency)
}

// DivideMoney returns m divided by f, rounded half to even in the minor unit.
func DivideMoney(m shipping.Money, f Rational) (shipping.Money, error) {
	if f.n == 0 {
		return shipping.Money{}, errors.New("division by zero")
	}
	return roundMoney(new(big.Rat).Quo(new(big.Rat).SetInt64(m.Minor), f.big()), m.Currency)
}

func roundMoney(r *big.Rat, currency string) (shipping.Money, error) {
	half := big.NewRat(1, 2)
	floor := new(big.Int).Div(r.Num(), r.Denom())
	switch new(big.Rat).Sub(r, new(big.Rat).SetInt(floor)).Cmp(half) {
	case 1:
		floor.Add(floor, big.NewInt(1))
	case 0:
		floor.Add(floor, new(big.Int).And(floor, big.NewInt(1)))
	}
	if !floor.IsInt64() {
		return shipping.Money{}, ErrRange
	}
	return shipping.Money{Minor: floor.Int64(), Currency: currency}, nil
}

// CompareMoney is -1, 0 or +1. Two currencies cannot be compared; an amount without currency is zero in any.
func CompareMoney(a, b shipping.Money) (int, error) {
	if a.Currency != b.Currency && !a.IsZero() && !b.IsZero() {
		return 0, fmt.Errorf("cannot compare %s with %s", a.Currency, b.Currency)
	}
	return compare(a.Minor, b.Minor), nil
}

// MajorFloat is the amount in major units as a float, for scores only.
func MajorFloat(m shipping.Money) float64 {
	digits, _ := shipping.CurrencyDigits(m.Currency)
	scale := 1.0
	for range digits {
		scale *= 10
	}
	return float64(m.Minor) / scale
}
