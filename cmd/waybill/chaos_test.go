package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/failpoint"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
	"github.com/waybill-dev/waybill/simulator"
)

// ledgerOf writes a ledger by hand: "entity reference kind cents".
func ledgerOf(lines ...string) []simulator.Record {
	var out []simulator.Record
	for _, l := range lines {
		f := strings.Fields(l)
		r := simulator.Record{Carrier: "ups", Entity: f[0], Reference: f[1], Kind: simulator.Kind(f[2]), Currency: "USD"}
		if r.Kind == simulator.Charge || r.Kind == simulator.Refund {
			r.Amount = 1129
		}
		out = append(out, r)
	}
	return out
}

// bookedBy is an order with attempts, each "reference state entity"; entity "-" for none.
func bookedBy(id string, status shipping.Status, attempts ...string) *shipment.Shipment {
	sh := &shipment.Shipment{Status: status, Order: shipment.Order{ExternalID: id}}
	for i, text := range attempts {
		f := strings.Fields(text)
		a := shipment.Attempt{Number: i + 1, Kind: shipment.Forward, Adapter: "ups", Reference: f[0], State: shipment.AttemptState(f[1])}
		if f[2] != "-" {
			a.Booking = &shipment.Booking{CarrierRef: f[2], Amount: shipping.Money{Minor: 1129, Currency: "USD"}}
		}
		sh.Attempts = append(sh.Attempts, a)
	}
	return sh
}

