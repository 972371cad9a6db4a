package shipment

import (
	"slices"
	"time"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Stage groups the statuses by what may still be done.
type Stage int

// The stages.
const (
	// BeforeDispatch: no carrier has it; everything may be edited, cancelling is local.
	BeforeDispatch Stage = iota
	// WithCarrier: booked and not yet picked up.
	WithCarrier
	// Underway: picked up; only local fields may be edited.
	Underway
	// Finished: nothing more is expected, but for the return of an undeliverable order.
	Finished
)

// StageOf returns the stage of a status.
func StageOf(s shipping.Status) Stage {
	switch s {
	case shipping.OrderDispatched, shipping.Staged, shipping.OrderAssigned, shipping.OrderUnassigned, shipping.PickupStarted:
		return WithCarrier
	case shipping.PickupCompleted, shipping.InTransit, shipping.OutForDelivery, shipping.OrderAtLocation, shipping.OrderDelayed,
		shipping.OrderRedelivery:
		return Underway
	case shipping.OrderDelivered, shipping.OrderCancelled, shipping.OrderUndeliverable, shipping.ErrorException:
		return Finished
	}
	return BeforeDispatch
}

// Stage returns where the shipment stands. ORDER_DELAYED says nothing about the stage: what was picked up stays so.
func (s *Shipment) Stage() Stage {
	if s.Status == shipping.OrderDelayed && s.Progress.ActualPickup.IsZero() {
		return WithCarrier
	}
	return StageOf(s.Status)
}

// Retryable reports whether a retry may be asked for: the order failed, or the carrier itself gave the booking up.
func (s *Shipment) Retryable() bool {
	if !s.ErasedAt.IsZero() { // nobody knows any more where it was to go
		return false
	}
	switch s.Status {
	case shipping.EstimatesFailed, shipping.OrderFailed:
		return true
	case shipping.ErrorException:
		return s.Live(s.Way()) == nil && s.Open(s.Way()) == nil
	}
	return false
}

// Final reports whether no event can move the shipment any more.
func (s *Shipment) Final() bool {
	return s.Status == shipping.OrderDelivered || s.Status == shipping.OrderCancelled
}

// Waiting reports whether the shipment waits for the engine: a job holds its future.
func (s *Shipment) Waiting() bool {
	switch s.Status {
	case shipping.RequestReceived, shipping.PendingDispatch, shipping.PendingRelease, shipping.PendingAutoRetry, shipping.EstimatesReceived:
		return true
	}
	return false
}

// Move sets the status and returns the line for the history. The caller commits both together.
func (s *Shipment) Move(to shipping.Status, now time.Time, user string, opts ...func(*Change)) Change {
	c := Change{Seq: s.Changes, Status: to, At: now, User: user}
	for _, o := range opts {
		o(&c)
	}
	s.Changes++
	if !c.Late {
		s.Status, s.SubStatus = to, c.SubStatus
		if s.Final() || StageOf(to) == Underway && to != shipping.OrderDelayed || to == shipping.OrderUndeliverable {
			s.Offers = nil // nobody else will be booked
		}
	}
	s.UpdatedAt = now
	return c
}

// WithNote adds the carrier's words to a Change.
func WithNote(note string) func(*Change) { return func(c *Change) { c.Note = note } }

// WithAttempt says which attempt a Change is about.
func WithAttempt(number int) func(*Change) { return func(c *Change) { c.Attempt = number } }

// WithReason adds a reason to a Change.
func WithReason(r *shipping.EventReason) func(*Change) { return func(c *Change) { c.Reason = r } }

// WithSubStatus adds a sub-status to a Change.
func WithSubStatus(s string) func(*Change) { return func(c *Change) { c.SubStatus = s } }

// manual lists what a person or a driver may set, by the present status. Shortcuts that merchants need are legal: a driver who
// taps only "delivered" has picked up as well.
var manual = map[shipping.Status][]shipping.Status{
	shipping.OrderDispatched:    {shipping.OrderAssigned, shipping.PickupStarted, shipping.PickupCompleted, shipping.OutForDelivery, shipping.OrderDelivered, shipping.OrderDelayed, shipping.Staged},
	shipping.Staged:             {shipping.OrderAssigned, shipping.PickupStarted, shipping.PickupCompleted, shipping.OutForDelivery, shipping.OrderDelivered, shipping.OrderDelayed},
	shipping.OrderAssigned:      {shipping.OrderUnassigned, shipping.PickupStarted, shipping.PickupCompleted, shipping.OutForDelivery, shipping.OrderDelivered, shipping.OrderDelayed},
	shipping.OrderUnassigned:    {shipping.OrderAssigned, shipping.PickupStarted, shipping.PickupCompleted, shipping.OrderDelayed},
	shipping.PickupStarted:      {shipping.OrderUnassigned, shipping.PickupCompleted, shipping.OutForDelivery, shipping.OrderDelivered, shipping.OrderDelayed},
	shipping.PickupCompleted:    {shipping.InTransit, shipping.OutForDelivery, shipping.OrderDelivered, shipping.OrderAtLocation, shipping.OrderDelayed, shipping.OrderRedelivery, shipping.OrderUndeliverable},
	shipping.InTransit:          {shipping.OutForDelivery, shipping.OrderDelivered, shipping.OrderAtLocation, shipping.OrderDelayed, shipping.OrderRedelivery, shipping.OrderUndeliverable},
	shipping.OutForDelivery:     {shipping.OrderDelivered, shipping.OrderAtLocation, shipping.OrderDelayed, shipping.OrderRedelivery, shipping.OrderUndeliverable},
	shipping.OrderAtLocation:    {shipping.OrderDelivered, shipping.OrderRedelivery, shipping.OrderUndeliverable},
	shipping.OrderDelayed:       {shipping.OrderAssigned, shipping.PickupStarted, shipping.PickupCompleted, shipping.InTransit, shipping.OutForDelivery, shipping.OrderDelivered, shipping.OrderAtLocation, shipping.OrderUndeliverable},
	shipping.OrderRedelivery:    {shipping.OutForDelivery, shipping.OrderDelivered, shipping.OrderUndeliverable},
	shipping.OrderUndeliverable: {shipping.OrderUndeliverable, shipping.OrderDelivered},
}

// ManualNext lists the statuses that may be set by hand now.
func (s *Shipment) ManualNext() []shipping.Status { return ManualFrom(s.Status) }

// ManualFrom lists the statuses that may be set by hand where something stands at a status.
func ManualFrom(status shipping.Status) []shipping.Status { return slices.Clone(manual[status]) }
