package jobs

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/core/store"
)

// Pauses of Run: after a claim that failed, and after one that found nothing though something was due.
const (
	claimRetry = time.Second
	claimPause = 10 * time.Millisecond
)

// errDrained ends the context of a handler that has not come to its end in time.
var errDrained = errors.New("the runner stops, and has waited long enough")

// Run claims and runs jobs until ctx ends. Then it claims no more, waits for those that run, and returns nil.
func (r *Runner) Run(ctx context.Context) error {
	work, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	var running sync.WaitGroup
	freed := make(chan struct{}, r.cfg.Workers)
	free := r.cfg.Workers
	for ctx.Err() == nil {
		pause := claimRetry
		claimed, err := r.claim(ctx, free)
		if err == nil {
			free -= len(claimed)
			for _, j := range claimed {
				running.Go(func() {
					defer func() { freed <- struct{}{} }()
					r.runLeased(work, j)
				})
			}
			pause, err = r.pause(ctx, len(claimed))
		}
		if err != nil && ctx.Err() == nil {
			r.cfg.Log.Error("cannot claim jobs, trying again", "err", err)
		}
		free += r.wait(ctx, pause, free == 0, freed)
	}
	r.drain(&running, cut)
	return nil
}

func (r *Runner) claim(ctx context.Context, free int) ([]store.Job, error) {
	if free == 0 {
		return nil, nil
	}
	return r.cfg.Store.ClaimJobs(ctx, r.cfg.Clock.Now(), r.cfg.Lease, free)
}

// forever stands for a pause that only an event ends.
const forever = time.Duration(-1)

// pause returns how long nothing will be due.
func (r *Runner) pause(ctx context.Context, claimed int) (time.Duration, error) {
	at, ok, err := r.cfg.Store.NextJob(ctx)
	if err != nil {
		return claimRetry, err
	}
	if !ok {
		r.cfg.Metrics.overdue.Set(0)
		return forever, nil
	}
	left := at.Sub(r.cfg.Clock.Now())
	r.cfg.Metrics.overdue.Set(max(0, -left.Seconds()))
	if claimed > 0 {
		return max(left, 0), nil
	}
	return max(left, claimPause), nil
}

// wait ends when the pause does, when jobs have changed, when a worker is free again, or with ctx; full waits for a worker alone.
// It returns how many workers became free.
func (r *Runner) wait(ctx context.Context, pause time.Duration, full bool, freed <-chan struct{}) (n int) {
	var elapsed <-chan time.Time
	changed := r.cfg.Store.JobsChanged()
	switch {
	case full:
		changed = nil
	case pause != forever:
		t := r.cfg.Clock.NewTimer(pause)
		defer t.Stop()
		elapsed = t.C()
	}
	select {
	case <-ctx.Done():
	case <-elapsed:
	case <-changed:
	case <-freed:
		n++
	}
	for {
		select {
		case <-freed:
			n++
		default:
			return n
		}
	}
}

func (r *Runner) drain(running *sync.WaitGroup, cut context.CancelCauseFunc) {
	ended := make(chan struct{})
	go func() {
		running.Wait()
		close(ended)
	}()
	t := r.cfg.Clock.NewTimer(r.cfg.Drain)
	defer t.Stop()
	select {
	case <-ended:
		return
	case <-t.C():
		r.cfg.Log.Warn("jobs still run after the time to drain, ending them", "drain", r.cfg.Drain)
		cut(errDrained)
	}
	<-ended
}

// runLeased runs j and keeps its lease meanwhile.
func (r *Runner) runLeased(ctx context.Context, j store.Job) {
	ctx, lose := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	var keeper sync.WaitGroup
	keeper.Go(func() { r.keep(ctx, j, ended, lose) })
	r.runThen(ctx, j, func() {
		close(ended)
		keeper.Wait()
	})
	lose(nil)
}

// keep renews the lease of j until ended, and ends the handler's context when the lease is another's.
func (r *Runner) keep(ctx context.Context, j store.Job, ended <-chan struct{}, lose context.CancelCauseFunc) {
	t := r.cfg.Clock.NewTimer(r.cfg.Lease / 3)
	defer t.Stop()
	for {
		select {
		case <-ended:
			return
		case <-t.C():
		}
		err := r.cfg.Store.RenewJob(context.WithoutCancel(ctx), j, r.cfg.Clock.Now().Add(r.cfg.Lease))
		switch {
		case errors.Is(err, store.ErrLeaseLost):
			lose(err)
			return
		case err != nil: // it is asked again before the lease ends
			r.cfg.Log.Warn("lease of a job is not renewed", "job_id", j.ID, "kind", j.Kind, "err", err)
		}
		t.Reset(r.cfg.Lease / 3)
	}
}
