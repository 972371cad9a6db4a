// Package store is the contract between the engine and its memory. It speaks in aggregates, takes the tenant first, and its
// transaction is data: what must be so, and rows to put. A transaction commits whole or not at all; once Commit has returned
// nil, what it wrote survives the death of the process and of the machine; a store that finds that it did not, as its files were
// damaged, does not open, or accepts nothing more. Implementations pass the suite in storetest.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// What the methods answer besides faults of the machine. They are wrapped; test with errors.Is.
var (
	// ErrNotFound: this tenant has no such thing. Another tenant's things are not found either.
	ErrNotFound = errors.New("not found")
	// ErrConflict: a row is not at the revision that the transaction expects, a claim is not that of whom it expects, or a job is to be put
	// with a lease while another of its key is leased. Load again, decide again.
	ErrConflict = errors.New("changed meanwhile")
	// ErrDuplicate: another shipment of the tenant has the external id, or another tracker of the tenant has the name.
	ErrDuplicate = errors.New("name is taken")
	// ErrKeyUsed: the idempotency key exists. Read it and answer what it names.
	ErrKeyUsed = errors.New("idempotency key is used")
	// ErrLeaseLost: the job is leased to another, or done. Whatever the holder meant to commit with it must not happen.
	ErrLeaseLost = errors.New("lease is lost")
	// ErrCursor: the token is not one of ours, or belongs to another question.
	ErrCursor = errors.New("unknown pagination token")
	// ErrUsage: the transaction would take an account beyond the usage that it allows. Decide again.
	ErrUsage = errors.New("account is in use to its limit")
	// ErrTooLarge: the transaction is larger than the store takes.
	ErrTooLarge = errors.New("transaction is too large")
	// ErrUnavailable: the store cannot write now (disk full, read-only, files damaged, closed), or what is to be read is damaged. Nothing
	// was written.
	ErrUnavailable = errors.New("store is unavailable")
)

// DamagedError says that a row was found that is not as it was written. Nothing more is accepted from then on: what a method answers with it
// also wraps ErrUnavailable.
type DamagedError struct {
	Row string // what it is a row of, in words: a kind and an id of ours
	Err error
}

func (e *DamagedError) Error() string { return e.Row + ": " + e.Err.Error() }

// Public is what the tenant whose row it is may be told.
func (e *DamagedError) Public() string {
	return "What is stored of this does not read (" + e.Row + "); nothing was changed, and no order is accepted until whoever runs this engine has restored a backup."
}

// Unwrap returns what is wrong with it.
func (e *DamagedError) Unwrap() error { return e.Err }

// Store keeps everything. All methods may be called concurrently. What a method returns belongs to the caller.
type Store interface {
	// Commit writes tx whole, or answers one of ErrConflict, ErrDuplicate, ErrKeyUsed, ErrLeaseLost, ErrUsage, ErrTooLarge,
	// ErrUnavailable and writes nothing. The revisions of the shipments in tx are counted up only on success. A Commit whose
	// context ends while it waits may have been written or not; label bytes must then be left unchanged. Where several errors
	// hold, the answer is the first of ErrTooLarge, ErrKeyUsed, ErrLeaseLost or that of a job's lease, ErrConflict, ErrDuplicate, ErrUsage,
	// ErrOverCounted.
	Commit(ctx context.Context, tenant string, tx *Tx) error

	Shipment(ctx context.Context, tenant string, id shipment.ID) (*shipment.Shipment, error)
	ShipmentByExternalID(ctx context.Context, tenant, externalID string) (*shipment.Shipment, error)
	// ShipmentByReference finds the shipment that has an attempt with this reference, over all tenants: carriers know no tenant.
	ShipmentByReference(ctx context.Context, reference string) (*shipment.Shipment, error)
	ListShipments(ctx context.Context, tenant string, q ShipmentQuery) (ShipmentPage, error)

	// History returns the status changes, oldest first.
	History(ctx context.Context, tenant string, id shipment.ID) ([]shipment.Change, error)
	// Decisions returns the decision records, oldest first.
	Decisions(ctx context.Context, tenant string, id shipment.ID) ([]Decision, error)
	// Exchanges returns what went over the wire, oldest first.
	Exchanges(ctx context.Context, tenant string, id shipment.ID) ([]Exchange, error)
	// Label returns the label of one parcel (from 1) of one attempt (from 1).
	Label(ctx context.Context, tenant string, id shipment.ID, attempt, parcel int) (shipping.Label, error)
	// IdempotencyKey returns what a key was used for, ErrNotFound where it was not, or has expired by now.
	IdempotencyKey(ctx context.Context, tenant, key string, now time.Time) (IdempotencyKey, error)
	// Usage counts an account's bookings on a day of the location's calendar (YYYY-MM-DD), and its open ones; those that a carrier is
	// being asked for are among them.
	Usage(ctx context.Context, tenant, account, day string) (carrier.Usage, error)

	Tracking
	Outbox
	Jobs
	Counters
	Claims
	Documents

	// Retain removes a tenant's exchanges, labels, messages and deliveries that are older than they are kept, and returns how many.
	// It may end early with ctx; what is left is removed by the next call.
	Retain(ctx context.Context, tenant string, r Retention) (int, error)
	// Sweep removes what has expired by now, what is left of removed subscriptions, and counts of long ago (see CountsKept), and
	// returns how many things it removed. A job calls it from time to time.
	Sweep(ctx context.Context, now time.Time) (int, error)
	// Check reports whether the store can write now, for readiness.
	Check(ctx context.Context) error
	// Close waits for what was accepted, and closes. It may be called twice.
	Close() error
}

