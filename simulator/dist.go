package simulator

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Span is a duration that is written as text: "40s", "1h30m".
type Span time.Duration

// MarshalText implements encoding.TextMarshaler.
func (s Span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. Negative spans are refused.
func (s *Span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 {
		return fmt.Errorf("%q is not a duration such as 250ms, 40s or 1h30m", text)
	}
	*s = Span(d)
	return nil
}

// Uniform is every duration from Min to Max, equally likely.
type Uniform struct {
	Min Span `json:"min" yaml:"min"`
	Max Span `json:"max" yaml:"max"`
}

// Lognormal has half of its durations below Median; Sigma is the standard
// deviation of their natural logarithm. What is drawn above Max is cut to it.
type Lognormal struct {
	Median Span    `json:"median" yaml:"median"`
	Sigma  float64 `json:"sigma" yaml:"sigma"`
	Max    Span    `json:"max,omitzero" yaml:"max"` // zero: 20 times the median
}

// Dist is a distribution of durations: exactly one of its fields is set.
type Dist struct {
	Fixed     *Span      `json:"fixed,omitzero" yaml:"fixed"`
	Uniform   *Uniform   `json:"uniform,omitzero" yaml:"uniform"`
	Lognormal *Lognormal `json:"lognormal,omitzero" yaml:"lognormal"`
}

// Check says what is wrong with the distribution.
func (d Dist) Check() error {
	set := 0
	for _, given := range [...]bool{d.Fixed != nil, d.Uniform != nil, d.Lognormal != nil} {
		if given {
			set++
		}
	}
	switch {
	case set != 1:
		return errors.New("give exactly one of fixed, uniform, lognormal")
	case d.Uniform != nil && d.Uniform.Max < d.Uniform.Min:
		return errors.New("uniform.max is less than uniform.min")
	case d.Lognormal != nil && (d.Lognormal.Median <= 0 || !(d.Lognormal.Sigma >= 0 && d.Lognormal.Sigma <= 5)):
		return errors.New("lognormal needs a median above 0 and a sigma from 0 to 5")
	}
	return nil
}

// Draw takes one duration from the stream. It is 0 for the zero Dist.
func (d Dist) Draw(r *rand.Rand) time.Duration {
	switch {
	case d.Fixed != nil:
		return time.Duration(*d.Fixed)
	case d.Uniform != nil:
		return time.Duration(d.Uniform.Min) + time.Duration(r.Int64N(int64(d.Uniform.Max-d.Uniform.Min)+1))
	case d.Lognormal != nil:
		top := float64(d.Lognormal.Max)
		if top == 0 {
			top = 20 * float64(d.Lognormal.Median)
		}
		return time.Duration(min(float64(d.Lognormal.Median)*math.Exp(d.Lognormal.Sigma*r.NormFloat64()), top))
	}
	return 0
}
