package simulator_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/simulator"
)

// remembering opens a memory. What the file holds at any time is what a kill of the process would leave.
func remembering(t testing.TB, dir string) *simulator.Memory {
	t.Helper()
	m, err := simulator.OpenMemory(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// killed copies a memory as it is while its owner still has it open.
func killed(t testing.TB, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "world.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return memoryOf(t, b)
}

func memoryOf(t testing.TB, content []byte) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "memory")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.WriteFile(filepath.Join(dir, "world.jsonl"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// whole is everything that one can see of a simulator.
type whole struct {
	Entities []simulator.EntityView
	Ledger   []simulator.Record
	Totals   map[string]simulator.Totals
	Faults   []simulator.FaultView
}

func everything(s *simulator.Server) whole {
	w := whole{Ledger: s.World().Ledger().Records(simulator.LedgerQuery{}), Totals: s.World().Ledger().Totals(), Faults: s.Faults()}
	for _, e := range s.World().Entities(simulator.EntityQuery{}) {
		v, _ := s.World().Entity(e.Carrier, e.ID)
		w.Entities = append(w.Entities, v)
	}
	return w
}

func TestAKilledWorldGoesOn(t *testing.T) {
	dir := t.TempDir()
	clock := simulator.NewManualClock(noon)
	s := start(t, simulator.Config{Clock: clock, Seed: 7, Memory: remembering(t, dir)}, false).login()
	for _, ref := range []string{"a", "b", "c"} {
		s.must(201, "POST", "/snail/parcels", `{"ref":"`+ref+`"}`)
		clock.Advance(time.Minute)
	}
	s.World().Do(func(tx *simulator.Tx) {
		tx.Follow(tx.Find("snail", "Sa"), []simulator.Leg{{To: "moving", At: noon.Add(time.Hour)}, {To: "delivered", At: noon.Add(2 * time.Hour)}})
		if err := tx.Alias(tx.Find("snail", "Sb"), "other"); err != nil {
			t.Error(err)
		}
	})
	s.must(200, "POST", "/_sim/entities/snail/Sc/steps", `{"to":"lost","reason":"eaten"}`)
	s.fault(`{"id":"gone","on":{"op":"track","count":1},"do":{"kind":"reset"}}`)
	s.do("GET", "/snail/parcels/Sa", "")
	s.must(200, "DELETE", "/_sim/faults/gone", "")
	s.fault(`{"id":"f","on":{"carrier":"snail","op":"track","nth":2},"do":{"kind":"http_error","status":500}}`)
	s.must(200, "GET", "/snail/parcels/Sa", "")
	s.must(500, "GET", "/snail/parcels/Sa", "")

	later := simulator.NewManualClock(noon)
	again := start(t, simulator.Config{Clock: later, Seed: 7, Memory: remembering(t, killed(t, dir))}, false)
	if later.Now().Before(clock.Now().Add(-time.Minute)) {
		t.Errorf("the world's time went back to %s", later.Now())
	}
	if d := cmp.Diff(everything(s.Server), everything(again.Server)); d != "" {
		t.Errorf("what the next process knows differs (-before +after):\n%s", d)
	}
	const fired = `"fired":{"http_error":1,"reset":1}`
	if a := again.must(200, "GET", "/_sim/faults", ""); !strings.Contains(string(a.body), fired) {
		t.Errorf("firings by kind: got %s, want %s", a.body, fired)
	}
	again.token = s.token
	again.must(500, "GET", "/snail/parcels/Sa", "")
	again.must(200, "DELETE", "/_sim/faults", "")
	later.Set(noon.Add(3 * time.Hour / 2))
	again.must(401, "GET", "/snail/parcels/Sa", "") // the token's hour is over
	if again.login(); again.token == s.token {
		t.Error("the same token was handed out twice")
	}
	if a := again.must(200, "GET", "/snail/parcels/Sa", ""); string(a.body) != `{"state":"moving"}` {
		t.Errorf("the plan is not followed: %s", a.body)
	}
	if a := again.must(200, "GET", "/snail/parcels/other", ""); string(a.body) != `{"state":"booked"}` {
		t.Errorf("the alias is lost: %s", a.body)
	}
}

// TestAnyHistoryIsRemembered compares, after random sequences of changes, the world with what its file comes to, as it was appended
// and again as it was written anew, then and some hours later.
func TestAnyHistoryIsRemembered(t *testing.T) {
	for seed := range uint64(20) {
		dir := memoryOf(t, nil)
		rng := rand.New(rand.NewPCG(seed, 1))
		clock := simulator.NewManualClock(noon)
		s := simulatorOf(t, simulator.Config{Clock: clock, MaxEntities: 5, Memory: remembering(t, dir)})
		for range 60 {
			s.World().Do(func(tx *simulator.Tx) { anyChange(tx, rng) })
			clock.Advance(time.Duration(rng.IntN(40)) * time.Minute)
		}
		s.World().RunDue(clock.Now())
		clocks := []*simulator.ManualClock{clock}
		worlds := []*simulator.Server{s}
		left := killed(t, dir)
		for range 2 { // opening it writes it anew
			again := simulator.NewManualClock(clock.Now())
			clocks = append(clocks, again)
			worlds = append(worlds, simulatorOf(t, simulator.Config{Clock: again, MaxEntities: 5, Memory: remembering(t, left)}))
		}
		for _, when := range []string{"at once", "later"} {
			for i := range worlds {
				if i == 0 {
					continue
				}
				if d := cmp.Diff(everything(s), everything(worlds[i])); d != "" {
					t.Fatalf("seed %d, opened for the %d. time, %s (-before +after):\n%s", seed, i, when, d)
				}
			}
			for i := range worlds {
				clocks[i].Advance(10 * time.Hour)
				worlds[i].World().RunDue(clocks[i].Now())
			}
		}
	}
}

// anyChange does one thing to one of nine parcels.
func anyChange(tx *simulator.Tx, rng *rand.Rand) {
	id := fmt.Sprint(rng.IntN(9))
	to := []simulator.State{"moving", "delivered", "lost"}[rng.IntN(3)]
	e := tx.Find("snail", id)
	switch what := rng.IntN(5); {
	case what == 0:
		tx.Mint("snail", "shop", time.Hour)
	case e == nil:
		p := parcel(id)
		p.State, p.Data = "booked", id
		_ = tx.Add(p, "request") // the others may fill the world
	case what == 1:
		e.Data = fmt.Sprint("changed ", rng.Int())
		tx.Touch(e)
	case what == 2:
		_ = tx.Move(e, to, "control") // illegal moves change nothing
	default:
		tx.Follow(e, []simulator.Leg{{To: to, At: tx.Now().Add(time.Duration(rng.IntN(300)) * time.Minute)}})
	}
}

func simulatorOf(t testing.TB, cfg simulator.Config) *simulator.Server {
	t.Helper()
	cfg.Dialects = []simulator.Dialect{&snail{}}
	s, err := simulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDamagedMemory(t *testing.T) {
	dir := t.TempDir()
	s := start(t, simulator.Config{Clock: simulator.NewManualClock(noon), Memory: remembering(t, dir)}, false).login()
	s.must(201, "POST", "/snail/parcels", `{"ref":"a"}`)
	written, err := os.ReadFile(filepath.Join(dir, "world.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	cut := simulatorOf(t, simulator.Config{Clock: simulator.NewManualClock(noon), Memory: remembering(t, memoryOf(t, written[:len(written)-5]))})
	if n := len(cut.World().Entities(simulator.EntityQuery{})); n != 0 {
		t.Errorf("%d entities after a last line that was cut, want none: it was never answered", n)
	}
	lines := bytes.SplitAfter(written, []byte("\n"))
	for name, damaged := range map[string][]byte{
		"no JSON":     append([]byte("x\n"), written...),
		"lost line":   bytes.Join([][]byte{lines[0], lines[2]}, nil),
		"double line": bytes.Join([][]byte{lines[0], lines[1], lines[1], lines[2]}, nil),
	} {
		if m, err := simulator.OpenMemory(memoryOf(t, damaged)); err == nil {
			t.Errorf("%s: was opened", name)
			_ = m.Close()
		} else if !strings.Contains(err.Error(), "line") {
			t.Errorf("%s: the error does not say where: %v", name, err)
		}
	}
}

// TestNobodyIsToldWhatIsNotKept: when the disk refuses, the carrier falls silent and Run ends with the reason.
func TestNobodyIsToldWhatIsNotKept(t *testing.T) {
	dir := t.TempDir()
	m := remembering(t, dir)
	s := start(t, simulator.Config{Clock: simulator.NewManualClock(noon), Memory: m}, false).login()
	if err := m.Close(); err != nil { // the file of a disk that has gone
		t.Fatal(err)
	}
	if a := s.do("POST", "/snail/parcels", `{"ref":"a"}`); a.err == nil {
		t.Errorf("a booking that is not kept was answered: %d %s", a.status, a.body)
	}
	if err := s.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "world.jsonl") {
		t.Errorf("Run: got %v, want the file that cannot be written", err)
	}
}

func TestMemoryHoldsTheLedger(t *testing.T) {
	_, err := simulator.New(simulator.Config{Dialects: []simulator.Dialect{&snail{}}, Ledger: simulator.NewLedger(nil), Memory: remembering(t, t.TempDir())})
	if err == nil {
		t.Error("a ledger beside a memory was taken")
	}
}

// TestEachLifeDrawsAnew: a simulator that is killed more often than a fault fires would else never get beyond the same draws.
func TestEachLifeDrawsAnew(t *testing.T) {
	dir := memoryOf(t, nil)
	p := .2
	var fired int
	for life := range 30 {
		dir = killed(t, dir)
		s := start(t, simulator.Config{Clock: simulator.NewManualClock(noon), Seed: 1, Memory: remembering(t, dir)}, false)
		if life == 0 {
			if _, err := s.SetFault(simulator.Fault{ID: "f", On: simulator.FaultOn{Op: "track", Probability: &p}, Do: simulator.FaultDo{Kind: simulator.HTTPError}}); err != nil {
				t.Fatal(err)
			}
		}
		s.login()
		s.do("GET", "/snail/parcels/x", "")
		fired = s.Faults()[0].Fired
	}
	if fired < 1 || fired > 15 {
		t.Errorf("a fault of chance 0.2 has fired %d times in 30 lives of one exchange each", fired)
	}
}
