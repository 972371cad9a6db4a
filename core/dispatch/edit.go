package dispatch

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
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

func (d difference) beyondLocal() bool { return d.carrier || d.packages || d.route }

func differ(a, b shipment.Order) difference {
	// A list that is empty and one that was not given are the same order.
	same := func(x, y any) bool {
		vx, vy := reflect.ValueOf(x), reflect.ValueOf(y)
		if (vx.Kind() == reflect.Slice || vx.Kind() == reflect.Map) && vx.Len()+vy.Len() == 0 {
			return true
		}
		return reflect.DeepEqual(x, y)
	}
	return difference{
		rename: a.ExternalID != b.ExternalID,
		local: !same(a.GroupID, b.GroupID) || !same(a.Attributes, b.Attributes) || a.Value != b.Value || !same(a.Locale, b.Locale) ||
			a.CreatedDate != b.CreatedDate || a.BrandID != b.BrandID,
		carrier: !same(a.DeliveryInstructions, b.DeliveryInstructions) || !same(a.PickupInstructions, b.PickupInstructions) ||
			a.DeliveryContact != b.DeliveryContact || !same(a.Signature, b.Signature),
		packages: !same(a.Packages, b.Packages),
		route: a.LocationID != b.LocationID || !same(a.DeliveryAddress, b.DeliveryAddress) || a.PickupTime != b.PickupTime ||
			a.DeliveryTime != b.DeliveryTime || !same(a.Items, b.Items) || !same(a.Proposed, b.Proposed) || a.Tips != b.Tips || a.Currency != b.Currency || a.DispatchAt != b.DispatchAt,
	}
}

// errOvertaken is returned by the steps of an edit when the order is not the one any more that the edit was made from.
var errOvertaken = errors.New("the order was changed meanwhile")

// Edit changes an order. Before dispatch everything may change; what may change later, and what it costs, depends on the stage.
// Where another edit comes between, this one is made again from what that has left. The result is waiting where it is not known yet
// whether the carrier takes the change, or the changed order is not booked anew yet.
func (s *Service) Edit(ctx context.Context, c usecase.Caller, externalID string, change func(shipment.Order) (shipment.Order, error)) (Result, error) {
	asked, stop := s.begin()
	defer stop()
	t, err := s.tenant(c.Tenant)
	if err != nil {
		return Result{}, err
	}
	sh, err := s.load(ctx, c, externalID)
	if err != nil {
		return Result{}, err
	}
	if !sh.ErasedAt.IsZero() {
		return Result{}, usecase.Failf(usecase.InvalidOperation, "The Order can no longer be changed: its personal data was erased.")
	}
	ctx = context.WithoutCancel(ctx)
	for range maxConflicts {
		res, err := s.editOnce(ctx, c, t, sh, change, asked)
		if !errors.Is(err, errOvertaken) {
			return res, err
		}
		if sh, err = s.reload(ctx, sh); err != nil {
			return Result{}, s.storeError("read shipment", err)
		}
	}
	return Result{}, usecase.Failf(usecase.ValidationError, "The order is being changed by others all the time. Read it and try again.")
}

func (s *Service) editOnce(ctx context.Context, c usecase.Caller, t *config.Tenant, sh *shipment.Shipment, change func(shipment.Order) (shipment.Order, error), asked asking) (Result, error) {
	order, err := change(cloneOrder(sh.Order))
	if err != nil {
		return Result{}, err
	}
	if f := s.Validate(c, order); len(f) > 0 {
		return Result{}, usecase.Invalid(usecase.ValidationError, f)
	}
	normalise(t, sh, &order)
	d := differ(sh.Order, order)
	if d.none() {
		return Result{Shipment: sh}, nil
	}
	if err := allowedBack(sh, order); err != nil {
		return Result{}, err
	}
	if err := allowed(sh, d); err != nil {
		return Result{}, err
	}
	e := &edit{caller: c, tenant: t, from: cloneOrder(sh.Order), to: order, diff: d}
	switch {
	case sh.Live(sh.Way()) != nil && d.route:
		return s.reroute(ctx, e, sh, asked)
	case sh.Live(sh.Way()) != nil:
		return s.amend(ctx, e, sh)
	}
	return s.rewrite(ctx, e, sh)
}

// edit is a change of an order: from what it was when it was read, to what it is wanted to be.
type edit struct {
	caller   usecase.Caller
	tenant   *config.Tenant
	from, to shipment.Order
	diff     difference
}

// check refuses to go on where the order is not what the edit was made from, or may not be changed any more.
func (e *edit) check(sh *shipment.Shipment) error {
	if !differ(sh.Order, e.from).none() {
		return errOvertaken
	}
	return allowed(sh, e.diff)
}

// normalise gives a changed package what only the engine fills, so that naming the same package again is no change. A package that
// had its measures from a preset takes those of its new one.
func normalise(t *config.Tenant, sh *shipment.Shipment, o *shipment.Order) {
	for i := range o.Packages {
		p := &o.Packages[i]
		if i < len(sh.Order.Packages) {
			old := sh.Order.Packages[i]
			p.Barcode = firstOf(p.Barcode, old.Barcode)
			p.TemperatureControl = firstOf(p.TemperatureControl, old.TemperatureControl)
			renamed(t, old, p)
		}
		p.TemperatureControl = firstOf(p.TemperatureControl, "none")
		if p.ItemQuantity == 0 {
			p.ItemQuantity = 1
		}
	}
}

