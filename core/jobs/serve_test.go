package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/store"
)

// serve starts Run, and returns a function that ends it and waits.
func (b *bench) serve() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- b.runner.Run(ctx) }()
	return func() {
		b.t.Helper()
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("run: %v", err)
		}
	}
}

func realClock(cfg *jobs.Config) { cfg.Clock = clock.Real() }

// receive waits for a value, and not for ever.
func receive[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(2 * time.Minute):
		t.Fatalf("%s did not happen", what)
	}
	return v
}

func TestRunWakesForChangesAndForDueTimes(t *testing.T) {
	ran := make(chan string, 10)
	b := newBench(t, map[string]jobs.Handler{"poll": func(_ context.Context, j store.Job) (jobs.Outcome, error) {
		ran <- j.ID
		return jobs.Done(), nil
	}})
	defer b.serve()()
	b.put(job("at once", "k1", 0))
	if id := receive(t, ran, "a job that was put"); id != "at once" {
		t.Fatalf("ran %s", id)
	}
	// Time stands still until the first job is gone and the runner has come to rest, waiting for the due time of the second.
	for left := true; left; {
		_, left, _ = b.runner.NextDue(t.Context())
	}
	b.put(job("later", "k2", time.Minute))
	due := start.Add(time.Minute)
	for at := (time.Time{}); !at.Equal(due); at, _ = b.clock.NextTimer() {
		if err := b.clock.AwaitTimers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case id := <-ran:
		t.Fatalf("%s ran before it was due", id)
	default:
	}
	b.clock.Set(due)
	if id := receive(t, ran, "a job that has become due"); id != "later" {
		t.Fatalf("ran %s", id)
	}
}

func TestRunKeepsToItsWorkersAndRunsAll(t *testing.T) {
	const n, workers = 300, 4
	var now, most, total atomic.Int32
	all := make(chan struct{})
	b := newBench(t, map[string]jobs.Handler{"poll": func(context.Context, store.Job) (jobs.Outcome, error) {
		if c := now.Add(1); c > most.Load() {
			most.Store(c)
		}
		defer now.Add(-1)
		if total.Add(1) == n {
			close(all)
		}
		return jobs.Done(), nil
	}}, realClock, func(cfg *jobs.Config) { cfg.Workers = workers })
	stop := b.serve()
	for i := range n {
		b.put(job(fmt.Sprint("j", i), fmt.Sprint("k", i%50), 0))
	}
	receive(t, all, "the last job")
	stop()
	b.nothingLeft()
	if most.Load() > workers || total.Load() != n {
		t.Errorf("%d at once and %d in all, want at most %d and %d", most.Load(), total.Load(), workers, n)
	}
}

func TestRunDrains(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	b := newBench(t, map[string]jobs.Handler{"poll": func(ctx context.Context, _ store.Job) (jobs.Outcome, error) {
		close(entered)
		<-leave
		return jobs.Done(), ctx.Err()
	}})
	b.put(job("a", "k", 0))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.runner.Run(ctx) }()
	receive(t, entered, "the job")
	cancel()
	// Claiming has stopped: the drain waits on a timer of its own, beside that of the lease.
	if err := b.clock.AwaitTimers(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
		t.Fatal("Run ended while a job ran")
	default:
	}
	close(leave)
	if err := receive(t, ended, "the end of Run"); err != nil {
		t.Error(err)
	}
	b.nothingLeft()
}

func TestRunDoesNotDrainForEver(t *testing.T) {
	entered, why := make(chan struct{}), make(chan error, 1)
	b := newBench(t, map[string]jobs.Handler{"poll": func(ctx context.Context, _ store.Job) (jobs.Outcome, error) {
		close(entered)
		<-ctx.Done()
		why <- context.Cause(ctx)
		return jobs.Done(), ctx.Err()
	}}, realClock, func(cfg *jobs.Config) { cfg.Drain = time.Millisecond })
	b.put(job("a", "k", 0))
	stop := b.serve()
	receive(t, entered, "the job")
	stop()
	if err := receive(t, why, "the end of its context"); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("the handler was told %v, want that the runner stops", err)
	}
	if _, ok, err := b.runner.NextDue(t.Context()); !ok || err != nil {
		t.Errorf("the job is gone, %v; it was not done", err)
	}
}

func TestALeaseIsKeptWhileAHandlerRuns(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	b := newBench(t, map[string]jobs.Handler{"poll": func(context.Context, store.Job) (jobs.Outcome, error) {
		close(entered)
		<-leave
		return jobs.Done(), nil
	}}, func(cfg *jobs.Config) { cfg.Workers = 1 })
	b.put(job("a", "k", 0))
	stop := b.serve()
	receive(t, entered, "the job")
	// Full, the runner waits for its worker alone: the one timer is the lease's.
	for range 12 {
		if err := b.clock.AwaitTimers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		b.clock.Advance(jobs.DefaultLease / 3)
	}
	if err := b.clock.AwaitTimers(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if stolen, err := b.store.ClaimJobs(t.Context(), b.clock.Now(), time.Minute, 1); len(stolen) != 0 || err != nil {
		t.Errorf("claimed %v, %v, while its handler runs", stolen, err)
	}
	close(leave)
	stop()
	b.nothingLeft()
}

func TestALostLeaseEndsTheHandler(t *testing.T) {
	entered, why := make(chan struct{}), make(chan error, 1)
	b := newBench(t, map[string]jobs.Handler{"poll": func(ctx context.Context, _ store.Job) (jobs.Outcome, error) {
		close(entered)
		<-ctx.Done()
		why <- context.Cause(ctx)
		return jobs.Done(), ctx.Err()
	}}, func(cfg *jobs.Config) { cfg.Workers = 1 })
	b.put(job("a", "k", 0))
	stop := b.serve()
	defer stop()
	receive(t, entered, "the job")
	if err := b.store.Commit(t.Context(), tenant, &store.Tx{DropJobs: []store.JobKey{{Kind: "poll", Key: "k"}}}); err != nil {
		t.Fatal(err)
	}
	if err := b.clock.AwaitTimers(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(jobs.DefaultLease / 3)
	if err := receive(t, why, "the end of its context"); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("the handler was told %v, want %v", err, store.ErrLeaseLost)
	}
}
