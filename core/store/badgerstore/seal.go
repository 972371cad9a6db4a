package badgerstore

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A backup begins with one line that says what follows: compressed data, sealed where the store is encrypted. Sealing cuts the data
// into pieces and encrypts each with AES-256-GCM under a key of this backup's own, derived from the store's key, a salt and the
// first line; the nonce counts the pieces and marks the last, so that none can be changed, moved, left out or cut off.

const (
	backupMagic  = "waybill-backup "
	backupFormat = 1
	// maxBackupLine bounds the first line.
	maxBackupLine = 1 << 10
	sealedPiece   = 64 << 10
	sealSalt      = 32
)

// backupHead is the first line of a backup, after the magic.
type backupHead struct {
	Format int    `json:"format"`
	Schema int    `json:"schema"`         // of the store
	Salt   []byte `json:"salt,omitempty"` // of the key; none where the data is plain
}

func (h backupHead) line() ([]byte, error) {
	b, err := json.Marshal(h)
	return append(append([]byte(backupMagic), b...), '\n'), err
}

// readHead reads the first line and refuses what this program cannot restore.
func readHead(r *bufio.Reader) (h backupHead, line []byte, err error) {
	line, err = r.ReadSlice('\n')
	if err != nil || len(line) > maxBackupLine || !bytes.HasPrefix(line, []byte(backupMagic)) {
		return h, nil, errors.New("this is no backup of a waybill store")
	}
	line = bytes.Clone(line)
	if err := json.Unmarshal(line[len(backupMagic):], &h); err != nil {
		return h, nil, fmt.Errorf("this is no backup of a waybill store: its first line does not read: %w", err)
	}
	switch {
	case h.Format < 1 || h.Schema < 1:
		return h, nil, errors.New("this is no backup of a waybill store: its first line lacks a format or a schema")
	case h.Format > backupFormat || h.Schema > Schema:
		return h, nil, fmt.Errorf("the backup has format %d and schema %d, and this program knows %d and %d; use the version that wrote it or a newer one",
			h.Format, h.Schema, backupFormat, Schema)
	case len(h.Salt) != 0 && len(h.Salt) != sealSalt:
		return h, nil, errors.New("this is no backup of a waybill store: its salt is damaged")
	}
	return h, line, nil
}

func newSalt() []byte {
	salt := make([]byte, sealSalt)
	rand.Read(salt) // never fails: it ends the program instead
	return salt
}

// sealing returns the cipher of one backup.
func sealing(key, salt, line []byte) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, key, salt, string(line), 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// nonces is the nonce of a piece: its number, and whether it is the last.
type nonces struct{ n uint64 }

func (c *nonces) next(last bool) []byte {
	nonce := make([]byte, 12)
	binary.BigEndian.PutUint64(nonce[3:], c.n)
	if last {
		nonce[11] = 1
	}
	c.n++
	return nonce
}

// sealer encrypts what is written to it. Close writes the last piece, and does not close w.
type sealer struct {
	w      io.Writer
	aead   cipher.AEAD
	count  nonces
	buf    []byte
	sealed []byte
}

func newSealer(w io.Writer, aead cipher.AEAD) *sealer {
	return &sealer{w: w, aead: aead, buf: make([]byte, 0, sealedPiece), sealed: make([]byte, 0, sealedPiece+aead.Overhead())}
}

func (s *sealer) Write(b []byte) (int, error) {
	written := 0
	for len(b) > 0 {
		if len(s.buf) == sealedPiece { // more follows, so it is not the last
			if err := s.flush(false); err != nil {
				return written, err
			}
		}
		n := min(len(b), sealedPiece-len(s.buf))
		s.buf, b = append(s.buf, b[:n]...), b[n:]
		written += n
	}
	return written, nil
}

func (s *sealer) flush(last bool) error {
	s.sealed = s.aead.Seal(s.sealed[:0], s.count.next(last), s.buf, nil)
	s.buf = s.buf[:0]
	_, err := s.w.Write(s.sealed)
	return err
}

// Close writes what is left as the last piece, which may be empty.
func (s *sealer) Close() error { return s.flush(true) }

// opener decrypts what a sealer has written.
type opener struct {
	r     *bufio.Reader
	aead  cipher.AEAD
	count nonces
	piece []byte
	plain []byte // what is left of the piece
	last  bool
}

func newOpener(r io.Reader, aead cipher.AEAD) *opener {
	return &opener{r: bufio.NewReaderSize(r, sealedPiece+aead.Overhead()+1), aead: aead, piece: make([]byte, sealedPiece+aead.Overhead())}
}

func (o *opener) Read(b []byte) (int, error) {
	for len(o.plain) == 0 {
		if o.last {
			return 0, io.EOF
		}
		if err := o.open(); err != nil {
			return 0, err
		}
	}
	n := copy(b, o.plain)
	o.plain = o.plain[n:]
	return n, nil
}

func (o *opener) open() error {
	n, err := io.ReadFull(o.r, o.piece)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	_, peek := o.r.Peek(1)
	o.last = err != nil || errors.Is(peek, io.EOF)
	if o.plain, err = o.aead.Open(o.piece[:0], o.count.next(o.last), o.piece[:n], nil); err != nil {
		return errors.New("it does not decrypt: it is damaged or cut short, or was made with another encryption key")
	}
	return nil
}
