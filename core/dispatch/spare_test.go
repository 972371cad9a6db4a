package dispatch_test

import (
	"context"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// A duplicate that is found must be cancelled even if the process dies right after the adoption.
func TestASpareOutlivesTheProcess(t *testing.T) {
	f := newFake("doordash", "DoorDash", 975)
	f.onBook = once(true)
	e := newEngine(t, f)
	if _, err := e.create("o1"); err != nil {
		t.Fatal(err)
	}
	f.set(func(f *fakeCarrier) {
		f.commit(f.booked[0])
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, lost() }
	})
	e.pass(15 * time.Second)
	if a := e.get("o1").Live(shipment.Forward); a == nil || len(a.Spares) != 1 || !a.SpareLeft() {
		t.Fatalf("the spare is not recorded: %+v", a)
	}
	f.set(func(f *fakeCarrier) { f.onCancel = nil })
	e = e.crash()
	e.pass(2 * time.Hour)
	e.wantLive("o1", "doordash")
	e.wantNoJobs()
}

func TestASpareThatTheCarrierKeepsIsAPersons(t *testing.T) {
	f := newFake("doordash", "DoorDash", 975)
	f.onBook = once(true)
	e := newEngine(t, f)
	if _, err := e.create("o1"); err != nil {
		t.Fatal(err)
	}
	f.set(func(f *fakeCarrier) {
		f.commit(f.booked[0])
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, refusal(carrier.CancelRefused) }
	})
	e.pass(time.Hour)
	p, err := e.List(context.Background(), caller, store.ShipmentQuery{NeedsPerson: true})
	if err != nil || len(p.Shipments) != 1 {
		t.Errorf("%d orders need a person, %v", len(p.Shipments), err)
	}
}

// A carrier without idempotency may have booked twice although its answer came.
func TestACarrierWithoutIdempotencyIsLookedAtAgain(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	f.manifest.Idempotency, f.manifest.Absence = carrier.NoIdempotency, carrier.Unproven
	e := newEngine(t, f)
	e.mustCreate("o1")
	f.set(func(f *fakeCarrier) { f.commit(f.booked[0]) })
	e.pass(time.Hour)
	e.wantLive("o1", "ups")
	e.wantNoJobs()
}
