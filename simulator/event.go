package simulator

import (
	"container/heap"
	"strings"
	"time"
)

// event is something the world will do at a time. Events run in the order of
// time, then entity, then the order in which they were scheduled.
type event struct {
	at  time.Time
	key string // carrier/id, so that ties do not depend on arrival
	seq uint64
	run func(tx *Tx)
}

type eventHeap []*event

func (h eventHeap) Len() int { return len(h) }

func (h eventHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	if !a.at.Equal(b.at) {
		return a.at.Before(b.at)
	}
	if c := strings.Compare(a.key, b.key); c != 0 {
		return c < 0
	}
	return a.seq < b.seq
}

func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h *eventHeap) Push(x any) { *h = append(*h, x.(*event)) }

func (h *eventHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}

// schedule adds an event; it reports whether it is now the first.
func (h *eventHeap) schedule(e *event) bool {
	heap.Push(h, e)
	return (*h)[0] == e
}

// due removes and returns the first event if its time has come.
func (h *eventHeap) due(now time.Time) *event {
	if len(*h) == 0 || (*h)[0].at.After(now) {
		return nil
	}
	return heap.Pop(h).(*event)
}
