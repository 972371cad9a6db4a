package dispatch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// estimate is one round of asking and deciding: who was asked, what they said, what the rules made of it.
type estimate struct {
	round    int
	base     int // the shipment's rounds when this one began
	tenant   *config.Tenant
	bundle   *rules.Bundle
	trial    Trial
	needs    rules.Needs // of the bundle, and of those that look on
	input    rules.Input // all of it; the plan has what the bundle asks for
	plan     rules.Plan
	offers   []rules.Offer
	refused  []rules.Refused
	decision rules.Decision
	tried    *store.Trial // what the other rules make of the decision
	asked    []*asked
	errors   []shipment.ProviderError
	warnings []shipment.Warning
	waited   time.Duration      // for carriers
	kept     *shipment.Offers   // of an earlier round, where nobody was asked in this one
	fallback *shipment.Fallback // how far one has come with the booking that is tried
	notices  []usecase.Notice   // whom the rules want to be told with what comes of the round next
}

// asked is one account in a round.
type asked struct {
	config    *config.Account
	account   Account
	manifest  carrier.Manifest
	reference string
	services  []string // narrowed to; nil for all
	answer    carrier.QuoteAnswer
	err       *carrier.Error
	trace     *carrier.Trace
}

// estimate asks every account that the order may go to and decides. It commits nothing. kept are offers of an earlier round that are to be
// decided on instead, as far as they are of the order as it is now; nil where all are to be asked.
func (s *Service) estimate(ctx context.Context, t *config.Tenant, sh *shipment.Shipment, round int, failed []string, kept *shipment.Offers) (*estimate, error) {
	e := &estimate{round: round, base: sh.Round, tenant: t}
	if err := s.chooseRules(e, sh); err != nil {
		return nil, err
	}
	candidates := s.candidates(e, sh)
	src := s.inputSource(e.tenant, sh, failed)
	err := s.rates(ctx, sh, e.needs, candidates, src.Now)
	if err != nil {
		return nil, err
	}
	if src.Quotas, src.Budgets, err = s.counts(ctx, sh, e.needs, src.Now); err != nil {
		return nil, err
	}
	e.zones(sh, &src)
	if e.input, err = rules.NewInput(src); err != nil {
		return nil, fmt.Errorf("order %s as rules see it: %w", sh.ID, err)
	}
	if e.plan = e.bundle.Prepare(e.input, candidates); e.plan.Hold == nil {
		e.narrow()
		if !e.recall(sh, kept, src.Now) {
			if err := e.ask(ctx, s, sh); err != nil {
				return nil, err
			}
		}
		e.take(sh.Currency)
	}
	e.decide()
	return e, nil
}

// allStarted waits while adapters that the order may go to are being started for the first time, and reports false where ctx ended
// before that: what they would have said nobody knows, and a good order must not fail for it. One whose first start has failed is not
// waited for.
func (s *Service) allStarted(ctx context.Context, sh *shipment.Shipment) bool {
	for _, id := range sh.Accounts {
		if acc, ok := s.Carriers.Account(sh.Tenant, id); ok && !acc.Started(ctx) {
			return false
		}
	}
	return true
}

// started is allStarted for as long as a call that has begun then may take.
func (s *Service) started(ctx context.Context, sh *shipment.Shipment, begun time.Time) bool {
	ctx, cancel := context.WithTimeout(ctx, begun.Add(s.Config().Dispatch.AnswerWithin).Sub(s.Clock.Now()))
	defer cancel()
	return s.allStarted(ctx, sh)
}

// zones looks which zones of the rules the addresses lie in: coordinates are nothing that records should hold.
func (e *estimate) zones(sh *shipment.Shipment, src *rules.InputSource) {
	for _, b := range []*rules.Bundle{e.bundle, e.trial.Rules} {
		if b == nil {
			continue
		}
		src.Zones = append(src.Zones, b.ZonesKnown()...)
		src.DeliveryZones = append(src.DeliveryZones, b.ZonesAt(sh.Delivery.Latitude, sh.Delivery.Longitude)...)
		if a := sh.Pickup.Address; a.Placed() {
			src.PickupZones = append(src.PickupZones, b.ZonesAt(*a.Latitude, *a.Longitude)...)
		}
	}
}

