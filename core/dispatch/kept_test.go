package dispatch_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// crossed has somebody cancel the order while the carrier answers another's call to cancel with err, and hear that the cancellation
// is kept.
func crossed(t *testing.T, err error) (*engine, *fakeCarrier) {
	t.Helper()
	f := newFake("ups", "UPS", 500)
	e := newEngine(t, f)
	e.mustCreate("o1")
	f.onCancel = func(carrier.CancelRequest) (bool, error) {
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, err }
		f.mu.Unlock()
		defer f.mu.Lock()
		if res, err := e.cancel("o1"); err != nil || !res.Waiting || len(res.Shipment.AllWarnings()) == 0 || res.Shipment.AllWarnings()[0].Code != "CANCEL_IN_DOUBT" {
			t.Errorf("the second to cancel hears %+v, %v", res, err)
		}
		return false, err
	}
	return e, f
}

// wantRefusalTold checks that whoever was told that the cancellation is kept is told of its end.
func (e *engine) wantRefusalTold(t *testing.T) {
	t.Helper()
	e.pass(time.Hour)
	e.wantLive("o1", "ups")
	if got := e.notes("o1", "CANCELLATION_REFUSED"); len(got) != 1 || e.get("o1").Cancel != nil {
		t.Errorf("history %v, cancel %+v", got, e.get("o1").Cancel)
	}
	e.wantNoJobs()
}

// wantCancelledLater checks that a kept cancellation is asked for until the carrier does it.
func (e *engine) wantCancelledLater(t *testing.T, f *fakeCarrier) {
	t.Helper()
	e.pass(time.Minute)
	if e.get("o1").Cancel == nil {
		t.Error("the kept cancellation was forgotten")
	}
	f.set(func(f *fakeCarrier) { f.onCancel = nil })
	e.pass(time.Hour)
	e.wantLive("o1", "")
	if sh := e.get("o1"); sh.Status != shipping.OrderCancelled || len(f.booked) != 1 || sh.Order.DeliveryAddress.Street1 == "1 New Street" {
		t.Errorf("status %s, booked %d times, order %+v", sh.Status, len(f.booked), sh.Order.DeliveryAddress)
	}
	e.wantNoJobs()
}

// Two cancel at once, and the carrier refuses: the one who asked it hears so, the other reads it.
func TestARefusalIsToldToAllWhoCancel(t *testing.T) {
	e, _ := crossed(t, refusal(carrier.CancelRefused))
	_, err := e.cancel("o1")
	wantType(t, err, usecase.CancellationNotAllowed)
	e.wantRefusalTold(t)
}

// Two cancel at once, and the carrier is busy: the other was told that it goes on, so it does.
func TestABusyCarrierDoesNotWithdrawAnothersCancel(t *testing.T) {
	e, f := crossed(t, retrySafe(carrier.CarrierRateLimited))
	if res, err := e.cancel("o1"); err != nil || !res.Waiting {
		t.Errorf("the first to cancel hears %+v, %v", res, err)
	}
	e.wantCancelledLater(t, f)
}

// A cancel crosses an edit that needs another booking: the edit fails as it is told, the cancel does not fail with it.
func TestAFailedRerouteDoesNotWithdrawACancel(t *testing.T) {
	t.Run("busy", func(t *testing.T) {
		e, f := crossed(t, retrySafe(carrier.CarrierRateLimited))
		_, err := e.edit("o1", moved)
		wantType(t, err, usecase.PlaceOrderFailed)
		e.wantCancelledLater(t, f)
	})
	t.Run("refused", func(t *testing.T) {
		e, _ := crossed(t, refusal(carrier.CancelRefused))
		_, err := e.edit("o1", moved)
		wantType(t, err, usecase.PlaceOrderFailed)
		e.wantRefusalTold(t)
	})
}

// What a fallback rule speaks of while a cancel or a reroute is in doubt is not forgotten: the carrier may refuse that.
func TestAFallbackWaitsForACancelInDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		ask    func(*engine) error
		event  string
		does   bool // the carrier does what it was asked for
		live   string
		status shipping.Status
	}{
		"a cancel, refused":  {cancelled, usecase.ProviderDown, false, "dear", shipping.OrderDispatched},
		"a cancel, done":     {cancelled, usecase.ProviderDown, true, "", shipping.OrderCancelled},
		"a late pickup":      {cancelled, "pickup_late_10m", false, "dear", shipping.OrderDispatched},
		"a reroute, refused": {func(e *engine) error { _, err := e.edit("o1", moved); return err }, usecase.ProviderDown, false, "dear", shipping.OrderDispatched},
		"a reroute, done":    {func(e *engine) error { _, err := e.edit("o1", moved); return err }, usecase.ProviderDown, true, "cheap", shipping.OrderDispatched},
	} {
		t.Run(name, func(t *testing.T) {
			cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
			e := newEngine(t, cheap, dear)
			e.bundle = rulesOf(t, "rules: 1\nfallback:\n  - { name: Move, on: [ provider_down, pickup_late_10m ], steps: [ next_ranked ] }\n")
			e.mustCreate("o1")
			cheap.onCancel = func(carrier.CancelRequest) (bool, error) { return false, lost() }
			if err := c.ask(e); err != nil {
				t.Fatal(err)
			}
			e.tellFallback("o1", c.event)
			e.pass(time.Hour)
			e.wantLive("o1", "cheap")
			cheap.set(func(f *fakeCarrier) {
				f.onCancel = func(carrier.CancelRequest) (bool, error) {
					f.onCancel = nil
					if c.does {
						return true, nil
					}
					return false, refusal(carrier.CancelRefused)
				}
			})
			e.pass(time.Hour)
			e.wantLive("o1", c.live)
			if st := e.get("o1").Status; st != c.status {
				t.Errorf("status %s, want %s", st, c.status)
			}
			want := 1
			if c.does {
				want = 0
			}
			if got := e.notes("o1", "FALLBACK( Move: "+c.event+" )"); min(len(got), 1) != want {
				t.Errorf("history %v", got)
			}
			e.wantNoJobs()
		})
	}
}

// A fallback that is at work already is not begun again by the next event.
func TestAFallbackAtWorkIsNotBegunAgain(t *testing.T) {
	e, cheap, _ := editInDoubt(t)
	cheap.set(func(f *fakeCarrier) {
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, lost() }
	})
	e.tellFallback("o1", usecase.ProviderDown)
	e.pass(time.Minute)
	e.tellFallback("o1", usecase.ProviderDown)
	e.pass(time.Hour)
	cheap.set(func(f *fakeCarrier) {
		f.onCancel = func(carrier.CancelRequest) (bool, error) { return false, refusal(carrier.CancelRefused) }
	})
	e.pass(time.Hour)
	e.wantLive("o1", "cheap")
	if got := e.notes("o1", "FALLBACK"); len(got) != 1 {
		t.Errorf("history %v", got)
	}
}
