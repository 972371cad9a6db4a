package trace_test

import (
	"testing"

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
