package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// TestBenchRules measures few cases. How fast they were is not asserted: that nothing was wrong is.
func TestBenchRules(t *testing.T) {
	t.Parallel()
	binary, _ := built(t)
	out, err := exec.CommandContext(t.Context(), binary, "bench", "rules", "--json", "--decisions", "20", "--explanations", "10", "--orders", "100", "--expressions", "300", "--bundles", "10").Output()
	var report struct {
		Figures []rulesFigure `json:"figures"`
	}
	if json.Unmarshal(out, &report) != nil || len(report.Figures) < 13 {
		t.Fatalf("%v: %s", err, out)
	}
	missed := 0
	for _, f := range report.Figures {
		if f.Name == "" || f.Value == "" || f.Goal == "" {
			t.Errorf("an empty figure: %+v", f)
		}
		if !f.Met {
			missed++
		}
		if timed := strings.Contains(f.Value, " ms") || strings.Contains(f.Value, " s,"); !f.Met && !timed {
			t.Errorf("%s: %s, want %s: %s", f.Name, f.Value, f.Goal, f.Note)
		}
	}
	if (err != nil) != (missed > 0) {
		t.Errorf("%d goals are missed, and the command ends with %v", missed, err)
	}
}
