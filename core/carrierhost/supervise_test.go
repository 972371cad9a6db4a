package carrierhost

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

func TestMain(m *testing.M) {
	if mode, ok := childMode(); ok {
		runChild(mode)
		return
	}
	goleak.VerifyTestMain(m)
}

func TestADeadAdapterIsBackAtOnceWithItsAccounts(t *testing.T) {
	p := &plant{}
	inBubble(t, p, nil, []*config.Account{acct("a"), acct("b")}, func(t *testing.T, h *Host) {
		ready(t, h)
		began := wall.Now()
		p.last().die(CauseSignal)
		for _, id := range []string{"a", "b"} {
			if got, err := service(t, t.Context(), account(t, h, id)); err != nil || got != "cfg-"+id {
				t.Errorf("quote of %s after the death = %q, %v", id, got, err)
			}
		}
		if waited := wall.Now().Sub(began); waited != 0 {
			t.Errorf("the first restart came after %v, want at once", waited)
		}
		ready(t, h)
		s := h.Status()[0]
		if s.State != Ready || s.Restarts != 1 || s.LastDeath.Cause != CauseSignal || s.PID != 101 || s.Version != "1.2.3" {
			t.Errorf("status = %+v", s)
		}
		for _, a := range s.Accounts {
			if a.State != AccountOpen {
				t.Errorf("account %s is %s", a.ID, a.State)
			}
		}
	})
}

func TestAnAdapterThatKeepsDyingIsQuarantinedAndProbed(t *testing.T) {
	var well atomic.Bool
	p := &plant{prepare: func(_ int, f *fake) {
		if !well.Load() {
			go f.die(CauseExit)
		}
	}}
	inBubble(t, p, nil, []*config.Account{acct("a")}, func(t *testing.T, h *Host) {
		if s := await(t, h, Quarantined); len(p.starts()) != 5 || s.Restarts != 4 {
			t.Fatalf("after the fifth death: %s, %d starts, %d restarts", s.State, len(p.starts()), s.Restarts)
		}
		_, err := service(t, t.Context(), account(t, h, "a"))
		if err == nil || err.Code != carrier.AdapterUnavailable || err.Effect != carrier.EffectNone || err.RetryAfter != time.Minute {
			t.Fatalf("a call in quarantine: %+v", err)
		}
		if gap := p.starts()[1].Sub(p.starts()[0]); gap != 0 {
			t.Errorf("first restart after %v", gap)
		}
		// The probe dies too, and one death is enough.
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := h.Status()[0]; s.State != Quarantined || len(p.starts()) != 6 {
			t.Fatalf("after a failed probe: %s, %d starts", s.State, len(p.starts()))
		}
		well.Store(true)
		await(t, h, Ready)
		// It lived well for longer than the window, so a death is again a first one.
		time.Sleep(2 * time.Minute)
		p.last().die(CauseExit)
		if got, err := service(t, t.Context(), account(t, h, "a")); err != nil || got != "cfg-a" {
			t.Errorf("after a death out of quarantine: %q, %v", got, err)
		}
	})
}

func TestAProcessThatDoesNotAnswerIsKilledAfterThreeChecks(t *testing.T) {
	p := &plant{prepare: func(n int, f *fake) {
		if n == 0 {
			f.health = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		}
	}}
	inBubble(t, p, nil, []*config.Account{acct("a")}, func(t *testing.T, h *Host) {
		ready(t, h)
		first := p.last()
		time.Sleep(36*time.Second - 1) // three rounds of ten seconds and a check of two
		synctest.Wait()
		if first.stopped() != 0 {
			t.Fatal("killed before the third miss")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		s := h.Status()[0]
		if first.stopped() == 0 || s.State != Ready || s.LastDeath.Cause != CauseWedged || s.PID == first.pid {
			t.Fatalf("after the third miss: %d stops, %+v", first.stopped(), s)
		}
	})
}

func TestAMissedCheckIsForgivenByAnAnswer(t *testing.T) {
	var n atomic.Int64
	p := &plant{prepare: func(_ int, f *fake) {
		f.health = func(ctx context.Context) error {
			if n.Add(1)%3 == 0 {
				return nil
			}
			return errors.New("not now")
		}
	}}
	inBubble(t, p, nil, []*config.Account{acct("a")}, func(t *testing.T, h *Host) {
		time.Sleep(10 * time.Minute)
		if s := h.Status()[0]; s.Restarts != 0 || n.Load() < 50 {
			t.Errorf("%d restarts after %d checks", s.Restarts, n.Load())
		}
	})
}

func TestAProcessThatWasDoubtedWronglyGoesOn(t *testing.T) {
	p := &plant{prepare: func(_ int, f *fake) {
		f.quote = func(_ context.Context, n int) error {
			if n == 1 {
				return &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectUnknown, Code: carrier.AdapterDied}
			}
			return nil
		}
	}}
	inBubble(t, p, nil, []*config.Account{acct("a")}, func(t *testing.T, h *Host) {
		ready(t, h)
		if _, err := service(t, t.Context(), account(t, h, "a")); err == nil || err.Code != carrier.AdapterDied {
			t.Errorf("error = %v", err)
		}
		if got, err := service(t, t.Context(), account(t, h, "a")); err != nil || got != "cfg-a" {
			t.Errorf("quote = %q, %v", got, err)
		}
		if s := h.Status()[0]; s.Restarts != 0 || len(p.starts()) != 1 {
			t.Errorf("status = %+v", s)
		}
	})
}

