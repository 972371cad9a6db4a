package tracking

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Create begins to follow.
func (s *Service) Create(ctx context.Context, c usecase.Caller, r CreateRequest) (*tracker.Tracker, bool, error) {
	tenant, err := s.tenant(c.Tenant)
	if err != nil {
		return nil, false, err
	}
	now := s.Clock.Now()
	if same, err := s.replay(ctx, c.Tenant, r, now); same != nil || err != nil {
		return same, false, err
	}
	if same, err := s.named(ctx, c.Tenant, r.Same); same != nil || err != nil {
		return same, false, err
	}
	t := r.Tracker
	t.Schema, t.ID, t.Tenant, t.Revision = tracker.Schema, tracker.ID(s.Source.ID()), c.Tenant, 0
	t.CreatedBy, t.CreatedAt, t.UpdatedAt = c.Key, now, now
	t.Status = cmp.Or(t.Status, shipping.OrderDispatched)
	if t.Account != "" && tenant.Accounts[t.Account] == nil {
		return nil, false, usecase.Failf(usecase.InvalidTrackerData, "The provider %s is not configured.", t.Account)
	}
	s.assign(tenant, t)
	n, err := s.begin(ctx, t, now)
	if err != nil {
		return nil, false, refusal("create tracker", err)
	}
	tx := &store.Tx{Trackers: []*tracker.Tracker{t}, Unpark: n.unpark, PutJobs: s.wake(t)}
	if told := t.News(n.entered); s.Teller != nil && len(told) > 0 {
		s.Teller.Tracker(ctx, tx, t, told)
	}
	if r.IdempotencyKey != "" {
		tx.Keys = []store.IdempotencyKey{{Key: r.IdempotencyKey, Hash: r.BodyHash, Tracker: t.ID, Expires: now.Add(keyLife)}}
	}
	if r.Quota > 0 {
		tx.Counts = []store.Count{{CountKey: store.CountKey{Name: r.Counted, Period: now.UTC().Format("2006-01")}, Add: 1, Limited: true, Most: r.Quota - 1}}
	}
	err = s.commit(ctx, c.Tenant, "create", tx)
	if errors.Is(err, store.ErrKeyUsed) || errors.Is(err, store.ErrDuplicate) { // a twin of the request was faster
		if same, err := s.replay(ctx, c.Tenant, r, now); same != nil || err != nil {
			return same, false, err
		}
	}
	if errors.Is(err, store.ErrDuplicate) {
		if same, err := s.named(ctx, c.Tenant, r.Same); same != nil || err != nil { // somebody was faster
			return same, false, err
		}
		return nil, false, usecase.Failf(usecase.DuplicateID, "A tracker with the same id exists already.")
	}
	if errors.Is(err, store.ErrOverCounted) {
		return nil, false, usecase.Failf(usecase.QuotaReached, "No more quota left: %d trackers were created this month, which is as many as the configuration allows. "+
			"It begins anew on the first of the month (UTC).", r.Quota)
	}
	if err != nil {
		return nil, false, refusal("create tracker", err)
	}
	s.count(n)
	return t, true, nil
}

// keyLife is how long an idempotency key is remembered.
const keyLife = 24 * time.Hour

// replay returns what a request's idempotency key has created already, as it is now; nil where the key was not used.
func (s *Service) replay(ctx context.Context, tenant string, r CreateRequest, now time.Time) (*tracker.Tracker, error) {
	if r.IdempotencyKey == "" {
		return nil, nil
	}
	k, err := s.Store.IdempotencyKey(ctx, tenant, r.IdempotencyKey, now)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, refusal("read idempotency key", err)
	}
	if !bytes.Equal(k.Hash, r.BodyHash) {
		return nil, usecase.Failf(usecase.DuplicateResource,
			"Resource already exists: the Idempotency-Key was used with another body. Use a new key for a new request.")
	}
	return s.trackerOf(ctx, tenant, k.Tracker)
}

// named returns the tracker that has a name already, nil where none has.
func (s *Service) named(ctx context.Context, tenant, name string) (*tracker.Tracker, error) {
	if name == "" {
		return nil, nil
	}
	t, err := s.Store.TrackerByName(ctx, tenant, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, refusal("read tracker", err)
	}
	return t, nil
}

