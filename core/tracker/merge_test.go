package tracker_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var start = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

func newTracker(numbers ...string) *tracker.Tracker {
	t := &tracker.Tracker{Number: "N1", Account: "ups", Status: shipping.OrderDispatched, Zone: "America/New_York", CreatedAt: start}
	for _, n := range numbers {
		t.Follow(n)
	}
	return t
}

// ev is an event some minutes after the start.
func ev(minute int, s shipping.Status, sub ...string) shipping.TrackingEvent {
	e := shipping.TrackingEvent{Time: shipping.At(start.Add(time.Duration(minute) * time.Minute)), ZoneKnown: true, CarrierCode: "C/" + string(s), Status: s}
	if len(sub) > 0 {
		e.SubStatus = sub[0]
		e.CarrierCode += "/" + sub[0]
	}
	return e
}

func poll(t *tracker.Tracker, events ...shipping.TrackingEvent) tracker.Outcome {
	return t.Merge(carrier.TrackUpdate{Number: "N1", Events: events}, tracker.Heard{Origin: tracker.ByPoll, At: start.Add(24 * time.Hour)})
}

func words(t *tracker.Tracker) []string {
	var out []string
	for _, e := range t.Events {
		w := string(e.Status)
		if e.SubStatus != "" {
			w += "/" + e.SubStatus
		}
		out = append(out, w)
	}
	return out
}

func want(t *testing.T, tr *tracker.Tracker, status shipping.Status, sub string) {
	t.Helper()
	if tr.Status != status || tr.SubStatus != sub {
		t.Errorf("%s/%s, want %s/%s; events %v", tr.Status, tr.SubStatus, status, sub, words(tr))
	}
}

func TestUsualLives(t *testing.T) {
	for name, c := range map[string]struct {
		events []shipping.TrackingEvent
		status shipping.Status
		sub    string
	}{
		"a courier": {[]shipping.TrackingEvent{ev(0, shipping.OrderDispatched), ev(1, shipping.OrderAssigned), ev(2, shipping.PickupStarted),
			ev(3, shipping.PickupCompleted), ev(4, shipping.OutForDelivery), ev(5, shipping.OrderDelivered)}, shipping.OrderDelivered, ""},
		"given back": {[]shipping.TrackingEvent{ev(0, shipping.OrderDispatched), ev(1, shipping.OrderAssigned), ev(2, shipping.OrderDispatched)},
			shipping.OrderUnassigned, ""},
		"given back on the way to the pickup": {[]shipping.TrackingEvent{ev(1, shipping.PickupStarted), ev(2, shipping.OrderDispatched), ev(3, shipping.OrderDispatched)},
			shipping.OrderUnassigned, ""},
		"batched is not given back": {[]shipping.TrackingEvent{ev(1, shipping.OrderAssigned), ev(2, shipping.OrderDispatched, "BATCHED")}, shipping.OrderAssigned, ""},
		"a label that is reported late": {[]shipping.TrackingEvent{ev(1, shipping.PickupCompleted), ev(2, shipping.InTransit), ev(3, shipping.OrderDispatched)},
			shipping.InTransit, ""},
		"another sub-status is news": {[]shipping.TrackingEvent{ev(1, shipping.PickupStarted), ev(2, shipping.PickupStarted, "DRIVER_AT_PICKUP")},
			shipping.PickupStarted, "DRIVER_AT_PICKUP"},
		"a return goes on": {[]shipping.TrackingEvent{ev(1, shipping.OrderUndeliverable), ev(2, shipping.OrderUndeliverable, "RETURN_STARTED"), ev(3, shipping.InTransit),
			ev(4, shipping.OrderUndeliverable, "RETURNED")}, shipping.OrderUndeliverable, "RETURNED"},
		"nothing follows a delivery": {[]shipping.TrackingEvent{ev(1, shipping.OrderDelivered), ev(2, shipping.InTransit), ev(3, shipping.ErrorException)},
			shipping.OrderDelivered, ""},
		"nothing follows a carrier's cancel": {[]shipping.TrackingEvent{ev(1, shipping.OrderCancelled), ev(2, shipping.InTransit)}, shipping.OrderCancelled, ""},
		"a lost parcel is found":             {[]shipping.TrackingEvent{ev(1, shipping.ErrorException), ev(2, shipping.InTransit)}, shipping.InTransit, ""},
		"an unknown word changes nothing":    {[]shipping.TrackingEvent{ev(1, shipping.InTransit), ev(2, "")}, shipping.InTransit, ""},
		"a courier does not unpick":          {[]shipping.TrackingEvent{ev(1, shipping.PickupCompleted), ev(2, shipping.OrderAssigned)}, shipping.PickupCompleted, ""},
		"no such status":                     {[]shipping.TrackingEvent{ev(1, "TELEPORTED")}, shipping.OrderDispatched, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTracker()
			poll(tr, c.events...)
			want(t, tr, c.status, c.sub)
			if len(tr.Events) != len(c.events) {
				t.Errorf("%d of %d events were kept", len(tr.Events), len(c.events))
			}
		})
	}
}

