package carrierhost

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// adapter supervises the processes of one binary, one after another. Only its supervise goroutine starts, opens on a start, and
// stops; everybody else looks at current.
type adapter struct {
	name string
	path string
	host *Host
	pace restarts // of the supervise goroutine

	cancel   context.CancelFunc // of supervise; nil before it began; guarded by Host.mu
	manifest atomic.Pointer[carrier.Manifest]
	current  atomic.Pointer[run]
	moved    signal        // state, process or an account has changed
	wake     chan struct{} // accounts have changed
	doubted  chan struct{} // a call found the process gone

	mu       sync.Mutex
	state    State
	since    time.Time
	next     time.Time // start planned in Backoff and Quarantined
	restarts int
	last     *Death
	accounts map[accountKey]*Account
	leaving  map[accountKey]*Account // no longer configured, not yet closed
}

// run is one life of an adapter: a process from its handshake to its end.
type run struct {
	proc  process
	since time.Time
	// doubt is set when a call found the process gone, which is known some time before the process has ended altogether: it may
	// write a long crash report first. New calls wait for the next process rather than be lost with an unknown effect.
	doubt atomic.Bool
}

// over reports whether the process should be asked no more.
func (r *run) over() bool { return r.doubt.Load() || r.dead() }

func (r *run) dead() bool {
	select {
	case <-r.proc.Done():
		return true
	default:
		return false
	}
}

func (a *adapter) supervise(ctx context.Context) {
	defer a.enter(Stopped, 0)
	for {
		a.enter(Starting, 0)
		r, death := a.start(ctx)
		if r != nil {
			death = a.serve(ctx, r)
		}
		if ctx.Err() != nil {
			return
		}
		now := wall.Now()
		var ran time.Duration
		if r != nil {
			ran = max(now.Sub(r.since), 1)
		}
		wait, quarantined := a.pace.died(now, ran, death.Cause.hopeless())
		a.bury(death, wait, quarantined)
		if clock.Sleep(ctx, wall, wait) != nil {
			return
		}
		a.host.metrics.restarts.WithLabelValues(a.name).Inc()
		a.mu.Lock()
		a.restarts++
		a.mu.Unlock()
	}
}

// start makes a process that has shaken hands, one of few at a time, or says why there is none.
func (a *adapter) start(ctx context.Context) (*run, Death) {
	if err := a.host.starts.Acquire(ctx, 1); err != nil {
		return nil, Death{}
	}
	defer a.host.starts.Release(1)
	proc, err := a.host.dial(ctx, a.name, a.path)
	if err != nil {
		return nil, deathAtStart(err)
	}
	m := proc.Manifest()
	if m.Name != a.name {
		a.stop(proc)
		return nil, deathAtStart(fmt.Errorf("%w: %s calls itself %q", errWrongName, a.path, m.Name))
	}
	a.manifest.Store(&m)
	return &run{proc: proc, since: wall.Now()}, Death{}
}

// serve looks after a process until it dies, and answers how; or until ctx ends, and drains and stops it.
func (a *adapter) serve(ctx context.Context, r *run) Death {
	a.current.Store(r)
	defer func() {
		a.current.Store(nil)
		a.host.metrics.up.WithLabelValues(a.name).Set(0)
	}()
	a.openAll(ctx, r)
	a.enter(Ready, 0)
	a.host.metrics.up.WithLabelValues(a.name).Set(1)
	a.host.log.Info("adapter ready", "carrier", a.name, "version", a.manifest.Load().Version, "pid", r.proc.PID())
	health := wall.NewTimer(a.host.timing.healthEvery)
	defer health.Stop()
	for misses := 0; ; {
		select {
		case <-ctx.Done():
			a.retire(r)
			return Death{}
		case <-r.proc.Done():
			death := r.proc.Death()
			a.stop(r.proc) // frees what the host holds of it
			return death
		case <-a.wake:
			a.openAll(ctx, r)
			a.closeLeft(ctx, r)
		case <-a.doubted:
			if r.doubt.Load() { // it may be an earlier process that was doubted
				health.Reset(0)
			}
		case <-health.C():
			next := a.host.timing.healthEvery
			if a.healthy(ctx, r) {
				misses = 0
				if r.doubt.Swap(false) {
					a.moved.broadcast()
				}
				a.openAll(ctx, r) // those that failed for a passing reason
			} else if misses++; misses >= healthMisses && !r.dead() {
				return a.kill(r)
			} else if r.doubt.Load() {
				next = a.host.timing.healthWithin
			}
			health.Reset(next)
		}
	}
}

func (a *adapter) healthy(ctx context.Context, r *run) bool {
	ctx, cancel := context.WithTimeout(ctx, a.host.timing.healthWithin)
	defer cancel()
	return r.proc.Health(ctx) == nil || ctx.Err() != nil && context.Cause(ctx) != context.DeadlineExceeded
}

// kill ends a process that does not answer. Calls under way fail as those of any dead process do.
func (a *adapter) kill(r *run) Death {
	r.doubt.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), a.host.timing.stop)
	defer cancel()
	r.proc.Kill()
	select {
	case <-r.proc.Done():
	case <-ctx.Done():
	}
	a.stop(r.proc)
	return Death{Cause: CauseWedged, Detail: fmt.Sprintf("did not answer %d health checks in a row and was killed", healthMisses)}
}

// suspect notes that a call found the process gone.
func (a *adapter) suspect(r *run) {
	if !r.doubt.Swap(true) {
		select {
		case a.doubted <- struct{}{}:
		default:
		}
	}
}

