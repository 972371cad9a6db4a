package badgerstore

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/storetest"
	"pgregory.net/rapid"
)

// aLog is the folder of a store of two commits that nobody has closed, and where in its log the last begins and ends.
func aLog(t *testing.T, key []byte) (files map[string][]byte, log string, begin, end int) {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir, EncryptionKey: key})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 2 {
		files = map[string][]byte{}
		for _, name := range []string{ackedName, badger.ManifestFilename, badger.KeyRegistryFileName} {
			if files[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		begin = end
		if err := s.Commit(t.Context(), "acme", &store.Tx{Shipments: []*shipment.Shipment{storetest.NewShipment("acme", i)}}); err != nil {
			t.Fatal(err)
		}
		log = "00001.mem"
		b, err := os.ReadFile(filepath.Join(dir, log))
		if err != nil {
			t.Fatal(err)
		}
		end, _, _ = (&logFile{data: b}).values() // a record may end with a zero
		files[log] = b[:end+64]
	}
	return files, log, begin, end
}

// memory is where files are synced at once, where there is such a place: thousands of folders are looked at.
func memory(t *testing.T) string {
	const shm = "/dev/shm"
	dir, err := os.MkdirTemp(shm, "waybill-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// inspected looks at a folder of these files, and returns what is left of the log.
func inspected(t *testing.T, under string, key []byte, files map[string][]byte, log string) ([]byte, error) {
	t.Helper()
	dir, err := os.MkdirTemp(under, "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, _, err := inspect(Config{Dir: dir, EncryptionKey: key}.withDefaults())
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(dir, log))
	if err = errors.Join(err, a.close(false)); err != nil {
		t.Fatal(err)
	}
	return b, nil
}

// TestEachByteOfALastCommit tears a commit that was not acknowledged at each of its bytes, and flips each byte of the one before.
func TestEachByteOfALastCommit(t *testing.T) {
	for name, key := range map[string][]byte{"plain": nil, "encrypted": bytes.Repeat([]byte("k"), 32)} {
		t.Run(name, func(t *testing.T) {
			files, log, begin, end := aLog(t, key)
			whole, under := files[log], memory(t)
			for at := begin; at < end; at++ {
				files[log] = whole[:at]
				switch at % 4 {
				case 0: // in place of its end there are the zeros of before
					files[log] = append(bytes.Clone(whole[:at]), make([]byte, 200)...)
				case 1: // of two pages, the second has come to the disk
					files[log] = append(append(bytes.Clone(whole[:begin]), make([]byte, at-begin+1)...), whole[at+1:]...)
				}
				left, err := inspected(t, under, key, files, log)
				if err != nil {
					t.Fatalf("torn at byte %d of %d to %d: %v", at, begin, end, err)
				}
				if !bytes.Equal(bytes.TrimRight(left, "\x00"), bytes.TrimRight(whole[:begin], "\x00")) {
					t.Fatalf("torn at byte %d: %d bytes are left, want %d", at, len(left), begin)
				}
			}
			for at := logHeader; at < begin; at += 2 {
				files[log] = bytes.Clone(whole)
				files[log][at] ^= 0x20
				if _, err := inspected(t, under, key, files, log); err == nil {
					t.Fatalf("byte %d of %d, behind which commits stand, was flipped, and nothing was said", at, begin)
				}
			}
		})
	}
}

// TestAckedSurvivesATornWrite keeps the record before the one that is torn, whichever byte of the file is lost.
func TestAckedSurvivesATornWrite(t *testing.T) {
	dir := t.TempDir()
	a, err := openAcked(dir, acked{version: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer a.close(false)
	rapid.Check(t, func(rt *rapid.T) {
		version := a.last.version
		if err := a.acknowledge(version + rapid.Uint64Range(1, 9).Draw(rt, "commits")); err != nil {
			rt.Fatal(err)
		}
		got, ok, err := readAcked(dir)
		if err != nil || !ok || got != a.last {
			rt.Fatalf("%+v, %v, %v; want %+v", got, ok, err, a.last)
		}
		torn, err := os.ReadFile(filepath.Join(dir, ackedName))
		if err != nil {
			rt.Fatal(err)
		}
		at := int64(a.last.count%2)*ackedStride + rapid.Int64Range(0, ackedSize-1).Draw(rt, "byte")
		torn[at] ^= 0xff
		again, err := os.MkdirTemp(dir, "")
		if err == nil {
			err = os.WriteFile(filepath.Join(again, ackedName), torn, 0o600)
		}
		if err != nil {
			rt.Fatal(err)
		}
		if got, ok, err := readAcked(again); err != nil || !ok || got.version != version && version > 1 || got.version > a.last.version {
			rt.Fatalf("of a torn file: %+v, %v, %v; want version %d", got, ok, err, version)
		}
	})
}

// FuzzLog reads anything, and never more than is there.
func FuzzLog(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	f.Add([]byte{}, []byte(nil))
	f.Add(append(make([]byte, logHeader), endHead...), []byte("0123456789abcdef"))
	b := make([]byte, 300)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	f.Add(b, []byte(nil))
	f.Fuzz(func(t *testing.T, b, key []byte) {
		if len(b) < logHeader || len(key) != 16 && len(key) != 0 {
			return
		}
		l := &logFile{data: b}
		if len(key) > 0 {
			l.key = key
		}
		s := l.commits()
		end, _, _ := l.values()
		if s.end > len(b) || end > len(b) || s.last < s.first {
			t.Errorf("%+v, %d of %d bytes", s, end, len(b))
		}
	})
}
