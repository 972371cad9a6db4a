package tracking_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// A carrier that pushes what it is asked to push is asked once for all parcels, before each end again, and is polled more rarely
// meanwhile.
func TestACarrierIsAskedToPush(t *testing.T) {
	e := newFollower(t, carrier.CanTrack, carrier.CanReceivePush, carrier.CanSubscribePush)
	const life = 14 * 24 * time.Hour
	var asked []carrier.SubscribeRequest
	e.carrier.set(func(f *fakeCarrier) {
		f.agree = func(r carrier.SubscribeRequest) (carrier.PushSubscription, error) {
			asked = append(asked, r)
			taken := slices.DeleteFunc(slices.Clone(r.Numbers), func(n string) bool { return strings.HasPrefix(n, "X") })
			return carrier.PushSubscription{Numbers: taken, Until: shipping.At(e.clock.Now().Add(life))}, nil
		}
	})
	e.carrier.says("1Z1", ev(0, shipping.InTransit))
	e.carrier.says("X1", ev(0, shipping.InTransit))
	tr, other := e.follow("1Z1"), e.follow("X1")
	e.pass(time.Minute)
	want := []string{"1Z1", "X1"}
	var numbers []string
	for _, r := range asked {
		numbers = append(numbers, r.Numbers...)
		if url, err := e.PushURL(t.Context(), "demo", "ups"); err != nil || r.URL != url || !strings.Contains(url, "/carriers/ups/push/") {
			t.Errorf("the carrier is to push to %q, the account's URL is %q, %v", r.URL, url, err)
		}
	}
	if slices.Sort(numbers); !slices.Equal(numbers, want) {
		t.Fatalf("asked to push %v, want %v", numbers, want)
	}
	pushedOne, polledOne := e.tracker(tr.ID), e.tracker(other.ID)
	if pushedOne.PushedUntil.IsZero() || !polledOne.PushedUntil.IsZero() || polledOne.NextAsked.IsZero() {
		t.Errorf("agreed until %v and %v", pushedOne.PushedUntil, polledOne.PushedUntil)
	}
	now := e.clock.Now()
	if rarely, often := pushedOne.NextPoll.Sub(now), polledOne.NextPoll.Sub(now); rarely < 3*often {
		t.Errorf("what is pushed is polled after %v, what is not after %v", rarely, often)
	}
	asked = nil
	for day := range 11 { // it is never silent
		e.carrier.says("1Z1", ev(day*24*60+60, shipping.InTransit))
		e.pass(24 * time.Hour)
	}
	for _, r := range asked {
		if slices.Contains(r.Numbers, "1Z1") {
			t.Fatal("asked again long before the end")
		}
	}
	asked = nil
	e.pass(2 * 24 * time.Hour)
	if !slices.ContainsFunc(asked, func(r carrier.SubscribeRequest) bool { return slices.Contains(r.Numbers, "1Z1") }) {
		t.Error("not asked again before the end")
	}
	if got := e.tracker(tr.ID).PushedUntil; !got.After(pushedOne.PushedUntil) {
		t.Errorf("agreed until %v, and again until %v", pushedOne.PushedUntil, got)
	}
}

// A carrier that fails to answer is polled as ever and asked again a day later.
func TestPollsGoOnWithoutAnAgreement(t *testing.T) {
	e := newFollower(t, carrier.CanTrack, carrier.CanReceivePush, carrier.CanSubscribePush)
	tries := 0
	e.carrier.set(func(f *fakeCarrier) {
		f.agree = func(carrier.SubscribeRequest) (carrier.PushSubscription, error) {
			tries++
			return carrier.PushSubscription{}, &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Code: carrier.CarrierUnavailable, Message: "down"}
		}
	})
	e.carrier.says("1Z1", ev(0, shipping.InTransit))
	tr := e.follow("1Z1")
	e.pass(12 * time.Hour)
	if got := e.tracker(tr.ID); tries != 1 || len(got.Events) != 1 || got.Polls.Errors != 0 || !got.PushedUntil.IsZero() {
		t.Errorf("asked to push %d times; %+v", tries, got.Polls)
	}
	e.pass(24 * time.Hour)
	if tries != 2 {
		t.Errorf("asked to push %d times within 36 hours, want 2", tries)
	}
}
