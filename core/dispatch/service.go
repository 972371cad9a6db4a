package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/rules"
)

// Settings is what a Service works with. All members are required but Registerer.
type Settings struct {
	Store    store.Store
	Carriers Carriers
	Placer   Placer
	Config   func() *config.Config
	// Rules returns the tenant's live bundle.
	Rules      func(tenant string) *rules.Bundle
	Clock      clock.Clock
	Source     clock.Source
	Log        hclog.Logger
	Registerer prometheus.Registerer
}

// Service carries out the use cases. It keeps nothing that a crash may not take: what must happen later is a job in the store.
type Service struct {
	Settings
	metrics *metrics

	mu      sync.Mutex
	waiting map[shipment.ID]*waiters
}

var _ UseCases = (*Service)(nil)

// waiters are the calls of this process that wait for a shipment to settle.
type waiters struct {
	n       int
	settled chan struct{}
}

// New returns a Service. It starts nothing.
func New(s Settings) *Service {
	return &Service{Settings: s, metrics: newMetrics(s.Registerer), waiting: map[shipment.ID]*waiters{}}
}

// tenant returns the caller's tenant in the present configuration.
func (s *Service) tenant(id string) (*config.Tenant, error) {
	if t := s.Config().Tenants[id]; t != nil {
		return t, nil
	}
	return nil, &Error{Type: InternalServerError, Message: "The tenant is not configured any more.", Err: fmt.Errorf("tenant %q is not in the configuration", id)}
}

// watch registers a call that will wait for the shipment; stop must be called.
func (s *Service) watch(id shipment.ID) (settled <-chan struct{}, stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.waiting[id]
	if w == nil {
		w = &waiters{settled: make(chan struct{})}
		s.waiting[id] = w
	}
	w.n++
	return w.settled, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if w.n--; w.n == 0 && s.waiting[id] == w {
			delete(s.waiting, id)
		}
	}
}

// wake tells the calls that wait for the shipment to look again.
func (s *Service) wake(id shipment.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.waiting[id]; w != nil {
		close(w.settled)
		delete(s.waiting, id)
	}
}

// await waits until the shipment no longer waits for the engine, until the given time, or until the caller leaves, and
// returns the shipment as it is then.
func (s *Service) await(ctx context.Context, sh *shipment.Shipment, until time.Time) (*shipment.Shipment, error) {
	for {
		settled, stop := s.watch(sh.ID)
		now, err := s.Store.Shipment(ctx, sh.Tenant, sh.ID)
		if err != nil {
			stop()
			return nil, s.storeError("read shipment", err)
		}
		left := until.Sub(s.Clock.Now())
		if !now.Waiting() || left <= 0 {
			stop()
			return now, nil
		}
		t := s.Clock.NewTimer(left)
		select {
		case <-settled:
		case <-t.C():
		case <-ctx.Done():
			t.Stop()
			stop()
			return now, nil
		}
		t.Stop()
		stop()
	}
}

// load returns the tenant's shipment with this external id, or with this id.
func (s *Service) load(ctx context.Context, c Caller, externalID string) (*shipment.Shipment, error) {
	sh, err := s.Store.ShipmentByExternalID(ctx, c.Tenant, externalID)
	if errors.Is(err, store.ErrNotFound) && len(externalID) == 24 {
		sh, err = s.Store.Shipment(ctx, c.Tenant, shipment.ID(externalID))
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, failf(NotFound, "Order with id, %s, is not found", externalID)
	}
	if err != nil {
		return nil, s.storeError("read shipment", err)
	}
	return sh, nil
}

func (s *Service) storeError(doing string, err error) *Error {
	if errors.Is(err, store.ErrUnavailable) {
		return &Error{Type: InternalServerError, Message: "The order store cannot be used at the moment; nothing was changed. Try again later.", Err: fmt.Errorf("%s: %w", doing, err)}
	}
	return &Error{Type: InternalServerError, Message: "An unexpected error occurred while processing the request.", Err: fmt.Errorf("%s: %w", doing, err)}
}

// maxConflicts bounds how often a use case begins anew because somebody else changed the shipment.
const maxConflicts = 20

// errUnchanged is returned by a change that finds nothing to do.
var errUnchanged = errors.New("nothing to change")

// change applies f to the shipment and commits what it returns, again from the stored state when somebody else was faster.
// The first try uses sh as it is. f may return errUnchanged to stop without a commit. The shipment after the commit is returned.
func (s *Service) change(ctx context.Context, sh *shipment.Shipment, f func(*shipment.Shipment) (*store.Tx, error)) (*shipment.Shipment, error) {
	for range maxConflicts {
		tx, err := f(sh)
		if errors.Is(err, errUnchanged) {
			return sh, nil
		}
		if err != nil {
			return sh, err
		}
		tx.Shipments = append(tx.Shipments, sh)
		tx.Now = s.Clock.Now()
		err = s.Store.Commit(ctx, sh.Tenant, tx)
		if err == nil {
			if !sh.Waiting() {
				s.wake(sh.ID)
			}
			return sh, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return sh, err
		}
		fresh, err := s.Store.Shipment(ctx, sh.Tenant, sh.ID)
		if err != nil {
			return sh, err
		}
		sh = fresh
	}
	return sh, fmt.Errorf("shipment %s: %w %d times", sh.ID, store.ErrConflict, maxConflicts)
}

// changed is the transaction that adds lines to the history.
func changed(sh *shipment.Shipment, lines ...shipment.Change) *store.Tx {
	tx := &store.Tx{}
	for _, l := range lines {
		tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: l})
	}
	return tx
}

// The kinds of jobs. All jobs of a shipment have its id as key, so they never run together.
const (
	JobDispatch  = "dispatch"
	JobReconcile = "reconcile"
	JobCancel    = "cancel"
	JobWatch     = "watch"
)

func (s *Service) job(sh *shipment.Shipment, kind string, due time.Time) store.Job {
	return store.Job{ID: string(sh.ID) + "/" + kind, Tenant: sh.Tenant, Kind: kind, Key: string(sh.ID), Due: due}
}

// plan puts a job in place of an earlier one of its kind, whoever holds that: it may be the very job that is running.
func plan(tx *store.Tx, sh *shipment.Shipment, j store.Job) {
	tx.DropJobs = append(tx.DropJobs, drop(sh, j.Kind)...)
	tx.PutJobs = append(tx.PutJobs, j)
}

func drop(sh *shipment.Shipment, kinds ...string) []store.JobKey {
	out := make([]store.JobKey, len(kinds))
	for i, k := range kinds {
		out[i] = store.JobKey{Kind: k, Key: string(sh.ID)}
	}
	return out
}

// systemUser is who changes a status when the engine acts by itself.
const systemUser = "system"
