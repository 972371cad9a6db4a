package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/store"
	"pgregory.net/rapid"
)

var jobChecks = []check{
	{"every member comes back", checkJobMembers},
	{"due jobs come in order", checkJobOrder},
	{"one of a key at a time", checkJobKeys},
	{"a lease ends", checkLeaseEnds},
	{"a lease is renewed and given back", checkRenew},
	{"done needs the lease", checkDone},
	{"a job put with a lease is ours", checkPutLeased},
	{"a replaced job waits for who holds it", checkReplaced},
	{"jobs are dropped whoever holds them", checkDrop},
	{"next is when there is something to claim", checkNext},
	{"a commit that puts jobs signals", checkSignal},
	{"tenants' keys are apart", checkJobTenants},
	{"a transaction leaves another tenant a job", checkJobForAnother},
	{"any order of events", checkJobsAtRandom},
}

const lease = time.Minute

func job(id, key string, due time.Duration) store.Job {
	return store.Job{ID: id, Kind: "poll", Key: key, Due: now.Add(due)}
}

func putJobs(t testing.TB, s store.Store, jobs ...store.Job) {
	t.Helper()
	commit(t, s, tenant, &store.Tx{PutJobs: jobs})
}

func claim(t testing.TB, s store.Store, after time.Duration, limit int) []store.Job {
	t.Helper()
	jobs, err := s.ClaimJobs(t.Context(), now.Add(after), lease, limit)
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

func jobIDs(jobs []store.Job) []string {
	list := []string{}
	for _, j := range jobs {
		list = append(list, j.ID)
	}
	return list
}

// claims expects which jobs are claimed.
func claims(t testing.TB, s store.Store, after time.Duration, want ...string) []store.Job {
	t.Helper()
	jobs := claim(t, s, after, 100)
	equal(t, fmt.Sprint("claimed after ", after), jobIDs(jobs), append([]string{}, want...))
	if len(jobs) != len(want) {
		t.FailNow()
	}
	return jobs
}

func checkJobMembers(t *testing.T, s store.Store) {
	j := Filled[store.Job]()
	j.Tenant, j.Lease, j.Due, j.Tries = tenant, nil, now, 4
	putJobs(t, s, j)
	got := claims(t, s, 0, j.ID)[0]
	if l := got.Lease; l == nil || l.Owner != s.Owner() || l.Token == "" || !l.Until.Equal(now.Add(lease)) {
		t.Errorf("lease %+v, want one of %s until %v", l, s.Owner(), now.Add(lease))
	}
	if got.Tries != 5 {
		t.Errorf("tried %d times, want 5", got.Tries)
	}
	got.Lease, got.Tries = nil, 4
	equal(t, "job", got, j)
}

func checkJobOrder(t *testing.T, s store.Store) {
	putJobs(t, s, job("c", "k3", 2*time.Second), job("a", "k2", time.Second), job("b", "k1", time.Second), job("z", "k0", time.Second), job("d", "k4", time.Hour))
	equal(t, "the first two", jobIDs(claim(t, s, time.Minute, 2)), []string{"z", "b"})
	claims(t, s, 1500*time.Millisecond, "a")
	claims(t, s, time.Hour, "z", "b", "a", "c", "d") // the leases have ended by then
}

func checkJobKeys(t *testing.T, s store.Store) {
	putJobs(t, s, job("a1", "a", 0), job("a2", "a", time.Second), job("b1", "b", 2*time.Second), job("b2", "b", 3*time.Second))
	first := claims(t, s, 10*time.Second, "a1", "b1")
	claims(t, s, 10*time.Second)
	commit(t, s, tenant, &store.Tx{DoneJobs: first[:1]})
	claims(t, s, 10*time.Second, "a2")
	commit(t, s, tenant, &store.Tx{DoneJobs: first[1:]})
	claims(t, s, 10*time.Second, "b2")
}

func checkLeaseEnds(t *testing.T, s store.Store) {
	putJobs(t, s, job("a", "k", 0), job("b", "k", 0))
	old := claims(t, s, 0, "a")[0]
	claims(t, s, lease-1)
	fresh := claims(t, s, lease, "a")[0]
	if fresh.Lease.Token == old.Lease.Token || fresh.Tries != 2 {
		t.Errorf("token %s then %s, tries %d", old.Lease.Token, fresh.Lease.Token, fresh.Tries)
	}
	refused(t, s, tenant, &store.Tx{DoneJobs: []store.Job{old}}, store.ErrLeaseLost)
	if err := s.RenewJob(t.Context(), old, now.Add(time.Hour)); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("renew a lease that is another's: %v", err)
	}
	commit(t, s, tenant, &store.Tx{DoneJobs: []store.Job{fresh}})
	claims(t, s, lease, "b")
}

