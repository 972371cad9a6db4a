package badgerstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// deliveryColumns is what the store itself needs of a delivery, as the log of deliveries keeps it: deliveries are filtered and
// removed without reading what was sent.
type deliveryColumns struct {
	created int64 // nanoseconds
	due     int64 // likewise; noTime where it does not wait
	state   string
	subject string
}

func (c *deliveryColumns) encode() []byte {
	b := []byte{schema}
	b = binary.BigEndian.AppendUint64(b, uint64(c.created))
	b = binary.BigEndian.AppendUint64(b, uint64(c.due))
	return appendText(appendText(b, c.state), c.subject)
}

func decodeDeliveryColumns(b []byte) (deliveryColumns, error) {
	r := reader{b: b}
	version := r.byte()
	c := deliveryColumns{created: r.int64(), due: r.int64(), state: r.text(), subject: r.text()}
	if version != schema || r.bad || len(r.b) != 0 {
		return deliveryColumns{}, fmt.Errorf("%w: the columns of a delivery do not read", errDamaged)
	}
	return c, nil
}

func columnsOfItem(txn *badger.Txn, item *badger.Item) (c deliveryColumns, err error) {
	err = value(txn, item, func(b []byte) error {
		c, err = decodeDeliveryColumns(b)
		return err
	})
	return c, err
}

// deliveryRow is a delivery as it is stored. What was sent and answered stands beside the JSON, which would have to quote it: of each
// try, first the request, then the answer, of these Sizes.
type deliveryRow struct {
	store.Delivery
	Sizes []int `json:"sizes,omitempty"`
}

func newDeliveryRow(d store.Delivery) (row deliveryRow, bodies []byte) {
	d.Tries = slices.Clone(d.Tries)
	row.Sizes = make([]int, 0, 2*len(d.Tries))
	for i := range d.Tries {
		t := &d.Tries[i]
		row.Sizes = append(row.Sizes, len(t.RequestBody), len(t.ResponseBody))
		bodies = append(append(bodies, t.RequestBody...), t.ResponseBody...)
		t.RequestBody, t.ResponseBody = nil, nil
	}
	row.Delivery = d
	return row, bodies
}

// whole returns the delivery with its bodies.
func (r deliveryRow) whole(bodies []byte) store.Delivery {
	next := func(i int) []byte {
		if i >= len(r.Sizes) || r.Sizes[i] <= 0 {
			return nil
		}
		n := min(r.Sizes[i], len(bodies))
		b := bytes.Clone(bodies[:n])
		bodies = bodies[n:]
		return b
	}
	for i := range r.Tries {
		r.Tries[i].RequestBody, r.Tries[i].ResponseBody = next(2*i), next(2*i+1)
	}
	return r.Delivery
}

// deliveryID names a delivery of a tenant.
type deliveryID struct {
	subscription string
	position     uint64
}

func (d deliveryID) key(kind byte, tenant string) key {
	return newKey(kind, tenant, d.subscription).uint(d.position)
}

func (d deliveryID) subjectKey(tenant, subject string) key {
	return newKey(kindDeliverySubject, tenant, subject, d.subscription).uint(d.position)
}

func (d deliveryID) dueKey(tenant string, due int64) key {
	return newKey(kindDeliveryDue, tenant, d.subscription).uint(sortable(due)).uint(d.position)
}

// readDeliveryID reads what follows the tenant, or the subject, in a key.
func readDeliveryID(b []byte) (deliveryID, error) {
	subscription, position, ok := bytes.Cut(b, []byte{0})
	if !ok || len(position) != 8 {
		return deliveryID{}, errDamaged
	}
	return deliveryID{string(subscription), binary.BigEndian.Uint64(position)}, nil
}

// deliveryWrite is a delivery ready to be written.
type deliveryWrite struct {
	deliveryID
	columns deliveryColumns
	value   []byte
	index   []byte // the columns as the log keeps them
}

func (w *write) encodeDeliveries(tx *store.Tx) error {
	seen := map[deliveryID]bool{}
	for i := range tx.Deliveries {
		d := &tx.Deliveries[i]
		if err := checkParts("subscription, subject or state of a delivery", d.Subscription, d.Subject, d.State); err != nil {
			return err
		}
		x := deliveryWrite{
			deliveryID: deliveryID{d.Subscription, d.Position},
			columns:    deliveryColumns{created: d.CreatedAt.UnixNano(), due: noTime, state: d.State, subject: d.Subject},
		}
		if d.State == store.DeliveryWaiting {
			x.columns.due = d.Due.UnixNano()
		}
		if seen[x.deliveryID] {
			return fmt.Errorf("delivery %d of subscription %s is in the transaction twice", d.Position, d.Subscription)
		}
		seen[x.deliveryID] = true
		row, bodies := newDeliveryRow(*d)
		var err error
		if x.value, err = encodeRecord(&row, bodies); err != nil {
			return err
		}
		x.index = x.columns.encode()
		w.outbox.deliveries = append(w.outbox.deliveries, x)
	}
	return nil
}

