package ruleset_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/config"
)

const placed = "rules: 1\nname: one\nexclude:\n  - { name: No couriers, providers: [doordash], locations: [boston, \"tag:airport\"] }\n"

// TestRulesThatNameAnUnknownLocation are refused like any other slip; those that serve go on when a location leaves the configuration, over a
// restart too, and it is told.
func TestRulesThatNameAnUnknownLocation(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	cfg := tenants(map[string]string{"demo": dir})
	all := map[string]*config.Location{"boston": {ID: "boston"}, "logan": {ID: "logan", Tags: []string{"airport"}}}
	cfg.Tenants["demo"].Locations = all
	write(t, dir, placed)
	p := start(t, data, cfg)
	if err := p.Load(); err != nil {
		t.Fatal(err)
	}
	version, since := p.Bundle("demo").Hash(), p.Status("demo").Since
	write(t, dir, strings.Replace(placed, "boston", "bostn", 1))
	if err := p.Load(); err == nil || !strings.Contains(err.Error(), "did you mean boston") || p.Bundle("demo").Hash() != version {
		t.Errorf("a slip was taken: %v", err)
	}
	write(t, dir, placed)
	if err := p.Load(); err != nil || p.Problem() != nil || p.Status("demo").Since != since {
		t.Errorf("%v, %v; the rules of all along are there since %v, not %v", err, p.Problem(), p.Status("demo").Since, since)
	}

	serving := func(name, told string) {
		t.Helper()
		if b := p.Bundle("demo"); b == nil || b.Hash() != version || p.Missing() != nil {
			t.Fatalf("%s: the rules do not serve: %v", name, p.Missing())
		}
		problem := p.Problem()
		if (problem == nil) != (told == "") || problem != nil && !strings.Contains(problem.Error(), told) {
			t.Errorf("%s: the problem is %v, want %q", name, problem, told)
		}
		if told != "" && (!strings.Contains(p.log.String(), `there is no location "boston"`) || gauge(t, p.metrics, "waybill_rules_degraded") != 1) {
			t.Errorf("%s: it is not told: %s", name, p.log.String())
		}
	}
	cfg.Tenants["demo"].Locations = map[string]*config.Location{"logan": all["logan"]}
	if err := p.Load(); err == nil {
		t.Error("that a location has left is not told")
	}
	serving("a location has left", `there is no location "boston"`)
	p.close()

	p = start(t, data, cfg)
	defer func() { p.close() }()
	if err := p.Load(); err == nil {
		t.Error("that a location has left is not told after a restart")
	}
	serving("after a restart", `there is no location "boston"`)
	write(t, dir, strings.Replace(placed, "name: one", "name: two", 1))
	if err := p.Load(); err == nil {
		t.Error("an edit that leaves the name in is taken")
	}
	serving("after an edit", "rejected sha256:")
	write(t, dir, placed)
	cfg.Tenants["demo"].Locations = all
	if err := p.Load(); err != nil {
		t.Error(err)
	}
	serving("it is back", "")
}
