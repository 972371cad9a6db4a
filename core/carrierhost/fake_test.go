package carrierhost

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// plant makes processes that live in the test, so that supervision can be watched in virtual time.
type plant struct {
	mu      sync.Mutex
	started []*fake
	at      []time.Time // of each start, failed ones too
	fail    func(n int) error
	prepare func(n int, p *fake)
}

func (p *plant) dial(_ context.Context, name, _ string) (process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.at)
	p.at = append(p.at, wall.Now())
	if p.fail != nil {
		if err := p.fail(n); err != nil {
			return nil, err
		}
	}
	f := &fake{name: name, pid: 100 + n, done: make(chan struct{}), open: map[string]string{}}
	if p.prepare != nil {
		p.prepare(n, f)
	}
	p.started = append(p.started, f)
	return f, nil
}

func (p *plant) last() *fake {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.started[len(p.started)-1]
}

func (p *plant) starts() []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.at)
}

// fake is a process. Its accounts answer a quote with their configuration as the service.
type fake struct {
	name   string
	pid    int
	done   chan struct{}
	health func(context.Context) error
	refuse func(account, cfg string) error
	quote  func(ctx context.Context, n int) error

	mu     sync.Mutex
	open   map[string]string
	opens  int
	closed []string
	quotes int
	death  Death
	stops  int
}

func (f *fake) Manifest() carrier.Manifest {
	return carrier.Manifest{Name: f.name, Version: "1.2.3", Abilities: []carrier.Ability{carrier.CanQuote}}
}

func (f *fake) Open(_ context.Context, account string, cfg []byte, _ bool) (remote, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opens++
	if f.refuse != nil {
		if err := f.refuse(account, string(cfg)); err != nil {
			return nil, err
		}
	}
	f.open[account] = string(cfg)
	return fakeAccount{fake: f, id: account}, nil
}

func (f *fake) Close(_ context.Context, account string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, account)
	f.closed = append(f.closed, account)
	return nil
}

func (f *fake) forget(account string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, account)
}

func (f *fake) Health(ctx context.Context) error {
	if f.health != nil {
		return f.health(ctx)
	}
	return nil
}

func (f *fake) Kill()                 { f.die(CauseSignal) }
func (f *fake) Done() <-chan struct{} { return f.done }
func (f *fake) PID() int              { return f.pid }

func (f *fake) Death() Death {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.death
}

func (f *fake) die(c Cause) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.done:
	default:
		f.death = Death{Cause: c, Detail: "told to"}
		close(f.done)
	}
}

func (f *fake) Stop(context.Context) error {
	f.die(CauseExit)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stops++
	return nil
}

func (f *fake) stopped() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stops
}

func (f *fake) counts() (opens, quotes int, closed []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opens, f.quotes, slices.Clone(f.closed)
}

type fakeAccount struct {
	remote
	fake *fake
	id   string
}

func (a fakeAccount) Quote(ctx context.Context, _ carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
	f := a.fake
	f.mu.Lock()
	cfg, open := f.open[a.id]
	f.quotes++
	n := f.quotes
	f.mu.Unlock()
	select {
	case <-f.done:
		return carrier.QuoteAnswer{}, &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectNone, Code: carrier.AdapterDied}
	default:
	}
	if !open {
		return carrier.QuoteAnswer{}, &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectNone, Code: carrier.AccountNotOpen}
	}
	if f.quote != nil {
		if err := f.quote(ctx, n); err != nil {
			return carrier.QuoteAnswer{}, err
		}
	}
	return carrier.QuoteAnswer{Quotes: []shipping.Quote{{ServiceID: cfg}}}, nil
}

func (a fakeAccount) Cancel(context.Context, carrier.CancelRequest) (carrier.Cancellation, error) {
	return carrier.Cancellation{Note: "gone"}, nil
}

func newHost(t testing.TB, p *plant, change func(*Config)) *Host {
	t.Helper()
	cfg := Config{
		Dir: t.TempDir(), Clock: clock.Real(), Source: clock.Seeded(1, clock.Real()), Log: hclog.NewNullLogger(),
		Registerer: prometheus.NewRegistry(),
	}
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.dial = p.dial
	return h
}

func acct(id string, change ...func(*config.Account)) *config.Account {
	a := &config.Account{Tenant: "shop", ID: id, Adapter: "hello", Config: config.Secret("cfg-" + id)}
	for _, f := range change {
		f(a)
	}
	return a
}

// inBubble runs a host with accounts in virtual time until test returns.
func inBubble(t *testing.T, p *plant, change func(*Config), accounts []*config.Account, test func(t *testing.T, h *Host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, p, change)
		if err := h.Apply(accounts); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run = %v", err)
			}
		}()
		test(t, h)
	})
}

func account(t testing.TB, h *Host, id string) *Account {
	t.Helper()
	c, ok := h.Account("shop", id)
	if !ok {
		t.Fatalf("no account %s", id)
	}
	return c
}

// service is what a quote of the account answers, which is its configuration in the process.
func service(t testing.TB, ctx context.Context, c *Account) (string, *carrier.Error) {
	t.Helper()
	a, err := c.Quote(ctx, carrier.QuoteRequest{})
	if err != nil {
		if _, ok := errors.AsType[*carrier.Error](err); !ok {
			t.Fatalf("the error %v (%T) is not of the contract", err, err)
		}
		return "", carrier.AsError(err)
	}
	return a.Quotes[0].ServiceID, nil
}

func ready(t testing.TB, h *Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := h.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

// patience is in virtual time in most tests, and what a broken real one costs.
const patience = 10 * time.Minute

// await waits until the one adapter is in a state.
func await(t testing.TB, h *Host, want State) AdapterStatus {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	a := h.snapshot()[0]
	for {
		moved := a.moved.wait()
		s := a.status()
		if s.State == want {
			return s
		}
		select {
		case <-moved:
		case <-ctx.Done():
			t.Fatalf("the adapter is %s, want %s: %+v", s.State, want, s.LastDeath)
		}
	}
}