// assign finds the account that is asked about a number, and tags the tracker so that pushes of that account find it.
func (s *Service) assign(tenant *config.Tenant, t *tracker.Tracker) {
	if t.Account == "" && t.Number != "" {
		t.Account = s.accountFor(tenant, append([]string{t.Provider}, t.Couriers...))
	}
	if t.Account == "" || t.Number == "" {
		return
	}
	t.Follow(t.Number)
}

// accountFor returns the account that goes by one of the names: by its id, display name, adapter or adapter's display name, in any
// case; one that is not retired first. "" for none.
func (s *Service) accountFor(tenant *config.Tenant, names []string) string {
	retired := ""
	for _, name := range names {
		if name == "" {
			continue
		}
		for _, id := range slices.Sorted(maps.Keys(tenant.Accounts)) {
			a := tenant.Accounts[id]
			known := []string{a.ID, a.Name, a.Adapter}
			if acc, ok := s.Carriers.Account(tenant.ID, id); ok {
				if m, started := acc.Manifest(); started {
					known = append(known, m.DisplayName)
				}
			}
			if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
				continue
			}
			if !a.Retired {
				return id
			}
			retired = cmp.Or(retired, id)
		}
	}
	return retired
}

// noCarrier is the warning of a tracker whose carrier nobody can ask.
const noCarrier = "PROVIDER_NOT_CONNECTED"

