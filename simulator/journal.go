package simulator

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"
)

// bodyKept is how many bytes of a body the journal keeps.
const bodyKept = 4 << 10

// Directions of what the journal holds.
const (
	Inbound  = "in"  // a request to the carrier
	Outbound = "out" // a push of the carrier
)

// Entry is one exchange in the journal.
type Entry struct {
	Seq       int64     `json:"seq"` // from 1, without gaps
	At        time.Time `json:"at"`  // of arrival, or of sending
	Direction string    `json:"direction"`
	Carrier   string    `json:"carrier"`
	Op        string    `json:"op"` // of a push: the carrier's event name; "" for a path that no dialect knows
	Method    string    `json:"method"`
	Path      string    `json:"path"`            // below the dialect's base URL, with the query; of a push: the whole URL
	Status    int       `json:"status"`          // 0: no answer was sent, or none came
	Fired     []string  `json:"fired,omitempty"` // ids of faults
	Account   string    `json:"account,omitzero"`
	Reference string    `json:"reference,omitzero"`
	// Took is the time until the answer was sent: wall time, or virtual time
	// where the clock is virtual.
	Took     Span   `json:"took"`
	Request  string `json:"request,omitzero"`  // the first 4 KiB; empty where credentials are inside
	Response string `json:"response,omitzero"` // the first 4 KiB
	Error    string `json:"error,omitzero"`    // of a push that found nobody
}

// OpCount counts the exchanges of one operation since the start; unlike
// entries, counts are never forgotten.
type OpCount struct {
	Carrier   string      `json:"carrier"`
	Direction string      `json:"direction"`
	Op        string      `json:"op"`
	Total     int         `json:"total"`
	Disturbed int         `json:"disturbed"` // by a fault
	Status    map[int]int `json:"status"`    // answers by status; 0: none
}

// Journal remembers the latest exchanges. It is safe for concurrent use.
type Journal struct {
	mu     sync.Mutex
	ring   []Entry
	last   int64
	counts map[[3]string]*OpCount
}

func newJournal(size int) *Journal {
	return &Journal{ring: make([]Entry, 0, size), counts: map[[3]string]*OpCount{}}
}

func (j *Journal) add(e Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	e.Seq = j.last
	if len(j.ring) < cap(j.ring) {
		j.ring = append(j.ring, e)
	} else {
		j.ring[(j.last-1)%int64(cap(j.ring))] = e
	}
	k := [3]string{e.Carrier, e.Direction, e.Op}
	c := j.counts[k]
	if c == nil {
		c = &OpCount{Carrier: e.Carrier, Direction: e.Direction, Op: e.Op, Status: map[int]int{}}
		j.counts[k] = c
	}
	c.Total++
	c.Status[e.Status]++
	if len(e.Fired) > 0 {
		c.Disturbed++
	}
}

// JournalQuery selects entries; empty fields select all.
type JournalQuery struct {
	Carrier, Op, Reference, Direction string
	After                             int64 // only entries with a greater seq
	Limit                             int   // 0: all
}

// Entries returns the newest entries that q selects, oldest first.
func (j *Journal) Entries(q JournalQuery) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	found := []Entry{}
	for n := range int64(len(j.ring)) {
		e := &j.ring[(j.last-1-n)%int64(cap(j.ring))]
		if e.Seq <= q.After || (q.Limit > 0 && len(found) == q.Limit) {
			break
		}
		if matches(q.Carrier, e.Carrier) && matches(q.Op, e.Op) && matches(q.Reference, e.Reference) && matches(q.Direction, e.Direction) {
			found = append(found, *e)
		}
	}
	slices.Reverse(found)
	return found
}

func matches(wanted, value string) bool { return wanted == "" || wanted == value }

// Counts returns the counts of every operation that was ever asked for, in
// the order of carrier, direction and operation.
func (j *Journal) Counts() []OpCount {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := make([]OpCount, 0, len(j.counts))
	for _, c := range j.counts {
		one := *c
		one.Status = make(map[int]int, len(c.Status))
		for status, n := range c.Status {
			one.Status[status] = n
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b OpCount) int {
		return cmp.Or(cmp.Compare(a.Carrier, b.Carrier), cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Op, b.Op))
	})
	return all
}

// excerpt is what the journal keeps of a body.
func excerpt(body []byte) string {
	if len(body) > bodyKept {
		body = body[:bodyKept]
	}
	if bytes.IndexByte(body, 0) >= 0 {
		return "(binary)"
	}
	return strings.ToValidUTF8(string(body), "\uFFFD")
}
