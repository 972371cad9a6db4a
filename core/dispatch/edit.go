package dispatch

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// difference says what an edit changes, by what has to be done about it.
type difference struct {
	local    bool // kept by us only
	carrier  bool // the carrier should hear of it: instructions, contact, signature
	packages bool
	route    bool // needs new estimates: address, windows, location, items, providers, tips
	rename   bool
}

func (d difference) none() bool { return d == difference{} }

func differ(a, b shipment.Order) difference {
	same := func(x, y any) bool { return reflect.DeepEqual(x, y) }
	return difference{
		rename: a.ExternalID != b.ExternalID,
		local: !same(a.GroupID, b.GroupID) || !same(a.Attributes, b.Attributes) || a.Value != b.Value || a.Locale != b.Locale ||
			a.CreatedDate != b.CreatedDate || a.BrandID != b.BrandID,
		carrier: !same(a.DeliveryInstructions, b.DeliveryInstructions) || !same(a.PickupInstructions, b.PickupInstructions) ||
			a.DeliveryContact != b.DeliveryContact || a.Signature != b.Signature,
		packages: !same(a.Packages, b.Packages),
		route: a.LocationID != b.LocationID || !same(a.DeliveryAddress, b.DeliveryAddress) || a.PickupTime != b.PickupTime ||
			a.DeliveryTime != b.DeliveryTime || !same(a.Items, b.Items) || !same(a.Proposed, b.Proposed) || a.Tips != b.Tips || a.DispatchAt != b.DispatchAt,
	}
}

// Edit changes an order. Before dispatch everything may change; what may change later, and what it costs, depends on the stage.
func (s *Service) Edit(ctx context.Context, c Caller, externalID string, change func(shipment.Order) (shipment.Order, error)) (Result, error) {
	begun := s.Clock.Now()
	t, err := s.tenant(c.Tenant)
	if err != nil {
		return Result{}, err
	}
	sh, err := s.load(ctx, c, externalID)
	if err != nil {
		return Result{}, err
	}
	ctx = context.WithoutCancel(ctx)
	order, err := change(cloneOrder(sh.Order))
	if err != nil {
		return Result{}, err
	}
	if f := s.Validate(c, order); len(f) > 0 {
		return Result{}, invalid(f)
	}
	normalise(sh, &order)
	d := differ(sh.Order, order)
	if d.none() {
		return Result{Shipment: sh, Waiting: sh.Waiting()}, nil
	}
	if err := allowed(sh, d); err != nil {
		return Result{}, err
	}
	switch {
	case sh.Live(shipment.Forward) != nil && d.route:
		return s.reroute(ctx, c, t, sh, order, begun)
	case sh.Live(shipment.Forward) != nil:
		return s.amend(ctx, c, t, sh, order, d)
	}
	return s.rewrite(ctx, c, t, sh, order, d)
}

// normalise gives a changed package what only the engine fills, so that naming the same package again is no change.
func normalise(sh *shipment.Shipment, o *shipment.Order) {
	for i := range o.Packages {
		p := &o.Packages[i]
		if i < len(sh.Order.Packages) {
			old := sh.Order.Packages[i]
			p.Barcode = firstOf(p.Barcode, old.Barcode)
			p.TemperatureControl = firstOf(p.TemperatureControl, old.TemperatureControl)
		}
		p.TemperatureControl = firstOf(p.TemperatureControl, "none")
		if p.ItemQuantity == 0 {
			p.ItemQuantity = 1
		}
	}
}

// allowed says whether the stage permits the change.
func allowed(sh *shipment.Shipment, d difference) error {
	beyondLocal := d.carrier || d.packages || d.route
	if !beyondLocal {
		return nil
	}
	if sh.Open(shipment.Forward) != nil {
		return failf(ValidationError, "The order is being dispatched; only local fields can be changed until it is known whether the provider has booked it. Try again later.")
	}
	switch sh.Stage() {
	case shipment.WithCarrier:
		if d.packages {
			return failf(ValidationError, "packages parameter cannot be changed post order dispatch. Cancel the order and create a new one.")
		}
	case shipment.Underway, shipment.Finished:
		return failf(ValidationError, "The order is in state %s: only groupId, orderAttributes, orderValue, locale, createdDate and orderExternalId can be changed.", sh.Status)
	}
	return nil
}

