package audit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/audit"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// finder is a carrier that holds bookings by reference.
type finder struct {
	manifest carrier.Manifest
	held     map[string][]carrier.Booking
	err      error
}

func (f *finder) Manifest() (carrier.Manifest, bool) { return f.manifest, true }

func (f *finder) Find(_ context.Context, r carrier.FindRequest) ([]carrier.Booking, error) {
	return f.held[r.Reference], f.err
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
	claims, covers, err := audit.Ask(t.Context(), orders, now.Add(-time.Hour), now, account)
	if err != nil {
		t.Fatal(err)
	}
	u := audit.New(claims, covers)
	for _, o := range orders {
		u.Add(o)
	}
	r := u.Report()
	got := map[string]audit.Kind{}
	for _, d := range r.Differences {
		got[d.Order] = d.Kind
	}
	if len(r.Differences) != 3 || got["gone"] != audit.Status || got["forgotten"] != audit.Lost || got["dear"] != audit.Money || r.Attempts != 5 || r.NotCompared != 4 {
		t.Errorf("%d compared, %d not: %v", r.Attempts, r.NotCompared, r.Differences)
	}
	ups.err = errors.New("carrier is down")
	if _, _, err := audit.Ask(t.Context(), orders, now.Add(-time.Hour), now, account); !errors.Is(err, ups.err) {
		t.Errorf("a carrier that does not answer: %v", err)
	}
}
