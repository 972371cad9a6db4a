package main

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

const chaosOrder = `{"locationExternalId":%q,"orderExternalId":%q,"orderValue":10,"orderAttributes":%s,
"deliveryContact":{"name":"Ann","phone":"+1 617-555-0123"},
"deliveryAddress":{"street1":"725 Albany Street","city":"Boston","state":"MA","countryCode":"US","postalCode":"02118"},
"package":{"name":"box","size":{"length":10,"width":10,"height":10,"unit":"in"},"weight":{"value":5,"unit":"lb"},"itemQuantity":1},
"itemList":[{"sku":"sku 1","quantity":1,"price":3,"title":"Watch"}]}`

// chaosEdits change what we alone keep, what a carrier may be told of, and what takes another booking.
var chaosEdits = []string{
	`{"groupId":"g1","orderAttributes":{"chaos":true}}`,
	`{"deliveryInstructions":"Leave it with the neighbour"}`,
	`{"deliveryAddress":{"street1":"801 Albany Street","city":"Boston","state":"MA","countryCode":"US","postalCode":"02119"}}`,
}

// editInDoubt is the code of the warning that it is not known whether the carrier has taken an edit.
const editInDoubt = "EDIT_IN_DOUBT"

// fate is what is asked of an order besides to be carried.
type fate struct {
	name       string
	share      float64 // of all orders
	location   string  // chaosStore where empty
	attributes string
	left       bool                               // nobody waits for what becomes of it
	meanwhile  func(*sent, context.Context) error // while it is created
	then       func(*sent, context.Context) error // when its create was answered
}

// fates are all but the plain one, which has the rest of the orders.
var fates = []*fate{
	{name: "cancelled", share: .05, meanwhile: (*sent).cancelIn},
	{name: "edited", share: .07, meanwhile: (*sent).editIn},
	{name: "edited and cancelled", share: .02, meanwhile: (*sent).editAndCancel},
	{name: "edited once booked", share: .04, then: (*sent).editBooked},
	{name: "sent twice", share: .02, meanwhile: (*sent).again},
	{name: "gated", share: .03, attributes: `{"gate":"shut"}`, then: (*sent).open},
	{name: "released", share: .03, attributes: `{"gate":"shut"}`, then: (*sent).release},
	{name: "carried", share: .12, then: (*sent).carry},
	{name: "cancelled on its way", share: .04, then: (*sent).carryAndCancel},
	{name: "given up by its carrier", share: .05, then: (*sent).giveUp},
	{name: "beside a foreign parcel", share: .04, meanwhile: (*sent).foreign},
	{name: "beside a tracker that is forgotten", share: .03, meanwhile: (*sent).forget},
	{name: "beside a change of a webhook", share: .02, meanwhile: (*sent).subscribeAgain},
	{name: "stalled", share: .03, attributes: `{"stall":"yes"}`, then: (*sent).unstall},
	{name: "delivered", share: .03, then: (*sent).deliver},
	{name: "delivered and erased", share: .03, then: (*sent).deliverAndErase},
	{name: "delivered and returned", share: .03, then: (*sent).deliverAndReturn},
	{name: "cancelled and erased", share: .02, then: (*sent).cancelAndErase},
	{name: "at the desk", share: .08, location: chaosDesk},
	{name: "at the moving account", share: .10, location: chaosMoving},
	{name: "booked too late by UPS", share: .03, location: chaosLateUPS, left: true},
	{name: "booked too late by DoorDash", share: .03, location: chaosLateDoorDash, left: true},
	{name: "edited on its way", share: .04, then: (*sent).carryAndEdit},
}

var plain = &fate{name: "plain"}

func drawFate(rng *rand.Rand) *fate {
	chance := rng.Float64()
	for _, f := range fates {
		if chance -= f.share; chance < 0 {
			return f
		}
	}
	return plain
}

// drawRare draws from those alone that are not plain.
func drawRare(rng *rand.Rand) *fate { return fates[rng.IntN(len(fates))] }

// moment is any of the first seconds of an order.
func (o *sent) moment() time.Duration { return time.Duration(o.rng.Int64N(int64(3 * time.Second))) }

func (o *sent) cancelIn(ctx context.Context) error { return o.cancel(ctx, o.moment()) }

func (o *sent) cancel(ctx context.Context, after time.Duration) error {
	a, err := o.later(ctx, after, http.MethodDelete, nil)
	if a.status == http.StatusConflict && bytes.Contains(a.body, []byte(usecase.InvalidOperation)) {
		a.status = http.StatusForbidden // the clerk's number is to be confirmed first: it is not cancelled, unlike what is a conflict else
	}
	o.truth.note(o.id, func(t *told) { t.cancelled, t.inDark = a.status, a.inDark })
	return err
}

func (o *sent) editIn(ctx context.Context) error { return o.edit(ctx, o.moment(), o.anyEdit()) }

