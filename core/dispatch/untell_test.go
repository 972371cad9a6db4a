package dispatch_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var absent = dispatch.Resolution{Outcome: dispatch.OutcomeAbsent}

// followers are the numbers under which the order's bookings are followed.
func (e *engine) followers(id string) (numbers []string) {
	e.t.Helper()
	ts, err := e.store.TrackersByTags(context.Background(), "demo", []string{tracker.ShipmentTag(e.get(id).ID)}, 10)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, t := range ts {
		numbers = append(numbers, t.Number)
	}
	return numbers
}

// A number that a person has told by mistake is taken back: there is no booking.
func TestAToldBookingIsAbsentAfterAll(t *testing.T) {
	for _, attempt := range []int{0, 1} {
		e, dash := byWord(t)
		if err := e.hear("o1", shipment.Heard{Status: shipping.OutForDelivery, User: "DoorDash"}); err != nil { // what another's parcel does
			t.Fatal(err)
		}
		if res, err := e.resolve(dispatch.Resolution{Attempt: attempt, Outcome: dispatch.OutcomeAbsent}); err != nil || !res.Waiting {
			t.Fatalf("%+v, %v", res, err)
		}
		sh := e.get("o1")
		if a := sh.Attempts[0]; a.State != shipment.Absent || a.Booking != nil || a.Doubt.Told || sh.Status != shipping.PendingDispatch || !sh.Progress.ActualPickup.IsZero() {
			t.Errorf("status %s, attempt %+v, progress %+v", sh.Status, a, sh.Progress)
		}
		if notes := e.notes("o1", "NUMBER_WITHDRAWN"); !slices.Equal(notes, []string{"NUMBER_WITHDRAWN( DoorDash D-77: a person has found that it is not the order's )"}) {
			t.Errorf("history: %q", notes)
		}
		if has, follow := e.claimants("booking:doordash:D77"), e.followers("o1"); has[0] != "" || len(follow) > 0 {
			t.Errorf("its number is claimed by %q, followed as %q", has, follow)
		}
		e.pass(time.Minute)
		e.wantLive("o1", "doordash")
		// The person was wrong again.
		dash.set(func(f *fakeCarrier) { f.commit(f.booked[0]) })
		e.pass(24 * time.Hour)
		e.wantLive("o1", "doordash")
	}
}

// A number that a person has told by mistake is corrected, again and again.
func TestAToldNumberIsToldAnew(t *testing.T) {
	e, dash := byWord(t)
	for _, number := range []string{"D-78", "D-79"} {
		if res, err := e.resolve(booked(number)); err != nil || res.Waiting {
			t.Fatalf("%+v, %v", res, err)
		}
		a := e.get("o1").Live(shipment.Forward)
		if a == nil || a.Booking.TrackingID != number || !a.Doubt.Told || e.get("o1").Status != shipping.OrderDispatched {
			t.Fatalf("attempt %+v", a)
		}
		if f := e.followers("o1"); !slices.Equal(f, []string{number}) {
			t.Errorf("followed as %q", f)
		}
	}
	if has := e.claimants("booking:doordash:D77", "booking:doordash:D78", "booking:doordash:D79"); has[0] != "" || has[1] != "" || has[2] != e.get("o1").ID {
		t.Errorf("claimed by %q", has)
	}
	_, err := e.resolve(booked("D-79"))
	if x := wantType(t, err, usecase.InvalidOperation); !strings.Contains(x.Message, "waybill shipments resolve o1 --attempt 1 --outcome absent") {
		t.Errorf("%s", x.Message)
	}
	if _, err := e.confirm("D-79"); err != nil {
		t.Fatal(err)
	}
	e.wantCancelled(dash, "D-79")
}

// Once the carrier has shown the booking, nothing is taken back.
func TestAConfirmedBookingIsNotTakenBack(t *testing.T) {
	e, dash := byWord(t)
	dash.set(func(f *fakeCarrier) { f.consign("P-1") })
	_, err := e.resolve(absent)
	if x := wantType(t, err, usecase.InvalidOperation); !strings.Contains(x.Message, "doordash000001") {
		t.Errorf("what the carrier shows is not said: %s", x.Message)
	}
	e.pass(24 * time.Hour)
	for _, r := range []dispatch.Resolution{absent, booked("D-80")} {
		_, err := e.resolve(r)
		wantType(t, err, usecase.InvalidOperation)
	}
	e.wantOwn("doordash000001", "P-1")
}

