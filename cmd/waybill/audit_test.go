package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/audit"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestAudit runs an engine and a simulator as processes of their own: what they have agreed on shows no difference, asked while serving
// and afterwards. Then, with the engine away, a carrier gives a booking up, and the store forgets what came after its backup: both are
// told.
func TestAudit(t *testing.T) {
	t.Parallel()
	binary, plugins := built(t)
	const operator = "wb_an-operators-key"
	sum := sha256.Sum256([]byte(operator))
	cfg := withMembers(t, hasty(t), "  admin_keys: [{ name: ops, sha256: "+hex.EncodeToString(sum[:])+" }]\n")
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
	data := filepath.Join(t.TempDir(), "store")
	engine := run([]string{simURLName + "=" + sim.SimURL, "PATH=/usr/bin:/bin"}, "serve", "--config", cfg, "--listen", "127.0.0.1:0", "--data", data, "--plugins", plugins)
	id := func(i int) string { return fmt.Sprintf("audit-%02d", i) }
	place := func(from, to int) {
		for i := from; i < to; i++ {
			create(t, engine, boston(id(i)))
			if i%3 == 0 {
				if code, b := engine.Request(t, http.MethodDelete, "/shipments/"+id(i), ""); code != http.StatusOK && code != http.StatusForbidden {
					t.Fatalf("cancel %s: %d %s", id(i), code, b)
				}
			}
		}
	}
	place(0, 20)
	backup := filepath.Join(t.TempDir(), "b")
	if code, _, errs := command(t, nil, "backup", "--url", engine.URL, "--key", operator, "-o", backup); code != 0 {
		t.Fatal(errs)
	}
	place(20, 30)
	look := func(wantCode int, args ...string) audit.Report {
		t.Helper()
		code, out, errs := command(t, nil, append([]string{"audit", "--ledger", sim.SimURL, "--json"}, args...)...)
		var r audit.Report
		if err := json.Unmarshal([]byte(out), &r); code != wantCode || err != nil {
			t.Fatalf("audit: %d %s%s", code, out, errs)
		}
		return r
	}
	offline := []string{"--config", cfg, "--data", data}
	if r := look(0, "--url", engine.URL, "--key", operator); r.Orders != 30 || r.Attempts < 10 || r.NotCompared == 0 || len(r.Differences) != 0 {
		t.Errorf("while serving: %+v", r)
	}
	if code, out, errs := command(t, nil, append([]string{"audit", "--ledger", sim.SimURL}, offline...)...); code != exitUsage || !strings.Contains(errs, "operator's key") {
		t.Errorf("in use, without a key: %d %s%s", code, out, errs)
	}
	delivered := deliveredBy(t, engine, "ups", id, 20)
	var live orderAnswer
	for i := 1; live.Provider.ID != "doordash" || live.Status != "ORDER_DISPATCHED"; i++ {
		if i == 20 {
			t.Fatal("DoorDash has won none of the orders")
		}
		_, b := engine.Request(t, http.MethodGet, "/shipments/"+id(i), "")
		live = parseOrder(t, b)
	}
	if err := engine.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	emptied(t, run(nil, "sim", "serve", "--listen", "127.0.0.1:0"), delivered, offline)
	if r := look(0, offline...); r.Orders != 30 || len(r.Differences) != 0 {
		t.Errorf("afterwards: %+v", r)
	}
	given := givenUp(t, sim, "doordash", "cancelled")
	r := look(exitFailure, offline...)
	if len(r.Differences) != 1 || r.Differences[0].Kind != audit.Status || r.Differences[0].Entity != given || !strings.Contains(r.Differences[0].Mend, "waybill shipments cancel audit-") {
		t.Errorf("after DoorDash gave %s up: %+v", given, r.Differences)
	}
	// The same, asked of the carriers by the adapters.
	asked := func(wantCode int, data string) audit.Report {
		t.Helper()
		code, out, errs := command(t, []string{simURLName + "=" + sim.SimURL}, "audit", "--config", cfg, "--data", data, "--plugins", plugins, "--json")
		var r audit.Report
		if err := json.Unmarshal([]byte(out), &r); code != wantCode || err != nil {
			t.Fatalf("audit by the adapters: %d %s%s", code, out, errs)
		}
		return r
	}
	r = asked(exitFailure, data)
	byHand := slices.IndexFunc(r.Differences, func(d audit.Row) bool { return d.Order == delivered })
	if r.Attempts < 10 || len(r.Differences) != 2 || byHand < 0 || r.Differences[1-byHand].Kind != audit.Status || r.Differences[1-byHand].Entity != given {
		t.Fatalf("by the adapters: %+v", r)
	}
	known := r.Differences[byHand]
	if known.Kind != audit.Status || !strings.Contains(known.Detail, "a person has said") || !strings.HasSuffix(known.Detail, " at ORDER_DISPATCHED") {
		t.Errorf("what was set to delivered by hand: %+v", known)
	}
	// UPS forgets references and keeps numbers: its tracking is a witness too.
	voided := givenUp(t, sim, "ups", "VOIDED")
	r = asked(exitFailure, data)
	told := slices.ContainsFunc(r.Differences, func(d audit.Row) bool { return d.Kind == audit.Status && d.Carrier == "ups" && d.Entity == voided })
	if len(r.Differences) != 3 || !told {
		t.Errorf("by the adapters, after UPS has voided %s: %+v", voided, r.Differences)
	}
	barredAudit(t, sim, []string{"--config", cfg, "--data", data, "--plugins", plugins}, given)
	if len(r.Uncompared) != r.NotCompared || r.NotCompared == 0 {
		t.Errorf("%d attempts were not compared, listed are %v", r.NotCompared, r.Uncompared)
	}
	for _, x := range r.Uncompared {
		if x.Reason == "" || x.State == shipment.Booked && x.Carrier != "selfdelivery" {
			t.Errorf("not compared: %+v", x)
		}
	}
	if code, out, _ := command(t, []string{simURLName + "=" + sim.SimURL}, "audit", "--config", cfg, "--data", data, "--plugins", plugins); code != exitFailure ||
		!strings.Contains(out, "at selfdelivery: the adapter can neither look for bookings nor track them: audit-") {
		t.Errorf("printed: %d %s", code, out)
	} else {
		t.Log(out)
	}
	again := filepath.Join(t.TempDir(), "again")
	if code, _, errs := command(t, nil, "restore", "--config", cfg, "--data", again, backup); code != 0 {
		t.Fatal(errs)
	}
	kinds := map[audit.Kind]int{}
	for _, d := range look(exitFailure, "--config", cfg, "--data", again).Differences {
		kinds[d.Kind]++
	}
	if kinds[audit.Orphan] == 0 || kinds[audit.Lost]+kinds[audit.Duplicate]+kinds[audit.Money] != 0 {
		t.Errorf("of a store that lacks the last ten orders: %v", kinds)
	}
	voidOrphan(t, look, sim, voided, known, []string{"--config", cfg, "--data", again, "--plugins", plugins})
	if code, _, errs := command(t, nil, "audit", "--config", cfg, "--data", again, "--ledger", "http://"+closedAddress(t)); code != exitConnection {
		t.Errorf("no simulator: %d %s", code, errs)
	}
}

