package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/geo"
	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/doordash"
)

// worldConfig says how a simulated world is.
type worldConfig struct {
	speed  float64
	seed   uint64
	ledger *simulator.Ledger // nil for one in memory
	memory *simulator.Memory // nil for a world that ends with the process
	log    hclog.Logger
	// carriers says how they behave.
	carriers carrierSettings
}

// world is a simulator with every dialect, and its time.
type world struct {
	server *simulator.Server
	clock  *simulator.RealClock
}

// examplePlaces are the postal codes of the example locations and of the orders that the documentation sends: the simulated
// courier must know where they are.
var examplePlaces = []string{"02118", "75206", "75219", "10036", "10039", "10022"}

func newWorld(cfg worldConfig) (*world, error) {
	clk, err := simulator.NewRealClock(cfg.speed)
	if err != nil {
		return nil, usageError(err)
	}
	places, err := locate(examplePlaces)
	if err != nil {
		return nil, err
	}
	dialects, err := cfg.carriers.dialects(places)
	if err != nil {
		return nil, err
	}
	s, err := simulator.New(simulator.Config{Dialects: dialects, Clock: clk, Seed: cfg.seed, Ledger: cfg.ledger, Memory: cfg.memory,
		Log: cfg.log.Named("simulator")})
	if err != nil {
		return nil, err
	}
	return &world{server: s, clock: clk}, nil
}

// locate returns the middles of US postal codes.
func locate(codes []string) (map[string]doordash.Point, error) {
	placer, err := geo.New(geo.Config{})
	if err != nil {
		return nil, fmt.Errorf("places of the simulator: %w", err)
	}
	defer placer.Close()
	out := map[string]doordash.Point{}
	for _, code := range codes {
		at, err := placer.Place(context.Background(), geo.Query{PostalCode: code, CountryCode: "US"})
		if err != nil {
			return nil, fmt.Errorf("places of the simulator: postal code %s: %w", code, err)
		}
		out[code] = doordash.Point{Lat: at.Lat, Lng: at.Lng}
	}
	return out, nil
}

// run serves the world on ln and moves it, until ctx ends.
func (w *world) run(ctx context.Context, ln net.Listener) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.server.Serve(ctx, ln) })
	g.Go(func() error { return w.server.Run(ctx) })
	return g.Wait()
}

// engineClock is the world's time for an engine that lives in it: at any speed but 1 both must agree on how old a quote or a
// token is.
type engineClock struct{ *simulator.RealClock }

var _ clock.Clock = engineClock{}

// NewTimer implements clock.Clock.
func (c engineClock) NewTimer(d time.Duration) clock.Timer {
	t := &worldTimer{clock: c.RealClock, fired: make(chan time.Time, 1)}
	t.start(d)
	return t
}

// worldTimer is a timer by the world's time. As with time.Timer, Stop and Reset are for the one goroutine that owns it.
type worldTimer struct {
	clock *simulator.RealClock
	fired chan time.Time
	stop  func() bool // of the wait that is running: waits for its end, and tells whether it was kept from firing
}

func (t *worldTimer) start(d time.Duration) {
	due := t.clock.Now().Add(d)
	if d <= 0 {
		t.fired <- due
		t.stop = func() bool { return false }
		return
	}
	reached, giveUp := t.clock.Until(due)
	cancelled, ended := make(chan struct{}), make(chan bool, 1)
	go func() {
		select {
		case <-reached:
			t.fired <- due
			ended <- true
		case <-cancelled:
			ended <- false
		}
	}()
	stopped := false
	t.stop = func() bool {
		if stopped {
			return false
		}
		stopped = true
		giveUp()
		close(cancelled)
		return !<-ended
	}
}

func (t *worldTimer) C() <-chan time.Time { return t.fired }

func (t *worldTimer) Stop() bool {
	waiting := t.stop()
	select {
	case <-t.fired: // nothing stale may stay behind
	default:
	}
	return waiting
}

func (t *worldTimer) Reset(d time.Duration) bool {
	waiting := t.Stop()
	t.start(d)
	return waiting
}

// A process that was killed may leave its address taken for a moment: an adapter that it was just starting holds what it had open.
const (
	addressTries = 20
	addressPause = 100 * time.Millisecond
)

// listen opens a TCP address for the API or the simulator.
func listen(what, address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	for try := 1; try < addressTries && errors.Is(err, syscall.EADDRINUSE); try++ {
		time.Sleep(addressPause)
		ln, err = net.Listen("tcp", address)
	}
	if err == nil {
		return ln, nil
	}
	if _, _, bad := net.SplitHostPort(address); bad != nil {
		return nil, usageError(fmt.Errorf("the %s cannot listen on %q: %w; write host:port, such as 127.0.0.1:8080", what, address, bad))
	}
	return nil, fmt.Errorf("the %s cannot listen on %s: %w; is another program there? Choose another address, or port 0 for any", what, address, err)
}

// urlOf is where a listener is reached from this machine.
func urlOf(ln net.Listener) string {
	host, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return "http://" + ln.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
