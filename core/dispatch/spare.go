package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// refOf is the number by which a carrier's booking is known.
func refOf(b carrier.Booking) string { return firstOf(b.CarrierRef, b.TrackingID) }

// numbers are all those by which a carrier's booking may be called: its own, and its parcels'.
func numbers(b carrier.Booking) []string {
	out := []string{b.CarrierRef, b.TrackingID}
	for _, p := range b.Parcels {
		out = append(out, p.Number)
	}
	return slices.DeleteFunc(out, func(n string) bool { return n == "" })
}

// own reports whether this is the attempt's booking, by any number of it: carriers name one booking by several.
func own(a *shipment.Attempt, b carrier.Booking) bool {
	return slices.ContainsFunc(numbers(b), func(n string) bool { return bears(a.Booking, n) })
}

// bears reports whether a number is one of a booking's, or of a parcel's, however it is written. No booking bears none.
func bears(b *shipment.Booking, number string) bool {
	return b != nil && number != "" && slices.ContainsFunc(bookingNumbers(b), func(n string) bool { return n != "" && tracker.SameNumber(n, number) })
}

// spareOf is the spare of an attempt that is known by a number, however that is written; nil where there is none.
func spareOf(a *shipment.Attempt, number string) *shipment.Spare {
	for i := range a.Spares {
		if sp := &a.Spares[i]; number != "" && (tracker.SameNumber(sp.CarrierRef, number) || tracker.SameNumber(sp.TrackingID, number)) {
			return sp
		}
	}
	return nil
}

// known reports whether the attempt has this booking already, as its own or as a spare. A booking that lives is not the one which was
// cancelled by a person's word, though that was the number of one parcel of it.
func known(a *shipment.Attempt, b carrier.Booking) bool {
	parcelOnly := byWord(a) && a.State == shipment.Cancelled && !tracker.SameNumber(refOf(b), a.Booking.CarrierRef)
	return own(a, b) && !parcelOnly || spareOf(a, refOf(b)) != nil
}

// recordSpares notes what the carrier has booked beyond what the attempt knows, with the job that has it cancelled, and reports
// whether there was any.
func (s *Service) recordSpares(sh *shipment.Shipment, a *shipment.Attempt, found []carrier.Booking, tx *store.Tx) bool {
	now := s.Clock.Now()
	any := false
	for _, b := range found {
		if sp := spareOf(a, refOf(b)); !b.Cancelled && sp != nil && !own(a, b) && s.comesBack(sp) {
			any = true
			s.bringBack(sh, a, sp, tx)
		}
		if b.Cancelled || known(a, b) {
			continue
		}
		any = true
		a.Spares = append(a.Spares, shipment.Spare{CarrierRef: refOf(b), TrackingID: b.TrackingID, FoundAt: now})
		claim(sh, a, tx, refOf(b), b.TrackingID)
		line := s.aside(sh, a, "SPARE_FOUND( "+a.Provider+" "+firstOf(b.TrackingID, b.CarrierRef)+" )")
		tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: line})
		s.metrics.spares.Inc()
		s.Log.Warn("a carrier shows a booking that no order wants; it is asked to cancel it", "shipment_id", sh.ID, "account", a.Account, "attempt", a.Number,
			"carrier_ref", refOf(b))
	}
	if any {
		sh.UpdatedAt = now
		tx.PutJobs = append(tx.PutJobs, s.watchJob(sh, a, now))
	}
	return any
}

// comesBack reports whether a spare that is noted as gone, and that its carrier shows alive, is to be cancelled after all: where a person
// has said that it is gone. The carrier's own word is believed; it may be slow to show what it has done. Later than an absence is watched a
// person's word is final: of what was carried out and cannot be cancelled.
func (s *Service) comesBack(sp *shipment.Spare) bool {
	return !sp.CancelledAt.IsZero() && sp.ByPerson != "" && s.Clock.Now().Sub(sp.FoundAt) <= s.Config().Dispatch.WatchFor
}

// bringBack has a spare counted and cancelled again.
func (s *Service) bringBack(sh *shipment.Shipment, a *shipment.Attempt, sp *shipment.Spare, tx *store.Tx) {
	sp.CancelledAt, sp.ByPerson = time.Time{}, ""
	if a.State == shipment.Voided {
		a.State = shipment.Absent
	}
	claim(sh, a, tx, sp.CarrierRef, sp.TrackingID)
	line := s.aside(sh, a, "SPARE_FOUND( "+a.Provider+" "+sp.Number()+": the carrier holds it still )")
	tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: line})
	s.Log.Warn("a carrier shows a spare booking that was noted as gone; it is asked to cancel it again", "shipment_id", sh.ID, "account", a.Account,
		"carrier_ref", sp.CarrierRef)
}

