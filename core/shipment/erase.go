package shipment

import (
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// AtRest reports whether nobody works on the shipment any more: no carrier holds a booking of it, or may hold one, and no job will
// move it. Only then can what is known of people be erased on request.
func (s *Shipment) AtRest() bool {
	if s.Waiting() || s.Cancel != nil {
		return false
	}
	for i := range s.Attempts {
		a := &s.Attempts[i]
		if a.Open() || a.Live() && !s.Final() {
			return false
		}
	}
	return true
}

// Erase removes what tells of people: who gets the order, where they live, who drove, and what was said in free words. What was
// ordered, which carriers were asked and booked, under which numbers, when and for how much, stays. The document cannot be sent to
// a carrier again afterwards. It may be called again, and then changes nothing.
func (s *Shipment) Erase(now time.Time) {
	if s.ErasedAt.IsZero() {
		s.ErasedAt = now
	}
	o := &s.Order
	o.DeliveryContact = shipping.Contact{}
	o.DeliveryAddress = shipping.Address{State: o.DeliveryAddress.State, CountryCode: o.DeliveryAddress.CountryCode}
	o.DeliveryInstructions, o.PickupInstructions, o.Attributes = nil, nil, nil
	o.Packages = Undescribed(o.Packages)
	s.Delivery = Geo{Zone: s.Delivery.Zone}
	if r := s.ReturnOf; r != nil { // it is picked up at the buyer's
		p := &s.Pickup
		p.Name, p.Contact, p.Instructions = "", shipping.Contact{}, ""
		p.Address = shipping.Address{State: p.Address.State, CountryCode: p.Address.CountryCode}
		r.Note = ""
	}
	s.Progress.Driver, s.Progress.Vehicle, s.Progress.LastLocation, s.Progress.Proofs = nil, nil, nil, nil
	if f := s.Failure; f != nil {
		f.Message = ""
		for i := range f.Errors {
			f.Errors[i].Message = ""
		}
	}
	s.Warnings = nil // they are nothing but words
	s.SubStatus = Coded(s.SubStatus)
	if s.Hold != nil {
		s.Hold.Reason = ""
	}
	s.Offers = nil
	for i := range s.Attempts {
		s.Attempts[i].erase()
	}
}

// Undescribed are the parcels without what somebody has written of them in free words. Their names may be such: of a preset, size and
// weight are filled in when the order comes.
func Undescribed(parcels []shipping.Parcel) []shipping.Parcel {
	out := slices.Clone(parcels)
	for i := range out {
		out[i].Name, out[i].Description = "", ""
	}
	return out
}

func (a *Attempt) erase() {
	a.Set.Instructions, a.Set.PickupInstructions = "", ""
	a.Quote.Token, a.Quote.Warnings = nil, nil
	a.Error.erase()
	for i := range a.Spares {
		a.Spares[i].Error.erase()
	}
	if a.Doubt != nil {
		a.Doubt.Last = ""
	}
	if a.Booking != nil {
		a.Booking.TrackingURL = ""
		for i := range a.Booking.Parcels { // the labels are erased together with this
			a.Booking.Parcels[i].LabelFormat = ""
		}
	}
	a.EditIntent = nil
	if a.CancelIntent != nil {
		a.CancelIntent.Replace, a.CancelIntent.Last = nil, ""
	}
}

func (e *CallError) erase() {
	if e != nil {
		e.Message, e.CarrierMessage = "", ""
	}
}

// Erase removes free words from a line of the history: carriers name who has signed. Of a note, the carrier's code stays.
func (c *Change) Erase() {
	code, _, worded := strings.Cut(c.Note, "( ")
	if !worded || !strings.HasSuffix(c.Note, " )") {
		code = ""
	}
	c.Note, c.Actor = Coded(code), ""
	c.SubStatus, c.Reason = Coded(c.SubStatus), Unworded(c.Reason)
}

// Unworded is a reason without words. Its code stays where it is one: a person who sets a status writes what they like.
func Unworded(r *shipping.EventReason) *shipping.EventReason {
	if r == nil {
		return nil
	}
	return &shipping.EventReason{Code: Coded(r.Code)}
}

// Coded is a code, "" for what is no code but words.
func Coded(s string) string {
	if strings.ContainsFunc(s, notCode) {
		return ""
	}
	return s
}

// notCode reports a character that no carrier's code holds.
func notCode(r rune) bool {
	return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("_-./", r)
}
