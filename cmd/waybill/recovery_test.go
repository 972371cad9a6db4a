package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/audit"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// pattern is an order that an engine has really dispatched, of which a store is filled with copies.
type pattern struct {
	order     *shipment.Shipment
	history   []shipment.Change
	decisions []store.Decision
}

// copyOf returns a new order like the pattern's, with the first of its history, and its one attempt under a reference of its own.
func (p pattern) copyOf(name string, n, lines int) (*shipment.Shipment, *store.Tx) {
	sh := *p.order
	sh.ID, sh.Revision, sh.Order.ExternalID = shipment.ID(fmt.Sprintf("%s%020x", map[string]string{"done": "d0e0", "flight": "f000"}[name], n)), 0, fmt.Sprintf("%s-%d", name, n)
	sh.Attempts = slices.Clone(p.order.Attempts[:1])
	sh.Attempts[0].Reference = fmt.Sprintf("%s%020d", map[string]string{"done": "done00", "flight": "flight"}[name], n)
	tx := &store.Tx{Now: time.Now(), Shipments: []*shipment.Shipment{&sh}}
	lines = min(lines, len(p.history))
	for _, l := range p.history[:lines] {
		tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: l})
	}
	sh.Changes = lines
	return &sh, tx
}

// finished is an order that was delivered.
func (p pattern) finished(n int) *store.Tx {
	sh, tx := p.copyOf("done", n, len(p.history))
	b := *sh.Attempts[0].Booking
	b.CarrierRef, b.TrackingID = fmt.Sprint("E", n), fmt.Sprint("E", n)
	sh.Attempts[0].Booking, sh.Attempts[0].State, sh.Status = &b, shipment.Ended, shipping.OrderDelivered
	for _, d := range p.decisions {
		d.Shipment = sh.ID
		tx.Decisions = append(tx.Decisions, d)
	}
	return tx
}

