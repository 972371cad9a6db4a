package plugin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/plugin"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestMain lets the test binary be an adapter: started under the name of one, by a link, it is that one.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "adapter":
		plugin.Serve(sample())
	case "banner":
		fmt.Println("libfoo 1.2 ready")
		plugin.Serve(sample())
	case "crash":
		fmt.Fprintln(os.Stderr, "cannot open /etc/carrier.conf")
		os.Exit(3)
	case "mute":
		time.Sleep(time.Hour) // without cgo, Go ends a program in which nothing can ever happen
	case "floor":
		serveFloor(os.Args[1])
	case "host": // dials an adapter and waits to be killed
		p, err := plugin.Dial(context.Background(), plugin.DialConfig{Path: os.Args[1], RunDir: os.Args[2]})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(p.PID())
		select {}
	}
	goleak.VerifyTestMain(releasing{m}, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		// go-plugin's broker waits five seconds for connections that nobody asked for.
		goleak.IgnoreAnyFunction("github.com/hashicorp/go-plugin.(*GRPCBroker).timeoutWait"))
}

// released ends the calls of the test that obey no deadline.
var released = make(chan struct{})

type releasing struct{ *testing.M }

func (r releasing) Run() int {
	defer close(released)
	return r.M.Run()
}

type config struct {
	BaseURL string         `json:"base_url,omitempty"`
	Key     carrier.Secret `json:"key"`
}

// account does what the order says: its instructions name the behaviour.
type account struct {
	env carrier.Env
	cfg config
}

func sample() carrier.Adapter[config, *account] {
	return carrier.Adapter[config, *account]{
		Name: "sample", DisplayName: "Sample", Version: "1.2.3", Idempotency: carrier.Native, Absence: carrier.Proven, Grace: time.Second,
		Services: []carrier.Service{{ID: "ground", Code: "03", Name: "Ground", Mode: "ground"}}, LabelFormats: []shipping.LabelFormat{shipping.ZPL},
		Open: func(ctx context.Context, cfg config, env carrier.Env) (*account, error) {
			if cfg.Key.Reveal() == "network" {
				r, _ := http.NewRequest(http.MethodGet, cfg.BaseURL, nil)
				_, err := carrier.Do(ctx, env, r)
				return nil, err
			}
			return &account{env: env, cfg: cfg}, nil
		},
	}
}

func (a *account) Quote(ctx context.Context, r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
	if err := a.behave(ctx, r.Delivery.Instructions); err != nil {
		return carrier.QuoteAnswer{}, err
	}
	return carrier.QuoteAnswer{Quotes: []shipping.Quote{{ServiceID: "ground", ServiceType: "Ground", Amount: shipping.Money{Minor: 1034, Currency: "USD"},
		Expires: shipping.At(a.env.Now(ctx))}}}, nil
}

func (a *account) Book(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	if err := a.behave(ctx, r.Delivery.Instructions); err != nil {
		return carrier.Booking{}, err
	}
	b := carrier.Booking{Reference: r.Reference, TrackingID: "1Z", Amount: r.Quoted}
	for i, p := range r.Parcels {
		b.Parcels = append(b.Parcels, carrier.BookedParcel{Number: fmt.Sprint("1Z", i), Label: &shipping.Label{Format: shipping.ZPL, Data: bytes.Repeat([]byte{byte('a' + i)}, p.ItemQuantity)}})
	}
	return b, nil
}

func (a *account) behave(ctx context.Context, how string) error {
	switch how {
	case "panic":
		panic("on purpose")
	case "exit":
		os.Exit(7)
	case "hang":
		<-ctx.Done()
		return ctx.Err()
	case "deaf":
		<-released
	case "plain":
		return errors.New("no class")
	case "typed":
		return &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Retry: carrier.RetryAfter, Code: carrier.CarrierRateLimited, RetryAfter: time.Minute, CarrierCode: "R9"}
	case "print":
		fmt.Println("printed on stdout")
		a.env.Log().Info("told the log", "answer", 42)
	case "env":
		return &carrier.Error{Effect: carrier.EffectNone, Code: carrier.CarrierRejected, Message: strings.Join(os.Environ(), "\n")}
	case "call":
		r, err := http.NewRequest(http.MethodPost, a.cfg.BaseURL, strings.NewReader(`{"key":"`+a.cfg.Key.Reveal()+`"}`))
		if err != nil {
			return err
		}
		_, err = carrier.Do(ctx, a.env, r)
		return err
	}
	return nil
}

