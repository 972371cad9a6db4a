package formula

import (
	"fmt"
	"regexp"
	"time"

	"github.com/expr-lang/expr/ast"
)

// shape is how every value of a field is written, so that a literal written otherwise is never equal to it and sorts beside the point.
type shape struct {
	fits  func(string) bool
	meant func(string) string // a guess, "" for none
	hint  string
}

var countryCode = regexp.MustCompile(`^([A-Z]{2})?$`) // ISO 3166-1 alpha-2; "" where the shop sent none

var (
	country = shape{countryCode.MatchString, meantCountry, `a country is two capital letters: "US"`}
	day     = shape{func(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil }, func(s string) string {
		for _, layout := range []string{"2006-1-2", "2006/1/2", "1/2/2006"} {
			if t, err := time.Parse(layout, s); err == nil {
				return t.Format(time.DateOnly)
			}
		}
		return ""
	}, `write a day of the calendar: "2026-12-24"`}
	timeOfDay = shape{func(s string) bool { _, err := minuteOfDay(s); return err == nil && s != "24:00" }, func(s string) string {
		for _, layout := range []string{"15:4", "3:04PM", "3:04 PM", "3:04pm", "3:04 pm", "15:04:05"} {
			if t, err := time.Parse(layout, s); err == nil {
				return t.Format("15:04")
			}
		}
		return ""
	}, `write hours and minutes, of 24 hours, with two digits each: "09:30"`}
)

// shapes are those of fields, by path.
var shapes = map[string]shape{"order.to.country": country, "order.from.country": country, "local.date": day, "local.time": timeOfDay}

// shape refuses a literal beside a field whose values are all written in another way.
func (g *guard) shape(value, literal ast.Node) {
	text, ok := literal.(*ast.StringNode)
	path := pathOf(value)
	of, known := shapes[path]
	if !ok || !known || of.fits(text.Value) {
		return
	}
	odd := of.problem(path, text.Value)
	p := g.fail(text, odd.Code, "%s", odd.Message)
	p.Hint, p.DidYouMean = odd.Hint, odd.DidYouMean
}

// problem says that a field never has a text; it has no place.
func (s shape) problem(path, text string) *Problem {
	p := &Problem{Code: "E205", Message: fmt.Sprintf("%s is never %q", path, text), Hint: s.hint}
	if meant := s.meant(text); meant != "" {
		p.DidYouMean = fmt.Sprintf("%q", meant)
	}
	return p
}

// argument is what is wrong with an argument that is to have the shape.
func (s shape) argument(of ast.Node, err error, text string) error {
	wrong := &argumentError{error: err, of: of}
	if meant := s.meant(text); meant != "" {
		wrong.meant = fmt.Sprintf("%q", meant)
	}
	return wrong
}
