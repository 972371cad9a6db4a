package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
)

// benchAccounts are the accounts that the bench's orders go to, in thirds.
var benchAccounts = []string{"ups", "doordash", "own_fleet"}

const benchConfig = `server: { listen: 127.0.0.1:0 }
store: { dir: data }
plugins: { dir: %[1]q }
tenants:
  bench:
    rules: rules
    keys:
      - { name: bench, sha256: %[2]x, rate: { per_second: 1000000, burst: 1000000 } }
    accounts:
      ups:
        adapter: ups
        label_format: ZPL
        config: { base_url: %[3]q, client_id: waybill-dev-client, client_secret: waybill-dev-secret, shipper_number: WB0001, negotiated_rates: true }
      doordash:
        adapter: doordash
        push_secret: %[5]s
        config:
          base_url: %[4]q
          developer_id: 00000000-d0d0-4000-8000-00000000demo
          key_id: 00000000-d0d0-4000-8000-000000000key
          push_authorization: %[6]s
          signing_secret: bm90LWEtc2VjcmV0LW9ubHktZm9yLXRoZS1zaW11bGF0b3I
      own_fleet:
        adapter: selfdelivery
        config: { currency: USD, fee: { flat: 5.90, per_km: 0.80, included_km: 3 }, zone: { radius_km: 25 } }
    locations:
      "7709":
        name: Boston Harrison Avenue
        address: { street1: 345 Harrison Avenue, city: Boston, state: MA, postalCode: "02118", countryCode: US, latitude: 42.3452369, longitude: -71.0639399 }
        zone: America/New_York
        contact: { name: asd, phone: "+1 234-567-8900" }
        accounts: [ups, doordash, own_fleet]
`

const benchRules = `rules: 1
name: Bench
currency: USD
providers: [ups, doordash, own_fleet]
exclude:
  - name: Couriers stay in town
    when: order.distance > mi(15)
    providers: [doordash, own_fleet]
    reason: too far
  - name: Own drivers carry up to 60 lb
    when: order.weight > lb(60)
    providers: [own_fleet]
    reason: too heavy
rank:
  score: dollars(option.cost) + min(option.dropoff_in / days(1), 30.0) * 1.50
  ties: [ mins(option.dropoff_in), option.provider ]
choose:
  - name: In thirds
    split: { ups: 34, doordash: 33, own_fleet: 33, by: order.id }
`

// followConfig is what the bench of trackers adds: how often the carrier is asked. What was asked for is due again soon, behind all else.
const followConfig = "tracking: { per_second: %d, courier: 1s }\n"

// benchAuthorization is what the carrier sends along with pushes, and benchPush the path that it sends them to.
const (
	benchAuthorization = "Basic YmVuY2g6YmVuY2g="
	benchPushSecret    = "bench-push-secret-0123456789"
	benchPush          = "/carriers/doordash/push/" + benchPushSecret
)

// writeConfig makes a folder with configuration and rules, and returns the configuration's path. simulator is the base URL of the
// carriers, more what is added to the configuration.
func (b *bench) writeConfig(name, simulator, more string) (string, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Join(dir, "rules"), 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "rules", "bench.rules.yaml"), []byte(benchRules), 0o600); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "waybill.yaml")
	text := fmt.Sprintf(benchConfig, b.plugins, sha256.Sum256([]byte(benchKey)), simulator+"/ups", simulator+"/doordash",
		benchPushSecret, benchAuthorization) + more
	return path, os.WriteFile(path, []byte(text), 0o600)
}
