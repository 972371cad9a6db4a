package audit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/sdk/carrier"
)

// Account is an account at a carrier, as Ask uses it.
type Account interface {
	Manifest() (m carrier.Manifest, ok bool)
	carrier.Finder
}

const (
	// findSlack is how far around the intent a booking is looked for: carriers' clocks are not ours.
	findSlack   = 24 * time.Hour
	findTimeout = 30 * time.Second
	asksAtOnce  = 8
)

// Ask asks the carriers for each attempt since a time, by its reference. covers reports of which attempts the answer tells
// something: not of those at adapters that cannot look for bookings, of earlier ones, nor of those for whom a carrier knows nothing and
// cannot prove it. What no attempt has asked for is not found so: there are no orphans. An error is that a carrier could not be asked.
func Ask(ctx context.Context, orders []Order, since, now time.Time, account func(tenant, id string) (Account, bool)) (claims []Claim, covers func(Attempt) bool, err error) {
	var mu sync.Mutex
	known := map[string]bool{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(asksAtOnce)
	for _, o := range orders {
		for _, a := range o.Attempts {
			if a.IntendedAt.Before(since) {
				continue
			}
			g.Go(func() error {
				found, told, err := ask(ctx, o, a, now, account)
				if err != nil {
					return fmt.Errorf("ask account %s about attempt %d of order %s: %w", a.Account, a.Number, o.ID, err)
				}
				mu.Lock()
				defer mu.Unlock()
				known[key(a.Adapter, a.Reference)] = told
				claims = append(claims, found...)
				return nil
			})
		}
	}
	err = g.Wait()
	return claims, func(a Attempt) bool { return known[key(a.Adapter, a.Reference)] }, err
}

// ask asks about one attempt; told says whether the answer is worth anything.
func ask(ctx context.Context, o Order, a Attempt, now time.Time, account func(tenant, id string) (Account, bool)) (claims []Claim, told bool, err error) {
	acc, ok := account(o.Tenant, a.Account)
	if !ok {
		return nil, false, nil
	}
	m, started := acc.Manifest()
	if !started {
		return nil, false, fmt.Errorf("the adapter %s has not started", a.Adapter)
	}
	if !m.Has(carrier.CanFind) {
		return nil, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	found, err := acc.Find(ctx, carrier.FindRequest{Reference: a.Reference, From: a.IntendedAt.Add(-findSlack), To: now.Add(findSlack)})
	if err != nil {
		return nil, false, err
	}
	for _, b := range found {
		claims = append(claims, Claim{Carrier: a.Adapter, Entity: b.CarrierRef, Reference: a.Reference, Live: !b.Cancelled,
			Charged: b.Amount.Minor, Currency: b.Amount.Currency, Unpriced: b.Cancelled || b.Amount.Currency == ""})
	}
	return claims, len(found) > 0 || m.Absence == carrier.Proven, nil
}
