package badgerstore

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/store"
)

var errDamaged = errors.New("stored record is damaged")

// value calls read with the value of a row, which is valid during the call. A row that does not read is told by name: Badger answers an
// empty value where one does not read.
func value(txn *badger.Txn, item *badger.Item, read func([]byte) error) error {
	err := valueOnce(item, read)
	if errors.Is(err, errUnread) {
		// The file may have been collected since the row was found: then the row is found elsewhere by now.
		var again *badger.Item
		if again, err = txn.Get(item.KeyCopy(nil)); err == nil {
			err = valueOnce(again, read)
		}
	}
	return named(item.Key(), err)
}

var errUnread = fmt.Errorf("%w: its value in the value log (*.vlog) does not read", errDamaged)

func valueOnce(item *badger.Item, read func([]byte) error) error {
	return item.Value(func(b []byte) error {
		if len(b) == 0 && item.ValueSize() > 0 {
			return errUnread
		}
		return read(b)
	})
}

// valueCopy is value for a caller who keeps it.
func valueCopy(txn *badger.Txn, item *badger.Item) (b []byte, err error) {
	err = value(txn, item, func(v []byte) error { b = bytes.Clone(v); return nil })
	return b, err
}

// named names the row in an error that says that it is damaged.
func named(k key, err error) error {
	if row := new(store.DamagedError); !errors.Is(err, errDamaged) || errors.As(err, &row) {
		return err
	}
	return &store.DamagedError{Row: rowName(k), Err: err}
}

// rowWords are of the rows whose keys begin with a tenant and the id of a shipment, a tracker or a subscription.
var rowWords = map[byte]string{
	kindShipment: "shipment", kindChange: "history of shipment", kindDecision: "decisions of shipment", kindExchange: "exchanges of shipment",
	kindLabel: "label of shipment", kindTracker: "tracker", kindSubscription: "subscription", kindDelivery: "deliveries of subscription", kindJob: "job",
}

// rowName tells a row without what people have written.
func rowName(k key) string {
	word, ok := rowWords[k[0]]
	parts := bytes.SplitN(k[1:], []byte{0}, 3)
	if !ok || len(parts) < 2 {
		return fmt.Sprintf("a row of kind %q", k[:1])
	}
	return word + " " + string(parts[1])
}

// look runs a read over one moment of the store. A row that does not read makes the store refuse to write, as s.spoil says.
func (s *Store) look(read func(*badger.Txn) error) error {
	return s.noticed(guarded(func() error { return s.db.View(read) }))
}
