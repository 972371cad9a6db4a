package carrierhost

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

func TestACallOfAnAccountThatTheProcessForgotOpensItOnce(t *testing.T) {
	p := &plant{}
	inBubble(t, p, nil, []*config.Account{acct("a")}, func(t *testing.T, h *Host) {
		ready(t, h)
		p.last().forget("shop/a")
		if got, err := service(t, t.Context(), account(t, h, "a")); err != nil || got != "cfg-a" {
			t.Errorf("quote = %q, %v", got, err)
		}
		if opens, quotes, _ := p.last().counts(); opens != 2 || quotes != 2 {
			t.Errorf("%d openings and %d quotes, want the account opened and the quote sent once more", opens, quotes)
		}
	})
}

func TestAnAccountThatIsNeverOpenIsNotAskedForEver(t *testing.T) {
	p := &plant{prepare: func(_ int, f *fake) {
		f.quote = func(context.Context, int) error {
			return &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectNone, Code: carrier.AccountNotOpen}
		}
	}}
	inBubble(t, p, nil, []*config.Account{acct("a")}, func(t *testing.T, h *Host) {
		ready(t, h)
		if _, err := service(t, t.Context(), account(t, h, "a")); err == nil || err.Code != carrier.AccountNotOpen {
			t.Errorf("error = %v", err)
		}
		if _, quotes, _ := p.last().counts(); quotes != 2 {
			t.Errorf("asked %d times, want twice", quotes)
		}
	})
}

func TestALostCallOfUnknownEffectIsNotRepeated(t *testing.T) {
	p := &plant{prepare: func(_ int, f *fake) {
		f.quote = func(context.Context, int) error {
			f.die(CauseSignal)
			return &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectUnknown, Code: carrier.AdapterDied}
		}
	}}
	inBubble(t, p, nil, []*config.Account{acct("a")}, func(t *testing.T, h *Host) {
		ready(t, h)
		first := p.last()
		if _, err := service(t, t.Context(), account(t, h, "a")); err == nil || err.Code != carrier.AdapterDied || err.Effect != carrier.EffectUnknown {
			t.Errorf("error = %v", err)
		}
		synctest.Wait()
		_, before, _ := first.counts()
		if _, after, _ := p.last().counts(); before != 1 || after != 0 {
			t.Errorf("asked %d times before the death and %d after", before, after)
		}
	})
}

func TestALimitOfCallsAtOnce(t *testing.T) {
	p := &plant{prepare: func(_ int, f *fake) {
		f.quote = func(ctx context.Context, _ int) error { time.Sleep(3 * time.Second); return nil }
	}}
	one := acct("a", func(a *config.Account) { a.Concurrency = 1 })
	inBubble(t, p, nil, []*config.Account{one}, func(t *testing.T, h *Host) {
		ready(t, h)
		c := account(t, h, "a")
		first := make(chan *carrier.Error, 1)
		go func() { _, err := service(t, t.Context(), c); first <- err }()
		synctest.Wait()
		began := wall.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		_, err := service(t, ctx, c)
		if err == nil || err.Code != carrier.TooBusy || err.Effect != carrier.EffectNone || err.Retry != carrier.RetryAfter || err.RetryAfter <= 0 {
			t.Errorf("beside the one call allowed: %+v", err)
		}
		if waited := wall.Now().Sub(began); waited != 2*time.Second {
			t.Errorf("waited %v, want half of the deadline", waited)
		}
		if _, err := service(t, t.Context(), c); err != nil { // its deadline leaves time to wait
			t.Errorf("a call that can wait: %v", err)
		}
		if err := <-first; err != nil {
			t.Errorf("first call: %v", err)
		}
	})
}

