package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
	localLink  = regexp.MustCompile(`\]\(([^):#]+)\)`)
)

// TestReadme runs the commands of the README in its order. `make demo` is run without the build, which has been done, and
// `waybill dev` on free ports.
func TestReadme(t *testing.T) {
	t.Parallel()
	binary, plugins := built(t)
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("SKIPPED, NOTHING WAS TESTED: the README uses curl, which is not installed")
	}
	root := repository(t)
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	// A place like the repository after `make build`, in which the commands may leave files.
	dir := t.TempDir()
	links := map[string]string{"bin/waybill": binary, "bin/plugins": plugins, "examples": filepath.Join(root, "examples")}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	var dev *devProcess
	blocks := shellBlock.FindAllSubmatch(text, -1)
	for _, b := range blocks {
		script := strings.TrimSpace(string(b[1]))
		switch script {
		case "make demo":
			script = "bin/waybill demo"
		case "bin/waybill dev":
			dev = startDev(t)
			continue
		case "make test": // this is it
			continue
		}
		if dev != nil {
			script = strings.ReplaceAll(script, defaultURL, dev.URL)
		}
		cmd := exec.Command("sh", "-ec", script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "TMPDIR="+dir)
		if dev != nil {
			cmd.Env = append(cmd.Env, "WAYBILL_URL="+dev.URL)
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s\nfailed: %v\n%s", script, err, out)
		}
		if strings.HasPrefix(script, "curl") && !strings.Contains(string(out), `"status":"ORDER_DISPATCHED"`) {
			t.Errorf("the order of the README was not booked: %s", out)
		}
	}
	if dev == nil || len(blocks) < 5 {
		t.Errorf("the README has %d blocks of commands, with waybill dev: %v; is the test still reading them?", len(blocks), dev != nil)
	}
	// What was copied is all that the engine needs.
	if !strings.Contains(string(text), "bin/waybill serve --config shop/waybill.yaml") {
		t.Error("the README does not say how to serve the copy")
	}
	served, err := launch(binary, dir, os.Environ(), []string{"serve", "--config", "shop/waybill.yaml", "--listen", "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	served.Stop(t)
	for _, link := range localLink.FindAllSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(root, string(link[1]))); err != nil {
			t.Errorf("the README links to %s: %v", link[1], err)
		}
	}
}

// TestRulesGuide runs the commands that the merchant's guide begins with, except the build, which has been done.
func TestRulesGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join(repository(t), "rules", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	binary, _ := built(t)
	_, script, _ := strings.Cut(string(guide), "```sh\nmake build\n")
	script, _, found := strings.Cut(script, "```")
	if !found {
		t.Fatal("the guide does not begin with commands")
	}
	cmd := exec.Command("sh", "-ec", strings.ReplaceAll(script, "bin/waybill ", binary+" "))
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"My shop: 1 rule, good", "1 test passed, of 1 bundle"} {
		if !strings.Contains(string(out), want) || !strings.Contains(string(guide), want) {
			t.Errorf("%q is not what the commands print:\n%s", want, out)
		}
	}
}

// TestCopiedAdapter does what step 1 of the adapter guide says: a copy of hello-carrier, with the two lines of go.mod that it shows.
func TestCopiedAdapter(t *testing.T) {
	t.Parallel()
	root := repository(t)
	guide, err := os.ReadFile(filepath.Join(root, "sdk", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^ +(module \S+)\n +(replace \S+ => )(\S+)$`).FindStringSubmatch(string(guide))
	if lines == nil {
		t.Fatal("the guide does not show the two lines of go.mod")
	}
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, "examples", "hello-carrier"))); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^module .*$`).ReplaceAllLiteralString(string(mod), lines[1])
	text = regexp.MustCompile(`(?m)^replace .*$`).ReplaceAllLiteralString(text, lines[2]+root)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"go", "build", "-o", "waybill-carrier-hello", "."}, {"./waybill-carrier-hello", "describe"}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
}

// TestDevTryLines sends the request that dev prints, as it prints it.
func TestDevTryLines(t *testing.T) {
	dev := startDev(t)
	_, try, found := strings.Cut(dev.output.String(), "Try:\n")
	try, _, ended := strings.Cut(try, "\n\n")
	if !found || !ended {
		t.Fatalf("dev prints nothing to try:\n%s", dev.output)
	}
	binary, _ := built(t)
	cmd := exec.Command("sh", "-ec", strings.ReplaceAll(try, "  waybill ", "  "+binary+" "))
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ORDER_DISPATCHED") {
		t.Errorf("%s\nfailed: %v\n%s", try, err, out)
	}
}
