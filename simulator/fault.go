package simulator

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Fault is one entry of the fault table: which exchanges it disturbs, and how.
type Fault struct {
	ID      string    `json:"id"`
	On      FaultOn   `json:"on"`
	Do      FaultDo   `json:"do"`
	Expires time.Time `json:"expires,omitzero"` // in the world's time; zero: never
}

// FaultOn selects exchanges; an empty field selects all. An exchange that the
// carrier does not authenticate is never selected.
type FaultOn struct {
	Carrier     string   `json:"carrier,omitzero"`
	Op          string   `json:"op,omitzero"`          // a route's operation
	Reference   string   `json:"reference,omitzero"`   // the caller's own
	Nth         int      `json:"nth,omitzero"`         // begins with the nth match; default 1
	Count       int      `json:"count,omitzero"`       // fires at most so often; default: without end
	Probability *float64 `json:"probability,omitzero"` // of a match to fire; default 1
}

// FaultKind names a way to break an exchange.
type FaultKind string

// The kinds of faults.
const (
	Latency      FaultKind = "latency"
	HTTPError    FaultKind = "http_error"
	RateLimit    FaultKind = "rate_limit"
	Reset        FaultKind = "reset"
	Malformed    FaultKind = "malformed_body"
	ResponseLost FaultKind = "response_lost"
	LateCommit   FaultKind = "late_commit"
	// DuplicateCommit: the carrier carries one request out twice and answers
	// for the first. It takes a carrier that books whatever it is sent: where
	// the caller's own id is the key, the second is refused.
	DuplicateCommit FaultKind = "duplicate_commit"
)

// FaultDo is what a fault does. Which fields a kind takes is in faultFields;
// a field of another kind is refused.
type FaultDo struct {
	Kind FaultKind `json:"kind"`

	// latency: one of three distributions, in wall time unless the world's is virtual.
	Fixed     *Span      `json:"fixed,omitzero"`
	Uniform   *Uniform   `json:"uniform,omitzero"`
	Lognormal *Lognormal `json:"lognormal,omitzero"`
	// latency: "before_commit" (default) or "after_commit"; reset:
	// "before_request" (default: nothing is committed) or "mid_response".
	At string `json:"at,omitzero"`

	Status int `json:"status,omitzero"` // http_error: 400 to 599; default 503

	Limit        int    `json:"limit,omitzero"`          // rate_limit: exchanges let through per window; default 0
	Per          Span   `json:"per,omitzero"`            // rate_limit: the window, in the world's time; default 1m
	RetryAfter   *Span  `json:"retry_after,omitzero"`    // rate_limit: default: what is left of the window
	RetryAfterAs string `json:"retry_after_as,omitzero"` // rate_limit: "secs" (default), "date" or "absent"

	Shape string `json:"shape,omitzero"` // malformed_body: see malformedShapes

	By Span `json:"by,omitzero"` // late_commit: how long after the connection broke, in the world's time
}

var malformedShapes = []string{"truncated_json", "wrong_type", "html_page", "empty_200", "bad_charset"}

// faultFields lists which fields of FaultDo belong to which kind.
var faultFields = map[FaultKind][]string{
	Latency:      {"fixed", "uniform", "lognormal", "at"},
	HTTPError:    {"status"},
	RateLimit:    {"limit", "per", "retry_after", "retry_after_as"},
	Reset:        {"at"},
	Malformed:    {"shape"},
	ResponseLost: {},
	LateCommit:   {"by"},

	DuplicateCommit: {},
}

// FaultKinds lists all kinds.
func FaultKinds() []string {
	return []string{string(Latency), string(HTTPError), string(RateLimit), string(Reset), string(Malformed),
		string(ResponseLost), string(LateCommit), string(DuplicateCommit)}
}

var faultID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Problem is one thing wrong with what the control API was given.
type Problem struct {
	Path    string `json:"path"` // "on.op"
	Message string `json:"message"`
}

// problems lists everything that is wrong with the fault. ops holds the known
// operations of every carrier.
func (f *Fault) problems(ops map[string][]string, now time.Time) []Problem {
	var found []Problem
	bad := func(path, format string, args ...any) {
		found = append(found, Problem{path, fmt.Sprintf(format, args...)})
	}
	if f.ID != "" && !faultID.MatchString(f.ID) {
		bad("id", "must be 1 to 64 of A-Z a-z 0-9 . _ -")
	}
	if !f.Expires.IsZero() && !f.Expires.After(now) {
		bad("expires", "has passed: the world's time is %s", now.Format(time.RFC3339))
	}
	f.On.problems(ops, bad)
	f.Do.problems(bad)
	return found
}

