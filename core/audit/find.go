package audit

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Account is an account at a carrier, as Ask uses it.
type Account interface {
	Manifest() (m carrier.Manifest, ok bool)
	carrier.Finder
	carrier.Tracker
}

const (
	// findSlack is how far around the intent a booking is looked for: carriers' clocks are not ours.
	findSlack  = 24 * time.Hour
	askTimeout = 30 * time.Second
	asksAtOnce = 8
)

// The reasons for which an attempt is not compared.
const (
	untoldOld     = "it is older than the time that was asked about"
	untoldAccount = "its account is not in the configuration"
	untoldFind    = "the adapter can neither look for bookings nor track them"
	untoldNumber  = "the carrier finds nothing under the reference, which does not prove that there is nothing, and no tracking number is known"
	untoldTrack   = "the carrier finds nothing under the reference, and does not know the tracking number, which does not prove that there is nothing"
	untoldQuiet   = "the carrier's tracking shows neither that the cancelled parcel is cancelled nor that it moves"
	untoldBlind   = "the adapter cannot look for bookings, and no tracking number is known"
	// untoldAsk is followed by the account and by what came of asking.
	untoldAsk = "its carrier could not be asked"
)

// Uncancellable notes of the orders which bookings the engine cannot have cancelled, as their adapters cannot: they are not to be mended so. What
// an adapter can do that is not there, or has not started, is not known.
func Uncancellable(orders []Order, account func(tenant, id string) (Account, bool)) {
	for _, o := range orders {
		for i := range o.Attempts {
			a := &o.Attempts[i]
			if acc, ok := account(o.Tenant, a.Account); ok {
				m, started := acc.Manifest()
				a.Uncancellable = started && !m.Has(carrier.CanCancel)
			}
		}
	}
}

// Ask asks the carriers for each attempt since a time: by its reference, and by its tracking number where that tells nothing. untold says
// why the answers tell nothing of an attempt, "" where they do: that its carrier could not be asked, say, which spoils nothing of the others.
// What no attempt has asked for is not found so: there are no orphans. An error is that ctx has ended.
func Ask(ctx context.Context, orders []Order, since, now time.Time, account func(tenant, id string) (Account, bool)) (claims []Claim, untold func(Attempt) string, err error) {
	type attempt struct {
		carrier, reference string
		number             int
	}
	of := func(a Attempt) attempt { return attempt{a.Adapter, a.Reference, a.Number} }
	var mu sync.Mutex
	why := map[attempt]string{}
	var g errgroup.Group
	g.SetLimit(asksAtOnce)
	for _, o := range orders {
		for _, a := range o.Attempts {
			if a.IntendedAt.Before(since) {
				continue
			}
			g.Go(func() error {
				found, reason, err := ask(ctx, o, a, now, account)
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if err != nil {
					found, reason = nil, fmt.Sprintf("%s, account %s: %v", untoldAsk, a.Account, err)
				}
				mu.Lock()
				defer mu.Unlock()
				why[of(a)] = reason
				for _, c := range found {
					// Attempts at several services of one account in one round have one reference, and are answered alike.
					if !slices.ContainsFunc(claims, func(x Claim) bool {
						return x.Carrier == c.Carrier && x.Reference == c.Reference && x.Entity == c.Entity
					}) {
						claims = append(claims, c)
					}
				}
				return nil
			})
		}
	}
	err = g.Wait()
	return claims, func(a Attempt) string {
		if reason, asked := why[of(a)]; asked {
			return reason
		}
		return untoldOld
	}, err
}

