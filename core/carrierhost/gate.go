package carrierhost

import (
	"context"
	"sync"
	"sync/atomic"
)

// gate counts the calls inside and lets an account be drained: once shut, nobody enters, and drain answers when the last
// caller has left.
type gate struct {
	inside  atomic.Int64
	shut    atomic.Bool
	empty   signal
	emptied func() // called when the last caller has left a shut gate; must not block
}

// enter reports whether the caller may go on; it must leave then.
func (g *gate) enter() bool {
	g.inside.Add(1)
	if g.shut.Load() {
		g.leave()
		return false
	}
	return true
}

func (g *gate) leave() {
	if g.inside.Add(-1) == 0 && g.shut.Load() {
		g.empty.broadcast()
		g.emptied()
	}
}

// drain waits until nobody is inside, and answers the cause of ctx where that ends first.
func (g *gate) drain(ctx context.Context) error {
	for {
		left := g.empty.wait()
		if g.inside.Load() == 0 {
			return nil
		}
		select {
		case <-left:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// signal wakes everybody who waits. Who waits takes the channel first and looks at the condition afterwards, so that nothing
// is missed in between.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) broadcast() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}
