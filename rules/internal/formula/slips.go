package formula

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// slips are what people write who know other languages, with the right way. They are looked for outside of quotes. Those marked
// always are wrong wherever they stand; the others only explain an error that the parser found. may says
// cheaply where there is nothing to search for.
var slips = []struct {
	pattern *regexp.Regexp
	may     func(string) bool
	always  bool
	message string
	hint    string
	means   string
}{
	{regexp.MustCompile(`[“”„‟‘’‚«»]`), has("“", "”", "„", "‟", "‘", "’", "‚", "«", "»"), true, "curly quotes are not quotes", `use straight quotes: "`, `"`},
	{regexp.MustCompile(`\$\d+(\.\d+)?`), has("$"), true, "money is not written with $", "write usd(5) for 5 dollars", "usd(…)"},
	{regexp.MustCompile(`\b(usd|eur|gbp|cad|aud|mxn|jpy|lb|kg|oz|g|inch|ft|cm|mm|cm3|inch3|liters|mi|km|m|minutes|hours|days)\(\s*\d+,\s*\d+\s*\)`), has(","), true, "a comma does not part decimals",
		"a point does: 5.55", ""},
	{regexp.MustCompile(`\b\d{1,2}\.\d{1,2}\.\d{4}\b`), has("."), true, "a day is not written so", `write year, month and day in quotes: local.date == "2026-12-24"`, ""},
	{regexp.MustCompile(`\bstarts\s+with\b`), has("starts"), true, `"starts with" is one word`, "write startsWith", "startsWith"},
	{regexp.MustCompile(`\bends\s+with\b`), has("ends"), true, `"ends with" is one word`, "write endsWith", "endsWith"},
	{regexp.MustCompile(`\bmatches\s*/`), has("matches"), true, "a pattern does not stand between slashes", `put it into quotes: matches "^021"`, `"`},
	{regexp.MustCompile(`[<>=]=?\s*\d{1,2}:\d\d\b`), has(":"), false, "a time of day stands in quotes", `local.time > "18:00"`, ""},
	{regexp.MustCompile(`=<`), has("=<"), true, `"=<" is not an operator`, "write <=", "<="},
	{regexp.MustCompile(`=>`), has("=>"), true, `"=>" is not an operator`, "write >=", ">="},
	{regexp.MustCompile(`<>`), has("<>"), true, `"<>" is not an operator`, "write !=", "!="},
	{regexp.MustCompile(`===`), has("==="), true, `"===" is not an operator`, "write ==", "=="},
	{regexp.MustCompile(`\b(AND|And|ANd|AnD|aND|aNd|anD)\b`), has("AND", "And", "ANd", "AnD", "aND", "aNd", "anD"), true, "and is written in lower case", "write and", "and"},
	{regexp.MustCompile(`\b(OR|Or|oR)\b`), has("OR", "Or", "oR"), true, "or is written in lower case", "write or", "or"},
	{regexp.MustCompile(`\b(NOT|Not|NOt|NoT|nOT|nOt|noT)\b`), has("NOT", "Not", "NOt", "NoT", "nOT", "nOt", "noT"), true, "not is written in lower case", "write not", "not"},
	{regexp.MustCompile(`\b(TRUE|True)\b`), has("TRUE", "True"), true, "true is written in lower case", "write true", "true"},
	{regexp.MustCompile(`\b(FALSE|False)\b`), has("FALSE", "False"), true, "false is written in lower case", "write false", "false"},
	{regexp.MustCompile(`\b(IN|In|iN)\b`), has("IN", "In", "iN"), true, "in is written in lower case", "write in", "in"},
	{regexp.MustCompile(`\blet\s+[A-Za-z_]\w*\s*=`), has("let"), true, "an expression is one line, without let", "name it under let: at the top of the file, and use the name here", ""},
	{regexp.MustCompile(`\b(is|Is|IS)\s+(not|Not|NOT)\b`), has("is", "Is", "IS"), true, `"is not" is not an operator`, "write !=", "!="},
	{regexp.MustCompile(`\b(is|Is|IS)\b`), has("is", "Is", "IS"), true, `"is" is not an operator`, "write ==", "=="},
	{regexp.MustCompile(`\bthen\b`), has("then"), true, "there is no if … then", "write condition ? a : b", "? :"},
	{regexp.MustCompile(`\bnot\s+[\w.]+\s*(==|<|>)`), has("not"), false, "not binds to the word after it", "write a != b, or not (a == b)", "!="},
	{regexp.MustCompile(`[^=!<>]=[^=<>]`), loneEquals, true, `"=" does not compare`, "write ==", "=="},
}

// has is whether a text has any of some others in it.
func has(signs ...string) func(string) bool {
	return func(text string) bool {
		return slices.ContainsFunc(signs, func(sign string) bool { return strings.Contains(text, sign) })
	}
}

// loneEquals is whether some = is no part of another operator.
func loneEquals(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] == '=' && (i == 0 || !strings.ContainsRune("=!<>", rune(text[i-1]))) && (i+1 == len(text) || !strings.ContainsRune("=<>", rune(text[i+1]))) {
			return true
		}
	}
	return false
}

// slip finds what is always wrong, so that it is named rather than the parser's trouble with it.
func slip(src string) *Problem {
	bare := outsideQuotes(src)
	for _, s := range slips {
		if !s.always || !s.may(bare) {
			continue
		}
		place := elsewhereThanName(s.pattern.FindAllStringIndex(bare, -1), bare)
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
	if p := shareSlip(bare); p != nil {
		return p
	}
	if p := unitFirstSlip(bare); p != nil {
		return p
	}
	return measuredSlip(bare)
}

// elsewhereThanName is the first of some places that is no name behind a dot: order.attributes.is means what it says.
func elsewhereThanName(places [][]int, text string) []int {
	for _, place := range places {
		if place[0] == 0 || text[place[0]-1] != '.' {
			return place
		}
	}
	return nil
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

// openQuotes is the place of the quotes that are not closed, in characters, -1 where all are.
func openQuotes(src string) int {
	quote, escaped, from, at := rune(0), false, -1, 0
	for _, r := range src {
		switch {
		case quote == 0 && (r == '"' || r == '\'' || r == '`'):
			quote, from = r, at
		case quote != 0 && !escaped && r == quote:
			quote, from = 0, -1
		default:
			escaped = quote != 0 && quote != '`' && !escaped && r == '\\'
		}
		at++
	}
	return from
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
