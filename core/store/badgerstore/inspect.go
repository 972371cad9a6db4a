package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// inspection is what a folder holds, found before Badger opens it: Badger removes tables that its manifest does not name, and what it
// cannot read of a log with all that follows.
type inspection struct {
	cfg     Config
	keys    *badger.KeyRegistry
	acked   acked
	known   bool // there is a record of what was acknowledged
	values  valueFiles
	ask     bool   // whether rows miss a file of the value log is not known
	version uint64 // of the last commit that is found
	bytes   int64  // of tables and of complete files of the value log
	// suspects are the files of the value log that are missing or cut short where that may be no damage.
	suspects []string
}

// inspect refuses a folder that lacks what was acknowledged, and cuts off, and tells, what a crash left torn. It returns the record of
// what is acknowledged from here on. The folder is locked.
func inspect(cfg Config) (*ackFile, *inspection, error) {
	in := &inspection{cfg: cfg}
	if err := in.readRecords(); err != nil {
		return nil, nil, err
	}
	var err error
	if in.keys, err = readKeys(cfg); err != nil {
		return nil, nil, err
	}
	if err := errors.Join(in.readTables(), in.readLogs(), in.readAll()); err != nil {
		return nil, nil, err
	}
	if !in.known {
		in.acked.holes = in.version // tables of before may yet lose their last version to compaction, where it removed rows
	}
	first := in.acked
	first.version, first.clean = max(first.version, in.version), false
	a, err := openAcked(cfg.Dir, first)
	if err != nil {
		return nil, nil, err
	}
	if err := in.settle(); err != nil {
		return nil, nil, errors.Join(err, a.close(false))
	}
	return a, in, nil
}

// readRecords reads what the store has written about its own files.
func (in *inspection) readRecords() error {
	dir := in.cfg.Dir
	values, recorded, err := readValueFiles(dir)
	if err != nil {
		return err
	}
	in.values, in.ask = values, !recorded || values.Uncertain
	_, err = os.Lstat(filepath.Join(dir, acceptName))
	accepted := err == nil
	if in.acked, in.known, err = readAcked(dir); accepted {
		in.acked, in.known = acked{}, false
		in.cfg.Log.Warn("what is found is served, as the operator has said; commits that were acknowledged may be missing", "file", filepath.Join(dir, acceptName))
	} else if err != nil {
		return err
	}
	if err := saidDamaged(dir); err != nil && !accepted {
		return err
	}
	// The record of values is only ever written behind that of commits: a store with one of them has had both.
	if _, err := os.Lstat(filepath.Join(dir, valuesName)); err == nil && !in.known && !accepted {
		return fmt.Errorf("%w; %s", damage(dir, filepath.Join(dir, ackedName), "it is missing, and without it nothing tells whether commits that were acknowledged are missing"), orAccept(dir))
	}
	doubtful, err := in.values.missing(dir)
	in.suspect(doubtful)
	return err
}

