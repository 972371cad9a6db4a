package dispatch

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tally"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Quotas and budgets are counted with the intent to book, in its transaction, and counted back when the attempt turns out not to be a
// booking, or is cancelled. Every booking counts for the quotas of its account, asked for or not, so that rules which ask from
// tomorrow on know of today; a budget counts from when its guard is there.

// turns lets the orders of a tenant whose rules count decide one after the other: from reading the counts until the intent is
// counted. It spares them the conflicts that the limit in the transaction would else answer.
type turns struct {
	mu  sync.Mutex
	all map[string]chan struct{} // by tenant; holds one token while it is somebody's turn
}

// take waits for the tenant's turn. give may be called more than once.
func (t *turns) take(ctx context.Context, tenant string) (give func(), err error) {
	t.mu.Lock()
	if t.all == nil {
		t.all = map[string]chan struct{}{}
	}
	turn := t.all[tenant]
	if turn == nil {
		turn = make(chan struct{}, 1)
		t.all[tenant] = turn
	}
	t.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return sync.OnceFunc(func() { <-turn }), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func where(per, location string) string {
	if per == "location" {
		return location
	}
	return ""
}

// counts reads what rules need of quotas and budgets for an order that is decided at the given time.
func (s *Service) counts(ctx context.Context, sh *shipment.Shipment, needs rules.Needs, at time.Time) (quotas []rules.Quota, budgets []rules.Budget, err error) {
	if needs.None() {
		return nil, nil, nil
	}
	day := sh.Day(at)
	var keys []store.CountKey
	for _, q := range needs.Quotas {
		period := day
		if q.Period == "month" {
			period = tally.Month(day)
		}
		keys = append(keys, tally.Quota(q.Account, where(q.Per, sh.Pickup.ID), period))
	}
	for _, b := range needs.Budgets {
		keys = append(keys, tally.Budget(b.Guard, where(b.Per, sh.Pickup.ID), sh.Currency, day))
	}
	has, err := s.Store.Counts(ctx, sh.Tenant, keys)
	if err != nil {
		return nil, nil, fmt.Errorf("quotas and budgets for order %s: %w", sh.ID, err)
	}
	for i, q := range needs.Quotas {
		quotas = append(quotas, rules.Quota{QuotaNeed: q, Used: int(has[i])})
	}
	for i, b := range needs.Budgets {
		budgets = append(budgets, rules.Budget{BudgetNeed: b, Spent: shipping.Money{Minor: has[len(needs.Quotas)+i], Currency: sh.Currency}})
	}
	return quotas, budgets, nil
}

// recount decides again by what is counted now, while no other order of the tenant does: carriers were being asked since the counts
// were read. given is never nil; it is to be called when the intent is counted, or will not be.
func (s *Service) recount(ctx context.Context, sh *shipment.Shipment, e *estimate) (given func(), err error) {
	if e.bundle.Needs().None() || e.plan.Hold != nil {
		return func() {}, nil
	}
	if given, err = s.turns.take(ctx, sh.Tenant); err != nil {
		return func() {}, err
	}
	quotas, budgets, err := s.counts(ctx, sh, e.needs, e.input.Local.Now)
	if err != nil {
		given()
		return func() {}, err
	}
	if slices.Equal(quotas, e.input.Quotas) && slices.Equal(budgets, e.input.Budgets) {
		return given, nil
	}
	e.input.Quotas, e.input.Budgets = quotas, budgets
	asked := e.plan.Ask
	e.plan = e.bundle.Prepare(e.input, e.plan.Candidates)
	for _, a := range e.plan.Ask {
		known := func(r rules.Refused) bool { return r.Account == a.Account && r.Code == notAsked }
		if !slices.ContainsFunc(asked, func(x rules.Ask) bool { return x.Account == a.Account }) && !slices.ContainsFunc(e.refused, known) {
			e.refused = append(e.refused, rules.Refused{Account: a.Account, Code: notAsked,
				Message: "It was not asked: when the others were, a quota kept it out, and a cancellation has made room since."})
		}
	}
	e.decide()
	return given, nil
}

// notAsked is the code of an account that could be asked only when the others had been.
const notAsked = "NOT_ASKED"

// stands reports whether a choice of an earlier decision may still be booked.
func (e *estimate) stands(c rules.Choice) bool {
	return slices.ContainsFunc(e.decision.Ranked, func(r rules.Choice) bool { return r.ID == c.ID && r.Account == c.Account })
}

// limited reports whether the rules have looked at a count that booking the choice adds to.
func (e *estimate) limited(c rules.Choice) bool {
	return len(c.Spends) > 0 || slices.ContainsFunc(e.plan.Input.Quotas, func(q rules.Quota) bool { return q.Account == c.Account })
}

// counted is what the attempt that books a choice counts as.
func (e *estimate) counted(sh *shipment.Shipment, c rules.Choice) *shipment.Counted {
	out := &shipment.Counted{Location: sh.Pickup.ID, Day: sh.Day(e.input.Local.Now)}
	for _, sp := range c.Spends {
		out.Spends = append(out.Spends, shipment.Spend{Guard: sp.Guard, PerLocation: sp.Per == "location", Amount: sp.Amount})
	}
	return out
}

// count counts an attempt: at most from what the rules have seen, where they have looked.
func (e *estimate) count(a *shipment.Attempt) []store.Count {
	out := tally.Booked(a)
	seen := map[store.CountKey]int64{}
	for _, q := range e.plan.Input.Quotas {
		period := a.Counted.Day
		if q.Period == "month" {
			period = tally.Month(period)
		}
		seen[tally.Quota(q.Account, where(q.Per, a.Counted.Location), period)] = int64(q.Used)
	}
	for _, b := range e.plan.Input.Budgets {
		seen[tally.Budget(b.Guard, where(b.Per, a.Counted.Location), b.Spent.Currency, a.Counted.Day)] = b.Spent.Minor
	}
	for i := range out {
		out[i].Most, out[i].Limited = seen[out[i].CountKey]
	}
	return out
}

// rates adds to the candidates how their accounts have done lately, where rules ask.
func (s *Service) rates(ctx context.Context, sh *shipment.Shipment, needs rules.Needs, candidates []rules.Candidate, at time.Time) error {
	if !needs.Rates {
		return nil
	}
	today := at.In(sh.Zone())
	for i := range candidates {
		c := &candidates[i]
		keys := tally.RateKeys(c.Account, today)
		has, err := s.Store.Counts(ctx, sh.Tenant, keys)
		if err != nil {
			return fmt.Errorf("rates of account %s for order %s: %w", c.Account, sh.ID, err)
		}
		if onTime, cancelled, any := tally.Rates(has); any {
			c.Rates = &rules.Rates{OnTime30d: onTime, Cancelled7d: cancelled}
		}
	}
	return nil
}
