package badgerstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/dgraph-io/badger/v4"
)

// Badger opens a store whose value log is missing, and answers empty values for the rows that point there. Which files of it there are
// stands in the file VALUES: all but the newest with their sizes, as they are not written to any more. Where a file may be missing for
// another reason than damage, the rows themselves are asked whether they miss it.

// valuesName is the file that says which files of the value log there are.
const valuesName = "VALUES"

// valueFiles is the record of the value log's files.
type valueFiles struct {
	// Files are sizes in bytes by names; 0 for one that is still written to, which may be removed as long as it is empty.
	Files map[string]int64 `json:"files"`
	// Uncertain: files may be missing that no row needs, as while garbage is collected. The next opening asks the rows.
	Uncertain bool `json:"uncertain,omitempty"`
	// Sum is the CRC-32C of the record without it, in hexadecimal. Of records of before there was one, or of somebody else's, the rows are
	// asked once.
	Sum string `json:"sum,omitempty"`
}

// encode is the record as it is written.
func (v valueFiles) encode() ([]byte, error) {
	v.Sum = ""
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	v.Sum = fmt.Sprintf("%08x", crc32.Checksum(b, castagnoli))
	return json.Marshal(v)
}

// readValueFiles returns the record of a folder; ok is false where there is none that reads.
func readValueFiles(dir string) (v valueFiles, ok bool, err error) {
	b, err := os.ReadFile(filepath.Join(dir, valuesName))
	if errors.Is(err, fs.ErrNotExist) {
		return v, false, nil
	}
	if err != nil {
		return v, false, fmt.Errorf("store: %w", err)
	}
	err = json.Unmarshal(b, &v)
	if again, _ := v.encode(); err != nil || !bytes.Equal(b, again) {
		return valueFiles{}, false, nil // the rows are asked, who know more
	}
	v.Sum = ""
	return v, true, nil
}

// write replaces the record durably: the old one or the new one is there, and whole.
func (v valueFiles) write(dir string) error {
	b, err := v.encode()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, valuesName)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("store: record the files of the value log: %w", err)
	}
	return nil
}

// listValueFiles is what a record of the folder would say now; newest is the number of the last file. Of a store that is closed, no
// file is still written to.
func listValueFiles(dir string, closed bool) (v valueFiles, newest uint64, err error) {
	paths, err := numbered(dir, ".vlog")
	if err != nil {
		return v, 0, err
	}
	v.Files = map[string]int64{}
	for i, path := range paths {
		newest = valueFileNumber(path)
		if i == len(paths)-1 && !closed {
			v.Files[filepath.Base(path)] = 0
			break
		}
		st, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // collected meanwhile
		}
		if err != nil {
			return v, 0, fmt.Errorf("store: %w", err)
		}
		if st.Size() > logHeader { // Badger removes those without values
			v.Files[filepath.Base(path)] = st.Size()
		}
	}
	return v, newest, nil
}

func valueFileNumber(path string) uint64 {
	n, _ := strconv.ParseUint(strings.TrimSuffix(filepath.Base(path), ".vlog"), 10, 32)
	return n
}

func valueFileName(number uint64) string { return fmt.Sprintf("%06d.vlog", number) }

// missing compares the record with the folder: the error names a file that is shorter than it was, or is missing and cannot have been
// removed on purpose; doubtful are the names of those that are missing and may.
func (v valueFiles) missing(dir string) (doubtful []string, err error) {
	for name, size := range v.Files {
		path := filepath.Join(dir, name)
		st, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && (v.Uncertain || size == 0):
			doubtful = append(doubtful, name)
		case errors.Is(err, fs.ErrNotExist):
			return nil, damage(dir, path, "it is missing, and had %d bytes", size)
		case err != nil:
			return nil, fmt.Errorf("store: %w", err)
		case st.Size() == 0 && v.Uncertain: // Badger empties a file before it removes it
			doubtful = append(doubtful, name)
		case st.Size() < size:
			return nil, damage(dir, path, "it has %d bytes, and had %d", st.Size(), size)
		}
	}
	slices.Sort(doubtful)
	return doubtful, nil
}

// findLoss asks every row that keeps its value in the value log for it. Suspects are the names of files that are missing or cut short.
func findLoss(ctx context.Context, db *badger.DB, dir string, suspects []string) error {
	files := "*.vlog"
	if len(suspects) > 0 {
		files = strings.Join(suspects, ", ")
	}
	err := guarded(func() error { return db.View(func(txn *badger.Txn) error { return readValuesOfRows(ctx, txn) }) })
	if errors.Is(err, errDamaged) {
		return damage(dir, filepath.Join(dir, files), "a file of the value log is missing or cut short, or a value in it does not read: %w", err)
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("store: %w", err)
	}
	return err
}