func TestADoubtedProcessThatDoesNotAnswerIsReplacedSooner(t *testing.T) {
	p := &plant{prepare: func(n int, f *fake) {
		if n == 0 {
			f.health = func(context.Context) error { return errors.New("no connection") }
			f.quote = func(context.Context, int) error {
				return &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectUnknown, Code: carrier.AdapterDied}
			}
		}
	}}
	inBubble(t, p, nil, []*config.Account{acct("a")}, func(t *testing.T, h *Host) {
		ready(t, h)
		began := wall.Now()
		_, _ = service(t, t.Context(), account(t, h, "a"))
		for h.Status()[0].Restarts == 0 {
			<-h.snapshot()[0].moved.wait()
		}
		if took := wall.Now().Sub(began); took != 4*time.Second {
			t.Errorf("replaced after %v, want three checks two seconds apart", took)
		}
		if got, err := service(t, t.Context(), account(t, h, "a")); err != nil || got != "cfg-a" {
			t.Errorf("quote = %q, %v", got, err)
		}
	})
}

func TestStoppingWaitsForCallsInFlight(t *testing.T) {
	p := &plant{prepare: func(_ int, f *fake) {
		f.quote = func(ctx context.Context, _ int) error { time.Sleep(5 * time.Second); return nil }
	}}
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, p, nil)
		if err := h.Apply([]*config.Account{acct("a")}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.Run(ctx) }()
		ready(t, h)
		c := account(t, h, "a")
		answered := make(chan *carrier.Error, 1)
		go func() { _, err := service(t, t.Context(), c); answered <- err }()
		synctest.Wait()
		began := wall.Now()
		cancel()
		synctest.Wait()
		if s := h.Status()[0]; s.State != Draining || s.Accounts[0].InFlight != 1 {
			t.Errorf("while stopping: %s, %+v", s.State, s.Accounts)
		}
		if _, err := service(t, t.Context(), c); err == nil || err.Code != carrier.AdapterUnavailable || err.Effect != carrier.EffectNone {
			t.Errorf("a new call while stopping: %v", err)
		}
		if err := <-ended; err != nil || wall.Now().Sub(began) != 5*time.Second {
			t.Errorf("Run ended with %v after %v", err, wall.Now().Sub(began))
		}
		if err := <-answered; err != nil {
			t.Errorf("the call in flight: %v", err)
		}
		if p.last().stopped() != 1 {
			t.Error("the process was not stopped")
		}
		if err := h.Apply(nil); err == nil {
			t.Error("Apply after the end: no error")
		}
		if err := h.Run(t.Context()); err == nil {
			t.Error("a second Run: no error")
		}
	})
}

func TestStoppingCutsOffCallsThatTakeTooLong(t *testing.T) {
	p := &plant{prepare: func(_ int, f *fake) {
		f.quote = func(ctx context.Context, _ int) error {
			<-f.done
			return &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectUnknown, Code: carrier.AdapterDied}
		}
	}}
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, p, func(c *Config) { c.Drain = 3 * time.Second })
		if err := h.Apply([]*config.Account{acct("a", func(a *config.Account) { a.QuoteTimeout = time.Hour })}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.Run(ctx) }()
		ready(t, h)
		c := account(t, h, "a")
		answered := make(chan *carrier.Error, 1)
		go func() { _, err := service(t, t.Context(), c); answered <- err }()
		synctest.Wait()
		began := wall.Now()
		cancel()
		<-ended
		if took := wall.Now().Sub(began); took != 3*time.Second {
			t.Errorf("stopped after %v, want the limit of the drain", took)
		}
		if err := <-answered; err == nil || err.Code != carrier.AdapterDied || err.Effect != carrier.EffectUnknown {
			t.Errorf("the call that was cut off: %v", err)
		}
	})
}

