package badgerstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
)

// erasable are the kinds of rows that Tx.Erase removes.
var erasable = []byte{kindExchange, kindDecision, kindMessage, kindLabel}

func (w *write) encodeErase(tx *store.Tx) error {
	for _, id := range tx.Erase {
		if err := checkParts("id of a shipment to erase", string(id)); err != nil {
			return err
		}
	}
	w.erase = tx.Erase
	return nil
}

// sizeErase counts what is there to be removed. A few rows more may have come when it is; the limits leave room for them.
func (w *write) sizeErase(r *request) error {
	return w.store.db.View(func(txn *badger.Txn) error {
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
	exchanges, err := s.retain(ctx, newKey(kindExchange, tenant), r.Exchanges, s.oldExchange(r.Exchanges), nil)
	if err != nil {
		return exchanges, fmt.Errorf("remove old exchanges: %w", err)
	}
	labels, err := s.retain(ctx, newKey(kindLabel, tenant), r.Labels, s.oldLabel(tenant, r.Labels), deleteChunks)
	if err != nil {
		err = fmt.Errorf("remove old labels: %w", err)
	}
	return exchanges + labels, err
}

// retain removes the rows under a prefix that are old, some hundred a group, so that commits of orders come between. also is done
// with each. What is old is asked once more by the writer: a shipment may have been updated since.
func (s *Store) retain(ctx context.Context, prefix key, before time.Time, old func(*badger.Txn, []byte) (bool, error), also func(*badger.Txn, key) error) (int, error) {
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
				if is, err := old(txn, k); err != nil || !is {
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

// retainRows is how many rows one group of Retain removes, and retainLook how many it looks at.
const (
	retainRows = 100
	retainLook = 20_000
)

// oldKeys returns the first old keys from a key on, and where to go on, nil at the end.
func (s *Store) oldKeys(ctx context.Context, prefix, from key, old func(*badger.Txn, []byte) (bool, error)) (keys []key, next key, err error) {
	err = s.view(ctx, func(txn *badger.Txn) error {
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
			is, err := old(txn, k)
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

// oldExchange reads the time from the key: tenant, id, at, row.
func (s *Store) oldExchange(before time.Time) func(*badger.Txn, []byte) (bool, error) {
	return func(_ *badger.Txn, k []byte) (bool, error) {
		if len(k) < 16 {
			return false, errDamaged
		}
		return binary.BigEndian.Uint64(k[len(k)-16:]) < sortable(before.UnixNano()), nil
	}
}

// oldLabel asks the shipment of the key: tenant, id, attempt, parcel.
func (s *Store) oldLabel(tenant string, before time.Time) func(*badger.Txn, []byte) (bool, error) {
	head := len(newKey(kindLabel, tenant))
	return func(txn *badger.Txn, k []byte) (bool, error) {
		id, _, ok := bytes.Cut(k[head:], []byte{0})
		if !ok {
			return false, errDamaged
		}
		c, err := readColumns(txn, shipmentKey(tenant, shipment.ID(id)))
		return err == nil && (c == nil || c.updated < before.UnixNano()), err
	}
}
