package badgerstore

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// position is a place in a list: created, sortable, and id. It is the end of a key of each list.
type position []byte

const createdBytes = 8

// hit is a shipment of a list, by its place.
type hit struct {
	at position
	id shipment.ID
}

// ListShipments implements store.Store.
func (s *Store) ListShipments(ctx context.Context, tenant string, q store.ShipmentQuery) (store.ShipmentPage, error) {
	var page store.ShipmentPage
	if q.Limit <= 0 {
		q.Limit = store.DefaultLimit
	}
	from, newer, err := s.readCursor(tenant, q)
	if err != nil {
		return page, fmt.Errorf("list shipments: %w", err)
	}
	err = s.view(ctx, func(txn *badger.Txn) error {
		l := lister{ctx: ctx, txn: txn, tenant: tenant, q: q, match: matcher(q)}
		hits, err := l.walk(from, newer, q.Limit+1)
		if err != nil {
			return err
		}
		more := len(hits) > q.Limit
		hits = hits[:min(len(hits), q.Limit)]
		if newer {
			slices.Reverse(hits)
		}
		for _, h := range hits {
			sh, err := loadShipment(txn, tenant, h.id)
			if err != nil {
				return fmt.Errorf("shipment %s: %w", h.id, err)
			}
			page.Shipments = append(page.Shipments, sh)
		}
		if len(hits) == 0 {
			return nil
		}
		// Behind: what lies on the side from which the walk came. A first page has nothing there.
		behind := false
		if from != nil {
			edge := hits[0].at
			if newer {
				edge = hits[len(hits)-1].at
			}
			found, err := l.walk(edge, !newer, 1)
			if err != nil {
				return err
			}
			behind = len(found) > 0
		}
		older, younger := more, behind
		if newer {
			older, younger = behind, more
		}
		if older {
			page.Next = s.cursor(tenant, q, hits[len(hits)-1].at, false)
		}
		if younger {
			page.Previous = s.cursor(tenant, q, hits[0].at, true)
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
func (l *lister) walk(from position, newer bool, limit int) ([]hit, error) {
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
	it := l.txn.NewIterator(badger.IteratorOptions{Prefix: prefix, Reverse: !newer})
	defer it.Close()
	start, inside := l.bounds(prefix, from, newer)
	var hits []hit
	for n := 0; ; n++ {
		if n == 0 {
			it.Seek(start)
		} else {
			it.Next()
		}
		if !it.Valid() || len(hits) == limit {
			return hits, nil
		}
		if n%1024 == 1023 && l.ctx.Err() != nil {
			return nil, context.Cause(l.ctx)
		}
		at := position(it.Item().Key()[len(prefix):])
		if bytes.Equal(at, from) {
			continue
		}
		if !inside(at) {
			return hits, nil
		}
		c, err := listed(it.Item())
		if err != nil {
			return nil, err
		}
		if l.match(&c) {
			at = bytes.Clone(at)
			hits = append(hits, hit{at: at, id: shipment.ID(at[createdBytes:])})
		}
	}
}

func listed(item *badger.Item) (c columns, err error) {
	err = item.Value(func(b []byte) error {
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
	start = slices.Clone(prefix)
	switch {
	case from != nil:
		start = start.last(string(from))
	case newer:
		start = start.uint(oldest)
	case newest == math.MaxUint64:
		// Beyond every entry, and no longer than an entry: the end of the prefix.
		start = append(start, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	default:
		start = start.uint(newest + 1)
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
func (l *lister) named(from position, newer bool, limit int) ([]hit, error) {
	oldest, newest := createdBounds(l.q)
	ids := slices.Clone(l.q.ExternalIDs)
	slices.Sort(ids)
	var hits []hit
	for _, external := range slices.Compact(ids) {
		id, err := l.txn.Get(externalKey(l.tenant, external))
		if err == badger.ErrKeyNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		b, err := id.ValueCopy(nil)
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
			hits = append(hits, hit{at: at, id: shipment.ID(b)})
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		if newer {
			return bytes.Compare(a.at, b.at)
		}
		return bytes.Compare(b.at, a.at)
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

// Cursors are a direction, a place and a seal, in unpadded base64url. The seal binds them to the tenant and the question.
const sealBytes = 12

func (s *Store) cursor(tenant string, q store.ShipmentQuery, at position, newer bool) string {
	b := make([]byte, 1, 1+len(at)+sealBytes)
	if newer {
		b[0] = 1
	}
	b = append(b, at...)
	return base64.RawURLEncoding.EncodeToString(append(b, s.seal(tenant, q, b)...))
}

func (s *Store) seal(tenant string, q store.ShipmentQuery, b []byte) []byte {
	q.Cursor, q.Limit, q.Since = "", 0, shipping.Instant{}
	question, err := json.Marshal(q)
	if err != nil {
		panic(fmt.Sprintf("badgerstore: a query does not marshal: %v", err)) // it is made of text and times
	}
	h := hmac.New(sha256.New, s.secret)
	for _, part := range [][]byte{[]byte(tenant), question, b} {
		fmt.Fprintf(h, "%d:", len(part))
		h.Write(part)
	}
	return h.Sum(nil)[:sealBytes]
}

// readCursor returns a nil position where the query has no cursor.
func (s *Store) readCursor(tenant string, q store.ShipmentQuery) (at position, newer bool, err error) {
	if q.Cursor == "" {
		return nil, false, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(q.Cursor)
	if err != nil || strings.ContainsAny(q.Cursor, "\r\n") || len(b) <= 1+createdBytes+sealBytes {
		return nil, false, store.ErrCursor
	}
	b, seal := b[:len(b)-sealBytes], b[len(b)-sealBytes:]
	if !hmac.Equal(seal, s.seal(tenant, q, b)) {
		return nil, false, store.ErrCursor
	}
	return position(b[1:]), b[0] == 1, nil
}