// Jobs is the part of the store that the job runner uses.
type Jobs interface {
	// Owner names this opening of the store. Where one process owns the store, leases of other owners are void.
	Owner() string
	// ClaimJobs leases due jobs to this owner until now + lease, earliest first, at most limit, of any tenant. A job whose key
	// is leased is not claimed, nor are two of one key at once.
	ClaimJobs(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Job, error)
	// RenewJob extends a lease that this owner holds; ErrLeaseLost where it does not.
	RenewJob(ctx context.Context, j Job, until time.Time) error
	// ReleaseJob gives a lease back: the job, or what has replaced it meanwhile, may be claimed at once. A lease that is not
	// held is no fault.
	ReleaseJob(ctx context.Context, j Job) error
	// NextJob returns the earliest time at which ClaimJobs may find a job: when one whose key is free is due, or when a lease
	// ends. ok is false where there is no job.
	NextJob(ctx context.Context) (due time.Time, ok bool, err error)
	// JobsChanged is signalled after commits that put jobs, so that a runner need not poll. It has room for one signal.
	JobsChanged() <-chan struct{}
}

// Retention says what is old. A zero time keeps everything.
type Retention struct {
	Exchanges time.Time // remove those that began before
	Labels    time.Time // remove those of shipments that were last updated before
	Messages  time.Time // remove messages, and deliveries that do not wait, from before
}

// Tx is one transaction. Every shipment-bound row names its shipment.
type Tx struct {
	// Shipments are written as a whole. Revision 0 means that the shipment must not exist; else the stored revision must be
	// equal. On success Revision is counted up in place. The store keeps the indexes: external id (unique per tenant),
	// references of attempts, lists.
	Shipments []*shipment.Shipment
	Changes   []Change
	Decisions []Decision
	Exchanges []Exchange
	Labels    []Label
	// Messages are put at the end of the tenant's log; their positions are filled in on success.
	Messages []Message
	Usage    []UsageDelta
	// Trackers are written as a whole, by revision as shipments are; the store keeps the indexes of names (unique per tenant, else
	// ErrDuplicate), tags, surface and due time.
	Trackers     []*tracker.Tracker
	DropTrackers []tracker.ID // removed with their names and tags; with their messages where EraseTrackers names them too; none is no fault
	Parked       []Parked
	Unpark       []string // ids of Parked to be removed; none is no fault
	// Subscriptions are written as a whole, by revision as shipments are.
	Subscriptions     []*Subscription
	DropSubscriptions []string // removed with cursor and deliveries; none is no fault. Their ids are not used again
	// Cursors and Deliveries are created or replaced, by subscription, and by subscription and position. Their subscription must
	// exist, or be put by this transaction; else ErrConflict.
	Cursors    []Cursor
	Deliveries []Delivery
	// Standing names messages that must be in the log when this is written, else ErrConflict: what was erased or removed meanwhile
	// does not come back with what was sent of it. Position and At are looked at.
	Standing []Message
	// Erase names shipments whose exchanges, decisions, labels and messages are removed, and the deliveries of these messages, before
	// those of this transaction are put. The shipments themselves, their history and usage stay. A Change with a Seq that was stored
	// before replaces that line.
	Erase []shipment.ID
	// EraseTrackers names trackers whose messages are removed, and the deliveries of these, likewise. The trackers themselves stay,
	// unless DropTrackers names them.
	EraseTrackers []tracker.ID
	// PutJobs creates or replaces jobs by id, after DoneJobs and DropJobs. A job with a lease is put as leased to this owner,
	// who and whose token are filled in on success; none other of its key may be leased, else ErrConflict. A job that replaces
	// one that is leased and not done in this transaction takes the lease from its holder (ErrLeaseLost from then on), and may
	// not be claimed until that lease has ended or was given back: the holder may still be at work. An empty Tenant is filled in; a job may
	// be another tenant's, which then does what the transaction asks of its rows.
	PutJobs []Job
	// DoneJobs removes jobs; each must be leased to this owner with the given token, else ErrLeaseLost.
	DoneJobs []Job
	// DropJobs removes jobs by tenant-wide key and kind whoever holds them, and frees the key; none is no fault.
	DropJobs []JobKey
	// Keys must not exist, or must have expired by Now; else ErrKeyUsed.
	Keys      []IdempotencyKey
	Counts    []Count
	Claims    []Claim // each name once
	Documents []Document
	// DropDocuments removes documents by name, before Documents are put; none is no fault.
	DropDocuments []string
	Now           time.Time
}

