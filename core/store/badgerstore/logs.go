package badgerstore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/y"
	"golang.org/x/sys/unix"
)

// Badger's logs, as its memtable.go and value.go write them: 20 bytes (8 of the data key's id, 12 of the initialization vector), and
// records. A record is meta and user meta (a byte each), the lengths of key and value and the expiry (uvarints), key and value, which
// encryption hides, and a CRC-32C of all that. A key ends with its version, inverted, in 8 bytes. A commit is its entries, marked,
// and an end that names its version; what the collection of garbage moves has no mark. Behind the last record a log is zero.
const (
	logHeader   = 20
	entryInTxn  = 1 << 6
	endOfTxn    = 1 << 7
	valueIsElse = 1 << 1 // the value is a pointer into the value log
	pointerSize = 12
	maxLogKey   = 1 << 16
)

// What the head of a record that is looked for behind damage begins with: the end of a commit in a log, a part of a label in the
// value log.
var (
	endHead  = []byte{endOfTxn, 0, byte(len("!badger!txn") + 8)}
	blobHead = []byte{0, 0, byte(len(blobKey(0, 0)) + 8)}
)

// logFile is a log that is only read.
type logFile struct {
	data []byte
	key  []byte // nil where it is not encrypted
}

// openLog maps a log. A file that is too short to hold a record has no data.
func openLog(path string, keys *badger.KeyRegistry) (*logFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() < logHeader {
		return &logFile{}, nil
	}
	// A process that was killed leaves writes to the system; what rests on this log from here on must not be newer than the log.
	if err := f.Sync(); err != nil {
		return nil, err
	}
	size, err := laidDown(f, st.Size())
	if err != nil {
		return nil, err
	}
	l := &logFile{}
	if l.data, err = unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED); err != nil {
		return nil, err
	}
	k, err := keys.DataKey(binary.BigEndian.Uint64(l.data))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("its head names a key that KEYREGISTRY does not have: %w", err), l.close())
	}
	if k != nil {
		l.key = k.Data
	}
	return l, nil
}

// laidDown is how much of a file there is to read: the hole at its end is zeros. Badger lays the value log out with half a GiB of them, and
// reading those takes longer than all else at a start.
func laidDown(f *os.File, size int64) (int64, error) {
	end := int64(0)
	for end < size {
		data, err := unix.Seek(int(f.Fd()), end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // nothing but a hole is left
		}
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
			return size, nil // of holes, this file system does not tell
		}
		if err != nil {
			return 0, err
		}
		if end, err = unix.Seek(int(f.Fd()), data, unix.SEEK_HOLE); err != nil {
			return 0, err
		}
	}
	// A record may end with zeros, and copying may have made a hole of these.
	const spare = 4096
	return min(size, end+spare), nil
}

func (l *logFile) close() error {
	if l.data == nil {
		return nil
	}
	return unix.Munmap(l.data)
}

// logRecord is a record whose checksum holds.
type logRecord struct {
	at, size   int
	meta       byte
	head       int // bytes before the key
	klen, vlen int
}

// record reads what is at a place; ok is false where no whole record is.
func (l *logFile) record(at int) (r logRecord, ok bool) {
	if at+2 > len(l.data) {
		return r, false
	}
	b := l.data[at:]
	if r, ok = recordHead(b, int64(len(b))); !ok {
		return r, false
	}
	r.at = at
	end := r.size - crc32.Size
	if binary.BigEndian.Uint32(b[end:]) != crc32.Checksum(b[:end], castagnoli) {
		return r, false
	}
	return r, true
}

// text returns the first n bytes of key and value together.
func (l *logFile) text(r logRecord, n int) []byte {
	b := l.data[r.at+r.head:][:n]
	if l.key == nil {
		return b
	}
	iv := binary.BigEndian.AppendUint32(slices.Clone(l.data[8:logHeader]), uint32(r.at))
	plain, err := y.XORBlockAllocate(b, l.key, iv)
	if err != nil {
		return make([]byte, n) // of a key of another length than AES has, which Badger made none of
	}
	return plain
}

// recordHead reads the head of a record, which is whole within the first left bytes.
func recordHead(b []byte, left int64) (r logRecord, ok bool) {
	if len(b) < 2 {
		return r, false
	}
	r = logRecord{meta: b[0], head: 2}
	var lengths [3]uint64
	for i := range lengths {
		n, size := binary.Uvarint(b[r.head:min(len(b), r.head+binary.MaxVarintLen64)])
		if size <= 0 {
			return r, false
		}
		lengths[i], r.head = n, r.head+size
	}
	if lengths[0] < 8 || lengths[0] > maxLogKey || lengths[1] > uint64(left) {
		return r, false
	}
	r.klen, r.vlen = int(lengths[0]), int(lengths[1])
	r.size = r.head + r.klen + r.vlen + crc32.Size
	return r, int64(r.size) <= left
}

func (l *logFile) version(r logRecord) uint64 { return y.ParseTs(l.text(r, r.klen)) }

// logScan is what is in a log.
type logScan struct {
	end         int    // behind the last whole commit
	first, last uint64 // versions of the whole commits, 0 for none
	cut         bool   // something that is no whole commit lies behind them
	later       bool   // and behind that lies what was written only after it had been synced
	pointers    []valuePointer
}

