package simulator

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"
)

// ElapsedHeader states how much virtual time an exchange took, as a Go
// duration, in a world whose clock is virtual. It is absent in real time.
const ElapsedHeader = "Waybill-Virtual-Elapsed"

// exchanger runs the exchanges of one route.
type exchanger struct {
	server *Server
	mount  *mount
	route  Route
}

// ServeHTTP walks one request from arrival to answer:
// read, authenticate, check, faults of the arrival, commit, faults of the answer.
func (h *exchanger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := h.server
	entry := Entry{At: s.world.Now(), Direction: Inbound, Carrier: h.mount.dialect.Name(), Op: h.route.Op,
		Method: r.Method, Path: requestPath(r)}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.cfg.BodyLimit))
	x := &Exchange{Carrier: entry.Carrier, Op: entry.Op, Request: r, Body: body, Vars: mux.Vars(r),
		World: s.world, Prefix: "http://" + r.Host + "/" + entry.Carrier}
	var out outcome
	if err != nil {
		out.answer = h.unreadable(err)
	} else {
		out = h.exchange(x)
	}
	entry.Fired, entry.Account, entry.Reference, entry.Status = out.fired, x.Account, x.Reference, out.answer.Status
	if !h.route.Secret {
		entry.Request, entry.Response = excerpt(body), excerpt(out.answer.Body)
	}
	if out.breaks == Reset && out.how == "before_request" || out.breaks == ResponseLost || out.breaks == LateCommit {
		entry.Status, entry.Response = 0, ""
	}
	entry.Took = Span(s.took(entry.At) + out.elapsed)
	// Before the answer leaves, so that whoever has it finds it in the journal.
	s.journal.add(entry)
	h.send(w, out)
}

func (h *exchanger) unreadable(err error) Response {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return h.mount.dialect.Fault(http.StatusRequestEntityTooLarge)
	}
	return h.mount.dialect.Fault(http.StatusBadRequest)
}

// outcome is how an exchange ends on the wire.
type outcome struct {
	injection
	answer  Response
	elapsed time.Duration // virtual
}

func (h *exchanger) exchange(x *Exchange) outcome {
	if !h.route.Public {
		if refused := h.mount.dialect.Authenticate(x); refused != nil {
			return outcome{answer: *refused}
		}
	}
	act := h.route.Handler(x)
	out := outcome{injection: h.server.faults.decide(x, x.Now())}
	// The request has arrived: what a client gave up the carrier still commits.
	alive, ok := x.Request.Context().Value(serving{}).(context.Context)
	if !ok {
		alive = context.WithoutCancel(x.Request.Context())
	}
	if !h.wait(alive, &out, out.before) {
		return out
	}
	switch {
	case out.refuse != 0:
		out.answer = h.mount.dialect.Fault(out.refuse)
		if out.retryAfter != "" {
			out.answer.Header = out.answer.Header.Clone()
			if out.answer.Header == nil {
				out.answer.Header = http.Header{}
			}
			out.answer.Header.Set("Retry-After", out.retryAfter)
		}
		return out
	case out.breaks == Reset && out.how == "before_request":
		return out
	case out.breaks == LateCommit:
		x.World.Do(func(tx *Tx) { tx.At(nil, tx.Now().Add(out.by), func(tx *Tx) { act(tx) }) })
		return out
	}
	var again Act
	if out.twice {
		again = h.route.Handler(x)
	}
	x.World.Do(func(tx *Tx) {
		out.answer = act(tx)
		if again != nil && out.answer.Status < http.StatusMultipleChoices {
			again(tx)
		}
	})
	if h.server.cfg.Memory.Err() != nil {
		out.breaks = ResponseLost // nobody may be told what is not kept
		return out
	}
	if out.answer.Render != nil && out.breaks != ResponseLost {
		body, err := out.answer.Render()
		if err != nil {
			h.server.log.Error("answer could not be drawn", "carrier", x.Carrier, "op", x.Op, "err", err)
			out.answer = h.mount.dialect.Fault(http.StatusInternalServerError)
		} else {
			out.answer.Body = body
		}
	}
	if out.breaks == Malformed {
		out.answer = malform(out.answer, out.how)
	}
	h.wait(x.Request.Context(), &out, out.after)
	return out
}

// wait lets a fault's delay pass. When nobody waits any more no answer leaves,
// and it returns false.
func (h *exchanger) wait(ctx context.Context, out *outcome, d time.Duration) bool {
	if d == 0 {
		return true
	}
	virtual, err := h.server.cfg.Clock.Delay(ctx, d)
	out.elapsed += virtual
	if err != nil {
		out.breaks = ResponseLost
		return false
	}
	return true
}

func (h *exchanger) send(w http.ResponseWriter, out outcome) {
	switch out.breaks {
	case ResponseLost, LateCommit:
		panic(http.ErrAbortHandler) // net/http's way to close a connection without an answer
	case Reset:
		if out.how == "before_request" {
			reset(w)
			return
		}
	}
	for name, values := range out.answer.Header {
		w.Header()[name] = values
	}
	if out.elapsed > 0 {
		w.Header().Set(ElapsedHeader, out.elapsed.String())
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(out.answer.Body)))
	w.WriteHeader(out.answer.Status)
	if out.breaks == Reset {
		_, _ = w.Write(out.answer.Body[:len(out.answer.Body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(out.answer.Body)
}

// reset breaks the connection so that the client reads "connection reset by
// peer" rather than an orderly end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
