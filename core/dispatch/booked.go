package dispatch

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tally"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func settingsOf(set rules.Settings) shipment.Settings {
	return shipment.Settings{Signature: set.Signature, Tip: set.Tip, Instructions: set.Instructions, PickupInstructions: set.PickupInstructions,
		ShipAt: set.ShipAt, Weight: set.Weight}
}

func rulesSettings(set shipment.Settings) rules.Settings {
	return rules.Settings{Signature: set.Signature, Tip: set.Tip, Instructions: set.Instructions, PickupInstructions: set.PickupInstructions,
		ShipAt: set.ShipAt, Weight: set.Weight}
}

// booked commits what came of asking a carrier to book: the booking, a refusal, or doubt. next is how far the fallback has come should it be
// a refusal, nil for as far as before.
func (s *Service) booked(ctx context.Context, sh *shipment.Shipment, attempt int, user string, b carrier.Booking, trace *carrier.Trace, cerr *carrier.Error, next *shipment.Fallback) (*shipment.Shipment, error) {
	if cerr == nil && b.Cancelled {
		// What the carrier has under the reference is no booking any more; whether there is another must be found out.
		cerr = &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectUnknown, Retry: carrier.RetryNever, Code: carrier.CarrierProtocol,
			Message: "The carrier answered a booking that is cancelled."}
	}
	sh, err := s.change(ctx, sh, "result", func(sh *shipment.Shipment) (*store.Tx, error) {
		a := sh.Attempt(attempt)
		var tx *store.Tx
		switch {
		case !a.Open() && cerr == nil && !known(a, b):
			// The answer came so late that the attempt was given up, or another booking was adopted: nobody wants this one.
			tx = &store.Tx{}
			if _, err := s.recordFound(ctx, sh, a, []carrier.Booking{b}, tx); err != nil {
				return nil, err
			}
		case !a.Open():
			return nil, errUnchanged
		case cerr != nil && a.State == shipment.InDoubt && s.sentAgain(sh, a):
			return nil, errUnchanged // reconciliation may be asking the same of the carrier, and what that comes to is not known
		case cerr == nil:
			tx = s.success(sh, a, []carrier.Booking{b}, shipment.Booked, user)
		case cerr.Effect == carrier.EffectNone && !hasBooked(sh, a.Account, cerr):
			if tx = s.refused(sh, a, cerr); next != nil && sh.Waiting() {
				sh.Fallback = next
			}
		default:
			tx = s.doubt(sh, a, cerr)
		}
		tx.Exchanges = append(tx.Exchanges, exchangesOf(sh, a.Account, "book", a.Number, a.Round, trace, cerr)...)
		return tx, nil
	})
	if err != nil {
		return sh, err
	}
	s.metrics.attempts.WithLabelValues(sh.Attempt(attempt).Adapter, string(sh.Attempt(attempt).State)).Inc()
	return sh, nil
}

// sentAgain reports whether reconciliation sends the attempt's booking again instead of looking for it.
func (s *Service) sentAgain(sh *shipment.Shipment, a *shipment.Attempt) bool {
	m, known := s.manifest(sh.Tenant, a.Account)
	return !known || m.Idempotency == carrier.Native
}

