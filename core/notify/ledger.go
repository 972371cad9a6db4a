package notify

import (
	"slices"
	"time"
)

// ledger knows which positions of the log a reader has taken and not settled. Messages are settled in any order; the cursor moves
// only past those that all are.
type ledger struct {
	read      uint64 // the last position taken
	committed uint64 // the cursor in the store
	slots     []slot // from the first that is not settled, ascending
}

type slot struct {
	position uint64
	at       time.Time
	settled  bool
}

func (l *ledger) take(position uint64, at time.Time) {
	l.read = position
	l.slots = append(l.slots, slot{position: position, at: at})
}

// settle counts positions as settled; one that was not taken is no fault.
func (l *ledger) settle(positions ...uint64) {
	for _, p := range positions {
		if i, ok := l.find(p); ok {
			l.slots[i].settled = true
		}
	}
	n := 0
	for n < len(l.slots) && l.slots[n].settled {
		n++
	}
	l.slots = l.slots[n:]
}

func (l *ledger) find(position uint64) (int, bool) {
	return slices.BinarySearchFunc(l.slots, position, func(s slot, p uint64) int {
		switch {
		case s.position < p:
			return -1
		case s.position > p:
			return 1
		}
		return 0
	})
}

// with returns how far all would be settled if these positions were.
func (l *ledger) with(positions []uint64) uint64 {
	for _, s := range l.slots {
		if !s.settled && !slices.Contains(positions, s.position) {
			return s.position - 1
		}
	}
	return l.read
}

// open returns how many positions are taken and not settled, or stand behind one that is not.
func (l *ledger) open() int { return len(l.slots) }

// lag is the age of the oldest message that is not settled.
func (l *ledger) lag(now time.Time) time.Duration {
	if len(l.slots) == 0 {
		return 0
	}
	return max(0, now.Sub(l.slots[0].at))
}
