package dispatch_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/opening"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestRulesKnowTheLocation: hours, holidays, cut-off, caps, budget and preparation come from the configuration as it is now.
func TestRulesKnowTheLocation(t *testing.T) {
	e := newEngine(t, newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900))
	l := e.config.Tenants["demo"].Locations["7709"] // it is a Monday, ten in the morning
	var faults []opening.Fault
	if l.Opening, faults = opening.New(map[string]string{"mon-sat": "08:00-20:00"}, []string{"2026-03-03"}); len(faults) > 0 {
		t.Fatal(faults)
	}
	l.CutoffMinute, l.Prep, l.Caps, l.SubsidyBudget = 9*60, 20*time.Minute, map[string]int{"cheap": 2}, shipping.MustDecimal("12.00")
	e.bundle = rulesOf(t, `rules: 1
currency: USD
providers: [cheap, dear]
hold:
  - { name: Holiday, when: local.is_holiday or location.closed_today, until: location.next_opening }
exclude:
  - { name: Cap, when: 'option.provider == "cheap" and quota("cheap", "day").used >= location.caps.cheap' }
guard:
  - { name: Subsidy, daily_budget: location.subsidy_budget, applies: 'option.provider == "dear"', on_breach: hold }
warn:
  - { name: Late, when: local.minute_of_day > location.cutoff_minute, message: "{business_days(1)} {location.prep}" }
`)
	e.mustCreate("a")
	e.wantLive("a", "cheap")
	ds, err := e.Decisions(context.Background(), caller, "a")
	if err != nil {
		t.Fatal(err)
	}
	d, err := rules.ParseDecision(ds[0].Record)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Warnings) != 1 || d.Warnings[0].Message != "48h0m0s 20m0s" { // tomorrow is a holiday
		t.Errorf("%+v", d.Warnings)
	}
	if ready := d.Plan.Input.Order.ReadyAt; !ready.Equal(d.Plan.Input.Local.Now.Add(20 * time.Minute)) {
		t.Errorf("ready at %s, decided at %s", ready, d.Plan.Input.Local.Now)
	}
	e.mustCreate("b")
	if a := e.mustCreate("c").Attempts[0].Account; a != "dear" {
		t.Errorf("the cap of two was gone over at %s", a)
	}
	if sh := e.mustCreate("d"); sh.Status != shipping.PendingRelease || sh.Hold.Rule != "Subsidy" {
		t.Errorf("%s, %+v", sh.Status, sh.Hold)
	}
	e.clock.Advance(24 * time.Hour)
	sh := e.mustCreate("e")
	if sh.Status != shipping.PendingRelease || !sh.Hold.Until.Equal(time.Date(2026, 3, 4, 13, 0, 0, 0, time.UTC)) {
		t.Fatalf("%s, %+v", sh.Status, sh.Hold)
	}
	e.pass(24 * time.Hour)
	e.wantStatusEnd("e", shipping.OrderDispatched)
}

// TestRulesKnowWhoIsOutOfOrder: the carrier is asked all the same, and the record keeps what rules were told.
func TestRulesKnowWhoIsOutOfOrder(t *testing.T) {
	cheap := newFake("cheap", "Cheap", 500)
	e := newEngine(t, cheap, newFake("dear", "Dear", 900))
	e.bundle = rulesOf(t, `rules: 1
providers: [cheap, dear]
exclude:
  - { name: Better be sure, when: not cheap.available, providers: [cheap] }
`)
	for _, down := range []bool{false, true} {
		cheap.down = down
		if a := e.mustCreate(fmt.Sprint(down)).Attempts[0].Account; (a == "dear") != down {
			t.Errorf("down %v: booked with %s", down, a)
		}
	}
	ds, err := e.Decisions(context.Background(), caller, "true")
	if err != nil {
		t.Fatal(err)
	}
	d, err := rules.ParseDecision(ds[0].Record)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range d.Plan.Candidates {
		if c.Down != (c.Account == "cheap") {
			t.Errorf("%s: down %v", c.Account, c.Down)
		}
	}
}

// TestWhatRulesSetReachesTheCarrier at the quote and at the booking.
func TestWhatRulesSetReachesTheCarrier(t *testing.T) {
	cheap := newFake("cheap", "Cheap", 500)
	cheap.manifest.Services[0].Supports = []string{"signature_adult"}
	e := newEngine(t, cheap)
	e.bundle = rulesOf(t, "rules: 1\nset:\n  - { name: Set, set: { id_check: age_21, ship_date: next_business_day, weight: 2.5 kg, vehicle: car } }\n")
	sh := e.mustCreate("a")
	monday := time.Date(2026, 3, 3, 13, 0, 0, 0, time.UTC) // eight o'clock in Boston on the day after
	for what, c := range map[string]struct {
		signature string
		start     shipping.Instant
		parcel    shipping.Parcel
	}{
		"quote":   {cheap.asked[0].Signature, cheap.asked[0].Pickup.Window.StartsAt, cheap.asked[0].Parcels[0]},
		"booking": {cheap.booked[0].Signature, cheap.booked[0].Pickup.Window.StartsAt, cheap.booked[0].Parcels[0]},
	} {
		if c.signature != "adult" || !c.start.Equal(monday) || c.parcel.Weight.Unit != "kg" || c.parcel.Weight.Value.String() != "2.5" {
			t.Errorf("%s: signature %q, pickup from %s, %+v", what, c.signature, c.start, c.parcel.Weight)
		}
	}
	if w := sh.Order.Packages[0].Weight; w.Unit != "lb" || sh.Attempts[0].Set.Weight == nil || sh.Attempts[0].Set.ShipAt.IsZero() {
		t.Errorf("the order keeps its own weight, the attempt what was set: %+v, %+v", w, sh.Attempts[0].Set)
	}
}
