package badgerstore

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// valueFolder has files of the value log of these sizes, numbered from 1.
func valueFolder(t *testing.T, sizes ...int) string {
	t.Helper()
	dir := t.TempDir()
	for i, size := range sizes {
		if err := os.WriteFile(filepath.Join(dir, valueFileName(uint64(i+1))), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func recorded(t *testing.T, dir string) valueFiles {
	t.Helper()
	v, ok, err := readValueFiles(dir)
	if err != nil || !ok {
		t.Fatalf("%+v, %v, %v", v, ok, err)
	}
	return v
}

// remove takes a file away as Badger does, and as anything else does.
func remove(t *testing.T, dir string, number uint64) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, valueFileName(number))); err != nil {
		t.Fatal(err)
	}
}

func TestRecordOfValueFiles(t *testing.T) {
	dir := valueFolder(t, 100, logHeader, 200, 300)
	r, err := openValueRecord(nil, dir, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := valueFiles{Files: map[string]int64{"000001.vlog": 100, "000003.vlog": 200, "000004.vlog": 0}}
	if diff := cmp.Diff(want, recorded(t, dir)); diff != "" {
		t.Error(diff)
	}
	// Badger begins another file.
	if err := os.WriteFile(filepath.Join(dir, valueFileName(5)), make([]byte, 20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.follow(); err != nil {
		t.Fatal(err)
	}
	want.Files["000004.vlog"], want.Files["000005.vlog"] = 300, 0
	if diff := cmp.Diff(want, recorded(t, dir)); diff != "" {
		t.Error(diff)
	}
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	delete(want.Files, "000005.vlog") // it has no values
	if diff := cmp.Diff(want, recorded(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// TestRecordWhileGarbageIsCollected removes a file at each moment at which Badger may, and dies: no start takes it for damage, and one
// that vanishes at any other moment is damage.
func TestRecordWhileGarbageIsCollected(t *testing.T) {
	dir := valueFolder(t, 100, 200, 300, 400, 500)
	r, err := openValueRecord(nil, dir, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	r.ask = func(context.Context, []string) error { asked++; return nil } // no row misses anything
	expect := func(when string, doubtful, damaged bool) {
		t.Helper()
		if got, err := recorded(t, dir).missing(dir); len(got) > 0 != doubtful || (err != nil) != damaged {
			t.Errorf("%s: %v, %v; want %v and damage %v", when, got, err, doubtful, damaged)
		}
	}
	collect := func(rewritten int) {
		t.Helper()
		if err := errors.Join(r.collecting(), r.collected(t.Context(), rewritten)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.collecting(); err != nil {
		t.Fatal(err)
	}
	expect("nothing is removed yet", false, false)
	if err := os.Truncate(filepath.Join(dir, valueFileName(1)), 0); err != nil {
		t.Fatal(err)
	}
	expect("half removed", true, false)
	remove(t, dir, 1)
	expect("removed, and not noted", true, false)
	// Badger begins another file meanwhile, which forgets nothing.
	if err := os.WriteFile(filepath.Join(dir, valueFileName(6)), make([]byte, 20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.follow(); err != nil {
		t.Fatal(err)
	}
	expect("removed, and another begun", true, false)
	collect(1)
	expect("noted", false, false)
	if recorded(t, dir).Uncertain {
		t.Error("the file is gone, and the record is not certain again")
	}
	// The next file is removed only when nobody reads any more.
	collect(1)
	remove(t, dir, 2)
	expect("removed later", true, false)
	collect(0)
	expect("noted later", false, false)
	// One is removed late, while the next waits.
	collect(1)
	remove(t, dir, 3)
	collect(1)
	remove(t, dir, 4)
	expect("the next one, removed later", true, false)
	collect(0)
	if asked != 4 {
		t.Errorf("the rows were asked %d times about 4 files that vanished", asked)
	}
	if recorded(t, dir).Uncertain {
		t.Error("nothing more is to be removed, and the record is not certain")
	}
	remove(t, dir, 5)
	expect("removed by somebody", false, true)
}

// TestHolesOfALogAreNotRead lays data behind a hole, where it must be found, and a hole at the end.
func TestHolesOfALogAreNotRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "00001.mem")
	const size, behind = 64 << 20, 8 << 20
	f, err := os.Create(path)
	if err == nil {
		_, err = f.Write(bytes.Repeat([]byte{0}, logHeader))
	}
	if err = errors.Join(err, f.Truncate(size), f.Close()); err != nil {
		t.Fatal(err)
	}
	keys, err := badger.OpenKeyRegistry(badger.KeyRegistryOptions{Dir: dir, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	read := func() (s logScan, n int) {
		t.Helper()
		l, err := openLog(path, keys)
		if err != nil {
			t.Fatal(err)
		}
		s, n = l.commits(), len(l.data)
		if err := l.close(); err != nil {
			t.Fatal(err)
		}
		return s, n
	}
	s, n := read()
	if s.cut {
		t.Errorf("zeros are taken for a torn write: %+v", s)
	}
	if n == size {
		t.Skip("SKIPPED: this file system does not tell of holes")
	}
	if f, err = os.OpenFile(path, os.O_WRONLY, 0); err == nil {
		_, err = f.WriteAt([]byte("something"), behind)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	if s, n := read(); !s.cut || n < behind+9 || n >= size/2 {
		t.Errorf("what stands behind a hole: %+v of %d bytes", s, n)
	}
}

// TestCollectedValuesAreNotMissed has garbage collected for real, and opens what a crash behind that leaves.
func TestCollectedValuesAreNotMissed(t *testing.T) {
	dir := t.TempDir()
	write := func(s *Store, fill byte) {
		t.Helper()
		l := store.Label{Shipment: "a", Attempt: 1, Parcel: 1, Label: shipping.Label{Format: shipping.PDF, Data: bytes.Repeat([]byte{fill}, 900<<10)}}
		if err := s.Commit(t.Context(), "acme", &store.Tx{Labels: []store.Label{l}}); err != nil {
			t.Fatal(err)
		}
	}
	const openings = 8 // each leaves a table; as many as Badger does not leave unmerged
	for i := range openings {
		s, err := Open(Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		write(s, byte(i)) // each replaces the one before
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.db.Flatten(1), s.CollectGarbage(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, valueFileName(1))); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the garbage was not collected: %v", err)
	}
	if v := recorded(t, dir); v.Uncertain || v.Files[valueFileName(1)] != 0 {
		t.Errorf("%+v", v)
	}
	crashed := filepath.Join(t.TempDir(), "copy")
	if out, err := exec.Command("cp", "-r", "--sparse=always", dir, crashed).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{dir, crashed} {
		s, err := Open(Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if l, err := s.Label(t.Context(), "acme", "a", 1, 1); err != nil || len(l.Data) != 900<<10 || l.Data[0] != openings-1 {
			t.Errorf("%d bytes, %v", len(l.Data), err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestADamagedRecordOfValueFilesIsNotBelieved flips each of its bits: it says what it said, or is not read.
func TestADamagedRecordOfValueFilesIsNotBelieved(t *testing.T) {
	dir := t.TempDir()
	said := valueFiles{Files: map[string]int64{"000001.vlog": 1763617, "000003.vlog": 0}}
	if err := said.write(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, valuesName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(whole) {
		b := bytes.Clone(whole)
		b[i/8] ^= 1 << (i % 8)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if v, ok, err := readValueFiles(dir); err != nil || ok && !cmp.Equal(v, said) {
			t.Fatalf("%s: %+v, %v", b, v, err)
		}
	}
	for _, b := range []string{`{"files":{"000001.vlog":1763617,"000003.vlog":0}}`, `{}`} {
		if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		if v, ok, err := readValueFiles(dir); err != nil || ok {
			t.Errorf("a record without a sum, %s: %+v, %v, %v", b, v, ok, err)
		}
	}
}