// decide lets the rules choose among the offers.
func (e *estimate) decide() {
	e.decision = e.bundle.Decide(e.plan, e.offers, e.refused...)
	e.warnings = slices.DeleteFunc(e.warnings, func(w shipment.Warning) bool { return w.Code == ruleWarning || w.Code == ruleFailed })
	e.warnings = append(e.warnings, ruleWarnings(&e.decision)...)
}

// ruleWarning is the code of what warn rules say.
const ruleWarning = "RULE_WARNING"

// candidates resolves the location's accounts against the configuration and what the caller proposed.
func (s *Service) candidates(e *estimate, sh *shipment.Shipment) []rules.Candidate {
	var out []rules.Candidate
	unknown := map[string]bool{}
	for _, p := range sh.Order.Proposed {
		unknown[p.Name] = true
	}
	asks := question(sh, rules.Settings{})
	for _, id := range sh.Accounts {
		cfg := e.tenant.Accounts[id]
		acc, ok := s.Carriers.Account(e.tenant.ID, id)
		if cfg == nil || !ok || cfg.Retired {
			continue
		}
		m, started := acc.Manifest()
		a := &asked{config: cfg, account: acc, manifest: m, reference: reference(string(sh.ID), id, e.round, asks)}
		if !started {
			e.errors = append(e.errors, shipment.ProviderError{Provider: firstOf(cfg.Name, cfg.ID), Type: string(carrier.AdapterUnavailable),
				Message: "The adapter has not started yet."})
			continue
		}
		p, proposed := proposedFor(sh.Order.Proposed, a)
		if proposed {
			delete(unknown, p.Name)
		}
		if len(sh.Order.Proposed) > 0 && !proposed {
			continue
		}
		back := sh.ReturnOf != nil
		if !m.Has(carrier.CanQuote) || !m.Has(carrier.CanBook) && !(back && m.Has(carrier.CanReturn)) {
			continue
		}
		for _, sv := range p.Services {
			a.services = append(a.services, sv.ID)
			if _, offered := m.Service(sv.ID); !offered {
				e.warnings = append(e.warnings, shipment.Warning{Code: "SERVICE_NOT_OFFERED", Parameter: "proposedProviders", Provider: a.name(),
					Message: fmt.Sprintf("%s has no service %q.", a.name(), sv.ID)})
			}
		}
		if back {
			var any bool
			if a.services, any = waysBack(m, a.services); !any {
				e.errors = append(e.errors, shipment.ProviderError{Provider: a.name(), Type: string(carrier.ServiceUnavailable), Message: a.name() + " takes no returns by the services asked for."})
				continue
			}
		}
		e.asked = append(e.asked, a)
		out = append(out, rules.Candidate{Account: id, Adapter: m.Name, Name: a.name(), Services: serviceInfo(m, a.services), Down: acc.Down()})
	}
	for name := range unknown {
		e.warnings = append(e.warnings, shipment.Warning{Code: "PROVIDER_NOT_ASSIGNED", Parameter: "proposedProviders", Provider: name,
			Message: fmt.Sprintf("The provider %q is not assigned to location %s and was not asked.", name, sh.Order.LocationID)})
	}
	slices.SortFunc(e.warnings, func(a, b shipment.Warning) int { return strings.Compare(a.Provider, b.Provider) })
	return out
}

// name is the adapter's display name, what the API calls provider.name.
func (a *asked) name() string { return a.manifest.DisplayName }

// proposedFor finds the account among the proposed providers: by id, adapter's name or the account's display name, in any case.
func proposedFor(proposed []shipment.ProposedProvider, a *asked) (shipment.ProposedProvider, bool) {
	for _, p := range proposed {
		if answersTo(p.Name, a.config, a.manifest) {
			return p, true
		}
	}
	return shipment.ProposedProvider{}, false
}

// answersTo reports whether a name means the account.
func answersTo(name string, a *config.Account, m carrier.Manifest) bool {
	return strings.EqualFold(name, a.ID) || strings.EqualFold(name, m.DisplayName) || a.Name != "" && strings.EqualFold(name, a.Name)
}