// rewrite changes an order that no carrier has.
func (s *Service) rewrite(ctx context.Context, c Caller, t *config.Tenant, sh *shipment.Shipment, order shipment.Order, d difference) (Result, error) {
	sh, err := s.commitEdit(ctx, sh, func(sh *shipment.Shipment) (*store.Tx, error) {
		now := s.Clock.Now()
		sh.Order = cloneOrder(order)
		sh.UpdatedAt = now
		tx := &store.Tx{}
		if d.route || d.packages || d.carrier {
			if sh.Open(shipment.Forward) != nil || sh.Live(shipment.Forward) != nil {
				return nil, failf(ValidationError, "The order was dispatched meanwhile. Read it and try again.")
			}
			if err := s.place(ctx, t, sh, now); err != nil {
				return nil, err
			}
			if at := order.DispatchAt; !at.IsZero() && sh.Waiting() {
				plan(tx, sh, s.job(sh, JobDispatch, at.Time))
			}
		}
		return tx, nil
	})
	if err != nil {
		return Result{}, err
	}
	return Result{Shipment: sh, Waiting: sh.Waiting()}, nil
}

// commitEdit commits an edit and words what can go wrong.
func (s *Service) commitEdit(ctx context.Context, sh *shipment.Shipment, f func(*shipment.Shipment) (*store.Tx, error)) (*shipment.Shipment, error) {
	sh, err := s.change(ctx, sh, f)
	if e, ok := errors.AsType[*Error](err); ok {
		return sh, e
	}
	if errors.Is(err, store.ErrDuplicate) {
		return sh, failf(DuplicateID, "Resource with provided id already exists.")
	}
	if err != nil {
		return sh, s.storeError("edit order", err)
	}
	return sh, nil
}

// amend changes what a live booking can bear: local fields, and what the carrier's Editor takes, which is kept with a warning
// where the carrier has none.
func (s *Service) amend(ctx context.Context, c Caller, t *config.Tenant, sh *shipment.Shipment, order shipment.Order, d difference) (Result, error) {
	var warnings []shipment.Warning
	var exchanges []store.Exchange
	if d.carrier {
		var err error
		if warnings, exchanges, err = s.editAtCarrier(ctx, sh, order); err != nil {
			return Result{}, err
		}
	}
	sh, err := s.commitEdit(ctx, sh, func(sh *shipment.Shipment) (*store.Tx, error) {
		sh.Order = cloneOrder(order)
		sh.UpdatedAt = s.Clock.Now()
		return &store.Tx{Exchanges: exchanges}, nil
	})
	if err != nil {
		return Result{}, err
	}
	return Result{Shipment: sh, Waiting: sh.Waiting(), Warnings: warnings}, nil
}

func (s *Service) editAtCarrier(ctx context.Context, sh *shipment.Shipment, order shipment.Order) ([]shipment.Warning, []store.Exchange, error) {
	a := sh.Live(shipment.Forward)
	kept := []shipment.Warning{{Code: "PROVIDER_NOT_INFORMED", Provider: a.Provider,
		Message: "The change is kept, but " + a.Provider + " cannot be told of it any more."}}
	acc, ok := s.Carriers.Account(sh.Tenant, a.Account)
	if !ok {
		return kept, nil, nil
	}
	if m, started := acc.Manifest(); !started || !m.Has(carrier.CanEdit) {
		return kept, nil, nil
	}
	edited := *sh
	edited.Order = order
	ectx, stop := context.WithTimeout(ctx, a.Deadline.Sub(a.IntendedAt))
	defer stop()
	ectx, trace := carrier.WithTrace(ectx)
	_, err := acc.Edit(ectx, carrier.EditRequest{Consignment: consignment(&edited, a.Reference, rulesSettings(a.Set)),
		CarrierRef: a.Booking.CarrierRef, ServiceID: a.ServiceID})
	cerr := carrier.AsError(err)
	xs := exchangesOf(sh, a.Account, "edit", a.Number, a.Round, trace, cerr)
	switch {
	case cerr == nil:
		return nil, xs, nil
	case cerr.Code == carrier.EditRefused || cerr.Code == carrier.Unsupported:
		return kept, xs, nil
	}
	return nil, nil, &Error{Type: PlaceOrderFailed, Message: a.Provider + " did not take the change; the order was left as it was.",
		Providers: []shipment.ProviderError{providerError(a.Provider, cerr)}, Err: cerr}
}

