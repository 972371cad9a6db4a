package carrierhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/plugin"
)

// process is a started adapter. Done is closed when it has ended, and Death tells how from then on. Stop ends it, by force when
// ctx ends; it may be called for a process that is dead, and frees what the host holds of it.
type process interface {
	Manifest() carrier.Manifest
	Open(ctx context.Context, account string, config []byte, retired bool) (remote, error)
	Close(ctx context.Context, account string) error
	Health(ctx context.Context) error
	Done() <-chan struct{}
	Death() Death
	Kill() // at once; Done follows
	PID() int
	Stop(ctx context.Context) error
}

var (
	errMissing   = errors.New("the adapter's binary cannot be run")
	errWrongName = errors.New("the adapter's binary is misnamed")
	errChecksum  = errors.New("the adapter's binary is not the one that was locked")
	errTimeout   = errors.New("the adapter did not get through the handshake in time")
)

// executable reports why a path cannot be started, nil where it can.
func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errMissing, err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s is not a file", errMissing, path)
	case info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%w: %s is not executable; chmod +x", errMissing, path)
	}
	return nil
}

// dialProcess starts a binary of the plugins folder.
func (h *Host) dialProcess(ctx context.Context, name, path string) (process, error) {
	if err := executable(path); err != nil {
		return nil, err
	}
	if h.cfg.RunDir != "" {
		if err := os.MkdirAll(h.cfg.RunDir, 0o700); err != nil {
			return nil, fmt.Errorf("make the run folder of adapter %s: %w", name, err)
		}
	}
	sum, err := h.cfg.Lock.sum(path, name)
	if err != nil {
		return nil, err
	}
	words := &lastWords{}
	began := wall.Now()
	p, err := plugin.Dial(ctx, plugin.DialConfig{
		Path: path, RunDir: h.cfg.RunDir, AutoMTLS: h.cfg.AutoMTLS, Env: os.Environ(), Checksum: sum,
		Log:          veiledLog{witness{h.cfg.Log.Named("adapter").With("carrier", name), words}, h.veil},
		StartTimeout: h.cfg.StartTimeout, MemoryLimit: h.cfg.Memory, Now: h.cfg.Clock.Now,
	})
	switch {
	case err == nil:
		return &adapterProcess{Process: p, words: words}, nil
	case wall.Now().Sub(began) >= h.cfg.StartTimeout:
		return nil, fmt.Errorf("%w: %w", errTimeout, err)
	}
	if _, changed := h.cfg.Lock.sum(path, name); changed != nil { // since it was looked at
		return nil, changed
	}
	return nil, err
}

// adapterProcess is a process of the SDK.
type adapterProcess struct {
	*plugin.Process
	words *lastWords
}

var _ process = (*adapterProcess)(nil)

func (p *adapterProcess) Open(ctx context.Context, account string, config []byte, retired bool) (remote, error) {
	a, err := p.Process.Open(ctx, plugin.OpenRequest{AccountID: account, Config: config, Retired: retired})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// Kill kills the process and all that it has started, before its connection is closed: callers then see a death and nothing
// else.
func (p *adapterProcess) Kill() {
	if pid := p.PID(); pid > 0 {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // it may have ended in the meantime
	}
}

// Death reads the cause from how the process ended and what it said last. A Go runtime that is refused memory says so and
// exits, if it gets that far.
func (p *adapterProcess) Death() Death {
	e := p.Exit()
	d := Death{Cause: CauseExit, Detail: e.String(), Code: e.Code}
	if e.Signal != 0 {
		d.Cause, d.Signal = CauseSignal, e.Signal.String()
	}
	if said := p.words.text(); said != "" {
		d.Detail += ": " + said
		if starved(said) {
			d.Cause = CauseMemory
		}
	}
	return d
}

// starved reports whether the last words are those of a runtime that was refused memory. Where it stumbles over what it did not
// get, it ends by a bare SIGSEGV (a nil pointer in Go code is a panic instead); where it was the stack of a new thread, it says
// that it cannot have the thread.
func starved(said string) bool {
	return strings.HasPrefix(said, "fatal error: ") && strings.Contains(said, "memory") || strings.HasPrefix(said, "SIGSEGV: ") ||
		strings.HasPrefix(said, noThread) || strings.HasPrefix(said, noOSThread)
}

// What the Go runtime prints, with and without cgo, before it ends for want of a thread.
const (
	noThread   = "runtime/cgo: pthread_create failed"
	noOSThread = "runtime: failed to create new OS thread"
)

// witness passes an adapter's log on and keeps the line with which its runtime announced the end.
type witness struct {
	hclog.Logger
	words *lastWords
}

func (w witness) Named(name string) hclog.Logger { return witness{w.Logger.Named(name), w.words} }
func (w witness) ResetNamed(name string) hclog.Logger {
	return witness{w.Logger.ResetNamed(name), w.words}
}
func (w witness) With(args ...any) hclog.Logger { return witness{w.Logger.With(args...), w.words} }

// Debug is how lines without a level arrive; the announcement of a fatal signal has none.
func (w witness) Debug(msg string, args ...any) {
	w.words.hear(msg)
	w.Logger.Debug(msg, args...)
}

// Error lets through the beginning of a crash report; the stacks of all goroutines are for the debug log.
func (w witness) Error(msg string, args ...any) {
	if w.words.hear(msg) > reportLines {
		w.Logger.Debug(msg, args...)
		return
	}
	w.Logger.Error(msg, args...)
}

const reportLines = 20

var announcements = []string{"panic: ", "fatal error: ", "SIGSEGV: ", "SIGBUS: ", "SIGABRT: ", noThread, noOSThread}

type lastWords struct {
	mu    sync.Mutex
	said  string
	lines int
}

// hear answers how many lines of a crash report have come so far, 0 before there is one.
func (l *lastWords) hear(line string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.said == "" && slices.ContainsFunc(announcements, func(a string) bool { return strings.HasPrefix(line, a) }) {
		l.said = line
	}
	if l.said != "" {
		l.lines++
	}
	return l.lines
}

func (l *lastWords) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.said
}
