// Package badgerstore keeps the engine's data in an embedded Badger database: documents, and index keys whose values carry what
// lists filter by. One goroutine writes: it merges the commits that wait, checks each against those merged before it, and syncs
// them to disk as one group, which is several times faster than one sync each and costs a lone writer nothing. The order of due
// jobs is held in memory and rebuilt at Open from the jobs that are left.
//
// Damage to the files is told and never passed over. Open compares them with the file ACKNOWLEDGED, which says up to which commit the
// store has answered: a log, table, value or manifest behind which such commits are missing is refused by name, and nothing is changed;
// a last write that a crash left torn was never acknowledged, and is cut off and logged. Tables and the
// value log are read whole at Open, above a gibibyte while the store serves, before each backup and before garbage is collected. The file
// VALUES says which files of the value log there are; one that is missing, or shorter than it was, is refused as well, also when that
// has happened under an open store: Check and Close compare, and forget nothing. The first row that does not read, whoever reads it,
// makes the store refuse to write. A store without ACKNOWLEDGED is refused, but for one of before there was
// that file, until an operator makes the file ACCEPT-LOSS beside it: then Open removes that file, serves what is found, sees only damage
// behind which more was written, and logs that.
package badgerstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/hashicorp/go-hclog"
	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/store"
	"golang.org/x/sys/unix"
)

// Schema is the version of the layout of keys. Open refuses a folder with a newer one, and Restore a backup; Open converts an older one:
//
//	1  claims are each tenant's
//	2  claims are the whole store's: a program of before would not see them, and let two orders own one booking
const Schema = 2

// Sizes that bound memory: a memtable is what is written before it goes to a file, and there are at most two of them besides
// the one being filled.
const (
	memtableBytes  = 32 << 20
	memtables      = 2
	valueThreshold = 64 << 10 // larger values go to the value log, which compaction does not rewrite
	valueLogBytes  = 256 << 20
	// Without a value log, in memory, Badger takes values below its largest threshold.
	memoryThreshold = 1 << 20
	cacheBytes      = 8 << 20 // of blocks and of indexes; only encryption needs them
	// DefaultMinFree is room for a memtable to be written and for a compaction to run.
	DefaultMinFree = 256 << 20
)

// ErrInUse: another process has the folder open. It is wrapped; test with errors.Is.
var ErrInUse = errors.New("is in use")

// DefaultReadAtOpen is what takes a quarter of a second where it is in memory, and some seconds on a disk. It is as large as that because
// Badger compacts as soon as it is open, takes a block that does not read for one that is empty, and so makes a damage that nobody has seen
// one that nobody can see any more.
const DefaultReadAtOpen = 1 << 30

// Config says where and how to keep the data.
type Config struct {
	// Dir is the folder; it is made where it does not exist, and closed to other users where it holds nothing else. It belongs to one
	// process at a time.
	Dir string
	// InMemory keeps everything in memory, and nothing after Close. Dir must be empty. One row is below 1 MiB then, labels apart.
	InMemory bool
	// EncryptionKey encrypts all files; 16, 24 or 32 bytes, the same at every opening. Empty: files are plain.
	EncryptionKey []byte
	// MinFree is how many bytes must stay free on the disk: below, commits answer ErrUnavailable. 0 means DefaultMinFree.
	MinFree uint64
	// ReadAtOpen is how many bytes, of tables and of the complete files of the value log, are read whole before the store opens; 0 means
	// DefaultReadAtOpen. Of a larger store only the tables' indexes are read before, and all else while it serves: a start must not take
	// longer with each order that was ever finished.
	ReadAtOpen int64
	// Source names this opening; nil means clock.Crypto.
	Source clock.Source
	// Log is told what an operator should act on; nil means nobody.
	Log hclog.Logger
}

