package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/rules/measure"
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
		if timed := strings.Contains(f.Name, "by the clock"); timed != (strings.HasSuffix(f.Value, " ms") || strings.HasSuffix(f.Value, " s")) || !f.Met && !timed {
			t.Errorf("%s: %s, want %s: %s", f.Name, f.Value, f.Goal, f.Note)
		} else if timed && (!strings.Contains(f.Note, "of the processor") && !strings.Contains(f.Note, "of two processors")) {
			t.Errorf("%s: what it took of the processor is not told: %s", f.Name, f.Note)
		}
	}
	if (err != nil) != (missed > 0) {
		t.Errorf("%d goals are missed, and the command ends with %v", missed, err)
	}
}

// TestBenchHoldsByTheClock: a p99 that is over its goal by the clock misses it, whatever the processor says.
func TestBenchHoldsByTheClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		clock, processor time.Duration
		met              bool
	}{{2550 * time.Microsecond, 300 * time.Microsecond, false}, {400 * time.Microsecond, 300 * time.Microsecond, true}, {500 * time.Microsecond, 600 * time.Microsecond, true}} {
		b := &rulesBench{}
		b.times("decide", measure.Times{P99: c.clock, CPU99: c.processor}, goalDecide)
		if f := b.Table[0]; f.Met != c.met {
			t.Errorf("%v by the clock, %v of the processor: met %v, want %v (%s)", c.clock, c.processor, f.Met, c.met, f.Value)
		}
	}
}
