package ruleset_test

import (
	"strings"
	"testing"
)

// TestPersonalDataNeedsTheConfigurationsWord: rules that ask for it are not taken without, and are when the word comes.
func TestPersonalDataNeedsTheConfigurationsWord(t *testing.T) {
	dir := t.TempDir()
	cfg := tenants(map[string]string{"demo": dir})
	write(t, dir, good)
	p := start(t, t.TempDir(), cfg)
	defer p.close()
	if err := p.Load(); err != nil {
		t.Fatal(err)
	}
	before := p.Bundle("demo").Hash()
	write(t, dir, "env: { pii: true }\n"+good)
	if err := p.Load(); err == nil || !strings.Contains(err.Error(), "rules_pii: true") || p.Bundle("demo").Hash() != before {
		t.Errorf("taken without the configuration's word: %v", err)
	}
	cfg.Tenants["demo"].RulesPII = true
	if err := p.Load(); err != nil || p.Bundle("demo").Hash() == before {
		t.Errorf("not taken with the configuration's word: %v", err)
	}
}