func serviceInfo(m carrier.Manifest, narrowed []string) []rules.ServiceInfo {
	var out []rules.ServiceInfo
	for _, sv := range m.Services {
		if len(narrowed) == 0 || slices.Contains(narrowed, sv.ID) {
			out = append(out, rules.ServiceInfo{ID: sv.ID, Mode: sv.Mode, Supports: sv.Supports})
		}
	}
	return out
}

func (s *Service) inputSource(t *config.Tenant, sh *shipment.Shipment, failed []string) rules.InputSource {
	o := sh.Order
	pickup, delivery := wanted(sh)
	src := rules.InputSource{
		ExternalID: o.ExternalID, Currency: sh.Currency, Value: o.Value, Tip: o.Tips, Parcels: o.Packages, Items: o.Items,
		Delivery: o.DeliveryAddress, Pickup: sh.Pickup.Address, PickupTime: pickup, DropTime: delivery,
		Signature: carriedSignature(deref(o.Signature)), Attributes: map[string]string{}, Locale: deref(o.Locale), Created: o.CreatedDate, PlacedAt: sh.CreatedAt,
		DistanceMetres: sh.Distance, Failed: failed, Now: s.Clock.Now(), Released: sh.Released, IsReturn: sh.ReturnOf != nil,
	}
	if t.RulesPII {
		src.Recipient = rules.Recipient{Name: o.DeliveryContact.Name, Phone: o.DeliveryContact.Phone, Email: o.DeliveryContact.Email, Street: o.DeliveryAddress.Street1}
	}
	src.Location = locationSource(t, sh, src.Now)
	src.Waited = sh.WaitedOut(src.Now)
	if o.GroupID != nil {
		src.GroupID = *o.GroupID
	}
	for k, v := range o.Attributes {
		if v != nil {
			src.Attributes[k] = fmt.Sprint(v)
		}
	}
	return src
}

// locationSource is the pickup location as rules see it. Where it is and what it is called stays as it was when the order came; when it is
// open, and how much it may book, is what the configuration says now.
func locationSource(t *config.Tenant, sh *shipment.Shipment, now time.Time) rules.LocationSource {
	zone := sh.Zone()
	src := rules.LocationSource{ID: sh.Pickup.ID, Tags: sh.Pickup.Tags, Zone: zone}
	l := t.Locations[sh.Pickup.ID]
	if l == nil {
		return src
	}
	local := now.In(zone)
	day := l.Opening.At(local)
	src.ClosedToday, src.NextOpening, src.NextBusinessMorning = day.Closed, day.NextOpening, day.NextBusinessMorning
	src.Holidays = l.Opening.Holidays(local)
	src.CutoffMinute, src.Prep, src.Caps = l.CutoffMinute, l.Prep, l.Caps
	if !l.SubsidyBudget.IsZero() {
		src.SubsidyBudget, _ = shipping.BindMoney(l.SubsidyBudget, l.MoneyIn(t)) // it has passed the check of the configuration
	}
	return src
}

// carriedSignature is what carriers and rules hear of the order's signature: one that nobody knows is asked of nobody.
func carriedSignature(sig string) string {
	if sig == "" || !knownSignature(sig) {
		return "not_required"
	}
	return sig
}

// narrow leaves of the accounts those that the plan wants to be asked, about the services that it wants to know of.
func (e *estimate) narrow() {
	e.asked = slices.DeleteFunc(e.asked, func(a *asked) bool {
		i := slices.IndexFunc(e.plan.Ask, func(x rules.Ask) bool { return x.Account == a.config.ID })
		if i >= 0 && (a.services == nil || e.plan.Ask[i].Services != nil) {
			a.services = e.plan.Ask[i].Services
		}
		return i < 0
	})
}

