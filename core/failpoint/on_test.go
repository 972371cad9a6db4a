//go:build failpoint

package failpoint_test

import (
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
	b, err := cmd.Output()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return string(b), cmd.ProcessState.Sys().(syscall.WaitStatus)
}

func TestFailpoints(t *testing.T) {
	if out, st := visit(t, "dispatch/after-intent:kill:2"); out != "x" || !st.Signaled() || st.Signal() != syscall.SIGKILL {
		t.Errorf("kill at the second visit: %q, %v", out, st)
	}
	if out, st := visit(t, "dispatch/after-intent:error:3"); out != "xx" || st.ExitStatus() != 7 {
		t.Errorf("error at the third visit: %q, %v", out, st)
	}
	for _, spec := range []string{"", "dispatch/before-intent:kill:1", "jobs/after-outcome:error:1", "dispatch/after-intent:kill:4"} {
		if out, st := visit(t, spec); out != "xxx" || st.ExitStatus() != 0 {
			t.Errorf("%q: %q, %v", spec, out, st)
		}
	}
	for _, spec := range []string{"nowhere:kill:1", "dispatch/after-intent", "dispatch/after-intent:maim:1", "dispatch/after-intent:kill:0", strings.Repeat(":", 9)} {
		if out, st := visit(t, spec); out != "" || st.ExitStatus() != 2 {
			t.Errorf("%q was taken: %q, %v", spec, out, st)
		}
	}
}
