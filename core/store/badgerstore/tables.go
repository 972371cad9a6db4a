package badgerstore

import (
	"context"
	"crypto/aes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

var errTable = errors.New("a table is damaged")

// readManifest returns the tables that the manifest in dir names; tables that a crash left half written are not among them, and do no
// harm. ok is false where there is no manifest.
func readManifest(dir string) (tables map[uint64]badger.TableManifest, ok bool, err error) {
	path := filepath.Join(dir, badger.ManifestFilename)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("store: %w", err)
	}
	defer f.Close()
	m, _, err := badger.ReplayManifestFile(f, 0, badger.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		return nil, false, damage(dir, path, "%v", err)
	}
	return m.Tables, true, nil
}

// tableFile is a table that is only read.
type tableFile struct {
	f     *os.File
	key   []byte // nil where it is not encrypted
	index *fb.TableIndex
	size  int64
	bytes int64 // of blocks
}

// openTable reads the end and the index of a table, against its checksum. Badger believes the lengths that stand there, and ends the
// whole program, from a goroutine of its own, where they lead out of the file.
func openTable(path string, key *pb.DataKey) (*tableFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	t := &tableFile{f: f}
	if key != nil {
		t.key = key.Data
	}
	if err := t.readIndex(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return t, nil
}

// readIndex reads a table from its end: the length of the checksum (4 bytes, big-endian), the checksum of the index, the length of the
// index (4), the index; before it the last block.
func (t *tableFile) readIndex() error {
	st, err := t.f.Stat()
	if err != nil {
		return err
	}
	t.size = st.Size()
	sum, length, at, err := trailer(t.f, t.size)
	if err != nil {
		return err
	}
	t.bytes = at - length
	if t.bytes < 0 {
		return fmt.Errorf("%w: it is cut short", errTable)
	}
	index := make([]byte, length)
	if _, err := t.f.ReadAt(index, t.bytes); err != nil {
		return err
	}
	if err := checkSum(index, sum); err != nil {
		return fmt.Errorf("%w: its index: %w", errTable, err)
	}
	if index, err = t.plain(index); err != nil {
		return err
	}
	t.index = fb.GetRootAsTableIndex(index, 0)
	return nil
}

// plain decrypts; the initialization vector is at the end.
func (t *tableFile) plain(b []byte) ([]byte, error) {
	if t.key == nil {
		return b, nil
	}
	if len(b) < aes.BlockSize {
		return nil, fmt.Errorf("%w: an encrypted part is cut short", errTable)
	}
	return y.XORBlockAllocate(b[:len(b)-aes.BlockSize], t.key, b[len(b)-aes.BlockSize:])
}

// verify reads all blocks against their checksums, which stand at their ends as that of the index does, with a count of entries in place
// of its length.
func (t *tableFile) verify(ctx context.Context) error {
	var o fb.BlockOffset
	var buf []byte
	for i := range t.index.OffsetsLength() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !t.index.Offsets(&o, i) || int64(o.Offset())+int64(o.Len()) > t.bytes {
			return fmt.Errorf("%w: block %d leads out of it", errTable, i)
		}
		buf = slices.Grow(buf[:0], int(o.Len()))[:o.Len()]
		if _, err := t.f.ReadAt(buf, int64(o.Offset())); err != nil {
			return err
		}
		b, err := t.plain(buf)
		if err != nil {
			return err
		}
		if err := checkBlock(b); err != nil {
			return fmt.Errorf("block %d at byte %d: %w", i, o.Offset(), err)
		}
	}
	return nil
}

func checkBlock(b []byte) error {
	sum, entries, at, err := trailer(bytesReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	if at < 4*entries {
		return fmt.Errorf("%w: it is cut short", errTable)
	}
	return checkSum(b[:at+4], sum)
}

// bytesReader reads from memory.
type bytesReader []byte

func (b bytesReader) ReadAt(p []byte, at int64) (int, error) { return copy(p, b[at:]), nil }

func checkSum(b, sum []byte) error {
	var c pb.Checksum
	if err := proto.Unmarshal(sum, &c); err != nil || pb.Checksum_Algorithm_name[int32(c.Algo)] == "" {
		return fmt.Errorf("%w: its checksum does not read", errTable)
	}
	return y.VerifyChecksum(b, &c)
}

func (t *tableFile) close() error { return t.f.Close() }

// eachTable opens the tables one by one and closes them. Where the store is open, a table may be compacted meanwhile: Badger strikes it
// from the manifest, then empties the file, then removes it, so that one that does not read is only damaged where it is still named.
func eachTable(dir string, tables map[uint64]badger.TableManifest, keys *badger.KeyRegistry, live bool, do func(*tableFile) error) error {
	for _, id := range slices.Sorted(maps.Keys(tables)) {
		path := table.NewFilename(id, dir)
		key, err := keys.DataKey(tables[id].KeyID)
		if err != nil {
			return damage(dir, filepath.Join(dir, badger.KeyRegistryFileName), "it lacks the key of %s: %v", path, err)
		}
		t, err := openTable(path, key)
		if err == nil {
			err = errors.Join(do(t), t.close())
		}
		if err != nil && live {
			named, _, merr := readManifest(dir)
			if merr != nil {
				return merr
			}
			if _, there := named[id]; !there {
				continue
			}
		}
		if err != nil {
			return damage(dir, path, "%w", err)
		}
	}
	return nil
}

// maxChecksum bounds a checksum, in bytes; they have about ten.
const maxChecksum = 64

// trailer reads what ends at end: a checksum, and before it a number, which begins at at.
func trailer(f io.ReaderAt, end int64) (sum []byte, number, at int64, err error) {
	u32 := func(at int64) int64 {
		var b [4]byte
		if at < 0 {
			err = errors.Join(err, fmt.Errorf("%w: it is cut short", errTable))
			return 0
		}
		if _, rerr := f.ReadAt(b[:], at); rerr != nil {
			err = errors.Join(err, rerr)
		}
		return int64(binary.BigEndian.Uint32(b[:]))
	}
	length := u32(end - 4)
	if err == nil && length > maxChecksum {
		err = fmt.Errorf("%w: its end does not read", errTable)
	}
	if err != nil {
		return nil, 0, 0, err
	}
	at = end - 8 - length
	number = u32(at)
	sum = make([]byte, length)
	if err == nil {
		_, err = f.ReadAt(sum, at+4)
	}
	return sum, number, at, err
}

// tableStamps are the sizes of the tables and when each was last written. A table is written once.
type tableStamps struct {
	mu   sync.Mutex
	seen map[string]tableStamp
}

type tableStamp struct {
	size    int64
	written time.Time
}

// changed reports whether somebody else has written to a table since it was seen first. Tables that are not there any more were compacted,
// which the manifest knows.
func (t *tableStamps) changed(dir string) bool {
	paths, err := numbered(dir, ".sst")
	if err != nil {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now, changed := make(map[string]tableStamp, len(paths)), false
	for _, path := range paths {
		st, err := os.Stat(path)
		if err != nil {
			continue
		}
		have := tableStamp{st.Size(), st.ModTime()}
		before, known := t.seen[path]
		changed = changed || known && before != have
		now[path] = have
	}
	t.seen = now
	return changed
}
