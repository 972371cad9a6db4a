package badgerstore_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/store/storetest"
)

var storeKey = bytes.Repeat([]byte("k"), 32)

// TestBackupsAreOfOneMoment backs up while eight writers commit pairs of shipments in one transaction each, and commits in order:
// a copy must hold both of a pair or neither, and with a pair all that its writer had committed before.
func TestBackupsAreOfOneMoment(t *testing.T) {
	t.Parallel()
	s := open(t, badgerstore.Config{Dir: t.TempDir(), EncryptionKey: storeKey})
	const writers, copies = 8, 3
	stop := make(chan struct{})
	var all sync.WaitGroup
	name := func(w, n, half int) string { return fmt.Sprintf("w%d-%d-%d", w, n, half) }
	begun := make(chan struct{}, writers)
	for w := range writers {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				pair := []*shipment.Shipment{storetest.NewShipment("acme", w<<24|n<<1), storetest.NewShipment("acme", w<<24|n<<1|1)}
				pair[0].Order.ExternalID, pair[1].Order.ExternalID = name(w, n, 0), name(w, n, 1)
				claim := store.Claim{Name: name(w, n, 0), Shipment: pair[0].ID}
				if err := s.Commit(t.Context(), "acme", &store.Tx{Shipments: pair, Claims: []store.Claim{claim}}); err != nil {
					t.Error(err)
					return
				}
				if n == 10 {
					begun <- struct{}{}
				}
			}
		})
	}
	for range writers {
		<-begun
	}
	var backups [copies]bytes.Buffer
	for i := range backups {
		if err := s.Backup(t.Context(), &backups[i]); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	all.Wait()
	for i := range backups {
		cfg := badgerstore.Config{Dir: filepath.Join(t.TempDir(), "restored"), EncryptionKey: storeKey}
		if err := badgerstore.Restore(cfg, &backups[i]); err != nil {
			t.Fatal(err)
		}
		r := open(t, cfg)
		there := func(w, n, half int) bool {
			_, err := r.ShipmentByExternalID(t.Context(), "acme", name(w, n, half))
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Fatal(err)
			}
			return err == nil
		}
		pairs := 0
		for w := range writers {
			n := 0
			for ; there(w, n, 0); n++ {
				has, err := r.Claimants(t.Context(), []string{name(w, n, 0)})
				if err != nil {
					t.Fatal(err)
				}
				if !there(w, n, 1) || has[0].Shipment == "" {
					t.Fatalf("backup %d holds half of the transaction %d of writer %d", i, n, w)
				}
			}
			if n <= 10 {
				t.Errorf("backup %d lacks transaction %d of writer %d, which had been acknowledged", i, n, w)
			}
			for later := range 20 {
				if there(w, n+later, 0) || there(w, n+later, 1) {
					t.Errorf("backup %d lacks transaction %d of writer %d, and holds the later %d", i, n, w, n+later)
				}
			}
			pairs += n
		}
		t.Logf("backup %d: %d transactions", i, pairs)
	}
}

