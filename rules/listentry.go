package rules

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/rules/internal/formula"
)

// listEntry is an entry of a list and where it stands.
type listEntry struct {
	*source
	text              string
	line, column, end int
}

// maxEntriesTold bounds how many entries of one list are told: where a column is wrong, all of it is.
const maxEntriesTold = 10

// checkEntries tells the entries of lists that can be equal to nothing that is looked for there, as an expression with the same text in it would be.
// A list of which something is looked for that may be any text has no such entries.
func (c *checker) checkEntries() {
	if c.opt.Taken {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.sought)) {
		paths := slices.Sorted(maps.Keys(c.sought[name]))
		told := map[string][]Problem{}
		for _, e := range c.entries[name] {
			if odd := c.never(paths, e.text); odd != nil {
				told[odd.Code] = append(told[odd.Code], e.problem(name, odd))
			}
		}
		for _, code := range slices.Sorted(maps.Keys(told)) {
			all := told[code]
			if more := len(all) - maxEntriesTold; more > 0 {
				all = all[:maxEntriesTold]
				all[maxEntriesTold-1].Sentence += fmt.Sprintf("; so it is with %d more entries", more)
			}
			for _, p := range all {
				c.tell(p)
			}
		}
	}
}

// never is why a text is found by none of several paths, nil where one may find it.
func (c *checker) never(paths []string, text string) *formula.Problem {
	var first *formula.Problem
	for _, path := range paths {
		odd := c.env.order.Never(path, text)
		if odd == nil {
			return nil
		}
		if first == nil {
			first = odd
		}
	}
	return first
}

// problem places what is wrong with an entry.
func (e listEntry) problem(list string, odd *formula.Problem) Problem {
	p := Problem{Code: odd.Code, Line: e.line, Column: e.column, End: e.end, Where: "lists." + list, Sentence: odd.Message, Hint: odd.Hint, DidYouMean: odd.DidYouMean}
	if bare, err := strconv.Unquote(p.DidYouMean); err == nil {
		p.DidYouMean = bare // an entry stands in quotes or not, as it likes
	}
	var placed []Problem
	at := *e.source
	at.found = &placed
	at.report(p)
	return placed[0]
}

// tell adds a problem to the mistakes or to the doubts.
func (c *checker) tell(p Problem) {
	if strings.HasPrefix(p.Code, "W") {
		c.note(p)
	} else if len(c.problems) < maxReport {
		c.problems = append(c.problems, p)
	}
}