// valuePointer says where the value of a whole commit is.
type valuePointer struct{ file, size, at uint32 }

func (p valuePointer) end() int { return int(p.at) + int(p.size) }

// commits reads a log of commits as Badger does when it opens, up to the first record that does not read or does not fit.
func (l *logFile) commits() logScan {
	s := logScan{end: logHeader}
	var open uint64
	var pointers []valuePointer
	at := logHeader
	done := func(r logRecord) {
		s.end, s.pointers = r.at+r.size, append(s.pointers, pointers...)
		pointers = pointers[:0]
	}
read:
	for {
		r, ok := l.record(at)
		if !ok {
			break
		}
		if r.meta&valueIsElse > 0 && r.vlen == pointerSize {
			p := l.text(r, r.klen+pointerSize)[r.klen:]
			pointers = append(pointers, valuePointer{binary.NativeEndian.Uint32(p), binary.NativeEndian.Uint32(p[4:]), binary.NativeEndian.Uint32(p[8:])})
		}
		switch {
		case r.meta&entryInTxn > 0:
			v := l.version(r)
			if open == 0 {
				open = v
			}
			if open != v {
				s.later = true
				break read
			}
		case r.meta&endOfTxn > 0:
			v, err := strconv.ParseUint(string(l.text(r, r.klen+r.vlen)[r.klen:]), 10, 64)
			if err != nil || v != open {
				s.later = true
				break read
			}
			if s.first == 0 {
				s.first = v
			}
			open, s.last = 0, v
			done(r)
		default:
			if open != 0 {
				s.later = true
				break read
			}
			done(r)
		}
		at = r.at + r.size
	}
	if s.end < len(l.data) {
		s.cut = !zero(l.data[s.end:])
	}
	if s.cut {
		ends := l.versionsFrom(at, endHead)
		s.later = s.later || len(ends) > 1 || open != 0 && len(ends) > 0 && ends[0] > open
	}
	return s
}

// values reads a file of the value log, up to the first record that does not read, and returns where it ends, whether something lies
// behind, and the versions of parts of labels that do.
func (l *logFile) values() (end int, cut bool, behind []uint64) {
	end = logHeader
	for {
		r, ok := l.record(end)
		if !ok {
			break
		}
		end = r.at + r.size
	}
	if end >= len(l.data) || zero(l.data[end:]) {
		return end, false, nil
	}
	return end, true, l.versionsFrom(end, blobHead)
}

// maxRecordHead bounds the head of a record.
const maxRecordHead = 2 + 3*binary.MaxVarintLen64

// readValues reads a file of the value log as values does, a piece at a time and without a map: it may be of any size, and one that is
// cut meanwhile would end the process.
func readValues(ctx context.Context, path string) (end int64, cut bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return 0, false, err
	}
	size := st.Size()
	end = min(size, logHeader)
	r := bufio.NewReaderSize(io.NewSectionReader(f, end, size-end), 256<<10)
	for ctx.Err() == nil {
		n, err := readRecord(r, size-end)
		if err != nil {
			return end, false, err
		}
		if n == 0 {
			break
		}
		end += n
	}
	cut, err = written(ctx, io.NewSectionReader(f, end, size-end))
	return end, cut, err
}

// readRecord reads a record against its checksum and returns its size, 0 where no whole one is.
func readRecord(r *bufio.Reader, left int64) (int64, error) {
	head, err := r.Peek(maxRecordHead)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	x, ok := recordHead(head, left)
	if !ok {
		return 0, nil
	}
	sum := crc32.New(castagnoli)
	var want [crc32.Size]byte
	_, err = io.CopyN(sum, r, int64(x.size-crc32.Size))
	if err == nil {
		_, err = io.ReadFull(r, want[:])
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, nil // the file was cut meanwhile
	}
	if err != nil {
		return 0, err
	}
	if binary.BigEndian.Uint32(want[:]) != sum.Sum32() {
		return 0, nil
	}
	return int64(x.size), nil
}

// written says whether anything but zeros is left to read.
func written(ctx context.Context, r io.Reader) (bool, error) {
	b := make([]byte, 64<<10)
	for ctx.Err() == nil {
		n, err := r.Read(b)
		if !zero(b[:n]) {
			return true, nil
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, context.Cause(ctx)
}

// versionsFrom looks for whole records that begin with head, at any place from at on, and returns their versions, each once.
func (l *logFile) versionsFrom(at int, head []byte) (versions []uint64) {
	for {
		i := bytes.Index(l.data[at:], head)
		if i < 0 {
			break
		}
		if r, ok := l.record(at + i); ok {
			versions = append(versions, l.version(r))
			at = r.at + r.size
			continue
		}
		at += i + 1
	}
	slices.Sort(versions)
	return slices.Compact(versions)
}

func zero(b []byte) bool {
	const step = 4096
	var zeros [step]byte
	for ; len(b) > step; b = b[step:] {
		if !bytes.Equal(b[:step], zeros[:]) {
			return false
		}
	}
	return bytes.Equal(b, zeros[:len(b)])
}

// cutLog removes what lies behind end, durably.
func cutLog(path string, end int) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(int64(end)), f.Sync(), f.Close())
}
