package dispatch_test

import (
	"context"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// starting is a carrier whose adapter is being started for the first time, and what ends that.
func starting() (f *fakeCarrier, end func(fails bool)) {
	f = newFake("dash", "Dash", 500)
	f.starting, f.start, f.waited = true, make(chan struct{}), make(chan struct{}, 1)
	return f, func(fails bool) {
		f.set(func(f *fakeCarrier) { f.starting = fails })
		close(f.start)
	}
}

// An order that comes while adapters are being started is not lost for that.
func TestAnOrderWaitsForAdaptersThatStart(t *testing.T) {
	f, end := starting()
	e := newEngine(t, f)
	e.config.Dispatch.AnswerWithin = time.Hour
	type answer struct {
		res dispatch.Result
		err error
	}
	done := make(chan answer)
	go func() {
		res, err := e.create("o1")
		done <- answer{res, err}
	}()
	select {
	case a := <-done:
		t.Fatalf("it did not wait: %+v, %v", a.res.Shipment, a.err)
	case <-f.waited:
	}
	end(false)
	if a := <-done; a.err != nil || a.res.Waiting || a.res.Shipment.Status != shipping.OrderDispatched {
		t.Errorf("%+v, %v", a.res, a.err)
	}
	e.wantLive("o1", "dash")
	e.wantNoJobs()
}

// A start that takes longer than a call may is answered as an order that goes on.
func TestAnOrderGoesOnWhenAdaptersStartLate(t *testing.T) {
	f, end := starting()
	e := newEngine(t, f) // whose calls answer at once
	res, err := e.create("o1", func(r *dispatch.CreateRequest) { r.IdempotencyKey, r.BodyHash = "k", []byte("h") })
	if err != nil || !res.Waiting || res.Shipment.Status != shipping.RequestReceived {
		t.Fatalf("%+v, %v", res, err)
	}
	rates, err := e.Rates(context.Background(), caller, order("r1"))
	if err != nil || len(rates.Rows) > 0 || len(rates.Errors) != 1 || rates.Errors[0].Type != "ADAPTER_UNAVAILABLE" {
		t.Errorf("rates %+v, %v", rates, err)
	}
	end(false)
	e.pass(time.Second)
	e.wantLive("o1", "dash")
	e.wantNoJobs()
	res, err = e.create("o1", func(r *dispatch.CreateRequest) { r.IdempotencyKey, r.BodyHash = "k", []byte("h") })
	if err != nil || res.Waiting || res.Shipment.Status != shipping.OrderDispatched {
		t.Errorf("sent again: %+v, %v", res, err)
	}
}

// An adapter that cannot be started is not waited for.
func TestAnOrderDoesNotWaitForABrokenAdapter(t *testing.T) {
	f, end := starting()
	e := newEngine(t, f)
	e.config.Dispatch.AnswerWithin = time.Hour
	end(true)
	_, err := e.create("o1")
	wantType(t, err, usecase.NoProviderMatched)
	e.wantStatus("o1", shipping.RequestReceived, shipping.EstimatesFailed)
}
