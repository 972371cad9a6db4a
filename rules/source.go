package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules/internal/formula"
)

// Limits of a bundle.
const (
	maxBundle = 1 << 20 // bytes
	maxFile   = 256 << 10
	maxRules  = 500
	maxLets   = 500
	maxItems  = 500          // of an order
	maxOffers = 64           // that one decision looks at
	maxRead   = 2 * maxRules // those that are not enabled too
	maxYAML   = 16           // levels of nesting
	maxReport = 100
)

// source is one YAML file while it is read: it gives every fault its place.
type source struct {
	name  string
	lines []string
	found *[]Problem
	where string                 // what is being read
	homes map[*yaml.Node]*source // of nodes that came from another file
}

// home is the file that a node stands in.
func (s *source) home(n *yaml.Node) *source {
	if other := s.homes[n]; other != nil {
		return &source{name: other.name, lines: other.lines, found: s.found, where: s.where}
	}
	return s
}

// parseYAML reads a file into nodes, nil where it cannot be read. Deep nesting, aliases and tags are refused.
func (s *source) parseYAML(data []byte) *yaml.Node {
	if p := yamlNesting(data); p != nil {
		s.report(*p)
		return nil
	}
	var doc, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) {
		s.report(Problem{Code: "E502", Line: 1, Column: 1, End: 2, Sentence: "the file is empty", Hint: "a rule file begins with rules: 1"})
		return nil
	}
	if err == nil {
		if more := decoder.Decode(&second); more == nil {
			s.report(Problem{Code: "E503", Line: second.Line, Column: 1, End: 2, Sentence: "a second document begins here", Hint: "a rule file is one document; put the rest into a file of its own"})
			return nil
		} else if !errors.Is(more, io.EOF) {
			err = more
		}
	}
	if err != nil {
		before := len(*s.found)
		mended := s.swallowed()
		if len(*s.found) == before {
			mended = s.misread()
		}
		if mended != nil {
			if yaml.Unmarshal(mended, &doc) != nil || len(doc.Content) == 0 || s.plain(doc.Content[0], 0) != nil {
				return nil
			}
			return doc.Content[0]
		}
		if len(*s.found) == before {
			s.unreadable(err)
		}
		return nil
	}
	if err := s.plain(doc.Content[0], 0); err != nil {
		return nil
	}
	if !cutShort(doc.Content[0]) {
		return doc.Content[0]
	}
	before, second := len(*s.found), yaml.Node{}
	switch mended := s.misread(); {
	case mended != nil && yaml.Unmarshal(mended, &second) == nil && len(second.Content) > 0 && s.plain(second.Content[0], 0) == nil:
		return second.Content[0]
	case len(*s.found) > before: // what is read on would be told of what is cut
		return nil
	}
	return doc.Content[0]
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// unreadable reports a file of which nothing is known but the line at which the YAML parser gave up.
func (s *source) unreadable(err error) {
	p := Problem{Code: "E501", Line: 1, Column: 1, End: 2, Sentence: "this is not YAML: it cannot be read on from here, or from the line before"}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
	}
	if p.Line = min(max(p.Line, 1), len(s.lines)); s.lines[p.Line-1] != "" {
		line := strings.TrimRight(s.lines[p.Line-1], " \t")
		indent := len(line) - len(strings.TrimLeft(line, " \t"))
		p.Column, p.End = indent+1, utf8.RuneCountInString(line)+1
	}
	p.Hint = "look at the blanks before the lines, at quotes and brackets that are left open; a text that begins with \" [ { ! * & or % stands in single quotes"
	s.report(p)
}

// yamlNesting refuses flow nesting that no rule file has, before the YAML parser spends time on it. Brackets in quotes and
// comments count too, which does no harm at this limit because each line starts anew where brackets are closed.
func yamlNesting(data []byte) *Problem {
	const most = 4 * formula.MaxNesting
	depth, line, column := 0, 1, 0
	for _, c := range data {
		column++
		switch c {
		case '\n':
			line, column = line+1, 0
		case '[', '{', '(':
			depth++
		case ']', '}', ')':
			depth = max(depth-1, 0)
		}
		if depth > most {
			return &Problem{Code: "E402", Line: line, Column: column, End: column + 1,
				Sentence: fmt.Sprintf("brackets are nested deeper than %d levels", most), Hint: "close brackets that were left open"}
		}
	}
	return nil
}

var errRefused = errors.New("refused")

