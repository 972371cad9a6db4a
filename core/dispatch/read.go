package dispatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Get returns an order.
func (s *Service) Get(ctx context.Context, c usecase.Caller, externalID string) (*shipment.Shipment, error) {
	return s.load(ctx, c, externalID)
}

// List returns a page of orders, newest first.
func (s *Service) List(ctx context.Context, c usecase.Caller, q store.ShipmentQuery) (store.ShipmentPage, error) {
	p, err := s.Store.ListShipments(ctx, c.Tenant, q)
	if errors.Is(err, store.ErrCursor) {
		return p, &usecase.Error{Type: usecase.InvalidData, Message: "Invalid Data: the paginationToken is not one of ours, or belongs to another question.",
			Faults: shipping.Faults{{Path: "paginationToken", Message: "is not one of ours, or belongs to another question"}}}
	}
	if err != nil {
		return p, s.storeError("list orders", err)
	}
	return p, nil
}

// History returns an order and its status changes, oldest first.
func (s *Service) History(ctx context.Context, c usecase.Caller, externalID string) (*shipment.Shipment, []shipment.Change, error) {
	sh, err := s.load(ctx, c, externalID)
	if err != nil {
		return nil, nil, err
	}
	h, err := s.Store.History(ctx, c.Tenant, sh.ID)
	if err != nil {
		return nil, nil, s.storeError("read history", err)
	}
	return sh, h, nil
}

// Label returns the label of a parcel of the shown booking.
func (s *Service) Label(ctx context.Context, c usecase.Caller, externalID string, parcel int) (shipping.Label, error) {
	sh, err := s.load(ctx, c, externalID)
	if err != nil {
		return shipping.Label{}, err
	}
	return s.label(ctx, sh, externalID, parcel)
}

// label returns the label of one parcel of an order that the caller knows under a name.
func (s *Service) label(ctx context.Context, sh *shipment.Shipment, externalID string, parcel int) (shipping.Label, error) {
	a := sh.Shown()
	if a == nil {
		return shipping.Label{}, usecase.Failf(usecase.NotFound, "Order with id, %s, has no label: it is in state %s.", externalID, sh.Status)
	}
	if parcel < 1 || parcel > len(a.Booking.Parcels) {
		return shipping.Label{}, usecase.Failf(usecase.NotFound, "Order with id, %s, has %d parcels; there is no label %d.", externalID, len(a.Booking.Parcels), parcel)
	}
	if told(a) { // an earlier version may have fetched it
		other, err := s.othersOrder(ctx, sh, a, a.Booking.Number())
		if err != nil {
			return shipping.Label{}, s.storeError("read label", err)
		}
		if other != nil {
			return shipping.Label{}, usecase.Failf(usecase.NotFound, "Order with id, %s, has no label: %s, the number that a person gave, is another order's.", externalID, a.Booking.Number())
		}
	}
	l, err := s.Store.Label(ctx, sh.Tenant, sh.ID, a.Number, parcel)
	// A label of a number that was corrected since is not this booking's.
	if errors.Is(err, store.ErrNotFound) || err == nil && l.Format != a.Booking.Parcels[parcel-1].LabelFormat {
		return shipping.Label{}, usecase.Failf(usecase.NotFound, "Order with id, %s, has no label: %s gives none, or has not given it yet, or it is older than labels are kept.", externalID, a.Provider)
	}
	if err != nil {
		return shipping.Label{}, s.storeError("read label", err)
	}
	return l, nil
}

// Decisions returns the decision records of an order, oldest first.
func (s *Service) Decisions(ctx context.Context, c usecase.Caller, externalID string) ([]store.Decision, error) {
	sh, err := s.load(ctx, c, externalID)
	if err != nil {
		return nil, err
	}
	d, err := s.Store.Decisions(ctx, c.Tenant, sh.ID)
	if err != nil {
		return nil, s.storeError("read decisions", err)
	}
	return d, nil
}

// Trace returns what went over the wire for an order, oldest first.
func (s *Service) Trace(ctx context.Context, c usecase.Caller, externalID string) (Trace, error) {
	sh, err := s.load(ctx, c, externalID)
	if err != nil {
		return Trace{}, err
	}
	xs, err := s.Store.Exchanges(ctx, c.Tenant, sh.ID)
	if err != nil {
		return Trace{}, s.storeError("read exchanges", err)
	}
	return Trace{Shipment: sh.ID, Exchanges: xs}, nil
}

