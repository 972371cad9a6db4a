package dispatch_test

import (
	"context"
	"encoding/json"
	"errors"
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

// people are words of an order that tell of people.
var people = []string{"Eulalia", "5550147", "eulalia@", "Hidden Lane", "Suite 9", "back door", "loyalty-77", "front desk"}

// personal makes an order that tells of people wherever it can.
func personal(r *dispatch.CreateRequest) {
	o := &r.Order
	o.DeliveryContact = shipping.Contact{Name: "Eulalia Price", Phone: "+1 617-5550147", Email: "eulalia@example.com"}
	o.DeliveryAddress.Street1, o.DeliveryAddress.Street2 = "7 Hidden Lane", "Suite 9"
	door, desk := "Use the back door", "Ask at the front desk"
	o.DeliveryInstructions, o.PickupInstructions = &door, &desk
	o.Attributes = map[string]any{"card": "loyalty-77"}
}

// everything is all that the store answers of an order, as text.
func everything(t *testing.T, e *engine, sh *shipment.Shipment) string {
	t.Helper()
	ctx := context.Background()
	doc, err0 := e.store.Shipment(ctx, "demo", sh.ID)
	h, err1 := e.store.History(ctx, "demo", sh.ID)
	d, err2 := e.store.Decisions(ctx, "demo", sh.ID)
	x, err3 := e.store.Exchanges(ctx, "demo", sh.ID)
	m, err4 := e.store.MessagesOf(ctx, "demo", store.ShipmentSubject(string(sh.ID)))
	if err := errors.Join(err0, err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	records := ""
	for _, r := range d {
		records += string(r.Record)
	}
	b, err := json.Marshal([]any{doc, h, x, m})
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + records
}

func TestErasedOrdersTellOfNobody(t *testing.T) {
	dash := newFake("doordash", "DoorDash", 975)
	dash.onBook = func(r carrier.BookRequest) (bool, error) { return true, nil }
	e := newEngine(t, dash)
	sh := e.mustCreate("o1", personal)
	e.mustCreate("neighbour", personal)
	before := everything(t, e, sh)
	for _, word := range people {
		if !strings.Contains(before, word) {
			t.Errorf("%q is stored nowhere: the test shows nothing about it", word)
		}
	}
	_, err := e.Erase(context.Background(), caller, "o1")
	wantType(t, err, usecase.InvalidOperation) // its carrier has it
	if err := e.setStatus("o1", shipping.OrderDelivered, "DEL( Eulalia has signed )"); err != nil {
		t.Fatal(err)
	}
	erased, err := e.Erase(context.Background(), caller, "o1")
	if err != nil || erased.ErasedAt.IsZero() {
		t.Fatalf("%+v, %v", erased, err)
	}
	after := everything(t, e, sh)
	for _, word := range people {
		if strings.Contains(after, word) {
			t.Errorf("%q is still stored: %s", word, after)
		}
	}
	if _, err := e.store.Label(context.Background(), "demo", sh.ID, 1, 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the label: %v", err)
	}
	e.wantStatus("o1", shipping.RequestReceived, shipping.EstimatesReceived, shipping.OrderDispatched, shipping.OrderDelivered)
	if a := e.get("o1").Attempts[0]; a.Fee.Minor != 975 || a.Booking.Amount.Minor != 975 || a.Booking.TrackingID == "" {
		t.Errorf("what it has cost, and under which number: %+v", a)
	}
	if again, err := e.Erase(context.Background(), caller, "o1"); err != nil || again.Revision != erased.Revision {
		t.Errorf("erased again: %v", err)
	}
	_, err = e.Edit(context.Background(), caller, "o1", func(o shipment.Order) (shipment.Order, error) { return order("o1"), nil })
	wantType(t, err, usecase.InvalidOperation)
	_, err = e.Erase(context.Background(), usecase.Caller{Tenant: "other", Key: "k"}, "neighbour")
	wantType(t, err, usecase.NotFound)
	if !strings.Contains(everything(t, e, e.get("neighbour")), "Eulalia") {
		t.Error("a neighbour was erased too")
	}
}

func TestErasedFailuresAreNotRetried(t *testing.T) {
	ups := newFake("ups", "UPS", 1200)
	ups.onQuote = func(carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
		return carrier.QuoteAnswer{}, refusal("OUT_OF_ZONE")
	}
	e := newEngine(t, ups)
	if _, err := e.create("o1", personal); err == nil {
		t.Fatal("nobody carries the order, and it was accepted")
	}
	if _, err := e.Erase(context.Background(), caller, "o1"); err != nil {
		t.Fatal(err)
	}
	_, err := e.Retry(context.Background(), caller, "o1")
	wantType(t, err, usecase.InvalidOperation)
}

// TestOrdersInDoubtAreErasedLater: what is in doubt may have to be sent again, so erasing by age waits for its end.
func TestOrdersInDoubtAreErasedLater(t *testing.T) {
	e, _, _ := doubtful(t, true, nil)
	sh := e.get("o1")
	_, err := e.Erase(context.Background(), caller, "o1")
	wantType(t, err, usecase.InvalidOperation)
	if err := e.store.Commit(context.Background(), "demo", &store.Tx{PutJobs: []store.Job{dispatch.EraseJob("demo", sh.ID, e.clock.Now())}}); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Hour)
	if e.get("o1").Live(shipment.Forward) == nil || !e.get("o1").ErasedAt.IsZero() {
		t.Fatalf("%+v", e.get("o1"))
	}
	e.pass(25 * time.Hour)
	if got := e.get("o1"); got.ErasedAt.IsZero() || got.Order.DeliveryContact.Name != "" {
		t.Errorf("after a day: %+v", got.Order)
	}
	e.wantLive("o1", "doordash")
	e.wantNoJobs()
}
