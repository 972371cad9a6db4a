//go:build !linux

package measure

import "time"

// threadTime is that of the whole process: only Linux tells it for a thread.
func threadTime() time.Duration { return processorTime() }
