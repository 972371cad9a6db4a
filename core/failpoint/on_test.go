//go:build failpoint

package failpoint_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/waybill-dev/waybill/core/failpoint"
)

// TestMain turns the test's executable into a process that visits one failpoint three times.
func TestMain(m *testing.M) {
	if os.Getenv("VISIT") == "" {
		os.Exit(m.Run())
	}
	for range 3 {
		if err := failpoint.Hit("dispatch", failpoint.After, "intent"); errors.Is(err, failpoint.ErrInjected) {
			os.Exit(7)
		}
		_, _ = os.Stdout.WriteString("x")
	}
	os.Exit(0)
}

func visit(t *testing.T, spec string) (out string, status syscall.WaitStatus) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{"VISIT=1", failpoint.Variable + "=" + spec}
	var said bytes.Buffer
	cmd.Stderr = &said
	b, err := cmd.Output()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	status = cmd.ProcessState.Sys().(syscall.WaitStatus)
	if at, told := failpoint.DiedAt(said.Bytes()); told != status.Signaled() || told && at != "dispatch/after-intent" {
		t.Errorf("%s: ended with %v, and said %q", spec, status, said.String())
	}
	return string(b), status
}

func TestFailpoints(t *testing.T) {
	if out, st := visit(t, "dispatch/after-intent:kill:2"); out != "x" || !st.Signaled() || st.Signal() != syscall.SIGKILL {
		t.Errorf("kill at the second visit: %q, %v", out, st)
	}
	if out, st := visit(t, "dispatch/before-erase:kill:1,dispatch/after-intent:kill:3,jobs/after-outcome:error:1"); out != "xx" || !st.Signaled() {
		t.Errorf("kill at the third visit, beside others: %q, %v", out, st)
	}
	if out, st := visit(t, "dispatch/after-intent:error:3"); out != "xx" || st.ExitStatus() != 7 {
		t.Errorf("error at the third visit: %q, %v", out, st)
	}
	for _, spec := range []string{"", "dispatch/before-intent:kill:1", "jobs/after-outcome:error:1", "dispatch/after-intent:kill:4"} {
		if out, st := visit(t, spec); out != "xxx" || st.ExitStatus() != 0 {
			t.Errorf("%q: %q, %v", spec, out, st)
		}
	}
	for _, spec := range []string{"nowhere:kill:1", "dispatch/after-intent", "dispatch/after-intent:maim:1", "dispatch/after-intent:kill:0", "dispatch/after-intent:kill:4,",
		"dispatch/after-intent:kill:4,nowhere:kill:1", "dispatch/after-intent:kill:4,dispatch/after-intent:kill:5", strings.Repeat(":", 9)} {
		if out, st := visit(t, spec); out != "" || st.ExitStatus() != 2 {
			t.Errorf("%q was taken: %q, %v", spec, out, st)
		}
	}
}