// Store is a store.Store in Badger.
type Store struct {
	db       *badger.DB
	dir      string
	inMemory bool
	minFree  uint64
	free     func(dir string) (uint64, error)
	log      hclog.Logger
	source   clock.Source
	secret   []byte // of cursors
	key      []byte // of encryption, for backups

	queue           *queue
	jobsChanged     chan struct{}
	messagesChanged chan struct{}
	rows            atomic.Uint64 // numbers rows in the order in which they were written

	// life is held for reading while a method runs, and for writing to close.
	life     sync.RWMutex
	closed   bool
	requests chan *request
	// committing counts the running calls of Commit.
	committing atomic.Int32
	damaged    atomic.Pointer[error] // what verify has found
	faulted    atomic.Bool           // damaged, and Badger is not to be closed
	written    chan struct{}         // closed when the writer has ended
	acked      *ackFile              // nil in memory
	values     *valueRecord          // nil in memory
	tables     tableStamps
	unsaid     bool            // acked was not written, and that is told once; the writer's
	unlisted   bool            // the same of values
	open       context.Context // ends when the store is closed
	end        context.CancelFunc
	verifying  sync.WaitGroup
}

var _ store.Store = (*Store)(nil)

// Open opens the store, or makes an empty one, and starts its writer, which Close ends.
func Open(cfg Config) (*Store, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	var acked *ackFile
	in := &inspection{}
	if !cfg.InMemory {
		var err error
		if acked, in, err = openFolder(cfg); err != nil {
			return nil, err
		}
	}
	db, err := openBadger(cfg)
	if err != nil {
		return nil, errors.Join(err, acked.close(false))
	}
	var values *valueRecord
	if !cfg.InMemory {
		if values, err = openValueRecord(db, cfg.Dir, in.ask, in.suspects); err != nil {
			return nil, errors.Join(err, db.Close(), acked.close(false))
		}
	}
	s := &Store{
		db: db, dir: cfg.Dir, inMemory: cfg.InMemory, minFree: cfg.MinFree, free: freeBytes, log: cfg.Log, source: cfg.Source,
		key:   cfg.EncryptionKey,
		queue: newQueue(cfg.Source.Token(9)), jobsChanged: make(chan struct{}, 1), messagesChanged: make(chan struct{}, 1),
		requests: make(chan *request, 256), written: make(chan struct{}), acked: acked, values: values,
	}
	s.open, s.end = context.WithCancel(context.Background())
	if err := s.begin(); err != nil {
		s.end()
		return nil, errors.Join(err, db.Close(), acked.close(false))
	}
	go s.write()
	if in.bytes > cfg.ReadAtOpen {
		s.verifyBehind()
	}
	return s, nil
}

// openFolder looks at what is in the folder before Badger does.
func openFolder(cfg Config) (a *ackFile, in *inspection, err error) {
	unlock, err := prepareDir(cfg.Dir)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }() // for Badger to take
	if _, err := os.Stat(filepath.Join(cfg.Dir, unfinished)); err == nil {
		return nil, nil, fmt.Errorf("store: restoring a backup to %s has not come to its end; empty the folder and restore again", cfg.Dir)
	}
	if err := cfg.roomToOpen(); err != nil {
		return nil, nil, err
	}
	return inspect(cfg)
}

func (cfg Config) withDefaults() Config {
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	if cfg.Source == nil {
		cfg.Source = clock.Crypto(clock.Real())
	}
	if cfg.MinFree == 0 {
		cfg.MinFree = DefaultMinFree
	}
	if cfg.ReadAtOpen == 0 {
		cfg.ReadAtOpen = DefaultReadAtOpen
	}
	return cfg
}

func (cfg Config) validate() error {
	var faults []error
	if cfg.InMemory == (cfg.Dir != "") {
		faults = append(faults, errors.New("store: name a folder, or say that it is in memory, and not both"))
	}
	switch len(cfg.EncryptionKey) {
	case 0, 16, 24, 32:
	default:
		faults = append(faults, fmt.Errorf("store: the encryption key is %d bytes long; it must be 16, 24 or 32", len(cfg.EncryptionKey)))
	}
	return errors.Join(faults...)
}