// A carrier that does not know the number that is to be cancelled has not got the order's booking under it: the order is a person's.
func TestACancelOfANumberThatTheCarrierDoesNotKnow(t *testing.T) {
	kept := func(t *testing.T, hook func(carrier.CancelRequest) (bool, error)) (*engine, *fakeCarrier) {
		t.Helper()
		e, dash := byWord(t)
		dash.set(func(f *fakeCarrier) { f.onCancel = hook })
		for range 2 { // as often as somebody tries
			res, err := e.confirm("D-77")
			if err != nil || !res.Waiting || res.Shipment.AllWarnings()[0].Code != "CANCEL_IN_DOUBT" || !strings.Contains(res.Shipment.AllWarnings()[0].Message, "waybill shipments resolve o1 --attempt 1") {
				t.Fatalf("%+v, %v", res, err)
			}
		}
		if need := e.needing(); len(need) != 1 || !strings.Contains(need[0].Attempts[0].Doubt.Last, "DoorDash knows no booking D-77") || len(e.notes("o1", "NEEDS_ATTENTION( DoorDash: DoorDash knows")) != 1 {
			t.Fatalf("%d orders need a person; history %q", len(need), e.notes("o1", "NEEDS_ATTENTION"))
		}
		e.pass(time.Hour)
		if sh := e.get("o1"); sh.Live(shipment.Forward) == nil || len(e.needing()) != 1 {
			t.Fatalf("status %s", sh.Status)
		}
		return e, dash
	}
	unheard := func(carrier.CancelRequest) (bool, error) { return false, refusal(carrier.BookingNotFound) }
	t.Run("absent", func(t *testing.T) {
		e, _ := kept(t, unheard)
		if res, err := e.resolve(absent); err != nil || res.Waiting {
			t.Fatalf("%+v, %v", res, err)
		}
		if sh := e.get("o1"); sh.Status != shipping.OrderCancelled || sh.Attempts[0].State != shipment.Absent || len(e.needing()) != 0 {
			t.Errorf("status %s, attempt %s", sh.Status, sh.Attempts[0].State)
		}
	})
	t.Run("the right number", func(t *testing.T) {
		e, dash := kept(t, unheard)
		if _, err := e.resolve(booked("D-78")); err != nil {
			t.Fatal(err)
		}
		if need := e.needing(); len(need) != 1 || !strings.Contains(need[0].Attempts[0].Doubt.Last, "waybill shipments cancel o1 --confirm-number D-78") {
			t.Fatalf("what is to be done is not told: %+v", need)
		}
		dash.set(func(f *fakeCarrier) { f.onCancel = nil })
		if res, err := e.confirm("D-78"); err != nil || res.Waiting {
			t.Fatalf("%+v, %v", res, err)
		}
		if st := e.get("o1").Status; st != shipping.OrderCancelled || len(e.needing()) != 0 {
			t.Errorf("status %s", st)
		}
	})
	t.Run("after a lost answer", func(t *testing.T) {
		n := 0
		e, _ := kept(t, func(carrier.CancelRequest) (bool, error) {
			if n++; n == 1 {
				return false, lost()
			}
			return false, refusal(carrier.BookingNotFound)
		})
		if _, err := e.resolve(absent); err != nil || e.get("o1").Status != shipping.OrderCancelled {
			t.Errorf("status %s, %v", e.get("o1").Status, err)
		}
	})
	t.Run("it shows", func(t *testing.T) {
		e, dash := kept(t, unheard)
		dash.set(func(f *fakeCarrier) { f.onCancel = nil; f.consign("P-1") })
		e.pass(24 * time.Hour)
		if st := e.get("o1").Status; st != shipping.OrderCancelled || dash.live() != 0 || len(e.needing()) != 0 {
			t.Errorf("status %s, %d live", st, dash.live())
		}
	})
}

// While it is not known what came of a cancellation, the number is not exchanged under it; a person who is asked about that may say that the
// number was wrong.
func TestANumberIsNotTakenBackWhileItIsCancelled(t *testing.T) {
	e, dash := byWord(t)
	dash.set(func(f *fakeCarrier) {
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, lost() }
	})
	if res, err := e.confirm("D-77"); err != nil || !res.Waiting {
		t.Fatalf("%+v, %v", res, err)
	}
	for _, r := range []dispatch.Resolution{absent, booked("D-78")} {
		_, err := e.resolve(r)
		wantType(t, err, usecase.InvalidOperation)
	}
	e.pass(25 * time.Hour)
	if _, err := e.resolve(booked("D-78")); err != nil {
		t.Fatal(err)
	}
	sh := e.get("o1")
	if a := sh.Live(shipment.Forward); a == nil || a.Booking.TrackingID != "D-78" || a.CancelIntent != nil || sh.Cancel == nil || len(e.needing()) != 1 {
		t.Fatalf("attempt %+v, cancel %+v", a, sh.Cancel)
	}
	dash.set(func(f *fakeCarrier) { f.onCancel = nil })
	if _, err := e.confirm("D-78"); err != nil || e.get("o1").Status != shipping.OrderCancelled {
		t.Errorf("status %s, %v", e.get("o1").Status, err)
	}
}

// Another number for the same booking tells the carrier nothing: that it was not told of an edit stands on.
func TestAnotherNumberInformsNobody(t *testing.T) {
	e, dash := byWord(t)
	dash.set(func(f *fakeCarrier) {
		f.manifest.Abilities = slices.DeleteFunc(f.manifest.Abilities, func(a carrier.Ability) bool { return a == carrier.CanEdit })
	})
	ring := "Ring twice"
	if _, err := e.edit("o1", func(o *shipment.Order) { o.DeliveryInstructions = &ring }); err != nil {
		t.Fatal(err)
	}
	warned := func() bool {
		return slices.ContainsFunc(e.get("o1").Warnings, func(w shipment.Warning) bool { return w.Code == "PROVIDER_NOT_INFORMED" })
	}
	if !warned() {
		t.Fatal("no warning")
	}
	if err := e.tell("o1", "D-78"); err != nil {
		t.Fatal(err)
	}
	if a := e.get("o1").Live(shipment.Forward); a == nil || a.Booking.TrackingID != "D-78" || !warned() {
		t.Errorf("attempt %+v, warned %v", a, warned())
	}
}
