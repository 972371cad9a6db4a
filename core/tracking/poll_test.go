package tracking_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestAParcelIsFollowedToItsEnd(t *testing.T) {
	e := newFollower(t)
	sh, tr := e.book("o1", "ground", "1Z1")
	e.carrier.says("1Z1", ev(0, shipping.OrderDispatched))
	e.pass(time.Minute)
	e.wantHistory(sh.ID)
	e.carrier.says("1Z1", ev(60, shipping.PickupCompleted), ev(70, shipping.InTransit))
	e.pass(3 * time.Hour)
	e.wantHistory(sh.ID, "PICKUP_COMPLETED", "IN_TRANSIT")
	e.carrier.says("1Z1", ev(300, shipping.OutForDelivery), ev(400, shipping.OrderDelivered))
	e.pass(10 * time.Hour)
	e.wantHistory(sh.ID, "PICKUP_COMPLETED", "IN_TRANSIT", "OUT_FOR_DELIVERY", "ORDER_DELIVERED")
	got := e.shipment(sh.ID)
	if got.Status != shipping.OrderDelivered || got.Attempts[0].State != shipment.Ended || e.open() != 0 {
		t.Errorf("%s, attempt %s, %d open", got.Status, got.Attempts[0].State, e.open())
	}
	if !got.Progress.ActualPickup.Equal(start.Add(time.Hour)) || !got.Progress.ActualDelivery.Equal(start.Add(400*time.Minute)) {
		t.Errorf("progress = %+v", got.Progress)
	}
	lines, _ := e.store.History(context.Background(), "demo", sh.ID)
	if l := lines[0]; l.Note != "C( PICKUP_COMPLETED )" || l.User != "UPS" || !l.At.Equal(start.Add(time.Hour)) || l.Attempt != 1 {
		t.Errorf("line = %+v", l)
	}
	if tr = e.tracker(tr.ID); tr.Stopped != tracker.StopDelivered || !tr.NextPoll.IsZero() {
		t.Errorf("tracker stops as %q, next poll %v", tr.Stopped, tr.NextPoll)
	}
	e.carrier.calls()
	e.pass(48 * time.Hour)
	if calls := e.carrier.calls(); len(calls) != 0 {
		t.Errorf("a delivered parcel is asked for %d times", len(calls))
	}
	want := []string{"tracker ORDER_DISPATCHED", "shipment PICKUP_COMPLETED", "shipment IN_TRANSIT", "tracker PICKUP_COMPLETED", "tracker IN_TRANSIT",
		"shipment OUT_FOR_DELIVERY", "shipment ORDER_DELIVERED", "tracker OUT_FOR_DELIVERY", "tracker ORDER_DELIVERED"}
	if !slices.Equal(e.ear.told, want) {
		t.Errorf("told %v", e.ear.told)
	}
}

func TestManyNumbersAreOneQuestion(t *testing.T) {
	e := newFollower(t)
	for i := range 30 {
		e.follow(fmt.Sprintf("1Z%02d", i))
	}
	e.follow("1Z00") // twice, on another surface perhaps
	e.pass(time.Minute)
	calls := e.carrier.calls()
	if len(calls) != 1 || len(calls[0]) != 30 {
		t.Errorf("asked %d times, first for %d numbers", len(calls), len(calls[0]))
	}
	// Later they come at times of their own.
	e.pass(2 * time.Hour)
	if calls = e.carrier.calls(); len(calls) < 5 {
		t.Errorf("polls are not spread: %d calls", len(calls))
	}
}

func TestTheBudgetIsKept(t *testing.T) {
	e := newFollower(t)
	e.config.Tracking.PerSecond = 2
	for i := range 40 {
		e.follow(fmt.Sprintf("1Z%02d", i))
	}
	e.pass(5 * time.Second)
	asked := 0
	for _, c := range e.carrier.calls() {
		asked += len(c)
	}
	if asked == 0 || asked > 16 { // 5 s, and what was saved up before
		t.Errorf("%d numbers in 5 s, with 2 a second allowed", asked)
	}
	e.pass(30 * time.Second)
	for _, c := range e.carrier.calls() {
		asked += len(c)
	}
	if asked != 40 {
		t.Errorf("%d of 40 numbers were asked for", asked)
	}
}

