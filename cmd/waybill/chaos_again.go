package main

import (
	"context"
	"net/http"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// fallen reports whether an order has come to an end before any carrier has it, though nothing stands against it any more: nobody has
// cancelled or erased it, and no rule keeps everybody away.
func (said *told) fallen(status shipping.Status, order *shipment.Order) bool {
	return (status == shipping.EstimatesFailed || status == shipping.OrderFailed) &&
		said.cancelled == 0 && said.erased == 0 && order.Attributes["stall"] != "yes"
}

// tryAgain has each order tried again that has fallen, as a merchant does when the storm is over; settle has stopped the engine. It
// reports whether there are any.
func (c *chaos) tryAgain(ctx context.Context) (bool, error) {
	var ids []string
	err := c.withStore(func(st store.Store) error {
		return eachShipment(ctx, st, func(sh *shipment.Shipment) error {
			c.truth.mu.Lock()
			defer c.truth.mu.Unlock()
			if said := c.truth.orders[sh.Order.ExternalID]; said != nil && said.fallen(sh.Status, &sh.Order) {
				if said.fell == "" {
					said.fell = sh.Status
					c.report.TriedAgain++
				}
				ids = append(ids, sh.Order.ExternalID)
			}
			return nil
		})
	})
	if err != nil || len(ids) == 0 {
		return false, err
	}
	c.engine.keepAlive(ctx)
	if err := c.await(ctx, c.api, "/readyz"); err != nil {
		return false, err
	}
	for _, id := range ids {
		if _, err := c.insist(ctx, id, http.MethodPost, shipmentPath(id, "/retry"), nil); err != nil {
			return false, err
		}
	}
	return true, nil
}

// carriedAfterAll checks what became of an order that nobody has cancelled: a carrier has it, the one that its create was answered with
// has not lost it by itself, and the engine has cancelled no booking of it unasked.
func (x *examination) carriedAfterAll(o *owned, said *told) {
	if said.fallen(o.status, &o.asked) && said.gaveUp == "" {
		x.differ("lost", o, nil, "was answered with %d, nothing stood against it in the end, and it is %s", said.created, o.status)
	}
	if said.booked != "" && !o.erased && !o.hasBeen(said.booked) {
		x.differ("lost", o, nil, "its create was answered with the booking %s, and no attempt of it is that", said.booked)
	}
	if said.cancelled != 0 || said.edited != 0 || said.gaveUp != "" {
		return
	}
	if said.created == http.StatusCreated && said.fell != "" {
		x.differ("lost", o, nil, "was dispatched, nobody has touched it, and it was %s before it was tried again", said.fell)
	}
	for i := range o.attempts {
		if a := &o.attempts[i]; a.State == shipment.Cancelled {
			x.differ("status", o, nil, "attempt %d is cancelled, and nobody has asked for it", a.Number)
		}
	}
}

// hasBeen reports whether a booking of a number is or was the order's.
func (o *owned) hasBeen(number string) bool {
	for _, a := range o.attempts {
		if a.Booking != nil && a.Booking.TrackingID == number {
			return true
		}
	}
	return false
}
