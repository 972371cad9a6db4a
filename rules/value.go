package rules

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/trace"
	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// amount is money as a rule gives it: an amount, a share of some base, or an expression.
type amount struct {
	money   shipping.Money
	percent *unit.Rational // hundredths
	formula *formula.Formula
}

var (
	bareAmount     = regexp.MustCompile(`^[-+]?\d+(\.\d+)?$`)
	currencyAmount = regexp.MustCompile(`^([-+]?\d+(?:\.\d+)?) ?([A-Z]{3})$`)
	wordAmount     = regexp.MustCompile(`^([-+]?\d+(?:\.\d+)?) ?([A-Za-z]+)$`)
	percentAmount  = regexp.MustCompile(`^([-+]?\d+(?:\.\d+)?) ?%$`)
	dayDuration    = regexp.MustCompile(`^(\d+)d`)
)

// amount reads a literal or an expression.
func (c *checker) amount(s *source, n *yaml.Node, what string, env *formula.Env) *amount {
	text := s.text(n, what)
	switch {
	case text == "":
		return nil
	case bareAmount.MatchString(text):
		if c.currency == "" {
			s.fault(n, "E505", what+" has no currency", "write 12.50 USD, or give the file a currency: at the top")
			return nil
		}
		return c.literalAmount(s, n, text, c.currency)
	case percentAmount.MatchString(text):
		m := percentAmount.FindStringSubmatch(text)
		r, _ := new(big.Rat).SetString(strings.TrimPrefix(m[1], "+"))
		q, err := unit.FromRat(r.Quo(r, big.NewRat(100, 1)))
		if err != nil {
			s.fault(n, "E505", what+" is out of range", "")
			return nil
		}
		return &amount{percent: &q}
	case currencyAmount.MatchString(text):
		m := currencyAmount.FindStringSubmatch(text)
		return c.literalAmount(s, n, m[1], m[2])
	}
	if hint := amountHint(text, c.currency); hint != "" {
		s.fault(n, "E505", fmt.Sprintf("%s is not an amount: %q", what, text), hint)
		return nil
	}
	if m := wordAmount.FindStringSubmatch(text); m != nil {
		code := strings.ToUpper(m[2])
		if _, ok := shipping.CurrencyDigits(code); !ok {
			code = cmp.Or(c.currency, "USD")
		}
		s.fault(n, "E505", fmt.Sprintf("%s is money, and %q is not the code of a currency", what, m[2]), fmt.Sprintf("write %s %s", m[1], code))
		return nil
	}
	f := c.formula(s, n, env, formula.Money)
	if f == nil {
		return nil
	}
	return &amount{formula: f}
}

var (
	commaAmount  = regexp.MustCompile(`^([-+]?\d+),(\d{1,2}) ?(%|[A-Z]{3})?$`)
	partedAmount = regexp.MustCompile(`^([-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?) ?(%|[A-Z]{3})?$`)
	signAmount   = regexp.MustCompile(`^([-+]?) ?(?:[$€£] ?([\d.,]+)|([\d.,]+) ?[$€£])$`)
	oddAmount    = regexp.MustCompile(`^([-+]?)(\d[\d_]*)?(?:\.(\d[\d_]*)?)? ?(%|[A-Z]{3})?$`)
	shareAmount  = regexp.MustCompile(`^([-+]?\d+(?:\.\d+)?) ?(?i:percent|per cent|pct|prozent)$`)
)

