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
	if t.Pickup != nil { // it may be somebody's door, in the caller's own words; what is configured stands in the configuration
		p := *t.Pickup
		p.Name, p.Contact, p.Instructions = "", shipping.Contact{}, ""
		p.Address = shipping.Address{State: p.Address.State, CountryCode: p.Address.CountryCode}
		t.Pickup = &p
	}
	t.Extra = nil
	p := &t.Progress
	p.Driver, p.Vehicle, p.LastLocation, p.Proofs = nil, nil, nil, nil
	t.SignedBy, t.TrackingURL, t.Polls.Last = "", "", ""
	t.Warnings = nil // they are nothing but words
	t.SubStatus = shipment.Coded(t.SubStatus)
	if t.Base != nil {
		b := *t.Base
		b.SubStatus = shipment.Coded(b.SubStatus)
		t.Base = &b
	}
	for i := range t.Events {
		e := &t.Events[i]
		e.CarrierWords, e.Note, e.Actor, e.City, e.PostalCode = "", "", "", "", ""
		e.Echo = nil
		e.SubStatus, e.Reason = shipment.Coded(e.SubStatus), shipment.Unworded(e.Reason)
	}
}
