package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/store"
)

// How much one subscription may have under way, so that one that hangs costs the others nothing. It begins with few requests at
// once; each that succeeds lets one more be, each that fails halves them.
const (
	firstLanes = 2
	maxLanes   = 16 // requests at once
	perLane    = 8  // messages that are read and not settled, for each request that may be
	perRead    = 64
	perWrite   = 32 // outcomes in one transaction, which keeps it below the store's limit
	passedOver = 64 // messages that nobody asked for, after which the cursor is written all the same
)

// item is one message on its way to the reader's subscription.
type item struct {
	msg      store.Message
	delivery store.Delivery
	fresh    bool // from the log; else a delivery that waited
}

// lane holds the messages of one subject, in their order.
type lane struct {
	queue []*item
	busy  bool
}

// reader reads the log for one subscription. All its fields belong to the goroutine that runs it.
type reader struct {
	s      *Service
	tenant string
	sub    *store.Subscription
	lanes  map[string]*lane
	limit  int // of requests at once
	width  int // as many as may be now

	requests sync.WaitGroup
	results  chan result
	busy     int

	log      ledger
	pending  []result            // outcomes that are not committed
	written  chan error          // what became of the commit that is under way
	writing  *writing            // that commit, nil where there is none
	update   *store.Subscription // the subscription as it is now, to be taken up between two commits; nil for no news
	retrying map[uint64]bool     // positions of deliveries that waited and are under way
	waiting  bool                // there may be deliveries that wait
	next     time.Time           // when the next of them is due; zero: unknown
	more     bool                // there may be more in the log
	began    time.Time           // of the present row of failures, zero where the last try succeeded
}

func (s *Service) newReader(ctx context.Context, sub *store.Subscription, limit int) (*reader, error) {
	at, err := s.Store.ReadUpTo(ctx, sub.Tenant, sub.ID)
	if err != nil {
		return nil, fmt.Errorf("read how far subscription %s has come: %w", sub.ID, err)
	}
	return &reader{s: s, tenant: sub.Tenant, sub: sub, lanes: map[string]*lane{}, limit: limit, width: min(firstLanes, limit), results: make(chan result, maxLanes), written: make(chan error, 1),
		log: ledger{read: at, committed: at}, retrying: map[uint64]bool{}, waiting: true, more: true, began: sub.FailingSince}, nil
}

// errStopped: the subscription is not active any more.
var errStopped = errors.New("the subscription is not active")

// step begins to commit what has come back, reads what there is room for, and starts requests. A commit takes as long as the disk, and
// news need not wait for it; but where deliveries wait, or the subscription has changed, one thing is done after the other.
func (r *reader) step(ctx, work context.Context, now time.Time) error {
	if err := r.write(ctx, now); err != nil {
		return err
	}
	if r.writing == nil {
		r.renew(ctx, now)
		if err := r.takeWaiting(ctx, now); err != nil {
			return err
		}
	}
	if r.writing == nil || !r.waiting && r.update == nil {
		if err := r.takeLog(ctx, now); err != nil {
			return err
		}
	}
	r.start(work)
	r.s.metrics.lag.WithLabelValues(r.sub.ID).Set(r.log.lag(now).Seconds())
	return nil
}

// renew takes up what the subscription has become. What the old topics have passed over is not told by the new ones, also after a crash.
func (r *reader) renew(ctx context.Context, now time.Time) {
	if r.update == nil {
		return
	}
	if err := r.commit(ctx, &store.Tx{Now: now}, nil); err != nil && !errors.Is(err, store.ErrConflict) {
		r.s.Log.Warn("how far a subscription has come is not written", "tenant", r.tenant, "subscription", r.sub.ID, "err", err)
	}
	r.sub, r.update, r.waiting, r.next, r.more = r.update, nil, true, time.Time{}, true
}

// idle reports whether nothing is under way.
func (r *reader) idle() bool { return r.busy == 0 && len(r.pending) == 0 && len(r.lanes) == 0 }

