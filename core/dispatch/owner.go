package dispatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
)

// othersOwn refuses a number that belongs to another order: two orders on one booking would be cancelled together. Of two that are told
// of one at once the commit tells (contend).
func (s *Service) othersOwn(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, number string) error {
	other, err := s.othersOrder(ctx, sh, a, number)
	if err != nil || other == nil {
		return err
	}
	return ownedBy(number, other, sh, a)
}

// ownedBy refuses a number that a person tells of an attempt, as another order has it.
func ownedBy(number string, other, sh *shipment.Shipment, a *shipment.Attempt) error {
	whose := "another order"
	if other.Tenant == sh.Tenant { // no tenant hears of another's orders
		whose += ", " + other.Order.ExternalID
	}
	return usecase.Failf(usecase.InvalidOperation, "%s is the booking of %s. Nothing was changed. Look at %s for what it has under the reference %s.",
		number, whose, a.Provider, a.Reference)
}

// othersOrder is another order, of whichever tenant, that has a number at the carrier of an attempt, nil where there is none. Bookings of
// before there were claims are found by what follows them.
func (s *Service) othersOrder(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, number string) (*shipment.Shipment, error) {
	name := claimName(a, number)
	has, err := s.Store.Claimants(ctx, []string{name})
	if err != nil {
		return nil, fmt.Errorf("who has the booking: %w", err)
	}
	if other, err := s.ifHolds(ctx, sh, has[0], name); other != nil || err != nil {
		return other, err
	}
	if other, err := s.follower(ctx, sh, sh.Tenant, a, number); other != nil || err != nil {
		return other, err
	}
	for tenant := range s.Config().Tenants {
		if tenant != sh.Tenant {
			if other, err := s.follower(ctx, sh, tenant, a, number); other != nil || err != nil {
				return other, err
			}
		}
	}
	return nil, nil
}

// maxBearers bounds how many trackers of one number are looked at.
const maxBearers = 100

// follower is an order of a tenant's beside this one that has a number at the carrier of an attempt, by the trackers that follow bookings.
func (s *Service) follower(ctx context.Context, sh *shipment.Shipment, tenant string, a *shipment.Attempt, number string) (*shipment.Shipment, error) {
	var tags []string
	tag := func(account string) {
		tags = append(append(tags, tracker.ParcelTags(account, number)...), tracker.BookingTag(account, number))
	}
	own := tenant == sh.Tenant
	if own {
		tag(a.Account)
	}
	if t := s.Config().Tenants[tenant]; t != nil {
		for id, acc := range t.Accounts {
			if acc.Adapter == a.Adapter && !(own && id == a.Account) {
				tag(id)
			}
		}
	}
	if len(tags) == 0 {
		return nil, nil
	}
	bearers, err := s.Store.TrackersByTags(ctx, tenant, tags, maxBearers)
	if err != nil {
		return nil, fmt.Errorf("trackers of a number that a person tells: %w", err)
	}
	for _, t := range bearers {
		if t.Shipment == "" {
			continue
		}
		other, err := s.ifHolds(ctx, sh, store.Claimant{Tenant: tenant, Shipment: t.Shipment}, claimName(a, number))
		if other != nil || err != nil {
			return other, err
		}
	}
	return nil, nil
}

// ifHolds is the order of a claimant, where that is another than this one and has what the name says.
func (s *Service) ifHolds(ctx context.Context, sh *shipment.Shipment, c store.Claimant, name string) (*shipment.Shipment, error) {
	if c == (store.Claimant{}) || c == claimantOf(sh) {
		return nil, nil
	}
	other, err := s.Store.Shipment(ctx, c.Tenant, c.Shipment)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("order that a number belongs to: %w", err)
	}
	if x, _ := holder(other, name); x == nil {
		return nil, nil
	}
	return other, nil
}
