package logic_test

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/rules/internal/logic"
)

var domains = map[string]logic.Domain{
	"n": {Least: big.NewRat(0, 1), Whole: true}, "t": {Texts: []string{"a", "b", "c"}},
}

func solve(t *logic.Tree) (logic.Verdict, logic.Witness) {
	s := logic.Solver{Domains: domains, Steps: 1 << 20}
	return s.Solve(t)
}

func random(t *rapid.T, depth int) *logic.Tree {
	if depth > 0 {
		switch rapid.IntRange(0, 3).Draw(t, "op") {
		case 0:
			return logic.All(random(t, depth-1), random(t, depth-1))
		case 1:
			return logic.Any(random(t, depth-1), random(t, depth-1))
		case 2:
			return logic.Negate(random(t, depth-1))
		}
	}
	switch rapid.IntRange(0, 3).Draw(t, "atom") {
	case 0:
		return &logic.Tree{Op: logic.Is, Path: "b"}
	case 1:
		in := &logic.Tree{Op: logic.In, Path: rapid.SampledFrom([]string{"t", "u"}).Draw(t, "path"), Texts: rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 3).Draw(t, "texts")}
		if rapid.Bool().Draw(t, "of a list") {
			in.Known = map[string]bool{}
			for _, text := range in.Texts {
				in.Known[text] = true
			}
		}
		return in
	}
	return &logic.Tree{Op: logic.Compare, Path: rapid.SampledFrom([]string{"n", "r"}).Draw(t, "path"),
		Cmp: rapid.SampledFrom([]string{"==", "!=", "<", "<=", ">", ">="}).Draw(t, "cmp"), Number: big.NewRat(rapid.Int64Range(-2, 4).Draw(t, "number"), 2), Unit: "kg"}
}

