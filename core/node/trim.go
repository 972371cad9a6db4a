package node

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
)

// When memory is given back: after a look that found less than quietBytes allocated since the one before, where the process holds
// worthBytes more than when it was last done. It costs one collection.
const (
	lookEvery  = 2 * time.Second
	quietBytes = 4 << 20
	worthBytes = 16 << 20
)

// trim gives memory back to the system when the engine has come to rest, until ctx ends: after a rush of orders nothing else makes
// the runtime collect what they have left, for up to two minutes. It goes by wall time, as memory does.
func trim(ctx context.Context, every time.Duration) error {
	seen, _ := memory()
	least, again := uint64(0), false // what starting took is given back too
	for clock.Sleep(ctx, clock.Real(), every) == nil {
		allocated, held := memory()
		least = min(least, held)
		if allocated-seen < quietBytes && (again || held-least >= worthBytes) {
			debug.FreeOSMemory()
			allocated, least = memory()
			// The store may still be writing tables, whose memory comes free a little later.
			again = least+worthBytes <= held
		}
		seen = allocated
	}
	return nil
}

// memory is how many bytes the process has ever allocated, and how many it holds of the system's memory now.
func memory() (allocated, held uint64) {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64() - s[2].Value.Uint64()
}
