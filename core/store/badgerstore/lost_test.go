package badgerstore_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/store/storetest"
)

// bigOrders commits orders whose documents are in the value log: what they say does not compress.
func bigOrders(t testing.TB, s *badgerstore.Store, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		if err := s.Commit(t.Context(), "acme", &store.Tx{Shipments: []*shipment.Shipment{bigOrder(i)}}); err != nil {
			t.Fatal(err)
		}
	}
}

// closedWith is the folder of a closed store that has n orders with values in the value log.
func closedWith(t testing.TB, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, badgerstore.Config{Dir: dir})
	bigOrders(t, s, 0, n)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func bigOrder(i int) *shipment.Shipment {
	sh := storetest.NewShipment("acme", i)
	sh.Order.Attributes = map[string]any{"text": strange(i)}
	return sh
}

// strange is text of 130 KiB that does not compress.
func strange(seed int) string {
	var b []byte
	for i := range 100 {
		b = base64.StdEncoding.AppendEncode(b, noise(seed<<10|i))
	}
	return string(b)
}

// TestAFileThatIsLostWhileItServesIsNotForgotten removes a file of the value log under an open store, or cuts it, and closes the store as
// if nothing were: closing says it, and no later opening serves what is left.
func TestAFileThatIsLostWhileItServesIsNotForgotten(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"removed":        os.Remove,
		"cut":            func(path string) error { return os.Truncate(path, 50_000) },
		"cut to nothing": func(path string) error { return os.Truncate(path, 0) },
		"of zeros": func(path string) error { // as a file that was cut and laid out anew
			st, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(os.Truncate(path, 50_000), os.Truncate(path, st.Size()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := closedWith(t, 5)
			s, err := badgerstore.Open(badgerstore.Config{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "000001.vlog")
			if err := harm(path); err != nil {
				t.Fatal(err)
			}
			bigOrders(t, s, 7, 1)
			if name != "of zeros" { // which the next opening, and upkeep, see
				says(t, s.Close(), path, "damaged", "restore a backup")
			} else if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				refuses(t, badgerstore.Config{Dir: dir}, path)
			}
		})
	}
}

// TestReadinessSeesALostFile does so at once: no upkeep has run, and nobody has read.
func TestReadinessSeesALostFile(t *testing.T) {
	dir := closed(t, nil)
	s, err := badgerstore.Open(badgerstore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	path := only(t, dir, "*1.vlog")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	err = s.Check(t.Context())
	says(t, err, path, "restore a backup")
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// TestTheNewestValuesLostWhileItServes removes the file that is being written to, which has no recorded size, or cuts it.
func TestTheNewestValuesLostWhileItServes(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"removed": os.Remove,
		"cut":     func(path string) error { return os.Truncate(path, 100_000) },
	} {
		for _, seen := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", seen before: ", seen), func(t *testing.T) { loseNewest(t, harm, seen) })
		}
	}
}

