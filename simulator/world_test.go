package simulator_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/simulator"
)

func newWorld(t interface{ Fatal(...any) }, limit int) (*simulator.World, *simulator.ManualClock) {
	clock := simulator.NewManualClock(noon)
	w := simulator.NewWorld(clock, 1, simulator.NewLedger(nil), limit)
	if err := w.Join(&snail{}); err != nil {
		t.Fatal(err)
	}
	return w, clock
}

func parcel(id string) *simulator.Entity {
	return &simulator.Entity{Carrier: "snail", ID: id, Reference: "ref-" + id, Kind: "parcel", State: "booked"}
}

// TestNoIllegalEdge asks for random steps: an entity takes the legal ones and
// only those, and its timeline is a walk through the machine.
func TestNoIllegalEdge(t *testing.T) {
	machine := (&snail{}).Machine()
	states := append(machine.States(), "unknown")
	rapid.Check(t, func(t *rapid.T) {
		w, clock := newWorld(t, 0)
		w.Do(func(tx *simulator.Tx) {
			if err := tx.Add(parcel("p"), "test"); err != nil {
				t.Fatal(err)
			}
		})
		for _, to := range rapid.SliceOfN(rapid.SampledFrom(states), 1, 12).Draw(t, "steps") {
			clock.Advance(time.Second)
			before, _ := w.Entity("snail", "p")
			_, err := w.Step("snail", "p", to, "")
			after, _ := w.Entity("snail", "p")
			_, illegal := errors.AsType[*simulator.IllegalMove](err)
			if machine.Legal(before.State, to) == illegal || (illegal && len(after.Timeline) != len(before.Timeline)) {
				t.Fatalf("%s -> %s: error %v, state now %s", before.State, to, err, after.State)
			}
		}
		v, _ := w.Entity("snail", "p")
		for i := 1; i < len(v.Timeline); i++ {
			if !machine.Legal(v.Timeline[i-1].State, v.Timeline[i].State) || v.Timeline[i].At.Before(v.Timeline[i-1].At) {
				t.Fatalf("timeline is no walk through the machine: %v", v.Timeline)
			}
		}
	})
}

// TestLedgerBalances ships, loses and delivers at random and compares the
// ledger with a count of its own.
func TestLedgerBalances(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, _ := newWorld(t, 0)
		want := simulator.Totals{Charged: map[string]int64{}, Refunded: map[string]int64{}, Outstanding: map[string]int64{}}
		n := rapid.IntRange(0, 20).Draw(t, "parcels")
		for i := range n {
			id := fmt.Sprint(i)
			w.Do(func(tx *simulator.Tx) {
				e := parcel(id)
				if err := tx.Add(e, "test"); err != nil {
					t.Fatal(err)
				}
				tx.RecordOf(e, simulator.Booking, 0, "", "")
				tx.RecordOf(e, simulator.Charge, 500, "USD", "")
			})
			want.Bookings, want.LiveBookings = want.Bookings+1, want.LiveBookings+1
			want.Charged["USD"] += 500
			want.Outstanding["USD"] += 500
			to := rapid.SampledFrom([]simulator.State{"booked", "moving", "lost", "delivered"}).Draw(t, "to")
			if _, err := w.RunTo("snail", id, to); err != nil {
				t.Fatal(err)
			}
			if to == "lost" {
				want.Voids, want.LiveBookings = want.Voids+1, want.LiveBookings-1
				want.Refunded["USD"] += 500
				want.Outstanding["USD"] -= 500
			}
		}
		got := w.Ledger().Totals()["snail"]
		if n > 0 && !cmp.Equal(got, want) {
			t.Fatal(cmp.Diff(want, got))
		}
		records := w.Ledger().Records(simulator.LedgerQuery{})
		if n > 0 && !cmp.Equal(simulator.Sum(records), want) {
			t.Fatal("the sum of the records is not the total")
		}
		for i, r := range records {
			if r.Seq != int64(i)+1 {
				t.Fatalf("record %d has seq %d", i, r.Seq)
			}
		}
	})
}

