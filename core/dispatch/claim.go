package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// claimName is by what a booking is claimed: a number at a carrier, whichever account it was made with, however it is written.
func claimName(a *shipment.Attempt, number string) string {
	return "booking:" + a.Adapter + ":" + tracker.PlainNumber(number)
}

// claim has the order claim numbers of a booking or a spare of the attempt. Whether it may is seen when the transaction is committed.
func claim(sh *shipment.Shipment, a *shipment.Attempt, tx *store.Tx, numbers ...string) {
	for _, n := range numbers {
		if n != "" {
			name := claimName(a, n)
			tx.Claims = slices.DeleteFunc(tx.Claims, func(c store.Claim) bool { return c.Name == name })
			tx.Claims = append(tx.Claims, store.Claim{Name: name, Shipment: sh.ID})
		}
	}
}

// keeps reports whether an order needs what it has claimed any longer: one that is erased only what it is yet to have cancelled.
func keeps(sh *shipment.Shipment, name string) bool {
	a, spare := holder(sh, name)
	return spare != nil || a != nil && sh.ErasedAt.IsZero()
}

// letGo has the order free numbers of the attempt, unless it keeps them. What it claims with the same transaction it keeps.
func letGo(a *shipment.Attempt, tx *store.Tx, numbers ...string) {
	for _, n := range numbers {
		name := claimName(a, n)
		if n != "" && !slices.ContainsFunc(tx.Claims, func(c store.Claim) bool { return c.Name == name }) {
			tx.Claims = append(tx.Claims, store.Claim{Name: name})
		}
	}
}

// letGoAll has an order free all that it may have claimed, as its time is over.
func letGoAll(sh *shipment.Shipment, tx *store.Tx) {
	for i := range sh.Attempts {
		a := &sh.Attempts[i]
		if a.Booking != nil {
			letGo(a, tx, bookingNumbers(a.Booking)...)
		}
		for _, sp := range a.Spares {
			letGo(a, tx, sp.CarrierRef, sp.TrackingID)
		}
	}
}

// bookingNumbers are all those by which a booking may be called.
func bookingNumbers(b *shipment.Booking) []string {
	out := []string{b.CarrierRef, b.TrackingID}
	for _, p := range b.Parcels {
		out = append(out, p.Number)
	}
	return out
}

// holder is the attempt of an order that has what is claimed by a name: as its booking, which lives or was carried out, or as a spare that
// is not cancelled yet. a is nil where none has, spare where it is the booking.
func holder(sh *shipment.Shipment, name string) (a *shipment.Attempt, spare *shipment.Spare) {
	for i := range sh.Attempts {
		a := &sh.Attempts[i]
		named := func(n string) bool { return n != "" && claimName(a, n) == name }
		if (a.Live() || a.State == shipment.Ended) && a.Booking != nil && slices.ContainsFunc(bookingNumbers(a.Booking), named) {
			return a, nil
		}
		for j := range a.Spares {
			if sp := &a.Spares[j]; sp.CancelledAt.IsZero() && (named(sp.CarrierRef) || named(sp.TrackingID)) {
				return a, sp
			}
		}
	}
	return nil, nil
}

// contend settles what a transaction claims against those who have it, so that each booking is known to one order. A person's word
// yields to any other; a carrier's takes the number from an order that has it by a person's word.
func (s *Service) contend(ctx context.Context, sh *shipment.Shipment, tx *store.Tx) error {
	if len(tx.Claims) == 0 {
		return nil
	}
	names := make([]string, len(tx.Claims))
	for i, c := range tx.Claims {
		names[i] = c.Name
	}
	has, err := s.Store.Claimants(ctx, sh.Tenant, names)
	if err != nil {
		return fmt.Errorf("who has the booking: %w", err)
	}
	var due []store.Claim // with what the order has claimed before: another may be taking that, as it had let it go
	for i, c := range tx.Claims {
		c.Before = has[i]
		switch {
		case c.Shipment == "" && (c.Before != sh.ID || keeps(sh, c.Name)):
			continue
		case c.Shipment != "" && c.Before != "" && c.Before != sh.ID:
			if err := s.takeFrom(ctx, sh, c, tx); err != nil {
				return err
			}
		}
		due = append(due, c)
	}
	tx.Claims = due
	return nil
}

