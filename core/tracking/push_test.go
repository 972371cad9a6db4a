package tracking_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestAPushMovesOrderAndTracker(t *testing.T) {
	e := newFollower(t)
	sh, tr := e.book("o1", "courier", "1Z1")
	u := carrier.TrackUpdate{Reference: tr.Reference, Events: []shipping.TrackingEvent{ev(1, shipping.OrderAssigned)}, Driver: &shipping.Driver{Name: "Bea"},
		Delivery: shipping.TimeWindow{EndsAt: shipping.At(start.Add(time.Hour))}}
	for range 3 { // carriers repeat what was not acknowledged in time
		e.mustTell(u)
	}
	e.wantHistory(sh.ID, "ORDER_ASSIGNED")
	got := e.shipment(sh.ID)
	if got.Progress.Driver == nil || got.Progress.Driver.Name != "Bea" || !got.Progress.EstimatedDelivery.EndsAt.Equal(start.Add(time.Hour)) {
		t.Errorf("progress = %+v", got.Progress)
	}
	e.mustTell(carrier.TrackUpdate{Reference: tr.Reference, Events: []shipping.TrackingEvent{ev(2, shipping.OrderDispatched)}})
	e.wantHistory(sh.ID, "ORDER_ASSIGNED", "ORDER_UNASSIGNED")
	if got = e.shipment(sh.ID); got.Progress.Driver != nil {
		t.Errorf("the driver who gave it back is shown: %+v", got.Progress.Driver)
	}
	if got := e.tracker(tr.ID); len(got.Events) != 2 || got.Events[0].Origin != tracker.ByPush {
		t.Errorf("events = %+v", got.Events)
	}
}

func TestTheSecretTellsWhoseItIs(t *testing.T) {
	e := newFollower(t)
	ctx := context.Background()
	mine, err1 := e.PushSecret(ctx, "demo", "ups")
	theirs, err2 := e.PushSecret(ctx, "rival", "ups")
	if err1 != nil || err2 != nil || mine == theirs || len(mine) < 32 {
		t.Fatalf("%q, %q, %v, %v", mine, theirs, err1, err2)
	}
	e.rival.push = func(carrier.Push) (carrier.PushAnswer, error) {
		return carrier.PushAnswer{Updates: []carrier.TrackUpdate{news("1Z1", ev(1, shipping.InTransit))}, Status: 202}, nil
	}
	tr := e.follow("1Z1")
	if a, err := e.Push(ctx, "ups", theirs, carrier.Push{}); err != nil || a.Status != 202 {
		t.Fatal(a, err)
	}
	if got := e.tracker(tr.ID); got.Status != shipping.OrderDispatched {
		t.Error("another tenant's push moves the tracker")
	}
	for _, c := range [][2]string{{"ups", "wrong"}, {"ups", ""}, {"fedex", mine}} {
		_, err := e.Push(ctx, c[0], c[1], carrier.Push{})
		wantType(t, err, "NOT_FOUND")
	}
	// It is the same after a start, and the operator's own where there is one.
	e.restart()
	if again, _ := e.PushSecret(ctx, "demo", "ups"); again != mine {
		t.Error("the secret changes with a start")
	}
	e.config.Tenants["demo"].Accounts["ups"].PushSecret = config.Secret("an-own-secret-1234")
	if own, _ := e.PushSecret(ctx, "demo", "ups"); own != "an-own-secret-1234" {
		t.Errorf("secret = %q", own)
	}
}

// A carrier goes on pushing when its account was taken out of the configuration: it is told to try again, and heard when the account is
// back.
func TestAPushToAnAccountThatIsGone(t *testing.T) {
	e := newFollower(t)
	ctx := context.Background()
	tr := e.follow("1Z1")
	secret, err := e.PushSecret(ctx, "demo", "ups")
	if err != nil {
		t.Fatal(err)
	}
	e.carrier.push = func(carrier.Push) (carrier.PushAnswer, error) {
		return carrier.PushAnswer{Updates: []carrier.TrackUpdate{news("1Z1", ev(1, shipping.InTransit))}}, nil
	}
	accounts := e.config.Tenants["demo"].Accounts
	e.config.Tenants["demo"].Accounts = map[string]*config.Account{}
	_, err = e.Push(ctx, "ups", secret, carrier.Push{})
	wantType(t, err, "SERVICE_UNAVAILABLE")
	_, err = e.Push(ctx, "ups", "wrong", carrier.Push{})
	wantType(t, err, "NOT_FOUND")
	_, err = e.Push(ctx, "dhl", secret, carrier.Push{})
	wantType(t, err, "NOT_FOUND")
	e.config.Tenants["demo"].Accounts = accounts
	if _, err = e.Push(ctx, "ups", secret, carrier.Push{}); err != nil {
		t.Fatal(err)
	}
	if got := e.tracker(tr.ID); got.Status != shipping.InTransit {
		t.Errorf("status = %s", got.Status)
	}
}

