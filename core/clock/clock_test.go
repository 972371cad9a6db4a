package clock_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 3, 8, 6, 59, 0, 0, time.UTC)

func fired(t clock.Timer) (time.Time, bool) {
	select {
	case at := <-t.C():
		return at, true
	default:
		return time.Time{}, false
	}
}

func TestManualStandsStillUntilMoved(t *testing.T) {
	m := clock.NewManual(start.In(time.FixedZone("east", 3600)))
	timer := m.NewTimer(time.Minute)
	if got := m.Now(); !got.Equal(start) || got.Location() != time.UTC {
		t.Fatalf("Now = %v, want %v in UTC", got, start)
	}
	m.Advance(time.Minute - 1)
	if at, ok := fired(timer); ok {
		t.Fatalf("fired at %v, a nanosecond early", at)
	}
	m.Advance(time.Hour)
	if at, ok := fired(timer); !ok || !at.Equal(start.Add(time.Minute)) {
		t.Fatalf("fired = %v %v, want its due time", at, ok)
	}
	m.Set(start)
	m.Advance(2 * time.Hour)
	if _, ok := fired(timer); ok {
		t.Fatal("a timer fired twice")
	}
}

func TestManualTimerThatIsAlreadyDue(t *testing.T) {
	m := clock.NewManual(start)
	for _, d := range []time.Duration{0, -time.Second} {
		if at, ok := fired(m.NewTimer(d)); !ok || !at.Equal(start) {
			t.Errorf("timer of %v: %v %v, want the present at once", d, at, ok)
		}
	}
}

func TestManualStopAndReset(t *testing.T) {
	m := clock.NewManual(start)
	timer := m.NewTimer(time.Second)
	if !timer.Stop() || timer.Stop() {
		t.Error("Stop must report true once, while the timer waits")
	}
	if timer.Reset(time.Minute) {
		t.Error("Reset of a stopped timer says it waited")
	}
	if !timer.Reset(2 * time.Minute) {
		t.Error("Reset of a waiting timer says it did not")
	}
	m.Advance(time.Minute)
	if _, ok := fired(timer); ok {
		t.Error("fired at the time it was reset from")
	}
	m.Advance(time.Minute)
	// Fired, but nobody has read it: Reset and Stop must leave nothing stale behind.
	timer.Reset(time.Hour)
	if _, ok := fired(timer); ok {
		t.Error("a stale value survived Reset")
	}
	m.Advance(time.Hour)
	timer.Stop()
	if _, ok := fired(timer); ok {
		t.Error("a stale value survived Stop")
	}
}

// TestManualFiresAllAndOnlyTheDue starts timers at random, moves the clock at random, and compares with plain arithmetic.
func TestManualFiresAllAndOnlyTheDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := clock.NewManual(start)
		delays := rapid.SliceOfN(rapid.IntRange(1, 50), 1, 20).Draw(t, "delays")
		timers := make([]clock.Timer, len(delays))
		for i, d := range delays {
			timers[i] = m.NewTimer(time.Duration(d))
		}
		left := slices.Clone(delays)
		moved := 0
		for _, step := range rapid.SliceOf(rapid.IntRange(0, 20)).Draw(t, "steps") {
			moved += step
			m.Advance(time.Duration(step))
			left = slices.DeleteFunc(left, func(d int) bool { return d <= moved })
			next, waiting := m.NextTimer()
			if waiting != (len(left) > 0) {
				t.Fatalf("after %d: waiting = %v, left %v", moved, waiting, left)
			}
			if waiting && !next.Equal(start.Add(time.Duration(slices.Min(left)))) {
				t.Fatalf("after %d: next = %v, left %v", moved, next, left)
			}
		}
		for i, d := range delays {
			at, ok := fired(timers[i])
			if ok != (d <= moved) || ok && !at.Equal(start.Add(time.Duration(d))) {
				t.Fatalf("timer of %d after %d: %v %v", d, moved, at, ok)
			}
		}
	})
}

func TestAwaitTimersSeesALoopComeToRest(t *testing.T) {
	m := clock.NewManual(start)
	ticks := make(chan time.Time)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(ticks)
		for clock.Sleep(ctx, m, time.Hour) == nil {
			ticks <- m.Now()
		}
	}()
	for i := range 3 {
		if err := m.AwaitTimers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		m.Advance(time.Hour)
		if got, want := <-ticks, start.Add(time.Duration(i+1)*time.Hour); !got.Equal(want) {
			t.Fatalf("tick %d at %v, want %v", i, got, want)
		}
	}
	cancel()
	if _, ok := <-ticks; ok {
		t.Fatal("ticked after its context ended")
	}
	why := errors.New("enough")
	gone, stop := context.WithCancelCause(t.Context())
	stop(why)
	if err := m.AwaitTimers(gone, 99); !errors.Is(err, why) {
		t.Errorf("AwaitTimers = %v, want %v", err, why)
	}
	if err := clock.Sleep(gone, m, 0); !errors.Is(err, why) {
		t.Errorf("Sleep = %v, want %v", err, why)
	}
}

func TestRealGoesOn(t *testing.T) {
	c := clock.Real()
	before := c.Now()
	if before.Location() != time.UTC {
		t.Errorf("Now is in %v", before.Location())
	}
	timer := c.NewTimer(time.Hour)
	if !timer.Reset(time.Millisecond) {
		t.Error("Reset of a waiting timer says it did not wait")
	}
	<-timer.C()
	if got := c.Now().Sub(before); got < time.Millisecond {
		t.Errorf("the clock went on by %v", got)
	}
	if timer.Stop() {
		t.Error("Stop says it prevented a timer that has fired")
	}
	if err := clock.Sleep(t.Context(), c, time.Microsecond); err != nil {
		t.Error(err)
	}
}

func TestLater(t *testing.T) {
	next := start.Add(time.Nanosecond)
	if clock.Later(start, next) != next || clock.Later(next, start) != next || clock.Later(start, time.Time{}) != start {
		t.Error("Later is not the later one")
	}
}
