package audit_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/core/audit"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// finder is a carrier that holds bookings by reference.
type finder struct {
	manifest carrier.Manifest
	held     map[string][]carrier.Booking
	tracked  map[string][]shipping.Status // by number
	err      error
}

func (f *finder) Manifest() (carrier.Manifest, bool) { return f.manifest, true }

func (f *finder) Find(_ context.Context, r carrier.FindRequest) ([]carrier.Booking, error) {
	return slices.DeleteFunc(slices.Clone(f.held[r.Reference]), func(b carrier.Booking) bool { return !b.BookedAt.IsZero() && b.BookedAt.Before(r.From) }), f.err
}

// Track knows the numbers in tracked, with an event for each status, the last first.
func (f *finder) Track(_ context.Context, r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
	var out []carrier.TrackUpdate
	for _, p := range r.Parcels {
		statuses, known := f.tracked[p.Number]
		u := carrier.TrackUpdate{Number: p.Number, Unknown: !known}
		for i, s := range statuses {
			u.Events = append(u.Events, shipping.TrackingEvent{Status: s, Time: shipping.At(time.Unix(int64(1000-i), 0))})
		}
		out = append(out, u)
	}
	return out, f.err
}

// asked compares orders of the last hour with what their carriers say.
func asked(t *testing.T, orders []audit.Order, now time.Time, account func(string, string) (audit.Account, bool)) audit.Report {
	t.Helper()
	claims, untold, err := audit.Ask(t.Context(), orders, now.Add(-time.Hour), now, account)
	if err != nil {
		t.Fatal(err)
	}
	u := audit.New(claims, untold, overdue)
	for _, o := range orders {
		u.Add(o)
	}
	return u.Report()
}

// TestOneAccountThatCannotBeAskedSpoilsNothing: its attempts are listed with the reason, and those of others are compared.
func TestOneAccountThatCannotBeAskedSpoilsNothing(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	down, forgets := attempt(1, shipment.Booked), attempt(2, shipment.Booked)
	down.Account, down.IntendedAt, forgets.IntendedAt = "desk", now, now
	find := carrier.Manifest{Abilities: []carrier.Ability{carrier.CanFind}, Absence: carrier.Proven}
	accounts := map[string]*finder{"desk": {manifest: find, err: errors.New("CREDENTIALS_REJECTED")}, "ups": {manifest: find}}
	r := asked(t, []audit.Order{{Tenant: "acme", ID: "o1", Status: shipping.OrderDispatched, Attempts: []audit.Attempt{down}},
		{Tenant: "acme", ID: "o2", Status: shipping.OrderDispatched, Attempts: []audit.Attempt{forgets}}}, now, func(_, id string) (audit.Account, bool) { return accounts[id], true })
	if r.Unasked() != 1 || len(r.Uncompared) != 1 || r.Uncompared[0].Order != "o1" || r.Uncompared[0].Reason != "its carrier could not be asked, account desk: CREDENTIALS_REJECTED" {
		t.Errorf("not compared: %+v", r.Uncompared)
	}
	if len(r.Differences) != 1 || r.Differences[0].Order != "o2" || r.Differences[0].Kind != audit.Status {
		t.Errorf("differences: %+v", r.Differences)
	}
}

// TestTrackingIsAWitness: where a carrier cannot prove that it has no booking, its tracking is asked, and what that cannot tell is listed.
func TestTrackingIsAWitness(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	var orders []audit.Order
	add := func(name, account string, state shipment.AttemptState) {
		n := len(orders) + 1
		a := attempt(n, state)
		a.Account, a.Adapter, a.IntendedAt = account, account, now
		if a.Entity != "" {
			a.Tracking = "T-" + name
		}
		orders = append(orders, audit.Order{Tenant: "acme", ID: name, Attempts: []audit.Attempt{a}})
	}
	ups := &finder{manifest: carrier.Manifest{Abilities: []carrier.Ability{carrier.CanFind, carrier.CanTrack}, Absence: carrier.Unproven}, tracked: map[string][]shipping.Status{
		"T-labelled": {shipping.OrderDispatched}, "T-silent": nil, "T-odd": {""}, "T-delivered": {shipping.OrderDelivered, shipping.InTransit},
		"T-voided": {shipping.OrderCancelled, shipping.OrderDispatched}, "T-void refused": {shipping.InTransit, shipping.OrderCancelled},
		"T-cancelled": {shipping.OrderCancelled}, "T-moves": {shipping.InTransit}, "T-lags": {shipping.OrderDispatched},
	}}
	blind := &finder{manifest: carrier.Manifest{Abilities: []carrier.Ability{carrier.CanTrack}}, tracked: ups.tracked}
	for _, name := range []string{"labelled", "silent", "odd", "voided", "void refused", "unheard of"} {
		add(name, "ups", shipment.Booked)
	}
	add("delivered", "ups", shipment.Ended)
	for _, name := range []string{"cancelled", "moves", "lags"} {
		add(name, "ups", shipment.Cancelled)
	}
	add("absent", "ups", shipment.Absent)
	add("labelled", "blind", shipment.Booked)
	add("refused", "blind", shipment.Refused)
	add("own", "neither", shipment.Booked)
	add("gone", "left", shipment.Booked)
	accounts := map[string]audit.Account{"ups": ups, "blind": blind, "neither": &finder{}}
	account := func(_, id string) (audit.Account, bool) { a, ok := accounts[id]; return a, ok }
	claims, untold, err := audit.Ask(t.Context(), orders, now.Add(-time.Hour), now, account)
	if err != nil {
		t.Fatal(err)
	}
	u := audit.New(claims, untold, overdue)
	for _, o := range orders {
		u.Add(o)
	}
	r := u.Report()
	var rows, skipped []string
	for _, d := range r.Differences {
		rows = append(rows, string(d.Kind)+" "+d.Order)
	}
	for _, x := range r.Uncompared {
		if x.Reason == "" || x.Attempt == 0 || x.Tenant != "acme" || x.Carrier == "" {
			t.Errorf("%+v", x)
		}
		skipped = append(skipped, x.Order)
	}
	if diff := cmp.Diff([]string{"lost moves", "status gone", "status voided"}, rows); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"unheard of", "lags", "absent", "refused", "own", "gone"}, skipped); diff != "" || r.NotCompared != 6 || r.Attempts != 9 {
		t.Errorf("%d compared, %d not\n%s", r.Attempts, r.NotCompared, diff)
	}
	ups.err = errors.New("carrier is down")
	if r := asked(t, orders[:1], now, account); r.Unasked() != 1 || !strings.HasSuffix(r.Uncompared[0].Reason, "account ups: carrier is down") {
		t.Errorf("a carrier that does not answer: %+v", r)
	}
}

