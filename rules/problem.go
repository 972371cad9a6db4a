package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with a bundle. Codes are stable: E1xx names, E2xx types, E3xx syntax, E4xx limits, E5xx structure.
type Problem struct {
	Code       string `json:"code"`
	File       string `json:"file"`
	Line       int    `json:"line"`            // from 1
	Column     int    `json:"column"`          // from 1, in characters
	End        int    `json:"end"`             // column after the last character
	Where      string `json:"where,omitempty"` // rule "Too heavy" (exclude)
	Sentence   string `json:"sentence"`
	Hint       string `json:"hint,omitempty"`
	DidYouMean string `json:"did_you_mean,omitempty"`
	Source     string `json:"source,omitempty"` // the line
}

// String is the problem in one line.
func (p Problem) String() string {
	where := ""
	if p.Where != "" {
		where = p.Where + ": "
	}
	return fmt.Sprintf("%s:%d:%d: %s%s", p.File, p.Line, p.Column, where, p.Sentence)
}

// CheckError is every problem of a bundle, sorted by file and place.
type CheckError struct{ Problems []Problem }

// Error renders the problems, each with its line and a squiggle under the part that is wrong.
func (e *CheckError) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
		if p.Source != "" {
			before := []rune(p.Source)[:min(max(p.Column-1, 0), len([]rune(p.Source)))]
			indent := strings.Map(func(r rune) rune {
				if r == '\t' {
					return r
				}
				return ' '
			}, string(before))
			fmt.Fprintf(&b, "\n%5d | %s\n      | %s%s", p.Line, p.Source, indent, strings.Repeat("^", max(p.End-p.Column, 1)))
		}
		if p.DidYouMean != "" {
			fmt.Fprintf(&b, "\n      = did you mean %s?", p.DidYouMean)
		}
		if p.Hint != "" {
			fmt.Fprintf(&b, "\n      = help: %s", p.Hint)
		}
		fmt.Fprintf(&b, "\n      [%s]", p.Code)
	}
	return b.String()
}

func (e *CheckError) sort() {
	slices.SortStableFunc(e.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	e.Problems = slices.CompactFunc(e.Problems, func(a, b Problem) bool { // each form of a rule at a location finds the rule's own again
		return a.File == b.File && a.Line == b.Line && a.Column == b.Column && a.Code == b.Code && a.Sentence == b.Sentence
	})
}
