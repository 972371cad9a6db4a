package measure

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"runtime/metrics"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/rules"
)

// Worst is the slowest and the largest of many refusals.
type Worst struct {
	Files   int
	Taken   []string // those that were not refused, ran to their end, or were refused though within the limits
	Slowest string
	Time    time.Duration // of the quickest try by the clock
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
	best, spent := time.Duration(-1), time.Duration(0)
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
		if best < 0 || took < best {
			best, spent = took, used
		}
		if bytes := after.TotalAlloc - before.TotalAlloc + max(after.StackSys, before.StackSys) - before.StackSys; bytes > w.Bytes {
			w.Bytes, w.Largest = bytes, name
		}
	}
	if best > w.Time {
		w.Time, w.CPU, w.Slowest = best, spent, name
	}
}

// Looked is what looking into rules costs at most.
type Looked struct {
	Files   int
	Slowest string
	Time    time.Duration
	CPU     time.Duration // of the processor, then
	Largest string
	Bytes   uint64 // that lived at once
}

// Endless lints every one of EndlessFiles.
func Endless() Looked {
	var w Looked
	runtime.LockOSThread() // for the thread's processor time
	defer runtime.UnlockOSThread()
	for _, name := range slices.Sorted(maps.Keys(EndlessFiles())) {
		w.Files++
		b := mustLoad(EndlessFiles()[name])
		runtime.GC()
		ctx := &watching{Context: context.Background()}
		ctx.look()
		before := ctx.most
		begun, cpu := time.Now(), threadTime()
		b.Lint(ctx)
		used, took := threadTime()-cpu, time.Since(begun)
		ctx.look()
		if took > w.Time {
			w.Time, w.CPU, w.Slowest = took, used, name
		}
		if bytes := ctx.most - before; bytes > w.Bytes {
			w.Bytes, w.Largest = bytes, name
		}
	}
	return w
}

// watching is a context that looks at the memory whenever it is asked whether it has ended.
type watching struct {
	context.Context
	asked int
	most  uint64
}

// Err implements context.Context.
func (w *watching) Err() error {
	if w.asked++; w.asked%256 == 0 {
		w.look()
	}
	return w.Context.Err()
}

// look notes what lived when the collector last looked.
func (w *watching) look() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	w.most = max(w.most, live[0].Value.Uint64())
}
