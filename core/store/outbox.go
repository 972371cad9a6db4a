package store

import (
	"context"
	"net/http"
	"time"
)

// Outbox is the part of the store from which everybody is told what happened. Each tenant has a log of messages: what is written
// in the transaction that made an event. Each subscription reads the log at its own pace, from its cursor; what could not be
// delivered at once becomes a delivery of its own, with a time to try again.
type Outbox interface {
	// MessageLog returns the messages after a position, in the order of their commits, at most limit. A message never appears behind
	// a position that was returned before.
	MessageLog(ctx context.Context, tenant string, after uint64, limit int) ([]Message, error)
	// MessagesOf returns the messages about one subject, oldest first.
	MessagesOf(ctx context.Context, tenant, subject string) ([]Message, error)
	// LogEnd returns the last position that the tenant's log has given, also where its message is no longer there; 0 where it has
	// given none. No position is given twice.
	LogEnd(ctx context.Context, tenant string) (uint64, error)
	// MessagesChanged is signalled after commits that put messages, deliveries that wait, or subscriptions. It has room for one signal.
	MessagesChanged() <-chan struct{}

	Subscription(ctx context.Context, tenant, id string) (*Subscription, error)
	// Subscriptions returns the tenant's subscriptions, oldest first.
	Subscriptions(ctx context.Context, tenant string) ([]*Subscription, error)
	// ReadUpTo returns how far a subscription has read, 0 where it has not begun.
	ReadUpTo(ctx context.Context, tenant, subscription string) (uint64, error)

	// Delivery returns the delivery of the message at a position.
	Delivery(ctx context.Context, tenant, subscription string, position uint64) (Delivery, error)
	// Deliveries returns a page of a subscription's log of deliveries.
	Deliveries(ctx context.Context, tenant string, q DeliveryQuery) (DeliveryPage, error)
	// DeliveriesDue returns the deliveries of a subscription that wait, by due time, at most limit: those that are due by now, and
	// when the next one after these is; zero where there is none.
	DeliveriesDue(ctx context.Context, tenant, subscription string, now time.Time, limit int) (due []Delivery, next time.Time, err error)

	// Secret returns 32 random bytes that belong to this store, the same for each name for ever.
	Secret(ctx context.Context, name string) ([]byte, error)
}

// Message is something that happened and that is to be told. It is written once.
type Message struct {
	Position uint64    `json:"position,omitzero"` // in the tenant's log; given by the commit
	ID       string    `json:"id"`                // stable: subscribers tell repeated deliveries by it
	Subject  string    `json:"subject"`           // what it is about: ShipmentSubject, TrackerSubject
	Seq      int       `json:"seq"`               // counts the messages of the subject
	Topic    string    `json:"topic"`             // shipment.order_dispatched, tracker.in_transit, return.exchange_requested, …
	At       time.Time `json:"at"`
	Body     []byte    `json:"body,omitempty"` // JSON; what the subject was when it happened
}

// ShipmentSubject names a shipment as the subject of messages.
func ShipmentSubject(id string) string { return "shipment/" + id }

// TrackerSubject names a tracker as the subject of messages.
func TrackerSubject(id string) string { return "tracker/" + id }

// Subscription is somebody who wants to be told.
type Subscription struct {
	ID       string   `json:"id"`
	Tenant   string   `json:"tenant"`
	Revision int64    `json:"revision"`
	Shape    string   `json:"shape"`  // waybill, delivery_solutions, ship24, tracktor
	Topics   []string `json:"topics"` // as in Message.Topic, "shipment.*", "tracker.*", "*"
	URL      string   `json:"url"`
	// Signing are the secrets that each message is signed with, newest first.
	Signing []SigningSecret `json:"signing,omitempty"`
	// Bearer is sent as Authorization: Bearer where the shape knows no signature.
	Bearer string `json:"bearer,omitempty"`
	// Extra is what else the surface was told, in a form that is the surface's own.
	Extra []byte `json:"extra,omitempty"`

	State        string    `json:"state"`            // active, paused, disabled
	Reason       string    `json:"reason,omitempty"` // why it is not active
	FailingSince time.Time `json:"failingSince,omitzero"`
	CreatedBy    string    `json:"createdBy"`
	CreatedAt    time.Time `json:"createdAt"`
	UpdatedAt    time.Time `json:"updatedAt"`
}

// SigningSecret signs messages until it expires.
type SigningSecret struct {
	Secret    string    `json:"secret"` // whsec_ and base64, as Standard Webhooks has it
	CreatedAt time.Time `json:"createdAt"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"` // zero: never
}

// The states of a delivery.
const (
	DeliveryWaiting   = "waiting" // to be tried at Due
	DeliveryDelivered = "delivered"
	DeliveryFailed    = "failed"  // given up
	DeliveryDropped   = "dropped" // its message was removed before it could be delivered
)

// Delivery is one message to one subscription: how often it was tried, and what came of it.
type Delivery struct {
	Subscription string    `json:"subscription"`
	Position     uint64    `json:"position"` // of the message
	Message      string    `json:"message"`  // its id
	Subject      string    `json:"subject"`
	Topic        string    `json:"topic"`
	State        string    `json:"state"`
	Due          time.Time `json:"due,omitzero"`
	CreatedAt    time.Time `json:"createdAt"`
	Tries        []Try     `json:"tries,omitempty"` // the last ones, oldest first
	Tried        int       `json:"tried"`           // all
	Again        bool      `json:"again,omitempty"` // asked for by a person
}

// Try is one attempt to deliver.
type Try struct {
	At             time.Time     `json:"at"`
	Latency        time.Duration `json:"latency"`
	RequestHeader  http.Header   `json:"requestHeader,omitempty"` // without secrets
	RequestBody    []byte        `json:"requestBody,omitempty"`
	Status         int           `json:"status,omitempty"` // 0: no answer
	ResponseHeader http.Header   `json:"responseHeader,omitempty"`
	ResponseBody   []byte        `json:"responseBody,omitempty"` // the first KiB
	Error          string        `json:"error,omitempty"`
}

// DeliveryQuery asks for deliveries of a subscription, newest message first.
type DeliveryQuery struct {
	Subscription string
	Subject      string    // only about this
	State        string    // only those in this state
	From, To     time.Time // by CreatedAt, both inclusive, to the millisecond; zero does not narrow
	Limit        int       // 0: DefaultLimit
	Cursor       string
}

// DeliveryPage is a page of an answer. Next is "" at the end.
type DeliveryPage struct {
	Deliveries []Delivery
	Next       string
}
