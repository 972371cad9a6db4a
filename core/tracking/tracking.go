// Package tracking holds the use cases of what is followed: polls, carriers' pushes, statuses set by hand, and the trackers of the
// public surfaces. It merges what carriers say into one timeline, moves trackers and shipments by it, and writes what is to be told
// in the transaction that moved them.
package tracking

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// CreateRequest is a new tracker. The surface has decoded and validated its body, and has filled in Surface, Number, Names, Tags,
// Order, Pickup, Couriers, Provider, Type, Source and Extra; the use case finds the account, plans polls, and takes up what was
// parked.
type CreateRequest struct {
	Tracker *tracker.Tracker
	// Same is a name of Tracker.Names; where a tracker has it already, that one is the answer and nothing is created. "" for none.
	Same string
	// IdempotencyKey is route and key, "" for none; BodyHash the SHA-256 of the raw body. What was created with the same two within a
	// day is the answer, and nothing is created.
	IdempotencyKey string
	BodyHash       []byte
	// Quota is how many may be created in a calendar month of UTC with what is counted as Counted, 0 for no limit.
	Quota   int64
	Counted string
}

// StatusUpdate is a status set by hand.
type StatusUpdate struct {
	Status    shipping.Status
	SubStatus string
	Note      string
	Actor     string // who says so, where the key is not the person; the author of the note
	Reason    *shipping.EventReason
	At        time.Time // zero for now
	Proofs    []shipment.Attachment
	Location  *shipping.Location
	Driver    *shipping.Driver
	Vehicle   *shipping.Vehicle
	// Override is that the person means it although the carrier follows the order itself: it will never say what has happened.
	Override bool
}

// UseCases is what the surfaces call.
type UseCases interface {
	// Create begins to follow. A name that another tracker has is DuplicateID, an account that the tenant does not have
	// InvalidTrackerData, a key that was used with another body DuplicateResource, one more than the quota QuotaReached.
	Create(ctx context.Context, c usecase.Caller, r CreateRequest) (t *tracker.Tracker, created bool, err error)
	Tracker(ctx context.Context, c usecase.Caller, id tracker.ID) (*tracker.Tracker, error)
	TrackerByName(ctx context.Context, c usecase.Caller, name string) (*tracker.Tracker, error)
	// TrackersByTag returns the tenant's trackers with a tag, oldest first.
	TrackersByTag(ctx context.Context, c usecase.Caller, tag string) ([]*tracker.Tracker, error)
	ListTrackers(ctx context.Context, c usecase.Caller, q store.TrackerQuery) (store.TrackerPage, error)
	// Update applies change to a tracker and commits it, again from the stored state when somebody else was faster. The use case then
	// plans polls anew for what the tracker has become.
	Update(ctx context.Context, c usecase.Caller, id tracker.ID, change func(*tracker.Tracker) error) (*tracker.Tracker, error)
	Delete(ctx context.Context, c usecase.Caller, id tracker.ID) error
	// Erase removes what is known of people. The tracker is asked for no more.
	Erase(ctx context.Context, c usecase.Caller, id tracker.ID) (*tracker.Tracker, error)
	// Refresh asks the carrier now and returns the tracker as it is then, at the latest when ctx ends.
	Refresh(ctx context.Context, c usecase.Caller, id tracker.ID) (*tracker.Tracker, error)
	// Look asks the carrier about a tracker that is not kept, and returns it as it is then, at the latest when ctx ends. The surface
	// has filled it in as for Create.
	Look(ctx context.Context, c usecase.Caller, t *tracker.Tracker) (*tracker.Tracker, error)
	// SetTrackerStatus moves a tracker by hand. A step that is not legal is InvalidOperation.
	SetTrackerStatus(ctx context.Context, c usecase.Caller, id tracker.ID, u StatusUpdate) (*tracker.Tracker, error)
	// SetShipmentStatus moves an order by hand. A step that is not legal, and without Override one of an order that its carrier
	// follows, is InvalidOperation; a time before the order is ValidationError.
	SetShipmentStatus(ctx context.Context, c usecase.Caller, externalID string, u StatusUpdate) (*shipment.Shipment, error)
	// Push takes what a carrier has pushed to an account. The secret is that of the account's push URL. It answers what the carrier
	// wants to hear, after the news is committed.
	Push(ctx context.Context, account, secret string, p carrier.Push) (carrier.PushAnswer, error)
}

// Teller writes what is to be told about an event into the transaction that makes it.
type Teller interface {
	// Shipment tells each line of the shipment's history that tx holds.
	Shipment(ctx context.Context, tx *store.Tx, sh *shipment.Shipment)
	// Tracker tells the events that have just entered.
	Tracker(ctx context.Context, tx *store.Tx, t *tracker.Tracker, entered []tracker.Event)
}
