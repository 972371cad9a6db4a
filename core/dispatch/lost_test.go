package dispatch_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// tracks has the carrier's tracking tell of a number, and gives the carrier that ability.
func (f *fakeCarrier) tracks(number string, statuses ...shipping.Status) {
	f.set(func(f *fakeCarrier) {
		f.manifest.Abilities = append(f.manifest.Abilities, carrier.CanTrack)
		f.onTrack = func(p carrier.TrackedParcel) carrier.TrackUpdate {
			u := carrier.TrackUpdate{Number: p.Number, Reference: p.Reference}
			if u.Unknown = p.Number != number; u.Unknown {
				return u
			}
			for i, s := range statuses {
				u.Events = append(u.Events, shipping.TrackingEvent{Status: s, Time: shipping.At(time.Date(2026, 3, 2, 16, i, 0, 0, time.UTC))})
			}
			return u
		}
	})
}

// refusesAfterLosing loses the first answer to a cancellation, which has done nothing, and refuses with code from then on.
func (f *fakeCarrier) refusesAfterLosing(code carrier.Code) {
	f.set(func(f *fakeCarrier) {
		n := 0
		f.onCancel = func(carrier.CancelRequest) (bool, error) {
			if n++; n == 1 {
				return false, lost()
			}
			return false, refusal(code)
		}
	})
}

// That nothing shows under the order's reference says nothing of a booking that a person has told of: the carrier refuses to cancel it, and
// an earlier answer was lost.
func TestALostCancelOfAPersonsNumberIsAskedOfItsNumber(t *testing.T) {
	picked := []shipping.Status{shipping.OrderDispatched, shipping.PickupCompleted, shipping.OutForDelivery}
	t.Run("on the road", func(t *testing.T) {
		e, dash := byWord(t)
		dash.tracks("D-77", picked...)
		dash.refusesAfterLosing(carrier.CancelRefused)
		_, err := e.confirm("D-77")
		wantType(t, err, usecase.CancellationNotAllowed)
		if sh := e.get("o1"); sh.Status != shipping.OrderDispatched || sh.Live(shipment.Forward) == nil || sh.Cancel != nil {
			t.Errorf("status %s, cancel %+v", sh.Status, sh.Cancel)
		}
	})
	t.Run("the process died meanwhile", func(t *testing.T) {
		e, dash := byWord(t)
		dash.tracks("D-77", picked...)
		dash.set(func(f *fakeCarrier) {
			f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, refusal(carrier.CancelRefused) }
		})
		e.store.fail(2, 1000, false)
		if _, err := e.confirm("D-77"); err == nil {
			t.Fatal("the commit of the answer failed, and nobody heard of it")
		}
		e.store.heal()
		e = e.crash()
		e.pass(time.Hour)
		if sh := e.get("o1"); sh.Status != shipping.OrderDispatched || sh.Cancel != nil || len(e.notes("o1", "CANCELLATION_REFUSED")) != 1 {
			t.Errorf("status %s, cancel %+v", sh.Status, sh.Cancel)
		}
	})
	t.Run("cancelled by the first", func(t *testing.T) {
		e, dash := byWord(t)
		dash.tracks("D-77", shipping.OrderDispatched, shipping.OrderCancelled)
		dash.refusesAfterLosing(carrier.CancelRefused)
		if res, err := e.confirm("D-77"); err != nil || res.Waiting {
			t.Fatalf("%+v, %v", res, err)
		}
		if st := e.get("o1").Status; st != shipping.OrderCancelled {
			t.Errorf("status %s", st)
		}
	})
	for name, prepare := range map[string]func(*fakeCarrier){
		"nothing has happened to it": func(f *fakeCarrier) { f.tracks("D-77", shipping.OrderDispatched) },
		"tracking does not know it":  func(f *fakeCarrier) { f.tracks("X") },
		"the carrier does not track": func(*fakeCarrier) {},
		"it is delayed":              func(f *fakeCarrier) { f.tracks("D-77", shipping.OrderDelayed) },
	} {
		t.Run(name, func(t *testing.T) {
			e, dash := byWord(t)
			prepare(dash)
			dash.refusesAfterLosing(carrier.CancelRefused)
			res, err := e.confirm("D-77")
			if err != nil || !res.Waiting || res.Shipment.AllWarnings()[0].Code != "CANCEL_IN_DOUBT" {
				t.Fatalf("%+v, %v", res, err)
			}
			e.pass(25 * time.Hour)
			if sh := e.get("o1"); sh.Live(shipment.Forward) == nil || len(e.needing()) != 1 {
				t.Fatalf("status %s, %d orders need a person", sh.Status, len(e.needing()))
			}
			dash.set(func(f *fakeCarrier) { f.onCancel = nil })
			e.pass(time.Hour)
			if st := e.get("o1").Status; st != shipping.OrderCancelled || len(e.needing()) != 0 {
				t.Errorf("status %s, %d orders need a person", st, len(e.needing()))
			}
		})
	}
}

// A carrier whose silence proves nothing may not show the booking that it has made itself, and that it refuses to cancel.
func TestALostCancelIsNotBelievedWhereSilenceProvesNothing(t *testing.T) {
	for _, code := range []carrier.Code{carrier.CancelRefused, carrier.BookingNotFound} {
		for _, absence := range []carrier.Absence{carrier.Unproven, carrier.Proven} {
			f := newFake("ups", "UPS", 500)
			f.manifest.Absence = absence
			e := newEngine(t, f)
			e.mustCreate("o1")
			f.refusesAfterLosing(code)
			f.set(func(f *fakeCarrier) { clear(f.bookings) }) // as far as its search shows
			res, err := e.cancel("o1")
			if err != nil || res.Waiting != (absence == carrier.Unproven) {
				t.Fatalf("%s %s: %+v, %v", code, absence, res, err)
			}
			if absence == carrier.Proven {
				continue
			}
			f.tracks(e.get("o1").Live(shipment.Forward).Booking.TrackingID, shipping.PickupCompleted)
			e.pass(time.Hour)
			if sh := e.get("o1"); sh.Live(shipment.Forward) == nil {
				t.Errorf("%s: status %s", code, sh.Status)
			}
		}
	}
}
