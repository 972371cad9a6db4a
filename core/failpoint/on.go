//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Enabled tells whether this build has failpoints.
const Enabled = true

var armed = parse(os.Getenv(Variable))

// point is what the environment asks for at one failpoint.
type point struct {
	kill   bool
	nth    int64
	visits atomic.Int64
}

// parse refuses what it does not understand by ending the process: a test whose failpoint does not exist would show nothing.
func parse(s string) map[string]*point {
	out := map[string]*point{}
	if s == "" {
		return out
	}
	for one := range strings.SplitSeq(s, ",") {
		refuse := func(why string) {
			fmt.Fprintf(os.Stderr, "%s: %q %s; it is name:kill:nth or name:error:nth, several with commas between\n", Variable, one, why)
			os.Exit(2)
		}
		parts := strings.Split(one, ":")
		if len(parts) != 3 {
			refuse("has not three parts")
		}
		if !slices.Contains(Names(), parts[0]) {
			refuse("names a failpoint that there is not")
		}
		if out[parts[0]] != nil {
			refuse("names a failpoint twice")
		}
		if parts[1] != "kill" && parts[1] != "error" {
			refuse("can only kill or error")
		}
		nth, err := strconv.ParseInt(parts[2], 10, 64)
		if err != nil || nth < 1 {
			refuse("does not end with a number from 1")
		}
		out[parts[0]] = &point{kill: parts[1] == "kill", nth: nth}
	}
	return out
}

// Hit visits the failpoint on one side of a package's commit.
func Hit(pkg, side, what string) error {
	n := name(pkg, side, what)
	if !slices.Contains(commits[pkg], what) {
		panic("failpoint " + n + " is not in the list of names")
	}
	p := armed[n]
	if p == nil || p.visits.Add(1) != p.nth {
		return nil
	}
	if p.kill {
		_, _ = os.Stderr.WriteString(lastWords + n + "\n")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way; nothing more may happen
	}
	return fmt.Errorf("%s: %w", n, ErrInjected)
}