// ask puts the question to every account of the plan at once. A failure is data and spoils nothing.
// The error is the store's.
func (e *estimate) ask(ctx context.Context, s *Service, sh *shipment.Shipment) error {
	begun := s.Clock.Now()
	day := sh.Day(begun)
	goods := consignment(sh, "", e.plan.Set)
	var wg sync.WaitGroup
	var broken atomic.Pointer[error]
	for _, a := range e.asked {
		wg.Go(func() {
			usage, err := s.Store.Usage(ctx, sh.Tenant, a.config.ID, day)
			if err != nil {
				err = fmt.Errorf("usage of account %s: %w", a.config.ID, err)
				broken.Store(&err)
				return
			}
			qctx, cancel := context.WithTimeout(ctx, firstPositive(a.config.QuoteTimeout, s.Config().Dispatch.QuoteTimeout))
			defer cancel()
			qctx, a.trace = carrier.WithTrace(qctx)
			q := carrier.QuoteRequest{Consignment: goods, Services: a.services, Usage: usage, WayBack: sh.ReturnOf != nil}
			q.Reference = a.reference
			answer, err := a.account.Quote(qctx, q)
			a.answer, a.err = answer, carrierError(err)
		})
	}
	wg.Wait()
	e.waited = s.Clock.Now().Sub(begun)
	if err := broken.Load(); err != nil {
		return *err
	}
	return nil
}

func firstPositive(values ...time.Duration) time.Duration {
	for _, v := range values {
		if v > 0 {
			return v
		}
	}
	return 0
}

// take turns answers into what rules decide on, and keeps what went wrong for the caller.
func (e *estimate) take(currency string) {
	for _, a := range e.asked {
		if a.err != nil {
			e.refused = append(e.refused, rules.Refused{Account: a.config.ID, Code: string(a.err.Code), Message: a.err.Message})
			e.errors = append(e.errors, providerError(a.name(), a.err))
			continue
		}
		for i, q := range a.answer.Quotes {
			o := rules.Offer{ID: fmt.Sprintf("%s/%d", a.config.ID, i), Account: a.config.ID, Quote: q}
			if q.Amount.Currency != currency {
				r := rules.CurrencyMismatch(o, a.name(), currency)
				e.refused = append(e.refused, r)
				e.errors = append(e.errors, shipment.ProviderError{Provider: a.name(), Type: r.Code, Message: r.Message})
				continue
			}
			e.offers = append(e.offers, o)
		}
		for _, r := range a.answer.Refusals {
			e.refused = append(e.refused, rules.Refused{Account: a.config.ID, Service: r.ServiceID, Code: r.Code, Message: r.Message})
			e.errors = append(e.errors, shipment.ProviderError{Provider: a.name(), Type: r.Code, Message: r.Message})
		}
	}
}

func providerError(provider string, err *carrier.Error) shipment.ProviderError {
	message := err.Message
	if err.CarrierMessage != "" {
		message = err.CarrierMessage
	}
	return shipment.ProviderError{Provider: provider, Type: string(err.Code), Code: err.CarrierCode, Message: message}
}

// chosen finds the account and quote behind a choice of the rules.
func (e *estimate) chosen(c rules.Choice) (*asked, shipping.Quote, bool) {
	for _, a := range e.asked {
		if a.config.ID != c.Account {
			continue
		}
		for i, q := range a.answer.Quotes {
			if c.ID == fmt.Sprintf("%s/%d", a.config.ID, i) {
				return a, q, true
			}
		}
	}
	return nil, shipping.Quote{}, false
}

// exchanges returns what went over the wire in this round's questions.
func (e *estimate) exchanges(sh *shipment.Shipment) []store.Exchange {
	var out []store.Exchange
	for _, a := range e.asked {
		out = append(out, exchangesOf(sh, a.config.ID, "quote", 0, e.round, a.trace, a.err)...)
	}
	return out
}

// exchangesOf turns a call's trace into rows. A call that lost its trace with the process leaves a note.
func exchangesOf(sh *shipment.Shipment, account, op string, attempt, round int, trace *carrier.Trace, err *carrier.Error) []store.Exchange {
	row := store.Exchange{Shipment: sh.ID, Account: account, Op: op, Attempt: attempt, Round: round}
	xs, dropped := trace.Exchanges()
	out := make([]store.Exchange, 0, len(xs)+1)
	for _, x := range xs {
		r := row
		r.Exchange = x
		out = append(out, r)
	}
	switch {
	case dropped > 0:
		row.At = sh.UpdatedAt
		row.Lost = fmt.Sprintf("%d more exchanges were not kept: a call keeps at most %d KiB", dropped, carrier.MaxTraceBytes>>10)
		out = append(out, row)
	case err != nil && err.Code == carrier.AdapterDied:
		row.At = sh.UpdatedAt
		row.Lost = "the adapter process died during the call and took its exchanges with it"
		out = append(out, row)
	}
	return out
}
