package config

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
)

// watched is what a configuration was read from, those of secrets among the files, and where files may come to be included; each as it
// was when it was read, so that what changes while the configuration is still being checked is seen afterwards.
type watched struct{ looks []look }

// look is one file that was read, or one pattern of file names that was looked for.
type look struct {
	path    string
	pattern bool
	found   [sha256.Size]byte
}

// file reads a file. One that cannot be read is watched too.
func (w *watched) file(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	found := b
	if err != nil {
		found = []byte(err.Error())
	}
	w.looks = append(w.looks, look{path: path, found: sha256.Sum256(found)})
	return b, err
}

// glob names the files that match.
func (w *watched) glob(pattern string) ([]string, error) {
	names, err := filepath.Glob(pattern)
	w.looks = append(w.looks, look{path: pattern, pattern: true, found: sha256.Sum256(fmt.Appendf(nil, "%q", names))})
	return names, err
}

// again looks where w has looked; what goes wrong is part of what is found.
func (w *watched) again() (now watched) {
	for _, l := range w.looks {
		if l.pattern {
			_, _ = now.glob(l.path)
		} else {
			_, _ = now.file(l.path)
		}
	}
	return now
}

// digest is what was found together.
func (w *watched) digest() [sha256.Size]byte {
	h := sha256.New()
	for _, l := range w.looks {
		fmt.Fprintf(h, "%q %t %x\n", l.path, l.pattern, l.found)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// files says how many files were read.
func (w *watched) files() (n int) {
	for _, l := range w.looks {
		if !l.pattern {
			n++
		}
	}
	return n
}
