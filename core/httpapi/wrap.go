package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/waybill-dev/waybill/core/usecase"
)

type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waybill_http_requests_total",
			Help: "Requests by route, method and status."}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "waybill_http_request_seconds",
			Help: "Time to answer, by route.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16)}, []string{"route"}),
	}
	if r != nil {
		r.MustRegister(m.requests, m.seconds)
	}
	return m
}

// route is what wrap needs to know of a route.
type route struct {
	path   string // as it was mounted; "" for what stands on no path of its own
	table  Table
	keyed  bool
	within time.Duration // how long the handler may take, where that is longer than the server's timeouts; else 0
}

// wrap turns a Handler into an http.Handler: request id, key, limit, body, panic, answer, measure.
func (r *Router) wrap(on route, h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		begun := r.Clock.Now()
		q := r.request(hr)
		a, err := r.run(q, w, on, h)
		status := r.send(w, q, on.table, a, err)
		r.metrics.requests.WithLabelValues(on.path, method(hr.Method), strconv.Itoa(status)).Inc()
		r.metrics.seconds.WithLabelValues(on.path).Observe(r.Clock.Now().Sub(begun).Seconds())
	})
}

// method keeps made-up methods out of the metrics' labels.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions, http.MethodPatch:
		return m
	}
	return "other"
}

func (r *Router) request(hr *http.Request) *Request {
	return &Request{HTTP: hr, ID: r.Source.ID(), dialect: r.dialectOf(hr), header: http.Header{}}
}

func (r *Router) run(q *Request, w http.ResponseWriter, on route, h Handler) (a Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			if e, ok := p.(error); ok && errors.Is(e, http.ErrAbortHandler) {
				panic(p)
			}
			r.Log.Error("request panicked", "request_id", q.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			a, err = Answer{}, usecase.AsError(fmt.Errorf("panic: %v", p))
		}
	}()
	if on.keyed {
		if err := r.authenticate(q); err != nil {
			return Answer{}, err
		}
	}
	if err := r.readBody(q, w); err != nil {
		return Answer{}, err
	}
	if on.within > 0 {
		if err := putOff(w, on.within); err != nil {
			return Answer{}, err
		}
	}
	return h(q)
}

// putOff lets a handler take longer than the server's timeouts. A timeout for reading that passed meanwhile would end the request
// as if the caller had left.
func putOff(w http.ResponseWriter, within time.Duration) error {
	control := http.NewResponseController(w)
	until := time.Now().Add(within + stalled) //wallclock: net.Conn knows no other
	err := errors.Join(control.SetReadDeadline(until), control.SetWriteDeadline(until))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("put off the deadlines of a slow request: %w", err)
	}
	return nil
}

// authenticate finds the caller by the key in x-api-key or Authorization, and takes a token from the key's bucket.
func (r *Router) authenticate(q *Request) error {
	no := func(message string) error {
		return &refusal{header: http.Header{"Www-Authenticate": {`Bearer realm="waybill"`}},
			err: &usecase.Error{Type: unauthorized, Message: "Unauthorized: " + message}}
	}
	text, err := q.dialect.Key(q.HTTP)
	if err != nil {
		return err
	}
	if text == "" {
		return no("no key was sent. Send it as x-api-key or as Authorization: Bearer.")
	}
	hash := sha256.Sum256([]byte(text))
	tenant, key := r.Config().KeyByHash(hash)
	if key == nil {
		return no("the key is not known.")
	}
	want, err := hex.DecodeString(key.SHA256)
	if err != nil || subtle.ConstantTimeCompare(want, hash[:]) != 1 {
		return no("the key is not known.")
	}
	if id := q.HTTP.Header.Get("tenantId"); id != "" && id != tenant.ID {
		return no("the tenantId header names another tenant than the key.")
	}
	left := r.limits.take(key)
	if q.dialect.TellLimits {
		left.tell(q.header)
	}
	if left.wait > 0 {
		seconds := wholeSeconds(left.wait)
		return &refusal{header: http.Header{"Retry-After": {seconds}}, err: &usecase.Error{Type: tooManyRequests,
			Message: "Too many requests received per second. Try again in " + seconds + " s."}}
	}
	q.Tenant = tenant
	q.Caller = usecase.Caller{Tenant: tenant.ID, Key: key.Name}
	return nil
}

// KeyText is the key that came with a request, "" for none.
func KeyText(hr *http.Request) string {
	if text := hr.Header.Get("x-api-key"); text != "" {
		return text
	}
	scheme, bearer, _ := strings.Cut(hr.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(bearer)
}

// refusal is an error with headers.
type refusal struct {
	header http.Header
	err    *usecase.Error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func (r *Router) readBody(q *Request, w http.ResponseWriter) error {
	if q.HTTP.Body == nil || q.HTTP.Body == http.NoBody {
		return nil
	}
	limit := r.Config().Server.MaxBody
	b, err := io.ReadAll(http.MaxBytesReader(w, q.HTTP.Body, limit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &usecase.Error{Type: payloadTooLarge, Message: fmt.Sprintf("The body is larger than %d bytes.", limit)}
	}
	if err != nil {
		return &usecase.Error{Type: usecase.ValidationError, Message: "The body could not be read to its end.", Err: err}
	}
	q.Body = b
	return nil
}

func (r *Router) send(w http.ResponseWriter, q *Request, table Table, a Answer, err error) int {
	h := r.secure(w, q)
	for k, v := range q.header {
		h[k] = v
	}
	if err != nil {
		var header http.Header
		if x, ok := errors.AsType[*refusal](err); ok {
			header = x.header
		}
		e := usecase.AsError(err)
		status := q.dialect.status(e.Type, table)
		a = q.dialect.Refuse(q, status, e)
		a.Status, a.Header = status, header
		if a.Status >= http.StatusInternalServerError {
			r.Log.Error("request failed", "request_id", q.ID, "method", q.HTTP.Method, "tenant", q.Caller.Tenant, "err", err)
		}
	}
	for k, v := range a.Header {
		h[k] = v
	}
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	raw := a.Raw
	if raw == nil {
		a.ContentType = "application/json; charset=utf-8"
		// Sorted, so that a repeated answer is the same to the byte; and whatever a carrier has said can be read again.
		if raw, err = json.Marshal(a.Body, json.Deterministic(true), jsontext.AllowInvalidUTF8(true)); err != nil {
			r.Log.Error("answer could not be encoded", "request_id", q.ID, "err", err)
			a.Status = http.StatusInternalServerError
			raw, _ = json.Marshal(q.dialect.Refuse(q, a.Status, usecase.AsError(err)).Body) // plain words, which can always be encoded
		}
	}
	h.Set("Content-Type", a.ContentType)
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	w.WriteHeader(a.Status)
	if _, err := w.Write(raw); err != nil {
		r.Log.Debug("caller left before the answer was sent", "request_id", q.ID, "err", err)
	}
	return a.Status
}

// secure sets the headers that every answer has.
func (r *Router) secure(w http.ResponseWriter, q *Request) http.Header {
	h := w.Header()
	h.Set("X-Request-Id", q.ID)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	if q.HTTP.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	return h
}
