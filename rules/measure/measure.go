// Package measure says in numbers what package rules promises, and holds what they are measured on: bundles, orders, mistakes as
// people make them, faults for lint to find, files that want to hurt. The tests of rules use the same.
package measure

import (
	"syscall"
	"time"
)

// processorTime is what this process has used so far, on all processors.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
