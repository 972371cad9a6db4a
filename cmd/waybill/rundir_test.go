package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestKilledEngineLeavesNoSockets: what an engine that was killed has left in the temporary folder is gone after the next one.
func TestKilledEngineLeavesNoSockets(t *testing.T) {
	built(t)
	temp, err := os.MkdirTemp("", "run-") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temp) })
	data := filepath.Join(t.TempDir(), "data")
	t.Setenv("TMPDIR", temp)
	left := func() []string {
		t.Helper()
		adapters, err := filepath.Glob(filepath.Join(temp, "wb-*", "adapter-*"))
		if err != nil {
			t.Fatal(err)
		}
		loose, err := filepath.Glob(filepath.Join(temp, "*adapter-*"))
		if err != nil {
			t.Fatal(err)
		}
		return append(adapters, loose...)
	}
	startDev(t, "--data", data).Kill(t)
	first := left()
	if len(first) != 3 {
		t.Fatalf("the killed engine left %v, want one folder for each of its adapters", first)
	}
	d := startDev(t, "--data", data)
	for _, now := range left() {
		for _, old := range first {
			if now == old {
				t.Errorf("%s is still there", old)
			}
		}
	}
	d.Stop(t)
	if folders, err := filepath.Glob(filepath.Join(temp, "wb-*")); err != nil || len(folders) > 0 {
		t.Errorf("an engine that has ended in order left %v (%v)", folders, err)
	}
}
