package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// restoredRules hold orders for a payment, and name others to ask when a carrier fails.
const restoredRules = `rules: 1
name: restored
currency: USD
providers: [ups, doordash, own_fleet]
hold:
  - { name: Wait for the payment, when: 'order.total in [usd(77), usd(177)]', until: released }
choose:
  - { name: Dear orders by parcel, when: 'order.total >= usd(100)', prefer: [ups] }
  - { name: Others by courier, when: 'order.total < usd(100)', prefer: [doordash] }
fallback:
  - { name: Next best, on: [booking_failed, cancelled_by_carrier, no_driver], steps: [next_ranked, next_ranked] }
`

// TestARestoredStoreBuysNothingTwice restores a backup that is older than bookings and cancellations which were acknowledged: what was
// cancelled since ends as cancelled, what was booked since under a reference that is derived again is found, and no carrier holds more than
// before.
func TestARestoredStoreBuysNothingTwice(t *testing.T) {
	t.Parallel()
	binary, plugins := built(t)
	const operator = "wb_an-operators-key"
	sum := sha256.Sum256([]byte(operator))
	cfg := withMembers(t, hasty(t), "  admin_keys: [{ name: ops, sha256: "+hex.EncodeToString(sum[:])+" }]\n")
	appended(t, cfg, "\ntracking: { waiting: 2s, courier: 2s, per_second: 100 }\n")
	if err := os.WriteFile(filepath.Join(filepath.Dir(cfg), "rules", "thirds.rules.yaml"), []byte(restoredRules), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(env []string, args ...string) *devProcess {
		d, err := launch(binary, t.TempDir(), env, args)
		if err != nil {
			t.Fatal(err)
		}
		d.Key = devKey
		t.Cleanup(func() { _ = d.end(syscall.SIGTERM) })
		return d
	}
	sim := run(nil, "sim", "serve", "--listen", "127.0.0.1:0", "--profile", "doordash=doordash-manual", "--profile", "ups=manual")
	serve := func(data string) *devProcess {
		return run([]string{simURLName + "=" + sim.SimURL, "PATH=/usr/bin:/bin"}, "serve", "--config", cfg, "--listen", "127.0.0.1:0", "--data", data, "--plugins", plugins)
	}
	engine := serve(filepath.Join(t.TempDir(), "store"))
	worth := func(id, value string) string {
		return strings.Replace(boston(id), `"orderValue":10`, `"orderValue":`+value, 1)
	}
	create(t, engine, worth("label", "150"))
	create(t, engine, worth("ride", "50"))
	for id, value := range map[string]string{"held": "77", "parcel": "177"} {
		if code, b := engine.Request(t, http.MethodPost, "/shipments", worth(id, value)); code/100 != 2 || parseOrder(t, b).Status != "PENDING_RELEASE" {
			t.Fatalf("%s: %d %s", id, code, b)
		}
	}
	for id, by := range map[string]string{"label": "ups", "ride": "doordash"} {
		if _, b := engine.Request(t, http.MethodGet, "/shipments/"+id, ""); parseOrder(t, b).Provider.ID != by {
			t.Fatalf("%s is not booked with %s: %s", id, by, b)
		}
	}
	backup := filepath.Join(t.TempDir(), "b")
	if code, _, errs := command(t, nil, "backup", "--url", engine.URL, "--key", operator, "-o", backup); code != 0 {
		t.Fatal(errs)
	}
	for _, id := range []string{"label", "ride"} {
		if code, b := engine.Request(t, http.MethodDelete, "/shipments/"+id, ""); code != http.StatusOK {
			t.Fatalf("cancel %s: %d %s", id, code, b)
		}
	}
	release := func(d *devProcess, id string) orderAnswer {
		code, b := d.Request(t, http.MethodPost, "/shipments/"+id+"/release", "")
		if code/100 != 2 {
			t.Fatalf("release %s: %d %s", id, code, b)
		}
		return parseOrder(t, b)
	}
	if parcel := release(engine, "parcel"); parcel.Provider.ID != "ups" {
		t.Fatalf("released: %+v", parcel)
	}
	first := release(engine, "held")
	if first.Status != "ORDER_DISPATCHED" || first.Provider.ID != "doordash" {
		t.Fatalf("released: %+v", first)
	}
	if err := engine.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	before := bought(t, sim)
	data := filepath.Join(t.TempDir(), "again")
	if code, _, errs := command(t, nil, "restore", "--config", cfg, "--data", data, backup); code != 0 {
		t.Fatal(errs)
	}
	engine = serve(data)
	release(engine, "held")
	for id, want := range map[string]string{"label": "ORDER_CANCELLED", "ride": "ORDER_CANCELLED", "held": "ORDER_DISPATCHED"} {
		got := comesTo(t, engine, id, want)
		if id == "held" && (got.TrackingID != first.TrackingID || got.Provider.ID != "doordash") {
			t.Errorf("released again, it has %s of %s, and had %s", got.TrackingID, got.Provider.ID, first.TrackingID)
		}
	}
	if after := bought(t, sim); !slices.Equal(before, after) {
		t.Errorf("the carriers held %q, and hold %q", before, after)
	}
	// UPS books a reference again: the look after the booking sees both, and one is voided.
	release(engine, "parcel")
	comesTo(t, engine, "parcel", "ORDER_DISPATCHED")
	var now []string
	for end := time.Now().Add(patient); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if now = bought(t, sim); len(now) == len(before)+1 && live(now) == live(before) {
			return
		}
	}
	t.Errorf("the carriers held %q, and hold %q", before, now)
}

func appended(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// bought is every booking that the simulated carriers have ever made, without what is only quoted.
func bought(t *testing.T, sim *devProcess) (out []string) {
	t.Helper()
	_, b := sim.Sim(t, http.MethodGet, "/entities?limit=1000", "")
	var entities struct{ Entities []struct{ ID, State string } }
	if err := json.Unmarshal(b, &entities); err != nil {
		t.Fatal(err)
	}
	for _, e := range entities.Entities {
		if !strings.HasPrefix(e.State, "quote") {
			out = append(out, e.ID+" "+e.State)
		}
	}
	slices.Sort(out)
	return out
}

// live counts the bookings that are not cancelled.
func live(bookings []string) (n int) {
	for _, b := range bookings {
		if state := strings.ToLower(b[strings.IndexByte(b, ' ')+1:]); state != "cancelled" && state != "voided" {
			n++
		}
	}
	return n
}

// comesTo waits until an order is at a status.
func comesTo(t *testing.T, d *devProcess, id, status string) orderAnswer {
	t.Helper()
	var b []byte
	for end := time.Now().Add(patient); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		_, b = d.Request(t, http.MethodGet, "/shipments/"+id, "")
		if got := parseOrder(t, b); got.Status == status {
			return got
		}
	}
	_, h := d.Request(t, http.MethodGet, "/shipments/"+id+"/status-history", "")
	t.Fatalf("%s never comes to %s: %s\n%s", id, status, b, h)
	return orderAnswer{}
}