func TestACallEndsByItsDeadline(t *testing.T) {
	p := &plant{prepare: func(_ int, f *fake) {
		f.quote = func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return &carrier.Error{Source: carrier.SourceNetwork, Effect: carrier.EffectUnknown, Code: carrier.OutcomeUnknown}
		}
	}}
	own := acct("a", func(a *config.Account) { a.QuoteTimeout = 3 * time.Second })
	inBubble(t, p, nil, []*config.Account{own, acct("b")}, func(t *testing.T, h *Host) {
		ready(t, h)
		for id, want := range map[string]time.Duration{"a": 3 * time.Second, "b": 8 * time.Second} {
			began := wall.Now()
			if _, err := service(t, context.Background(), account(t, h, id)); err == nil || err.Code != carrier.OutcomeUnknown {
				t.Errorf("%s: %v", id, err)
			}
			if took := wall.Now().Sub(began); took != want {
				t.Errorf("%s took %v, want %v", id, took, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := service(t, ctx, account(t, h, "a")); err == nil || err.Effect != carrier.EffectNone || err.Code != carrier.DeadlineExceeded {
			t.Errorf("a call of a caller who has left: %v", err)
		}
	})
}

func TestACallWaitsShortlyForAnAdapterThatIsStarting(t *testing.T) {
	p := &plant{fail: func(n int) error {
		if n < 4 {
			time.Sleep(time.Minute)
			return context.DeadlineExceeded
		}
		return nil
	}}
	inBubble(t, p, nil, []*config.Account{acct("a")}, func(t *testing.T, h *Host) {
		began := wall.Now()
		_, err := service(t, t.Context(), account(t, h, "a"))
		if err == nil || err.Code != carrier.AdapterUnavailable || err.Effect != carrier.EffectNone {
			t.Errorf("error = %v", err)
		}
		if waited := wall.Now().Sub(began); waited != 2*time.Second {
			t.Errorf("waited %v", waited)
		}
		await(t, h, Ready)
		if got, err := service(t, t.Context(), account(t, h, "a")); err != nil || got != "cfg-a" {
			t.Errorf("once it has started: %q, %v", got, err)
		}
	})
}

func TestTheFirstStartIsWaitedForAndNoOther(t *testing.T) {
	for name, fails := range map[string]bool{"it starts": false, "it fails": true} {
		t.Run(name, func(t *testing.T) {
			p := &plant{fail: func(n int) error {
				time.Sleep(5 * time.Second)
				if fails {
					return context.DeadlineExceeded
				}
				return nil
			}}
			inBubble(t, p, nil, []*config.Account{acct("a")}, func(t *testing.T, h *Host) {
				began := wall.Now()
				short, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if account(t, h, "a").Started(short) {
					t.Error("started after a second")
				}
				if !account(t, h, "a").Started(t.Context()) {
					t.Error("the wait was cut off")
				}
				if waited := wall.Now().Sub(began); waited != 5*time.Second {
					t.Errorf("waited %v", waited)
				}
				if opened := account(t, h, "a").session.Load() != nil; opened == fails {
					t.Errorf("the account is open: %v", opened)
				}
				time.Sleep(time.Second) // into the second start of the one that fails
				if !account(t, h, "a").Started(short) {
					t.Error("a later start is waited for")
				}
			})
		})
	}
}

func TestTheBreakerKeepsQuotesBackAndLetsCancelsThrough(t *testing.T) {
	var up atomic.Bool
	p := &plant{prepare: func(_ int, f *fake) {
		f.quote = func(context.Context, int) error {
			if !up.Load() {
				return &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Code: carrier.CarrierUnavailable}
			}
			return nil
		}
	}}
	inBubble(t, p, nil, []*config.Account{acct("a"), acct("b")}, func(t *testing.T, h *Host) {
		ready(t, h)
		c := account(t, h, "a")
		for range breakerFaults {
			if _, err := service(t, t.Context(), c); err == nil || err.Code != carrier.CarrierUnavailable {
				t.Fatalf("error = %v", err)
			}
		}
		_, err := service(t, t.Context(), c)
		if err == nil || err.Code != carrier.BreakerOpen || err.Effect != carrier.EffectNone || err.RetryAfter != breakerPause {
			t.Fatalf("after %d faults: %+v", breakerFaults, err)
		}
		if _, err := c.Cancel(t.Context(), carrier.CancelRequest{}); err != nil {
			t.Errorf("cancel: %v", err)
		}
		if _, err := service(t, t.Context(), account(t, h, "b")); err == nil || err.Code != carrier.CarrierUnavailable {
			t.Errorf("another account: %v", err)
		}
		if s := h.Status()[0].Accounts[0]; len(s.OpenBreakers) != 1 || s.OpenBreakers[0] != "quote" {
			t.Errorf("status = %+v", s)
		}
		up.Store(true)
		time.Sleep(breakerPause)
		if _, err := service(t, t.Context(), c); err != nil {
			t.Errorf("the probe: %v", err)
		}
		if s := h.Status()[0].Accounts[0]; len(s.OpenBreakers) != 0 {
			t.Errorf("status = %+v", s)
		}
	})
}

func TestAMendedConfigurationStartsWithClosedBreakers(t *testing.T) {
	p := &plant{prepare: func(_ int, f *fake) {
		f.quote = func(_ context.Context, n int) error {
			if n <= breakerFaults {
				return &carrier.Error{Source: carrier.SourceNetwork, Code: carrier.CarrierUnavailable}
			}
			return nil
		}
	}}
	inBubble(t, p, nil, []*config.Account{acct("a")}, func(t *testing.T, h *Host) {
		ready(t, h)
		for range breakerFaults {
			_, _ = service(t, t.Context(), account(t, h, "a"))
		}
		_ = h.Apply([]*config.Account{acct("a", func(a *config.Account) { a.Config = "mended" })})
		ready(t, h)
		if got, err := service(t, t.Context(), account(t, h, "a")); err != nil || got != "mended" {
			t.Errorf("quote = %q, %v", got, err)
		}
	})
}

// Who is woken before the session can be seen looks, sees none, and sleeps until somebody has another reason to wake it.
func TestWhoWaitsForAnAccountIsWokenOnceItIsOpen(t *testing.T) {
	inBubble(t, &plant{}, nil, []*config.Account{acct("a")}, func(t *testing.T, h *Host) {
		ready(t, h)
		began := wall.Now()
		for n := range 5_000 {
			if err := h.Apply([]*config.Account{acct("a", func(a *config.Account) { a.Config = config.Secret(strconv.Itoa(n)) })}); err != nil {
				t.Fatal(err)
			}
			ready(t, h)
		}
		if waited := wall.Now().Sub(began); waited != 0 {
			t.Errorf("waited %v for accounts that open at once", waited)
		}
	})
}

func TestMetricsTellCallsAndDeaths(t *testing.T) {
	p := &plant{prepare: func(_ int, f *fake) {
		f.quote = func(_ context.Context, n int) error {
			if n == 2 {
				return &carrier.Error{Source: carrier.SourceCaller, Code: carrier.InvalidField}
			}
			return nil
		}
	}}
	reg := prometheus.NewRegistry()
	inBubble(t, p, func(c *Config) { c.Registerer = reg }, []*config.Account{acct("a"), acct("b")}, func(t *testing.T, h *Host) {
		ready(t, h)
		for range 3 {
			_, _ = service(t, t.Context(), account(t, h, "a"))
		}
		p.last().die(CauseMemory)
		synctest.Wait()
		for name, want := range map[string]float64{
			`waybill_carrier_calls_total account=a carrier=hello code=ok op=quote tenant=shop`:            2,
			`waybill_carrier_calls_total account=a carrier=hello code=INVALID_FIELD op=quote tenant=shop`: 1,
			`waybill_carrier_call_seconds account=a carrier=hello op=quote tenant=shop`:                   3,
			`waybill_carrier_calls_in_flight account=a carrier=hello tenant=shop`:                         0,
			`waybill_adapter_deaths_total carrier=hello cause=memory`:                                     1,
			`waybill_adapter_restarts_total carrier=hello`:                                                1,
			`waybill_adapter_up carrier=hello`:                                                            1,
		} {
			if got, ok := gather(t, reg)[name]; !ok || got != want {
				t.Errorf("%s = %v (there: %v), want %v", name, got, ok, want)
			}
		}
		_ = h.Apply([]*config.Account{acct("b")})
		synctest.Wait()
		if _, ok := gather(t, reg)[`waybill_carrier_calls_in_flight account=a carrier=hello tenant=shop`]; ok {
			t.Error("the series of a removed account are still there")
		}
	})
	if _, err := New(Config{Dir: "x", Clock: wall, Source: newHost(t, p, nil).cfg.Source, Registerer: reg}); err == nil {
		t.Error("a registry that has the metrics already: no error")
	}
}

// gather flattens a registry: name and labels to value, for histograms the count.
func gather(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			switch {
			case m.GetHistogram() != nil:
				out[name] = float64(m.GetHistogram().GetSampleCount())
			case m.GetCounter() != nil:
				out[name] = m.GetCounter().GetValue()
			default:
				out[name] = m.GetGauge().GetValue()
			}
		}
	}
	return out
}

func BenchmarkCall(b *testing.B) {
	h := newHost(b, &plant{}, nil)
	if err := h.Apply([]*config.Account{acct("a")}); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	ready(b, h)
	limited, stop := context.WithTimeout(b.Context(), time.Hour)
	defer stop()
	c := account(b, h, "a")
	direct := c.session.Load().remote
	r := carrier.QuoteRequest{}
	b.Run("direct", func(b *testing.B) {
		for b.Loop() {
			_, _ = direct.Quote(limited, r)
		}
	})
	b.Run("host", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Quote(limited, r); err != nil {
				b.Fatal(err)
			}
		}
	})
	cancel()
	<-ended
}
