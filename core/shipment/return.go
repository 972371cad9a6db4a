package shipment

import (
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Way is the kind of every attempt of the shipment: a return is a shipment of its own, whose parcels travel back.
func (s *Shipment) Way() Kind {
	if s.ReturnOf != nil {
		return Return
	}
	return Forward
}

// ReturnOf says of a shipment that it is the way back, and of what.
type ReturnOf struct {
	// Shipment or Tracker is what is returned, by our id; OriginID is what the merchant calls it.
	Shipment ID     `json:"shipment,omitempty"`
	Tracker  string `json:"tracker,omitempty"`
	OriginID string `json:"originId"`
	// Location is the id of the merchant's place that it goes to.
	Location     string `json:"location"`
	LocationName string `json:"locationName"`

	Type   ReturnType `json:"type"`
	Reason string     `json:"reason"`
	Note   string     `json:"note,omitempty"` // the buyer's own words
	// Lines are what comes back, by its place in the origin's items. None where the origin has named no items: then all of it does.
	Lines []ReturnLine `json:"lines,omitempty"`
	// Exchange is what the buyer wants in its place.
	Exchange []shipping.Item `json:"exchange,omitempty"`
}

// ReturnType says what the buyer wants for what comes back.
type ReturnType string

// The types.
const (
	ForMoney ReturnType = "return"
	ForGoods ReturnType = "exchange"
)

// ReturnLine is how many of one item come back.
type ReturnLine struct {
	Line     int `json:"line"` // place in the origin's items, from 1
	Quantity int `json:"quantity"`
}

// Buyer is who has bought the order: who it goes to, or whom a return is fetched from; a return's delivery contact is the merchant's own.
func (s *Shipment) Buyer() shipping.Contact {
	if s.ReturnOf != nil {
		return s.Pickup.Contact
	}
	return s.Order.DeliveryContact
}

// CameToNothing reports whether a return is not going to happen as it stands: it was cancelled, or nobody carries it, or may be about
// to, and nobody has ever fetched it. What it was to bring back is still at the buyer's. Another retry may make something of it.
func (s *Shipment) CameToNothing() bool {
	switch s.Status {
	case shipping.OrderCancelled:
		return true
	case shipping.EstimatesFailed, shipping.OrderFailed, shipping.ErrorException:
		return s.Live(s.Way()) == nil && s.Open(s.Way()) == nil && s.Progress.ActualPickup.IsZero()
	}
	return false
}

// Left returns how many of each item have not come back yet and are not on their way, by their place in items from 0. whole is true
// where the order has no items and has not been returned as a whole. A return that came to nothing has given its items free.
func Left(items []shipping.Item, returns []*Shipment) (left []int, whole bool) {
	left = make([]int, len(items))
	for i, it := range items {
		left[i] = it.Quantity
	}
	whole = len(items) == 0
	for _, r := range returns {
		if r.ReturnOf == nil || r.CameToNothing() {
			continue
		}
		whole = false
		for _, l := range r.ReturnOf.Lines {
			if l.Line >= 1 && l.Line <= len(left) {
				left[l.Line-1] = max(left[l.Line-1]-l.Quantity, 0)
			}
		}
	}
	return left, whole
}

// Within reports whether a return asks for no more than is left, as Left says it.
func (r *ReturnOf) Within(left []int, whole bool) bool {
	for _, l := range r.Lines {
		if l.Line < 1 || l.Line > len(left) || left[l.Line-1] < l.Quantity {
			return false
		}
	}
	return len(r.Lines) > 0 || whole
}