// Change is a line of a shipment's history.
type Change struct {
	Shipment shipment.ID
	shipment.Change
}

// Decision is a decision record of a shipment, as the rules wrote it.
type Decision struct {
	Shipment shipment.ID `json:"shipment"`
	Round    int         `json:"round"`
	At       time.Time   `json:"at"`
	Record   []byte      `json:"record"` // JSON
	Trial    *Trial      `json:"trial,omitempty"`
}

// Trial is what the other rules of a trial would have made of a decision. They had no part in it.
type Trial struct {
	// Canary says that the rules on trial decided, and the live ones looked on; else the rules on trial looked on.
	Canary   bool     `json:"canary,omitempty"`
	Rules    string   `json:"rules"`   // hash of those that looked on
	Differs  bool     `json:"differs"` // they would certainly have chosen another offer, charged the customer otherwise, held the order, or found nobody
	Sentence string   `json:"sentence"`
	By       []string `json:"by,omitempty"`      // rules that are behind the difference
	Unknown  []string `json:"unknown,omitempty"` // what they would have needed and nobody asked, or not so; what they would have decided is not known then
}

// Exchange is one HTTP exchange with a carrier, or the note that exchanges were lost.
type Exchange struct {
	Shipment shipment.ID `json:"shipment"`
	Account  string      `json:"account"`
	Op       string      `json:"op"` // quote, book, cancel, find, …
	Attempt  int         `json:"attempt,omitempty"`
	Round    int         `json:"round"`
	Lost     string      `json:"lost,omitempty"` // why there is no exchange to show
	carrier.Exchange
}

// Label is the label of one parcel of one attempt, both counted from 1.
type Label struct {
	Shipment shipment.ID
	Attempt  int
	Parcel   int
	shipping.Label
}

// UsageDelta counts a booking up or an ended one down.
type UsageDelta struct {
	Account string
	Day     string // YYYY-MM-DD in the location's zone; of Today
	Open    int
	Today   int
	// MaxOpen and MaxToday are what the counts may come to with this transaction, else ErrUsage; 0 is no bound.
	MaxOpen  int
	MaxToday int
}

// IdempotencyKey is a key that a caller used, and for what.
type IdempotencyKey struct {
	Key      string      `json:"key"`  // route and key
	Hash     []byte      `json:"hash"` // SHA-256 of the raw body
	Shipment shipment.ID `json:"shipment"`
	Tracker  tracker.ID  `json:"tracker,omitempty"` // in place of Shipment where the key created a tracker
	Expires  time.Time   `json:"expires"`
}

// Cursor is how far a subscription has read its tenant's log.
type Cursor struct {
	Subscription string
	Position     uint64
}

// Job is something to do when its time has come.
type Job struct {
	ID      string    `json:"id"`
	Tenant  string    `json:"tenant"`
	Kind    string    `json:"kind"` // dispatch, reconcile, …
	Key     string    `json:"key"`  // jobs of one tenant and key never run together
	Due     time.Time `json:"due"`
	Tries   int       `json:"tries"` // how often it was claimed
	Payload []byte    `json:"payload,omitempty"`
	Lease   *Lease    `json:"lease,omitempty"`
}

// Lease says who works on a job, and until when.
type Lease struct {
	Owner string    `json:"owner"`
	Token string    `json:"token"` // new at each claim
	Until time.Time `json:"until"`
}

// JobKey names jobs of a tenant.
type JobKey struct {
	Kind string
	Key  string
}

// DefaultLimit is the size of a page where a query names none.
const DefaultLimit = 100

// ShipmentQuery asks for a page of shipments, newest first by creation, then by descending id. Zero members do not narrow.
// Times are compared to the millisecond, as they are shown. A window that is not set does not match PickupFrom or DeliveryTo.
type ShipmentQuery struct {
	Limit   int                 // of one page; it may differ from page to page
	Created shipping.TimeWindow // both ends inclusive
	// Since bounds the creation like Created.StartsAt, but is no part of the question that a cursor belongs to: a default that moves
	// with the clock.
	Since       shipping.Instant
	Updated     shipping.TimeWindow
	ExternalIDs []string
	GroupID     string
	LocationIDs []string
	Statuses    []shipping.Status
	PickupFrom  shipping.Instant // PickupTime.StartsAt at or after
	DeliveryTo  shipping.Instant // DeliveryTime.EndsAt at or before
	Cursor      string           // a token of an earlier page of the same question
	NeedsPerson bool             // only those with an attempt that needs a person
}

// ShipmentPage is a page of an answer. Tokens are "" at the ends. They stay true while shipments are added: following Next meets
// each shipment that existed at the start and still matches exactly once.
type ShipmentPage struct {
	Shipments []*shipment.Shipment
	Next      string
	Previous  string
}