// link gives the test binary the name of an adapter.
func link(t testing.TB, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// patience bounds what has no reason to take long. It only ends what would never end: on a busy machine everything takes long.
const patience = 2 * time.Minute

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// both runs a test against an adapter in a process of its own and against one in this program.
func both(t *testing.T, f func(t *testing.T, p *plugin.Process)) {
	t.Run("process", func(t *testing.T) {
		t.Parallel()
		f(t, dial(t, plugin.DialConfig{}))
	})
	t.Run("loopback", func(t *testing.T) {
		t.Parallel()
		p, err := plugin.Loopback(within(t, patience), sample(), plugin.LoopbackConfig{})
		if err != nil {
			t.Fatal(err)
		}
		stopAtEnd(t, p)
		f(t, p)
	})
}

func dial(t testing.TB, c plugin.DialConfig) *plugin.Process {
	t.Helper()
	if c.Path == "" {
		c.Path = link(t, "adapter")
	}
	c.StartTimeout = patience
	p, err := plugin.Dial(within(t, patience), c)
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, p)
	return p
}

func stopAtEnd(t testing.TB, p *plugin.Process) {
	t.Cleanup(func() {
		if err := p.Stop(within(t, patience)); err != nil {
			t.Error(err)
		}
	})
}

func open(t testing.TB, p *plugin.Process, baseURL string) *plugin.Account {
	t.Helper()
	a, err := p.Open(within(t, patience), plugin.OpenRequest{AccountID: "main", Config: fmt.Appendf(nil, `{"key":"s3cret-key","base_url":%q}`, baseURL)})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func order(how string) carrier.Consignment {
	return carrier.Consignment{Reference: "ref", Delivery: carrier.Stop{Instructions: how}, Parcels: []shipping.Parcel{{ItemQuantity: 100}}}
}

func typed(t *testing.T, err error) *carrier.Error {
	t.Helper()
	e, ok := errors.AsType[*carrier.Error](err)
	if !ok {
		t.Fatalf("error is %T (%v), want *carrier.Error", err, err)
	}
	return e
}

func TestManifestCrosses(t *testing.T) {
	both(t, func(t *testing.T, p *plugin.Process) {
		m := p.Manifest()
		if m.Name != "sample" || m.Grace != time.Second || !m.Has(carrier.CanQuote) || !m.Has(carrier.CanBook) || m.Has(carrier.CanTrack) || !bytes.Contains(m.ConfigSchema, []byte("x-secret")) {
			t.Errorf("manifest %+v", m)
		}
		if err := p.Health(within(t, patience)); err != nil {
			t.Error(err)
		}
	})
}

func TestQuoteUsesTheEnginesClock(t *testing.T) {
	now := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	a := open(t, dial(t, plugin.DialConfig{Now: func() time.Time { return now }, AutoMTLS: true}), "")
	got, err := a.Quote(within(t, patience), carrier.QuoteRequest{Consignment: order("")})
	if err != nil {
		t.Fatal(err)
	}
	if q := got.Quotes[0]; q.Amount.Minor != 1034 || !q.Expires.Equal(now) {
		t.Errorf("quote %+v", q)
	}
}

func TestErrorsOfCalls(t *testing.T) {
	both(t, func(t *testing.T, p *plugin.Process) {
		a := open(t, p, "")
		for how, want := range map[string]struct {
			code   carrier.Code
			effect carrier.Effect
			quote  carrier.Effect
		}{
			"panic": {carrier.AdapterPanic, carrier.EffectUnknown, carrier.EffectNone},
			"hang":  {carrier.OutcomeUnknown, carrier.EffectUnknown, carrier.EffectNone},
			"deaf":  {carrier.OutcomeUnknown, carrier.EffectUnknown, carrier.EffectNone},
			"plain": {carrier.Internal, carrier.EffectUnknown, carrier.EffectNone},
			"typed": {carrier.CarrierRateLimited, carrier.EffectNone, carrier.EffectNone},
		} {
			t.Run(how, func(t *testing.T) {
				t.Parallel()
				d := patience
				if how == "hang" || how == "deaf" {
					d = time.Second // long enough to get to the adapter
				}
				_, err := a.Book(within(t, d), carrier.BookRequest{Consignment: order(how)})
				if e := typed(t, err); e.Code != want.code || e.Effect != want.effect {
					t.Errorf("book: %v, effect %s; want %s, %s", e, e.Effect, want.code, want.effect)
				}
				_, err = a.Quote(within(t, d), carrier.QuoteRequest{Consignment: order(how)})
				if e := typed(t, err); e.Effect != want.quote || e.Code == carrier.OutcomeUnknown {
					t.Errorf("quote: %v, effect %s; want %s", e, e.Effect, want.quote)
				}
			})
		}
		_, err := a.Track(within(t, patience), carrier.TrackRequest{})
		if e := typed(t, err); e.Code != carrier.Unsupported || e.Effect != carrier.EffectNone {
			t.Errorf("track: %v", e)
		}
		_, err = a.Quote(context.Background(), carrier.QuoteRequest{})
		if e := typed(t, err); e.Effect != carrier.EffectNone || !strings.Contains(e.Message, "deadline") {
			t.Errorf("without deadline: %v", e)
		}
	})
}

func TestAccounts(t *testing.T) {
	both(t, func(t *testing.T, p *plugin.Process) {
		ctx := within(t, patience)
		_, err := p.Open(ctx, plugin.OpenRequest{AccountID: "bad", Config: []byte(`{"key":"s3cret-key","colour":"red"}`)})
		if e := typed(t, err); e.Code != carrier.ConfigInvalid || e.Field != "colour" {
			t.Errorf("open with an unknown member: %v, field %q", e, e.Field)
		}
		_, err = p.Open(ctx, plugin.OpenRequest{AccountID: "bad", Config: []byte(`{"key":"network","base_url":"http://127.0.0.1:1"}`)})
		if e := typed(t, err); !strings.Contains(e.Message, "not part of a call") {
			t.Errorf("open that uses the network: %v", e)
		}
		a := open(t, p, "")
		if err := p.Close(ctx, "main"); err != nil {
			t.Fatal(err)
		}
		_, err = a.Quote(ctx, carrier.QuoteRequest{})
		if e := typed(t, err); e.Code != carrier.AccountNotOpen || e.Effect != carrier.EffectNone {
			t.Errorf("quote of a closed account: %v", e)
		}
		retired, err := p.Open(ctx, plugin.OpenRequest{AccountID: "main", Config: []byte(`{"key":"s3cret-key"}`), Retired: true})
		if err != nil {
			t.Fatal(err)
		}
		_, err = retired.Quote(ctx, carrier.QuoteRequest{Consignment: order("")})
		if e := typed(t, err); e.Code != carrier.AccountNotEnabled {
			t.Errorf("quote of a retired account: %v", e)
		}
		if _, err := retired.Book(ctx, carrier.BookRequest{Consignment: order("")}); err != nil {
			t.Errorf("an order under way cannot be booked with a retired account: %v", err)
		}
	})
}

func TestLabelsOfEverySize(t *testing.T) {
	both(t, func(t *testing.T, p *plugin.Process) {
		a := open(t, p, "")
		for _, sizes := range [][]int{{0}, {100}, {256 << 10}, {256<<10 + 1}, {100, 5 << 20, 1}} {
			c := order("")
			c.Parcels = nil
			for _, n := range sizes {
				c.Parcels = append(c.Parcels, shipping.Parcel{ItemQuantity: n})
			}
			b, err := a.Book(within(t, patience), carrier.BookRequest{Consignment: c})
			if err != nil {
				t.Fatal(err)
			}
			for i, n := range sizes {
				if l := b.Parcels[i].Label; l == nil || !bytes.Equal(l.Data, bytes.Repeat([]byte{byte('a' + i)}, n)) {
					t.Errorf("sizes %v: label %d did not arrive whole", sizes, i)
				}
			}
		}
		c := order("")
		c.Parcels = []shipping.Parcel{{ItemQuantity: 33 << 20}}
		b, err := a.Book(within(t, patience), carrier.BookRequest{Consignment: c})
		if err != nil || b.TrackingID != "1Z" || b.Parcels[0].Label != nil || len(b.Warnings) != 1 {
			t.Errorf("a label over the limit must cost the label only: %d warnings, error %v", len(b.Warnings), err)
		}
	})
}

func TestExchangesComeHomeWithAnswersAndErrors(t *testing.T) {
	both(t, func(t *testing.T, p *plugin.Process) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if r.URL.Path == "/hang" {
				<-r.Context().Done()
			}
			if r.URL.Path == "/cut" {
				w.Header().Set("Content-Length", "99999")
			}
			_, _ = w.Write(bytes.Repeat([]byte("word "), 10_000))
		}))
		defer s.Close()
		for path, wantErr := range map[string]bool{"/ok": false, "/hang": true, "/cut": true} {
			a := open(t, p, s.URL+path)
			d, tries := patience, 1
			if path == "/hang" { // long enough to get to the carrier; what a busy machine brings home too late comes another time
				d, tries = time.Second, 10
			}
			var xs []carrier.Exchange
			for ; tries > 0 && len(xs) == 0; tries-- {
				ctx, trace := carrier.WithTrace(within(t, d))
				_, err := a.Book(ctx, carrier.BookRequest{Consignment: order("call")})
				if (err != nil) != wantErr {
					t.Errorf("%s: error %v", path, err)
				}
				xs, _ = trace.Exchanges()
			}
			if len(xs) != 1 || !strings.HasSuffix(xs[0].URL, path) || strings.Contains(xs[0].RequestBody, "s3cret") || xs[0].RequestBody == "" {
				t.Errorf("%s: exchanges %.300v", path, xs)
			}
			if path != "/hang" && len(xs) == 1 && len(xs[0].ResponseBody) != 50_000 {
				t.Errorf("%s: %d bytes of the answer arrived, want 50000", path, len(xs[0].ResponseBody))
			}
		}
	})
}

