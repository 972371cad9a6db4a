package rules_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules"
)

// guarded is the bundle of testdata/guards.yaml.
func guarded(t *testing.T) *rules.Bundle {
	t.Helper()
	data, err := os.ReadFile("testdata/guards.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Rules string }
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	b, err := rules.Load([]rules.File{{Name: "guards.rules.yaml", Data: []byte(file.Rules)}}, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNeedsSayWhatToCount(t *testing.T) {
	want := rules.Needs{
		Quotas:  []rules.QuotaNeed{{Account: "doordash", Period: "day", Per: "location"}, {Account: "ups", Period: "month"}},
		Budgets: []rules.BudgetNeed{{Guard: "Subsidy", Per: "location"}},
	}
	b := guarded(t)
	if diff := cmp.Diff(want, b.Needs()); diff != "" {
		t.Error(diff)
	}
	src := source()
	src.Quotas = []rules.Quota{{QuotaNeed: rules.QuotaNeed{Account: "own_fleet", Period: "day"}, Used: 3}, {QuotaNeed: want.Quotas[1], Used: 5}}
	in := b.Prepare(input(t, src), candidates()).Input
	if len(in.Quotas) != 1 || in.Quotas[0].Used != 5 {
		t.Errorf("the record keeps %v", in.Quotas)
	}
}

func TestExplanationShowsGuards(t *testing.T) {
	b := guarded(t)
	src := source()
	src.DistanceMetres = 1000
	src.Quotas = []rules.Quota{{QuotaNeed: rules.QuotaNeed{Account: "doordash", Period: "day", Per: "location"}, Used: 7}, {QuotaNeed: rules.QuotaNeed{Account: "ups", Period: "month"}, Used: 5}}
	src.Budgets = []rules.Budget{{BudgetNeed: rules.BudgetNeed{Guard: "Subsidy", Per: "location"}, Spent: usd(34100)}}
	text, err := rules.Explain(b, b.Decide(b.Prepare(input(t, src), candidates()), offers()))
	if err != nil {
		t.Fatal(err)
	}
	text = strings.Join(strings.Fields(text), " ")
	for _, want := range []string{
		`OUT by guard "Subsidy"`, "budget, 9.75 USD", `OUT by guard "Fee cap"`, "the fee of 41.20 USD is over 14.00 USD", `guard kept "Fee cap"`,
		`quota("doordash", "day", "location").used = 7`, `guard kept "Not late"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}

func TestPatchInAnotherFileIsShownInItsPlace(t *testing.T) {
	_, err := rules.Load([]rules.File{
		{Name: "a.rules.yaml", Data: []byte("rules: 1\nexclude:\n  - { name: Far, when: order.asap and order.totl > usd(1) }\n")},
		{Name: "b.rules.yaml", Data: []byte("rules: 1\nlocations:\n  x:\n    exclude:\n      Far: { when: order.wieght > lb(1) }\n")},
	}, rules.Options{})
	var check *rules.CheckError
	if !errors.As(err, &check) || len(check.Problems) != 2 {
		t.Fatalf("want two problems, got\n%v", err)
	}
	if got := check.Problems[1].String(); got != `b.rules.yaml:5:26: rule "Far" (exclude) at x: unknown field "wieght"` {
		t.Error(got)
	}
}

// TestStoredRecordsStayReadable reads and recomputes records as earlier versions wrote them; none of these files is ever written again.
func TestStoredRecordsStayReadable(t *testing.T) {
	folders, err := filepath.Glob("testdata/records/*")
	if err != nil || len(folders) == 0 {
		t.Fatal("no records", err)
	}
	for _, dir := range folders {
		record, err := os.ReadFile(filepath.Join(dir, "record.json"))
		if err != nil {
			t.Fatal(err)
		}
		d, err := rules.ParseDecision(record)
		if err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		b, err := rules.LoadDir(os.DirFS(dir), rules.Options{Providers: manifests()})
		if err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		again, err := rules.Recompute(b, d)
		if err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		if got := encode(t, again); !bytes.Equal(got, bytes.TrimSpace(record)) {
			t.Errorf("%s: recomputed\n%s", dir, got)
		}
	}
}

// TestNothingIsCalledChosenThatIsNot: a guard takes away what a choose rule had put first.
func TestNothingIsCalledChosenThatIsNot(t *testing.T) {
	for most, want := range map[string]string{"20.00": `CHOSEN (split ups) by "Share"`, "1.00": `ASKED FOR (split ups) by "Share"`} {
		b, err := rules.Load(oneFile("rules: 1\ncurrency: USD\nproviders: [ups]\nchoose: [{ name: Share, split: { ups: 100, by: order.id } }]\n"+
			"guard: [{ name: Cap, max_fee: "+most+", on_breach: next }]\n"), rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := rules.LoadSuite(b, rules.File{Name: "s.test.yaml", Data: []byte("tests: 1\ncases: [{ name: A, quotes: [{ provider: ups, fee: 9.00 }], expect: { choose: Share } }]\n")})
		if err != nil {
			t.Fatal(err)
		}
		text, err := rules.Explain(b, s.Run(noGolden)[0].Decision)
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("at most %s: nothing says %s (%v):\n%s", most, want, err, text)
		}
	}
}
