package carrierhost

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

func TestKillingAnAdapterCostsOnlyTheCallsInFlight(t *testing.T) {
	dir := install(t, "hello")
	arrived, open := filepath.Join(dir, "arrived"), filepath.Join(dir, "open")
	if err := unix.Mkfifo(arrived, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(arrived, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	h := runHost(t, dir, func(c *Config) { c.AutoMTLS = true }, nil,
		scriptOf("a", "hello", fmt.Sprintf(`{"do":"hold","arrived":%q,"open":%q}`, arrived, open)), scriptOf("b", "hello", `{}`))
	ready(t, h)
	pid := h.Status()[0].PID
	const calls = 200
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	errs := make([]error, calls)
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() {
			if i%2 == 0 {
				_, errs[i] = account(t, h, "a").Book(ctx, carrier.BookRequest{})
			} else {
				_, errs[i] = account(t, h, "a").Quote(ctx, carrier.QuoteRequest{})
			}
		})
	}
	if _, err := io.ReadFull(pipe, make([]byte, calls)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(open, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	began := wall.Now()
	if _, err := account(t, h, "b").Quote(ctx, carrier.QuoteRequest{}); err != nil {
		t.Errorf("a new call right after the death: %v", err)
	}
	t.Logf("the first answer after the death came in %v", wall.Now().Sub(began))
	wg.Wait()
	if ctx.Err() != nil {
		t.Error("calls in flight ended only by their deadline")
	}
	for i, err := range errs {
		if i%2 == 1 {
			if err != nil { // a question is asked again
				t.Errorf("quote %d: %v", i, err)
			}
			continue
		}
		if e := carrier.AsError(err); err == nil || e.Code != carrier.AdapterDied || e.Effect != carrier.EffectUnknown {
			t.Errorf("booking %d: %v", i, err)
		}
	}
	s := await(t, h, Ready) // who called has opened the accounts before the supervisor has
	if s.PID == pid || s.Restarts != 1 || s.LastDeath.Cause != CauseSignal || s.LastDeath.Signal != "killed" {
		t.Errorf("status = %+v, death %+v", s, s.LastDeath)
	}
	for _, id := range []string{"a", "b"} {
		if _, err := account(t, h, id).Book(ctx, carrier.BookRequest{}); err != nil || account(t, h, id).Down() {
			t.Errorf("booking at %s after the restart: %v, down %v", id, err, account(t, h, id).Down())
		}
	}
}

func TestStartsThatFailAreQuarantinedWithTheirCause(t *testing.T) {
	bad := []struct {
		name   string
		cause  Cause
		detail string
	}{
		{"crash", CauseStart, "cannot find my own head"},
		{"handshake", CauseStart, ""},
		{"garbage", CauseStart, "Welcome to libfoo"},
		{"misnamed", CauseWrongName, `"other"`},
		{"locked", CauseChecksum, "accept it with: waybill plugin lock --plugins "},
		{"absent", CauseMissing, "no such file"},
		{"text", CauseMissing, "not executable"},
	}
	dir := install(t, "crash", "handshake", "garbage", "misnamed", "locked")
	if err := os.WriteFile(filepath.Join(dir, Prefix+"text"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	var accounts []*config.Account
	for _, b := range bad {
		accounts = append(accounts, scriptOf(b.name, b.name, `{}`))
	}
	h := runHost(t, dir, func(c *Config) {
		c.Quarantine = config.Quarantine{Deaths: 2, Within: time.Minute, Probe: time.Hour}
		c.Lock = lockOf(t, dir, "crash", "handshake", "garbage", "misnamed", "text", "absent")
		c.Lock.Adapters = append(c.Lock.Adapters, LockedAdapter{Name: "locked", SHA256: strings.Repeat("0", 64)})
	}, nil, accounts...)
	ready(t, h)
	for _, s := range h.Status() {
		for _, b := range bad {
			if s.Name != b.name {
				continue
			}
			if s.State != Quarantined || s.LastDeath == nil || s.LastDeath.Cause != b.cause || !strings.Contains(s.LastDeath.Detail, b.detail) {
				t.Errorf("%s: %s, death %+v", s.Name, s.State, s.LastDeath)
			}
			if !account(t, h, s.Name).Down() || !s.Accounts[0].Down {
				t.Errorf("%s is not said to be out of order", s.Name)
			}
			_, err := account(t, h, s.Name).Book(t.Context(), carrier.BookRequest{})
			if e := carrier.AsError(err); err == nil || e.Code != carrier.AdapterUnavailable || e.Effect != carrier.EffectNone || e.RetryAfter < time.Minute {
				t.Errorf("a call to %s: %v", s.Name, err)
			}
		}
	}
}

func TestAStartThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	h := runHost(t, install(t, "hang"), func(c *Config) {
		c.Quarantine = config.Quarantine{Deaths: 2, Within: time.Minute, Probe: time.Hour}
		c.StartTimeout = 200 * time.Millisecond
	}, nil, scriptOf("a", "hang", `{}`))
	ready(t, h)
	if s := h.Status()[0]; s.State != Quarantined || s.LastDeath.Cause != CauseStartTimeout {
		t.Errorf("%s, death %+v", s.State, s.LastDeath)
	}
}

func TestDeathsInTheMiddleOfACall(t *testing.T) {
	h := runHost(t, install(t, "hello"), nil, nil,
		scriptOf("panic", "hello", `{"do":"panic"}`), scriptOf("die", "hello", `{"do":"die"}`), scriptOf("crash", "hello", `{"do":"crash"}`),
		scriptOf("refuse", "hello", `{"do":"refuse"}`), scriptOf("good", "hello", `{}`))
	ready(t, h)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, c := range []struct {
		id     string
		code   carrier.Code
		effect carrier.Effect
		cause  Cause
		detail string
	}{
		{"panic", carrier.AdapterPanic, carrier.EffectUnknown, "", ""},
		{"refuse", carrier.ConfigInvalid, carrier.EffectNone, "", ""},
		{"die", carrier.AdapterDied, carrier.EffectUnknown, CauseExit, "7"},
		{"crash", carrier.AdapterDied, carrier.EffectUnknown, CauseExit, "panic: outside of any call"},
	} {
		_, err := account(t, h, c.id).Book(ctx, carrier.BookRequest{})
		if e := carrier.AsError(err); err == nil || e.Code != c.code || e.Effect != c.effect {
			t.Errorf("%s: %v", c.id, err)
		}
		if _, err := account(t, h, "good").Book(ctx, carrier.BookRequest{}); err != nil {
			t.Errorf("another account after %s: %v", c.id, err)
		}
		s := h.Status()[0]
		if c.cause != "" && (s.LastDeath == nil || s.LastDeath.Cause != c.cause || !strings.Contains(s.LastDeath.Detail, c.detail)) {
			t.Errorf("%s: death %+v", c.id, s.LastDeath)
		}
	}
}

func TestAStoppedProcessIsKilledAndReplaced(t *testing.T) {
	t.Parallel()
	h := runHost(t, install(t, "hello"), nil, func(x *timing) {
		x.healthEvery, x.healthWithin = 50*time.Millisecond, time.Second // a process that is only slow answers in time
	},
		scriptOf("a", "hello", `{}`))
	ready(t, h)
	pid := h.Status()[0].PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Wait4(pid, nil, unix.WUNTRACED, nil); err != nil { // until all its threads stand
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := account(t, h, "a").Quote(ctx, carrier.QuoteRequest{}); err != nil || ctx.Err() != nil {
		t.Errorf("a question to a wedged process is asked again of the next one: %v", err)
	}
	if s := await(t, h, Ready); s.PID == pid || s.LastDeath == nil || s.LastDeath.Cause != CauseWedged {
		t.Errorf("status = %+v, death %+v", s, s.LastDeath)
	}
}

func TestTraceAndEngineTimePassThrough(t *testing.T) {
	virtual := clock.NewManual(start)
	h := runHost(t, install(t, "hello"), func(c *Config) { c.Clock = virtual }, nil, scriptOf("a", "hello", `{}`))
	ready(t, h)
	ctx, trace := carrier.WithTrace(t.Context())
	answer, err := account(t, h, "a").Quote(ctx, carrier.QuoteRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(answer.Quotes[0].Token); got != start.Format(time.RFC3339) {
		t.Errorf("the adapter was told that it is %s, want %s", got, start)
	}
	if xs, _ := trace.Exchanges(); len(xs) != 1 || xs[0].Status != 200 {
		t.Errorf("exchanges = %+v", xs)
	}
	_, err = account(t, h, "a").Cancel(ctx, carrier.CancelRequest{})
	if e := carrier.AsError(err); err == nil || e.Code != carrier.Unsupported || e.Effect != carrier.EffectNone {
		t.Errorf("an ability that the adapter lacks: %v", err)
	}
}

func TestAdaptersEndWithAnEngineThatIsKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	engine := exec.Command(self)
	engine.Env = append(os.Environ(), childDir+"="+install(t, "hello"))
	out, err := engine.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pid, bad := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || bad != nil || pid == 0 {
		t.Fatalf("the engine says %q: %v", line, err)
	}
	adapter, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(adapter)
	if err := engine.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = engine.Wait() // killed
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(adapter), Events: unix.POLLIN}}, 60_000); err != nil || n != 1 {
		t.Errorf("the adapter lives on a minute after its engine was killed: %v", err)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func TestManifestsOfAFolder(t *testing.T) {
	dir := install(t, "hello", "crash", "misnamed")
	if err := os.WriteFile(filepath.Join(dir, "README.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := Manifests(t.Context(), dir, nil, nil)
	if err != nil || len(found) != 3 {
		t.Fatalf("found %+v, %v", found, err)
	}
	if d := found[0]; d.Name != "crash" || d.Err == nil || !strings.Contains(d.Err.Error(), "own head") {
		t.Errorf("crash: %+v", d)
	}
	if d := found[1]; d.Err != nil || d.Manifest.Version != "0.1.0" || !d.Manifest.Has(carrier.CanBook) || d.Manifest.Has(carrier.CanCancel) {
		t.Errorf("hello: %+v", d)
	}
	if d := found[2]; d.Err == nil {
		t.Errorf("misnamed: %+v", d)
	}
	if _, err := Manifests(t.Context(), filepath.Join(dir, "none"), nil, nil); err == nil {
		t.Error("a folder that does not exist: no error")
	}
}