func TestDeadProcess(t *testing.T) {
	p := dial(t, plugin.DialConfig{})
	a := open(t, p, "")
	ctx, trace := carrier.WithTrace(within(t, patience))
	_, err := a.Book(ctx, carrier.BookRequest{Consignment: order("exit")})
	if xs, dropped := trace.Exchanges(); len(xs) != 0 || dropped != 0 {
		t.Errorf("%d exchanges, and %d left out for want of room; a death leaves neither", len(xs), dropped)
	}
	if e := typed(t, err); e.Code != carrier.AdapterDied || e.Effect != carrier.EffectUnknown || e.Source != carrier.SourceEngine {
		t.Errorf("during the call: %v, effect %s", e, e.Effect)
	}
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Fatal("Done is not closed")
	}
	if e := p.Exit(); !e.Exited || e.Code != 7 {
		t.Errorf("exit %+v", e)
	}
	_, err = a.Book(within(t, patience), carrier.BookRequest{Consignment: order("")})
	if e := typed(t, err); e.Code != carrier.AdapterDied || e.Effect != carrier.EffectNone {
		t.Errorf("after the end: %v, effect %s", e, e.Effect)
	}
}

func TestStopLeavesNothing(t *testing.T) {
	run := t.TempDir()
	p := dial(t, plugin.DialConfig{RunDir: run})
	if entries, _ := os.ReadDir(run); len(entries) != 1 {
		t.Fatalf("run folder has %d entries while the adapter runs, want 1", len(entries))
	}
	if err := p.Stop(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(run); len(entries) != 0 {
		t.Errorf("run folder still has %v", entries)
	}
	if err := syscall.Kill(p.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d still there: %v", p.PID(), err)
	}
}

func TestAdapterEndsWithItsHost(t *testing.T) {
	host := exec.Command(link(t, "host"), link(t, "adapter"), t.TempDir())
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait() // killed
	for deadline := time.Now().Add(patience); ; {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || bytes.Contains(stat, []byte(") Z ")) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("adapter %d lives on: %s", pid, stat)
		}
		time.Sleep(time.Millisecond) // another process: there is nothing to wait on
	}
}