func TestPaceOfWhatOthersBooked(t *testing.T) {
	for _, c := range []struct {
		kind  string
		modes []string
		want  time.Duration
	}{
		{"delivery", []string{"courier"}, 2 * time.Minute}, {"shipping", []string{"courier"}, 2 * time.Minute}, {"delivery", []string{"ground", "air"}, 4 * time.Hour},
		{"delivery", []string{"ground", "courier"}, 2 * time.Minute}, {"shipping", []string{"ground", "courier"}, 4 * time.Hour}, {"delivery", nil, 4 * time.Hour},
	} {
		e := newFollower(t)
		e.carrier.set(func(f *fakeCarrier) {
			for _, m := range c.modes {
				f.manifest.Services = append(f.manifest.Services, carrier.Service{ID: m, Mode: m})
			}
		})
		e.carrier.says("N", ev(0, shipping.InTransit))
		tr, _, err := e.Create(context.Background(), caller, tracking.CreateRequest{Tracker: &tracker.Tracker{Surface: tracker.OfAPI, Number: "N", Account: "ups", Type: c.kind}})
		if err != nil {
			t.Fatal(err)
		}
		e.pass(time.Minute)
		got := e.tracker(tr.ID)
		if every := got.NextPoll.Sub(got.Polls.LastAt); every < c.want*8/10 || every > c.want*12/10 {
			t.Errorf("a %s of a carrier of %v is asked for every %v, want about %v", c.kind, c.modes, every, c.want)
		}
	}
}

func TestPaceFollowsTheMilestone(t *testing.T) {
	e := newFollower(t)
	for _, c := range []struct {
		status shipping.Status
		mode   string
		want   time.Duration
	}{
		{shipping.OrderDispatched, "ground", 2 * time.Hour}, {shipping.InTransit, "ground", 4 * time.Hour}, {shipping.OutForDelivery, "ground", 20 * time.Minute},
		{shipping.OrderAtLocation, "ground", 6 * time.Hour}, {shipping.ErrorException, "ground", 4 * time.Hour}, {shipping.OrderAssigned, "courier", 2 * time.Minute},
	} {
		number := "N" + string(c.status)
		_, tr := e.book(number, c.mode, number)
		e.carrier.says(number, ev(0, c.status))
		e.pass(time.Minute)
		tr = e.tracker(tr.ID)
		if got := tr.NextPoll.Sub(tr.Polls.LastAt); got < c.want*8/10 || got > c.want*12/10 {
			t.Errorf("%s: asked again after %v, want about %v", c.status, got, c.want)
		}
	}
}

func TestAnAccountInTroubleIsLeftAlone(t *testing.T) {
	e := newFollower(t)
	tr := e.follow("1Z1")
	e.carrier.set(func(f *fakeCarrier) {
		f.fail = func(carrier.TrackRequest) error {
			return &carrier.Error{Source: carrier.SourceCarrier, Retry: carrier.RetrySafe, Code: carrier.CarrierUnavailable}
		}
	})
	e.pass(time.Hour)
	if n := len(e.carrier.calls()); n < 5 || n > 20 {
		t.Errorf("%d calls in an hour of trouble", n)
	}
	e.carrier.set(func(f *fakeCarrier) { f.fail = nil })
	e.carrier.says("1Z1", ev(5, shipping.InTransit))
	e.pass(15 * time.Minute)
	if got := e.tracker(tr.ID); got.Status != shipping.InTransit {
		t.Errorf("status = %s after the trouble", got.Status)
	}
}