// begin fills a tracker with what is known of its number already, and says when the carrier is asked first.
func (s *Service) begin(ctx context.Context, t *tracker.Tracker, now time.Time) (*news, error) {
	n := &news{}
	if t.Account == "" {
		if t.Number != "" && !slices.ContainsFunc(t.Warnings, func(w shipment.Warning) bool { return w.Code == noCarrier }) {
			t.Warnings = append(t.Warnings, shipment.Warning{Code: noCarrier, Provider: t.Provider,
				Message: "The carrier of this parcel is not connected: its status can only be set by hand."})
		}
		return n, nil
	}
	t.Warnings = slices.DeleteFunc(t.Warnings, func(w shipment.Warning) bool { return w.Code == noCarrier })
	if t.Number == "" {
		return n, nil
	}
	for _, tag := range tracker.ParcelTags(t.Account, t.Number) {
		err := s.each(ctx, t.Tenant, store.TrackerQuery{Tag: tag}, func(page []*tracker.Tracker) error {
			for _, other := range page {
				if other.ID != t.ID && other.Account == t.Account {
					share(t, other, n, now)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	parked, err := s.parkedFor(ctx, t)
	if err != nil {
		return nil, err
	}
	s.unpark(t, parked, n)
	if s.schedule(t, now); !t.NextPoll.IsZero() {
		t.NextPoll = now
	}
	return n, nil
}

// share gives a tracker the events that another of the same number has heard from the carrier.
func share(t, other *tracker.Tracker, n *news, now time.Time) {
	for _, e := range other.Events {
		if e.Origin != tracker.ByPoll && e.Origin != tracker.ByPush {
			continue
		}
		te := e.TrackingEvent
		te.ZoneKnown = te.ZoneKnown || other.Local() != nil // then it is an instant by now
		if e.GivenBack {
			te.Status = shipping.OrderDispatched
		}
		n.merge(t, carrier.TrackUpdate{Number: e.Number, Events: []shipping.TrackingEvent{te}}, tracker.Heard{Origin: e.Origin, At: now})
	}
}

// Tracker returns a tracker.
func (s *Service) Tracker(ctx context.Context, c usecase.Caller, id tracker.ID) (*tracker.Tracker, error) {
	return s.trackerOf(ctx, c.Tenant, id)
}

// TrackerByName returns the tracker with this name.
func (s *Service) TrackerByName(ctx context.Context, c usecase.Caller, name string) (*tracker.Tracker, error) {
	t, err := s.named(ctx, c.Tenant, name)
	if t == nil && err == nil {
		_, text, _ := strings.Cut(name, ":")
		err = notFound(text)
	}
	return t, err
}

// TrackersByTag returns the tenant's trackers with a tag, oldest first.
func (s *Service) TrackersByTag(ctx context.Context, c usecase.Caller, tag string) (found []*tracker.Tracker, err error) {
	err = s.each(ctx, c.Tenant, store.TrackerQuery{Tag: tag}, func(page []*tracker.Tracker) error {
		found = append(found, page...)
		return nil
	})
	if err != nil {
		return nil, refusal("list trackers", err)
	}
	return found, nil
}

// ListTrackers returns a page of trackers.
func (s *Service) ListTrackers(ctx context.Context, c usecase.Caller, q store.TrackerQuery) (store.TrackerPage, error) {
	p, err := s.Store.ListTrackers(ctx, c.Tenant, q)
	if errors.Is(err, store.ErrCursor) {
		return p, &usecase.Error{Type: usecase.InvalidData, Message: "Invalid Data: the paginationToken is not one of ours, or belongs to another question.",
			Faults: shipping.Faults{{Path: "paginationToken", Message: "is not one of ours, or belongs to another question"}}}
	}
	if err != nil {
		return p, refusal("list trackers", err)
	}
	return p, nil
}

// Update applies change to a tracker and commits it.
func (s *Service) Update(ctx context.Context, c usecase.Caller, id tracker.ID, change func(*tracker.Tracker) error) (*tracker.Tracker, error) {
	tenant, err := s.tenant(c.Tenant)
	if err != nil {
		return nil, err
	}
	t, err := s.trackerOf(ctx, c.Tenant, id)
	if err != nil {
		return nil, err
	}
	t, err = s.change(ctx, t, "update", func(t *tracker.Tracker) (*news, error) {
		had, stopped, now := t.Account, t.Stopped, s.Clock.Now()
		if err := change(t); err != nil {
			return nil, err
		}
		if t.Account != "" && tenant.Accounts[t.Account] == nil {
			return nil, usecase.Failf(usecase.InvalidTrackerData, "The provider %s is not configured.", t.Account)
		}
		s.assign(tenant, t)
		t.UpdatedAt = now
		n := &news{}
		if t.Account != had || stopped != "" && t.Stopped == "" {
			var err error
			if n, err = s.begin(ctx, t, now); err != nil {
				return nil, err
			}
			n.jobs = s.wake(t)
		}
		if t.Stopped != "" {
			t.NextPoll = time.Time{}
		}
		return n, nil
	})
	if errors.Is(err, store.ErrDuplicate) {
		return nil, usecase.Failf(usecase.DuplicateID, "A tracker with the same id exists already.")
	}
	if err != nil {
		return nil, gone(id, "update tracker", err)
	}
	return t, nil
}

// gone words an error of a change: a tracker that was removed meanwhile is not found.
func gone(id tracker.ID, doing string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return notFound(string(id))
	}
	return refusal(doing, err)
}

// Refresh asks the carrier now. What the carrier cannot answer is no fault of the caller's: the tracker is returned as it is known.
func (s *Service) Refresh(ctx context.Context, c usecase.Caller, id tracker.ID) (*tracker.Tracker, error) {
	t, err := s.trackerOf(ctx, c.Tenant, id)
	if err != nil {
		return nil, err
	}
	a := s.account(c.Tenant, t.Account)
	if a == nil || !t.ErasedAt.IsZero() || len(questions(t)) == 0 || !s.can(c.Tenant, t.Account, carrier.CanTrack) {
		return t, nil
	}
	v := &visit{t: t}
	if fault := s.ask(ctx, a, []*visit{v}); fault != nil {
		s.Log.Info("carrier could not be asked at once", "account", a.ID, "tenant", a.Tenant, "tracker_id", id, "code", string(fault.Code))
		return t, nil
	}
	n, heard := s.observe(t, v)
	s.metrics.polls.WithLabelValues(a.Adapter, heard).Inc()
	if err := s.recordOne(ctx, v, n); err != nil {
		return nil, gone(id, "refresh tracker", err)
	}
	return s.trackerOf(context.WithoutCancel(ctx), c.Tenant, id)
}