func TestStartErrorsSayWhatToDo(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	sealed := filepath.Join(t.TempDir(), "sealed")
	if err := os.WriteFile(sealed, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	wrong := sha256.Sum256([]byte("another file"))
	for name, tt := range map[string]struct {
		c     plugin.DialConfig
		words []string
	}{
		"missing":      {plugin.DialConfig{Path: "/nowhere/adapter"}, []string{"/nowhere/adapter", "no such file"}},
		"format":       {plugin.DialConfig{Path: text}, []string{"no executable for linux"}},
		"mode":         {plugin.DialConfig{Path: sealed}, []string{"chmod +x"}},
		"crash":        {plugin.DialConfig{Path: link(t, "crash")}, []string{"exit code 3", "cannot open /etc/carrier.conf"}},
		"banner":       {plugin.DialConfig{Path: link(t, "banner")}, []string{`"libfoo 1.2 ready"`, "before plugin.Serve"}},
		"mute":         {plugin.DialConfig{Path: link(t, "mute"), StartTimeout: 200 * time.Millisecond}, []string{"timeout"}},
		"checksum":     {plugin.DialConfig{Path: link(t, "adapter"), Checksum: wrong[:]}, []string{"SHA-256"}},
		"deep run dir": {plugin.DialConfig{Path: link(t, "adapter"), RunDir: deep(t)}, []string{"too deep"}},
	} {
		_, err := plugin.Dial(within(t, patience), tt.c)
		if err == nil {
			t.Errorf("%s: started", name)
			continue
		}
		for _, w := range tt.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q lacks %q", name, err, w)
			}
		}
	}
}

