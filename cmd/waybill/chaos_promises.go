package main

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// The codes of lines that tell how what was acknowledged as under way has come to nothing.
const (
	cancelRefused = "CANCELLATION_REFUSED"
	editRefused   = "EDIT_REFUSED"
)

// fallbackEnds is the code of lines that tell that a booking is gone and the rules have nobody left to ask.
const fallbackEnds = "FALLBACK_ENDS"

// needsPerson is the code of lines that tell why only a person can decide what became of an attempt.
const needsPerson = "NEEDS_ATTENTION"

// line notes how far a line of an order's history says that it is, and where it tells that a cancel or an edit has come to nothing, that a person
// is needed, and why, or that the rules have nobody left to ask.
func (x *examination) line(order string, l shipment.Change) {
	x.went[order] = append(x.went[order], l.Status)
	if why, ok := strings.CutPrefix(l.Note, needsPerson+"( "); ok {
		x.needed[order] = append(x.needed[order], need{l.Attempt, strings.TrimSuffix(why, " )")})
	}
	if strings.HasPrefix(l.Note, fallbackEnds+"( ") {
		x.leftBy[order] = true
	}
	for _, code := range []string{cancelRefused, editRefused} {
		why, ok := strings.CutPrefix(l.Note, code+"( ")
		if _, reason, said := strings.Cut(strings.TrimSuffix(why, " )"), ": "); ok && said && strings.TrimSpace(reason) != "" {
			x.refusals[order] = append(x.refusals[order], code)
		}
	}
}

// refused reports whether an order's history tells of a refusal, with the carrier's reason.
func (x *examination) refused(order string, codes ...string) bool {
	for _, have := range x.refusals[order] {
		for _, code := range codes {
			if have == code {
				return true
			}
		}
	}
	return false
}

// promises checks what callers were told.
func (x *examination) promises(t *truth) {
	for id, said := range t.orders {
		o := x.orders[id]
		x.trackers(id, said)
		switch {
		case o == nil && (said.created/100 == 2 || said.again/100 == 2 || said.cancelled/100 == 2 || said.edited/100 == 2):
			x.differ("lost", &owned{id: id}, nil, "was acknowledged with %d, and is not there", max(said.created, said.again, said.cancelled, said.edited))
		case o == nil && (said.id != "" || said.againID != ""): // a refusal names what is stored all the same
			x.differ("lost", &owned{id: id}, nil, "was answered with %d and the id %q, and is not there", max(said.created, said.again), cmp.Or(said.id, said.againID))
		case o != nil:
			x.twins(o, said)
			x.ended(o, said)
			x.body(o, said)
			x.carriedAfterAll(o, said)
			x.driven(o, said)
		}
	}
	for id, o := range x.orders {
		if t.orders[id] == nil {
			x.differ("status", o, nil, "is there, and nobody has sent it")
		}
	}
}

// trackers checks what the caller of an order was told about the parcels of others beside it.
func (x *examination) trackers(id string, said *told) {
	if said.forgot/100 == 2 && x.followed[tracker.Name("tracker", id)] {
		x.differ("status", &owned{id: id}, nil, "the removal of its tracker was acknowledged, and the tracker is there")
	}
	if said.pushed == http.StatusOK && said.followed/100 == 2 && !x.heardOf[said.number] {
		x.differ("lost", &owned{id: id}, nil, "its caller follows %s, and does not know what was pushed of it and acknowledged", said.number)
	}
}

// twins checks that a create, and the same sent again, were answered with the order that there is. What is asked again is answered with
// the order's present state: one that was waiting may have been refused since, and one that was refused may have been retried.
func (x *examination) twins(o *owned, said *told) {
	if said.id != "" && said.id != o.key {
		x.differ("duplicate", o, nil, "its create was answered with the id %s, and it is %s", said.id, o.key)
	}
	if said.again == 0 {
		return
	}
	moved := said.retried != 0 || said.created == http.StatusAccepted || said.again == http.StatusAccepted
	switch {
	case said.againID != o.key:
		x.differ("duplicate", o, nil, "its create was sent again and answered with %d and the id %q, and it is %s", said.again, said.againID, o.key)
	case said.created/100 != said.again/100 && !moved:
		x.differ("status", o, nil, "its create was answered with %d, and sent again, with %d", said.created, said.again)
	}
}

// ended checks that an order has come to the end that was acknowledged. A cancellation that was acknowledged as under way may have been
// refused in the end, if the history says so: that webhooks tell each line of it is checked elsewhere.
func (x *examination) ended(o *owned, said *told) {
	cancelled := o.status == shipping.OrderCancelled
	switch {
	case (said.cancelled == http.StatusOK || said.cancelled == http.StatusConflict) && !cancelled:
		x.differ("status", o, nil, "its cancellation was acknowledged with %d, and it is %s", said.cancelled, o.status)
	case said.cancelled/100 == 2 && !cancelled && !x.refused(o.id, cancelRefused):
		x.differ("status", o, nil, "its cancellation was acknowledged with %d, it is %s, and its history does not say why", said.cancelled, o.status)
	case said.cancelled/100 == 4 && said.cancelled != http.StatusConflict && said.inDark == 0 && cancelled:
		x.differ("status", o, nil, "its cancellation was refused with %d, and it is cancelled", said.cancelled)
	case said.delivered == http.StatusOK && o.status != shipping.OrderDelivered:
		x.differ("status", o, nil, "was acknowledged as delivered, and it is %s", o.status)
	case said.carried && o.status != shipping.OrderDelivered:
		x.differ("status", o, nil, "its carrier has delivered it, and it is %s", o.status)
	case said.gaveUp != "" && o.status != shipping.OrderDispatched && o.status != shipping.OrderFailed && o.status != shipping.EstimatesFailed && !x.left(o):
		x.differ("status", o, nil, "its carrier has given it up, its rules name others to ask, and it is %s", o.status)
	case said.erased == http.StatusOK && !o.erased:
		x.differ("lost", o, nil, "its erasure was acknowledged, and it is not erased")
	case o.erased && said.erased == 0:
		x.differ("lost", o, nil, "is erased, and nobody has asked for it")
	case cancelled && said.cancelled == 0:
		x.differ("status", o, nil, "is cancelled, and nobody has asked for it")
	}
}

// left reports whether an order stays without a booking by right: its carrier has given up a booking that was not the first to be tried, and
// its history says that the rules, which have had others asked before, have nobody left.
func (x *examination) left(o *owned) bool {
	return o.status == shipping.ErrorException && x.leftBy[o.id] && slices.ContainsFunc(o.attempts, func(a shipment.Attempt) bool {
		return a.Number > 1 && a.State == shipment.Ended && x.gaveUp[a.Reference]
	})
}