func checkRenew(t *testing.T, s store.Store) {
	putJobs(t, s, job("a", "k", 0))
	j := claims(t, s, 0, "a")[0]
	if err := s.RenewJob(t.Context(), j, now.Add(2*lease)); err != nil {
		t.Fatal(err)
	}
	claims(t, s, lease)
	if err := s.ReleaseJob(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	again := claims(t, s, lease, "a")[0]
	if err := s.ReleaseJob(t.Context(), j); err != nil {
		t.Errorf("give back what is not held: %v", err)
	}
	claims(t, s, lease) // and it was not taken from its holder
	commit(t, s, tenant, &store.Tx{DoneJobs: []store.Job{again}})
	if err := s.ReleaseJob(t.Context(), again); err != nil {
		t.Errorf("give back what is done: %v", err)
	}
	if err := s.RenewJob(t.Context(), again, now.Add(lease)); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("renew what is done: %v", err)
	}
}

func checkDone(t *testing.T, s store.Store) {
	putJobs(t, s, job("a", "k", 0))
	sh := NewShipment(tenant, 1)
	with := func(j store.Job) *store.Tx {
		tx := put(sh)
		tx.DoneJobs = []store.Job{j}
		return tx
	}
	refused(t, s, tenant, with(job("a", "k", 0)), store.ErrLeaseLost)
	refused(t, s, tenant, with(job("nobody", "k", 0)), store.ErrLeaseLost)
	j := claims(t, s, 0, "a")[0]
	forged := j
	forged.Lease = &store.Lease{Owner: s.Owner(), Token: "forged", Until: j.Lease.Until}
	refused(t, s, tenant, with(forged), store.ErrLeaseLost)
	foreign := NewShipment(other, 2)
	refused(t, s, other, &store.Tx{Shipments: put(foreign).Shipments, DoneJobs: []store.Job{j}}, store.ErrLeaseLost)
	commit(t, s, tenant, with(j))
	refused(t, s, tenant, with(j), store.ErrLeaseLost)
	claims(t, s, time.Hour)

	// Done and put anew in one transaction: rescheduled.
	putJobs(t, s, job("b", "k", 0))
	j = claims(t, s, 0, "b")[0]
	later := job("b", "k", time.Hour)
	later.Tries = j.Tries
	commit(t, s, tenant, &store.Tx{DoneJobs: []store.Job{j}, PutJobs: []store.Job{later}})
	claims(t, s, time.Hour-1)
	if j = claims(t, s, time.Hour, "b")[0]; j.Tries != 2 {
		t.Errorf("tries %d after a second claim", j.Tries)
	}
}

