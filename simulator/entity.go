package simulator

import "time"

// Entity is one parcel, delivery or quote in the world. Its fields may be read
// and written only inside a transaction of the world that holds it.
type Entity struct {
	Carrier   string
	ID        string // the carrier's key: unique within the carrier, aliases included
	Reference string // the caller's own reference; may repeat
	Kind      string // "parcel", "delivery"
	Account   string // whose it is
	State     State
	Created   time.Time
	Updated   time.Time
	Timeline  []Moment // oldest first; the first is the entity's creation
	Data      any      // the dialect's own record

	plan    []Leg // what it will do by itself, soonest first
	planned int   // counts plans, so that events of an old one are void
	aliases []string
	gone    bool
	touched bool    // by the present transaction of a world with a memory
	older   *Entity // the world's list, newest first
	newer   *Entity
}

// Moment is one entry of an entity's timeline.
type Moment struct {
	At    time.Time `json:"at"`
	State State     `json:"state"`
	Cause string    `json:"cause"` // "request", "profile", "control", …
	// Reason is the carrier's own word for why, where it has one.
	Reason string `json:"reason,omitzero"`
}

// Leg is one step that an entity will take by itself.
type Leg struct {
	To State     `json:"to"`
	At time.Time `json:"at"`
}

// Plan returns a copy of what the entity will still do by itself.
func (e *Entity) Plan() []Leg { return append([]Leg(nil), e.plan...) }

// Token is an access token that a dialect has handed out.
type Token struct {
	Value   string    `json:"value"`
	Carrier string    `json:"carrier"`
	Holder  string    `json:"holder"` // the credential it was given for
	Expires time.Time `json:"expires"`
}
