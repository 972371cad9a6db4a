package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// maxLife bounds what is read of the words of one life, in bytes.
const maxLife = 256 << 20

// ward is a process that is started again whenever it ends.
type ward struct {
	name, exe string
	args      []string
	log       string

	arm  func() []string        // what is added to the environment of each start; may be nil
	died func(said []byte) bool // whether what it wrote in one life accounts for a SIGKILL that was not ours; may be nil

	mu     sync.Mutex
	cmd    *exec.Cmd
	dying  bool // killed by us, and not started again yet
	starts int
	odd    []string
	cancel context.CancelFunc
	done   chan struct{}
}

func newWard(dir, name, exe string, args ...string) *ward {
	return &ward{name: name, exe: exe, args: args, log: filepath.Join(dir, name+".log")}
}

// keepAlive runs the process until stop.
func (w *ward) keepAlive(ctx context.Context) {
	ctx, w.cancel = context.WithCancel(ctx)
	w.done = make(chan struct{})
	go func() {
		defer close(w.done)
		for ctx.Err() == nil {
			if err := w.once(ctx); err != nil {
				w.mu.Lock()
				w.odd = append(w.odd, err.Error())
				w.mu.Unlock()
				_ = pauseFor(ctx, 200*time.Millisecond)
			}
		}
	}()
}

// once runs the process to its end. The error tells of an end that nobody has asked for.
func (w *ward) once(ctx context.Context) error {
	log, err := os.OpenFile(w.log, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	life, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	cmd := exec.Command(w.exe, w.args...)
	cmd.Stdout, cmd.Stderr = log, log
	var armed []string
	if w.arm != nil {
		armed = w.arm()
	}
	cmd.Env = append(os.Environ(), armed...)
	w.mu.Lock()
	fmt.Fprintf(log, "\n== start %d %s %s\n", w.starts+1, strings.Join(armed, " "), time.Now().Format(time.StampMilli))
	err = cmd.Start()
	w.cmd, w.dying = cmd, false
	w.starts++
	w.mu.Unlock()
	if err != nil {
		return fmt.Errorf("start %s: %w", w.name, err)
	}
	asked := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer asked()
	err = cmd.Wait()
	said, unread := io.ReadAll(io.NewSectionReader(log, life, maxLife))
	atPoint := unread == nil && w.died != nil && w.died(said)
	w.mu.Lock()
	defer w.mu.Unlock()
	killed := false
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		status, isUnix := e.Sys().(syscall.WaitStatus)
		killed = isUnix && status.Signaled() && status.Signal() == syscall.SIGKILL
	}
	switch {
	case ctx.Err() != nil, killed && (w.dying || atPoint):
		return nil
	}
	return fmt.Errorf("%s ended by itself (%v): %s", w.name, err, tail(w.log))
}

// kill kills the process that runs, if one does that was not killed already.
func (w *ward) kill() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cmd == nil || w.cmd.Process == nil || w.dying {
		return false
	}
	w.dying = true
	return w.cmd.Process.Signal(syscall.SIGKILL) == nil
}

func (w *ward) pid() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cmd == nil || w.cmd.Process == nil || w.dying {
		return 0
	}
	return w.cmd.Process.Pid
}

// chaosEnd is how long a process may take to end when it is asked to.
const chaosEnd = 5 * time.Minute

// stop asks the process to end, kills it if it does not, and waits. A ward that never ran, or was stopped, is no fault.
func (w *ward) stop() {
	if w.cancel == nil {
		return
	}
	w.cancel()
	late := time.AfterFunc(chaosEnd, func() {
		w.mu.Lock()
		w.odd = append(w.odd, fmt.Sprintf("%s did not end within %v of SIGTERM", w.name, chaosEnd))
		w.mu.Unlock()
		w.kill()
	})
	<-w.done
	late.Stop()
}

// ends tells of every end that nobody has asked for.
func (w *ward) ends() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.odd)
}

func killProcess(pid int) bool { return pid != 0 && syscall.Kill(pid, syscall.SIGKILL) == nil }

// adaptersOf finds the adapters that a process has started, by name. It needs /proc.
func adaptersOf(engine int) (map[string]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	found := map[string]int{}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // ended meanwhile
		}
		// pid (name) state ppid …; the name may hold anything, the last parenthesis closes it
		var state string
		var parent int
		after := string(stat[bytes.LastIndexByte(stat, ')')+1:])
		if _, err := fmt.Sscan(after, &state, &parent); err != nil || engine == 0 || parent != engine || state == "Z" {
			continue
		}
		exe, err := os.Readlink(filepath.Join(filepath.Dir(path), "exe"))
		if err != nil {
			continue
		}
		if name, ok := strings.CutPrefix(filepath.Base(exe), "waybill-carrier-"); ok {
			if found[name], err = strconv.Atoi(filepath.Base(filepath.Dir(path))); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}