func TestDeliveredAfterAllIsFlagged(t *testing.T) {
	tr := newTracker()
	poll(tr, ev(1, shipping.OrderUndeliverable, "RETURN_STARTED"))
	poll(tr, ev(2, shipping.OrderDelivered))
	poll(tr, ev(3, shipping.OrderDelivered))
	want(t, tr, shipping.OrderDelivered, "")
	if len(tr.Warnings) != 1 || tr.Warnings[0].Code != "DELIVERED_AFTER_UNDELIVERABLE" {
		t.Errorf("warnings = %+v", tr.Warnings)
	}
}

func TestAFlagGoesWhereOlderNewsExplain(t *testing.T) {
	events := []shipping.TrackingEvent{ev(1, shipping.OrderUndeliverable), ev(2, shipping.OrderUndeliverable, tracker.SubReturned), ev(3, shipping.OrderDelivered)}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {2, 1, 0}} {
		tr := newTracker()
		for _, i := range order {
			poll(tr, events[i])
		}
		want(t, tr, shipping.OrderUndeliverable, tracker.SubReturned)
		if len(tr.Warnings) != 0 {
			t.Errorf("in the order %v it warns of %+v", order, tr.Warnings)
		}
	}
}

func TestLateNewsEnterWithoutMoving(t *testing.T) {
	tr := newTracker()
	poll(tr, ev(10, shipping.OutForDelivery))
	out := poll(tr, ev(5, shipping.InTransit))
	want(t, tr, shipping.OutForDelivery, "")
	if len(out.Entered) != 1 || !out.Entered[0].Late || out.Moved {
		t.Errorf("outcome = %+v", out)
	}
	if got := words(tr); !slices.Equal(got, []string{"IN_TRANSIT", "OUT_FOR_DELIVERY"}) {
		t.Errorf("timeline = %v", got)
	}
	if !tr.Progress.ActualPickup.Equal(start.Add(5 * time.Minute)) {
		t.Errorf("picked up at %v", tr.Progress.ActualPickup)
	}
	// The end is the end though it is older than what was heard last.
	if out = poll(tr, ev(9, shipping.OrderDelivered)); !out.Moved || out.Entered[0].Late {
		t.Errorf("outcome = %+v", out)
	}
	want(t, tr, shipping.OrderDelivered, "")
}

func TestLateNewsCanExplainAStepBack(t *testing.T) {
	tr := newTracker()
	poll(tr, ev(1, shipping.OrderDispatched), ev(3, shipping.OrderDispatched))
	want(t, tr, shipping.OrderDispatched, "")
	poll(tr, ev(2, shipping.OrderAssigned))
	want(t, tr, shipping.OrderUnassigned, "")
}

