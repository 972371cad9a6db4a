package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWatchChecksAgain when a file changes, and ends without an error when it is interrupted.
func TestWatchChecksAgain(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "a.rules.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rules: 2\n")
	read, printed := io.Pipe()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	root, _ := newRoot(&program{in: strings.NewReader(""), out: printed, err: printed, getenv: os.LookupEnv})
	root.SetArgs([]string{"rules", "check", "--watch", dir})
	ended := make(chan error, 1)
	go func() {
		err := root.ExecuteContext(ctx)
		printed.Close()
		ended <- err
	}()
	lines := bufio.NewScanner(read)
	until := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("nothing says %q", want)
	}
	until("rules: 2 is not known")
	until("watching")
	write("rules: 1\nname: mended\n")
	until("mended: 0 rules, good")
	until("watching")
	interrupt()
	for lines.Scan() { // one write may be seen as two changes
		if text := lines.Text(); !strings.Contains(text, "mended: 0 rules, good") && !strings.Contains(text, "watching") {
			t.Errorf("it says still: %s", text)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
