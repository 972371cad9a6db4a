package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/failpoint"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Teller writes what is to be told about an order into the transaction that moves it.
type Teller interface {
	// Shipment tells each line of the shipment's history that tx holds.
	Shipment(ctx context.Context, tx *store.Tx, sh *shipment.Shipment)
}

// Settings is what a Service works with. All members are required but Trial, Version, Teller, CallWithin, Exchanges, Notices and Registerer.
type Settings struct {
	Store    store.Store
	Carriers Carriers
	Placer   Placer
	Config   func() *config.Config
	// Rules returns the tenant's live bundle, nil where its rules are faulty and there are none from before.
	Rules func(tenant string) *rules.Bundle
	// Trial returns what is tried beside them for an order of the tenant's; nil for nothing, ever.
	Trial func(tenant, order string) Trial
	// Version returns a version of the tenant's rules by its hash, nil where it is not known any more; nil for only the live ones.
	Version    func(tenant, hash string) *rules.Bundle
	Clock      clock.Clock
	Source     clock.Source
	Log        hclog.Logger
	Teller     Teller // nil: nobody is told
	Registerer prometheus.Registerer
	// CallWithin is how long after it came a call that has an order dispatched is answered, as the order stands then; the walk goes on.
	// It is less than the server's timeout for writing. 0 for as long as it takes.
	CallWithin time.Duration
	Exchanges  ExchangeTeller // nil: nobody is told of exchanges
	Notices    NoticeTeller   // nil: what rules want to be told stands in the history alone
}

// Service carries out the use cases. It keeps nothing that a crash may not take: what must happen later is a job in the store. Walks that
// their callers no longer wait for go on in it: Drain waits for them.
type Service struct {
	Settings
	metrics *metrics
	failing failings

	turns   turns
	walks   *walks
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
	service := &Service{Settings: s, walks: newWalks(), metrics: newMetrics(s.Registerer), waiting: map[shipment.ID]*waiters{}}
	if s.Registerer != nil {
		s.Registerer.MustRegister(newAttention(service))
	}
	return service
}

