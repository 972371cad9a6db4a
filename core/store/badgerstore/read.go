package badgerstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
)

// view runs a read over one moment of the store.
func (s *Store) view(ctx context.Context, read func(*badger.Txn) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	return s.look(read)
}

// get returns a copy of a value, or store.ErrNotFound.
func get(txn *badger.Txn, k key) ([]byte, error) {
	item, err := txn.Get(k)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return valueCopy(txn, item)
}

// readInto decodes the head of a record into v.
func readInto(txn *badger.Txn, k key, v any) error {
	b, err := get(txn, k)
	if err != nil {
		return err
	}
	_, err = decodeRecord(b, v)
	return named(k, err)
}

// scan calls each with every key and value under a prefix, in order. What it passes is valid during the call.
func scan(txn *badger.Txn, prefix key, each func(k, v []byte) error) error {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		if err := value(txn, item, func(v []byte) error { return each(item.Key(), v) }); err != nil {
			return err
		}
	}
	return nil
}

// scanKeys is scan without values; the keys may be kept.
func scanKeys(txn *badger.Txn, prefix key, each func(k []byte) error) error {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		if err := each(it.Item().KeyCopy(nil)); err != nil {
			return err
		}
	}
	return nil
}

func loadShipment(txn *badger.Txn, tenant string, id shipment.ID) (*shipment.Shipment, error) {
	item, err := txn.Get(shipmentKey(tenant, id))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	var sh *shipment.Shipment
	err = value(txn, item, func(b []byte) error {
		sh, err = decodeShipment(b)
		return err
	})
	return sh, err
}

// Shipment implements store.Store.
func (s *Store) Shipment(ctx context.Context, tenant string, id shipment.ID) (*shipment.Shipment, error) {
	var sh *shipment.Shipment
	err := s.view(ctx, func(txn *badger.Txn) (err error) {
		sh, err = loadShipment(txn, tenant, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("shipment %s: %w", id, err)
	}
	return sh, nil
}

// ShipmentByExternalID implements store.Store.
func (s *Store) ShipmentByExternalID(ctx context.Context, tenant, externalID string) (*shipment.Shipment, error) {
	var sh *shipment.Shipment
	err := s.view(ctx, func(txn *badger.Txn) error {
		id, err := get(txn, externalKey(tenant, externalID))
		if err != nil {
			return err
		}
		sh, err = loadShipment(txn, tenant, shipment.ID(id))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("shipment with external id %q: %w", externalID, err)
	}
	return sh, nil
}

// ShipmentByReference implements store.Store.
func (s *Store) ShipmentByReference(ctx context.Context, reference string) (*shipment.Shipment, error) {
	var sh *shipment.Shipment
	err := s.view(ctx, func(txn *badger.Txn) error {
		b, err := get(txn, newKey(kindReference).last(reference))
		if err != nil {
			return err
		}
		tenant, id, _ := bytes.Cut(b, []byte{0})
		sh, err = loadShipment(txn, string(tenant), shipment.ID(id))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("shipment with reference %s: %w", reference, err)
	}
	return sh, nil
}

// rowsOf decodes every row of a shipment; body sets what stands beside the JSON.
func rowsOf[T any](ctx context.Context, s *Store, kind byte, tenant string, id shipment.ID, body func(*T, []byte)) ([]T, error) {
	var rows []T
	err := s.view(ctx, func(txn *badger.Txn) error {
		return scan(txn, ofShipment(kind, tenant, id), func(_, v []byte) error {
			var r T
			b, err := decodeRecord(v, &r)
			if err != nil {
				return err
			}
			if body != nil {
				body(&r, bytes.Clone(b))
			}
			rows = append(rows, r)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("rows of shipment %s: %w", id, err)
	}
	return rows, nil
}

// History implements store.Store.
func (s *Store) History(ctx context.Context, tenant string, id shipment.ID) ([]shipment.Change, error) {
	return rowsOf[shipment.Change](ctx, s, kindChange, tenant, id, nil)
}

// Decisions implements store.Store.
func (s *Store) Decisions(ctx context.Context, tenant string, id shipment.ID) ([]store.Decision, error) {
	return rowsOf(ctx, s, kindDecision, tenant, id, func(d *store.Decision, b []byte) { d.Record = b })
}

// IdempotencyKey implements store.Store.
func (s *Store) IdempotencyKey(ctx context.Context, tenant, key string, now time.Time) (store.IdempotencyKey, error) {
	var k store.IdempotencyKey
	err := s.view(ctx, func(txn *badger.Txn) error { return readInto(txn, idempotencyKey(tenant, key), &k) })
	if err == nil && !k.Expires.After(now) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.IdempotencyKey{}, fmt.Errorf("idempotency key: %w", err)
	}
	return k, nil
}
