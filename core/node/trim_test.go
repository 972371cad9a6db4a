package node

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestMemoryIsGivenBackAtRest(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // nothing but trim collects
	debug.FreeOSMemory()
	_, before := memory()
	rush := make([][]byte, 64)
	for i := range rush {
		rush[i] = make([]byte, 1<<20)
		for at := 0; at < len(rush[i]); at += 4 << 10 {
			rush[i][at] = 1
		}
	}
	if _, held := memory(); held < before+48<<20 {
		t.Fatalf("holds %d MiB, and %d before 64 more were used", held>>20, before>>20)
	}
	runtime.KeepAlive(rush)
	rush = nil
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- trim(ctx, time.Millisecond) }()
	for {
		if _, held := memory(); held < before+16<<20 {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("the memory was not given back")
		}
		runtime.Gosched()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
