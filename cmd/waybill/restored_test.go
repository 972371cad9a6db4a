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

// restoration is a simulator with engines that serve one store after another.
type restoration struct {
	t                    *testing.T
	binary, plugins, cfg string
	operator             string
	sim                  *devProcess
}

func newRestoration(t *testing.T) *restoration {
	r := &restoration{t: t, operator: "wb_an-operators-key"}
	r.binary, r.plugins = built(t)
	sum := sha256.Sum256([]byte(r.operator))
	r.cfg = withMembers(t, hasty(t), "  admin_keys: [{ name: ops, sha256: "+hex.EncodeToString(sum[:])+" }]\n")
	text, err := os.ReadFile(r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	// Nothing here may be slow enough on a busy machine to be in doubt, or another carrier's.
	patiently := strings.NewReplacer("book_timeout: 4s", "book_timeout: 8s", "quote_timeout: 4s", "quote_timeout: 30s", "answer_within: 1s", "answer_within: 40s").Replace(string(text))
	for path, text := range map[string]string{
		r.cfg: patiently + "\ntracking: { waiting: 2s, courier: 2s, per_second: 100 }\n",
		filepath.Join(filepath.Dir(r.cfg), "rules", "thirds.rules.yaml"): restoredRules,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.sim = r.run(nil, "sim", "serve", "--listen", "127.0.0.1:0", "--profile", "doordash=doordash-manual", "--profile", "ups=manual")
	return r
}

func (r *restoration) run(env []string, args ...string) *devProcess {
	r.t.Helper()
	d, err := launch(r.binary, r.t.TempDir(), env, args)
	if err != nil {
		r.t.Fatal(err)
	}
	d.Key = devKey
	r.t.Cleanup(func() { _ = d.end(syscall.SIGTERM) })
	return d
}

func (r *restoration) serve(data string) *devProcess {
	return r.run([]string{simURLName + "=" + r.sim.SimURL, "PATH=/usr/bin:/bin"}, "serve", "--config", r.cfg, "--listen", "127.0.0.1:0", "--data", data, "--plugins", r.plugins)
}

func (r *restoration) release(d *devProcess, id, by string) orderAnswer {
	r.t.Helper()
	code, b := d.Request(r.t, http.MethodPost, "/shipments/"+id+"/release", "")
	got := parseOrder(r.t, b)
	if code/100 != 2 || by != "" && (got.Status != "ORDER_DISPATCHED" || got.Provider.ID != by) {
		r.t.Fatalf("release %s: %d %s", id, code, b)
	}
	return got
}

func worth(id, value string) string {
	return strings.Replace(boston(id), `"orderValue":10`, `"orderValue":`+value, 1)
}

// TestWhatIsCancelledAtTheDeskIsNotBoughtAgain: the merchant cancels a delivery in DoorDash's portal, and that is the order's end.
func TestWhatIsCancelledAtTheDeskIsNotBoughtAgain(t *testing.T) {
	t.Parallel()
	r := newRestoration(t)
	engine := r.serve(filepath.Join(t.TempDir(), "store"))
	create(t, engine, worth("desk", "50"))
	cancelledAtTheDesk(t, r.sim)
	comesTo(t, engine, "desk", "ORDER_CANCELLED")
	_, h := engine.Request(t, http.MethodGet, "/shipments/desk/status-history", "")
	if !strings.Contains(string(h), "CANCELLED_BY_MERCHANT") || strings.Contains(string(h), "FALLBACK") || len(bought(t, r.sim)) != 1 {
		t.Fatalf("history %s; the carriers hold %q", h, bought(t, r.sim))
	}
}

// TestARestoredStoreBuysNothingTwice restores a backup that is older than bookings and cancellations which were acknowledged: what was
// cancelled since ends as cancelled, what was booked since under a reference that is derived again is found, and no carrier holds more than
// before.
func TestARestoredStoreBuysNothingTwice(t *testing.T) {
	t.Parallel()
	r := newRestoration(t)
	engine := r.serve(filepath.Join(t.TempDir(), "store"))
	for id, order := range map[string]struct{ value, by string }{"label": {"150", "ups"}, "ride": {"50", "doordash"}, "held": {"77", ""}, "parcel": {"177", ""}} {
		code, b := engine.Request(t, http.MethodPost, "/shipments", worth(id, order.value))
		if got := parseOrder(t, b); code/100 != 2 || got.Provider.ID != order.by || order.by == "" && got.Status != "PENDING_RELEASE" {
			t.Fatalf("%s: %d %s", id, code, b)
		}
	}
	backup := filepath.Join(t.TempDir(), "b")
	if code, _, errs := command(t, nil, "backup", "--url", engine.URL, "--key", r.operator, "-o", backup); code != 0 {
		t.Fatal(errs)
	}
	for _, id := range []string{"label", "ride"} {
		if code, b := engine.Request(t, http.MethodDelete, "/shipments/"+id, ""); code != http.StatusOK {
			t.Fatalf("cancel %s: %d %s", id, code, b)
		}
	}
	r.release(engine, "parcel", "ups")
	first := r.release(engine, "held", "doordash")
	if err := engine.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	before := bought(t, r.sim)
	data := filepath.Join(t.TempDir(), "again")
	if code, _, errs := command(t, nil, "restore", "--config", r.cfg, "--data", data, backup); code != 0 {
		t.Fatal(errs)
	}
	engine = r.serve(data)
	r.release(engine, "held", "")
	for id, want := range map[string]string{"label": "ORDER_CANCELLED", "ride": "ORDER_CANCELLED", "held": "ORDER_DISPATCHED"} {
		got := comesTo(t, engine, id, want)
		if id == "held" && (got.TrackingID != first.TrackingID || got.Provider.ID != "doordash") {
			t.Errorf("released again, it has %s of %s, and had %s", got.TrackingID, got.Provider.ID, first.TrackingID)
		}
	}
	if after := bought(t, r.sim); !slices.Equal(before, after) {
		t.Errorf("the carriers held %q, and hold %q", before, after)
	}
	// UPS books a reference again: the look after the booking sees both, and one is voided.
	r.release(engine, "parcel", "")
	comesTo(t, engine, "parcel", "ORDER_DISPATCHED")
	var now []string
	for end := time.Now().Add(patient); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if now = bought(t, r.sim); len(now) == len(before)+1 && live(now) == live(before) {
			return
		}
	}
	t.Errorf("the carriers held %q, and hold %q", before, now)
}

// cancelledAtTheDesk has the merchant cancel its one delivery at DoorDash when a Dasher is assigned already.
func cancelledAtTheDesk(t *testing.T, sim *devProcess) {
	t.Helper()
	all := bought(t, sim)
	if len(all) != 1 {
		t.Fatalf("the carriers hold %q", all)
	}
	id, _, _ := strings.Cut(all[0], " ")
	for _, step := range []string{`{"to":"confirmed"}`, `{"to":"cancelled","reason":"cancelled_by_creator"}`} {
		if code, b := sim.Sim(t, http.MethodPost, "/entities/doordash/"+id+"/steps", step); code != http.StatusOK {
			t.Fatalf("%s: %d %s", step, code, b)
		}
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
