package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

var (
	topLevel = regexp.MustCompile(`^[a-z]+:`)
	indented = regexp.MustCompile(`>[-+]?[1-9]`) // says how deep its text is indented
)

// Format lays a rule or test file out in the usual way: no spaces at the ends of lines, no two empty lines together, one before each top-level
// member that follows a block. Words, values, comments and the order of things stay as they are, and so do the lines of a text that goes over several.
func Format(data []byte) ([]byte, error) {
	plain := strings.ReplaceAll(string(data), "\r\n", "\n")
	if !utf8.ValidString(plain) {
		return nil, errors.New("the file is not UTF-8; save it as UTF-8")
	}
	before, err := documents([]byte(plain))
	if err != nil {
		return nil, fmt.Errorf("this is not YAML: %w", err)
	}
	if strings.ContainsAny(plain, "\r\u0085\u2028\u2029") { // YAML counts them as ends of lines, editors do not agree on them
		return nil, errors.New("the file has unusual ends of lines or separators of lines, which YAML reads as ends of lines; save it with the ends of lines of Unix or Windows")
	}
	lines := strings.Split(strings.TrimSuffix(plain, "\n"), "\n")
	kept := textLines(before, lines)
	var out []string
	end := 0 // of what must stay
	for i, line := range lines {
		last := ""
		if len(out) > 0 {
			last = out[len(out)-1]
		}
		if kept[i] {
			out = append(out, line)
			end = len(out)
			continue
		}
		line = strings.TrimRight(line, " \t")
		if line == "" && last == "" {
			continue // at the beginning too
		}
		if topLevel.MatchString(line) && last != "" && strings.HasPrefix(last, " ") {
			out = append(out, "")
		}
		out = append(out, line)
	}
	for len(out) > end && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	text := []byte(strings.Join(out, "\n"))
	if !kept[len(lines)-1] || strings.HasSuffix(plain, "\n") { // at the end of a text it would be part of the value
		text = append(text, '\n')
	}
	if after, err := documents(text); err != nil || !slices.EqualFunc(before, after, sameNode) {
		return nil, errors.New("laying it out would change a value, so that it stays as it is; this is a fault of the program, please report it with the file")
	}
	return text, nil
}

// documents reads all that a file holds.
func documents(data []byte) ([]*yaml.Node, error) {
	var all []*yaml.Node
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var doc yaml.Node
		if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, &doc)
	}
}

// textLines are the lines, from 0, of texts that go over several: their spaces and empty lines belong to the values.
func textLines(docs []*yaml.Node, lines []string) map[int]bool {
	kept := map[int]bool{}
	var nodes []*yaml.Node
	starts := []int{len(lines)} // of nodes, from 0
	var visit func(n *yaml.Node)
	visit = func(n *yaml.Node) {
		nodes = append(nodes, n)
		starts = append(starts, n.Line-1)
		for _, c := range n.Content {
			visit(c)
		}
	}
	for _, d := range docs {
		visit(d)
	}
	slices.Sort(starts)
	for _, n := range nodes {
		first := n.Line - 1
		if n.Kind != yaml.ScalarNode || first >= len(lines) {
			continue
		}
		next, _ := slices.BinarySearch(starts, first+1)
		for i := first; i <= lastLine(n, lines, starts[next]); i++ {
			kept[i] = true
		}
	}
	return kept
}

// lastLine is the last line, from 0, of a text that begins before the line next, where another value or the end is; before the first
// where it is within one line.
func lastLine(n *yaml.Node, lines []string, next int) int {
	first := n.Line - 1
	switch {
	case n.Style&yaml.LiteralStyle != 0: // line by line
		over := strings.Count(n.Value, "\n")
		if n.Value != "" && !strings.HasSuffix(n.Value, "\n") {
			over++
		}
		return min(first+over, next-1)
	case n.Style&yaml.FoldedStyle != 0:
		last := blockEnd(lines[first+1:next], indented.MatchString(lines[first])) + first
		if strings.HasSuffix(n.Value, "\n\n") || n.Value == "\n" { // >+ keeps the empty lines at the end
			for last+1 < next && strings.TrimSpace(lines[last+1]) == "" {
				last++
			}
		}
		return last
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		rest := string([]rune(lines[first])[n.Column-1:]) + "\n" + strings.Join(lines[first+1:], "\n")
		rest = rest[max(strings.IndexAny(rest, `"'`), 0):] // a tag may stand before it
		if over := strings.Count(rest[:quotedLength(rest)], "\n"); over > 0 {
			return first + over
		}
	case strings.Contains(n.Value, "\n"):
		return blockEnd(lines[first+1:next], false) + first
	}
	return first - 1
}

// blockEnd is how many of the lines are a text's: without the empty lines and the comments after it. What looks like a comment is text
// where it is indented as the text is; a text that says its indentation may begin deeper.
func blockEnd(lines []string, deeper bool) int {
	indent, end := -1, 0
	if deeper {
		indent = 1
	}
	for i, line := range lines {
		words := strings.TrimLeft(line, " ")
		if strings.TrimSpace(words) == "" {
			continue
		}
		if in := len(line) - len(words); indent < 0 {
			indent = in
		} else if in < indent && words[0] == '#' {
			continue
		}
		end = i + 1
	}
	return end
}

// quotedLength is how long the quoted text is with which another begins.
func quotedLength(text string) int {
	quote := text[0]
	for i := 1; i < len(text); i++ {
		switch {
		case quote == '"' && text[i] == '\\':
			i++
		case text[i] != quote:
		case quote == '\'' && i+1 < len(text) && text[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return len(text)
}
