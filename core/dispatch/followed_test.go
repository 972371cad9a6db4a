package dispatch_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func (e *engine) trackers(id string) []*tracker.Tracker {
	e.t.Helper()
	found, err := e.store.TrackersByTag(context.Background(), e.who.Tenant, tracker.ShipmentTag(e.get(id).ID), 10)
	if err != nil {
		e.t.Fatal(err)
	}
	return found
}

func TestEveryBookingIsFollowed(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	f.manifest.Abilities = append(f.manifest.Abilities, carrier.CanTrack)
	e := newEngine(t, f)
	sh := e.mustCreate("o1")
	found := e.trackers("o1")
	if len(found) != 1 {
		t.Fatalf("%d trackers", len(found))
	}
	tr, a := found[0], sh.Attempts[0]
	if tr.Number != a.Booking.TrackingID || tr.Reference != a.Reference || tr.Account != "ups" || tr.Attempt != 1 || tr.Status != shipping.OrderDispatched ||
		tr.NextPoll.IsZero() || tr.Type != "delivery" || tr.Zone != "America/New_York" {
		t.Errorf("tracker = %+v", tr)
	}
	for _, tag := range []string{tracker.ParcelTag("ups", tr.Number), tracker.ReferenceTag(a.Reference), tracker.ShipmentTag(sh.ID)} {
		if !slices.Contains(tr.Tags, tag) {
			t.Errorf("no tag %s in %v", tag, tr.Tags)
		}
	}
	if !slices.Equal(tr.Numbers(), []string{tr.Number}) {
		t.Errorf("numbers = %v", tr.Numbers())
	}
	// A booking that was in doubt is followed once it is found.
	f.set(func(f *fakeCarrier) { f.onBook = func(carrier.BookRequest) (bool, error) { return true, lost() } })
	e.mustCreate("o2")
	if n := len(e.trackers("o2")); n != 0 {
		t.Errorf("%d trackers of a booking in doubt", n)
	}
	e.pass(time.Minute)
	if found = e.trackers("o2"); len(found) != 1 {
		t.Errorf("%d trackers of an adopted booking", len(found))
	}
}

func TestNobodyIsAskedAboutWhatCannotBeAsked(t *testing.T) {
	e := newEngine(t, newFake("own_fleet", "Self Delivery", 500))
	e.mustCreate("o1")
	if tr := e.trackers("o1")[0]; !tr.NextPoll.IsZero() {
		t.Errorf("next poll %v", tr.NextPoll)
	}
}

func TestErasingReachesTrackers(t *testing.T) {
	e := newEngine(t, newFake("ups", "UPS", 500))
	e.mustCreate("o1")
	if err := e.setStatus("o1", shipping.OrderDelivered, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Erase(context.Background(), caller, "o1"); err != nil {
		t.Fatal(err)
	}
	if tr := e.trackers("o1")[0]; tr.ErasedAt.IsZero() || tr.Stopped == "" {
		t.Errorf("tracker = %+v", tr)
	}
}

// listener hears which statuses are told.
type listener struct {
	mu   sync.Mutex
	told []shipping.Status
}

func (l *listener) Shipment(ctx context.Context, tx *store.Tx, sh *shipment.Shipment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range tx.Changes {
		if c.Shipment == sh.ID {
			l.told = append(l.told, c.Status)
		}
	}
}

func TestEachLineIsTold(t *testing.T) {
	e := newEngine(t, newFake("ups", "UPS", 500))
	l := &listener{}
	settings := e.Settings
	settings.Teller = l
	e.Service = dispatch.New(settings)
	e.mustCreate("o1")
	if _, err := e.cancel("o1"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Erase(context.Background(), caller, "o1"); err != nil { // rewrites lines, and tells nothing
		t.Fatal(err)
	}
	want := []shipping.Status{shipping.RequestReceived, shipping.EstimatesReceived, shipping.OrderDispatched, shipping.OrderCancelled}
	if !slices.Equal(l.told, want) {
		t.Errorf("told %v, want %v", l.told, want)
	}
}
