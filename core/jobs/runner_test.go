package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC)

const tenant = "acme"

// bench is a runner over a real store in memory, a clock that stands, and a log that can be read.
type bench struct {
	t        *testing.T
	store    *badgerstore.Store
	clock    *clock.Manual
	registry *prometheus.Registry
	log      *bytes.Buffer
	runner   *jobs.Runner
}

func newBench(t *testing.T, handlers map[string]jobs.Handler, change ...func(*jobs.Config)) *bench {
	t.Helper()
	s, err := badgerstore.Open(badgerstore.Config{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b := &bench{t: t, store: s, clock: clock.NewManual(start), registry: prometheus.NewRegistry(), log: &bytes.Buffer{}}
	cfg := jobs.Config{
		Store: s, Clock: b.clock, Source: clock.Seeded(1, b.clock), Handlers: handlers, Metrics: jobs.NewMetrics(b.registry),
		Log: hclog.New(&hclog.LoggerOptions{Output: b.log, Mutex: &sync.Mutex{}}),
	}
	for _, c := range change {
		c(&cfg)
	}
	if b.runner, err = jobs.New(cfg); err != nil {
		t.Fatal(err)
	}
	return b
}

func job(id, key string, due time.Duration) store.Job {
	return store.Job{ID: id, Kind: "poll", Key: key, Due: start.Add(due)}
}

func (b *bench) put(js ...store.Job) {
	b.t.Helper()
	if err := b.store.Commit(b.t.Context(), tenant, &store.Tx{PutJobs: js}); err != nil {
		b.t.Fatal(err)
	}
}

// due runs what is due, and expects how many that are.
func (b *bench) due(want int) {
	b.t.Helper()
	if ran, err := b.runner.RunDue(b.t.Context(), b.clock.Now()); ran != want || err != nil {
		b.t.Fatalf("ran %d, %v, want %d", ran, err, want)
	}
}

// next expects when there is something to do.
func (b *bench) next(want time.Duration) {
	b.t.Helper()
	at, ok, err := b.runner.NextDue(b.t.Context())
	if err != nil || !ok || !at.Equal(start.Add(want)) {
		b.t.Fatalf("next due %v %v %v, want %v", at, ok, err, start.Add(want))
	}
}

func (b *bench) nothingLeft() {
	b.t.Helper()
	if at, ok, err := b.runner.NextDue(b.t.Context()); ok || err != nil {
		b.t.Fatalf("something is due at %v, %v", at, err)
	}
}

// count reads a counter, or how many a histogram has observed.
func (b *bench) count(name string, labels ...string) float64 {
	b.t.Helper()
	families, err := b.registry.Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	total := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var has []string
			for _, l := range m.GetLabel() {
				has = append(has, l.GetValue())
			}
			if f.GetName() == name && slices.Equal(has, labels) {
				total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return total
}

func TestNewTellsAllFaults(t *testing.T) {
	_, err := jobs.New(jobs.Config{Workers: -1, Handlers: map[string]jobs.Handler{"poll": nil}})
	for _, want := range []string{"a Store", "a Clock", "a Source", "handler of poll", "must not be negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func TestRunDueGoesInOrderAndRunsWhatIsPutMeanwhile(t *testing.T) {
	var ran []string
	var b *bench
	b = newBench(t, map[string]jobs.Handler{"poll": func(_ context.Context, j store.Job) (jobs.Outcome, error) {
		ran = append(ran, j.ID)
		if j.ID == "a" {
			b.put(job("now", "k9", 0), job("later", "k9", time.Hour))
		}
		return jobs.Done(), nil
	}})
	b.put(job("c", "k1", time.Second), job("b", "k2", 0), job("a", "k1", 0), job("d", "k1", 0), job("e", "k0", 2*time.Second))
	b.due(4)
	if want := []string{"a", "d", "b", "now"}; !slices.Equal(ran, want) {
		t.Errorf("ran %v, want %v", ran, want)
	}
	for _, at := range []time.Duration{time.Second, 2 * time.Second, time.Hour} {
		b.next(at)
		b.clock.Set(start.Add(at))
		b.due(1)
	}
	b.nothingLeft()
	if n := b.count("waybill_jobs_total", "poll", "done"); n != 7 {
		t.Errorf("%v counted as done, want 7", n)
	}
	if n := b.count("waybill_job_lag_seconds", "poll"); n != 7 {
		t.Errorf("lag of %v jobs, want 7", n)
	}
}

func TestAgainComesAgain(t *testing.T) {
	var tries []int
	b := newBench(t, map[string]jobs.Handler{"poll": func(_ context.Context, j store.Job) (jobs.Outcome, error) {
		if string(j.Payload) != "payload" {
			t.Errorf("payload %q", j.Payload)
		}
		if tries = append(tries, j.Tries); len(tries) == 3 {
			return jobs.Done(), nil
		}
		return jobs.Again(j.Due.Add(time.Minute)), nil
	}})
	j := job("a", "k", 0)
	j.Payload = []byte("payload")
	b.put(j)
	for i := range 3 {
		b.next(time.Duration(i) * time.Minute)
		b.clock.Set(start.Add(time.Duration(i) * time.Minute))
		b.due(1)
	}
	b.nothingLeft()
	if !slices.Equal(tries, []int{1, 1, 1}) {
		t.Errorf("tries %v: a success starts anew", tries)
	}
}

func TestFailureIsTriedAgainAndNeverDropped(t *testing.T) {
	const fails = 20
	delays := func() (list []time.Duration, log string) {
		tries := 0
		b := newBench(t, map[string]jobs.Handler{"poll": func(_ context.Context, j store.Job) (jobs.Outcome, error) {
			if tries++; j.Tries != tries {
				t.Errorf("try %d says it is the %dth", tries, j.Tries)
			}
			if tries <= fails {
				return jobs.Done(), errors.New("carrier is away")
			}
			return jobs.Done(), nil
		}})
		b.put(job("a", "k", 0))
		for range fails {
			b.due(1)
			at, _, err := b.runner.NextDue(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, at.Sub(b.clock.Now()))
			b.clock.Set(at)
		}
		b.due(1)
		b.nothingLeft()
		if n := b.count("waybill_jobs_total", "poll", "failed"); n != fails {
			t.Errorf("%v counted as failed, want %d", n, fails)
		}
		return list, b.log.String()
	}
	list, log := delays()
	for i, d := range list {
		full := min(jobs.DefaultMinBackoff<<i, jobs.DefaultMaxBackoff)
		if d < full/2 || d > full {
			t.Errorf("delay %d is %v, want between %v and %v", i+1, d, full/2, full)
		}
	}
	if again, _ := delays(); !slices.Equal(list, again) {
		t.Errorf("one seed, two runs: %v and %v", list, again)
	}
	if n := strings.Count(log, "job failed"); n != 5 {
		t.Errorf("%d lines of log for %d failures, want 5: at 1, 2, 4, 8, 16", n, fails)
	}
}

func TestAHandlerMayNameTheTimeOfItsNextTry(t *testing.T) {
	b := newBench(t, map[string]jobs.Handler{"poll": func(context.Context, store.Job) (jobs.Outcome, error) {
		return jobs.Again(start.Add(time.Hour)), errors.New("asked to come back in an hour")
	}})
	b.put(job("a", "k", 0))
	b.due(1)
	b.next(time.Hour)
	if n := b.count("waybill_jobs_total", "poll", "failed"); n != 1 {
		t.Errorf("%v counted as failed", n)
	}
}

func TestPanicAndUnknownKindAreFailures(t *testing.T) {
	b := newBench(t, map[string]jobs.Handler{"poll": func(context.Context, store.Job) (jobs.Outcome, error) { panic("a mistake") }})
	strange := job("b", "k2", 0)
	strange.Kind = "of-a-newer-version"
	b.put(job("a", "k", 0), strange)
	b.due(2)
	b.clock.Advance(time.Hour)
	b.due(2)
	for _, want := range []string{"a mistake", "runner_test.go", "no handler for this kind", "of-a-newer-version"} {
		if !strings.Contains(b.log.String(), want) {
			t.Errorf("log does not tell %q:\n%s", want, b.log)
		}
	}
	if p, u := b.count("waybill_jobs_total", "poll", "failed"), b.count("waybill_jobs_total", "unknown", "failed"); p != 2 || u != 2 {
		t.Errorf("%v and %v counted as failed, want 2 each", p, u)
	}
}

func TestSettled(t *testing.T) {
	var b *bench
	settle := map[string]func(j store.Job) *store.Tx{
		"removed": func(j store.Job) *store.Tx { return &store.Tx{DoneJobs: []store.Job{j}} },
		"rescheduled": func(j store.Job) *store.Tx {
			return &store.Tx{DoneJobs: []store.Job{j}, PutJobs: []store.Job{job(j.ID, j.Key, time.Hour)}}
		},
		"replaced": func(j store.Job) *store.Tx { return &store.Tx{PutJobs: []store.Job{job(j.ID, j.Key, time.Hour)}} },
		"not":      func(store.Job) *store.Tx { return &store.Tx{} },
	}
	b = newBench(t, map[string]jobs.Handler{"poll": func(ctx context.Context, j store.Job) (jobs.Outcome, error) {
		return jobs.Settled(), b.store.Commit(ctx, j.Tenant, settle[j.ID](j))
	}})
	b.put(job("removed", "k1", 0))
	b.due(1)
	b.nothingLeft()
	b.put(job("rescheduled", "k2", 0))
	b.due(1)
	b.next(time.Hour)
	b.put(job("replaced", "k3", 0))
	b.due(1)
	b.next(time.Hour) // and not when a lease ends: the key was given back
	if n := b.count("waybill_jobs_total", "poll", "settled"); n != 3 {
		t.Errorf("%v counted as settled, want 3", n)
	}
	b.put(job("not", "k4", 0))
	b.due(1)
	if n := b.count("waybill_jobs_total", "poll", "failed"); n != 1 || !strings.Contains(b.log.String(), "says that it has settled") {
		t.Errorf("%v failed; a handler that did not settle was believed: %s", n, b.log)
	}
}

// TestAWakeUpIsNotLost replaces a job while it runs: what the handler says then is void, and the replacement runs at its time.
func TestAWakeUpIsNotLost(t *testing.T) {
	runs := 0
	var b *bench
	b = newBench(t, map[string]jobs.Handler{"poll": func(context.Context, store.Job) (jobs.Outcome, error) {
		if runs++; runs == 1 {
			b.put(job("a", "k", 0))
			return jobs.Again(start.Add(24 * time.Hour)), nil
		}
		return jobs.Done(), nil
	}})
	b.put(job("a", "k", 0))
	b.due(2)
	b.nothingLeft()
	if n := b.count("waybill_jobs_total", "poll", "lost"); n != 1 {
		t.Errorf("%v counted as lost, want 1", n)
	}
}

func TestRunDueTellsAStuckJob(t *testing.T) {
	b := newBench(t, map[string]jobs.Handler{"poll": func(_ context.Context, j store.Job) (jobs.Outcome, error) {
		return jobs.Again(j.Due), nil
	}})
	b.put(job("a", "k", 0))
	if _, err := b.runner.RunDue(t.Context(), start); err == nil || !strings.Contains(err.Error(), "poll job a is due again") {
		t.Errorf("error %v does not name the job", err)
	}
}

// failing is a store that cannot commit for a while.
type failing struct {
	jobs.Store
	broken bool
}

func (f *failing) Commit(ctx context.Context, tenant string, tx *store.Tx) error {
	if f.broken {
		return fmt.Errorf("%w: disk is full", store.ErrUnavailable)
	}
	return f.Store.Commit(ctx, tenant, tx)
}

func TestAStoreThatCannotWriteLosesNothing(t *testing.T) {
	runs := 0
	f := &failing{broken: true}
	b := newBench(t, map[string]jobs.Handler{"poll": func(context.Context, store.Job) (jobs.Outcome, error) {
		runs++
		return jobs.Done(), nil
	}}, func(cfg *jobs.Config) { f.Store, cfg.Store = cfg.Store, f })
	b.put(job("a", "k", 0))
	b.due(1)
	b.next(jobs.DefaultLease)
	f.broken = false
	b.clock.Advance(jobs.DefaultLease)
	b.due(1)
	b.nothingLeft()
	if runs != 2 || b.count("waybill_jobs_total", "poll", "unwritten") != 1 {
		t.Errorf("ran %d times; log: %s", runs, b.log)
	}
}
