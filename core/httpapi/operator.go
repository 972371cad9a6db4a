package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/usecase"
)

// stalled is how long a caller may take nothing of a stream before it is given up. A stream as a whole may take as long as it
// takes.
const stalled = 30 * time.Second

// HandleOperator mounts a stream that needs an operator's key (server.admin_keys): what write writes is sent as it comes, however
// long that takes. An error after the first byte breaks the connection, so that no caller takes a part for the whole.
func (r *Router) HandleOperator(method, path, contentType string, write func(ctx context.Context, w io.Writer) error) {
	r.handleStream(method, path, func(w http.ResponseWriter, q *Request) int {
		name, err := r.operator(q.HTTP)
		if err != nil {
			return r.send(w, q, nil, Answer{}, err)
		}
		if write == nil {
			return r.send(w, q, nil, Answer{}, &usecase.Error{Type: usecase.NotFound, Message: "This node's store cannot do that."})
		}
		r.Log.Info("operator asks for a stream", "request_id", q.ID, "path", q.HTTP.URL.Path, "operator", name)
		return r.stream(w, q, contentType, func(w io.Writer) error { return write(q.Context(), w) })
	})
}

// HandleOperated mounts an http.Handler, such as the metrics, that needs an operator's key while open answers false.
func (r *Router) HandleOperated(method, path string, open func(*config.Config) bool, h http.Handler) {
	r.mux.HandleFunc(path, func(w http.ResponseWriter, hr *http.Request) {
		if !open(r.Config()) {
			if _, err := r.operator(hr); err != nil {
				r.send(w, r.request(hr), nil, Answer{}, err)
				return
			}
		}
		h.ServeHTTP(w, hr)
	}).Methods(methods(method)...)
}

// HandleStream mounts a stream that needs a tenant's key. An error before the first byte is answered as any refusal; one after it
// breaks the connection, so that no caller takes a part for the whole.
func (r *Router) HandleStream(method, path, contentType string, write func(q *Request, w io.Writer) error) {
	r.handleStream(method, path, func(w http.ResponseWriter, q *Request) int {
		if err := r.authenticate(q); err != nil {
			return r.send(w, q, nil, Answer{}, err)
		}
		return r.stream(w, q, contentType, func(w io.Writer) error { return write(q, w) })
	})
}

// handleStream measures what serve answers: a status, or 0 where the answer broke off.
func (r *Router) handleStream(method, path string, serve func(w http.ResponseWriter, q *Request) int) {
	r.mux.Handle(path, http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		begun := r.Clock.Now()
		status := serve(w, r.request(hr))
		r.metrics.requests.WithLabelValues(path, hr.Method, strconv.Itoa(status)).Inc()
		r.metrics.seconds.WithLabelValues(path).Observe(r.Clock.Now().Sub(begun).Seconds())
		if status == 0 {
			panic(http.ErrAbortHandler) // the one way to break the connection
		}
	})).Methods(method)
}

// stream answers the status that was sent, 0 where the stream broke.
func (r *Router) stream(w http.ResponseWriter, q *Request, contentType string, write func(w io.Writer) error) int {
	s := &streamed{w: w, control: http.NewResponseController(w), begin: func() {
		r.secure(w, q)
		w.Header().Set("Content-Type", contentType)
	}}
	err := write(s)
	if refused, ok := errors.AsType[*usecase.Error](err); ok && !s.begun {
		return r.send(w, q, nil, Answer{}, refused)
	}
	switch {
	case err == nil && s.begun:
		return http.StatusOK
	case err == nil:
		s.begin()
		w.WriteHeader(http.StatusOK)
		return http.StatusOK
	case !s.begun:
		return r.send(w, q, nil, Answer{}, &usecase.Error{Type: usecase.InternalServerError, Message: "It could not be begun; the log says why.", Err: err})
	}
	r.Log.Error("stream broke", "request_id", q.ID, "path", q.HTTP.URL.Path, "err", err)
	return 0
}

// operator returns the name of the key that came with a request.
func (r *Router) operator(hr *http.Request) (string, error) {
	hash := sha256.Sum256([]byte(KeyText(hr)))
	key := r.Config().AdminKeyByHash(hash)
	if key != nil {
		if want, err := hex.DecodeString(key.SHA256); err == nil && subtle.ConstantTimeCompare(want, hash[:]) == 1 {
			return key.Name, nil
		}
	}
	return "", &usecase.Error{Type: unauthorized, Message: "Unauthorized: this path takes the key of an operator, one of server.admin_keys."}
}

// streamed is an answer that is sent as it is written.
type streamed struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begin   func()
	begun   bool
}

func (s *streamed) Write(b []byte) (int, error) {
	if !s.begun {
		s.begun = true
		s.begin()
	}
	// The deadline of the connection is by wall time.
	if err := s.control.SetWriteDeadline(time.Now().Add(stalled)); err != nil { //wallclock: net.Conn knows no other
		return 0, fmt.Errorf("put off the deadline of a stream: %w", err)
	}
	return s.w.Write(b)
}
