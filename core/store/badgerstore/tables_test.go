package badgerstore

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/storetest"
)

// TestTablesThatAreCompactedMeanwhileAreNoDamage: Badger empties the file of a table that it has struck from its manifest before it
// removes it, and whoever verifies an open store may have it in hand just then.
func TestTablesThatAreCompactedMeanwhileAreNoDamage(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Commit(t.Context(), "acme", &store.Tx{Shipments: []*shipment.Shipment{storetest.NewShipment("acme", 1)}})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	keys, err := readKeys(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	tables, ok, err := readManifest(dir)
	if err != nil || !ok || len(tables) == 0 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	gone := slices.Max(slices.Collect(maps.Keys(tables))) + 1
	seen := maps.Clone(tables) // as the manifest was read a moment before
	seen[gone] = badger.TableManifest{}
	if err := os.WriteFile(table.NewFilename(gone, dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	read := 0
	count := func(f *tableFile) error {
		read++
		return f.verify(context.Background())
	}
	if err := eachTable(dir, seen, keys, true, count); err != nil || read != len(tables) {
		t.Errorf("%d of %d tables were read: %v", read, len(tables), err)
	}
	if err := eachTable(dir, seen, keys, false, count); err == nil {
		t.Error("in a store that is closed, an empty table is not damage")
	}
	named := slices.Min(slices.Collect(maps.Keys(tables)))
	if err := os.Truncate(table.NewFilename(named, dir), 0); err != nil {
		t.Fatal(err)
	}
	if err := eachTable(dir, seen, keys, true, count); err == nil {
		t.Error("an empty table that is still named is not damage")
	}
}
