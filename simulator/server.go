package simulator

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	log     hclog.Logger
	mounts  map[string]*mount
	started time.Time
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
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Log, mounts: map[string]*mount{}, started: cfg.Clock.Now(),
		world: NewWorld(cfg.Clock, cfg.Seed, cfg.Ledger, cfg.MaxEntities)}
	var faults []error
	for _, d := range cfg.Dialects {
		faults = append(faults, s.mount(d))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	return s, nil
}

func (c Config) withDefaults() (Config, error) {
	if len(c.Dialects) == 0 {
		return c, errors.New("simulator: no dialect is given; without one there is nothing to simulate")
	}
	if c.MaxEntities < 0 || c.JournalSize < 0 || c.BodyLimit < 0 || c.PushTimeout < 0 {
		return c, errors.New("simulator: MaxEntities, JournalSize, BodyLimit and PushTimeout must not be negative")
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
	if c.JournalSize == 0 {
		c.JournalSize = 2000
	}
	if c.BodyLimit == 0 {
		c.BodyLimit = 4 << 20
	}
	if c.PushTimeout == 0 {
		c.PushTimeout = 10 * time.Second
	}
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
		m.router.Methods(r.Method).Path(r.Pattern).Name(r.Op).Handler(&exchanger{server: s, mount: m, route: r})
	}
	s.mounts[name] = m
	return nil
}

// World is the simulator's world.
func (s *Server) World() *World { return s.world }

// ServeHTTP answers one request of an engine or of a person.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	m := s.mounts[name]
	if m == nil {
		http.Error(w, "no such dialect", http.StatusNotImplemented)
		return
	}
	r.URL.Path, r.URL.RawPath = "/"+rest, ""
	m.router.ServeHTTP(w, r)
}

// exchanger runs the exchanges of one route.
type exchanger struct {
	server *Server
	mount  *mount
	route  Route
}

func (h *exchanger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.server.cfg.BodyLimit))
	if err != nil {
		h.send(w, h.mount.dialect.Fault(http.StatusRequestEntityTooLarge))
		return
	}
	x := &Exchange{Carrier: h.mount.dialect.Name(), Op: h.route.Op, Request: r, Body: body, Vars: mux.Vars(r),
		World: h.server.world, Prefix: "http://" + r.Host + "/" + h.mount.dialect.Name()}
	var answer Response
	if refused := h.authenticate(x); refused != nil {
		answer = *refused
	} else {
		act := h.route.Handler(x)
		x.World.Do(func(tx *Tx) { answer = act(tx) })
	}
	h.send(w, answer)
}

func (h *exchanger) authenticate(x *Exchange) *Response {
	if h.route.Public {
		return nil
	}
	return h.mount.dialect.Authenticate(x)
}

func (h *exchanger) send(w http.ResponseWriter, r Response) {
	if r.Render != nil {
		body, err := r.Render()
		if err != nil {
			r = h.mount.dialect.Fault(http.StatusInternalServerError)
		} else {
			r.Body = body
		}
	}
	for name, values := range r.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body)
}

// Serve answers on ln until ctx ends, then lets exchanges under way finish for
// a few seconds. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close()
		}
	})
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("simulator: serve: %w", err)
	}
	return nil
}

// Run carries out what becomes due in the world, until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	for {
		s.world.RunDue(s.world.Now())
		var reached <-chan struct{}
		stop := func() {}
		if next, ok := s.world.NextDue(); ok {
			reached, stop = s.cfg.Clock.Until(next)
		}
		select {
		case <-ctx.Done():
			stop()
			return nil
		case <-reached:
		case <-s.world.wake:
		}
		stop()
	}
}
