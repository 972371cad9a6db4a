package main

import (
	"bytes"
	"encoding/json"
	"testing"
)

// TestBenchWebhooks measures few events. How fast they were is not asserted: that every one came is, or it would not end.
func TestBenchWebhooks(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cmd := newBenchWebhooksCmd()
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"--events", "40", "--rate", "400", "--hanging", "3", "--json"})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	var report benchTable
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if len(report.Figures) != 4 {
		t.Fatalf("%d figures, want p50 and p99 with and without subscribers that hang", len(report.Figures))
	}
	for _, f := range report.Figures {
		if f.Value <= 0 || f.Floor <= 0 {
			t.Errorf("%+v cannot be", f)
		}
	}
}