// inFlight is an order whose process died: before its estimates, or after its intent was committed. Its job is leased to this
// opening of the store, whom the next one takes for dead.
func (p pattern) inFlight(n int, owner string) *store.Tx {
	now := time.Now()
	intended := n%3 > 0
	sh, tx := p.copyOf("flight", n, 1+b2i(intended))
	sh.Status, sh.Failure = shipping.RequestReceived, nil
	if intended {
		a := &sh.Attempts[0]
		a.State, a.Booking, a.EndedAt, a.IntendedAt, a.Deadline = shipment.Intended, nil, time.Time{}, now.Add(-time.Minute), now.Add(-50*time.Second)
		sh.Status = shipping.EstimatesReceived
	} else {
		sh.Attempts, sh.Round = nil, 0
	}
	tx.PutJobs = []store.Job{{ID: string(sh.ID) + "/" + dispatch.JobDispatch, Kind: dispatch.JobDispatch, Key: string(sh.ID), Due: now, Tries: 1,
		Lease: &store.Lease{Owner: owner, Token: fmt.Sprint("t", n), Until: now.Add(time.Hour)}}}
	return tx
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// fillCommand is this program's name where it is started to fill a store: a process of its own, to be killed.
const fillCommand = "waybill-test-fill"

// fillStore is that program: given a folder, how many orders are to be finished and in flight, and the names of the patterns that are
// there, it fills the store, says so, and waits for its end with the store open.
func fillStore() {
	if err := fillAndWait(context.Background(), os.Args[1], os.Args[2], os.Args[3], os.Args[4:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func fillAndWait(ctx context.Context, data, finished, inFlight string, names []string) error {
	done, err := strconv.Atoi(finished)
	if err != nil {
		return err
	}
	flying, err := strconv.Atoi(inFlight)
	if err != nil {
		return err
	}
	st, err := badgerstore.Open(badgerstore.Config{Dir: data})
	if err != nil {
		return err
	}
	var ps []pattern
	for _, name := range names {
		p, err := readPattern(ctx, st, name)
		if err != nil {
			return err
		}
		ps = append(ps, p)
	}
	if err := fill(ctx, st, ps, done, flying); err != nil {
		return err
	}
	fmt.Println(filled)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// filled is what the program says when it has come to the end.
const filled = "filled"

// fillAndKill has a process fill the store, and kills it while it holds the store: what it wrote last is in logs.
func fillAndKill(t *testing.T, data string, names []string, finished, inFlight int) {
	t.Helper()
	cmd := exec.Command(fillCommand, append([]string{data, fmt.Sprint(finished), fmt.Sprint(inFlight)}, names...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(stdout).ReadString('\n')
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
	if line != filled+"\n" {
		t.Fatalf("filling the store: %q, %v; it printed:\n%s", line, readErr, &stderr)
	}
	if logs, err := filepath.Glob(filepath.Join(data, "*.mem")); err != nil || len(logs) == 0 {
		t.Fatalf("no log is left to be read: %v", err)
	}
}

// fill puts finished orders and orders in flight into a store.
func fill(ctx context.Context, st store.Store, patterns []pattern, finished, inFlight int) error {
	const together = 400
	tx := &store.Tx{Now: time.Now()}
	add := func(x *store.Tx) error {
		tx.Shipments, tx.Changes = append(tx.Shipments, x.Shipments...), append(tx.Changes, x.Changes...)
		tx.Decisions, tx.PutJobs = append(tx.Decisions, x.Decisions...), append(tx.PutJobs, x.PutJobs...)
		if len(tx.Shipments) < together {
			return nil
		}
		err := st.Commit(ctx, "demo", tx)
		tx = &store.Tx{Now: time.Now()}
		return err
	}
	for n := range finished {
		if err := add(patterns[n%len(patterns)].finished(n)); err != nil {
			return err
		}
	}
	for n := range inFlight {
		if err := add(patterns[n/3%len(patterns)].inFlight(n, st.Owner())); err != nil {
			return err
		}
	}
	return st.Commit(ctx, "demo", tx)
}

// patterns has an engine dispatch orders until each carrier has won one, ends it, and returns the names of those.
func patterns(t *testing.T, engine *devProcess) (names []string) {
	t.Helper()
	winners := map[string]bool{}
	for i := 0; len(winners) < 3; i++ {
		if i == 40 {
			t.Fatalf("only %v have won an order", winners)
		}
		id := fmt.Sprint("pattern-", i)
		create(t, engine, boston(id))
		_, b := engine.Request(t, http.MethodGet, "/shipments/"+id, "")
		if a := parseOrder(t, b); a.Status == "ORDER_DISPATCHED" && !winners[a.Provider.ID] {
			winners[a.Provider.ID] = true
			names = append(names, id)
		}
	}
	if err := engine.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return names
}

func readPattern(ctx context.Context, st store.Store, name string) (p pattern, err error) {
	if p.order, err = st.ShipmentByExternalID(ctx, "demo", name); err != nil {
		return p, err
	}
	if p.history, err = st.History(ctx, "demo", p.order.ID); err != nil {
		return p, err
	}
	p.decisions, err = st.Decisions(ctx, "demo", p.order.ID)
	return p, err
}

func openStore(t testing.TB, data string) *badgerstore.Store {
	t.Helper()
	st, err := badgerstore.Open(badgerstore.Config{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func closeStore(t testing.TB, st *badgerstore.Store) {
	t.Helper()
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

// What a start may take until the engine is ready. Its own work is bounded by what it uses of a processor: machines are shared, and a clock on
// the wall measures who else is there too. What it waits for, disks, locks and its adapters, costs no processor: that is bounded by the clock,
// so loosely that a busy machine keeps it.
const (
	mostStart    = 2 * time.Second // of a processor, by the engine itself
	longestStart = 20 * time.Second
)

// started starts the engine and returns how long that took, on the wall and of a processor; the second is 0 where no /proc tells it.
func started(t *testing.T, serve func() *devProcess) (d *devProcess, wall, processor time.Duration) {
	t.Helper()
	begun := time.Now()
	d = serve()
	wall = time.Since(begun)
	if runtime.GOOS == "linux" {
		var err error
		if processor, err = processorTime(d.PID); err != nil {
			t.Fatal(err)
		}
	}
	return d, wall.Round(time.Millisecond), processor
}

// TestRecovery starts an engine on a store with a long history and with orders in flight, whose process was killed with the store open, and
// sees each of those reach its end, with one booking at one carrier. What the start takes on the clock and of a processor is printed and
// bounded; `make recovery` does it with 100,000 finished orders and 500 in flight.
func TestRecovery(t *testing.T) {
	binary, plugins := built(t)
	size := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return otherwise
	}
	finished, inFlight := size("WAYBILL_RECOVERY_FINISHED", 5000), size("WAYBILL_RECOVERY_INFLIGHT", 100)
	cfg, data := hasty(t), filepath.Join(t.TempDir(), "store")
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
	serve := func() *devProcess {
		return run([]string{simURLName + "=" + sim.SimURL, "PATH=/usr/bin:/bin"}, "serve", "--config", cfg, "--listen", "127.0.0.1:0", "--data", data, "--plugins", plugins)
	}
	first, bareWall, bareProcessor := started(t, serve)
	filling := time.Now()
	fillAndKill(t, data, patterns(t, first), finished, inFlight)
	t.Logf("filling took %v", time.Since(filling).Round(time.Millisecond))

	begun := time.Now()
	engine, wall, processor := started(t, serve)
	t.Logf("ready after %v, with %v of a processor, on %d finished orders and %d in flight (an empty store: %v, with %v)", wall, processor, finished, inFlight, bareWall, bareProcessor)
	if wall > longestStart {
		t.Errorf("the start took %v on the clock, at most %v", wall, longestStart)
	}
	if processor > mostStart {
		t.Errorf("the start took %v of a processor, at most %v", processor, mostStart)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	waiting, err := json.Marshal(map[string]any{"status": waitingStatuses, "limit": 1})
	if err != nil {
		t.Fatal(err)
	}
	for left := 1; left > 0; {
		code, b := engine.Request(t, http.MethodPost, "/shipments/list", string(waiting))
		var page struct{ Data []json.RawMessage }
		if err := json.Unmarshal(b, &page); err != nil || code != http.StatusOK {
			t.Fatalf("%d %s: %v", code, b, err)
		}
		if left = len(page.Data); left > 0 {
			if err := pauseFor(ctx, 100*time.Millisecond); err != nil {
				t.Fatalf("an order has not reached its end: %s", page.Data[0])
			}
		}
	}
	t.Logf("every order in flight has reached its end %v after the start", time.Since(begun).Round(time.Millisecond))
	if err := engine.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	recovered(t, data, sim, finished, inFlight)
}

// recovered checks each order that was in flight against the carriers' ledger, and that the history is there.
func recovered(t *testing.T, data string, sim *devProcess, finished, inFlight int) {
	t.Helper()
	claims, carriers, err := audit.Ledger(t.Context(), http.DefaultClient, sim.SimURL)
	if err != nil {
		t.Fatal(err)
	}
	claims = slices.DeleteFunc(claims, func(c audit.Claim) bool { return !c.Live })
	u := audit.New(claims, audit.Covered(carriers), time.Now().Add(-time.Hour))
	st := openStore(t, data)
	defer closeStore(t, st)
	for n := range inFlight {
		sh, err := st.ShipmentByExternalID(t.Context(), "demo", fmt.Sprint("flight-", n))
		if err != nil {
			t.Fatal(err)
		}
		if sh.Status != shipping.OrderDispatched || sh.Live(shipment.Forward) == nil || n%3 > 0 && sh.Attempts[0].State != shipment.Absent && sh.Attempts[0].State != shipment.Adopted {
			t.Errorf("%s is %s, with attempts %+v", sh.Order.ExternalID, sh.Status, sh.Attempts)
		}
		u.Add(audit.OrderOf(sh))
	}
	for _, d := range u.Report().Differences {
		if d.Kind != audit.Orphan { // those are the patterns'
			t.Errorf("%+v", d)
		}
	}
	for _, n := range []int{0, finished / 2, finished - 1} {
		if sh, err := st.ShipmentByExternalID(t.Context(), "demo", fmt.Sprint("done-", n)); err != nil || sh.Status != shipping.OrderDelivered || sh.Revision != 1 {
			t.Errorf("finished order %d: %+v, %v", n, sh, err)
		}
	}
}