// TestEventsRunInOrder schedules at random and expects time, then entity, then
// the order of scheduling.
func TestEventsRunInOrder(t *testing.T) {
	type due struct {
		at  int
		who string
		seq int
	}
	rapid.Check(t, func(t *rapid.T) {
		w, clock := newWorld(t, 0)
		entities := map[string]*simulator.Entity{}
		var want, got []due
		w.Do(func(tx *simulator.Tx) {
			for _, id := range []string{"a", "b", "c"} {
				entities[id] = parcel(id)
				if err := tx.Add(entities[id], "test"); err != nil {
					t.Fatal(err)
				}
			}
			for i := range rapid.IntRange(0, 40).Draw(t, "events") {
				d := due{rapid.IntRange(0, 5).Draw(t, "at"), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "who"), i}
				want = append(want, d)
				tx.At(entities[d.who], noon.Add(time.Duration(d.at)*time.Second), func(tx *simulator.Tx) {
					if !tx.Now().Equal(noon.Add(time.Duration(d.at) * time.Second)) {
						t.Fatalf("event of second %d ran at %v", d.at, tx.Now())
					}
					got = append(got, d)
				})
			}
		})
		slices.SortFunc(want, func(a, b due) int {
			if a.at != b.at {
				return a.at - b.at
			}
			if c := strings.Compare(a.who, b.who); c != 0 {
				return c
			}
			return a.seq - b.seq
		})
		for range 6 {
			w.RunDue(clock.Now())
			clock.Advance(time.Second)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("ran %v, want %v", got, want)
		}
		if next, ok := w.NextDue(); ok {
			t.Fatalf("something is still due at %v", next)
		}
	})
}

func TestAPlanIsFollowedShiftedAndDropped(t *testing.T) {
	w, clock := newWorld(t, 0)
	legs := []simulator.Leg{{To: "moving", At: noon.Add(time.Hour)}, {To: "delivered", At: noon.Add(3 * time.Hour)}}
	for _, id := range []string{"auto", "early", "lost"} {
		w.Do(func(tx *simulator.Tx) {
			e := parcel(id)
			if err := tx.Add(e, "test"); err != nil {
				t.Fatal(err)
			}
			tx.Follow(e, slices.Clone(legs))
		})
	}
	for id, to := range map[string]simulator.State{"early": "moving", "lost": "lost"} {
		if _, err := w.Step("snail", id, to, ""); err != nil {
			t.Fatal(err)
		}
	}
	at := func(id string, s simulator.State) time.Duration {
		v, _ := w.Entity("snail", id)
		for _, m := range v.Timeline {
			if m.State == s {
				return m.At.Sub(noon)
			}
		}
		return -1
	}
	clock.Advance(24 * time.Hour)
	w.RunDue(clock.Now())
	if at("auto", "moving") != time.Hour || at("auto", "delivered") != 3*time.Hour {
		t.Error("a plan was not followed at its times")
	}
	if at("early", "delivered") != 2*time.Hour {
		t.Errorf("a step taken by hand an hour early brings delivery after %v, want 2h", at("early", "delivered"))
	}
	if at("lost", "delivered") != -1 {
		t.Error("a lost parcel was delivered")
	}
}

func TestAFullWorldForgetsWhatFinishedFirst(t *testing.T) {
	w, clock := newWorld(t, 3)
	add := func(id string) {
		w.Do(func(tx *simulator.Tx) {
			e := parcel(id)
			if err := tx.Add(e, "test"); err != nil {
				t.Fatal(err)
			}
			if err := tx.Alias(e, "alias-"+id); err != nil {
				t.Fatal(err)
			}
			tx.At(e, noon.Add(time.Hour), func(*simulator.Tx) {
				if id == "1" {
					t.Error("an event of a forgotten parcel has run")
				}
			})
		})
	}
	add("0")
	add("1")
	add("2")
	if _, err := w.RunTo("snail", "1", "delivered"); err != nil {
		t.Fatal(err)
	}
	add("3")
	add("4") // nothing is finished: the world grows rather than forget what is under way
	var ids []string
	for _, v := range w.Entities(simulator.EntityQuery{}) {
		ids = append(ids, v.ID)
	}
	if !slices.Equal(ids, []string{"4", "3", "2", "0"}) {
		t.Errorf("the world holds %v", ids)
	}
	if _, ok := w.Entity("snail", "alias-1"); ok {
		t.Error("an alias outlives its parcel")
	}
	if _, ok := w.Entity("snail", "alias-2"); !ok {
		t.Error("an alias does not find its parcel")
	}
	if got := w.Entities(simulator.EntityQuery{Carrier: "snail", Reference: "ref-1"}); len(got) != 0 {
		t.Error("a reference outlives its parcel")
	}
	w.Do(func(tx *simulator.Tx) {
		if err := tx.Add(parcel("alias-2"), "test"); !errors.Is(err, simulator.ErrExists) {
			t.Errorf("an id that is another's alias was taken: %v", err)
		}
	})
	clock.Advance(time.Hour)
	w.RunDue(clock.Now())
}

