package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// userHZ is the unit of /proc's processor times on every Linux that Go runs on.
const userHZ = 100

// processorTime is what a process has used so far, its ended children not counted.
func processorTime(pid int) (time.Duration, error) {
	fields, err := procStat(pid)
	if err != nil {
		return 0, err
	}
	user, errU := strconv.ParseInt(fields[11], 10, 64)
	system, errS := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / userHZ, errors.Join(errU, errS)
}

// calmed waits until a process uses less than a tenth of a core: a store that much was put into goes on sorting it for a while.
func calmed(ctx context.Context, pid int) error {
	const look, longest, looks = 250 * time.Millisecond, 15 * time.Second, 3
	tick := time.NewTicker(look)
	defer tick.Stop()
	before, err := processorTime(pid)
	calm := 0
	for begun := time.Now(); err == nil && calm < looks && time.Since(begun) < longest; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		var now time.Duration
		if now, err = processorTime(pid); now-before < look/10 {
			calm++
		} else {
			calm = 0
		}
		before = now
	}
	return err
}

// procStat are the fields of /proc/<pid>/stat behind the name: fields[0] is the state, fields[1] the parent.
func procStat(pid int) ([]string, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	line := string(raw)
	fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if len(fields) < 13 {
		return nil, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return fields, nil
}

// childrenOf are the processes that a process has started, by the names of their programs.
func childrenOf(parent int) (map[string]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		fields, err := procStat(pid)
		if err != nil || fields[1] != strconv.Itoa(parent) {
			continue // gone, or of another
		}
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil {
			out[filepath.Base(exe)] = pid
		}
	}
	return out, nil
}

// memoryOf is the memory of a process that no file backs, and all that it has resident, in MiB.
func memoryOf(pid int) (anonymous, resident float64, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(raw)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "Anonymous: %f kB", &kib); n == 1 {
			anonymous = kib / 1024
		}
		if n, _ := fmt.Sscanf(line, "Rss: %f kB", &kib); n == 1 {
			resident = kib / 1024
		}
	}
	if resident == 0 {
		return 0, 0, fmt.Errorf("/proc/%d/smaps_rollup does not tell the memory", pid)
	}
	return anonymous, resident, nil
}