func TestApplyOpensChangesAndCloses(t *testing.T) {
	release := make(chan struct{})
	var slow atomic.Bool
	p := &plant{prepare: func(_ int, f *fake) {
		f.quote = func(context.Context, int) error {
			if slow.Load() {
				<-release
			}
			return nil
		}
	}}
	graced := func() *config.Account { return acct("b", func(a *config.Account) { a.Grace = new(time.Minute) }) }
	inBubble(t, p, nil, []*config.Account{acct("a"), graced()}, func(t *testing.T, h *Host) {
		release = make(chan struct{})
		ready(t, h)
		a := account(t, h, "a")
		changed := acct("a", func(a *config.Account) { a.Config = "new" })
		if err := h.Apply([]*config.Account{changed, graced(), acct("c")}); err != nil {
			t.Fatal(err)
		}
		ready(t, h)
		for id, want := range map[string]string{"a": "new", "b": "cfg-b", "c": "cfg-c"} {
			if got, err := service(t, t.Context(), account(t, h, id)); err != nil || got != want {
				t.Errorf("%s answers %q, %v; want %q", id, got, err, want)
			}
		}
		if account(t, h, "a") != a {
			t.Error("a changed account is another one")
		}
		if opens, _, _ := p.last().counts(); opens != 4 {
			t.Errorf("%d openings, want one for each new or changed account", opens)
		}
		slow.Store(true)
		answered := make(chan *carrier.Error, 1)
		go func() { _, err := service(t, t.Context(), a); answered <- err }()
		synctest.Wait()
		if err := h.Apply([]*config.Account{graced()}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, ok := h.Account("shop", "a"); ok {
			t.Error("the removed account is still there")
		}
		if _, err := service(t, t.Context(), a); err == nil || err.Code != carrier.AccountNotOpen {
			t.Errorf("a call to a removed account: %v", err)
		}
		if _, _, closed := p.last().counts(); !slices.Equal(closed, []string{"shop/c"}) {
			t.Errorf("closed %v while a call to a is in flight", closed)
		}
		close(release)
		if err := <-answered; err != nil {
			t.Errorf("the call in flight at a removed account: %v", err)
		}
		synctest.Wait()
		if _, _, closed := p.last().counts(); !slices.Equal(closed, []string{"shop/c", "shop/a"}) {
			t.Errorf("closed %v", closed)
		}
		if err := h.Apply(nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(h.Status()) != 0 || p.last().stopped() != 1 {
			t.Errorf("an adapter that nobody needs: %+v, %d stops", h.Status(), p.last().stopped())
		}
	})
}

func TestAnAccountThatComesBackWhileItLeavesStaysOpen(t *testing.T) {
	var release chan struct{}
	p := &plant{prepare: func(_ int, f *fake) {
		f.quote = func(_ context.Context, n int) error {
			if n == 1 {
				<-release
			}
			return nil
		}
	}}
	graced := func() *config.Account { return acct("b", func(a *config.Account) { a.Grace = new(time.Minute) }) }
	inBubble(t, p, nil, []*config.Account{acct("a"), graced()}, func(t *testing.T, h *Host) {
		release = make(chan struct{})
		ready(t, h)
		a := account(t, h, "a")
		answered := make(chan *carrier.Error, 1)
		go func() { _, err := service(t, t.Context(), a); answered <- err }()
		synctest.Wait()
		_ = h.Apply([]*config.Account{acct("b")})
		synctest.Wait()
		_ = h.Apply([]*config.Account{acct("a"), acct("b")})
		close(release)
		<-answered
		synctest.Wait()
		if got, err := service(t, t.Context(), account(t, h, "a")); err != nil || got != "cfg-a" {
			t.Errorf("the account that came back: %q, %v", got, err)
		}
		if _, _, closed := p.last().counts(); len(closed) != 0 {
			t.Errorf("closed %v", closed)
		}
	})
}

func TestARefusedConfigurationIsStateAndTypedError(t *testing.T) {
	p := &plant{prepare: func(_ int, f *fake) {
		f.refuse = func(_, cfg string) error {
			if strings.Contains(cfg, "bad") {
				return &carrier.Error{Source: carrier.SourceConfig, Effect: carrier.EffectUnknown, Code: carrier.ConfigInvalid, Field: "api_key"}
			}
			return nil
		}
	}}
	bad := acct("a", func(a *config.Account) { a.Config = "bad" })
	inBubble(t, p, nil, []*config.Account{bad, acct("b")}, func(t *testing.T, h *Host) {
		ready(t, h)
		for range 3 {
			_, err := service(t, t.Context(), account(t, h, "a"))
			if err == nil || err.Code != carrier.ConfigInvalid || err.Field != "api_key" || err.Effect != carrier.EffectNone {
				t.Fatalf("a call to the refused account: %+v", err)
			}
		}
		if opens, _, _ := p.last().counts(); opens != 2 {
			t.Errorf("%d openings: a refused configuration is not tried again", opens)
		}
		s := h.Status()[0].Accounts
		if s[0].State != AccountRefused || s[0].Problem.Field != "api_key" || s[1].State != AccountOpen {
			t.Errorf("accounts = %+v", s)
		}
		// A good account whose new configuration is refused does not go on with the old one.
		_ = h.Apply([]*config.Account{acct("a"), acct("b", func(a *config.Account) { a.Config = "bad too" })})
		ready(t, h)
		if got, err := service(t, t.Context(), account(t, h, "a")); err != nil || got != "cfg-a" {
			t.Errorf("the mended account: %q, %v", got, err)
		}
		if _, err := service(t, t.Context(), account(t, h, "b")); err == nil || err.Code != carrier.ConfigInvalid {
			t.Errorf("the spoilt account: %v", err)
		}
	})
}

func TestAMissingBinaryIsGivenUpAtOnceAndFoundLater(t *testing.T) {
	var there atomic.Bool
	p := &plant{fail: func(int) error {
		if !there.Load() {
			return errMissing
		}
		return nil
	}}
	inBubble(t, p, nil, []*config.Account{acct("a")}, func(t *testing.T, h *Host) {
		ready(t, h)
		s := h.Status()[0]
		if s.State != Quarantined || s.LastDeath.Cause != CauseMissing || len(p.starts()) != 1 || s.Accounts[0].State != AccountOpening {
			t.Fatalf("status = %+v after %d starts", s, len(p.starts()))
		}
		if _, ok := account(t, h, "a").Manifest(); ok {
			t.Error("a manifest of an adapter that never started")
		}
		there.Store(true)
		await(t, h, Ready)
		if got, err := service(t, t.Context(), account(t, h, "a")); err != nil || got != "cfg-a" {
			t.Errorf("once the binary is there: %q, %v", got, err)
		}
		if m, ok := account(t, h, "a").Manifest(); !ok || m.Version != "1.2.3" {
			t.Errorf("manifest = %+v, %v", m, ok)
		}
	})
}

func TestABinaryOfAnotherAdapterIsRefused(t *testing.T) {
	p := &plant{prepare: func(_ int, f *fake) { f.name = "other" }}
	inBubble(t, p, nil, []*config.Account{acct("a")}, func(t *testing.T, h *Host) {
		ready(t, h)
		if s := h.Status()[0]; s.State != Quarantined || s.LastDeath.Cause != CauseWrongName || p.last().stopped() != 1 {
			t.Errorf("status = %+v, %d stops", s, p.last().stopped())
		}
	})
}

func TestReadyNamesWhatIsStillOnItsWay(t *testing.T) {
	p := &plant{prepare: func(_ int, f *fake) { f.refuse = func(string, string) error { time.Sleep(time.Minute); return nil } }}
	inBubble(t, p, nil, []*config.Account{acct("a")}, func(t *testing.T, h *Host) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "hello") {
			t.Errorf("Ready = %v", err)
		}
	})
}

func TestApplyNamesEveryFaultAndChangesNothing(t *testing.T) {
	h := newHost(t, &plant{}, nil)
	if err := h.Apply([]*config.Account{acct("a")}); err != nil {
		t.Fatal(err)
	}
	err := h.Apply([]*config.Account{
		acct("b"), acct("b"), nil, acct(""), acct("c", func(a *config.Account) { a.Adapter = "../sh" }),
	})
	for _, want := range []string{"accounts[1]: shop/b is there twice", "accounts[2] is nil", "accounts[3] lacks", `"../sh"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
	if _, ok := h.Account("shop", "b"); ok {
		t.Error("a faulty list was applied")
	}
	if _, ok := h.Account("shop", "a"); !ok {
		t.Error("a faulty list removed an account")
	}
}

func TestNewNamesEveryFault(t *testing.T) {
	_, err := New(Config{StartTimeout: -1})
	for _, want := range []string{"Dir", "Clock", "Source", "negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
}
