package notify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/core/store"
)

const (
	// lookEvery is how often Run looks for subscriptions that changed without a word: by the configuration, or on another node.
	lookEvery = 30 * time.Second
	// storeRetry is how long a reader waits that the store did not serve.
	storeRetry = time.Second
	// drainFor is how long requests under way may take when the node stops. Those that take longer are made again at the next start.
	drainFor = 2 * time.Second
)

// handle is how Run speaks to a reader's goroutine.
type handle struct {
	stop   context.CancelFunc
	wake   chan struct{}            // there may be new messages
	update chan *store.Subscription // the subscription, or its deliveries, have changed
}

type readerKey struct{ tenant, subscription string }

// Run delivers until ctx ends, and returns when no request is under way any more. Use either Run or RunDue, and once at a time.
func (s *Service) Run(ctx context.Context) error {
	readers := map[readerKey]*handle{}
	var running sync.WaitGroup
	defer s.client.close()
	defer running.Wait()
	timer := s.Clock.NewTimer(lookEvery)
	defer timer.Stop()
	for look := true; ; {
		if look {
			s.reconcile(ctx, readers, &running)
		}
		look = true
		select {
		case <-ctx.Done():
			return nil
		case <-s.changed:
		case <-timer.C():
			timer.Reset(lookEvery)
		case <-s.Store.MessagesChanged():
			look = false
			for _, h := range readers {
				select {
				case h.wake <- struct{}{}:
				default:
				}
			}
		}
	}
}

// reconcile starts readers of subscriptions that are active, and stops the others.
func (s *Service) reconcile(ctx context.Context, readers map[readerKey]*handle, running *sync.WaitGroup) {
	active, err := s.active(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.Log.Error("subscriptions cannot be read, those that are known go on", "err", err)
		}
		return
	}
	for key, h := range readers {
		if active[key] == nil {
			h.stop()
			delete(readers, key)
		}
	}
	for key, sub := range active {
		if h := readers[key]; h != nil {
			select { // a newer word replaces one that was not heard
			case <-h.update:
			default:
			}
			h.update <- sub
			continue
		}
		rctx, stop := context.WithCancel(ctx)
		h := &handle{stop: stop, wake: make(chan struct{}, 1), update: make(chan *store.Subscription, 1)}
		readers[key] = h
		running.Go(func() {
			defer stop()
			s.serve(rctx, sub, h)
		})
	}
}

// active returns the active subscriptions of all tenants, alerts among them, and notes what each tenant wants.
func (s *Service) active(ctx context.Context) (map[readerKey]*store.Subscription, error) {
	out := map[readerKey]*store.Subscription{}
	var errs []error
	cfg := s.Config()
	for _, tenant := range slices.Sorted(maps.Keys(cfg.Tenants)) {
		if err := errors.Join(s.planAlerts(ctx, cfg.Tenants[tenant]), s.planShip24(ctx, cfg.Tenants[tenant])); err != nil {
			errs = append(errs, err)
			continue
		}
		list, err := s.refresh(ctx, tenant)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, sub := range list {
			if sub.State == Active {
				out[readerKey{tenant, sub.ID}] = sub
			}
		}
	}
	return out, errors.Join(errs...)
}

// refresh reads a tenant's subscriptions and notes which topics they want. One that is paused will go on where it stopped, so what
// it wants is written for it.
func (s *Service) refresh(ctx context.Context, tenant string) ([]*store.Subscription, error) {
	list, err := s.Store.Subscriptions(ctx, tenant)
	if err != nil {
		return nil, fmt.Errorf("read the subscriptions of tenant %s: %w", tenant, err)
	}
	topics := []string{}
	for _, sub := range list {
		if sub.State != Disabled {
			topics = append(topics, sub.Topics...)
		}
	}
	s.interest.set(tenant, topics)
	return list, nil
}

