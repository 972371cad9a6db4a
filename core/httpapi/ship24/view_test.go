package ship24

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/core/notify"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var start = time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)

// TestEventsAndStatistics: whatever carriers say in whatever order, events are told newest first with their order, each webhook tells
// what is new, and statistics are of the first event of each milestone.
func TestEventsAndStatistics(t *testing.T) {
	statuses := append([]shipping.Status{""}, shipping.Statuses...)
	rapid.Check(t, func(t *rapid.T) {
		tr := &tracker.Tracker{ID: "0123456789abcdef01234567", Surface: tracker.OfShip24, Number: "ABC12345X", CreatedAt: start}
		told := map[string]int{}
		for i := range rapid.IntRange(1, 4).Draw(t, "updates") {
			u := carrier.TrackUpdate{Number: "ABC12345X"}
			for range rapid.IntRange(0, 5).Draw(t, "events") {
				u.Events = append(u.Events, shipping.TrackingEvent{Status: rapid.SampledFrom(statuses).Draw(t, "status"), CarrierWords: rapid.SampledFrom([]string{"", "words"}).Draw(t, "words"),
					Time: shipping.At(start.Add(-time.Duration(rapid.IntRange(0, 50).Draw(t, "hours")) * time.Hour)), ZoneKnown: true, City: rapid.SampledFrom([]string{"", "Boston"}).Draw(t, "city")})
			}
			out := tr.Merge(u, tracker.Heard{Origin: tracker.ByPoll, At: start.Add(time.Duration(i) * time.Minute)})
			r, ok, err := Webhook(notify.Told{Snapshot: notify.Snapshot{Tracker: tr, Entered: out.Entered}})
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			var body struct{ Trackings []result }
			if err := json.Unmarshal(r.Body, &body); err != nil {
				t.Fatal(err)
			}
			if len(body.Trackings[0].Events) != len(out.Entered) {
				t.Fatalf("%d events are told of %d that have entered", len(body.Trackings[0].Events), len(out.Entered))
			}
			for _, e := range body.Trackings[0].Events {
				told[e.EventID]++
			}
		}
		v := trackingOf(tr, nil)
		first := map[string]string{}
		for i, e := range v.Events {
			if e.Order != len(v.Events)-i || i > 0 && e.OccurrenceDatetime > v.Events[i-1].OccurrenceDatetime {
				t.Fatalf("event %d of %d is %+v", i, len(v.Events), e)
			}
			if told[e.EventID] != 1 || e.Status == "" && tr.Events[len(v.Events)-1-i].Status != "" {
				t.Fatalf("%+v was told %d times", e, told[e.EventID])
			}
			first[e.StatusMilestone] = e.OccurrenceDatetime
		}
		ts := v.Statistics.Timestamps
		for milestone, at := range map[string]*string{tracker.InfoReceived: ts.InfoReceived, tracker.InTransit: ts.InTransit, tracker.OutForDelivery: ts.OutForDelivery,
			tracker.FailedAttempt: ts.FailedAttempt, tracker.AvailableForPickup: ts.AvailableForPickup, tracker.Exception: ts.Exception, tracker.Delivered: ts.Delivered} {
			want, reached := first[milestone]
			if reached != (at != nil) || reached && *at != want {
				t.Fatalf("%s: %v, the events say %q", milestone, at, want)
			}
		}
	})
}

// TestTimesAsTheCarrierToldThem: an event shows the carrier's clock in each of Ship24's four shapes, and statistics show the same.
func TestTimesAsTheCarrierToldThem(t *testing.T) {
	zone := &shipment.Place{Zone: "America/Chicago"}
	noon := shipping.At(start)
	for _, c := range []struct {
		event shipping.TrackingEvent
		want  string
	}{
		{shipping.TrackingEvent{Time: noon, ZoneKnown: true, CarrierTime: "2026-03-07T12:00:00Z"}, "2026-03-07T12:00:00Z"},
		{shipping.TrackingEvent{Time: noon, ZoneKnown: true, CarrierTime: "2026-03-07T14:00:00+02:00"}, "2026-03-07T14:00:00+02:00"},
		{shipping.TrackingEvent{Time: noon, CarrierTime: "2026-03-07T12:00:00"}, "2026-03-07T12:00:00"},
		{shipping.TrackingEvent{Time: shipping.At(start.Truncate(24 * time.Hour)), CarrierTime: "2026-03-07"}, "2026-03-07"},
		{shipping.TrackingEvent{Time: noon, ZoneKnown: true}, "2026-03-07T12:00:00.000Z"},
		{shipping.TrackingEvent{Time: noon}, "2026-03-07T12:00:00"},
	} {
		tr := &tracker.Tracker{ID: "0123456789abcdef01234567", Surface: tracker.OfShip24, Number: "ABC12345X", Pickup: zone, CreatedAt: start}
		c.event.Status, c.event.CarrierWords = shipping.OutForDelivery, "Out for delivery"
		tr.Merge(carrier.TrackUpdate{Number: tr.Number, Events: []shipping.TrackingEvent{c.event}}, tracker.Heard{Origin: tracker.ByPoll, At: start.Add(time.Hour)})
		v := trackingOf(tr, nil)
		if got := v.Events[0].OccurrenceDatetime; got != c.want || *v.Statistics.Timestamps.OutForDelivery != c.want {
			t.Errorf("%+v is shown as %q, statistics say %q, want %q", c.event, got, *v.Statistics.Timestamps.OutForDelivery, c.want)
		}
	}
}