// editAndCancel does both at moments of their own.
func (o *sent) editAndCancel(ctx context.Context) error {
	edit, cancel, body := o.moment(), o.moment(), o.anyEdit()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return o.edit(ctx, edit, body) })
	g.Go(func() error { return o.cancel(ctx, cancel) })
	return g.Wait()
}

func (o *sent) anyEdit() string { return chaosEdits[o.rng.IntN(len(chaosEdits))] }

func (o *sent) edit(ctx context.Context, after time.Duration, body string) error {
	a, err := o.later(ctx, after, http.MethodPut, []byte(body))
	o.truth.note(o.id, func(t *told) {
		t.edited, t.edit, t.editInDark = a.status, []byte(body), a.inDark
		t.editDoubts, t.editMade = bytes.Contains(a.body, []byte(editInDoubt)), a.status/100 == 4 && idIn(a.answer) != ""
	})
	return err
}

func (o *sent) editBooked(ctx context.Context) error {
	if ok, err := o.reaches(ctx, shipping.OrderDispatched); !ok {
		return err
	}
	return o.edit(ctx, 0, o.anyEdit())
}

// again is the caller's own haste: the same create twice at once.
func (o *sent) again(ctx context.Context) error {
	a, err := o.answered(ctx, o.id, http.MethodPost, "/shipments", o.body, "Idempotency-Key", o.id)
	o.truth.note(o.id, func(t *told) { t.again, t.againID = a.status, idIn(a.answer) })
	return err
}

// subscribeAgain changes a webhook into what it is.
func (o *sent) subscribeAgain(ctx context.Context) error {
	if err := pauseFor(ctx, o.moment()); err != nil {
		return err
	}
	code, err := o.insist(ctx, o.id, http.MethodPatch, "/webhooks/"+o.subscribers[0].id, []byte(`{"topics":["*"]}`))
	o.truth.note(o.id, func(t *told) { t.subscribed = code })
	return err
}

// open changes an order that the rules hold so that they let it go.
func (o *sent) open(ctx context.Context) error {
	if ok, err := o.reaches(ctx, shipping.PendingRelease); !ok {
		return err
	}
	return o.edit(ctx, 0, `{"orderAttributes":{"gate":"open"},"deliveryInstructions":"The gate is open"}`)
}

// release lets an order go that the rules hold.
func (o *sent) release(ctx context.Context) error {
	if ok, err := o.reaches(ctx, shipping.PendingRelease); !ok {
		return err
	}
	_, err := o.insist(ctx, o.id, http.MethodPost, shipmentPath(o.id, "/release"), nil)
	return err // an order that is held all the same is found by the examination
}

// unstall waits until the rules have tried in vain for the last time, takes away what kept everybody from the order, and has it
// tried again.
func (o *sent) unstall(ctx context.Context) error {
	if ok, err := o.reaches(ctx, shipping.EstimatesFailed); !ok {
		return err
	}
	if err := o.edit(ctx, 0, `{"orderAttributes":{"stall":"no"}}`); err != nil {
		return err
	}
	return o.retry(ctx)
}

func (o *sent) deliver(ctx context.Context) error {
	if ok, err := o.reaches(ctx, shipping.OrderDispatched); !ok {
		return err
	}
	code, err := o.insist(ctx, o.id, http.MethodPost, shipmentPath(o.id, "/status"), []byte(`{"status":"ORDER_DELIVERED","note":"at the door","override":true}`))
	o.truth.note(o.id, func(t *told) { t.delivered = code })
	return err
}

func (o *sent) deliverAndErase(ctx context.Context) error {
	if err := o.deliver(ctx); err != nil {
		return err
	}
	return o.erase(ctx)
}

// deliverAndReturn sends the order back. The return is an order of its own, which is held against the ledgers like any other.
func (o *sent) deliverAndReturn(ctx context.Context) error {
	if err := o.deliver(ctx); err != nil {
		return err
	}
	back := o.id + "-R1"
	o.truth.note(back, func(*told) {})
	// With a key, as one that has failed gives its items free, and whoever asks again for want of an answer gets another.
	code, err := o.insist(ctx, o.id, http.MethodPost, shipmentPath(o.id, "/return"), []byte(`{"reason":"other"}`), "Idempotency-Key", back)
	o.truth.note(back, func(t *told) { t.created = code })
	return err
}

func (o *sent) cancelAndErase(ctx context.Context) error {
	if err := o.cancelIn(ctx); err != nil {
		return err
	}
	if ok, err := o.reaches(ctx, shipping.OrderCancelled, shipping.OrderDispatched); !ok {
		return err
	}
	return o.erase(ctx)
}

func (o *sent) erase(ctx context.Context) error {
	code, err := o.insist(ctx, o.id, http.MethodPost, shipmentPath(o.id, "/erase"), nil)
	o.truth.note(o.id, func(t *told) { t.erased = code })
	return err
}
