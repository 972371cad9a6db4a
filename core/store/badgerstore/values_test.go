package badgerstore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/google/go-cmp/cmp"
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
	r, err := openValueRecord(nil, dir, false)
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
	if err := r.renew(true, false); err != nil {
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
	r, err := openValueRecord(nil, dir, false)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(when string, doubtful, damaged bool) {
		t.Helper()
		if got, err := recorded(t, dir).missing(dir); got != doubtful || (err != nil) != damaged {
			t.Errorf("%s: %v, %v; want %v and damage %v", when, got, err, doubtful, damaged)
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
	if err := r.collected(true); err != nil {
		t.Fatal(err)
	}
	expect("noted", false, false)
	if recorded(t, dir).Uncertain {
		t.Error("the file is gone, and the record is not certain again")
	}
	// The next file is removed only when nobody reads any more.
	if err := errors.Join(r.collecting(), r.collected(true), r.collecting(), r.collected(false)); err != nil {
		t.Fatal(err)
	}
	remove(t, dir, 2)
	expect("removed later", true, false)
	if err := errors.Join(r.collecting(), r.collected(false)); err != nil {
		t.Fatal(err)
	}
	expect("noted later", false, false)
	// One is removed late, while the next waits.
	if err := errors.Join(r.collecting(), r.collected(true)); err != nil {
		t.Fatal(err)
	}
	remove(t, dir, 3)
	if err := errors.Join(r.collecting(), r.collected(true)); err != nil {
		t.Fatal(err)
	}
	remove(t, dir, 4)
	expect("the next one, removed later", true, false)
	if err := errors.Join(r.collecting(), r.collected(false), r.renew(true, false)); err != nil {
		t.Fatal(err)
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
