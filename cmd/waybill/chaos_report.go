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
	Encore   int            `json:"encore"` // orders beyond these, sent for failpoints that were not reached yet
	Asked    map[string]int `json:"asked"`  // orders by what was asked of them
	Seed     uint64         `json:"seed"`
	Took     string         `json:"took"`
	Statuses map[string]int `json:"statuses"`
	Kills    map[string]int `json:"kills"` // by process
	// FailpointDeaths are those of the engine beside a commit, in a build that has failpoints.
	FailpointDeaths map[string]int `json:"failpointDeaths"`
	Failpoints      int            `json:"failpoints"`   // how many the build has that can be reached
	NeverReached    []string       `json:"neverReached"` // failpoints
	Faults          map[string]int `json:"faults"`       // fired, by name
	NeverFired      []string       `json:"neverFired"`
	Exchanges       int            `json:"exchanges"` // with the carriers, as far as they were counted before a kill
	Disturbed       int            `json:"disturbed"` // of these
	SentAgain       map[string]int `json:"sentAgain"` // requests, by what came instead of an answer
	// Acknowledged is what callers were told to be done, or under way.
	Acknowledged map[string]int `json:"acknowledged"`
	Meant        int            `json:"meant"`      // orders that nobody has asked to be cancelled
	Dispatched   int            `json:"dispatched"` // of these
	TriedAgain   int            `json:"triedAgain"` // orders that nobody had carried when the storm was over
	Stored       int            `json:"stored"`     // orders, returns too
	Bodies       int            `json:"bodies"`     // orders that were held against what was sent
	Consigned    int            `json:"consigned"`  // bookings whose carriers were asked what they are to carry
	Labels       int            `json:"labels"`     // parcels whose labels were looked for
	Grounds      int            `json:"grounds"`    // refused cancellations whose carriers were asked for the grounds
	Unedited     int            `json:"unedited"`   // bookings whose carriers were asked what they are to carry after an edit that they have not taken
	Driven       int            `json:"driven"`     // orders of the merchant's own drivers that were held against the drivers' book
	Held         map[string]int `json:"held"`       // bookings that were held on their way, by carrier
	Shown        map[string]int `json:"shown"`      // bookings that showed after their absence was believed, and were cancelled, by adapter
	// Doubts are the attempts in doubt by how each ended, Attempts all by their state.
	Attempts    map[string]int     `json:"attempts"`
	Doubts      map[string]int     `json:"doubts"`
	Attention   []attentionCase    `json:"attention"`
	Events      int                `json:"events"`           // that were to be told
	Hearings    map[string]hearing `json:"hearings"`         // by subscriber
	WaitedFor   map[string]int     `json:"waitedFor"`        // in the end: what was left to do, by how often the engine was looked at
	Unanswered  []string           `json:"unanswered"`       // requests that were never answered
	Odd         []string           `json:"odd"`              // processes that ended by themselves
	Rows        []difference       `json:"rows"`             // of the run's own examination
	Audit       []audit.Row        `json:"audit"`            // of `waybill audit`
	AuditOrders int                `json:"auditOrders"`      // that the audit has read
	WithLedger  int                `json:"withLedger"`       // attempts at carriers that keep a ledger
	Compared    int                `json:"compared"`         // attempts that the audit has held against the ledger
	NotCompared int                `json:"notCompared"`      // attempts at carriers without a ledger: the merchant's own drivers
	Differences int                `json:"differences"`      // rows, and those of the audit about other orders and bookings
	TooLittle   []string           `json:"tooLittle"`        // was disturbed or compared for the run to prove anything
	Folder      string             `json:"folder,omitempty"` // logs, store and world of a run that has shown faults
}

// attentionCase is what of an attempt only a person could decide, whoever came first: the clerk, or news of the carrier's.
type attentionCase struct {
	Order   string `json:"order"`
	Attempt int    `json:"attempt"`
	Account string `json:"account"`
	Why     string `json:"why"`
	// Ended is what became of it: in_doubt where nobody has decided.
	Ended shipment.AttemptState `json:"ended"`
}

func newChaosReport(f *chaosFlags) chaosReport {
	return chaosReport{Orders: f.orders, Seed: f.seed, Failpoints: len(reachable()), Statuses: map[string]int{}, Kills: map[string]int{}, Faults: map[string]int{},
		Asked: map[string]int{}, SentAgain: map[string]int{}, Attempts: map[string]int{}, Doubts: map[string]int{}, Hearings: map[string]hearing{},
		WaitedFor: map[string]int{}}
}

