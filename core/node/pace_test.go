package node

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	for live, want := range map[uint64]int{0: 6400, 1 << 20: 6400, 16 << 20: 400, 32 << 20: 200, 64 << 20: pacePercent, 1 << 30: pacePercent} {
		if got := pace(live); got != want {
			t.Errorf("with %d bytes that live %d %%, want %d", live, got, want)
		}
	}
}

// percent is what the collector goes by now.
func percent() int {
	now := debug.SetGCPercent(100)
	debug.SetGCPercent(now)
	return now
}

func TestThePaceFollowsWhatLives(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(77))
	stop := PaceCollector()
	if percent() <= pacePercent {
		t.Errorf("%d %% while little lives", percent())
	}
	held := make([]byte, 2*paceBytes)
	for until := time.Now().Add(time.Minute); percent() != pacePercent && time.Now().Before(until); {
		runtime.GC()
	}
	if percent() != pacePercent {
		t.Errorf("%d %% while %d MiB live", percent(), len(held)>>20)
	}
	runtime.KeepAlive(held)
	if stop(); percent() != 77 {
		t.Errorf("%d %% afterwards, and 77 before", percent())
	}
}

func TestAPersonsPaceIsObeyed(t *testing.T) {
	t.Setenv("GOGC", "123")
	defer debug.SetGCPercent(debug.SetGCPercent(123))
	defer PaceCollector()()
	if percent() != 123 {
		t.Errorf("%d %%, and GOGC said 123", percent())
	}
}