// success turns the attempt into the live booking and dispatches the order. found is what the carrier has under the reference: the
// first that is not cancelled is the booking, the others are spares. Where the order was to be cancelled meanwhile, the job that does
// so is put with it.
func (s *Service) success(sh *shipment.Shipment, a *shipment.Attempt, found []carrier.Booking, state shipment.AttemptState, user string) *store.Tx {
	now := s.Clock.Now()
	b := brief(*liveBooking(found))
	a.State, a.Error = state, nil
	if a.Doubt != nil {
		a.Doubt.Heard()
		a.Doubt.Needs = ""
	}
	tx := &store.Tx{}
	s.take(sh, a, b, tx)
	s.watchPickup(sh, a, tx)
	sh.Failure = nil
	line := sh.Move(shipping.OrderDispatched, now, user, shipment.WithAttempt(a.Number))
	tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: line})
	tx.Trackers = append(tx.Trackers, s.followed(sh, a))
	tx.DropJobs = drop(sh, JobDispatch, JobReconcile)
	s.recordSpares(sh, a, found, tx)
	m, known := s.manifest(sh.Tenant, a.Account)
	if (!known || (m.Idempotency == carrier.NoIdempotency || told(a)) && m.Has(carrier.CanFind)) && !a.SpareLeft() {
		// Such a carrier may have booked more than once though one answer came; and so may one whose account has left the configuration,
		// or whose adapter has not started, as far as anybody can tell. Of what a person tells it is to be seen which booking it is.
		tx.PutJobs = append(tx.PutJobs, s.watchJob(sh, a, clock.Later(a.Deadline, now).Add(s.grace(sh, a, m))))
	}
	switch refusal := s.cancellable(sh); {
	case sh.Cancel != nil && told(a) && refusal != nil: // nobody can confirm what is refused then
		for _, l := range s.stands(sh, a, usecase.AsError(refusal).Message, true) {
			tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: l})
		}
		sh.Cancel = nil
	case sh.Cancel != nil && told(a):
		a.Doubt.Needs = shipment.Attention
		a.Doubt.Last = "the cancellation waits until the carrier shows the booking, or a person confirms its number: " + confirmCommand(sh, a)
		tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: s.aside(sh, a, "NEEDS_ATTENTION( "+a.Provider+": "+a.Doubt.Last+" )")})
	default:
		s.cancelKept(sh, tx)
	}
	return tx
}

// cancelKept puts the job that cancels a booking, where a cancellation was asked for before it was known.
func (s *Service) cancelKept(sh *shipment.Shipment, tx *store.Tx) {
	if a := sh.Live(sh.Way()); a != nil && sh.Cancel != nil && a.CancelIntent == nil {
		s.intendCancel(sh, sh.Cancel.By, nil)
		plan(tx, sh, s.job(sh, JobCancel, s.Clock.Now()))
	}
}

// take has the attempt hold the booking that the carrier tells of. What the carrier does not say of money and time stays as it is known.
func (s *Service) take(sh *shipment.Shipment, a *shipment.Attempt, b carrier.Booking, tx *store.Tx) {
	booking := &shipment.Booking{Amount: a.Quote.Amount, Charges: a.Quote.Charges, Quoted: true, BookedAt: s.Clock.Now()}
	if had := a.Booking; had != nil {
		booking.Amount, booking.Charges, booking.Quoted, booking.BookedAt = had.Amount, had.Charges, had.Quoted, had.BookedAt
	}
	booking.CarrierRef, booking.TrackingID, booking.TrackingURL = firstOf(b.CarrierRef, b.TrackingID), firstOf(b.TrackingID, b.CarrierRef), b.TrackingURL
	if !b.Amount.IsZero() {
		if extra := b.Amount.Minor - booking.Amount.Minor; b.Amount.Currency == a.Fee.Currency {
			a.Fee.Minor += extra
		}
		booking.Amount, booking.Charges, booking.Quoted = b.Amount, b.Charges, false
	}
	if !b.BookedAt.IsZero() {
		booking.BookedAt = b.BookedAt.Time
	}
	for i, p := range b.Parcels {
		bp := shipment.BookedParcel{Number: p.Number}
		if p.Label != nil && len(p.Label.Data) > 0 {
			bp.LabelFormat = p.Label.Format
			tx.Labels = append(tx.Labels, store.Label{Shipment: sh.ID, Attempt: a.Number, Parcel: i + 1, Label: *p.Label})
		}
		booking.Parcels = append(booking.Parcels, bp)
	}
	if m, ok := s.manifest(sh.Tenant, a.Account); ok {
		bookedBy(a, m, b.ServiceID)
	}
	a.Booking = booking
	claim(sh, a, tx, bookingNumbers(booking)...)
	s.fetchLabels(sh, a, tx)
	s.promise(sh, a, b)
	for _, w := range b.Warnings {
		sh.Warnings = append(sh.Warnings, shipment.Warning{Code: "PROVIDER_WARNING", Provider: a.Provider, Message: w})
	}
}

