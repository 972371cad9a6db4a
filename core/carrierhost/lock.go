package carrierhost

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// LockFile is the usual name of a lock file; it stands beside the configuration.
const LockFile = "waybill.lock"

// maxLock bounds a lock file, in bytes: hundreds of adapters.
const maxLock = 64 << 10

const lockHead = "# The adapters that may run, by the SHA-256 of their binaries. Written by `waybill plugin lock`; the engine refuses all others.\n"

// Lock says which binaries an operator has accepted.
type Lock struct {
	Path     string // of the file that it was read from, "" for none
	Adapters []LockedAdapter
}

// LockedAdapter is one binary that may run.
type LockedAdapter struct {
	Name    string `yaml:"name"`
	Version string `yaml:"version"` // what the adapter says of itself; for people
	SHA256  string `yaml:"sha256"`  // 64 hex digits
}

type lockDocument struct {
	Adapters []LockedAdapter `yaml:"adapters"`
}

// ReadLock reads a lock file. The error names every fault of it.
func ReadLock(path string) (*Lock, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the lock file of the adapters: %w; write it with: waybill plugin lock", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLock+1))
	if err != nil {
		return nil, fmt.Errorf("read the lock file of the adapters: %w", err)
	}
	adapters, err := parseLock(data)
	if err != nil {
		return nil, fmt.Errorf("lock file %s: %w; write it anew with: waybill plugin lock", path, err)
	}
	return &Lock{Path: path, Adapters: adapters}, nil
}

func parseLock(data []byte) ([]LockedAdapter, error) {
	if len(data) > maxLock {
		return nil, fmt.Errorf("it is larger than %d KiB", maxLock>>10)
	}
	var doc lockDocument
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("it does not read: %w", err)
	}
	var faults []error
	seen := map[string]bool{}
	for i, a := range doc.Adapters {
		if !adapterName.MatchString(a.Name) {
			faults = append(faults, fmt.Errorf("adapters[%d]: %q is not the name of an adapter", i, a.Name))
		} else if seen[a.Name] {
			faults = append(faults, fmt.Errorf("adapters[%d]: %s is there twice", i, a.Name))
		}
		seen[a.Name] = true
		if b, err := hex.DecodeString(a.SHA256); err != nil || len(b) != sha256.Size {
			faults = append(faults, fmt.Errorf("adapters[%d]: sha256 must be %d hex digits", i, 2*sha256.Size))
		}
		doc.Adapters[i].SHA256 = strings.ToLower(a.SHA256)
	}
	return doc.Adapters, errors.Join(faults...)
}

// Write writes the lock to a file in one step: sorted by name, so that two locks can be compared line by line.
func (l *Lock) Write(path string) error {
	text, err := l.encode()
	if err != nil {
		return fmt.Errorf("write the lock file: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write the lock file: %w", err)
	}
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the lock file: %w", err), os.Remove(tmp.Name()))
	}
	return nil
}

func (l *Lock) encode() ([]byte, error) {
	doc := lockDocument{Adapters: slices.Clone(l.Adapters)}
	slices.SortFunc(doc.Adapters, func(a, b LockedAdapter) int { return cmp.Compare(a.Name, b.Name) })
	body, err := yaml.Marshal(doc)
	return append([]byte(lockHead), body...), err
}

// Find returns what is locked under a name.
func (l *Lock) Find(name string) (LockedAdapter, bool) {
	i := slices.IndexFunc(l.Adapters, func(a LockedAdapter) bool { return a.Name == name })
	if i < 0 {
		return LockedAdapter{}, false
	}
	return l.Adapters[i], true
}

// LockError is that binaries are not those which were locked.
type LockError struct {
	Lock, Dir  string // the lock file, the folder of the binaries
	Mismatches []Mismatch
}

// Mismatch is one binary that may not run.
type Mismatch struct {
	Name, Path string
	Locked     string // SHA-256 in hex; "" where the lock does not name the adapter
	Found      string // SHA-256 in hex; "" where the file cannot be read
	Err        error  // why it cannot
}

// Error shows both sums of each binary, and how to accept what is there.
func (e *LockError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "adapters are not those that were locked in %s", firstText(e.Lock, "the lock"))
	for _, m := range e.Mismatches {
		found := "sha256 " + m.Found
		if m.Err != nil {
			found = m.Err.Error()
		}
		locked := "sha256 " + m.Locked
		if m.Locked == "" {
			locked = "nothing: it was not there"
		}
		fmt.Fprintf(&b, "\n  %s\n    locked: %s\n    found:  %s", m.Path, locked, found)
	}
	fmt.Fprintf(&b, "\nIf the change is yours, accept it with: waybill plugin lock --plugins %s --lock %s", quoted(e.Dir), quoted(firstText(e.Lock, LockFile)))
	return b.String()
}

func firstText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// quoted makes a path fit to be pasted into a shell.
func quoted(path string) string {
	if strings.ContainsAny(path, " \t\n'\"$`\\*?[]{}()<>|&;#~!") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// Verify compares the binaries of the named adapters in dir with the lock. The error is a *LockError that names all that differ.
func (l *Lock) Verify(dir string, names ...string) error {
	e := &LockError{Lock: l.Path, Dir: dir}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		path := filepath.Join(dir, Prefix+name)
		locked, _ := l.Find(name)
		m := Mismatch{Name: name, Path: path, Locked: locked.SHA256}
		sum, err := SumFile(path)
		if err != nil {
			m.Err = err
		} else {
			m.Found = hex.EncodeToString(sum)
		}
		if m.Found == "" || m.Found != m.Locked {
			e.Mismatches = append(e.Mismatches, m)
		}
	}
	if len(e.Mismatches) > 0 {
		return e
	}
	return nil
}

// sum is the checksum that a binary must have, nil where there is no lock. The binary may change between this look and its start,
// so whoever starts it checks once more.
func (l *Lock) sum(path, name string) ([]byte, error) {
	if l == nil {
		return nil, nil
	}
	if err := l.Verify(filepath.Dir(path), name); err != nil {
		return nil, fmt.Errorf("%w: %w", errChecksum, err)
	}
	locked, _ := l.Find(name)
	return hex.DecodeString(locked.SHA256)
}

// SumFile returns the SHA-256 of a file.
func SumFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return h.Sum(nil), nil
}