// openAll opens the accounts that have no session in r under their present terms. What goes wrong is kept with the account.
func (a *adapter) openAll(ctx context.Context, r *run) {
	var g errgroup.Group
	g.SetLimit(opensAtOnce)
	for _, c := range a.wanted() {
		g.Go(func() error {
			_, _ = c.open(ctx, r, nil)
			return nil
		})
	}
	_ = g.Wait() // no opening fails the group
}

// closeLeft closes accounts that have left the configuration, once their last call is over.
func (a *adapter) closeLeft(ctx context.Context, r *run) {
	a.mu.Lock()
	var closing []*Account
	for key, c := range a.leaving {
		if c.gate.inside.Load() == 0 {
			delete(a.leaving, key)
			closing = append(closing, c)
		}
	}
	a.mu.Unlock()
	for _, c := range closing {
		ctx, cancel := context.WithTimeout(ctx, a.host.timing.open)
		if err := r.proc.Close(ctx, c.wire); err != nil && carrier.AsError(err).Code != carrier.AccountNotOpen && !r.dead() {
			a.host.log.Warn("account not closed", "carrier", a.name, "tenant", c.key.tenant, "account", c.key.id, "err", err)
		}
		cancel()
		c.depart()
	}
}

// retire lets the calls in flight end, as long as Config.Drain allows, and stops the process.
func (a *adapter) retire(r *run) {
	a.enter(Draining, 0)
	ctx, cancel := context.WithTimeout(context.Background(), a.host.cfg.Drain)
	defer cancel()
	a.mu.Lock()
	all := slices.Concat(slices.Collect(maps.Values(a.accounts)), slices.Collect(maps.Values(a.leaving)))
	a.mu.Unlock()
	for _, c := range all {
		c.gate.shut.Store(true)
	}
	cut := int64(0)
	for _, c := range all {
		if c.gate.drain(ctx) != nil {
			cut += c.gate.inside.Load()
		}
	}
	if cut > 0 {
		a.host.log.Warn("adapter stopped with calls in flight", "carrier", a.name, "calls", cut)
	}
	a.stop(r.proc)
	for _, c := range all {
		c.depart()
	}
}

// stop ends a process, by force if need be.
func (a *adapter) stop(p process) {
	ctx, cancel := context.WithTimeout(context.Background(), a.host.timing.stop)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		a.host.log.Warn("adapter not stopped cleanly", "carrier", a.name, "pid", p.PID(), "err", err)
	}
}

func (a *adapter) wanted() []*Account {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Collect(maps.Values(a.accounts))
}

// poke makes the supervisor look at the accounts.
func (a *adapter) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *adapter) enter(s State, wait time.Duration) {
	now := wall.Now()
	a.mu.Lock()
	a.state, a.since, a.next = s, now, time.Time{}
	if wait > 0 {
		a.next = now.Add(wait)
	}
	a.mu.Unlock()
	a.moved.broadcast()
}

// bury notes a death and what follows from it.
func (a *adapter) bury(d Death, wait time.Duration, quarantined bool) {
	d.At = wall.Now().UTC()
	a.mu.Lock()
	a.last = &d
	a.mu.Unlock()
	a.host.metrics.deaths.WithLabelValues(a.name, string(d.Cause)).Inc()
	facts := []any{"carrier", a.name, "cause", d.Cause, "detail", d.Detail, "restart_in", wait}
	if quarantined {
		a.host.log.Error("adapter quarantined", facts...)
		a.enter(Quarantined, wait)
		return
	}
	a.host.log.Error("adapter died", facts...)
	a.enter(Backoff, wait)
}

// alive answers the process that lives now, nil where none does.
func (a *adapter) alive() *run {
	if r := a.current.Load(); r != nil && !r.over() {
		return r
	}
	return nil
}

// hopeless answers an error where waiting for a process is no use, nil where one is on its way.
func (a *adapter) hopeless() *carrier.Error {
	a.mu.Lock()
	state := a.state
	a.mu.Unlock()
	switch state {
	case Quarantined, Draining, Stopped:
		return a.unavailable()
	}
	return nil
}

// firstStart reports whether the adapter's first process is on its way: none has become ready, and none has died.
func (a *adapter) firstStart() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state == Starting && a.last == nil
}

// unavailable is the error of a call that found no process.
func (a *adapter) unavailable() *carrier.Error {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := &carrier.Error{
		Source: carrier.SourceEngine, Effect: carrier.EffectNone, Retry: carrier.RetryAfter, Code: carrier.AdapterUnavailable,
		RetryAfter: time.Second, Message: fmt.Sprintf("The adapter %s is not available: it is %s.", a.name, a.state),
	}
	if !a.next.IsZero() {
		e.RetryAfter = max(a.next.Sub(wall.Now()), time.Second)
	}
	if a.last != nil && a.state != Ready {
		e.Err = fmt.Errorf("its last process ended: %s: %s", a.last.Cause, a.last.Detail)
	}
	return e
}

// settled reports whether the first news of the adapter is in: its accounts are open or refused, or it is given up for now.
func (a *adapter) settled() bool {
	a.mu.Lock()
	state := a.state
	a.mu.Unlock()
	if state == Quarantined || state == Stopped {
		return true
	}
	r := a.alive()
	if state != Ready || r == nil {
		return false
	}
	for _, c := range a.wanted() {
		if !c.settled(r) {
			return false
		}
	}
	return true
}
