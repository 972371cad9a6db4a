package dispatch_test

import (
	"bytes"
	"context"
	"testing"
)

// TestRulesSeeTheRecipientWhereTheConfigurationLetsThem, and the record holds it until the order is erased.
func TestRulesSeeTheRecipientWhereTheConfigurationLetsThem(t *testing.T) {
	ctx := context.Background()
	for _, let := range []bool{true, false} {
		cheap, dear := newFake("cheap", "Cheap", 500), newFake("dear", "Dear", 900)
		e := newEngine(t, cheap, dear)
		e.config.Tenants["demo"].RulesPII = let
		e.bundle = rulesOf(t, "rules: 1\nproviders: [cheap, dear]\nenv: { pii: true }\nexclude: [{ name: Street, when: recipient.street startsWith \"725 Albany\", providers: [cheap] }]\n")
		e.mustCreate("o")
		want := map[bool]string{true: "dear", false: "cheap"}[let]
		e.wantLive("o", want)
		ds, err := e.Decisions(ctx, caller, "o")
		if err != nil || len(ds) != 1 || bytes.Contains(ds[0].Record, []byte("725 Albany")) != let {
			t.Errorf("records %v, %v", ds, err)
		}
		if _, err := e.Cancel(ctx, caller, "o", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Erase(ctx, caller, "o"); err != nil {
			t.Fatal(err)
		}
		if ds, err := e.Decisions(ctx, caller, "o"); err != nil || len(ds) != 0 {
			t.Errorf("after the erasure: %v, %v", ds, err)
		}
	}
}
