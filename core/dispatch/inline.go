package dispatch

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
)

// asking is what is known of a caller's question: when it came, and when it must be answered.
type asking struct {
	begun time.Time       // by the Clock
	ends  context.Context // ends when the answer may not wait any longer
}

// within is ctx, which ends then as well.
func (c asking) within(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	unlink := context.AfterFunc(c.ends, cancel)
	return ctx, func() { unlink(); cancel() }
}

// begin begins a call; stop must be called. The bound is of wall time, as that of the connection is.
func (s *Service) begin() (c asking, stop func()) {
	c = asking{begun: s.Clock.Now(), ends: context.Background()}
	if s.CallWithin <= 0 {
		return c, func() {}
	}
	c.ends, stop = context.WithTimeout(c.ends, s.CallWithin)
	return c, stop
}

// maxLeased is how often a dispatch job is put with a lease before it is left to the runner: another job of the order may be running.
const maxLeased = 2

// inlineJob is a dispatch job that the call which puts it means to run itself.
type inlineJob struct {
	tries int
	job   store.Job
}

// put puts the job, due now, into a transaction. It is called once for each try of a change.
func (i *inlineJob) put(s *Service, tx *store.Tx, sh *shipment.Shipment) {
	now := s.Clock.Now()
	i.job = s.job(sh, JobDispatch, now)
	if i.tries++; i.tries <= maxLeased {
		i.job.Tries = 1
		i.job.Lease = &store.Lease{Owner: s.Store.Owner(), Token: s.Source.Token(9), Until: now.Add(inlineLease)}
	}
	plan(tx, sh, i.job)
}

// walked is what a walk came to.
type walked struct {
	sh  *shipment.Shipment
	err error
}

// run runs the job where it is leased to this call, else waits for the runner to do so, and returns what came of it. Where that takes
// longer than the call may, the order is returned as it stands, and the walk goes on. Neither ends with ctx.
func (i *inlineJob) run(ctx context.Context, s *Service, sh *shipment.Shipment, user string, c asking) (*shipment.Shipment, error) {
	if i.job.Lease == nil {
		return s.awaitSettled(ctx, sh, c.begun)
	}
	id := sh.ID // what sh points to is the walk's from now on
	tenant := sh.Tenant
	done := make(chan walked)
	begun := s.walks.begin(ctx, func(ctx context.Context) {
		w := i.walk(ctx, s, sh, user, c)
		select {
		case done <- w:
		case <-c.ends.Done():
			if w.err != nil {
				s.Log.Warn("dispatch that its caller no longer waited for was not finished, its job comes again", "shipment_id", id, "err", w.err)
			}
		}
	})
	if !begun {
		i.giveBack(ctx, s, id)
		return sh, nil // the engine stops: it goes on with the next start
	}
	select {
	case w := <-done:
		return w.sh, w.err
	case <-c.ends.Done():
	}
	s.Log.Info("dispatch takes longer than its caller may wait: the caller is answered, and the order is carried on", "shipment_id", id, "waited", s.CallWithin)
	fresh, err := s.Store.Shipment(context.WithoutCancel(ctx), tenant, id)
	if err != nil {
		return &shipment.Shipment{ID: id, Tenant: tenant}, fmt.Errorf("read order %s, which is being dispatched: %w", id, err)
	}
	return fresh, nil
}

// walk runs the job. What the walk leaves unsettled goes to the runner at once and not when the lease ends.
func (i *inlineJob) walk(ctx context.Context, s *Service, sh *shipment.Shipment, user string, c asking) (w walked) {
	id := sh.ID
	defer i.giveBack(ctx, s, id)
	defer func() { // a panic is an error of this order alone, as it is in a job
		if p := recover(); p != nil {
			w = walked{&shipment.Shipment{ID: id}, fmt.Errorf("dispatch of order %s panicked: %v\n%s", id, p, debug.Stack())}
		}
	}()
	if !s.started(ctx, sh, c.begun) {
		return walked{sh, nil} // the caller hears that it goes on
	}
	w.sh, w.err = s.walk(ctx, sh, user, i.job.Tries)
	return w
}

// giveBack ends the job's lease.
func (i *inlineJob) giveBack(ctx context.Context, s *Service, id shipment.ID) {
	if err := s.Store.ReleaseJob(context.WithoutCancel(ctx), i.job); err != nil {
		s.Log.Warn("lease of an inline dispatch is not given back, it ends by itself", "shipment_id", id, "err", err)
	}
}

// walks are the inline walks of this process.
type walks struct {
	running sync.WaitGroup
	stopped context.Context // ends when they may not go on
	cut     context.CancelCauseFunc

	mu   sync.Mutex
	over bool // no more are begun
}

func newWalks() *walks {
	w := &walks{}
	w.stopped, w.cut = context.WithCancelCause(context.Background())
	return w
}

// begin runs f beside the caller, with what ctx knows and without its end; false where no more are begun.
func (w *walks) begin(ctx context.Context, f func(context.Context)) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return false
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	unlink := context.AfterFunc(w.stopped, func() { cancel(context.Cause(w.stopped)) })
	w.running.Go(func() {
		defer cancel(nil)
		defer unlink()
		f(ctx)
	})
	return true
}

// drainFor is how long walks may take to end when the engine stops.
const drainFor = 20 * time.Second

var errStopped = errors.New("the engine stops")

// Drain begins no more walks for callers and waits for those that are under way, then ends them: their jobs come with the next start.
// It is called when no more calls come, and while the carriers can still be asked.
func (s *Service) Drain() {
	s.walks.mu.Lock()
	s.walks.over = true
	s.walks.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		s.walks.running.Wait()
		close(ended)
	}()
	t := s.Clock.NewTimer(drainFor)
	defer t.Stop()
	select {
	case <-ended:
		return
	case <-t.C():
		s.Log.Warn("orders are still being dispatched after the time to drain, ending that", "drain", drainFor)
		s.walks.cut(errStopped)
	}
	<-ended
}
