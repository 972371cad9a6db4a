package badgerstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
)

func loadTracker(txn *badger.Txn, tenant string, id tracker.ID) (*tracker.Tracker, error) {
	item, err := txn.Get(trackerKey(tenant, id))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	var t *tracker.Tracker
	err = value(txn, item, func(b []byte) error {
		t, err = decodeTracker(b)
		return err
	})
	return t, err
}

// loadTrackers reads those that an index names.
func loadTrackers(txn *badger.Txn, tenant string, at []position) ([]*tracker.Tracker, error) {
	var all []*tracker.Tracker
	for _, p := range at {
		id := tracker.ID(p[createdBytes:])
		t, err := loadTracker(txn, tenant, id)
		if err != nil {
			return nil, fmt.Errorf("tracker %s: %w", id, err)
		}
		all = append(all, t)
	}
	return all, nil
}

// Tracker implements store.Tracking.
func (s *Store) Tracker(ctx context.Context, tenant string, id tracker.ID) (*tracker.Tracker, error) {
	var t *tracker.Tracker
	err := s.view(ctx, func(txn *badger.Txn) (err error) {
		t, err = loadTracker(txn, tenant, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("tracker %s: %w", id, err)
	}
	return t, nil
}

// TrackerByName implements store.Tracking.
func (s *Store) TrackerByName(ctx context.Context, tenant, name string) (*tracker.Tracker, error) {
	var t *tracker.Tracker
	err := s.view(ctx, func(txn *badger.Txn) error {
		id, err := get(txn, nameKey(tenant, name))
		if err != nil {
			return err
		}
		t, err = loadTracker(txn, tenant, tracker.ID(id))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("tracker %q: %w", name, err)
	}
	return t, nil
}

// TrackersByTag implements store.Tracking.
func (s *Store) TrackersByTag(ctx context.Context, tenant, tag string, limit int) ([]*tracker.Tracker, error) {
	return s.TrackersByTags(ctx, tenant, []string{tag}, limit)
}

// TrackersByTags implements store.Tracking.
func (s *Store) TrackersByTags(ctx context.Context, tenant string, tags []string, limit int) ([]*tracker.Tracker, error) {
	var all []*tracker.Tracker
	err := s.view(ctx, func(txn *badger.Txn) error {
		at, err := tagged(txn, tenant, tags, limit)
		if err != nil {
			return err
		}
		all, err = loadTrackers(txn, tenant, at)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("trackers with tags %q: %w", tags, err)
	}
	return all, nil
}

// tagged finds trackers by their tags, each once, oldest first, at most limit of each tag. One iterator serves all tags: making one costs
// more than what it reads here, and every push is looked up so.
func tagged(txn *badger.Txn, tenant string, tags []string, limit int) ([]position, error) {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: newKey(kindTag, tenant)})
	defer it.Close()
	var at []position
	for _, tag := range tags {
		prefix := newKey(kindTag, tenant, tag)
		it.Seek(prefix)
		for n := 0; n < limit && it.ValidForPrefix(prefix); n++ {
			at = append(at, bytes.Clone(it.Item().Key()[len(prefix):]))
			it.Next()
		}
	}
	if len(tags) > 1 {
		slices.SortFunc(at, func(a, b position) int { return bytes.Compare(a, b) })
		at = slices.CompactFunc(at, func(a, b position) bool { return bytes.Equal(a, b) })
	}
	return at, nil
}

// trackers walks the index that answers a query with the least to read. It passes over q.Offset of them where it is not told a place.
func trackers(ctx context.Context, txn *badger.Txn, tenant string, q store.TrackerQuery) func(from position, newer bool, limit int) ([]position, error) {
	prefix := newKey(kindTrackers, tenant, string(q.Surface))
	if q.Tag != "" {
		prefix = newKey(kindTag, tenant, q.Tag)
	}
	return func(from position, newer bool, limit int) ([]position, error) {
		skip := 0
		if from == nil {
			skip = q.Offset
		}
		return walkIndex(ctx, txn, prefix, edge(prefix, from, newer), from, newer, limit, func(at position, item *badger.Item) (found, ended bool, err error) {
			found = true
			if q.Tag != "" && q.Surface != "" {
				err = value(txn, item, func(b []byte) error {
					found = string(b) == string(q.Surface)
					return nil
				})
			}
			if found && err == nil && len(q.Statuses) > 0 {
				t, lerr := loadTracker(txn, tenant, tracker.ID(at[createdBytes:]))
				if lerr != nil {
					return false, false, lerr
				}
				found = slices.Contains(q.Statuses, t.Status)
			}
			if found && skip > 0 {
				skip--
				found = false
			}
			return found, false, err
		})
	}
}

// ListTrackers implements store.Tracking.
func (s *Store) ListTrackers(ctx context.Context, tenant string, q store.TrackerQuery) (store.TrackerPage, error) {
	if q.Limit <= 0 {
		q.Limit = store.DefaultLimit
	}
	asked := q
	asked.Cursor, asked.Limit, asked.Offset = "", 0, 0
	from, back, err := s.readToken(tenant, asked, q.Cursor)
	if err != nil {
		return store.TrackerPage{}, fmt.Errorf("list trackers: %w", err)
	}
	var page store.TrackerPage
	err = s.view(ctx, func(txn *badger.Txn) error {
		at, next, previous, err := turn(trackers(ctx, txn, tenant, q), from, back, q.Ascending, q.Limit)
		if err != nil {
			return err
		}
		if page.Trackers, err = loadTrackers(txn, tenant, at); err != nil || len(at) == 0 {
			return err
		}
		if next {
			page.Next = s.token(tenant, asked, at[len(at)-1], false)
		}
		if previous || from == nil && q.Offset > 0 {
			page.Previous = s.token(tenant, asked, at[0], true)
		}
		return nil
	})
	if err != nil {
		return store.TrackerPage{}, fmt.Errorf("list trackers: %w", err)
	}
	return page, nil
}

// TrackersDue implements store.Tracking.
func (s *Store) TrackersDue(ctx context.Context, tenant, account string, now time.Time, limit int) (due []*tracker.Tracker, next time.Time, err error) {
	err = s.view(ctx, func(txn *badger.Txn) error {
		var at []position
		at, next, err = dueBy(ctx, txn, newKey(kindDue, tenant, account), now, limit)
		if err == nil {
			due, err = loadTrackers(txn, tenant, at)
		}
		return err
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("trackers of account %s that are due: %w", account, err)
	}
	return due, next, nil
}

// dueBy walks an index by due time: it returns the places that are due by now, at most limit, and when the first after these is.
func dueBy(ctx context.Context, txn *badger.Txn, prefix key, now time.Time, limit int) (due []position, next time.Time, err error) {
	latest := sortable(now.UnixNano())
	due, err = walkIndex(ctx, txn, prefix, prefix, nil, true, limit+1, func(at position, _ *badger.Item) (found, ended bool, err error) {
		r := reader{b: at}
		when := uint64(r.int64())
		if when <= latest && !r.bad {
			return true, false, nil
		}
		next = fromSortable(when)
		return false, true, nil
	})
	if len(due) > limit {
		r := reader{b: due[limit]}
		due, next = due[:limit], fromSortable(uint64(r.int64()))
	}
	return due, next, err
}

func fromSortable(n uint64) time.Time { return time.Unix(0, int64(n^1<<63)).UTC() }