// takeFrom takes a claim from the order that had it. Two orders of which the carrier itself tells the same number are left alone:
// carriers give numbers anew.
func (s *Service) takeFrom(ctx context.Context, sh *shipment.Shipment, c store.Claim, tx *store.Tx) error {
	other, begun, err := s.beside(ctx, sh.Tenant, c.Before, tx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("order that has a booking: %w", err)
	}
	x, theirs := holder(other, c.Name)
	if x == nil {
		return nil
	}
	a, ours := holder(sh, c.Name)
	switch word := ours != nil && ours.Told || ours == nil && a != nil && told(a); {
	case word:
		return ownedBy(c.Name[len(claimName(a, "")):], other, a)
	case theirs != nil && theirs.Told:
		number := firstOf(theirs.TrackingID, theirs.CarrierRef)
		x.Spares = slices.DeleteFunc(x.Spares, func(sp shipment.Spare) bool { return sp.CarrierRef == theirs.CarrierRef })
		line := s.aside(other, x, "SPARE_DROPPED( "+x.Provider+" "+number+": it is of order "+sh.Order.ExternalID+" )")
		tx.Changes = append(tx.Changes, store.Change{Shipment: other.ID, Change: line})
	case theirs == nil && told(x):
		if err := s.disown(ctx, other, x, sh, tx); err != nil {
			return err
		}
	default:
		return nil
	}
	if !begun {
		tx.Shipments = append(tx.Shipments, other)
	}
	return nil
}

// beside is another order as the transaction leaves it, where it changes that too (begun), else as it is stored.
func (s *Service) beside(ctx context.Context, tenant string, id shipment.ID, tx *store.Tx) (_ *shipment.Shipment, begun bool, err error) {
	for _, sh := range tx.Shipments {
		if sh.ID == id {
			return sh, true, nil
		}
	}
	sh, err := s.Store.Shipment(ctx, tenant, id)
	return sh, false, err
}

// ownedBy refuses a number that a person tells of an attempt, as another order has it.
func ownedBy(number string, other *shipment.Shipment, a *shipment.Attempt) error {
	return usecase.Failf(usecase.InvalidOperation, "%s is the booking of another order, %s. Nothing was changed. Look at %s for what it has under the reference %s.",
		number, other.Order.ExternalID, a.Provider, a.Reference)
}

// disown puts an attempt back in doubt that was booked by a person's word, as its carrier tells the number to be another order's, owner:
// nothing is known of a booking of its own then. A cancellation of it is kept until that is known.
func (s *Service) disown(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, owner *shipment.Shipment, tx *store.Tx) error {
	t, err := s.followerOf(ctx, sh, a)
	if err != nil {
		return err
	}
	if t != nil {
		tx.DropTrackers = append(tx.DropTrackers, t.ID)
	}
	now := s.Clock.Now()
	why := "the number that a person gave, " + a.Booking.TrackingID + ", is the booking of order " + owner.Order.ExternalID
	s.untell(sh, a, tx)
	a.Doubt.Needs, a.Doubt.Last, a.Doubt.Lost = shipment.Attention, why, why
	line := sh.Move(shipping.PendingDispatch, now, systemUser, shipment.WithAttempt(a.Number), shipment.WithNote("NEEDS_ATTENTION( "+a.Provider+": "+why+" )"))
	tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: line})
	plan(tx, sh, s.job(sh, JobReconcile, s.firstLook(sh, a, now)))
	s.Log.Warn("an order was booked under another's number, by a person's word; look at the carrier's, then resolve it", "shipment_id", sh.ID, "account", a.Account,
		"attempt", a.Number, "reference", a.Reference, "owner", owner.ID)
	return nil
}
