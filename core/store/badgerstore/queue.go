package badgerstore

import (
	"container/heap"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/core/store"
)

// queue is the order in which jobs are due, and their leases, in memory: the jobs' rows are the truth, and leases need none, as
// those of an earlier opening are void. Payloads stay on disk. A commit that touches jobs freezes their keys before it is
// checked until its fate is known, so nobody claims what is about to change.
type queue struct {
	mu     sync.Mutex
	owner  string
	tokens uint64
	jobs   map[jobID]*entry
	slots  map[slotID]*slot
	due    dueHeap   // neither leased nor kept waiting by their key
	leases leaseHeap // leased, by the end of the lease
}

type (
	jobID  struct{ tenant, id string }
	slotID struct{ tenant, key string }
)

// slot is all jobs of one key.
type slot struct {
	jobs   []*entry
	frozen bool
}

// entry is a job without its payload. Times are nanoseconds.
type entry struct {
	tenant, id, kind, key string

	due      int64
	tries    int
	token    string // "" where it is not leased
	until    int64
	replaced bool // put anew while leased: the holder has lost it, the key waits for the holder
	at       int  // place in the heap that it is in, -1 for none
}

func newQueue(owner string) *queue {
	return &queue{owner: owner, jobs: map[jobID]*entry{}, slots: map[slotID]*slot{}}
}

func newEntry(j *store.Job) *entry {
	// Copies, as decoded strings may be views of larger ones.
	return &entry{
		tenant: strings.Clone(j.Tenant), id: strings.Clone(j.ID), kind: strings.Clone(j.Kind), key: strings.Clone(j.Key),
		due: j.Due.UnixNano(), tries: j.Tries, at: -1,
	}
}

func (e *entry) slotID() slotID { return slotID{e.tenant, e.key} }

// insert adds a job that is new; with the lock held, or before anybody else has the queue.
func (q *queue) insert(e *entry) {
	q.jobs[jobID{e.tenant, e.id}] = e
	s := q.slots[e.slotID()]
	if s == nil {
		s = &slot{}
		q.slots[e.slotID()] = s
	}
	s.jobs = append(s.jobs, e)
	q.settle(s)
}

func (q *queue) remove(e *entry) {
	q.out(e)
	delete(q.jobs, jobID{e.tenant, e.id})
	s := q.slots[e.slotID()]
	for i, o := range s.jobs {
		if o == e {
			s.jobs = append(s.jobs[:i], s.jobs[i+1:]...)
			break
		}
	}
	if len(s.jobs) == 0 {
		delete(q.slots, e.slotID())
		return
	}
	q.settle(s)
}

func (s *slot) leased() bool {
	for _, e := range s.jobs {
		if e.token != "" {
			return true
		}
	}
	return false
}

// settle puts each job of a slot into the heap where it belongs.
func (q *queue) settle(s *slot) {
	leased := s.leased()
	for _, e := range s.jobs {
		q.out(e)
		switch {
		case s.frozen:
		case e.token != "":
			heap.Push(&q.leases, e)
		case !leased:
			heap.Push(&q.due, e)
		}
	}
}

// out takes e out of the heap that it is in.
func (q *queue) out(e *entry) {
	if e.at < 0 {
		return
	}
	if e.at < len(q.due) && q.due[e.at] == e {
		heap.Remove(&q.due, e.at)
		return
	}
	heap.Remove(&q.leases, e.at)
}

func (q *queue) newToken() string {
	q.tokens++
	return q.owner + "-" + strconv.FormatUint(q.tokens, 36)
}

// token makes one for a job that is put with a lease.
func (q *queue) token() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.newToken()
}

// void ends a lease.
func (q *queue) void(e *entry) {
	q.out(e)
	e.token, e.until, e.replaced = "", 0, false
	q.settle(q.slots[e.slotID()])
}

// claim is what a claimed job was at that moment.
type claim struct {
	tenant, id, token string
	tries             int
}

func (q *queue) claim(now, until int64, limit int) []claim {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.leases) > 0 && q.leases[0].until <= now {
		q.void(q.leases[0])
	}
	var claims []claim
	for len(claims) < limit && len(q.due) > 0 && q.due[0].due <= now {
		e := q.due[0]
		e.token, e.until = q.newToken(), until
		e.tries++
		q.settle(q.slots[e.slotID()])
		claims = append(claims, claim{tenant: e.tenant, id: e.id, token: e.token, tries: e.tries})
	}
	return claims
}

// holder returns the job that is held with this token, nil where it is not.
func (q *queue) holder(id jobID, token string) *entry {
	if e := q.jobs[id]; e != nil && token != "" && e.token == token {
		return e
	}
	return nil
}

// holds reports whether the token is that of a lease that stands.
func (q *queue) holds(tenant, id, token string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.holder(jobID{tenant, id}, token)
	return e != nil && !e.replaced
}

func (q *queue) renew(tenant, id, token string, until int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.holder(jobID{tenant, id}, token)
	if e == nil || e.replaced {
		return false
	}
	e.until = until
	q.settle(q.slots[e.slotID()])
	return true
}

func (q *queue) release(tenant, id, token string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.holder(jobID{tenant, id}, token)
	if e == nil {
		return false
	}
	q.void(e)
	return true
}

// forsake voids every lease and names a new owner.
func (q *queue) forsake(owner string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.owner = owner
	for _, e := range q.jobs {
		if e.token != "" {
			q.void(e)
		}
	}
}

