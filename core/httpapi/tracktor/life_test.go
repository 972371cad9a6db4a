package tracktor_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestLifeOfAnOrder goes from the shop's webhooks over the carrier's news to what clients read and what subscribers hear.
func TestLifeOfAnOrder(t *testing.T) {
	s := open(t)
	all, delivered, one, ours := listen(t), listen(t), listen(t), listen(t)
	s.Do("POST", "/webhooks", fmt.Sprintf(`{"url":%q,"topics":["*"]}`, ours.URL)).Want(201)
	token := s.hears(all, "order/all")
	s.hears(delivered, "order/delivered")
	for _, topic := range []string{"fulfillment/pre_transit", "fulfillment/in_transit", "fulfillment/out_for_delivery", "fulfillment/delivered"} {
		s.hears(one, topic)
	}
	s.taken("orders/create", order(orderID, "2026-03-05T10:00:00-05:00", `"fulfillment_status":null`))
	golden(t, "order_new", s.order(orderID).Body)
	s.Catch()
	if got := append(all.heard(), one.heard()...); len(got) != 0 {
		t.Errorf("an order without fulfilments was told: %v", got)
	}

	s.taken("fulfillments/create", fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber))
	s.taken("orders/updated", order(orderID, "2026-03-06T10:00:01-05:00"))
	golden(t, "fulfillment_new", s.fulfillment(fulfillmentID).Body)
	s.Catch()
	wants(t, "at the fulfilment", one.brief(t), "fulfillment/pre_transit order_ready")
	wants(t, "at the fulfilment", all.brief(t), "order/all order_ready")
	s.is(fulfillmentID, "order_ready", "pending") // the carrier was asked, and does not know the number yet

	s.happens(upsNumber, shipping.OrderDispatched)
	s.is(fulfillmentID, "order_ready", "")
	s.happens(upsNumber, shipping.PickupCompleted)
	s.happens(upsNumber, shipping.InTransit)
	s.is(fulfillmentID, "in_transit", "")
	s.happens(upsNumber, shipping.OutForDelivery)
	s.happens(upsNumber, shipping.OrderRedelivery)
	s.is(fulfillmentID, "out_for_delivery", "undelivered")
	golden(t, "order_exception", s.order(orderID).Body)
	wants(t, "on the way", one.brief(t), "fulfillment/in_transit in_transit", "fulfillment/out_for_delivery out_for_delivery")
	if got := delivered.heard(); len(got) != 0 {
		t.Errorf("told as delivered too early: %v", got)
	}
	s.happens(upsNumber, shipping.OrderDelivered)
	wants(t, "on the way", all.brief(t), "order/all in_transit", "order/all out_for_delivery", "order/all out_for_delivery,undelivered", "order/all delivered")
	wants(t, "at the end", one.brief(t), "fulfillment/delivered delivered")
	heard := delivered.heard()
	if len(heard) != 1 || heard[0].topic != "order/delivered" || heard[0].bearer == "" || strings.Contains(heard[0].bearer, token) {
		t.Fatalf("order/delivered heard %v", heard)
	}
	golden(t, "webhook_order", heard[0].body)
	s.inOurShape(ours, "tracker.order_dispatched", "tracker.pickup_completed", "tracker.out_for_delivery", "tracker.order_redelivery", "tracker.order_delivered")
	a := s.order(orderID)
	golden(t, "order_delivered", a.Body)
	golden(t, "fulfillment_delivered", s.fulfillment(fulfillmentID).Body)
	days := a.At("days_since_ordered")
	s.Clock.Advance(100 * 24 * time.Hour)
	s.Catch()
	if got := s.order(orderID).At("days_since_ordered"); got != days {
		t.Errorf("days_since_ordered went from %v to %v after the delivery", days, got)
	}
	if got := append(all.heard(), one.heard()...); len(got) != 0 {
		t.Errorf("something was told of an order at its end: %v", got)
	}
}

