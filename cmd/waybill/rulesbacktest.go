package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

type backtestFlags struct {
	orders, dir, plugins, format, failIf string
	samples                              int
	explain                              bool
	engine                               clientFlags
}

// maxSamples is how many changed orders a backtest keeps.
const maxSamples = 20

func newRulesBacktestCmd(p *program) *cobra.Command {
	f := &backtestFlags{}
	cmd := &cobra.Command{
		Use: "backtest --orders FILE --new DIR", Short: "Show what other rules would have made of past orders", Args: cobra.NoArgs,
		Long: "Replay stored decisions with the rules of a folder, with the quotes captured then. No carrier is asked. The file holds one decision record\n" +
			"a line. Services that the old rules never asked for a quote are told as unknown, never guessed; so are all quotes of an order where the new\n" +
			"rules have carriers told another signature, tip, weight, ship_date or other instructions. An order with an unknown part has no outcome: it\n" +
			"is no change, and shares, costs and deltas leave it out before and after; 'unknown_pct > 5' fails where there are too many of these. What\n" +
			"happened after the booking is not played again.\n\n" +
			"Each order counts once, as the last of its rounds came out: one that was held and released, edited or tried again has several, in the file as\n" +
			"in an export. Its way back is an order of its own. Quotas and budgets are those that the new rules would have met: what they book otherwise\n" +
			"than the old ones counts for later orders of that day or month, at that location. Every winner is taken to have been booked. Where a count\n" +
			"depends on an order with an unknown part, and the decision on the count, that is unknown too. Rates of carriers are those of then.\n\n" +
			"Of money --fail-if knows what carriers ask (cost_delta, cost_per_order_delta, cost_delta_pct) and what customers are charged on top of\n" +
			"it (charge_delta, charge_per_order_delta, charge_delta_pct): in units of the currency, or in percent. What comes from nothing has grown by\n" +
			"infinitely many percent, beyond every bound; in JSON that is \"+Inf\". A condition over an unknown name lists all figures.\n\n" +
			" With --format sarif or github the figures are a notice, and so is each rule behind the changes, where it stands.\n" +
			"Single orders have no place in a file: use text or json for the samples.\n\nExit codes: 1 where the condition of --fail-if holds, 3 where rules or records cannot be read.",
		Example: "  waybill rules backtest --orders decisions.jsonl --new rules --fail-if 'cost_delta_pct > 2 or charge_delta_pct > 2 or none_delta > 0'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case f.orders == "" || f.dir == "":
				return usageError(fmt.Errorf("name the decisions with --orders and the new rules with --new"))
			case f.explain && f.format != "text":
				return usageError(fmt.Errorf("--explain is for --format text: %s has no place for the samples' explanations", f.format))
			case f.samples < 0 || f.samples > maxSamples:
				return usageError(fmt.Errorf("--samples %d: from 0 to %d orders can be shown", f.samples, maxSamples))
			}
			if err := checkFormat(f.format); err != nil {
				return err
			}
			return p.rulesBacktest(cmd.Context(), f)
		},
	}
	cmd.Flags().StringVar(&f.orders, "orders", "", "file of decision records, one a line; - for the standard input")
	cmd.Flags().StringVar(&f.dir, "new", "", "folder of the new rules")
	cmd.Flags().StringVar(&f.plugins, "plugins", "", "folder of adapters, for checking services")
	cmd.Flags().StringVar(&f.format, "format", "text", "text, json, sarif (for code hosts) or github (workflow commands)")
	cmd.Flags().StringVar(&f.failIf, "fail-if", "", "condition over the figures, such as 'cost_delta_pct > 2 or charge_delta > 0'")
	cmd.Flags().IntVar(&f.samples, "samples", 5, fmt.Sprintf("how many orders to show that changed or, after those, have an unknown part, at most %d", maxSamples))
	cmd.Flags().BoolVar(&f.explain, "explain", false, "explain the samples, part by part: as the rules decided that the engine has kept, and as the new ones do")
	cmd.Flags().StringVar(&f.engine.url, "url", "", "where the engine is that has kept the rules of then (default $WAYBILL_URL, else "+defaultURL+")")
	cmd.Flags().StringVar(&f.engine.key, "key", "", "API key (default $WAYBILL_KEY, else "+devKey+" where the engine is on this machine)")
	return cmd
}