func packagesPath(o shipment.Order) string {
	if o.Plural {
		return "packages"
	}
	return "package"
}

func renamed(t *config.Tenant, old shipping.Parcel, p *shipping.Parcel) {
	was, had := t.Preset(old.Name)
	is, has := t.Preset(p.Name)
	if strings.EqualFold(old.Name, p.Name) || !had || !has {
		return
	}
	if p.Size != nil && *p.Size == was.Size && is.Size.Unit != "" {
		p.Size = &is.Size
	}
	if p.Weight != nil && *p.Weight == was.Weight && is.Weight.Unit != "" {
		p.Weight = &is.Weight
	}
}

// allowed says whether the stage permits the change.
func allowed(sh *shipment.Shipment, d difference) error {
	if a := sh.Live(sh.Way()); a != nil && (a.CancelIntent != nil && a.CancelIntent.Replace != nil || a.EditIntent != nil) {
		return usecase.Failf(usecase.ValidationError, "An earlier change is still being carried out at the provider. Try again when its outcome is known.")
	}
	if !d.beyondLocal() {
		return nil
	}
	if sh.Cancel != nil {
		return usecase.Failf(usecase.ValidationError, "The order is being cancelled; only local fields can be changed.")
	}
	if sh.Open(sh.Way()) != nil {
		return usecase.Failf(usecase.ValidationError, "The order is being dispatched; only local fields can be changed until it is known whether the provider has booked it. Try again later.")
	}
	switch sh.Stage() {
	case shipment.WithCarrier:
		if d.packages {
			return &usecase.Error{Type: usecase.ValidationError, Message: "packages parameter cannot be changed post order dispatch. Cancel the order and create a new one.",
				Faults: shipping.Faults{{Path: packagesPath(sh.Order), Message: "cannot be changed post order dispatch"}}}
		}
	case shipment.Underway, shipment.Finished:
		return usecase.Failf(usecase.ValidationError, "The order is in state %s: only groupId, orderAttributes, orderValue, locale, createdDate and orderExternalId can be changed.", sh.Status)
	}
	return nil
}

// allowedBack refuses what would make another return of a return: what comes back, and between whom.
func allowedBack(sh *shipment.Shipment, to shipment.Order) error {
	if sh.ReturnOf == nil {
		return nil
	}
	from := sh.Order
	changed := from.LocationID != to.LocationID || !reflect.DeepEqual(from.DeliveryAddress, to.DeliveryAddress) ||
		from.DeliveryContact != to.DeliveryContact || !reflect.DeepEqual(from.Items, to.Items) || from.Currency != to.Currency
	if !changed {
		return nil
	}
	return usecase.Failf(usecase.ValidationError, "A return's items, location and ends cannot be changed. Cancel it and ask for another.")
}

// rewrite changes an order that no carrier has. What carriers would have to know lets a walk that is under way begin a new round.
func (s *Service) rewrite(ctx context.Context, e *edit, sh *shipment.Shipment) (Result, error) {
	sh, err := s.commitEdit(ctx, sh, "edit", func(sh *shipment.Shipment) (*store.Tx, error) {
		if err := e.check(sh); err != nil {
			return nil, err
		}
		if e.diff.beyondLocal() && sh.Live(sh.Way()) != nil {
			return nil, errOvertaken
		}
		now := s.Clock.Now()
		sh.Order = cloneOrder(e.to)
		sh.UpdatedAt = now
		if !e.diff.beyondLocal() {
			return &store.Tx{}, nil
		}
		if err := s.place(ctx, e.tenant, sh, now); err != nil {
			return nil, err
		}
		sh.Unhold()
		tx := &store.Tx{}
		if sh.Waiting() {
			sh.Round++
			s.dispatchEdited(sh, now, e.caller.Key, tx)
		}
		return tx, nil
	})
	if err != nil {
		return Result{}, err
	}
	return Result{Shipment: sh}, nil
}

// dispatchEdited puts the dispatch job of an edited order that waits: for its time, or now. A walk that is under way keeps the key:
// it sees the edit before it commits anything.
func (s *Service) dispatchEdited(sh *shipment.Shipment, now time.Time, user string, tx *store.Tx) {
	due := now
	if at := sh.Order.DispatchAt; at.After(now) {
		due = at.Time
		if sh.Status != shipping.PendingDispatch {
			tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: scheduled(sh, now, user)})
		}
	}
	tx.PutJobs = append(tx.PutJobs, s.job(sh, JobDispatch, due))
}

// commitEdit commits an edit and words what can go wrong.
func (s *Service) commitEdit(ctx context.Context, sh *shipment.Shipment, what string, f func(*shipment.Shipment) (*store.Tx, error)) (*shipment.Shipment, error) {
	sh, err := s.change(ctx, sh, what, f)
	if e, ok := errors.AsType[*usecase.Error](err); ok {
		return sh, e
	}
	if errors.Is(err, store.ErrDuplicate) {
		return sh, usecase.Failf(usecase.DuplicateID, "Resource with provided id already exists.")
	}
	if err != nil && !errors.Is(err, errOvertaken) {
		return sh, s.storeError("edit order", err)
	}
	return sh, err
}

// cloneOrder copies an order so deep that filling in the copy leaves the original alone.
func cloneOrder(o shipment.Order) shipment.Order {
	o.Packages = slices.Clone(o.Packages)
	o.Items = slices.Clone(o.Items)
	o.Proposed = slices.Clone(o.Proposed)
	o.Attributes = maps.Clone(o.Attributes)
	return o
}