// serve runs the reader of one subscription until it is stopped.
func (s *Service) serve(ctx context.Context, sub *store.Subscription, h *handle) {
	defer s.metrics.lag.DeleteLabelValues(sub.ID)
	for ctx.Err() == nil {
		r, err := s.newReader(ctx, sub, maxLanes)
		if err == nil {
			r.run(ctx, h)
			return
		}
		s.Log.Error("a subscription cannot be read for, trying again", "tenant", sub.Tenant, "subscription", sub.ID, "err", err)
		t := s.Clock.NewTimer(storeRetry)
		select {
		case <-t.C():
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// run steps until ctx ends or the subscription does.
func (r *reader) run(ctx context.Context, h *handle) {
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var err error
	for ctx.Err() == nil {
		if err == nil {
			err = r.step(ctx, work, r.s.Clock.Now())
		}
		if errors.Is(err, errStopped) {
			break
		}
		if err != nil && ctx.Err() == nil {
			r.s.Log.Error("deliveries are held up by the store, trying again", "tenant", r.tenant, "subscription", r.sub.ID, "err", err)
		}
		err = r.wait(ctx, h, err != nil)
	}
	r.drain(ctx, cut)
}

// wait ends when something has come back or is written, when there is news, or when something is due. Its error is that of what could
// not be written.
func (r *reader) wait(ctx context.Context, h *handle, ill bool) (err error) {
	var elapsed <-chan time.Time
	pause := r.next.Sub(r.s.Clock.Now()) // a step may have taken long
	if ill {
		pause = storeRetry
	}
	if ill || r.waiting && !r.next.IsZero() {
		t := r.s.Clock.NewTimer(pause)
		defer t.Stop()
		elapsed = t.C()
	}
	results, wake := r.results, h.wake
	if ill { // nothing can be done with them yet
		wake = nil
	}
	select {
	case <-ctx.Done():
	case <-elapsed:
	case <-wake:
		r.more = true
	case sub := <-h.update:
		r.update = sub
	case err := <-r.written:
		if err := r.landed(ctx, err, r.s.Clock.Now()); err != nil {
			return err
		}
	case res := <-results:
		r.take(res)
	}
	for {
		select {
		case res := <-r.results:
			r.take(res)
		default:
			return nil
		}
	}
}

// drain lets requests under way come to their end, writes down what came of them, and cuts off those that take too long.
func (r *reader) drain(ctx context.Context, cut context.CancelFunc) {
	t := r.s.Clock.NewTimer(drainFor)
	defer t.Stop()
	for r.busy > 0 {
		select {
		case res := <-r.results:
			r.take(res)
		case <-t.C():
			cut()
		}
	}
	now := r.s.Clock.Now()
	ctx = context.WithoutCancel(ctx)
	err := r.write(ctx, now)
	for r.writing != nil && err == nil {
		if err = r.landed(ctx, <-r.written, now); err == nil {
			err = r.write(ctx, now)
		}
	}
	r.requests.Wait()
	if err == nil { // what was passed over is not to be read again, nor to be told should more topics be asked for
		err = r.commit(ctx, &store.Tx{Now: now}, nil)
	}
	if err != nil && !errors.Is(err, errStopped) && !errors.Is(err, store.ErrConflict) {
		r.s.Log.Error("what came of the last deliveries is not written; they will be made again", "tenant", r.tenant, "subscription", r.sub.ID, "err", err)
	}
}

// RunDue delivers what is due by now, one request after the other, and returns how many it made. It is for virtual time.
func (s *Service) RunDue(ctx context.Context, now time.Time) (made int, err error) {
	active, err := s.active(ctx)
	if err != nil {
		return 0, fmt.Errorf("run due deliveries: %w", err)
	}
	for _, sub := range sorted(active) {
		n, err := s.runOne(ctx, sub, now)
		made += n
		if err != nil {
			return made, fmt.Errorf("run due deliveries: %w", err)
		}
	}
	return made, nil
}

func sorted(active map[readerKey]*store.Subscription) []*store.Subscription {
	return slices.SortedFunc(maps.Values(active), func(a, b *store.Subscription) int {
		return slices.Compare([]string{a.Tenant, a.ID}, []string{b.Tenant, b.ID})
	})
}

func (s *Service) runOne(ctx context.Context, sub *store.Subscription, now time.Time) (made int, err error) {
	r, err := s.newReader(ctx, sub, 1)
	if err != nil {
		return 0, err
	}
	if r.began.IsZero() {
		r.began = s.failing[sub.ID]
	}
	defer func() {
		r.requests.Wait()
		s.failing[sub.ID] = r.began
	}()
	for {
		if err := r.step(ctx, ctx, now); errors.Is(err, errStopped) {
			return made, nil
		} else if err != nil {
			return made, err
		}
		if r.idle() {
			return made, ctx.Err()
		}
		if r.busy > 0 {
			r.take(<-r.results)
			made++
		}
	}
}

// NextDue returns when RunDue may next have something to do that is known of now; ok is false where there is nothing.
func (s *Service) NextDue(ctx context.Context) (at time.Time, ok bool, err error) {
	active, err := s.active(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	for _, sub := range active {
		due, next, err := s.Store.DeliveriesDue(ctx, sub.Tenant, sub.ID, s.Clock.Now(), 1)
		if err != nil {
			return time.Time{}, false, fmt.Errorf("read what is due: %w", err)
		}
		if len(due) > 0 {
			next = due[0].Due
		}
		if !next.IsZero() && (!ok || next.Before(at)) {
			at, ok = next, true
		}
	}
	return at, ok, nil
}
