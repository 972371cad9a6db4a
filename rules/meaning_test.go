package rules_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

const meaningHead = "rules: 1\ncurrency: USD\nproviders: [ups, doordash]\n"

// meant decides one order of rules, and checks that the record is computed again to its bytes and that it can be explained.
func meant(t *testing.T, text, order string) (d rules.Decision, explanation string) {
	t.Helper()
	b, err := rules.Load(oneFile(meaningHead+text), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml", Data: []byte("tests: 1\ncases:\n  - { name: A, order: " + order +
		", quotes: [ { provider: ups, service: ground, fee: 5.90 }, { provider: doordash, fee: 8.00 } ], expect: { faults: [] } }\n")})
	if err != nil {
		t.Fatal(err)
	}
	d = s.Run(noGolden)[0].Decision
	again, err := rules.Recompute(b, d)
	if err != nil || !bytes.Equal(encode(t, again), encode(t, d)) {
		t.Fatalf("computed again (%v):\n%s\n%s", err, encode(t, again), encode(t, d))
	}
	if explanation, err = rules.Explain(b, d); err != nil {
		t.Fatal(err)
	}
	return d, explanation
}

func messages(d *rules.Decision) string {
	var out []string
	for _, f := range d.Faults {
		out = append(out, fmt.Sprintf("%s %s %s: %s", f.Phase, f.Rule, f.Account, f.Message))
	}
	return strings.Join(out, "; ")
}

// inline puts the expressions of the lets into the places of their names.
func inline(text string, lets ...string) string {
	for i := 0; i < len(lets); i += 2 {
		text = strings.ReplaceAll(text, lets[i], "("+lets[i+1]+")")
	}
	return text
}

// TestALetFailsWhereItIsReached: a name stands for its expression, so that what decides is the same as when the expression is written there.
func TestALetFailsWhereItIsReached(t *testing.T) {
	const piece, ratio = "order.total / order.line_count", "option.fee / order.total"
	for _, c := range []struct {
		name, lets, text, order string
		held, faults            string
		out                     int
	}{
		{"not reached", "per_piece: " + piece, "hold: [ { name: Dear, when: order.total >= usd(5000) or per_piece > usd(500), until: released } ]", "{ total: 6000, line_count: 0 }", "Dear", "", 0},
		{"reached", "per_piece: " + piece, "hold: [ { name: Dear, when: order.total >= usd(5000) or per_piece > usd(500), until: released } ]", "{ total: 60, line_count: 0 }", "", "hold Dear : let per_piece: division by zero", 0},
		{"computed", "per_piece: " + piece, "hold: [ { name: Dear, when: order.total >= usd(5000) or per_piece > usd(500), until: released } ]", "{ total: 1002, line_count: 2 }", "Dear", "", 0},
		{"in a choice", "per_piece: " + piece, "hold: [ { name: Dear, when: '(order.line_count > 0 ? per_piece : order.total) > usd(50)', until: released } ]", "{ total: 60, line_count: 0 }", "Dear", "", 0},
		{"of an option, not reached", "ratio: " + ratio, "exclude: [ { name: Dear, when: order.total > usd(0) and ratio > 0.33 } ]", "{ total: 0 }", "", "", 0},
		{"of an option, for one of them", "ratio: usd(1) / (option.fee - usd(5.90))", "exclude: [ { name: Dear, when: ratio > 0.33 } ]", "{ total: 1 }", "", "exclude Dear ups: let ratio: division by zero", 2},
		{"of an option, alone", "ratio: " + ratio, "exclude: [ { name: Dear, when: ratio > 0.33, providers: [ups] } ]", "{ total: 0 }", "", "exclude Dear ups: let ratio: division by zero", 1},
		{"behind another", "per_piece: " + piece + ", dear: order.gift or per_piece > usd(5)", "hold: [ { name: Dear, when: order.total > usd(50) or dear, until: released } ]", "{ total: 60, line_count: 0 }", "Dear", "", 0},
		{"through another", "per_piece: " + piece + ", dear: order.gift or per_piece > usd(5)", "hold: [ { name: Dear, when: dear, until: released } ]", "{ total: 60, line_count: 0 }", "", "hold Dear : let dear: let per_piece: division by zero", 0},
		{"as an amount", "per_piece: " + piece, "set: [ { name: Tip, set: { tip: per_piece } } ]", "{ total: 60, line_count: 0 }", "", "set Tip : let per_piece: division by zero", 0},
		{"in a text", "per_piece: " + piece, "warn: [ { name: Say, message: '{per_piece}' } ]", "{ total: 60, line_count: 0 }", "", "warn Say : let per_piece: division by zero", 0},
		{"of numbers", "crowd: order.quantity / order.line_count", "exclude: [ { name: Crowd, when: crowd > 3, providers: [ups] } ]", "{ total: 60, quantity: 4, line_count: 0 }", "", "exclude Crowd ups: let crowd: division by zero", 1},
	} {
		d, text := meant(t, "let: { "+c.lets+" }\n"+c.text+"\n", c.order)
		held := ""
		if d.Plan.Hold != nil {
			held = d.Plan.Hold.Rule
		}
		if held != c.held || messages(&d) != c.faults || len(d.Excluded) != c.out {
			t.Errorf("%s: held %q, faults %q, %d out\n%s", c.name, held, messages(&d), len(d.Excluded), text)
		}
		if strings.HasSuffix(c.name, "not reached") && !strings.Contains(text, "    -> a rule that comes to it fails") {
			t.Errorf("%s: nothing says what comes of the let\n%s", c.name, text)
		}
		if c.faults == "" && (strings.Contains(text, "FAILED") || strings.Contains(text, " failed \"")) {
			t.Errorf("%s: what the record does not say\n%s", c.name, text)
		}
		_, message, _ := strings.Cut(c.faults, ": ")
		if strings.Contains(text, "nothing > ") || strings.Contains(text, "= nothing") || message != "" && !strings.Contains(text, "    failed: "+message+"\n") && !strings.Contains(text, ": "+message+"\n") {
			t.Errorf("%s: other words than the record\n%s", c.name, text)
		}
		if strings.Contains(c.lets, ", ") {
			continue
		}
		name, source, _ := strings.Cut(c.lets, ": ")
		written, _ := meant(t, inline(c.text, name, source)+"\n", c.order)
		if got := strings.ReplaceAll(messages(&d), "let "+name+": ", ""); got != messages(&written) || (written.Plan.Hold != nil) != (held != "") || len(written.Excluded) != c.out {
			t.Errorf("%s: written out it is another decision: %q", c.name, messages(&written))
		}
	}
}

