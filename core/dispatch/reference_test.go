package dispatch_test

import (
	"context"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
)

// Walks that died before their intent have asked in rounds that nobody has counted. An order that is edited after them is not asked about
// under their references: a carrier that reserves those at the quote would book what the order was before.
func TestAnEditedOrderIsNotAskedAboutUnderEarlierReferences(t *testing.T) {
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	if _, err := e.create("o1", func(r *dispatch.CreateRequest) { r.Async = true }); err != nil {
		t.Fatal(err)
	}
	e.store.refuse = func(tx *store.Tx) error {
		if len(tx.Decisions) > 0 {
			return store.ErrUnavailable
		}
		return nil
	}
	for range 2 {
		_, _ = e.runner.RunDue(context.Background(), e.clock.Now())
		e.clock.Advance(time.Minute)
	}
	e.store.refuse = nil
	before := len(f.asked)
	if before != 2 {
		t.Fatalf("%d walks have asked and died", before)
	}
	words := "Leave it with the neighbour"
	if _, err := e.Edit(context.Background(), caller, "o1", func(o shipment.Order) (shipment.Order, error) {
		o.DeliveryInstructions = &words
		return o, nil
	}); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Hour)
	e.wantLive("o1", "ups")
	for i, was := range f.asked[:before] {
		for _, is := range f.asked[before:] {
			if was.Reference == is.Reference {
				t.Errorf("asked under %s the %d. time, and again after the edit", was.Reference, i+1)
			}
		}
	}
}
