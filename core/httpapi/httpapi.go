// Package httpapi is what all public surfaces share: who asks, how much may be asked, how a body is read, and how a refusal is
// said. Each surface is a package below it that decodes, calls one use case, and encodes; it is mounted on a Router.
package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/usecase"
)

// Settings is what a Router works with. All members are required but Registerer.
type Settings struct {
	Config     func() *config.Config
	Clock      clock.Clock
	Source     clock.Source
	Log        hclog.Logger
	Registerer prometheus.Registerer
}

// Router authenticates, limits, measures and routes. It is an http.Handler.
type Router struct {
	Settings
	mux      *mux.Router
	limits   *limits
	metrics  *metrics
	dialects []prefixed
}

// New returns a Router without routes.
func New(s Settings) *Router {
	r := &Router{Settings: s, mux: mux.NewRouter().UseEncodedPath().SkipClean(true), limits: newLimits(s.Clock), metrics: newMetrics(s.Registerer)}
	r.mux.NotFoundHandler = r.Open(func(*Request) (Answer, error) {
		return Answer{}, &usecase.Error{Type: usecase.NotFound, Message: "There is no such path. /openapi.yaml lists those that there are."}
	})
	r.mux.MethodNotAllowedHandler = r.Open(func(q *Request) (Answer, error) {
		allow := strings.Join(r.allowed(q.HTTP), ", ")
		return Answer{}, &refusal{header: http.Header{"Allow": {allow}}, err: &usecase.Error{Type: methodNotAllowed,
			Message: "The path does not take " + q.HTTP.Method + ", it takes " + allow + "."}}
	})
	return r
}

// ServeHTTP serves one request.
func (r *Router) ServeHTTP(w http.ResponseWriter, q *http.Request) { r.mux.ServeHTTP(w, q) }

// Routes lists what is mounted, each as method and path: "GET /shipments/{id}".
func (r *Router) Routes() ([]string, error) {
	var out []string
	err := r.mux.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, err := route.GetMethods()
		if err != nil {
			return fmt.Errorf("route %s: %w", path, err)
		}
		for _, m := range methods {
			out = append(out, m+" "+path)
		}
		return nil
	})
	return out, err
}

// allowed lists the methods that the request's path takes.
func (r *Router) allowed(q *http.Request) []string {
	var out []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := *q
		other.Method = m
		var match mux.RouteMatch
		if r.mux.Match(&other, &match) && match.MatchErr == nil {
			out = append(out, m)
		}
	}
	return out
}

// methods are those that a handler of method serves: what can be read can be asked for its headers alone.
func methods(method string) []string {
	if method == http.MethodGet {
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{method}
}

// Request is one request, its caller known and its body read.
type Request struct {
	HTTP   *http.Request
	ID     string
	Caller usecase.Caller
	Tenant *config.Tenant
	Body   []byte

	dialect *Dialect
	header  http.Header // of the answer, whatever it is
}

// Context is that of the request.
func (q *Request) Context() context.Context { return q.HTTP.Context() }

// Answer is what a handler wants sent: Body as JSON, or Raw with its ContentType.
type Answer struct {
	Status      int // 200 when 0
	Body        any
	Raw         []byte
	ContentType string
	Header      http.Header
}

// Handler answers a request, or refuses it with an error, best a *usecase.Error.
type Handler func(q *Request) (Answer, error)

// Handle mounts a handler that needs a key. table says which HTTP status each refusal has on this route.
func (r *Router) Handle(method, path string, table Table, h Handler) {
	r.mux.Handle(path, r.wrap(route{path: path, table: table, keyed: true}, h)).Methods(methods(method)...)
}

// HandleSlow is Handle for a handler that may take as long as within, whatever the server's timeouts are.
func (r *Router) HandleSlow(method, path string, table Table, within time.Duration, h Handler) {
	r.mux.Handle(path, r.wrap(route{path: path, table: table, keyed: true, within: within}, h)).Methods(methods(method)...)
}

// HandleOpen mounts a handler that needs no key.
func (r *Router) HandleOpen(method, path string, h Handler) {
	r.mux.Handle(path, r.wrap(route{path: path}, h)).Methods(methods(method)...)
}

// HandleRaw mounts an http.Handler that needs no key, such as a stream of events to a page.
func (r *Router) HandleRaw(method, path string, h http.Handler) {
	r.mux.Handle(path, h).Methods(methods(method)...)
}

// Open wraps a handler that needs no key and stands on no path of its own.
func (r *Router) Open(h Handler) http.Handler { return r.wrap(route{}, h) }

// Server serves a Router under the limits of the configuration.
type Server struct {
	Handler http.Handler
	Config  config.Server
	Log     hclog.Logger
}

// drainFor is how long requests in flight may take to end when the server stops.
const drainFor = 45 * time.Second

// Serve serves on ln until ctx ends, then lets the requests in flight end.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler: s.Handler, ReadTimeout: s.Config.ReadTimeout, ReadHeaderTimeout: s.Config.ReadTimeout, WriteTimeout: s.Config.WriteTimeout,
		IdleTimeout: s.Config.IdleTimeout, MaxHeaderBytes: 32 << 10, ErrorLog: s.Log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	failed := make(chan error, 1)
	go func() {
		if t := s.Config.TLS; t != nil && t.Cert != "" {
			failed <- srv.ServeTLS(ln, t.Cert, t.Key)
			return
		}
		failed <- srv.Serve(ln)
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("serve the API: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer cancel()
	err := srv.Shutdown(drain)
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
