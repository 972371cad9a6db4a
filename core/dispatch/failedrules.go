package dispatch

import (
	"fmt"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/rules"
)

// ruleFailed is the code of a rule that failed while it ran.
const ruleFailed = "RULE_FAILED"

// ruleWarnings are what the decision has for who reads the order: what warn rules say, and which rules failed.
func ruleWarnings(d *rules.Decision) []shipment.Warning {
	var out []shipment.Warning
	for _, w := range d.Warnings {
		out = append(out, shipment.Warning{Code: ruleWarning, Message: w.Message})
	}
	failed := d.FailedRules()
	for _, f := range failed[:min(len(failed), maxReasons)] {
		out = append(out, shipment.Warning{Code: ruleFailed, Message: words(f.Text) + "."})
	}
	if more := len(failed) - maxReasons; more > 0 {
		out = append(out, shipment.Warning{Code: ruleFailed, Message: fmt.Sprintf("%d more failures of rules stand in the order's decision.", more)})
	}
	return out
}

const (
	// maxRulesTold is how many failing rules metrics and log tell apart: names are people's, and change with every edit.
	maxRulesTold = 500
	maxRuleName  = 100 // characters
	otherRules   = "(other rules)"
	// tellEvery is how often the log tells of one failing rule at most; the counter has each time.
	tellEvery = time.Hour
)

// failing is a rule of a tenant that has failed.
type failing struct{ tenant, rule string }

// failings remembers when the log last told of each. It forgets nothing, and so takes no more than maxRulesTold and one of each tenant.
type failings struct {
	mu   sync.Mutex
	told map[failing]time.Time
}

// tell returns by which name a failing rule goes, and whether the log is to tell of it now.
func (f *failings) tell(tenant, rule string, now time.Time) (_ string, due bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := []rune(rule)
	k := failing{tenant, string(name[:min(len(name), maxRuleName)])}
	last, known := f.told[k]
	if !known && len(f.told) >= maxRulesTold {
		k.rule = otherRules
		last, known = f.told[k]
	}
	if due = !known || now.Sub(last) >= tellEvery; due {
		if f.told == nil {
			f.told = map[failing]time.Time{}
		}
		f.told[k] = now
	}
	return k.rule, due
}

// tellFailed counts the rules that failed in the round's decision. Why they did is not logged: it may hold what the order says.
func (s *Service) tellFailed(sh *shipment.Shipment, e *estimate) {
	for _, f := range e.decision.FailedRules() {
		rule, due := s.failing.tell(e.tenant.ID, f.Rule, s.Clock.Now())
		s.metrics.failed.WithLabelValues(e.tenant.ID, string(f.Phase), rule).Inc()
		if due {
			s.Log.Warn("a rule failed while it ran; the order's warnings and its decision say why", "tenant", e.tenant.ID, "phase", f.Phase, "rule", rule,
				"version", e.decision.Rules, "shipment_id", sh.ID)
		}
	}
}