// promise takes the carrier's times into what the shipment shows.
func (s *Service) promise(sh *shipment.Shipment, a *shipment.Attempt, b carrier.Booking) {
	p := &sh.Progress
	p.EstimatedPickup, p.EstimatedDelivery = a.Quote.Pickup, a.Quote.Delivery
	if !b.Pickup.IsZero() {
		p.EstimatedPickup = b.Pickup
	}
	if !b.Delivery.IsZero() {
		p.EstimatedDelivery = b.Delivery
	}
	if _, delivery := wanted(sh); delivery.IsZero() && !p.EstimatedDelivery.IsZero() {
		end := p.EstimatedDelivery.EndsAt
		if end.IsZero() {
			end = p.EstimatedDelivery.StartsAt
		}
		sh.DeliveryTime = shipping.TimeWindow{EndsAt: end}
	}
}

func callError(op string, err *carrier.Error) *shipment.CallError {
	return &shipment.CallError{Code: string(err.Code), Message: err.Message, CarrierCode: err.CarrierCode, CarrierMessage: err.CarrierMessage,
		Source: string(err.Source), Effect: string(err.Effect), Op: op}
}

// refused ends an attempt that has certainly not become a booking. Where the order was to be cancelled, it is now.
func (s *Service) refused(sh *shipment.Shipment, a *shipment.Attempt, err *carrier.Error) *store.Tx {
	now := s.Clock.Now()
	a.State, a.Error, a.EndedAt = shipment.Refused, callError("book", err), now
	sh.UpdatedAt = now
	tx := &store.Tx{}
	if sh.Cancel != nil {
		tx = s.cancelledLocally(sh, sh.Cancel.By)
	}
	tx.Usage = append(tx.Usage, uncounted(sh, a))
	tx.Counts = tally.Back(a)
	return tx
}

// uncounted takes back what the intent of an attempt was counted for: it has not become a booking.
func uncounted(sh *shipment.Shipment, a *shipment.Attempt) store.UsageDelta {
	return store.UsageDelta{Account: a.Account, Day: sh.Day(a.IntendedAt), Open: -1, Today: -1}
}

// doubt marks the attempt as one whose fate nobody knows, and puts the job that will find out in place of the dispatch job.
func (s *Service) doubt(sh *shipment.Shipment, a *shipment.Attempt, err *carrier.Error) *store.Tx {
	now := s.Clock.Now()
	tx := &store.Tx{DropJobs: drop(sh, JobDispatch)}
	if a.State != shipment.InDoubt {
		a.State, a.Error = shipment.InDoubt, callError("book", err)
		a.Doubt = &shipment.Doubt{Since: now}
		line := sh.Move(shipping.PendingDispatch, now, systemUser, shipment.WithAttempt(a.Number), shipment.WithNote("DISPATCH_IN_DOUBT( "+a.Provider+": "+err.Message+" )"))
		tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: line})
		s.metrics.doubt.Inc()
	}
	plan(tx, sh, s.job(sh, JobReconcile, s.firstLook(sh, a, now)))
	return tx
}

// firstLook is when reconciliation may begin: when the carrier can no longer commit what was sent. A carrier that makes one
// booking per reference whatever is sent may be asked at once.
func (s *Service) firstLook(sh *shipment.Shipment, a *shipment.Attempt, now time.Time) time.Time {
	m, known := s.manifest(sh.Tenant, a.Account)
	if known && m.Idempotency == carrier.Native {
		return now
	}
	return clock.Later(a.Deadline.Add(s.grace(sh, a, m)), now)
}

// grace is how long the carrier may still commit after a call's deadline: the operator's word, else the adapter's.
func (s *Service) grace(sh *shipment.Shipment, a *shipment.Attempt, m carrier.Manifest) time.Duration {
	if t := s.Config().Tenants[sh.Tenant]; t != nil && t.Accounts[a.Account] != nil && t.Accounts[a.Account].Grace != nil {
		return *t.Accounts[a.Account].Grace
	}
	return m.Grace
}

func (s *Service) manifest(tenant, account string) (carrier.Manifest, bool) {
	if acc, ok := s.Carriers.Account(tenant, account); ok {
		return acc.Manifest()
	}
	return carrier.Manifest{}, false
}
