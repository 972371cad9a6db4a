package badgerstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	if err := json.Unmarshal(b, &v); err != nil {
		return valueFiles{}, false, nil // the rows are asked, who know more
	}
	return v, true, nil
}

// write replaces the record durably: the old one or the new one is there, and whole.
func (v valueFiles) write(dir string) error {
	b, err := json.Marshal(v)
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
// removed on purpose; doubtful says that one is missing that may.
func (v valueFiles) missing(dir string) (doubtful bool, err error) {
	for name, size := range v.Files {
		path := filepath.Join(dir, name)
		st, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && (v.Uncertain || size == 0):
			doubtful = true
		case errors.Is(err, fs.ErrNotExist):
			return false, damage(dir, path, "it is missing, and had %d bytes", size)
		case err != nil:
			return false, fmt.Errorf("store: %w", err)
		case st.Size() == 0 && v.Uncertain: // Badger empties a file before it removes it
			doubtful = true
		case st.Size() < size:
			return false, damage(dir, path, "it has %d bytes, and had %d", st.Size(), size)
		}
	}
	return doubtful, nil
}

// findLoss asks every row that keeps its value in the value log for it.
func findLoss(ctx context.Context, db *badger.DB, dir string) error {
	return db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			item := it.Item()
			if item.ValueSize() < valueThreshold {
				continue
			}
			empty := false
			err := item.Value(func(b []byte) error { empty = len(b) == 0; return nil })
			if err != nil {
				return fmt.Errorf("store: %w", err)
			}
			if empty {
				return damage(dir, filepath.Join(dir, "*.vlog"), "one of these files is missing, or a value in it does not read")
			}
		}
		return nil
	})
}

// valueRecord keeps the record of an open store. It is safe for use by several goroutines.
type valueRecord struct {
	dir string

	mu      sync.Mutex
	files   valueFiles
	newest  uint64
	leaving int // files that Badger has yet to remove, when nobody reads any more
}

// openValueRecord begins the record of a store that Badger has opened, after asking the rows where uncertain says so.
func openValueRecord(db *badger.DB, dir string, uncertain bool) (*valueRecord, error) {
	if uncertain {
		if err := findLoss(context.Background(), db, dir); err != nil {
			return nil, err
		}
	}
	r := &valueRecord{dir: dir}
	return r, r.renew(false, false)
}

// renew writes what is there now.
func (r *valueRecord) renew(closed, uncertain bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.renewLocked(closed, uncertain)
}

func (r *valueRecord) renewLocked(closed, uncertain bool) error {
	v, newest, err := listValueFiles(r.dir, closed)
	if err != nil {
		return err
	}
	v.Uncertain = uncertain
	if err := v.write(r.dir); err != nil {
		return err
	}
	r.files, r.newest = v, newest
	return nil
}

// follow renews the record where Badger has begun another file.
func (r *valueRecord) follow() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := os.Lstat(filepath.Join(r.dir, valueFileName(r.newest+1))); err != nil {
		return nil // the usual case, and asked at each commit
	}
	return r.renewLocked(false, r.files.Uncertain)
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

// collected is called behind that; rewritten says whether the values of one file were moved. Badger removes it at once, or later, when
// nobody reads: until that is seen the record stays uncertain.
func (r *valueRecord) collected(rewritten bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rewritten {
		r.leaving++
	}
	for name := range r.files.Files {
		if _, err := os.Lstat(filepath.Join(r.dir, name)); errors.Is(err, fs.ErrNotExist) {
			r.leaving--
		}
	}
	return r.renewLocked(false, r.leaving > 0)
}

// check compares the record with the folder while the store is open.
func (r *valueRecord) check(ctx context.Context, db *badger.DB) error {
	r.mu.Lock()
	doubtful, err := r.files.missing(r.dir)
	r.mu.Unlock()
	if err != nil || !doubtful {
		return err
	}
	return findLoss(ctx, db, r.dir)
}
