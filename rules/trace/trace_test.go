package trace_test

import (
	"strings"
	"testing"
	"time"

	"github.com/expr-lang/expr"

	"github.com/waybill-dev/waybill/rules/trace"
)

type parcel struct {
	Grams int      `expr:"grams"`
	Tags  []string `expr:"tags"`
}

func TestTree(t *testing.T) {
	env := map[string]any{"parcel": parcel{}, "limit": 0, "status": ""}
	p, err := trace.Compile(`(parcel.grams > limit or status == "late") and any(parcel.tags, # startsWith "x")`, expr.Env(env))
	if err != nil {
		t.Fatal(err)
	}
	tree := p.Run(map[string]any{"parcel": parcel{900, []string{"a", "xb", "c"}}, "limit": 500, "status": "late"})
	const want = `(parcel.grams > limit or status == "late") and any(parcel.tags, # startsWith "x")  = true
|- parcel.grams > limit or status == "late"                               = true
|  |- parcel.grams > limit                                                = true
|  |  |- parcel.grams                                                     = 900
|  |  ` + "`" + `- limit                                                            = 500
|  ` + "`" + `- status == "late"                                                    not evaluated
|     ` + "`" + `- status                                                           not evaluated
` + "`" + `- any(parcel.tags, # startsWith "x")                                     = true
   |- parcel.tags                                                         = ["a", "xb", "c"]
   ` + "`" + `- # startsWith "x"                                                    = false, true (2 items)
      ` + "`" + `- #                                                                = "a", "xb" (2 items)
`
	if got := tree.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFailureIsShown(t *testing.T) {
	p, err := trace.Compile(`list[3] == 1`, expr.Env(map[string]any{"list": []int{}}))
	if err != nil {
		t.Fatal(err)
	}
	if tree := p.Run(map[string]any{"list": []int{1}}); tree.Err == nil || len(tree.Values) != 0 {
		t.Errorf("tree %v, error %v", tree, tree.Err)
	}
	if _, err := trace.Compile(`lst == 1`, expr.Env(map[string]any{"list": []int{}})); err == nil {
		t.Error("an unknown name was compiled")
	}
}

// TestWaysOfOtherTypes: the ways of a condition in a condition may have other types, which the expression itself takes as they come.
func TestWaysOfOtherTypes(t *testing.T) {
	env := map[string]any{"limit": 0, "heavy": false, "late": false}
	const source = `(heavy ? limit : (late ? limit : 0.25)) == limit`
	plain, err := expr.Compile(source, expr.Env(env))
	if err != nil {
		t.Fatal(err)
	}
	p, err := trace.Compile(source, expr.Env(env))
	if err != nil {
		t.Fatal(err)
	}
	for _, heavy := range []bool{false, true} {
		env["heavy"] = heavy
		want, err := expr.Run(plain, env)
		if err != nil {
			t.Fatal(err)
		}
		if tree := p.Run(env); tree.Err != nil || len(tree.Values) != 1 || tree.Values[0] != want {
			t.Errorf("traced %v, %v; plain %v", tree.Values, tree.Err, want)
		}
	}
}

// TestRoomIsUsedAgain: a run in a room shows nothing of the runs before it, be they larger, smaller or failed.
func TestRoomIsUsedAgain(t *testing.T) {
	env := expr.Env(map[string]any{"list": []int{}, "on": false})
	var room trace.Room
	for _, source := range []string{`any(list, # > 1 and # < 9) or on`, `on`, `list[7] == 1`, `on or list[0] == 2`, `3`, `any(list, # > 1 and # < 9) or on`} {
		p, err := trace.Compile(source, env)
		if err != nil {
			t.Fatal(err)
		}
		for _, on := range []bool{true, false} {
			values := map[string]any{"list": []int{0, 1, 2, 3}, "on": on}
			if got, want := p.RunIn(&room, values).String(), p.Run(values).String(); got != want {
				t.Errorf("%s in a room that was used:\n%s\nin a new one:\n%s", source, got, want)
			}
		}
		room.Clear()
	}
}

func TestWriterRemembersValues(t *testing.T) {
	p, err := trace.Compile(`wait > wait`, expr.Env(map[string]any{"wait": time.Duration(0)}))
	if err != nil {
		t.Fatal(err)
	}
	var w trace.Writer
	for _, wait := range []time.Duration{time.Minute, time.Hour, time.Minute} {
		tree := p.Run(map[string]any{"wait": wait})
		w.Reset()
		w.Tree(tree, "  ")
		w.Tree(tree, "")
		if got := w.String(); strings.Count(got, "= "+wait.String()+"\n") != 4 || !strings.HasPrefix(got, "  wait") || got[strings.Index(got, "\nwait")+1:] != tree.String() {
			t.Errorf("%s:\n%s", wait, got)
		}
	}
}

// TestChoiceIsNamed: the first part of a choice is what decides it, also where its ways are literals.
func TestChoiceIsNamed(t *testing.T) {
	env := map[string]any{"heavy": false, "limit": 0}
	for source, parts := range map[string]string{
		`heavy ? limit : limit + 1`: "heavy|limit|limit + 1", `heavy ? 1 : limit`: "heavy|limit", `heavy ? 1 : 2`: "heavy",
	} {
		p, err := trace.Compile(source, expr.Env(env))
		if err != nil {
			t.Fatal(err)
		}
		tree := p.Run(env)
		var texts []string
		for _, part := range tree.Parts {
			texts = append(texts, part.Text)
		}
		if got := strings.Join(texts, "|"); tree.Op != trace.Choice || got != parts {
			t.Errorf("%s: %q joins %s", source, tree.Op, got)
		}
	}
	p, err := trace.Compile(`true ? limit : limit + 1`, expr.Env(env))
	if err != nil {
		t.Fatal(err)
	}
	if tree := p.Run(env); tree.Op != "" {
		t.Errorf("%q where nothing is to be decided", tree.Op)
	}
}

// TestLongTextsAreCut: a tree shows the beginning of a long text, whole signs of it, and says how much it leaves out.
func TestLongTextsAreCut(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("a", 400):       `= "` + strings.Repeat("a", 400) + `"` + "\n",
		strings.Repeat("a", 402):       `= "` + strings.Repeat("a", 400) + `"… and 2 more characters` + "\n",
		"a" + strings.Repeat("é", 300): `= "a` + strings.Repeat("é", 199) + `"… and 101 more characters` + "\n",
	} {
		if got := (&trace.Tree{Text: "x", Values: []any{text}}).String(); !strings.HasSuffix(got, want) {
			t.Errorf("%s\nwant the end %s", got, want)
		}
	}
}
