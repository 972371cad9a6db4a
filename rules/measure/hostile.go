package measure

import (
	"errors"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/rules"
)

// Worst is the slowest and the largest of many refusals.
type Worst struct {
	Files   int
	Taken   []string // those that were not refused, ran to their end, or were refused though within the limits
	Slowest string
	Time    time.Duration // of the try that took the processor least: what other work adds is left out
	CPU     time.Duration // of the processor, then
	Largest string
	Bytes   uint64 // allocated from beginning to end, freed or not, and stacks that grew
}

// Hostile loads every hostile file and one as heavy as may be, and decides and explains an order by every file that would run away, each so many times.
func Hostile(tries int) Worst {
	var w Worst
	for _, name := range slices.Sorted(maps.Keys(HostileFiles())) {
		files := []rules.File{{Name: "hostile.rules.yaml", Data: []byte(HostileFiles()[name])}}
		w.see(name, tries, func() bool {
			_, err := rules.Load(files, rules.Options{})
			refused, ok := errors.AsType[*rules.CheckError](err)
			return ok && len(refused.Problems) > 0
		})
	}
	w.see("heavy patterns within the limits", tries, func() bool {
		b, err := rules.Load([]rules.File{{Name: "heavy.rules.yaml", Data: []byte(HeavyFile())}}, rules.Options{})
		return err == nil && b.Size() > 0 // it is to be taken, and to stay small
	})
	in := mustInput(BusySource())
	for _, name := range slices.Sorted(maps.Keys(RunawayFiles())) {
		b := mustLoad(RunawayFiles()[name])
		w.see(name, tries, func() bool {
			d := b.Decide(b.Prepare(in, Candidates()[:1]), nil)
			_, err := rules.Explain(b, d)
			return err == nil && len(d.Plan.Faults) > 0
		})
	}
	return w
}

// see does one thing a few times; do reports whether it was stopped.
func (w *Worst) see(name string, tries int, do func() bool) {
	w.Files++
	runtime.LockOSThread() // for the thread's processor time
	defer runtime.UnlockOSThread()
	best, clock := time.Duration(-1), time.Duration(0)
	for range tries {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		begun, cpu := time.Now(), threadTime()
		stopped := do()
		used, took := threadTime()-cpu, time.Since(begun)
		runtime.ReadMemStats(&after)
		if !stopped {
			w.Taken = append(w.Taken, name)
			return
		}
		if best < 0 || used < best {
			best, clock = used, took
		}
		if bytes := after.TotalAlloc - before.TotalAlloc + max(after.StackSys, before.StackSys) - before.StackSys; bytes > w.Bytes {
			w.Bytes, w.Largest = bytes, name
		}
	}
	if best > w.CPU {
		w.CPU, w.Time, w.Slowest = best, clock, name
	}
}