// voidOrphan runs the command that the row of an orphan names, other than the one that UPS has given up by itself, and expects the row
// to be gone. What an order knows is refused.
func voidOrphan(t *testing.T, look func(int, ...string) audit.Report, sim *devProcess, voided string, known audit.Row, where []string) {
	t.Helper()
	report := look(exitFailure, where...)
	orphan := slices.IndexFunc(report.Differences, func(d audit.Row) bool { return d.Kind == audit.Orphan && d.Carrier == "ups" && d.Entity != voided })
	if orphan < 0 {
		t.Fatalf("UPS has no orphan: %+v", report.Differences)
	}
	row := report.Differences[orphan]
	env := []string{simURLName + "=" + sim.SimURL}
	if code, out, errs := command(t, env, append(strings.Fields(row.Mend)[1:], where...)...); code != 0 || !strings.Contains(out, row.Entity+": cancelled at ups") {
		t.Fatalf("%s: %d %s%s", row.Mend, code, out, errs)
	}
	left := look(exitFailure, where...).Differences
	if len(left) != len(report.Differences)-1 || slices.ContainsFunc(left, func(d audit.Row) bool { return d.Entity == row.Entity }) {
		t.Errorf("after %s: %d rows of %d are left", row.Mend, len(left), len(report.Differences))
	}
	endedOrphan(t, look, sim, where)
	if code, _, errs := command(t, env, append([]string{"audit", "void", known.Carrier, known.Entity}, where...)...); code != exitUsage || !strings.Contains(errs, known.Order) {
		t.Errorf("%s of order %s: %d %s", known.Entity, known.Order, code, errs)
	}
}

