package carrierhost

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lockOf locks binaries as they are; those that are missing get a sum all the same.
func lockOf(t *testing.T, dir string, names ...string) *Lock {
	t.Helper()
	l := &Lock{Path: filepath.Join(dir, LockFile)}
	for _, name := range names {
		sum, err := SumFile(filepath.Join(dir, Prefix+name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		text := hex.EncodeToString(sum)
		if err != nil {
			text = strings.Repeat("0", 64)
		}
		l.Adapters = append(l.Adapters, LockedAdapter{Name: name, Version: "1.0.0", SHA256: text})
	}
	return l
}

func TestLockIsWrittenAndReadAndBites(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "with space")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ups", "dhl"} {
		if err := os.WriteFile(filepath.Join(dir, Prefix+name), []byte("binary of "+name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, LockFile)
	if err := lockOf(t, dir, "ups", "dhl").Write(path); err != nil {
		t.Fatal(err)
	}
	l, err := ReadLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lockOf(t, dir, "dhl", "ups"), l); diff != "" {
		t.Errorf("the lock as read, sorted (-want +got):\n%s", diff)
	}
	if err := l.Verify(dir, "ups", "dhl", "ups"); err != nil {
		t.Errorf("untouched binaries: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, Prefix+"ups"), []byte("another"), 0o700); err != nil {
		t.Fatal(err)
	}
	e, ok := errors.AsType[*LockError](l.Verify(dir, "ups", "dhl", "fedex"))
	if !ok || len(e.Mismatches) != 2 {
		t.Fatalf("mismatches: %v", e)
	}
	was, _ := l.Find("ups")
	is, err := SumFile(filepath.Join(dir, Prefix+"ups"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{was.SHA256, hex.EncodeToString(is), "waybill-carrier-fedex", "it was not there", "no such file",
		"waybill plugin lock --plugins '" + dir + "' --lock '" + path + "'"} {
		if !strings.Contains(e.Error(), want) {
			t.Errorf("the error does not say %q:\n%s", want, e)
		}
	}
}

func TestLockFilesTellAllTheirFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), LockFile)
	text := "adapters:\n  - {name: UPS, sha256: abc}\n  - {name: a, sha256: " + strings.Repeat("a", 64) + "}\n  - {name: a, sha256: " + strings.Repeat("a", 64) + "}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := ReadLock(path)
	for _, want := range []string{`"UPS" is not the name`, "adapters[0]: sha256 must be 64", "adapters[2]: a is there twice", "waybill plugin lock"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if _, err := ReadLock(path + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func FuzzLock(f *testing.F) {
	f.Add([]byte(lockHead + "adapters:\n  - name: ups\n    version: 1.0.0\n    sha256: " + strings.Repeat("ab", 32) + "\n"))
	f.Add([]byte("adapters: [{name: a}]"))
	f.Add([]byte("&a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		adapters, err := parseLock(data)
		if err != nil {
			return
		}
		text, err := (&Lock{Adapters: adapters}).encode()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseLock(text); err != nil || len(again) != len(adapters) {
			t.Fatalf("what was read and written does not read: %v, %d of %d", err, len(again), len(adapters))
		}
	})
}