func TestSeveralParcelsEndTogether(t *testing.T) {
	tr := newTracker("N1", "N2")
	of := func(number string, e shipping.TrackingEvent) tracker.Outcome {
		return tr.Merge(carrier.TrackUpdate{Number: number, Events: []shipping.TrackingEvent{e}}, tracker.Heard{Origin: tracker.ByPoll, At: start.Add(time.Hour)})
	}
	of("N1", ev(1, shipping.OutForDelivery))
	of("N2", ev(1, shipping.OutForDelivery))
	of("N1", ev(2, shipping.OrderDelivered))
	want(t, tr, shipping.OutForDelivery, "")
	of("N2", ev(2, shipping.OrderDelivered))
	want(t, tr, shipping.OrderDelivered, "")
	if len(tr.Events) != 4 {
		t.Errorf("%d events, want those of both parcels", len(tr.Events))
	}
	// One of two was voided: the other's delivery is that of all.
	tr = newTracker("N1", "N2")
	of("N1", ev(1, shipping.OrderDelivered))
	of("N2", ev(2, shipping.OrderCancelled))
	if tr.Status == shipping.OrderCancelled {
		t.Error("the voiding of one parcel cancels a delivered order")
	}
}

func TestLocalTimesAreOfTheTrackersZone(t *testing.T) {
	tr := newTracker()
	e := ev(0, shipping.InTransit)
	e.ZoneKnown = false
	poll(tr, e)
	poll(tr, e)
	if len(tr.Events) != 1 || !tr.Events[0].Time.Equal(start.Add(5*time.Hour)) {
		t.Errorf("events = %+v, want one at 15:00 in New York", tr.Events)
	}
}

// The carrier's clock is for people to read: the same news with it and without is one event, which has it whichever came first.
func TestTheCarriersClockIsKept(t *testing.T) {
	without := ev(0, shipping.InTransit)
	with := without
	with.CarrierTime = shipping.CarrierTime(without.Time.In(time.FixedZone("", 2*3600)), true)
	for _, order := range [][]shipping.TrackingEvent{{without, with}, {with, without}, {with}} {
		for _, last := range []tracker.Origin{tracker.ByPoll, tracker.ByPush} {
			tr := newTracker()
			for i, e := range order {
				origin := tracker.ByPoll
				if i > 0 {
					origin = last
				}
				tr.Merge(carrier.TrackUpdate{Number: tr.Number, Events: []shipping.TrackingEvent{e}}, tracker.Heard{Origin: origin, At: start.Add(time.Hour)})
			}
			if len(tr.Events) != 1 || tr.Events[0].Clock() != with.CarrierTime {
				t.Errorf("%v by %s: %+v, want one event at %s", order, last, tr.Events, with.CarrierTime)
			}
		}
	}
	for _, said := range []string{"soon", "1066-10-14", "2026-03-01T10:00:01+02:00", strings.Repeat("2", 100), "2026-03-01T10:00:00." + strings.Repeat("0", 40) + "Z"} {
		e := without
		e.CarrierTime = said
		tr := newTracker()
		poll(tr, e)
		if got := tr.Events[0].CarrierTime; got != "" {
			t.Errorf("a clock that shows %q at %v is kept as %q", said, e.Time, got)
		}
	}
}

func TestTimesThatCannotBe(t *testing.T) {
	received := start.Add(24 * time.Hour)
	tr := newTracker()
	for _, at := range []shipping.Instant{{}, shipping.At(start.AddDate(100, 0, 0)), {Time: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)}} {
		poll(tr, shipping.TrackingEvent{Time: at, ZoneKnown: true, CarrierCode: "X", Status: shipping.InTransit})
	}
	for _, e := range tr.Events {
		if !e.Time.Equal(received) {
			t.Errorf("an event is placed at %v", e.Time)
		}
	}
	b, err := json.Marshal(tr)
	if err != nil {
		t.Fatal(err)
	}
	var back tracker.Tracker
	if err := json.Unmarshal(b, &back); err != nil {
		t.Errorf("the stored tracker cannot be read: %v", err)
	}
}