// tenant returns the caller's tenant in the present configuration.
func (s *Service) tenant(id string) (*config.Tenant, error) {
	if t := s.Config().Tenants[id]; t != nil {
		return t, nil
	}
	return nil, &usecase.Error{Type: usecase.InternalServerError, Message: "The tenant is not configured any more.", Err: fmt.Errorf("tenant %q is not in the configuration", id)}
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

// Wake tells the calls that wait for the shipment to look again: whoever else has changed it calls it after the commit. It may be called
// at any time, and waits for nothing.
func (s *Service) Wake(id shipment.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.waiting[id]; w != nil {
		close(w.settled)
		delete(s.waiting, id)
	}
}

// moving reports whether the engine is at work on the order: it does not merely wait for a time to come or for a person.
func moving(sh *shipment.Shipment) bool {
	return sh.Status == shipping.RequestReceived || sh.Status == shipping.EstimatesReceived || sh.Open(sh.Way()) != nil
}

// await waits as long as the shipment is as while says, until the given time, or until the caller leaves, and returns the
// shipment as it is then.
func (s *Service) await(ctx context.Context, sh *shipment.Shipment, until time.Time, while func(*shipment.Shipment) bool) (*shipment.Shipment, error) {
	for {
		settled, stop := s.watch(sh.ID)
		now, err := s.Store.Shipment(context.WithoutCancel(ctx), sh.Tenant, sh.ID) // also where the time was over before
		if err != nil {
			stop()
			return nil, s.storeError("read shipment", err)
		}
		left := until.Sub(s.Clock.Now())
		if !while(now) || left <= 0 {
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

// awaitSettled waits for a shipment that the engine is at work on as long as a call that has begun then may take, and no longer than
// it can help.
func (s *Service) awaitSettled(ctx context.Context, sh *shipment.Shipment, begun time.Time) (*shipment.Shipment, error) {
	until := begun.Add(s.Config().Dispatch.AnswerWithin)
	return s.await(ctx, sh, until, func(sh *shipment.Shipment) bool { return moving(sh) && !s.outOfReach(sh, until) })
}

// load returns the tenant's shipment with this external id, or with this id.
func (s *Service) load(ctx context.Context, c usecase.Caller, externalID string) (*shipment.Shipment, error) {
	sh, err := s.Store.ShipmentByExternalID(ctx, c.Tenant, externalID)
	if errors.Is(err, store.ErrNotFound) && len(externalID) == 24 {
		sh, err = s.Store.Shipment(ctx, c.Tenant, shipment.ID(externalID))
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, usecase.Failf(usecase.NotFound, "Order with id, %s, is not found", externalID)
	}
	if err != nil {
		return nil, s.storeError("read shipment", err)
	}
	return sh, nil
}

// loadByID loads an order by our own id alone: a merchant may give one order the name that is the id of another.
func (s *Service) loadByID(ctx context.Context, c usecase.Caller, id shipment.ID) (*shipment.Shipment, error) {
	sh, err := s.Store.Shipment(ctx, c.Tenant, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, usecase.Failf(usecase.NotFound, "Order with id, %s, is not found", id)
	}
	if err != nil {
		return nil, s.storeError("read shipment", err)
	}
	return sh, nil
}

// storeError words a store that failed before anything was begun.
func (s *Service) storeError(doing string, err error) *usecase.Error {
	if row, ok := errors.AsType[*store.DamagedError](err); ok {
		return &usecase.Error{Type: usecase.InternalServerError, Message: row.Public(), Err: fmt.Errorf("%s: %w", doing, err)}
	}
	if errors.Is(err, store.ErrUnavailable) {
		return &usecase.Error{Type: usecase.InternalServerError, Message: "The order store cannot be used at the moment; nothing was changed. Try again later.", Err: fmt.Errorf("%s: %w", doing, err)}
	}
	return &usecase.Error{Type: usecase.InternalServerError, Message: "An unexpected error occurred while processing the request.", Err: fmt.Errorf("%s: %w", doing, err)}
}

// begunError words what failed when the order was stored and something was under way: it goes on by its jobs.
func (s *Service) begunError(doing string, sh *shipment.Shipment, err error) *usecase.Error {
	if e, ok := errors.AsType[*usecase.Error](err); ok {
		return e
	}
	id := shipment.ID("")
	if sh != nil {
		id = sh.ID
	}
	return &usecase.Error{Type: usecase.InternalServerError, Shipment: id, Err: fmt.Errorf("%s: %w", doing, err),
		Message: "The order is stored, but how far it has come could not be written down. It is carried on as soon as that is possible: read the order, and do not send it again."}
}

// maxConflicts bounds how often a use case begins anew because somebody else changed the shipment.
const maxConflicts = 20

// errUnchanged is returned by a change that finds nothing to do.
var errUnchanged = errors.New("nothing to change")

// change applies f to the shipment and commits what it returns, again from the stored state when somebody else was faster.
// The first try uses sh as it is. f may return errUnchanged to stop without a commit. The shipment after the commit is returned.
// what names the commit's failpoints.
func (s *Service) change(ctx context.Context, sh *shipment.Shipment, what string, f func(*shipment.Shipment) (*store.Tx, error)) (*shipment.Shipment, error) {
	for range maxConflicts {
		tx, err := f(sh)
		if errors.Is(err, errUnchanged) {
			return sh, nil
		}
		if err == nil {
			err = s.contend(context.WithoutCancel(ctx), sh, tx)
		}
		if err != nil {
			return sh, err
		}
		tx.Shipments = append(tx.Shipments, sh)
		err = s.commit(ctx, sh.Tenant, what, tx)
		if errors.Is(err, store.ErrTooLarge) {
			err = s.commitLess(ctx, sh, what, tx)
		}
		if err == nil {
			for _, moved := range tx.Shipments { // it may have taken a booking from another order
				s.Wake(moved.ID)
			}
			return sh, nil
		}
		if !errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrOverCounted) {
			return sh, err
		}
		fresh, err := s.Store.Shipment(context.WithoutCancel(ctx), sh.Tenant, sh.ID)
		if err != nil {
			return sh, err
		}
		sh = fresh
	}
	return sh, fmt.Errorf("shipment %s: %w %d times", sh.ID, store.ErrConflict, maxConflicts)
}

// changeNamed is change where f may give the order a new name: when another has taken that, f is told to keep the old one, as what the
// carrier has done must be known all the same.
func (s *Service) changeNamed(ctx context.Context, sh *shipment.Shipment, what string, f func(sh *shipment.Shipment, sameID bool) (*store.Tx, error)) (*shipment.Shipment, error) {
	sh, err := s.change(ctx, sh, what, func(sh *shipment.Shipment) (*store.Tx, error) { return f(sh, false) })
	if !errors.Is(err, store.ErrDuplicate) {
		return sh, err
	}
	if sh, err = s.reload(ctx, sh); err != nil {
		return sh, err
	}
	return s.change(ctx, sh, what, func(sh *shipment.Shipment) (*store.Tx, error) { return f(sh, true) })
}

// commit commits between the two failpoints of what. It does not end with ctx: a commit that is cut off may have been written or
// not, and what a carrier has answered must not be lost because nobody waits for it any more.
func (s *Service) commit(ctx context.Context, tenant, what string, tx *store.Tx) error {
	ctx = context.WithoutCancel(ctx)
	s.tell(ctx, tx)
	if err := failpoint.Hit("dispatch", failpoint.Before, what); err != nil {
		return err
	}
	tx.Now = s.Clock.Now()
	if err := s.Store.Commit(ctx, tenant, tx); err != nil {
		return err
	}
	return failpoint.Hit("dispatch", failpoint.After, what)
}

// tell has written into a transaction what is to be told of it. Lines that are only rewritten are no news.
func (s *Service) tell(ctx context.Context, tx *store.Tx) {
	if s.Teller == nil {
		return
	}
	for _, sh := range tx.Shipments {
		news := slices.ContainsFunc(tx.Changes, func(c store.Change) bool { return c.Shipment == sh.ID })
		if news && !slices.Contains(tx.Erase, sh.ID) {
			s.Teller.Shipment(ctx, tx, sh)
		}
	}
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
	JobEdit      = "edit"
	JobWatch     = "watch"
	JobLabel     = "label"
	JobYield     = "yield"
	// JobFallback is put by whoever learns what has happened to a booking; its payload is a FallbackEvent.
	JobFallback = usecase.JobFallback
)

// Handlers returns the handlers of the jobs that this package puts.
func (s *Service) Handlers() map[string]jobs.Handler {
	return map[string]jobs.Handler{JobDispatch: s.RunDispatch, JobReconcile: s.RunReconcile, JobCancel: s.RunCancel, JobEdit: s.RunEdit, JobWatch: s.RunWatch, JobLabel: s.RunLabel, JobYield: s.RunYield, JobFallback: s.RunFallback, JobErase: s.RunErase}
}

func (s *Service) job(sh *shipment.Shipment, kind string, due time.Time) store.Job {
	return store.Job{ID: string(sh.ID) + "/" + kind, Tenant: sh.Tenant, Kind: kind, Key: string(sh.ID), Due: due}
}

// plan puts a job in place of an earlier one of its kind, and frees the key: it is for whoever holds the earlier one, or knows that
// nobody does.
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
const systemUser = shipment.System
