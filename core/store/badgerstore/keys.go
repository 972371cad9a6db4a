package badgerstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
)

// The file KEYREGISTRY, as Badger's key_registry.go writes it: an initialization vector (16 bytes) and a known text (12), which tells
// whether the store's key is the right one, and then the keys of the files: the length of each (4, big-endian), a CRC-32C (4), the key.
const registryHead = 16 + 12

// readKeys reads the keys of the files.
func readKeys(cfg Config) (*badger.KeyRegistry, error) {
	path := filepath.Join(cfg.Dir, badger.KeyRegistryFileName)
	if err := checkKeys(cfg.Dir, path); err != nil {
		return nil, err
	}
	keys, err := badger.OpenKeyRegistry(badger.KeyRegistryOptions{Dir: cfg.Dir, ReadOnly: true, EncryptionKey: cfg.EncryptionKey})
	if errors.Is(err, badger.ErrEncryptionKeyMismatch) {
		return nil, fmt.Errorf("store: the encryption key is not that of %s; give the key that the folder was made with; if that was given, %s is damaged: restore a backup: %w", cfg.Dir, path, err)
	}
	if err != nil {
		return nil, damage(cfg.Dir, path, "%w", err)
	}
	return keys, nil
}

// checkKeys reads the file for itself: Badger believes the lengths in it, and takes one that is cut off for its end.
func checkKeys(dir, path string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // what is encrypted says that it lacks its key
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if len(b) < registryHead {
		return damage(dir, path, "it has %d bytes, and never less than %d", len(b), registryHead)
	}
	for at := registryHead; at < len(b); {
		left := b[at:]
		if len(left) < 8 || binary.BigEndian.Uint32(left) == 0 || uint64(binary.BigEndian.Uint32(left)) > uint64(len(left)-8) {
			return damage(dir, path, "it is cut short, or something stands behind its end: byte %d of %d", at, len(b))
		}
		size := 8 + int(binary.BigEndian.Uint32(left))
		if crc32.Checksum(left[8:size], castagnoli) != binary.BigEndian.Uint32(left[4:]) {
			return damage(dir, path, "the key at byte %d does not read", at)
		}
		at += size
	}
	return nil
}