// TestExaminationFindsEachKindOfDifference makes one thing wrong at a time in a world that is otherwise right.
func TestExaminationFindsEachKindOfDifference(t *testing.T) {
	const dispatched, cancelled = shipping.OrderDispatched, shipping.OrderCancelled
	created := told{created: http.StatusCreated}
	booked := []string{"1Z1 r1 booking", "1Z1 r1 charge"}
	with := func(more ...string) []string { return append(slices.Clone(booked), more...) }
	for name, c := range map[string]struct {
		ledger []string
		orders []*shipment.Shipment
		said   map[string]told
		want   string // kinds, in order
	}{
		"all is right": {booked, []*shipment.Shipment{bookedBy("o", dispatched, "r1 booked 1Z1")}, map[string]told{"o": created}, ""},
		"a cancelled order, and one that was cancelled and booked again": {
			with("1Z1 r1 void", "1Z1 r1 refund", "1Z2 r2 booking", "1Z2 r2 charge"),
			[]*shipment.Shipment{bookedBy("o", dispatched, "r1 cancelled 1Z1", "r2 adopted 1Z2"), bookedBy("p", cancelled)},
			map[string]told{"o": {created: 201, edited: 200}, "p": {created: 201, cancelled: 200}}, ""},
		"a delivered order": {booked, []*shipment.Shipment{bookedBy("o", shipping.OrderDelivered, "r1 ended 1Z1")}, map[string]told{"o": {created: 201, delivered: 200}}, ""},
		"a delivered order whose booking was cancelled": {with("1Z1 r1 void", "1Z1 r1 refund"), []*shipment.Shipment{bookedBy("o", shipping.OrderDelivered, "r1 ended 1Z1")},
			map[string]told{"o": {created: 201, delivered: 200}}, "status"},
		"a delivery that was acknowledged and forgotten": {booked, []*shipment.Shipment{bookedBy("o", dispatched, "r1 booked 1Z1")},
			map[string]told{"o": {created: 201, delivered: 200}}, "status"},
		"an erasure that was acknowledged and not made": {nil, []*shipment.Shipment{bookedBy("o", cancelled)}, map[string]told{"o": {created: 201, cancelled: 200, erased: 200}}, "lost"},
		"a held order":                                       {nil, []*shipment.Shipment{bookedBy("o", shipping.PendingRelease)}, map[string]told{"o": {created: 202}}, "status"},
		"the carrier does not know the booking":              {nil, []*shipment.Shipment{bookedBy("o", dispatched, "r1 booked 1Z1")}, map[string]told{"o": created}, "lost"},
		"an acknowledged order is gone":                      {nil, nil, map[string]told{"o": created}, "lost"},
		"a refused order that its answer named is not there": {nil, nil, map[string]told{"o": {created: 422, id: "k"}}, "lost"},
		"a refused order is not there":                       {nil, nil, map[string]told{"o": {created: 422}}, ""},
		"the carrier has booked twice":                       {with("1Z2 r1 booking", "1Z2 r1 charge"), []*shipment.Shipment{bookedBy("o", dispatched, "r1 booked 1Z1")}, map[string]told{"o": created}, "duplicate"},
		"two live attempts": {with("1Z2 r2 booking", "1Z2 r2 charge"), []*shipment.Shipment{bookedBy("o", dispatched, "r1 booked 1Z1", "r2 booked 1Z2")},
			map[string]told{"o": created}, "duplicate"},
		"two orders have one booking": {booked, []*shipment.Shipment{bookedBy("o", dispatched, "r1 booked 1Z1"), bookedBy("p", dispatched, "r2 booked 1Z1")},
			map[string]told{"o": created, "p": created}, "duplicate"},
		"a booking that its order does not know": {booked, []*shipment.Shipment{bookedBy("o", shipping.OrderFailed, "r1 absent -")}, map[string]told{"o": {created: 422}}, "orphan lost"},
		"a booking of nobody":                    {booked, nil, nil, "orphan"},
		"the carrier wants another price":        {with("1Z1 r1 charge"), []*shipment.Shipment{bookedBy("o", dispatched, "r1 booked 1Z1")}, map[string]told{"o": created}, "money"},
		"the carrier keeps the money": {with("1Z1 r1 void"), []*shipment.Shipment{bookedBy("o", cancelled, "r1 cancelled 1Z1")},
			map[string]told{"o": {created: 201, cancelled: 200}}, "money"},
		"the carrier has ended the booking": {with("1Z1 r1 void", "1Z1 r1 refund"), []*shipment.Shipment{bookedBy("o", dispatched, "r1 booked 1Z1")},
			map[string]told{"o": created}, "status"},
		"a cancelled booking lives": {booked, []*shipment.Shipment{bookedBy("o", cancelled, "r1 cancelled 1Z1")},
			map[string]told{"o": {created: 201, cancelled: 200}}, "status"},
		"a cancellation was forgotten": {booked, []*shipment.Shipment{bookedBy("o", dispatched, "r1 booked 1Z1")},
			map[string]told{"o": {created: 201, cancelled: 200}}, "status"},
		"cancelled without being asked": {nil, []*shipment.Shipment{bookedBy("o", cancelled)}, map[string]told{"o": created}, "status"},
		"an order that waits for ever":  {nil, []*shipment.Shipment{bookedBy("o", shipping.PendingDispatch, "r1 in_doubt -")}, map[string]told{"o": {created: 202}}, "status"},
		"a failed order with an attempt in doubt": {nil, []*shipment.Shipment{bookedBy("o", shipping.OrderFailed, "r1 in_doubt -")},
			map[string]told{"o": {created: 422}}, "status lost"},
		"dispatched without a booking": {nil, []*shipment.Shipment{bookedBy("o", dispatched, "r1 refused -")}, map[string]told{"o": created}, "status"},
		"dispatched, and then cancelled by the engine alone": {with("1Z1 r1 void", "1Z1 r1 refund", "1Z2 r2 booking", "1Z2 r2 charge"),
			[]*shipment.Shipment{bookedBy("o", dispatched, "r1 cancelled 1Z1", "r2 booked 1Z2")}, map[string]told{"o": created}, "status"},
		"a refused cancellation that was made": {with("1Z1 r1 void", "1Z1 r1 refund"), []*shipment.Shipment{bookedBy("o", cancelled, "r1 cancelled 1Z1")},
			map[string]told{"o": {created: 201, cancelled: 422}}, "status"},
		"a cancellation that was made, and refused when it was sent again": {with("1Z1 r1 void", "1Z1 r1 refund"),
			[]*shipment.Shipment{bookedBy("o", cancelled, "r1 cancelled 1Z1")}, map[string]told{"o": {created: 201, cancelled: 422, inDark: 1}}, ""},
		"an order under way that nobody carries in the end": {nil, []*shipment.Shipment{bookedBy("o", shipping.EstimatesFailed)},
			map[string]told{"o": {created: 202}}, "lost"},
		"a dispatched order that nobody carries in the end": {nil, []*shipment.Shipment{bookedBy("o", shipping.OrderFailed)}, map[string]told{"o": created}, "lost"},
		"a dispatched order that fell by itself and was tried again": {booked, []*shipment.Shipment{bookedBy("o", dispatched, "r1 booked 1Z1")},
			map[string]told{"o": {created: 201, fell: shipping.EstimatesFailed}}, "lost"},
		"an order that nobody would carry at first": {booked, []*shipment.Shipment{bookedBy("o", dispatched, "r1 booked 1Z1")},
			map[string]told{"o": {created: 422, fell: shipping.EstimatesFailed}}, ""},
		"another booking than was told": {booked, []*shipment.Shipment{bookedBy("o", dispatched, "r1 booked 1Z1")},
			map[string]told{"o": {created: 201, booked: "1Z9"}}, "lost"},
		"an order that nobody sent": {nil, []*shipment.Shipment{bookedBy("o", shipping.EstimatesFailed)}, nil, "status"},
	} {
		t.Run(name, func(t *testing.T) {
			x := newExamination(ledgerOf(c.ledger...))
			for _, sh := range c.orders {
				x.order(sh)
			}
			x.strangers()
			said := newTruth()
			for id, o := range c.said {
				said.orders[id] = &o
			}
			x.promises(said)
			var kinds []string
			for _, d := range x.found {
				kinds = append(kinds, d.Kind)
			}
			if got := strings.Join(slices.Compact(kinds), " "); got != c.want {
				t.Errorf("found %q, want %q: %+v", got, c.want, x.found)
			}
		})
	}
}

