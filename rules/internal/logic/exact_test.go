package logic_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/rules/internal/logic"
)

// fragile is a random tree whose leaves b, c and d fail where fb, fc and fd are false.
func fragile(t *rapid.T, depth int) *logic.Tree {
	if depth > 0 {
		switch rapid.IntRange(0, 3).Draw(t, "op") {
		case 0:
			return logic.All(fragile(t, depth-1), fragile(t, depth-1), fragile(t, depth-1))
		case 1:
			return logic.Any(fragile(t, depth-1), fragile(t, depth-1), fragile(t, depth-1))
		case 2:
			return logic.Negate(fragile(t, depth-1))
		}
	}
	path := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "path")
	leaf := &logic.Tree{Op: logic.Is, Path: path}
	if path != "a" {
		leaf.Sure = &logic.Tree{Op: logic.Is, Path: "f" + path}
	}
	return leaf
}

// computed is what comes of a tree from left to right: it fails with the first part that does.
func computed(tree *logic.Tree, values map[string]bool) (truth, fails bool) {
	switch tree.Op {
	case logic.Not:
		truth, fails = computed(tree.Kids[0], values)
		return !truth, fails
	case logic.And, logic.Or:
		for _, k := range tree.Kids {
			if truth, fails = computed(k, values); fails || truth == (tree.Op == logic.Or) {
				return truth, fails
			}
		}
		return tree.Op == logic.And, false
	}
	return values[tree.Path], tree.Sure != nil && !values["f"+tree.Path]
}

// TestExactIsWhatIsComputed compares the two trees with a plain computation, for all values.
func TestExactIsWhatIsComputed(t *testing.T) {
	failing := 0
	rapid.Check(t, func(t *rapid.T) {
		tree := fragile(t, 4)
		yes, no := tree.Exact()
		names := []string{"a", "b", "c", "d", "fb", "fc", "fd"}
		for bits := range 1 << len(names) {
			values, texts := map[string]bool{}, map[string]string{}
			for i, name := range names {
				if values[name] = bits>>i&1 == 1; values[name] {
					texts[name] = "true"
				}
			}
			truth, fails := computed(tree, values)
			if fails {
				failing++
			}
			if holds(yes, texts) != (truth && !fails) || holds(no, texts) != (!truth && !fails) {
				t.Fatalf("%v: computed %v, fails %v; yes %v, no %v", values, truth, fails, holds(yes, texts), holds(no, texts))
			}
		}
		if !tree.MayFail() && yes != tree {
			t.Fatal("what never fails is another tree")
		}
	})
	if failing == 0 {
		t.Error("nothing has failed")
	}
}

// TestWhatExcludesEachOther is never true together, in whatever order it is asked for, and a sample takes neither for both.
func TestWhatExcludesEachOther(t *testing.T) {
	x, y := &logic.Tree{Op: logic.Is, Path: "x"}, &logic.Tree{Op: logic.Is, Path: "y"}
	s := logic.Solver{Domains: map[string]logic.Domain{"x": {Excludes: "y"}, "y": {Excludes: "x"}}, Steps: 1000}
	for _, c := range []struct {
		tree *logic.Tree
		want logic.Verdict
	}{{logic.All(x, y), logic.Impossible}, {logic.All(y, x), logic.Impossible}, {logic.All(x, logic.Negate(y)), logic.Possible}, {logic.All(logic.Negate(x), logic.Negate(y)), logic.Possible}} {
		if got, _ := s.Solve(c.tree); got != c.want {
			t.Errorf("%v, want %v", got, c.want)
		}
	}
	if s.Sample(logic.All()).Refutes(logic.Negate(logic.All(x, y))) {
		t.Error("a sample refutes what always holds")
	}
}