// secretStore is a store with one name in it, and its backup.
func secretStore(t *testing.T, key []byte) []byte {
	t.Helper()
	s := open(t, badgerstore.Config{Dir: t.TempDir(), EncryptionKey: key})
	tx := &store.Tx{}
	for i := range 300 { // several pieces
		sh := storetest.NewShipment("acme", i)
		sh.Order.DeliveryContact.Name = fmt.Sprint("Canary Person ", i*7919)
		tx.Shipments = append(tx.Shipments, sh)
		tx.Messages = append(tx.Messages, store.Message{ID: "m", Subject: store.ShipmentSubject(string(sh.ID)), Topic: "shipment.order_dispatched", Body: noise(i)})
	}
	if err := s.Commit(t.Context(), "acme", tx); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// noise does not compress.
func noise(seed int) []byte {
	b := make([]byte, 1000)
	x := uint64(seed)*0x9e3779b97f4a7c15 + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}

func TestEncryptedBackupsTellNothingAndNoticeEverything(t *testing.T) {
	b := secretStore(t, storeKey)
	line, data, _ := bytes.Cut(b, []byte{'\n'})
	if bytes.Contains(data, []byte{0x1f, 0x8b, 0x08, 0x00}) || bytes.Contains(data, []byte("Canary")) {
		t.Error("the data is not encrypted")
	}
	const piece = 64<<10 + 16
	if len(data) < 3*piece {
		t.Fatalf("a backup of %d bytes has too few pieces for this test", len(data))
	}
	changed := func(change func(line, data []byte) []byte) []byte {
		return change(append(bytes.Clone(line), '\n'), bytes.Clone(data))
	}
	var other bytes.Buffer
	other.Write(secretStore(t, storeKey))
	foreign, _, _ := bytes.Cut(other.Bytes(), []byte{'\n'})
	for name, bad := range map[string][]byte{
		"a flipped bit":  changed(func(l, d []byte) []byte { d[len(d)/2] ^= 1; return append(l, d...) }),
		"cut at a piece": changed(func(l, d []byte) []byte { return append(l, d[:piece]...) }),
		"cut in a piece": changed(func(l, d []byte) []byte { return append(l, d[:piece+100]...) }),
		"pieces exchanged": changed(func(l, d []byte) []byte {
			return append(append(append(l, d[piece:2*piece]...), d[:piece]...), d[2*piece:]...)
		}),
		"a piece left out": changed(func(l, d []byte) []byte { return append(append(l, d[:piece]...), d[2*piece:]...) }),
		"data after it":    changed(func(l, d []byte) []byte { return append(append(l, d...), "more"...) }),
		"nothing after":    changed(func(l, _ []byte) []byte { return l }),
		"another's line":   changed(func(_, d []byte) []byte { return append(append(bytes.Clone(foreign), '\n'), d...) }),
		"a changed line": changed(func(l, d []byte) []byte {
			return append(bytes.Replace(l, []byte(`"schema":`), []byte(`"schema": `), 1), d...)
		}),
		"said to be plain":  changed(func(_, d []byte) []byte { return append([]byte("waybill-backup {\"format\":1,\"schema\":1}\n"), d...) }),
		"no backup of ours": []byte("PK\x03\x04 something else"),
	} {
		t.Run(name, func(t *testing.T) {
			cfg := badgerstore.Config{Dir: filepath.Join(t.TempDir(), "r"), EncryptionKey: storeKey}
			if err := badgerstore.Restore(cfg, bytes.NewReader(bad)); err == nil {
				t.Fatal("was restored")
			}
			if left, err := os.ReadDir(cfg.Dir); err != nil || len(left) > 0 {
				t.Errorf("what a failure left: %v, %v", left, err)
			}
		})
	}
	dir := filepath.Join(t.TempDir(), "r")
	says(t, badgerstore.Restore(badgerstore.Config{Dir: dir}, bytes.NewReader(b)), "is encrypted", "store.encryption_key")
	says(t, badgerstore.Restore(badgerstore.Config{Dir: dir, EncryptionKey: bytes.Repeat([]byte("x"), 32)}, bytes.NewReader(b)), "another encryption key")
	if err := badgerstore.Restore(badgerstore.Config{Dir: dir, EncryptionKey: storeKey}, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	if _, err := badgerstore.Open(badgerstore.Config{Dir: dir}); err == nil {
		t.Error("what was restored from an encrypted backup is plain")
	}
}

func TestAPlainBackupCanBecomeAnEncryptedStore(t *testing.T) {
	b := secretStore(t, nil)
	cfg := badgerstore.Config{Dir: filepath.Join(t.TempDir(), "r"), EncryptionKey: storeKey}
	if err := badgerstore.Restore(cfg, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	if sh, err := open(t, cfg).ShipmentByExternalID(t.Context(), "acme", "order-3"); err != nil || !strings.HasPrefix(sh.Order.DeliveryContact.Name, "Canary") {
		t.Errorf("%+v, %v", sh, err)
	}
}

func TestNewerBackupsAreRefused(t *testing.T) {
	_, data, _ := bytes.Cut(secretStore(t, nil), []byte{'\n'})
	for _, head := range []map[string]any{{"format": 1, "schema": badgerstore.Schema + 1}, {"format": 2, "schema": 1}} {
		line, err := json.Marshal(head)
		if err != nil {
			t.Fatal(err)
		}
		b := append(append([]byte("waybill-backup "), append(line, '\n')...), data...)
		says(t, badgerstore.Restore(badgerstore.Config{Dir: filepath.Join(t.TempDir(), "r")}, bytes.NewReader(b)), "newer one")
	}
}

// TestABackupOfAbsurdLengthsIsRefused has checksums that hold, as somebody may have made it.
func TestABackupOfAbsurdLengthsIsRefused(t *testing.T) {
	head, _, _ := bytes.Cut(secretStore(t, nil), []byte{'\n'})
	for name, rows := range map[string][]byte{
		"more than there is memory": binary.LittleEndian.AppendUint64(nil, 1<<60),
		"less than nothing":         binary.LittleEndian.AppendUint64(nil, 1<<63+1),
		"more than follows":         append(binary.LittleEndian.AppendUint64(nil, 100), "short"...),
		"no rows":                   append(binary.LittleEndian.AppendUint64(nil, 5), 0xff, 0xff, 0xff, 0xff, 0xff),
		"half a length":             {1, 2, 3},
	} {
		var b bytes.Buffer
		b.Write(append(head, '\n'))
		w := gzip.NewWriter(&b)
		if _, err := w.Write(rows); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "r")
		err := badgerstore.Restore(badgerstore.Config{Dir: dir}, &b)
		says(t, err, "the backup is not restored")
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: %d files are left", name, len(left))
		}
	}
}

// TestAHalfRestoredFolderIsNotOpened dies while restoring: what is there before the last bytes are read is what a crash leaves.
func TestAHalfRestoredFolderIsNotOpened(t *testing.T) {
	b := secretStore(t, nil)
	dir, crashed := filepath.Join(t.TempDir(), "r"), filepath.Join(t.TempDir(), "crashed")
	copied := false
	r := io.MultiReader(bytes.NewReader(b[:len(b)-100]), readFunc(func() {
		copied = true
		if err := os.Mkdir(crashed, 0o700); err != nil {
			t.Error(err)
		}
		files, err := os.ReadDir(dir)
		for _, f := range files { // linked: the files of the database are large, and it is not asked to open them
			err = errors.Join(err, os.Link(filepath.Join(dir, f.Name()), filepath.Join(crashed, f.Name())))
		}
		if err != nil {
			t.Error(err)
		}
	}), bytes.NewReader(b[len(b)-100:]))
	if err := badgerstore.Restore(badgerstore.Config{Dir: dir}, r); err != nil {
		t.Fatal(err)
	}
	if !copied {
		t.Fatal("nothing was copied half way")
	}
	_, err := badgerstore.Open(badgerstore.Config{Dir: crashed})
	says(t, err, crashed, "restore again")
	open(t, badgerstore.Config{Dir: dir})
}

// readFunc is called when it is read, and is empty.
type readFunc func()

func (f readFunc) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}
