package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Outcome is what a person found out about an attempt.
type Outcome string

// The outcomes.
const (
	// OutcomeAbsent: the carrier has no booking for the attempt, or has it no more where it was asked to cancel it; of an edit that it was asked
	// for: it has not taken that; of an attempt whose spare booking it would not cancel: that one is gone.
	OutcomeAbsent Outcome = "absent"
	// OutcomeBooked: the carrier has booked, under the tracking id given, or has not cancelled that booking, or has taken the edit of it.
	OutcomeBooked Outcome = "booked"
	// OutcomeSpare: the carrier holds a booking, under the tracking id given, on which the order does not count; it is to be cancelled there.
	OutcomeSpare Outcome = "spare"
)

// Resolution is what a person says of an attempt that only a person can decide, or of a booking beside what the engine knows.
type Resolution struct {
	Attempt    int // number, from 1; 0 for the last that needs a person
	Outcome    Outcome
	TrackingID string // of a booked or spare one
	// Withdraw is the number that a person has told of the attempt, given again to take it back although its parcel has come to its end: that
	// was another's. Reason says how that is known; it stands in the history. Both are "" elsewhere.
	Withdraw, Reason string
}

// Resolve ends an attempt that needs a person, or takes back what one has said of it, as long as its carrier has not confirmed that. An absent
// one lets the order be dispatched anew, and is watched as long as any absence that is not proven; a booked one is adopted. A cancellation
// that was asked for meanwhile wins in either case. A spare booking is cancelled at the carrier by a job, which the history tells of.
func (s *Service) Resolve(ctx context.Context, c usecase.Caller, externalID string, r Resolution) (Result, error) {
	begun := s.Clock.Now()
	sh, err := s.load(ctx, c, externalID)
	if err != nil {
		return Result{}, err
	}
	caller, number := ctx, 0
	ctx = context.WithoutCancel(ctx)
	found, err := s.lookFirst(ctx, sh, &r)
	if err != nil {
		return Result{}, err
	}
	sh, err = s.changeNamed(ctx, sh, "resolve", func(sh *shipment.Shipment, sameID bool) (*store.Tx, error) {
		if r.Outcome == OutcomeSpare {
			return s.spareTold(ctx, sh, c.Key, r)
		}
		a := resolvable(sh, r)
		if a == nil {
			return nil, s.nothingToResolve(ctx, sh, r)
		}
		number = a.Number
		switch {
		case r.Withdraw != "":
			return s.takeBack(ctx, sh, a, found, c.Key, r)
		case told(a) && r.Outcome == OutcomeBooked && !own(a, carrier.Booking{CarrierRef: r.TrackingID, TrackingID: r.TrackingID}):
			return s.tellBooked(ctx, sh, a, found, c.Key, r)
		case a.Live() && a.Undecided() != a.Doubt: // not whether it is booked, but what was asked about that
			return s.askedTold(sh, a, c.Key, r, sameID)
		case r.Outcome == OutcomeBooked && awaitsNumber(a):
			return s.tellBooked(ctx, sh, a, found, c.Key, r)
		case r.Outcome == OutcomeBooked:
			return nil, usecase.Failf(usecase.InvalidOperation, "Attempt %d is decided; what is left is a spare booking. Have it cancelled at %s, then resolve the attempt as absent.", number, a.Provider)
		case told(a) && (a.Doubt.Needs != "" || !a.SpareNeeds()):
			return s.absentAfterAll(ctx, sh, a, found, c.Key, r)
		case a.State != shipment.InDoubt:
			return s.sparesGone(sh, a, c.Key), nil
		}
		a.Doubt.ByPerson = c.Key
		m, known := s.manifest(sh.Tenant, a.Account)
		return s.absent(sh, a, !known || m.Has(carrier.CanFind)), nil
	})
	if e, ok := errors.AsType[*usecase.Error](err); ok {
		return Result{}, e
	}
	if err != nil {
		return Result{}, s.storeError("resolve attempt", err)
	}
	if attempts := len(sh.Attempts); number > 0 && sh.Waiting() && sh.Attempt(number).State == shipment.Absent {
		// Its dispatch job is due now.
		until := begun.Add(s.Config().Dispatch.AnswerWithin)
		if sh, err = s.await(caller, sh, until, func(sh *shipment.Shipment) bool {
			return moving(sh) && !s.outOfReach(sh, until) || sh.Status == shipping.PendingDispatch && len(sh.Attempts) == attempts
		}); err != nil {
			return Result{}, err
		}
	}
	return Result{Shipment: sh, Waiting: sh.Waiting() || sh.Cancel != nil}, nil
}