func (p *program) rulesBacktest(ctx context.Context, f *backtestFlags) error {
	b, err := p.usableRules(ctx, f.dir, f.plugins, f.format)
	if err != nil {
		return err
	}
	if f.failIf != "" { // a condition that cannot be read is told before the work, not after it
		if _, err := new(rules.Backtest).FailIf(f.failIf); err != nil {
			return usageError(err)
		}
	}
	records, size, closed, err := p.openRecords(f.orders)
	if err != nil {
		return err
	}
	defer closed()
	bar := p.progress(2 * size)
	r, err := rules.RunBacktest(b, records, rules.BacktestOptions{Workers: runtime.GOMAXPROCS(0), Progress: bar})
	bar(-1, 0)
	if err != nil {
		return unreadable(fmt.Errorf("%s: %w", f.orders, err))
	}
	failed := error(nil)
	if f.failIf != "" {
		fail, err := r.FailIf(f.failIf)
		if err != nil {
			return err
		}
		if fail {
			failed = fmt.Errorf("the condition %q holds", f.failIf)
		}
	}
	switch f.format {
	case "json":
		err = p.printJSON(map[string]any{"backtest": r, "figures": r.Figures()})
	case "text":
		err = p.backtestText(ctx, b, r, f)
	default:
		err = p.printNotices(f.format, backtestNotices(b, r, f.dir, failed))
	}
	return errors.Join(err, failed)
}

// openRecords opens a file of records, which is read twice. What can be read but once, as a pipe and the standard input, is copied to a temporary file.
func (p *program) openRecords(name string) (records io.ReaderAt, size int64, closed func(), err error) {
	once := p.in
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, 0, nil, usageError(err)
		}
		info, err := file.Stat()
		if err != nil {
			return nil, 0, nil, errors.Join(usageError(err), file.Close())
		}
		if !info.Mode().IsRegular() && !info.IsDir() {
			defer file.Close()
			once = file
		} else {
			return file, info.Size(), func() { file.Close() }, nil
		}
	}
	kept, err := os.CreateTemp("", "waybill-backtest-")
	if err != nil {
		return nil, 0, nil, fmt.Errorf("keep the decisions to read them twice: %w", err)
	}
	closed = func() { kept.Close(); os.Remove(kept.Name()) }
	if size, err = io.Copy(kept, once); err != nil {
		closed()
		return nil, 0, nil, unreadable(fmt.Errorf("%s: copy the decisions to %s to read them twice: %w", name, kept.Name(), err))
	}
	return kept, size, closed, nil
}

// backtestNotices are the figures of a backtest, the condition that failed it, the rules behind the changes and what nobody recorded.
func backtestNotices(b *rules.Bundle, r *rules.Backtest, dir string, failed error) []notice {
	text := headline(r)
	for _, sum := range sums(r) {
		text += fmt.Sprintf("; %s: %s before, %s after (%s)", sum.name(), minor(sum.Old, sum.currency), minor(sum.New, sum.currency), delta(sum.CostPair))
	}
	list := []notice{{level: "note", code: "backtest", advice: strings.TrimSpace(text)}}
	if failed != nil {
		list = append(list, notice{level: "error", code: "fail-if", advice: failed.Error()})
	}
	for _, c := range r.Causes {
		list = append(list, notice{level: "note", code: "behind-changes", advice: fmt.Sprintf("rule %q is behind another decision in %s", c.What, count(c.Orders, "order"))}.at(dir, b.Position(c.What)))
	}
	for _, c := range r.Unknowns {
		list = append(list, notice{level: "warning", code: "unknown", advice: fmt.Sprintf("not recorded, in %s: %s", count(c.Orders, "order"), c.What)})
	}
	return list
}

func headline(r *rules.Backtest) string {
	text := fmt.Sprintf("%s, %d changed (%s), %d with an unknown part, %d with a rule that fails", count(r.Orders, "order"), r.Changed, share(r.Changed, r.Orders-r.Unknown), r.Unknown, r.Faulty)
	if r.Rounds > r.Orders {
		text += fmt.Sprintf("; %s replayed, and the last of each order counts", count(r.Rounds, "round"))
	}
	return text
}

// progress draws a bar where somebody looks. It is told a negative number of orders at the end.
func (p *program) progress(size int64) func(orders int, done int64) {
	if f, ok := p.err.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return func(int, int64) {}
	}
	const width = 30
	drawn := -1
	return func(orders int, done int64) {
		switch {
		case orders < 0:
			fmt.Fprint(p.err, "\r\x1b[K")
		case size > 0:
			if percent := int(done * 100 / size); percent != drawn {
				drawn = percent
				full := min(percent*width/100, width)
				fmt.Fprintf(p.err, "\r[%s%s] %3d %%  %d orders", strings.Repeat("#", full), strings.Repeat(" ", width-full), percent, orders)
			}
		default:
			fmt.Fprintf(p.err, "\r%d orders", orders)
		}
	}
}

func (p *program) backtestText(ctx context.Context, b *rules.Bundle, r *rules.Backtest, f *backtestFlags) error {
	fmt.Fprintln(p.out, headline(r))
	if err := p.outcomes(r); err != nil {
		return err
	}
	causes(p.out, "rules behind the changes", r.Causes)
	causes(p.out, "UNKNOWN, as it is not recorded", r.Unknowns)
	if len(r.NeverRecorded) > 0 {
		fmt.Fprintf(p.out, "no record holds the attributes %s\n", strings.Join(r.NeverRecorded, ", "))
	}
	versions, err := p.deciders(ctx, &f.engine, "")
	if err != nil {
		return err
	}
	for _, s := range r.Samples[:min(len(r.Samples), f.samples)] {
		if err := p.backtestSample(ctx, versions, b, &s, f.explain); err != nil {
			return err
		}
	}
	return nil
}

