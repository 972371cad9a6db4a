package rules_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/rules"
)

// TestRecordKeepsWhatChooseWants reads what a rule of choose wanted, and why it spoke, from the stored bytes alone.
func TestRecordKeepsWhatChooseWants(t *testing.T) {
	for _, c := range []struct {
		rule, wants string
		want        rules.Chosen
	}{
		{
			"when: order.quantity > 1, prefer: [ups/ground, own_fleet]", "prefer ups/ground, own_fleet",
			rules.Chosen{Kind: "prefer", Moved: true, When: "order.quantity > 1", List: []string{"ups/ground", "own_fleet"}, Instead: "doordash/delivery"},
		},
		{"prefer: [doordash]", "prefer doordash", rules.Chosen{Kind: "prefer", List: []string{"doordash"}}},
		{
			"only: [own_fleet]", "only own_fleet",
			rules.Chosen{Kind: "only", Moved: true, List: []string{"own_fleet"}, Instead: "doordash/delivery"},
		},
		{
			"split: { ups: 100, by: order.id, experiment: x }", `split ups 100 by order.id: number 45 of 0 to 99 in experiment "x" falls to ups`,
			rules.Chosen{Kind: "split", Arm: "ups", Bucket: 45, Experiment: "x", Moved: true, Arms: []rules.Arm{{To: "ups", Percent: 100}}, By: "order.id", Instead: "doordash/delivery"},
		},
	} {
		b, err := rules.Load(oneFile("rules: 1\ncurrency: USD\nproviders: [ups, doordash, own_fleet]\nchoose:\n"+
			"  - { name: Never, when: order.quantity > 9, only: [ups] }\n  - { name: R, "+c.rule+" }\n"), rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml", Data: []byte("tests: 1\ncases: [{ name: A, order: { id: g1, quantity: 2 }, quotes: [" +
			"{ provider: doordash, fee: 5.00 }, { provider: own_fleet, fee: 6.00 }, { provider: ups, service: ground, fee: 7.00 }], expect: { choose: R } }]\n")})
		if err != nil {
			t.Fatal(err)
		}
		d, err := rules.ParseDecision(encode(t, s.Run(noGolden)[0].Decision))
		if err != nil {
			t.Fatal(err)
		}
		c.want.Rule = "R"
		if diff := cmp.Diff(&c.want, d.Choose); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.rule, diff)
		}
		if got := d.Choose.Wants(); got != c.wants {
			t.Errorf("%s: it wants %q", c.rule, got)
		}
		text, err := rules.Explain(b, d)
		if err != nil || !strings.Contains(text, "-> "+c.wants+"\n") || strings.Contains(text, "alone, which has doordash/delivery first") != c.want.Moved {
			t.Errorf("%s: explained as (%v)\n%s", c.rule, err, text)
		}
	}
}

// TestRecordOfSchema1KeepsItsShape: what schema 1 does not say of a choose rule is explained all the same, and stays out of its bytes.
func TestRecordOfSchema1KeepsItsShape(t *testing.T) {
	record, err := os.ReadFile("testdata/records/v1/record.json")
	if err != nil {
		t.Fatal(err)
	}
	d, err := rules.ParseDecision(record)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Choose.Wants(); d.Schema != 1 || got != "prefer" {
		t.Errorf("schema %d, wants %q", d.Schema, got)
	}
	b, err := rules.LoadDir(os.DirFS("testdata/records/v1"), rules.Options{Providers: manifests()})
	if err != nil {
		t.Fatal(err)
	}
	again, err := rules.Recompute(b, d)
	if err != nil || !bytes.Equal(encode(t, again), bytes.TrimSpace(record)) {
		t.Errorf("recomputed (%v)\n%s", err, encode(t, again))
	}
	text, err := rules.Explain(b, d)
	if err != nil || !strings.Contains(text, "-> prefer own_fleet\n") {
		t.Errorf("explained as (%v)\n%s", err, text)
	}
	if replay := b.Replay(&d); replay.Decision.Schema != rules.RecordSchema || replay.Decision.Choose.Instead == "" || replay.Decision.Differs(&d) {
		t.Errorf("decided anew: %+v", replay.Decision.Choose)
	}
}

// TestRecordOfALaterSchemaIsRefused in words that say what to do.
func TestRecordOfALaterSchemaIsRefused(t *testing.T) {
	for _, schema := range []string{"0", "4", "-1"} {
		if _, err := rules.ParseDecision([]byte(`{"schema":` + schema + `}`)); err == nil || !strings.Contains(err.Error(), "schema "+schema) {
			t.Errorf("schema %s: %v", schema, err)
		}
	}
}
