package badgerstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
)

// claimWrite is a claim ready to be written.
type claimWrite struct {
	key    key
	before shipment.ID
	value  []byte // nil where the name is freed
}

func claimKey(tenant, name string) key { return newKey(kindClaim, tenant).last(name) }

func (w *write) encodeClaims(tx *store.Tx) error {
	seen := map[string]bool{}
	for _, c := range tx.Claims {
		if err := checkParts("name of a claim", c.Name); err != nil {
			return err
		}
		if seen[c.Name] {
			return fmt.Errorf("%s is claimed twice in the transaction", c.Name)
		}
		seen[c.Name] = true
		write := claimWrite{key: claimKey(w.tenant, c.Name), before: c.Before}
		if c.Shipment != "" {
			var err error
			if write.value, err = encodeRecord(c.Shipment, nil); err != nil {
				return err
			}
		}
		w.claims = append(w.claims, write)
	}
	return nil
}

// checkClaims refuses to take a claim from another than the transaction expects. It sees those of the transactions that are written
// together with this one.
func (w *write) checkClaims(txn *badger.Txn) error {
	for _, c := range w.claims {
		has, err := claimant(txn, c.key)
		if err != nil {
			return err
		}
		if has != c.before {
			return fmt.Errorf("a claim is that of shipment %q, not of %q: %w", has, c.before, store.ErrConflict)
		}
	}
	return nil
}

func (w *write) putClaims(p *putter) {
	for _, c := range w.claims {
		if c.value == nil {
			p.delete(c.key)
		} else {
			p.set(c.key, c.value)
		}
	}
}

// claimant is who has made a claim, "" where nobody has.
func claimant(txn *badger.Txn, k key) (id shipment.ID, err error) {
	b, err := get(txn, k)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err == nil {
		_, err = decodeRecord(b, &id)
	}
	return id, err
}

// Claimants implements store.Claims.
func (s *Store) Claimants(ctx context.Context, tenant string, names []string) ([]shipment.ID, error) {
	out := make([]shipment.ID, len(names))
	err := s.view(ctx, func(txn *badger.Txn) (err error) {
		for i, name := range names {
			if out[i], err = claimant(txn, claimKey(tenant, name)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	return out, nil
}
