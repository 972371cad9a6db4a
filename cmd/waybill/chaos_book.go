package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// notInformed is the code of the warning that an edit is kept which the carrier does not take any more.
const notInformed = "PROVIDER_NOT_INFORMED"

// editRefused reports whether the order's edit was certainly not made: it was answered with a refusal, and sent once.
func (said *told) editRefused() bool {
	return said.edit != nil && said.edited/100 == 4 && !said.editMade && said.editInDark == 0
}

// keptAlone reports whether the order's edit was kept by the engine while its carrier was certainly not told: the order says so, it was asked
// once, and it has the only booking.
func (said *told) keptAlone(o *owned) bool {
	return o.uninformed && said.edited == http.StatusOK && said.editInDark == 0 && o.booked() == 1
}

// booked is how often the order was booked.
func (o *owned) booked() (n int) {
	for i := range o.attempts {
		if o.attempts[i].Booking != nil {
			n++
		}
	}
	return n
}

// instructions are those that the carrier may have been told last: the order's own, or those from before an edit that it did not take. One
// that it took, and whose answer was lost, it may have refused when it was asked again, so then both may be.
func (x *examination) instructions(o *owned, said *told) []string {
	now := ""
	if o.asked.DeliveryInstructions != nil {
		now = *o.asked.DeliveryInstructions
	}
	var before shipment.Order
	if said.edit == nil || json.Unmarshal(said.body, &before) != nil { // what cannot be read is a difference already
		return []string{now}
	}
	old := ""
	if before.DeliveryInstructions != nil {
		old = *before.DeliveryInstructions
	}
	var wished shipment.Order
	switch refused := x.refused(o.id, editRefused); {
	case refused && json.Unmarshal(said.edit, &wished) == nil && wished.DeliveryInstructions != nil:
		// The history tells of that only where the carrier was being asked: it may have taken the edit, though the booking came to its end
		// before that was known, whatever the caller was answered.
		return []string{now, old, *wished.DeliveryInstructions}
	case refused:
		return []string{now, old}
	case said.keptAlone(o):
		return []string{old}
	case o.uninformed:
		return []string{now, old}
	}
	return []string{now}
}

// consigned checks that a carrier was asked to carry what the order says, and knows what was edited since where it takes edits: but nothing of
// an edit that was refused.
func (x *examination) consigned(o *owned, said *told, h *held, details jsontext.Value) {
	var known struct {
		To      []string `json:"to"` // UPS's
		Request *struct {
			Address      string `json:"dropoff_address"`
			Instructions string `json:"dropoff_instructions"`
		} `json:"request"` // DoorDash's
	}
	if err := json.Unmarshal(details, &known); err != nil {
		x.differ("status", o, h, "what the carrier was asked to carry cannot be read: %v", err)
		return
	}
	x.asked++
	if said.editRefused() || said.keptAlone(o) {
		x.unedited++
	}
	to, instructions := strings.Join(known.To, ", "), ""
	if known.Request != nil {
		to, instructions = known.Request.Address, known.Request.Instructions
	}
	if a := o.asked.DeliveryAddress; !strings.Contains(to, a.Street1) || !strings.Contains(to, a.PostalCode) {
		x.differ("status", o, h, "goes to %s %s, and the carrier brings it to %q", a.Street1, a.PostalCode, to)
	}
	if may := x.instructions(o, said); known.Request != nil && !slices.Contains(may, instructions) {
		x.differ("status", o, h, "its instructions may be %q for the carrier, and it has been told %q", may, instructions)
	}
}

// untouched are the states of what was booked and has not moved since, by carrier. In these a carrier of the run grants each cancellation.
var untouched = map[string]string{"ups": "LABEL_CREATED", "doordash": "created"}

// heldBack checks that a carrier had grounds to refuse what the history, or the answer to a caller, says it has refused: the booking has left the state in which it
// grants a cancellation, and none goes back there. Of an order that was booked again since it is not known which booking that was about. For
// refused edits the engine is believed on its word: a carrier's book does not keep the grounds.
func (x *examination) heldBack(o *owned, said *told, h *held, state string) {
	written := x.refused(o.id, cancelRefused)
	if !written && said.cancelled != http.StatusForbidden || o.booked() > 1 {
		return
	}
	x.grounds++
	switch {
	case state != untouched[h.carrier]:
	case written:
		x.differ("status", o, h, "its history says that a cancellation was refused, and the carrier's booking is %s, which it cancels", state)
	default:
		x.differ("status", o, h, "its cancellation was answered with %d, and the carrier's booking is %s, which it cancels", said.cancelled, state)
	}
}

// delivered are the states of what its carrier has delivered, by carrier.
var delivered = map[string]string{"ups": "DELIVERED", "doordash": "delivered"}

// arrived checks that a carrier has delivered what the order says is delivered, where nobody has said so by hand.
func (x *examination) arrived(o *owned, said *told, h *held, state string) {
	if o.status == shipping.OrderDelivered && said.delivered == 0 && state != delivered[h.carrier] {
		x.differ("status", o, h, "is delivered, and its carrier has it at %s", state)
	}
}

// consignments asks the simulated carriers what they were asked to carry, and how far that is. Returns go the other way round, and of
// erased orders nobody knows where they were to go.
func (c *chaos) consignments(ctx context.Context, x *examination) error {
	for _, h := range x.bookings {
		o := x.orders[h.owner]
		if !h.live || o == nil {
			continue
		}
		var v struct {
			State   string         `json:"state"`
			Details jsontext.Value `json:"details"`
		}
		if err := c.control.get(ctx, "/_sim/entities/"+h.carrier+"/"+url.PathEscape(h.entity), &v); err != nil {
			return err
		}
		said := c.truth.orders[o.id]
		if said == nil { // which is a difference already
			continue
		}
		x.heldBack(o, said, h, v.State)
		x.arrived(o, said, h, v.State)
		if !o.back && !o.erased {
			x.consigned(o, said, h, v.Details)
		}
	}
	return nil
}
