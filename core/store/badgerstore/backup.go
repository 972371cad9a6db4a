package badgerstore

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// restoreBatches is how many writes Restore has on their way at once.
const restoreBatches = 16

// Backup writes everything to w as it is at one moment, while the store goes on working. The copy is compressed, and tells Restore
// when it was cut short; it is not encrypted, even where the store is.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := s.db.Backup(contextWriter{ctx, z}, 0); err != nil {
		return fmt.Errorf("back up the store: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("back up the store: %w", err)
	}
	return nil
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

// Restore makes a store in cfg.Dir, which must be empty or not exist, from what Backup has written. It leaves nothing there when it
// fails.
func Restore(cfg Config, r io.Reader) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	if cfg.InMemory {
		return errors.New("store: a backup is restored to a folder")
	}
	cfg = cfg.withDefaults()
	if err := prepareDir(cfg.Dir); err != nil {
		return err
	}
	files, err := os.ReadDir(cfg.Dir)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if len(files) > 0 {
		return fmt.Errorf("store: %s is not empty; move what is there away, or restore to another folder", cfg.Dir)
	}
	if err := load(cfg, r); err != nil {
		return errors.Join(fmt.Errorf("store: the backup is not restored: %w", err), empty(cfg.Dir))
	}
	return nil
}

func load(cfg Config, r io.Reader) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("this is no backup: %w", err)
	}
	db, err := openBadger(cfg)
	if err != nil {
		return err
	}
	err = db.Load(z, restoreBatches)
	if err == nil {
		// Whatever follows the last record must read too: the checksum is at the end.
		_, err = io.Copy(io.Discard, z)
	}
	return errors.Join(err, db.Close())
}

func empty(dir string) error {
	files, err := os.ReadDir(dir)
	for _, f := range files {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, f.Name())))
	}
	return err
}
