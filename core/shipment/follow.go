package shipment

import (
	"time"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Heard is one thing that was told about a booking.
type Heard struct {
	Status    shipping.Status
	SubStatus string
	Reason    *shipping.EventReason
	At        time.Time // when it happened, by the word of who told it
	User      string    // the provider's display name, the name of a key, or "system"
	Actor     string    // the author of the note, "" for User
	Note      string
	Late      bool // it is older than what is known
	Person    bool // set by hand: it is for the order, whatever the booking stands at
}

// CancelledByProvider is the sub-status, and code of the reason, of an order whose carrier has cancelled it unasked.
const CancelledByProvider = "CANCELLED_BY_PROVIDER"

// courier is the mode of services whose bookings end with the courier: a parcel goes on after trouble.
const courier = "courier"

// Follow takes in what was told about the booking of an attempt, oldest first. It returns lines for the history, and whether the
// booking has just ceased to be one of the account's open ones. Only news of the live booking move the order. A late one, or
// one of an attempt that has ended, enters the history and moves nothing. While we ask the carrier to cancel, its word that the
// booking has ended is left to whoever hears the answer: that one knows what the order is to become. A cancellation that is kept, and of
// which the carrier was not asked yet, is done with that. So is one that the merchant has made at the carrier itself: the order is cancelled. Of
// a number that is a person's word alone that may have been another order's: then the order can be tried again.
func (s *Shipment) Follow(number int, heard []Heard, now time.Time) (lines []Change, over bool) {
	a := s.Attempt(number)
	if a == nil || !s.ErasedAt.IsZero() {
		return nil, false
	}
	open := a.EndedAt.IsZero()
	for _, h := range heard {
		moves := a.Live() && a.Kind == s.Way() && !s.Final() && !h.Late && s.Stage() != BeforeDispatch
		asked := s.asked(a)
		if moves && !h.Person && a.CancelIntent != nil && gone(a, s, h.Status) {
			moves = false
		}
		wished := moves && !h.Person && s.Cancel != nil && gone(a, s, h.Status)
		withdrawn := moves && !h.Person && !wished && h.withdrawn() && !a.Told()
		switch {
		case wished:
			h = s.wished(h)
		case withdrawn: // in the carrier's own words
		case moves && !h.Person && h.Status == shipping.OrderCancelled:
			h = unasked(h)
			a.end(now)
		}
		if h.Status == "" || s.Status == h.Status && s.SubStatus == h.SubStatus {
			continue
		}
		if h.At.IsZero() {
			h.At = now
		}
		line := s.Move(h.Status, h.At, h.User, WithAttempt(number), WithNote(h.Note), WithSubStatus(h.SubStatus), WithReason(h.Reason),
			func(c *Change) { c.Late, c.Actor = !moves, h.Actor })
		s.UpdatedAt = now
		lines = append(lines, line)
		switch {
		case wished, withdrawn:
			a.end(now)
			a.State, s.Cancel, s.Failure = Cancelled, nil, nil
			if withdrawn {
				lines = append(lines, s.overtaken(a, asked, now)...)
			}
		case moves:
			s.settle(a, h, now)
			lines = append(lines, s.overtaken(a, asked, now)...)
		}
	}
	return lines, open && !a.EndedAt.IsZero()
}

// asked is what somebody was told to be under way about a booking.
type asked struct {
	cancel, edit bool
	change       *EditIntent // of edit, where it is the carrier that was asked to change the booking
}

func (s *Shipment) asked(a *Attempt) asked {
	return asked{cancel: s.Cancel != nil, edit: a.EditIntent != nil || a.Rebooking(), change: a.EditIntent}
}

// overtaken tells of what was under way and comes to nothing, as the booking has come to its end before: who was told that it is under
// way hears of it nowhere else. Where nothing was delivered, a change that the carrier was asked for is made of the order, so that the
// next booking is made with it; all but its name, which another may have taken.
func (s *Shipment) overtaken(a *Attempt, was asked, now time.Time) (lines []Change) {
	line := func(code string) {
		lines = append(lines, s.Move(s.Status, now, System, WithAttempt(a.Number), func(c *Change) { c.Late = true },
			WithNote(code+"( "+a.Provider+": the booking had come to its end before )")))
	}
	if was.cancel && s.Cancel == nil {
		line("CANCELLATION_REFUSED")
	}
	switch {
	case a.State == Cancelled && was.edit: // nothing is booked any more that it could be of
		line("EDIT_REFUSED")
	case a.State != Ended:
	case was.change != nil && s.Status != shipping.OrderDelivered:
		id := s.Order.ExternalID
		s.Order = was.change.Order
		s.Order.ExternalID = id
		line("EDITED")
	case was.edit:
		line("EDIT_REFUSED")
	}
	return lines
}

// gone reports whether a status of a carrier's says that there is nothing left to cancel.
func gone(a *Attempt, s *Shipment, to shipping.Status) bool {
	return to == shipping.OrderCancelled || to == shipping.OrderFailed || to == shipping.ErrorException && a.gaveUp(s)
}

// gaveUp reports whether trouble at the carrier's is the end of the booking: a courier who never had the goods will not come again.
func (a *Attempt) gaveUp(s *Shipment) bool {
	return a.Quote.Mode == courier && s.Progress.ActualPickup.IsZero()
}

// wished is the end of a booking whose cancellation was asked for: that of the order, in the carrier's words.
func (s *Shipment) wished(h Heard) Heard {
	if h.Actor == "" {
		h.Actor = h.User
	}
	h.Status, h.SubStatus, h.Reason, h.User = shipping.OrderCancelled, "", nil, s.Cancel.By
	return h
}

// withdrawn reports whether a carrier says that the merchant has had the booking cancelled there.
func (h Heard) withdrawn() bool {
	return h.Status == shipping.OrderCancelled && h.Reason != nil && h.Reason.Code == shipping.CancelledByMerchant
}

// Told reports whether the numbers of the attempt's booking are a person's word that the carrier has not confirmed.
func (a *Attempt) Told() bool { return a.Doubt != nil && a.Doubt.Told }

// unasked is a carrier's own cancellation: the order can be tried again.
func unasked(h Heard) Heard {
	h.Status, h.SubStatus = shipping.ErrorException, CancelledByProvider
	if h.Reason == nil {
		h.Reason = &shipping.EventReason{Code: CancelledByProvider, Title: "Cancelled by the provider"}
	}
	return h
}

// settle ends what a status has ended.
func (s *Shipment) settle(a *Attempt, h Heard, now time.Time) {
	if StageOf(h.Status) == Underway && h.Status != shipping.OrderDelayed || h.Status == shipping.OrderDelivered {
		if s.Progress.ActualPickup.IsZero() {
			s.Progress.ActualPickup = shipping.At(h.At)
		}
	}
	switch h.Status {
	case shipping.OrderDelivered:
		s.Progress.ActualDelivery = shipping.At(h.At)
		a.end(now)
		if h.Person {
			a.EndedBy = h.User
		}
		s.Cancel = nil
	case shipping.OrderFailed:
		a.end(now)
		s.Failure = &Failure{Type: "PLACE_ORDER_FAILED", Message: a.Provider + " could not carry out the order."}
	case shipping.ErrorException:
		if !h.Person && a.gaveUp(s) && h.User != System {
			a.end(now)
		}
	case shipping.OrderUndeliverable: // the booking goes on with its return, and is counted no more
		if a.EndedAt.IsZero() {
			a.EndedAt = now
		}
		if a.CancelIntent == nil { // nobody may cancel it any more; one that was asked for is answered
			s.Cancel = nil
		}
	}
}

// System is who changes a status when the engine acts by itself.
const System = "system"

// end ends a live attempt, with all that was intended about it.
func (a *Attempt) end(now time.Time) {
	a.State, a.CancelIntent, a.EditIntent = Ended, nil, nil
	if a.EndedAt.IsZero() {
		a.EndedAt = now
	}
}

// Learn takes in what is known of the delivery by the booking of an attempt, where that is the one that the order shows.
func (s *Shipment) Learn(number int, known Progress) {
	a := s.Attempt(number)
	if a == nil || s.Shown() != a || !s.ErasedAt.IsZero() {
		return
	}
	p := &s.Progress
	window(&p.EstimatedPickup, known.EstimatedPickup)
	window(&p.EstimatedDelivery, known.EstimatedDelivery)
	instant(&p.ActualPickup, known.ActualPickup)
	instant(&p.ActualDelivery, known.ActualDelivery)
	p.Driver, p.Vehicle, p.LastLocation = known.Driver, known.Vehicle, known.LastLocation
	if !known.Tip.IsZero() {
		p.Tip = known.Tip
	}
	if len(known.Proofs) > 0 {
		p.Proofs = known.Proofs
	}
}

// Charge takes the carrier's final charge in; what rules charge on top stays as it was agreed.
func (s *Shipment) Charge(number int, amount shipping.Money) {
	a := s.Attempt(number)
	if a == nil || a.Booking == nil || amount.IsZero() || amount.Currency != a.Booking.Amount.Currency || amount.Currency != a.Fee.Currency {
		return
	}
	a.Fee.Minor += amount.Minor - a.Booking.Amount.Minor
	a.Booking.Amount, a.Booking.Quoted = amount, false
}

func window(have *shipping.TimeWindow, said shipping.TimeWindow) {
	if !said.IsZero() {
		*have = said
	}
}

func instant(have *shipping.Instant, said shipping.Instant) {
	if !said.IsZero() {
		*have = said
	}
}
