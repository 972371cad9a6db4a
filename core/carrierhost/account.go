package carrierhost

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// Account is a tenant's account at a carrier. It has every ability of the contract; one that the adapter lacks answers
// Unsupported. It stays the same through restarts of its adapter and changes of its configuration, and is safe for concurrent
// use. An account that has left the configuration answers ACCOUNT_NOT_OPEN.
type Account struct {
	key     accountKey
	wire    string // its id in the adapter process
	adapter *adapter
	host    *Host

	terms   atomic.Pointer[terms]
	session atomic.Pointer[session] // nil while no call can be made
	gate    gate
	left    atomic.Bool   // the configuration; the gate is shut then
	opening chan struct{} // holds one slot: who has it may open
	meters  meters

	mu      sync.Mutex
	problem problem
}

type accountKey struct{ tenant, id string }

// terms are what one configuration of an account asks for. A changed configuration makes new ones; a call keeps those that it
// began with.
type terms struct {
	cfg      *config.Account
	veil     veil
	limit    *semaphore.Weighted
	breakers [classes]*breaker // nil for calls that have none
}

// session is an account opened in one process under one configuration.
type session struct {
	remote remote
	run    *run
	terms  *terms
}

// problem is why an account could not be opened in a process.
type problem struct {
	err   *carrier.Error
	run   *run
	terms *terms
}

func newAccount(h *Host, a *adapter, cfg *config.Account) *Account {
	key := accountKey{cfg.Tenant, cfg.ID}
	c := &Account{
		key: key, wire: key.tenant + "/" + key.id, adapter: a, host: h,
		opening: make(chan struct{}, 1),
	}
	c.gate.emptied = a.poke
	c.meters.init(h.metrics, a.name, key)
	c.agree(cfg)
	return c
}

// agree makes cfg the account's terms and reports whether they are new. Calls in flight go on to count against the limit as
// long as it stays the same. Breakers start anew: a change is how an operator mends an account.
func (c *Account) agree(cfg *config.Account) bool {
	old := c.terms.Load()
	if old != nil && old.cfg.Same(cfg) {
		return false
	}
	t := &terms{cfg: cfg, veil: veil{}.over(cfg.Hidden)}
	if old != nil && concurrency(old.cfg) == concurrency(cfg) {
		t.limit = old.limit
	} else {
		t.limit = semaphore.NewWeighted(concurrency(cfg))
	}
	for k := range t.breakers {
		if class(k) != unguarded {
			t.breakers[k] = &breaker{clock: c.host.cfg.Clock, moved: c.meters.breakerMoved(class(k))}
		}
	}
	c.terms.Store(t)
	return true
}

func concurrency(cfg *config.Account) int64 {
	if cfg.Concurrency > 0 {
		return int64(cfg.Concurrency)
	}
	return 64
}

// timeout bounds a call whose context has no deadline.
func (t *terms) timeout(o op) time.Duration {
	d, fallback := t.cfg.QuoteTimeout, 8*time.Second
	if ops[o].slow {
		d, fallback = t.cfg.BookTimeout, 30*time.Second
	}
	if d > 0 {
		return d
	}
	return fallback
}

// Manifest of the adapter; ok is false as long as the adapter has never started.
func (c *Account) Manifest() (m carrier.Manifest, ok bool) {
	if p := c.adapter.manifest.Load(); p != nil {
		return *p, true
	}
	return carrier.Manifest{}, false
}

// Started waits while the adapter's first process is being started and its accounts are opened, as long as ctx lasts, and reports
// whether that is over. It may have failed: then the account's calls say so, and nobody waits for the next.
func (c *Account) Started(ctx context.Context) bool {
	for {
		moved := c.adapter.moved.wait()
		if !c.adapter.firstStart() {
			return true
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return false
		}
	}
}

// usable answers the present session, unless its process is dead or it is the stale one.
func (c *Account) usable(stale *session) *session {
	s := c.session.Load()
	if s == nil || s == stale || s.run.over() {
		return nil
	}
	return s
}