func wants(t *testing.T, when string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// TestDaysCountToNow: until the delivery the days go on.
func TestDaysCountToNow(t *testing.T) {
	s := open(t)
	s.taken("orders/create", order(orderID, "2026-03-05T10:00:00-05:00")) // 15:00 UTC, and it is 20:30 two days later
	for _, want := range []float64{2, 3, 13} {
		if got := s.order(orderID).At("days_since_ordered"); got != want {
			t.Errorf("days_since_ordered %v, want %v", got, want)
		}
		s.Clock.Advance(24 * time.Hour)
		if want == 3 {
			s.Clock.Advance(9 * 24 * time.Hour)
		}
	}
}

// TestOrdersWaitForAllFulfilments: an order has reached what the last of its fulfilments has reached.
func TestOrdersWaitForAllFulfilments(t *testing.T) {
	s := open(t)
	l := listen(t)
	for _, topic := range []string{"order/pre_transit", "order/in_transit", "order/out_for_delivery", "order/delivered"} {
		s.hears(l, topic)
	}
	const other = "1Z999AA10123456793"
	s.taken("orders/create", order(orderID, "2026-03-05T10:00:00-05:00"))
	s.taken("fulfillments/create", fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber))
	s.taken("fulfillments/create", fulfillment(secondID, orderID, "2026-03-06T10:00:00-05:00", "Brown truck", other))
	s.Catch()
	wants(t, "at first", l.brief(t), "order/pre_transit order_ready")
	s.happens(upsNumber, shipping.OutForDelivery)
	wants(t, "one out", l.brief(t))
	s.happens(other, shipping.InTransit)
	wants(t, "the other on its way", l.brief(t), "order/in_transit out_for_delivery,in_transit")
	s.happens(upsNumber, shipping.OrderDelivered)
	wants(t, "one delivered", l.brief(t))
	s.happens(other, shipping.OrderDelivered)
	wants(t, "both delivered", l.brief(t), "order/delivered delivered,delivered")

	third := fulfillment(secondID+1, orderID, "2026-03-09T10:00:00-05:00", "UPS", "1Z999AA10123456711", `"created_at":"2026-03-09T10:00:00-05:00"`)
	s.taken("fulfillments/create", third)
	s.Catch()
	wants(t, "another fulfilment is no news of the order", l.brief(t))
	s.happens("1Z999AA10123456711", shipping.OrderDelivered)
	wants(t, "all delivered again", l.brief(t), "order/delivered delivered,delivered,delivered")
}

// TestCancelledFulfilmentsAreNoPart: an order waits no more for what was cancelled, and the carrier is not asked.
func TestCancelledFulfilmentsAreNoPart(t *testing.T) {
	s := open(t)
	l := listen(t)
	s.hears(l, "order/delivered")
	s.taken("orders/create", order(orderID, "2026-03-05T10:00:00-05:00"))
	s.taken("fulfillments/create", fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber))
	s.taken("fulfillments/create", fulfillment(secondID, orderID, "2026-03-06T10:00:00-05:00", "UPS", "1Z999AA10123456793"))
	s.happens(upsNumber, shipping.OrderDelivered)
	wants(t, "one delivered", l.brief(t))
	s.taken("fulfillments/update", fulfillment(secondID, orderID, "2026-03-08T10:00:00-05:00", "UPS", "1Z999AA10123456793", `"status":"cancelled"`))
	s.Catch()
	wants(t, "the other cancelled", l.brief(t), "order/delivered delivered")
	if got := s.order(orderID).At("fulfillments").([]any); len(got) != 1 {
		t.Errorf("%d fulfilments, want the one that is not cancelled", len(got))
	}
	s.happens("1Z999AA10123456793", shipping.InTransit)
	s.is(secondID, "order_ready", "")
}

