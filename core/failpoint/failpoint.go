// Package failpoint names the places around commits where a test makes the process die, or the commit fail. Only a build with the
// tag failpoint has them; in any other build a call is an empty function that costs nothing. There, the environment variable
// WAYBILL_FAILPOINT says what happens where:
//
//	WAYBILL_FAILPOINT=dispatch/after-intent:kill:3
//
// kills the process with SIGKILL the third time that it has committed an intent; error instead of kill makes the commit's caller
// see ErrInjected, before anything was written or after all was.
package failpoint

import "errors"

// Variable is the environment variable that names a failpoint, what it does, and the how manieth visit does it.
const Variable = "WAYBILL_FAILPOINT"

// ErrInjected is what a failpoint answers that was told to fail.
var ErrInjected = errors.New("failpoint: this build was told to fail here")

// The sides of a commit.
const (
	Before = "before"
	After  = "after"
)

// commits are the commits that have a failpoint on either side, by package.
var commits = map[string][]string{
	"dispatch": {
		"order", "intent", "result", "hold", "no-offer", "failure", "settled", "adrift", "reconcile", "attention", "resolve",
		"spare", "spare-cancelled", "cancel-intent", "cancel-result", "edit", "edit-intent", "edit-result", "reroute-intent", "retry", "status", "erase",
	},
	"jobs": {"outcome"},
}

// Names lists every failpoint, as the variable takes them.
func Names() []string {
	var out []string
	for _, pkg := range []string{"dispatch", "jobs"} {
		for _, what := range commits[pkg] {
			out = append(out, name(pkg, Before, what), name(pkg, After, what))
		}
	}
	return out
}

func name(pkg, side, what string) string { return pkg + "/" + side + "-" + what }
