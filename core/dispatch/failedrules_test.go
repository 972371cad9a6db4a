package dispatch_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/usecase"
)

const failingRule = "rules: 1\ncurrency: USD\nadjust:\n  - { name: Odd, when: 1 % (order.line_count - order.line_count) == 1, add: 3.00 }\n"

// told rebuilds the engine's service so that its metrics and its log can be read.
func (e *engine) told() (*prometheus.Registry, *bytes.Buffer) {
	reg, log := prometheus.NewRegistry(), &bytes.Buffer{}
	s := e.Settings
	s.Registerer, s.Log = reg, hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Warn})
	e.Service = dispatch.New(s)
	return reg, log
}

// failed are the counts of rules that failed, by tenant, phase and rule.
func failed(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "waybill_rules_failed_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			out[labels["tenant"]+"/"+labels["phase"]+"/"+labels["rule"]] = m.GetCounter().GetValue()
		}
	}
	return out
}

// TestARuleThatFailsIsTold: on the order, by a counter, and in the log now and then.
func TestARuleThatFailsIsTold(t *testing.T) {
	cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
	e := newEngine(t, cheap, dear)
	e.bundle = rulesOf(t, failingRule)
	reg, log := e.told()
	e.mustCreate("o1")
	e.mustCreate("o2")
	want := shipment.Warning{Code: "RULE_FAILED", Message: `Rule "Odd" (adjust) failed for cheap/delivery, dear/delivery and was not applied: `}
	ws := e.get("o2").Warnings
	if len(ws) != 1 || ws[0].Code != want.Code || !strings.HasPrefix(ws[0].Message, want.Message) {
		t.Errorf("warnings %+v, want one like %+v", ws, want)
	}
	if got := failed(t, reg); len(got) != 1 || got["demo/adjust/Odd"] != 2 {
		t.Errorf("counts %v", got)
	}
	if lines := strings.Count(log.String(), "a rule failed while it ran"); lines != 1 {
		t.Errorf("%d lines: %s", lines, log)
	}
	e.pass(time.Hour)
	e.mustCreate("o3")
	if lines := strings.Count(log.String(), "a rule failed while it ran"); lines != 2 || failed(t, reg)["demo/adjust/Odd"] != 3 {
		t.Errorf("an hour later %d lines, counts %v: %s", lines, failed(t, reg), log)
	}
}

// TestManyRulesThatFail: what is told of them is bounded, whatever they are called.
func TestManyRulesThatFail(t *testing.T) {
	e := newEngine(t, newFake("cheap", "Cheap", 500))
	reg, log := e.told()
	for day := range 3 {
		text := strings.TrimSuffix(failingRule, "  - { name: Odd, when: 1 % (order.line_count - order.line_count) == 1, add: 3.00 }\n")
		for i := range 200 {
			text += fmt.Sprintf("  - { name: %s %d-%d, when: 1 %% (order.line_count - order.line_count) == 1, add: 3.00 }\n", "Odd", day, i)
		}
		e.bundle = rulesOf(t, text)
		e.mustCreate(fmt.Sprint("o", day))
	}
	counts := failed(t, reg)
	if len(counts) != 501 || counts["demo/adjust/(other rules)"] != 100 {
		t.Errorf("%d counts, of others %v", len(counts), counts["demo/adjust/(other rules)"])
	}
	if lines := strings.Count(log.String(), "a rule failed while it ran"); lines != 501 {
		t.Errorf("%d lines", lines)
	}
	if ws := e.get("o2").Warnings; len(ws) != 7 || ws[6].Message != "194 more failures of rules stand in the order's decision." {
		t.Errorf("%d warnings: %+v", len(ws), ws)
	}
}

// TestAMendedRuleIsNotWarnedOf: the warning is of a round, and goes with it.
func TestAMendedRuleIsNotWarnedOf(t *testing.T) {
	e := newEngine(t, newFake("cheap", "Cheap", 500))
	odd := "set:\n  - { name: Odd, when: 1 % (order.line_count - order.line_count) == 1, set: { signature: adult } }\n"
	e.bundle = rulesOf(t, "rules: 1\nexclude:\n  - { name: No, providers: [cheap] }\n"+odd)
	_, err := e.create("o1")
	wantType(t, err, usecase.NoProviderMatched)
	if sh := e.get("o1"); len(sh.Warnings) != 1 || sh.Warnings[0].Code != "RULE_FAILED" {
		t.Fatalf("%s, warnings %+v", sh.Status, sh.Warnings)
	}
	e.bundle = rulesOf(t, "rules: 1\n")
	if _, err := e.Retry(t.Context(), caller, "o1"); err != nil {
		t.Fatal(err)
	}
	e.wantLive("o1", "cheap")
	if ws := e.get("o1").Warnings; len(ws) != 0 {
		t.Errorf("warnings %+v", ws)
	}
}