func readValuesOfRows(ctx context.Context, txn *badger.Txn) error {
	it := txn.NewIterator(badger.IteratorOptions{})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if it.Item().ValueSize() < valueThreshold {
			continue
		}
		if err := value(txn, it.Item(), func([]byte) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// valueRecord keeps the record of an open store. It is safe for use by several goroutines.
type valueRecord struct {
	dir string
	// ask asks the rows whether they miss a value.
	ask func(ctx context.Context, suspects []string) error

	mu      sync.Mutex
	files   valueFiles
	newest  uint64
	leaving int // files that Badger has yet to remove, when nobody reads any more
}

// openValueRecord begins the record of a store that Badger has opened, after asking the rows where uncertain says so.
func openValueRecord(db *badger.DB, dir string, uncertain bool, suspects []string) (*valueRecord, error) {
	r := &valueRecord{dir: dir, ask: func(ctx context.Context, suspects []string) error { return findLoss(ctx, db, dir, suspects) }}
	if uncertain {
		if err := r.ask(context.Background(), suspects); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r, r.renew(false, false)
}

// renew writes what is there now, and of before what is not as it was: nothing is forgotten but by collected. The caller holds mu.
func (r *valueRecord) renew(closed, uncertain bool) error {
	v, newest, err := listValueFiles(r.dir, closed)
	if err != nil {
		return err
	}
	for name, size := range r.files.Files {
		has, listed := v.Files[name]
		if listed && has >= size || size == 0 && !r.gone(name) {
			continue
		}
		v.Files[name] = size
	}
	v.Uncertain = uncertain
	if err := v.write(r.dir); err != nil {
		return err
	}
	r.files, r.newest = v, newest
	return nil
}

func (r *valueRecord) gone(name string) bool {
	_, err := os.Lstat(filepath.Join(r.dir, name))
	return errors.Is(err, fs.ErrNotExist)
}

// size is that of a file as it is recorded, 0 where it is not, or is still written to.
func (r *valueRecord) size(name string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.files.Files[name]
}

// follow renews the record where Badger has begun another file.
func (r *valueRecord) follow() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone(valueFileName(r.newest + 1)) {
		return nil // the usual case, and asked at each commit
	}
	return r.renew(false, r.files.Uncertain)
}

// collecting is called before garbage is collected, when files may vanish.
func (r *valueRecord) collecting() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files.Uncertain {
		return nil
	}
	v := r.files
	v.Uncertain = true
	if err := v.write(r.dir); err != nil {
		return err
	}
	r.files = v
	return nil
}

// collected is called behind that; rewritten is of how many files the values were moved. Badger removes these at once, or later, when
// nobody reads: until that is seen the record stays uncertain. Whether what has vanished was one of them only the rows tell.
func (r *valueRecord) collected(ctx context.Context, rewritten int) error {
	vanished := r.vanished()
	if len(vanished) > 0 {
		if err := r.ask(ctx, vanished); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range vanished {
		delete(r.files.Files, name)
	}
	r.leaving = max(0, r.leaving+rewritten-len(vanished))
	return r.renew(false, r.leaving > 0)
}

func (r *valueRecord) vanished() (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.files.Files {
		if r.gone(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// compare compares the record with the folder while the store is open, without asking the rows.
func (r *valueRecord) compare() (doubtful []string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.files.Uncertain {
		if err := r.newestWhole(); err != nil {
			return nil, err
		}
	}
	return r.files.missing(r.dir)
}

// newestWhole looks at the file that Badger writes to. Badger keeps it also when it is empty, lays it out with more than it will hold, and
// reads and writes it when its name is gone.
func (r *valueRecord) newestWhole() error {
	path := filepath.Join(r.dir, valueFileName(r.newest))
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return damage(r.dir, path, "it is missing, and was written to")
	case err != nil:
		return fmt.Errorf("store: %w", err)
	case st.Size() < valueLogBytes:
		return damage(r.dir, path, "it has %d bytes, and was laid out with more", st.Size())
	}
	return nil
}

// check compares the record with the folder, and asks the rows where that does not tell, or where files are cut short.
func (r *valueRecord) check(ctx context.Context, short []string) error {
	doubtful, err := r.compare()
	if err != nil || len(doubtful)+len(short) == 0 {
		return err
	}
	return r.ask(ctx, append(doubtful, short...))
}

// keep notes, of a store that Badger has closed, the size that the newest file was given then: where it was cut, zeros have taken the place
// of what was there, and the next opening sees that.
func (r *valueRecord) keep() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := valueFileName(r.newest)
	st, err := os.Stat(filepath.Join(r.dir, name))
	if err != nil || st.Size() <= logHeader {
		return nil // it is missing, which is seen as well
	}
	r.files.Files[name] = st.Size()
	return r.files.write(r.dir)
}

// close writes the record of a store that Badger has closed. Where a file has vanished or was cut, the record stays, so that the next
// opening sees it, and the error names it.
func (r *valueRecord) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	doubtful, err := r.files.missing(r.dir)
	if err != nil {
		return err
	}
	return r.renew(true, len(doubtful) > 0)
}