func TestPushesThatAreNotTaken(t *testing.T) {
	e := newFollower(t)
	for code, want := range map[carrier.Code]string{carrier.PushRejected: "UNAUTHORIZED", carrier.CarrierProtocol: "VALIDATION_ERROR", carrier.AdapterDied: "INTERNAL_SERVER_ERROR"} {
		secret, _ := e.PushSecret(context.Background(), "demo", "ups")
		e.carrier.push = func(carrier.Push) (carrier.PushAnswer, error) {
			return carrier.PushAnswer{}, &carrier.Error{Code: code}
		}
		_, err := e.Push(context.Background(), "ups", secret, carrier.Push{Method: http.MethodPost})
		wantType(t, err, usecase.Type(want))
	}
}

func TestNewsComeBeforeTheirTracker(t *testing.T) {
	e := newFollower(t)
	for range 2 {
		e.mustTell(news("1Z1", ev(1, shipping.InTransit)))
	}
	e.mustTell(carrier.TrackUpdate{Reference: fmt.Sprintf("%026d", 2), Events: []shipping.TrackingEvent{ev(1, shipping.OrderAssigned)}})
	if parked, err := e.store.Parked(context.Background(), "demo", "ups", "1Z1"); err != nil || len(parked) != 1 {
		t.Fatalf("%d parked, %v", len(parked), err)
	}
	if tr := e.follow("1Z1"); tr.Status != shipping.InTransit || len(tr.Events) != 1 {
		t.Errorf("%s with %d events", tr.Status, len(tr.Events))
	}
	sh, _ := e.book("o1", "courier", "N1") // its reference has the serial 2
	e.pass(6 * time.Minute)
	e.wantHistory(sh.ID, "ORDER_ASSIGNED")
	for _, key := range []string{"1Z1", fmt.Sprintf("%026d", 2)} {
		if parked, _ := e.store.Parked(context.Background(), "demo", "ups", key); len(parked) != 0 {
			t.Errorf("%d news of %s are still parked", len(parked), key)
		}
	}
	e.mustTell(carrier.TrackUpdate{Events: []shipping.TrackingEvent{ev(1, shipping.InTransit)}}) // names nothing: dropped
}

