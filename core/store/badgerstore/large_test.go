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
	path := newestFile(t, dir, "*.sst")
	flip(t, path, len(readFile(t, path))/3)
	h := &heard{words: "store is damaged", told: make(chan struct{})}
	s = open(t, badgerstore.Config{Dir: dir, Log: hclog.New(&hclog.LoggerOptions{Output: h, Level: hclog.Error})})
	<-h.told
	err := s.Check(t.Context())
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ready with a damaged table: %v", err)
	}
	says(t, err, path, "damaged", "restore a backup")
}
