package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
)

// JobErase erases what tells of people from an order that has grown old. Like all jobs of a shipment it has its id as key.
const JobErase = usecase.JobErase

// eraseAgain is when an order that is still worked on is looked at again.
const eraseAgain = 24 * time.Hour

// Erase removes what is known of people from an order that is at rest: contact, address, free words, what went over the wire, labels,
// messages and decision records. History, carriers, numbers and money stay. An order that is erased already is answered as it is.
func (s *Service) Erase(ctx context.Context, c usecase.Caller, externalID string) (*shipment.Shipment, error) {
	sh, err := s.load(ctx, c, externalID)
	if err != nil {
		return nil, err
	}
	if err := s.eraseReturns(ctx, c, sh); err != nil {
		return nil, err
	}
	return s.eraseOne(ctx, c, sh)
}

// eraseOne erases an order without its returns.
func (s *Service) eraseOne(ctx context.Context, c usecase.Caller, sh *shipment.Shipment) (*shipment.Shipment, error) {
	sh, err := s.erase(context.WithoutCancel(ctx), sh, func(sh *shipment.Shipment) error {
		if !sh.AtRest() {
			return usecase.Failf(usecase.InvalidOperation, "The personal data of an order in state %s is still needed. Cancel the order, or wait for its end.", sh.Status)
		}
		return nil
	})
	if e, ok := errors.AsType[*usecase.Error](err); ok {
		return nil, e
	}
	if err != nil {
		return nil, s.storeError("erase order", err)
	}
	s.Log.Info("personal data of an order was erased", "shipment_id", sh.ID, "by", c.Key)
	return sh, nil
}

// eraseReturns erases the ways back of an order before the order itself: they were picked up where it was delivered.
func (s *Service) eraseReturns(ctx context.Context, c usecase.Caller, sh *shipment.Shipment) error {
	backs, err := s.Returns(ctx, c, sh.Returns)
	if err != nil || !sh.AtRest() {
		return err // whoever erases the order itself says why not
	}
	for _, back := range backs {
		if !back.AtRest() {
			return usecase.Failf(usecase.InvalidOperation, "The personal data of the order is still needed for its return %s, which is in state %s. Cancel that, or wait for its end.",
				back.Order.ExternalID, back.Status)
		}
	}
	for _, back := range backs {
		if _, err := s.eraseOne(ctx, c, back); err != nil {
			return err
		}
	}
	return nil
}

// EraseJob is the job that erases an order by age.
func EraseJob(tenant string, id shipment.ID, due time.Time) store.Job {
	return store.Job{ID: string(id) + "/" + JobErase, Tenant: tenant, Kind: JobErase, Key: string(id), Due: due}
}

// RunErase is the handler of erase jobs. By age, an order is erased wherever it stands, but not while a job holds its future.
func (s *Service) RunErase(ctx context.Context, j store.Job) (jobs.Outcome, error) {
	sh, err := s.Store.Shipment(ctx, j.Tenant, shipment.ID(j.Key))
	if errors.Is(err, store.ErrNotFound) {
		return jobs.Done(), nil
	}
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("erase job %s: %w", j.ID, err)
	}
	_, err = s.erase(ctx, sh, func(sh *shipment.Shipment) error {
		if sh.Waiting() || sh.Open(sh.Way()) != nil || sh.Cancel != nil {
			return errNotYet
		}
		return nil
	})
	if errors.Is(err, errNotYet) {
		return jobs.Again(s.Clock.Now().Add(eraseAgain)), nil
	}
	return jobs.Done(), err
}

var errNotYet = errors.New("the order is still worked on")

// erase does it unless may refuses. The lines of the history are written again, without words.
func (s *Service) erase(ctx context.Context, sh *shipment.Shipment, may func(*shipment.Shipment) error) (*shipment.Shipment, error) {
	return s.change(ctx, sh, "erase", func(sh *shipment.Shipment) (*store.Tx, error) {
		if !sh.ErasedAt.IsZero() {
			return nil, errUnchanged
		}
		if err := may(sh); err != nil {
			return nil, err
		}
		// A line that is added meanwhile comes with a new revision of the shipment, and then all this is done again.
		history, err := s.Store.History(ctx, sh.Tenant, sh.ID)
		if err != nil {
			return nil, err
		}
		sh.Erase(s.Clock.Now())
		tx := &store.Tx{Erase: []shipment.ID{sh.ID}}
		letGoAll(sh, tx)
		// Likewise the trackers: one that is moved meanwhile has another revision.
		if tx.Trackers, err = s.Store.TrackersByTag(ctx, sh.Tenant, tracker.ShipmentTag(sh.ID), len(sh.Attempts)+1); err != nil {
			return nil, err
		}
		for _, t := range tx.Trackers {
			t.Erase(s.Clock.Now())
		}
		for _, line := range history {
			line.Erase()
			tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: line})
		}
		return tx, nil
	})
}