func deep(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 90))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sink collects what reaches the host's log.
type sink struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestEnvironmentAndOutputStayApart(t *testing.T) {
	logged := &sink{}
	p := dial(t, plugin.DialConfig{Env: []string{"AWS_SECRET=leak", "TZ=UTC"}, Log: hclog.New(&hclog.LoggerOptions{Output: logged, Level: hclog.Info})})
	a := open(t, p, "")
	_, err := a.Quote(within(t, patience), carrier.QuoteRequest{Consignment: order("env")})
	if m := typed(t, err).Message; strings.Contains(m, "leak") || strings.Contains(m, "PATH=") || !strings.Contains(m, "TZ=UTC") {
		t.Errorf("environment of the adapter:\n%s", m)
	}
	if _, err := a.Quote(within(t, patience), carrier.QuoteRequest{Consignment: order("print")}); err != nil {
		t.Errorf("printing on stdout broke the call: %v", err)
	}
	if err := p.Stop(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"told the log", "answer=42", "account=main"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, logged)
		}
	}
}

func TestMemoryLimitKillsTheAdapterOnly(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector needs more memory than the limit")
	}
	p := dial(t, plugin.DialConfig{MemoryLimit: 256 << 20})
	a := open(t, p, "")
	c := order("")
	c.Parcels = []shipping.Parcel{{ItemQuantity: 600 << 20}}
	_, err := a.Book(within(t, patience), carrier.BookRequest{Consignment: c})
	if e := typed(t, err); e.Code != carrier.AdapterDied {
		t.Errorf("got %v", e)
	}
}

func TestByHand(t *testing.T) {
	for arg, want := range map[string]string{"describe": `"abilities": [`, "version": "sample 1.2.3", "": "waybill.yaml"} {
		cmd := exec.Command(link(t, "adapter"), strings.Fields(arg)...)
		out, err := cmd.CombinedOutput()
		if !strings.Contains(string(out), want) || (err != nil) != (arg == "") {
			t.Errorf("%q: %v\n%s", arg, err, out)
		}
	}
}
