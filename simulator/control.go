package simulator

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gorilla/mux"
)

// control answers /_sim/: what a person or a test sees and steers.
type control struct {
	server *Server
	router *mux.Router
}

// apiError is what the control API, and the simulator in a carrier's place,
// say when they refuse.
type apiError struct {
	Code     string    `json:"code"` // invalid, not_found, illegal_step, not_implemented, wrong_clock
	Message  string    `json:"message"`
	Problems []Problem `json:"problems,omitempty"` // all of them, for code invalid
	Legal    []Step    `json:"legal,omitempty"`    // for code illegal_step
	Nearest  []string  `json:"nearest,omitempty"`  // for codes not_implemented and not_found
}

type errorBody struct {
	Error apiError `json:"error"`
}

func newControl(s *Server) http.Handler {
	c := &control{server: s, router: mux.NewRouter().SkipClean(true)}
	routes := []struct {
		method, path string
		handle       http.HandlerFunc
	}{
		{"GET", "/_sim", c.index},
		{"GET", "/_sim/", c.index},
		{"GET", "/_sim/healthz", c.health},
		{"GET", "/_sim/entities", c.entities},
		{"GET", "/_sim/entities/{carrier}/{id}", c.entity},
		{"POST", "/_sim/entities/{carrier}/{id}/steps", c.step},
		{"POST", "/_sim/entities/{carrier}/{id}/run-to", c.runTo},
		{"GET", "/_sim/faults", c.listFaults},
		{"POST", "/_sim/faults", c.addFault},
		{"DELETE", "/_sim/faults", c.removeFaults},
		{"DELETE", "/_sim/faults/{fault}", c.removeFaults},
		{"GET", "/_sim/ledger", c.ledger},
		{"GET", "/_sim/journal", c.journal},
		{"GET", "/_sim/clock", c.clock},
		{"POST", "/_sim/clock", c.setClock},
	}
	known := make([]Route, len(routes))
	for i, r := range routes {
		c.router.Methods(r.method).Path(r.path).HandlerFunc(r.handle)
		known[i] = Route{Method: r.method, Pattern: r.path}
	}
	unknown := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		near := nearestRoutes(known, r.Method, r.URL.Path)
		sendJSON(w, http.StatusNotFound, errorBody{apiError{Code: "not_found", Nearest: near,
			Message: fmt.Sprintf("the control API has no %s %s; the nearest is %s", r.Method, r.URL.Path, near[0])}})
	})
	c.router.NotFoundHandler, c.router.MethodNotAllowedHandler = unknown, unknown
	return c.router
}

func sendJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// Only a client that has gone makes this fail: what is echoed of a request may be no text, and is made one.
	_ = json.MarshalWrite(w, v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
}

// invalid answers all problems at once.
func invalid(w http.ResponseWriter, problems []Problem) {
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
	words := make([]string, len(problems))
	for i, p := range problems {
		words[i] = p.Path + ": " + p.Message
	}
	sendJSON(w, http.StatusBadRequest, errorBody{apiError{Code: "invalid", Problems: problems,
		Message: "nothing was changed; correct the request: " + strings.Join(words, "; ")}})
}

// read decodes a request's body and returns what is wrong with it.
func read(w http.ResponseWriter, r *http.Request, dst any) []Problem {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		return []Problem{{"body", "cannot be read: " + err.Error()}}
	}
	return decode(body, dst)
}

func (c *control) health(w http.ResponseWriter, _ *http.Request) {
	sendJSON(w, http.StatusOK, struct {
		Status string    `json:"status"`
		Now    time.Time `json:"now"`
	}{"ok", c.server.world.Now()})
}

// ops lists the operations of each dialect.
func (s *Server) ops() map[string][]string {
	ops := make(map[string][]string, len(s.mounts))
	for name, m := range s.mounts {
		for _, r := range m.routes {
			ops[name] = append(ops[name], r.Op)
		}
	}
	return ops
}

type faultList struct {
	Faults []FaultView       `json:"faults"`
	Fired  map[FaultKind]int `json:"fired"` // by kind, since the world began: removed entries count
}

func (c *control) listFaults(w http.ResponseWriter, r *http.Request) {
	if q := newQuery(r.URL.Query()); len(q.problems) > 0 {
		invalid(w, q.problems)
		return
	}
	sendJSON(w, http.StatusOK, faultList{c.server.faults.list(c.server.world.Now()), c.server.faults.fired()})
}

// faultRequest is a Fault whose end may also be given as a duration.
type faultRequest struct {
	ID      string    `json:"id"`
	On      FaultOn   `json:"on"`
	Do      FaultDo   `json:"do"`
	Expires time.Time `json:"expires"`
	For     Span      `json:"for"`
}

func (c *control) addFault(w http.ResponseWriter, r *http.Request) {
	var req faultRequest
	view, problems := c.server.addFault(&req, read(w, r, &req))
	if len(problems) > 0 {
		invalid(w, problems)
		return
	}
	sendJSON(w, http.StatusCreated, view)
}

// addFault checks a fault, whose members had the given problems when they were
// read, and puts it into the table when there are none.
func (s *Server) addFault(req *faultRequest, problems []Problem) (FaultView, []Problem) {
	now := s.world.Now()
	f := Fault{ID: req.ID, On: req.On, Do: req.Do, Expires: req.Expires}
	unread := slices.Clone(problems)
	for _, p := range f.problems(s.ops(), now) {
		// A member that could not be read is not also missing.
		if !slices.ContainsFunc(unread, func(u Problem) bool { return u.Path == p.Path || strings.HasPrefix(u.Path, p.Path+".") }) {
			problems = append(problems, p)
		}
	}
	if req.For != 0 {
		if !req.Expires.IsZero() {
			problems = append(problems, Problem{"for", "give either for or expires"})
		}
		f.Expires = now.Add(time.Duration(req.For))
	}
	if len(problems) > 0 {
		return FaultView{}, problems
	}
	return s.faults.add(f), nil
}

