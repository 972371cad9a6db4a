// Package failpoint names the places around commits where a test makes the process die, or the commit fail. Only a build with the
// tag failpoint has them; in any other build a call is an empty function that costs nothing. There, the environment variable
// WAYBILL_FAILPOINT says what happens where:
//
//	WAYBILL_FAILPOINT=dispatch/after-intent:kill:3,dispatch/before-erase:kill:1
//
// kills the process with SIGKILL the third time that it has committed an intent, or the first time that it is about to erase,
// whichever comes first; error instead of kill makes the commit's caller see ErrInjected, before anything was written or after all
// was. A process that dies at a failpoint says so on its standard error before, and DiedAt finds it there.
package failpoint

import (
	"bytes"
	"errors"
	"maps"
	"slices"
)

// Variable is the environment variable that names failpoints, what they do, and the how manieth visit does it.
const Variable = "WAYBILL_FAILPOINT"

// ErrInjected is what a failpoint answers that was told to fail.
var ErrInjected = errors.New("failpoint: this build was told to fail here")

// The sides of a commit.
const (
	Before = "before"
	After  = "after"
)

// commits are all commits of core to its store, by package: each has a failpoint on either side.
var commits = map[string][]string{
	"dispatch": {
		"order", "intent", "result", "hold", "no-offer", "failure", "settled", "adrift", "reconcile", "attention", "resolve",
		"spare", "spare-cancelled", "yield", "label", "cancel-intent", "cancel-result", "edit", "edit-intent", "edit-result", "reroute-intent", "retry", "release", "erase", "return", "fallback", "fallback-hold", "provider-down",
	},
	"jobs":      {"outcome"},
	"notify":    {"deliveries", "subscription", "configured", "alerts"},
	"retention": {"plan", "done", "erase-orders", "versions"},
	"ruleset":   {"keep"},
	"shop":      {"settle"},
	"tracking":  {"create", "update", "drop", "erase", "status", "news", "poll", "park"},
}

// Names lists every failpoint, as the variable takes them.
func Names() []string {
	var out []string
	for _, pkg := range slices.Sorted(maps.Keys(commits)) {
		for _, what := range commits[pkg] {
			out = append(out, name(pkg, Before, what), name(pkg, After, what))
		}
	}
	return out
}

func name(pkg, side, what string) string { return pkg + "/" + side + "-" + what }

// lastWords stand on the standard error of a process, before the failpoint's name, when it dies there.
const lastWords = "\nfailpoint: this process dies at "

// DiedAt returns the failpoint at which a process died, by what it wrote to its standard error.
func DiedAt(stderr []byte) (name string, ok bool) {
	at := bytes.LastIndex(stderr, []byte(lastWords))
	if at < 0 {
		return "", false
	}
	line, _, _ := bytes.Cut(stderr[at+len(lastWords):], []byte("\n"))
	name = string(line)
	return name, slices.Contains(Names(), name)
}
