package retention_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/retention"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestOldTrackersAreErased: those of the public surfaces by their own age, those of bookings with their orders only.
func TestOldTrackersAreErased(t *testing.T) {
	st, err := badgerstore.Open(badgerstore.Config{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	begin := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	clk := clock.NewManual(begin)
	put := func(n int, surface tracker.Surface, created time.Time, change ...func(*tracker.Tracker)) tracker.ID {
		tr := &tracker.Tracker{Schema: tracker.Schema, ID: tracker.ID(fmt.Sprintf("%024x", n)), Tenant: "shop", Surface: surface, Number: "N",
			Names: []string{fmt.Sprint("t:", n)}, Order: &shipment.Order{DeliveryContact: shipping.Contact{Name: "Eulalia"}}, CreatedAt: created, UpdatedAt: created}
		for _, f := range change {
			f(tr)
		}
		told := store.Message{ID: fmt.Sprint("m", n), Subject: store.TrackerSubject(string(tr.ID)), Topic: "tracker.in_transit", At: begin.Add(11 * day), Body: []byte(`"Eulalia"`)}
		if err := st.Commit(t.Context(), "shop", &store.Tx{Trackers: []*tracker.Tracker{tr}, Messages: []store.Message{told}}); err != nil {
			t.Fatal(err)
		}
		return tr.ID
	}
	old := []tracker.ID{put(1, tracker.OfAPI, begin), put(2, tracker.OfShip24, begin), put(3, tracker.OfTracktor, begin), put(6, tracker.OfShop, begin),
		put(7, tracker.OfAPI, begin, func(t *tracker.Tracker) { t.ErasedAt = begin })} // and what was told of it was left
	young, booked := put(4, tracker.OfAPI, begin.Add(5*day)), put(5, tracker.OfShipment, begin)
	cfg := &config.Config{Tenants: map[string]*config.Tenant{"shop": {ID: "shop", Retention: config.Retention{Personal: 10 * day}}}}
	current := func() *config.Config { return cfg }
	follow := tracking.New(tracking.Settings{Store: st, Config: current, Clock: clk, Log: hclog.NewNullLogger()})
	r := retention.New(retention.Settings{Store: st, Config: current, Clock: clk, Log: hclog.NewNullLogger(), EraseTracker: follow.EraseAged})
	runner, err := jobs.New(jobs.Config{Store: st, Clock: clk, Source: clock.Seeded(1, clk), Handlers: map[string]jobs.Handler{
		retention.JobRetention: r.RunRetention, retention.JobUpkeep: r.RunUpkeep}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	erased := func(id tracker.ID) bool {
		tr, err := st.Tracker(t.Context(), "shop", id)
		if err != nil {
			t.Fatal(err)
		}
		told, err := st.MessagesOf(t.Context(), "shop", store.TrackerSubject(string(id)))
		if err != nil {
			t.Fatal(err)
		}
		return !tr.ErasedAt.IsZero() && tr.Order.DeliveryContact.Name == "" && len(told) == 0
	}
	pass(t, runner, clk, begin.Add(12*day))
	for _, id := range old {
		if !erased(id) {
			t.Errorf("tracker %s is not erased", id)
		}
	}
	if erased(young) || erased(booked) {
		t.Error("a young tracker, or one of a booking, is erased")
	}
	delete(cfg.Tenants, "shop") // what it has stored ages all the same
	pass(t, runner, clk, begin.Add(17*day))
	if !erased(young) {
		t.Error("the young tracker has grown old and is not erased")
	}
}
