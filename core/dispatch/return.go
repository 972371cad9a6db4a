package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// ReturnRequest asks for the way back of what was delivered.
type ReturnRequest struct {
	Items    []ReturnItem        // none: all that is left
	Type     shipment.ReturnType // "": an exchange where Exchange names something, else a return
	Reason   string              // one of the tenant's
	Note     string              // the buyer's own words
	Exchange []shipping.Item     // what is wanted in exchange
	// Address and Contact are where it is picked up; nil where it was delivered to.
	Address      *shipping.Address
	Contact      *shipping.Contact
	Instructions *string
	// Packages is what it is packed in; none: the order's own packages where all comes back, else the largest of them.
	Packages []shipping.Parcel
	Plural   bool
	Proposed []shipment.ProposedProvider
	// Async answers as soon as the return is stored.
	Async bool
	// IdempotencyKey is route and key, "" for none; BodyHash the SHA-256 of the raw body.
	IdempotencyKey string
	BodyHash       []byte
}

// ReturnItem is how many of one item come back: named by its SKU, or by its line in the order, from 1.
type ReturnItem struct {
	SKU      string
	Line     int
	Quantity int
}

// ExchangeTeller writes into the transaction that stores a return that the shop is to send something in exchange.
type ExchangeTeller interface {
	// ExchangeRequested is called with the way back, whose ReturnOf says what is wanted.
	ExchangeRequested(tx *store.Tx, back *shipment.Shipment, at time.Time)
}

// Returned is something that was delivered, with what has come of it since: an order of ours, or a tracker.
type Returned struct {
	Shipment *shipment.Shipment // one of the two
	Tracker  *tracker.Tracker

	Order    shipment.Order
	Returns  []*shipment.Shipment // oldest first
	Left     []int                // of each of the order's items, how many may still be returned
	Whole    bool                 // the order names no items, and may be returned as a whole
	Currency string
	// Until is when the tenant takes no returns of it any more; zero as long as it is not delivered.
	Until time.Time
	// Refusal says why nothing can be returned now, "" where something can; Barrier names it, for those who word it themselves.
	Refusal string
	Barrier Barrier
	// Lacks is what whoever asks for a return has to add to the order, as faults of asking without: a package, an address.
	Lacks shipping.Faults
}

// Barrier is what stands in the way of a return.
type Barrier string

// The barriers.
const (
	NoReturns     Barrier = "off"    // the tenant takes none
	ItselfAReturn Barrier = "itself" //
	WasErased     Barrier = "erased" // nobody knows any more where it would be picked up
	NotDelivered  Barrier = "early"  //
	TimeOver      Barrier = "over"   // Until has passed
	AllReturned   Barrier = "all"    // or is on its way back
	NoPlace       Barrier = "place"  // nobody knows where it would go
)

// Return books the way back of an order, or of a part of it. It is a shipment of its own from then on.
func (s *Service) Return(ctx context.Context, c usecase.Caller, externalID string, r ReturnRequest) (Result, error) {
	return s.giveBack(ctx, c, r, func(ctx context.Context) (*Returned, error) { return s.Returnable(ctx, c, externalID) })
}

// ReturnByID books the way back of an order that is known by our own id.
func (s *Service) ReturnByID(ctx context.Context, c usecase.Caller, id shipment.ID, r ReturnRequest) (Result, error) {
	return s.giveBack(ctx, c, r, func(ctx context.Context) (*Returned, error) { return s.ReturnableByID(ctx, c, id) })
}

// ReturnTracker books the way back of what a tracker of the Tracker API has followed.
func (s *Service) ReturnTracker(ctx context.Context, c usecase.Caller, id tracker.ID, r ReturnRequest) (Result, error) {
	return s.giveBack(ctx, c, r, func(ctx context.Context) (*Returned, error) { return s.ReturnableTracker(ctx, c, id) })
}

// Returnable says what of an order may be returned.
func (s *Service) Returnable(ctx context.Context, c usecase.Caller, externalID string) (*Returned, error) {
	sh, err := s.load(ctx, c, externalID)
	if err != nil {
		return nil, err
	}
	return s.ofOrder(ctx, c, sh)
}

