package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSaveReplacesFilesAlone: what is no file stays what it is, and is not written to.
func TestSaveReplacesFilesAlone(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"file", "target"} {
		if err := os.WriteFile(at(name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(at("target"), at("link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(at("folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var out bytes.Buffer
	p := &program{out: &out, err: &out}
	words := func(w io.Writer) error {
		_, err := io.WriteString(w, "new")
		return err
	}
	for name, what := range map[string]string{"link": "a symbolic link", "folder": "a folder", "pipe": "a pipe", "socket": "a socket"} {
		before, err := os.Lstat(at(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.save(at(name), words); err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "- for standard output") {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.Lstat(at(name)); err != nil || after.Mode() != before.Mode() {
			t.Errorf("%s was %v, and is %v, %v", name, before.Mode(), after, err)
		}
	}
	if b, err := os.ReadFile(at("target")); err != nil || string(b) != "old" {
		t.Errorf("behind the link: %q, %v", b, err)
	}
	for _, name := range []string{"file", "fresh"} {
		if err := p.save(at(name), words); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(at(name)); err != nil || string(b) != "new" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if left, err := filepath.Glob(at(".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
