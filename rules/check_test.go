package rules_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/measure"
)

func TestExpressionSlips(t *testing.T) {
	for _, s := range measure.ExpressionSlips {
		t.Run(s.Text, func(t *testing.T) {
			checkSlip(t, s, measure.SlipFile+s.Text+"\n")
		})
	}
}

func TestStructureSlips(t *testing.T) {
	for _, s := range measure.StructureSlips {
		t.Run(s.Text, func(t *testing.T) { checkSlip(t, s, s.Text) })
	}
}

func checkSlip(t *testing.T, s measure.Slip, file string) {
	t.Helper()
	checkSlipOf(t, s, file, func(text string) error {
		_, err := rules.Load([]rules.File{{Name: "slip.rules.yaml", Data: []byte(text)}}, rules.Options{Providers: manifests()})
		return err
	})
}

func checkSlipOf(t *testing.T, s measure.Slip, file string, load func(text string) error) {
	t.Helper()
	before, rest, marked := strings.Cut(file, "«")
	inside, after, _ := strings.Cut(rest, "»")
	if !marked {
		before, inside, after = file, "", ""
	}
	err := load(before + inside + after)
	var check *rules.CheckError
	if !errors.As(err, &check) {
		t.Fatalf("the slip was not found: %v", err)
	}
	p := check.Problems[0]
	if p.Code != s.Code {
		t.Errorf("code %s, want %s:\n%v", p.Code, s.Code, err)
	}
	if !strings.Contains(p.DidYouMean+" "+p.Hint+" "+p.Sentence, s.Want) {
		t.Errorf("nothing says %q:\n%v", s.Want, err)
	}
	line := strings.Count(before, "\n") + 1
	column := len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1
	if marked && inside != "" && (p.Line != line || p.Column != column || p.End != column+len([]rune(inside))) {
		t.Errorf("place %d:%d-%d, want %d:%d-%d:\n%v", p.Line, p.Column, p.End, line, column, column+len([]rune(inside)), err)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	const file = "rules: 1\nexclude:\n  - { name: A, when: order.wieght > lb(1) }\n  - { name: B, when: order.totl > usd(1) }\nrank: { scor: 1 }\n"
	_, err := rules.Load([]rules.File{{Name: "b.rules.yaml", Data: []byte(file)}, {Name: "a.rules.yaml", Data: []byte("rules: 3\n")}}, rules.Options{})
	var check *rules.CheckError
	if !errors.As(err, &check) || len(check.Problems) != 4 {
		t.Fatalf("want 4 problems, got\n%v", err)
	}
	if check.Problems[0].File != "a.rules.yaml" {
		t.Error("problems are not sorted by file")
	}
	const want = `b.rules.yaml:3:28: rule "A" (exclude): unknown field "wieght"
    3 |   - { name: A, when: order.wieght > lb(1) }
      |                            ^^^^^^
      = did you mean weight?`
	if !strings.Contains(err.Error(), want) {
		t.Errorf("rendered\n%s\nwant\n%s", err, want)
	}
}

// TestEmptyRulesAreFaults: a rule without any key is a fault of its own at its place, in every phase, and not passed over.
func TestEmptyRulesAreFaults(t *testing.T) {
	for _, phase := range []string{"hold", "set", "exclude", "adjust", "choose", "guard", "fallback", "warn"} {
		_, err := rules.Load(oneFile("rules: 1\n"+phase+":\n  - {}\n"), rules.Options{})
		check, ok := errors.AsType[*rules.CheckError](err)
		if !ok || check.Problems[0].Sentence != "the rule has no name" || check.Problems[0].Line != 3 || check.Problems[0].Column != 5 {
			t.Errorf("%s: [ {} ]: %v", phase, err)
		}
	}
}
