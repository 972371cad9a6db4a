package rules

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

var (
	blockValue = regexp.MustCompile(`^\s*(?:- +)*[^\s#"'\[{][^:]*: +(["'\[{])`)
	flowValue  = regexp.MustCompile(`[{,] *[A-Za-z_]\w*: *(["'])`)
	blockText  = regexp.MustCompile(`: +[|>][-+0-9]*\s*(?:#.*)?$`)
)

// swallowed reports the values that begin with a quote or a bracket and go on after its end, as in when: "alcohol" in order.content: YAML
// takes the beginning for the whole value, and complains of something else elsewhere. It returns the text in which those that end with
// their line are quoted whole, so that the rest can be read; nil where there is none of them.
func (s *source) swallowed() []byte {
	mended, found := make([]string, len(s.lines)), false
	within := -1 // the indentation of the key whose text the lines are part of
	for i, line := range s.lines {
		mended[i] = line
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if within >= 0 && (indent > within || strings.TrimSpace(line) == "") {
			continue
		}
		within = -1
		if blockText.MatchString(line) {
			within = indent
			continue
		}
		if m := blockValue.FindStringSubmatchIndex(line); m != nil {
			if end, ok := goesOn(line, m[2], "#"); ok {
				s.swallowedAt(i, m[2], end)
				mended[i] = line[:m[2]] + "'" + strings.ReplaceAll(line[m[2]:end], "'", "''") + "'" + line[end:]
				found = true
				continue
			}
		}
		for _, m := range flowValue.FindAllStringSubmatchIndex(line, -1) {
			if _, ok := goesOn(line, m[2], "#,}]"); ok { // where it ends cannot be told: expressions have commas and brackets
				s.swallowedAt(i, m[2], closing(line, m[2]))
				found = true
				break
			}
		}
	}
	if !found {
		return nil
	}
	return []byte(strings.Join(mended, "\n"))
}

func (s *source) swallowedAt(row, from, to int) {
	line := s.lines[row]
	column := utf8.RuneCountInString(line[:from]) + 1
	s.report(Problem{Code: "E501", Line: row + 1, Column: column, End: column + utf8.RuneCountInString(line[from:to]),
		Sentence: fmt.Sprintf("to YAML this value ends with the %s that closes its beginning, but it goes on", line[closing(line, from)-1:closing(line, from)]),
		Hint:     "put the whole value into single quotes, or write | and the value on the next line"})
}

// goesOn reports whether the value that begins at from has more after the end of its quotes or brackets than what begins with one of
// ends, and where that more ends.
func goesOn(line string, from int, ends string) (int, bool) {
	end := closing(line, from)
	if end < 0 {
		return 0, false
	}
	rest := strings.TrimSpace(line[end:])
	if rest == "" || strings.ContainsAny(rest[:1], ends) || rest[0] == ':' { // a key in quotes
		return 0, false
	}
	whole, _, _ := strings.Cut(line[end:], " #")
	return end + len(strings.TrimRight(whole, " \t\r")), true
}

// closing is the place after the end of the quotes or brackets that begin at from, -1 where they do not end in this line.
func closing(line string, from int) int {
	depth, quote := 0, byte(0)
	for i := from; i < len(line); i++ {
		c := line[i]
		switch {
		case quote == '"' && c == '\\':
			i++
			continue
		case quote == '\'' && c == '\'' && i+1 < len(line) && line[i+1] == '\'':
			i++
			continue
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			continue
		case c == '"' || c == '\'':
			quote = c
			continue
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		}
		if depth <= 0 && quote == 0 {
			return i + 1
		}
	}
	return -1
}
