// Package retention removes what has grown old, as jobs: a tenant's exchanges, labels and messages, what is known of people, versions
// of rules that no decision names, idempotency keys that have expired, and the garbage of the store. Each tenant has one retention job and the node one upkeep job; they are planned
// once and put themselves off for a day each time.
//
// A tenant that leaves the configuration has its job all the same: what is stored of it ages as it was to age when the job ran last, or
// as the configuration says for all tenants where it never ran. Only an order that is being worked on waits for the tenant to come back.
//
// What is removed or erased no call of the engine answers any more. Its bytes stay in the store's files until the store rewrites those, as
// it does with tables when it merges them and with the value log when garbage is collected, at no time that can be promised; and in
// every backup that was made before. Encrypt the store (store.encryption_key), and keep backups no longer than what is in them may be kept.
package retention

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/failpoint"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// The kinds of jobs.
const (
	JobRetention = "retention" // of one tenant
	JobUpkeep    = "upkeep"    // of the store as a whole
)

const (
	every = 24 * time.Hour
	// nobody is whose the upkeep job is: no tenant can be called that.
	nobody = "_node"
	// planned is how long a job is known to have been planned: a job that puts itself off is never planned again.
	planned = 100 * 365 * 24 * time.Hour
	page    = 200
)

// Store is what retention needs of a store.Store.
type Store interface {
	Commit(ctx context.Context, tenant string, tx *store.Tx) error
	ListShipments(ctx context.Context, tenant string, q store.ShipmentQuery) (store.ShipmentPage, error)
	ListTrackers(ctx context.Context, tenant string, q store.TrackerQuery) (store.TrackerPage, error)
	Retain(ctx context.Context, tenant string, r store.Retention) (int, error)
	Sweep(ctx context.Context, now time.Time) (int, error)
	DocumentNames(ctx context.Context, tenant, prefix string) ([]string, error)
	Decisions(ctx context.Context, tenant string, id shipment.ID) ([]store.Decision, error)
}

// Settings is what a Service works with. All members are required but CollectGarbage and RulesInUse.
type Settings struct {
	Store  Store
	Config func() *config.Config
	Clock  clock.Clock
	Log    hclog.Logger
	// EraseTracker erases what is known of people from a tracker, and what was told of it. It may change t.
	EraseTracker func(ctx context.Context, t *tracker.Tracker) error
	// CollectGarbage gives space back that the store holds and does not need; nil where it needs no such help.
	CollectGarbage func(ctx context.Context) error
	// RulesInUse returns the versions of a tenant's rules that decide or look on now; nil where no versions are kept.
	RulesInUse func(tenant string) []string
}

// Service plans and does the jobs.
type Service struct{ Settings }

// New returns a Service. It starts nothing.
func New(s Settings) *Service { return &Service{Settings: s} }

// Plan sees to it that every tenant of the present configuration has its job, and the node. It is called at start and after each
// change of the configuration.
func (s *Service) Plan(ctx context.Context) error {
	errs := []error{s.plan(ctx, nobody, JobUpkeep)}
	for _, tenant := range slices.Sorted(maps.Keys(s.Config().Tenants)) {
		errs = append(errs, s.plan(ctx, tenant, JobRetention))
	}
	return errors.Join(errs...)
}

func (s *Service) plan(ctx context.Context, tenant, kind string) error {
	now := s.Clock.Now()
	err := s.commit(ctx, tenant, "plan", &store.Tx{
		Now: now, PutJobs: []store.Job{job(tenant, kind, now)},
		Keys: []store.IdempotencyKey{{Key: "planned " + kind, Expires: now.Add(planned)}},
	})
	if err != nil && !errors.Is(err, store.ErrKeyUsed) {
		return fmt.Errorf("plan the %s job of %s: %w", kind, tenant, err)
	}
	return nil
}

// commit commits between the two failpoints of what.
func (s *Service) commit(ctx context.Context, tenant, what string, tx *store.Tx) error {
	if err := failpoint.Hit("retention", failpoint.Before, what); err != nil {
		return err
	}
	if err := s.Store.Commit(ctx, tenant, tx); err != nil {
		return err
	}
	return failpoint.Hit("retention", failpoint.After, what)
}

func job(tenant, kind string, due time.Time) store.Job {
	return store.Job{ID: kind, Tenant: tenant, Kind: kind, Key: kind, Due: due}
}

// progress is the payload of a retention job.
type progress struct {
	Erased   time.Time `json:"erased"` // orders created before have an erase job, or needed none
	Versions versions  `json:"versions,omitzero"`
	// Keep is how long the tenant's things were to be kept when the job ran last while the tenant was configured; nil where it never did.
	Keep *keep `json:"keep,omitempty"`
}

// keep is a config.Retention as it is stored, in nanoseconds; 0 for ever.
type keep struct {
	Exchanges time.Duration `json:"exchanges,omitempty"`
	Labels    time.Duration `json:"labels,omitempty"`
	Messages  time.Duration `json:"messages,omitempty"`
	Personal  time.Duration `json:"personal,omitempty"`
}

