package plugin

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// limitMemory bounds the data segment of a process. The address space is no measure: an idle Go process maps gigabytes of it.
func limitMemory(pid int, bytes int64) error {
	limit := &unix.Rlimit{Cur: uint64(bytes), Max: uint64(bytes)}
	if err := unix.Prlimit(pid, unix.RLIMIT_DATA, limit, nil); err != nil {
		return fmt.Errorf("limit the memory of process %d to %d bytes: %w", pid, bytes, err)
	}
	return nil
}