func loseNewest(t *testing.T, harm func(path string) error, seen bool) {
	dir := t.TempDir()
	s, err := badgerstore.Open(badgerstore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	bigOrders(t, s, 0, 3)
	path := only(t, dir, "*.vlog")
	if err := harm(path); err != nil {
		t.Fatal(err)
	}
	if seen {
		says(t, s.Check(t.Context()), path, "damaged", "restore a backup")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	} else {
		says(t, s.Close(), path, "damaged", "restore a backup")
	}
	for range 2 {
		s, err := badgerstore.Open(badgerstore.Config{Dir: dir})
		if err == nil {
			s.Close()
			t.Fatal("a store without its values was opened")
		}
		says(t, err, "vlog", "damaged", "restore a backup") // Badger has begun an empty file of that name when the rows are asked
	}
}

// TestAFlippedByteOfCompleteValues is seen at a start, while the store is small.
func TestAFlippedByteOfCompleteValues(t *testing.T) {
	for name, key := range keys {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cfg := badgerstore.Config{Dir: dir, EncryptionKey: key}
			s := open(t, cfg)
			bigOrders(t, s, 0, 5)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := open(t, cfg).Close(); err != nil { // the file is not the newest any more
				t.Fatal(err)
			}
			path := only(t, dir, "*1.vlog")
			for _, from := range []int{200, 70_000, 400_000} {
				at := len(readFile(t, path)) - from
				flip(t, path, at)
				refuses(t, cfg, path)
				flip(t, path, at)
			}
			if err := open(t, cfg).Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestTheFirstDamagedReadEndsWriting damages a value under an open store: whoever reads it hears which record it is, nothing is accepted
// from then on, and the file is found behind that.
func TestTheFirstDamagedReadEndsWriting(t *testing.T) {
	reads := map[string]func(s *badgerstore.Store) error{
		"get": func(s *badgerstore.Store) error {
			_, err := s.Shipment(t.Context(), "acme", bigOrder(4).ID)
			return err
		},
		"list": func(s *badgerstore.Store) error {
			_, err := s.ListShipments(t.Context(), "acme", store.ShipmentQuery{})
			return err
		},
		"write": func(s *badgerstore.Store) error {
			sh := bigOrder(4)
			sh.Revision = 1
			return s.Commit(t.Context(), "acme", &store.Tx{Shipments: []*shipment.Shipment{sh}})
		},
	}
	for name, read := range reads {
		t.Run(name, func(t *testing.T) {
			dir := closedWith(t, 5)
			s := open(t, badgerstore.Config{Dir: dir})
			path := only(t, dir, "*1.vlog")
			flip(t, path, len(readFile(t, path))-200)
			if err := s.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			err := read(s)
			row, ok := errors.AsType[*store.DamagedError](err)
			if !ok || row.Row != "shipment "+string(bigOrder(4).ID) || !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("it does not say which record: %v", err)
			}
			says(t, err, "restore a backup")
			for _, err := range []error{
				s.Check(t.Context()),
				s.Commit(t.Context(), "acme", &store.Tx{Shipments: []*shipment.Shipment{storetest.NewShipment("acme", 99)}}),
			} {
				if !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("accepted with a damaged record: %v", err)
				}
				says(t, err, "damaged", "restore a backup", "vlog")
			}
			if _, err := s.Shipment(t.Context(), "acme", bigOrder(3).ID); err != nil {
				t.Errorf("a record that is whole: %v", err)
			}
			var b bytes.Buffer
			says(t, s.Backup(t.Context(), &b), path)
			says(t, s.Check(t.Context()), path)
			_ = s.Close()
			refuses(t, badgerstore.Config{Dir: dir}, path)
		})
	}
}

// TestOthersMayNotLookIn takes folders that are there already, as a service manager or an image makes them.
func TestOthersMayNotLookIn(t *testing.T) {
	mode := func(dir string) os.FileMode {
		t.Helper()
		st, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		return st.Mode().Perm()
	}
	dir := t.TempDir()
	for range 2 { // empty, and with a store in it
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := open(t, badgerstore.Config{Dir: dir}).Close(); err != nil {
			t.Fatal(err)
		}
		if m := mode(dir); m != 0o700 {
			t.Errorf("a store in a folder of mode %o", m)
		}
	}
	restored := t.TempDir()
	if err := errors.Join(os.Chmod(restored, 0o750), badgerstore.Restore(badgerstore.Config{Dir: restored}, bytes.NewReader(secretStore(t, nil)))); err != nil {
		t.Fatal(err)
	}
	if m := mode(restored); m != 0o700 {
		t.Errorf("a restored store in a folder of mode %o", m)
	}
	other := t.TempDir()
	if err := errors.Join(os.Chmod(other, 0o755), os.WriteFile(filepath.Join(other, "somebody's"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	_, err := badgerstore.Open(badgerstore.Config{Dir: other})
	says(t, err, other, "chmod 700 "+other, "other users")
	if m := mode(other); m != 0o755 {
		t.Errorf("a folder that is something else's was closed: mode %o", m)
	}
	if err := os.Chmod(other, 0o700); err != nil {
		t.Fatal(err)
	}
	open(t, badgerstore.Config{Dir: other})
}

// TestADamagedKeyRegistryIsNamed does to it what disks and people do.
func TestADamagedKeyRegistryIsNamed(t *testing.T) {
	for name, key := range keys {
		t.Run(name, func(t *testing.T) {
			dir := closed(t, key)
			cfg := badgerstore.Config{Dir: dir, EncryptionKey: key}
			path := filepath.Join(dir, "KEYREGISTRY")
			whole := readFile(t, path)
			const head = 28
			harms := map[string][]byte{"emptied": {}, "cut in its head": whole[:20], "appended to": append(bytes.Clone(whole), noise(1)...), "a little appended": append(bytes.Clone(whole), 1, 2, 3)}
			if key != nil {
				harms["cut"], harms["cut at a key"] = whole[:len(whole)-5], whole[:head]
				harms["zeroed"] = append(bytes.Clone(whole[:head]), make([]byte, len(whole)-head)...)
				for at := head; at < len(whole); at += every(3) {
					b := bytes.Clone(whole)
					b[at] ^= 0x41
					harms[fmt.Sprint("flipped at ", at)] = b
				}
			}
			for what, b := range harms {
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				if refuses(t, cfg, path); t.Failed() {
					t.Fatal(what)
				}
			}
			// Its beginning tells the store's key: which of the two is wrong nothing tells.
			b := bytes.Clone(whole)
			b[head-1] ^= 0x41
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := badgerstore.Open(cfg)
			says(t, err, path, "the encryption key is not that of", "restore a backup")
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			hasOrders(t, open(t, cfg), 0, 100)
		})
	}
}
