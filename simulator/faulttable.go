package simulator

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// FaultView is a fault with what it has done so far.
type FaultView struct {
	Fault
	Seen    int  `json:"seen"`  // exchanges that it selected
	Fired   int  `json:"fired"` // exchanges that it disturbed
	Expired bool `json:"expired,omitzero"`
}

// faultTable is what goes wrong. It is safe for concurrent use.
type faultTable struct {
	seed uint64
	any  atomic.Bool // whether the table holds anything: the usual answer is no

	mu     sync.Mutex
	table  []*faultEntry
	next   int
	counts map[FaultKind]int // firings since the world began
	memory *Memory
	life   string // part of the names of the draws' streams
}

type faultEntry struct {
	FaultView
	window time.Time // rate_limit: when the present window began
	used   int       // rate_limit: exchanges let through in it
}

func newFaults(seed uint64) *faultTable {
	return &faultTable{seed: seed, counts: map[FaultKind]int{}}
}

// load begins the table with that of an earlier process. The windows of rate
// limits begin anew. What an entry has seen since it last fired is not known
// any more; so that it does not draw the same again, each life of the world
// has draws of its own.
func (t *faultTable) load(faults []FaultView, counts map[FaultKind]int, lives int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if lives > 1 {
		t.life = fmt.Sprintf("life %d ", lives)
	}
	for _, f := range faults {
		t.table = append(t.table, &faultEntry{FaultView: f})
	}
	maps.Copy(t.counts, counts)
	t.any.Store(len(t.table) > 0)
}

// remember writes the whole table. The lock is held.
func (t *faultTable) remember() {
	if t.memory == nil {
		return
	}
	views := t.views()
	t.memory.write(&line{Faults: &views})
}

func (t *faultTable) views() []FaultView {
	views := make([]FaultView, len(t.table))
	for i, e := range t.table {
		views[i] = e.FaultView
	}
	return views
}

// fired returns how often each kind has fired since the world began, whatever
// has become of the entries.
func (t *faultTable) fired() map[FaultKind]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}

// add puts a checked fault at the end of the table, or replaces the one of the
// same id and forgets what that has done.
func (t *faultTable) add(f Fault) FaultView {
	t.mu.Lock()
	defer t.mu.Unlock()
	named := func(id string) int {
		return slices.IndexFunc(t.table, func(e *faultEntry) bool { return e.ID == id })
	}
	for f.ID == "" {
		t.next++
		if id := fmt.Sprintf("fault-%d", t.next); named(id) < 0 {
			f.ID = id
		}
	}
	entry := &faultEntry{FaultView: FaultView{Fault: f.withDefaults()}}
	if i := named(f.ID); i >= 0 {
		t.table[i] = entry
	} else {
		t.table = append(t.table, entry)
	}
	t.any.Store(true)
	t.remember()
	return entry.FaultView
}

// list returns the whole table, in the order in which it is tried.
func (t *faultTable) list(now time.Time) []FaultView {
	t.mu.Lock()
	defer t.mu.Unlock()
	views := t.views()
	for i, e := range t.table {
		views[i].Expired = e.expired(now)
	}
	return views
}

// remove takes one fault out of the table, or all for an empty id, and returns
// how many there were.
func (t *faultTable) remove(id string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := len(t.table)
	t.table = slices.DeleteFunc(t.table, func(e *faultEntry) bool { return id == "" || e.ID == id })
	t.any.Store(len(t.table) > 0)
	t.remember()
	return before - len(t.table)
}

// injection is what the table has decided for one exchange.
type injection struct {
	fired         []string
	before, after time.Duration // delays around the commit
	twice         bool          // the carrier commits a second time
	refuse        int           // status instead of the commit; 0: none
	retryAfter    string        // header of the refusal
	breaks        FaultKind     // reset, malformed_body, response_lost, late_commit, or empty
	how           string        // reset: at; malformed_body: shape
	by            time.Duration // late_commit
}

// decide asks every fault in turn. Latencies add up and a second commit goes
// with any of them; the first fault of another kind that fires ends the search,
// so that those after it keep their counts.
func (t *faultTable) decide(x *Exchange, now time.Time) injection {
	var in injection
	if !t.any.Load() {
		return in
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.table {
		if !e.selects(x, now) {
			continue
		}
		e.Seen++
		// The draws of one match: whether it fires, then how long it takes.
		draws := Stream(t.seed, x.Carrier, e.ID, t.life+"fault "+strconv.Itoa(e.Seen))
		if !e.fires(draws, now) {
			continue
		}
		e.Fired++
		t.counts[e.Do.Kind]++
		if t.memory != nil {
			t.memory.write(&line{Fired: []FaultView{e.FaultView}})
		}
		in.fired = append(in.fired, e.ID)
		if in.apply(e, draws, now) {
			break
		}
	}
	return in
}

func (e *faultEntry) expired(now time.Time) bool {
	return !e.Expires.IsZero() && !e.Expires.After(now)
}

func (e *faultEntry) selects(x *Exchange, now time.Time) bool {
	return (e.On.Carrier == "" || e.On.Carrier == x.Carrier) && (e.On.Op == "" || e.On.Op == x.Op) &&
		(e.On.Reference == "" || e.On.Reference == x.Reference) && !e.expired(now)
}

func (e *faultEntry) fires(draws *rand.Rand, now time.Time) bool {
	if e.Seen < e.On.Nth || (e.On.Count > 0 && e.Fired >= e.On.Count) {
		return false
	}
	if p := e.On.Probability; p != nil && draws.Float64() >= *p {
		return false
	}
	if e.Do.Kind != RateLimit {
		return true
	}
	if now.Sub(e.window) >= time.Duration(e.Do.Per) {
		e.window, e.used = now, 0
	}
	if e.used < e.Do.Limit {
		e.used++
		return false
	}
	return true
}

// apply adds one firing fault to the injection; it tells whether that is the
// last.
func (in *injection) apply(e *faultEntry, draws *rand.Rand, now time.Time) bool {
	do := e.Do
	switch do.Kind {
	case Latency:
		if d := do.dist().Draw(draws); do.At == "after_commit" {
			in.after += d
		} else {
			in.before += d
		}
		return false
	case DuplicateCommit:
		in.twice = true
		return false
	case HTTPError:
		in.refuse = do.Status
	case RateLimit:
		in.refuse = http.StatusTooManyRequests
		in.retryAfter = e.retryAfter(now)
	default:
		in.breaks, in.how, in.by = do.Kind, do.At+do.Shape, time.Duration(do.By)
	}
	return true
}

// retryAfter is the header that RFC 9110 §10.2.3 describes, rounded up to the
// second.
func (e *faultEntry) retryAfter(now time.Time) string {
	left := e.window.Add(time.Duration(e.Do.Per)).Sub(now)
	if e.Do.RetryAfter != nil {
		left = time.Duration(*e.Do.RetryAfter)
	}
	secs := int64((left + time.Second - 1) / time.Second)
	switch e.Do.RetryAfterAs {
	case "absent":
		return ""
	case "date":
		return now.Add(time.Duration(secs) * time.Second).UTC().Format(http.TimeFormat)
	}
	return strconv.FormatInt(secs, 10)
}
