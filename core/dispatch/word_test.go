package dispatch_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// wordEnded has an order whose attempt has come to its end, while it was booked as D-77 by a person's word alone.
func wordEnded(t *testing.T, delivered bool) (*engine, *fakeCarrier) {
	t.Helper()
	e, dash := byWord(t)
	want := shipment.Cancelled
	if delivered {
		want = shipment.Ended
		if err := e.hear("o1", shipment.Heard{Status: shipping.OrderDelivered, User: "DoorDash", At: e.clock.Now()}); err != nil {
			t.Fatal(err)
		}
	} else if _, err := e.confirm("D-77"); err != nil {
		t.Fatal(err)
	}
	if a := e.get("o1").Attempts[0]; a.State != want {
		t.Fatalf("the attempt is %s", a.State)
	}
	return e, dash
}

// An attempt that has ended under a person's number proves nothing about the order's reference: what shows there later is cancelled, as
// after an absence that a person has told of.
func TestWhatShowsAfterAPersonsNumberEndedIsCancelled(t *testing.T) {
	for name, delivered := range map[string]bool{"cancelled": false, "delivered": true} {
		t.Run(name, func(t *testing.T) {
			e, dash := wordEnded(t, delivered)
			status := e.get("o1").Status
			e.pass(3 * 24 * time.Hour)
			dash.set(func(f *fakeCarrier) { f.consign("P-1") })
			e = e.crash()
			e.pass(24 * time.Hour)
			if dash.live() != 0 || e.get("o1").Status != status || len(e.notes("o1", "SPARE_CANCELLED( DoorDash doordash000001 )")) != 1 {
				t.Errorf("%d bookings live, status %s, history %q", dash.live(), e.get("o1").Status, e.notes("o1", "SPARE"))
			}
			e.watchOut()
			e.wantNoJobs()
		})
		t.Run(name+", and nothing shows", func(t *testing.T) {
			e, _ := wordEnded(t, delivered)
			e.watchOut()
			e.wantNoJobs()
		})
	}
	t.Run("a number of a parcel of it was cancelled", func(t *testing.T) {
		e, dash := undecided(t)
		if err := e.tell("o1", "P-1"); err != nil {
			t.Fatal(err)
		}
		if _, err := e.confirm("P-1"); err != nil {
			t.Fatal(err)
		}
		dash.set(func(f *fakeCarrier) { f.consign("P-1", "P-2") })
		e.pass(24 * time.Hour)
		e.wantCancelled(dash, "P-1", "doordash000001")
	})
	t.Run("a number of a parcel of it was delivered", func(t *testing.T) {
		e, dash := undecided(t)
		if err := e.tell("o1", "P-1"); err != nil {
			t.Fatal(err)
		}
		if err := e.hear("o1", shipment.Heard{Status: shipping.OrderDelivered, User: "DoorDash", At: e.clock.Now()}); err != nil {
			t.Fatal(err)
		}
		dash.set(func(f *fakeCarrier) { f.consign("P-1", "P-2") })
		e.pass(24 * time.Hour)
		if asked := dash.cancelled(); len(asked) > 0 {
			t.Errorf("asked to cancel %q, which is the order's", asked)
		}
	})
	t.Run("late", func(t *testing.T) {
		e, dash := byWord(t)
		e.pass(10 * 24 * time.Hour) // nobody looks any more
		if _, err := e.confirm("D-77"); err != nil {
			t.Fatal(err)
		}
		dash.set(func(f *fakeCarrier) { f.consign("P-1") })
		e.pass(24 * time.Hour)
		e.wantCancelled(dash, "D-77", "doordash000001")
	})
}