// holds computes a tree plainly; what a witness does not name may be anything, so the caller gives it all.
func holds(tree *logic.Tree, values map[string]string) bool {
	switch tree.Op {
	case logic.And:
		return !slices.ContainsFunc(tree.Kids, func(k *logic.Tree) bool { return !holds(k, values) })
	case logic.Or:
		return slices.ContainsFunc(tree.Kids, func(k *logic.Tree) bool { return holds(k, values) })
	case logic.Not:
		return !holds(tree.Kids[0], values)
	case logic.Fixed:
		return tree.Truth
	case logic.Is:
		return values[tree.Path] == "true"
	case logic.In:
		return slices.Contains(tree.Texts, values[tree.Path])
	}
	n, ok := new(big.Rat).SetString(strings.TrimSuffix(values[tree.Path], " kg"))
	if !ok {
		panic(values[tree.Path])
	}
	c := n.Cmp(tree.Number)
	return map[string]bool{"==": c == 0, "!=": c != 0, "<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[tree.Cmp]
}

// TestSolveIsRight compares the answer with all values that trees can tell apart, and computes every witness.
func TestSolveIsRight(t *testing.T) {
	verdicts := map[logic.Verdict]int{}
	rapid.Check(t, func(t *rapid.T) {
		tree := random(t, 4)
		verdict, witness := solve(tree)
		verdicts[verdict]++
		possible := false
		for _, b := range []string{"true", "false"} {
			for _, text := range []string{"a", "b", "c"} {
				for _, u := range []string{"a", "b", "c", "d", "e"} {
					for _, n := range []string{"0", "1", "2", "3"} {
						for _, r := range []string{"-2", "-1", "-0.75", "-0.5", "-0.25", "0", "0.25", "0.5", "0.75", "1", "1.25", "1.5", "1.75", "2", "3"} {
							possible = possible || holds(tree, map[string]string{"b": b, "t": text, "u": u, "n": n, "r": r})
						}
					}
				}
			}
		}
		switch {
		case verdict == logic.TooLarge || verdict == logic.Perhaps:
			t.Fatalf("verdict %v, although everything is understood", verdict)
		case possible != (verdict == logic.Possible):
			t.Fatalf("verdict %v, possible %v", verdict, possible)
		case verdict == logic.Possible:
			all := map[string]string{"b": "false", "t": "a", "u": "zzz", "n": "0", "r": "0"}
			for path, value := range witness.Values {
				all[path] = value
			}
			if !holds(tree, all) {
				t.Fatalf("the witness %v does not hold", witness)
			}
		}
	})
	if verdicts[logic.Impossible] == 0 || verdicts[logic.Possible] == 0 {
		t.Errorf("verdicts %v", verdicts)
	}
}

// TestLongListsAreAskedOnce: what many conditions ask the same list costs as many steps as what is looked at, and no more than a question may.
func TestLongListsAreAskedOnce(t *testing.T) {
	list := func(from, n int) *logic.Tree {
		in := &logic.Tree{Op: logic.In, Path: "u", Known: map[string]bool{}}
		for i := range n {
			in.Texts = append(in.Texts, strconv.Itoa(from+i))
			in.Known[in.Texts[i]] = true
		}
		return in
	}
	steps := func(tree *logic.Tree) (logic.Verdict, int) {
		s := logic.Solver{Domains: domains, Steps: logic.MaxSteps * 10}
		v, _ := s.Solve(tree)
		return v, logic.MaxSteps*10 - s.Steps
	}
	long, short := list(0, 20_000), list(19_990, 20)
	if v, n := steps(logic.All(long, long, long, short)); v != logic.Possible || n > 100 {
		t.Errorf("verdict %v after %d steps", v, n)
	}
	if v, n := steps(logic.All(long, logic.Negate(long))); v != logic.Impossible || n < 20_000/8 || n > 20_000 {
		t.Errorf("verdict %v after %d steps: what is looked at must count", v, n)
	}
	huge := list(0, 200_000)
	if v, n := steps(logic.All(huge, logic.Negate(huge))); v != logic.TooLarge || n > 2*logic.MaxSteps {
		t.Errorf("verdict %v after %d steps", v, n)
	}
}

func TestWhatIsNotUnderstoodIsNeverSure(t *testing.T) {
	free := &logic.Tree{Op: logic.Free, Ref: "f(x)", Text: "f( x )"}
	for _, c := range []struct {
		tree *logic.Tree
		want logic.Verdict
	}{
		{free, logic.Perhaps}, {logic.Negate(free), logic.Perhaps}, {logic.All(free, logic.Negate(free)), logic.Impossible},
		{logic.Any(free, &logic.Tree{Op: logic.Fixed, Truth: true}), logic.Possible},
		{(&logic.Tree{Op: logic.Name, Ref: "x"}).Resolve(nil, nil), logic.Perhaps},
		{(&logic.Tree{Op: logic.List, Path: "t", Ref: "l"}).Resolve(nil, map[string]logic.Entries{"l": {Texts: []string{"a"}, Known: map[string]bool{"a": true}}}), logic.Possible},
		{(&logic.Tree{Op: logic.In, Path: "t", Texts: []string{"a"}}).Fix("t", "b"), logic.Impossible}, {nil, logic.Possible}, {logic.Negate(nil), logic.Impossible},
	} {
		if got, _ := solve(c.tree); got != c.want {
			t.Errorf("%+v: %v, want %v", c.tree, got, c.want)
		}
	}
}

// TestLargeTreesAreGivenUp gives the search more cases than it looks at.
func TestLargeTreesAreGivenUp(t *testing.T) {
	var all []*logic.Tree
	for i := range 40 {
		path := strings.Repeat("x", i+1)
		all = append(all, logic.Any(&logic.Tree{Op: logic.Is, Path: path}, &logic.Tree{Op: logic.Is, Path: path + "y"}))
	}
	never := &logic.Tree{Op: logic.Fixed}
	if got, _ := solve(logic.All(append([]*logic.Tree{logic.Any(never, never)}, all...)...)); got != logic.TooLarge {
		t.Errorf("verdict %v", got)
	}
}

// TestSharedPartsAreNotWrittenOut doubles a condition sixty times: it is measured, replaced and listed as the sixty parts that it has.
func TestSharedPartsAreNotWrittenOut(t *testing.T) {
	tree := &logic.Tree{Op: logic.Name, Ref: "x"}
	for range 60 {
		tree = logic.Any(logic.All(tree, tree), logic.Negate(tree))
	}
	if atoms, terms := tree.Measure(); atoms != logic.Most || terms != logic.Most {
		t.Errorf("%d atoms, %d terms", atoms, terms)
	}
	known := tree.Resolve(map[string]*logic.Tree{"x": {Op: logic.In, Path: "t", Texts: []string{"a"}}}, nil)
	if paths := known.Fix("t", "b").Paths(); len(paths) != 0 {
		t.Errorf("a text that is known is still asked for: %v", paths)
	}
	if paths := known.Paths(); !slices.Equal(paths, []string{"t"}) {
		t.Errorf("it speaks of %v", paths)
	}
}

// TestMeasureCounts holds what is counted against what stands there.
func TestMeasureCounts(t *testing.T) {
	a := &logic.Tree{Op: logic.Is, Path: "a"}
	three := logic.Any(a, a, a)
	for _, c := range []struct {
		tree         *logic.Tree
		atoms, terms int
	}{
		{nil, 1, 1}, {a, 1, 1}, {three, 3, 3}, {logic.Negate(three), 3, 1}, {logic.All(three, three), 6, 9}, {logic.Negate(logic.All(three, three)), 6, 2},
	} {
		if atoms, terms := c.tree.Measure(); atoms != c.atoms || terms != c.terms {
			t.Errorf("%+v: %d atoms, %d terms", c, atoms, terms)
		}
	}
}

// TestASolverStops when its steps are spent or it is told to, and says that it does not know.
func TestASolverStops(t *testing.T) {
	yes := &logic.Tree{Op: logic.Is, Path: "b"}
	for _, s := range []logic.Solver{{}, {Steps: 100, Stop: func() bool { return true }}} {
		if got, _ := s.Solve(yes); got != logic.TooLarge || !s.Spent() {
			t.Errorf("verdict %v", got)
		}
	}
	s := logic.Solver{Steps: 3}
	for range 4 {
		s.Solve(yes)
	}
	if !s.Spent() {
		t.Errorf("%d steps are left", s.Steps)
	}
}

// TestASampleRefutesNothingThatFollows: whatever it calls refuted does not follow by trying every value either.
func TestASampleRefutesNothingThatFollows(t *testing.T) {
	refuted, followed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		a, b := random(t, 3), random(t, 3)
		s := logic.Solver{Domains: domains, Steps: 1 << 20}
		sample := s.Sample(a)
		if verdict, _ := s.Solve(a); (sample == nil) != (verdict == logic.Impossible) {
			t.Fatalf("a sample is known: %v, although the verdict is %v", sample != nil, verdict)
		}
		if sample == nil {
			return
		}
		verdict, _ := s.Solve(logic.All(a, logic.Negate(b)))
		switch refutes := sample.Refutes(b); {
		case refutes && verdict == logic.Impossible:
			t.Fatal("it follows, and the sample refutes it")
		case refutes:
			refuted++
		case verdict == logic.Impossible:
			followed++
		}
	})
	if refuted == 0 || followed == 0 {
		t.Errorf("%d are refuted, %d follow", refuted, followed)
	}
}
