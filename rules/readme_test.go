package rules_test

import (
	"os"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

// TestGuideIsTrue loads every file that the guide shows, and runs its tests against the first of them.
func TestGuideIsTrue(t *testing.T) {
	guide, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	first := "" // the file that the guide's tests are of
	for i, block := range strings.Split(string(guide), "```") {
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
