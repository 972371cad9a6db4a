package badgerstore

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// ListShipments implements store.Store.
func (s *Store) ListShipments(ctx context.Context, tenant string, q store.ShipmentQuery) (store.ShipmentPage, error) {
	var page store.ShipmentPage
	if q.Limit <= 0 {
		q.Limit = store.DefaultLimit
	}
	from, back, err := s.readCursor(tenant, q)
	if err != nil {
		return page, fmt.Errorf("list shipments: %w", err)
	}
	err = s.view(ctx, func(txn *badger.Txn) error {
		l := lister{ctx: ctx, txn: txn, tenant: tenant, q: q, match: matcher(q)}
		hits, next, previous, err := turn(l.walk, from, back, false, q.Limit)
		if err != nil {
			return err
		}
		for _, at := range hits {
			id := shipment.ID(at[createdBytes:])
			sh, err := loadShipment(txn, tenant, id)
			if err != nil {
				return fmt.Errorf("shipment %s: %w", id, err)
			}
			page.Shipments = append(page.Shipments, sh)
		}
		if next {
			page.Next = s.cursor(tenant, q, hits[len(hits)-1], false)
		}
		if previous {
			page.Previous = s.cursor(tenant, q, hits[0], true)
		}
		return nil
	})
	if err != nil {
		return store.ShipmentPage{}, fmt.Errorf("list shipments: %w", err)
	}
	return page, nil
}

// lister walks the list that answers a query with the least to read.
type lister struct {
	ctx    context.Context
	txn    *badger.Txn
	tenant string
	q      store.ShipmentQuery
	match  func(*columns) bool
}

// walk returns up to limit matches beyond from, or from the end: towards newer ones, or towards older ones.
func (l *lister) walk(from position, newer bool, limit int) ([]position, error) {
	if len(l.q.ExternalIDs) > 0 {
		return l.named(from, newer, limit)
	}
	prefix := newKey(kindList, l.tenant)
	switch {
	case l.q.GroupID != "":
		prefix = newKey(kindGroup, l.tenant, l.q.GroupID)
	case l.q.NeedsPerson:
		prefix = newKey(kindAttention, l.tenant)
	}
	start, inside := l.bounds(prefix, from, newer)
	return walkIndex(l.ctx, l.txn, prefix, start, from, newer, limit, func(at position, item *badger.Item) (found, ended bool, err error) {
		if !inside(at) {
			return false, true, nil
		}
		c, err := listed(l.txn, item)
		return err == nil && l.match(&c), false, err
	})
}

func listed(txn *badger.Txn, item *badger.Item) (c columns, err error) {
	err = value(txn, item, func(b []byte) error {
		if len(b) == 0 || b[0] != schema {
			return fmt.Errorf("%w: list entry", errDamaged)
		}
		c, err = decodeColumns(b[1:])
		return err
	})
	return c, err
}

// bounds returns where to seek, and whether a place is still inside the window of creation.
func (l *lister) bounds(prefix key, from position, newer bool) (start key, inside func(position) bool) {
	oldest, newest := createdBounds(l.q)
	start = edge(prefix, from, newer)
	switch {
	case from != nil:
	case newer:
		start = slices.Clone(prefix).uint(oldest)
	case newest != math.MaxUint64:
		start = slices.Clone(prefix).uint(newest + 1)
	}
	return start, func(at position) bool {
		r := reader{b: at}
		created := uint64(r.int64())
		if newer {
			return created <= newest
		}
		return created >= oldest
	}
}

// createdBounds returns the window of creation that a query asks for.
func createdBounds(q store.ShipmentQuery) (oldest, newest uint64) {
	w := q.Created
	if q.Since.After(w.StartsAt.Time) {
		w.StartsAt = q.Since
	}
	return windowBounds(w)
}

// windowBounds returns a window in sortable nanoseconds. Its end takes in the whole millisecond that it names.
func windowBounds(w shipping.TimeWindow) (oldest, newest uint64) {
	oldest, newest = 0, math.MaxUint64
	if !w.StartsAt.IsZero() {
		oldest = sortable(w.StartsAt.Truncate(time.Millisecond).UnixNano())
	}
	if !w.EndsAt.IsZero() {
		newest = sortable(w.EndsAt.Truncate(time.Millisecond).Add(time.Millisecond - 1).UnixNano())
	}
	return oldest, newest
}

// named looks external ids up one by one.
func (l *lister) named(from position, newer bool, limit int) ([]position, error) {
	oldest, newest := createdBounds(l.q)
	ids := slices.Clone(l.q.ExternalIDs)
	slices.Sort(ids)
	var hits []position
	for _, external := range slices.Compact(ids) {
		id, err := l.txn.Get(externalKey(l.tenant, external))
		if err == badger.ErrKeyNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		b, err := valueCopy(l.txn, id)
		if err != nil {
			return nil, err
		}
		c, err := readColumns(l.txn, shipmentKey(l.tenant, shipment.ID(b)))
		if err != nil {
			return nil, err
		}
		created := sortable(c.created)
		at := position(key(nil).uint(created).last(string(b)))
		if beyond := bytes.Compare(at, from); from != nil && (beyond == 0 || beyond > 0 != newer) {
			continue
		}
		if created >= oldest && created <= newest && l.match(c) {
			hits = append(hits, at)
		}
	}
	slices.SortFunc(hits, func(a, b position) int {
		if newer {
			return bytes.Compare(a, b)
		}
		return bytes.Compare(b, a)
	})
	return hits[:min(len(hits), limit)], nil
}

// matcher decides by everything but creation and external ids, which the walk takes care of.
func matcher(q store.ShipmentQuery) func(*columns) bool {
	statuses := map[shipping.Status]bool{}
	for _, s := range q.Statuses {
		statuses[s] = true
	}
	locations := map[string]bool{}
	for _, l := range q.LocationIDs {
		locations[l] = true
	}
	updatedFrom, updatedTo := windowBounds(q.Updated)
	millis := func(n int64) int64 { return time.Unix(0, n).UnixMilli() }
	return func(c *columns) bool {
		updated := sortable(c.updated)
		switch {
		case len(statuses) > 0 && !statuses[c.status],
			len(locations) > 0 && !locations[c.location],
			q.GroupID != "" && c.group != q.GroupID,
			q.NeedsPerson && !c.attention,
			updated < updatedFrom || updated > updatedTo,
			!q.PickupFrom.IsZero() && (c.pickup == noTime || millis(c.pickup) < q.PickupFrom.UnixMilli()),
			!q.DeliveryTo.IsZero() && (c.delivery == noTime || millis(c.delivery) > q.DeliveryTo.UnixMilli()):
			return false
		}
		return true
	}
}