// watchJob is the job that looks for spare bookings of an attempt and has them cancelled. Each attempt has its own.
func (s *Service) watchJob(sh *shipment.Shipment, a *shipment.Attempt, due time.Time) store.Job {
	j := s.job(sh, JobWatch, due)
	j.ID += "/" + strconv.Itoa(a.Number)
	j.Payload = strconv.AppendInt(nil, int64(a.Number), 10)
	return j
}

// RunWatch is the handler of watch jobs. It cancels the spare bookings of an attempt, and looks for more: as long as the
// configuration says where an attempt is absent, a few times where that was proven, and once where the carrier may have booked twice.
func (s *Service) RunWatch(ctx context.Context, j store.Job) (jobs.Outcome, error) {
	sh, err := s.Store.Shipment(ctx, j.Tenant, shipment.ID(j.Key))
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("watch job %s: %w", j.ID, err)
	}
	number, err := strconv.Atoi(string(j.Payload))
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("watch job %s: payload %q: %w", j.ID, j.Payload, err)
	}
	a := sh.Attempt(number)
	if a == nil || a.Open() {
		return jobs.Done(), nil
	}
	acc, ok := s.Carriers.Account(sh.Tenant, a.Account)
	if !ok {
		return s.watchUnasked(a), s.sparesUnasked(ctx, sh, number, accountGone())
	}
	m, started := acc.Manifest()
	if !started {
		if failedToStart(acc) {
			err = s.sparesUnasked(ctx, sh, number, notStarted())
		}
		return jobs.Again(s.Clock.Now().Add(s.unstarted(a))), err
	}
	looked := true
	if m.Has(carrier.CanFind) {
		if sh, looked, err = s.lookForSpares(ctx, sh, number, acc); err != nil {
			return jobs.Outcome{}, err
		}
	}
	if sh, err = s.cancelSpares(ctx, sh, number, acc); err != nil {
		return jobs.Outcome{}, err
	}
	a = sh.Attempt(number)
	switch {
	case a.SpareLeft():
		return s.watchOn(a, sparePause(a)), nil
	case !looked:
		return s.watchUnasked(a), nil
	case watched(a, m):
		// The longer nothing has shown, the less often it is looked for.
		_, quiet := watchedSince(a)
		return s.watchOn(a, max(min(s.Clock.Now().Sub(quiet)/4, watchPause), s.Config().Dispatch.WatchEvery)), nil
	case a.State == shipment.Absent && m.Has(carrier.CanFind): // proven, and the carrier may be later than it says
		return s.watchOn(a, max(s.Clock.Now().Sub(a.EndedAt), s.Config().Dispatch.WatchEvery)), nil
	}
	return jobs.Done(), nil
}

// unasked is how long to wait until a carrier that could not be asked is asked again: the longer its attempt is ago, the longer.
func (s *Service) unasked(a *shipment.Attempt) time.Duration {
	return min(max(s.Clock.Now().Sub(a.IntendedAt)/4, firstPause), longPause)
}

// unstarted is how long to wait for an adapter that has not told its manifest yet.
func (s *Service) unstarted(a *shipment.Attempt) time.Duration {
	return min(s.unasked(a), time.Minute)
}

// watchedSince is from when it counts how long an attempt is watched, and since when nothing of it has shown.
func watchedSince(a *shipment.Attempt) (begun, quiet time.Time) {
	begun, quiet = a.IntendedAt, a.EndedAt
	if byWord(a) { // a person may have taken long
		begun = clock.Later(a.Booking.BookedAt, a.EndedAt)
		quiet = begun
	}
	for _, sp := range a.Spares {
		if sp.ByPerson != "" {
			begun, quiet = clock.Later(begun, sp.FoundAt), clock.Later(quiet, sp.CancelledAt)
		}
	}
	return begun, quiet
}

// watched reports whether the attempt's absence was believed without proof, so that its booking may still show, or a person's word: of a
// booking, which the carrier is yet to show, whatever has become of the number that was told, or of a spare that is gone.
func watched(a *shipment.Attempt, m carrier.Manifest) bool {
	if byWord(a) || slices.ContainsFunc(a.Spares, func(sp shipment.Spare) bool { return sp.ByPerson != "" }) {
		return m.Has(carrier.CanFind)
	}
	return (a.State == shipment.Absent || a.State == shipment.Voided) && (m.Absence != carrier.Proven || a.Doubt != nil && a.Doubt.ByPerson != "")
}

