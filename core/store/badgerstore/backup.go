package badgerstore

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/ristretto/v2/z"
	"google.golang.org/protobuf/proto"
)

// restoreBatches is how many writes Restore has on their way at once.
const restoreBatches = 16

// Backup writes everything to w as it is at one moment, while the store goes on working. The copy is compressed, tells Restore when
// it was cut short, and is encrypted where the store is, under the same key.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	// Reading rows passes over what does not read in a table.
	if err := s.verify(ctx); err != nil {
		return fmt.Errorf("back up the store: nothing was written: %w", err)
	}
	if err := s.backup(ctx, contextWriter{ctx, w}); err != nil {
		return fmt.Errorf("back up the store: %w", err)
	}
	return nil
}

func (s *Store) backup(ctx context.Context, w io.Writer) error {
	head := backupHead{Format: backupFormat, Schema: Schema}
	if len(s.key) > 0 {
		head.Salt = newSalt()
	}
	line, err := head.line()
	if err != nil {
		return err
	}
	if _, err := w.Write(line); err != nil {
		return err
	}
	end := func() error { return nil }
	if len(s.key) > 0 {
		aead, err := sealing(s.key, head.Salt, line)
		if err != nil {
			return err
		}
		sealed := newSealer(w, aead)
		w, end = sealed, sealed.Close
	}
	compressed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if err := s.copyRows(ctx, compressed); err != nil {
		return err
	}
	if err := compressed.Close(); err != nil {
		return err
	}
	return end()
}

// copyRows writes the newest version of each row, in the form that Badger loads: lists of rows, each after its length in 8 bytes,
// little-endian. Badger's own copy has an empty value where one does not read, and says nothing.
func (s *Store) copyRows(ctx context.Context, w io.Writer) error {
	stream := s.db.NewStream()
	var failed atomic.Pointer[error] // Badger logs what KeyToList answers, and goes on with the next row
	stream.KeyToList = func(_ []byte, it *badger.Iterator) (*pb.KVList, error) {
		item := it.Item()
		if item.IsDeletedOrExpired() {
			return nil, nil
		}
		var value []byte
		err := s.noticed(named(item.Key(), valueOnce(item, func(b []byte) error { value = bytes.Clone(b); return nil })))
		if err != nil {
			failed.Store(&err)
			return nil, err
		}
		return &pb.KVList{Kv: []*pb.KV{{Key: item.KeyCopy(nil), Value: value, Version: item.Version()}}}, nil
	}
	stream.Send = func(buf *z.Buffer) error {
		list, err := badger.BufferToKVList(buf)
		if err != nil {
			return err
		}
		list.Kv = slices.DeleteFunc(list.Kv, func(kv *pb.KV) bool { return kv.StreamDone })
		b, err := proto.Marshal(list)
		if err != nil {
			return err
		}
		_, err = w.Write(append(binary.LittleEndian.AppendUint64(make([]byte, 0, 8+len(b)), uint64(len(b))), b...))
		return err
	}
	err := stream.Orchestrate(ctx)
	if f := failed.Load(); f != nil {
		err = errors.Join(*f, err)
	}
	return err
}

// contextWriter ends a long write with its context.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (w contextWriter) Write(b []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	return w.w.Write(b)
}

// unfinished is a file that stands in a folder while a backup is being restored to it. Open refuses such a folder: a process that
// died half way has left a store that lacks what was not yet read.
const unfinished = "RESTORING"

// Restore makes a store in cfg.Dir, which must be empty or not exist, from what Backup has written. cfg.EncryptionKey opens an
// encrypted backup and encrypts the store; a plain backup is restored with and without. Restore leaves nothing there when it fails.
func Restore(cfg Config, r io.Reader) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	if cfg.InMemory {
		return errors.New("store: a backup is restored to a folder")
	}
	cfg = cfg.withDefaults()
	unlock, err := prepareDir(cfg.Dir)
	if err != nil {
		return err
	}
	if err := unlock(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	files, err := os.ReadDir(cfg.Dir)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if len(files) > 0 {
		return fmt.Errorf("store: %s is not empty; move what is there away, or restore to another folder", cfg.Dir)
	}
	if err := cfg.roomToOpen(); err != nil {
		return err
	}
	if err := load(cfg, r); err != nil {
		return errors.Join(fmt.Errorf("store: the backup is not restored: %w", err), empty(cfg.Dir))
	}
	return nil
}

func load(cfg Config, r io.Reader) error {
	plain, err := unseal(cfg, r)
	if err != nil {
		return err
	}
	mark := filepath.Join(cfg.Dir, unfinished)
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		return err
	}
	if err := syncDir(cfg.Dir); err != nil {
		return err
	}
	db, err := openBadger(cfg)
	if err != nil {
		return err
	}
	err = loadRows(db, plain)
	if err == nil {
		// Whatever follows the last record must read too: the checksum is at the end.
		_, err = io.Copy(io.Discard, plain)
	}
	if err == nil {
		_, err = readMeta(db, cfg.Dir)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	acked, _, err := inspect(cfg)
	if err == nil {
		err = acked.close(true)
	}
	if err == nil {
		var values valueFiles
		if values, _, err = listValueFiles(cfg.Dir, true); err == nil {
			err = values.write(cfg.Dir)
		}
	}
	if err != nil {
		return err
	}
	return errors.Join(os.Remove(mark), syncDir(cfg.Dir))
}

// maxRowList bounds a list of rows of a backup, in bytes: Badger cuts them near 4 MiB, and a row is below 64 MiB.
const maxRowList = 256 << 20

// loadRows has Badger load the rows. It believes the lengths that stand there.
func loadRows(db *badger.DB, r io.Reader) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the backup does not read: %v", p)
		}
	}()
	return db.Load(&rowLists{r: r}, restoreBatches)
}

// rowLists refuses lists whose length nobody has written.
type rowLists struct {
	r    io.Reader
	left uint64 // of the list
}

func (l *rowLists) Read(b []byte) (int, error) {
	if l.left > 0 {
		n, err := l.r.Read(b[:min(uint64(len(b)), l.left)])
		l.left -= uint64(n)
		return n, err
	}
	if len(b) < 8 {
		return 0, io.ErrShortBuffer // Badger reads through a buffer
	}
	if n, err := io.ReadFull(l.r, b[:8]); err != nil {
		return n, err
	}
	if l.left = binary.LittleEndian.Uint64(b); l.left > maxRowList {
		return 0, fmt.Errorf("the backup does not read: a list of rows of %d bytes", l.left)
	}
	return 8, nil
}

// unseal reads the first line, and returns the data as it was before it was compressed and encrypted.
func unseal(cfg Config, r io.Reader) (io.Reader, error) {
	in := bufio.NewReader(r)
	head, line, err := readHead(in)
	if err != nil {
		return nil, err
	}
	var data io.Reader = in
	if len(head.Salt) > 0 {
		if len(cfg.EncryptionKey) == 0 {
			return nil, errors.New("the backup is encrypted; give the key of the store that it was made from, as store.encryption_key")
		}
		aead, err := sealing(cfg.EncryptionKey, head.Salt, line)
		if err != nil {
			return nil, err
		}
		data = newOpener(in, aead)
	}
	z, err := gzip.NewReader(data)
	if err != nil {
		return nil, fmt.Errorf("the backup does not read: %w", err)
	}
	return z, nil
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func empty(dir string) error {
	files, err := os.ReadDir(dir)
	for _, f := range files {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, f.Name())))
	}
	return err
}
