package formula

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// unitWords are how people write units, by the function that makes a value of them.
var unitWords = func() map[string]string {
	words := map[string]string{}
	for function, names := range map[string]string{
		"lb": "lbs pound pounds", "oz": "ounce ounces", "kg": "kgs kilo kilos kilogram kilograms", "g": "gram grams",
		"inch": "inches in", "ft": "foot feet", "cm": "centimeter centimeters", "mm": "millimeter millimeters",
		"mi": "mile miles", "km": "kilometer kilometers",
		"cm3": "ccm cc", "inch3": "in3 cuin", "liters": "l liter litre litres",
		"minutes": "m min mins minute", "hours": "h hr hrs hour", "days": "d day",
		"usd": "dollar dollars", "eur": "euro euros", "gbp": "", "cad": "", "aud": "", "mxn": "", "jpy": "yen",
	} {
		for _, word := range append(strings.Fields(names), function) {
			words[word] = function
		}
	}
	return words
}()

// measured is a number with a word behind it.
var measured = regexp.MustCompile(`(?:^|[^\w.\])])(\d+(?:\.\d+)?)[ \t]*([A-Za-z]+3?)\b`)

// measuredSlip finds an amount that is written as on paper: 5 lb. In bare nothing stands in quotes.
func measuredSlip(bare string) *Problem {
	if !numberBeforeWord(bare) {
		return nil
	}
	for _, m := range measured.FindAllStringSubmatchIndex(bare, -1) {
		number, word := bare[m[2]:m[3]], strings.ToLower(bare[m[4]:m[5]])
		function, ok := unitWords[word]
		if !ok || word == "in" && operand(bare[m[5]:]) {
			continue
		}
		from := utf8.RuneCountInString(bare[:m[2]])
		return &Problem{Code: "E305", From: from, To: from + utf8.RuneCountInString(bare[m[2]:m[5]]),
			Message: "a unit does not stand behind its number", Hint: fmt.Sprintf("write %s(%s)", function, number), DidYouMean: fmt.Sprintf("%s(%s)", function, number)}
	}
	return nil
}

// share is a number with the sign of hundredths behind it, and what no right side of % begins with: the end, a sign, or a word.
var share = regexp.MustCompile(`(?:^|[^\w.\])])(\d+(?:\.\d+)?)\s*%(\s*$|\s*[)\]<>=!,*/?:&|]|\s+(?:and|or)\b|\s+of\s+[a-z]\w*\b)`)

// shareSlip finds a share that is written as on paper: 30%, 5% of order.total. In bare nothing stands in quotes.
func shareSlip(bare string) *Problem {
	if !strings.Contains(bare, "%") {
		return nil
	}
	m := share.FindStringSubmatchIndex(bare)
	if m == nil {
		return nil
	}
	hundredths, _ := new(big.Rat).SetString(bare[m[2]:m[3]])
	const digits = 9
	number := hundredths.Quo(hundredths, big.NewRat(100, 1)).FloatString(digits)
	number = strings.TrimSuffix(strings.TrimRight(number, "0"), ".")
	before, behind := strings.TrimSpace(bare[:m[2]]), strings.Fields(bare[m[4]:m[5]])
	end := m[3] + strings.IndexByte(bare[m[3]:], '%') + 1
	p := &Problem{Code: "E305", Message: "a percentage is not a number in an expression", Hint: "write the share as a number: " + number, DidYouMean: number}
	switch {
	case len(behind) == 2: // of something
		if slices.Contains([]string{"and", "or", "in", "matches", "contains"}, behind[1]) { // a let can be called so
			return nil
		}
		end = m[4] + strings.Index(bare[m[4]:], "of") + len("of")
		p.Hint, p.DidYouMean = "multiply instead: "+number+" * …", number+" *"
	case !strings.HasSuffix(before, "*") && !slices.Contains(behind, "*"):
		p.Hint += "; of an amount it is order.total * " + number
	}
	p.From = utf8.RuneCountInString(bare[:m[2]])
	p.To = p.From + utf8.RuneCountInString(bare[m[2]:end])
	return p
}

// unitFirst is a word with a number behind it, which no expression has: names and functions are followed by signs.
var unitFirst = regexp.MustCompile(`(?:^|[^\w.])([A-Za-z]+3?)[ \t]+(\d+(?:\.\d+)?)\b`)

// unitFirstSlip finds an amount whose unit stands before it: lb 70. In bare nothing stands in quotes.
func unitFirstSlip(bare string) *Problem {
	if !wordBeforeNumber(bare) {
		return nil
	}
	for _, m := range unitFirst.FindAllStringSubmatchIndex(bare, -1) {
		function := unitWords[strings.ToLower(bare[m[2]:m[3]])]
		if function == "" || bare[m[2]:m[3]] == "in" {
			continue
		}
		meant := fmt.Sprintf("%s(%s)", function, bare[m[4]:m[5]])
		from := utf8.RuneCountInString(bare[:m[2]])
		return &Problem{Code: "E305", From: from, To: from + utf8.RuneCountInString(bare[m[2]:m[5]]),
			Message: "the number of a unit stands in brackets", Hint: "write " + meant, DidYouMean: meant}
	}
	return nil
}

// wordBeforeNumber is whether a digit stands behind a word and a blank.
func wordBeforeNumber(text string) bool {
	word, blank := false, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == ' ' || c == '\t':
			blank = true
		case c >= '0' && c <= '9':
			if word && blank {
				return true
			}
			blank = false
		default:
			word, blank = c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z', false
		}
	}
	return false
}

// numberBeforeWord is whether a letter stands behind a digit, spaces between them or not.
func numberBeforeWord(text string) bool {
	digit := false
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			digit = true
		case c == ' ' || c == '\t':
		case digit && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'):
			return true
		default:
			digit = false
		}
	}
	return false
}

var noOperand = regexp.MustCompile(`^\s*($|[)\],?:&|<>=]|(and|or)\b)`)

// operand reports whether rest begins with a value, so that what stands before it may be an operator.
func operand(rest string) bool { return !noOperand.MatchString(rest) }

// suggestUnit is the function of a unit's other name: lb for lbs.
func suggestUnit(word string) string {
	if function := unitWords[strings.ToLower(word)]; function != "" && currencies[function] == "" {
		return function
	}
	return ""
}

var (
	strayToken = regexp.MustCompile(`^unexpected token \w+\("(.*)"\)`)
	badNumber  = regexp.MustCompile(`^bad number syntax: `)
	capitals   = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
)

// stray words what the parser says of a word or sign that it cannot place.
func stray(p *Problem, said string) bool {
	switch m := strayToken.FindStringSubmatch(said); {
	case badNumber.MatchString(said):
		p.Message, p.Hint = "this is not a number", "a number is written 5 or 5.25; a unit is written around it: lb(5), a text in quotes"
	case m == nil:
		return false
	case m[1] == "between":
		p.Code, p.Message, p.DidYouMean = "E305", `"between" is not an operator`, ">= and <="
		p.Hint = "write both ends: usd(5) <= order.total and order.total <= usd(10)"
	case m[1] == "like":
		p.Code, p.Message, p.DidYouMean = "E305", `"like" is not an operator`, "matches"
		p.Hint = `a pattern is asked with matches: order.id matches "^A"; a part of a text with contains, its beginning with startsWith`
	default:
		p.Message = fmt.Sprintf("%q cannot stand here", m[1])
		if p.Hint == "" {
			p.Hint = "an operator may be missing before it (and, or, ==, in), or a bracket may be too many"
		}
	}
	return true
}