// Retry dispatches an order again that nobody has.
func (s *Service) Retry(ctx context.Context, c usecase.Caller, externalID string) (Result, error) {
	sh, err := s.load(ctx, c, externalID)
	if err != nil {
		return Result{}, err
	}
	return s.retry(ctx, c, sh, func(*shipment.Shipment) {})
}

// retry dispatches an order again as prepare has changed it.
func (s *Service) retry(ctx context.Context, c usecase.Caller, sh *shipment.Shipment, prepare func(*shipment.Shipment)) (Result, error) {
	asked, stop := s.begin()
	defer stop()
	t, err := s.tenant(c.Tenant)
	if err != nil {
		return Result{}, err
	}
	if err := s.ruled(t.ID); err != nil {
		return Result{}, err
	}
	ctx, caller := context.WithoutCancel(ctx), ctx
	var own inlineJob
	sh, err = s.change(ctx, sh, "retry", func(sh *shipment.Shipment) (*store.Tx, error) {
		if !sh.Retryable() {
			return nil, usecase.Failf(usecase.InvalidOperation, "The Order can no longer be retried: it is in state %s.", sh.Status)
		}
		origin := &store.Tx{}
		if sh.ReturnOf != nil {
			if err := s.claim(ctx, sh, origin); err != nil {
				return nil, err
			}
		}
		now := s.Clock.Now()
		sh.Retries, sh.Fallback, sh.Rules, sh.Offers = 0, nil, "", nil // it is asked and decided afresh
		sh.Cancel = nil                                                // an earlier version kept one beyond the end of its booking
		prepare(sh)
		if err := s.place(ctx, t, sh, now); err != nil {
			return nil, err
		}
		tx := changed(sh, sh.Move(shipping.RequestReceived, now, c.Key, shipment.WithNote("RETRY")))
		tx.Shipments, tx.Trackers = append(tx.Shipments, origin.Shipments...), append(tx.Trackers, origin.Trackers...)
		own.put(s, tx, sh)
		return tx, nil
	})
	if e, ok := errors.AsType[*usecase.Error](err); ok {
		return Result{}, e
	}
	if err != nil {
		return Result{}, s.storeError("retry order", err)
	}
	if sh, err = own.run(ctx, s, sh, c.Key, asked); err != nil {
		return Result{}, s.begunError("dispatch order", sh, err)
	}
	return s.answer(caller, sh, asked)
}

// Rates says what each account would ask, and which offer the rules choose. Nothing is stored or booked.
func (s *Service) Rates(ctx context.Context, c usecase.Caller, o shipment.Order) (Rates, error) {
	t, err := s.tenant(c.Tenant)
	if err != nil {
		return Rates{}, err
	}
	if err := s.ruled(t.ID); err != nil {
		return Rates{}, err
	}
	var f shipping.Faults
	validateOrder(&f, t, o)
	if len(f) > 0 {
		return Rates{}, usecase.Invalid(usecase.ValidationError, f)
	}
	begun := s.Clock.Now()
	sh, err := s.newShipment(ctx, c, t, o)
	if err != nil {
		return Rates{}, err
	}
	s.started(ctx, sh, begun) // those that are still on their way are named in the answer
	e, err := s.estimate(ctx, t, sh, 1, nil, nil)
	if err != nil {
		return Rates{}, s.storeError("estimate", err)
	}
	r := Rates{ID: string(sh.ID), Errors: e.errors, Warnings: append(sh.Warnings, e.warnings...)}
	if h := e.held(); h != nil {
		r.Warnings = append(r.Warnings, shipment.Warning{Code: "ORDER_WOULD_WAIT", Message: fmt.Sprintf("The rule %q would hold this order: %s", h.Rule, h.Reason)})
	}
	for _, op := range e.decision.Options {
		for _, a := range e.asked {
			if a.config.ID != op.Account {
				continue
			}
			fee, err := op.Fee.Add(op.Charge)
			if err != nil {
				return Rates{}, s.storeError("estimate", err)
			}
			quote := op.Quote // as the rules saw it; what the carrier itemised is kept apart
			if _, full, ok := e.chosen(rules.Choice{Account: op.Account, ID: op.ID}); ok {
				quote = full
			}
			win := e.decision.Winner != nil && e.decision.Winner.ID == op.ID
			r.Rows = append(r.Rows, RateRow{Account: a.config, Provider: a.name(), Quote: quote, Fee: fee, RuleApplied: win})
		}
	}
	return r, nil
}

// Sentence says for people what a stored decision record decided, "" where it cannot be read any more.
func Sentence(record []byte) string {
	d, err := rules.ParseDecision(record)
	if err != nil {
		return ""
	}
	return d.Sentence()
}