// amountHint says how an amount is written that was meant otherwise than rules write one, "" where none is seen.
func amountHint(text, currency string) string {
	if m := commaAmount.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("a point parts the decimals: write %s", strings.TrimSpace(m[1]+"."+m[2]+strings.Replace(" "+m[3], " %", "%", 1)))
	}
	if m := partedAmount.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("thousands are not parted: write %s", strings.TrimSpace(strings.ReplaceAll(m[1], ",", "")+strings.Replace(" "+m[2], " %", "%", 1)))
	}
	if m := signAmount.FindStringSubmatch(text); m != nil {
		code := cmp.Or(currency, "USD")
		switch {
		case strings.Contains(text, "€"):
			code = "EUR"
		case strings.Contains(text, "£"):
			code = "GBP"
		}
		return fmt.Sprintf("the currency is its code, behind the amount: write %s%s %s", m[1], strings.ReplaceAll(m[2]+m[3], ",", "."), code)
	}
	plain := bareAmount.MatchString(text) || currencyAmount.MatchString(text) || percentAmount.MatchString(text) // only of the wrong kind
	if m := oddAmount.FindStringSubmatch(text); m != nil && m[2]+m[3] != "" && !plain {
		whole, part := cmp.Or(strings.ReplaceAll(m[2], "_", ""), "0"), strings.ReplaceAll(m[3], "_", "")
		if part != "" {
			whole += "." + part
		}
		return fmt.Sprintf("digits stand before the point and behind it, and nothing between them: write %s", strings.TrimSpace(m[1]+whole+strings.Replace(" "+m[4], " %", "%", 1)))
	}
	if _, err := strconv.ParseFloat(text, 64); !plain && (err == nil || strings.HasPrefix(text, "0x")) {
		return "an amount is written with digits and a point: 12.50"
	}
	if m := shareAmount.FindStringSubmatch(text); m != nil {
		return "a share is written " + m[1] + "%"
	}
	return ""
}

// met reads an amount that meets money of the order: a surcharge, a bound or a tip. known is what it comes to, where that can be said now.
func (r *reading) met(n *yaml.Node, what string) (a *amount, known *shipping.Money) {
	if a = r.amount(r.source, n, what, r.env); a == nil || a.percent != nil {
		return a, nil
	}
	known = &a.money
	if a.formula != nil {
		known = nil
		if len(a.formula.Uses) == 0 { // it names nothing
			machine := formula.NewMachine()
			if v, err := machine.Eval(a.formula); err == nil {
				m := v.(shipping.Money)
				known = &m
			}
			machine.Release()
		}
	}
	if known != nil && r.currency != "" && !known.IsZero() && known.Currency != r.currency {
		r.fault(n, "E505", fmt.Sprintf("%s is in %s, which cannot meet %s, the currency of the file", what, known.Currency, r.currency),
			"write the amount in "+r.currency+": money is not converted")
		return nil, nil
	}
	return a, known
}

// bound reads an amount that is not below zero either: a bound or a tip.
func (r *reading) bound(n *yaml.Node, what string) *amount {
	a, known := r.met(n, what)
	if a != nil && (a.percent != nil && a.percent.Float() < 0 || known != nil && known.Minor < 0) {
		r.fault(n, "E505", what+" is below zero", "write an amount of zero or more")
		return nil
	}
	return a
}

func (c *checker) literalAmount(s *source, n *yaml.Node, text, currency string) *amount {
	d, err := shipping.ParseDecimal(strings.TrimPrefix(text, "+"))
	if err == nil {
		var m shipping.Money
		if m, err = shipping.BindMoney(d, currency); err == nil {
			return &amount{money: m}
		}
	}
	s.fault(n, "E505", err.Error(), "")
	return nil
}

// eval computes the amount; base is what a percentage is of.
func (a *amount) eval(m *formula.Machine, base shipping.Money) (shipping.Money, error) {
	switch {
	case a.percent != nil:
		return unit.ScaleMoney(base, *a.percent)
	case a.formula != nil:
		v, err := m.Eval(a.formula)
		if err != nil {
			return shipping.Money{}, err
		}
		money, ok := v.(shipping.Money)
		if !ok { // of a let that failed, to a record of before meaningSchema
			return shipping.Money{}, errors.New("it names a let that failed")
		}
		return money, nil
	}
	return a.money, nil
}

