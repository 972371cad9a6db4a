package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){
		"waybill":   func() { os.Exit(run()) },
		"httpget":   httpGet,
		fillCommand: fillStore,
	})
}

// leakChecked runs the tests and fails where goroutines are left behind.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	code := m.M.Run()
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// httpGet prints what a URL answers, for scripts.
func httpGet() {
	res, err := http.Get(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer res.Body.Close()
	if _, err := io.Copy(os.Stdout, res.Body); err != nil || res.StatusCode != http.StatusOK {
		fmt.Fprintln(os.Stderr, res.Status, err)
		os.Exit(1)
	}
}

// TestScripts runs the terminal sessions in testdata/script. Beside the usual commands they have
//
//	start waybill dev|sim|serve …   runs it, waits until it is ready, sets $WAYBILL_URL and $SIM, and ends it with the script
//	stop dev|sim|serve              ends it, fails unless it exits with 0, and shows what it has printed
//
// and the condition [built]: `make build` has put the adapters into bin, which is $PLUGINS.
func TestScripts(t *testing.T) {
	root := repository(t)
	plugins := filepath.Join(root, "bin", "plugins")
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("REPO", root)
			env.Setenv("PLUGINS", plugins)
			env.Setenv("CLOSED", closedAddress(t))
			env.Setenv("HOME", env.WorkDir)
			env.Values[running] = map[string]*devProcess{}
			env.Defer(func() {
				for _, d := range env.Values[running].(map[string]*devProcess) {
					_ = d.end(syscall.SIGTERM)
				}
			})
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond != "built" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			matches, err := filepath.Glob(filepath.Join(plugins, "waybill-carrier-*"))
			return len(matches) > 0, err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"start": scriptStart, "stop": scriptStop},
	})
}

type valueKey string

const running valueKey = "running"

func scriptStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start program args…")
	}
	binary, err := lookIn(ts.Getenv("PATH"), args[0])
	ts.Check(err)
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	if sim := ts.Getenv("SIM"); sim != "" {
		env = append(env, simURLName+"="+sim)
	}
	d, err := launch(binary, ts.MkAbs("."), env, args[1:])
	ts.Check(err)
	ts.Value(running).(map[string]*devProcess)[args[1]] = d
	if d.URL != "" {
		ts.Setenv("WAYBILL_URL", d.URL)
	}
	if d.SimURL != "" {
		ts.Setenv("SIM", d.SimURL)
	}
}

func scriptStop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: stop dev|sim|serve")
	}
	d := ts.Value(running).(map[string]*devProcess)[args[0]]
	if d == nil {
		ts.Fatalf("%s does not run", args[0])
	}
	ts.Check(d.end(syscall.SIGTERM))
	if d.err != nil {
		ts.Fatalf("waybill %s ended with %v; it printed:\n%s", args[0], d.err, d.output)
	}
	ts.Logf("%s", d.output)
}

// lookIn finds a program in a script's own PATH.
func lookIn(path, name string) (string, error) {
	for dir := range strings.SplitSeq(path, string(os.PathListSeparator)) {
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("%s is not in %s", name, path)
}
