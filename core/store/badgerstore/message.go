package badgerstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/store"
)

// messageWrite is a message ready to be written.
type messageWrite struct {
	subject  string
	at       uint64 // sortable
	value    []byte
	position uint64 // given by the writer
}

// outboxWrite is what a transaction writes of store.Outbox.
type outboxWrite struct {
	messages      []messageWrite
	subscriptions []subscriptionWrite
	drop          []string
	cursors       []store.Cursor
	deliveries    []deliveryWrite
	standing      []key // of messages that must be there
}

// tells says whether those who wait for messages are to look. What was delivered is no news to anybody.
func (o *outboxWrite) tells() bool {
	return len(o.messages)+len(o.subscriptions) > 0 || slices.ContainsFunc(o.deliveries, func(d deliveryWrite) bool { return d.columns.due != noTime })
}

// messagePlace is the end of a message's keys, in the log and of its subject.
func messagePlace(k key, position, at uint64) key { return k.uint(position).uint(at) }

// logEndKey holds the last position given. It outlives the messages, so that no position is given twice.
func logEndKey(tenant string) key { return newKey(kindLogEnd).last(tenant) }

func (w *write) encodeOutbox(tx *store.Tx) error {
	for i := range tx.Messages {
		m := tx.Messages[i]
		body := m.Body
		m.Body, m.Position = nil, 0 // the writer knows it
		if err := checkParts("id or subject of a message", m.ID, m.Subject); err != nil {
			return err
		}
		value, err := encodeRecord(&m, body)
		if err != nil {
			return err
		}
		w.outbox.messages = append(w.outbox.messages, messageWrite{subject: m.Subject, at: sortable(m.At.UnixNano()), value: value})
	}
	for i := range tx.Standing {
		m := &tx.Standing[i]
		w.outbox.standing = append(w.outbox.standing, messagePlace(newKey(kindMessage, w.tenant), m.Position, sortable(m.At.UnixNano())))
	}
	return errors.Join(w.encodeSubscriptions(tx), w.encodeDeliveries(tx))
}

// checkStanding refuses what belongs to a message that is not there any more.
func (w *write) checkStanding(txn *badger.Txn) error {
	for _, k := range w.outbox.standing {
		if there, err := exists(txn, k); err != nil || !there {
			return errors.Join(err, fmt.Errorf("a message is not in the log any more: %w", store.ErrConflict))
		}
	}
	return nil
}

func (o *outboxWrite) size(r *request) {
	for i := range o.messages {
		m := &o.messages[i]
		r.bytes += len(m.value) + len(m.subject) + 3*entryOverhead
	}
	r.entries += 3 * len(o.messages)
	for i := range o.subscriptions {
		r.bytes += len(o.subscriptions[i].value)
	}
	r.entries += len(o.subscriptions) + len(o.cursors) + 3*len(o.drop)
	for i := range o.deliveries {
		d := &o.deliveries[i]
		r.bytes += len(d.value) + 4*(len(d.index)+len(d.columns.subject)+len(d.subscription)+entryOverhead)
	}
	r.entries += 5 * len(o.deliveries)
}

func (o *outboxWrite) largest() (n int) {
	for i := range o.messages {
		n = max(n, len(o.messages[i].value))
	}
	for i := range o.subscriptions {
		n = max(n, len(o.subscriptions[i].value))
	}
	for i := range o.deliveries {
		n = max(n, len(o.deliveries[i].value))
	}
	return n
}

func (w *write) putOutbox(p *putter) {
	w.putMessages(p)
	w.putSubscriptions(p)
	w.putDeliveries(p)
}