// tally counts an order, its attempts, and what of them has needed a person.
func (r *chaosReport) tally(sh *shipment.Shipment, needed []need) {
	for _, n := range needed {
		if a := sh.Attempt(n.attempt); a != nil {
			r.Attention = append(r.Attention, attentionCase{sh.Order.ExternalID, a.Number, a.Account, n.why, a.State})
		}
	}
	r.Statuses[string(sh.Status)]++
	for _, a := range sh.Attempts {
		r.Attempts[string(a.State)]++
		if a.Adapter != withoutLedger {
			r.WithLedger++
		}
		if a.Doubt != nil {
			r.Doubts[string(a.State)]++
		}
		for i := range a.Spares {
			if sp := &a.Spares[i]; sp.Needs != "" {
				r.Attention = append(r.Attention, attentionCase{sh.Order.ExternalID, a.Number, a.Account, "the carrier does not cancel the spare booking " + sp.CarrierRef, a.State})
			}
		}
	}
}

// failed tells whether the run has shown a fault, of the engine or of the run itself: a storm that never broke proves nothing.
func (r *chaosReport) failed() bool {
	return r.Differences > 0 || len(r.TooLittle) > 0 || len(r.NeverFired) > 0 || len(r.NeverReached) > 0 || len(r.Unanswered) > 0 || len(r.Odd) > 0 || len(r.Kills) < 5
}

func (r *chaosReport) print(out io.Writer) error {
	w := &strings.Builder{}
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-18s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("orders", "%d and %d more in %s, seed %d: %s", r.Orders, r.Encore, r.Took, r.Seed, counts(r.Statuses))
	line("asked of them", "%s", counts(r.Asked))
	line("kills", "%s", counts(r.Kills))
	if r.Failpoints > 0 {
		line("at failpoints", "%d of the %d that can be reached: %s", len(r.FailpointDeaths), r.Failpoints, counts(r.FailpointDeaths))
		reasons := map[string][]string{}
		for _, name := range slices.Sorted(maps.Keys(outOfReach)) {
			reasons[outOfReach[name]] = append(reasons[outOfReach[name]], name)
		}
		for _, why := range slices.Sorted(maps.Keys(reasons)) {
			fmt.Fprintf(w, "  not %s: that %s\n", strings.Join(reasons[why], ", "), why)
		}
	}
	line("faults fired", "%s", counts(r.Faults))
	line("exchanges", "%d counted, %.1f%% of them disturbed", r.Exchanges, 100*float64(r.Disturbed)/float64(max(r.Exchanges, 1)))
	line("sent again", "%s", counts(r.SentAgain))
	line("acknowledged", "%s", counts(r.Acknowledged))
	line("dispatched", "%d of %d that nobody has cancelled, %d of them when the storm was over and they were tried again", r.Dispatched, r.Meant, r.TriedAgain)
	line("compared", "%d orders with what was sent, %d bookings with what the carrier was asked to carry, %d labels with their parcels, "+
		"%d refused cancellations with how far the carrier was, %d refused edits with what the carrier knows, %d orders with their drivers' book",
		r.Bodies, r.Consigned, r.Labels, r.Grounds, r.Unedited, r.Driven)
	line("booked too late", "%s; spares shown after an absence and voided: %s", counts(r.Held), counts(r.Shown))
	line("attempts", "%s", counts(r.Attempts))
	line("in doubt", "%s", counts(r.Doubts))
	ends := map[string]int{}
	for _, a := range r.Attention {
		ends[string(a.Ended)]++
	}
	line("needed a person", "%s", counts(ends))
	for _, a := range r.Attention {
		fmt.Fprintf(w, "  %s attempt %d at %s, now %s: %s\n", a.Order, a.Attempt, a.Account, a.Ended, a.Why)
	}
	line("events", "%d", r.Events)
	for _, name := range slices.Sorted(maps.Keys(r.Hearings)) {
		h := r.Hearings[name]
		fmt.Fprintf(w, "  told to %s: %d, and %d of them again; requests: %s\n", name, h.Messages, h.Repeats, counts(h.Requests))
	}
	line("waited for", "%s", counts(r.WaitedFor))
	for what, list := range map[string][]string{"faults that never fired": r.NeverFired, "failpoints that were never reached": r.NeverReached, "requests never answered": r.Unanswered, "processes that ended by themselves": r.Odd,
		"too little to prove anything": r.TooLittle} {
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
	line("audit", "%d orders, %d attempts compared, %d not: of the merchant's own drivers there is no ledger", r.AuditOrders, r.Compared, r.NotCompared)
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