// TestFailpointsOutOfReachExist keeps the list of exceptions from naming what there is not.
func TestFailpointsOutOfReachExist(t *testing.T) {
	for name, why := range outOfReach {
		if !slices.Contains(failpoint.Names(), name) || why == "" {
			t.Errorf("%s is out of reach because %q: it must be a failpoint, with a reason", name, why)
		}
	}
}

// TestTargetsPreferWhatIsMissing lets an engine die at whatever it is armed with.
func TestTargetsPreferWhatIsMissing(t *testing.T) {
	targets := newTargets(1)
	if targets.died([]byte("killed by somebody else\n")) {
		t.Error("a death without a failpoint's word counts")
	}
	if targets.start(); !failpoint.Enabled {
		if armed := targets.arm(); armed != nil || !targets.started() {
			t.Errorf("armed with %v in a build without failpoints", armed)
		}
		return
	}
	for _, name := range atStarts {
		if targets.started() || !slices.Equal(targets.arm(), []string{failpoint.Variable + "=" + name + ":kill:1"}) {
			t.Fatalf("the start that is to die at %s is armed with %v", name, targets.arm())
		}
		targets.died([]byte("\nfailpoint: this process dies at " + name + "\n"))
	}
	if targets.disarm(); targets.arm() != nil || !targets.started() {
		t.Error("armed with more before the storm")
	}
	targets.start()
	for i := range len(reachable()) - len(atStarts) {
		_, points, _ := strings.Cut(targets.arm()[0], "=")
		name, _, _ := strings.Cut(points, ":")
		if !targets.died([]byte("\nfailpoint: this process dies at " + name + "\n")) {
			t.Fatalf("death at %s does not count", name)
		}
		if want := len(reachable()) - len(atStarts) - i - 1; len(targets.missing()) != want {
			t.Fatalf("%d are missing after %d deaths, want %d", len(targets.missing()), i+1, want)
		}
	}
	if targets.disarm(); targets.arm() != nil {
		t.Error("armed after the end")
	}
}