func checkPutLeased(t *testing.T, s store.Store) {
	mine := job("a", "k", 0)
	mine.Lease = &store.Lease{Until: now.Add(lease)}
	tx := &store.Tx{PutJobs: []store.Job{mine, job("b", "k", 0)}}
	commit(t, s, tenant, tx)
	mine = tx.PutJobs[0]
	if mine.Tenant != tenant || mine.Lease.Owner != s.Owner() || mine.Lease.Token == "" {
		t.Fatalf("job %+v with lease %+v is not filled in", mine, mine.Lease)
	}
	claims(t, s, 0)
	rival := job("c", "k", 0)
	rival.Lease = &store.Lease{Until: now.Add(lease)}
	refused(t, s, tenant, &store.Tx{PutJobs: []store.Job{rival}}, store.ErrConflict)
	x, y := job("x", "free", 0), job("y", "free", 0)
	x.Lease, y.Lease = &store.Lease{Until: now.Add(lease)}, &store.Lease{Until: now.Add(lease)}
	refused(t, s, tenant, &store.Tx{PutJobs: []store.Job{x, y}}, store.ErrConflict)
	// The key may be handed on in one transaction.
	tx = &store.Tx{DoneJobs: []store.Job{mine}, PutJobs: []store.Job{rival}}
	commit(t, s, tenant, tx)
	commit(t, s, tenant, &store.Tx{DoneJobs: tx.PutJobs})
	claims(t, s, 0, "b")
}

func checkReplaced(t *testing.T, s store.Store) {
	putJobs(t, s, job("a", "k", 0))
	held := claims(t, s, 0, "a")[0]
	fresh := job("a", "k", time.Second)
	fresh.Payload = []byte("new")
	putJobs(t, s, fresh)
	if err := s.RenewJob(t.Context(), held, now.Add(time.Hour)); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("renew a job that was replaced: %v", err)
	}
	refused(t, s, tenant, &store.Tx{DoneJobs: []store.Job{held}}, store.ErrLeaseLost)
	claims(t, s, 2*time.Second)
	if err := s.ReleaseJob(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	if j := claims(t, s, 2*time.Second, "a")[0]; string(j.Payload) != "new" {
		t.Errorf("payload %q, want that of the replacement", j.Payload)
	}
	putJobs(t, s, fresh)
	claims(t, s, 2*time.Second+lease-1)
	claims(t, s, 2*time.Second+lease, "a") // a holder who never lets go loses the key with the lease
}

func checkDrop(t *testing.T, s store.Store) {
	tx := &store.Tx{PutJobs: []store.Job{job("a", "k", 0), job("b", "k", 0), job("c", "k2", 0)}}
	tx.PutJobs[1].Kind = "retry"
	commit(t, s, tenant, tx)
	held := claims(t, s, 0, "a", "c")
	commit(t, s, tenant, &store.Tx{DropJobs: []store.JobKey{{Kind: "poll", Key: "k"}, {Kind: "poll", Key: "nobody"}}})
	refused(t, s, tenant, &store.Tx{DoneJobs: held[:1]}, store.ErrLeaseLost)
	claims(t, s, 0, "b")
	commit(t, s, tenant, &store.Tx{DropJobs: []store.JobKey{{Kind: "retry", Key: "k"}}, PutJobs: []store.Job{job("d", "k", 0)}})
	claims(t, s, 0, "d")
}

func checkNext(t *testing.T, s store.Store) {
	next := func(want time.Duration) {
		t.Helper()
		at, ok, err := s.NextJob(t.Context())
		if err != nil || !ok || !at.Equal(now.Add(want)) {
			t.Errorf("next %v %v %v, want %v", at, ok, err, now.Add(want))
		}
	}
	none := func() {
		t.Helper()
		if at, ok, err := s.NextJob(t.Context()); ok || err != nil {
			t.Errorf("next %v %v, want none", at, err)
		}
	}
	none()
	putJobs(t, s, job("a", "k", time.Second), job("b", "k", 2*time.Second), job("c", "k2", time.Hour))
	next(time.Second)
	j := claims(t, s, time.Second, "a")
	next(time.Second + lease) // b waits for a's key
	commit(t, s, tenant, &store.Tx{DoneJobs: j})
	next(2 * time.Second)
	j = claims(t, s, 2*time.Second, "b")
	commit(t, s, tenant, &store.Tx{DoneJobs: j})
	next(time.Hour)
	commit(t, s, tenant, &store.Tx{DropJobs: []store.JobKey{{Kind: "poll", Key: "k2"}}})
	none()
}

