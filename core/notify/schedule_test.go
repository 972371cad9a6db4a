package notify

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestNextTryWaitsLongerUntilThreeDays(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	first := time.Date(2026, 3, 8, 9, 0, 0, 0, time.UTC)
	now, tried, previous := first, 0, time.Duration(0)
	for {
		tried++
		at, ok := nextTry(r, first, now, tried, 0)
		if !ok {
			break
		}
		wait := at.Sub(now)
		if want := waits[min(tried, len(waits))-1]; at != first.Add(giveUpAfter) && (wait < want || wait > want+want/10) {
			t.Errorf("after try %d: %v, want %v and at most a tenth more", tried, wait, want)
		}
		if at != first.Add(giveUpAfter) && wait < previous*9/10 {
			t.Errorf("try %d comes sooner than the one before: %v, %v", tried, wait, previous)
		}
		now, previous = at, wait
	}
	if now != first.Add(giveUpAfter) {
		t.Errorf("the last try was %v after the first, want %v", now.Sub(first), giveUpAfter)
	}
	if tried < 13 || tried > 15 {
		t.Errorf("%d tries", tried)
	}
}

func TestNextTryHonoursWhatTheSubscriberAsks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	now := time.Date(2026, 3, 8, 9, 0, 0, 0, time.UTC)
	if at, ok := nextTry(r, now, now, 1, time.Minute); !ok || at.Sub(now) < time.Minute || at.Sub(now) > 66*time.Second {
		t.Errorf("%v", at.Sub(now))
	}
	if at, _ := nextTry(r, now, now, 1, 1000*time.Hour); at.Sub(now) > 14*time.Hour {
		t.Errorf("%v: a subscriber must not stop deliveries by asking for a century", at.Sub(now))
	}
}
