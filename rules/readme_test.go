package rules_test

import (
	"os"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
)

// TestGuideIsTrue loads every file that the guide shows.
func TestGuideIsTrue(t *testing.T) {
	guide, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for i, block := range strings.Split(string(guide), "```") {
		text, ok := strings.CutPrefix(block, "yaml\n")
		if i%2 == 0 || !ok {
			continue
		}
		shown++
		if _, err := rules.Load([]rules.File{{Name: "guide.rules.yaml", Data: []byte(text)}}, rules.Options{Providers: manifests()}); err != nil {
			t.Errorf("block %d:\n%v", shown, err)
		}
	}
	if shown < 2 {
		t.Errorf("the guide shows %d files", shown)
	}
}
