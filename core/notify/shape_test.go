package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var update = flag.Bool("update", false, "write the golden files")

// golden holds JSON against a file.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, got, "", "  "); err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	b.WriteByte('\n')
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s differs from its golden file (-want +got):\n%s", name, diff)
	}
}

func TestShapes(t *testing.T) {
	o := newOffice(t, func(s *notify.Settings) {
		s.ShowTracker = func(tr *tracker.Tracker, _ []*shipment.Shipment) any {
			return map[string]any{"id": tr.ID, "trackingId": tr.Number}
		}
	})
	ours, ds := newSubscriber(t, nil), newSubscriber(t, nil)
	o.subscribe(ours.URL, "*")
	if _, err := o.Subscribe(t.Context(), caller, notify.NewSubscription{URL: ds.URL, Topics: []string{"*"}, Shape: notify.ShapeDeliverySolutions}); err != nil {
		t.Fatal(err)
	}
	o.happen("7709-001", shipping.OutForDelivery)
	tx := &store.Tx{Now: start}
	of := func(surface tracker.Surface) *tracker.Tracker {
		return &tracker.Tracker{ID: "65f0a1b2c3d4e5f600112233", Tenant: "shop", Surface: surface, Number: "9400"}
	}
	event := func(seq int, status shipping.Status) tracker.Event {
		return tracker.Event{ID: "00000000000000e" + string(rune('0'+seq)), Seq: seq, Received: start, TrackingEvent: shipping.TrackingEvent{
			Time: shipping.At(start), CarrierCode: "OF", CarrierWords: "Out", Status: status, City: "Boston"}}
	}
	entered := []tracker.Event{event(1, shipping.InTransit), event(2, shipping.InTransit), event(3, shipping.OrderDelivered)}
	o.Tracker(context.Background(), tx, of(tracker.OfAPI), entered)
	o.Tracker(context.Background(), tx, of(tracker.OfShipment), entered) // is told with its shipment
	foreign, quiet := of(tracker.OfShip24), of(tracker.OfShip24)
	foreign.ID, quiet.ID, quiet.Stopped = "65f0a1b2c3d4e5f600112234", "65f0a1b2c3d4e5f600112235", tracker.StopUnsubscribed
	o.Tracker(context.Background(), tx, foreign, entered[2:])
	o.Tracker(context.Background(), tx, quiet, entered[2:]) // nobody wants to know
	if len(tx.Messages) != 4 {
		t.Errorf("%d messages of one tracker, want one for each run of a status", len(tx.Messages))
	}
	if err := o.store.Commit(t.Context(), "shop", tx); err != nil {
		t.Fatal(err)
	}
	o.due()
	if got := topics(t, ours.all()); !slices.Equal(got, []string{"shipment.out_for_delivery", "tracker.in_transit", "tracker.order_delivered", "tracker.order_delivered"}) {
		t.Fatalf("told %v", got)
	}
	golden(t, "waybill-shipment", ours.all()[0].body)
	golden(t, "waybill-tracker", ours.all()[1].body)
	if len(ds.all()) != 1 {
		t.Fatalf("Delivery Solutions' shape told %d, want the shipment alone", len(ds.all()))
	}
	golden(t, "delivery-solutions-order", ds.all()[0].body)
}

// TestReturnsAreShownWithTheirOrigin: whoever words an order gets its returns too, as they are stored.
func TestReturnsAreShownWithTheirOrigin(t *testing.T) {
	o, s := newOffice(t), newSubscriber(t, nil)
	o.subscribe(s.URL, "shipment.order_delivered")
	o.happen("7709-001-R1", shipping.OrderDispatched)
	o.happen("7709-001", shipping.OutForDelivery)
	o.orders["7709-001"].Returns = []shipment.ID{o.orders["7709-001-R1"].ID}
	o.happen("7709-001", shipping.OrderDelivered)
	o.due()
	var told any
	if list := s.all(); len(list) != 1 {
		t.Fatalf("told %d times, want once", len(list))
	} else if err := json.Unmarshal(list[0].body, &told); err != nil {
		t.Fatal(err)
	}
	if got := told.(map[string]any)["data"].(map[string]any)["shipment"].(map[string]any)["returnRequest"]; got != "7709-001-R1" {
		t.Errorf("the return is told as %v", got)
	}
}

// TestAReturnIsToldAsItWas: each try sends the same, whatever has become of the return meanwhile; but nothing of one that was erased.
func TestAReturnIsToldAsItWas(t *testing.T) {
	for name, erase := range map[string]bool{"it has moved on": false, "it is erased": true} {
		t.Run(name, func(t *testing.T) {
			o, s := newOffice(t), newSubscriber(t, nil)
			o.subscribe(s.URL, "shipment.order_delivered")
			o.happen("7709-001-R1", shipping.OrderDispatched)
			back := o.orders["7709-001-R1"]
			o.happen("7709-001", shipping.OutForDelivery)
			o.orders["7709-001"].Returns = []shipment.ID{back.ID}
			s.say(with(http.StatusServiceUnavailable))
			o.happen("7709-001", shipping.OrderDelivered)
			o.due()
			s.say(nil)
			o.happen("7709-001-R1", shipping.InTransit)
			if erase {
				back.Erase(o.clock.Now())
				if err := o.store.Commit(t.Context(), "shop", &store.Tx{Now: o.clock.Now(), Shipments: []*shipment.Shipment{back}, Erase: []shipment.ID{back.ID}}); err != nil {
					t.Fatal(err)
				}
			}
			o.pass(6 * time.Second)
			list := s.all()
			if len(list) != 2 {
				t.Fatalf("told %d times, want twice", len(list))
			}
			if !bytes.Contains(list[0].body, []byte("Ann Example")) || erase == bytes.Contains(list[1].body, []byte("Ann Example")) {
				t.Errorf("first %s\nthen %s", list[0].body, list[1].body)
			}
			if !erase && !bytes.Equal(list[0].body, list[1].body) {
				t.Errorf("first %s\nthen %s", list[0].body, list[1].body)
			}
		})
	}
}

func TestAShapeNeedsSomethingToTell(t *testing.T) {
	o := newOffice(t)
	s := newSubscriber(t, nil)
	for _, c := range []struct {
		topics []string
		shape  string
		ok     bool
	}{
		{[]string{"tracker.*"}, notify.ShapeDeliverySolutions, false}, {[]string{"tracker.order_delivered", "return.*"}, notify.ShapeDeliverySolutions, false},
		{[]string{"tracker.*", "shipment.order_delivered"}, notify.ShapeDeliverySolutions, true}, {nil, notify.ShapeDeliverySolutions, true},
		{[]string{"communication.*"}, notify.ShapeDeliverySolutions, true}, {[]string{"*"}, notify.ShapeDeliverySolutions, true},
		{[]string{"tracker.*"}, notify.ShapeWaybill, true},
	} {
		_, err := o.Subscribe(t.Context(), caller, notify.NewSubscription{URL: s.URL, Topics: c.topics, Shape: c.shape})
		if (err == nil) != c.ok {
			t.Errorf("%v in the shape %s: %v", c.topics, c.shape, err)
		}
		if err == nil {
			continue
		}
		if e := usecase.AsError(err); e.Type != usecase.ValidationError || len(e.Faults) != 1 || e.Faults[0].Path != "topics" {
			t.Errorf("refused as %+v", e)
		}
	}
}
