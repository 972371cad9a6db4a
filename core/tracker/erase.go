package tracker

import (
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Erase removes what tells of people: who gets it, where they live, who drove, who signed, and free words. Numbers, carriers, and
// what happened when stay. Nobody asks for the tracker afterwards, and it learns nothing more. It may be called again, and then
// changes nothing.
func (t *Tracker) Erase(now time.Time) {
	if t.ErasedAt.IsZero() {
		t.ErasedAt = now
	}
	if t.Stopped == "" {
		t.Stopped = StopErased
	}
	t.NextPoll = time.Time{}
	if t.Order != nil {
		o := *t.Order
		o.DeliveryContact = shipping.Contact{}
		o.DeliveryAddress = shipping.Address{State: o.DeliveryAddress.State, CountryCode: o.DeliveryAddress.CountryCode}
		o.DeliveryInstructions, o.PickupInstructions, o.Attributes = nil, nil, nil
		o.Packages = shipment.Undescribed(o.Packages)
		t.Order = &o
	}
	t.Extra = nil
	p := &t.Progress
	p.Driver, p.Vehicle, p.LastLocation, p.Proofs = nil, nil, nil, nil
	t.SignedBy, t.TrackingURL, t.Polls.Last = "", "", ""
	t.Warnings = nil // they are nothing but words
	for i := range t.Events {
		e := &t.Events[i]
		e.CarrierWords, e.Note, e.Actor, e.City, e.PostalCode = "", "", "", "", ""
		e.Echo = nil
		if e.Reason != nil {
			r := *e.Reason
			r.Note = ""
			e.Reason = &r
		}
	}
}
