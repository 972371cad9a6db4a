package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// ofPeople are the members of an order that an erasure takes away.
var ofPeople = []string{"deliveryContact", "deliveryAddress", "deliveryInstructions", "orderAttributes"}

// body checks that an order is what was acknowledged: as it was created, with the edit that was made of it. An edit that was answered
// with a refusal may have been made all the same by an earlier request whose answer was lost; one that was acknowledged as under way may
// have come to nothing if the history says so.
func (x *examination) body(o *owned, said *told) {
	if said.body == nil {
		return
	}
	have, err := membersOf(&o.asked)
	created, bad := decoded(said.body)
	edit, worse := decoded(cmp.Or(string(said.edit), "{}"))
	if err := cmp.Or(err, bad, worse); err != nil {
		x.differ("lost", o, nil, "what it is cannot be held against what was sent: %v", err)
		return
	}
	edited := overlay(created, edit)
	if o.erased {
		for _, name := range ofPeople {
			delete(created, name)
			delete(edited, name)
		}
		for _, members := range []map[string]any{created, edited} {
			if p, ok := members["package"].(map[string]any); ok {
				delete(p, "name") // free words
			}
		}
	}
	must := said.edited/100 == 2 && !x.refused(o.id, editRefused, cancelRefused)
	if said.edited == http.StatusOK {
		must = o.status != shipping.OrderCancelled || !x.refused(o.id, editRefused) // cancelled before the edit could come to anything
	}
	if x.bodies++; said.edit == nil {
		must = true
	}
	lacks, asEdited := lacking(edited, have), true
	if lacks != "" && !must {
		lacks, asEdited = lacking(created, have), false
	}
	switch {
	case lacks == "":
	case said.edited/100 == 2 && asEdited:
		x.differ("lost", o, nil, "its edit was acknowledged with %d, and is not seen: %s", said.edited, lacks)
	default:
		x.differ("lost", o, nil, "is not what was sent: %s", lacks)
	}
}

func decoded[T ~string | ~[]byte](text T) (members map[string]any, err error) {
	err = json.Unmarshal([]byte(text), &members)
	return members, err
}

// membersOf is an order as callers write it.
func membersOf(o *shipment.Order) (map[string]any, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	members, err := decoded(text)
	if len(o.Packages) > 0 && err == nil {
		members["package"] = members["packages"].([]any)[0]
	}
	return members, err
}

// overlay is what becomes of members by others: objects are merged, all else is replaced.
func overlay(old, by map[string]any) map[string]any {
	out := maps.Clone(old)
	for name, v := range by {
		inner, isObject := v.(map[string]any)
		if was, wasObject := out[name].(map[string]any); isObject && wasObject {
			v = overlay(was, inner)
		}
		out[name] = v
	}
	return out
}

// lacking tells which of the wanted members is not there, or is another; "" for none. There may be more than what is wanted.
func lacking(wanted, have any) string {
	switch w := wanted.(type) {
	case map[string]any:
		h, _ := have.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(w)) {
			if what := lacking(w[name], h[name]); what != "" {
				return name + " " + what
			}
		}
		return ""
	case []any:
		h, _ := have.([]any)
		if len(h) != len(w) {
			return fmt.Sprintf("has %d members, want %d", len(h), len(w))
		}
		for i := range w {
			if what := lacking(w[i], h[i]); what != "" {
				return fmt.Sprintf("%d %s", i, what)
			}
		}
		return ""
	}
	if wanted != have {
		return fmt.Sprintf("is %v, want %v", have, wanted)
	}
	return ""
}

// consigned checks that a carrier was asked to carry what the order says, and knows what was edited since where it takes edits.
func (x *examination) consigned(o *owned, h *held, details jsontext.Value) {
	var said struct {
		To      []string `json:"to"` // UPS's
		Request *struct {
			Address      string `json:"dropoff_address"`
			Instructions string `json:"dropoff_instructions"`
		} `json:"request"` // DoorDash's
	}
	if err := json.Unmarshal(details, &said); err != nil {
		x.differ("status", o, h, "what the carrier was asked to carry cannot be read: %v", err)
		return
	}
	x.asked++
	to, instructions := strings.Join(said.To, ", "), ""
	if said.Request != nil {
		to, instructions = said.Request.Address, said.Request.Instructions
	}
	if a := o.asked.DeliveryAddress; !strings.Contains(to, a.Street1) || !strings.Contains(to, a.PostalCode) {
		x.differ("status", o, h, "goes to %s %s, and the carrier brings it to %q", a.Street1, a.PostalCode, to)
	}
	if wanted := o.asked.DeliveryInstructions; said.Request != nil && wanted != nil && instructions != *wanted && !x.refused(o.id, editRefused) {
		x.differ("status", o, h, "its instructions are %q, and the carrier has been told %q", *wanted, instructions)
	}
}

// untouched are the states of what was booked and has not moved since, by carrier. In these a carrier of the run grants each cancellation.
var untouched = map[string]string{"ups": "LABEL_CREATED", "doordash": "created"}

// heldBack checks that a carrier had grounds to refuse what the history says it has refused: the booking has left the state in which it
// grants a cancellation, and none goes back there. For refused edits, and for the merchant's own drivers, the engine is believed on its
// word: of neither does a carrier's book keep the grounds.
func (x *examination) heldBack(o *owned, h *held, state string) {
	if !x.refused(o.id, cancelRefused) {
		return
	}
	x.grounds++
	if state == untouched[h.carrier] {
		x.differ("status", o, h, "its history says that a cancellation was refused, and the carrier's booking is %s, which it cancels", state)
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
		x.heldBack(o, h, v.State)
		if !o.back && !o.erased {
			x.consigned(o, h, v.Details)
		}
	}
	return nil
}
