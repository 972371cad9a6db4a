package simulator

import (
	"net/http"
	"time"
)

// Push is one message of a carrier to the merchant: a webhook.
type Push struct {
	Event    string // the carrier's name of the event
	URL      string
	Header   http.Header
	Body     []byte
	At       time.Time       // when the carrier sends it first
	Retries  []time.Duration // how long after each failed attempt the next one follows
	Accepted func(status int) bool

	// Filled by the world.
	Carrier, Entity, Reference, Account string

	attempt int // the attempts made
}