func (w *write) putDeliveries(p *putter) {
	for i := range w.outbox.deliveries {
		x := &w.outbox.deliveries[i]
		if old := p.delivery(w.tenant, x.deliveryID); old != nil {
			if old.subject != x.columns.subject {
				p.delete(x.subjectKey(w.tenant, old.subject))
			}
			if old.due != noTime && old.due != x.columns.due {
				p.delete(x.dueKey(w.tenant, old.due))
			}
		}
		p.set(x.key(kindDelivery, w.tenant), x.value)
		p.set(x.key(kindDeliveryLog, w.tenant), x.index)
		p.set(x.subjectKey(w.tenant, x.columns.subject), x.index)
		if x.columns.due != noTime {
			p.set(x.dueKey(w.tenant, x.columns.due), []byte{})
		}
	}
}

// delivery returns the columns of a stored delivery, nil where there is none.
func (p *putter) delivery(tenant string, id deliveryID) *deliveryColumns {
	if p.err != nil {
		return nil
	}
	item, err := p.txn.Get(id.key(kindDeliveryLog, tenant))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil
	}
	var c deliveryColumns
	if err == nil {
		c, err = columnsOfItem(p.txn, item)
	}
	p.err = err
	return &c
}

// deleteDelivery removes a delivery with all that finds it, where it is there.
func (p *putter) deleteDelivery(tenant string, id deliveryID) {
	c := p.delivery(tenant, id)
	if c == nil {
		return
	}
	p.delete(id.key(kindDelivery, tenant))
	p.delete(id.key(kindDeliveryLog, tenant))
	p.delete(id.subjectKey(tenant, c.subject))
	if c.due != noTime {
		p.delete(id.dueKey(tenant, c.due))
	}
}

// deliveriesAbout are the deliveries of messages about a subject, to all subscriptions.
func deliveriesAbout(txn *badger.Txn, tenant string, about string) ([]deliveryID, error) {
	var ids []deliveryID
	prefix := newKey(kindDeliverySubject, tenant, about)
	err := scanKeys(txn, prefix, func(k []byte) error {
		id, err := readDeliveryID(k[len(prefix):])
		ids = append(ids, id)
		return err
	})
	return ids, err
}

func loadDelivery(txn *badger.Txn, tenant string, id deliveryID) (store.Delivery, error) {
	b, err := get(txn, id.key(kindDelivery, tenant))
	if err != nil {
		return store.Delivery{}, err
	}
	var r deliveryRow
	bodies, err := decodeRecord(b, &r)
	if err != nil {
		return store.Delivery{}, err
	}
	return r.whole(bodies), nil
}

// ofSubscription reads deliveries, of a subscription that is there: what a removed one has left is on its way out.
func (s *Store) ofSubscription(ctx context.Context, tenant, id string, read func(*badger.Txn) error) error {
	return s.view(ctx, func(txn *badger.Txn) error {
		if there, err := exists(txn, subscriptionKey(tenant, id)); err != nil || !there {
			return err
		}
		return read(txn)
	})
}

// Delivery implements store.Outbox.
func (s *Store) Delivery(ctx context.Context, tenant, subscription string, position uint64) (store.Delivery, error) {
	var d store.Delivery
	found := store.ErrNotFound
	err := s.ofSubscription(ctx, tenant, subscription, func(txn *badger.Txn) error {
		d, found = loadDelivery(txn, tenant, deliveryID{subscription, position})
		return nil
	})
	if err == nil {
		err = found
	}
	if err != nil {
		return store.Delivery{}, fmt.Errorf("delivery %d of subscription %s: %w", position, subscription, err)
	}
	return d, nil
}

// deliveryQuestion is what a token of a query belongs to.
type deliveryQuestion struct {
	Subscription, Subject, State string
	From, To                     int64
}

