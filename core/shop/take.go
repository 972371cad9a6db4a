package shop

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/tracker/number"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Delivery is one message of a shop.
type Delivery struct {
	ID          string // of the message, the same each time it is sent; "" where the shop gives none
	Order       *Order // what it says of an order, nil for nothing
	Fulfilments []Fulfilment
}

// ordersIn are the orders that a delivery is about.
func (d Delivery) ordersIn() []int64 {
	var out []int64
	if d.Order != nil {
		out = append(out, d.Order.ID)
	}
	for _, f := range d.Fulfilments {
		out = append(out, f.OrderID)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Take takes what a shop sends. It may come twice, late, and a fulfilment before its order: what is older than what is known changes
// nothing. fresh is false where this very message was taken before.
func (s *Service) Take(ctx context.Context, c usecase.Caller, d Delivery) (fresh bool, err error) {
	key := "shop/" + d.ID
	if d.ID != "" {
		_, err := s.Store.IdempotencyKey(ctx, c.Tenant, key, s.Clock.Now())
		if err == nil {
			return false, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return false, refusal(err)
		}
	}
	if d.Order != nil {
		if err := s.takeOrder(ctx, c, *d.Order); err != nil {
			return false, err
		}
	}
	for _, f := range d.Fulfilments {
		if err := s.takeFulfilment(ctx, c, f); err != nil {
			return false, err
		}
	}
	orders := d.ordersIn()
	for i, id := range orders {
		var keys []store.IdempotencyKey
		if d.ID != "" && i == len(orders)-1 { // only what was taken whole was taken
			keys = []store.IdempotencyKey{{Key: key, Expires: s.Clock.Now().Add(keep)}}
		}
		if err := s.settle(ctx, c.Tenant, id, keys); err != nil {
			return false, refusal(err)
		}
	}
	return true, nil
}

// errOlder stops a change by what is older than what is known.
var errOlder = errors.New("the shop has said something newer")

func (s *Service) takeOrder(ctx context.Context, c usecase.Caller, o Order) error {
	// An order whose fulfilments were erased before it came was erased with them.
	of, err := s.Store.TrackersByTag(ctx, c.Tenant, orderTag(o.ID), maxFulfilments)
	if err != nil {
		return refusal(err)
	}
	if slices.ContainsFunc(of, func(t *tracker.Tracker) bool { return !t.ErasedAt.IsZero() }) {
		return nil
	}
	name := tracker.Name(kindOrder, text(o.ID))
	t := &tracker.Tracker{Surface: tracker.OfShop, Names: []string{name}, Source: sourceOf(c)}
	if err := write(t, orderDoc{Order: o}); err != nil {
		return refusal(err)
	}
	t, created, err := s.Tracking.Create(ctx, c, tracking.CreateRequest{Tracker: t, Same: name})
	if err != nil || created {
		return err
	}
	_, err = s.Tracking.Update(ctx, c, t.ID, func(t *tracker.Tracker) error {
		doc, err := read[orderDoc](t)
		if err != nil {
			return err
		}
		if doc.UpdatedAt.After(o.UpdatedAt) || !t.ErasedAt.IsZero() {
			return errOlder
		}
		doc.Order = o
		return write(t, doc)
	})
	return unlessOlder(err)
}

func unlessOlder(err error) error {
	if errors.Is(err, errOlder) {
		return nil
	}
	return err
}

func sourceOf(c usecase.Caller) tracker.Source {
	return tracker.Source{Type: "shop", ID: c.Tenant, Name: c.Key}
}

func (s *Service) takeFulfilment(ctx context.Context, c usecase.Caller, f Fulfilment) error {
	tenant := s.Config().Tenants[c.Tenant]
	if tenant == nil {
		return usecase.Failf(usecase.NotFound, "The tenant is not configured any more.")
	}
	name := tracker.Name(kindFulfilment, text(f.ID))
	t := &tracker.Tracker{Surface: tracker.OfTracktor, Names: []string{name}, Tags: []string{orderTag(f.OrderID)}, Source: sourceOf(c)}
	follow(t, tenant, f)
	if err := write(t, fulfilmentDoc{Fulfilment: f}); err != nil {
		return refusal(err)
	}
	t, created, err := s.Tracking.Create(ctx, c, tracking.CreateRequest{Tracker: t, Same: name})
	if err != nil || created && (len(f.Numbers) < 2 || t.Account == "") {
		return err
	}
	_, err = s.Tracking.Update(ctx, c, t.ID, func(t *tracker.Tracker) error {
		doc, err := read[fulfilmentDoc](t)
		if err != nil {
			return err
		}
		if doc.UpdatedAt.After(f.UpdatedAt) || !t.ErasedAt.IsZero() {
			return errOlder
		}
		if elsewhere(tenant, doc.Fulfilment, f) {
			s.restart(t, tenant, &doc, f)
		}
		tagNumbers(t, f.Numbers)
		doc.Fulfilment = f
		switch {
		case f.Cancelled && t.Stopped == "":
			t.Stopped = tracker.StopCancelled
		case !f.Cancelled && t.Stopped == tracker.StopCancelled && doc.Manual == nil && !tracker.Final(t.Status, t.SubStatus):
			t.Stopped = ""
		}
		return write(t, doc)
	})
	return unlessOlder(err)
}

// follow fills in what is to be asked for and of whom.
func follow(t *tracker.Tracker, tenant *config.Tenant, f Fulfilment) {
	t.Number, t.Account, t.Provider, t.Couriers = "", "", f.Company, nil
	if len(f.Numbers) > 0 {
		t.Number = f.Numbers[0]
	}
	mapped := tenant.Tracktor.Mapped(f.Company)
	if tenant.Accounts[mapped] != nil {
		t.Account = mapped
	} else if courier, ok := number.Lookup(mapped); ok {
		t.Provider, t.Couriers = courier.Code, []string{courier.Code}
	} else if courier, ok := named(f.Company); ok {
		t.Couriers = []string{courier.Code}
	} else {
		for _, candidate := range number.Detect(t.Number) {
			if candidate.Valid && !slices.Contains(t.Couriers, candidate.Courier) {
				t.Couriers = append(t.Couriers, candidate.Courier)
			}
		}
	}
	if f.Cancelled {
		t.Stopped = cmp.Or(t.Stopped, tracker.StopCancelled)
	}
}

// elsewhere reports whether what the shop says now is about other parcels than what it has said before, or about another carrier.
func elsewhere(tenant *config.Tenant, was, is Fulfilment) bool {
	var a, b tracker.Tracker
	follow(&a, tenant, was)
	follow(&b, tenant, is)
	gone := slices.ContainsFunc(was.Numbers, func(n string) bool { return !slices.Contains(is.Numbers, n) })
	return gone || len(was.Numbers) == 0 && len(is.Numbers) > 0 || a.Account != b.Account || !slices.Equal(a.Couriers, b.Couriers) ||
		!strings.EqualFold(a.Provider, b.Provider)
}

// restart lets a fulfilment begin anew that the shop has given other parcels or another carrier: what was heard of the old ones is
// not true of these. What was told stays told.
func (s *Service) restart(t *tracker.Tracker, tenant *config.Tenant, doc *fulfilmentDoc, f Fulfilment) {
	t.Unfollow()
	fresh := tracker.Tracker{Schema: t.Schema, ID: t.ID, Tenant: t.Tenant, Revision: t.Revision, Surface: t.Surface, Names: t.Names, Tags: t.Tags,
		Source: t.Source, Extra: t.Extra, Seq: t.Seq, CreatedBy: t.CreatedBy, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt, Stopped: t.Stopped, Warnings: t.Warnings}
	*t = fresh
	t.Status = startStatus
	follow(t, tenant, f)
	if doc.Manual == nil && !f.Cancelled {
		t.Stopped, t.NextPoll = "", s.Clock.Now()
	}
}

// startStatus is that of a tracker of which nothing was heard yet.
const startStatus = shipping.OrderDispatched

// tagNumbers lets pushes about each parcel find the tracker, and each be asked for. The carrier is known by then.
func tagNumbers(t *tracker.Tracker, numbers []string) {
	if t.Account == "" {
		return
	}
	for _, n := range numbers {
		t.Follow(n)
	}
}
