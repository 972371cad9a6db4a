package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/store"
)

const (
	// lookEvery is how often what open pages show is looked at, once for all that show the same.
	lookEvery = 2 * time.Second
	// breathe is how often a silent stream says that it is still there, so that nobody in between takes it for dead.
	breathe = 20 * time.Second
	// streamFor is how long one stream lasts; the browser opens another.
	streamFor = 10 * time.Minute
	// stalled is how long a browser may take nothing before its stream is given up.
	stalled = 30 * time.Second
	// maxPerPage is how many streams of one page there may be.
	maxPerPage = 50
)

// live tells open pages when there is something new. It looks into the store itself, so that it does not matter which node of
// several has written.
type live struct {
	clock   clock.Clock
	log     hclog.Logger
	max     int
	version func(ctx context.Context, r ref) (string, error)

	mu      sync.Mutex
	watched map[ref]*watched
	streams int
	wake    chan struct{} // signalled when the first page is opened
	done    chan struct{} // closed when run has ended
}

// watched is a page that is open somewhere.
type watched struct {
	version string
	streams map[chan string]bool // each has room for one version, the newest
}

func newLive(c clock.Clock, log hclog.Logger, most int, version func(context.Context, ref) (string, error)) *live {
	return &live{clock: c, log: log, max: most, version: version, watched: map[ref]*watched{}, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// run looks for news until ctx ends; then every stream ends. It is called once.
func (l *live) run(ctx context.Context) error {
	defer close(l.done)
	for {
		refs := l.open()
		if len(refs) == 0 {
			select {
			case <-l.wake:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if clock.Sleep(ctx, l.clock, lookEvery) != nil {
			return nil
		}
		for _, r := range refs {
			version, err := l.version(ctx, r)
			switch {
			case err == nil:
			case errors.Is(err, store.ErrNotFound): // removed: the page says so when it is read again
				version = "gone"
			case ctx.Err() != nil:
				return nil
			default:
				l.log.Warn("open page could not be looked at; it is tried again", "tenant", r.tenant, "err", err)
				continue
			}
			l.tell(r, version)
		}
	}
}

func (l *live) open() []ref {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]ref, 0, len(l.watched))
	for r := range l.watched {
		out = append(out, r)
	}
	return out
}

// tell gives a version to all streams of a page that have another.
func (l *live) tell(r ref, version string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.watched[r]
	if w == nil || w.version == version {
		return
	}
	w.version = version
	for c := range w.streams {
		select {
		case <-c: // nobody has taken the last one; this one says it too
		default:
		}
		c <- version
	}
}

// join opens a stream of a page; ok is false where there are too many, or the node stops.
func (l *live) join(r ref, version string) (c chan string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.done:
		return nil, false
	default:
	}
	w := l.watched[r]
	if l.streams >= l.max || w != nil && len(w.streams) >= maxPerPage {
		return nil, false
	}
	if w == nil {
		w = &watched{version: version, streams: map[chan string]bool{}}
		l.watched[r] = w
	}
	c = make(chan string, 1)
	if w.version != version { // somebody was told of something newer, or will be
		c <- w.version
	}
	w.streams[c] = true
	l.streams++
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return c, true
}

func (l *live) leave(r ref, c chan string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.watched[r]
	delete(w.streams, c)
	l.streams--
	if len(w.streams) == 0 {
		delete(l.watched, r)
	}
}

// events is the stream of a page: the version that there is now, and each that comes.
func (p *Pages) events(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Robots-Tag", "noindex, nofollow")
	r, _, ok := p.asked(q)
	version := ""
	if ok {
		var err error
		if version, err = p.version(q.Context(), r); errors.Is(err, store.ErrNotFound) {
			ok = false
		} else if err != nil {
			http.Error(w, "This does not work at the moment.", http.StatusServiceUnavailable)
			return
		}
	}
	if !ok {
		http.Error(w, "There is nothing here.", http.StatusNotFound)
		return
	}
	if q.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream")
		return
	}
	news, ok := p.live.join(r, version)
	if !ok {
		w.Header().Set("Retry-After", "60")
		http.Error(w, "Too many pages are open. Reload the page to see what is new.", http.StatusServiceUnavailable)
		return
	}
	defer p.live.leave(r, news)
	p.stream(w, q, version, news)
}

func (p *Pages) stream(w http.ResponseWriter, q *http.Request, version string, news <-chan string) {
	control := http.NewResponseController(w)
	send := func(text string) bool {
		// The deadline of the connection is by wall time. A connection that knows none is a test's.
		if err := control.SetWriteDeadline(time.Now().Add(stalled)); err != nil && !errors.Is(err, http.ErrNotSupported) { //wallclock: net.Conn knows no other
			return false
		}
		if _, err := fmt.Fprint(w, text); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // proxies must not wait for the end
	if !send("retry: 3000\n\n" + versionEvent(version)) {
		return
	}
	breath, end := p.Clock.NewTimer(breathe), p.Clock.NewTimer(streamFor)
	defer breath.Stop()
	defer end.Stop()
	for {
		text := ":\n\n"
		select {
		case v := <-news:
			text = versionEvent(v)
		case <-breath.C():
			breath.Reset(breathe)
		case <-end.C():
			return
		case <-q.Context().Done():
			return
		case <-p.live.done:
			return
		}
		if !send(text) {
			return
		}
	}
}

func versionEvent(v string) string { return "event: version\ndata: " + v + "\n\n" }
