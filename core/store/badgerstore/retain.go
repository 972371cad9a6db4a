package badgerstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
)

// erasable are the kinds of rows that Tx.Erase removes.
var erasable = []byte{kindExchange, kindDecision, kindLabel}

func (w *write) encodeErase(tx *store.Tx) error {
	for _, id := range tx.Erase {
		if err := checkParts("id of a shipment to erase", string(id)); err != nil {
			return err
		}
	}
	for _, id := range tx.EraseTrackers {
		if err := checkParts("id of a tracker to erase", string(id)); err != nil {
			return err
		}
		w.subjects = append(w.subjects, store.TrackerSubject(string(id)))
	}
	for _, id := range tx.Erase {
		w.subjects = append(w.subjects, store.ShipmentSubject(string(id)))
	}
	w.erase = slices.Clone(tx.Erase)
	return nil
}

// sizeErase counts what is there to be removed. A few rows more may have come when it is; the limits leave room for them.
func (w *write) sizeErase(r *request) error {
	return w.store.look(func(txn *badger.Txn) error {
		for _, id := range w.erase {
			for _, kind := range erasable {
				err := scanKeys(txn, ofShipment(kind, w.tenant, id), func(k []byte) error {
					r.entries++
					r.bytes += 2 * (len(k) + entryOverhead)
					if kind != kindLabel {
						return nil
					}
					var h labelHead
					err := readInto(txn, k, &h)
					r.entries += h.Chunks
					r.bytes += h.Chunks * 2 * (len(k) + entryOverhead)
					return err
				})
				if err != nil {
					return err
				}
			}
		}
		for _, about := range w.subjects {
			keys, err1 := messageKeys(txn, w.tenant, about)
			ids, err2 := deliveriesAbout(txn, w.tenant, about)
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			r.entries += len(keys) + 4*len(ids)
			r.bytes += (len(keys) + 4*len(ids)) * 2 * (len(about) + 64)
		}
		return nil
	})
}

func (w *write) putErase(p *putter) {
	for _, id := range w.erase {
		for _, kind := range erasable {
			if p.err != nil {
				return
			}
			var keys []key
			p.err = scanKeys(p.txn, ofShipment(kind, w.tenant, id), func(k []byte) error {
				keys = append(keys, k)
				return nil
			})
			for _, k := range keys {
				if kind == kindLabel && p.err == nil {
					p.err = deleteChunks(p.txn, k)
				}
				p.delete(k)
			}
		}
	}
	for _, about := range w.subjects {
		if p.err != nil {
			return
		}
		keys, err1 := messageKeys(p.txn, w.tenant, about)
		ids, err2 := deliveriesAbout(p.txn, w.tenant, about)
		p.err = errors.Join(err1, err2)
		for _, k := range keys {
			p.delete(k)
		}
		for _, id := range ids {
			p.deleteDelivery(w.tenant, id)
		}
	}
}

// Retain implements store.Store.
func (s *Store) Retain(ctx context.Context, tenant string, r store.Retention) (int, error) {
	if err := checkParts("tenant", tenant); err != nil {
		return 0, err
	}
	leave, err := s.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	removed := 0
	for _, rows := range []struct {
		name   string
		prefix key
		before time.Time
		old    func(*badger.Txn, *badger.Item) (bool, error)
		also   func(*badger.Txn, key) error
	}{
		{"exchanges", newKey(kindExchange, tenant), r.Exchanges, timed(r.Exchanges, 16), nil},
		{"labels", newKey(kindLabel, tenant), r.Labels, oldLabel(tenant, r.Labels), deleteChunks},
		{"deliveries", newKey(kindDeliveryLog, tenant), r.Messages, oldDelivery(r.Messages), forgetDelivery(tenant)},
		{"messages", newKey(kindMessage, tenant), r.Messages, timed(r.Messages, 8), deleteSubject(tenant)},
	} {
		n, err := s.retain(ctx, rows.prefix, rows.before, rows.old, rows.also)
		removed += n
		if err != nil {
			return removed, fmt.Errorf("remove old %s: %w", rows.name, err)
		}
	}
	return removed, nil
}

