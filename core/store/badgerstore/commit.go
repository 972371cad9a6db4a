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
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
)

// row is one key to write; delete where value is nil.
type row struct {
	key   key
	value []byte
}

// shipmentWrite is a shipment ready to be written.
type shipmentWrite struct {
	id       shipment.ID
	key      key
	expected int64
	columns  columns
	value    []byte
	index    []byte   // the columns as lists keep them
	old      *columns // found by check; nil for a new shipment
}

// write is a transaction, encoded by the goroutine that commits it, so that the writer has little left to do.
type write struct {
	store     *Store
	tenant    string
	now       time.Time
	shipments []shipmentWrite
	keys      []keyWrite
	rows      []row
	usage     []store.UsageDelta
	counts    []store.Count
	claims    []claimWrite
	jobs      jobChange
	labels    []labelWrite
	erase     []shipment.ID
	subjects  []string // whose messages are erased
	tracking  trackingWrite
	outbox    outboxWrite
}

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, tenant string, tx *store.Tx) error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	s.committing.Add(1)
	defer s.committing.Add(-1)
	w := &write{store: s, tenant: tenant, now: tx.Now}
	if err := w.encode(tx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	r, err := w.request()
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if err := s.send(ctx, r); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	w.settle(tx)
	return nil
}

// settle tells the caller what the commit has made of the transaction.
func (w *write) settle(tx *store.Tx) {
	for _, sh := range tx.Shipments {
		sh.Revision++
		sh.Schema = shipment.Schema
	}
	for _, t := range tx.Trackers {
		t.Revision++
		t.Schema = tracker.Schema
	}
	for _, x := range tx.Subscriptions {
		x.Revision++
	}
	for i := range tx.Messages {
		tx.Messages[i].Position = w.outbox.messages[i].position
	}
	for i := range tx.PutJobs {
		j := &tx.PutJobs[i]
		if j.Tenant == "" {
			j.Tenant = w.tenant
		}
		if j.Lease != nil {
			j.Lease.Owner, j.Lease.Token = w.store.Owner(), w.jobs.put[i].token
		}
	}
}