// ReturnableByID says what may be returned of an order that is known by our own id.
func (s *Service) ReturnableByID(ctx context.Context, c usecase.Caller, id shipment.ID) (*Returned, error) {
	sh, err := s.loadByID(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return s.ofOrder(ctx, c, sh)
}

func (s *Service) ofOrder(ctx context.Context, c usecase.Caller, sh *shipment.Shipment) (*Returned, error) {
	o := &Returned{Shipment: sh, Order: sh.Order, Currency: sh.Currency}
	state := state{status: sh.Status, deliveredAt: sh.Progress.ActualDelivery.Time, updatedAt: sh.UpdatedAt, erased: !sh.ErasedAt.IsZero()}
	return o, s.returnable(ctx, c, o, sh.Returns, state)
}

// ReturnableTracker says what of a tracker's order may be returned.
func (s *Service) ReturnableTracker(ctx context.Context, c usecase.Caller, id tracker.ID) (*Returned, error) {
	t, err := s.Store.Tracker(ctx, c.Tenant, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && t.Surface != tracker.OfAPI {
		return nil, usecase.Failf(usecase.NotFound, "Tracker with id, %s, is not found", id)
	}
	if err != nil {
		return nil, s.storeError("read tracker", err)
	}
	o := &Returned{Tracker: t}
	if t.Order != nil {
		o.Order = *t.Order
	}
	o.Currency = o.Order.Currency
	state := state{status: t.Status, deliveredAt: t.Progress.ActualDelivery.Time, updatedAt: t.UpdatedAt, erased: !t.ErasedAt.IsZero()}
	return o, s.returnable(ctx, c, o, t.Returns, state)
}

// state is where the origin of a return stands.
type state struct {
	status                 shipping.Status
	deliveredAt, updatedAt time.Time
	erased                 bool
}

// returnable fills in what was returned already and what may be.
func (s *Service) returnable(ctx context.Context, c usecase.Caller, o *Returned, ids []shipment.ID, at state) error {
	t, err := s.tenant(c.Tenant)
	if err != nil {
		return err
	}
	if o.Returns, err = s.Returns(ctx, c, ids); err != nil {
		return err
	}
	o.Left, o.Whole = shipment.Left(o.Order.Items, o.Returns)
	if at.status == shipping.OrderDelivered {
		if at.deliveredAt.IsZero() {
			at.deliveredAt = at.updatedAt
		}
		o.Until = at.deliveredAt.Add(t.Returns.Window)
	}
	left := o.Whole
	for _, n := range o.Left {
		left = left || n > 0
	}
	switch {
	case !t.Returns.On():
		o.Barrier, o.Refusal = NoReturns, "The merchant takes no returns."
	case o.Shipment != nil && o.Shipment.ReturnOf != nil:
		o.Barrier, o.Refusal = ItselfAReturn, "The order is itself a return; it can be cancelled, not returned."
	case at.erased:
		o.Barrier, o.Refusal = WasErased, "The personal data of the order was erased: nobody knows any more where it would have to be picked up."
	case at.status != shipping.OrderDelivered:
		o.Barrier, o.Refusal = NotDelivered, fmt.Sprintf("Only what is delivered can be returned; the order is in state %s.", at.status)
	case s.Clock.Now().After(o.Until):
		o.Barrier, o.Refusal = TimeOver, fmt.Sprintf("The time for returns ended at %s.", o.Until.UTC().Format(time.RFC3339))
	case !left:
		o.Barrier, o.Refusal = AllReturned, "Everything of the order has been returned or is on its way back."
	case destination(t, t.Locations[o.Order.LocationID]) == nil:
		o.Barrier, o.Refusal = NoPlace, fmt.Sprintf("Nobody knows where a return of it would go: its location %q is not configured, and returns.location names none.", o.Order.LocationID)
	default:
		validateReturn(&o.Lacks, t, o, o.packed(t, ReturnRequest{Reason: firstOf(t.Returns.ReasonIDs()...)}))
	}
	return nil
}

// Returns loads the returns of an order or tracker, in the order of their ids.
func (s *Service) Returns(ctx context.Context, c usecase.Caller, ids []shipment.ID) ([]*shipment.Shipment, error) {
	var out []*shipment.Shipment
	for _, id := range ids {
		sh, err := s.Store.Shipment(ctx, c.Tenant, id)
		if err != nil {
			return nil, s.storeError("read return "+string(id), err)
		}
		out = append(out, sh)
	}
	return out, nil
}

// RetryReturn has a return tried again, by our own id, by whoever may carry it: which carriers were proposed when it was first asked for
// is nothing that the buyer has said.
func (s *Service) RetryReturn(ctx context.Context, c usecase.Caller, id shipment.ID) (Result, error) {
	sh, err := s.loadByID(ctx, c, id)
	if err != nil {
		return Result{}, err
	}
	return s.retry(ctx, c, sh, func(sh *shipment.Shipment) { sh.Order.Proposed = nil })
}

// ReturnLabel returns the label of one parcel of a return, by our own id.
func (s *Service) ReturnLabel(ctx context.Context, c usecase.Caller, id shipment.ID, parcel int) (shipping.Label, error) {
	sh, err := s.loadByID(ctx, c, id)
	if err != nil {
		return shipping.Label{}, err
	}
	return s.label(ctx, sh, sh.Order.ExternalID, parcel)
}

// claim checks that what a return that is tried again is to bring back is still at the buyer's, and puts its origin into tx: no other
// return of it can be stored meanwhile.
func (s *Service) claim(ctx context.Context, back *shipment.Shipment, tx *store.Tx) error {
	r, c := back.ReturnOf, usecase.Caller{Tenant: back.Tenant}
	var items []shipping.Item
	var ids []shipment.ID
	if r.Shipment != "" {
		sh, err := s.loadByID(ctx, c, r.Shipment)
		if err != nil {
			return err
		}
		items, ids, tx.Shipments = sh.Order.Items, sh.Returns, []*shipment.Shipment{sh}
	} else {
		t, err := s.Store.Tracker(ctx, back.Tenant, tracker.ID(r.Tracker))
		if errors.Is(err, store.ErrNotFound) {
			return usecase.Failf(usecase.InvalidOperation, "The return can no longer be retried: the tracker of what it returns was removed.")
		}
		if err != nil {
			return s.storeError("read tracker", err)
		}
		ids, tx.Trackers = t.Returns, []*tracker.Tracker{t}
		if t.Order != nil {
			items = t.Order.Items
		}
	}
	others, err := s.Returns(ctx, c, slices.DeleteFunc(slices.Clone(ids), func(id shipment.ID) bool { return id == back.ID }))
	if err != nil {
		return err
	}
	if left, whole := shipment.Left(items, others); !r.Within(left, whole) {
		return usecase.Failf(usecase.InvalidOperation, "The return can no longer be retried: what it was to bring back has been returned, or is on its way back, by another return.")
	}
	return nil
}

// giveBack stores the way back together with what it means for its origin, and has it dispatched as any order.
func (s *Service) giveBack(ctx context.Context, c usecase.Caller, r ReturnRequest, load func(context.Context) (*Returned, error)) (Result, error) {
	asked, stop := s.begin()
	defer stop()
	t, err := s.tenant(c.Tenant)
	if err != nil {
		return Result{}, err
	}
	as := CreateRequest{Async: r.Async, IdempotencyKey: r.IdempotencyKey, BodyHash: r.BodyHash}
	caller, taken := ctx, 0
	for range maxConflicts {
		if r.IdempotencyKey != "" {
			if res, used, err := s.replay(caller, c, as, asked); used || err != nil {
				return res, err
			}
		}
		o, err := load(caller)
		if err != nil {
			return Result{}, err
		}
		back, err := s.wayBack(caller, c, t, o, r, taken)
		if err != nil {
			return Result{}, err
		}
		job, err := s.saveReturn(context.WithoutCancel(caller), c, as, o, back)
		switch {
		case errors.Is(err, store.ErrKeyUsed), errors.Is(err, store.ErrConflict):
			continue // a twin of this request, or another return or change of the origin, was faster
		case errors.Is(err, store.ErrDuplicate):
			taken++
			continue
		case err != nil:
			return Result{}, s.storeError("store return", err)
		}
		if r.Async {
			return Result{Shipment: back, Waiting: true}, nil
		}
		// It is stored: from here on it is carried out whether the caller stays or not.
		if back, err = job.run(context.WithoutCancel(caller), s, back, c.Key, asked); err != nil {
			return Result{}, s.begunError("dispatch return", back, err)
		}
		return s.answer(caller, back, asked)
	}
	return Result{}, s.storeError("store return", fmt.Errorf("%w %d times", store.ErrConflict, maxConflicts))
}

// saveReturn commits the way back and notes it at its origin, so that nothing is returned twice.
func (s *Service) saveReturn(ctx context.Context, c usecase.Caller, r CreateRequest, o *Returned, back *shipment.Shipment) (*inlineJob, error) {
	tx, job := s.newTx(c, r, back, !r.Async)
	now := s.Clock.Now()
	switch {
	case o.Shipment != nil:
		o.Shipment.Returns = append(o.Shipment.Returns, back.ID)
		o.Shipment.UpdatedAt = now
		tx.Shipments = append(tx.Shipments, o.Shipment)
	default:
		o.Tracker.Returns = append(o.Tracker.Returns, back.ID)
		o.Tracker.UpdatedAt = now
		tx.Trackers = append(tx.Trackers, o.Tracker)
	}
	if s.Exchanges != nil && back.ReturnOf.Type == shipment.ForGoods {
		s.Exchanges.ExchangeRequested(tx, back, now)
	}
	return job, s.commit(ctx, back.Tenant, "return", tx)
}

// placeBack fills what follows from a return and the configuration: it is picked up where the order was delivered, and goes to the
// merchant's place for returns.
func (s *Service) placeBack(ctx context.Context, t *config.Tenant, sh *shipment.Shipment, loc *config.Location) error {
	to := t.Locations[sh.ReturnOf.Location]
	if to == nil {
		return usecase.Failf(usecase.InvalidOperation, "The location %s, which the return goes to, is not configured any more.", sh.ReturnOf.Location)
	}
	place, err := s.placeLocation(ctx, to)
	if err != nil {
		return err
	}
	sh.Order.DeliveryAddress, sh.Order.DeliveryContact = place.Address, place.Contact
	sh.ReturnOf.LocationName = to.Name
	sh.Delivery = shipment.Geo{Latitude: *place.Address.Latitude, Longitude: *place.Address.Longitude, Zone: place.Zone}
	at, err := s.placeAddress(ctx, sh.Pickup.Address, "pickupAddress")
	if err != nil {
		return err
	}
	// Rules call the merchant's place by its id and tags whichever way the parcels go.
	sh.Pickup.ID, sh.Pickup.Tags, sh.Pickup.Zone = loc.ID, loc.Tags, at.Zone
	sh.Pickup.Address.Latitude, sh.Pickup.Address.Longitude = &at.Lat, &at.Lng
	return nil
}
