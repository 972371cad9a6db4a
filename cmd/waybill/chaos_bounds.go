package main

import (
	"fmt"
	"maps"
	"slices"
)

// leastDisturbed is the share of the exchanges with carriers that must have been disturbed. The faults are drawn so that it is a tenth.
const leastDisturbed = .08

// acknowledged counts what callers were told to be done, or under way.
func (t *truth) acknowledged() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := map[string]int{}
	for _, what := range acknowledgements {
		n[what] = 0
	}
	for _, o := range t.orders {
		for what, code := range map[string]int{"created": o.created, "cancelled": o.cancelled, "edited": o.edited, "delivered": o.delivered,
			"erased": o.erased, "followed": o.followed, "forgotten": o.forgot, "told otherwise": o.subscribed} {
			if code/100 == 2 {
				n[what]++
			}
		}
		if o.carried {
			n["carried"]++
		}
		if o.gaveUp != "" {
			n["given up"]++
		}
		if o.body != nil && o.created/100 == 2 {
			n["bodies"]++
		}
	}
	return n
}

// acknowledgements are what each run must have seen acknowledged.
var acknowledgements = []string{"created", "cancelled", "edited", "delivered", "erased", "followed", "forgotten", "told otherwise", "carried", "given up", "bodies"}

// tooLittle tells where a run has disturbed or compared less than it must have, so that what it has not found proves nothing.
func (r *chaosReport) tooLittle() []string {
	var out []string
	less := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if share := float64(r.Disturbed) / float64(max(r.Exchanges, 1)); share < leastDisturbed {
		less("%.1f%% of %d exchanges with carriers were disturbed, want %.0f%% at least", 100*share, r.Exchanges, 100*leastDisturbed)
	}
	for _, what := range acknowledgements {
		if r.Acknowledged[what] == 0 {
			less("nothing was acknowledged as %s", what)
		}
	}
	if r.Stored == 0 || r.AuditOrders != r.Stored {
		less("the audit has read %d orders, and the store has %d", r.AuditOrders, r.Stored)
	}
	if r.Stored < r.Acknowledged["created"] {
		less("the store has %d orders, and %d were acknowledged", r.Stored, r.Acknowledged["created"])
	}
	if r.Bodies < r.Acknowledged["bodies"] {
		less("%d orders were held against what was sent, and %d were acknowledged", r.Bodies, r.Acknowledged["bodies"])
	}
	if r.WithLedger == 0 || r.Compared != r.WithLedger {
		less("the audit has compared %d attempts, and the store has %d at carriers that keep a ledger", r.Compared, r.WithLedger)
	}
	if r.Consigned == 0 {
		less("no booking was held against what its order is to be carried as")
	}
	if r.Events == 0 || len(r.Hearings) == 0 {
		less("%d events were told to %d subscribers", r.Events, len(r.Hearings))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Hearings)) {
		if r.Hearings[name].Messages == 0 {
			less("subscriber %s was told nothing", name)
		}
	}
	if r.Orders < pointsFrom {
		return out
	}
	for _, f := range fates {
		if r.Asked[f.name] == 0 {
			less("no order was %s", f.name)
		}
	}
	return out
}
