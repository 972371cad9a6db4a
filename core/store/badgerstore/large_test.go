package badgerstore_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/store/storetest"
)

// heard is a log's output that tells when a line has these words.
type heard struct {
	words string
	told  chan struct{}
	once  sync.Once
}

func (h *heard) Write(b []byte) (int, error) {
	if strings.Contains(string(b), h.words) {
		h.once.Do(func() { close(h.told) })
	}
	return len(b), nil
}

// largeTables makes a store that has tables, and closes it.
func largeTables(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, badgerstore.Config{Dir: dir})
	for i := range 45 {
		tx := &store.Tx{}
		for parcel := range 16 { // small enough for tables
			tx.Labels = append(tx.Labels, label(storetest.NewShipment("acme", i).ID, parcel+1, bytes.Repeat(noise(i), 60)))
		}
		if err := s.Commit(t.Context(), "acme", tx); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestDamageToALargeStoreIsSeenWhileItServes has more in tables than is read before a store opens.
func TestDamageToALargeStoreIsSeenWhileItServes(t *testing.T) {
	dir := largeTables(t)
	path := newestFile(t, dir, "*.sst")
	seenWhileItServes(t, dir, path)
	flip(t, path, len(readFile(t, path))/3) // as compaction, which leaves nothing to be seen
	_, err := badgerstore.Open(badgerstore.Config{Dir: dir})
	says(t, err, path, filepath.Join(dir, "DAMAGED"), "restore a backup", "ACCEPT-LOSS")
	if err := os.WriteFile(filepath.Join(dir, "ACCEPT-LOSS"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := open(t, badgerstore.Config{Dir: dir}).Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestADamagedTableIsNotOpened has less than is read before a store opens: Badger would compact it.
func TestADamagedTableIsNotOpened(t *testing.T) {
	dir := largeTables(t)
	path := newestFile(t, dir, "*.sst")
	flip(t, path, len(readFile(t, path))/3)
	_, err := badgerstore.Open(badgerstore.Config{Dir: dir})
	says(t, err, path, "restore a backup")
}

// TestATableThatIsWrittenToWhileItServesIsSeen when the store is asked how it is.
func TestATableThatIsWrittenToWhileItServesIsSeen(t *testing.T) {
	dir := largeTables(t)
	s := open(t, badgerstore.Config{Dir: dir})
	defer s.Close()
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := newestFile(t, dir, "*.sst")
	flip(t, path, len(readFile(t, path))/3)
	says(t, s.Check(t.Context()), path, "restore a backup")
	err := s.Commit(t.Context(), "acme", &store.Tx{Shipments: []*shipment.Shipment{storetest.NewShipment("acme", 1)}})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("accepted with a damaged table: %v", err)
	}
}

// TestDamageToLargeValuesIsSeenWhileItServes has more in the value log than that.
func TestDamageToLargeValuesIsSeenWhileItServes(t *testing.T) {
	dir := t.TempDir()
	s := open(t, badgerstore.Config{Dir: dir})
	for i := range 40 {
		l := label(storetest.NewShipment("acme", i).ID, 1, bytes.Repeat(noise(i), 900))
		if err := s.Commit(t.Context(), "acme", &store.Tx{Labels: []store.Label{l}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.Close(), open(t, badgerstore.Config{Dir: dir}).Close()); err != nil {
		t.Fatal(err)
	}
	seenWhileItServes(t, dir, only(t, dir, "*1.vlog"))
}

// seenWhileItServes damages a file of a store that is too large to be read whole before it opens.
func seenWhileItServes(t *testing.T, dir, path string) {
	t.Helper()
	flip(t, path, len(readFile(t, path))/3)
	h := &heard{words: "store is damaged", told: make(chan struct{})}
	s := open(t, badgerstore.Config{Dir: dir, ReadAtOpen: 32 << 20, Log: hclog.New(&hclog.LoggerOptions{Output: h, Level: hclog.Error})})
	<-h.told
	err := s.Check(t.Context())
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ready with a damaged file: %v", err)
	}
	says(t, err, path, "damaged", "restore a backup")
	_ = s.Close() // which may say it once more
}
