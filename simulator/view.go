package simulator

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
)

// Step is one legal next step of an entity.
type Step struct {
	To      State    `json:"to"`
	Reasons []string `json:"reasons,omitempty"` // that the step may name; the first is the default
}

// EntityView is how the control API shows an entity.
type EntityView struct {
	Carrier   string    `json:"carrier"`
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	Reference string    `json:"reference,omitzero"`
	Account   string    `json:"account,omitzero"`
	State     State     `json:"state"`
	Final     bool      `json:"final"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
	Next      []Step    `json:"next_steps"`
	// Only where one entity is asked for:
	Plan     []Leg    `json:"plan,omitempty"` // what it will do by itself
	Timeline []Moment `json:"timeline,omitempty"`
	Details  any      `json:"details,omitempty"`
}

func (tx *Tx) view(e *Entity, whole bool) EntityView {
	v := EntityView{Carrier: e.Carrier, ID: e.ID, Kind: e.Kind, Reference: e.Reference, Account: e.Account, State: e.State,
		Final: tx.Machine(e.Carrier).Final(e.State), Created: e.Created, Updated: e.Updated, Next: tx.steps(e)}
	if whole {
		v.Plan, v.Timeline = e.Plan(), slices.Clone(e.Timeline)
		if d, ok := tx.w.dialects[e.Carrier].(Describer); ok {
			v.Details = d.Describe(e)
		}
	}
	return v
}

func (tx *Tx) steps(e *Entity) []Step {
	steps := []Step{}
	reasoner, _ := tx.w.dialects[e.Carrier].(Reasoner)
	for _, to := range tx.Machine(e.Carrier).Next[e.State] {
		step := Step{To: to}
		if reasoner != nil {
			step.Reasons = reasoner.Reasons(e, to)
		}
		steps = append(steps, step)
	}
	return steps
}

// Entity returns one entity whole; false when the carrier knows none.
func (w *World) Entity(carrier, id string) (v EntityView, ok bool) {
	w.Do(func(tx *Tx) {
		if e := tx.Find(carrier, id); e != nil {
			v, ok = tx.view(e, true), true
		}
	})
	return v, ok
}

// EntityQuery selects entities; empty fields select all.
type EntityQuery struct {
	Carrier, Reference string
	State              State
	Limit              int // 0: all
}

// Entities returns what q selects, newest first, without timelines.
func (w *World) Entities(q EntityQuery) []EntityView {
	found := []EntityView{}
	w.Do(func(tx *Tx) {
		pick := func(e *Entity) bool {
			if matches(q.Carrier, e.Carrier) && matches(string(q.State), string(e.State)) && matches(q.Reference, e.Reference) {
				found = append(found, tx.view(e, false))
			}
			return q.Limit == 0 || len(found) < q.Limit
		}
		if q.Carrier != "" && q.Reference != "" {
			for _, e := range slices.Backward(tx.ByReference(q.Carrier, q.Reference)) {
				if !pick(e) {
					return
				}
			}
			return
		}
		tx.Each(pick)
	})
	return found
}

func (w *World) countStates() map[string]int {
	counts := map[string]int{}
	w.Do(func(tx *Tx) {
		tx.Each(func(e *Entity) bool {
			counts[e.Carrier+"/"+string(e.State)]++
			return true
		})
	})
	return counts
}

// Errors of Step and RunTo, beside *IllegalMove.
var (
	ErrUnknownEntity = errors.New("the carrier knows no such entity")
	ErrUnknownReason = errors.New("the step does not go with that reason")
)

// Step takes an entity one legal step on. reason may be empty.
func (w *World) Step(carrier, id string, to State, reason string) (v EntityView, err error) {
	w.Do(func(tx *Tx) {
		e := tx.Find(carrier, id)
		if e == nil {
			err = ErrUnknownEntity
			return
		}
		if err = tx.step(e, to, reason); err == nil {
			v = tx.view(e, true)
		}
	})
	return v, err
}

func (tx *Tx) step(e *Entity, to State, reason string) error {
	var allowed []string
	if r, ok := tx.w.dialects[e.Carrier].(Reasoner); ok && tx.Machine(e.Carrier).Legal(e.State, to) {
		allowed = r.Reasons(e, to)
	}
	switch {
	case reason == "" && len(allowed) > 0:
		reason = allowed[0]
	case reason != "" && !slices.Contains(allowed, reason) && tx.Machine(e.Carrier).Legal(e.State, to):
		return fmt.Errorf("%w: %q is not one of [%s]", ErrUnknownReason, reason, strings.Join(allowed, ", "))
	}
	return tx.MoveFor(e, to, "control", reason)
}

// RunTo takes an entity by the shortest legal way into a state, all at the
// world's present time. Nothing happens when there is no way.
func (w *World) RunTo(carrier, id string, to State) (v EntityView, err error) {
	w.Do(func(tx *Tx) {
		e := tx.Find(carrier, id)
		if e == nil {
			err = ErrUnknownEntity
			return
		}
		path := tx.Machine(carrier).Path(e.State, to)
		if path == nil && e.State != to {
			err = &IllegalMove{Carrier: carrier, ID: id, From: e.State, To: to, Legal: tx.Machine(carrier).Next[e.State]}
			return
		}
		for _, s := range path {
			if err = tx.step(e, s, ""); err != nil {
				return
			}
		}
		v = tx.view(e, true)
	})
	return v, err
}

type entityList struct {
	Entities []EntityView `json:"entities"` // newest first
}

func (c *control) entities(w http.ResponseWriter, r *http.Request) {
	q := newQuery(r.URL.Query(), "carrier", "state", "reference", "limit")
	carrier := q.oneOf("carrier", keysOf(c.server.mounts))
	ask := EntityQuery{Carrier: carrier, Reference: q.text("reference"), Limit: int(q.number("limit", 100, 100_000)),
		State: State(q.oneOf("state", c.server.world.states(carrier)))}
	if len(q.problems) > 0 {
		invalid(w, q.problems)
		return
	}
	sendJSON(w, http.StatusOK, entityList{c.server.world.Entities(ask)})
}

// states lists the states of one carrier, or of all.
func (w *World) states(carrier string) []string {
	var all []string
	w.Do(func(tx *Tx) {
		for name, m := range tx.w.machines {
			if !matches(carrier, name) {
				continue
			}
			for _, s := range m.States() {
				all = append(all, string(s))
			}
		}
	})
	slices.Sort(all)
	return slices.Compact(all)
}

func (c *control) entity(w http.ResponseWriter, r *http.Request) {
	vars := mux.Vars(r)
	v, ok := c.server.world.Entity(vars["carrier"], vars["id"])
	if !ok {
		c.moved(w, r, v, ErrUnknownEntity)
		return
	}
	sendJSON(w, http.StatusOK, v)
}

func (c *control) step(w http.ResponseWriter, r *http.Request) {
	var req struct {
		To     State  `json:"to"`
		Reason string `json:"reason"`
	}
	problems := read(w, r, &req)
	if len(problems) == 0 && req.To == "" {
		problems = []Problem{{"to", "is required: the state to step into"}}
	}
	if len(problems) > 0 {
		invalid(w, problems)
		return
	}
	vars := mux.Vars(r)
	v, err := c.server.world.Step(vars["carrier"], vars["id"], req.To, req.Reason)
	c.moved(w, r, v, err)
}

func (c *control) runTo(w http.ResponseWriter, r *http.Request) {
	var req struct {
		State State `json:"state"`
	}
	problems := read(w, r, &req)
	if len(problems) == 0 && req.State == "" {
		problems = []Problem{{"state", "is required: the state to run to"}}
	}
	if len(problems) > 0 {
		invalid(w, problems)
		return
	}
	vars := mux.Vars(r)
	v, err := c.server.world.RunTo(vars["carrier"], vars["id"], req.State)
	c.moved(w, r, v, err)
}

// moved answers what came of a step.
func (c *control) moved(w http.ResponseWriter, r *http.Request, v EntityView, err error) {
	vars := mux.Vars(r)
	if _, ok := errors.AsType[*IllegalMove](err); ok {
		now, _ := c.server.world.Entity(vars["carrier"], vars["id"])
		sendJSON(w, http.StatusConflict, errorBody{apiError{Code: "illegal_step", Message: err.Error(), Legal: now.Next}})
		return
	}
	switch {
	case err == nil:
		sendJSON(w, http.StatusOK, v)
	case errors.Is(err, ErrUnknownEntity):
		sendJSON(w, http.StatusNotFound, errorBody{apiError{Code: "not_found",
			Message: fmt.Sprintf("carrier %q knows no entity %q; GET /_sim/entities lists those there are", vars["carrier"], vars["id"])}})
	default:
		invalid(w, []Problem{{"reason", err.Error()}})
	}
}