func TestTokensExpire(t *testing.T) {
	w, clock := newWorld(t, 0)
	var a, b simulator.Token
	w.Do(func(tx *simulator.Tx) { a, b = tx.Mint("snail", "x", time.Hour), tx.Mint("snail", "x", 2*time.Hour) })
	if _, ok := w.Token("snail", a.Value); !ok || a.Value == b.Value || len(a.Value) != 48 {
		t.Errorf("tokens %q and %q", a.Value, b.Value)
	}
	if _, ok := w.Token("other", a.Value); ok {
		t.Error("another carrier takes the token")
	}
	clock.Advance(time.Hour)
	if _, ok := w.Token("snail", a.Value); ok {
		t.Error("the token is taken after its end")
	}
	w.RunDue(clock.Now())
	if got, ok := w.Token("snail", b.Value); !ok || got.Holder != "x" {
		t.Error("the longer token is not taken")
	}
}

func TestStreams(t *testing.T) {
	draw := func(carrier, entity, purpose string) uint64 {
		return simulator.Stream(1, carrier, entity, purpose).Uint64()
	}
	// Pinned: a changed stream would change every recorded history.
	if got := draw("ups", "1Z", "transit"); got != draw("ups", "1Z", "transit") || got != 0x15148c4942606c1a {
		t.Errorf("the stream begins with %#x", got)
	}
	seen := map[uint64]bool{}
	for _, k := range [][3]string{{"ab", "c", ""}, {"a", "bc", ""}, {"abc", "", ""}, {"", "abc", ""}, {"", "", "abc"}, {"a", "b", "c"}} {
		seen[draw(k[0], k[1], k[2])] = true
	}
	if len(seen) != 6 {
		t.Error("streams of different names agree")
	}
}

func TestDistributions(t *testing.T) {
	span := func(d time.Duration) *simulator.Span { s := simulator.Span(d); return &s }
	sec := simulator.Span(time.Second)
	r := simulator.Stream(1, "", "", "")
	for range 1000 {
		if d := (simulator.Dist{Uniform: &simulator.Uniform{Min: sec, Max: 2 * sec}}).Draw(r); d < time.Second || d > 2*time.Second {
			t.Fatalf("uniform drew %v", d)
		}
	}
	below, n := 0, 4000
	for range n {
		d := simulator.Dist{Lognormal: &simulator.Lognormal{Median: sec, Sigma: 1, Max: 5 * sec}}.Draw(r)
		if d < time.Second {
			below++
		}
		if d > 5*time.Second {
			t.Fatalf("lognormal drew %v above its max", d)
		}
	}
	if share := float64(below) / float64(n); math.Abs(share-0.5) > 0.04 {
		t.Errorf("%.2f of the draws are below the median", share)
	}
	if (simulator.Dist{Fixed: span(time.Minute)}).Draw(r) != time.Minute || (simulator.Dist{}).Draw(r) != 0 {
		t.Error("fixed or empty drew something else")
	}
}

