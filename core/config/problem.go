package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problem is one mistake in a configuration file.
type Problem struct {
	File    string
	Line    int    // from 1; 0 where the mistake is the file's as a whole
	Column  int    // from 1, in bytes
	Path    string // tenants.demo.accounts.ups.adapter
	Message string
	Hint    string
	Source  string // the line
}

// Error is every mistake of a configuration, sorted by place.
type Error struct{ Problems []Problem }

// Error renders each problem as file:line:column with the line and a caret below it. A line that may hold a secret is not shown.
func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// About returns the problems of the member at path and of what stands in it.
func (e *Error) About(path string) []Problem {
	var out []Problem
	for _, p := range e.Problems {
		if rest, ok := strings.CutPrefix(p.Path, path); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			out = append(out, p)
		}
	}
	return out
}

// String renders one problem.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	if p.Source != "" {
		n := fmt.Sprintf("%5d", p.Line)
		fmt.Fprintf(&b, "\n%s | %s\n%s | %s^", n, p.Source, strings.Repeat(" ", len(n)), strings.Repeat(" ", max(p.Column-1, 0)))
	}
	return b.String()
}

// faults collects problems while a configuration is read.
type faults struct {
	problems []Problem
	sources  map[*yaml.Node]*source
	hidden   hidden
}

// source is one file.
type source struct {
	name  string
	lines []string
	// secret are the lines, from 1, on which the value of a secret stands whose name may stand on another.
	secret map[int]bool
}

// line returns a line, from 1, where it may be shown; else "".
func (s *source) line(n int) string {
	if n < 1 || n > len(s.lines) || s.secret[n] || !showable(s.lines[n-1]) {
		return ""
	}
	return s.lines[n-1]
}

// atName is at, for a name that nobody knows: its line is shown up to the name. What follows may be the value of a secret whose name
// is misspelt.
func (f *faults) atName(n *yaml.Node, path, hint, format string, args ...any) {
	f.at(n, path, hint, format, args...)
	p := &f.problems[len(f.problems)-1]
	if end := p.Column - 1 + len(n.Value); p.Source != "" && end < len(p.Source) {
		p.Source = p.Source[:end] + ": …"
	}
}

// at records a mistake. What args say of values is hidden where it must not be shown.
func (f *faults) at(n *yaml.Node, path, hint, format string, args ...any) {
	for i := range args {
		args[i] = f.hidden.arg(path, args[i])
	}
	p := Problem{Path: path, Message: fmt.Sprintf(format, args...), Hint: hint}
	if src := f.sources[n]; src != nil && n.Line > 0 {
		p.File, p.Line, p.Column = src.name, n.Line, n.Column
		// Where something is missing, the line is that of what stands in its place: it may be the secret of a misspelt name.
		if n.Kind != yaml.MappingNode && !holdsSecret(path) {
			p.Source = src.line(n.Line)
		}
	}
	f.problems = append(f.problems, p)
}

func (f *faults) err() error {
	if len(f.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(f.problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Error{Problems: f.problems}
}

// nearest returns the candidate that s was probably meant to be, "" where none is near.
func nearest(s string, candidates []string) string {
	best, distance := "", max(2, len(s)/3)+1
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(s), strings.ToLower(c)); d < distance {
			best, distance = c, d
		}
	}
	return best
}

func didYouMean(s string, candidates []string) string {
	if n := nearest(s, candidates); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	slices.Sort(candidates)
	return "known are " + strings.Join(candidates, ", ")
}

// editDistance counts insertions, deletions and substitutions.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