func TestParkedNewsExpire(t *testing.T) {
	e := newFollower(t)
	e.mustTell(news("1Z1", ev(1, shipping.InTransit)))
	if _, err := e.store.Sweep(context.Background(), start.Add(15*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if tr := e.follow("1Z1"); len(tr.Events) != 0 {
		t.Errorf("%d events", len(tr.Events))
	}
}

// However many follow a number, a push is acknowledged when all of them have heard it, and whoever begins afterwards knows it too.
func TestACrowdHearsOfAPush(t *testing.T) {
	e := newFollower(t)
	const many = 230
	ship24 := func(tr *tracker.Tracker) { tr.Surface, tr.Tags = tracker.OfShip24, []string{"crowd"} }
	for range many {
		e.follow("1Z1", ship24)
	}
	sh, _ := e.book("o1", "ground", "1Z1")
	api := e.follow("1Z1")
	for range 2 {
		e.mustTell(news("1Z1", ev(1, shipping.InTransit)))
	}
	all, err := e.TrackersByTag(context.Background(), caller, "crowd")
	if err != nil || len(all) != many {
		t.Fatalf("%d of %d, %v", len(all), many, err)
	}
	for i, tr := range append(all, e.tracker(api.ID)) {
		if len(tr.Events) != 1 || tr.Status != shipping.InTransit {
			t.Fatalf("tracker %d: %s with %d events", i, tr.Status, len(tr.Events))
		}
	}
	e.wantHistory(sh.ID, "IN_TRANSIT")
	if late := e.follow("1Z1"); len(late.Events) != 1 {
		t.Errorf("a late one has %d events", len(late.Events))
	}
}

// Numbers are the same however they are written: in the push, by who follows them, and while nobody does.
func TestANumberIsTheSameInAnyWriting(t *testing.T) {
	for _, pushed := range []string{"1Z12345E0279538750", "1z12345e0279538750", "1Z 123 45E 02 7953 8750", "1Z-12345-E02-7953-8750"} {
		e := newFollower(t)
		e.mustTell(news(pushed, ev(1, shipping.InTransit)))
		var all []*tracker.Tracker
		for _, n := range []string{"1Z12345E0279538750", "1z12345E0279538750", "1Z 123 45E 02 7953 8750"} {
			all = append(all, e.follow(n))
		}
		sh, booked := e.book("o1", "ground", "1z12345e0279538750", "1Z-OTHER")
		e.mustTell(news(pushed, ev(2, shipping.OutForDelivery)))
		for i, tr := range all {
			got := e.tracker(tr.ID)
			if len(got.Events) != 2 || got.Status != shipping.OutForDelivery {
				t.Errorf("pushed as %q: %s with %d events", pushed, got.Status, len(got.Events))
			}
			if got.Number != tr.Number || !slices.Equal(got.Numbers(), []string{tr.Number}) {
				t.Errorf("%d is asked for as %v, and shown as %s", i, got.Numbers(), got.Number)
			}
		}
		e.wantHistory(sh.ID, "OUT_FOR_DELIVERY")
		if got := e.tracker(booked.ID); got.Events[0].Number != "1z12345e0279538750" {
			t.Errorf("pushed as %q: the event is that of %s", pushed, got.Events[0].Number)
		}
	}
}

// A tracker that was written before numbers were compared so is found as it was then, and in any writing once it has heard something.
func TestAnOldTrackerIsFound(t *testing.T) {
	e := newFollower(t)
	old := e.follow("1z1", func(tr *tracker.Tracker) { tr.Account = "" })
	old.Account, old.Tags = "ups", []string{tracker.ParcelTag("ups", "1z1")}
	if err := e.store.Commit(context.Background(), "demo", &store.Tx{Trackers: []*tracker.Tracker{old}}); err != nil {
		t.Fatal(err)
	}
	e.mustTell(news("1z1", ev(1, shipping.InTransit)))
	e.mustTell(news("1Z1", ev(2, shipping.OutForDelivery)))
	if got := e.tracker(old.ID); len(got.Events) != 2 {
		t.Errorf("%d events", len(got.Events))
	}
}

// Only the last of many has heard something: who begins afterwards knows it all the same.
func TestANewTrackerKnowsWhatAnyOtherKnows(t *testing.T) {
	e := newFollower(t)
	for range 120 {
		e.follow("1Z1")
	}
	knows := e.follow("1Z1")
	e.carrier.says("1Z1", ev(1, shipping.InTransit))
	if _, err := e.Refresh(context.Background(), caller, knows.ID); err != nil {
		t.Fatal(err)
	}
	if late := e.follow("1Z1"); len(late.Events) != 1 {
		t.Errorf("%d events", len(late.Events))
	}
}

// What is acknowledged is written: a commit that fails is told to the carrier, which sends the push again.
func TestOnlyWhatIsWrittenIsAcknowledged(t *testing.T) {
	e := newFollower(t)
	sh, _ := e.book("o1", "courier", "1Z1")
	e.Service = tracking.New(func() tracking.Settings {
		s := e.Settings
		s.Store = broken{s.Store}
		return s
	}())
	wantType(t, e.tell(news("1Z1", ev(1, shipping.OrderAssigned))), "INTERNAL_SERVER_ERROR")
	wantType(t, e.tell(news("unknown", ev(1, shipping.OrderAssigned))), "INTERNAL_SERVER_ERROR")
	e.wantHistory(sh.ID)
}

type broken struct{ store.Store }

func (broken) Commit(context.Context, string, *store.Tx) error { return store.ErrUnavailable }

func TestPushesAtOnceLoseNothing(t *testing.T) {
	e := newFollower(t)
	sh, tr := e.book("o1", "ground", "1Z1")
	secret, _ := e.PushSecret(context.Background(), "demo", "ups")
	e.carrier.push = func(p carrier.Push) (carrier.PushAnswer, error) {
		return carrier.PushAnswer{Updates: []carrier.TrackUpdate{news("1Z1", ev(len(p.Body), shipping.InTransit))}}, nil
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 2 {
				if _, err := e.Push(context.Background(), "ups", secret, carrier.Push{Body: make([]byte, i+1)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := e.tracker(tr.ID); len(got.Events) != 8 {
		t.Errorf("%d of 8 events", len(got.Events))
	}
	if h := e.history(sh.ID); h[len(h)-1] != "IN_TRANSIT" && h[0] != "IN_TRANSIT" {
		t.Errorf("history = %v", h)
	}
}

// However news come, by poll or push, in which order and how often, order and tracker say the same in the end, and the booking is
// counted out once.
func TestOrderAndTrackerAgree(t *testing.T) {
	life := []shipping.TrackingEvent{ev(0, shipping.OrderDispatched), ev(1, shipping.OrderAssigned), ev(2, shipping.OrderDispatched), ev(3, shipping.OrderAssigned),
		ev(4, shipping.PickupStarted), ev(5, shipping.PickupStarted, "DRIVER_AT_PICKUP"), ev(6, shipping.PickupCompleted), ev(7, shipping.OutForDelivery)}
	ends := map[string][]shipping.TrackingEvent{"delivered": {ev(9, shipping.OrderDelivered)},
		"returned":  {ev(9, shipping.OrderUndeliverable), ev(10, shipping.OrderUndeliverable, "RETURN_STARTED"), ev(12, shipping.OrderUndeliverable, "RETURNED")},
		"after all": {ev(9, shipping.OrderUndeliverable, "RETURN_STARTED"), ev(10, shipping.OrderDelivered)}}
	rapid.Check(t, func(rt *rapid.T) {
		e := newFollower(t)
		sh, tr := e.book("o1", "ground", "1Z1")
		end := rapid.SampledFrom([]string{"delivered", "returned", "after all"}).Draw(rt, "end")
		all := append(slices.Clone(life), ends[end]...)
		for _, i := range rapid.Permutation(numbers(len(all))).Draw(rt, "order") {
			switch rapid.SampledFrom([]string{"push", "push twice", "poll"}).Draw(rt, "way") {
			case "push":
				e.mustTell(news("1Z1", all[i]))
			case "push twice":
				e.mustTell(carrier.TrackUpdate{Reference: tr.Reference, Events: []shipping.TrackingEvent{all[i]}})
				e.mustTell(news("1Z1", all[i]))
			case "poll":
				e.carrier.says("1Z1", all[i])
				if _, err := e.Refresh(context.Background(), caller, tr.ID); err != nil {
					rt.Fatal(err)
				}
			}
			e.clock.Advance(time.Second)
		}
		last := all[len(all)-1]
		got, now := e.shipment(sh.ID), e.tracker(tr.ID)
		if now.Status != last.Status || now.SubStatus != last.SubStatus || got.Status != now.Status || got.SubStatus != now.SubStatus {
			rt.Fatalf("order %s/%s, tracker %s/%s, want %s/%s; history %v", got.Status, got.SubStatus, now.Status, now.SubStatus, last.Status, last.SubStatus, e.history(sh.ID))
		}
		if len(now.Events) != len(all) || e.open() != 0 || !now.NextPoll.IsZero() {
			rt.Fatalf("%d of %d events, %d open, next poll %v", len(now.Events), len(all), e.open(), now.NextPoll)
		}
	})
}

func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func TestStatusByHand(t *testing.T) {
	e := newFollower(t)
	ctx := context.Background()
	sh, tr := e.book("o1", "courier", "1Z1")
	set := func(u tracking.StatusUpdate) error {
		u.Override = true
		_, err := e.SetShipmentStatus(ctx, caller, "o1", u)
		return err
	}
	wantType(t, set(tracking.StatusUpdate{Status: shipping.RequestReceived}), "INVALID_OPERATION")
	e.clock.Advance(time.Minute)
	where := &shipping.Location{Latitude: 42, Longitude: -71}
	if err := set(tracking.StatusUpdate{Status: shipping.PickupCompleted, Note: "taken", Driver: &shipping.Driver{Name: "Bea"}, Location: where,
		Proofs: []shipment.Attachment{{Type: "photo", URL: "https://p/1"}}}); err != nil {
		t.Fatal(err)
	}
	got := e.shipment(sh.ID)
	if p := got.Progress; p.Driver.Name != "Bea" || !p.LastLocation.IsManual || len(p.Proofs) != 1 || p.ActualPickup.IsZero() {
		t.Errorf("progress = %+v", p)
	}
	// What the carrier says of earlier times does not take it back.
	e.mustTell(news("1Z1", ev(0, shipping.OrderAssigned)))
	e.wantHistory(sh.ID, "PICKUP_COMPLETED", "?ORDER_ASSIGNED")
	wantType(t, set(tracking.StatusUpdate{Status: shipping.OutForDelivery, At: start.Add(-time.Hour)}), "VALIDATION_ERROR")
	wantType(t, set(tracking.StatusUpdate{Status: shipping.OutForDelivery, At: start.Add(time.Second)}), "INVALID_OPERATION")
	e.clock.Advance(time.Minute)
	if _, err := e.SetTrackerStatus(ctx, caller, tr.ID, tracking.StatusUpdate{Status: shipping.OrderDelivered, Override: true}); err != nil {
		t.Fatal(err)
	}
	if got = e.shipment(sh.ID); got.Status != shipping.OrderDelivered || got.Attempts[0].State != shipment.Ended || e.open() != 0 {
		t.Errorf("%s, %s, %d open", got.Status, got.Attempts[0].State, e.open())
	}
	wantType(t, set(tracking.StatusUpdate{Status: shipping.OrderDelivered}), "INVALID_OPERATION")
	_, err := e.SetShipmentStatus(ctx, caller, "nothing", tracking.StatusUpdate{Status: shipping.OrderDelivered})
	wantType(t, err, "NOT_FOUND")
	lines, _ := e.store.History(ctx, "demo", sh.ID)
	if lines[0].User != "key" || lines[0].Note != "taken" {
		t.Errorf("line = %+v", lines[0])
	}
}

// TestACarrierThatTracksHasTheLastWord: a person may say that the order stands ready, and no more, unless they insist.
func TestACarrierThatTracksHasTheLastWord(t *testing.T) {
	ctx := context.Background()
	for _, abilities := range [][]carrier.Ability{{carrier.CanTrack}, {carrier.CanReceivePush}, {carrier.CanBook}} {
		e := newFollower(t)
		e.carrier.manifest.Abilities = abilities
		sh, tr := e.book("o1", "courier", "1Z1")
		set := func(u tracking.StatusUpdate) error {
			_, err1 := e.SetShipmentStatus(ctx, caller, "o1", u)
			_, err2 := e.SetTrackerStatus(ctx, caller, tr.ID, u)
			if err1 != nil {
				return errors.Join(err1, err2)
			}
			return nil
		}
		e.clock.Advance(time.Minute)
		if _, err := e.SetShipmentStatus(ctx, caller, "o1", tracking.StatusUpdate{Status: shipping.Staged}); err != nil {
			t.Errorf("%v: ready at the shop: %v", abilities, err)
		}
		e.clock.Advance(time.Minute)
		err := set(tracking.StatusUpdate{Status: shipping.OrderDelivered})
		if abilities[0] == carrier.CanBook {
			if err != nil {
				t.Errorf("%v: %v", abilities, err)
			}
			continue
		}
		wantType(t, err, "INVALID_OPERATION")
		if err == nil || !strings.Contains(err.Error(), "override") {
			t.Errorf("%v: %v", abilities, err)
		}
		e.wantHistory(sh.ID, "STAGED")
		if _, err := e.SetShipmentStatus(ctx, caller, "o1", tracking.StatusUpdate{Status: shipping.OrderDelivered, Override: true, Note: "the buyer has called"}); err != nil {
			t.Errorf("%v: %v", abilities, err)
		}
	}
}

func TestStatusByHandOfATracker(t *testing.T) {
	e := newFollower(t)
	tr := e.follow("1Z1")
	ctx := context.Background()
	e.clock.Advance(time.Minute)
	got, err := e.SetTrackerStatus(ctx, caller, tr.ID, tracking.StatusUpdate{Status: shipping.OrderDelivered, Note: "at the door"})
	if err != nil || got.Status != shipping.OrderDelivered || got.Stopped != tracker.StopDelivered || got.Events[0].User != "key" {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err = e.SetTrackerStatus(ctx, caller, tr.ID, tracking.StatusUpdate{Status: shipping.InTransit})
	wantType(t, err, "INVALID_OPERATION")
	if got, err = e.Erase(ctx, caller, tr.ID); err != nil || got.Events[0].Note != "" || got.ErasedAt.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}

// An order that was booked before orders had trackers can be moved by hand all the same.
func TestStatusByHandWithoutATracker(t *testing.T) {
	e := newFollower(t)
	sh, tr := e.book("o1", "courier", "1Z1")
	if err := e.store.Commit(context.Background(), "demo", &store.Tx{DropTrackers: []tracker.ID{tr.ID}}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.SetShipmentStatus(context.Background(), caller, "o1", tracking.StatusUpdate{Status: shipping.OrderDelivered, Override: true}); err != nil {
		t.Fatal(err)
	}
	e.wantHistory(sh.ID, "ORDER_DELIVERED")
	if e.open() != 0 {
		t.Errorf("%d open", e.open())
	}
}
