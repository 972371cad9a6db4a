package rules_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// stored makes decision records of n orders of the demo, one a line.
func stored(t testing.TB, b *rules.Bundle, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	r := rand.New(rand.NewPCG(7, 7))
	for i := range n {
		src := source()
		src.ExternalID = fmt.Sprintf("o%d", i)
		src.Value = shipping.MustDecimal(fmt.Sprintf("%d.50", 5+r.IntN(400)))
		src.DistanceMetres = int64(r.IntN(40_000))
		src.Parcels[0].Weight.Value = shipping.MustDecimal(fmt.Sprint(1 + r.IntN(80)))
		src.Now = friday.Add(time.Duration(r.IntN(10_000)) * time.Minute)
		src.PlacedAt = src.Now
		if i%7 == 0 {
			src.DropTime.EndsAt = shipping.At(src.Now.Add(30 * time.Hour))
		}
		plan := b.Prepare(input(t, src), candidates())
		var made []rules.Offer
		for _, o := range offers() {
			for _, a := range plan.Ask {
				if a.Account == o.Account && (a.Services == nil || strings.Contains(strings.Join(a.Services, " "), o.Quote.ServiceID)) {
					o.Quote.Amount.Minor += int64(r.IntN(600))
					made = append(made, o)
				}
			}
		}
		out.Write(encode(t, b.Decide(plan, made)))
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// altered is the demo with some text replaced.
func altered(t testing.TB, old, text string) *rules.Bundle {
	t.Helper()
	read := func(name string) []byte {
		data, err := os.ReadFile("../examples/rules/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	file := string(read("demo.rules.yaml"))
	if !strings.Contains(file, old) {
		t.Fatalf("the demo does not hold %q", old)
	}
	b, err := rules.LoadDir(fstest.MapFS{
		"demo.rules.yaml": {Data: []byte(strings.Replace(file, old, text, 1))}, "lists/remote_states.csv": {Data: read("lists/remote_states.csv")},
	}, rules.Options{Providers: manifests()})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func backtest(t testing.TB, b *rules.Bundle, lines []byte, workers int) *rules.Backtest {
	t.Helper()
	r, err := rules.RunBacktest(b, bytes.NewReader(lines), rules.BacktestOptions{Workers: workers})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBacktestOfTheSameRulesChangesNothing(t *testing.T) {
	lines := stored(t, demo(t), 300)
	r := backtest(t, demo(t), lines, 2)
	if r.Orders != 300 || r.Changed != 0 || r.Unknown != 0 || r.Compared == 0 {
		t.Errorf("%d orders, %d changed, %d unknown, %d compared", r.Orders, r.Changed, r.Unknown, r.Compared)
	}
	if diff := cmp.Diff(r.Old.Providers, r.New.Providers); diff != "" || r.Cost["USD"].Old != r.Cost["USD"].New || r.Cost["USD"].Old == 0 {
		t.Error("the outcome differs", diff, r.Cost)
	}
}

func TestBacktestShowsWhatAnEditDoes(t *testing.T) {
	lines := stored(t, demo(t), 300)
	dear := altered(t, "add: 2.00", "add: 9.00") // own drivers count for more
	r := backtest(t, dear, lines, 2)
	if r.Changed == 0 || r.Unknown != 0 || r.New.Providers["own_fleet"] >= r.Old.Providers["own_fleet"] {
		t.Fatalf("%+v", r)
	}
	if len(r.Samples) == 0 || r.Samples[0].Old == r.Samples[0].New {
		t.Errorf("samples are %+v", r.Samples)
	}
	if _, err := rules.Explain(dear, r.Samples[0].Record); err != nil {
		t.Error(err)
	}
	one, err := json.Marshal(backtest(t, dear, lines, 1))
	if err != nil {
		t.Fatal(err)
	}
	if two, err := json.Marshal(r); err != nil || !bytes.Equal(one, two) {
		t.Error("the number of workers shows")
	}
	for condition, want := range map[string]bool{"changed_pct > 0": true, "cost_delta_pct > 50 or none_delta > 0": false} {
		if got, err := r.FailIf(condition); err != nil || got != want {
			t.Errorf("%s is %v (%v)", condition, got, err)
		}
	}
	if _, err := r.FailIf("cost_delta_pc > 2"); err == nil || !strings.Contains(err.Error(), "did you mean cost_delta_pct") {
		t.Error(err)
	}
}

// TestBacktestSaysUnknown asks carriers that the old rules never asked.
func TestBacktestSaysUnknown(t *testing.T) {
	lines := stored(t, demo(t), 200)
	wide := altered(t, "order.distance > mi(15)", "order.distance > mi(20)")
	r := backtest(t, wide, lines, 2)
	if r.Unknown == 0 || len(r.Unknowns) != 2 || !strings.HasPrefix(r.Unknowns[0].What, "quote of ") {
		t.Fatalf("%d unknown: %v", r.Unknown, r.Unknowns)
	}
	if r.Compared > r.Orders-r.Unknown {
		t.Errorf("%d of %d orders were compared, although %d are unknown", r.Compared, r.Orders, r.Unknown)
	}
	counted := altered(t, "  - name: Busy evening fee\n", "  - { name: Tier, when: 'quota(\"ups\", \"month\").used < 5', add: 0.01 }\n  - name: Busy evening fee\n")
	if r := backtest(t, counted, lines, 1); r.Unknown != 200 || r.Faulty == 0 {
		t.Errorf("%d orders have an unknown count, %d a fault", r.Unknown, r.Faulty)
	}
}

func TestBacktestReadsWrappedRecordsAndNamesBadLines(t *testing.T) {
	line := bytes.TrimSpace(stored(t, demo(t), 1))
	wrapped := []byte(`{"round": 1, "record": ` + string(line) + "}\n\n")
	if r := backtest(t, demo(t), wrapped, 1); r.Orders != 1 || r.Changed != 0 {
		t.Errorf("%+v", r)
	}
	for _, bad := range []string{"{", `{"schema": 9}`, "null"} {
		_, err := rules.RunBacktest(demo(t), strings.NewReader(string(line)+"\n"+bad+"\n"), rules.BacktestOptions{Workers: 2})
		if err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestCoverageCountsClauses(t *testing.T) {
	b := demo(t)
	c := rules.NewCoverage(b)
	for line := range bytes.Lines(stored(t, b, 20)) {
		d, err := rules.ParseDecision(line)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Add(&d); err != nil {
			t.Fatal(err)
		}
	}
	r := c.Report()
	if r.Orders != 20 || r.Seen == 0 || r.Seen >= r.Of || r.Of-r.Seen < len(r.NotSeen) {
		t.Errorf("%d of %d outcomes in %d orders, %d missing", r.Seen, r.Of, r.Orders, len(r.NotSeen))
	}
	for _, rule := range r.Rules {
		if rule.Line == 0 || rule.File != "demo.rules.yaml" {
			t.Errorf("rule %q has no place", rule.Name)
		}
		if rule.Name == "Dear orders want a signature" {
			want := []rules.ClauseCoverage{{Text: "dear", True: rule.Hit, False: rule.Miss}, {Text: `order.signature == "not_required"`, True: rule.Hit, NotEvaluated: rule.Miss}}
			if diff := cmp.Diff(want, rule.Clauses); diff != "" || rule.Hit == 0 || rule.Miss == 0 {
				t.Error(diff)
			}
		}
	}
	want := `"Nothing flies to islands and territories": never true: order.to.state in lists.remote_states`
	if !strings.Contains(strings.Join(r.NotSeen, "\n"), want) {
		t.Errorf("%q is not missed:\n%s", want, strings.Join(r.NotSeen, "\n"))
	}
}

// TestExamplesCoverThemselves holds the examples' tests to nine outcomes in ten.
func TestExamplesCoverThemselves(t *testing.T) {
	for dir := range examples {
		b, suites := exampleSuites(t, dir)
		c := rules.NewCoverage(b)
		for _, s := range suites {
			for _, r := range s.Run(noGolden) {
				if err := c.Add(&r.Decision); err != nil {
					t.Fatal(err)
				}
			}
		}
		if r := c.Report(); r.Percent < 90 {
			t.Errorf("%s: %.1f %%\n%s", dir, r.Percent, strings.Join(r.NotSeen, "\n"))
		}
	}
}

// BenchmarkBacktest replays stored orders with all processors; the floor is 100,000 orders in 60 s on two.
func BenchmarkBacktest(b *testing.B) {
	bundle := demo(b)
	const n = 2000
	lines := stored(b, bundle, n)
	next := altered(b, "add: 2.00", "add: 4.00")
	b.SetBytes(int64(len(lines)))
	before := processorTime(b)
	for b.Loop() {
		if r := backtest(b, next, lines, runtime.GOMAXPROCS(0)); r.Orders != n {
			b.Fatal("not all orders were replayed")
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/n*100_000, "s/100k-orders")
	b.ReportMetric((processorTime(b)-before).Seconds()/float64(b.N)/n*100_000, "cpu-s/100k-orders") // what it takes where nothing else runs
}

// processorTime is what this process has used so far.
func processorTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestCoverageAndBacktestAreJSON(t *testing.T) {
	r := backtest(t, demo(t), stored(t, demo(t), 3), 1)
	text, err := json.Marshal(r)
	if err != nil || !bytes.Contains(text, []byte(`"samples":[]`)) {
		t.Errorf("%s (%v)", text, err)
	}
}
