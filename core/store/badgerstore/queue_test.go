package badgerstore

import (
	"errors"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/waybill-dev/waybill/core/store"
)

// TestNobodyClaimsWhatIsBeingChecked: a job that is put with a lease, as nobody holds its key, must not meet another of that key which
// is claimed until it is there.
func TestNobodyClaimsWhatIsBeingChecked(t *testing.T) {
	s, err := Open(Config{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	if err := s.Commit(t.Context(), "acme", &store.Tx{PutJobs: []store.Job{{ID: "a", Kind: "poll", Key: "k", Due: now}}}); err != nil {
		t.Fatal(err)
	}
	<-s.JobsChanged()
	// put leases a job of the same key; between its check and its commit somebody asks for what is due.
	put := func(refusal error) (got []claim, err error) {
		e := newEntry(&store.Job{ID: "b", Tenant: "acme", Kind: "walk", Key: "k", Due: now})
		e.token, e.until = s.queue.token(), now.Add(time.Minute).UnixNano()
		change := &jobChange{put: []*entry{e}}
		r := &request{jobs: change, idle: true, done: make(chan error, 1), put: func(*badger.Txn) error { return nil }}
		r.check = func(*badger.Txn) error {
			err := s.queue.check(change)
			got = s.queue.claim(now.UnixNano(), now.Add(time.Minute).UnixNano(), 1)
			return errors.Join(err, refusal)
		}
		s.requests <- r
		err = <-r.done
		return got, err
	}
	conflict := errors.New("somebody was faster")
	if _, err := put(conflict); !errors.Is(err, conflict) {
		t.Errorf("a request that is refused: %v", err)
	}
	select {
	case <-s.JobsChanged():
	default:
		t.Error("nobody is told that the job can be claimed again")
	}
	got, err := put(nil)
	if err != nil || len(got) > 0 {
		t.Errorf("two of one key are leased: %v, %v", got, err)
	}
	if jobs, err := s.ClaimJobs(t.Context(), now, time.Minute, 9); err != nil || len(jobs) > 0 {
		t.Errorf("claimed %v, %v, beside the one that was put with a lease", jobs, err)
	}
	if jobs, err := s.ClaimJobs(t.Context(), now.Add(time.Hour), time.Minute, 9); err != nil || len(jobs) != 1 {
		t.Errorf("claimed %v, %v, after the lease; want the one of the key", jobs, err)
	}
}
