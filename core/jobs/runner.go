// Package jobs runs what is to happen later. Everything that waits is a job in the store, with a due time, a key and a lease; a
// Runner claims what is due, gives it to the handler of its kind, and removes it, puts it off, or tries again later. It loses
// nothing: a job leaves the store only when a handler says that it is done, and a job whose process has died is claimed again
// when its lease ends. A handler may therefore run more than once for one job, and must be able to.
//
// A Runner has two faces. Run is for a server: it works until its context ends. RunDue and NextDue are for virtual time, where a
// driver sets the clock, runs what is due in a fixed order, and goes on to the next due time.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/store"
)

// Handler does one job. Its context ends when the lease is lost, and when a server that stops has waited long enough. An error, or
// a panic, puts the job off by a growing delay, or to the time of Again where that is returned beside the error.
type Handler func(ctx context.Context, j store.Job) (Outcome, error)

// Outcome is what becomes of a job.
type Outcome struct {
	kind outcomeKind
	at   time.Time
}

type outcomeKind int

const (
	done outcomeKind = iota
	again
	settled
)

// Done: there is nothing left to do, and the runner removes the job. It is the zero Outcome.
func Done() Outcome { return Outcome{} }

// Again: the job has succeeded so far and is to run again, not before at. Its count of tries starts anew.
func Again(at time.Time) Outcome { return Outcome{kind: again, at: at} }

// Settled: a commit of the handler has removed or replaced the job, with DoneJobs, together with what it wrote.
func Settled() Outcome { return Outcome{kind: settled} }

// Store is what a Runner needs of a store.Store.
type Store interface {
	store.Jobs
	Commit(ctx context.Context, tenant string, tx *store.Tx) error
}

// Defaults of a Config.
const (
	DefaultWorkers    = 16
	DefaultLease      = 30 * time.Second
	DefaultDrain      = 30 * time.Second
	DefaultMinBackoff = time.Second
	DefaultMaxBackoff = 10 * time.Minute
)

// Config says what to run and how. Store, Clock, Source and Handlers are needed.
type Config struct {
	Store    Store
	Clock    clock.Clock
	Source   clock.Source // of the jitter of delays
	Handlers map[string]Handler
	Log      hclog.Logger
	Metrics  *Metrics

	// Workers is how many jobs run at once.
	Workers int
	// Lease is how long a job belongs to this runner after it was last renewed: how long a job of a dead process waits.
	Lease time.Duration
	// Drain is how long Run waits for running jobs when its context has ended, before it ends theirs.
	Drain time.Duration
	// MinBackoff is the delay after a first failure. It doubles with each, up to MaxBackoff; up to half of it is random.
	MinBackoff, MaxBackoff time.Duration
}

// Runner runs jobs. Use either Run or RunDue, and once at a time.
type Runner struct{ cfg Config }

// New checks cfg and fills in what is not set. It starts nothing.
func New(cfg Config) (*Runner, error) {
	var faults []error
	need := func(has bool, name string) {
		if !has {
			faults = append(faults, fmt.Errorf("jobs: a runner needs a %s", name))
		}
	}
	need(cfg.Store != nil, "Store")
	need(cfg.Clock != nil, "Clock")
	need(cfg.Source != nil, "Source")
	need(len(cfg.Handlers) > 0, "handler")
	for kind, h := range cfg.Handlers {
		need(h != nil, "handler of "+kind)
	}
	if cfg.Workers < 0 || cfg.Lease < 0 || cfg.Drain < 0 || cfg.MinBackoff < 0 || cfg.MaxBackoff < 0 {
		faults = append(faults, errors.New("jobs: workers and times of a runner must not be negative"))
	}
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	cfg.Workers = orDefault(cfg.Workers, DefaultWorkers)
	cfg.Lease = orDefault(cfg.Lease, DefaultLease)
	cfg.Drain = orDefault(cfg.Drain, DefaultDrain)
	cfg.MinBackoff = orDefault(cfg.MinBackoff, DefaultMinBackoff)
	cfg.MaxBackoff = max(orDefault(cfg.MaxBackoff, DefaultMaxBackoff), cfg.MinBackoff)
	return &Runner{cfg: cfg}, errors.Join(faults...)
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// maxRuns is how often one job may run at one instant of virtual time before RunDue calls it stuck.
const maxRuns = 1000

// RunDue runs every job that is due by now, one after the other: by due time, then key, then id; those too that running jobs put.
// It returns how many it ran. A job that puts itself to the present for ever is an error.
func (r *Runner) RunDue(ctx context.Context, now time.Time) (ran int, err error) {
	runs := map[[2]string]int{}
	for ctx.Err() == nil {
		claimed, err := r.cfg.Store.ClaimJobs(ctx, now, r.cfg.Lease, 1)
		if err != nil {
			return ran, fmt.Errorf("run due jobs: %w", err)
		}
		if len(claimed) == 0 {
			return ran, nil
		}
		j := claimed[0]
		ran++
		r.run(ctx, j)
		id := [2]string{j.Tenant, j.ID}
		if runs[id]++; runs[id] == maxRuns {
			return ran, fmt.Errorf("run due jobs: %s job %s is due again at %s for the %dth time; its handler must put it off", j.Kind, j.ID, now, maxRuns)
		}
	}
	return ran, context.Cause(ctx)
}

// NextDue returns the earliest time at which RunDue may find a job; ok is false where there is none.
func (r *Runner) NextDue(ctx context.Context) (at time.Time, ok bool, err error) {
	return r.cfg.Store.NextJob(ctx)
}
