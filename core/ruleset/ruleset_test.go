package ruleset_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/ruleset"
	"github.com/waybill-dev/waybill/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const good = "rules: 1\nname: one\nexclude:\n  - name: No couriers\n    when: option.provider == \"doordash\"\n    reason: none\n"

func write(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "a.rules.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func newSet(t *testing.T) (*ruleset.Set, string) {
	t.Helper()
	dir := t.TempDir()
	cfg := &config.Config{Tenants: map[string]*config.Tenant{"demo": {ID: "demo", Rules: dir}, "plain": {ID: "plain"}}}
	return ruleset.New(ruleset.Settings{Config: func() *config.Config { return cfg }, Log: hclog.NewNullLogger(),
		Providers: func(*config.Tenant) map[string]rules.Provider { return map[string]rules.Provider{"doordash": {}} }}), dir
}

func TestRulesWhoseTestsFailAreNotTaken(t *testing.T) {
	s, dir := newSet(t)
	write(t, dir, good)
	failing := "tests: 1\noptions: { now: \"2026-04-10 18:00\", zone: America/Denver }\ncases:\n  - name: the courier wins\n    order: { id: a, total: \"10.00 USD\", weight: 1 lb }\n    quotes:\n      - { provider: doordash, fee: \"8.50 USD\" }\n    expect: { chosen: doordash }\n"
	if err := os.WriteFile(filepath.Join(dir, "a.test.yaml"), []byte(failing), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Load(); err == nil || !strings.Contains(err.Error(), "the courier wins") {
		t.Errorf("rules whose test fails: %v", err)
	}
}

func TestTheLastGoodRulesStay(t *testing.T) {
	s, dir := newSet(t)
	write(t, dir, good)
	if err := s.Load(); err != nil {
		t.Fatal(err)
	}
	first := s.Bundle("demo").Hash()
	if first == rules.Default().Hash() || s.Bundle("plain").Hash() != rules.Default().Hash() || s.Bundle("nobody") == nil {
		t.Error("tenants do not have their own rules")
	}
	write(t, dir, strings.Replace(good, "option.provider", "option.provder", 1))
	err := s.Load()
	if err == nil || !strings.Contains(err.Error(), "a.rules.yaml:5:") || !strings.Contains(err.Error(), "tenant demo") {
		t.Errorf("a slip was not told with its place: %v", err)
	}
	if s.Bundle("demo").Hash() != first || s.Problem() == nil {
		t.Error("the last good rules are gone, or the problem is not told")
	}
	write(t, dir, strings.Replace(good, "name: one", "name: two", 1))
	if err := s.Load(); err != nil || s.Problem() != nil {
		t.Errorf("mended rules were not taken: %v, %v", err, s.Problem())
	}
	if s.Bundle("demo").Hash() == first {
		t.Error("the new rules are not in force")
	}
}

func TestWithoutGoodRulesThereIsAnError(t *testing.T) {
	s, dir := newSet(t)
	write(t, dir, "rules: 2\n")
	if s.Load() == nil {
		t.Error("faulty rules at start are no error")
	}
	if s.Load() == nil {
		t.Error("they are no error the second time")
	}
}

func TestRunSeesAChange(t *testing.T) {
	t.Parallel()
	s, dir := newSet(t)
	write(t, dir, good)
	if err := s.Load(); err != nil {
		t.Fatal(err)
	}
	first := s.Bundle("demo").Hash()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	write(t, dir, strings.Replace(good, "name: one", "name: two", 1))
	for s.Bundle("demo").Hash() == first && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
	}
	if ctx.Err() != nil {
		t.Error("the change was not seen")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestTheMetricAndTheWordsFollowTheFiles: at first there are no good rules that could stay.
func TestTheMetricAndTheWordsFollowTheFiles(t *testing.T) {
	dir := t.TempDir()
	cfg := &config.Config{Tenants: map[string]*config.Tenant{"demo": {ID: "demo", Rules: dir}}}
	var log bytes.Buffer
	registry := prometheus.NewRegistry()
	s := ruleset.New(ruleset.Settings{Config: func() *config.Config { return cfg }, Log: hclog.New(&hclog.LoggerOptions{Output: &log}),
		Providers: func(*config.Tenant) map[string]rules.Provider { return nil }, Registerer: registry})
	degraded := func() float64 { return gauge(t, registry, "waybill_rules_degraded") }
	for _, step := range []struct {
		text  string
		value float64
		says  string
	}{
		{"rules: 2\n", 1, "rules were not taken, and there are none from before"},
		{strings.Replace(good, "option.provider == \"doordash\"", "order.asap", 1), 0, "rules were taken"},
		{"rules: 2\n", 1, "rules were not taken; the last good ones stay"},
	} {
		log.Reset()
		write(t, dir, step.text)
		if err := s.Load(); (err != nil) != (step.value > 0) {
			t.Errorf("load: %v", err)
		}
		if degraded() != step.value || !strings.Contains(log.String(), step.says) {
			t.Errorf("degraded is %v, the log says %s", degraded(), log.String())
		}
	}
}

func gauge(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