// TestOneReferenceOfTwoAttempts: two services of one account are tried under one reference, and asking about both finds the booking once.
func TestOneReferenceOfTwoAttempts(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	first, second := attempt(1, shipment.Refused), attempt(2, shipment.Booked)
	second.Reference = first.Reference
	first.IntendedAt, second.IntendedAt = now, now
	ups := &finder{manifest: carrier.Manifest{Abilities: []carrier.Ability{carrier.CanFind}, Absence: carrier.Proven},
		held: map[string][]carrier.Booking{"r1": {{CarrierRef: "e2", Amount: usd(900)}}}}
	orders := []audit.Order{{Tenant: "acme", ID: "o", Attempts: []audit.Attempt{first, second}}}
	claims, untold, err := audit.Ask(t.Context(), orders, now.Add(-time.Hour), now, func(string, string) (audit.Account, bool) { return ups, true })
	if err != nil {
		t.Fatal(err)
	}
	u := audit.New(claims, untold, overdue)
	u.Add(orders[0])
	if r := u.Report(); len(r.Differences) != 0 || r.Attempts != 2 {
		t.Errorf("%+v", r)
	}
}

func TestCarriersAreAsked(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	at := func(a audit.Attempt, account string, when time.Time) audit.Attempt {
		a.Account, a.Adapter, a.IntendedAt = account, account, when
		return a
	}
	orders := []audit.Order{
		{Tenant: "acme", ID: "good", Attempts: []audit.Attempt{at(attempt(1, shipment.Booked), "ups", now)}},
		{Tenant: "acme", ID: "gone", Attempts: []audit.Attempt{at(attempt(2, shipment.Booked), "ups", now)}},
		{Tenant: "acme", ID: "forgotten", Attempts: []audit.Attempt{at(attempt(3, shipment.Absent), "ups", now)}},
		{Tenant: "acme", ID: "dear", Attempts: []audit.Attempt{at(attempt(4, shipment.Booked), "ups", now)}},
		{Tenant: "acme", ID: "cancelled", Attempts: []audit.Attempt{at(attempt(5, shipment.Cancelled), "ups", now)}},
		{Tenant: "acme", ID: "old", Attempts: []audit.Attempt{at(attempt(6, shipment.Booked), "ups", now.Add(-48*time.Hour))}},
		{Tenant: "acme", ID: "unproven", Attempts: []audit.Attempt{at(attempt(7, shipment.Booked), "usps", now)}},
		{Tenant: "acme", ID: "blind", Attempts: []audit.Attempt{at(attempt(8, shipment.Booked), "own", now)}},
		{Tenant: "acme", ID: "no account", Attempts: []audit.Attempt{at(attempt(9, shipment.Booked), "left", now)}},
	}
	find := []carrier.Ability{carrier.CanFind}
	ups := &finder{manifest: carrier.Manifest{Abilities: find, Absence: carrier.Proven}, held: map[string][]carrier.Booking{
		"r1": {{CarrierRef: "e1", Amount: usd(900)}}, "r3": {{CarrierRef: "e3", Amount: usd(900)}}, "r4": {{CarrierRef: "e4", Amount: usd(901)}},
		"r5": {{CarrierRef: "e5", Cancelled: true}},
	}}
	accounts := map[string]audit.Account{"ups": ups, "usps": &finder{manifest: carrier.Manifest{Abilities: find, Absence: carrier.Unproven}}, "own": &finder{}}
	account := func(_, id string) (audit.Account, bool) { a, ok := accounts[id]; return a, ok }
	claims, untold, err := audit.Ask(t.Context(), orders, now.Add(-time.Hour), now, account)
	if err != nil {
		t.Fatal(err)
	}
	u := audit.New(claims, untold, overdue)
	for _, o := range orders {
		u.Add(o)
	}
	r := u.Report()
	got := map[string]audit.Kind{}
	for _, d := range r.Differences {
		got[d.Order] = d.Kind
	}
	if len(r.Differences) != 4 || got["gone"] != audit.Status || got["no account"] != audit.Status || got["forgotten"] != audit.Lost || got["dear"] != audit.Money || r.Attempts != 5 || r.NotCompared != 4 {
		t.Errorf("%d compared, %d not: %v", r.Attempts, r.NotCompared, r.Differences)
	}
	ups.err = errors.New("carrier is down")
	r = asked(t, orders, now, account)
	if len(r.Differences) != 1 || r.Differences[0].Order != "no account" || r.Unasked() != 5 || r.NotCompared != 9 {
		t.Errorf("a carrier that does not answer: %+v", r)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, _, err := audit.Ask(ended, orders, now.Add(-time.Hour), now, account); !errors.Is(err, context.Canceled) {
		t.Errorf("when nobody waits any more: %v", err)
	}
}

// TestAnEndSetByHandIsHeldAgainstTheCarrier: what a person has said to be delivered is asked of the carrier's tracking, and no other.
func TestAnEndSetByHandIsHeldAgainstTheCarrier(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		said   []shipping.Status
		byHand bool
		proven bool // the carrier finds bookings by reference, else its tracking alone is asked
		want   string
	}{
		"it moves":                {[]shipping.Status{shipping.InTransit}, true, true, "status o1 IN_TRANSIT"},
		"it stands":               {[]shipping.Status{shipping.OrderDispatched}, true, false, "status o1 ORDER_DISPATCHED"},
		"it goes back":            {[]shipping.Status{shipping.OrderUndeliverable}, true, true, "status o1 ORDER_UNDELIVERABLE"},
		"the carrier agrees":      {[]shipping.Status{shipping.OrderDelivered, shipping.InTransit}, true, true, ""},
		"the carrier is silent":   {nil, true, true, ""},
		"the carrier has said so": {[]shipping.Status{shipping.InTransit}, false, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := attempt(1, shipment.Ended)
			a.Account, a.IntendedAt, a.Tracking, a.ByHand = "ups", now, "T1", c.byHand
			ups := &finder{manifest: carrier.Manifest{Abilities: []carrier.Ability{carrier.CanFind, carrier.CanTrack}}, tracked: map[string][]shipping.Status{"T1": c.said}}
			if c.proven {
				ups.manifest.Absence, ups.held = carrier.Proven, map[string][]carrier.Booking{"r1": {{CarrierRef: "e1", Amount: usd(900)}}}
			}
			orders := []audit.Order{{Tenant: "acme", ID: "o1", Status: shipping.OrderDelivered, Attempts: []audit.Attempt{a}}}
			claims, untold, err := audit.Ask(t.Context(), orders, now.Add(-time.Hour), now, func(string, string) (audit.Account, bool) { return ups, true })
			if err != nil {
				t.Fatal(err)
			}
			u := audit.New(claims, untold, overdue)
			u.Add(orders[0])
			got := ""
			for _, d := range u.Report().Differences {
				got += string(d.Kind) + " " + d.Order + " " + d.Detail[strings.LastIndex(d.Detail, " ")+1:]
				if d.Mend != "see who has said so: waybill shipments history o1" {
					t.Errorf("mend: %s", d.Mend)
				}
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestABookingOlderThanItsAttemptIsLookedFor: one that was adopted by a store which was restored is asked about since it was made.
func TestABookingOlderThanItsAttemptIsLookedFor(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	booked := now.Add(-72 * time.Hour)
	sh := &shipment.Shipment{Tenant: "acme", ID: "s1", Order: shipment.Order{ExternalID: "o1"}, Status: shipping.OrderDispatched, Attempts: []shipment.Attempt{{Number: 1,
		Kind: shipment.Forward, Account: "ups", Adapter: "ups", Reference: "r1", State: shipment.Adopted, IntendedAt: now, Booking: &shipment.Booking{CarrierRef: "e1", BookedAt: booked}}}}
	ups := &finder{manifest: carrier.Manifest{Abilities: []carrier.Ability{carrier.CanFind}, Absence: carrier.Proven},
		held: map[string][]carrier.Booking{"r1": {{Reference: "r1", CarrierRef: "e1", BookedAt: shipping.At(booked)}}}}
	if r := asked(t, []audit.Order{audit.OrderOf(sh)}, now, func(string, string) (audit.Account, bool) { return ups, true }); len(r.Differences) != 0 {
		t.Errorf("differences: %+v", r.Differences)
	}
}
