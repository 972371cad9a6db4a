package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/waybill-dev/waybill/core/failpoint"
	"github.com/waybill-dev/waybill/core/store"
)

// errNotSettled is the fault of a handler that says its commit has settled the job when it has not.
var errNotSettled = errors.New("the handler says that it has settled the job, and the job is as it was; its commit must name the job in DoneJobs")

// errNoHandler is the fault of a job that nobody here can do. It is kept: a newer version may have put it.
var errNoHandler = errors.New("no handler for this kind of job; it is kept")

func (r *Runner) run(ctx context.Context, j store.Job) { r.runThen(ctx, j, func() {}) }

// runThen gives j to its handler, calls ended, and writes what becomes of j.
func (r *Runner) runThen(ctx context.Context, j store.Job, ended func()) {
	kind := j.Kind
	h := r.cfg.Handlers[kind]
	if h == nil {
		kind = "unknown" // what is stored must not make metrics without end
		h = func(context.Context, store.Job) (Outcome, error) { return Done(), errNoHandler }
	}
	start := r.cfg.Clock.Now()
	r.cfg.Metrics.lag.WithLabelValues(kind).Observe(max(0, start.Sub(j.Due).Seconds()))
	r.cfg.Metrics.running.Inc()
	out, err := guarded(ctx, h, j)
	r.cfg.Metrics.running.Dec()
	ended()
	// The caller may have left, and the job was done all the same.
	outcome := r.finish(context.WithoutCancel(ctx), j, out, err)
	r.cfg.Metrics.jobs.WithLabelValues(kind, outcome).Inc()
}

// guarded makes a panic an error of the job alone.
func guarded(ctx context.Context, h Handler, j store.Job) (out Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	// A copy of its own: the runner still needs the job as it was claimed.
	given := j
	if j.Lease != nil {
		lease := *j.Lease
		given.Lease = &lease
	}
	return h(ctx, given)
}

// finish writes what becomes of a job, and names it for the metrics.
func (r *Runner) finish(ctx context.Context, j store.Job, out Outcome, err error) string {
	if err == nil && out.kind == settled {
		// Only a lease that is still held can be renewed: then nothing was settled.
		if e := r.cfg.Store.RenewJob(ctx, j, r.cfg.Clock.Now().Add(r.cfg.Lease)); errors.Is(e, store.ErrLeaseLost) {
			return r.letGo(ctx, j, "settled")
		}
		err = errNotSettled
	}
	tx := &store.Tx{Now: r.cfg.Clock.Now(), DoneJobs: []store.Job{j}}
	name := "done"
	switch {
	case err != nil:
		name = "failed"
		at := out.at
		if out.kind != again {
			at = tx.Now.Add(r.backoff(j))
		}
		r.logFailure(j, at, err)
		tx.PutJobs = []store.Job{putOff(j, at, j.Tries)}
	case out.kind == again:
		name = "again"
		tx.PutJobs = []store.Job{putOff(j, out.at, 0)}
	}
	switch err := r.commit(ctx, j.Tenant, tx); {
	case errors.Is(err, store.ErrLeaseLost):
		return r.letGo(ctx, j, "lost")
	case err != nil:
		// The lease is not given back: the job comes again when it has ended, and not at once, while the store cannot write.
		r.cfg.Log.Error("job ran, and what became of it is not written; it will run again", "job_id", j.ID, "kind", j.Kind, "err", err)
		return "unwritten"
	}
	return name
}

func (r *Runner) commit(ctx context.Context, tenant string, tx *store.Tx) error {
	if err := failpoint.Hit("jobs", failpoint.Before, "outcome"); err != nil {
		return err
	}
	if err := r.cfg.Store.Commit(ctx, tenant, tx); err != nil {
		return err
	}
	return failpoint.Hit("jobs", failpoint.After, "outcome")
}

// letGo frees the key for what has replaced the job.
func (r *Runner) letGo(ctx context.Context, j store.Job, outcome string) string {
	if err := r.cfg.Store.ReleaseJob(ctx, j); err != nil {
		r.cfg.Log.Warn("lease of a job is not given back, it ends by itself", "job_id", j.ID, "kind", j.Kind, "err", err)
	}
	return outcome
}

func putOff(j store.Job, at time.Time, tries int) store.Job {
	j.Due, j.Tries, j.Lease = at, tries, nil
	return j
}

// backoff doubles with each try; its second half is drawn, so that what failed together does not come together again.
func (r *Runner) backoff(j store.Job) time.Duration {
	d := r.cfg.MinBackoff
	for range j.Tries - 1 {
		if d >= r.cfg.MaxBackoff/2 {
			d = r.cfg.MaxBackoff
			break
		}
		d *= 2
	}
	half := d / 2
	return half + time.Duration(r.cfg.Source.Rand("retry", j.Tenant, j.ID, fmt.Sprint(j.Tries)).Int64N(int64(half)+1))
}

// logFailure tells of the first failure of a job, and then ever more rarely: at the 2nd, 4th, 8th …
func (r *Runner) logFailure(j store.Job, again time.Time, err error) {
	if j.Tries&(j.Tries-1) != 0 {
		return
	}
	r.cfg.Log.Warn("job failed, it will be tried again", "job_id", j.ID, "tenant", j.Tenant, "kind", j.Kind, "key", j.Key,
		"tries", j.Tries, "again", again, "err", err)
}