// takeLog reads messages into lanes. One that must wait for an earlier one of its subject becomes a delivery that waits.
func (r *reader) takeLog(ctx context.Context, now time.Time) error {
	for window := r.width * perLane; r.more && r.log.open() < window; {
		n := min(perRead, window-r.log.open())
		list, err := r.s.Store.MessageLog(ctx, r.tenant, r.log.read, n)
		if err != nil {
			return fmt.Errorf("read the log of messages: %w", err)
		}
		r.more = len(list) == n
		var held []store.Delivery
		for _, m := range list {
			r.log.take(m.Position, m.At)
			if !r.wants(m) {
				r.log.settle(m.Position)
				continue
			}
			d := store.Delivery{Subscription: r.sub.ID, Position: m.Position, Message: m.ID, Subject: m.Subject, Topic: m.Topic, CreatedAt: now}
			until, err := r.blocked(ctx, d, now)
			if err != nil {
				return err
			}
			if !until.IsZero() {
				d.State, d.Due = store.DeliveryWaiting, until
				held = append(held, d)
				continue
			}
			r.queue(&item{msg: m, delivery: d, fresh: true})
		}
		if err := r.hold(ctx, now, held); err != nil {
			return err
		}
	}
	if r.log.read-r.log.committed < passedOver || r.busy > 0 || r.writing != nil { // outcomes take the cursor along
		return nil
	}
	return r.commit(ctx, &store.Tx{Now: now}, nil)
}

// wants reports whether a message is for the subscription. A test is for the one that it names.
func (r *reader) wants(m store.Message) bool {
	if m.Topic == TopicTest {
		return m.Subject == subscriptionSubject(r.sub.ID)
	}
	return wanted(r.sub.Topics, m.Topic)
}

// hold puts deliveries that wait, and moves the cursor past their messages.
func (r *reader) hold(ctx context.Context, now time.Time, held []store.Delivery) error {
	for part := range slices.Chunk(held, perWrite) {
		positions := make([]uint64, len(part))
		for i, d := range part {
			positions[i] = d.Position
		}
		if err := r.put(ctx, now, part, positions); err != nil {
			return err
		}
		r.waiting, r.next = true, time.Time{}
	}
	return nil
}

// patience is how long a message waits for an earlier one of its subject.
const patience = time.Minute

// blocked returns until when a delivery waits for an earlier one of its subject, zero where it need not; not after now where that is
// due and there is no room for it yet. One that will not be tried within a minute is not waited for.
func (r *reader) blocked(ctx context.Context, d store.Delivery, now time.Time) (time.Time, error) {
	limit := d.CreatedAt.Add(patience)
	if !r.waiting || !now.Before(limit) || d.Again {
		return time.Time{}, nil
	}
	page, err := r.s.Store.Deliveries(ctx, r.tenant, store.DeliveryQuery{Subscription: r.sub.ID, Subject: d.Subject, State: store.DeliveryWaiting})
	if err != nil {
		return time.Time{}, fmt.Errorf("read what waits for %s: %w", d.Subject, err)
	}
	var until time.Time
	for _, w := range page.Deliveries {
		if w.Position >= d.Position || w.Due.After(limit) || r.retrying[w.Position] {
			continue
		}
		if due := clock.Later(w.Due, now); due.After(until) {
			until = due
		}
	}
	return until, nil
}

// takeWaiting takes up deliveries that are due.
func (r *reader) takeWaiting(ctx context.Context, now time.Time) error {
	window := r.width * perLane
	if !r.waiting || r.next.After(now) || len(r.retrying) >= window {
		return nil
	}
	due, next, err := r.s.Store.DeliveriesDue(ctx, r.tenant, r.sub.ID, now, 2*window)
	if err != nil {
		return fmt.Errorf("read what is due: %w", err)
	}
	r.next = time.Time{} // so that what fails below is looked at again
	slices.SortFunc(due, func(a, b store.Delivery) int { return cmp.Compare(a.Position, b.Position) })
	var again []store.Delivery
	left := false // some that are due find no room now
	for _, d := range due {
		if r.retrying[d.Position] {
			continue
		}
		if len(r.retrying) >= window {
			left = true
			continue
		}
		until, err := r.blocked(ctx, d, now)
		if err != nil {
			return err
		}
		if !until.IsZero() && !until.After(now) {
			left = true
			continue
		}
		if !until.IsZero() {
			d.Due = until
			again = append(again, d)
			continue
		}
		m, ok, err := r.s.messageAt(ctx, r.tenant, d.Position)
		if err != nil {
			return err
		}
		if !ok || m.ID != d.Message {
			again = append(again, bare(d))
			continue
		}
		r.retrying[d.Position] = true
		r.queue(&item{msg: m, delivery: d})
	}
	for part := range slices.Chunk(again, perWrite) {
		if err := r.put(ctx, now, part, nil); err != nil {
			return err
		}
	}
	if len(again) > 0 { // it is not known any more when the next is due, and nobody wakes a reader to find out
		return r.takeWaiting(ctx, now)
	}
	r.waiting = len(due) > 0 || !next.IsZero()
	if !left {
		r.next = next
	}
	return nil
}