func TestSameNewsInOtherWordsIsOneEvent(t *testing.T) {
	tr := newTracker()
	e := ev(1, shipping.InTransit)
	e.CarrierWords = "Arrived at Facility "
	poll(tr, e)
	e.CarrierWords = "ARRIVED AT FACILITY"
	if out := poll(tr, e); len(out.Entered) != 0 {
		t.Errorf("entered %+v", out.Entered)
	}
}

func TestEchoesOfAnotherWayAreNoNews(t *testing.T) {
	tr := newTracker()
	push := tr.Merge(carrier.TrackUpdate{Reference: "r", Events: []shipping.TrackingEvent{ev(1, shipping.OrderAssigned)}}, tracker.Heard{Origin: tracker.ByPush, At: start.Add(time.Hour)})
	if len(tr.News(push.Entered)) != 1 {
		t.Fatal("a push is no news")
	}
	e := ev(2, shipping.OrderAssigned)
	e.CarrierCode = "confirmed"
	out := poll(tr, e)
	if len(out.Entered) != 1 || len(tr.News(out.Entered)) != 0 || out.Moved {
		t.Errorf("entered %v, news %v", out.Entered, tr.News(out.Entered))
	}
	scan := ev(3, shipping.InTransit)
	scan.City = "Boston"
	other := ev(4, shipping.InTransit)
	other.City = "Hartford"
	if out = poll(tr, scan, other); len(tr.News(out.Entered)) != 2 {
		t.Errorf("scans at two places are %d news", len(tr.News(out.Entered)))
	}
}

func TestATipIsMoneyThatIsKnown(t *testing.T) {
	tr := newTracker()
	for _, c := range []struct {
		tip   shipping.Money
		facts bool
	}{{shipping.Money{Minor: 300, Currency: "USD"}, true}, {shipping.Money{}, false}, {shipping.Money{Minor: -5, Currency: "USD"}, false}, {shipping.Money{Minor: 5, Currency: "???"}, false}} {
		out := tr.Merge(carrier.TrackUpdate{Number: tr.Number, Tip: c.tip}, tracker.Heard{Origin: tracker.ByPush, At: start.Add(time.Hour)})
		if out.Facts != c.facts || tr.Progress.Tip != (shipping.Money{Minor: 300, Currency: "USD"}) {
			t.Errorf("told %v: facts %v, tip %v", c.tip, out.Facts, tr.Progress.Tip)
		}
	}
}

func TestFactsFollowTheNewestWord(t *testing.T) {
	tr := newTracker()
	push := func(minute int, s shipping.Status, driver string) {
		u := carrier.TrackUpdate{Reference: "r", Events: []shipping.TrackingEvent{ev(minute, s)}, TrackingURL: "https://c/" + driver}
		if driver != "" {
			u.Driver = &shipping.Driver{Name: driver}
		}
		tr.Merge(u, tracker.Heard{Origin: tracker.ByPush, At: start.Add(time.Hour)})
	}
	push(5, shipping.OrderAssigned, "Bea")
	push(2, shipping.OrderAssigned, "Abe")
	if tr.Progress.Driver.Name != "Bea" {
		t.Errorf("a push that was overtaken changes the driver to %s", tr.Progress.Driver.Name)
	}
	push(6, shipping.OrderDispatched, "")
	if tr.Progress.Driver != nil {
		t.Error("the driver who gave the order back is still shown")
	}
}