func openBadger(cfg Config) (*badger.DB, error) {
	o := badger.DefaultOptions(cfg.Dir).
		WithInMemory(cfg.InMemory).
		WithSyncWrites(true).
		WithDetectConflicts(false). // one writer
		WithMemTableSize(memtableBytes).
		WithNumMemtables(memtables).
		WithNumCompactors(2).
		WithValueThreshold(valueThreshold).
		WithValueLogFileSize(valueLogBytes).
		WithNumGoroutines(2).
		WithCompression(options.None). // tables are mapped and read in place, without a cache
		WithBlockCacheSize(0).
		WithIndexCacheSize(0).
		WithMetricsEnabled(false).
		WithVerifyValueChecksum(true).
		WithEncryptionKey(cfg.EncryptionKey).
		WithLogger(badgerLog{cfg.Log})
	if cfg.InMemory {
		o = o.WithValueThreshold(memoryThreshold)
	}
	if len(cfg.EncryptionKey) > 0 {
		o = o.WithBlockCacheSize(cacheBytes).WithIndexCacheSize(cacheBytes)
	}
	db, err := badger.Open(o)
	if err != nil {
		return nil, openingError(cfg, err)
	}
	return db, nil
}

func openingError(cfg Config, err error) error {
	if errno, advice, ok := outside(err); ok {
		return fmt.Errorf("store: %s does not open: %w (%w): %s", cfg.Dir, err, errno, advice)
	}
	return fmt.Errorf("store: %s does not open: %w; its files are damaged, or not of this program: move the folder away and restore a backup", cfg.Dir, err)
}

// outsiders are the faults that no file of the store is to blame for, and what to do about each.
var outsiders = map[syscall.Errno]string{
	syscall.EFBIG:  "this process may not write files as large as the store lays out; raise its limit on the size of files (ulimit -f, or LimitFSIZE of its service), or choose a file system that takes them",
	syscall.ENOSPC: "the disk is full; remove files or give it more space",
	syscall.EDQUOT: "the quota of this user is used up; raise it, or remove files",
	syscall.EROFS:  "the file system is read-only; look after the disk and make it writable",
	syscall.EMFILE: "this process may not open more files; raise its limit (ulimit -n, or LimitNOFILE of its service)",
	syscall.ENFILE: "this machine has no more files to open; raise fs.file-max, or end other programs",
	syscall.EACCES: "let this user read and write everything in the folder",
	syscall.EPERM:  "let this user read and write everything in the folder",
}

// outside finds such a fault. Badger puts some errors into words, so the words are looked at too.
func outside(err error) (errno syscall.Errno, advice string, ok bool) {
	for errno, advice := range outsiders {
		if errors.Is(err, errno) || strings.Contains(err.Error(), ": "+errno.Error()) {
			return errno, advice, true
		}
	}
	return 0, "", false
}

// prepareDir says clearly what Badger would say in its own words, and locks the folder.
func prepareDir(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: cannot make the folder: %w; make it, or choose another", err)
	}
	probe, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return nil, fmt.Errorf("store: cannot write to %s: %w; let this user write there, or choose another folder", dir, err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return nil, fmt.Errorf("store: cannot write to %s: %w", dir, err)
	}
	if err := shut(dir); err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("store: cannot read %s: %w", dir, err)
	}
	if err := lock(f); errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(fmt.Errorf("store: %s %w by %s; stop it, or choose another folder", dir, ErrInUse, lockHolder(dir)), f.Close())
	}
	return func() error { return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close()) }, nil
}

