package apitest

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Store is a store whose faults can be turned on.
type Store struct {
	store.Store
	err     atomic.Pointer[error]
	refusal atomic.Pointer[error]
	commits atomic.Int64
}

// Fail makes every method of the shipments, the trackers and the subscriptions that surfaces use answer err from now on; nil ends that.
func (s *Store) Fail(err error) {
	if err == nil {
		s.err.Store(nil)
		return
	}
	s.err.Store(&err)
}

// FailCommits makes every transaction fail with err from now on.
func (s *Store) FailCommits(err error) { s.refusal.Store(&err) }

// Commits counts the transactions that were written.
func (s *Store) Commits() int64 { return s.commits.Load() }

func (s *Store) fault() error {
	if e := s.err.Load(); e != nil {
		return *e
	}
	return nil
}

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, tenant string, tx *store.Tx) error {
	if err := s.fault(); err != nil {
		return err
	}
	if e := s.refusal.Load(); e != nil {
		return *e
	}
	err := s.Store.Commit(ctx, tenant, tx)
	if err == nil {
		s.commits.Add(1)
	}
	return err
}

// Shipment implements store.Store.
func (s *Store) Shipment(ctx context.Context, tenant string, id shipment.ID) (*shipment.Shipment, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Store.Shipment(ctx, tenant, id)
}

// ShipmentByExternalID implements store.Store.
func (s *Store) ShipmentByExternalID(ctx context.Context, tenant, externalID string) (*shipment.Shipment, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Store.ShipmentByExternalID(ctx, tenant, externalID)
}

// ListShipments implements store.Store.
func (s *Store) ListShipments(ctx context.Context, tenant string, q store.ShipmentQuery) (store.ShipmentPage, error) {
	if err := s.fault(); err != nil {
		return store.ShipmentPage{}, err
	}
	return s.Store.ListShipments(ctx, tenant, q)
}

// IdempotencyKey implements store.Store.
func (s *Store) IdempotencyKey(ctx context.Context, tenant, key string, now time.Time) (store.IdempotencyKey, error) {
	if err := s.fault(); err != nil {
		return store.IdempotencyKey{}, err
	}
	return s.Store.IdempotencyKey(ctx, tenant, key, now)
}

// Label implements store.Store.
func (s *Store) Label(ctx context.Context, tenant string, id shipment.ID, attempt, parcel int) (shipping.Label, error) {
	if err := s.fault(); err != nil {
		return shipping.Label{}, err
	}
	return s.Store.Label(ctx, tenant, id, attempt, parcel)
}

// Tracker implements store.Tracking.
func (s *Store) Tracker(ctx context.Context, tenant string, id tracker.ID) (*tracker.Tracker, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Store.Tracker(ctx, tenant, id)
}

// TrackerByName implements store.Tracking.
func (s *Store) TrackerByName(ctx context.Context, tenant, name string) (*tracker.Tracker, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Store.TrackerByName(ctx, tenant, name)
}

// TrackersByTag implements store.Tracking.
func (s *Store) TrackersByTag(ctx context.Context, tenant, tag string, limit int) ([]*tracker.Tracker, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Store.TrackersByTag(ctx, tenant, tag, limit)
}

// TrackersByTags implements store.Tracking.
func (s *Store) TrackersByTags(ctx context.Context, tenant string, tags []string, limit int) ([]*tracker.Tracker, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Store.TrackersByTags(ctx, tenant, tags, limit)
}

// ListTrackers implements store.Tracking.
func (s *Store) ListTrackers(ctx context.Context, tenant string, q store.TrackerQuery) (store.TrackerPage, error) {
	if err := s.fault(); err != nil {
		return store.TrackerPage{}, err
	}
	return s.Store.ListTrackers(ctx, tenant, q)
}

// Subscription implements store.Outbox.
func (s *Store) Subscription(ctx context.Context, tenant, id string) (*store.Subscription, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Store.Subscription(ctx, tenant, id)
}

// Subscriptions implements store.Outbox.
func (s *Store) Subscriptions(ctx context.Context, tenant string) ([]*store.Subscription, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Store.Subscriptions(ctx, tenant)
}

// Deliveries implements store.Outbox.
func (s *Store) Deliveries(ctx context.Context, tenant string, q store.DeliveryQuery) (store.DeliveryPage, error) {
	if err := s.fault(); err != nil {
		return store.DeliveryPage{}, err
	}
	return s.Store.Deliveries(ctx, tenant, q)
}
