package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/core/audit"
	"github.com/waybill-dev/waybill/core/shipment"
)

// chaosReport is what a run has shown.
type chaosReport struct {
	Orders   int            `json:"orders"`
	Seed     uint64         `json:"seed"`
	Took     string         `json:"took"`
	Statuses map[string]int `json:"statuses"`
	Kills    map[string]int `json:"kills"` // by process
	// FailpointDeaths are those of the engine beside a commit, in a build that has failpoints.
	FailpointDeaths map[string]int `json:"failpointDeaths"`
	Failpoints      int            `json:"failpoints"` // how many the build has
	Faults          map[string]int `json:"faults"`     // fired, by kind
	NeverFired      []string       `json:"neverFired"`
	SentAgain       map[string]int `json:"sentAgain"` // requests, by what came instead of an answer
	// Doubts are the attempts in doubt by how each ended, Attempts all by their state.
	Attempts    map[string]int  `json:"attempts"`
	Doubts      map[string]int  `json:"doubts"`
	Attention   []attentionCase `json:"attention"`
	Unanswered  []string        `json:"unanswered"`       // requests that were never answered
	Odd         []string        `json:"odd"`              // processes that ended by themselves
	Rows        []difference    `json:"rows"`             // of the run's own examination
	Audit       []audit.Row     `json:"audit"`            // of `waybill audit`
	Differences int             `json:"differences"`      // rows, and those of the audit about other orders and bookings
	Folder      string          `json:"folder,omitempty"` // logs, store and world of a run that has shown faults
}

// attentionCase is an attempt that only a person can decide.
type attentionCase struct {
	Order   string `json:"order"`
	Attempt int    `json:"attempt"`
	Account string `json:"account"`
	Why     string `json:"why"`
}

func newChaosReport(f *chaosFlags) chaosReport {
	return chaosReport{Orders: f.orders, Seed: f.seed, Failpoints: len(failpoints()), Statuses: map[string]int{}, Kills: map[string]int{}, Faults: map[string]int{},
		FailpointDeaths: map[string]int{}, SentAgain: map[string]int{}, Attempts: map[string]int{}, Doubts: map[string]int{}}
}

// tally counts an order and its attempts.
func (r *chaosReport) tally(sh *shipment.Shipment) {
	r.Statuses[string(sh.Status)]++
	for _, a := range sh.Attempts {
		r.Attempts[string(a.State)]++
		if a.Doubt == nil {
			continue
		}
		r.Doubts[string(a.State)]++
		if a.Doubt.Needs != "" {
			r.Attention = append(r.Attention, attentionCase{sh.Order.ExternalID, a.Number, a.Account, a.Doubt.Last})
		}
	}
}

// failed tells whether the run has shown a fault, of the engine or of the run itself: a storm that never broke proves nothing.
func (r *chaosReport) failed() bool {
	return r.Differences > 0 || len(r.NeverFired) > 0 || len(r.Unanswered) > 0 || len(r.Odd) > 0 || len(r.Kills) < 5
}

func (r *chaosReport) print(out io.Writer) error {
	w := &strings.Builder{}
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-18s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("orders", "%d in %s, seed %d: %s", r.Orders, r.Took, r.Seed, counts(r.Statuses))
	line("kills", "%s", counts(r.Kills))
	if r.Failpoints > 0 {
		line("at failpoints", "%s; the build has %d", counts(r.FailpointDeaths), r.Failpoints)
	}
	line("faults fired", "%s", counts(r.Faults))
	line("sent again", "%s", counts(r.SentAgain))
	line("attempts", "%s", counts(r.Attempts))
	line("in doubt", "%s", counts(r.Doubts))
	line("needs attention", "%d", len(r.Attention))
	for _, a := range r.Attention {
		fmt.Fprintf(w, "  %s attempt %d at %s: %s\n", a.Order, a.Attempt, a.Account, a.Why)
	}
	for what, list := range map[string][]string{"kinds of faults that never fired": r.NeverFired, "requests never answered": r.Unanswered, "processes that ended by themselves": r.Odd} {
		if len(list) > 0 {
			fmt.Fprintf(w, "%s:\n  %s\n", what, strings.Join(list, "\n  "))
		}
	}
	for _, d := range r.Rows {
		fmt.Fprintf(w, "%-9s order=%s %s=%s reference=%s: %s\n", d.Kind, d.Order, d.Carrier, d.Entity, d.Reference, d.Detail)
	}
	for _, d := range r.Audit {
		fmt.Fprintf(w, "audit: %-9s order=%s %s=%s: %s; %s\n", d.Kind, d.Order, d.Carrier, d.Entity, d.Detail, d.Mend)
	}
	if r.Folder != "" {
		line("kept", "%s", r.Folder)
	}
	fmt.Fprintf(w, "differences: %d\n", r.Differences)
	_, err := io.WriteString(out, w.String())
	return err
}

// counts writes numbers by name, in the order of the names.
func counts(m map[string]int) string {
	parts := make([]string, 0, len(m))
	sum := 0
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, m[name]))
		sum += m[name]
	}
	return fmt.Sprintf("%d (%s)", sum, strings.Join(parts, ", "))
}
