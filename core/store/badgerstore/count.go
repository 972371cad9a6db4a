package badgerstore

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/store"
)

// countKey begins with the period, so that a sweep finds what is old without looking at the rest.
func countKey(tenant string, k store.CountKey) key {
	return newKey(kindCount, k.Period, tenant).last(k.Name)
}

func documentKey(tenant, name string) key { return newKey(kindDocument, tenant).last(name) }

func (w *write) encodeCounts(tx *store.Tx) error {
	for _, c := range tx.Counts {
		if err := checkParts("name or period of a count", c.Name, c.Period); err != nil {
			return err
		}
		w.counts = append(w.counts, c)
	}
	return nil
}

func (w *write) encodeDocuments(tx *store.Tx) error {
	for _, name := range tx.DropDocuments {
		if err := checkParts("name of a document", name); err != nil {
			return err
		}
		w.rows = append(w.rows, row{key: documentKey(w.tenant, name)}) // a row without a value is removed
	}
	for _, d := range tx.Documents {
		if err := checkParts("name of a document", d.Name); err != nil {
			return err
		}
		if err := w.add(documentKey(w.tenant, d.Name), struct{}{}, d.Data); err != nil {
			return fmt.Errorf("document %s: %w", d.Name, err)
		}
	}
	return nil
}

// checkCounts refuses to count beyond a limit. What the transaction itself adds is counted with it.
func (w *write) checkCounts(txn *badger.Txn) error {
	added := map[store.CountKey]int64{}
	for _, c := range w.counts {
		if c.Limited {
			has, err := counter(txn, countKey(w.tenant, c.CountKey))
			if err != nil {
				return err
			}
			if now := int64(has) + added[c.CountKey]; now > c.Most {
				return fmt.Errorf("count %s of %s is %d, at most %d was expected: %w", c.Name, c.Period, now, c.Most, store.ErrOverCounted)
			}
		}
		added[c.CountKey] += c.Add
	}
	return nil
}

func (w *write) putCounts(p *putter) {
	for _, c := range w.counts {
		p.count(countKey(w.tenant, c.CountKey), int(c.Add))
	}
}

// Counts implements store.Counters.
func (s *Store) Counts(ctx context.Context, tenant string, keys []store.CountKey) ([]int64, error) {
	out := make([]int64, len(keys))
	err := s.view(ctx, func(txn *badger.Txn) error {
		for i, k := range keys {
			n, err := counter(txn, countKey(tenant, k))
			if err != nil {
				return fmt.Errorf("count %s of %s: %w", k.Name, k.Period, err)
			}
			out[i] = int64(n)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read counts: %w", err)
	}
	return out, nil
}

// Document implements store.Documents.
func (s *Store) Document(ctx context.Context, tenant, name string) ([]byte, error) {
	var data []byte
	err := s.view(ctx, func(txn *badger.Txn) error {
		b, err := get(txn, documentKey(tenant, name))
		if err != nil {
			return err
		}
		data, err = decodeRecord(b, &struct{}{})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("document %s: %w", name, err)
	}
	return data, nil
}

// DocumentNames implements store.Documents.
func (s *Store) DocumentNames(ctx context.Context, tenant, prefix string) ([]string, error) {
	var names []string
	all := documentKey(tenant, "")
	err := s.view(ctx, func(txn *badger.Txn) error {
		return scanKeys(txn, append(slices.Clone(all), prefix...), func(k []byte) error {
			names = append(names, string(k[len(all):]))
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("names of documents: %w", err)
	}
	return names, nil
}

// oldCounts returns the first keys of counts, and of bookings a day, whose period is before the given one.
func (s *Store) oldCounts(before string) ([]key, error) {
	var keys []key
	err := s.look(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: newKey(kindCount)})
		defer it.Close()
		for it.Rewind(); it.Valid() && len(keys) < sweepRows; it.Next() {
			k := it.Item().KeyCopy(nil)
			period, _, ok := bytes.Cut(k[1:], []byte{0})
			if !ok {
				return errDamaged
			}
			if string(period) >= before {
				break
			}
			keys = append(keys, k)
		}
		days := txn.NewIterator(badger.IteratorOptions{Prefix: newKey(kindToday)})
		defer days.Close()
		for days.Rewind(); days.Valid() && len(keys) < sweepRows; days.Next() {
			k := days.Item().KeyCopy(nil)
			if day := k[bytes.LastIndexByte(k, 0)+1:]; string(day) < before {
				keys = append(keys, k)
			}
		}
		return nil
	})
	return keys, err
}

// sweepCounts removes counts that nobody asks for any more.
func (s *Store) sweepCounts(ctx context.Context, before string) (int, error) {
	swept := 0
	for {
		old, err := s.oldCounts(before)
		if err != nil || len(old) == 0 {
			return swept, err
		}
		r := &request{entries: len(old), check: func(*badger.Txn) error { return nil }}
		for _, k := range old {
			r.bytes += 2 * (len(k) + entryOverhead)
		}
		r.put = func(txn *badger.Txn) error {
			p := putter{txn: txn}
			for _, k := range old {
				p.delete(k)
			}
			return p.err
		}
		if err := s.send(ctx, r); err != nil {
			return swept, fmt.Errorf("sweep counts before %s: %w", before, err)
		}
		swept += len(old)
	}
}