func TestOneBadNumberDoesNotKeepTheOthersFromBeingAsked(t *testing.T) {
	e := newFollower(t)
	bad, good := e.follow("BAD"), e.follow("1Z1")
	e.carrier.says("1Z1", ev(1, shipping.InTransit))
	e.carrier.set(func(f *fakeCarrier) {
		f.fail = func(r carrier.TrackRequest) error {
			for _, p := range r.Parcels {
				if p.Number == "BAD" {
					return &carrier.Error{Source: carrier.SourceCarrier, Retry: carrier.RetryNever, Code: carrier.CarrierProtocol, Message: "nonsense"}
				}
			}
			return nil
		}
	})
	e.pass(time.Minute)
	if got := e.tracker(good.ID); got.Status != shipping.InTransit {
		t.Errorf("the good number is %s", got.Status)
	}
	if got := e.tracker(bad.ID); got.Polls.Errors != 1 || got.Polls.Last == "" || got.NextPoll.Before(e.clock.Now()) {
		t.Errorf("the bad number: %+v, next %v", got.Polls, got.NextPoll)
	}
	e.pass(24 * time.Hour)
	if got := e.tracker(bad.ID); got.Polls.Errors < 4 || got.Polls.Errors > 15 {
		t.Errorf("the bad number was asked for %d times in a day", got.Polls.Errors)
	}
}

func TestUnknownNumbersExpire(t *testing.T) {
	e := newFollower(t)
	tr := e.follow("1Z1")
	e.pass(40 * time.Hour)
	if got := e.tracker(tr.ID); got.Status != shipping.OrderDispatched || got.Polls.Unknown == 0 || got.Milestone().Milestone != tracker.Pending {
		t.Errorf("before: %s, %+v", got.Status, got.Polls)
	}
	e.pass(20 * time.Hour)
	got := e.tracker(tr.ID)
	if got.Status != shipping.ErrorException || got.SubStatus != tracker.SubNotFound || got.Stopped != tracker.StopExpired {
		t.Errorf("afterwards: %s/%s, stopped %q", got.Status, got.SubStatus, got.Stopped)
	}
	e.carrier.calls()
	e.pass(3 * 24 * time.Hour)
	if n := len(e.carrier.calls()); n != 0 {
		t.Errorf("an expired tracker is asked for %d times", n)
	}
	// A push revives it.
	e.mustTell(news("1Z1", ev(5*24*60, shipping.InTransit)))
	if got = e.tracker(tr.ID); got.Status != shipping.InTransit || got.Stopped != "" || got.NextPoll.IsZero() {
		t.Errorf("after a push: %s, stopped %q, next %v", got.Status, got.Stopped, got.NextPoll)
	}
}

func TestSilentOrdersExpireAndAreCountedNoMore(t *testing.T) {
	e := newFollower(t)
	sh, tr := e.book("o1", "ground", "1Z1")
	e.carrier.says("1Z1", ev(1, shipping.InTransit))
	e.pass(6 * 24 * time.Hour)
	if got := e.tracker(tr.ID); got.Stopped != tracker.StopExpired || got.SubStatus != tracker.SubExpired {
		t.Errorf("stopped %q, %s/%s", got.Stopped, got.Status, got.SubStatus)
	}
	e.wantHistory(sh.ID, "IN_TRANSIT", "ERROR_EXCEPTION/EXPIRED")
	if got := e.shipment(sh.ID); !got.Attempts[0].Live() || e.open() != 0 {
		t.Errorf("attempt %s, %d open; the parcel may still come", got.Attempts[0].State, e.open())
	}
}

func TestWhatCannotBeAskedIsNotAsked(t *testing.T) {
	e := newFollower(t, carrier.CanReceivePush)
	tr := e.follow("1Z1")
	_, booked := e.book("o1", "courier", "N1")
	e.pass(24 * time.Hour)
	if n := len(e.carrier.calls()); n != 0 {
		t.Errorf("%d calls", n)
	}
	for _, id := range []tracker.ID{tr.ID, booked.ID} {
		if got := e.tracker(id); !got.NextPoll.IsZero() || got.Stopped != "" {
			t.Errorf("next poll %v, stopped %q", got.NextPoll, got.Stopped)
		}
	}
}