func (s *source) plain(n *yaml.Node, depth int) error {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		s.fault(n, "E505", "anchors and aliases are not used in rule files", "write the value out, or name an expression under let:")
		return errRefused
	case n.Style&yaml.TaggedStyle != 0:
		s.fault(n, "E505", "tags such as "+n.Tag+" are not used in rule files", "a text that begins with ! stands in quotes")
		return errRefused
	case depth > maxYAML:
		s.fault(n, "E402", fmt.Sprintf("the file is nested deeper than %d levels", maxYAML), "")
		return errRefused
	}
	for _, c := range n.Content {
		if err := s.plain(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (s *source) report(p Problem) {
	if len(*s.found) >= maxReport {
		return
	}
	p.File = s.name
	if p.Where == "" {
		p.Where = s.where
	}
	if p.Line >= 1 && p.Line <= len(s.lines) {
		p.Source = s.lines[p.Line-1]
		if r := []rune(p.Source); len(r) > 200 {
			p.Source = string(r[:200])
		}
	}
	*s.found = append(*s.found, p)
}

// fault reports something wrong with a whole node.
func (s *source) fault(n *yaml.Node, code, sentence, hint string) {
	s.home(n).report(Problem{Code: code, Line: n.Line, Column: n.Column, End: n.Column + width(n), Sentence: sentence, Hint: hint})
}

// guess is fault with a suggestion for a mistyped word.
func (s *source) guess(n *yaml.Node, code, sentence string, known []string) {
	p := Problem{Code: code, Line: n.Line, Column: n.Column, End: n.Column + width(n), Sentence: sentence}
	if n.Style == yaml.DoubleQuotedStyle || n.Style == yaml.SingleQuotedStyle {
		p.Column++
		p.End--
	}
	p.DidYouMean = formula.Suggest(n.Value, known)
	if len(known) > 0 {
		p.Hint = "known here: " + formula.Some(known)
	}
	s.home(n).report(p)
}

func width(n *yaml.Node) int {
	if n.Kind != yaml.ScalarNode || strings.Contains(n.Value, "\n") {
		return 1
	}
	w := max(utf8.RuneCountInString(n.Value), 1)
	if n.Style == yaml.DoubleQuotedStyle || n.Style == yaml.SingleQuotedStyle {
		w += 2
	}
	return w
}

// formulaFault reports something wrong inside an expression that stands in n, offset characters from its beginning.
func (s *source) formulaFault(n *yaml.Node, offset int, f *formula.Problem) {
	p := Problem{Code: f.Code, Sentence: f.Message, Hint: f.Hint, DidYouMean: f.DidYouMean}
	s = s.home(n)
	if n.Style == 0 && n.Line >= 1 && n.Line <= len(s.lines) && strings.Contains(s.lines[n.Line-1], n.Value+" #") && (strings.HasPrefix(f.Message, "the quotes") || strings.HasPrefix(f.Message, "the expression ends too early")) {
		p.Hint = "to YAML a # behind a blank begins a comment: put the whole value into single quotes"
	}
	p.Line, p.Column, p.End = s.place(n, offset+f.From, offset+f.To)
	s.report(p)
}

// place maps characters of a scalar's value to the file. Plain scalars, quoted ones without escapes and literal blocks map exactly; of the
// others the beginning is shown.
func (s *source) place(n *yaml.Node, from, to int) (line, column, end int) {
	whole := func() (int, int, int) { return n.Line, n.Column, n.Column + 1 }
	if n.Line < 1 || n.Line > len(s.lines) {
		return whole()
	}
	runes := []rune(n.Value)
	if n.Style&(yaml.LiteralStyle) != 0 {
		from, to = min(from, len(runes)), min(to, len(runes))
		row := strings.Count(string(runes[:from]), "\n")
		start := 0
		if i := strings.LastIndex(string(runes[:from]), "\n"); i >= 0 {
			start = utf8.RuneCountInString(string(runes[:from])[:i+1])
		}
		if n.Line+row >= len(s.lines) {
			return whole()
		}
		text, _, _ := strings.Cut(string(runes[start:]), "\n")
		at := strings.Index(s.lines[n.Line+row], text)
		if at < 0 {
			return whole()
		}
		at = utf8.RuneCountInString(s.lines[n.Line+row][:at])
		return n.Line + 1 + row, at + from - start + 1, at + min(to-start, utf8.RuneCountInString(text)) + 1
	}
	column = n.Column
	text := []rune(s.lines[n.Line-1])
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 && column <= len(text) && strings.ContainsRune(`"'`, text[column-1]) { // those that were added to read on are not there
		column++
	}
	if column-1+len(runes) > len(text) || string(text[column-1:column-1+len(runes)]) != n.Value {
		return whole()
	}
	return n.Line, column + from, column + max(to, from+1)
}

// pair is one member of a mapping.
type pair struct {
	key   string
	node  *yaml.Node // the key
	value *yaml.Node
}

// mapping reads a mapping whose keys must be among known; nil known allows any.
func (s *source) mapping(n *yaml.Node, what string, known []string) []pair {
	if n.Kind != yaml.MappingNode {
		s.fault(n, "E503", what+" must be a mapping of keys to values", mappingHint(what, known))
		return nil
	}
	var pairs []pair
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode:
			s.fault(k, "E503", "a key must be a text", "")
		case seen[k.Value]:
			hint := "keep one of them"
			if n.Column > 1 && k.Value == n.Content[0].Value && k.Line > n.Content[0].Line && n.Style&yaml.FlowStyle == 0 { // what begins an entry
				hint += "; where another entry of the list begins, put a - before it"
			}
			s.fault(k, "E504", fmt.Sprintf("%q stands here twice", k.Value), hint)
		case i > 0 && v.Tag == "!!null" && v.Value == "" && decimalComma(n.Content[i-1], k):
			s.fault(k, "E503", fmt.Sprintf("the comma before %q ends the value before it", k.Value), fmt.Sprintf("a point parts the decimals: write %s.%s", n.Content[i-1].Value, k.Value))
		case known != nil && !slices.Contains(known, k.Value):
			s.guess(k, "E501", fmt.Sprintf("unknown key %q in %s", k.Value, what), known)
		default:
			pairs = append(pairs, pair{k.Value, k, v})
		}
		seen[k.Value] = true
	}
	return pairs
}