// watchOn looks again after a pause, as long as the attempt is to be watched. A spare that is left is never forgotten.
func (s *Service) watchOn(a *shipment.Attempt, pause time.Duration) jobs.Outcome {
	return s.watchWithin(a, pause, s.Config().Dispatch.WatchFor)
}

// watchUnasked looks again for what could not be asked about. A carrier that was out of order, or had left the configuration, when the watch
// would have ended is asked for as long again.
func (s *Service) watchUnasked(a *shipment.Attempt) jobs.Outcome {
	return s.watchWithin(a, s.unasked(a), 2*s.Config().Dispatch.WatchFor)
}

// watchWithin is watchOn for an attempt that is to be watched so long. However long the pauses have grown, it is looked for at the end of that
// too: a booking that shows before must not stay unseen because the last pause was a long one.
func (s *Service) watchWithin(a *shipment.Attempt, pause, long time.Duration) jobs.Outcome {
	now := s.Clock.Now()
	next := now.Add(pause)
	begun, _ := watchedSince(a)
	switch end := begun.Add(long); {
	case a.SpareLeft() || !next.After(end):
	case !now.Before(end):
		return jobs.Done()
	default:
		next = end
	}
	return jobs.Again(next)
}

// sparePause is how long to wait before the carrier is asked again to cancel what it has not cancelled yet. One that it has refused to
// cancel may be gone all the same, where the answer to an earlier cancellation was lost: it is looked at again in minutes, then ever
// more seldom. One that could not be asked for is tried on as before, though a person is asked too.
func sparePause(a *shipment.Attempt) time.Duration {
	asks := 1
	for _, sp := range a.Spares {
		if sp.CancelledAt.IsZero() {
			if sp.Needs != "" && !sp.Unasked {
				return pause(sp.Asks, refusedPause, watchPause)
			}
			asks = max(asks, sp.Asks)
		}
	}
	return pause(asks, firstPause, longPause)
}

// lookForSpares asks the carrier what it has under the attempt's reference, and records what nobody knew. looked is false where
// the carrier could not be asked.
func (s *Service) lookForSpares(ctx context.Context, sh *shipment.Shipment, number int, acc Account) (_ *shipment.Shipment, looked bool, err error) {
	a := sh.Attempt(number)
	fctx, cancel := context.WithTimeout(ctx, callTime(a))
	defer cancel()
	fctx, trace := carrier.WithTrace(fctx)
	found, ferr := s.find(fctx, sh, a, acc)
	if ferr != nil {
		return sh, false, nil
	}
	sh, err = s.change(ctx, sh, "spare", func(sh *shipment.Shipment) (*store.Tx, error) {
		tx := &store.Tx{}
		a := sh.Attempt(number)
		fresh, err := s.recordFound(ctx, sh, a, found, tx)
		if err != nil {
			return nil, err
		}
		if gone := s.sparesCancelled(sh, a, found, tx); !fresh && !gone {
			return nil, errUnchanged
		}
		tx.Exchanges = exchangesOf(sh, a.Account, "find", number, a.Round, trace, nil)
		return tx, nil
	})
	return sh, true, err
}

// sparesCancelled notes which spare bookings the carrier shows as cancelled: an answer was lost, or a person has seen to it there.
func (s *Service) sparesCancelled(sh *shipment.Shipment, a *shipment.Attempt, found []carrier.Booking, tx *store.Tx) bool {
	any := false
	for _, b := range found {
		if sp := spareOf(a, refOf(b)); b.Cancelled && sp != nil && sp.CancelledAt.IsZero() {
			any = true
			s.spareGone(sh, a, sp, systemUser, tx)
		}
	}
	return any
}

// spareGone ends a spare booking, with the line that says so. It is nobody's then.
func (s *Service) spareGone(sh *shipment.Shipment, a *shipment.Attempt, sp *shipment.Spare, by string, tx *store.Tx) {
	sp.CancelledAt, sp.Needs, sp.Unasked, sp.Barred, sp.Error = s.Clock.Now(), "", false, time.Time{}, nil
	if by != systemUser {
		sp.ByPerson = by
	}
	if a.State == shipment.Absent && !a.SpareLeft() {
		a.State = shipment.Voided
	}
	line := s.aside(sh, a, "SPARE_CANCELLED( "+a.Provider+" "+sp.Number()+" )")
	line.User = by
	tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: line})
	letGo(a, tx, sp.CarrierRef, sp.TrackingID)
}

// callTime is how long a call about an attempt may take: as long as its booking might.
func callTime(a *shipment.Attempt) time.Duration { return a.Deadline.Sub(a.IntendedAt) }