func TestACancelledBookingIsFollowedNoMore(t *testing.T) {
	e := newFollower(t)
	sh, tr := e.book("o1", "ground", "1Z1")
	e.pass(time.Minute)
	sh = e.shipment(sh.ID)
	sh.Attempts[0].State, sh.Status = shipment.Cancelled, shipping.OrderCancelled
	if err := e.store.Commit(context.Background(), "demo", &store.Tx{Shipments: []*shipment.Shipment{sh}}); err != nil {
		t.Fatal(err)
	}
	e.carrier.calls()
	e.pass(24 * time.Hour)
	if n := len(e.carrier.calls()); n != 0 || e.tracker(tr.ID).Stopped != tracker.StopCancelled {
		t.Errorf("asked %d times, stopped %q", n, e.tracker(tr.ID).Stopped)
	}
	// A late word enters history, and moves nothing.
	e.mustTell(news("1Z1", ev(30, shipping.InTransit)))
	e.wantHistory(sh.ID, "?IN_TRANSIT")
	if got := e.shipment(sh.ID); got.Status != shipping.OrderCancelled {
		t.Errorf("status = %s", got.Status)
	}
}

func TestACarriersOwnCancelCanBeTriedAgain(t *testing.T) {
	for _, c := range []struct {
		event shipping.TrackingEvent
		mode  string
		want  string
		live  bool
	}{
		{ev(1, shipping.OrderCancelled), "courier", "ERROR_EXCEPTION/CANCELLED_BY_PROVIDER", false},
		{ev(1, shipping.OrderFailed), "courier", "ORDER_FAILED", false},
		{ev(1, shipping.ErrorException), "courier", "ERROR_EXCEPTION", false},
		{ev(1, shipping.ErrorException), "ground", "ERROR_EXCEPTION", true}, // the parcel may still come
	} {
		e := newFollower(t)
		sh, _ := e.book("o1", c.mode, "1Z1")
		e.carrier.says("1Z1", c.event)
		e.pass(time.Minute)
		e.wantHistory(sh.ID, c.want)
		got := e.shipment(sh.ID)
		if got.Attempts[0].Live() != c.live || got.Retryable() == c.live || (e.open() == 0) == c.live {
			t.Errorf("%s %s: attempt %s, retryable %v, %d open", c.mode, c.want, got.Attempts[0].State, got.Retryable(), e.open())
		}
	}
}

// What the merchant has had cancelled at the carrier ends the order, and counts no more.
func TestAMerchantsOwnCancellationIsTheOrders(t *testing.T) {
	withdrawn := func(minute int) shipping.TrackingEvent {
		e := ev(minute, shipping.OrderCancelled)
		e.Reason = &shipping.EventReason{Code: shipping.CancelledByMerchant, Title: "Cancelled by the merchant"}
		return e
	}
	for name, c := range map[string]struct {
		mode    string
		numbers []string
		said    [][]shipping.TrackingEvent // of each number
		want    []string
	}{
		"a delivery":                           {"courier", []string{"N1"}, [][]shipping.TrackingEvent{{withdrawn(1)}}, []string{"ORDER_CANCELLED"}},
		"a label":                              {"ground", []string{"N1"}, [][]shipping.TrackingEvent{{withdrawn(1)}}, []string{"ORDER_CANCELLED"}},
		"two parcels, the second void earlier": {"ground", []string{"N1", "N2"}, [][]shipping.TrackingEvent{{withdrawn(5)}, {withdrawn(3)}}, []string{"?ORDER_CANCELLED", "?ORDER_CANCELLED", "ORDER_CANCELLED"}},
	} {
		e := newFollower(t)
		sh, tr := e.book("o1", c.mode, c.numbers...)
		for i, n := range c.numbers {
			e.carrier.says(n, c.said[i]...)
		}
		e.pass(time.Minute)
		e.wantHistory(sh.ID, c.want...)
		got := e.shipment(sh.ID)
		if got.Status != shipping.OrderCancelled || got.Attempts[0].State != shipment.Cancelled || got.Retryable() || e.open() != 0 || e.tracker(tr.ID).Stopped == "" {
			t.Errorf("%s: %s, attempt %s, %d open, stopped %q", name, got.Status, got.Attempts[0].State, e.open(), e.tracker(tr.ID).Stopped)
		}
	}
}

