package badgerstore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/store"
	"golang.org/x/sys/unix"
)

var errDamaged = errors.New("stored record is damaged")

// fileDamage says that a file of the store is not as it was written.
type fileDamage struct{ error }

func (d fileDamage) Unwrap() error { return errors.Unwrap(d.error) }

// damage is the error for a file that does not read, or reads otherwise than it was written.
func damage(dir, path, what string, args ...any) error {
	err := fmt.Errorf(what, args...)
	if hindered(err) {
		return fmt.Errorf("store: %s cannot be read, and whether it is whole is not known: %w", path, err)
	}
	return fileDamage{fmt.Errorf("store: %s is damaged: %w; the disk or somebody has changed it: move the folder %s away and restore a backup: waybill restore FILE",
		path, err, dir)}
}

// hindered reports whether it was the process that could not look: it may not, or has no files or memory left.
func hindered(err error) bool {
	for _, why := range []error{unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EACCES, unix.EPERM} {
		if errors.Is(err, why) {
			return true
		}
	}
	return false
}

// orAccept says how to go on without a backup.
func orAccept(dir string) string {
	return fmt.Sprintf("or, to serve what is found, which may be less than was acknowledged, make an empty file %s and start again", filepath.Join(dir, acceptName))
}

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

// damagedName is the file that keeps which damage was found: compaction may have made it invisible by the next start, and what was lost
// stays lost.
const damagedName = "DAMAGED"

// sayDamaged notes a damage for the starts to come.
func sayDamaged(dir string, what error) error {
	path := filepath.Join(dir, damagedName)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // the first is the cause
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, what)
	return errors.Join(err, f.Sync(), f.Close(), syncDir(dir))
}

// saidDamaged is the damage that an earlier process has found in the folder, nil where none has.
func saidDamaged(dir string) error {
	path := filepath.Join(dir, damagedName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return fmt.Errorf("%s (found while the store served, and kept in %s: remove that file if what it names is whole again); %s",
		strings.TrimSpace(string(b)), path, orAccept(dir))
}
