package simulator

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
)

// Dialect is one carrier's API. All methods may be called concurrently; none
// may keep state of its own that changes: the world is the one place for it.
type Dialect interface {
	// Name is the dialect's folder and the prefix of its base URL: [a-z0-9_]+.
	Name() string
	// Routes lists what the dialect answers. It is called once.
	Routes() []Route
	// Machine is the life of this dialect's entities. It is called once.
	Machine() Machine
	// Authenticate returns nil when the request may go on, else the carrier's
	// own refusal. It may set x.Account. It is not asked for public routes.
	Authenticate(x *Exchange) *Response
	// Fault is the carrier's own error body for an error of its making: what
	// the fault kinds http_error and rate_limit answer with.
	Fault(status int) Response
	// Entered is called after an entity has moved from one state into
	// another, inside the same transaction: the place for pushes and charges.
	Entered(tx *Tx, e *Entity, from State)
}

// Describer is what a dialect implements to show more of an entity in the
// control API than its state: a value that encodes as a JSON object. It is
// called inside a transaction and returns a copy.
type Describer interface {
	Describe(e *Entity) any
}

// Reasoner is what a dialect implements whose steps may have reasons, such as
// why a delivery was cancelled. The first reason is the one that a step gets
// which names none. It is called inside a transaction.
type Reasoner interface {
	Reasons(e *Entity, to State) []string
}

// Route is one operation of a carrier's API.
type Route struct {
	Op      string // the name by which faults and the journal know it: "quote", "ship", "token"
	Method  string // GET, POST, …
	Pattern string // gorilla/mux path below the dialect's prefix: /drive/v2/deliveries/{id}
	Handler Handler
	Public  bool // not authenticated, as the operation that hands out tokens
	Secret  bool // bodies carry credentials: the journal keeps none of them
}

// Handler reads and checks one request and says what the carrier would do. It
// changes nothing; what it does not accept it answers with [Answer].
type Handler func(x *Exchange) Act

// Act is the commit of one exchange: it runs once, inside a transaction, reads
// and changes the world, and returns the answer. A fault may delay it, keep it
// from running, or throw its answer away.
type Act func(tx *Tx) Response

// Answer is the act that changes nothing.
func Answer(r Response) Act { return func(*Tx) Response { return r } }

// Exchange is one request on its way through a dialect.
type Exchange struct {
	Carrier string
	Op      string
	Request *http.Request
	Body    []byte            // read whole, at most [Config].BodyLimit
	Vars    map[string]string // of the route's pattern
	World   *World            // for reading tokens and time; changes belong in the act

	// Account is the credential that the dialect recognised.
	Account string
	// Reference is the caller's own reference, set by the handler as soon as
	// it is known, so that faults and the journal can name the exchange by it.
	Reference string
	// Prefix is the base URL under which the caller reached this dialect, as
	// "http://127.0.0.1:8081/ups": for links in answers.
	Prefix string
}

// Now is the world's time.
func (x *Exchange) Now() time.Time { return x.World.Now() }

// Response is what a dialect answers.
type Response struct {
	Status int
	Header http.Header // may be nil
	Body   []byte
	// Render makes the body when it is costly, as a label is: it is called
	// after the commit, outside the transaction, and replaces Body.
	Render func() ([]byte, error)
}

// JSON returns a response whose body is v in JSON, encoded at once.
func JSON(status int, v any) Response {
	header := http.Header{"Content-Type": {"application/json"}}
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		// Only a dialect's own mistake gets here; say so on the wire.
		return Response{Status: http.StatusInternalServerError, Header: header, Body: []byte(`{"simulator":"the answer cannot be encoded"}`)}
	}
	return Response{Status: status, Header: header, Body: body}
}