// Deliveries implements store.Outbox.
func (s *Store) Deliveries(ctx context.Context, tenant string, q store.DeliveryQuery) (store.DeliveryPage, error) {
	if q.Limit <= 0 {
		q.Limit = store.DefaultLimit
	}
	asked := deliveryQuestion{q.Subscription, q.Subject, q.State, instant(q.From), instant(q.To)}
	from, back, err := s.readToken(tenant, asked, q.Cursor)
	if err != nil {
		return store.DeliveryPage{}, fmt.Errorf("deliveries of subscription %s: %w", q.Subscription, err)
	}
	prefix := newKey(kindDeliveryLog, tenant, q.Subscription)
	if q.Subject != "" {
		prefix = newKey(kindDeliverySubject, tenant, q.Subject, q.Subscription)
	}
	match := deliveryMatcher(q)
	var page store.DeliveryPage
	err = s.ofSubscription(ctx, tenant, q.Subscription, func(txn *badger.Txn) error {
		walk := func(from position, newer bool, limit int) ([]position, error) {
			return walkIndex(ctx, txn, prefix, edge(prefix, from, newer), from, newer, limit, func(_ position, item *badger.Item) (found, ended bool, err error) {
				c, err := columnsOfItem(txn, item)
				return err == nil && match(&c), false, err
			})
		}
		at, next, _, err := turn(walk, from, back, false, q.Limit)
		if err != nil {
			return err
		}
		for _, p := range at {
			d, err := loadDelivery(txn, tenant, deliveryID{q.Subscription, binary.BigEndian.Uint64(p)})
			if err != nil {
				return err
			}
			page.Deliveries = append(page.Deliveries, d)
		}
		if next {
			page.Next = s.token(tenant, asked, at[len(at)-1], false)
		}
		return nil
	})
	if err != nil {
		return store.DeliveryPage{}, fmt.Errorf("deliveries of subscription %s: %w", q.Subscription, err)
	}
	return page, nil
}

func deliveryMatcher(q store.DeliveryQuery) func(*deliveryColumns) bool {
	oldest, newest := windowBounds(shipping.TimeWindow{StartsAt: shipping.At(q.From), EndsAt: shipping.At(q.To)})
	return func(c *deliveryColumns) bool {
		created := sortable(c.created)
		return (q.State == "" || c.state == q.State) && created >= oldest && created <= newest
	}
}

// DeliveriesDue implements store.Outbox.
func (s *Store) DeliveriesDue(ctx context.Context, tenant, subscription string, now time.Time, limit int) (due []store.Delivery, next time.Time, err error) {
	err = s.ofSubscription(ctx, tenant, subscription, func(txn *badger.Txn) error {
		var at []position
		if at, next, err = dueBy(ctx, txn, newKey(kindDeliveryDue, tenant, subscription), now, limit); err != nil {
			return err
		}
		for _, p := range at {
			d, err := loadDelivery(txn, tenant, deliveryID{subscription, binary.BigEndian.Uint64(p[8:])})
			if err != nil {
				return err
			}
			due = append(due, d)
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("deliveries of subscription %s that are due: %w", subscription, err)
	}
	return due, next, nil
}

// oldDelivery reads the columns of the log: what waits is never old.
func oldDelivery(before time.Time) func(*badger.Txn, *badger.Item) (bool, error) {
	return func(txn *badger.Txn, item *badger.Item) (bool, error) {
		c, err := columnsOfItem(txn, item)
		return err == nil && c.state != store.DeliveryWaiting && c.created < before.UnixNano(), err
	}
}

// forgetDelivery removes what belongs to a delivery besides its line in the log, at k.
func forgetDelivery(tenant string) func(*badger.Txn, key) error {
	prefix := newKey(kindDeliveryLog, tenant)
	return func(txn *badger.Txn, k key) error {
		id, err := readDeliveryID(k[len(prefix):])
		if err != nil {
			return err
		}
		p := putter{txn: txn}
		p.deleteDelivery(tenant, id)
		return p.err
	}
}

// sweepDropped removes what removed subscriptions have left, some hundred deliveries a group.
func (s *Store) sweepDropped(ctx context.Context) (swept int, err error) {
	for {
		var tenant, subscription string
		var ids []deliveryID
		err := s.look(func(txn *badger.Txn) error {
			it := txn.NewIterator(badger.IteratorOptions{Prefix: newKey(kindDropped)})
			defer it.Close()
			if it.Rewind(); !it.Valid() {
				return nil
			}
			t, id, _ := bytes.Cut(it.Item().KeyCopy(nil)[1:], []byte{0})
			tenant, subscription = string(t), string(id)
			prefix := newKey(kindDeliveryLog, tenant, subscription)
			at, err := walkIndex(ctx, txn, prefix, prefix, nil, true, sweepRows, func(position, *badger.Item) (bool, bool, error) { return true, false, nil })
			for _, p := range at {
				ids = append(ids, deliveryID{subscription, binary.BigEndian.Uint64(p)})
			}
			return err
		})
		if err != nil || subscription == "" {
			return swept, err
		}
		r := &request{entries: 1 + 4*len(ids), bytes: 4 * 256 * (1 + len(ids)), check: func(*badger.Txn) error { return nil }}
		r.put = func(txn *badger.Txn) error {
			p := putter{txn: txn}
			for _, id := range ids {
				p.deleteDelivery(tenant, id)
			}
			if len(ids) < sweepRows {
				p.delete(droppedKey(tenant, subscription))
			}
			return p.err
		}
		if err := s.send(ctx, r); err != nil {
			return swept, fmt.Errorf("sweep: %w", err)
		}
		swept += len(ids)
	}
}
