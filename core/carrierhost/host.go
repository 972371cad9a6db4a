// Package carrierhost starts, supervises and restarts the adapter processes, and makes calls to them safe to rely on.
//
// An adapter is a binary waybill-carrier-<name> in the plugins folder. The host runs one process of each binary that some
// account needs, opens the accounts in it after every start, restarts it when it dies, and leaves it alone for a while when it
// keeps dying. An Account outlives all that: its calls find the process that lives now, within the account's limit of calls
// at once, behind a breaker, and always end by their deadline with an answer or a *carrier.Error that says whether the carrier
// may have acted. DESIGN.md tells the states, the causes of death, and what a caller sees in each.
package carrierhost

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
)

// Prefix is what the name of an adapter's binary begins with.
const Prefix = "waybill-carrier-"

// Config is what a Host needs. Zero members mean what is said beside them.
type Config struct {
	Dir          string // of the binaries; required
	AutoMTLS     bool
	StartTimeout time.Duration     // 10s
	Quarantine   config.Quarantine // 5 deaths in 60s, tried again every 60s
	Memory       int64             // bytes of data a process may hold; 512 MiB
	RunDir       string            // for the sockets of the processes, created 0700; a temporary folder each
	Drain        time.Duration     // how long calls in flight may take to end when stopping; 30s
	Log          hclog.Logger      // none
	Clock        clock.Clock       // of breakers, and what adapters are told the time is; required
	Source       clock.Source      // of jitter; required
	Registerer   prometheus.Registerer
	// Lock names the binaries that may be started; any other is refused at each start. Nil: all that are in Dir.
	Lock *Lock
}

// timing is how patient the host is. All of it is wall time.
type timing struct {
	wait         time.Duration // of a call for an adapter that is being restarted
	queue        time.Duration // of a call for its place among the account's calls
	open         time.Duration // an account, which does no network
	stop         time.Duration // a process, before it is killed
	healthEvery  time.Duration
	healthWithin time.Duration
}

const (
	healthMisses = 3
	opensAtOnce  = 16
)

// Host runs the adapters that the accounts need.
type Host struct {
	cfg     Config
	log     hclog.Logger
	metrics *metrics
	timing  timing
	dial    func(ctx context.Context, name, path string) (process, error)
	starts  *semaphore.Weighted // processes being started
	wake    chan struct{}       // adapters have changed

	accounts atomic.Pointer[map[accountKey]*Account]
	veil     *atomic.Pointer[veil] // of all accounts that there ever were; it grows under mu

	mu       sync.Mutex
	phase    phase
	adapters map[string]*adapter
}

type phase int

const (
	idle phase = iota
	running
	ended
)