// However events come, in which order, in how many updates and how often: the timeline, the present and the warnings are the same.
// Several events of one second are usual, of different and of the same status, told by answers, by pushes and by both.
func TestArrivalDoesNotMatter(t *testing.T) {
	carriers := []shipping.Status{"", shipping.OrderDispatched, shipping.OrderAssigned, shipping.OrderUnassigned, shipping.PickupStarted, shipping.PickupCompleted,
		shipping.InTransit, shipping.OutForDelivery, shipping.OrderAtLocation, shipping.OrderDelayed, shipping.OrderRedelivery, shipping.OrderUndeliverable,
		shipping.ErrorException, shipping.OrderDelivered, shipping.OrderCancelled, shipping.OrderFailed}
	type telling struct {
		update carrier.TrackUpdate
		origin tracker.Origin
	}
	hear := func(tr *tracker.Tracker, origin tracker.Origin, u carrier.TrackUpdate) {
		tr.Merge(u, tracker.Heard{Origin: origin, At: start.Add(time.Hour)})
	}
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SampledFrom([][]string{nil, {"N1", "N2"}}).Draw(t, "numbers")
		n := rapid.IntRange(1, 14).Draw(t, "events")
		told := make([]telling, n)
		for i := range told {
			e := ev(rapid.IntRange(0, 6).Draw(t, "minute"), rapid.SampledFrom(carriers).Draw(t, "status"))
			if e.Status == shipping.OrderUndeliverable {
				e.SubStatus = rapid.SampledFrom([]string{"", tracker.SubReturnStarted, tracker.SubReturned}).Draw(t, "sub")
			}
			e.CarrierCode += rapid.SampledFrom([]string{"", "/AR", "/DP", "/HU"}).Draw(t, "code")
			zone := rapid.SampledFrom([]*time.Location{nil, time.UTC, time.FixedZone("", -8*3600)}).Draw(t, "zone")
			if zone != nil {
				e.CarrierTime = shipping.CarrierTime(e.Time.In(zone), true)
			}
			told[i] = telling{carrier.TrackUpdate{Number: rapid.SampledFrom([]string{"N1", "N2"}).Draw(t, "number"), Events: []shipping.TrackingEvent{e}},
				rapid.SampledFrom([]tracker.Origin{tracker.ByPoll, tracker.ByPush}).Draw(t, "origin")}
		}
		in := newTracker(numbers...)
		for _, x := range told {
			hear(in, x.origin, x.update)
		}
		mixed := newTracker(numbers...)
		for _, i := range rapid.Permutation(indexes(n)).Draw(t, "order") {
			for range rapid.IntRange(1, 2).Draw(t, "times") {
				u := told[i].update
				if more := rapid.SampledFrom(told).Draw(t, "with"); more.update.Number == u.Number && more.origin == told[i].origin {
					u.Events = append([]shipping.TrackingEvent{more.update.Events[0]}, u.Events...)
				}
				hear(mixed, told[i].origin, u)
			}
		}
		if diff := cmp.Diff(final(in), final(mixed)); diff != "" {
			t.Fatalf("the order of arrival matters (- in order, + mixed):\n%s", diff)
		}
		// Nothing is lost: what one origin has told in different words stands there in all of them.
		for _, x := range told {
			e := x.update.Events[0]
			if !slices.ContainsFunc(mixed.Events, func(have tracker.Event) bool {
				return have.Time.Equal(e.Time.Time) && (have.Origin == x.origin && have.CarrierCode == e.CarrierCode ||
					have.Echo != nil && have.Echo.Origin == x.origin && have.Echo.CarrierCode == e.CarrierCode)
			}) {
				t.Fatalf("%s told %s at %v, and the timeline does not know: %v", x.origin, e.CarrierCode, e.Time, words(mixed))
			}
		}
	})
}

// Scans that differ only in what the carrier calls them are all kept, each is news once, in its own words, whichever comes first.
func TestScansOfOneSecondAreAllKept(t *testing.T) {
	scan := func(code string) shipping.TrackingEvent {
		e := ev(1, shipping.InTransit)
		e.CarrierCode, e.CarrierWords, e.City = code, "Scan "+code, "Boston"
		return e
	}
	hear := func(tr *tracker.Tracker, origin tracker.Origin, codes ...string) []string {
		var out []string
		for _, code := range codes {
			o := tr.Merge(carrier.TrackUpdate{Number: "N1", Events: []shipping.TrackingEvent{scan(code)}}, tracker.Heard{Origin: origin, At: start.Add(time.Hour)})
			for _, e := range tr.News(o.Entered) {
				out = append(out, e.CarrierCode)
			}
		}
		return out
	}
	for _, order := range [][]string{{"I/AR", "I/DP", "I/HU"}, {"I/HU", "I/DP", "I/AR"}, {"I/DP", "I/HU", "I/AR"}} {
		tr := newTracker()
		if got := hear(tr, tracker.ByPush, order...); !slices.Equal(got, order) {
			t.Errorf("pushes of %v are the news %v", order, got)
		}
		if got := hear(tr, tracker.ByPush, order...); got != nil {
			t.Errorf("the same pushes again are the news %v", got)
		}
		if got := hear(tr, tracker.ByPoll, "arrived", "departed", "held"); got != nil {
			t.Errorf("a poll that words them differently finds the news %v", got)
		}
		if got := hear(tr, tracker.ByPoll, "sorted"); !slices.Equal(got, []string{"sorted"}) {
			t.Errorf("a fourth scan is the news %v", got)
		}
		if len(tr.Events) != 4 {
			t.Errorf("%d events are kept of four scans", len(tr.Events))
		}
	}
}