func checkSignal(t *testing.T, s store.Store) {
	signalled := func() bool {
		select {
		case <-s.JobsChanged():
			return true
		default:
			return false
		}
	}
	if signalled() {
		t.Error("signalled before there was anything")
	}
	putJobs(t, s, job("a", "k", 0))
	putJobs(t, s, job("b", "k2", 0))
	if !signalled() || signalled() {
		t.Error("want one signal for what was put since the last")
	}
	commit(t, s, tenant, put(NewShipment(tenant, 1)))
	if signalled() {
		t.Error("signalled for a commit without jobs")
	}
}

func checkJobTenants(t *testing.T, s store.Store) {
	putJobs(t, s, job("a", "k", 0))
	theirs := job("a", "k", 0) // even ids are a tenant's own
	commit(t, s, other, &store.Tx{PutJobs: []store.Job{theirs}})
	jobs := claims(t, s, 0, "a", "a")
	commit(t, s, other, &store.Tx{DropJobs: []store.JobKey{{Kind: "poll", Key: "k"}}})
	for _, j := range jobs {
		want := error(nil)
		if j.Tenant == other {
			want = store.ErrLeaseLost
		}
		if err := s.Commit(t.Context(), j.Tenant, &store.Tx{DoneJobs: []store.Job{j}}); !errors.Is(err, want) {
			t.Errorf("done of %s: %v, want %v", j.Tenant, err, want)
		}
	}
}

// checkJobForAnother: what one tenant's transaction asks of another's rows is that one's job, and is not its own of the same id and key.
func checkJobForAnother(t *testing.T, s store.Store) {
	theirs := job("j", "k", 0)
	theirs.Tenant = other
	jobs := []store.Job{job("j", "k", 0), theirs}
	putJobs(t, s, jobs...)
	equal(t, "tenants that are filled in", []string{jobs[0].Tenant, jobs[1].Tenant}, []string{tenant, other})
	got := claim(t, s, 0, 100)
	if len(got) != 2 || got[0].Tenant == got[1].Tenant {
		t.Fatalf("claimed %+v", got)
	}
	for _, j := range got {
		commit(t, s, j.Tenant, &store.Tx{DoneJobs: []store.Job{j}})
	}
	equal(t, "left", jobIDs(claim(t, s, 2*lease, 100)), []string{})
}

// model is what the store ought to hold, as plainly as it can be said.
type model struct {
	jobs map[string]*modelJob
	now  time.Duration
}

type modelJob struct {
	job      store.Job
	due      time.Duration
	until    time.Duration // of the lease, 0 where there is none
	token    string
	replaced bool
}

func (m *model) leased(key string) bool {
	return slices.ContainsFunc(m.all(), func(j *modelJob) bool { return j.job.Key == key && j.until > m.now })
}

func (m *model) all() []*modelJob {
	var all []*modelJob
	for _, j := range m.jobs {
		all = append(all, j)
	}
	slices.SortFunc(all, func(a, b *modelJob) int {
		return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.job.Key, b.job.Key), cmp.Compare(a.job.ID, b.job.ID))
	})
	return all
}

// claim returns which jobs must be claimed now.
func (m *model) claim(limit int) []string {
	list := []string{}
	taken := map[string]bool{}
	for _, j := range m.all() {
		if len(list) < limit && j.due <= m.now && !taken[j.job.Key] && !m.leased(j.job.Key) {
			taken[j.job.Key] = true
			list = append(list, j.job.ID)
		}
	}
	return list
}

// history is one random history: what the store is told, the model is told as well.
type history struct {
	t    *testing.T
	s    store.Store
	m    *model
	held []store.Job
}

var historyKeys = []string{"k0", "k1", "k2"}