// SetFault puts a fault into the table, or replaces the one of the same id. An
// empty id gets a new one. The error names everything that is wrong with it.
func (s *Server) SetFault(f Fault) (FaultView, error) {
	view, problems := s.addFault(&faultRequest{ID: f.ID, On: f.On, Do: f.Do, Expires: f.Expires}, nil)
	if len(problems) > 0 {
		words := make([]string, len(problems))
		for i, p := range problems {
			words[i] = p.Path + ": " + p.Message
		}
		return view, fmt.Errorf("simulator: fault %q: %s", f.ID, strings.Join(words, "; "))
	}
	return view, nil
}

// Faults returns the fault table with what each has done so far.
func (s *Server) Faults() []FaultView { return s.faults.list(s.world.Now()) }

// RemoveFault takes a fault out of the table, or all of them for an empty id,
// and returns how many there were.
func (s *Server) RemoveFault(id string) int { return s.faults.remove(id) }

func (c *control) removeFaults(w http.ResponseWriter, r *http.Request) {
	id := mux.Vars(r)["fault"]
	n := c.server.faults.remove(id)
	if n == 0 && id != "" {
		sendJSON(w, http.StatusNotFound, errorBody{apiError{Code: "not_found", Message: fmt.Sprintf("no fault has the id %q", id)}})
		return
	}
	sendJSON(w, http.StatusOK, struct {
		Removed int `json:"removed"`
	}{n})
}

type ledgerView struct {
	Totals  map[string]Totals `json:"totals"`            // of everything, by carrier
	Of      *Totals           `json:"of,omitzero"`       // of one reference
	Records []Record          `json:"records"`           // oldest first
	Next    int64             `json:"next_after"`        // ask for what came later with ?after=
	Current map[string]int    `json:"entities_by_state"` // "doordash/delivered": how many the world remembers
}

func (c *control) ledger(w http.ResponseWriter, r *http.Request) {
	s := c.server
	q := newQuery(r.URL.Query(), "carrier", "reference", "kind", "after", "limit")
	kinds := []string{string(Booking), string(Void), string(Charge), string(Refund), string(Issued), string(Pushed)}
	ask := LedgerQuery{Carrier: q.oneOf("carrier", keysOf(s.mounts)), Reference: q.text("reference"),
		Kind: Kind(q.oneOf("kind", kinds)), After: q.number("after", 0, math.MaxInt64), Limit: int(q.number("limit", 1000, 100_000))}
	if len(q.problems) > 0 {
		invalid(w, q.problems)
		return
	}
	ledger := s.world.Ledger()
	view := ledgerView{Totals: ledger.Totals(), Records: ledger.Records(ask), Next: ask.After, Current: s.world.countStates()}
	if n := len(view.Records); n > 0 {
		view.Next = view.Records[n-1].Seq
	}
	if ask.Reference != "" {
		of := Sum(ledger.Records(LedgerQuery{Carrier: ask.Carrier, Reference: ask.Reference}))
		view.Of = &of
	}
	sendJSON(w, http.StatusOK, view)
}

type journalView struct {
	Entries []Entry   `json:"entries"` // oldest first
	Counts  []OpCount `json:"counts"`
}

func (c *control) journal(w http.ResponseWriter, r *http.Request) {
	q := newQuery(r.URL.Query(), "carrier", "op", "reference", "direction", "after", "limit")
	ask := JournalQuery{Carrier: q.oneOf("carrier", keysOf(c.server.mounts)), Op: q.text("op"), Reference: q.text("reference"),
		Direction: q.oneOf("direction", []string{Inbound, Outbound}),
		After:     q.number("after", 0, math.MaxInt64), Limit: int(q.number("limit", 100, 100_000))}
	if len(q.problems) > 0 {
		invalid(w, q.problems)
		return
	}
	sendJSON(w, http.StatusOK, journalView{c.server.journal.Entries(ask), c.server.journal.Counts()})
}

type clockView struct {
	Now     time.Time `json:"now"`
	Speed   *float64  `json:"speed"` // null: the clock moves only when it is told to
	NextDue time.Time `json:"next_due,omitzero"`
}

func (c *control) clock(w http.ResponseWriter, _ *http.Request) {
	view := clockView{Now: c.server.world.Now()}
	if clock, ok := c.server.cfg.Clock.(*RealClock); ok {
		speed := clock.Speed()
		view.Speed = &speed
	}
	if due, ok := c.server.world.NextDue(); ok {
		view.NextDue = due
	}
	sendJSON(w, http.StatusOK, view)
}

func (c *control) setClock(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Speed *float64 `json:"speed"`
	}
	problems := read(w, r, &req)
	if len(problems) == 0 && req.Speed == nil {
		problems = []Problem{{"speed", "is required"}}
	}
	if len(problems) > 0 {
		invalid(w, problems)
		return
	}
	clock, ok := c.server.cfg.Clock.(*RealClock)
	if !ok {
		sendJSON(w, http.StatusConflict, errorBody{apiError{Code: "wrong_clock",
			Message: "this world's clock is moved by whoever drives it and has no speed"}})
		return
	}
	if err := clock.SetSpeed(*req.Speed); err != nil {
		invalid(w, []Problem{{"speed", err.Error()}})
		return
	}
	c.clock(w, r)
}
