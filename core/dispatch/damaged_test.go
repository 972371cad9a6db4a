package dispatch_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestADamagedOrderIsNamed flips a byte of one order in the store's files: whoever meets it hears which order it is, and not to try again
// later, and what is whole can be read.
func TestADamagedOrderIsNamed(t *testing.T) {
	dir := t.TempDir()
	st, err := badgerstore.Open(badgerstore.Config{Dir: dir, Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	e := engineOn(t, &faultyStore{Store: st}, clock.NewManual(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)), newFake("one", "One", 500))
	e.mustCreate("small")
	attributes := map[string]any{} // which do not compress, and are kept apart from the small order
	r := rand.NewChaCha8([32]byte{1})
	for i := range 14 {
		noise := make([]byte, 7000)
		_, _ = r.Read(noise) // never fails
		attributes[fmt.Sprint("noise", i)] = base64.StdEncoding.EncodeToString(noise)
	}
	sh := e.mustCreate("large", func(r *dispatch.CreateRequest) { r.Order.Attributes = attributes })
	flipLast(t, dir)
	for what, read := range map[string]func() error{
		"get": func() error { _, err := e.Get(t.Context(), caller, "large"); return err },
		"list": func() error {
			_, err := e.List(t.Context(), caller, store.ShipmentQuery{})
			return err
		},
		"cancel": func() error { _, err := e.Cancel(t.Context(), caller, "large", ""); return err },
	} {
		told, ok := errors.AsType[*usecase.Error](read())
		if !ok || !strings.Contains(told.Message, "shipment "+string(sh.ID)) || !strings.Contains(told.Message, "restored a backup") {
			t.Errorf("%s: %+v does not name shipment %s", what, told, sh.ID)
		}
	}
	if e.get("small").Status != shipping.OrderDispatched {
		t.Error("an order that is whole does not read")
	}
	if _, err := e.create("next"); err == nil {
		t.Error("an order was accepted by a damaged store")
	}
}

// flipLast changes a byte of the value that was written last.
func flipLast(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.vlog"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	f, err := os.OpenFile(files[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 16<<20) // of half a GiB of zeros
	if _, err := io.ReadFull(f, b); err != nil {
		t.Fatal(err)
	}
	at := len(bytes.TrimRight(b, "\x00")) - 1000
	if at < 0 {
		t.Fatal("nothing is in the value log")
	}
	if _, err := f.WriteAt([]byte{b[at] ^ 0x41}, int64(at)); err != nil {
		t.Fatal(err)
	}
}