func TestOurOwnCancellationIsLeftToWhoHearsTheAnswer(t *testing.T) {
	e := newFollower(t)
	sh, _ := e.book("o1", "courier", "1Z1")
	sh.Attempts[0].CancelIntent = &shipment.CancelIntent{By: "key", At: start}
	if err := e.store.Commit(context.Background(), "demo", &store.Tx{Shipments: []*shipment.Shipment{sh}}); err != nil {
		t.Fatal(err)
	}
	e.mustTell(news("1Z1", ev(1, shipping.OrderCancelled)))
	got := e.shipment(sh.ID)
	if !got.Attempts[0].Live() || got.Status != shipping.OrderDispatched || e.open() != 1 {
		t.Errorf("attempt %s, %s, %d open", got.Attempts[0].State, got.Status, e.open())
	}
	e.wantHistory(sh.ID, "?ORDER_CANCELLED")
}

// The carrier ends a booking whose cancellation is kept, and that it was not asked for yet: the order is cancelled, as its caller was told.
func TestAKeptCancellationIsDoneWithTheCarriersOwn(t *testing.T) {
	e := newFollower(t)
	sh, _ := e.book("o1", "ground", "1Z1")
	sh.Cancel = &shipment.CancelRequest{By: "key", At: start, Kept: true}
	if err := e.store.Commit(context.Background(), "demo", &store.Tx{Shipments: []*shipment.Shipment{sh}}); err != nil {
		t.Fatal(err)
	}
	e.mustTell(news("1Z1", ev(1, shipping.OrderCancelled)))
	got := e.shipment(sh.ID)
	if got.Attempts[0].State != shipment.Cancelled || got.Cancel != nil || !got.AtRest() || got.Retryable() || e.open() != 0 {
		t.Errorf("attempt %s, cancel %v, %d open", got.Attempts[0].State, got.Cancel, e.open())
	}
	e.wantHistory(sh.ID, "ORDER_CANCELLED")
}

func TestReturnsGoOnAndCountOnce(t *testing.T) {
	e := newFollower(t)
	sh, tr := e.book("o1", "courier", "1Z1")
	e.carrier.says("1Z1", ev(1, shipping.PickupCompleted), ev(2, shipping.OrderUndeliverable, "DELIVERY_ATTEMPTED"))
	e.pass(time.Minute)
	e.carrier.says("1Z1", ev(3, shipping.OrderUndeliverable, "RETURN_STARTED"), ev(9, shipping.OrderUndeliverable, "RETURNED"))
	e.pass(10 * time.Minute)
	e.wantHistory(sh.ID, "PICKUP_COMPLETED", "ORDER_UNDELIVERABLE/DELIVERY_ATTEMPTED", "ORDER_UNDELIVERABLE/RETURN_STARTED", "ORDER_UNDELIVERABLE/RETURNED")
	if e.open() != 0 || e.tracker(tr.ID).Stopped != tracker.StopReturned {
		t.Errorf("%d open, stopped %q", e.open(), e.tracker(tr.ID).Stopped)
	}
}

func TestAllParcelsMustArrive(t *testing.T) {
	e := newFollower(t)
	sh, _ := e.book("o1", "ground", "1Z1", "1Z2")
	e.carrier.says("1Z1", ev(1, shipping.OutForDelivery), ev(2, shipping.OrderDelivered))
	e.carrier.says("1Z2", ev(1, shipping.OutForDelivery))
	e.pass(time.Minute)
	if got := e.shipment(sh.ID); got.Status != shipping.OutForDelivery {
		t.Errorf("one of two has arrived: %s", got.Status)
	}
	e.carrier.says("1Z2", ev(30, shipping.OrderDelivered))
	e.pass(time.Hour)
	if got := e.shipment(sh.ID); got.Status != shipping.OrderDelivered {
		t.Errorf("both have arrived: %s", got.Status)
	}
}

