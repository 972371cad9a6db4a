package shop

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// ManualUpdate is what a person says of an order.
type ManualUpdate struct {
	Status     string // key of one of the shop's statuses; "" changes none
	Fulfilment int64  // the one that is meant, 0 for all of the order
	// Automatic is whether the carrier's news count from now on; nil means no where Status is given.
	Automatic *bool
}

// SetStatus sets where the fulfilments of an order are. From then on the carrier is not asked, and what it says changes nothing,
// until they are handed back to it. Any of the shop's statuses can be set at any time: a person knows better than a carrier that has
// lost sight of a parcel.
func (s *Service) SetStatus(ctx context.Context, c usecase.Caller, id int64, u ManualUpdate) (OrderView, error) {
	o, err := s.load(ctx, c.Tenant, id)
	if err != nil {
		return OrderView{}, refusal(err)
	}
	if o.t == nil {
		return OrderView{}, usecase.Failf(usecase.NotFound, "Order %d is not found. Orders come here by the shop's webhooks.", id)
	}
	stands, err := o.check(u)
	if err != nil {
		return OrderView{}, err
	}
	for _, p := range o.parcels {
		if u.Fulfilment != 0 && idOf(p.t) != u.Fulfilment {
			continue
		}
		if err := s.override(ctx, c, p.t.ID, u, stands); err != nil {
			return OrderView{}, err
		}
	}
	if err := s.settle(ctx, c.Tenant, id, nil); err != nil {
		return OrderView{}, refusal(err)
	}
	return s.Order(ctx, c, id)
}

// check finds all that is wrong with an update, and what its status stands for.
func (o *order) check(u ManualUpdate) (shipping.Status, error) {
	var f shipping.Faults
	c := catalogueOf(o.tenant)
	status, ok := c.find(u.Status)
	switch {
	case u.Status == "" && u.Automatic == nil:
		f.Add("status", "is required")
	case u.Status != "" && !ok:
		var keys []string
		for _, k := range c {
			keys = append(keys, k.Key)
		}
		f.Add("status", "%q is not a status of this shop; there are %s", u.Status, strings.Join(keys, ", "))
	case u.Status != "" && u.Automatic != nil && *u.Automatic:
		f.Add("is_automatic", "cannot be true where a status is set: the carrier's news would not count")
	}
	if u.Fulfilment != 0 && !slices.ContainsFunc(o.parcels, func(p *parcel) bool { return idOf(p.t) == u.Fulfilment }) {
		f.Add("fulfillment_id", "is of no fulfillment of this order that is not cancelled")
	}
	if len(f) > 0 {
		return "", &usecase.Error{Type: usecase.InvalidData, Message: fmt.Sprintf("%s %s", f[0].Path, f[0].Message), Faults: f}
	}
	erased := func(p *parcel) bool { return !p.t.ErasedAt.IsZero() }
	if erased(&parcel{t: o.t}) || slices.ContainsFunc(o.parcels, erased) {
		return "", usecase.Failf(usecase.InvalidOperation, "What was known of the order was erased; it is not followed any more.")
	}
	if len(o.parcels) == 0 {
		return "", usecase.Failf(usecase.InvalidOperation, "The order has no fulfillment yet; there is nothing whose status could be set.")
	}
	return status.Status, nil
}

// override sets the status of one fulfilment by hand, or hands it back to its carrier.
func (s *Service) override(ctx context.Context, c usecase.Caller, id tracker.ID, u ManualUpdate, stands shipping.Status) error {
	_, err := s.Tracking.Update(ctx, c, id, func(t *tracker.Tracker) error {
		doc, err := read[fulfilmentDoc](t)
		if err != nil {
			return err
		}
		byHand := u.Status != "" || !*u.Automatic
		switch {
		case u.Status != "":
			doc.Manual = &manual{Status: u.Status, Stands: stands, At: s.Clock.Now(), By: c.Key}
		case !byHand:
			doc.Manual = nil
		case doc.Manual == nil: // it stays where it is
			o := order{tenant: s.Config().Tenants[c.Tenant]}
			if o.tenant == nil {
				return usecase.Failf(usecase.NotFound, "The tenant is not configured any more.")
			}
			names := catalogueOf(o.tenant)
			now, _ := names.find((&parcel{t: t, doc: doc}).present(names).Status)
			doc.Manual = &manual{Status: now.Key, Stands: now.Status, At: s.Clock.Now(), By: c.Key}
		}
		switch {
		case byHand && t.Stopped == "":
			t.Stopped = tracker.StopUnsubscribed
		case !byHand && t.Stopped == tracker.StopUnsubscribed:
			t.Stopped = ""
		}
		return write(t, doc)
	})
	return err
}
