package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// latePickups are the minutes after which a fallback rule of the decision speaks of a late pickup.
func (e *estimate) latePickups() []int {
	var out []int
	for _, f := range e.decision.Fallback {
		for _, event := range f.On {
			if n, ok := rules.LatePickup(event); ok && !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

const latePickup = "pickup_late_"

// watchPickup puts the jobs that look whether a booking was picked up when a fallback rule wants to know.
func (s *Service) watchPickup(sh *shipment.Shipment, a *shipment.Attempt, tx *store.Tx) {
	by := pickupBy(sh)
	if by.IsZero() {
		return // nobody knows when it would be late
	}
	for _, n := range a.LatePickups {
		tx.PutJobs = append(tx.PutJobs, s.fallbackJob(sh, a, fmt.Sprintf("%s%dm", latePickup, n), by.Add(time.Duration(n)*time.Minute)))
	}
	// That nobody is assigned says something only of a carrier that tells of its drivers.
	if m, ok := s.manifest(sh.Tenant, a.Account); ok && (m.Has(carrier.CanTrack) || m.Has(carrier.CanReceivePush)) && slices.Contains(a.Heeds, noDriver) && a.Couriered() {
		tx.PutJobs = append(tx.PutJobs, s.fallbackJob(sh, a, noDriver, s.driverBy(sh, a)))
	}
}

// pickupBy is until when the carrier means to have picked the order up, zero where it does not say.
func pickupBy(sh *shipment.Shipment) time.Time {
	if by := sh.Progress.EstimatedPickup.EndsAt; !by.IsZero() {
		return by.Time
	}
	return sh.Progress.EstimatedPickup.StartsAt.Time
}

// assign is how long a carrier has to find a driver in any case.
const assign = 5 * time.Minute

// driverBy is when a driver must be known, zero where nobody knows when it is picked up.
func (s *Service) driverBy(sh *shipment.Shipment, a *shipment.Attempt) time.Time {
	by := pickupBy(sh)
	if by.IsZero() {
		return by
	}
	return clock.Later(by.Add(-s.Config().Dispatch.DriverLead), a.IntendedAt.Add(assign))
}

// fallbackJob tells the fallback rules of an event after the booking of an attempt. Each event has its own.
func (s *Service) fallbackJob(sh *shipment.Shipment, a *shipment.Attempt, event string, due time.Time) store.Job {
	payload, err := json.Marshal(FallbackEvent{Event: event, Attempt: a.Number})
	if err != nil {
		panic(err) // texts and a number
	}
	j := s.job(sh, JobFallback, due)
	j.ID += fmt.Sprintf("/%d/%s", a.Number, event)
	j.Payload = payload
	return j
}

// heeds are the other events after a booking that a fallback rule of the decision speaks of.
func (e *estimate) heeds() []string {
	var out []string
	for _, event := range []string{noDriver, providerDown} {
		if _, ok := e.decision.FallbackFor(event); ok {
			out = append(out, event)
		}
	}
	return out
}

// ProviderDown tells the fallback rules of every order that an account has and has not picked up that the account is out of order. Whoever
// learns that calls it once.
func (s *Service) ProviderDown(ctx context.Context, tenant, account string) error {
	q := store.ShipmentQuery{}
	for _, status := range shipping.Statuses {
		if shipment.StageOf(status) == shipment.WithCarrier {
			q.Statuses = append(q.Statuses, status)
		}
	}
	told := 0
	for {
		p, err := s.Store.ListShipments(ctx, tenant, q)
		if err != nil {
			return fmt.Errorf("list the orders that account %s has: %w", account, err)
		}
		tx := &store.Tx{}
		for _, sh := range p.Shipments {
			if a := sh.Live(shipment.Forward); a != nil && a.Account == account && slices.Contains(a.Heeds, providerDown) {
				tx.PutJobs = append(tx.PutJobs, s.fallbackJob(sh, a, providerDown, s.Clock.Now()))
			}
		}
		if told += len(tx.PutJobs); len(tx.PutJobs) > 0 {
			if err := s.commit(ctx, tenant, "provider-down", tx); err != nil {
				return fmt.Errorf("tell fallback rules that account %s is out of order: %w", account, err)
			}
		}
		if q.Cursor = p.Next; q.Cursor == "" {
			s.Log.Warn("a carrier account is out of order; fallback rules were told", "tenant", tenant, "account", account, "orders", told)
			return nil
		}
	}
}

// down reports a refusal that says nothing of the order: the carrier, or the way to it, is out of order.
func down(err *carrier.Error) bool {
	switch err.Code {
	case carrier.CarrierUnavailable, carrier.AdapterUnavailable, carrier.AdapterDied, carrier.BreakerOpen:
		return true
	}
	return false
}

// turn is the course by a rule that speaks of providers out of order, where none speaks of refusals and none is at work; ok is false where
// there is no such rule.
func (e *estimate) turn(choice rules.Choice, begun, now time.Time) (c course, done *shipment.Fallback, ok bool) {
	f, ok := e.decision.FallbackFor(providerDown)
	if !ok {
		return c, nil, false
	}
	done = &shipment.Fallback{Rule: f.Rule, Event: providerDown, Since: begun, Fee: choice.Fee, Tried: 1, Failed: []string{choice.Account}, Keeps: f.Requote == never}
	return e.course(done, now), done, true
}