// resolvable is the attempt of which a person may say what became of it: one that needs that, else one that is booked by such a word alone,
// which may have been a mistake. One that takes a number back means the attempt that has it.
func resolvable(sh *shipment.Shipment, r Resolution) *shipment.Attempt {
	if r.Withdraw != "" {
		return latest(sh, r.Attempt, carriedByWord)
	}
	if a := latest(sh, r.Attempt, (*shipment.Attempt).NeedsPerson); a != nil {
		return a
	}
	return latest(sh, r.Attempt, told)
}

// lookFirst asks the carrier about the attempt that is resolved, where what it shows under the reference is more than a person's word, and
// names the attempt in r.
func (s *Service) lookFirst(ctx context.Context, sh *shipment.Shipment, r *Resolution) ([]carrier.Booking, error) {
	a := resolvable(sh, *r)
	if a == nil || r.Withdraw == "" && !awaitsNumber(a) || r.Outcome == OutcomeSpare || r.Outcome == OutcomeAbsent && a.State == shipment.InDoubt {
		return nil, nil
	}
	r.Attempt = a.Number
	found := s.shown(ctx, sh, a)
	if r.Outcome == OutcomeAbsent {
		return found, nil
	}
	return sighted(a, found, r.TrackingID)
}

// latest is the last attempt of which something is true, or the one with this number where that is not 0; nil where it is true of none.
func latest(sh *shipment.Shipment, number int, is func(*shipment.Attempt) bool) *shipment.Attempt {
	for i := len(sh.Attempts) - 1; i >= 0; i-- {
		if a := &sh.Attempts[i]; (number == 0 || number == a.Number) && is(a) {
			return a
		}
	}
	return nil
}

// spareTold takes a person's word that the carrier holds a booking on which the order does not count, and has it cancelled. What the
// order counts on is cancelled with the order, not so.
func (s *Service) spareTold(ctx context.Context, sh *shipment.Shipment, by string, r Resolution) (*store.Tx, error) {
	a := sh.Attempt(r.Attempt)
	if a == nil {
		return nil, usecase.Failf(usecase.InvalidOperation, "The order has no attempt %d.", r.Attempt)
	}
	if a.Open() {
		todo := "Wait for the engine, which is finding out."
		if a.NeedsPerson() {
			todo = "Say that first: " + usecase.ResolveCommand(sh.Order.ExternalID, a.Number, "")
		}
		return nil, usecase.Failf(usecase.InvalidOperation, "What became of attempt %d is not known yet. Nothing was changed. %s", a.Number, todo)
	}
	is := carrier.Booking{CarrierRef: r.TrackingID, TrackingID: r.TrackingID}
	for i := range sh.Attempts {
		x := &sh.Attempts[i]
		if x.Adapter == a.Adapter && bears(x.Booking, r.TrackingID) && x.Live() && sh.Status != shipping.OrderCancelled && sh.Status != shipping.OrderFailed && sh.Status != shipping.EstimatesFailed {
			return nil, usecase.Failf(usecase.InvalidOperation, "%s is what the order counts on. Nothing was changed.%s", r.TrackingID, s.orCancel(sh, x, " To cancel it: "))
		}
		if x.Adapter == a.Adapter && bears(x.Booking, r.TrackingID) && x == sh.Shown() && sh.Status == shipping.OrderDelivered {
			return nil, usecase.Failf(usecase.InvalidOperation, "%s has delivered the order.", r.TrackingID)
		}
	}
	if err := s.othersOwn(ctx, sh, a, r.TrackingID); err != nil {
		return nil, err
	}
	if bears(a.Booking, r.TrackingID) { // the carrier wants its own number
		is.CarrierRef, is.TrackingID = firstOf(a.Booking.CarrierRef, r.TrackingID), a.Booking.TrackingID
	}
	now := s.Clock.Now()
	sp := spareOf(a, r.TrackingID)
	word := sp == nil || sp.Told
	if sp != nil {
		is.CarrierRef, is.TrackingID = sp.CarrierRef, sp.TrackingID
	} else {
		a.Spares = append(a.Spares, shipment.Spare{})
		sp = &a.Spares[len(a.Spares)-1]
		s.metrics.spares.Inc()
	}
	*sp = shipment.Spare{CarrierRef: is.CarrierRef, TrackingID: is.TrackingID, FoundAt: now, Told: word}
	line := s.aside(sh, a, "SPARE_FOUND( "+a.Provider+" "+r.TrackingID+" )")
	line.User = by
	tx := changed(sh, line)
	claim(sh, a, tx, is.CarrierRef, is.TrackingID)
	tx.PutJobs = append(tx.PutJobs, s.watchJob(sh, a, now))
	return tx, nil
}

