package notify

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/store"
)

// The states of a subscription.
const (
	Active   = "active"
	Paused   = "paused"   // failed for days, or by hand; it goes on where it stopped
	Disabled = "disabled" // wants no more; it goes on with what happens then
)

// keptTries is how many tries of a delivery the log keeps.
const keptTries = 10

// notedAfter is how long a subscription must fail before its row says so, so that one that fails now and then is not written for
// each message.
const notedAfter = time.Minute

// writing is a commit of outcomes that is under way.
type writing struct {
	part      []result // the first of those that are pending
	tx        *store.Tx
	positions []uint64
	to        uint64
	stopped   bool
}

// write begins to commit what has come back, a part at a time, where no commit is under way. What cannot be written stays pending.
func (r *reader) write(ctx context.Context, now time.Time) error {
	for len(r.pending) > 0 && r.writing == nil {
		w, err := r.outcomes(ctx, now)
		if err != nil {
			return err
		}
		var any bool
		if w.to, any = r.along(w.tx, w.positions); !any {
			if err := r.wrote(ctx, w, now); err != nil {
				return err
			}
			continue
		}
		r.writing = w
		if r.limit > 1 {
			r.requests.Go(func() { r.written <- r.s.commitOutcomes(ctx, r.tenant, w.tx) })
			return nil
		}
		// In virtual time one thing happens after the other.
		if err := r.landed(ctx, r.s.commitOutcomes(ctx, r.tenant, w.tx), now); err != nil {
			return err
		}
	}
	return nil
}

// outcomes makes the transaction of the first outcomes that are pending.
func (r *reader) outcomes(ctx context.Context, now time.Time) (*writing, error) {
	w := &writing{part: r.pending[:min(len(r.pending), perWrite)], tx: &store.Tx{Now: now}}
	for _, res := range w.part {
		if res.outcome == interrupted {
			continue
		}
		if res.item.fresh {
			w.positions = append(w.positions, res.item.msg.Position)
		}
		there, err := r.s.stands(ctx, r.tenant, res.item.msg)
		if err != nil {
			return nil, err
		}
		d, ok := r.after(res, now)
		switch {
		case there && ok:
			w.tx.Deliveries = append(w.tx.Deliveries, d)
			w.tx.Standing = append(w.tx.Standing, store.Message{Position: d.Position, At: res.item.msg.At})
		case ok:
			w.tx.Deliveries = append(w.tx.Deliveries, bare(d))
		}
		if there {
			w.tx.Messages = append(w.tx.Messages, res.then...)
		}
	}
	w.stopped = r.judge(w.part, w.tx)
	return w, nil
}

// landed takes in what became of the commit that was under way.
func (r *reader) landed(ctx context.Context, err error, now time.Time) error {
	w := r.writing
	r.writing = nil
	if errors.Is(err, store.ErrConflict) {
		return r.reload(ctx) // what is pending is written anew, without what was erased meanwhile
	}
	if err != nil {
		return err
	}
	return r.wrote(ctx, w, now)
}

// wrote goes on behind a commit of outcomes.
func (r *reader) wrote(ctx context.Context, w *writing, now time.Time) error {
	r.settle(w.positions, w.to)
	r.pending = r.pending[len(w.part):]
	for _, res := range w.part {
		r.leave(res.item)
	}
	if len(w.tx.Subscriptions) > 0 {
		r.sub = w.tx.Subscriptions[0]
	}
	if w.stopped {
		r.s.metrics.stopped.WithLabelValues(r.sub.State).Inc()
		r.s.Log.Warn("a subscription was stopped", "tenant", r.tenant, "subscription", r.sub.ID, "state", r.sub.State, "reason", r.sub.Reason)
		r.s.poke()
		return errStopped
	}
	return r.follow(ctx, w.part, now)
}

// reload reads the subscription again after somebody else has changed it.
func (r *reader) reload(ctx context.Context) error {
	sub, err := r.s.Store.Subscription(ctx, r.tenant, r.sub.ID)
	if errors.Is(err, store.ErrNotFound) {
		return errStopped
	}
	if err != nil {
		return fmt.Errorf("read subscription %s: %w", r.sub.ID, err)
	}
	r.sub = sub
	if sub.State != Active {
		return errStopped
	}
	return nil
}

// after is the delivery after a try; ok is false where there is nothing to write down.
func (r *reader) after(res result, now time.Time) (d store.Delivery, ok bool) {
	d = res.item.delivery
	d.Due = time.Time{}
	if res.outcome == unspoken || res.outcome == withdrawn {
		d.State = store.DeliveryDropped
		return d, !res.item.fresh
	}
	d.Tried++
	d.Tries = append([]store.Try(nil), d.Tries[max(0, len(d.Tries)-keptTries+1):]...)
	for i := range d.Tries {
		d.Tries[i].RequestBody = nil // each try sends the same
	}
	d.Tries = append(d.Tries, res.try)
	switch res.outcome {
	case delivered:
		d.State = store.DeliveryDelivered
	case gone, refused:
		d.State = store.DeliveryFailed
	default:
		rand := r.s.Source.Rand("notify", r.sub.ID, d.Message, strconv.Itoa(d.Tried))
		at, again := nextTry(rand, d.CreatedAt, now, d.Tried, res.retryAfter)
		d.State, d.Due = store.DeliveryWaiting, at
		if !again {
			d.State, d.Due = store.DeliveryFailed, time.Time{}
			r.s.metrics.given.WithLabelValues(r.sub.Shape).Inc()
		}
	}
	return d, true
}

