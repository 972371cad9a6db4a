package badgerstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"github.com/go-json-experiment/json"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
)

// trackerColumns is what the store itself needs of a tracker. It stands before the document, so that an update removes the index
// keys of before without reading that.
type trackerColumns struct {
	revision int64
	created  int64 // nanoseconds
	due      int64 // likewise; noTime where the carrier is not to be asked
	account  string
	surface  string
	names    []string
	tags     []string
}

func trackerColumnsOf(t *tracker.Tracker) trackerColumns {
	return trackerColumns{
		revision: t.Revision, created: t.CreatedAt.UnixNano(), due: instant(t.NextPoll),
		account: t.Account, surface: string(t.Surface), names: t.Names, tags: t.Tags,
	}
}

func (c *trackerColumns) encode(b []byte) []byte {
	for _, n := range []int64{c.revision, c.created, c.due} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = appendText(appendText(b, c.account), c.surface)
	for _, list := range [][]string{c.names, c.tags} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, s := range list {
			b = appendText(b, s)
		}
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func decodeTrackerColumns(b []byte) (trackerColumns, error) {
	r := reader{b: b}
	c := trackerColumns{revision: r.int64(), created: r.int64(), due: r.int64(), account: r.text(), surface: r.text()}
	for _, list := range []*[]string{&c.names, &c.tags} {
		for range r.count() {
			*list = append(*list, r.text())
		}
	}
	if r.bad || len(r.b) != 0 {
		return trackerColumns{}, fmt.Errorf("%w: the columns of a tracker do not read", errDamaged)
	}
	return c, nil
}

// index are the rows by which a tracker is found.
func (c *trackerColumns) index(tenant string, id tracker.ID) []row {
	at := func(k key) key { return k.uint(sortable(c.created)).last(string(id)) }
	rows := make([]row, 0, 3+len(c.names)+len(c.tags))
	rows = append(rows, row{at(newKey(kindTrackers, tenant, c.surface)), []byte{}}, row{at(newKey(kindTrackers, tenant, "")), []byte{}})
	if c.due != noTime {
		rows = append(rows, row{newKey(kindDue, tenant, c.account).uint(sortable(c.due)).last(string(id)), []byte{}})
	}
	for _, name := range c.names {
		rows = append(rows, row{nameKey(tenant, name), []byte(id)})
	}
	for _, tag := range c.tags {
		rows = append(rows, row{at(newKey(kindTag, tenant, tag)), []byte(c.surface)})
	}
	return rows
}

func nameKey(tenant, name string) key { return newKey(kindName, tenant).last(name) }

func trackerKey(tenant string, id tracker.ID) key {
	return newKey(kindTracker, tenant).last(string(id))
}

// encodeTracker writes the document under the revision that it will have.
func encodeTracker(t *tracker.Tracker, revision int64) (trackerColumns, []byte, error) {
	copied := *t
	copied.Revision, copied.Schema = revision, tracker.Schema
	c := trackerColumnsOf(&copied)
	doc, err := json.Marshal(&copied, codec)
	if err != nil {
		return c, nil, fmt.Errorf("tracker %s: %w", t.ID, err)
	}
	if len(doc) > maxRecordBytes {
		return c, nil, fmt.Errorf("tracker %s: %w", t.ID, tooLarge(len(doc)))
	}
	return c, frame(c.encode(make([]byte, 0, 256)), doc), nil
}

func decodeTracker(b []byte) (*tracker.Tracker, error) {
	_, doc, err := splitRecord(b)
	if err != nil {
		return nil, err
	}
	t := &tracker.Tracker{}
	if err := json.Unmarshal(doc, t, codec); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if t.Schema > tracker.Schema {
		return nil, fmt.Errorf("tracker %s has schema %d, this program reads up to %d; use the version that wrote it or a newer one", t.ID, t.Schema, tracker.Schema)
	}
	return t, nil
}

// columnsBefore reads the columns before a tracker's document.
func columnsBefore(b []byte) (trackerColumns, error) {
	form, head, _, err := parts(b)
	if err == nil && form&headCompressed != 0 {
		head, err = unpack(head)
	}
	if err != nil {
		return trackerColumns{}, err
	}
	return decodeTrackerColumns(head)
}

// readTracker returns the columns of a stored tracker, nil where there is none.
func readTracker(txn *badger.Txn, tenant string, id tracker.ID) (*trackerColumns, error) {
	item, err := txn.Get(trackerKey(tenant, id))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var c trackerColumns
	err = value(txn, item, func(b []byte) error {
		c, err = columnsBefore(b)
		return err
	})
	return &c, err
}

// trackerWrite is a tracker ready to be written.
type trackerWrite struct {
	id       tracker.ID
	expected int64
	columns  trackerColumns
	value    []byte
	index    []row
	old      []row    // the index rows of before, found by check
	oldNames []string // likewise
}

// trackingWrite is what a transaction writes of store.Tracking.
type trackingWrite struct {
	trackers []trackerWrite
	drop     []tracker.ID
	dropped  [][]row // the index rows of those to be dropped, found by check
	parked   []parkedWrite
	unpark   []string
}

func (w *write) encodeTracking(tx *store.Tx) error {
	ids, names := map[tracker.ID]bool{}, map[string]bool{}
	for _, t := range tx.Trackers {
		if ids[t.ID] {
			return fmt.Errorf("tracker %s is in the transaction twice", t.ID)
		}
		ids[t.ID] = true
		if err := w.encodeTracker(t, names); err != nil {
			return err
		}
	}
	for _, id := range tx.DropTrackers {
		if err := checkParts("id of a tracker to drop", string(id)); err != nil {
			return err
		}
		if ids[id] {
			return fmt.Errorf("tracker %s is in the transaction twice", id)
		}
		ids[id] = true
	}
	w.tracking.drop = slices.Clone(tx.DropTrackers)
	return w.encodeParked(tx)
}

// encodeTracker collects the names, which two trackers of a transaction do not share.
func (w *write) encodeTracker(t *tracker.Tracker, names map[string]bool) error {
	if err := checkParts("id or surface of a tracker", string(t.ID), string(t.Surface)); err != nil {
		return err
	}
	if t.Tenant != w.tenant {
		return fmt.Errorf("tracker %s is of another tenant", t.ID)
	}
	if t.Account != "" {
		if err := checkParts("account", t.Account); err != nil {
			return fmt.Errorf("tracker %s: %w", t.ID, err)
		}
	}
	for _, name := range t.Names {
		switch {
		case name == "":
			return fmt.Errorf("tracker %s has an empty name", t.ID)
		case len(name) > maxKeyPart:
			return fmt.Errorf("tracker %s: name: %w", t.ID, store.ErrTooLarge)
		case names[name]:
			return fmt.Errorf("tracker %s: %w", t.ID, store.ErrDuplicate)
		}
		names[name] = true
	}
	if err := checkParts("tag", t.Tags...); err != nil {
		return fmt.Errorf("tracker %s: %w", t.ID, err)
	}
	c, value, err := encodeTracker(t, t.Revision+1)
	if err != nil {
		return err
	}
	c.names, c.tags = slices.Clone(c.names), slices.Clone(c.tags)
	w.tracking.trackers = append(w.tracking.trackers, trackerWrite{
		id: t.ID, expected: t.Revision, columns: c, value: value, index: c.index(w.tenant, t.ID),
	})
	return nil
}

// size counts as many index rows to be removed as are put.
func (t *trackingWrite) size(r *request) {
	for i := range t.trackers {
		x := &t.trackers[i]
		r.entries += 1 + 2*len(x.index)
		r.bytes += len(x.value)
		for _, x := range x.index {
			r.bytes += 2 * (len(x.key) + len(x.value) + entryOverhead)
		}
	}
	r.entries += 10 * len(t.drop)
	r.bytes += 10 * 128 * len(t.drop)
	for i := range t.parked {
		p := &t.parked[i]
		r.entries += 1 + 2*len(p.index)
		r.bytes += len(p.value)
		for _, x := range p.index {
			r.bytes += 2 * (len(x.key) + entryOverhead)
		}
	}
	r.entries += 5 * len(t.unpark)
	r.bytes += 5 * 128 * len(t.unpark)
}

func (t *trackingWrite) largest() (n int) {
	for i := range t.trackers {
		n = max(n, len(t.trackers[i].value))
	}
	for i := range t.parked {
		n = max(n, len(t.parked[i].value))
	}
	return n
}

// checkTrackers compares revisions, and finds what is to be removed from the indexes.
func (w *write) checkTrackers(txn *badger.Txn) error {
	for i := range w.tracking.trackers {
		x := &w.tracking.trackers[i]
		old, err := readTracker(txn, w.tenant, x.id)
		if err != nil {
			return err
		}
		has := int64(0)
		x.old, x.oldNames = nil, nil
		if old != nil {
			has, x.old, x.oldNames = old.revision, old.index(w.tenant, x.id), old.names
		}
		if has != x.expected {
			return fmt.Errorf("tracker %s is at revision %d, not %d: %w", x.id, has, x.expected, store.ErrConflict)
		}
	}
	w.tracking.dropped = make([][]row, len(w.tracking.drop))
	for i, id := range w.tracking.drop {
		old, err := readTracker(txn, w.tenant, id)
		if err != nil {
			return err
		}
		if old != nil {
			w.tracking.dropped[i] = old.index(w.tenant, id)
		}
	}
	return nil
}

// checkNames refuses names that another tracker has, unless this transaction takes it from that.
func (w *write) checkNames(txn *badger.Txn) error {
	for i := range w.tracking.trackers {
		x := &w.tracking.trackers[i]
		for _, name := range x.columns.names {
			if slices.Contains(x.oldNames, name) {
				continue
			}
			owner, err := get(txn, nameKey(w.tenant, name))
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if !w.gives(tracker.ID(owner), name) {
				return fmt.Errorf("tracker %s: %w", x.id, store.ErrDuplicate)
			}
		}
	}
	return nil
}

// gives tells whether a tracker gives a name up in this transaction.
func (w *write) gives(id tracker.ID, name string) bool {
	for i := range w.tracking.trackers {
		if x := &w.tracking.trackers[i]; x.id == id {
			return !slices.Contains(x.columns.names, name)
		}
	}
	return slices.Contains(w.tracking.drop, id)
}

func (w *write) putTracking(p *putter) {
	for i := range w.tracking.trackers {
		x := &w.tracking.trackers[i]
		for _, old := range x.old {
			if !has(x.index, old) {
				p.delete(old.key)
			}
		}
	}
	for i, rows := range w.tracking.dropped {
		for _, old := range rows {
			p.delete(old.key)
		}
		if rows != nil {
			p.delete(trackerKey(w.tenant, w.tracking.drop[i]))
		}
	}
	for i := range w.tracking.trackers {
		x := &w.tracking.trackers[i]
		p.set(trackerKey(w.tenant, x.id), x.value)
		for _, fresh := range x.index {
			if !has(x.old, fresh) {
				p.set(fresh.key, fresh.value)
			}
		}
	}
	w.putParked(p)
}

func has(rows []row, x row) bool {
	return slices.ContainsFunc(rows, func(r row) bool { return bytes.Equal(r.key, x.key) && bytes.Equal(r.value, x.value) })
}
