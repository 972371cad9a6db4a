package badgerstore_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
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

// TestDamageToALargeStoreIsSeenWhileItServes has more in tables than is read before a store opens.
func TestDamageToALargeStoreIsSeenWhileItServes(t *testing.T) {
	dir := t.TempDir()
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
	seenWhileItServes(t, dir, newestFile(t, dir, "*.sst"))
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
	s := open(t, badgerstore.Config{Dir: dir, Log: hclog.New(&hclog.LoggerOptions{Output: h, Level: hclog.Error})})
	<-h.told
	err := s.Check(t.Context())
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ready with a damaged file: %v", err)
	}
	says(t, err, path, "damaged", "restore a backup")
}
