package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/waybill-dev/waybill/core/node"
	"github.com/waybill-dev/waybill/rules/measure"
)

// What rules are expected to do on 2 cores.
const (
	goalDecide  = 500 * time.Microsecond
	goalExplain = 5 * time.Millisecond
	goalReplay  = 60 * time.Second // for 100,000 orders
	goalRefuse  = 50 * time.Millisecond
	goalMemory  = 64 // MiB
	goalLook    = 5 * time.Second
)

// rulesBench is one run of `waybill bench rules`.
type rulesBench struct {
	decisions, explanations int
	orders                  int
	expressions             int
	bundles                 int
	tries                   int // of each refusal
	seed                    uint64

	bar   progressBar
	Load  string        `json:"load,omitempty"`
	CPUs  int           `json:"cpus"`
	Table []rulesFigure `json:"figures"`
}

// rulesFigure is one thing that rules promise beside what was measured.
type rulesFigure struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Goal  string `json:"goal"`
	Met   bool   `json:"met"`
	Note  string `json:"note,omitempty"`
}

func newBenchRulesCmd() *cobra.Command {
	b := &rulesBench{CPUs: runtime.NumCPU(), tries: 5}
	asJSON := false
	cmd := &cobra.Command{
		Use: "rules", Short: "Measure what rules promise: speed, agreement, messages, lint, refusals", Args: cobra.NoArgs,
		Long: "Measure what rules promise, each figure beside its goal. Times are held against their goals by the clock, which is what an order waits for;\n" +
			"the time of the processor stands beside them, which other work on the machine hardly lengthens: where the clock is over and the processor is\n" +
			"not, measure again on an idle machine. The exit code is 1 where a goal is missed.",
		Example: "  waybill bench rules\n  waybill bench rules --expressions 10000 --orders 5000",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if min(b.decisions, b.explanations, b.orders, b.expressions, b.bundles) < 1 {
				return usageError(errors.New("every count must be at least 1"))
			}
			b.bar.out = cmd.ErrOrStderr()
			f, ok := b.bar.out.(*os.File)
			b.bar.lines = !ok || !term.IsTerminal(int(f.Fd()))
			if err := b.run(cmd.Context()); err != nil {
				return err
			}
			return errors.Join(b.print(cmd.OutOrStdout(), asJSON), b.missed())
		},
	}
	cmd.Flags().IntVar(&b.decisions, "decisions", 10_000, "how many decisions to time")
	cmd.Flags().IntVar(&b.explanations, "explanations", 1_000, "how many explanations to time")
	cmd.Flags().IntVar(&b.orders, "orders", 100_000, "how many stored orders to replay")
	cmd.Flags().IntVar(&b.expressions, "expressions", 1_000_000, "how many random expressions to compute twice")
	cmd.Flags().IntVar(&b.bundles, "bundles", 10_000, "how many random bundles to lint and try by every order")
	cmd.Flags().Uint64Var(&b.seed, "seed", 1, "what is drawn at random hangs on this alone")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (b *rulesBench) run(ctx context.Context) error {
	defer node.PaceCollector()() // as the engine has it
	b.Load = loadAverage()
	b.bar.begin("decide and explain", 0)
	b.times("decide: 30 rules, 6 options", measure.Deciding(b.decisions), goalDecide)
	explained, err := measure.Explaining(b.explanations)
	if err != nil {
		return err
	}
	b.times("explain: the same", explained, goalExplain)
	b.refusals()
	b.messages()
	if err := b.backtest(); err != nil {
		return err
	}
	if err := b.twins(ctx); err != nil {
		return err
	}
	b.lint()
	b.bar.end()
	return nil
}

func (b *rulesBench) add(met bool, name, goal, note, value string, args ...any) {
	b.Table = append(b.Table, rulesFigure{Name: name, Value: fmt.Sprintf(value, args...), Goal: goal, Met: met, Note: note})
}

func (b *rulesBench) times(name string, t measure.Times, goal time.Duration) {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.3g ms", millis(d)) }
	b.add(t.P99 <= goal, name+", p99 by the clock", "≤ "+ms(goal),
		"p99 of the processor "+ms(t.CPU99)+"; p50 "+ms(t.P50)+", of the processor "+ms(t.CPU50)+", with collection of garbage "+ms(t.WithCollection), "%s", ms(t.P99))
}

func (b *rulesBench) backtest() error {
	b.bar.begin("backtest", b.orders)
	r, err := measure.Backtest(b.orders, b.CPUs, b.bar.at)
	if err != nil {
		return fmt.Errorf("backtest: %w", err)
	}
	scale := 100_000 / float64(r.Orders)
	wall, cpu := r.Time.Seconds()*scale, r.CPU.Seconds()*scale/2 // on two processors
	b.add(wall <= goalReplay.Seconds(), "backtest: 100,000 stored orders, by the clock", "≤ 60 s",
		fmt.Sprintf("of two processors %.1f s each; %d replayed, %d changed, %.0f MiB", cpu, r.Orders, r.Changed, float64(r.Bytes)/(1<<20)), "%.1f s", wall)
	return nil
}

