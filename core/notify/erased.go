package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/core/store"
)

// What is erased while it is on its way is neither sent nor kept: a try looks for its message again when it writes to the subscriber,
// and a delivery is committed together with the condition that its message stands.

// messageAt reads the message at a position; ok is false where it was erased or removed with age.
func (s *Service) messageAt(ctx context.Context, tenant string, position uint64) (m store.Message, ok bool, err error) {
	list, err := s.Store.MessageLog(ctx, tenant, position-1, 1)
	if err != nil {
		return store.Message{}, false, fmt.Errorf("read a message: %w", err)
	}
	if len(list) == 0 || list[0].Position != position {
		return store.Message{}, false, nil
	}
	return list[0], true, nil
}

// stands reports whether a message is still in the log.
func (s *Service) stands(ctx context.Context, tenant string, m store.Message) (bool, error) {
	_, there, err := s.messageAt(ctx, tenant, m.Position)
	return there, err
}

// bare is a delivery whose message is gone: when it was tried and with what status, and not a word of what was sent and answered.
// It waits no more.
func bare(d store.Delivery) store.Delivery {
	if d.State == store.DeliveryWaiting {
		d.State = store.DeliveryDropped
	}
	d.Due = time.Time{}
	tries := d.Tries
	d.Tries = nil
	for _, t := range tries {
		d.Tries = append(d.Tries, store.Try{At: t.At, Latency: t.Latency, Status: t.Status})
	}
	return d
}

// put commits deliveries with the cursor, as commit does; those whose message is gone are put bare where they were tried, else not.
func (r *reader) put(ctx context.Context, now time.Time, list []store.Delivery, positions []uint64) error {
	for {
		tx, gone, err := r.s.standing(ctx, r.tenant, now, list)
		if err != nil {
			return err
		}
		err = r.commit(ctx, tx, positions)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		// Either one more message was erased meanwhile, or the subscription is gone.
		_, after, err2 := r.s.standing(ctx, r.tenant, now, list)
		if err2 != nil || after == gone {
			return errors.Join(err, err2)
		}
	}
}

// standing makes the transaction that puts deliveries, and says how many of them have lost their message.
func (s *Service) standing(ctx context.Context, tenant string, now time.Time, list []store.Delivery) (tx *store.Tx, gone int, err error) {
	tx = &store.Tx{Now: now}
	for _, d := range list {
		m, there, err := s.messageAt(ctx, tenant, d.Position)
		if err != nil {
			return nil, 0, err
		}
		if there {
			tx.Deliveries = append(tx.Deliveries, d)
			tx.Standing = append(tx.Standing, store.Message{Position: d.Position, At: m.At})
			continue
		}
		gone++
		if d.Tried > 0 || d.State != store.DeliveryWaiting {
			tx.Deliveries = append(tx.Deliveries, bare(d))
		}
	}
	return tx, gone, nil
}

// look answers errWithdrawn where what is about to be told was erased.
func (s *Service) look(ctx context.Context, t Told) error {
	there, err := s.stands(ctx, t.Subscription.Tenant, t.Message)
	if err == nil && !there {
		err = errWithdrawn
	}
	return err
}

// errWithdrawn breaks off a request whose message is gone.
var errWithdrawn = errors.New("what the message tells of was erased")

// lateBody is the body of a request. It is first read when the connection is there, which may have taken seconds: what was erased
// until then is not sent.
type lateBody struct {
	io.Reader
	look      func() error
	looked    bool
	withdrawn *atomic.Bool
}

func (b *lateBody) Read(p []byte) (int, error) {
	if !b.looked {
		if err := b.look(); err != nil {
			b.withdrawn.Store(errors.Is(err, errWithdrawn))
			return 0, err
		}
		b.looked = true
	}
	return b.Reader.Read(p)
}
