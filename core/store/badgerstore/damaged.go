package badgerstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// damagedName is the file that keeps which damage was found: compaction may have made it invisible by the next start, and what was lost
// stays lost.
const damagedName = "DAMAGED"

// sayDamaged notes a damage for the starts to come.
func sayDamaged(dir string, what error) error {
	path := filepath.Join(dir, damagedName)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // the first is the cause
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, what)
	return errors.Join(err, f.Sync(), f.Close(), syncDir(dir))
}

// saidDamaged is the damage that an earlier process has found in the folder, nil where none has.
func saidDamaged(dir string) error {
	path := filepath.Join(dir, damagedName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return fmt.Errorf("%s (found while the store served, and kept in %s: remove that file if what it names is whole again); %s",
		strings.TrimSpace(string(b)), path, orAccept(dir))
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
