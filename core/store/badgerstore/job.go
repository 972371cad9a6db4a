package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/store"
)

// Owner implements store.Jobs.
func (s *Store) Owner() string {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return s.queue.owner
}

// Forsake makes all leases void and names a new owner, as a new opening would. It is for virtual runs, where the engine on top
// of a store in memory is made to crash and the store lives on.
func (s *Store) Forsake() {
	s.queue.forsake(s.source.Token(9))
	s.signalJobs()
}

// ClaimJobs implements store.Jobs. A lease is in memory, so a claim waits for no disk; that it was tried is written with the
// next group, and lost only if the machine dies before.
func (s *Store) ClaimJobs(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]store.Job, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	leave, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	until := now.Add(lease).UTC()
	owner := s.Owner()
	claims := s.queue.claim(now.UnixNano(), until.UnixNano(), limit)
	jobs := make([]store.Job, 0, len(claims))
	err = s.look(func(txn *badger.Txn) error {
		for _, c := range claims {
			j, err := s.loadJob(txn, c)
			if errors.Is(err, store.ErrNotFound) || err == nil && !s.queue.holds(c.tenant, c.id, c.token) {
				s.queue.release(c.tenant, c.id, c.token) // dropped or replaced since it was claimed
				continue
			}
			if err != nil {
				return fmt.Errorf("job %s: %w", c.id, err)
			}
			j.Tries = c.tries
			j.Lease = &store.Lease{Owner: owner, Token: c.token, Until: until}
			jobs = append(jobs, j)
		}
		return nil
	})
	if err != nil {
		for _, c := range claims {
			s.queue.release(c.tenant, c.id, c.token)
		}
		return nil, fmt.Errorf("claim jobs: %w", err)
	}
	if len(jobs) > 0 {
		s.noteTries(ctx, jobs)
	}
	return jobs, nil
}

func (s *Store) loadJob(txn *badger.Txn, c claim) (store.Job, error) {
	var j store.Job
	b, err := get(txn, jobKey(c.tenant, c.id))
	if err != nil {
		return j, err
	}
	body, err := decodeRecord(b, &j)
	if len(body) > 0 {
		j.Payload = body
	}
	return j, err
}

// noteTries gives the counts of tries to the writer, and waits only while it is far behind.
func (s *Store) noteTries(ctx context.Context, jobs []store.Job) {
	rows := make([]row, 0, len(jobs))
	change := &jobChange{}
	tokens := make([]string, 0, len(jobs))
	r := &request{check: func(*badger.Txn) error { return nil }}
	for _, j := range jobs {
		x, err := jobRow(j)
		if err != nil {
			continue // it was read from such a row
		}
		rows = append(rows, x)
		tokens = append(tokens, j.Lease.Token)
		change.done = append(change.done, jobID{j.Tenant, j.ID})
		r.bytes += len(x.key) + len(x.value) + entryOverhead
		r.entries++
	}
	// Only what the job still is may be written: it may be done, and gone, by the time the writer comes to it.
	r.meets = change
	r.put = func(txn *badger.Txn) error {
		p := putter{txn: txn}
		for i, x := range rows {
			if s.queue.holds(change.done[i].tenant, change.done[i].id, tokens[i]) {
				p.set(x.key, x.value)
			}
		}
		return p.err
	}
	select {
	case s.requests <- r:
	case <-ctx.Done():
	}
}

// RenewJob implements store.Jobs.
func (s *Store) RenewJob(ctx context.Context, j store.Job, until time.Time) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if j.Lease == nil || !s.queue.renew(j.Tenant, j.ID, j.Lease.Token, until.UnixNano()) {
		return fmt.Errorf("job %s: %w", j.ID, store.ErrLeaseLost)
	}
	return nil
}

// ReleaseJob implements store.Jobs.
func (s *Store) ReleaseJob(ctx context.Context, j store.Job) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if j.Lease != nil && s.queue.release(j.Tenant, j.ID, j.Lease.Token) {
		s.signalJobs()
	}
	return nil
}

// NextJob implements store.Jobs.
func (s *Store) NextJob(ctx context.Context) (time.Time, bool, error) {
	if ctx.Err() != nil {
		return time.Time{}, false, context.Cause(ctx)
	}
	at, ok := s.queue.next()
	return at, ok, nil
}

// JobsChanged implements store.Jobs.
func (s *Store) JobsChanged() <-chan struct{} { return s.jobsChanged }
