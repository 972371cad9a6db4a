package node

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// The engine's live heap is small beside what its orders allocate, 58 KiB for a decision alone, so that Go's default, a collection
// whenever as much was allocated as lives, would collect many times a second and slow every hundredth decision down fourfold.
const (
	paceBytes   = 64 << 20 // allocated between two collections, where less than that lives
	pacePercent = 100      // of what lives, where more does: Go's default
)

// PaceCollector has the collector of this process run after as much was allocated as what lives calls for, which it looks at after
// each collection, until it is told to stop; Go's own pace is back then. A person's GOGC is obeyed instead.
func PaceCollector() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	p := &pacer{}
	before := debug.SetGCPercent(pace(live()))
	p.afterCollection()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.stopped {
			p.stopped = true
			debug.SetGCPercent(before)
		}
	}
}

type pacer struct {
	mu      sync.Mutex
	stopped bool
}

// afterCollection sets the pace anew when the collector has found something that nobody holds, and so after each of its runs.
func (p *pacer) afterCollection() {
	runtime.AddCleanup(&struct{ unheld *byte }{}, func(p *pacer) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.stopped {
			debug.SetGCPercent(pace(live()))
			p.afterCollection()
		}
	}, p)
}

// live is how many bytes the last collection has found to live.
func live() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// pace is the percentage of what lives that may be allocated before the next collection.
func pace(live uint64) int {
	return int(max(pacePercent, paceBytes*100/max(live, 1<<20)))
}