// ready answers a session, and waits for one if need be: an adapter that died is restarted at once, so a short wait spares the
// caller the gap. stale is a session that has just failed.
func (c *Account) ready(ctx context.Context, stale *session) (*session, error) {
	if s := c.usable(stale); s != nil {
		return s, nil
	}
	ctx, cancel := boundedWait(ctx, c.host.timing.wait)
	defer cancel()
	for {
		moved := c.adapter.moved.wait()
		if s := c.usable(stale); s != nil {
			return s, nil
		}
		if r := c.adapter.alive(); r != nil {
			s, err := c.open(ctx, r, stale)
			if err == nil || ctx.Err() == nil && !r.over() {
				return s, err
			}
		} else if err := c.adapter.hopeless(); err != nil {
			return nil, err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return nil, c.adapter.unavailable()
		}
	}
}

// open opens the account in r under its present terms, once however many ask, and answers the session. A refused
// configuration is not tried again before it, or the process, has changed.
func (c *Account) open(ctx context.Context, r *run, stale *session) (*session, error) {
	select {
	case c.opening <- struct{}{}:
		defer func() { <-c.opening }()
	case <-ctx.Done():
		return nil, c.adapter.unavailable()
	}
	t := c.terms.Load()
	if s := c.session.Load(); s != nil && s != stale && s.run == r && s.terms == t {
		return s, nil
	}
	if p := c.trouble(); p.err != nil && p.run == r && p.terms == t && p.err.Source == carrier.SourceConfig {
		return nil, p.err
	}
	ctx, cancel := context.WithTimeout(ctx, c.host.timing.open)
	defer cancel()
	remote, err := r.proc.Open(ctx, c.wire, []byte(t.cfg.Config.Reveal()), t.cfg.Retired)
	if err != nil {
		if carrier.AsError(err).Code == carrier.AdapterDied {
			c.adapter.suspect(r)
		}
		return nil, c.refused(r, t, t.veil.failure(carrier.AsError(err)))
	}
	s := &session{remote: remote, run: r, terms: t}
	c.note(problem{})
	c.session.Store(s)
	c.adapter.moved.broadcast()
	return s, nil
}

// refused keeps why the account did not open. Opening asks no carrier, whatever went wrong.
func (c *Account) refused(r *run, t *terms, err error) *carrier.Error {
	e := *carrier.AsError(err)
	e.Effect = carrier.EffectNone
	c.note(problem{err: &e, run: r, terms: t})
	// A session under older terms must not outlive the configuration that the operator has replaced.
	if s := c.session.Load(); s != nil && (s.run != r || s.terms != t) {
		c.session.CompareAndSwap(s, nil)
	}
	c.adapter.moved.broadcast()
	if !r.over() {
		c.host.log.Error("account not opened", "tenant", c.key.tenant, "account", c.key.id, "carrier", c.adapter.name,
			"code", e.Code, "field", e.Field, "err", e.Message)
	}
	return &e
}

// depart ends an account that is drained. Its series go with it, unless the configuration has it again.
func (c *Account) depart() {
	c.session.Store(nil)
	if _, back := c.host.Account(c.key.tenant, c.key.id); !back {
		c.meters.forget()
	}
}

// note keeps what hinders the account. Who waits for it is told by the caller, once all that has changed can be seen.
func (c *Account) note(p problem) {
	c.mu.Lock()
	c.problem = p
	c.mu.Unlock()
}

func (c *Account) trouble() problem {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.problem
}

// settled reports whether the account has been opened, or refused, in r under its present terms.
func (c *Account) settled(r *run) bool {
	t := c.terms.Load()
	if s := c.session.Load(); s != nil && s.run == r && s.terms == t {
		return true
	}
	p := c.trouble()
	return p.err != nil && p.run == r && p.terms == t
}

// boundedWait is ctx with at most limit, and at most half of what it has left, so that the call itself keeps the other half.
func boundedWait(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, deadline.Sub(wall.Now())/2)
	}
	return context.WithTimeoutCause(ctx, limit, errWaited)
}

var errWaited = errors.New("waited as long as the call's deadline allows")
