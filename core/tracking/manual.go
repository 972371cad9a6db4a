package tracking

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// SetTrackerStatus moves a tracker by hand. One that follows an order of ours moves that order.
func (s *Service) SetTrackerStatus(ctx context.Context, c usecase.Caller, id tracker.ID, u StatusUpdate) (*tracker.Tracker, error) {
	t, err := s.trackerOf(ctx, c.Tenant, id)
	if err != nil {
		return nil, err
	}
	if t.Shipment != "" {
		if _, err := s.setStatus(ctx, c, t.Shipment, u); err != nil {
			return nil, err
		}
		return s.trackerOf(context.WithoutCancel(ctx), c.Tenant, id)
	}
	t, err = s.change(ctx, t, "status", func(t *tracker.Tracker) (*news, error) {
		if next := shipment.ManualFrom(t.Status); !slices.Contains(next, u.Status) {
			return nil, notLegal("A tracker", t.Status, u.Status, next)
		}
		return s.byHand(t, c, u)
	})
	if err != nil {
		return nil, gone(id, "set status", err)
	}
	return t, nil
}

// SetShipmentStatus moves an order by hand, as drivers and staff do.
func (s *Service) SetShipmentStatus(ctx context.Context, c usecase.Caller, externalID string, u StatusUpdate) (*shipment.Shipment, error) {
	sh, err := s.Store.ShipmentByExternalID(ctx, c.Tenant, externalID)
	if errors.Is(err, store.ErrNotFound) && len(externalID) == 24 {
		sh, err = s.Store.Shipment(ctx, c.Tenant, shipment.ID(externalID))
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, usecase.Failf(usecase.NotFound, "Order with id, %s, is not found", externalID)
	}
	if err != nil {
		return nil, refusal("read order", err)
	}
	return s.setStatus(ctx, c, sh.ID, u)
}

// setStatus moves an order by hand through the tracker of its booking, so that what a person has said and what the carrier says stay
// one timeline.
func (s *Service) setStatus(ctx context.Context, c usecase.Caller, id shipment.ID, u StatusUpdate) (*shipment.Shipment, error) {
	ctx = context.WithoutCancel(ctx)
	for range maxConflicts {
		sh, err := s.Store.Shipment(ctx, c.Tenant, id)
		if err != nil {
			return nil, refusal("read order", err)
		}
		if err := movable(sh, u.Status); err != nil {
			return nil, err
		}
		a := sh.Live(sh.Way())
		if err := s.byPerson(sh, a, u); err != nil {
			return nil, err
		}
		t, err := s.trackerFor(ctx, sh, a)
		if err != nil {
			return nil, refusal("set status", err)
		}
		if t == nil { // booked before orders had trackers
			err = s.moveAlone(ctx, sh, a, c, u)
		} else {
			err = s.moveBoth(ctx, t, c, u)
		}
		switch {
		case err == nil:
			return s.Store.Shipment(ctx, c.Tenant, id)
		case !errors.Is(err, store.ErrConflict):
			return nil, refusal("set status", err)
		}
	}
	return nil, refusal("set status", fmt.Errorf("order %s: %w %d times", id, store.ErrConflict, maxConflicts))
}

// movable says whether an order may be set to a status by hand.
func movable(sh *shipment.Shipment, to shipping.Status) error {
	if next := sh.ManualNext(); !slices.Contains(next, to) || sh.Live(sh.Way()) == nil {
		return notLegal("An order", sh.Status, to, next)
	}
	return nil
}

// skew is how far a person's clock may be off.
const skew = time.Minute

// byPerson refuses what a person cannot know of an order: what came before it, and, unless they insist, what its carrier will say.
// That it stands ready at the shop is the shop's own word.
func (s *Service) byPerson(sh *shipment.Shipment, a *shipment.Attempt, u StatusUpdate) error {
	if !u.At.IsZero() && u.At.Before(sh.CreatedAt.Add(-skew)) {
		return usecase.Invalid(usecase.ValidationError, shipping.Faults{{Path: "time",
			Message: "must not lie before the order was created, at " + sh.CreatedAt.UTC().Format(time.RFC3339)}})
	}
	if u.Override || u.Status == shipping.Staged {
		return nil
	}
	acc, there := s.Carriers.Account(sh.Tenant, a.Account)
	if !there {
		return nil
	}
	if m, known := acc.Manifest(); !known || !m.Has(carrier.CanTrack) && !m.Has(carrier.CanReceivePush) {
		return nil
	}
	return usecase.Failf(usecase.InvalidOperation, "%s follows the order itself, and has it at %s. Should it never say what has happened, send \"override\": true, with a note that says how you know.",
		a.Provider, sh.Status)
}