// TestDivisionByZeroFails of whatever is divided.
func TestDivisionByZeroFails(t *testing.T) {
	for _, divided := range []string{"order.quantity / order.line_count", "order.total / order.line_count", "order.total / order.subtotal", "order.weight / order.line_count", "1.5 / order.line_count", "option.dropoff_in / minutes(order.line_count)"} {
		kind := map[bool]string{true: "dollars(" + divided + ")", false: divided}[divided == "order.total / order.line_count"]
		when := kind + " > 3"
		if divided == "order.weight / order.line_count" {
			when = divided + " > lb(3)"
		}
		d, text := meant(t, "exclude: [ { name: Out, when: '"+when+"', providers: [ups] } ]\nadjust: [ { name: More, when: '"+when+"', providers: [doordash], add: 1.00 } ]\n", "{ total: 60, quantity: 4, line_count: 0 }")
		if got := messages(&d); got != "adjust More doordash: division by zero; exclude Out ups: division by zero" && got != "exclude Out ups: division by zero; adjust More doordash: division by zero" {
			t.Errorf("%s: %s\n%s", divided, got, text)
		}
		if len(d.Adjusted) != 0 || len(d.Excluded) != 1 {
			t.Errorf("%s: %+v %+v", divided, d.Adjusted, d.Excluded)
		}
	}
}

// TestNothingGoesBelowZero that somebody gets or pays: what would have is nothing, and the decision and its explanation tell of it.
func TestNothingGoesBelowZero(t *testing.T) {
	d, text := meant(t, "set: [ { name: Tip, set: { tip: order.total * 0.5 - usd(1000) } } ]\n", "{ total: 700 }")
	if d.Plan.Set.Tip == nil || d.Plan.Set.Tip.String() != "0.00 USD" || messages(&d) != "set Tip : tip comes to -650.00 USD, which is below zero: it counts as nothing" {
		t.Errorf("%v %s", d.Plan.Set.Tip, messages(&d))
	}
	if !strings.Contains(text, "-> tip = 0.00 USD") || !strings.Contains(text, `FAILED set "Tip": tip comes to -650.00 USD`) {
		t.Error(text)
	}
	if told := d.FailedRules(); len(told) != 1 || !strings.HasPrefix(told[0].Text, `Rule "Tip" (set) failed and was held at zero: tip comes to -650.00 USD`) {
		t.Errorf("%+v", told)
	}
	d, _ = meant(t, "set: [ { name: Tip, set: { tip: 5.00, tip_max: order.total - usd(1000) } } ]\n", "{ total: 700 }")
	if d.Plan.Set.Tip.String() != "0.00 USD" || !strings.Contains(messages(&d), "tip_max comes to -300.00 USD") {
		t.Errorf("%v %s", d.Plan.Set.Tip, messages(&d))
	}
	const reduced = "adjust:\n  - { name: Small, charge: '-1.00', providers: [ups] }\n  - { name: Gift, charge: '-50.00', providers: [ups] }\n  - { name: More, charge: 2.00 }\n"
	d, text = meant(t, reduced, "{ total: 700 }")
	if d.Winner.Charge.String() != "-5.90 USD" || len(d.Adjusted) != 4 || len(d.Faults) != 1 || !strings.HasPrefix(messages(&d), "adjust Gift ups: with a charge of -49.00 USD on a fee of 5.90 USD the customer would pay -43.10 USD") {
		t.Errorf("%s: %s", d.Winner.Charge, messages(&d))
	}
	if !strings.Contains(text, "charge -5.90 USD\n") || !strings.Contains(text, `FAILED adjust "Gift" ups/ground: with a charge`) {
		t.Error(text)
	}
	if told := d.FailedRules(); len(told) != 1 || !strings.HasPrefix(told[0].Text, `Rule "Gift" (adjust) failed for ups/ground and was held at zero: `) {
		t.Errorf("%+v", told)
	}
	if d, _ = meant(t, "adjust: [ { name: Gift, charge: '-5.90', providers: [ups] } ]\n", "{ total: 700 }"); len(d.Faults) > 0 || d.Winner.Charge.String() != "-5.90 USD" {
		t.Errorf("all of the fee may be charged back: %s", messages(&d))
	}
}