// settle ends an inspection that has refused nothing, durably: if the rows are to be asked they are, by a later opening where this one
// does not come to it.
func (in *inspection) settle() error {
	if in.ask {
		in.values.Uncertain = true
		if err := in.values.write(in.cfg.Dir); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(in.cfg.Dir, damagedName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store: %w", err)
	}
	return in.removeEmpty(filepath.Join(in.cfg.Dir, acceptName))
}

func (in *inspection) readTables() error {
	tables, ok, err := readManifest(in.cfg.Dir)
	if err != nil {
		return err
	}
	if !ok {
		left, err := filepath.Glob(filepath.Join(in.cfg.Dir, "*.sst"))
		if err == nil && len(left) > 0 {
			err = damage(in.cfg.Dir, filepath.Join(in.cfg.Dir, badger.ManifestFilename), "it is missing, and there are tables")
		}
		return err
	}
	if !in.known {
		in.cfg.Log.Warn("store has no record of what it has acknowledged; one is begun, and whether commits of before are missing cannot be told",
			"file", filepath.Join(in.cfg.Dir, ackedName))
	}
	err = eachTable(in.cfg.Dir, tables, in.keys, false, func(t *tableFile) error {
		in.version = max(in.version, t.index.MaxVersion())
		in.bytes += t.size
		return nil
	})
	return err
}

// readAll reads a small store whole.
func (in *inspection) readAll() error {
	paths, err := completeValues(in.cfg.Dir)
	if err != nil {
		return err
	}
	for _, path := range paths {
		st, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		in.bytes += st.Size()
	}
	if in.bytes > in.cfg.ReadAtOpen {
		return nil
	}
	short, err := verifyValues(context.Background(), in.cfg.Dir, in.recorded)
	in.suspect(short)
	return errors.Join(verifyTables(context.Background(), in.cfg.Dir, in.keys, false), err)
}

func (in *inspection) recorded(name string) int64 { return in.values.Files[name] }

// suspect has the rows asked whether they miss what was in these files.
func (in *inspection) suspect(names []string) {
	in.suspects = append(in.suspects, names...)
	in.ask = in.ask || len(names) > 0
}

// numbered lists the files of a kind by their numbers.
func numbered(dir, extension string) (paths []string, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	number := func(path string) uint64 {
		n, _ := strconv.ParseUint(strings.TrimSuffix(filepath.Base(path), extension), 10, 64)
		return n
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), extension) {
			paths = append(paths, filepath.Join(dir, f.Name()))
		}
	}
	slices.SortFunc(paths, func(a, b string) int {
		if number(a) < number(b) {
			return -1
		}
		return 1
	})
	return paths, nil
}

// readLogs reads the logs of commits that are in no table yet, each of which goes on where the one before ends, and the last file of the
// value log, to which their values may point.
func (in *inspection) readLogs() error {
	paths, err := numbered(in.cfg.Dir, ".mem")
	if err != nil {
		return err
	}
	var pointers []valuePointer
	for i, path := range paths {
		s, err := in.readLog(path, i == len(paths)-1)
		if err != nil {
			return err
		}
		pointers = append(pointers, s.pointers...)
	}
	if in.known && in.version < in.acked.version {
		return damage(in.cfg.Dir, in.endOf(paths), "commits up to number %d were acknowledged, and those up to %d are found: it is cut short, or a log beside it is missing", in.acked.version, in.version)
	}
	return in.readLastValues(pointers)
}

// endOf is the file whose end would hold what is missing.
func (in *inspection) endOf(logs []string) string {
	if len(logs) > 0 {
		return logs[len(logs)-1]
	}
	return filepath.Join(in.cfg.Dir, badger.ManifestFilename)
}

func (in *inspection) readLog(path string, last bool) (s logScan, err error) {
	l, err := openLog(path, in.keys)
	if err != nil {
		return s, damage(in.cfg.Dir, path, "%w", err)
	}
	if l.data == nil {
		// Made, and not yet given its size, which Badger does not open. What is missing by it is seen from the versions.
		return s, in.removeEmpty(path)
	}
	s = l.commits()
	if err := l.close(); err != nil {
		return s, fmt.Errorf("store: %s: %w", path, err)
	}
	missing := s.first > in.version+1 && s.first > in.acked.holes+1
	before := in.version
	in.version = max(in.version, s.last)
	switch {
	case in.known && missing:
		return s, damage(in.cfg.Dir, path, "it begins with commit number %d, and the files before it end with %d: they, or %s, are cut short or missing", s.first, before, badger.ManifestFilename)
	case !s.cut:
		return s, nil
	case s.later || !last || in.known && in.version < in.acked.version:
		return s, damage(in.cfg.Dir, path, "what stands at byte %d does not read, and commits behind it were acknowledged (the last is number %d, and those up to %d are found)",
			s.end, in.acked.version, in.version)
	}
	return s, in.cutTorn(path, s.end)
}