// duration reads 30s, 3m, 2h, 1d, 1d12h.
func (s *source) duration(n *yaml.Node, what string) Duration {
	text := s.text(n, what)
	if text == "" {
		return 0
	}
	d, err := parseDuration(text)
	if err != nil {
		s.fault(n, "E505", fmt.Sprintf("%s is not a duration: %q", what, text), durationHint(text))
		return 0
	}
	return Duration(d)
}

var (
	spanWord = regexp.MustCompile(`(?i)(\d+) ?(d|h|m|s)(?:ays?|(?:ou)?rs?|in(?:ute)?s?|ec(?:ond)?s?)?\b`)
	spanText = regexp.MustCompile(`^(?:\d+[dhms])+$`)
)

// durationHint says how a duration is written, the one that was meant where it is seen.
func durationHint(text string) string {
	if _, err := strconv.Atoi(text); err == nil {
		return fmt.Sprintf("a duration has its unit: %ss, %sm, %sh or %sd", text, text, text, text)
	}
	meant := strings.ToLower(strings.ReplaceAll(spanWord.ReplaceAllString(text, "$1$2"), " ", ""))
	if _, err := parseDuration(meant); err == nil && spanText.MatchString(meant) {
		return "write " + meant
	}
	return "write 30s, 3m, 2h or 1d"
}

func parseDuration(text string) (time.Duration, error) {
	days := 0
	if m := dayDuration.FindStringSubmatch(text); m != nil {
		days, _ = strconv.Atoi(m[1])
		if text = text[len(m[0]):]; text == "" {
			text = "0s"
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, err
	}
	if d < 0 || days > 366 || d > 366*24*time.Hour || (d == 0 && days == 0) {
		return 0, fmt.Errorf("out of range")
	}
	return d + time.Duration(days)*24*time.Hour, nil
}

// template is a text with expressions in braces.
type template struct {
	parts []templatePart
}

type templatePart struct {
	text    string
	formula *formula.Formula
}

// template reads a text; braces hold expressions over env.
func (c *checker) template(s *source, n *yaml.Node, what string, env *formula.Env) *template {
	text := s.text(n, what)
	if text == "" {
		return nil
	}
	if len([]rune(text)) > shipping.MaxNote {
		s.fault(n, "E401", fmt.Sprintf("%s is longer than %d characters", what, shipping.MaxNote), "")
		return nil
	}
	t := &template{}
	for offset, rest := 0, []rune(text); len(rest) > 0; {
		open := strings.IndexRune(string(rest), '{')
		if open < 0 {
			t.parts = append(t.parts, templatePart{text: string(rest)})
			break
		}
		open = len([]rune(string(rest)[:open]))
		end := open
		for end < len(rest) && rest[end] != '}' {
			end++
		}
		if end == len(rest) {
			s.formulaFault(n, offset+open, &formula.Problem{Code: "E301", To: 1, Message: "{ is not closed", Hint: "an expression stands in { }"})
			return nil
		}
		if open > 0 {
			t.parts = append(t.parts, templatePart{text: string(rest[:open])})
		}
		f := c.compile(s, n, offset+open+1, string(rest[open+1:end]), env)
		if f == nil {
			return nil
		}
		t.parts = append(t.parts, templatePart{formula: f})
		offset, rest = offset+end+1, rest[end+1:]
	}
	return t
}

// render fills the template. A part that fails is shown as (?), and the first error is returned beside the text.
func (t *template) render(m *formula.Machine) (string, error) {
	if t == nil {
		return "", nil
	}
	if len(t.parts) == 1 && t.parts[0].formula == nil {
		return t.parts[0].text, nil
	}
	var b strings.Builder
	var first error
	for _, p := range t.parts {
		if p.formula == nil {
			b.WriteString(p.text)
			continue
		}
		v, err := m.Eval(p.formula)
		if err != nil {
			b.WriteString("(?)")
			if first == nil {
				first = err
			}
			continue
		}
		b.WriteString(forPeople(v))
	}
	return b.String(), first
}

func forPeople(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return trace.Format(v)
}
