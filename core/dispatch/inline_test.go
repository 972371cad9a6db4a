package dispatch_test

import (
	"context"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// A call that has an order dispatched is answered in its time, as the order stands then, and the order is carried on to its end.
func TestACallIsAnsweredWhileItsOrderIsStillBooked(t *testing.T) {
	cases := []struct {
		name    string
		prepare func(e *engine, f *fakeCarrier)
		ask     func(e *engine) (dispatch.Result, error)
		stands  shipping.Status
		id      string // of what is booked
	}{
		{"create", nil, func(e *engine) (dispatch.Result, error) { return e.create("o1") }, shipping.EstimatesReceived, "o1"},
		{"retry", func(e *engine, f *fakeCarrier) {
			f.set(func(f *fakeCarrier) {
				f.onBook = func(carrier.BookRequest) (bool, error) { return false, retrySafe(carrier.CarrierUnavailable) }
			})
			if _, err := e.create("o1"); err == nil {
				t.Fatal("the order was booked")
			}
		}, func(e *engine) (dispatch.Result, error) { return e.Retry(context.Background(), caller, "o1") }, shipping.EstimatesReceived, "o1"},
		{"release", func(e *engine, _ *fakeCarrier) {
			e.bundle = rulesOf(t, "rules: 1\nhold:\n  - { name: Fraud review, when: order.total < usd(100), until: released }\n")
			e.mustCreate("o1")
		}, func(e *engine) (dispatch.Result, error) { return e.Release(context.Background(), anna, "o1") }, shipping.EstimatesReceived, "o1"},
		{"return", func(e *engine, _ *fakeCarrier) { e.delivered("o1") },
			func(e *engine) (dispatch.Result, error) { return e.giveBack("o1") }, shipping.EstimatesReceived, "o1-R1"},
		{"rebooking edit", func(e *engine, _ *fakeCarrier) { e.mustCreate("o1") }, func(e *engine) (dispatch.Result, error) {
			return e.edit("o1", func(o *shipment.Order) { o.DeliveryAddress.Street1 = "801 Albany Street" })
		}, shipping.EstimatesReceived, "o1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFake("dash", "Dash", 500)
			e := newEngine(t, f)
			if c.prepare != nil {
				c.prepare(e, f)
			}
			answered, booking := make(chan struct{}), make(chan struct{})
			f.set(func(f *fakeCarrier) {
				f.onBook = func(carrier.BookRequest) (bool, error) {
					close(booking)
					<-answered
					return true, nil
				}
			})
			e.CallWithin = 50 * time.Millisecond
			e.config.Dispatch.AnswerWithin = time.Hour // of a clock that stands still: nobody must wait by it any more
			res, err := c.ask(e)
			<-booking
			if err != nil || !res.Waiting || res.Shipment.Status != c.stands && res.Shipment.Status != shipping.RequestReceived {
				t.Errorf("answered %+v, %v", res, err)
			}
			close(answered)
			e.Drain()
			e.wantStatusEnd(c.id, shipping.OrderDispatched)
			if sh := e.get(c.id); sh.Live(sh.Way()) == nil {
				t.Error("nobody has it")
			}
			e.wantNoJobs()
		})
	}
}

// When the engine stops, a walk that takes too long is ended: what the carrier has answered is written down all the same, and nobody
// else's walk is begun.
func TestDrainEndsWalks(t *testing.T) {
	f := newFake("dash", "Dash", 500)
	e := newEngine(t, f)
	e.config.Dispatch.BookTimeout = time.Hour
	e.CallWithin = time.Millisecond
	booking := make(chan struct{})
	f.onBooked = func(ctx context.Context, _ *carrier.Booking) {
		close(booking)
		<-ctx.Done()
	}
	if res, err := e.create("o1"); err != nil || !res.Waiting {
		t.Fatalf("%+v, %v", res, err)
	}
	<-booking
	drained := make(chan struct{})
	go func() {
		e.Drain()
		close(drained)
	}()
	if err := e.clock.AwaitTimers(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	e.clock.Advance(time.Minute)
	<-drained
	e.wantLive("o1", "dash")
	e.wantNoJobs()
	f.set(func(f *fakeCarrier) { f.onBooked = nil })
	if res, err := e.create("o2"); err != nil || !res.Waiting || res.Shipment.Status != shipping.RequestReceived {
		t.Errorf("after the stop: %+v, %v", res, err)
	}
	e.pass(time.Second)
	e.wantStatusEnd("o2", shipping.OrderDispatched)
}

// A panic in a walk is the order's alone.
func TestAPanicOfAWalkIsAnError(t *testing.T) {
	f := newFake("dash", "Dash", 500)
	e := newEngine(t, f)
	f.onBook = func(carrier.BookRequest) (bool, error) { panic("book") }
	if _, err := e.create("o1"); err == nil {
		t.Error("no error")
	}
}