// putMessages gives positions: commits come to here one after another, in the order in which they become visible.
func (w *write) putMessages(p *putter) {
	if len(w.outbox.messages) == 0 || p.err != nil {
		return
	}
	end, err := uintAt(p.txn, logEndKey(w.tenant))
	if err != nil {
		p.err = err
		return
	}
	for i := range w.outbox.messages {
		m := &w.outbox.messages[i]
		end++
		m.position = end
		p.set(messagePlace(newKey(kindMessage, w.tenant), end, m.at), m.value)
		p.set(messagePlace(newKey(kindSubject, w.tenant, m.subject), end, m.at), []byte{})
	}
	p.set(logEndKey(w.tenant), key(nil).uint(end))
}

// uintAt reads a number, 0 where there is none.
func uintAt(txn *badger.Txn, k key) (uint64, error) {
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
	return binary.BigEndian.Uint64(b), nil
}

func decodeMessage(b []byte, position uint64) (store.Message, error) {
	var m store.Message
	body, err := decodeRecord(b, &m)
	if len(body) > 0 {
		m.Body = body
	}
	m.Position = position
	return m, err
}

// MessageLog implements store.Outbox.
func (s *Store) MessageLog(ctx context.Context, tenant string, after uint64, limit int) ([]store.Message, error) {
	var all []store.Message
	prefix := newKey(kindMessage, tenant)
	err := s.view(ctx, func(txn *badger.Txn) error {
		if after+1 == 0 {
			return nil
		}
		it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
		defer it.Close()
		for it.Seek(newKey(kindMessage, tenant).uint(after + 1)); it.Valid() && len(all) < limit; it.Next() {
			b, err := valueCopy(txn, it.Item())
			if err != nil {
				return err
			}
			r := reader{b: it.Item().Key()[len(prefix):]}
			m, err := decodeMessage(b, uint64(r.int64()))
			err = named(it.Item().Key(), err)
			if err != nil {
				return fmt.Errorf("position %d: %w", m.Position, err)
			}
			all = append(all, m)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("messages after %d: %w", after, err)
	}
	return all, nil
}

// MessagesOf implements store.Outbox.
func (s *Store) MessagesOf(ctx context.Context, tenant, subject string) ([]store.Message, error) {
	var all []store.Message
	prefix := newKey(kindSubject, tenant, subject)
	err := s.view(ctx, func(txn *badger.Txn) error {
		return scanKeys(txn, prefix, func(k []byte) error {
			place := k[len(prefix):]
			r := reader{b: place}
			position := uint64(r.int64())
			b, err := get(txn, newKey(kindMessage, tenant).last(string(place)))
			if err != nil {
				return fmt.Errorf("position %d: %w", position, err)
			}
			m, err := decodeMessage(b, position)
			all = append(all, m)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("messages about %s: %w", subject, err)
	}
	return all, nil
}

// LogEnd implements store.Outbox.
func (s *Store) LogEnd(ctx context.Context, tenant string) (uint64, error) {
	var end uint64
	err := s.view(ctx, func(txn *badger.Txn) (err error) {
		end, err = uintAt(txn, logEndKey(tenant))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("end of the log: %w", err)
	}
	return end, nil
}

// MessagesChanged implements store.Outbox.
func (s *Store) MessagesChanged() <-chan struct{} { return s.messagesChanged }

// messageKeys are the keys of the messages about a subject.
func messageKeys(txn *badger.Txn, tenant string, about string) ([]key, error) {
	var keys []key
	prefix := newKey(kindSubject, tenant, about)
	err := scanKeys(txn, prefix, func(k []byte) error {
		keys = append(keys, k, newKey(kindMessage, tenant).last(string(k[len(prefix):])))
		return nil
	})
	return keys, err
}

// deleteSubject removes what finds a message by its subject; the message itself, at k, is about to be removed.
func deleteSubject(tenant string) func(*badger.Txn, key) error {
	prefix := newKey(kindMessage, tenant)
	return func(txn *badger.Txn, k key) error {
		var m store.Message
		if err := readInto(txn, k, &m); err != nil {
			return err
		}
		return txn.Delete(newKey(kindSubject, tenant, m.Subject).last(string(k[len(prefix):])))
	}
}
