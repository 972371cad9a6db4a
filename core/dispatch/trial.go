package dispatch

import (
	"strconv"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
)

// Trial is a bundle that is tried beside the live one: it looks on, or decides for this order while the live one looks on. What the
// one that looks on would have decided is kept with the decision and has no other effect.
type Trial struct {
	Rules   *rules.Bundle // nil for no trial
	Decides bool
}

// ruled refuses what the tenant's rules would have to decide while there are none that can.
func (s *Service) ruled(tenant string) error {
	if s.Rules(tenant) != nil {
		return nil
	}
	return noRules()
}

func noRules() error {
	return &usecase.Error{Type: usecase.InternalServerError,
		Message: "The tenant's rules cannot be used: their files are faulty, and there are none from before. Nothing was stored or booked. /readyz and the log say what is wrong with the files."}
}

// chooseRules takes the rules that decide in this round, and those that look on. An order that is tried again stays on the version that
// decided first, as long as that is known.
func (s *Service) chooseRules(e *estimate, sh *shipment.Shipment) error {
	if sh.Rules != "" && s.Version != nil {
		if e.bundle = s.Version(e.tenant.ID, sh.Rules); e.bundle != nil {
			e.needs = e.bundle.Needs()
			return nil
		}
		s.Log.Warn("the rules that an order was to stay on are not known any more; the present ones decide", "shipment_id", sh.ID, "version", sh.Rules)
	}
	if e.bundle = s.Rules(e.tenant.ID); e.bundle == nil {
		return noRules()
	}
	if s.Trial != nil {
		e.trial = s.Trial(e.tenant.ID, firstOf(sh.Order.ExternalID, string(sh.ID)))
	}
	if e.trial.Decides && e.trial.Rules != nil {
		e.bundle, e.trial.Rules = e.trial.Rules, e.bundle
	}
	if e.needs = e.bundle.Needs(); e.trial.Rules != nil {
		e.needs = e.needs.With(e.trial.Rules.Needs())
	}
	return nil
}

// compare asks the rules that look on what they make of the decision.
func (s *Service) compare(e *estimate) {
	other := e.trial.Rules
	if other == nil {
		return
	}
	record := e.decision
	record.Plan.Input = e.input
	r := other.Replay(&record)
	differs := r.Differs(&e.decision)
	e.tried = &store.Trial{Canary: e.trial.Decides, Rules: other.Hash(), Differs: differs, Sentence: r.Sentence(), Unknown: r.Unknown}
	if differs {
		e.tried.By = e.decision.Apart(&r.Decision)
	}
	outcome := "same"
	switch {
	case !r.Certain():
		outcome = "unknown"
	case differs:
		outcome = "differs"
	}
	s.metrics.trials.WithLabelValues(e.tenant.ID, strconv.FormatBool(e.trial.Decides), outcome).Inc()
}