// keepOf says how long a tenant's things are kept, and notes it for the time when the tenant is not configured any more.
func (p *progress) keepOf(cfg *config.Config, tenant string) keep {
	if t := cfg.Tenants[tenant]; t != nil {
		now := keep(cfg.RetentionOf(t))
		p.Keep = &now
	}
	if p.Keep == nil {
		return keep(cfg.Retention)
	}
	return *p.Keep
}

// RunRetention is the handler of retention jobs.
func (s *Service) RunRetention(ctx context.Context, j store.Job) (jobs.Outcome, error) {
	cfg, now := s.Config(), s.Clock.Now()
	var done progress
	if len(j.Payload) > 0 {
		if err := json.Unmarshal(j.Payload, &done); err != nil {
			return jobs.Outcome{}, fmt.Errorf("retention of tenant %s: payload: %w", j.Tenant, err)
		}
	}
	keep := done.keepOf(cfg, j.Tenant)
	removed, err := s.Store.Retain(ctx, j.Tenant, store.Retention{Exchanges: before(now, keep.Exchanges), Labels: before(now, keep.Labels),
		Messages: before(now, keep.Messages)})
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("retention of tenant %s: %w", j.Tenant, err)
	}
	aged := 0
	if edge := before(now, keep.Personal); edge.After(done.Erased) {
		if aged, err = s.eraseAged(ctx, j.Tenant, done.Erased, edge); err != nil {
			return jobs.Outcome{}, fmt.Errorf("erase old orders of tenant %s: %w", j.Tenant, err)
		}
		followed, err := s.eraseTrackers(ctx, j.Tenant, done.Erased, edge)
		if err != nil {
			return jobs.Outcome{}, fmt.Errorf("erase old trackers of tenant %s: %w", j.Tenant, err)
		}
		removed += followed
		done.Erased = edge
	}
	if cfg.Tenants[j.Tenant] != nil { // else nobody knows which are in use when it comes back
		dropped, err := s.pruneVersions(ctx, j.Tenant, &done.Versions)
		if err != nil {
			return jobs.Outcome{}, fmt.Errorf("prune versions of the rules of tenant %s: %w", j.Tenant, err)
		}
		removed += dropped
	}
	if removed+aged > 0 {
		s.Log.Info("old data was removed", "tenant", j.Tenant, "configured", cfg.Tenants[j.Tenant] != nil, "rows", removed, "orders_to_erase", aged)
	}
	next := job(j.Tenant, JobRetention, now.Add(every))
	if next.Payload, err = json.Marshal(done); err != nil {
		return jobs.Outcome{}, err
	}
	err = s.commit(ctx, j.Tenant, "done", &store.Tx{Now: now, DoneJobs: []store.Job{j}, PutJobs: []store.Job{next}})
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("retention of tenant %s: %w", j.Tenant, err)
	}
	return jobs.Settled(), nil
}

// before is when what is kept for d began, zero where it is kept for ever.
func before(now time.Time, d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return now.Add(-d)
}

// eraseAged puts an erase job for each order that was created in a span of time, and answers how many.
func (s *Service) eraseAged(ctx context.Context, tenant string, from, to time.Time) (int, error) {
	q := store.ShipmentQuery{Limit: page, Created: shipping.TimeWindow{EndsAt: shipping.At(to)}}
	if !from.IsZero() {
		q.Created.StartsAt = shipping.At(from)
	}
	total := 0
	for {
		p, err := s.Store.ListShipments(ctx, tenant, q)
		if err != nil {
			return total, err
		}
		tx := &store.Tx{Now: s.Clock.Now()}
		for _, sh := range p.Shipments {
			if sh.ErasedAt.IsZero() {
				tx.PutJobs = append(tx.PutJobs, dispatch.EraseJob(tenant, sh.ID, tx.Now))
			}
		}
		if len(tx.PutJobs) > 0 {
			if err := s.commit(ctx, tenant, "erase-orders", tx); err != nil {
				return total, err
			}
		}
		total += len(tx.PutJobs)
		if q.Cursor = p.Next; q.Cursor == "" {
			return total, nil
		}
	}
}

// RunUpkeep is the handler of upkeep jobs.
func (s *Service) RunUpkeep(ctx context.Context, _ store.Job) (jobs.Outcome, error) {
	now := s.Clock.Now()
	swept, err := s.Store.Sweep(ctx, now)
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("upkeep: %w", err)
	}
	if s.CollectGarbage != nil {
		if err := s.CollectGarbage(ctx); err != nil {
			return jobs.Outcome{}, fmt.Errorf("upkeep: %w", err)
		}
	}
	s.Log.Debug("upkeep is done", "expired", swept)
	return jobs.Again(now.Add(every)), nil
}
