package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/simulator"
)

// chaosFault is a member of the simulator's fault table. Its id is the name under which its firings are counted, with a dot and more
// where several members have one name.
type chaosFault struct {
	ID string         `json:"id"`
	On map[string]any `json:"on"`
	Do map[string]any `json:"do"`
}

// name is what the fault is counted under.
func (f chaosFault) name() string { return faultName(f.ID) }

func faultName(id string) string {
	name, _, _ := strings.Cut(id, ".")
	return name
}

// chaosFaults disturb a tenth of all exchanges, each with the chance that stands beside its name.
func chaosFaults() []chaosFault {
	type m = map[string]any
	everywhere := func(id string, p float64, do m) chaosFault { return chaosFault{id, m{"probability": p}, do} }
	at := func(name string, p float64, carrier, op string, do m) chaosFault {
		return chaosFault{name + "." + carrier + "." + op, m{"probability": p, "carrier": carrier, "op": op}, do}
	}
	late := m{"kind": "late_commit", "by": chaosCommits.String()}
	faults := []chaosFault{
		at("duplicate_commit", .03, "ups", "ship", m{"kind": "duplicate_commit"}),
		everywhere("latency_before_commit", .008, m{"kind": "latency", "fixed": chaosLate.String(), "at": "before_commit"}),
		everywhere("latency_after_commit", .008, m{"kind": "latency", "fixed": chaosLate.String(), "at": "after_commit"}),
		at("late_commit", .02, "ups", "ship", late), at("late_commit", .02, "ups", "void", late),
		at("late_commit", .02, "doordash", "accept", late), at("late_commit", .02, "doordash", "cancel", late),
		everywhere("response_lost", .02, m{"kind": "response_lost"}),
		everywhere("reset_before_request", .01, m{"kind": "reset", "at": "before_request"}),
		everywhere("reset_mid_response", .01, m{"kind": "reset", "at": "mid_response"}),
		everywhere("429", .01, m{"kind": "http_error", "status": 429}),
		// Where UPS alone is asked, the rules can only wait and ask again.
		at("429", .08, "ups", "ship", m{"kind": "http_error", "status": 429}),
		everywhere("503", .015, m{"kind": "http_error", "status": 503}),
	}
	for _, shape := range []string{"truncated_json", "wrong_type", "html_page", "empty_200", "bad_charset"} {
		faults = append(faults, everywhere("garbage_"+shape, .005, m{"kind": "malformed_body", "shape": shape}))
	}
	return faults
}

// disturb fills the simulator's fault table.
func (c *chaos) disturb(ctx context.Context) error {
	for _, f := range chaosFaults() {
		body, err := json.Marshal(f, json.Deterministic(true))
		if err != nil {
			return err
		}
		if _, err := c.control.do(ctx, "POST", "/_sim/faults", body); err != nil {
			return fmt.Errorf("fault %s: %w", body, err)
		}
	}
	return nil
}

// calm ends the faults, counts what they did, and waits until everything is up.
func (c *chaos) calm(ctx context.Context) error {
	if err := errors.Join(c.await(ctx, c.control, "/_sim/healthz"), c.await(ctx, c.api, "/readyz")); err != nil {
		return err
	}
	c.countExchanges(ctx)
	var table struct {
		Faults []simulator.FaultView `json:"faults"`
	}
	if err := c.control.get(ctx, "/_sim/faults", &table); err != nil {
		return err
	}
	for _, f := range table.Faults {
		c.report.Faults[faultName(f.ID)] += f.Fired
	}
	for _, f := range chaosFaults() {
		if name := f.name(); c.report.Faults[name] == 0 && !slices.Contains(c.report.NeverFired, name) {
			c.report.NeverFired = append(c.report.NeverFired, name)
		}
	}
	_, err := c.control.do(ctx, "DELETE", "/_sim/faults", nil)
	return err
}
