package rules_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

// TestGuideIsTrue loads every file that the guide shows, and runs its tests against the first of them.
func TestGuideIsTrue(t *testing.T) {
	guide, _, _ := strings.Cut(readGuide(t), "\n## Cookbook\n")
	shown := 0
	first := "" // the file that the guide's tests are of
	for i, block := range strings.Split(guide, "```") {
		text, ok := strings.CutPrefix(block, "yaml\n")
		if i%2 == 0 || !ok {
			continue
		}
		shown++
		if strings.HasPrefix(text, "tests: 1") {
			b, err := rules.Load([]rules.File{{Name: "guide.rules.yaml", Data: []byte(first)}}, rules.Options{Providers: manifests()})
			if err != nil {
				t.Fatal(err)
			}
			suite, err := rules.LoadSuite(b, rules.File{Name: "guide.test.yaml", Data: []byte(text)})
			if err != nil {
				t.Fatalf("block %d:\n%v", shown, err)
			}
			for _, r := range suite.Run(nil) {
				if !r.Passed() {
					t.Errorf("block %d: %s: %v\n%s", shown, r.Name, r.Failures, r.Explanation)
				}
			}
			continue
		}
		if first == "" {
			first = text
		}
		if _, err := rules.Load([]rules.File{{Name: "guide.rules.yaml", Data: []byte(text)}}, rules.Options{Providers: manifests()}); err != nil {
			t.Errorf("block %d:\n%v", shown, err)
		}
	}
	if shown < 2 {
		t.Errorf("the guide shows %d files", shown)
	}
}

func readGuide(t *testing.T) string {
	t.Helper()
	guide, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(guide)
}

// TestCookbookWorks loads the recipes of the guide as one bundle, and holds each to an order for which it acts and one for which it does not.
func TestCookbookWorks(t *testing.T) {
	_, cookbook, _ := strings.Cut(readGuide(t), "\n## Cookbook\n")
	cookbook, _, _ = strings.Cut(cookbook, "\n## ")
	var files []rules.File
	for i, block := range strings.Split(cookbook, "```") {
		text, ok := strings.CutPrefix(block, "yaml\n")
		if i%2 == 0 || !ok {
			continue
		}
		if !strings.HasPrefix(text, "rules: 1") {
			text = "rules: 1\n" + text
		}
		files = append(files, rules.File{Name: fmt.Sprintf("cookbook%d.rules.yaml", len(files)), Data: []byte(text)})
	}
	b, err := rules.Load(files, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range b.Lint(t.Context()) {
		if f.Code == "W609" || f.Code == "W610" || f.Code == "W611" {
			t.Errorf("the head of the cookbook: %v", f.Problem)
		}
	}
	data, err := os.ReadFile("testdata/cookbook/cookbook.test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	suite, err := rules.LoadSuite(b, rules.File{Name: "cookbook.test.yaml", Data: data})
	if err != nil {
		t.Fatal(err)
	}
	acted, rested := map[string]bool{}, map[string]bool{}
	for _, r := range suite.Run(nil) {
		for _, f := range r.Failures {
			t.Errorf("line %d, %s: %s\n%s", f.Line, r.Name, f, r.Explanation)
		}
		hits := r.Decision.Hits()
		for _, rule := range b.RuleNames() {
			if slices.Contains(hits, rule) {
				acted[rule] = true
			} else {
				rested[rule] = true
			}
		}
	}
	if n := len(b.RuleNames()); n < 20 {
		t.Errorf("the cookbook has %d rules", n)
	}
	for _, rule := range b.RuleNames() {
		if !acted[rule] || !rested[rule] {
			t.Errorf("rule %q acts: %v, rests: %v", rule, acted[rule], rested[rule])
		}
	}
}
