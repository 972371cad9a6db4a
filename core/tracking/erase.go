package tracking

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
)

// Delete ends following, and forgets what was known, what was told of it, and who its returns were picked up from.
func (s *Service) Delete(ctx context.Context, c usecase.Caller, id tracker.ID) error {
	t, err := s.trackerOf(ctx, c.Tenant, id)
	if err != nil {
		return err
	}
	jobs, err := s.eraseReturns(ctx, t, "be removed")
	if err != nil {
		return err
	}
	tx := &store.Tx{DropTrackers: []tracker.ID{id}, EraseTrackers: []tracker.ID{id}, PutJobs: jobs}
	if err := s.commit(ctx, c.Tenant, "drop", tx); err != nil {
		return refusal("remove tracker", err)
	}
	return nil
}

// Erase removes what is known of people from a tracker, and with it what was told of it, and who its returns were picked up from. Of what a
// shop has told, an order and its fulfilments are erased together, whichever of them is named. Nobody asks for them any more.
func (s *Service) Erase(ctx context.Context, c usecase.Caller, id tracker.ID) (*tracker.Tracker, error) {
	t, err := s.trackerOf(ctx, c.Tenant, id)
	if err != nil {
		return nil, err
	}
	if t.Surface == tracker.OfShipment {
		return nil, usecase.Failf(usecase.InvalidOperation, "The tracker follows the booking of an order of the tenant's own. Erase the order, %s: its trackers go with it.", t.Shipment)
	}
	all, err := s.together(ctx, t)
	if err != nil {
		return nil, refusal("erase tracker", err)
	}
	for _, one := range all {
		erased, err := s.erase(ctx, one, true)
		if err != nil && (one.ID == id || !errors.Is(err, store.ErrNotFound)) {
			return nil, gone(id, "erase tracker", err)
		}
		if one.ID == id {
			t = erased
		}
	}
	s.Log.Info("personal data of a tracker was erased", "tracker_id", id, "trackers", len(all), "by", c.Key)
	return t, nil
}

// EraseAged erases a tracker that has grown old, as Erase does; but what belongs to it is erased by its own age. t is changed. One that is
// gone is no fault.
func (s *Service) EraseAged(ctx context.Context, t *tracker.Tracker) error {
	if _, err := s.erase(ctx, t, false); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// erase erases one tracker and all messages of it, in one transaction: what was told before goes, and of what is erased nothing is told. One
// that was erased before loses what was left of it. returns is whether the returns go too.
func (s *Service) erase(ctx context.Context, t *tracker.Tracker, returns bool) (*tracker.Tracker, error) {
	return s.change(ctx, t, "erase", func(t *tracker.Tracker) (n *news, err error) {
		n = &news{erased: true}
		if returns {
			if n.jobs, err = s.eraseReturns(ctx, t, "be erased"); err != nil {
				return nil, err
			}
		}
		if fresh := t.ErasedAt.IsZero(); fresh {
			t.UpdatedAt = s.Clock.Now()
		}
		t.Erase(s.Clock.Now())
		return n, nil
	})
}

// eraseReturns are the jobs that erase the returns of a tracker: they were picked up where it was delivered. It refuses where one is under way.
func (s *Service) eraseReturns(ctx context.Context, t *tracker.Tracker, done string) (jobs []store.Job, err error) {
	for _, id := range t.Returns {
		back, err := s.Store.Shipment(ctx, t.Tenant, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, refusal("read return", err)
		}
		if !back.AtRest() {
			return nil, usecase.Failf(usecase.InvalidOperation, "The tracker cannot %s: its return %s is under way (%s), and the buyer's page and label hang on it. Cancel the return, or wait for its end.",
				done, back.Order.ExternalID, back.Status)
		}
		if back.ErasedAt.IsZero() {
			jobs = append(jobs, eraseJob(back, s.Clock.Now()))
		}
	}
	return jobs, nil
}

func eraseJob(sh *shipment.Shipment, due time.Time) store.Job {
	return store.Job{ID: string(sh.ID) + "/" + usecase.JobErase, Tenant: sh.Tenant, Kind: usecase.JobErase, Key: string(sh.ID), Due: due}
}

// together are a tracker and those that are erased with it. The order of a shop comes first: of one that is erased nothing is told, so that what its
// fulfilments still hold is not told with it.
func (s *Service) together(ctx context.Context, t *tracker.Tracker) ([]*tracker.Tracker, error) {
	key := t.ShopOrder()
	if key == "" {
		return []*tracker.Tracker{t}, nil
	}
	var all []*tracker.Tracker
	order, err := s.Store.TrackerByName(ctx, t.Tenant, key)
	switch {
	case err == nil:
		all = append(all, order)
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	err = s.each(ctx, t.Tenant, store.TrackerQuery{Tag: key}, func(page []*tracker.Tracker) error {
		all = append(all, page...)
		return nil
	})
	if err == nil && !slices.ContainsFunc(all, func(x *tracker.Tracker) bool { return x.ID == t.ID }) {
		all = append(all, t)
	}
	return all, err
}
