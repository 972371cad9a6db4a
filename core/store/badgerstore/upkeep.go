package badgerstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/store"
)

// sweepRows is how many expired keys one group removes.
const sweepRows = 500

// Check implements store.Store.
func (s *Store) Check(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := s.room(); err != nil {
		return err
	}
	if s.values != nil {
		if s.tables.changed(s.dir) {
			if err := s.verify(ctx); err != nil {
				return err
			}
		}
		if _, err := s.values.compare(); err != nil {
			return s.located(err)
		}
	}
	// An empty group goes through the writer: it answers as long as it lives.
	nothing := func(*badger.Txn) error { return nil }
	return s.send(ctx, &request{check: nothing, put: nothing, idle: true})
}

// Sweep implements store.Store: it removes idempotency keys and parked updates that have expired, and reads none that have not, and
// what removed subscriptions have left, and old counts.
func (s *Store) Sweep(ctx context.Context, now time.Time) (int, error) {
	leave, err := s.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	keys, err := s.sweep(ctx, kindExpiry, now, func(p *putter, tenant, k string) { p.delete(idempotencyKey(tenant, k)) })
	if err != nil {
		return keys, err
	}
	parked, err := s.sweep(ctx, kindParkedEnd, now, (*putter).unpark)
	if err != nil {
		return keys + parked, err
	}
	left, err := s.sweepDropped(ctx)
	if err != nil {
		return keys + parked + left, err
	}
	counts, err := s.sweepCounts(ctx, store.OldPeriod(now))
	return keys + parked + left + counts, err
}

// sweep removes the rows of one kind that say what expires when, and calls remove for each.
func (s *Store) sweep(ctx context.Context, kind byte, now time.Time, remove func(p *putter, tenant, id string)) (swept int, err error) {
	for {
		expired, err := s.expired(kind, now)
		if err != nil || len(expired) == 0 {
			return swept, err
		}
		r := &request{entries: 4 * len(expired), check: func(*badger.Txn) error { return nil }}
		for _, k := range expired {
			r.bytes += 4 * (len(k) + entryOverhead)
		}
		// What expires may have been put anew since; then this row is gone, and it stays.
		r.put = func(txn *badger.Txn) error {
			p := putter{txn: txn}
			for _, k := range expired {
				if there, err := exists(txn, k); err != nil || !there {
					if p.err == nil {
						p.err = err
					}
					continue
				}
				tenant, id, _ := bytes.Cut(k[1+8:], []byte{0})
				remove(&p, string(tenant), string(id))
				p.delete(k)
			}
			return p.err
		}
		if err := s.send(ctx, r); err != nil {
			return swept, fmt.Errorf("sweep: %w", err)
		}
		swept += len(expired)
	}
}

// expired returns the first rows of a kind that are due.
func (s *Store) expired(kind byte, now time.Time) ([]key, error) {
	var keys []key
	end := newKey(kind).time(now.Add(1)) // at now, it has expired
	err := s.look(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: newKey(kind)})
		defer it.Close()
		for it.Rewind(); it.Valid() && len(keys) < sweepRows; it.Next() {
			k := it.Item().KeyCopy(nil)
			if string(k) >= string(end) {
				break
			}
			keys = append(keys, k)
		}
		return nil
	})
	return keys, err
}

// verify reads the tables and the value log against their checksums, and makes the store refuse to write where one does not hold: Badger
// takes a block that does not read for one without the key, and compacts and collects garbage as if nothing were in it.
func (s *Store) verify(ctx context.Context) error {
	cfg := Config{Dir: s.dir, EncryptionKey: s.key}
	keys, err := readKeys(cfg)
	if err == nil {
		tables := verifyTables(ctx, s.dir, keys, true) // first: Badger compacts them meanwhile
		short, verr := verifyValues(ctx, s.dir, s.values.size)
		err = errors.Join(tables, verr, s.values.check(ctx, short))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.located(err)
}

// verifyBehind verifies while the store serves, until it is closed.
func (s *Store) verifyBehind() {
	s.verifying.Go(func() {
		if err := s.verify(s.open); hindered(err) {
			s.log.Warn("the store's files could not be verified; the daily upkeep tries again", "err", err)
		}
	})
}

// CollectGarbage checks the files, then rewrites files of the value log that are at least half garbage, until none is left or ctx ends. A job calls it
// from time to time, and never twice at once.
func (s *Store) CollectGarbage(ctx context.Context) error {
	if s.inMemory {
		return nil
	}
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := s.verify(ctx); err != nil {
		return err
	}
	if err := s.values.collecting(); err != nil {
		return fmt.Errorf("collect garbage: %w", err)
	}
	rewritten, err := s.collect(ctx)
	if ctx.Err() != nil {
		return err // the record is left uncertain
	}
	lost := s.values.collected(ctx, rewritten)
	if lost != nil && ctx.Err() == nil {
		lost = s.located(lost)
	}
	if err = errors.Join(err, lost); err != nil {
		return fmt.Errorf("collect garbage: %w", err)
	}
	return nil
}

// collect returns how many files it has rewritten.
func (s *Store) collect(ctx context.Context) (rewritten int, err error) {
	for ctx.Err() == nil {
		if err := s.room(); err != nil {
			return rewritten, err
		}
		err := s.noticed(guarded(func() error { return s.db.RunValueLogGC(0.5) }))
		if errors.Is(err, badger.ErrNoRewrite) {
			return rewritten, nil
		}
		if err != nil {
			return rewritten, err
		}
		rewritten++
	}
	return rewritten, context.Cause(ctx)
}
