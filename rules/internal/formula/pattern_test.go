package formula

import (
	"reflect"
	"regexp/syntax"
	"testing"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"pgregory.net/rapid"
)

// TestStepsOfIsNoLessThanCompiled: what is estimated bounds what the compiler makes, but for the two steps that every program has.
func TestStepsOfIsNoLessThanCompiled(t *testing.T) {
	pattern := rapid.StringMatching(`([ab.]|\(a\|b\|c\)|\[a-f0-9\]|\\pL|\(\?:a\{1,9\}b\)\{2,\}|\(x\?y\*\)\+|\(a\{2,5\}\|\)\{0,7\}|\(\?i:ab\)){1,8}`)
	rapid.Check(t, func(t *rapid.T) {
		text := pattern.Draw(t, "pattern")
		tree, err := syntax.Parse(text, syntax.Perl)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		estimate := stepsOf(tree)
		if estimate > MaxPattern {
			return
		}
		program, err := syntax.Compile(tree.Simplify())
		if err != nil {
			t.Fatal(err)
		}
		if made := len(program.Inst) - 2; made > estimate {
			t.Errorf("%s: %d steps, estimated %d", text, made, estimate)
		}
	})
}

// TestOnePatternMoreIsToldAlike: the look before parsing says what the parsed expression would be told, and says it of patterns alone.
func TestOnePatternMoreIsToldAlike(t *testing.T) {
	for _, src := range []string{
		`order.id matches "a+"`, `order.asap and order.id matches   'é\'x' or order.id matches "b"`, `(order.id matches "^x")`, "order.id matches\n  `x`",
	} {
		none := 0
		want := &guard{steps: &none}
		tree, err := parser.Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		ast.Walk(&tree.Node, visitor(func(n ast.Node) {
			if b, ok := n.(*ast.BinaryNode); ok && b.Operator == "matches" {
				want.pattern(b)
			}
		}))
		if got := onePatternMore(src, &none); !reflect.DeepEqual(got, want.problem) || got == nil {
			t.Errorf("%s: %+v before parsing, %+v after", src, got, want.problem)
		}
	}
	one := 1
	for src, steps := range map[string]*int{`order.id matches "a"`: &one, `order.id matches "b"`: nil, `order.id == " matches 'x'"`: new(int), `matches`: new(int)} {
		if p := onePatternMore(src, steps); p != nil {
			t.Errorf("%s: %+v", src, p)
		}
	}
}