// TestAProcessIsKilledInItsStartOnlyOnce has a process need longer to start than the kills take turns.
func TestAProcessIsKilledInItsStartOnlyOnce(t *testing.T) {
	dir := t.TempDir()
	w := newWard(dir, "sleeper", "/bin/sleep", "600")
	w.keepAlive(t.Context())
	defer w.stop()
	var up atomic.Bool
	health := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer health.Close()
	c, who := &chaos{}, newClient(health.URL, "")
	var s startling
	turn := func() bool {
		for w.pid() == 0 { // it is started again
			if err := pauseFor(t.Context(), time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
		return c.killWard(t.Context(), w, &s, who, "/health")
	}
	for i, step := range []struct{ up, killed bool }{{false, true}, {false, false}, {false, false}, {true, true}, {true, true}, {false, true}, {false, false}, {true, true}} {
		up.Store(step.up)
		if killed := turn(); killed != step.killed {
			t.Errorf("turn %d, up %v: killed %v, want %v", i, step.up, killed, step.killed)
		}
	}
}

// TestTheSimulatorMayDie kills `waybill sim serve --state` and starts it again: what it has answered it still knows.
func TestTheSimulatorMayDie(t *testing.T) {
	binary, _ := built(t)
	world := filepath.Join(t.TempDir(), "world")
	serve := func() *devProcess {
		d, err := launch(binary, t.TempDir(), os.Environ(), []string{"sim", "serve", "--listen", "127.0.0.1:0", "--state", world})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := serve()
	d.Sim(t, http.MethodPost, "/faults", `{"id":"f","on":{"carrier":"ups","op":"token","count":1},"do":{"kind":"response_lost"}}`)
	token := func(d *devProcess) (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.SimURL+"/ups/security/v1/oauth/token", strings.NewReader("grant_type=client_credentials"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth("waybill-dev-client", "waybill-dev-secret")
		return http.DefaultClient.Do(req)
	}
	for try := range 2 {
		if res, err := token(d); err == nil {
			_ = res.Body.Close()
		} else if try == 1 {
			t.Fatal(err)
		}
	}
	_, ledger := d.Sim(t, http.MethodGet, "/ledger", "")
	_, faults := d.Sim(t, http.MethodGet, "/faults", "")
	d.Kill(t)
	again := serve()
	t.Cleanup(func() { again.Stop(t) })
	if _, after := again.Sim(t, http.MethodGet, "/ledger", ""); !bytes.Equal(after, ledger) || !bytes.Contains(after, []byte(`"token"`)) {
		t.Errorf("ledger before the kill: %s, and after: %s", ledger, after)
	}
	// How often a fault was looked at is not kept; that it is there, and how often it fired, is.
	seen := regexp.MustCompile(`"seen":\d+,?`)
	if _, after := again.Sim(t, http.MethodGet, "/faults", ""); !bytes.Equal(seen.ReplaceAll(after, nil), seen.ReplaceAll(faults, nil)) ||
		!bytes.Contains(after, []byte(`"fired":{"response_lost":1}`)) {
		t.Errorf("faults before the kill: %s, and after: %s", faults, after)
	}
}

// buildChaos builds this program with failpoints and with the given tags, and returns the executable.
func buildChaos(t *testing.T, tags ...string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "waybill-chaos")
	build := exec.Command("go", "build", "-tags", strings.Join(append(tags, "failpoint"), ","), "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with tags %v: %v: %s", tags, err, out)
	}
	return binary
}

// proofRun is a storm of a given size, how long its clients wait for a status, and how long it waits for the last doubt.
type proofRun struct{ orders, span, patience, quiet string }

// run has an executable make the storm, and returns its report and its exit code.
func (r proofRun) run(t *testing.T, binary, plugins, seed string) (report chaosReport, exit int) {
	t.Helper()
	cmd := exec.Command(binary, "chaos", "--json", "--orders", r.orders, "--for", r.span, "--every", "300ms", "--patience", r.patience, "--quiet", r.quiet,
		"--seed", seed, "--plugins", plugins, "--keep", t.TempDir())
	out, err := cmd.Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		exit = e.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("report %s: %v", out, err)
	}
	return report, exit
}

// proofStorm is what most safeguards are taken away in.
var proofStorm = proofRun{"600", "36s", "10m", "30s"}

// watchStorm is the same, and waits until nothing is looked for any more.
var watchStorm = proofRun{"600", "36s", "10m", "5m"}

// TestChaosSeesWhatIsMissing builds the engine without one of its safeguards, and lets chaos find out; with all of them, the same storm
// shows no difference. It takes minutes: `make chaosproof` runs it.
func TestChaosSeesWhatIsMissing(t *testing.T) {
	if os.Getenv("WAYBILL_CHAOS_PROOF") == "" {
		t.Skip("SKIPPED, NOTHING WAS TESTED: it takes minutes; `make chaosproof` runs it")
	}
	_, plugins := built(t)
	t.Run("nothing is missing", func(t *testing.T) {
		report, _ := watchStorm.run(t, buildChaos(t), plugins, "1")
		if report.Differences != 0 || report.Compared < proofNeeds || report.Dispatched < proofNeeds {
			t.Errorf("in %d orders, %d of them dispatched, %d differences were found: %+v; by the audit: %+v", report.Orders, report.Dispatched, report.Differences, report.Rows, report.Audit)
		}
		if shown := report.Shown["ups"] + report.Shown["doordash"]; shown < proofNeeds {
			t.Errorf("%d bookings showed after their absence was believed, of %v that were held; want %d", shown, report.Held, proofNeeds)
		}
	})
	for tag, c := range map[string]struct {
		storm proofRun
		kinds []string
	}{
		"nointent":    {proofStorm, []string{"orphan"}},                           // what was bought before the engine died is bought again, and nobody knows of the first
		"nodoubtrule": {proofStorm, []string{"orphan", "duplicate"}},              // what was bought and not told is bought elsewhere
		"noreconcile": {proofRun{"200", "12s", "45s", "30s"}, []string{"status"}}, // what is in doubt stays so: nobody need wait for it
		"nowatch":     {watchStorm, []string{"orphan", "duplicate"}},              // what shows after its absence was believed stays beside what was booked since
	} {
		binary := buildChaos(t, tag)
		for _, seed := range []string{"1", "2"} {
			t.Run(tag+"/"+seed, func(t *testing.T) {
				t.Parallel()
				report, exit := c.storm.run(t, binary, plugins, seed)
				if exit != exitFailure {
					t.Errorf("chaos ended with exit code %d, want %d", exit, exitFailure)
				}
				found, byAudit := map[string]int{}, map[string]int{}
				telling := 0
				for _, d := range report.Rows {
					found[d.Kind]++
					if slices.Contains(c.kinds, d.Kind) {
						telling++
					}
				}
				for _, d := range report.Audit {
					byAudit[string(d.Kind)]++
				}
				t.Logf("differences: %v; by the audit: %v; in doubt: %v", found, byAudit, report.Doubts)
				if telling < proofNeeds || len(report.Audit) < proofNeeds {
					t.Errorf("in %d orders %d differences of kinds %v were found, and %d by the audit; want %d of each",
						report.Orders, telling, c.kinds, len(report.Audit), proofNeeds)
				}
			})
		}
	}
}

// proofNeeds is how many differences the absence of a safeguard must make, so that it is not seen by luck.
const proofNeeds = 3
