package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunDir(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	store, other := t.TempDir(), t.TempDir()
	dir, err := openRunDir(store)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 || filepath.Dir(dir) != temp || len(filepath.Base(dir)) > 11 {
		t.Errorf("%s %v: %v; want a folder of mode 0700 with a short name in %s", dir, info, err, temp)
	}
	if theirs, err := openRunDir(other); err != nil || theirs == dir {
		t.Errorf("another store has the run folder %s (%v), this one %s", theirs, err, dir)
	}

	// What a killed process leaves is gone with the next start, whatever name the store is opened by.
	if err := os.MkdirAll(filepath.Join(dir, "adapter-1", "deeper"), 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(temp, "link")
	if err := os.Symlink(store, link); err != nil {
		t.Fatal(err)
	}
	again, err := openRunDir(link)
	if err != nil || again != dir {
		t.Errorf("opened again: %s, %v; want %s", again, err, dir)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}

	refused := func(how string) {
		t.Helper()
		if _, err := openRunDir(store); err == nil || !strings.Contains(err.Error(), "belongs to this user alone") || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", how, err)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	refused("open to everybody")
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	precious := filepath.Join(other, "precious")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, dir); err != nil {
		t.Fatal(err)
	}
	refused("a link of somebody else's")
	if _, err := os.Stat(precious); err != nil {
		t.Errorf("the sweep followed a link: %v", err)
	}
}
