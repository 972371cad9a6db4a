package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// The times of a run. What a carrier commits late it commits before deadline and grace are over: that is what a grace promises,
// and a carrier that breaks it is found by the watch, hours later.
const (
	chaosDeadline = 3 * time.Second // of a booking
	chaosGrace    = 4 * time.Second
	chaosLate     = 4 * time.Second // latency beyond the deadline
	chaosCommits  = 3 * time.Second // late commits
)

const chaosConfig = `server: { listen: %[1]q, log_level: warn }
store: { dir: data }
plugins: { quarantine: { deaths: 1000000, within: 1s } }
dispatch: { answer_within: 2s, quote_timeout: 3s, book_timeout: %[4]s, watch_for: 1h }
tenants:
  chaos:
    rules: rules
    keys:
      - { name: chaos, sha256: %[2]x, rate: { per_second: 1000000, burst: 1000000 } }
    accounts:
      ups:
        adapter: ups
        label_format: ZPL
        grace: %[5]s
        config: { base_url: "%[3]s/ups", client_id: waybill-dev-client, client_secret: waybill-dev-secret, shipper_number: WB0001, negotiated_rates: true }
      doordash:
        adapter: doordash
        grace: %[5]s
        config:
          base_url: "%[3]s/doordash"
          developer_id: 00000000-d0d0-4000-8000-00000000demo
          key_id: 00000000-d0d0-4000-8000-000000000key
          signing_secret: bm90LWEtc2VjcmV0LW9ubHktZm9yLXRoZS1zaW11bGF0b3I
      own_fleet:
        adapter: selfdelivery
        config: { currency: USD, fee: { flat: 5.90, per_km: 0.80, included_km: 3 }, zone: { radius_km: 25 }, capacity: { open: 1000000, per_day: 1000000 } }
    locations:
      "7709":
        name: Boston Harrison Avenue
        address: { street1: 345 Harrison Avenue, city: Boston, state: MA, postalCode: "02118", countryCode: US, latitude: 42.3452369, longitude: -71.0639399 }
        zone: America/New_York
        contact: { name: Stock room, phone: "+1 617-555-0100" }
        accounts: [ups, doordash, own_fleet]
`

const chaosRules = `rules: 1
name: Thirds
currency: USD
providers: [ups, doordash, own_fleet]
choose:
  - name: A third each
    split: { ups: 34, doordash: 33, own_fleet: 33, by: order.id }
`

// writeConfig lays out the engine's configuration and rules, and returns the configuration's path.
func (c *chaos) writeConfig(listen, simulator string) (string, error) {
	if err := os.MkdirAll(filepath.Join(c.dir, "rules"), 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(c.dir, "waybill.yaml")
	config := fmt.Sprintf(chaosConfig, listen, sha256.Sum256([]byte(devKey)), simulator, chaosDeadline, chaosGrace)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return "", err
	}
	return path, os.WriteFile(filepath.Join(c.dir, "rules", "thirds.rules.yaml"), []byte(chaosRules), 0o600)
}

// chaosFault is a member of the simulator's fault table.
type chaosFault struct {
	On map[string]any `json:"on"`
	Do map[string]any `json:"do"`
}

// chaosFaults disturb a tenth of all exchanges, each with the chance that stands first.
func chaosFaults() []chaosFault {
	type m = map[string]any
	everywhere := func(p float64, do m) chaosFault { return chaosFault{m{"probability": p}, do} }
	at := func(p float64, carrier, op string, do m) chaosFault {
		return chaosFault{m{"probability": p, "carrier": carrier, "op": op}, do}
	}
	late := m{"kind": "late_commit", "by": chaosCommits.String()}
	return []chaosFault{
		at(.03, "ups", "ship", m{"kind": "duplicate_commit"}),
		everywhere(.008, m{"kind": "latency", "fixed": chaosLate.String(), "at": "before_commit"}),
		everywhere(.008, m{"kind": "latency", "fixed": chaosLate.String(), "at": "after_commit"}),
		at(.02, "ups", "ship", late), at(.02, "ups", "void", late), at(.02, "doordash", "accept", late), at(.02, "doordash", "cancel", late),
		everywhere(.02, m{"kind": "response_lost"}),
		everywhere(.01, m{"kind": "reset", "at": "before_request"}),
		everywhere(.01, m{"kind": "reset", "at": "mid_response"}),
		everywhere(.01, m{"kind": "http_error", "status": 429}),
		everywhere(.015, m{"kind": "http_error", "status": 503}),
		everywhere(.005, m{"kind": "malformed_body", "shape": "truncated_json"}),
		everywhere(.005, m{"kind": "malformed_body", "shape": "wrong_type"}),
		everywhere(.005, m{"kind": "malformed_body", "shape": "html_page"}),
		everywhere(.005, m{"kind": "malformed_body", "shape": "empty_200"}),
	}
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
	var table struct {
		Fired map[string]int `json:"fired"`
	}
	if err := c.control.get(ctx, "/_sim/faults", &table); err != nil {
		return err
	}
	c.report.Faults = table.Fired
	for _, f := range chaosFaults() {
		kind := f.Do["kind"].(string)
		if table.Fired[kind] == 0 && !slices.Contains(c.report.NeverFired, kind) {
			c.report.NeverFired = append(c.report.NeverFired, kind)
		}
	}
	_, err := c.control.do(ctx, "DELETE", "/_sim/faults", nil)
	return err
}