// outcomes shows what came of the orders without an unknown part.
func (p *program) outcomes(r *rules.Backtest) error {
	known := r.Orders - r.Unknown
	if r.Unknown > 0 {
		fmt.Fprintf(p.out, "compared: %s without an unknown part\n", count(known, "order"))
	}
	if known == 0 {
		return nil
	}
	t := newTable(p.out, "", "OLD", "NEW", "")
	for _, sum := range sums(r) {
		t.row(sum.name(), minor(sum.Old, sum.currency), minor(sum.New, sum.currency), delta(sum.CostPair))
		t.row("  per order", minor(average(sum.Old, sum.Orders), sum.currency), minor(average(sum.New, sum.Orders), sum.currency))
	}
	accounts := map[string]bool{}
	for _, o := range []rules.Outcome{r.Old, r.New} {
		for a := range o.Providers {
			accounts[a] = true
		}
	}
	for _, a := range slices.Sorted(maps.Keys(accounts)) {
		t.row(a, share(r.Old.Providers[a], known), share(r.New.Providers[a], known))
	}
	for _, line := range []struct {
		name     string
		old, now int
	}{
		{"held", r.Old.Held, r.New.Held}, {"no option", r.Old.None, r.New.None}, {"promise at risk", r.Old.AtRisk, r.New.AtRisk}, {"warned", r.Old.Warned, r.New.Warned},
	} {
		t.row(line.name, fmt.Sprint(line.old), fmt.Sprint(line.now))
	}
	t.row("arrives in, half", rules.Span(r.Old.P50), rules.Span(r.New.P50))
	t.row("arrives in, nine of ten", rules.Span(r.Old.P90), rules.Span(r.New.P90))
	return t.flush()
}

func (p *program) backtestSample(ctx context.Context, versions *deciders, b *rules.Bundle, s *rules.Sample, explain bool) error {
	fmt.Fprintf(p.out, "\norder %s\n  old: %s\n  new: %s\n", printable(s.Order), printable(s.Old), printable(s.New))
	if len(s.Rules) > 0 {
		fmt.Fprintf(p.out, "  rules: %s\n", printable(strings.Join(s.Rules, ", ")))
	}
	if len(s.Unknown) > 0 {
		fmt.Fprintf(p.out, "  unknown: %s\n", printable(strings.Join(s.Unknown, ", ")))
	}
	if !explain {
		return nil
	}
	return p.explainSample(ctx, versions, b, s)
}

// explainSample shows an order as it was decided, where the rules of then are at hand, and as the new rules decide it.
func (p *program) explainSample(ctx context.Context, versions *deciders, b *rules.Bundle, s *rules.Sample) error {
	how := "as the new rules decide"
	if len(s.Unknown) > 0 {
		how = "as the new rules would decide with the quotes and counts of then"
	}
	old, err := versions.of(ctx, &s.Was)
	if err != nil {
		fmt.Fprintf(p.out, "  the old decision is not explained: %s\n  %s:\n", printable(err.Error()), how)
	} else {
		text, err := rules.Explain(old, s.Was)
		if err != nil {
			return err
		}
		if _, err := p.misrecorded(old, &s.Was); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "  as it was decided:\n%s\n  %s:\n", indent(text), how)
	}
	text, err := rules.Explain(b, s.Record)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out, indent(text))
	return nil
}

func causes(out io.Writer, title string, list []rules.Cause) {
	const most = 10
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(out, "%s:\n", title)
	for _, c := range list[:min(len(list), most)] {
		fmt.Fprintf(out, "  %6d  %s\n", c.Orders, printable(c.What))
	}
}

func share(n, of int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(max(of, 1))) }

func minor(n int64, currency string) string {
	return shipping.Money{Minor: n, Currency: currency}.String()
}

// sum is what the orders of one currency cost, or what their customers are charged.
type sum struct {
	what, currency string
	rules.CostPair
}

func (s sum) name() string { return s.what + " " + count(s.Orders, "order") }

// sums are costs and charges by currency; charges where there are any.
func sums(r *rules.Backtest) []sum {
	var list []sum
	for _, currency := range slices.Sorted(maps.Keys(r.Cost)) {
		list = append(list, sum{"cost of", currency, r.Cost[currency]})
		if c := r.Charge[currency]; c.Old != 0 || c.New != 0 {
			list = append(list, sum{"charged on top to the customers of", currency, c})
		}
	}
	return list
}

// average is the share of one order, to the nearest minor unit.
func average(total int64, orders int) int64 {
	return int64(math.Round(float64(total) / float64(max(orders, 1))))
}

func delta(p rules.CostPair) string {
	growth := p.Growth()
	if math.IsInf(growth, 0) {
		return "from nothing"
	}
	return fmt.Sprintf("%+.2f %%", growth)
}
