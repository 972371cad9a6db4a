package tracker

import "github.com/waybill-dev/waybill/sdk/shipping"

// Milestone says where a parcel is on three levels, the first of which is always told, in the vocabulary of Ship24's statusMilestone,
// statusCategory and statusCode. Category and Code are "" where nothing finer is known: an ordinary scan has neither.
type Milestone struct {
	Milestone, Category, Code string
}

// The milestones.
const (
	Pending            = "pending" // nothing is known yet
	InfoReceived       = "info_received"
	InTransit          = "in_transit"
	OutForDelivery     = "out_for_delivery"
	FailedAttempt      = "failed_attempt"
	AvailableForPickup = "available_for_pickup"
	Delivered          = "delivered"
	Exception          = "exception"
)

// The categories.
const (
	categoryData      = "data"
	categoryTransit   = "transit"
	categoryCustoms   = "customs"
	categoryDelivery  = "delivery"
	categoryException = "exception"
)

// milestones are those of statuses that mean one thing whatever the sub-status is.
var milestones = map[shipping.Status]Milestone{
	shipping.OrderDispatched: {InfoReceived, categoryData, "data_order_created"},
	shipping.Staged:          {InfoReceived, categoryData, ""},
	shipping.OrderAssigned:   {InfoReceived, categoryData, ""},
	shipping.OrderUnassigned: {InfoReceived, categoryData, ""},
	shipping.PickupStarted:   {InfoReceived, categoryData, ""},
	shipping.PickupCompleted: {InTransit, categoryTransit, "transit_handover"},
	shipping.InTransit:       {InTransit, "", ""},
	shipping.OutForDelivery:  {OutForDelivery, categoryDelivery, "delivery_out_for_delivery"},
	shipping.OrderAtLocation: {AvailableForPickup, categoryDelivery, "delivery_available_for_pickup"},
	shipping.OrderRedelivery: {FailedAttempt, categoryDelivery, "delivery_attempted"},
	shipping.OrderDelivered:  {Delivered, categoryDelivery, "delivery_delivered"},
	shipping.OrderCancelled:  {Exception, categoryData, "data_order_cancelled"},
	shipping.OrderFailed:     {Exception, categoryException, ""},
}

// The sub-statuses and reasons that decide here. Adapters write them.
const (
	SubAttempted        = "DELIVERY_ATTEMPTED"
	SubReturnStarted    = "RETURN_STARTED"
	SubReturnAtLocation = "RETURN_AT_LOCATION"
	SubReturned         = "RETURNED"
	SubReturnFailed     = "RETURN_FAILED"
	SubExpired          = "EXPIRED"
	SubNotFound         = "NOT_FOUND"

	customs          = "CUSTOMS"
	lost             = "LOST"
	damaged          = "DAMAGED"
	customerRejected = "CUSTOMER_REJECTED"
)

// MilestoneOf says what a status means to somebody who waits for a parcel. No status is Pending.
func MilestoneOf(status shipping.Status, sub string, reason *shipping.EventReason) Milestone {
	if m, ok := milestones[status]; ok {
		return m
	}
	code := ""
	if reason != nil {
		code = reason.Code
	}
	is := func(word string) bool { return sub == word || code == word }
	switch status {
	case shipping.OrderDelayed:
		if is(customs) {
			return Milestone{Exception, categoryCustoms, "customs_exception"}
		}
		return Milestone{Exception, categoryDelivery, "delivery_exception"}
	case shipping.OrderUndeliverable:
		switch {
		case is(customs):
			return Milestone{Exception, categoryCustoms, "customs_rejected"}
		case sub == SubReturnStarted, sub == SubReturnAtLocation, sub == SubReturned, sub == SubReturnFailed:
			return Milestone{Exception, categoryException, "exception_return"}
		case is(customerRejected):
			return Milestone{Exception, categoryDelivery, "delivery_refused"}
		case sub == SubAttempted:
			return Milestone{FailedAttempt, categoryDelivery, "delivery_attempted"}
		}
		return Milestone{Exception, categoryDelivery, "delivery_exception"}
	case shipping.ErrorException:
		switch {
		case is(lost):
			return Milestone{Exception, categoryException, "exception_lost"}
		case is(damaged):
			return Milestone{Exception, categoryException, "exception_discarded"}
		}
		return Milestone{Exception, categoryException, ""}
	}
	return Milestone{Milestone: Pending}
}

// Milestone says where the parcel is now. As long as no carrier has said anything, it is Pending whatever the status is.
func (t *Tracker) Milestone() Milestone {
	if len(t.Events) == 0 && t.Base == nil {
		return Milestone{Milestone: Pending}
	}
	var reason *shipping.EventReason
	for i := len(t.Events) - 1; i >= 0; i-- {
		if e := &t.Events[i]; e.Status == t.Status && e.SubStatus == t.SubStatus && !e.Late {
			reason = e.Reason
			break
		}
	}
	return MilestoneOf(t.Status, t.SubStatus, reason)
}

// Milestone says what the event means.
func (e *Event) Milestone() Milestone { return MilestoneOf(e.Status, e.SubStatus, e.Reason) }
