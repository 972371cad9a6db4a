package dispatch

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// For how long the engine alone asks a carrier what became of a booking, or to cancel or change one.
const (
	personAfter = 24 * time.Hour
	// barredAfter is how long every answer must be that the account may not ask. Less is a passing fault, or a secret that is being replaced.
	barredAfter = time.Minute
)

// isPersons reports whether a person is asked as well what becomes of what its carrier is asked about an attempt since a time, without an
// answer that settles it: where nobody can ask, as the account has left the configuration; where the carrier lets the account ask nothing;
// and where it has taken too long. barred keeps since when the account may not ask; err is the answer that came now.
func (s *Service) isPersons(sh *shipment.Shipment, a *shipment.Attempt, since time.Time, barred *time.Time, err *carrier.Error) bool {
	now := s.Clock.Now()
	switch {
	case err.Code != carrier.CredentialsRejected && err.Code != carrier.AccountNotEnabled:
		*barred = time.Time{}
	case barred.IsZero():
		*barred = now
	}
	_, configured := s.Carriers.Account(sh.Tenant, a.Account)
	return !configured || !barred.IsZero() && now.Sub(*barred) >= barredAfter || now.Sub(since) >= personAfter
}

// accountGone is what comes of asking an account that has left the configuration.
func accountGone() *carrier.Error {
	return &carrier.Error{Source: carrier.SourceConfig, Effect: carrier.EffectNone, Retry: carrier.RetrySafe, Code: carrier.AdapterUnavailable,
		Message: "The account is not configured any more."}
}

// failedToStart reports whether the first start of an adapter that has not told its manifest is over: nobody knows when it will.
func failedToStart(acc Account) bool {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return acc.Started(ctx)
}

// notStarted is what comes of asking an adapter that has not told its manifest yet.
func notStarted() *carrier.Error {
	return &carrier.Error{Source: carrier.SourceEngine, Effect: carrier.EffectNone, Retry: carrier.RetrySafe, Code: carrier.AdapterUnavailable,
		Message: "The adapter has not started."}
}

// unanswered notes that the carrier could not be asked what became of an attempt in doubt. After long a person is asked as well.
func (s *Service) unanswered(sh *shipment.Shipment, a *shipment.Attempt, err *carrier.Error) *store.Tx {
	d := a.Doubt
	why := "the carrier cannot be asked: " + err.Message
	d.Last = err.Error()
	if persons := s.isPersons(sh, a, d.Since, &d.Barred, err); persons && d.Needs == "" {
		tx, _ := s.undecidable(sh, a, why)
		d.Unasked = true
		return tx
	}
	if d.Unasked {
		d.Last = why
	}
	return &store.Tx{}
}

// unaskable has a person asked about an attempt in doubt whose carrier there is no way to ask, as err says, at once or after long.
func (s *Service) unaskable(ctx context.Context, sh *shipment.Shipment, number int, err *carrier.Error) (jobs.Outcome, error) {
	_, failed := s.change(ctx, sh, "attention", func(sh *shipment.Shipment) (*store.Tx, error) {
		a := sh.Attempt(number)
		if !a.Open() {
			return nil, errUnchanged
		}
		if a.Doubt == nil {
			a.State, a.Doubt = shipment.InDoubt, &shipment.Doubt{Since: s.Clock.Now()}
		}
		if asked := a.Doubt.Needs != ""; asked || !s.isPersons(sh, a, a.Doubt.Since, &a.Doubt.Barred, err) {
			return nil, errUnchanged
		}
		return s.unanswered(sh, a, err), nil
	})
	return jobs.Again(s.Clock.Now().Add(longPause)), failed
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
			a.Number, a.Booking.Number(), r.TrackingID, a.Provider)
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
