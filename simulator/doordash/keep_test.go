package doordash

import (
	"reflect"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/simulator"
)

var morning = time.Date(2026, 5, 15, 9, 0, 0, 0, time.UTC)

// TestKeepAndRestoreLoseNothing takes a delivery in which every field is set through what a memory holds of it.
func TestKeepAndRestoreLoseNothing(t *testing.T) {
	d, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	v := &delivery{body: []byte(`{"tip":5}`), route: route{Point{1, 2}, Point{3, 4}, 5.25}, fee: 975, tip: 5, back: 585, owed: 1565, expires: morning,
		pickupBy: morning.Add(time.Hour), dropBy: morning.Add(2 * time.Hour), support: 42, prefix: "http://h/doordash", assigned: 2, dasher: 7, reachable: true}
	for i := range reflect.TypeOf(*v).NumField() {
		if reflect.ValueOf(*v).Field(i).IsZero() {
			t.Errorf("%s is zero in the sample: the test shows nothing about it", reflect.TypeOf(*v).Field(i).Name)
		}
	}
	b, err := json.Marshal(d.Keep(&simulator.Entity{Data: v}))
	if err != nil {
		t.Fatal(err)
	}
	again := &simulator.Entity{State: delivered}
	if err := d.Restore(nil, again, b); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(v, again.Data, cmp.Exporter(func(reflect.Type) bool { return true })); d != "" {
		t.Errorf("-before +after:\n%s", d)
	}
}

// TestEndsAreKept: a quote expires and a sandbox delivery ends at their hour, also when the process died in between.
func TestEndsAreKept(t *testing.T) {
	dir := t.TempDir()
	open := func(clock simulator.Clock) (*simulator.World, *simulator.Memory) {
		d, err := New(Config{AutoCancel: true})
		if err != nil {
			t.Fatal(err)
		}
		m, err := simulator.OpenMemory(dir)
		if err != nil {
			t.Fatal(err)
		}
		s, err := simulator.New(simulator.Config{Dialects: []simulator.Dialect{d}, Clock: clock, Memory: m})
		if err != nil {
			t.Fatal(err)
		}
		return s.World(), m
	}
	w, m := open(simulator.NewManualClock(morning))
	w.Do(func(tx *simulator.Tx) {
		for id, state := range map[string]simulator.State{"q": quoted, "d": created} {
			e := &simulator.Entity{Carrier: Name, ID: id, State: state, Data: &delivery{body: []byte(`{}`), expires: morning.Add(quoteValidity)}}
			if err := tx.Add(e, "request"); err != nil {
				t.Error(err)
			}
		}
	})
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	clock := simulator.NewManualClock(morning)
	w, m = open(clock)
	defer m.Close()
	for _, step := range []struct {
		at            time.Duration
		quote, parcel simulator.State
	}{{quoteValidity - 1, quoted, created}, {quoteValidity, quoteExpired, created}, {sandboxLife - 1, quoteExpired, created}, {sandboxLife, quoteExpired, cancelled}} {
		clock.Set(morning.Add(step.at))
		q, _ := w.Entity(Name, "q")
		d, _ := w.Entity(Name, "d")
		if q.State != step.quote || d.State != step.parcel {
			t.Errorf("after %v: quote %s, delivery %s; want %s, %s", step.at, q.State, d.State, step.quote, step.parcel)
		}
	}
}
