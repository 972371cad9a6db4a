package dispatch_test

import (
	"context"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// keptForConfirmation is an order whose cancellation waits for a person to confirm its number, D-77.
func keptForConfirmation(t *testing.T) (*engine, *fakeCarrier) {
	t.Helper()
	e, dash := undecided(t)
	if res, err := e.cancel("o1"); err != nil || !res.Waiting {
		t.Fatalf("%+v, %v", res, err)
	}
	if err := e.tell("o1", "D-77"); err != nil {
		t.Fatal(err)
	}
	if sh := e.get("o1"); sh.Cancel == nil || len(e.needing()) != 1 {
		t.Fatalf("the cancellation does not wait for a person: %+v", sh.Cancel)
	}
	return e, dash
}

// A cancellation that waits for a person is done where the person has the carrier cancel the booking: the order is cancelled, as its caller
// was told, can be erased, and is not booked anew.
func TestAKeptCancellationIsDoneAtTheCarriers(t *testing.T) {
	e, dash := keptForConfirmation(t)
	if err := e.hear("o1", shipment.Heard{Status: shipping.OrderCancelled, User: "DoorDash", Note: "VOIDED"}); err != nil {
		t.Fatal(err)
	}
	sh := e.get("o1")
	if sh.Status != shipping.OrderCancelled || sh.Cancel != nil || len(e.needing()) != 0 || len(dash.cancels) != 0 {
		t.Errorf("%s, cancel %v, %d need a person, cancels %+v", sh.Status, sh.Cancel, len(e.needing()), dash.cancels)
	}
	if _, err := e.Retry(context.Background(), caller, "o1"); err == nil {
		t.Error("a cancelled order is tried again")
	}
	if u, err := e.store.Usage(context.Background(), "demo", "doordash", ""); err != nil || u.Open != 0 {
		t.Errorf("usage %+v, %v", u, err)
	}
	// The order's own booking may show yet: it is cancelled then.
	ref := dash.consign("P-1")
	e.pass(24 * time.Hour)
	if got := dash.cancelled(); len(got) != 1 || got[0] != ref || dash.live() != 0 {
		t.Errorf("cancelled %q, %d live", got, dash.live())
	}
	if _, err := e.Erase(context.Background(), caller, "o1"); err != nil {
		t.Errorf("erase: %v", err)
	}
}

// What the merchant has had cancelled at the carrier is not bought again: no rule, and nobody who tries, has it booked anew.
func TestWhatTheMerchantHasCancelledAtTheCarriersIsNotBoughtAgain(t *testing.T) {
	dash, ups := newFake("doordash", "DoorDash", 500), newFake("ups", "UPS", 900)
	e := newEngine(t, dash, ups)
	e.bundle = rulesOf(t, fallbackRules("    steps: [ next_ranked ]\n"))
	e.mustCreate("o1")
	dash.set(func(f *fakeCarrier) { f.bookings[e.get("o1").Attempts[0].Reference][0].Cancelled = true })
	err := e.hear("o1", shipment.Heard{Status: shipping.OrderCancelled, User: "DoorDash", Note: "cancelled( cancelled_by_creator )",
		Reason: &shipping.EventReason{Code: shipping.CancelledByMerchant}})
	if err != nil {
		t.Fatal(err)
	}
	e.tellFallback("o1", "cancelled_by_carrier")
	e.pass(time.Hour)
	e.wantLive("o1", "")
	e.wantStatus("o1", shipping.RequestReceived, shipping.EstimatesReceived, shipping.OrderDispatched, shipping.OrderCancelled)
	if _, err := e.Retry(context.Background(), caller, "o1"); err == nil {
		t.Error("a cancelled order is tried again")
	}
	if len(ups.booked) != 0 || len(dash.cancels) != 0 {
		t.Errorf("UPS was asked to book %d times, DoorDash to cancel %d times", len(ups.booked), len(dash.cancels))
	}
	e.wantUsage("doordash", 0, 1)
}

// An earlier version took the carrier's cancellation for its own will, and kept ours: who tries such an order again has it booked, and not
// cancelled at once.
func TestARetryIsNotCancelledByAForgottenCancellation(t *testing.T) {
	e, dash := keptForConfirmation(t)
	kept := e.get("o1").Cancel
	sh := e.get("o1")
	sh.Cancel = nil
	if err := e.put(sh); err != nil {
		t.Fatal(err)
	}
	if err := e.hear("o1", shipment.Heard{Status: shipping.OrderCancelled, User: "DoorDash"}); err != nil {
		t.Fatal(err)
	}
	sh = e.get("o1")
	sh.Cancel = kept
	if err := e.put(sh); err != nil || sh.Status != shipping.ErrorException {
		t.Fatalf("%s, %v", sh.Status, err)
	}
	dash.set(func(f *fakeCarrier) { f.onBook = nil })
	if _, err := e.Retry(context.Background(), caller, "o1"); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Hour)
	e.wantLive("o1", "doordash")
	if sh := e.get("o1"); sh.Status != shipping.OrderDispatched || sh.Cancel != nil {
		t.Errorf("%s, cancel %v", sh.Status, sh.Cancel)
	}
}
