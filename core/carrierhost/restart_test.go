package carrierhost

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/core/config"
)

var start = time.Date(2026, 3, 8, 6, 59, 0, 0, time.UTC)

func pace(q config.Quarantine) *restarts {
	return &restarts{limit: q, random: rand.New(rand.NewPCG(1, 2))}
}

func TestTheFirstRestartIsAtOnceAndLaterOnesDouble(t *testing.T) {
	r := pace(config.Quarantine{Deaths: 1000, Within: time.Hour, Probe: time.Minute})
	want := time.Duration(0)
	for n := range 20 {
		got, quarantined := r.died(start.Add(time.Duration(n)*time.Second), time.Second, false)
		if quarantined || got < want || got > min(want*3/2, longestWait) {
			t.Errorf("death %d: wait %v (quarantined %v), want %v and up to half as much more", n+1, got, quarantined, want)
		}
		want = min(max(2*want, shortestWait), longestWait)
	}
}

func TestDeathsFarApartAreFirstDeaths(t *testing.T) {
	r := pace(config.Quarantine{Deaths: 5, Within: time.Minute, Probe: time.Minute})
	for n := range 20 {
		now := start.Add(time.Duration(n) * time.Minute)
		if wait, quarantined := r.died(now, 50*time.Second, false); wait != 0 || quarantined {
			t.Fatalf("death %d, a minute after the last: wait %v, quarantined %v", n+1, wait, quarantined)
		}
	}
}

func TestSlowStartsThatFailAreCountedWithoutTheWindow(t *testing.T) {
	r := pace(config.Quarantine{Deaths: 3, Within: time.Minute, Probe: 7 * time.Second})
	for n := range 3 {
		wait, quarantined := r.died(start.Add(time.Duration(n)*2*time.Minute), 0, false)
		if quarantined != (n == 2) || quarantined && wait != 7*time.Second {
			t.Fatalf("failed start %d: wait %v, quarantined %v", n+1, wait, quarantined)
		}
	}
}

// TestQuarantineIsExactlyTheWindow compares with plain counting, for processes that all live shorter than the window.
func TestQuarantineIsExactlyTheWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := config.Quarantine{Deaths: rapid.IntRange(1, 6).Draw(t, "deaths"), Within: time.Minute, Probe: time.Minute}
		r := pace(q)
		now := start
		var seen []time.Time
		for _, gap := range rapid.SliceOfN(rapid.IntRange(1, 30), 1, 40).Draw(t, "gaps") {
			now = now.Add(time.Duration(gap) * time.Second)
			seen = append(seen, now)
			within := 0
			for _, at := range seen {
				if now.Sub(at) < q.Within {
					within++
				}
			}
			wait, quarantined := r.died(now, time.Duration(gap)*time.Second, false)
			if quarantined != (within >= q.Deaths) {
				t.Fatalf("%d deaths within the window, limit %d: quarantined %v", within, q.Deaths, quarantined)
			}
			if quarantined {
				return
			}
			if (wait == 0) != (within == 1) || wait > longestWait || wait != 0 && wait < shortestWait {
				t.Fatalf("death %d: wait %v", within, wait)
			}
		}
	})
}
