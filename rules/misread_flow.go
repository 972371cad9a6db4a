package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// flow goes to the end of what stands in brackets, which may be lines below, but not behind the next key in the column of theirs.
func (m *misreader) flow(at, key int) {
	f := &brackets{misreader: m, text: -1}
	for i := at; m.row < len(m.lines) && !m.done; m.row, i = m.row+1, 0 {
		line := m.lines[m.row]
		if column := len(line) - len(strings.TrimLeft(line, " ")); len(f.open) > 0 && column < len(line) && column <= key && (line[column] == '-' || keyEnd(line, column) > column) {
			break
		}
		for ; !m.done && i < len(m.lines[m.row]); i++ {
			if i = f.sign(i); len(f.open) == 0 {
				return
			}
		}
	}
	if !m.done {
		from := f.open[len(f.open)-1]
		m.fatal(from.row, from.at, from.at+1, "the bracket that opens here is not closed", f.closing())
	}
}

// closing says how what is open is closed, the innermost first.
func (f *brackets) closing() string {
	var closes []string
	for _, b := range slices.Backward(f.open) {
		closes = append(closes, string(b.closes))
	}
	if len(closes) == 1 {
		return "close it with " + closes[0]
	}
	return fmt.Sprintf("close it with %s, and the brackets around it too: %s", closes[0], strings.Join(closes, " "))
}

// brackets are those that are open.
type brackets struct {
	*misreader
	open []bracket
	last byte // the last sign that is no blank

	text    int // where the text without quotes begins that is being read, -1 where there is none
	textRow int
	quotes  map[int]int // that were added to rows, each sign of them
}

type bracket struct {
	row, at int
	closes  byte
	colons  int // since the last comma
}

// sign reads one sign, or a text in quotes, and gives the place of its end.
func (f *brackets) sign(i int) int {
	line := f.lines[f.row]
	c := line[i]
	begins := f.last == 0 || strings.IndexByte("[{,:", f.last) >= 0
	switch {
	case c == ' ' || c == '\t':
		return i
	case f.text >= 0 && f.cuts(i):
		return f.quote(i)
	case c == '#' && i > 0 && line[i-1] == ' ':
		return len(line)
	case begins && (c == '"' || c == '\''):
		end := closing(line, i)
		if end < 0 {
			f.quoted(i)
			f.done = true
			return i
		}
		i = end - 1
		f.text = -1
	case c == '[' || c == '{':
		f.open = append(f.open, bracket{row: f.row, at: f.written(i), closes: c + 2}) // as ASCII has them
	case c == ']' || c == '}':
		top := f.open[len(f.open)-1]
		if top.closes != c {
			f.fatal(f.row, f.written(i), f.written(i)+1, fmt.Sprintf("%c closes a bracket that %c has opened", c, top.closes-2), fmt.Sprintf("write %c; a text with brackets in it stands in single quotes", top.closes))
			return i
		}
		f.open = f.open[:len(f.open)-1]
		f.text = -1
	case c == ',':
		f.open[len(f.open)-1].colons = 0
		f.text = -1
	case c == ':' && (i+1 == len(line) || strings.IndexByte(" \t", line[i+1]) >= 0):
		top := &f.open[len(f.open)-1]
		if top.colons++; top.colons > 1 {
			f.fatal(f.row, f.written(i), f.written(i)+1, "to YAML a colon with a blank behind it ends a key, and this text has a key already", "put the whole text into single quotes")
		}
		f.text = -1
	case begins && f.text < 0:
		f.text, f.textRow = i, f.row
	}
	f.last = c
	return i
}

// written is where a sign of the row stands in the file, which has none of the quotes that were added.
func (f *brackets) written(i int) int { return i - f.quotes[f.row] }

// cuts reports whether YAML ends a text without quotes at a sign that is meant to be part of it: a bracket, or a comma behind which the text goes on.
func (f *brackets) cuts(i int) bool {
	line := f.lines[f.row]
	if f.textRow != f.row {
		return false
	}
	switch line[i] {
	case '[', '{':
		return true
	case ',':
		return unfinished(line[f.text:i]) && !keyNext.MatchString(line[i+1:])
	}
	return false
}

var keyNext = regexp.MustCompile(`^ *[A-Za-z_]\w*:(?: |$)`)

// unfinished reports whether a text has a round bracket or a double quote that it does not close.
func unfinished(text string) bool {
	return strings.Count(text, "(") > strings.Count(text, ")") || strings.Count(text, `"`)%2 == 1
}

// quote reports the text that is cut at a place, and mends it where it ends in its line. It gives the place of its end.
func (f *brackets) quote(i int) int {
	line, at := f.lines[f.row], f.written(i)
	sentence := fmt.Sprintf("to YAML the %c ends this text, which has no quotes, but it goes on", line[i])
	end := expressionEnd(line, f.text)
	if end < 0 {
		f.fatal(f.row, at, at+1, sentence, "put the whole text into single quotes")
		return i
	}
	text := strings.TrimRight(line[f.text:end], " \t")
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	f.wrong(f.row, at, at+1, sentence, "put the whole text into single quotes: "+quoted)
	f.lines[f.row] = line[:f.text] + quoted + line[f.text+len(text):]
	if f.quotes == nil {
		f.quotes = map[int]int{}
	}
	f.quotes[f.row] += len(quoted) - len(text)
	f.mends++
	i = f.text + len(quoted) - 1
	f.text, f.last = -1, '\''
	return i
}

// expressionEnd is the place behind an expression that begins at from in brackets of YAML, -1 where it does not end in its line.
func expressionEnd(line string, from int) int {
	depth := 0
	for i := from; i < len(line); i++ {
		switch line[i] {
		case '"', '\'':
			end := closing(line, i)
			if end < 0 {
				return -1
			}
			i = end - 1
		case '(', '[', '{':
			depth++
		case ')', ']', '}', ',':
			if depth == 0 {
				return i
			}
			if line[i] != ',' {
				depth--
			}
		}
	}
	return -1
}

// cutShort reports whether a mapping in brackets has a text that a comma of its own has ended: what is behind it stands there as a key without a value.
func cutShort(n *yaml.Node) bool {
	if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0 {
		for i := 2; i+1 < len(n.Content); i += 2 {
			before, rest := n.Content[i-1], n.Content[i+1]
			if before.Kind == yaml.ScalarNode && before.Style == 0 && unfinished(before.Value) && rest.Tag == "!!null" && rest.Value == "" {
				return true
			}
		}
	}
	return slices.ContainsFunc(n.Content, cutShort)
}
