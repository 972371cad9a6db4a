package badgerstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// Badger takes whatever it cannot read at the end of a log or of its manifest for a write that a crash cut short, and drops it with
// all that follows. Whether something was acknowledged there, only somebody else can tell: the file ACKNOWLEDGED beside Badger's own
// says up to which version commits were. It is written after each group, without a sync of its own: killing the process leaves it
// exact, and a machine that loses power leaves what it said a moment ago, which is less, and never more, than what the logs hold.

const (
	ackedName  = "ACKNOWLEDGED"
	acceptName = "ACCEPT-LOSS" // made by an operator who wants what is left served
	ackedMagic = "waybill1"
	// A record is written to one of two places in turn, so that a write that is torn leaves the one before it.
	ackedSize   = 64
	ackedStride = 4096
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// acked is one record of the file.
type acked struct {
	count   uint64 // of records written
	version uint64 // of the last commit that was acknowledged
	holes   uint64 // the last version whose commit has failed, so that it may be in no file
	clean   bool   // the store was closed; nothing is torn
}

func (a acked) encode() []byte {
	b := append(make([]byte, 0, ackedSize), ackedMagic...)
	b = binary.BigEndian.AppendUint64(b, a.count)
	b = binary.BigEndian.AppendUint64(b, a.version)
	b = binary.BigEndian.AppendUint64(b, a.holes)
	if a.clean {
		b = append(b, 1)
	}
	b = b[:ackedSize]
	binary.BigEndian.PutUint32(b[ackedSize-4:], crc32.Checksum(b[:ackedSize-4], castagnoli))
	return b
}

func decodeAcked(b []byte) (a acked, ok bool) {
	if len(b) != ackedSize || string(b[:8]) != ackedMagic || binary.BigEndian.Uint32(b[ackedSize-4:]) != crc32.Checksum(b[:ackedSize-4], castagnoli) {
		return acked{}, false
	}
	return acked{
		count: binary.BigEndian.Uint64(b[8:]), version: binary.BigEndian.Uint64(b[16:]), holes: binary.BigEndian.Uint64(b[24:]), clean: b[32] == 1,
	}, true
}

// readAcked returns what the file in dir says; ok is false where there is none.
func readAcked(dir string) (a acked, ok bool, err error) {
	path := filepath.Join(dir, ackedName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return a, false, nil
	}
	if err != nil {
		return a, false, fmt.Errorf("store: %w", err)
	}
	for at := 0; at+ackedSize <= len(b); at += ackedStride {
		if r, readable := decodeAcked(b[at : at+ackedSize]); readable && (!ok || r.count > a.count) {
			a, ok = r, true
		}
	}
	if !ok {
		return a, false, fmt.Errorf("%w; %s", damage(dir, path, "it does not read"), orAccept(dir))
	}
	return a, true, nil
}

// ackFile is the file of a store that is open. One goroutine writes it.
type ackFile struct {
	f    *os.File
	last acked
}

// openAcked opens the file, or makes it, and writes a first to it, durably.
func openAcked(dir string, first acked) (*ackFile, error) {
	path := filepath.Join(dir, ackedName)
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = makeAcked(dir, path, first)
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	a := &ackFile{f: f, last: first}
	if err := errors.Join(a.put(first), f.Sync()); err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", err), f.Close())
	}
	return a, nil
}

// makeAcked makes the file under another name first: it is there whole or not at all.
func makeAcked(dir, path string, first acked) (*os.File, error) {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(append(first.encode(), make([]byte, 2*ackedStride-ackedSize)...))
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (a *ackFile) put(r acked) error {
	r.count = a.last.count + 1
	if _, err := a.f.WriteAt(r.encode(), int64(r.count%2)*ackedStride); err != nil {
		return err
	}
	a.last = r
	return nil
}

// acknowledge says that the commits up to version are durable.
func (a *ackFile) acknowledge(version uint64) error {
	if version <= a.last.version {
		return nil
	}
	return a.put(acked{version: version, holes: a.last.holes})
}

// miss says, durably, that the commit of version has failed.
func (a *ackFile) miss(version uint64) error {
	return errors.Join(a.put(acked{version: a.last.version, holes: version}), a.f.Sync())
}

// close says that everything is in files, where that is so.
func (a *ackFile) close(clean bool) error {
	if a == nil { // in memory
		return nil
	}
	var err error
	if clean {
		last := a.last
		last.clean = true
		err = errors.Join(a.put(last), a.f.Sync())
	}
	return errors.Join(err, a.f.Close())
}
