package config

import (
	"context"
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/clock"
)

// Watcher holds the live configuration: it reads the files again when they change, those that ${file:…} names among them, checks them whole, and keeps the last good
// one when the new one is faulty.
type Watcher struct {
	path    string
	getenv  func(string) (string, bool)
	adjust  func(*Config)
	log     hclog.Logger
	current atomic.Pointer[Config]
	problem atomic.Pointer[error] // apart from mu: asking adapters at a reload may take a while

	mu       sync.Mutex
	adapters Adapters
	watched  watched
	seen     [sha256.Size]byte
	onChange []func(*Config)
}

// watchEvery is how often the files are looked at, by wall time: a person has just saved one.
const watchEvery = time.Second

// Watch loads the file for the first time. adjust, which may be nil, is applied to every configuration that is loaded: what the
// command line says wins over the file. It starts nothing; see Run.
func Watch(path string, getenv func(string) (string, bool), adjust func(*Config), log hclog.Logger) (*Watcher, error) {
	w := &Watcher{path: path, getenv: getenv, adjust: adjust, log: log}
	c, read, err := load(path, getenv, nil)
	if err != nil {
		return nil, err
	}
	w.watched, w.seen = read, read.digest()
	w.put(c)
	return w, nil
}

func (w *Watcher) put(c *Config) {
	if w.adjust != nil {
		w.adjust(c)
	}
	w.current.Store(c)
}

// Current returns the live configuration. It never changes; a reload makes another.
func (w *Watcher) Current() *Config { return w.current.Load() }

// OnChange has f called with each new configuration, after it is live.
func (w *Watcher) OnChange(f func(*Config)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onChange = append(w.onChange, f)
}

// CheckAccounts has every configuration from now on held against the adapters: one that they refuse is not taken.
func (w *Watcher) CheckAccounts(adapters Adapters) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.adapters = adapters
}

// Problem returns why the files as they are now were not taken, nil where they were.
func (w *Watcher) Problem() error {
	if p := w.problem.Load(); p != nil {
		return *p
	}
	return nil
}

// Reload reads the files now. On a fault the last good configuration stays live.
func (w *Watcher) Reload() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reload()
}

func (w *Watcher) reload() error {
	c, read, err := load(w.path, w.getenv, w.adapters)
	w.watched, w.seen = read, read.digest()
	if err != nil {
		w.problem.Store(&err)
		w.log.Error("configuration was not taken; the last good one stays", "err", err)
		return err
	}
	w.put(c)
	for _, f := range w.onChange {
		f(w.Current())
	}
	w.problem.Store(nil) // nobody hears that all is well before it is
	w.log.Info("configuration was taken", "files", read.files())
	return nil
}

// Run looks at the files until ctx ends. A change is taken when it has stood still for one look, so that a file that is being
// written is not read by half.
func (w *Watcher) Run(ctx context.Context) error {
	var last [sha256.Size]byte
	for clock.Sleep(ctx, clock.Real(), watchEvery) == nil {
		w.mu.Lock()
		again := w.watched.again()
		now := again.digest()
		if now != w.seen && now == last {
			_ = w.reload() // logged and kept in problem
			now = w.seen
		}
		w.mu.Unlock()
		last = now
	}
	return nil
}