// TestExceptions has each exception, and what is kept of the status.
func TestExceptions(t *testing.T) {
	s := open(t)
	s.taken("orders/create", order(orderID, "2026-03-05T10:00:00-05:00"))
	for i, c := range []struct {
		status            shipping.Status
		sub               string
		shipment, problem string
	}{
		{shipping.OrderDelayed, "", "in_transit", "exception"},
		{shipping.ErrorException, "", "in_transit", "exception"},
		{shipping.OrderRedelivery, "", "in_transit", "undelivered"},
		{shipping.OrderUndeliverable, "DELIVERY_ATTEMPTED", "in_transit", "undelivered"},
		{shipping.OrderUndeliverable, "RETURN_STARTED", "in_transit", "exception"},
		{shipping.OrderCancelled, "", "in_transit", "exception"},
		{shipping.OutForDelivery, "", "out_for_delivery", ""},
	} {
		id, number := int64(fulfillmentID+i), fmt.Sprintf("NUMBER%d", i)
		s.taken("fulfillments/create", fulfillment(id, orderID, "2026-03-06T10:00:00-05:00", "ups", number))
		s.happens(number, shipping.InTransit)
		s.is(id, "in_transit", "")
		s.happens(number, c.status, c.sub)
		s.is(id, c.shipment, c.problem)
	}
	got := s.order(orderID)
	if len(got.At("statuses").([]any)) != 7 || len(got.At("exception_statuses").([]any)) != 6 {
		t.Errorf("statuses %v, exception_statuses %v", got.At("statuses"), got.At("exception_statuses"))
	}
}

// TestNeverKnownAndSilent: a number that the carrier does not know is pending, and not found in the end; one of which nothing more is
// heard expires.
func TestNeverKnownAndSilent(t *testing.T) {
	s := open(t)
	const silent = "1Z999AA10123456793"
	s.taken("orders/create", order(orderID, "2026-03-05T10:00:00-05:00"))
	s.taken("fulfillments/create", fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber))
	s.taken("fulfillments/create", fulfillment(secondID, orderID, "2026-03-06T10:00:00-05:00", "UPS", silent))
	s.is(fulfillmentID, "order_ready", "")
	s.happens(silent, shipping.InTransit)
	s.is(fulfillmentID, "order_ready", "pending")
	for range 60 {
		s.Clock.Advance(24 * time.Hour)
		s.Catch()
	}
	s.is(fulfillmentID, "order_ready", "not_found")
	s.is(secondID, "in_transit", "expired")
	if got := s.fulfillment(fulfillmentID); got.At("latest_status.label") != "Needs Attention" || got.At("latest_status.is_exception") != true {
		t.Errorf("latest_status %v", got.At("latest_status"))
	}
}

// TestOwnStatuses: one that stands for what carriers tell is shown by itself, in its place.
func TestOwnStatuses(t *testing.T) {
	s := open(t)
	all, some := listen(t), listen(t)
	s.hears(all, "fulfillment/all")
	s.hears(some, "fulfillment/out_for_delivery")
	golden(t, "status_options", s.Do("GET", admin+"status-options.json", "").Want(200).Body)
	s.taken("orders/create", order(orderID, "2026-03-05T10:00:00-05:00"))
	s.taken("fulfillments/create", fulfillment(fulfillmentID, orderID, "2026-03-06T10:00:00-05:00", "UPS", upsNumber))
	s.happens(upsNumber, shipping.InTransit)
	s.happens(upsNumber, shipping.OrderAtLocation)
	s.is(fulfillmentID, "ready_for_pickup", "")
	s.happens(upsNumber, shipping.OrderDelivered)
	s.is(fulfillmentID, "delivered", "")
	wants(t, "own statuses are told to */all", all.brief(t), "fulfillment/all order_ready", "fulfillment/all in_transit", "fulfillment/all ready_for_pickup", "fulfillment/all delivered")
	wants(t, "what was passed over is not told", some.brief(t))
}