// New checks cfg and returns a host without accounts. It starts nothing.
func New(cfg Config) (*Host, error) {
	var faults []error
	if cfg.Dir == "" {
		faults = append(faults, errors.New("the folder of the adapters (Dir) is missing"))
	}
	if cfg.Clock == nil {
		faults = append(faults, errors.New("the Clock is missing"))
	}
	if cfg.Source == nil {
		faults = append(faults, errors.New("the Source is missing"))
	}
	q := cfg.Quarantine
	if cfg.StartTimeout < 0 || cfg.Drain < 0 || cfg.Memory < 0 || q.Deaths < 0 || q.Within < 0 || q.Probe < 0 {
		faults = append(faults, errors.New("StartTimeout, Drain, Memory and Quarantine must not be negative"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("carrier host: %w", err)
	}
	fill(&cfg)
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	h := &Host{
		cfg: cfg, metrics: m, veil: &atomic.Pointer[veil]{},
		timing: timing{
			wait: 2 * time.Second, queue: 30 * time.Second, open: 10 * time.Second, stop: 3 * time.Second,
			healthEvery: 10 * time.Second, healthWithin: 2 * time.Second,
		},
		starts:   semaphore.NewWeighted(int64(2 * runtime.NumCPU())),
		wake:     make(chan struct{}, 1),
		adapters: map[string]*adapter{},
	}
	h.veil.Store(&veil{})
	h.log = veiledLog{cfg.Log, h.veil}
	h.dial = h.dialProcess
	h.accounts.Store(&map[accountKey]*Account{})
	return h, nil
}

func fill(cfg *Config) {
	def := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	def(&cfg.StartTimeout, 10*time.Second)
	def(&cfg.Drain, 30*time.Second)
	def(&cfg.Quarantine.Within, time.Minute)
	def(&cfg.Quarantine.Probe, time.Minute)
	if cfg.Quarantine.Deaths == 0 {
		cfg.Quarantine.Deaths = 5
	}
	if cfg.Memory == 0 {
		cfg.Memory = 512 << 20
	}
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
}

// Run owns the adapters' processes until ctx ends; then it lets calls in flight end, stops the processes and returns. A host
// runs once.
func (h *Host) Run(ctx context.Context) error {
	h.mu.Lock()
	if h.phase != idle {
		h.mu.Unlock()
		return errors.New("carrier host: Run was called twice")
	}
	h.phase = running
	h.mu.Unlock()
	var all sync.WaitGroup
	for {
		h.startNew(ctx, &all)
		select {
		case <-h.wake:
		case <-ctx.Done():
			h.mu.Lock()
			h.phase = ended
			h.mu.Unlock()
			all.Wait()
			return nil
		}
	}
}

func (h *Host) startNew(ctx context.Context, all *sync.WaitGroup) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.adapters {
		if a.cancel != nil {
			continue
		}
		life, cancel := context.WithCancel(ctx)
		a.cancel = cancel
		all.Go(func() {
			defer cancel()
			a.supervise(life)
		})
	}
}

var adapterName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Apply makes accounts the host's accounts: new ones are opened, changed ones opened anew under the same id while the calls of
// the old configuration end, and those that are missing are drained and closed. It returns at once; what becomes of each
// account is in Status and in the errors of its calls. The error names every fault of the list, and then nothing has changed.
func (h *Host) Apply(accounts []*config.Account) error {
	if err := check(accounts); err != nil {
		return fmt.Errorf("apply accounts: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.phase == ended {
		return errors.New("apply accounts: the carrier host has stopped")
	}
	hide := *h.veil.Load()
	for _, cfg := range accounts {
		hide = hide.over(cfg.Hidden)
	}
	h.veil.Store(&hide)
	old := *h.accounts.Load()
	next := make(map[accountKey]*Account, len(accounts))
	for _, cfg := range accounts {
		key := accountKey{cfg.Tenant, cfg.ID}
		c := old[key]
		if c == nil || c.adapter.name != cfg.Adapter {
			c = h.adapter(cfg.Adapter).take(cfg)
		} else if c.agree(cfg) {
			c.adapter.poke()
		}
		next[key] = c
	}
	h.accounts.Store(&next) // an account that departs looks whether it is still among them
	for key, c := range old {
		if next[key] != c {
			c.adapter.dismiss(c)
		}
	}
	for name, a := range h.adapters {
		if len(a.wanted()) > 0 {
			continue
		}
		delete(h.adapters, name)
		if a.cancel != nil {
			a.cancel()
		}
	}
	h.poke()
	return nil
}

func check(accounts []*config.Account) error {
	var faults []error
	seen := map[accountKey]bool{}
	for i, cfg := range accounts {
		if cfg == nil {
			faults = append(faults, fmt.Errorf("accounts[%d] is nil", i))
			continue
		}
		key := accountKey{cfg.Tenant, cfg.ID}
		if cfg.Tenant == "" || cfg.ID == "" {
			faults = append(faults, fmt.Errorf("accounts[%d] lacks a tenant or an id", i))
		} else if seen[key] {
			faults = append(faults, fmt.Errorf("accounts[%d]: %s/%s is there twice", i, key.tenant, key.id))
		}
		seen[key] = true
		if !adapterName.MatchString(cfg.Adapter) {
			faults = append(faults, fmt.Errorf("accounts[%d]: adapter %q is not a name of lower-case letters, digits and _", i, cfg.Adapter))
		}
	}
	return errors.Join(faults...)
}

// adapter answers the adapter of a name, new where no account needed it yet. Host.mu is held.
func (h *Host) adapter(name string) *adapter {
	a := h.adapters[name]
	if a == nil {
		a = &adapter{
			name: name, path: filepath.Join(h.cfg.Dir, Prefix+name), host: h, state: Starting, since: wall.Now(),
			pace: restarts{limit: h.cfg.Quarantine, random: h.cfg.Source.Rand("carrierhost", name)},
			wake: make(chan struct{}, 1), doubted: make(chan struct{}, 1),
			accounts: map[accountKey]*Account{}, leaving: map[accountKey]*Account{},
		}
		h.adapters[name] = a
	}
	return a
}

// take adds an account, or takes back the one that was about to leave: a process knows only one of that id.
func (a *adapter) take(cfg *config.Account) *Account {
	key := accountKey{cfg.Tenant, cfg.ID}
	a.mu.Lock()
	c := a.leaving[key]
	delete(a.leaving, key)
	if c == nil {
		c = newAccount(a.host, a, cfg)
	} else {
		c.agree(cfg)
		c.left.Store(false)
		c.gate.shut.Store(false)
	}
	a.accounts[key] = c
	a.mu.Unlock()
	a.poke()
	return c
}

// dismiss lets an account go: no new calls; the supervisor closes it when the last one is over.
func (a *adapter) dismiss(c *Account) {
	c.left.Store(true)
	c.gate.shut.Store(true)
	a.mu.Lock()
	delete(a.accounts, c.key)
	a.leaving[c.key] = c
	a.mu.Unlock()
	a.poke()
}

func (h *Host) poke() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Account returns a tenant's account; ok is false where the configuration has none of that id.
func (h *Host) Account(tenant, id string) (a *Account, ok bool) {
	a, ok = (*h.accounts.Load())[accountKey{tenant, id}]
	return a, ok
}

// Ready waits until the first news of every adapter is in: it has started and its accounts are open or refused, or it is
// quarantined; Status tells which. The error names the adapters that are still on their way when ctx ends.
func (h *Host) Ready(ctx context.Context) error {
	for _, a := range h.snapshot() {
		for {
			moved := a.moved.wait()
			if a.settled() {
				break
			}
			select {
			case <-moved:
			case <-ctx.Done():
				return fmt.Errorf("wait for adapters %v: %w", h.unsettled(), context.Cause(ctx))
			}
		}
	}
	return nil
}

func (h *Host) snapshot() []*adapter {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Values(h.adapters))
}

func (h *Host) unsettled() []string {
	var names []string
	for _, a := range h.snapshot() {
		if !a.settled() {
			names = append(names, a.name)
		}
	}
	slices.Sort(names)
	return names
}