func TestRefreshAsksNow(t *testing.T) {
	e := newFollower(t)
	tr := e.follow("1Z1")
	e.carrier.says("1Z1", ev(0, shipping.InTransit))
	got, err := e.Refresh(context.Background(), caller, tr.ID)
	if err != nil || got.Status != shipping.InTransit {
		t.Fatalf("%+v, %v", got, err)
	}
	e.carrier.set(func(f *fakeCarrier) {
		f.fail = func(carrier.TrackRequest) error {
			return &carrier.Error{Source: carrier.SourceNetwork, Retry: carrier.RetrySafe, Code: carrier.DeadlineExceeded}
		}
	})
	if got, err = e.Refresh(context.Background(), caller, tr.ID); err != nil || got.Status != shipping.InTransit {
		t.Errorf("a carrier in trouble: %+v, %v", got, err)
	}
}

func TestATrackerOfAnUnconnectedCarrierStaysPending(t *testing.T) {
	e := newFollower(t)
	tr := e.follow("X1", func(t *tracker.Tracker) { t.Account, t.Provider = "", "Nobody Express" })
	if len(tr.Warnings) != 1 || !tr.NextPoll.IsZero() {
		t.Errorf("%+v", tr)
	}
	// It gets a carrier later.
	got, err := e.Update(context.Background(), caller, tr.ID, func(t *tracker.Tracker) error { t.Couriers = []string{"our ups"}; return nil })
	if err != nil || got.Account != "ups" || len(got.Warnings) != 0 || got.NextPoll.IsZero() {
		t.Fatalf("%+v, %v", got, err)
	}
	e.carrier.says("X1", ev(1, shipping.InTransit))
	e.pass(time.Minute)
	if got = e.tracker(tr.ID); got.Status != shipping.InTransit {
		t.Errorf("status = %s", got.Status)
	}
	_, err = e.Update(context.Background(), caller, tr.ID, func(t *tracker.Tracker) error { t.Stopped = tracker.StopUnsubscribed; return nil })
	if err != nil || !e.tracker(tr.ID).NextPoll.IsZero() {
		t.Errorf("an unsubscribed tracker is asked for: %v", err)
	}
	if err := e.Delete(context.Background(), caller, tr.ID); err != nil {
		t.Fatal(err)
	}
	_, err = e.Tracker(context.Background(), caller, tr.ID)
	wantType(t, err, "NOT_FOUND")
}

func TestNamesAreUnique(t *testing.T) {
	e := newFollower(t)
	first := e.follow("1Z1", func(t *tracker.Tracker) { t.Names = []string{"ext:1"} })
	again := tracking.CreateRequest{Tracker: &tracker.Tracker{Surface: tracker.OfAPI, Number: "1Z1", Account: "ups", Names: []string{"ext:1"}}}
	_, _, err := e.Create(context.Background(), caller, again)
	wantType(t, err, "DUPLICATE_ID")
	again.Same = "ext:1"
	got, created, err := e.Create(context.Background(), caller, again)
	if err != nil || created || got.ID != first.ID {
		t.Errorf("%v, %v, %v", got, created, err)
	}
	again.Tracker.Account, again.Same = "fedex", ""
	_, _, err = e.Create(context.Background(), caller, again)
	wantType(t, err, "INVALID_TRACKER_DATA")
}

func TestTrackersOfOneNumberShareTheirEvents(t *testing.T) {
	e := newFollower(t)
	e.follow("1Z1")
	e.mustTell(news("1Z1", ev(1, shipping.OrderAssigned), ev(2, shipping.OrderDispatched)))
	second := e.follow("1Z1", func(t *tracker.Tracker) { t.Surface = tracker.OfShip24 })
	if second.Status != shipping.OrderUnassigned || len(second.Events) != 2 {
		t.Errorf("%s with %d events", second.Status, len(second.Events))
	}
	e.mustTell(news("1Z1", ev(1, shipping.OrderAssigned), ev(2, shipping.OrderDispatched)))
	if got := e.tracker(second.ID); len(got.Events) != 2 {
		t.Errorf("the same news enter again: %d events", len(got.Events))
	}
}
