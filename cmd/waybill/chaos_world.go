package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The times of a run. What a carrier commits late it commits before deadline and grace are over: that is what a grace promises.
// Bookings that take the detour break it, and are found by the watch.
const (
	chaosDeadline = 3 * time.Second // of a booking
	chaosGrace    = 8 * time.Second // with what a busy machine adds to what a carrier commits late
	chaosLate     = 4 * time.Second // latency beyond the deadline
	chaosCommits  = 3 * time.Second // late commits
)

// The locations of the run.
const (
	chaosStore  = "7709" // has every kind of account
	chaosDesk   = "7710" // its account leaves what nobody can prove to a person
	chaosMoving = "7711" // its account leaves the configuration and comes back

	chaosLateUPS      = "7712" // its account is behind the detour
	chaosLateDoorDash = "7713" // likewise
)

// chaosOperator is an operator's key, as chaosTenant's is devKey: of this run alone.
const chaosOperator = "chaos-operator"

const chaosConfig = `server: { listen: %[1]q, log_level: warn, admin_keys: [ { name: clerk, sha256: %[6]x } ] }
store: { dir: data }
plugins: { quarantine: { deaths: 1000000, within: 1s } }
tracking: { waiting: 8s, transit: 8s, out: 8s, trouble: 8s, at_point: 8s, courier: 6s, per_second: 100 }
dispatch: { answer_within: 2s, quote_timeout: 3s, book_timeout: %[4]s, watch_for: %[13]s, watch_every: %[14]s }
tenants:
  chaos:
    rules: rules
    notify: { allow_private: true }
    keys:
      - { name: chaos, sha256: %[2]x, rate: { per_second: 1000000, burst: 1000000 } }
    accounts:
      ups:
        adapter: ups
        label_format: ZPL
        grace: %[5]s
        push_secret: %[8]s
        config: { base_url: "%[3]s/ups", client_id: waybill-dev-client, client_secret: waybill-dev-secret, shipper_number: WB0001, negotiated_rates: true, push_credential: %[10]s }
      desk:
        adapter: ups
        label_format: ZPL
        grace: %[5]s
        doubt: attention
        push_secret: %[12]s
        config: { base_url: "%[3]s/ups", client_id: waybill-dev-client, client_secret: waybill-dev-secret, shipper_number: WB0001, negotiated_rates: true, push_credential: %[10]s }
      doordash:
        adapter: doordash
        grace: %[5]s
        push_secret: %[9]s
        config:
          base_url: "%[3]s/doordash"
          developer_id: 00000000-d0d0-4000-8000-00000000demo
          key_id: 00000000-d0d0-4000-8000-000000000key
          signing_secret: bm90LWEtc2VjcmV0LW9ubHktZm9yLXRoZS1zaW11bGF0b3I
          push_authorization: %[11]q
      late_ups:
        adapter: ups
        label_format: ZPL
        grace: %[16]s
        doubt: watch
        config: { base_url: "%[15]s/ups", client_id: waybill-dev-client, client_secret: waybill-dev-secret, shipper_number: WB0001, negotiated_rates: true }
      late_doordash:
        adapter: doordash
        grace: %[16]s
        config:
          base_url: "%[15]s/doordash"
          developer_id: 00000000-d0d0-4000-8000-00000000demo
          key_id: 00000000-d0d0-4000-8000-000000000key
          signing_secret: bm90LWEtc2VjcmV0LW9ubHktZm9yLXRoZS1zaW11bGF0b3I
      own_fleet:
        adapter: selfdelivery
        config: { currency: USD, fee: { flat: 5.90, per_km: 0.80, included_km: 3 }, zone: { radius_km: 25 }, capacity: { open: 1000000, per_day: 1000000 } }
%[7]s    locations:
`

const chaosMovingAccount = `      moving:
        adapter: ups
        label_format: ZPL
        grace: %[2]s
        config: { base_url: "%[1]s/ups", client_id: waybill-dev-client, client_secret: waybill-dev-secret, shipper_number: WB0001, negotiated_rates: true }
`

const chaosLocation = `      %[1]q:
        name: Boston Harrison Avenue
        address: { street1: 345 Harrison Avenue, city: Boston, state: MA, postalCode: "02118", countryCode: US, latitude: 42.3452369, longitude: -71.0639399 }
        zone: America/New_York
        contact: { name: Stock room, phone: "+1 617-555-0100" }
        accounts: [%[2]s]
`

// chaosAccounts are those of the configuration, the moving one too.
var chaosAccounts = []string{"ups", "desk", "doordash", "own_fleet", "moving", "late_ups", "late_doordash"}

// chaosRules hold what is gated until it is changed, find nobody for what is stalled, and ask another carrier where one fails or gives
// up.
const chaosRules = `rules: 1
name: Thirds
currency: USD
attributes: [gate, stall]
hold:
  - { name: Gated, when: order.attributes.gate == "shut", until: released, reason: the gate is shut }
exclude:
  - { name: Stalled, when: order.attributes.stall == "yes", reason: stalled }
choose:
  - name: A third each
    split: { ups: 34, doordash: 33, own_fleet: 33, by: order.id }
fallback:
  - name: Another carrier
    on: [booking_failed, cancelled_by_carrier]
    steps: [next_ranked, next_ranked, { hold_for: 1s }, next_ranked]
none: { hold_for: 1s, retry: 3 }
`

func (c *chaos) configPath() string { return filepath.Join(c.dir, "waybill.yaml") }

// writeRules lays out the rules.
func (c *chaos) writeRules() error {
	if err := os.MkdirAll(filepath.Join(c.dir, "rules"), 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.dir, "rules", "thirds.rules.yaml"), []byte(chaosRules), 0o600)
}

// writeConfig lays out the engine's configuration, with the moving account or without, whole at once: the engine may read it any time.
func (c *chaos) writeConfig(moving bool) error {
	account, at := fmt.Sprintf(chaosMovingAccount, c.control.base, chaosGrace), "moving"
	if !moving {
		account, at = "", "own_fleet"
	}
	config := fmt.Sprintf(chaosConfig, c.listen, sha256.Sum256([]byte(devKey)), c.control.base, chaosDeadline, chaosGrace, sha256.Sum256([]byte(chaosOperator)), account,
		chaosPushUPS, chaosPushDoorDash, chaosCredential, chaosBasic, chaosPushDesk,
		chaosWatchFor, chaosWatchEvery, c.detour.base, detourGrace)
	for _, l := range [][2]string{{chaosStore, "ups, doordash, own_fleet"}, {chaosDesk, "desk"}, {chaosMoving, at}, {chaosLateUPS, "late_ups"}, {chaosLateDoorDash, "late_doordash"}} {
		config += fmt.Sprintf(chaosLocation, l[0], l[1])
	}
	fresh := c.configPath() + ".new"
	if err := os.WriteFile(fresh, []byte(config), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, c.configPath())
}

// How long the moving account is in the configuration, and out of it: longer than the engine needs to see the change, and than an
// attempt takes from its intent to the first look after its doubt.
const (
	chaosIn  = 12 * time.Second
	chaosOut = 12 * time.Second
)

// moveAccount takes the moving account out of the configuration again and again, until the storm is over, and leaves it in.
func (c *chaos) moveAccount(storm context.Context) error {
	for {
		for _, moving := range []bool{true, false} {
			if err := c.writeConfig(moving); err != nil {
				return err
			}
			stay := chaosOut
			if moving {
				stay = chaosIn
			}
			if pauseFor(storm, stay) != nil {
				return c.writeConfig(true)
			}
		}
	}
}