// cancelSpares asks the carrier to cancel each spare booking that is left, and commits what it says.
func (s *Service) cancelSpares(ctx context.Context, sh *shipment.Shipment, number int, acc Account) (*shipment.Shipment, error) {
	var errs []error
	for _, sp := range append([]shipment.Spare(nil), sh.Attempt(number).Spares...) {
		if !sp.CancelledAt.IsZero() {
			continue
		}
		a := sh.Attempt(number)
		if sp.Told {
			other, err := s.othersOrder(ctx, sh, a, sp.Number())
			if err == nil && other != nil {
				sh, err = s.yielded(ctx, sh, claimName(a, sp.CarrierRef))
			}
			if err != nil || other != nil {
				errs = append(errs, err)
				continue
			}
		}
		cctx, cancel := context.WithTimeout(ctx, callTime(a))
		cctx, trace := carrier.WithTrace(cctx)
		_, cerr := acc.Cancel(cctx, carrier.CancelRequest{Reference: a.Reference, CarrierRef: sp.CarrierRef, TrackingID: sp.TrackingID,
			ServiceID: a.ServiceID, Reason: "spare booking"})
		cancel()
		var err error
		if sh, err = s.spareAnswered(ctx, sh, number, sp.CarrierRef, trace, carrierError(cerr)); err != nil {
			errs = append(errs, err)
		}
	}
	return sh, errors.Join(errs...)
}

// spareAnswered commits what the carrier said of cancelling a spare booking.
func (s *Service) spareAnswered(ctx context.Context, sh *shipment.Shipment, number int, ref string, trace *carrier.Trace, cerr *carrier.Error) (*shipment.Shipment, error) {
	return s.change(ctx, sh, "spare-cancelled", func(sh *shipment.Shipment) (*store.Tx, error) {
		a := sh.Attempt(number)
		sp := a.Spare(ref)
		if sp == nil || !sp.CancelledAt.IsZero() {
			return nil, errUnchanged
		}
		tx := &store.Tx{}
		switch {
		case cerr == nil || cerr.Effect == carrier.EffectApplied:
			s.spareGone(sh, a, sp, systemUser, tx)
		default:
			sp.Asks++
			s.spareStays(sh, a, sp, cerr, tx)
		}
		tx.Exchanges = exchangesOf(sh, a.Account, "cancel", number, a.Round, trace, cerr)
		return tx, nil
	})
}

// spareStays notes why a spare booking is not cancelled. What its carrier will not cancel is a person's, what a person has told of and it does
// not know, and what it cannot be asked about, or does not answer, for long. It is asked on in any case.
func (s *Service) spareStays(sh *shipment.Shipment, a *shipment.Attempt, sp *shipment.Spare, cerr *carrier.Error, tx *store.Tx) {
	sp.Error = callError("cancel", cerr)
	sh.UpdatedAt = s.Clock.Now()
	refuses := refusedForGood(cerr) || sp.Told && cerr.Code == carrier.BookingNotFound
	persons := s.isPersons(sh, a, sp.FoundAt, &sp.Barred, cerr) || refuses
	if !persons || sp.Needs != "" && !(refuses && sp.Unasked) {
		return
	}
	sp.Needs, sp.Unasked = shipment.Attention, !refuses
	line := s.aside(sh, a, "SPARE_NOT_CANCELLED( "+a.Provider+" "+sp.Number()+": "+cerr.Message+" )")
	tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: line})
	s.Log.Error("spare booking is not cancelled by its carrier; have it cancelled there, then resolve the attempt", "shipment_id", sh.ID, "account", a.Account,
		"carrier_ref", sp.CarrierRef, "err", cerr)
}

// sparesUnasked has a person asked, at once or after long, about the spare bookings that are left of an attempt whose carrier there is no way
// to ask, as cerr says.
func (s *Service) sparesUnasked(ctx context.Context, sh *shipment.Shipment, number int, cerr *carrier.Error) error {
	_, err := s.change(ctx, sh, "attention", func(sh *shipment.Shipment) (*store.Tx, error) {
		a, tx := sh.Attempt(number), &store.Tx{}
		for i := range a.Spares {
			if sp := &a.Spares[i]; sp.CancelledAt.IsZero() && sp.Needs == "" {
				s.spareStays(sh, a, sp, cerr, tx)
			}
		}
		if len(tx.Changes) == 0 {
			return nil, errUnchanged
		}
		return tx, nil
	})
	return err
}

// aside is a line of the history that leaves the present as it is.
func (s *Service) aside(sh *shipment.Shipment, a *shipment.Attempt, note string) shipment.Change {
	return sh.Move(sh.Status, s.Clock.Now(), systemUser, shipment.WithAttempt(a.Number), shipment.WithNote(note), func(c *shipment.Change) { c.Late = true })
}
