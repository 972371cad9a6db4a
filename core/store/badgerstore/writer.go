package badgerstore

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/store"
)

// Limits of one group. Badger takes 15 % of a memtable in one transaction: 4.8 MiB.
const (
	maxBatchBytes   = 4 << 20
	maxBatchEntries = 2000
	// maxTxEntries bounds one transaction, which may be larger than a group closes at.
	maxTxEntries = 20_000
	// maxYields bounds how often the writer lets others go first before it commits a group.
	maxYields = 100
	// entryOverhead is what Badger counts for an entry besides key and value.
	entryOverhead = 16
)

// request is one waiting write.
type request struct {
	bytes, entries int
	jobs           *jobChange // nil where no jobs are touched
	meets          *jobChange // jobs that are written and not changed; they too must wait for a change of the same ones
	outbox         bool       // tells those who wait for messages
	// check reads and decides; put writes what was checked. An error of check leaves the batch as it was.
	check func(*badger.Txn) error
	put   func(*badger.Txn) error
	// ahead is written and synced before the rows that name it; undo removes it where those failed.
	ahead, undo func() error
	done        chan error // nil where nobody waits
	idle        bool       // it writes nothing
}

func (r *request) answer(err error) {
	if r.done != nil {
		r.done <- err
	}
}

// batch is the group being merged.
type batch struct {
	txn            *badger.Txn
	bytes, entries int
	writes         bool
	merged         []*request
	refused        []refusal
	touched        touched
}

// refusal is an answer that rests on what is merged and not yet durable: it is given when that is, so that whoever is refused can
// read why.
type refusal struct {
	*request
	err error
}

func (s *Store) newBatch() *batch {
	return &batch{
		txn:     s.db.NewTransaction(true),
		touched: touched{ids: map[jobID]bool{}, keys: map[slotID]bool{}},
	}
}

func (b *batch) full() bool { return b.bytes >= maxBatchBytes || b.entries >= maxBatchEntries }

// write is the one writer: it merges what waits into one Badger transaction, commits, and answers all. While one group is
// synced the next one gathers, so groups grow with the load and a single writer waits for nobody.
func (s *Store) write() {
	defer close(s.written)
	for r := range s.requests {
		b := s.merge(s.newBatch(), r)
		for yields := 0; !b.full(); {
			r, ok := s.poll()
			if ok {
				b = s.merge(b, r)
				continue
			}
			// Those that are about to send, as most are whom the last group has answered, are worth a turn of the processor:
			// groups would be half as large without them. A lone writer finds nobody to wait for.
			if yields == maxYields || int(s.committing.Load()) <= len(b.merged) {
				break
			}
			yields++
			runtime.Gosched()
		}
		s.flush(b)
	}
}

// poll takes a request that waits; ok is false where none does.
func (s *Store) poll() (r *request, ok bool) {
	select {
	case r, ok = <-s.requests:
	default:
	}
	return r, ok
}

// merge adds r to b where it holds, and answers it where it does not. It returns the batch to go on with: b, or a new one where
// r had to wait for b.
func (s *Store) merge(b *batch, r *request) *batch {
	if b.bytes+r.bytes > maxBatchBytes || r.ahead != nil || s.queue.touches(&b.touched, r.jobs) || s.queue.touches(&b.touched, r.meets) {
		if len(b.merged) > 0 {
			s.flush(b)
			b = s.newBatch()
		}
	}
	if r.jobs != nil { // before they are checked: nobody may claim what the check has found free
		s.queue.freeze(r.jobs, &b.touched)
	}
	if err := s.noticed(guarded(func() error { return r.check(b.txn) })); err != nil {
		s.thaw(r)
		if len(b.merged) == 0 {
			r.answer(err)
		} else {
			b.refused = append(b.refused, refusal{r, err})
		}
		return b
	}
	if r.ahead != nil {
		if err := r.ahead(); err != nil {
			s.thaw(r)
			r.answer(errors.Join(err, r.undo()))
			return b
		}
		// The transaction must see what was written ahead; nothing else is in it yet.
		b.txn.Discard()
		frozen := b.touched
		b = s.newBatch()
		b.touched = frozen
	}
	b.merged = append(b.merged, r)
	b.bytes += r.bytes
	b.entries += r.entries
	b.writes = b.writes || !r.idle
	if err := s.noticed(guarded(func() error { return r.put(b.txn) })); err != nil {
		// What of r is in the transaction cannot be taken out of it again: all of the group share its fate.
		s.fail(b, unavailable("gather a group of commits", err))
		return s.newBatch()
	}
	return b
}

