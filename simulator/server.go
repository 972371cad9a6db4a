package simulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/hashicorp/go-hclog"
)

// Config is what a simulator is made of. The zero value of every field but
// Dialects means its default.
type Config struct {
	Dialects    []Dialect     // required; each is mounted at /<name>
	Clock       Clock         // default: wall time at speed 1
	Seed        uint64        // of all randomness
	MaxEntities int           // default DefaultMaxEntities
	Ledger      *Ledger       // default: in memory only
	Memory      *Memory       // what an earlier process knew, and where this one keeps it; default: none. It holds the ledger as well
	JournalSize int           // exchanges remembered; default 2,000
	BodyLimit   int64         // bytes of a request; default 4 MiB, more is answered 413
	PushTimeout time.Duration // wall time of one push; default 10 s
	Log         hclog.Logger  // default: none
}

// Server is the simulator: a world, the dialects that speak for it, and the
// control API.
type Server struct {
	cfg     Config
	world   *World
	faults  *faultTable
	journal *Journal
	log     hclog.Logger
	mounts  map[string]*mount
	control http.Handler
	pushes  *http.Client
}

// mount is one dialect with its routes.
type mount struct {
	dialect Dialect
	routes  []Route
	router  *mux.Router
}

var dialectName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// New checks the configuration and returns a simulator that is not yet
// running: see Run and Serve.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	s := &Server{cfg: cfg, log: cfg.Log, mounts: map[string]*mount{}, faults: newFaults(cfg.Seed),
		journal: newJournal(cfg.JournalSize), pushes: pushClient(cfg.PushTimeout),
		world: NewWorld(cfg.Clock, cfg.Seed, cfg.Ledger, cfg.MaxEntities)}
	var faults []error
	for _, d := range cfg.Dialects {
		faults = append(faults, s.mount(d))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	if err := s.restore(); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	s.control = newControl(s)
	return s, nil
}

// restore goes on with the world of an earlier process. Its time does not go
// back, however fast it has run.
func (s *Server) restore() error {
	m := s.cfg.Memory
	if m == nil {
		return nil
	}
	var at time.Time
	if m.loaded != nil {
		at = m.loaded.at
	}
	switch clock := s.cfg.Clock.(type) {
	case *RealClock:
		clock.notBefore(at)
	case *ManualClock:
		clock.Set(at)
	}
	return m.restore(s.world, s.faults)
}

func (c Config) withDefaults() (Config, error) {
	if len(c.Dialects) == 0 {
		return c, errors.New("no dialect is given; without one there is nothing to simulate")
	}
	if c.MaxEntities < 0 || c.JournalSize < 0 || c.BodyLimit < 0 || c.PushTimeout < 0 {
		return c, errors.New("MaxEntities, JournalSize, BodyLimit and PushTimeout must not be negative")
	}
	if c.Memory != nil && c.Ledger != nil {
		return c, errors.New("a memory holds the ledger: give Memory or Ledger, not both")
	}
	if c.Clock == nil {
		clock, err := NewRealClock(1)
		if err != nil {
			return c, err
		}
		c.Clock = clock
	}
	if c.Ledger == nil {
		c.Ledger = NewLedger(nil)
	}
	c.JournalSize = orElse(c.JournalSize, 2000)
	c.BodyLimit = orElse(c.BodyLimit, 4<<20)
	c.PushTimeout = orElse(c.PushTimeout, 10*time.Second)
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	return c, nil
}

