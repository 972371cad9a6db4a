package dispatch_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// narrow is a store that takes a transaction only as long as its exchanges and labels are small.
func narrow(e *engine, exchangeBytes, labelBytes int) {
	e.store.refuse = func(tx *store.Tx) error {
		exchanged, labelled := 0, 0
		for _, x := range tx.Exchanges {
			exchanged += len(x.ResponseBody)
		}
		for _, l := range tx.Labels {
			labelled += len(l.Data)
		}
		if exchanged > exchangeBytes || labelled > labelBytes {
			return fmt.Errorf("commit: %w", store.ErrTooLarge)
		}
		return nil
	}
}

// TestABookingIsAlwaysRecorded: whatever comes with a booking, that it was made is written down, and what was not says so.
func TestABookingIsAlwaysRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		exchange int // bytes
		store    func(*engine)
		change   func(*carrier.Booking)
		check    func(t *testing.T, sh *shipment.Shipment, trace dispatch.Trace, label error)
	}{
		"exchanges too large": {exchange: 10_000, store: func(e *engine) { narrow(e, 1000, 1<<20) },
			check: func(t *testing.T, sh *shipment.Shipment, trace dispatch.Trace, label error) {
				notes := 0
				for _, x := range trace.Exchanges {
					if x.Op == "book" && strings.HasPrefix(x.Lost, "2 exchanges were not kept") {
						notes++
					}
				}
				if notes != 1 || label != nil || len(sh.Warnings) != 0 {
					t.Errorf("trace %+v, label %v, warnings %+v", trace.Exchanges, label, sh.Warnings)
				}
			}},
		"exchanges and labels too large": {exchange: 10_000, store: func(e *engine) { narrow(e, 1000, 1000) },
			change: func(b *carrier.Booking) {
				b.Parcels[0].Label = &shipping.Label{Format: shipping.ZPL, Data: make([]byte, 5000)}
			},
			check: func(t *testing.T, sh *shipment.Shipment, _ dispatch.Trace, label error) {
				if len(sh.Warnings) != 1 || sh.Warnings[0].Code != "LABEL_NOT_KEPT" {
					t.Errorf("warnings %+v", sh.Warnings)
				}
				if usecase.AsError(label).Type != usecase.NotFound {
					t.Errorf("label: %v", label)
				}
			}},
		"a label larger than any store takes": {
			change: func(b *carrier.Booking) {
				b.Parcels[0].Label = &shipping.Label{Format: shipping.ZPL, Data: make([]byte, 33<<20)}
			},
			check: func(t *testing.T, sh *shipment.Shipment, _ dispatch.Trace, _ error) {
				if len(sh.Warnings) != 1 || sh.Warnings[0].Code != "LABEL_NOT_KEPT" {
					t.Errorf("warnings %+v", sh.Warnings)
				}
			}},
		"warnings without end": {
			change: func(b *carrier.Booking) {
				for range 2000 {
					b.Warnings = append(b.Warnings, strings.Repeat("w", 5000))
				}
			},
			check: func(t *testing.T, sh *shipment.Shipment, _ dispatch.Trace, _ error) {
				if n := len(sh.Warnings); n == 0 || n > 100 || len(sh.Warnings[0].Message) > 3000 {
					t.Errorf("%d warnings", n)
				}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake("ups", "UPS", 500)
			e := newEngine(t, f)
			f.onBooked = func(ctx context.Context, b *carrier.Booking) {
				carrier.TraceOf(ctx).Add(carrier.Exchange{Method: "POST", URL: "http://carrier.example/more", ResponseBody: strings.Repeat("x", c.exchange), Status: 200})
				if c.change != nil {
					c.change(b)
				}
			}
			if c.store != nil {
				c.store(e)
			}
			e.mustCreate("o1")
			e.wantLive("o1", "ups")
			e.wantNoJobs()
			trace, err := e.Trace(t.Context(), caller, "o1")
			if err != nil {
				t.Fatal(err)
			}
			_, label := e.Label(t.Context(), caller, "o1", 1)
			c.check(t, e.get("o1"), trace, label)
		})
	}
}

// TestARefusalIsAlwaysRecorded: so is what became of an attempt that was not booked, and an answer that cannot be one is doubted.
func TestARefusalIsAlwaysRecorded(t *testing.T) {
	ups, dash := newFake("ups", "UPS", 500), newFake("doordash", "DoorDash", 600)
	ups.onBook = func(carrier.BookRequest) (bool, error) {
		e := refusal(carrier.ServiceUnavailable).(*carrier.Error)
		e.Message, e.CarrierMessage = strings.Repeat("no ", 3<<20), strings.Repeat("nein ", 3<<20)
		return false, e
	}
	e := newEngine(t, ups, dash)
	e.mustCreate("o1")
	e.wantLive("o1", "doordash")

	for _, number := range []string{strings.Repeat("1Z", 5<<20), "1Z\x00"} {
		odd := newFake("ups", "UPS", 500)
		e = newEngine(t, odd)
		odd.onBooked = func(_ context.Context, b *carrier.Booking) { b.TrackingID = number }
		if res, err := e.create("o1"); err != nil || !res.Waiting {
			t.Fatalf("%+v, %v", res, err)
		}
		e.pass(time.Hour)
		e.wantLive("o1", "ups")
		e.wantNoJobs()
	}
}