func notLegal(what string, from, to shipping.Status, next []shipping.Status) error {
	return usecase.Failf(usecase.InvalidOperation, "%s in state %s cannot be set to %s. It can be set to: %v.", what, from, to, next)
}

// trackerFor returns the tracker of the booking of an attempt, nil where it has none.
func (s *Service) trackerFor(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt) (*tracker.Tracker, error) {
	found, err := s.Store.TrackersByTag(ctx, sh.Tenant, tracker.ShipmentTag(sh.ID), crowd)
	if err != nil {
		return nil, err
	}
	for _, t := range found {
		if t.Shipment == sh.ID && t.Attempt == a.Number {
			return t, nil
		}
	}
	return nil, nil
}

func (s *Service) moveBoth(ctx context.Context, t *tracker.Tracker, c usecase.Caller, u StatusUpdate) error {
	_, err := s.change(ctx, t, "status", func(t *tracker.Tracker) (*news, error) {
		n, err := s.byHand(t, c, u)
		if err != nil {
			return nil, err
		}
		n.allow = func(sh *shipment.Shipment) error { return movable(sh, u.Status) }
		n.done = func(sh *shipment.Shipment) error {
			if sh.Status != u.Status {
				return fmt.Errorf("order %s stands at %s after it was set to %s", sh.ID, sh.Status, u.Status)
			}
			return nil
		}
		return n, nil
	})
	return err
}

// moveAlone moves an order that has no tracker.
func (s *Service) moveAlone(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, c usecase.Caller, u StatusUpdate) error {
	now, at := s.Clock.Now(), u.At
	if at.IsZero() {
		at = now
	}
	lines, over := sh.Follow(a.Number, []shipment.Heard{{Status: u.Status, SubStatus: u.SubStatus, Reason: u.Reason, At: at, User: c.Key, Actor: u.Actor, Note: u.Note, Person: true}}, now)
	tx := &store.Tx{Shipments: []*shipment.Shipment{sh}}
	for _, l := range lines {
		tx.Changes = append(tx.Changes, store.Change{Shipment: sh.ID, Change: l})
	}
	if over {
		tx.Usage = append(tx.Usage, store.UsageDelta{Account: a.Account, Day: sh.Day(a.IntendedAt), Open: -1})
	}
	if s.Teller != nil && len(lines) > 0 {
		s.Teller.Shipment(ctx, tx, sh)
	}
	return s.commit(ctx, sh.Tenant, "status", tx)
}

// byHand enters a status set by hand into a tracker.
func (s *Service) byHand(t *tracker.Tracker, c usecase.Caller, u StatusUpdate) (*news, error) {
	now, at := s.Clock.Now(), u.At
	if at.IsZero() {
		at = now
	}
	update := carrier.TrackUpdate{Number: t.Number, Driver: u.Driver, Vehicle: u.Vehicle, Events: []shipping.TrackingEvent{{Time: shipping.At(at), ZoneKnown: true,
		Status: u.Status, SubStatus: u.SubStatus, Reason: u.Reason}}}
	if u.Location != nil {
		where := *u.Location
		where.IsManual = true
		if where.UpdatedAt.IsZero() {
			where.UpdatedAt = shipping.At(at)
		}
		update.LastLocation = &where
	}
	for _, p := range u.Proofs {
		update.Proofs = append(update.Proofs, carrier.Proof{Type: p.Type, URL: p.URL, ContentType: p.ContentType})
	}
	newer := slices.ContainsFunc(t.Events, func(e tracker.Event) bool { return e.Status != "" && !e.Late && e.Time.After(at) })
	n := &news{}
	n.merge(t, update, tracker.Heard{Origin: tracker.ByManual, At: now, User: c.Key, Actor: u.Actor, Note: u.Note})
	if newer || t.Status != u.Status || t.SubStatus != u.SubStatus || len(n.entered) == 0 || n.entered[0].Late {
		return nil, usecase.Failf(usecase.InvalidOperation, "The status %s cannot be set for %s: something newer, or the same, is known already.", u.Status,
			at.UTC().Format("2006-01-02T15:04:05Z"))
	}
	s.schedule(t, now)
	return n, nil
}