// orCancel is the command that cancels the order with the booking of an attempt, behind some words, as long as the order may be cancelled;
// "" after that.
func (s *Service) orCancel(sh *shipment.Shipment, a *shipment.Attempt, words string) string {
	switch {
	case s.cancellable(sh) != nil:
		return ""
	case told(a):
		return words + confirmCommand(sh, a)
	}
	return words + usecase.CancelCommand(sh.Order.ExternalID, "")
}

// sparesGone takes a person's word that the spare bookings which the carrier would not cancel are gone. They are looked for all the same: a
// person may be mistaken.
func (s *Service) sparesGone(sh *shipment.Shipment, a *shipment.Attempt, by string) *store.Tx {
	tx := &store.Tx{}
	for i := range a.Spares {
		if sp := &a.Spares[i]; sp.CancelledAt.IsZero() && sp.Needs != "" {
			s.spareGone(sh, a, sp, by, tx)
		}
	}
	tx.PutJobs = append(tx.PutJobs, s.watchJob(sh, a, s.Clock.Now()))
	return tx
}

// scrapeTime bounds how long a scrape of the metrics may count orders.
const scrapeTime = 5 * time.Second

// attention is the gauge of orders that need a person. It is counted when it is asked for, over an index that holds no others.
type attention struct {
	service *Service
	desc    *prometheus.Desc
}

func newAttention(s *Service) *attention {
	return &attention{service: s, desc: prometheus.NewDesc("waybill_orders_need_attention",
		"Orders with a booking, or a spare booking, that only a person can decide on, by tenant.", []string{"tenant"}, nil)}
}

// Describe implements prometheus.Collector.
func (a *attention) Describe(out chan<- *prometheus.Desc) { out <- a.desc }

// Collect implements prometheus.Collector.
func (a *attention) Collect(out chan<- prometheus.Metric) {
	ctx, stop := context.WithTimeout(context.Background(), scrapeTime)
	defer stop()
	for tenant := range a.service.Config().Tenants {
		n, err := a.count(ctx, tenant)
		if err != nil {
			out <- prometheus.NewInvalidMetric(a.desc, fmt.Errorf("count the orders of tenant %s that need a person: %w", tenant, err))
			continue
		}
		out <- prometheus.MustNewConstMetric(a.desc, prometheus.GaugeValue, float64(n), tenant)
	}
}

func (a *attention) count(ctx context.Context, tenant string) (n int, err error) {
	q := store.ShipmentQuery{NeedsPerson: true, Limit: 1000}
	for {
		p, err := a.service.Store.ListShipments(ctx, tenant, q)
		if err != nil {
			return 0, err
		}
		n += len(p.Shipments)
		if q.Cursor = p.Next; q.Cursor == "" {
			return n, nil
		}
	}
}
