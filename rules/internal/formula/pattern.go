package formula

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
)

// Limits of the patterns that stand after matches. A pattern is written with few characters and compiled into many steps, because each
// {m,n} repeats what it stands behind; a step takes up to some hundred bytes for as long as its bundle lives.
const (
	MaxPattern  = 1_000  // steps of one pattern
	MaxPatterns = 50_000 // steps of all patterns of a bundle
)

// runesPerStep is how many bounds of a character class take the memory of one step.
const runesPerStep = 20

// pattern refuses what matches compares with where it cannot be read, or would be too large when compiled.
func (g *guard) pattern(n *ast.BinaryNode) {
	s, ok := n.Right.(*ast.StringNode)
	switch {
	case !ok:
		g.fail(n.Right, "E302", "what matches compares with must be a literal text")
		return
	case g.steps == nil:
		return // compiled before, or not to be compiled
	case utf8.RuneCountInString(s.Value) > MaxRegexp:
		g.fail(s, "E403", "the pattern is longer than %d characters", MaxRegexp)
		return
	case *g.steps <= 0: // also spares reading the patterns of a file that has too many
		g.refuse(tooManySteps(spanOf(s)))
		return
	}
	tree, err := syntax.Parse(s.Value, syntax.Perl)
	if err != nil {
		g.fail(s, "E303", "the pattern cannot be read: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: ")).Hint = patternHint(err)
		return
	}
	steps := stepsOf(tree)
	*g.steps -= min(steps, MaxPattern)
	switch {
	case steps > MaxPattern:
		g.fail(s, "E403", "the pattern is too large: written out, it has more than %d steps", MaxPattern).Hint =
			"each {m,n} repeats what stands before it: use smaller numbers, * or +"
	case *g.steps < 0:
		g.refuse(tooManySteps(spanOf(s)))
	}
}

// patternHint says what to write instead of a pattern that cannot be read.
func patternHint(err error) string {
	wrong, ok := errors.AsType[*syntax.Error](err)
	if !ok {
		return ""
	}
	switch wrong.Code {
	case syntax.ErrMissingRepeatArgument, syntax.ErrInvalidRepeatOp:
		return `* repeats the sign before it; any text is .*, and a beginning or an end is asked with startsWith and endsWith`
	case syntax.ErrMissingParen, syntax.ErrUnexpectedParen, syntax.ErrMissingBracket:
		return `brackets stand in pairs; one that is meant as a sign has \\ before it: "\\(021"`
	case syntax.ErrInvalidPerlOp:
		return `a pattern cannot look ahead or behind; ask twice: a matches "…" and not (a matches "…")`
	}
	return `a sign that is meant as itself has \\ before it: "a\\.b"`
}

// patternText is where a pattern stands in what outsideQuotes leaves of an expression, but for the quote before it.
var patternText = regexp.MustCompile(`\bmatches\s+(_+)`)

// onePatternMore refuses an expression with a pattern before it is parsed, where the patterns before have too many steps already.
func onePatternMore(src string, steps *int) *Problem {
	if steps == nil || *steps > 0 || !strings.Contains(src, "matches") {
		return nil
	}
	bare := outsideQuotes(src)
	at := patternText.FindStringSubmatchIndex(bare)
	if at == nil {
		return nil
	}
	from := utf8.RuneCountInString(bare[:at[2]]) - 1
	return tooManySteps(from, from+1+at[3]-at[2])
}

func tooManySteps(from, to int) *Problem {
	return &Problem{Code: "E403", From: from, To: to, Message: fmt.Sprintf("the patterns up to here have more than %d steps together", MaxPatterns),
		Hint: fmt.Sprintf("use smaller numbers in {m,n}, or compare with texts: in [\"a\", \"b\"], in lists.name; one pattern may have %d steps", MaxPattern)}
}

// stepsOf estimates from above how many steps re is compiled into, without compiling it: no more than MaxPattern+1.
func stepsOf(re *syntax.Regexp) int {
	steps := 1
	switch re.Op {
	case syntax.OpLiteral:
		steps = len(re.Rune)
	case syntax.OpCharClass:
		steps += len(re.Rune) / runesPerStep
	case syntax.OpCapture:
		steps = 2
	case syntax.OpAlternate:
		steps = len(re.Sub)
	}
	for _, sub := range re.Sub {
		steps = min(steps+stepsOf(sub), MaxPattern+1)
	}
	if re.Op == syntax.OpRepeat {
		times := max(re.Min, re.Max, 1) // of the factors none is above a thousand
		steps *= times
	}
	return min(steps, MaxPattern+1)
}