func (in *inspection) removeEmpty(path string) error {
	if err := errors.Join(os.Remove(path), syncDir(in.cfg.Dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (in *inspection) cutTorn(path string, end int) error {
	if err := cutLog(path, end); err != nil {
		return fmt.Errorf("store: cut off the end of %s, which a crash left torn: %w", path, err)
	}
	if in.known {
		in.cfg.Log.Warn("a crash left the last write torn; it was never acknowledged and is cut off", "file", path, "at", end, "last_commit", in.version)
	} else {
		in.cfg.Log.Warn("the end of a file does not read and is cut off; whether it was acknowledged is not known", "file", path, "at", end, "last_commit", in.version)
	}
	return nil
}

func (in *inspection) readLastValues(pointers []valuePointer) error {
	paths, err := numbered(in.cfg.Dir, ".vlog")
	if err != nil {
		return err
	}
	there := map[uint64]bool{}
	for i, path := range paths {
		st, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if i < len(paths)-1 && st.Size() < logHeader {
			// As a crash leaves a file that was being removed: Badger empties it first, and does not open one like that.
			in.ask = true
			if err := in.removeEmpty(path); err != nil {
				return err
			}
			continue
		}
		there[valueFileNumber(path)] = true
	}
	for _, p := range pointers {
		in.ask = in.ask || !there[uint64(p.file)] // a row that was written again may point to what was collected
	}
	if len(paths) == 0 {
		return nil
	}
	path := paths[len(paths)-1]
	l, err := openLog(path, in.keys)
	if err != nil {
		return damage(in.cfg.Dir, path, "%w", err)
	}
	end, cut, behind := l.values()
	empty := l.data == nil
	if err := l.close(); err != nil {
		return fmt.Errorf("store: %s: %w", path, err)
	}
	for _, p := range pointers {
		if uint64(p.file) == valueFileNumber(path) && (empty || p.end() > end) {
			return damage(in.cfg.Dir, path, "what stands at byte %d does not read, and a commit has a value at byte %d", end, p.at)
		}
	}
	if empty {
		in.ask = true // what was in it is gone
		return in.removeEmpty(path)
	}
	if int64(end) < in.recorded(filepath.Base(path)) {
		in.suspect([]string{filepath.Base(path)}) // what was there is zeros now
	}
	if !cut {
		return nil
	}
	if in.acked.clean || len(behind) > 1 || len(behind) == 1 && behind[0] <= in.acked.version {
		return damage(in.cfg.Dir, path, "what stands at byte %d does not read, and values behind it were acknowledged", end)
	}
	return in.cutTorn(path, end)
}

// verifyTables reads all tables against their checksums.
func verifyTables(ctx context.Context, dir string, keys *badger.KeyRegistry, live bool) error {
	tables, _, err := readManifest(dir)
	if err != nil {
		return err
	}
	return eachTable(dir, tables, keys, live, func(t *tableFile) error { return t.verify(ctx) })
}

// completeValues are the files of the value log that nothing is written to any more.
func completeValues(dir string) ([]string, error) {
	paths, err := numbered(dir, ".vlog")
	if err != nil || len(paths) == 0 {
		return nil, err
	}
	return paths[:len(paths)-1], nil
}

// verifyValues reads the files of the value log that are complete. Recorded is the size that a file is known to have had; short are the
// names of those of which there is less, as zeros have taken the place of the rest.
func verifyValues(ctx context.Context, dir string, recorded func(name string) int64) (short []string, err error) {
	paths, err := completeValues(dir)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, path := range paths {
		name := filepath.Base(path)
		size := recorded(name)
		end, cut, err := readValues(ctx, path)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		// It is emptied before it is removed; one that was not to be is told by the record.
		if st, gone := os.Stat(path); errors.Is(gone, fs.ErrNotExist) || gone == nil && st.Size() == 0 {
			continue
		}
		switch {
		case err != nil:
			faults = append(faults, damage(dir, path, "%w", err))
		case cut:
			faults = append(faults, damage(dir, path, "what stands at byte %d does not read", end))
		case end < size:
			short = append(short, name)
		}
	}
	return short, errors.Join(faults...)
}
