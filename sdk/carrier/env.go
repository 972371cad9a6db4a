package carrier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// MaxResponseBytes is how much of a carrier's answer is read.
const MaxResponseBytes = 32 << 20

// EnvSettings says what an Env may reach.
type EnvSettings struct {
	Log       hclog.Logger      // nil logs nothing
	Hosts     []string          // the manifest's; without port any port
	BaseURL   string            // the account's
	Transport http.RoundTripper // nil for the process's own, which keeps connections alive
	Now       func() time.Time  // for contexts without WithNow; nil for the real clock
	Secrets   []string          // values that no recorded exchange may hold
}

// NewEnv returns what an account may use for network, time and log.
func NewEnv(s EnvSettings) Env {
	if s.Log == nil {
		s.Log = hclog.NewNullLogger()
	}
	if s.Transport == nil {
		s.Transport = sharedTransport()
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	e := &env{log: s.Log, now: s.Now}
	g := &guard{env: e, next: s.Transport, hosts: map[string]bool{}, redact: newRedactor(s.Secrets)}
	if u, err := url.Parse(s.BaseURL); err == nil && u.Host != "" {
		g.base = hostPort(u)
	}
	for _, h := range s.Hosts {
		g.hosts[strings.ToLower(h)] = true
	}
	e.client = &http.Client{Transport: g, CheckRedirect: sameHostOnly}
	return e
}

// sharedTransport serves all accounts of the process: they talk to the same hosts, and connections outlive an account that
// is opened again.
var sharedTransport = sync.OnceValue(func() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          1024,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
})

type env struct {
	client *http.Client
	log    hclog.Logger
	now    func() time.Time
}

func (e *env) HTTP() *http.Client { return e.client }

func (e *env) Log() hclog.Logger { return e.log }

func (e *env) Now(ctx context.Context) time.Time {
	if t, ok := nowOf(ctx); ok {
		return t
	}
	return e.now()
}

// sameHostOnly leaves a redirect to another host, or of a request that is not a read, to the adapter: following one would
// hand credentials to a stranger, or send a booking twice.
func sameHostOnly(r *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) >= 5 || r.URL.Host != first.URL.Host || r.URL.Scheme != first.URL.Scheme || !isRead(first.Method) {
		return http.ErrUseLastResponse
	}
	return nil
}

func isRead(method string) bool {
	return method == "" || method == http.MethodGet || method == http.MethodHead
}

// guard is the transport of an Env's client: it checks, sends, reads the whole answer, records, and turns every failure into
// an *Error.
type guard struct {
	env    *env
	next   http.RoundTripper
	base   string
	hosts  map[string]bool
	redact *redactor
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.check(r); err != nil {
		closeBody(r)
		return nil, err
	}
	ctx := r.Context()
	trace := TraceOf(ctx)
	x := Exchange{At: g.env.Now(ctx), Method: r.Method, URL: g.redact.url(r.URL)}
	sentBody := g.outgoing(r)

	var sent atomic.Bool // whether the carrier may have seen a byte of the request
	started := time.Now()
	resp, err := g.next.RoundTrip(r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { sent.Store(true) },
	})))
	var body []byte
	var bodyErr error
	if err == nil {
		body, bodyErr = readBody(resp)
	}
	x.Duration = time.Since(started)
	x.RequestHeader = g.redact.header(r.Header)
	x.RequestBody, x.ResponseBody, x.Truncated = g.redact.bodies(r.Header, sentBody(), resp, body)
	if err != nil {
		e := transportError(r, err, sent.Load())
		x.Error = g.redact.text(err.Error())
		trace.Add(x)
		return nil, e
	}
	x.Status = resp.StatusCode
	x.ResponseHeader = g.redact.header(resp.Header)
	if bodyErr != nil {
		bodyErr = cutShort(r, resp.StatusCode, bodyErr)
		x.Error = g.redact.text(bodyErr.Error())
	}
	trace.Add(x)
	resp.Body = &answerBody{data: body, err: bodyErr}
	return resp, nil
}

func (g *guard) check(r *http.Request) error {
	refuse := func(code Code, format string, args ...any) error {
		return &Error{Source: SourceAdapter, Effect: EffectNone, Retry: RetryNever, Code: code, Message: fmt.Sprintf(format, args...)}
	}
	if TraceOf(r.Context()) == nil {
		return refuse(Internal, "request to %s is not part of a call: make it with the context that the method was given", r.URL.Host)
	}
	if _, ok := r.Context().Deadline(); !ok {
		return refuse(Internal, "request to %s has no deadline: make it with the context that the method was given", r.URL.Host)
	}
	host := strings.ToLower(r.URL.Hostname())
	if (g.base == "" || hostPort(r.URL) != g.base) && !g.hosts[host] && !g.hosts[strings.ToLower(r.URL.Host)] {
		return refuse(HostNotAllowed, "host %s is neither the base_url's nor one of the manifest's hosts", r.URL.Host)
	}
	return nil
}

// hostPort is the address that a URL leads to, with the port that its scheme implies.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = u.Scheme
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

// outgoing returns what gives the first bytes of r's body once it was sent.
func (g *guard) outgoing(r *http.Request) func() []byte {
	none := func() []byte { return nil }
	if r.Body == nil || r.Body == http.NoBody {
		return none
	}
	if r.GetBody != nil {
		// The copy is made before the request is sent: afterwards the adapter may use its buffer again.
		b, err := r.GetBody()
		if err != nil {
			return none
		}
		data, _ := readAtMost(b, MaxExchangeBytes+1, r.ContentLength)
		return func() []byte { return data }
	}
	t := &tee{body: r.Body}
	r.Body = t
	return t.bytes
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // the request is refused already
	}
}

// tee keeps the first bytes of a body that can be read only once. The transport may still read while the answer has come.
type tee struct {
	body io.ReadCloser
	mu   sync.Mutex
	kept []byte
}

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.body.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := MaxExchangeBytes + 1 - len(t.kept); room > 0 {
		t.kept = append(t.kept, p[:min(n, room)]...)
	}
	return n, err
}

func (t *tee) Close() error { return t.body.Close() }

func (t *tee) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.kept)
}

var errTooLong = errors.New("answer is longer than 32 MiB")

func readBody(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	b, err := readAtMost(resp.Body, MaxResponseBytes+1, resp.ContentLength)
	if err == nil && len(b) > MaxResponseBytes {
		return b[:MaxResponseBytes], errTooLong
	}
	return b, err
}

// readAtMost reads up to limit bytes, into one allocation where the length is known.
func readAtMost(r io.Reader, limit int64, length int64) ([]byte, error) {
	var b bytes.Buffer
	if length >= 0 {
		b.Grow(int(min(length, limit, 1<<20)) + bytes.MinRead)
	}
	_, err := b.ReadFrom(io.LimitReader(r, limit))
	return b.Bytes(), err
}

// answerBody is an answer that was read already; its error, if any, comes where the carrier's bytes end.
type answerBody struct {
	data []byte
	off  int
	err  error
}

func (b *answerBody) Read(p []byte) (int, error) {
	if b.off < len(b.data) {
		n := copy(p, b.data[b.off:])
		b.off += n
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	return 0, io.EOF
}

func (b *answerBody) Close() error { return nil }
