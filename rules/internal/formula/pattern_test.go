package formula

import (
	"regexp/syntax"
	"testing"

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