// send gives r to the writer and waits for its answer.
func (s *Store) send(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	r.done = make(chan error, 1)
	select {
	case s.requests <- r:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *write) encode(tx *store.Tx) error {
	if err := checkParts("tenant", w.tenant); err != nil {
		return err
	}
	for _, step := range []func(*store.Tx) error{w.encodeShipments, w.encodeHistory, w.encodeTracking, w.encodeOutbox, w.encodeLabels, w.encodeKeys, w.encodeJobs, w.encodeErase, w.encodeCounts, w.encodeClaims, w.encodeDocuments} {
		if err := step(tx); err != nil {
			return err
		}
	}
	for _, u := range tx.Usage {
		if err := checkParts("account of a usage", u.Account); err != nil {
			return err
		}
		if u.Today != 0 {
			if err := checkParts("day of a usage", u.Day); err != nil {
				return err
			}
		}
	}
	w.usage = slices.Clone(tx.Usage)
	return nil
}

func (w *write) encodeShipments(tx *store.Tx) error {
	ids, externals := map[shipment.ID]bool{}, map[string]bool{}
	for _, sh := range tx.Shipments {
		if err := checkParts("shipment id", string(sh.ID)); err != nil {
			return err
		}
		if sh.Tenant != w.tenant {
			return fmt.Errorf("shipment %s is of another tenant", sh.ID)
		}
		if ids[sh.ID] {
			return fmt.Errorf("shipment %s is in the transaction twice", sh.ID)
		}
		ids[sh.ID] = true
		if x := sh.Order.ExternalID; x != "" {
			if externals[x] {
				return fmt.Errorf("shipment %s: %w", sh.ID, store.ErrDuplicate)
			}
			externals[x] = true
			if len(x) > maxKeyPart {
				return fmt.Errorf("shipment %s: external id: %w", sh.ID, store.ErrTooLarge)
			}
		}
		if sh.Order.GroupID != nil && *sh.Order.GroupID != "" {
			if err := checkParts("group id", *sh.Order.GroupID); err != nil {
				return fmt.Errorf("shipment %s: %w", sh.ID, err)
			}
		}
		c, value, err := encodeShipment(sh, sh.Revision+1)
		if err != nil {
			return err
		}
		w.shipments = append(w.shipments, shipmentWrite{
			id: sh.ID, key: shipmentKey(w.tenant, sh.ID), expected: sh.Revision, columns: c, value: value,
			index: c.encode([]byte{schema}, false),
		})
	}
	return nil
}

func (w *write) add(k key, head any, body []byte) error {
	value, err := encodeRecord(head, body)
	if err != nil {
		return err
	}
	w.rows = append(w.rows, row{k, value})
	return nil
}

func (w *write) encodeHistory(tx *store.Tx) error {
	for i := range tx.Changes {
		c := &tx.Changes[i]
		k := ofShipment(kindChange, w.tenant, c.Shipment).uint(uint64(c.Seq))
		if err := errors.Join(checkParts("shipment id of a change", string(c.Shipment)), w.add(k, &c.Change, nil)); err != nil {
			return err
		}
	}
	for i := range tx.Decisions {
		d := tx.Decisions[i]
		body := d.Record
		d.Record = nil
		k := ofShipment(kindDecision, w.tenant, d.Shipment).time(d.At).uint(w.store.rows.Add(1))
		if err := errors.Join(checkParts("shipment id of a decision", string(d.Shipment)), w.add(k, &d, body)); err != nil {
			return err
		}
	}
	for i := range tx.Exchanges {
		x := &tx.Exchanges[i]
		k := ofShipment(kindExchange, w.tenant, x.Shipment).time(x.At).uint(w.store.rows.Add(1))
		row, bodies := newExchangeRow(*x)
		if err := errors.Join(checkParts("shipment id of an exchange", string(x.Shipment)), w.add(k, &row, bodies)); err != nil {
			return err
		}
	}
	return nil
}

func (w *write) encodeJobs(tx *store.Tx) error {
	for _, j := range tx.DoneJobs {
		token := ""
		if j.Lease != nil {
			token = j.Lease.Token
		}
		id := jobID{w.tenant, j.ID}
		w.jobs.done, w.jobs.tokens = append(w.jobs.done, id), append(w.jobs.tokens, token)
	}
	for _, k := range tx.DropJobs {
		w.jobs.drop, w.jobs.kinds = append(w.jobs.drop, slotID{w.tenant, k.Key}), append(w.jobs.kinds, k.Kind)
	}
	seen := map[jobID]bool{}
	for i := range tx.PutJobs {
		j := tx.PutJobs[i]
		if err := checkParts("job id", j.ID); err != nil {
			return err
		}
		if j.Tenant == "" {
			j.Tenant = w.tenant
		}
		if err := checkParts("tenant of a job", j.Tenant); err != nil {
			return err
		}
		id := jobID{j.Tenant, j.ID}
		if seen[id] {
			return fmt.Errorf("job %s is in the transaction twice", j.ID)
		}
		seen[id] = true
		r, err := jobRow(j)
		if err != nil {
			return err
		}
		w.rows = append(w.rows, r)
		e := newEntry(&j)
		if j.Lease != nil {
			e.token, e.until = w.store.queue.token(), j.Lease.Until.UnixNano()
		}
		w.jobs.put = append(w.jobs.put, e)
	}
	return nil
}

// jobRow encodes a job without its lease, which a later opening would void.
func jobRow(j store.Job) (row, error) {
	body := j.Payload
	j.Payload, j.Lease = nil, nil
	value, err := encodeRecord(&j, body)
	return row{jobKey(j.Tenant, j.ID), value}, err
}

// request sizes the transaction and refuses what is too large.
func (w *write) request() (*request, error) {
	r := &request{check: w.check, put: w.put, outbox: w.outbox.tells()}
	if !w.jobs.empty() {
		r.jobs = &w.jobs
	}
	for _, x := range w.rows {
		r.bytes += len(x.key) + len(x.value) + entryOverhead
	}
	r.entries = len(w.rows) + 2*len(w.keys) + 2*len(w.usage) + len(w.counts) + len(w.jobs.done) + len(w.jobs.drop)
	for i := range w.shipments {
		x := &w.shipments[i]
		// A document, and at most an old and a new key of each index.
		r.bytes += len(x.value) + 8*(len(x.key)+len(x.index)+len(x.columns.externalID)+len(x.columns.group)+entryOverhead)
		r.bytes += len(x.columns.references) * 2 * len(x.key)
		r.entries += 8 + len(x.columns.references)
	}
	for _, k := range w.keys {
		r.bytes += 3*len(k.key) + len(k.value)
	}
	for _, c := range w.claims {
		r.bytes += len(c.key) + len(c.value) + entryOverhead
	}
	r.entries += len(w.claims)
	w.tracking.size(r)
	w.outbox.size(r)
	r.bytes += 64 * r.entries
	if w.store.inMemory {
		if err := w.checkMemory(); err != nil {
			return nil, err
		}
	}
	if err := w.sizeErase(r); err != nil {
		return nil, err
	}
	w.sizeLabels(r)
	if r.bytes > maxBatchBytes || r.entries > maxTxEntries {
		return nil, fmt.Errorf("%w: %d KiB in %d rows besides labels; at most %d KiB in %d rows", store.ErrTooLarge, r.bytes>>10, r.entries, maxBatchBytes>>10, maxTxEntries)
	}
	return r, nil
}

// checkMemory refuses rows that Badger does not take in memory.
func (w *write) checkMemory() error {
	largest := 0
	for _, x := range w.rows {
		largest = max(largest, len(x.value))
	}
	for i := range w.shipments {
		largest = max(largest, len(w.shipments[i].value))
	}
	largest = max(largest, w.tracking.largest(), w.outbox.largest())
	if largest >= memoryThreshold {
		return fmt.Errorf("%w: a row has %d KiB; in memory it must be below %d KiB", store.ErrTooLarge, largest>>10, memoryThreshold>>10)
	}
	return nil
}

// check runs in the writer. A used key is told before all else: who repeats a call wants its first answer, not to hear that the
// order is there already.
func (w *write) check(txn *badger.Txn) error {
	for i := range w.keys {
		if err := w.checkKey(txn, &w.keys[i]); err != nil {
			return err
		}
	}
	if err := w.store.queue.check(&w.jobs); err != nil {
		return err
	}
	for i := range w.shipments {
		x := &w.shipments[i]
		old, err := readColumns(txn, x.key)
		if err != nil {
			return err
		}
		x.old = old
		has := int64(0)
		if old != nil {
			has = old.revision
		}
		if has != x.expected {
			return fmt.Errorf("shipment %s is at revision %d, not %d: %w", x.id, has, x.expected, store.ErrConflict)
		}
	}
	if err := errors.Join(w.checkTrackers(txn), w.checkSubscriptions(txn), w.checkStanding(txn), w.checkClaims(txn)); err != nil {
		return err
	}
	for i := range w.shipments {
		if err := w.checkExternal(txn, &w.shipments[i]); err != nil {
			return err
		}
	}
	if err := w.checkNames(txn); err != nil {
		return err
	}
	if err := w.checkUsage(txn); err != nil {
		return err
	}
	return w.checkCounts(txn)
}

func readColumns(txn *badger.Txn, k key) (*columns, error) {
	item, err := txn.Get(k)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var c columns
	err = value(txn, item, func(b []byte) error {
		c, err = shipmentColumns(b)
		return err
	})
	return &c, err
}

func (w *write) checkExternal(txn *badger.Txn, x *shipmentWrite) error {
	external := x.columns.externalID
	if external == "" || x.old != nil && x.old.externalID == external {
		return nil
	}
	owner, err := get(txn, externalKey(w.tenant, external))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	// One that gives the id up in this transaction does not stand in the way.
	for i := range w.shipments {
		if o := &w.shipments[i]; string(o.id) == string(owner) && o.columns.externalID != external {
			return nil
		}
	}
	return fmt.Errorf("shipment %s: %w", x.id, store.ErrDuplicate)
}

func externalKey(tenant, external string) key { return newKey(kindExternal, tenant).last(external) }

// put runs in the writer after check.
func (w *write) put(txn *badger.Txn) error {
	p := putter{txn: txn}
	for i := range w.shipments {
		if x := &w.shipments[i]; x.old != nil {
			w.removeIndex(&p, x)
		}
	}
	for i := range w.shipments {
		w.putShipment(&p, &w.shipments[i])
	}
	w.putErase(&p)
	w.putKeys(&p)
	for _, e := range w.jobs.removed {
		p.delete(jobKey(e.tenant, e.id))
	}
	for _, r := range w.rows {
		if r.value == nil {
			p.delete(r.key)
			continue
		}
		p.set(r.key, r.value)
	}
	for _, u := range w.usage {
		p.count(openKey(w.tenant, u.Account), u.Open)
		p.count(todayKey(w.tenant, u.Account, u.Day), u.Today)
	}
	w.putCounts(&p)
	w.putClaims(&p)
	w.putLabels(&p)
	w.putTracking(&p)
	w.putOutbox(&p)
	return p.err
}

// lists are the keys under which lists find a shipment.
func lists(tenant string, id shipment.ID, c *columns) []key {
	at := func(k key) key { return k.uint(sortable(c.created)).last(string(id)) }
	ks := make([]key, 1, 3)
	ks[0] = at(newKey(kindList, tenant))
	if c.group != "" {
		ks = append(ks, at(newKey(kindGroup, tenant, c.group)))
	}
	if c.attention {
		ks = append(ks, at(newKey(kindAttention, tenant)))
	}
	return ks
}

// removeIndex deletes the index keys of the old columns that the new ones do not have.
func (w *write) removeIndex(p *putter, x *shipmentWrite) {
	if old := x.old.externalID; old != "" && old != x.columns.externalID {
		p.delete(externalKey(w.tenant, old))
	}
	stay := lists(w.tenant, x.id, &x.columns)
	for _, k := range lists(w.tenant, x.id, x.old) {
		if !slices.ContainsFunc(stay, func(s key) bool { return bytes.Equal(k, s) }) {
			p.delete(k)
		}
	}
	for _, r := range x.old.references {
		if !slices.Contains(x.columns.references, r) {
			p.delete(newKey(kindReference).last(r))
		}
	}
}

func (w *write) putShipment(p *putter, x *shipmentWrite) {
	p.set(x.key, x.value)
	if external := x.columns.externalID; external != "" && (x.old == nil || x.old.externalID != external) {
		p.set(externalKey(w.tenant, external), []byte(x.id))
	}
	for _, k := range lists(w.tenant, x.id, &x.columns) {
		p.set(k, x.index)
	}
	for _, r := range x.columns.references {
		if x.old == nil || !slices.Contains(x.old.references, r) {
			p.set(newKey(kindReference).last(r), []byte(w.tenant+"\x00"+string(x.id)))
		}
	}
}

// putter puts until the first error.
type putter struct {
	txn *badger.Txn
	err error
}

func (p *putter) set(k key, v []byte) {
	if p.err == nil {
		p.err = p.txn.Set(k, v)
	}
}

func (p *putter) delete(k key) {
	if p.err == nil {
		p.err = p.txn.Delete(k)
	}
}

// count adds n to a counter.
func (p *putter) count(k key, n int) {
	if p.err != nil || n == 0 {
		return
	}
	has, err := counter(p.txn, k)
	if err != nil {
		p.err = err
		return
	}
	p.set(k, binary.BigEndian.AppendUint64(nil, uint64(int64(has+n))))
}

func counter(txn *badger.Txn, k key) (int, error) {
	b, err := get(txn, k)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, errDamaged
	}
	return int(int64(binary.BigEndian.Uint64(b))), nil
}