// Events of one second happen in the order in which orders usually go.
func TestEventsOfOneSecond(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		tr := newTracker()
		events := []shipping.TrackingEvent{ev(1, shipping.PickupCompleted), ev(1, shipping.OutForDelivery), ev(1, shipping.OrderDelivered)}
		for _, i := range order {
			poll(tr, events[i])
		}
		want(t, tr, shipping.OrderDelivered, "")
		if got := words(tr); !slices.Equal(got, []string{"PICKUP_COMPLETED", "OUT_FOR_DELIVERY", "ORDER_DELIVERED"}) {
			t.Errorf("in the order %v: %v", order, got)
		}
	}
}

// final is what must not depend on arrival.
func final(t *tracker.Tracker) any {
	type fact struct {
		ID, Number string
		At         shipping.Instant
		Status     shipping.Status
		Sub        string
		Told       tracker.Origin
		Code       string
		Echo       *tracker.Telling
	}
	var facts []fact
	warnings := ""
	for _, w := range t.Warnings {
		warnings += w.Code + " "
	}
	for _, e := range t.Events {
		facts = append(facts, fact{e.ID, e.Number, e.Time, e.Status, e.SubStatus, e.Origin, e.CarrierCode, e.Echo})
	}
	return map[string]any{"status": t.Status, "sub": t.SubStatus, "events": facts, "milestone": t.Milestone().Milestone,
		"pickup": t.Progress.ActualPickup, "delivery": t.Progress.ActualDelivery, "warnings": warnings}
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func TestTheNewestEventsAreKept(t *testing.T) {
	tr := newTracker()
	var all []shipping.TrackingEvent
	all = append(all, ev(0, shipping.PickupCompleted))
	for i := range 2 * tracker.MaxEvents {
		e := ev(i+1, shipping.InTransit)
		e.CarrierCode = fmt.Sprint("scan ", i)
		all = append(all, e)
		poll(tr, e)
	}
	if len(tr.Events) != tracker.MaxEvents || tr.Status != shipping.InTransit {
		t.Fatalf("%d events, %s", len(tr.Events), tr.Status)
	}
	if out := poll(tr, all...); len(out.Entered) != 0 {
		t.Errorf("%d events that were dropped have come again", len(out.Entered))
	}
	poll(tr, ev(1100, shipping.OrderDelivered))
	want(t, tr, shipping.OrderDelivered, "")
	for i := range tracker.MaxEvents + 5 {
		e := ev(1101+i, shipping.InTransit)
		e.CarrierCode = fmt.Sprint("after ", i)
		poll(tr, e)
	}
	want(t, tr, shipping.OrderDelivered, "")
	if got := tr.Base.Count + len(tr.Events); got != 3*tracker.MaxEvents+6 {
		t.Errorf("%d events are accounted for", got)
	}
}

func TestErasedTrackersLearnNothing(t *testing.T) {
	tr := newTracker()
	tr.Order = &shipment.Order{DeliveryContact: shipping.Contact{Name: "Ann"}}
	e := ev(1, shipping.OrderDelivered)
	e.CarrierWords, e.Reason, e.City = "Left with Ann", &shipping.EventReason{Code: "X", Note: "Ann"}, "Boston"
	tr.Merge(carrier.TrackUpdate{Events: []shipping.TrackingEvent{e}, SignedBy: "Ann", Driver: &shipping.Driver{Name: "Ann"}, TrackingURL: "https://ann",
		Proofs: []carrier.Proof{{URL: "https://ann"}}}, tracker.Heard{Origin: tracker.ByPoll, At: start.Add(time.Hour)})
	tr.Events[0].Note = "Ann was there"
	tr.Warnings = []shipment.Warning{{Code: "W", Message: "Ann"}}
	tr.Erase(start)
	b, _ := json.Marshal(tr)
	for _, private := range []string{"Ann", "ann", "Boston"} {
		if strings.Contains(string(b), private) {
			t.Errorf("%q is still there: %s", private, b)
		}
	}
	if out := poll(tr, ev(2, shipping.InTransit)); len(out.Entered) != 0 || tr.Stopped == "" {
		t.Errorf("an erased tracker learns: %+v", out)
	}
}

func TestMilestones(t *testing.T) {
	tr := newTracker()
	if m := tr.Milestone(); m.Milestone != tracker.Pending {
		t.Errorf("a tracker without news is %+v", m)
	}
	for _, c := range []struct {
		status    shipping.Status
		sub, code string
		want      tracker.Milestone
	}{
		{shipping.OrderDispatched, "", "", tracker.Milestone{Milestone: "info_received", Category: "data", Code: "data_order_created"}},
		{shipping.PickupCompleted, "", "", tracker.Milestone{Milestone: "in_transit", Category: "transit", Code: "transit_handover"}},
		{shipping.InTransit, "", "", tracker.Milestone{Milestone: "in_transit"}},
		{shipping.OrderDelayed, "CUSTOMS", "CUSTOMS", tracker.Milestone{Milestone: "exception", Category: "customs", Code: "customs_exception"}},
		{shipping.OrderUndeliverable, "RETURN_STARTED", "CUSTOMER_REJECTED", tracker.Milestone{Milestone: "exception", Category: "exception", Code: "exception_return"}},
		{shipping.OrderUndeliverable, "", "CUSTOMER_REJECTED", tracker.Milestone{Milestone: "exception", Category: "delivery", Code: "delivery_refused"}},
		{shipping.ErrorException, "LOST", "", tracker.Milestone{Milestone: "exception", Category: "exception", Code: "exception_lost"}},
		{shipping.OrderDelivered, "", "", tracker.Milestone{Milestone: "delivered", Category: "delivery", Code: "delivery_delivered"}},
	} {
		var r *shipping.EventReason
		if c.code != "" {
			r = &shipping.EventReason{Code: c.code}
		}
		if got := tracker.MilestoneOf(c.status, c.sub, r); got != c.want {
			t.Errorf("%s/%s/%s = %+v, want %+v", c.status, c.sub, c.code, got, c.want)
		}
	}
	for _, s := range shipping.Statuses {
		known := tracker.MilestoneOf(s, "", nil).Milestone != tracker.Pending
		if before := shipment.StageOf(s) == shipment.BeforeDispatch && s != shipping.OrderFailed; known == before {
			t.Errorf("%s: milestone known %v", s, known)
		}
	}
}

// FuzzMerge lets a carrier say anything.
func FuzzMerge(f *testing.F) {
	f.Add([]byte(`{"Number":"N1","Events":[{"time":1772463600000,"carrierCode":"A","status":"IN_TRANSIT"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var u carrier.TrackUpdate
		if json.Unmarshal(text, &u) != nil {
			return
		}
		tr := newTracker()
		h := tracker.Heard{Origin: tracker.ByPush, At: start}
		tr.Merge(u, h)
		if out := tr.Merge(u, h); len(out.Entered) > 0 && len(u.Events) <= tracker.MaxEvents {
			t.Errorf("the same update enters twice: %+v", out.Entered)
		}
		b, err := json.Marshal(tr)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &tracker.Tracker{}); err != nil {
			t.Fatalf("cannot be read again: %v", err)
		}
	})
}