func (on *FaultOn) problems(ops map[string][]string, bad func(path, format string, args ...any)) {
	var known []string
	for carrier, names := range ops {
		if on.Carrier == "" || on.Carrier == carrier {
			known = append(known, names...)
		}
	}
	slices.Sort(known)
	if _, ok := ops[on.Carrier]; on.Carrier != "" && !ok {
		bad("on.carrier", "no dialect is named %q%s", on.Carrier, DidYouMean(on.Carrier, keysOf(ops)))
	} else if on.Op != "" && !slices.Contains(known, on.Op) {
		bad("on.op", "no operation is named %q%s; there are %s", on.Op, DidYouMean(on.Op, known), strings.Join(slices.Compact(known), ", "))
	}
	if on.Nth < 0 {
		bad("on.nth", "must not be negative")
	}
	if on.Count < 0 {
		bad("on.count", "must not be negative")
	}
	if p := on.Probability; p != nil && !(*p > 0 && *p <= 1) {
		bad("on.probability", "must be above 0 and at most 1")
	}
}

func (do *FaultDo) problems(bad func(path, format string, args ...any)) {
	fields, ok := faultFields[do.Kind]
	if !ok {
		kinds := FaultKinds()
		bad("do.kind", "no kind is named %q%s; there are %s", do.Kind, DidYouMean(string(do.Kind), kinds), strings.Join(kinds, ", "))
		return
	}
	for name, given := range map[string]bool{
		"fixed": do.Fixed != nil, "uniform": do.Uniform != nil, "lognormal": do.Lognormal != nil, "at": do.At != "",
		"status": do.Status != 0, "limit": do.Limit != 0, "per": do.Per != 0, "retry_after": do.RetryAfter != nil,
		"retry_after_as": do.RetryAfterAs != "", "shape": do.Shape != "", "by": do.By != 0,
	} {
		if given && !slices.Contains(fields, name) {
			bad("do."+name, "does not belong to a fault of kind %s", do.Kind)
		}
	}
	oneOf := func(name, value string, allowed ...string) {
		if value != "" && !slices.Contains(allowed, value) {
			bad("do."+name, "%q is not one of %s%s", value, strings.Join(allowed, ", "), DidYouMean(value, allowed))
		}
	}
	switch do.Kind {
	case Latency:
		if err := do.dist().Check(); err != nil {
			bad("do", "%v", err)
		}
		oneOf("at", do.At, "before_commit", "after_commit")
	case HTTPError:
		if do.Status != 0 && (do.Status < 400 || do.Status > 599) {
			bad("do.status", "must be from 400 to 599")
		}
	case RateLimit:
		if do.Limit < 0 {
			bad("do.limit", "must not be negative")
		}
		oneOf("retry_after_as", do.RetryAfterAs, "secs", "date", "absent")
	case Reset:
		oneOf("at", do.At, "before_request", "mid_response")
	case Malformed:
		if do.Shape == "" {
			bad("do.shape", "is required: one of %s", strings.Join(malformedShapes, ", "))
		}
		oneOf("shape", do.Shape, malformedShapes...)
	case LateCommit:
		if do.By <= 0 {
			bad("do.by", "is required: how long after the connection broke the carrier commits, as 30s")
		}
	}
}

func (do *FaultDo) dist() Dist {
	return Dist{Fixed: do.Fixed, Uniform: do.Uniform, Lognormal: do.Lognormal}
}

// withDefaults fills in what a checked fault leaves out.
func (f Fault) withDefaults() Fault {
	f.On.Nth = max(f.On.Nth, 1)
	switch do := &f.Do; do.Kind {
	case Latency:
		do.At = orElse(do.At, "before_commit")
	case HTTPError:
		do.Status = orElse(do.Status, http.StatusServiceUnavailable)
	case RateLimit:
		do.Per = orElse(do.Per, Span(time.Minute))
		do.RetryAfterAs = orElse(do.RetryAfterAs, "secs")
	case Reset:
		do.At = orElse(do.At, "before_request")
	}
	return f
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
