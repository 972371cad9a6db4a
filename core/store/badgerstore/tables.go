package badgerstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/table"
	"google.golang.org/protobuf/proto"
)

var errTable = errors.New("a table is damaged")

// checkTables looks at the ends of the tables that the manifest in dir names: Badger believes the lengths that stand there, and ends
// the whole program, from a goroutine of its own, where they lead out of the file. What lies between has checksums, and is Badger's
// to find, as is a manifest that does not read. Tables that a crash left half written are in no manifest, and do no harm.
func checkTables(dir string, encrypted bool) error {
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer f.Close()
	m, _, err := badger.ReplayManifestFile(f, 0, badger.DefaultOptions(dir))
	if err != nil {
		return nil // Badger says it when it opens
	}
	for _, id := range slices.Sorted(maps.Keys(m.Tables)) {
		path := table.NewFilename(id, dir)
		if err := checkTable(path, encrypted); err != nil {
			return fmt.Errorf("store: %s: %w: its files are damaged; move the folder away and restore a backup", path, err)
		}
	}
	return nil
}

// checkTable checks the trailer of one table, from its end: the length of the checksum (4 bytes, big-endian), the checksum of the index,
// the length of the index (4), the index; before it the last block, which ends in the same way with a count of entries in place of the
// index's length, and which encryption hides.
func checkTable(path string, encrypted bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	sum, indexLen, at, err := trailer(f, st.Size())
	if err != nil {
		return err
	}
	var c pb.Checksum
	if err := proto.Unmarshal(sum, &c); err != nil || pb.Checksum_Algorithm_name[int32(c.Algo)] == "" {
		return fmt.Errorf("%w: its checksum does not read", errTable)
	}
	index := at - indexLen
	if index < 0 {
		return fmt.Errorf("%w: it is cut short", errTable)
	}
	if encrypted {
		return nil
	}
	_, entries, at, err := trailer(f, index)
	if err == nil && at < 4*entries {
		err = fmt.Errorf("%w: its last block is cut short", errTable)
	}
	return err
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