// endedOrphan has DoorDash deliver an orphan: its row names no command, and the one that would cancel it says why it does not.
func endedOrphan(t *testing.T, look func(int, ...string) audit.Report, sim *devProcess, where []string) {
	t.Helper()
	rows := look(exitFailure, where...).Differences
	at := slices.IndexFunc(rows, func(d audit.Row) bool { return d.Kind == audit.Orphan && d.Carrier == "doordash" })
	if at < 0 {
		t.Fatalf("DoorDash has no orphan: %+v", rows)
	}
	number := rows[at].Entity
	if code, b := sim.Sim(t, http.MethodPost, "/entities/doordash/"+number+"/run-to", `{"state":"delivered"}`); code != http.StatusOK {
		t.Fatalf("deliver %s: %d %s", number, code, b)
	}
	rows = look(exitFailure, where...).Differences
	at = slices.IndexFunc(rows, func(d audit.Row) bool { return d.Entity == number })
	if at < 0 || rows[at].Kind != audit.Orphan || !strings.Contains(rows[at].Detail, "come to its end there: delivered") || rows[at].Mend != audit.MendEnded("doordash", number) {
		t.Errorf("the row of delivered %s: %+v", number, rows)
	}
	code, _, errs := command(t, []string{simURLName + "=" + sim.SimURL}, append([]string{"audit", "void", "doordash", number, "--reference", rows[at].Reference}, where...)...)
	if code != exitFailure || !strings.Contains(errs, "its tracking says ORDER_DELIVERED: "+audit.MendEnded("doordash", number)) {
		t.Errorf("void of delivered %s: %d %s", number, code, errs)
	}
}

// barredAudit audits where UPS rejects the credentials: its attempts are listed with the reason, and the row of what DoorDash has given up,
// given, is there as ever.
func barredAudit(t *testing.T, sim *devProcess, where []string, given string) {
	t.Helper()
	env := []string{simURLName + "=" + sim.SimURL, "UPS_CLIENT_SECRET=wrong"}
	code, out, errs := command(t, env, append([]string{"audit", "--json"}, where...)...)
	var r audit.Report
	if err := json.Unmarshal([]byte(out), &r); code != exitFailure || err != nil {
		t.Fatalf("audit with a wrong secret: %d %s%s", code, out, errs)
	}
	barred := slices.IndexFunc(r.Uncompared, func(x audit.Uncompared) bool {
		return x.Carrier == "ups" && x.Unasked && strings.Contains(x.Reason, "account ups: CREDENTIALS_REJECTED")
	})
	if barred < 0 || r.Attempts == 0 || len(r.Differences) != 1 || r.Differences[0].Entity != given {
		t.Errorf("audit with a wrong secret: %+v", r)
	}
}

// deliveredBy says by hand of one of the first orders that a carrier has that it is delivered, and returns its id.
func deliveredBy(t *testing.T, engine *devProcess, carrier string, id func(int) string, most int) string {
	t.Helper()
	for i := 1; i < most; i++ {
		_, b := engine.Request(t, http.MethodGet, "/shipments/"+id(i), "")
		if o := parseOrder(t, b); o.Provider.ID != carrier || o.Status != "ORDER_DISPATCHED" {
			continue
		}
		if code, b := engine.Request(t, http.MethodPost, "/shipments/"+id(i)+"/status", `{"status":"ORDER_DELIVERED","override":true}`); code != http.StatusOK {
			t.Fatalf("deliver %s: %d %s", id(i), code, b)
		}
		return id(i)
	}
	t.Fatalf("%s has won none of the first %d orders", carrier, most)
	return ""
}