func (h *history) commit(r *rapid.T, tx *store.Tx, want error) {
	if err := h.s.Commit(h.t.Context(), tenant, tx); !errors.Is(err, want) {
		r.Fatalf("commit: %v, want %v", err, want)
	}
}

func (h *history) put(r *rapid.T) {
	n := rapid.IntRange(0, 5).Draw(r, "id")
	id := fmt.Sprint("j", n)
	due := h.m.now + time.Duration(rapid.IntRange(-30, 90).Draw(r, "due"))*time.Second
	j := job(id, historyKeys[n%len(historyKeys)], due)
	h.commit(r, &store.Tx{PutJobs: []store.Job{j}}, nil)
	fresh := &modelJob{job: j, due: due}
	if old := h.m.jobs[id]; old != nil && old.until != 0 {
		fresh.until, fresh.token, fresh.replaced = old.until, old.token, true
	}
	h.m.jobs[id] = fresh
}

func (h *history) claim(r *rapid.T) {
	limit := rapid.IntRange(1, 4).Draw(r, "limit")
	want := h.m.claim(limit)
	got, err := h.s.ClaimJobs(h.t.Context(), now.Add(h.m.now), lease, limit)
	if err != nil || !slices.Equal(jobIDs(got), want) {
		r.Fatalf("claimed %v, %v, want %v", jobIDs(got), err, want)
	}
	for _, j := range h.m.jobs { // leases that have ended are gone for good at the next claim
		if j.until != 0 && j.until <= h.m.now {
			j.until, j.token, j.replaced = 0, "", false
		}
	}
	for _, j := range got {
		h.m.jobs[j.ID].until, h.m.jobs[j.ID].token = h.m.now+lease, j.Lease.Token
	}
	h.held = append(h.held, got...)
}

// letGo takes one of the jobs that were claimed, and what the model has under its id.
func (h *history) letGo(r *rapid.T) (j store.Job, m *modelJob) {
	if len(h.held) == 0 {
		r.Skip("nothing is held")
	}
	i := rapid.IntRange(0, len(h.held)-1).Draw(r, "which")
	j = h.held[i]
	h.held = slices.Delete(h.held, i, i+1)
	return j, h.m.jobs[j.ID]
}

func (h *history) done(r *rapid.T) {
	j, mine := h.letGo(r)
	if mine == nil || mine.token != j.Lease.Token || mine.replaced {
		h.commit(r, &store.Tx{DoneJobs: []store.Job{j}}, store.ErrLeaseLost)
		return
	}
	h.commit(r, &store.Tx{DoneJobs: []store.Job{j}}, nil)
	delete(h.m.jobs, j.ID)
}

func (h *history) release(r *rapid.T) {
	j, mine := h.letGo(r)
	if err := h.s.ReleaseJob(h.t.Context(), j); err != nil {
		r.Fatal(err)
	}
	if mine != nil && mine.token == j.Lease.Token {
		mine.until, mine.token, mine.replaced = 0, "", false
	}
}

func (h *history) timePasses(r *rapid.T) {
	h.m.now += time.Duration(rapid.IntRange(1, 45).Draw(r, "seconds")) * time.Second
}

// checkJobsAtRandom runs random histories against the model: no two of one key at once, each due job once per lease, in order.
func checkJobsAtRandom(t *testing.T, s store.Store) {
	rapid.Check(t, func(r *rapid.T) {
		h := &history{t: t, s: s, m: &model{jobs: map[string]*modelJob{}}}
		r.Repeat(map[string]func(*rapid.T){"put": h.put, "claim": h.claim, "done": h.done, "release": h.release, "time passes": h.timePasses})
		tx := &store.Tx{}
		for _, k := range historyKeys {
			tx.DropJobs = append(tx.DropJobs, store.JobKey{Kind: "poll", Key: k})
		}
		h.commit(r, tx, nil)
		if at, ok, err := s.NextJob(t.Context()); ok || err != nil {
			r.Fatalf("next is %v, %v, after all was dropped", at, err)
		}
	})
}
