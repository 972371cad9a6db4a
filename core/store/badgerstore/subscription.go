package badgerstore

import (
	"cmp"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/store"
)

// subscriptionWrite is a subscription ready to be written.
type subscriptionWrite struct {
	id       string
	expected int64
	value    []byte
}

func subscriptionKey(tenant, id string) key { return newKey(kindSubscription, tenant).last(id) }

func droppedKey(tenant, id string) key { return newKey(kindDropped, tenant).last(id) }

func cursorKey(tenant, subscription string) key { return newKey(kindCursor, tenant).last(subscription) }

func (w *write) encodeSubscriptions(tx *store.Tx) error {
	ids := map[string]bool{}
	once := func(id string) error {
		if err := checkParts("id of a subscription", id); err != nil {
			return err
		}
		if ids[id] {
			return fmt.Errorf("subscription %s is in the transaction twice", id)
		}
		ids[id] = true
		return nil
	}
	for _, x := range tx.Subscriptions {
		if err := once(x.ID); err != nil {
			return err
		}
		if x.Tenant != w.tenant {
			return fmt.Errorf("subscription %s is of another tenant", x.ID)
		}
		copied := *x
		copied.Revision++
		value, err := encodeRecord(&copied, nil)
		if err != nil {
			return err
		}
		w.outbox.subscriptions = append(w.outbox.subscriptions, subscriptionWrite{id: x.ID, expected: x.Revision, value: value})
	}
	for _, id := range tx.DropSubscriptions {
		if err := once(id); err != nil {
			return err
		}
	}
	for _, c := range tx.Cursors {
		if err := checkParts("subscription of a cursor", c.Subscription); err != nil {
			return err
		}
	}
	w.outbox.drop, w.outbox.cursors = slices.Clone(tx.DropSubscriptions), slices.Clone(tx.Cursors)
	return nil
}

// checkSubscriptions compares revisions, and refuses what belongs to a subscription that is not there: nobody would remove it.
func (w *write) checkSubscriptions(txn *badger.Txn) error {
	there := map[string]bool{}
	for i := range w.outbox.subscriptions {
		x := &w.outbox.subscriptions[i]
		there[x.id] = true
		var old store.Subscription
		if err := readInto(txn, subscriptionKey(w.tenant, x.id), &old); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if old.Revision != x.expected {
			return fmt.Errorf("subscription %s is at revision %d, not %d: %w", x.id, old.Revision, x.expected, store.ErrConflict)
		}
		if used, err := exists(txn, droppedKey(w.tenant, x.id)); err != nil || used {
			return errors.Join(err, fmt.Errorf("subscription %s was removed: %w", x.id, store.ErrConflict))
		}
	}
	for _, id := range w.outbox.drop {
		there[id] = false
	}
	need := func(id string) error {
		is, known := there[id]
		if !known {
			var err error
			if is, err = exists(txn, subscriptionKey(w.tenant, id)); err != nil {
				return err
			}
			there[id] = is
		}
		if !is {
			return fmt.Errorf("subscription %s is not there: %w", id, store.ErrConflict)
		}
		return nil
	}
	for _, c := range w.outbox.cursors {
		if err := need(c.Subscription); err != nil {
			return err
		}
	}
	for i := range w.outbox.deliveries {
		if err := need(w.outbox.deliveries[i].subscription); err != nil {
			return err
		}
	}
	return nil
}

func exists(txn *badger.Txn, k key) (bool, error) {
	_, err := txn.Get(k)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil, err
}

// putSubscriptions leaves the deliveries of a removed subscription to Sweep: there may be more than a transaction takes.
func (w *write) putSubscriptions(p *putter) {
	for _, id := range w.outbox.drop {
		there, err := exists(p.txn, subscriptionKey(w.tenant, id))
		if err != nil && p.err == nil {
			p.err = err
		}
		if !there {
			continue
		}
		p.delete(subscriptionKey(w.tenant, id))
		p.delete(cursorKey(w.tenant, id))
		p.set(droppedKey(w.tenant, id), []byte{})
	}
	for i := range w.outbox.subscriptions {
		x := &w.outbox.subscriptions[i]
		p.set(subscriptionKey(w.tenant, x.id), x.value)
	}
	for _, c := range w.outbox.cursors {
		p.set(cursorKey(w.tenant, c.Subscription), key(nil).uint(c.Position))
	}
}

// Subscription implements store.Outbox.
func (s *Store) Subscription(ctx context.Context, tenant, id string) (*store.Subscription, error) {
	x := &store.Subscription{}
	err := s.view(ctx, func(txn *badger.Txn) error { return readInto(txn, subscriptionKey(tenant, id), x) })
	if err != nil {
		return nil, fmt.Errorf("subscription %s: %w", id, err)
	}
	return x, nil
}

// Subscriptions implements store.Outbox.
func (s *Store) Subscriptions(ctx context.Context, tenant string) ([]*store.Subscription, error) {
	var all []*store.Subscription
	err := s.view(ctx, func(txn *badger.Txn) error {
		return scan(txn, newKey(kindSubscription, tenant), func(_, v []byte) error {
			x := &store.Subscription{}
			_, err := decodeRecord(v, x)
			all = append(all, x)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("subscriptions: %w", err)
	}
	slices.SortFunc(all, func(a, b *store.Subscription) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// ReadUpTo implements store.Outbox.
func (s *Store) ReadUpTo(ctx context.Context, tenant, subscription string) (uint64, error) {
	var position uint64
	err := s.view(ctx, func(txn *badger.Txn) (err error) {
		position, err = uintAt(txn, cursorKey(tenant, subscription))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("cursor of subscription %s: %w", subscription, err)
	}
	return position, nil
}

// Secret implements store.Outbox. It is derived from the secret of the store, which backups carry.
func (s *Store) Secret(ctx context.Context, name string) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	leave, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	// What tokens are sealed with begins with a digit, so no name makes a seal.
	secret, err := hkdf.Expand(sha256.New, s.secret, "secret/"+name, 32)
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", name, err)
	}
	return secret, nil
}