// thaw lets the jobs of a request that will not be written be claimed again.
func (s *Store) thaw(r *request) {
	if r.jobs != nil {
		s.queue.finish(r.jobs, false)
		s.signalJobs()
	}
}

func (s *Store) flush(b *batch) {
	if len(b.merged) == 0 {
		b.txn.Discard()
		return
	}
	if err := s.settle(b); err != nil {
		s.fail(b, err)
		return
	}
	changed, told := false, false
	for _, r := range b.merged {
		if r.jobs != nil {
			s.queue.finish(r.jobs, true)
			changed = true
		}
		told = told || r.outbox
	}
	if changed {
		s.signalJobs()
	}
	if told {
		select {
		case s.messagesChanged <- struct{}{}:
		default:
		}
	}
	for _, r := range b.merged {
		r.answer(nil)
	}
	for _, r := range b.refused {
		r.answer(r.err)
	}
}

func (s *Store) fail(b *batch, err error) {
	b.txn.Discard()
	for _, r := range b.merged {
		if r.jobs != nil {
			s.queue.finish(r.jobs, false)
		}
		if r.undo != nil {
			if e := r.undo(); e != nil {
				s.log.Warn("label written ahead is not removed, the next opening does it", "err", e)
			}
		}
		r.answer(err)
	}
	for _, r := range b.refused {
		r.answer(err) // what they were refused for has not happened
	}
	s.signalJobs()
}

// settle commits a group that writes anything.
func (s *Store) settle(b *batch) error {
	if !b.writes {
		b.txn.Discard()
		return s.room()
	}
	return s.commit(b.txn)
}

// commit syncs a transaction to disk where there is room.
func (s *Store) commit(txn *badger.Txn) error {
	if err := s.room(); err != nil {
		txn.Discard()
		return err
	}
	return s.sync(txn)
}

// sync commits a transaction and notes that it is durable.
func (s *Store) sync(txn *badger.Txn) error {
	defer txn.Discard()
	// The newest version of a row is never compacted away, so that the tables always tell their last commit.
	if err := txn.Set(newestKey(), nil); err != nil {
		return unavailable("commit", err)
	}
	if err := txn.Commit(); err != nil {
		if s.acked != nil {
			err = errors.Join(err, s.acked.miss(s.version()))
		}
		return unavailable("commit", err)
	}
	if s.acked == nil {
		return nil
	}
	// What is written is durable whether this succeeds or not.
	if err := s.acked.acknowledge(s.version()); err != nil && !s.unsaid {
		s.unsaid = true
		s.log.Error("commits are stored, and not noted as acknowledged; damage to the last of them would not be told", "file", ackedName, "err", err)
	}
	if err := s.values.follow(); err != nil && !s.unlisted {
		s.unlisted = true
		s.log.Error("commits are stored, and a new file of the value log is not noted; its loss would not be told at once", "file", valuesName, "err", err)
	}
	return nil
}

// update commits rows of the store's own, also where there is little room.
func (s *Store) update(put func(*badger.Txn) error) error {
	txn := s.db.NewTransaction(true)
	if err := s.noticed(guarded(func() error { return put(txn) })); err != nil {
		txn.Discard()
		return err
	}
	return s.sync(txn)
}

// version is that of the last commit; all up to it have come to their ends.
func (s *Store) version() uint64 {
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	return txn.ReadTs()
}

// room refuses writes to damaged files, and while the disk is nearly full. Badger writes through memory maps, where a full disk kills the process.
func (s *Store) room() error {
	if s.inMemory {
		return nil
	}
	if damage := s.damaged.Load(); damage != nil {
		return *damage
	}
	free, err := s.free(s.dir)
	if err != nil {
		return unavailable("ask for free space in "+s.dir, err)
	}
	if free < s.minFree {
		return fmt.Errorf("%w: disk is full: %d MiB free in %s, and %d MiB must stay free for writing; remove files or give it more space; an engine that serves writes again by itself then, one that has ended is to be started again",
			store.ErrUnavailable, free>>20, s.dir, s.minFree>>20)
	}
	return nil
}

func unavailable(doing string, err error) error {
	return fmt.Errorf("%w: %s: %w", store.ErrUnavailable, doing, err)
}

func (s *Store) signalJobs() {
	select {
	case s.jobsChanged <- struct{}{}:
	default:
	}
}
