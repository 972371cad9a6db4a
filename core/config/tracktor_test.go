package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/config"
)

// shops is a configuration with two tenants whose tracktor sections are given as lines.
func shops(t *testing.T, one, other string) (*config.Config, error) {
	t.Helper()
	text := strings.NewReplacer("${SECRET}", "x", "  demo:\n", "  demo:\n    tracktor:\n      "+strings.ReplaceAll(one, "\n", "\n      ")+"\n").Replace(minimal) +
		"  other:\n    tracktor: { " + other + " }\n"
	return config.Load(write(t, t.TempDir(), "waybill.yaml", text), env(map[string]string{"HOOK": "s3cret"}))
}

func TestTracktor(t *testing.T) {
	_, err := shops(t, `aliases: [Shop-1.example, 0f8fad5b-d9cb-469f-a165-70867728950e]
webhook_secret: ${HOOK}
carrier_mapping: { Brown Truck: ups, Royal Mail: gb-post }
statuses:
  - { key: last_stop, label: Last stop, position: 99, status: ORDER_AT_LOCATION }
  - { key: customs, label: Customs, position: 3, status: IN_TRANSIT }
  - { key: packed, label: Packed, position: 1, status: STAGED }`, "aliases: [second]")
	if err == nil || !strings.Contains(err.Error(), "statuses[0].position") {
		t.Fatalf("position 99 of 7 statuses: %v", err)
	}
	c, err := shops(t, `aliases: [Shop-1.example, 0f8fad5b-d9cb-469f-a165-70867728950e]
webhook_secret: ${HOOK}
carrier_mapping: { Brown Truck: ups, Royal Mail: gb-post }
statuses:
  - { key: last_stop, label: Last stop, position: 7, status: ORDER_AT_LOCATION }
  - { key: customs, label: Customs, position: 4, status: IN_TRANSIT }
  - { key: packed, label: Packed, position: 1, status: STAGED }`, "aliases: [second]")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	all := c.Tenants["demo"].Tracktor.AllStatuses()
	for i, s := range all {
		keys = append(keys, s.Key)
		if s.Position != i+1 {
			t.Errorf("%s has position %d in place %d", s.Key, s.Position, i+1)
		}
	}
	if got := strings.Join(keys, " "); got != "packed order_ready in_transit customs out_for_delivery delivered last_stop" {
		t.Errorf("statuses %s", got)
	}
	for name, want := range map[string]string{"demo": "demo", "Shop-1.example": "demo", "0f8fad5b-d9cb-469f-a165-70867728950e": "demo", "second": "other", "other": "other"} {
		if got := c.TracktorTenant(name); got == nil || got.ID != want {
			t.Errorf("%s names %v, want %s", name, got, want)
		}
	}
	for _, name := range []string{"", "shop-1.example", "nobody"} {
		if got := c.TracktorTenant(name); got != nil {
			t.Errorf("%q names %s", name, got.ID)
		}
	}
	shop := c.Tenants["demo"].Tracktor
	if shop.Mapped(" brown TRUCK ") != "ups" || shop.Mapped("Royal Mail") != "gb-post" || shop.Mapped("UPS") != "" || shop.Mapped("") != "" {
		t.Errorf("mapping of %v", shop.CarrierMapping)
	}
	masked, err := c.Masked(nil)
	if err != nil || strings.Contains(string(masked), "s3cret") || !strings.Contains(string(masked), "webhook_secret: REDACTED") {
		t.Errorf("%v\n%s", err, masked)
	}
}

// TestTracktorFaults are reported all at once, each where it stands.
func TestTracktorFaults(t *testing.T) {
	_, err := shops(t, `aliases: [a/b, other, twice, twice]
shop_url: `+strings.Repeat("x", 101)+`
carrier_mapping: { Vans: own_flet, ups: ups, UPS: ups }
statuses:
  - { key: In Transit, label: "", position: 0, status: LOST }
  - { key: delivered, label: Delivered, position: 1, status: ORDER_AT_LOCATION }
  - { key: b, label: B, position: 1, status: ORDER_AT_LOCATION }
  - { key: b, label: B, position: 1, status: STAGED }`, "aliases: [twice]")
	e, ok := errors.AsType[*config.Error](err)
	if !ok {
		t.Fatal(err)
	}
	const base = "tenants.demo.tracktor."
	for path, words := range map[string]string{
		base + "aliases[0]": "cannot stand in a path", base + "aliases[1]": "the id of another tenant", base + "aliases[3]": "an alias already",
		base + "shop_url": "at most 100", base + "carrier_mapping.Vans": "neither an account", base + "carrier_mapping.ups": "says the same as",
		base + "statuses[0].key": "cannot be a status's key", base + "statuses[0].label": "required", base + "statuses[0].position": "between 1 and 8",
		base + "statuses[0].status": "is not a status", base + "statuses[1].key": "another status has the key", base + "statuses[2].status": "stands for already",
		base + "statuses[3].key": "another status has the key", "tenants.other.tracktor.aliases[0]": "an alias already",
	} {
		found := false
		for _, p := range e.About(path) {
			found = found || p.Path == path && strings.Contains(p.Message, words) && p.Line > 0
		}
		if !found {
			t.Errorf("%s: %q is not among\n%v", path, words, err)
		}
	}
}