// shut closes the folder to all but its owner: orders are in it, and Badger makes files that everybody may read. A folder that is
// something else's too is left to its owner.
func shut(dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if st.Mode().Perm()&0o077 == 0 {
		return nil
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	files = slices.DeleteFunc(files, func(f os.DirEntry) bool { return f.Name() == "lost+found" }) // of a disk of its own
	_, err = os.Lstat(filepath.Join(dir, badger.ManifestFilename))
	if len(files) == 0 || err == nil {
		if err = os.Chmod(dir, 0o700); err == nil {
			return nil
		}
	} else {
		err = errors.New("something else is in it")
	}
	return fmt.Errorf("store: other users of this machine may look into %s (mode %#o), and it is not closed to them: %w; run: chmod 700 %s, or name a folder that does not exist yet, which is made so",
		dir, st.Mode().Perm(), err, dir)
}

// A lock belongs to whoever has the open file, also to a process that is just being started and has not yet closed what it was not to
// inherit. So a lock is waited for, for as long as that may take on a busy machine.
const (
	lockTries = 40
	lockPause = 25 * time.Millisecond
)

func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	for try := 1; try < lockTries && errors.Is(err, syscall.EWOULDBLOCK); try++ {
		time.Sleep(lockPause) //wallclock: another process's start is waited for, which no injected clock moves
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	return err
}

// lockHolder names the process that has the folder, from the file that Badger keeps beside its lock.
func lockHolder(dir string) string {
	pid, err := os.ReadFile(filepath.Join(dir, "LOCK"))
	if err != nil || strings.TrimSpace(string(pid)) == "" {
		return "another process"
	}
	return "process " + strings.TrimSpace(string(pid))
}

// roomToOpen asks for half of what writing asks for: opening writes what the last process had in memory to files of their own.
func (cfg Config) roomToOpen() error {
	if cfg.InMemory {
		return nil
	}
	free, err := freeBytes(cfg.Dir)
	if err != nil {
		return fmt.Errorf("store: ask for free space in %s: %w", cfg.Dir, err)
	}
	if free < cfg.MinFree/2 {
		return fmt.Errorf("store: disk is full: %d MiB free in %s, and opening needs %d MiB; remove files or give it more space", free>>20, cfg.Dir, cfg.MinFree>>21)
	}
	return nil
}

func freeBytes(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	// Badger writes to files that are open, and ends the program where it may not make the next one. Systems make a disk read-only that fails.
	if err := unix.Access(dir, unix.W_OK); err != nil {
		return 0, fmt.Errorf("cannot write to it: %w; look after the disk and make it writable, and writing goes on by itself then", err)
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil
}

// meta is what is known of the whole store.
type meta struct {
	Schema int    `json:"schema"`
	Secret []byte `json:"secret"` // authenticates cursors
}

// begin reads what must be known before the first call: the schema, labels that were never named, claims of an earlier version, and the jobs.
func (s *Store) begin() error {
	m, err := s.loadMeta()
	if err != nil {
		return err
	}
	s.secret = m.Secret
	if err := s.markNewest(); err != nil {
		return err
	}
	// Rows written from here on sort after all that were: each group that was ever committed has a version of its own.
	s.rows.Store(s.db.MaxVersion() << 20)
	if err := s.removePending(); err != nil {
		return fmt.Errorf("store: remove labels that a crash left half written: %w", err)
	}
	if err := s.convertClaims(); err != nil {
		return fmt.Errorf("store: read the claims of an earlier version: %w", err)
	}
	if err := s.loadJobs(); err != nil {
		return fmt.Errorf("store: read the jobs: %w", err)
	}
	return nil
}

// loadMeta reads the schema and the secret, or begins them. That of an older store is raised before anything of it is converted: a program of
// before must not write to one that is converted by half.
func (s *Store) loadMeta() (meta, error) {
	m, err := readMeta(s.db, s.dir)
	switch {
	case errors.Is(err, store.ErrNotFound):
		m.Secret = make([]byte, 32)
		rand.Read(m.Secret) // never fails: it ends the program instead
	case err != nil || m.Schema == Schema:
		return m, err
	default:
		s.log.Info("the store is converted: programs of an earlier version refuse it from now on", "from", m.Schema, "to", Schema)
	}
	m.Schema = Schema
	b, err := json.Marshal(m)
	if err != nil {
		return m, err
	}
	if err := s.room(); err != nil {
		return m, err
	}
	return m, s.update(func(txn *badger.Txn) error { return txn.Set(metaKey(), b) })
}

// markNewest begins the row that each commit writes, in a store of before there was one.
func (s *Store) markNewest() error {
	err := s.db.View(func(txn *badger.Txn) error {
		_, err := txn.Get(newestKey())
		return err
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return s.update(func(*badger.Txn) error { return nil })
	}
	return err
}

func metaKey() key { return newKey(kindMeta).last("store") }

// readMeta answers store.ErrNotFound for a store that is empty.
func readMeta(db *badger.DB, dir string) (meta, error) {
	var m meta
	err := db.View(func(txn *badger.Txn) error {
		b, err := get(txn, metaKey())
		if err != nil {
			return err
		}
		return json.Unmarshal(b, &m)
	})
	if err != nil {
		return m, fmt.Errorf("store: %s does not say its schema: %w; restore a backup", dir, err)
	}
	if m.Schema > Schema {
		return m, fmt.Errorf("store: %s has schema %d, and this program knows %d; use the version that wrote it or a newer one", dir, m.Schema, Schema)
	}
	return m, nil
}

func (s *Store) loadJobs() error {
	return s.look(func(txn *badger.Txn) error {
		return scan(txn, newKey(kindJob), func(_, v []byte) error {
			var j store.Job
			if _, err := decodeRecord(v, &j); err != nil {
				return err
			}
			s.queue.insert(newEntry(&j))
			return nil
		})
	})
}

// Close waits for the commits that were accepted and for running reads, and closes. Its error names a file that was lost meanwhile. A
// store whose files were cut under a read is left as a process that is killed leaves it, and its folder locked until the process ends.
func (s *Store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.requests)
	<-s.written
	s.end()
	s.verifying.Wait()
	lost := s.lost()
	if s.faulted.Load() {
		// What was acknowledged is in the files, as when the process is killed. Badger would wait for who met the fault, and write.
		return errors.Join(lost, *s.damaged.Load(), s.acked.close(false))
	}
	err := s.db.Close()
	if s.values != nil && err == nil && s.damaged.Load() == nil {
		err = s.located(s.values.close())
	}
	if s.values != nil && s.damaged.Load() != nil {
		err = errors.Join(err, s.values.keep())
	}
	err = errors.Join(lost, err)
	return errors.Join(err, s.acked.close(err == nil && s.damaged.Load() == nil))
}

// lost looks, for the last time, whether a file of the value log has vanished or was cut, before that it was there is forgotten.
func (s *Store) lost() error {
	if s.values == nil || s.damaged.Load() != nil {
		return nil
	}
	return s.located(s.values.check(context.Background(), nil))
}

// enter begins a method; the caller calls the returned function when it ends.
func (s *Store) enter() (leave func(), err error) {
	s.life.RLock()
	if s.closed {
		s.life.RUnlock()
		return nil, fmt.Errorf("%w: it is closed", store.ErrUnavailable)
	}
	return s.life.RUnlock, nil
}

// badgerLog passes on what Badger has to say.
type badgerLog struct{ log hclog.Logger }

func (l badgerLog) Errorf(f string, a ...any) { l.log.Error("badger reports", "detail", line(f, a)) }
func (l badgerLog) Warningf(f string, a ...any) {
	l.log.Warn("badger reports", "detail", line(f, a))
}
func (l badgerLog) Infof(f string, a ...any)  { l.trace(f, a) }
func (l badgerLog) Debugf(f string, a ...any) { l.trace(f, a) }

func (l badgerLog) trace(f string, a []any) {
	if l.log.IsTrace() {
		l.log.Trace("badger reports", "detail", line(f, a))
	}
}

func line(f string, a []any) string { return strings.TrimSpace(fmt.Sprintf(f, a...)) }