func (s *Server) mount(d Dialect) error {
	name := d.Name()
	if !dialectName.MatchString(name) {
		return fmt.Errorf("dialect name %q is not [a-z][a-z0-9_]*", name)
	}
	if err := s.world.Join(d); err != nil {
		return err
	}
	m := &mount{dialect: d, routes: d.Routes(), router: mux.NewRouter().SkipClean(true)}
	for _, r := range m.routes {
		if r.Op == "" || r.Handler == nil {
			return fmt.Errorf("dialect %s: route %s %s lacks its operation or its handler", name, r.Method, r.Pattern)
		}
		route := m.router.Methods(r.Method).Path(r.Pattern).Handler(&exchanger{server: s, mount: m, route: r})
		if err := route.GetError(); err != nil {
			return fmt.Errorf("dialect %s: route %s %s: %w", name, r.Method, r.Pattern, err)
		}
	}
	unknown := s.unknownPath(name, m.routes)
	m.router.NotFoundHandler, m.router.MethodNotAllowedHandler = unknown, unknown
	s.mounts[name] = m
	return nil
}

// World is the simulator's world.
func (s *Server) World() *World { return s.world }

// Journal is what was asked of the carriers and what they pushed.
func (s *Server) Journal() *Journal { return s.journal }

// ServeHTTP answers one request of an engine or of a person.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if name == "_sim" {
		s.control.ServeHTTP(w, r)
		return
	}
	if name == "" && rest == "" {
		http.Redirect(w, r, "/_sim/", http.StatusSeeOther)
		return
	}
	m := s.mounts[name]
	if m == nil {
		s.unknownDialect(w, r, name)
		return
	}
	// The router sees the carrier's own paths; a copy, as the request is the caller's.
	inner, url := *r, *r.URL
	url.Path, url.RawPath = "/"+rest, ""
	inner.URL = &url
	m.router.ServeHTTP(w, &inner)
}

// unknownPath answers 501 for what a dialect does not speak: a carrier would
// say 404, but here it is the simulator that lacks something, and an adapter's
// author must not take the one for the other.
func (s *Server) unknownPath(carrier string, routes []Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		near := nearestRoutes(routes, r.Method, r.URL.Path)
		s.refuse(w, r, carrier, http.StatusNotImplemented, apiError{Code: "not_implemented", Nearest: near,
			Message: fmt.Sprintf("the %s dialect does not speak %s %s; the nearest it does is %s",
				carrier, r.Method, r.URL.Path, strings.Join(near[:min(1, len(near))], ""))})
	})
}

func (s *Server) unknownDialect(w http.ResponseWriter, r *http.Request, name string) {
	names := keysOf(s.mounts)
	s.refuse(w, r, "", http.StatusNotImplemented, apiError{Code: "not_implemented", Nearest: names,
		Message: fmt.Sprintf("no dialect is named %q%s; a carrier's base URL here is http://%s/<dialect>, and the dialects are %s",
			name, DidYouMean(name, names), r.Host, strings.Join(names, ", "))})
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, carrier string, status int, e apiError) {
	s.journal.add(Entry{At: s.world.Now(), Direction: Inbound, Carrier: carrier, Method: r.Method, Path: requestPath(r), Status: status})
	sendJSON(w, status, errorBody{e})
}

func requestPath(r *http.Request) string {
	if r.URL.RawQuery == "" {
		return r.URL.Path
	}
	return r.URL.Path + "?" + r.URL.RawQuery
}

// took is how long something has lasted that began at a time of the world, in
// the time of whoever waits for it.
func (s *Server) took(since time.Time) time.Duration {
	d := s.world.Now().Sub(since)
	if clock, ok := s.cfg.Clock.(*RealClock); ok {
		return time.Duration(float64(d) / clock.Speed())
	}
	return d
}

// serving is the key under which a request's context holds the context of
// Serve: it outlives the client and ends with the server.
type serving struct{}

// Serve answers on ln until ctx ends, then lets exchanges under way finish for
// a few seconds. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	base := context.WithValue(context.WithoutCancel(ctx), serving{}, ctx)
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    s.log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Warn})}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close()
		}
	})
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		stop()
		_ = srv.Close()
		return fmt.Errorf("simulator: serve %s: %w", ln.Addr(), err)
	}
	<-stopped
	return nil
}
