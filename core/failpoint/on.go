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

var (
	armed  = parse(os.Getenv(Variable))
	visits atomic.Int64
)

// point is what the environment asks for; the zero point is nothing.
type point struct {
	name string
	kill bool
	nth  int64
}

// parse refuses what it does not understand by ending the process: a test whose failpoint does not exist would show nothing.
func parse(s string) point {
	if s == "" {
		return point{}
	}
	refuse := func(why string) {
		fmt.Fprintf(os.Stderr, "%s=%s: %s; it is name:kill:nth or name:error:nth\n", Variable, s, why)
		os.Exit(2)
	}
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		refuse("has not three parts")
	}
	if !slices.Contains(Names(), parts[0]) {
		refuse("there is no such failpoint")
	}
	if parts[1] != "kill" && parts[1] != "error" {
		refuse("can only kill or error")
	}
	nth, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || nth < 1 {
		refuse("the last part is not a number from 1")
	}
	return point{name: parts[0], kill: parts[1] == "kill", nth: nth}
}

// Hit visits the failpoint on one side of a package's commit.
func Hit(pkg, side, what string) error {
	n := name(pkg, side, what)
	if !slices.Contains(commits[pkg], what) {
		panic("failpoint " + n + " is not in the list of names")
	}
	if n != armed.name || visits.Add(1) != armed.nth {
		return nil
	}
	if armed.kill {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way; nothing more may happen
	}
	return fmt.Errorf("%s: %w", n, ErrInjected)
}