// TestMilestones: an event whose meaning nobody knows is an ordinary scan, and takes nothing back.
func TestMilestones(t *testing.T) {
	tr := &tracker.Tracker{ID: "0123456789abcdef01234567", Number: "ABC12345X", Zone: "America/New_York"}
	hour := 0
	for _, c := range []struct {
		status                    shipping.Status
		sub                       string
		milestone, category, code string
	}{
		{"", "", "in_transit", "", ""},
		{shipping.OrderDispatched, "", "info_received", "data", "data_order_created"},
		{"", "", "in_transit", "", ""},
		{shipping.PickupCompleted, "", "in_transit", "transit", "transit_handover"},
		{shipping.InTransit, "", "in_transit", "", ""},
		{shipping.OrderDelayed, "CUSTOMS", "exception", "customs", "customs_exception"},
		{shipping.OutForDelivery, "", "out_for_delivery", "delivery", "delivery_out_for_delivery"},
		{"", "", "out_for_delivery", "", ""},
		{shipping.OrderRedelivery, "", "failed_attempt", "delivery", "delivery_attempted"},
		{shipping.OrderAtLocation, "", "available_for_pickup", "delivery", "delivery_available_for_pickup"},
		{shipping.OrderUndeliverable, "RETURN_STARTED", "exception", "exception", "exception_return"},
	} {
		hour++
		at := time.Date(2026, 3, 1, hour, 30, 0, 0, time.UTC)
		tr.Merge(carrier.TrackUpdate{Number: "ABC12345X", Events: []shipping.TrackingEvent{{Time: shipping.At(at), Status: c.status, SubStatus: c.sub,
			CarrierCode: fmt.Sprint("C", hour)}}}, tracker.Heard{Origin: tracker.ByPoll, At: start})
		got := trackingOf(tr, nil).Events[0]
		word := func(p *string) string {
			if p == nil {
				return ""
			}
			return *p
		}
		if got.StatusMilestone != c.milestone || word(got.StatusCategory) != c.category || word(got.StatusCode) != c.code {
			t.Errorf("%s %s: %s, %q, %q", c.status, c.sub, got.StatusMilestone, word(got.StatusCategory), word(got.StatusCode))
		}
		if want := at.Format("2006-01-02T15:04:05"); got.OccurrenceDatetime != want || got.Status != fmt.Sprint("C", hour) {
			t.Errorf("%+v, want the local time %s", got, want)
		}
	}
	if at := trackingOf(tr, nil).Statistics.Timestamps; *at.InTransit != "2026-03-01T01:30:00" || at.Delivered != nil {
		t.Errorf("%+v", at)
	}
}

// TestLongStory: orders go on counting where the oldest events are not kept any more.
func TestLongStory(t *testing.T) {
	tr := &tracker.Tracker{ID: "0123456789abcdef01234567", Number: "ABC12345X"}
	u := carrier.TrackUpdate{Number: "ABC12345X"}
	for i := range tracker.MaxEvents + 7 {
		u.Events = append(u.Events, shipping.TrackingEvent{Time: shipping.At(start.Add(-time.Duration(i+1) * time.Minute)), ZoneKnown: true, Status: shipping.InTransit})
	}
	tr.Merge(u, tracker.Heard{Origin: tracker.ByPush, At: start})
	v := trackingOf(tr, nil)
	if n := len(v.Events); n != tracker.MaxEvents || v.Events[0].Order != n+7 || v.Events[n-1].Order != 8 {
		t.Errorf("%d events, of the orders %d to %d", n, v.Events[n-1].Order, v.Events[0].Order)
	}
}

func TestCouriersThatAreAsked(t *testing.T) {
	const ups = "1Z5R89390357567127"
	named := func(codes ...string) *courierCodes { return &courierCodes{list: codes} }
	name := "own_fleet"
	for want, r := range map[string]request{
		"ups":               {TrackingNumber: ups},
		"":                  {TrackingNumber: "ABC12345X"},
		"usps us-post ups":  {TrackingNumber: ups, CourierCode: named("us-post")},
		"usps us-post":      {TrackingNumber: ups, CourierCode: named("us-post"), Settings: &settings{Restrict: true}},
		"fleet_2 ups fedex": {TrackingNumber: ups, CourierCode: named("fleet_2", "ups", "fedex")},
		"own_fleet ups":     {TrackingNumber: ups, CourierName: &name},
		"own_fleet":         {TrackingNumber: ups, CourierName: &name, Settings: &settings{Restrict: true}},
		"fedex":             {TrackingNumber: "ABC12345X", CourierName: &name, CourierCode: named("FedEx", "fedex")},
	} {
		got := slices.DeleteFunc(r.couriers(), func(c string) bool { return c == "FedEx" }) // as it was named, for accounts
		if strings.Join(got, " ") != want {
			t.Errorf("%+v: %q, want %q", r, got, want)
		}
	}
}
