package badgerstore

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/waybill-dev/waybill/core/store"
)

// Badger reads its files through memory maps. Where a file is shorter than its map, as somebody has cut it, or where the disk does not
// answer, reading ends the program with SIGBUS, unless the goroutine that reads has asked for a panic. Those of the store do. Badger's own,
// which write, compact and collect garbage, cannot: there the program dies, and the next start names the file.

var (
	errFault   = fmt.Errorf("%w: a file was cut short while it was in use, or the disk does not answer", errDamaged)
	errGarbled = fmt.Errorf("%w: a file holds what was never written to it", errDamaged)
)

// guarded returns errFault in place of a fault in a memory map, and errGarbled where Badger itself panics as it has met what it never wrote.
// Badger may hold a lock for ever then: it is not to be closed.
func guarded(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		_, fault := r.(interface {
			runtime.Error
			Addr() uintptr
		})
		switch {
		case fault:
			err = errFault
		case badgersOwn():
			err = fmt.Errorf("%w: %v", errGarbled, r)
		default:
			panic(r)
		}
	}()
	return do()
}

// badgersOwn reports, to who recovers, whether it was Badger that has panicked, and not what it calls.
func badgersOwn() bool {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	panicked := false
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicked = true
		case panicked && !strings.HasPrefix(f.Function, "runtime."):
			return strings.HasPrefix(f.Function, "github.com/dgraph-io/")
		}
		if !more {
			return false
		}
	}
}

// noticed takes note of an error that says that a row is damaged, and says what is to be done.
func (s *Store) noticed(err error) error {
	if err == nil || s.inMemory || !errors.Is(err, errDamaged) {
		return err
	}
	err = fmt.Errorf("%w: %w; nothing more is accepted: move the folder %s away and restore a backup: waybill restore FILE", store.ErrUnavailable, err, s.dir)
	s.spoil(err)
	return err
}

// spoil makes the store refuse to write from the first damage on, and looks behind the caller which file it is in.
func (s *Store) spoil(err error) {
	s.unsafe(err)
	if !s.damaged.CompareAndSwap(nil, &err) {
		return
	}
	s.logDamage(err)
	s.verifyBehind()
}

// located makes the store refuse to write, for a damage whose file is known, and logs it once however often it is
// found. Where it was the process that could not look, nothing says that the store is damaged.
func (s *Store) located(err error) error {
	if err == nil || hindered(err) && !errors.As(err, new(fileDamage)) {
		return err
	}
	if failed := sayDamaged(s.dir, err); failed != nil {
		s.log.Warn("that the store is damaged could not be noted beside it; the next start may not see it", "err", failed)
	}
	err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	s.unsafe(err)
	if before := s.damaged.Swap(&err); before == nil || (*before).Error() != err.Error() {
		s.logDamage(err)
	}
	return err
}

// unsafe notes that Badger may hold a lock for ever, as guarded says.
func (s *Store) unsafe(err error) {
	if errors.Is(err, errFault) || errors.Is(err, errGarbled) {
		s.faulted.Store(true)
	}
}

func (s *Store) logDamage(err error) {
	s.log.Error("store is damaged; nothing more is accepted", "err", err)
}
