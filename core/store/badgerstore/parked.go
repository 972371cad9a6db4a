package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/store"
)

// parkedWrite is a parked update ready to be written.
type parkedWrite struct {
	id    string
	value []byte
	index []row
}

func parkedKey(tenant, id string) key { return newKey(kindParked, tenant).last(id) }

func parkedEndKey(expires time.Time, tenant, id string) key {
	return newKey(kindParkedEnd).time(expires).last(tenant + "\x00" + id)
}

// parkedIndex are the rows by which a parked update is found, and by which it expires.
func parkedIndex(tenant string, p *store.Parked) []row {
	rows := []row{{parkedEndKey(p.Expires, tenant, p.ID), []byte{}}}
	for _, k := range p.Keys {
		rows = append(rows, row{newKey(kindParkedKey, tenant, p.Account, k).time(p.At).last(p.ID), []byte{}})
	}
	return rows
}

func (w *write) encodeParked(tx *store.Tx) error {
	ids := map[string]bool{}
	for i := range tx.Parked {
		p := tx.Parked[i]
		if err := errors.Join(checkParts("id or account of a parked update", p.ID, p.Account), checkParts("key of a parked update", p.Keys...)); err != nil {
			return err
		}
		if ids[p.ID] {
			return fmt.Errorf("parked update %s is in the transaction twice", p.ID)
		}
		ids[p.ID] = true
		body := p.Update
		p.Update = nil
		value, err := encodeRecord(&p, body)
		if err != nil {
			return err
		}
		w.tracking.parked = append(w.tracking.parked, parkedWrite{id: p.ID, value: value, index: parkedIndex(w.tenant, &p)})
	}
	if err := checkParts("id of an update that is no longer parked", tx.Unpark...); err != nil {
		return err
	}
	w.tracking.unpark = slices.Clone(tx.Unpark)
	return nil
}

func (w *write) putParked(p *putter) {
	for _, id := range w.tracking.unpark {
		p.unpark(w.tenant, id)
	}
	for i := range w.tracking.parked {
		x := &w.tracking.parked[i]
		p.unpark(w.tenant, x.id)
		p.set(parkedKey(w.tenant, x.id), x.value)
		for _, r := range x.index {
			p.set(r.key, r.value)
		}
	}
}

// unpark removes a parked update, where it is there.
func (p *putter) unpark(tenant, id string) {
	if p.err != nil {
		return
	}
	var old store.Parked
	err := readInto(p.txn, parkedKey(tenant, id), &old)
	if errors.Is(err, store.ErrNotFound) {
		return
	}
	if err != nil {
		p.err = err
		return
	}
	for _, r := range parkedIndex(tenant, &old) {
		p.delete(r.key)
	}
	p.delete(parkedKey(tenant, id))
}

// Parked implements store.Tracking.
func (s *Store) Parked(ctx context.Context, tenant, account, key string) ([]store.Parked, error) {
	var all []store.Parked
	prefix := newKey(kindParkedKey, tenant, account, key)
	err := s.view(ctx, func(txn *badger.Txn) error {
		return scanKeys(txn, prefix, func(k []byte) error {
			id := string(k[len(prefix)+8:])
			b, err := get(txn, parkedKey(tenant, id))
			if err != nil {
				return fmt.Errorf("%s: %w", id, err)
			}
			var p store.Parked
			body, err := decodeRecord(b, &p)
			if len(body) > 0 {
				p.Update = body
			}
			all = append(all, p)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("parked updates of account %s: %w", account, err)
	}
	return all, nil
}