// retain removes the rows under a prefix that are old, some hundred a group, so that commits of orders come between. also is done
// with each. What is old is asked once more by the writer: a shipment may have been updated since.
func (s *Store) retain(ctx context.Context, prefix key, before time.Time, old func(*badger.Txn, *badger.Item) (bool, error), also func(*badger.Txn, key) error) (int, error) {
	if before.IsZero() {
		return 0, nil
	}
	removed, from := 0, prefix
	for from != nil {
		var keys []key
		var err error
		if keys, from, err = s.oldKeys(ctx, prefix, from, old); err != nil {
			return removed, err
		}
		if len(keys) == 0 {
			continue
		}
		n := 0
		r := &request{check: func(*badger.Txn) error { return nil }}
		for _, k := range keys {
			r.entries += 1 + maxLabelBytes/chunkBytes
			r.bytes += 2 * (len(k) + entryOverhead)
		}
		r.put = func(txn *badger.Txn) error {
			n = 0
			p := putter{txn: txn}
			for _, k := range keys {
				if is, err := still(txn, k, old); err != nil || !is {
					if p.err == nil {
						p.err = err
					}
					continue
				}
				if also != nil && p.err == nil {
					p.err = also(txn, k)
				}
				p.delete(k)
				n++
			}
			return p.err
		}
		if err := s.send(ctx, r); err != nil {
			return removed, err
		}
		removed += n
	}
	return removed, nil
}

// still asks again of a row that may be gone by now.
func still(txn *badger.Txn, k key, old func(*badger.Txn, *badger.Item) (bool, error)) (bool, error) {
	item, err := txn.Get(k)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return old(txn, item)
}

// retainRows is how many rows one group of Retain removes, and retainLook how many it looks at.
const (
	retainRows = 100
	retainLook = 20_000
)

// oldKeys returns the first old keys from a key on, and where to go on, nil at the end.
func (s *Store) oldKeys(ctx context.Context, prefix, from key, old func(*badger.Txn, *badger.Item) (bool, error)) (keys []key, next key, err error) {
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	// Not by view: the caller has entered, and who enters twice waits for ever for one who closes.
	err = s.look(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
		defer it.Close()
		looked := 0
		for it.Seek(from); it.Valid(); it.Next() {
			k := it.Item().KeyCopy(nil)
			if len(keys) == retainRows || looked == retainLook {
				next = k
				return nil
			}
			looked++
			is, err := old(txn, it.Item())
			if err != nil {
				return err
			}
			if is {
				keys = append(keys, k)
			}
		}
		return nil
	})
	return keys, next, err
}

// timed reads the time from the key, where it begins so many bytes before the end.
func timed(before time.Time, fromEnd int) func(*badger.Txn, *badger.Item) (bool, error) {
	return func(_ *badger.Txn, item *badger.Item) (bool, error) {
		k := item.Key()
		if len(k) < fromEnd {
			return false, errDamaged
		}
		return binary.BigEndian.Uint64(k[len(k)-fromEnd:]) < sortable(before.UnixNano()), nil
	}
}

// oldLabel asks the shipment of the key: tenant, id, attempt, parcel.
func oldLabel(tenant string, before time.Time) func(*badger.Txn, *badger.Item) (bool, error) {
	head := len(newKey(kindLabel, tenant))
	return func(txn *badger.Txn, item *badger.Item) (bool, error) {
		id, _, ok := bytes.Cut(item.Key()[head:], []byte{0})
		if !ok {
			return false, errDamaged
		}
		c, err := readColumns(txn, shipmentKey(tenant, shipment.ID(id)))
		return err == nil && (c == nil || c.updated < before.UnixNano()), err
	}
}