func (b *rulesBench) twins(ctx context.Context) error {
	b.bar.begin("expressions", b.expressions)
	begun := time.Now()
	a, err := measure.Twins(ctx, b.expressions, b.CPUs, b.seed, b.bar.at)
	if err != nil {
		return err
	}
	note := fmt.Sprintf("%d fail alike while they run, %d are the same without their lets; %.0f s", a.Failing, a.Named, time.Since(begun).Seconds())
	for _, d := range a.Different {
		note += "; " + printable(d)
	}
	b.add(len(a.Different) == 0, "plain and traced programs differ", "0", note, "%d of %d expressions", len(a.Different), a.Expressions)
	return nil
}

func (b *rulesBench) messages() {
	for _, c := range []struct {
		name string
		told measure.Told
	}{{"typing mistakes", measure.Typing(100, b.seed)}, {"written mistakes", measure.Slips()}} {
		n := c.told.Mistakes
		b.add(c.told.Place*100 >= 95*n, c.name+" told at the right place", "≥ 95 %", "", "%d of %d", c.told.Place, n)
		b.add(c.told.Suggested*100 >= 85*n, c.name+" with the right suggestion", "≥ 85 %", "", "%d of %d", c.told.Suggested, n)
	}
}

func (b *rulesBench) refusals() {
	b.bar.begin("hostile files", 0)
	w := measure.Hostile(b.tries)
	mib := float64(w.Bytes) / (1 << 20)
	b.add(len(w.Taken) == 0, "hostile files taken", "0", strings.Join(w.Taken, ", "), "%d of %d", len(w.Taken), w.Files)
	b.add(w.Time <= goalRefuse, "the slowest refusal, by the clock", "≤ 50 ms", fmt.Sprintf("of the processor %.1f ms; %s", millis(w.CPU), w.Slowest), "%.1f ms", millis(w.Time))
	b.add(mib <= goalMemory, "the largest refusal", "≤ 64 MiB", w.Largest, "%.1f MiB allocated in all", mib)
}

func (b *rulesBench) lint() {
	p := measure.Planted()
	b.add(p.Found*22 >= 20*p.Planted, "planted faults that lint finds", "20 of 22", strings.Join(p.Missed, "; "), "%d of %d", p.Found, p.Planted)
	b.add(p.Shown == p.Found-p.Plain, "found ones whose witness shows it", "all", fmt.Sprintf("of %d more no order can tell, and lint says so", p.Plain), "%d of %d", p.Shown, p.Found-p.Plain)
	b.bar.begin("endless files", 0)
	w := measure.Endless()
	b.add(w.Time <= goalLook, "the slowest lint of an endless file, by the clock", "≤ 5 s", fmt.Sprintf("of the processor %.1f s; %s", w.CPU.Seconds(), w.Slowest), "%.1f s", w.Time.Seconds())
	b.add(float64(w.Bytes)/(1<<20) <= goalMemory, "the largest lint of an endless file", "≤ 64 MiB", w.Largest, "%.1f MiB at once", float64(w.Bytes)/(1<<20))
	b.bar.begin("random bundles", b.bundles)
	c := measure.RandomBundles(b.bundles, b.CPUs, b.seed, b.bar.at)
	made := 0
	for _, n := range c.Made {
		made += n
	}
	b.add(len(c.False) == 0, "false claims of lint", "0", fmt.Sprintf("%d bundles, each tried by every order%s", c.Bundles, strings.Join(c.False, "; ")), "%d of %d", len(c.False), made)
}

func (b *rulesBench) missed() error {
	n := 0
	for _, f := range b.Table {
		if !f.Met {
			n++
		}
	}
	if n > 0 {
		return fmt.Errorf("%s missed", count(n, "goal"))
	}
	return nil
}

func (b *rulesBench) print(w io.Writer, asJSON bool) error {
	if asJSON {
		if err := json.MarshalWrite(w, b, jsontext.WithIndent("  ")); err != nil {
			return err
		}
		_, err := fmt.Fprintln(w)
		return err
	}
	fmt.Fprintf(w, "rules: %d cores, load %s before\n\n", b.CPUs, b.Load)
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "figure\tvalue\tgoal\t\t")
	for _, f := range b.Table {
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s\n", f.Name, f.Value, f.Goal, map[bool]string{true: "met", false: "MISSED"}[f.Met], f.Note)
	}
	return tab.Flush()
}

// progressBar draws how far a part has come; in a log, it says so at every tenth of the way.
type progressBar struct {
	out   io.Writer
	lines bool // a log, no terminal
	part  string
	of    int
	drawn int
}

func (p *progressBar) begin(part string, of int) {
	p.part, p.of, p.drawn = part, of, -1
	p.at(0)
}

func (p *progressBar) at(done int) {
	const width = 30
	percent := 0
	if p.of > 0 {
		percent = done * 100 / p.of
	}
	if percent == p.drawn || p.lines && p.drawn >= 0 && percent/10 == p.drawn/10 {
		return
	}
	p.drawn = percent
	switch {
	case p.lines && p.of == 0:
		fmt.Fprintf(p.out, "bench: %s\n", p.part)
		return
	case p.lines:
		fmt.Fprintf(p.out, "bench: %s %d %%\n", p.part, percent)
		return
	}
	full := min(percent*width/100, width)
	fmt.Fprintf(p.out, "\r\x1b[K%-20s [%s%s] %3d %%  %d", p.part, strings.Repeat("#", full), strings.Repeat(" ", width-full), percent, done)
}

func (p *progressBar) end() {
	if !p.lines {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
