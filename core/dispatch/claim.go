package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
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

// claimantOf is an order as one that has claimed something.
func claimantOf(sh *shipment.Shipment) store.Claimant {
	return store.Claimant{Tenant: sh.Tenant, Shipment: sh.ID}
}

// contend settles what a transaction claims against those who have it, of whichever tenant, so that each booking is known to one order. A
// person's word yields to any other; a carrier's takes the number from an order that has it by a person's word.
func (s *Service) contend(ctx context.Context, sh *shipment.Shipment, tx *store.Tx) error {
	if len(tx.Claims) == 0 {
		return nil
	}
	names := make([]string, len(tx.Claims))
	for i, c := range tx.Claims {
		names[i] = c.Name
	}
	has, err := s.Store.Claimants(ctx, names)
	if err != nil {
		return fmt.Errorf("who has the booking: %w", err)
	}
	var due []store.Claim // with what the order has claimed before: another may be taking that, as it had let it go
	for i, c := range tx.Claims {
		c.Before = has[i]
		switch own, none := c.Before == claimantOf(sh), c.Before == (store.Claimant{}); {
		case c.Shipment == "" && (!own || keeps(sh, c.Name)):
			continue
		case c.Shipment != "" && !none && !own:
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
// carriers give numbers anew. What another tenant's order has by a person's word it gives up in a job of its own.
func (s *Service) takeFrom(ctx context.Context, sh *shipment.Shipment, c store.Claim, tx *store.Tx) error {
	other, begun, err := s.beside(ctx, c.Before, tx)
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
		return ownedBy(c.Name[len(claimName(a, "")):], other, sh, a)
	case !claimedByWord(x, theirs):
		return nil
	case other.Tenant != sh.Tenant:
		tx.PutJobs = append(tx.PutJobs, s.yieldJob(other, c.Name))
		return nil
	}
	if err := s.yield(ctx, other, c.Name, sh, tx); err != nil {
		return err
	}
	if !begun {
		tx.Shipments = append(tx.Shipments, other)
	}
	return nil
}

// beside is another order as the transaction leaves it, where it changes that too (begun), else as it is stored.
func (s *Service) beside(ctx context.Context, c store.Claimant, tx *store.Tx) (_ *shipment.Shipment, begun bool, err error) {
	for _, sh := range tx.Shipments {
		if claimantOf(sh) == c {
			return sh, true, nil
		}
	}
	sh, err := s.Store.Shipment(ctx, c.Tenant, c.Shipment)
	return sh, false, err
}
