package carrierhost

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/plugin"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// The test binary is the adapter too: started under an adapter's name it serves, and what the name says goes wrong. With
// childDir in its environment it is an engine.
const childDir = "WAYBILL_TEST_HOST_DIR"

func childMode() (string, bool) {
	if name, ok := strings.CutPrefix(filepath.Base(os.Args[0]), Prefix); ok {
		return name, true
	}
	return "engine", os.Getenv(childDir) != ""
}

func runChild(mode string) {
	name := mode
	switch mode {
	case "engine":
		runEngine(os.Getenv(childDir))
		return
	case "crash":
		fmt.Fprintln(os.Stderr, "cannot find my own head")
		os.Exit(3)
	case "handshake":
		fmt.Println("9|9|unix|/nowhere|grpc")
		_, _ = io.Copy(io.Discard, os.NewFile(3, "lifeline"))
		os.Exit(0)
	case "hang":
		_, _ = io.Copy(io.Discard, os.NewFile(3, "lifeline"))
		os.Exit(0)
	case "garbage":
		fmt.Println("Welcome to libfoo 1.0!")
	case "misnamed":
		name = "other"
	}
	plugin.Serve(carrier.Adapter[script, *scripted]{
		Name: name, DisplayName: "Test", Version: "0.1.0", Services: []carrier.Service{{ID: "delivery"}},
		Idempotency: carrier.NoIdempotency, Absence: carrier.Unproven,
		Open: func(_ context.Context, cfg script, env carrier.Env) (*scripted, error) {
			if cfg.Do == "refuse" {
				return nil, &carrier.Error{Source: carrier.SourceConfig, Effect: carrier.EffectNone, Code: carrier.ConfigInvalid, Field: "do", Message: "told to"}
			}
			return &scripted{script: cfg, env: env}, nil
		},
	})
}

// script is what an account of the test adapter does when it is called.
type script struct {
	Do string `json:"do,omitempty" doc:"hold, refuse, panic, die, crash or leak; nothing to answer"`
	// Arrived is a pipe that hears one byte for each call. While Open does not exist, calls on hold do not end.
	Arrived string `json:"arrived,omitempty" doc:"path"`
	Open    string `json:"open,omitempty" doc:"path"`
}

type scripted struct {
	script
	env carrier.Env
}

func (s *scripted) act(ctx context.Context) error {
	if s.Arrived != "" {
		f, err := os.OpenFile(s.Arrived, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.Write([]byte{1})
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	switch s.Do {
	case "hold":
		if _, err := os.Stat(s.Open); err != nil {
			<-ctx.Done()
			return ctx.Err()
		}
	case "panic":
		panic("told to")
	case "die":
		os.Exit(7)
	case "crash":
		go panic("outside of any call")
		<-ctx.Done()
	case "leak":
		var kept [][]byte
		for ctx.Err() == nil {
			kept = append(kept, make([]byte, 8<<20))
			for i := 0; i < 8<<20; i += 4096 {
				kept[len(kept)-1][i] = 1
			}
		}
	}
	return nil
}

// Quote answers with the engine's time as the quote's token, and one exchange.
func (s *scripted) Quote(ctx context.Context, _ carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
	if err := s.act(ctx); err != nil {
		return carrier.QuoteAnswer{}, err
	}
	carrier.TraceOf(ctx).Add(carrier.Exchange{Method: "GET", URL: "http://carrier.test/rates", Status: 200})
	return carrier.QuoteAnswer{Quotes: []shipping.Quote{{ServiceID: "delivery", Token: []byte(s.env.Now(ctx).Format(time.RFC3339))}}}, nil
}

func (s *scripted) Book(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	if err := s.act(ctx); err != nil {
		return carrier.Booking{}, err
	}
	return carrier.Booking{Reference: r.Reference, CarrierRef: "1"}, nil
}

// runEngine is a host in a process of its own. It prints the id of its adapter's process and goes on until it is killed.
func runEngine(dir string) {
	h, err := New(Config{Dir: dir, Clock: clock.Real(), Source: clock.Crypto(clock.Real()), RunDir: filepath.Join(dir, "run")})
	if err == nil {
		err = h.Apply([]*config.Account{acct("a", func(a *config.Account) { a.Config = "{}" })})
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() {
		if err := h.Ready(context.Background()); err == nil {
			fmt.Println(h.Status()[0].PID)
		}
	}()
	_ = h.Run(context.Background())
}

// install puts the test binary under adapters' names into a folder.
func install(t testing.TB, names ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir: a socket's path must be short.
	dir, err := os.MkdirTemp("", "host")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, name := range names {
		if err := os.Symlink(self, filepath.Join(dir, Prefix+name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// scriptOf makes an account that runs a script.
func scriptOf(id, adapter, json string) *config.Account {
	return acct(id, func(a *config.Account) { a.Adapter, a.Config, a.Concurrency = adapter, config.Secret(json), 256 })
}

// runHost runs a host with real processes until the test ends.
func runHost(t testing.TB, dir string, change func(*Config), tune func(*timing), accounts ...*config.Account) *Host {
	t.Helper()
	cfg := Config{
		Dir: dir, Clock: clock.Real(), Source: clock.Seeded(1, clock.Real()), RunDir: filepath.Join(dir, "run"),
		Log: hclog.New(&hclog.LoggerOptions{Output: testLog{t}, Level: hclog.Info}), Drain: 3 * time.Second,
		Memory:       16 << 30, // the race detector takes what it likes
		StartTimeout: patience,
	}
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.timing.wait, h.timing.open, h.timing.queue = patience, patience, patience // on a busy machine a start takes long
	if tune != nil {
		tune(&h.timing)
	}
	if err := h.Apply(accounts); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		if left, err := os.ReadDir(cfg.RunDir); err == nil && len(left) > 0 {
			t.Errorf("the run folder still holds %v", left)
		}
	})
	return h
}

type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	for s := bufio.NewScanner(strings.NewReader(string(b))); s.Scan(); {
		l.t.Log(s.Text())
	}
	return len(b), nil
}
