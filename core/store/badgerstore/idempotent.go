package badgerstore

import (
	"errors"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/store"
)

// keyWrite is an idempotency key ready to be written.
type keyWrite struct {
	key     key
	expiry  key
	value   []byte
	expired key // the expiry row of the key that this one follows, found by check
}

func (w *write) encodeKeys(tx *store.Tx) error {
	seen := map[string]bool{}
	for i := range tx.Keys {
		k := &tx.Keys[i]
		if err := checkParts("idempotency key", k.Key); err != nil {
			return err
		}
		if seen[k.Key] {
			return store.ErrKeyUsed
		}
		seen[k.Key] = true
		value, err := encodeRecord(k, nil)
		if err != nil {
			return err
		}
		w.keys = append(w.keys, keyWrite{
			key: idempotencyKey(w.tenant, k.Key), expiry: expiryKey(k.Expires, w.tenant, k.Key), value: value,
		})
	}
	return nil
}

func idempotencyKey(tenant, k string) key { return newKey(kindIdempotent, tenant).last(k) }

func expiryKey(at time.Time, tenant, k string) key {
	return newKey(kindExpiry).time(at).last(tenant + "\x00" + k)
}

func (w *write) checkKey(txn *badger.Txn, k *keyWrite) error {
	k.expired = nil
	b, err := get(txn, k.key)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var used store.IdempotencyKey
	if _, err := decodeRecord(b, &used); err != nil {
		return err
	}
	if used.Expires.After(w.now) {
		return store.ErrKeyUsed
	}
	k.expired = expiryKey(used.Expires, w.tenant, used.Key)
	return nil
}

func (w *write) putKeys(p *putter) {
	for i := range w.keys {
		k := &w.keys[i]
		if k.expired != nil {
			p.delete(k.expired)
		}
		p.set(k.key, k.value)
		p.set(k.expiry, []byte{})
	}
}