// queue puts an item into its subject's lane, in the order of the log.
func (r *reader) queue(it *item) {
	l := r.lanes[it.msg.Subject]
	if l == nil {
		l = &lane{}
		r.lanes[it.msg.Subject] = l
	}
	at := len(l.queue)
	for at > 0 && l.queue[at-1].msg.Position > it.msg.Position && (at > 1 || !l.busy) {
		at--
	}
	l.queue = slices.Insert(l.queue, at, it)
}

// start gives lanes to requests, the oldest first, as many as may be.
func (r *reader) start(work context.Context) {
	if r.busy >= r.width {
		return
	}
	var free []*lane
	for _, l := range r.lanes {
		if !l.busy && len(l.queue) > 0 {
			free = append(free, l)
		}
	}
	slices.SortFunc(free, func(a, b *lane) int { return cmp.Compare(a.queue[0].msg.Position, b.queue[0].msg.Position) })
	tenant := r.s.Config().Tenants[r.tenant]
	for _, l := range free[:min(len(free), r.width-r.busy)] {
		l.busy = true
		r.busy++
		it, sub := l.queue[0], r.sub
		r.requests.Go(func() {
			res := r.s.try(work, Told{Tenant: tenant, Subscription: sub, Message: it.msg})
			res.item = it
			r.results <- res
		})
	}
}

// try offers one message, unless it was erased while it stood in its lane.
func (s *Service) try(ctx context.Context, t Told) result {
	there, err := s.stands(ctx, t.Subscription.Tenant, t.Message)
	if err != nil {
		return result{outcome: failed, try: store.Try{At: s.Clock.Now(), Error: err.Error()}}
	}
	if !there {
		return result{outcome: withdrawn, try: store.Try{At: s.Clock.Now()}}
	}
	snap, err := snapshotOf(t.Message)
	if err != nil {
		return result{outcome: failed, try: store.Try{At: s.Clock.Now(), Error: err.Error()}}
	}
	t.Snapshot = snap
	return s.offer(ctx, t)
}

// take notes a result until it is committed. Its lane stands still until then.
func (r *reader) take(res result) {
	r.busy--
	r.pending = append(r.pending, res)
	switch res.outcome {
	case delivered:
		r.width = min(r.width+1, r.limit)
	case failed:
		r.width = max(r.width/2, 1)
	}
	r.s.measure(r.sub.Shape, res)
}

// measure counts a try.
func (s *Service) measure(shape string, res result) {
	switch res.outcome {
	case delivered:
		s.metrics.tries.WithLabelValues(shape, "delivered").Inc()
		if res.item.delivery.Tried == 0 {
			s.metrics.seconds.WithLabelValues(shape).Observe(max(0, res.try.At.Add(res.try.Latency).Sub(res.item.msg.At).Seconds()))
		}
	case failed, gone, refused:
		s.metrics.tries.WithLabelValues(shape, "failed").Inc()
	}
}

// leave takes what was committed out of its lane.
func (r *reader) leave(it *item) {
	l := r.lanes[it.msg.Subject]
	l.busy = false
	l.queue = l.queue[1:]
	if len(l.queue) == 0 {
		delete(r.lanes, it.msg.Subject)
	}
}

// commit commits with the cursor where it can move once these positions count as settled, and settles them.
func (r *reader) commit(ctx context.Context, tx *store.Tx, positions []uint64) error {
	to, any := r.along(tx, positions)
	if any {
		if err := r.s.commitOutcomes(ctx, r.tenant, tx); err != nil {
			return err
		}
	}
	r.settle(positions, to)
	return nil
}

// along puts the cursor into tx where it can move, and returns how far. any is false where there is nothing to write: then the cursor
// moves with an earlier one that is open.
func (r *reader) along(tx *store.Tx, positions []uint64) (to uint64, any bool) {
	if to = r.log.with(positions); to > r.log.committed {
		tx.Cursors = []store.Cursor{{Subscription: r.sub.ID, Position: to}}
	}
	return to, len(tx.Deliveries)+len(tx.Cursors)+len(tx.Messages)+len(tx.Subscriptions) > 0
}

func (r *reader) settle(positions []uint64, to uint64) {
	r.log.settle(positions...)
	r.log.committed = max(r.log.committed, to)
}

// commitOutcomes commits what has come back: it must not be lost because the reader ends.
func (s *Service) commitOutcomes(ctx context.Context, tenant string, tx *store.Tx) error {
	if err := s.write(context.WithoutCancel(ctx), tenant, "deliveries", tx); err != nil {
		return fmt.Errorf("write deliveries: %w", err)
	}
	return nil
}
