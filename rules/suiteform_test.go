package rules_test

import (
	"errors"
	"os"
	"testing"
	"testing/fstest"

	"github.com/waybill-dev/waybill/rules"
)

// TestSuiteForms: without its rules a test file is told what is wrong with its form, and nothing that only the rules can judge.
func TestSuiteForms(t *testing.T) {
	for dir := range examples {
		if err := rules.SuiteForms(os.DirFS(dir)); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if err := rules.SuiteForms(os.DirFS("testdata/cookbook")); err != nil {
		t.Error(err)
	}
	files := fstest.MapFS{
		"a.test.yaml": {Data: []byte("tests: 1\ncases:\n  - name: A\n    order: { attributes: { x: y }, totl: 1 }\n    with: { quota.ups.day.used: 3, budget.B.spent: 1.00 }\n    expect: { chosen: ups, choosen: ups, rule_hits: [ C ] }\n")},
		"b.test.yaml": {Data: []byte("tests: 1\ncases: [\n")},
		"c.test.yaml": {Data: []byte("tests: 1\ncases: [ { name: A, order: { total: 3.00 }, expect: { chosen: ups, not_hit: [ C ] } } ]\n")},
	}
	err := rules.SuiteForms(files)
	check, ok := errors.AsType[*rules.CheckError](err)
	if !ok {
		t.Fatal(err)
	}
	told := map[string]int{}
	for _, p := range check.Problems {
		told[p.File]++
	}
	if told["a.test.yaml"] != 2 || told["b.test.yaml"] != 1 || told["c.test.yaml"] != 0 {
		t.Errorf("%v", err)
	}
}