func (q *queue) next() (time.Time, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := int64(math.MaxInt64)
	if len(q.due) > 0 {
		at = q.due[0].due
	}
	if len(q.leases) > 0 {
		at = min(at, q.leases[0].until)
	}
	if at == math.MaxInt64 {
		return time.Time{}, false
	}
	return time.Unix(0, at).UTC(), true
}

// jobChange is what one commit does to the queue.
type jobChange struct {
	done   []jobID // with tokens beside them
	tokens []string
	drop   []slotID
	kinds  []string // beside drop
	put    []*entry

	removed []*entry // found by check
	frozen  []*slot
}

func (c *jobChange) empty() bool { return len(c.done)+len(c.drop)+len(c.put) == 0 }

// touched is the ids and keys that the commits of one batch have changed and not yet applied.
type touched struct {
	ids  map[jobID]bool
	keys map[slotID]bool
}

// touches reports whether a change meets one that is not applied yet; it must wait for that.
func (q *queue) touches(t *touched, c *jobChange) bool {
	if c == nil || len(t.ids) == 0 && len(t.keys) == 0 {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	hit := false
	q.eachTouched(c, func(id jobID) { hit = hit || t.ids[id] }, func(k slotID) { hit = hit || t.keys[k] })
	return hit
}

func (q *queue) eachTouched(c *jobChange, id func(jobID), key func(slotID)) {
	old := func(j jobID) {
		id(j)
		if e := q.jobs[j]; e != nil {
			key(e.slotID())
		}
	}
	for _, j := range c.done {
		old(j)
	}
	for _, k := range c.drop {
		key(k)
	}
	for _, e := range c.put {
		old(jobID{e.tenant, e.id})
		key(e.slotID())
	}
}

// check decides whether a change may be made, and finds what it removes.
func (q *queue) check(c *jobChange) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	c.removed = c.removed[:0]
	gone := map[*entry]bool{}
	for i, id := range c.done {
		e := q.holder(id, c.tokens[i])
		if e == nil || e.replaced || gone[e] {
			return store.ErrLeaseLost
		}
		gone[e] = true
		c.removed = append(c.removed, e)
	}
	for i, id := range c.drop {
		s := q.slots[id]
		if s == nil {
			continue
		}
		for _, e := range s.jobs {
			if e.kind == c.kinds[i] && !gone[e] {
				gone[e] = true
				c.removed = append(c.removed, e)
			}
		}
	}
	leased := map[slotID]bool{}
	for _, e := range c.put {
		if e.token == "" {
			continue
		}
		id := e.slotID()
		if leased[id] {
			return store.ErrConflict
		}
		leased[id] = true
		if s := q.slots[id]; s != nil {
			for _, o := range s.jobs {
				if o.token != "" && !gone[o] {
					return store.ErrConflict
				}
			}
		}
		if o := q.jobs[jobID{e.tenant, e.id}]; o != nil && o.token != "" && !gone[o] {
			return store.ErrConflict
		}
	}
	return nil
}

// freeze keeps the keys of a change from being claimed.
func (q *queue) freeze(c *jobChange, t *touched) {
	q.mu.Lock()
	defer q.mu.Unlock()
	freeze := func(id slotID) {
		t.keys[id] = true
		if s := q.slots[id]; s != nil && !s.frozen {
			s.frozen = true
			c.frozen = append(c.frozen, s)
			q.settle(s)
		}
	}
	q.eachTouched(c, func(id jobID) { t.ids[id] = true }, freeze)
}

// finish ends the freeze, and applies the change where it was written.
func (q *queue) finish(c *jobChange, written bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range c.frozen {
		s.frozen = false
	}
	if written {
		for _, e := range c.removed {
			q.remove(e)
		}
		for _, e := range c.put {
			if old := q.jobs[jobID{e.tenant, e.id}]; old != nil {
				// The holder's lease goes on to block the key, but is the holder's no more.
				if old.token != "" && e.token == "" && old.key == e.key {
					e.token, e.until, e.replaced = old.token, old.until, true
				}
				q.remove(old)
			}
			q.insert(e)
		}
	}
	for _, s := range c.frozen {
		q.settle(s)
	}
	c.frozen = nil
}

// dueHeap orders jobs by due time, key and id, so that runs repeat.
type dueHeap []*entry

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	switch {
	case a.due != b.due:
		return a.due < b.due
	case a.key != b.key:
		return a.key < b.key
	case a.id != b.id:
		return a.id < b.id
	}
	return a.tenant < b.tenant
}
func (h dueHeap) Swap(i, j int) { swap(h, i, j) }
func (h *dueHeap) Push(x any)   { *h = push(*h, x) }
func (h *dueHeap) Pop() any     { return pop((*[]*entry)(h)) }

// leaseHeap orders jobs by the end of their leases.
type leaseHeap []*entry

func (h leaseHeap) Len() int           { return len(h) }
func (h leaseHeap) Less(i, j int) bool { return h[i].until < h[j].until }
func (h leaseHeap) Swap(i, j int)      { swap(h, i, j) }
func (h *leaseHeap) Push(x any)        { *h = push(*h, x) }
func (h *leaseHeap) Pop() any          { return pop((*[]*entry)(h)) }

func swap(h []*entry, i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func push(h []*entry, x any) []*entry {
	e := x.(*entry)
	e.at = len(h)
	return append(h, e)
}

func pop(h *[]*entry) *entry {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	e.at = -1
	return e
}
