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
	// OutcomeAbsent: the carrier has no booking for the attempt; of an attempt whose spare booking it would not cancel: that one is gone.
	OutcomeAbsent Outcome = "absent"
	// OutcomeBooked: the carrier has booked, under the tracking id given.
	OutcomeBooked Outcome = "booked"
)

// Resolution is what a person says of an attempt that only a person can decide.
type Resolution struct {
	Attempt    int // number, from 1; 0 for the last that needs a person
	Outcome    Outcome
	TrackingID string // of a booked one
}

// Resolve ends an attempt that needs a person. An absent one lets the order be dispatched anew, and is watched as long as any absence
// that is not proven; a booked one is adopted. A cancellation that was asked for meanwhile wins in either case.
func (s *Service) Resolve(ctx context.Context, c usecase.Caller, externalID string, r Resolution) (Result, error) {
	begun := s.Clock.Now()
	sh, err := s.load(ctx, c, externalID)
	if err != nil {
		return Result{}, err
	}
	caller, number := ctx, 0
	ctx = context.WithoutCancel(ctx)
	sh, err = s.change(ctx, sh, "resolve", func(sh *shipment.Shipment) (*store.Tx, error) {
		a := needing(sh, r.Attempt)
		if a == nil {
			return nil, usecase.Failf(usecase.InvalidOperation, "Nothing about the order needs a person's decision, or not about attempt %d.", r.Attempt)
		}
		number = a.Number
		switch {
		case a.State != shipment.InDoubt && r.Outcome == OutcomeBooked:
			return nil, usecase.Failf(usecase.InvalidOperation, "Attempt %d is decided; what is left is a spare booking. Have it cancelled at %s, then resolve the attempt as absent.", number, a.Provider)
		case a.State != shipment.InDoubt:
			return s.sparesGone(sh, a, c.Key), nil
		case r.Outcome == OutcomeAbsent:
			a.Doubt.ByPerson = c.Key
			m, known := s.manifest(sh.Tenant, a.Account)
			return s.absent(sh, a, !known || m.Has(carrier.CanFind)), nil
		}
		a.Doubt.ByPerson = c.Key
		b := carrier.Booking{Reference: a.Reference, CarrierRef: r.TrackingID, TrackingID: r.TrackingID, ServiceID: a.ServiceID,
			Parcels: []carrier.BookedParcel{{Number: r.TrackingID}}}
		return s.success(sh, a, []carrier.Booking{b}, shipment.Adopted, c.Key), nil
	})
	if e, ok := errors.AsType[*usecase.Error](err); ok {
		return Result{}, e
	}
	if err != nil {
		return Result{}, s.storeError("resolve attempt", err)
	}
	if attempts := len(sh.Attempts); sh.Waiting() && sh.Attempt(number).State == shipment.Absent {
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

// needing returns the attempt with this number, or the last where that is 0, if it needs a person.
func needing(sh *shipment.Shipment, number int) *shipment.Attempt {
	for i := len(sh.Attempts) - 1; i >= 0; i-- {
		if a := &sh.Attempts[i]; a.NeedsPerson() && (number == 0 || number == a.Number) {
			return a
		}
	}
	return nil
}

// sparesGone takes a person's word that the spare bookings which the carrier would not cancel are gone.
func (s *Service) sparesGone(sh *shipment.Shipment, a *shipment.Attempt, by string) *store.Tx {
	tx := &store.Tx{}
	for i := range a.Spares {
		if sp := &a.Spares[i]; sp.CancelledAt.IsZero() && sp.Needs != "" {
			tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: s.spareGone(sh, a, sp, by)})
		}
	}
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
