package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"sync"
	"time"
)

// The times of what is booked too late. A booking is held for so long that the carrier has been asked twice in vain before, which is
// right after the call's deadline and twice this grace where nothing else goes wrong, and takes several times as long on a busy machine. What
// is held arrives well before the engine ceases to look for it.
const (
	detourGrace     = 4 * time.Second
	detourHolds     = 45 * time.Second
	detourTries     = 15 * time.Second // then what nobody listens to is dropped: it must show before the engine looks for it no more
	chaosWatchEvery = 4 * time.Second
	chaosWatchFor   = 2 * time.Minute // in twice that the moving account is there often enough to be asked once
)

// detourShare is the share of the bookings that are held: those that are made again after an absence too, so not all.
const detourShare = .6

// detoured are the bookings that may be held, by the dialect that they are for.
var detoured = map[string]*regexp.Regexp{
	"ups":      regexp.MustCompile(`^/ups/api/shipments/[^/]+/ship$`),
	"doordash": regexp.MustCompile(`^/doordash/drive/v2/quotes/[^/]+/accept$`),
}

// detour is a way to the simulated carriers on which requests to book may be held up, so that the carrier commits when its caller has
// long believed that it has nothing. The caller sees the connection end without an answer. Unlike the carriers it never dies, so what is
// held is not lost.
type detour struct {
	base    string // where it listens
	carrier string // base of the simulator
	server  *http.Server
	by      time.Duration // how long it holds what it holds
	tries   time.Duration // how long it sends that then
	through *httputil.ReverseProxy
	later   *http.Client

	mu     sync.Mutex
	rng    *rand.Rand
	on     bool
	held   map[string]int // by dialect
	served error

	underway sync.WaitGroup
}

func newDetour(carrier string, seed uint64, by time.Duration) (*detour, error) {
	to, err := url.Parse(carrier)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &detour{base: "http://" + ln.Addr().String(), carrier: carrier, by: by, tries: detourTries, rng: rand.New(rand.NewPCG(seed, 0x1a7e)), held: map[string]int{},
		later: &http.Client{Timeout: chaosTry, Transport: &http.Transport{DisableKeepAlives: true}},
		through: &httputil.ReverseProxy{
			Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(to) },
			ErrorLog: log.New(io.Discard, "", 0),
			// What has broken on the other side breaks on this one.
			ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		}}
	d.server = &http.Server{Handler: d, ReadHeaderTimeout: 10 * time.Second, ErrorLog: d.through.ErrorLog}
	go func() {
		if err := d.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			d.mu.Lock()
			d.served = err
			d.mu.Unlock()
		}
	}()
	return d, nil
}

// close ends listening, and says what has gone wrong with it before.
func (d *detour) close() error {
	err := d.server.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Join(d.served, err)
}

func (d *detour) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	dialect := d.holds(q)
	if dialect == "" {
		d.through.ServeHTTP(w, q)
		return
	}
	if body, err := io.ReadAll(q.Body); err == nil {
		// Whoever has sent it may be gone by then.
		go d.goOn(context.WithoutCancel(q.Context()), dialect, q.Method, q.URL.RequestURI(), q.Header.Clone(), body)
	} else { // it has died while it asked, so nothing was asked
		d.underway.Done()
	}
	panic(http.ErrAbortHandler)
}

// holds decides whether a request is held, and counts it as under way then. It returns the dialect, "" for a request that is not held.
func (d *detour) holds(q *http.Request) string {
	for dialect, books := range detoured {
		if q.Method != http.MethodPost || !books.MatchString(q.URL.Path) {
			continue
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.on || d.rng.Float64() >= detourShare {
			return ""
		}
		d.held[dialect]++
		d.underway.Add(1)
		return dialect
	}
	return ""
}

// goOn sends what was held, until it has arrived: again where nobody listens or the carrier has certainly done nothing, but not for ever.
// What becomes of it nobody hears.
func (d *detour) goOn(ctx context.Context, dialect, method, path string, header http.Header, body []byte) {
	defer d.underway.Done()
	wait := d.by
	for until := time.Now().Add(d.by + d.tries); time.Now().Before(until); wait = 150 * time.Millisecond {
		if pauseFor(ctx, wait) != nil {
			return
		}
		req, err := http.NewRequestWithContext(ctx, method, d.carrier+path, bytes.NewReader(body))
		if err != nil {
			return // the caller's own was read, so this one is no other
		}
		req.Header = header
		res, err := d.later.Do(req)
		if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
			continue
		}
		if err != nil {
			return
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable {
			return
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held[dialect]-- // it never arrives
}

// hold has requests be held up from now on, or no more.
func (d *detour) hold(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.on = on
}

// arrived waits until everything that was held has reached its carrier, and counts it by dialect. Nothing must be held any more.
func (d *detour) arrived(ctx context.Context) (map[string]int, error) {
	done := make(chan struct{})
	go func() {
		d.underway.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return nil, fmt.Errorf("bookings were held and have not arrived: %w", context.Cause(ctx))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.held), nil
}
