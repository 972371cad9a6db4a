package node

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// openRunDir makes the folder for the sockets of this node's adapters, and empties it of what a killed process of the same store
// has left. Only the one who holds the store may call it. The folder is below the system's temporary one because a socket's path
// may have about 100 bytes, and its name is short for the same reason: eight letters that stand for the store's folder and the user.
func openRunDir(store string) (string, error) {
	real, err := filepath.EvalSymlinks(store)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return "", fmt.Errorf("run folder: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", os.Getuid(), real))
	dir := filepath.Join(os.TempDir(), "wb-"+strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5])))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("run folder: %w; set TMPDIR to a folder that this user can write to", err)
	}
	// Everybody may write to the folder above, so whatever is there may be somebody else's.
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("run folder: %w", err)
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || known && int(owner.Uid) != os.Getuid() {
		return "", fmt.Errorf("run folder %s is not a folder that belongs to this user alone (mode 0700); look who has made it, then remove it, or set TMPDIR to another folder", dir)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("run folder: %w", err)
	}
	for _, e := range left {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return "", fmt.Errorf("sweep the run folder: %w", err)
		}
	}
	return dir, nil
}
