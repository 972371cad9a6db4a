package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// ofPeople are the members of an order that an erasure takes away.
var ofPeople = []string{"deliveryContact", "deliveryAddress", "deliveryInstructions", "orderAttributes"}

// body checks that an order is what was acknowledged: as it was created, with the edit that was made of it. An edit that was answered
// with a refusal may have been made all the same by an earlier request whose answer was lost, but not where it was sent once, and must have
// been where the refusal is that nobody carries the order as it is now; one that was acknowledged as under way may have come to nothing if
// the history says so.
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
	must := said.edited/100 == 2 && !x.refused(o.id, editRefused)
	if said.edited/100 == 2 && !said.editDoubts {
		must = o.status != shipping.OrderCancelled || !x.refused(o.id, editRefused) // cancelled before the edit could come to anything
	}
	if x.bodies++; said.edit == nil || said.editMade {
		must = true
	}
	lacks, asEdited := lacking(edited, have), true
	if lacks != "" && !must {
		lacks, asEdited = lacking(created, have), false
	}
	switch {
	case lacks == "" && asEdited && said.editRefused() && !o.erased:
		x.differ("status", o, nil, "its edit was refused with %d, and it is made", said.edited)
	case lacks == "":
	case (said.edited/100 == 2 || said.editMade) && asEdited:
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