// ask asks about one attempt; untold says why the answer is worth nothing, "" where it is worth something.
func ask(ctx context.Context, o Order, a Attempt, now time.Time, account func(tenant, id string) (Account, bool)) (claims []Claim, untold string, err error) {
	acc, ok := account(o.Tenant, a.Account)
	if !ok {
		return nil, untoldAccount, nil
	}
	m, started := acc.Manifest()
	if !started {
		return nil, "", fmt.Errorf("the adapter %s has not started", a.Adapter)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if m.Has(carrier.CanFind) {
		from := a.IntendedAt
		if !a.BookedAt.IsZero() && a.BookedAt.Before(from) {
			from = a.BookedAt
		}
		found, err := acc.Find(ctx, carrier.FindRequest{Reference: a.Reference, From: from.Add(-findSlack), To: now.Add(findSlack)})
		if err != nil {
			return nil, "", err
		}
		for _, b := range found {
			claims = append(claims, Claim{Carrier: a.Adapter, Entity: b.CarrierRef, Reference: a.Reference, Live: !b.Cancelled,
				Charged: b.Amount.Minor, Currency: b.Amount.Currency, Unpriced: b.Cancelled || b.Amount.Currency == ""})
		}
		if len(found) > 0 || m.Absence == carrier.Proven {
			if a.ByHand && a.Tracking != "" && m.Has(carrier.CanTrack) {
				err = said(ctx, a, acc, claims)
			}
			return claims, "", err
		}
	}
	switch {
	case m.Has(carrier.CanTrack) && a.Tracking != "":
		return follow(ctx, a, acc)
	case m.Has(carrier.CanFind):
		return nil, untoldNumber, nil
	case m.Has(carrier.CanTrack):
		return nil, untoldBlind, nil
	}
	return nil, untoldFind, nil
}

// follow asks the carrier's tracking about the number of a booking. That the number is known is a witness that the booking lives,
// unless the last that is told of it is its cancellation; a booking that was cancelled lives only where its parcel has set out all the
// same. A number that is not known proves nothing: tracking may lag behind the label, and forgets with time.
func follow(ctx context.Context, a Attempt, acc Account) (claims []Claim, untold string, err error) {
	last, known, err := lastOf(ctx, a, acc)
	if err != nil {
		return nil, "", err
	}
	if !known {
		return nil, untoldTrack, nil
	}
	stage := shipment.StageOf(last)
	c := Claim{Carrier: a.Adapter, Entity: a.Entity, Reference: a.Reference, Live: last != shipping.OrderCancelled, Unpriced: true, Said: last}
	if a.State == shipment.Cancelled && c.Live && stage != shipment.Underway && stage != shipment.Finished {
		return nil, untoldQuiet, nil
	}
	return []Claim{c}, "", nil
}

// lastOf is the last status that the carrier's tracking tells of an attempt's number; known is false where it does not know that.
func lastOf(ctx context.Context, a Attempt, acc Account) (status shipping.Status, known bool, err error) {
	updates, err := acc.Track(ctx, carrier.TrackRequest{Parcels: []carrier.TrackedParcel{{Number: a.Tracking, Reference: a.Reference}}})
	if e := carrier.AsError(err); e != nil && e.Code == carrier.TrackingNotFound {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	at := slices.IndexFunc(updates, func(u carrier.TrackUpdate) bool {
		return !u.Unknown && (u.Number == a.Tracking || u.Reference == a.Reference)
	})
	if at < 0 {
		return "", false, nil
	}
	last := shipping.TrackingEvent{}
	for _, e := range updates[at].Events {
		if e.Status != "" && !e.Time.Before(last.Time.Time) {
			last = e
		}
	}
	return last.Status, true, nil
}

// Stands is the last status that the carrier's tracking tells of a booking of which no order knows; "" where it cannot be asked, or does not know.
func Stands(ctx context.Context, acc Account, number, reference string) shipping.Status {
	if m, ok := acc.Manifest(); !ok || !m.Has(carrier.CanTrack) {
		return ""
	}
	last, _, err := lastOf(ctx, Attempt{Tracking: number, Reference: reference}, acc)
	if err != nil {
		return ""
	}
	return last
}

// said notes with the claim of an attempt's own booking where the carrier's tracking has it.
func said(ctx context.Context, a Attempt, acc Account, claims []Claim) error {
	last, _, err := lastOf(ctx, a, acc)
	for i := range claims {
		if claims[i].Entity == a.Entity {
			claims[i].Said = last
		}
	}
	return err
}
