package simulator

import (
	"fmt"
	"slices"
	"strings"
)

// State is one state of an entity, in the carrier's own word.
type State string

// Machine says which states of an entity may follow which. It is data, made
// once by a dialect and never changed.
type Machine struct {
	// Next lists the legal next states of each state, the usual one first. A
	// state without any is final; every state must be a key.
	Next map[State][]State
}

// Check reports every state that is named but not a key.
func (m Machine) Check() error {
	var missing []string
	for from, next := range m.Next {
		for _, to := range next {
			if _, ok := m.Next[to]; !ok {
				missing = append(missing, fmt.Sprintf("%s -> %s", from, to))
			}
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fmt.Errorf("state machine leads to states that it does not define: %s", strings.Join(missing, ", "))
	}
	return nil
}

// Legal tells whether to may follow from.
func (m Machine) Legal(from, to State) bool { return slices.Contains(m.Next[from], to) }

// Final tells whether nothing may follow s.
func (m Machine) Final(s State) bool { return len(m.Next[s]) == 0 }

// States lists all states in alphabetical order.
func (m Machine) States() []State {
	all := make([]State, 0, len(m.Next))
	for s := range m.Next {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

// Path returns the shortest legal way from one state to another, without the
// first and with the last; among equally short ones that which takes the
// earlier listed steps. It is nil when there is none, and when from is to.
func (m Machine) Path(from, to State) []State {
	if from == to {
		return nil
	}
	came := map[State]State{from: from}
	for queue := []State{from}; len(queue) > 0; queue = queue[1:] {
		for _, next := range m.Next[queue[0]] {
			if _, seen := came[next]; seen {
				continue
			}
			came[next] = queue[0]
			if next != to {
				queue = append(queue, next)
				continue
			}
			path := []State{}
			for s := to; s != from; s = came[s] {
				path = append(path, s)
			}
			slices.Reverse(path)
			return path
		}
	}
	return nil
}

// IllegalMove is the error of a step that the machine does not allow.
type IllegalMove struct {
	Carrier, ID string
	From, To    State
	Legal       []State
}

func (e *IllegalMove) Error() string {
	if len(e.Legal) == 0 {
		return fmt.Sprintf("%s %s cannot become %q: %q is final", e.Carrier, e.ID, e.To, e.From)
	}
	names := make([]string, len(e.Legal))
	for i, s := range e.Legal {
		names[i] = string(s)
	}
	return fmt.Sprintf("%s %s cannot become %q from %q: legal next states are %s",
		e.Carrier, e.ID, e.To, e.From, strings.Join(names, ", "))
}
