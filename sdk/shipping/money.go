package shipping

import (
	"fmt"
	"math/big"
	"strings"
)

// Money is an exact amount in the minor unit of its currency (cents for USD, yen for JPY).
type Money struct {
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"` // ISO 4217, upper case
}

// currencies holds the active ISO 4217 codes by number of decimals.
var currencyDigits = func() map[string]int {
	m := map[string]int{}
	for digits, codes := range map[int]string{
		0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
		2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC " +
			"CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD " +
			"KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO " +
			"NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL " +
			"THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG",
		3: "BHD IQD JOD KWD LYD OMR TND",
	} {
		for c := range strings.FieldsSeq(codes) {
			m[c] = digits
		}
	}
	return m
}()

// CurrencyDigits returns how many decimals a currency has; ok is false for a code that ISO 4217 does not know.
func CurrencyDigits(currency string) (digits int, ok bool) {
	digits, ok = currencyDigits[currency]
	return digits, ok
}

// BindMoney reads d as major units of currency. More decimals than the currency has, an unknown currency and an amount beyond
// int64 are errors; nothing is rounded.
func BindMoney(d Decimal, currency string) (Money, error) {
	digits, ok := CurrencyDigits(currency)
	if !ok {
		return Money{}, fmt.Errorf("unknown currency %q", currency)
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
	r := new(big.Rat).Mul(d.Rat(), new(big.Rat).SetInt(scale))
	if !r.IsInt() {
		return Money{}, fmt.Errorf("%s has more decimals than %s has (%d)", d, currency, digits)
	}
	if !r.Num().IsInt64() {
		return Money{}, fmt.Errorf("%s %s is out of range", d, currency)
	}
	return Money{Minor: r.Num().Int64(), Currency: currency}, nil
}

// IsZero reports whether no money was given: no amount and no currency.
func (m Money) IsZero() bool { return m == Money{} }

// Major returns the amount in major units, exactly: 1034 USD is 10.34. The zero Money gives the zero Decimal.
func (m Money) Major() Decimal {
	if m.Currency == "" {
		return Decimal{}
	}
	digits := currencyDigits[m.Currency]
	if digits == 0 {
		return DecimalFromInt(m.Minor)
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
	text := new(big.Rat).SetFrac(big.NewInt(m.Minor), scale).FloatString(digits)
	// As in the seeds, 10.00 is written 10 and 10.50 is written 10.5: trailing zeros carry nothing in JSON numbers.
	text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	return Decimal{text: text}
}

// Add returns m+o. Adding two currencies is an error; the zero Money adds nothing.
func (m Money) Add(o Money) (Money, error) {
	switch {
	case m.IsZero():
		return o, nil
	case o.IsZero():
		return m, nil
	case m.Currency != o.Currency:
		return Money{}, fmt.Errorf("cannot add %s to %s", o.Currency, m.Currency)
	}
	sum := m.Minor + o.Minor
	if (sum > m.Minor) != (o.Minor > 0) && o.Minor != 0 {
		return Money{}, fmt.Errorf("%s + %s is out of range", m, o)
	}
	return Money{Minor: sum, Currency: m.Currency}, nil
}

// String is for people and logs: "10.34 USD".
func (m Money) String() string {
	if m.IsZero() {
		return ""
	}
	digits := currencyDigits[m.Currency]
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
	return new(big.Rat).SetFrac(big.NewInt(m.Minor), scale).FloatString(digits) + " " + m.Currency
}