// judge looks at what outcomes say about the subscription, and puts it into tx where it changes. It reports whether it ends here.
func (r *reader) judge(part []result, tx *store.Tx) (stopped bool) {
	sub := *r.sub
	for _, res := range part {
		switch res.outcome {
		case delivered:
			r.began = time.Time{}
		case failed:
			if r.began.IsZero() {
				r.began = res.try.At
			}
		case gone:
			sub.State, sub.Reason = Disabled, "The subscriber answered 410 Gone."
		}
	}
	switch {
	case r.began.IsZero():
		sub.FailingSince = time.Time{}
	case tx.Now.Sub(r.began) >= giveUpAfter && sub.State == Active && !isAlert(sub.Shape):
		sub.FailingSince = r.began
		sub.State, sub.Reason = Paused, "Every delivery has failed since "+clock.Millis(r.began)+"."
	case tx.Now.Sub(r.began) >= notedAfter:
		sub.FailingSince = r.began
	}
	stopped = sub.State != r.sub.State
	if !stopped && sub.FailingSince.Equal(r.sub.FailingSince) {
		return false
	}
	sub.UpdatedAt = tx.Now
	tx.Subscriptions = []*store.Subscription{&sub}
	if sub.State == Paused {
		r.s.tellPaused(tx, &sub)
	}
	return stopped
}

// pausedData is what the tenant's other subscriptions are told.
type pausedData struct {
	SubscriptionID string `json:"subscriptionId"`
	URL            string `json:"url"`
	State          string `json:"state"`
	Reason         string `json:"reason"`
	FailingSince   string `json:"failingSince"`
}

func (s *Service) tellPaused(tx *store.Tx, sub *store.Subscription) {
	data, err := json.Marshal(pausedData{SubscriptionID: sub.ID, URL: sub.URL, State: sub.State, Reason: sub.Reason, FailingSince: clock.Millis(sub.FailingSince)}, wire)
	if err != nil { // plain words, which can always be written
		panic(err)
	}
	s.Tell(tx, sub.Tenant, Event{Subject: subscriptionSubject(sub.ID), Seq: int(sub.Revision) + 1, Topic: TopicPaused, At: tx.Now, Snapshot: Snapshot{Data: data}})
}

func subscriptionSubject(id string) string { return "subscription/" + id }

// follow does what outcomes mean for the later messages of their subjects: behind one that failed they wait; behind one that had
// waited and is through, those that wait for it need wait no more.
func (r *reader) follow(ctx context.Context, part []result, now time.Time) error {
	for _, res := range part {
		it := res.item
		delete(r.retrying, it.msg.Position)
		switch {
		case res.outcome == failed:
			r.waiting, r.next = true, time.Time{}
			if err := r.holdLane(ctx, it.msg.Subject, now); err != nil {
				return err
			}
		case !it.fresh && res.outcome != interrupted:
			if err := r.release(ctx, it.msg.Subject, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// holdLane turns what stands in a lane into deliveries that wait for the one that has failed.
func (r *reader) holdLane(ctx context.Context, subject string, now time.Time) error {
	l := r.lanes[subject]
	if l == nil || l.busy {
		return nil
	}
	var held []store.Delivery
	var left []*item
	for _, it := range l.queue {
		until, err := r.blocked(ctx, it.delivery, now)
		if err != nil {
			return err
		}
		if until.IsZero() {
			left = append(left, it)
			continue
		}
		d := it.delivery
		d.State, d.Due = store.DeliveryWaiting, until
		held = append(held, d)
	}
	if err := r.hold(ctx, now, held); err != nil {
		return err
	}
	for _, d := range held {
		delete(r.retrying, d.Position)
	}
	if l.queue = left; len(left) == 0 {
		delete(r.lanes, subject)
	}
	return nil
}

// release makes deliveries due that have only waited for their turn.
func (r *reader) release(ctx context.Context, subject string, now time.Time) error {
	page, err := r.s.Store.Deliveries(ctx, r.tenant, store.DeliveryQuery{Subscription: r.sub.ID, Subject: subject, State: store.DeliveryWaiting})
	if err != nil {
		return fmt.Errorf("read what waits for %s: %w", subject, err)
	}
	var free []store.Delivery
	for _, d := range page.Deliveries {
		if d.Tried == 0 && d.Due.After(now) && len(free) < perWrite {
			d.Due = now
			free = append(free, d)
		}
	}
	if len(free) > 0 {
		r.waiting, r.next = true, time.Time{}
	}
	return r.put(ctx, now, free, nil)
}
