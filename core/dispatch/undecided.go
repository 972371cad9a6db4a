package dispatch

import (
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// personAfter is for how long the engine alone asks a carrier to cancel or to change a booking.
const personAfter = 24 * time.Hour

// isPersons reports whether a person is to be asked whether what is intended about a booking since a time is done: nobody can ask its
// carrier, as the account has left the configuration, or that was done for long without an answer that settles it.
func (s *Service) isPersons(sh *shipment.Shipment, a *shipment.Attempt, since time.Time) bool {
	_, configured := s.Carriers.Account(sh.Tenant, a.Account)
	return !configured || s.Clock.Now().Sub(since) >= personAfter
}

// attend tells that a person is asked about a live booking. The engine asks the carrier on.
func (s *Service) attend(sh *shipment.Shipment, a *shipment.Attempt) *store.Tx {
	why := a.Undecided().Last
	s.Log.Warn("a person is asked what became of a cancellation or a change; look at the carrier's, then resolve it", "shipment_id", sh.ID, "account", a.Account,
		"attempt", a.Number, "reference", a.Reference, "cancel", a.CancelIntent != nil)
	return changed(sh, s.aside(sh, a, "NEEDS_ATTENTION( "+a.Provider+": "+why+" )"))
}

// askedTold takes a person's word of what was asked about a live booking: first whether it is cancelled, then whether it is changed.
func (s *Service) askedTold(sh *shipment.Shipment, a *shipment.Attempt, by string, r Resolution, sameID bool) (*store.Tx, error) {
	if r.Outcome == OutcomeBooked && !own(a, carrier.Booking{CarrierRef: r.TrackingID, TrackingID: r.TrackingID}) {
		return nil, usecase.Failf(usecase.InvalidOperation, "The booking of attempt %d is %s, not %s. If %s holds both, resolve that one as spare afterwards.",
			a.Number, firstOf(a.Booking.TrackingID, a.Booking.CarrierRef), r.TrackingID, a.Provider)
	}
	if ci := a.CancelIntent; ci == nil || ci.Needs == "" {
		var refusal *carrier.Error
		if r.Outcome == OutcomeAbsent {
			refusal = &carrier.Error{Message: "a person has found that the change is not taken"}
		}
		line := s.edited(sh, a, refusal, sameID)()
		line.User = by
		tx := changed(sh, line)
		tx.DropJobs = drop(sh, JobEdit)
		return tx, nil
	}
	if r.Outcome == OutcomeBooked {
		lines := s.stands(sh, a, "a person has found that the booking stands", true)
		for i := range lines {
			lines[i].User = by
		}
		a.CancelIntent, sh.Cancel = nil, nil
		waitsNoMore(a)
		tx := changed(sh, lines...)
		tx.DropJobs = drop(sh, JobCancel)
		return tx, nil
	}
	line := s.aside(sh, a, "RESOLVED( "+a.Provider+": a person has found that the booking is gone )")
	line.User = by
	tx := s.released(sh, a, carrier.Cancellation{}, nil, sameID)
	tx.Changes = append([]store.Change{{Shipment: sh.ID, Change: line}}, tx.Changes...)
	return tx, nil
}
