package formula

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// slips are what people write who know other languages, with the right way. They are looked for outside of quotes. Those marked
// always are wrong wherever they stand; the others only explain an error that the parser found.
var slips = []struct {
	pattern *regexp.Regexp
	always  bool
	message string
	hint    string
	means   string
}{
	{regexp.MustCompile(`[“”‘’]`), true, "curly quotes are not quotes", `use straight quotes: "`, `"`},
	{regexp.MustCompile(`\$\d+(\.\d+)?`), true, "money is not written with $", "write usd(5) for 5 dollars", "usd(…)"},
	{regexp.MustCompile(`\d+(\.\d+)?\s*%(\s*$|\s+(and|or)\b|\s*[)<>=,])`), true, "a percentage is not a number in an expression",
		"multiply instead: order.total * 0.05", "* 0.05"},
	{regexp.MustCompile(`=<`), true, `"=<" is not an operator`, "write <=", "<="},
	{regexp.MustCompile(`=>`), true, `"=>" is not an operator`, "write >=", ">="},
	{regexp.MustCompile(`<>`), true, `"<>" is not an operator`, "write !=", "!="},
	{regexp.MustCompile(`===`), true, `"===" is not an operator`, "write ==", "=="},
	{regexp.MustCompile(`\bAND\b`), true, "AND is written in lower case", "write and", "and"},
	{regexp.MustCompile(`\bOR\b`), true, "OR is written in lower case", "write or", "or"},
	{regexp.MustCompile(`\bNOT\b`), true, "NOT is written in lower case", "write not", "not"},
	{regexp.MustCompile(`\b(TRUE|True)\b`), true, "true is written in lower case", "write true", "true"},
	{regexp.MustCompile(`\b(FALSE|False)\b`), true, "false is written in lower case", "write false", "false"},
	{regexp.MustCompile(`\bIN\b`), true, "IN is written in lower case", "write in", "in"},
	{regexp.MustCompile(`\bis\s+not\b`), true, `"is not" is not an operator`, "write !=", "!="},
	{regexp.MustCompile(`\bis\b`), true, `"is" is not an operator`, "write ==", "=="},
	{regexp.MustCompile(`\bthen\b`), true, "there is no if … then", "write condition ? a : b", "? :"},
	{regexp.MustCompile(`\bnot\s+[\w.]+\s*(==|<|>)`), false, "not binds to the word after it", "write a != b, or not (a == b)", "!="},
	{regexp.MustCompile(`[^=!<>]=[^=<>]`), true, `"=" does not compare`, "write ==", "=="},
}

// slip finds what is always wrong, so that it is named rather than the parser's trouble with it.
func slip(src string) *Problem {
	bare := outsideQuotes(src)
	for _, s := range slips {
		if !s.always {
			continue
		}
		place := s.pattern.FindStringIndex(bare)
		if place == nil {
			continue
		}
		from, to := place[0], place[1]
		if strings.HasPrefix(s.pattern.String(), "[^=") {
			_, size := utf8.DecodeRuneInString(bare[place[0]:])
			from = place[0] + size // without the neighbours of a lone =
			to = from + 1
		}
		start := utf8.RuneCountInString(bare[:from])
		return &Problem{Code: "E305", From: start, To: start + utf8.RuneCountInString(strings.TrimSpace(bare[from:to])),
			Message: s.message, Hint: s.hint, DidYouMean: s.means}
	}
	return measuredSlip(bare)
}

// hintFor explains an error of the parser or checker by a habit that would cause it.
func hintFor(src string) (hint, means string) {
	bare := outsideQuotes(src)
	for _, s := range slips {
		if !s.always && s.pattern.MatchString(bare) {
			return s.message + ": " + s.hint, s.means
		}
	}
	return "", ""
}

// outsideQuotes replaces what stands in quotes by blanks, character for character.
func outsideQuotes(src string) string {
	var b strings.Builder
	quote, escaped := rune(0), false
	for _, r := range src {
		switch {
		case quote == 0 && (r == '"' || r == '\'' || r == '`'):
			quote = r
			b.WriteByte(' ')
		case quote == 0:
			b.WriteRune(r)
		default:
			b.WriteByte('_')
			if !escaped && r == quote {
				quote = 0
			}
			escaped = !escaped && r == '\\' && quote != '`'
		}
	}
	return b.String()
}
