package carrierhost

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/config"
)

// Waits between restarts: the first is at once, later ones double from the shortest up to the longest.
const (
	shortestWait = 250 * time.Millisecond
	longestWait  = 30 * time.Second
)

// restarts decides how long an adapter that died stays down. It belongs to the adapter's supervisor and outlives its processes.
type restarts struct {
	limit  config.Quarantine
	random *rand.Rand

	deaths  []time.Time // within limit.Within, oldest first
	failed  int         // starts in a row that never became ready
	probing bool        // the last start was a trial out of quarantine
}

// died notes a death at now of a process that had been ready for ran, 0 where it never was. It answers how long to wait before
// the next start, and whether the adapter is quarantined until then. A hopeless death is one that another try cannot mend.
func (r *restarts) died(now time.Time, ran time.Duration, hopeless bool) (wait time.Duration, quarantined bool) {
	if ran >= r.limit.Within {
		r.deaths, r.probing = nil, false
	}
	r.deaths = slices.DeleteFunc(r.deaths, func(at time.Time) bool { return now.Sub(at) >= r.limit.Within })
	r.deaths = append(r.deaths, now)
	// Starts that take long to fail may never fill the window, so they are counted by themselves as well.
	if ran > 0 {
		r.failed = 0
	} else {
		r.failed++
	}
	if hopeless || r.probing || len(r.deaths) >= r.limit.Deaths || r.failed >= r.limit.Deaths {
		r.deaths, r.failed, r.probing = nil, 0, true
		return r.limit.Probe, true
	}
	return r.wait(max(len(r.deaths), r.failed)), false
}

// wait answers the pause after the n-th death in a row; jitter only ever lengthens it, so that adapters which died together
// do not start together.
func (r *restarts) wait(n int) time.Duration {
	if n <= 1 {
		return 0
	}
	d := longestWait
	if shift := n - 2; shift < 7 {
		d = shortestWait << shift
	}
	return min(d+time.Duration(r.random.Int64N(int64(d)/2)), longestWait)
}
