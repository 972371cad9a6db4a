package badgerstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/store"
)

// claimWrite is a claim ready to be written.
type claimWrite struct {
	key    key
	before store.Claimant
	value  []byte // nil where the name is freed
}

func claimKey(name string) key { return newKey(kindClaim).last(name) }

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
		write := claimWrite{key: claimKey(c.Name), before: c.Before}
		if c.Shipment != "" {
			var err error
			if write.value, err = encodeRecord(store.Claimant{Tenant: w.tenant, Shipment: c.Shipment}, nil); err != nil {
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
			return fmt.Errorf("a claim is that of shipment %q, not of %q: %w", has.Shipment, c.before.Shipment, store.ErrConflict)
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

// claimant is who has made a claim.
func claimant(txn *badger.Txn, k key) (c store.Claimant, err error) {
	b, err := get(txn, k)
	if errors.Is(err, store.ErrNotFound) {
		return c, nil
	}
	if err == nil {
		_, err = decodeRecord(b, &c)
	}
	return c, err
}

// Claimants implements store.Claims.
func (s *Store) Claimants(ctx context.Context, names []string) ([]store.Claimant, error) {
	out := make([]store.Claimant, len(names))
	err := s.view(ctx, func(txn *badger.Txn) (err error) {
		for i, name := range names {
			if out[i], err = claimant(txn, claimKey(name)); err != nil {
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

// convertAtOnce is how many claims are converted with one commit.
const convertAtOnce = 5000

// convertClaims makes claims of the whole store of those that an earlier version kept for each tenant. Where two tenants had claimed one
// name, the first keeps it. It may be cut off anywhere, and goes on when the store is opened again.
func (s *Store) convertClaims() error {
	from := newKey(kindTenantClaim)
	for {
		old, err := s.tenantClaims(from, convertAtOnce)
		if err != nil || len(old) == 0 {
			return err
		}
		from = old[len(old)-1].key // what is converted is passed over from then on
		if err := s.room(); err != nil {
			return err
		}
		err = s.update(func(txn *badger.Txn) error {
			p := putter{txn: txn}
			for _, c := range old {
				has, err := claimant(txn, claimKey(c.name))
				if err != nil {
					return err
				}
				if has == (store.Claimant{}) {
					value, err := encodeRecord(c.by, nil)
					if err != nil {
						return err
					}
					p.set(claimKey(c.name), value)
				}
				p.delete(c.key)
			}
			return p.err
		})
		if err != nil {
			return err
		}
		s.log.Info("claims of an earlier version are those of the whole store now", "claims", len(old))
	}
}

// tenantClaim is a claim as an earlier version kept it.
type tenantClaim struct {
	key  key
	name string
	by   store.Claimant
}

// tenantClaims reads claims that are kept for a tenant each, at most limit, beginning with the key from.
func (s *Store) tenantClaims(from key, limit int) (out []tenantClaim, err error) {
	err = s.look(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: newKey(kindTenantClaim)})
		defer it.Close()
		for it.Seek(from); it.Valid() && len(out) < limit; it.Next() {
			c := tenantClaim{key: it.Item().KeyCopy(nil)}
			tenant, name, ok := bytes.Cut(c.key[1:], []byte{0})
			if !ok {
				return fmt.Errorf("claim %q is not that of a tenant", c.key)
			}
			c.name, c.by.Tenant = string(name), string(tenant)
			err := value(txn, it.Item(), func(b []byte) error {
				_, err := decodeRecord(b, &c.by.Shipment)
				return err
			})
			if err != nil {
				return err
			}
			out = append(out, c)
		}
		return nil
	})
	return out, err
}
