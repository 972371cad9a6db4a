package dispatch_test

import (
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// corrected has a cancellation of D-77, by a person's confirmed word, answered with answer after the carrier has shown the order's own
// booking and the person has resolved the attempt with that.
func corrected(t *testing.T, answer error) (*engine, *fakeCarrier) {
	t.Helper()
	e, dash := byWord(t)
	asking, answered := make(chan struct{}), make(chan struct{})
	dash.onCancel = func(r carrier.CancelRequest) (bool, error) {
		if r.CarrierRef != "D-77" {
			return true, nil
		}
		dash.mu.Unlock() // the carrier serves others while it thinks
		close(asking)
		<-answered
		dash.mu.Lock()
		return false, answer
	}
	type outcome struct {
		waiting bool
		warning string
		err     error
	}
	out := make(chan outcome, 1)
	go func() {
		res, err := e.confirm("D-77")
		o := outcome{waiting: res.Waiting, err: err}
		if len(res.Shipment.AllWarnings()) > 0 {
			o.warning = res.Shipment.AllWarnings()[0].Code
		}
		out <- o
	}()
	<-asking
	dash.set(func(f *fakeCarrier) { f.consign("P-1") })
	_, err := e.resolve(booked("P-1"))
	close(answered)
	o := <-out
	if err != nil {
		t.Fatal(err)
	}
	if o.err != nil || !o.waiting || o.warning != "CANCEL_IN_DOUBT" {
		t.Errorf("the caller hears %+v", o)
	}
	if sh := e.get("o1"); sh.Cancel == nil || sh.Status == shipping.OrderCancelled || sh.Live(shipment.Forward) == nil || sh.Live(shipment.Forward).CancelIntent == nil {
		t.Errorf("the cancellation does not go on: %s, %+v", sh.Status, sh.Cancel)
	}
	return e, dash
}

// What a carrier says of cancelling one number says nothing of another, under which the order turns out to be booked meanwhile.
func TestTheAnswerToACancelCountsForItsNumberOnly(t *testing.T) {
	for name, answer := range map[string]error{"done": nil, "refused": refusal(carrier.CancelRefused), "unknown there": refusal(carrier.BookingNotFound)} {
		t.Run(name, func(t *testing.T) {
			e, dash := corrected(t, answer)
			e.pass(time.Minute)
			e.wantCancelled(dash, "D-77", "doordash000001")
			if dash.live() != 0 || len(e.needing()) != 0 {
				t.Errorf("%d bookings live, %d orders need a person", dash.live(), len(e.needing()))
			}
			if told := len(e.notes("o1", "NUMBER_CANCELLED( DoorDash D-77")); told != 1 && answer == nil || told != 0 && answer != nil {
				t.Errorf("that another's booking was cancelled is told %d times", told)
			}
		})
	}
	t.Run("the booking stands", func(t *testing.T) {
		e, dash := corrected(t, nil)
		dash.set(func(f *fakeCarrier) {
			f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, refusal(carrier.CancelRefused) }
		})
		e.pass(time.Minute)
		if sh := e.get("o1"); sh.Status != shipping.OrderDispatched || sh.Cancel != nil || dash.live() != 1 || len(e.notes("o1", "CANCELLATION_REFUSED")) != 1 {
			t.Errorf("status %s, cancel %+v, %d live", sh.Status, sh.Cancel, dash.live())
		}
		if asked := dash.cancelled(); !slices.Equal(asked, []string{"D-77", "doordash000001"}) {
			t.Errorf("asked to cancel %q", asked)
		}
	})
}