// emptied audits against carriers that have forgotten everything: each order that has a booking there is told, the delivered one too.
func emptied(t *testing.T, sim *devProcess, delivered string, offline []string) {
	t.Helper()
	code, out, errs := command(t, nil, append([]string{"audit", "--ledger", sim.SimURL, "--json"}, offline...)...)
	var r audit.Report
	if err := json.Unmarshal([]byte(out), &r); code != exitFailure || err != nil {
		t.Fatalf("against an empty simulator: %d %s%s", code, out, errs)
	}
	told := slices.IndexFunc(r.Differences, func(d audit.Row) bool { return d.Order == delivered })
	if told < 0 || r.Differences[told].Kind != audit.Status || !strings.Contains(r.Differences[told].Detail, "the order is delivered by 1Z") ||
		r.Differences[told].Mend != "see who has said that it is delivered: waybill shipments history "+delivered || len(r.Differences) < 3 {
		t.Errorf("%s is delivered, and its carrier knows nothing of it: %+v", delivered, r.Differences)
	}
}

// TestAnAuditThatComparedNothing has attempts of own drivers alone, of which the simulator can tell nothing: that is no clean bill. An
// attempt that is open for too long is told all the same, unless it may be.
func TestAnAuditThatComparedNothing(t *testing.T) {
	binary, _ := built(t)
	sim, err := launch(binary, t.TempDir(), nil, []string{"sim", "serve", "--listen", "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.end(syscall.SIGTERM) })
	for state, want := range map[shipment.AttemptState]string{shipment.Refused: "differences: 0", shipment.InDoubt: "waybill shipments get blind-1"} {
		data := t.TempDir()
		st := openStore(t, data)
		sh := &shipment.Shipment{Schema: shipment.Schema, ID: "0123456789abcdef01234567", Tenant: "demo", Status: shipping.OrderFailed, CreatedAt: time.Now()}
		sh.Order.ExternalID = "blind-1"
		sh.Attempts = []shipment.Attempt{{Number: 1, Kind: shipment.Forward, Account: "own_fleet", Adapter: "selfdelivery", Reference: "r1", State: state,
			IntendedAt: time.Now().Add(-3 * time.Hour), Deadline: time.Now().Add(-3 * time.Hour)}}
		if err := st.Commit(t.Context(), "demo", &store.Tx{Shipments: []*shipment.Shipment{sh}}); err != nil {
			t.Fatal(err)
		}
		closeStore(t, st)
		args := []string{"audit", "--config", hasty(t), "--data", data, "--ledger", sim.SimURL}
		code, out, errs := command(t, nil, args...)
		if code != exitFailure || !strings.Contains(out, want) || strings.Contains(errs, "nothing was compared") != (state == shipment.Refused) {
			t.Errorf("%s: %d %s%s", state, code, out, errs)
		}
		code, out, errs = command(t, nil, append(args, "--overdue", "4h")...)
		if code != exitFailure || !strings.Contains(out, "differences: 0") || !strings.Contains(errs, "nothing was compared") {
			t.Errorf("%s, which may last: %d %s%s", state, code, out, errs)
		}
	}
}

// givenUp has a carrier of the simulator give up one of its live bookings, and returns that one's number.
func givenUp(t *testing.T, sim *devProcess, carrier, state string) string {
	t.Helper()
	_, b := sim.Sim(t, http.MethodGet, "/entities?carrier="+carrier+"&limit=1000", "")
	var entities struct {
		Entities []struct{ ID, Reference, State string }
	}
	if err := json.Unmarshal(b, &entities); err != nil {
		t.Fatal(err)
	}
	for _, e := range entities.Entities {
		if e.State == state || e.State == "quote" {
			continue
		}
		if code, b := sim.Sim(t, http.MethodPost, "/entities/"+carrier+"/"+e.ID+"/steps", `{"to":"`+state+`"}`); code == http.StatusOK {
			return e.ID
		} else {
			t.Logf("%s: %d %s", e.ID, code, b)
		}
	}
	t.Fatalf("%s has no booking to give up: %s", carrier, b)
	return ""
}