// decimalComma reports whether a key is what stands behind the decimal comma of the value before it: { weight: 2,5 kg }.
func decimalComma(value, key *yaml.Node) bool {
	_, err := strconv.Atoi(value.Value)
	return err == nil && value.Line == key.Line && key.Column == value.Column+width(value)+1 && key.Value != "" && key.Value[0] >= '0' && key.Value[0] <= '9'
}

// mappingHint says how a mapping is written.
func mappingHint(what string, known []string) string {
	switch {
	case wantedExamples[what] != "":
		return "write " + what + ": " + wantedExamples[what]
	case what == "rank":
		return "rank: { strategy: cheapest }"
	case what == "locations":
		return "write a location's id or tag:<tag>, without a - before it: hyde-park:"
	case what == "a location":
		return "under it stand a phase and the name of a rule: exclude: { Cold food: { enabled: false } }; a tag is written tag:airport, without a blank"
	case strings.HasPrefix(what, "the patches of "):
		return "write the name of a rule and what changes, without a - before it: Cold food: { enabled: false }"
	case strings.HasPrefix(what, "a patch of "):
		return "write what changes: { enabled: false }"
	case what == "limit":
		return "write limit: { attempts: 3, within: 1h }; its keys are: " + strings.Join(known, ", ")
	case len(known) > 0:
		return "its keys are: " + strings.Join(known, ", ")
	}
	return "write key: value"
}

// items reads a list.
func (s *source) items(n *yaml.Node, what string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		hint := "begin each entry with -"
		if n.Kind == yaml.ScalarNode && n.Value != "" {
			hint = "write it in brackets: [" + n.Value + "]"
		}
		if n.Kind == yaml.MappingNode && len(n.Content) > 1 && n.Content[1].Kind == yaml.ScalarNode {
			hint = fmt.Sprintf("begin each entry with - and a blank: - %s: %s", n.Content[0].Value, n.Content[1].Value)
		}
		s.fault(n, "E503", what+" must be a list", hint)
		return nil
	}
	return n.Content
}

// text reads a text that is not empty.
func (s *source) text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || n.Value == "" || n.Tag == "!!null" {
		s.fault(n, "E503", what+" must be a text", "")
		return ""
	}
	return n.Value
}

// texts reads a list of texts.
func (s *source) texts(n *yaml.Node, what string) []string {
	var out []string
	for _, item := range s.items(n, what) {
		if t := s.text(item, "an entry of "+what); t != "" {
			out = append(out, t)
		}
	}
	return out
}

// oneOf reads a text out of a closed list.
func (s *source) oneOf(n *yaml.Node, what string, allowed []string) string {
	t := s.text(n, what)
	if t == "" {
		return ""
	}
	if !slices.Contains(allowed, t) {
		s.guess(n, "E505", fmt.Sprintf("%s cannot be %q", what, t), allowed)
		return ""
	}
	return t
}

// truth reads true or false.
func (s *source) truth(n *yaml.Node, what string) bool {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		s.fault(n, "E503", what+" must be true or false", "write true or false, without quotes")
		return false
	}
	return strings.EqualFold(n.Value, "true") // YAML knows True and TRUE too
}

// isOne reports whether a value is the number 1, in quotes or without.
func isOne(n *yaml.Node) bool {
	v, ok := wholeOf(n)
	return ok && v == 1
}

// wholeOf is the whole number that a value is, as YAML and JSON write one: 16, 16.0, "16".
func wholeOf(n *yaml.Node) (int, bool) {
	var v any
	if n.Kind != yaml.ScalarNode || n.Decode(&v) != nil {
		return 0, false
	}
	switch v := v.(type) {
	case int:
		return v, true
	case float64:
		return int(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	case string:
		number, err := strconv.Atoi(v)
		return number, err == nil
	}
	return 0, false
}

// whole reads a whole number of at least least.
func (s *source) whole(n *yaml.Node, what string, least, most int) int {
	v, ok := wholeOf(n)
	if !ok || v < least || v > most {
		hint := ""
		if number, share := strings.CutSuffix(n.Value, "%"); share {
			hint = "write " + strings.TrimSpace(number) + ", without %"
		}
		s.fault(n, "E503", fmt.Sprintf("%s must be a whole number from %d to %d", what, least, most), hint)
		return 0
	}
	return v
}