func TestLedgerFileIsReadAgain(t *testing.T) {
	var file bytes.Buffer
	ledger := simulator.NewLedger(&file)
	w := simulator.NewWorld(simulator.NewManualClock(noon), 1, ledger, 0)
	w.Do(func(tx *simulator.Tx) {
		tx.RecordOf(parcel("1"), simulator.Charge, 500, "USD", "postage")
		tx.RecordOf(parcel("2"), simulator.Refund, 200, "EUR", "")
		tx.Mint("snail", "shop", time.Hour)
	})
	if err := ledger.Err(); err != nil {
		t.Fatal(err)
	}
	again, err := simulator.LoadLedger(bytes.NewReader(file.Bytes()), nil)
	if err != nil {
		t.Fatal(err)
	}
	all := simulator.LedgerQuery{}
	if d := cmp.Diff(ledger.Records(all), again.Records(all)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(ledger.Totals(), again.Totals()); d != "" {
		t.Error(d)
	}
	if got := again.Records(simulator.LedgerQuery{Reference: "ref-2"}); len(got) != 1 || got[0].Amount != 200 {
		t.Errorf("by reference: %+v", got)
	}
	if got := again.Records(simulator.LedgerQuery{After: 1, Limit: 1}); len(got) != 1 || got[0].Seq != 2 {
		t.Errorf("after 1: %+v", got)
	}
	lines := strings.SplitAfter(file.String(), "\n")
	for _, damaged := range []string{lines[1], lines[0] + lines[0], "{}\n", "x\n"} {
		if _, err := simulator.LoadLedger(strings.NewReader(damaged), nil); err == nil {
			t.Errorf("a damaged file was read: %q", damaged)
		}
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestALedgerWithoutRoomSaysSo(t *testing.T) {
	ledger := simulator.NewLedger(full{})
	w := simulator.NewWorld(simulator.NewManualClock(noon), 1, ledger, 0)
	w.Do(func(tx *simulator.Tx) { tx.RecordOf(parcel("1"), simulator.Booking, 0, "", "") })
	if ledger.Err() == nil || len(ledger.Records(simulator.LedgerQuery{})) != 1 {
		t.Error("the failed write is not told, or the record is lost")
	}
}

// TestARequestSeesWhatWasDue: what should have happened before a request has
// happened, even if nobody has run the world meanwhile.
func TestARequestSeesWhatWasDue(t *testing.T) {
	w, clock := newWorld(t, 0)
	w.Do(func(tx *simulator.Tx) {
		e := parcel("p")
		if err := tx.Add(e, "test"); err != nil {
			t.Fatal(err)
		}
		tx.Follow(e, []simulator.Leg{{To: "moving", At: noon.Add(time.Hour)}})
	})
	clock.Advance(2 * time.Hour)
	v, err := w.Step("snail", "p", "delivered", "")
	if err != nil || len(v.Timeline) != 3 || !v.Timeline[1].At.Equal(noon.Add(time.Hour)) || !v.Updated.Equal(noon.Add(2*time.Hour)) {
		t.Errorf("got %+v, %v", v.Timeline, err)
	}
}

func FuzzLoadLedger(f *testing.F) {
	f.Add([]byte(`{"seq":1,"at":"2026-03-02T12:00:00Z","carrier":"snail","kind":"charge","amount":5,"currency":"USD"}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := simulator.LoadLedger(bytes.NewReader(data), nil)
		if err != nil {
			return
		}
		for i, r := range l.Records(simulator.LedgerQuery{}) {
			if r.Seq != int64(i)+1 {
				t.Fatalf("record %d has seq %d", i, r.Seq)
			}
		}
	})
}

func FuzzParseProfile(f *testing.F) {
	f.Add([]byte("profile: 1\nname: x\nsource: assumption\ndialect: snail\nauto: true\nlegs: [{to: moving, after: {fixed: 1s}}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := simulator.ParseProfile(data)
		if err != nil {
			return
		}
		last := noon
		for _, leg := range p.Plan(noon, simulator.Stream(1, "", "", "")) {
			if leg.At.Before(last) {
				t.Fatalf("leg %s goes back in time", leg.To)
			}
			last = leg.At
		}
	})
}

func TestBuiltInProfiles(t *testing.T) {
	for _, name := range simulator.ProfileNames() {
		if p, err := simulator.LoadProfile(name); err != nil || p.Name != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := simulator.LoadProfile("../clock"); err == nil {
		t.Error("a profile that is none was loaded")
	}
	_, err := simulator.ParseProfile([]byte("profile: 2\nauto: true\nlegs: [{after: {}}]\npush: {fixed: 1s, uniform: {min: 1s, max: 2s}}"))
	for _, want := range []string{"profile: must be 1", "name and dialect", "source:", "legs[0].to", "legs[0].after", "push:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not among the faults: %v", want, err)
		}
	}
	if _, err := simulator.ParseProfile([]byte("profil: 1")); err == nil {
		t.Error("an unknown key was taken")
	}
}