// reroute changes what a booking cannot bear: new estimates are asked first, and only when somebody would carry the changed
// order is the old booking cancelled and the order dispatched again.
func (s *Service) reroute(ctx context.Context, c Caller, t *config.Tenant, sh *shipment.Shipment, order shipment.Order, begun time.Time) (Result, error) {
	wished := *sh
	wished.Order = cloneOrder(order)
	if err := s.place(ctx, t, &wished, s.Clock.Now()); err != nil {
		return Result{}, err
	}
	e, err := s.estimate(ctx, t, &wished, sh.Round+1, nil)
	if err != nil {
		return Result{}, s.storeError("estimate changed order", err)
	}
	if e.decision.Winner == nil {
		return Result{}, &Error{Type: NoProviderMatched, Message: "No Provider matched the criteria for the changed order; it was left as it was.", Providers: e.errors}
	}
	provider := sh.Live(shipment.Forward).Provider
	sh, err = s.change(ctx, sh, func(sh *shipment.Shipment) (*store.Tx, error) {
		if sh.Live(shipment.Forward) == nil {
			return nil, failf(ValidationError, "The order was changed meanwhile. Read it and try again.")
		}
		s.intendCancel(sh, c.Key)
		return &store.Tx{}, nil
	})
	if err != nil {
		return Result{}, AsError(err)
	}
	sh, cerr, err := s.replaceBooking(ctx, t, sh, order, c.Key)
	switch {
	case err != nil:
		return Result{}, AsError(err)
	case cerr != nil:
		return Result{}, &Error{Type: PlaceOrderFailed, Message: provider + " did not cancel the present booking, which the change needs; the order was left as it was.",
			Providers: []shipment.ProviderError{providerError(provider, cerr)}, Err: cerr}
	}
	if sh, err = s.walk(ctx, sh, c.Key); err != nil {
		return Result{}, s.storeError("dispatch changed order", err)
	}
	return s.answer(ctx, sh, begun)
}

// replaceBooking cancels the live booking and, in the transaction that records it, changes the order and puts its dispatch job.
func (s *Service) replaceBooking(ctx context.Context, t *config.Tenant, sh *shipment.Shipment, order shipment.Order, by string) (*shipment.Shipment, *carrier.Error, error) {
	a := sh.Live(shipment.Forward)
	acc, ok := s.Carriers.Account(sh.Tenant, a.Account)
	if !ok {
		return sh, &carrier.Error{Source: carrier.SourceConfig, Effect: carrier.EffectNone, Code: carrier.AdapterUnavailable, Message: "The account is not configured any more."}, nil
	}
	done, trace, cerr := s.callCancel(ctx, sh, a, acc)
	number := a.Number
	sh, err := s.change(ctx, sh, func(sh *shipment.Shipment) (*store.Tx, error) {
		a := sh.Attempt(number)
		if !a.Live() {
			return nil, failf(ValidationError, "The order was changed meanwhile. Read it and try again.")
		}
		now := s.Clock.Now()
		tx := &store.Tx{}
		switch {
		case cerr == nil:
			a.State, a.EndedAt, a.CancelIntent, a.Refund = shipment.Cancelled, now, nil, done.Refund
			sh.Order = cloneOrder(order)
			if err := s.place(ctx, t, sh, now); err != nil {
				return nil, err
			}
			sh.Progress = shipment.Progress{}
			tx = changed(sh, sh.Move(shipping.RequestReceived, now, by, shipment.WithNote("EDITED( rebooked )")))
			tx.Usage = []store.UsageDelta{{Account: a.Account, Day: dayOf(sh, a.IntendedAt), Open: -1}}
			job := s.job(sh, JobDispatch, now)
			job.Lease = &store.Lease{Owner: s.Store.Owner(), Token: s.Source.Token(9), Until: now.Add(inlineLease)}
			plan(tx, sh, job)
		case cerr.Effect == carrier.EffectNone:
			a.CancelIntent = nil
		default:
			// Nobody knows whether the booking still stands. The cancellation is asked for again until it is certain, and the
			// order ends cancelled rather than carried to where it is no longer wanted.
			a.CancelIntent.Unknown = true
			sh.Cancel = &shipment.CancelRequest{By: by, At: now}
			plan(tx, sh, s.job(sh, JobCancel, now.Add(firstPause)))
		}
		tx.Exchanges = exchangesOf(sh, a.Account, "cancel", number, a.Round, trace, cerr)
		return tx, nil
	})
	return sh, cerr, err
}

// cloneOrder copies an order so deep that filling in the copy leaves the original alone.
func cloneOrder(o shipment.Order) shipment.Order {
	o.Packages = append([]shipping.Parcel(nil), o.Packages...)
	o.Items = append([]shipping.Item(nil), o.Items...)
	o.Proposed = append([]shipment.ProposedProvider(nil), o.Proposed...)
	if o.Attributes != nil {
		m := make(map[string]any, len(o.Attributes))
		for k, v := range o.Attributes {
			m[k] = v
		}
		o.Attributes = m
	}
	return o
}