// TestStoredRecordsAreExplainedAsTheyWereMade: what a version before decided is not told in the words of a rule that holds since.
func TestStoredRecordsAreExplainedAsTheyWereMade(t *testing.T) {
	const dir = "testdata/records/v2-failing"
	record, err := os.ReadFile(dir + "/record.json")
	if err != nil {
		t.Fatal(err)
	}
	d, err := rules.ParseDecision(record)
	if err != nil {
		t.Fatal(err)
	}
	b, err := rules.LoadDir(os.DirFS(dir), rules.Options{Providers: manifests()})
	if err != nil {
		t.Fatal(err)
	}
	text, err := rules.Explain(b, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`hold failed "Very dear"`, "failed: let per_piece: division by zero", "charge -51.00 USD", "-> tip = -7000.00 USD", "= +Inf", `EXCLUDED by "Crowded"`} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing says %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, "which is below zero") {
		t.Error(text)
	}
	now := b.Replay(&d).Decision
	if now.Plan.Hold == nil || now.Plan.Hold.Rule != "Very dear" {
		t.Errorf("decided now: %+v", now.Plan.Hold)
	}
}

// TestNoRecordEndsTheProgram that says it is older than it is: an amount that is a failed let was never decided about then.
func TestNoRecordEndsTheProgram(t *testing.T) {
	b, err := rules.Load(oneFile(meaningHead+"let: { per_piece: order.total / order.line_count }\nset: [ { name: Tip, set: { tip: per_piece } } ]\n"), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := b.Decide(b.Prepare(rules.Input{Order: rules.Order{Total: shipping.Money{Minor: 100, Currency: "USD"}}}, nil), nil)
	d.Schema = 2
	if other, err := rules.Misrecorded(b, d); err != nil || len(other) == 0 {
		t.Errorf("%v (%v)", other, err)
	}
	if text, err := rules.Explain(b, d); err != nil || !strings.Contains(text, "it names a let that failed") {
		t.Errorf("%s (%v)", text, err)
	}
}

// TestCheckTellsWhatGoesBelowZero where that can be seen without an order of the merchant; a discount that is lower than fees usually are is none.
func TestCheckTellsWhatGoesBelowZero(t *testing.T) {
	for text, want := range map[string]string{
		"adjust: [ { name: A, charge: '-50.00' } ]":                                                                                       "it goes below zero: with a charge of -50.00 USD on a fee of 10.00 USD",
		"adjust: [ { name: A, charge: '-120%' } ]":                                                                                        "it goes below zero: with a charge of -12.00 USD",
		"adjust: [ { name: A, charge: '-2.00' } ]":                                                                                        "",
		"adjust: [ { name: A, charge: '-100%' } ]":                                                                                        "",
		"adjust: [ { name: A, add: '-50.00' } ]":                                                                                          "", // the cost is for the ranking alone
		"set: [ { name: A, set: { tip: order.total * 0.1 - usd(2) } } ]":                                                                  "it goes below zero: tip comes to -",
		"set: [ { name: A, set: { tip: 'order.total > usd(20) ? order.total * 0.1 - usd(2) : usd(0)' } } ]":                               "",
		"exclude: [ { name: A, when: order.quantity / order.line_count > 3, providers: [ups] } ]":                                         "it fails while it runs: division by zero",
		"let: { n: order.quantity / order.line_count }\nexclude: [ { name: A, when: order.line_count > 0 and n > 3, providers: [ups] } ]": "",
		"let: { n: order.quantity / order.line_count }\nexclude: [ { name: A, when: n > 3, providers: [ups] } ]":                          "it fails while it runs: let n: division by zero",
	} {
		b, err := rules.Load(oneFile(meaningHead+text+"\n"), rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		told := b.DryRun()
		_, linted := lint(t, meaningHead+text+"\n", "W626")
		if want == "" {
			if len(told)+len(linted) > 0 {
				t.Errorf("%s: %v %v", text, told, linted)
			}
			continue
		}
		if len(told) != 1 || told[0].Code != "W626" || !strings.HasPrefix(told[0].Sentence, want) {
			t.Errorf("%s: check says %v", text, told)
		}
		if len(linted) != 1 {
			t.Errorf("%s: lint says %v", text, linted)
			continue
		}
		if d, err := b.Witness(linted[0]); err != nil || len(d.Faults) == 0 {
			t.Errorf("%s: the order that shows it: %s (%v)", text, messages(&d), err)
		}
	}
}

// TestDiffKnowsWhereALetIsReached: what stands before a name that may fail decides whether a rule comes to it.
func TestDiffKnowsWhereALetIsReached(t *testing.T) {
	const lets = "let: { per_piece: order.total / order.line_count, dear: per_piece > usd(500) }\nhold: [ { name: A, until: released, when: "
	load := func(when string) *rules.Bundle {
		b, err := rules.Load(oneFile(meaningHead+lets+when+" } ]\n"), rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		old, now string
		same     bool
	}{
		{"order.total >= usd(5000) or per_piece > usd(500)", "per_piece > usd(500) or order.total >= usd(5000)", false},
		{"order.total >= usd(5000) or dear", "dear or order.total >= usd(5000)", false},
		{"order.total >= usd(5000) or dear", "order.total >= usd(5000) or (dear)", true},
		{"order.gift or dear", "order.gift or not order.gift and dear", true},
	} {
		changes := rules.Diff(t.Context(), load(c.old), load(c.now))
		if len(changes) != 1 || changes[0].Same != c.same {
			t.Errorf("%s, %s: %+v", c.old, c.now, changes)
			continue
		}
		if w := changes[0].NoLonger; !c.same && (w == nil || w["order.total"] == "") {
			t.Errorf("%s, %s: no order shows it: %+v", c.old, c.now, changes[0])
		}
	}
}

// TestCoverageCountsLetsThatWereReached and no other.
func TestCoverageCountsLetsThatWereReached(t *testing.T) {
	b, err := rules.Load(oneFile(meaningHead+"let: { dear: order.gift or order.total / order.line_count > usd(5) }\nhold: [ { name: A, until: released, when: order.total >= usd(5000) or dear } ]\nwarn: [ { name: B, when: order.asap, message: m } ]\n"), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for order, seen := range map[string]int{"{ total: 6000, line_count: 0 }": 0, "{ total: 60, line_count: 1 }": 1, "{ total: 60, line_count: 4 }": 1} {
		s, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml", Data: []byte("tests: 1\ncases: [ { name: A, order: " + order + ", quotes: [ { provider: ups, fee: 9 } ], expect: { not_hit: [ B ] } } ]\n")})
		if err != nil {
			t.Fatal(err)
		}
		cover := rules.NewCoverage(b)
		if err := cover.Add(&s.Run(noGolden)[0].Decision); err != nil {
			t.Fatal(err)
		}
		if let := cover.Report().Rules[0]; let.Name != "let dear" || let.Hit+let.Miss != seen {
			t.Errorf("%s: %+v", order, let)
		}
	}
}

// TestOldRecordsTakeNoStepsForTexts: when they were made, no text was too long for a pattern.
func TestOldRecordsTakeNoStepsForTexts(t *testing.T) {
	b, err := rules.Load(oneFile(meaningHead+"exclude: [ { name: Odd, when: 'order.id matches \"(a{30}b?)+$\"' } ]\n"), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	in := rules.Input{Order: rules.Order{ID: strings.Repeat("x", 20_000)}}
	d := b.Decide(b.Prepare(in, []rules.Candidate{{Account: "ups"}}), nil)
	if len(d.Faults) != 1 {
		t.Fatalf("a text of 20,000 characters is not too long: %s", messages(&d))
	}
	d.Schema = 2
	if d, err = rules.Recompute(b, d); err != nil || len(d.Faults) > 0 || len(d.Excluded) > 0 {
		t.Errorf("%s, excluded %+v (%v)", messages(&d), d.Excluded, err)
	}
}
