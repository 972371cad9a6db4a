package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/rules"
)

func newRulesLintCmd(p *program) *cobra.Command {
	var plugins, format, orders string
	var strict, watch bool
	witness := 0
	cmd := &cobra.Command{
		Use: "lint DIR", Short: "Find rules that are sound and probably not meant", Args: cobra.ExactArgs(1),
		Long: "Find rules that never or always apply, that others make useless or overwrite, orders that nobody may take, and what nothing uses. Where an\n" +
			"order shows it, it is given as it stands in a test: it was decided, and the decision shows what is found. Where none was found, it is said why.\n" +
			"--witness N prints the decision record of the order that shows the Nth finding, for 'rules explain' and 'rules try'; where there is none, it\n" +
			"fails. With --orders, rules that did nothing in those decisions are named too. Conditions that are too large are not looked at, which is a\n" +
			"finding of its own.\n\nFindings do not change the exit code, unless --strict is given: then it is 1.",
		Example: "  waybill rules lint examples/rules\n  waybill rules lint rules --format github --strict\n" +
			"  waybill rules lint rules --witness 1 > w.json && waybill rules explain w.json --rules rules",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			if cmd.Flags().Changed("witness") {
				return p.lintWitness(cmd.Context(), args[0], plugins, witness)
			}
			return p.watching(cmd.Context(), watch, args, func() error { return p.rulesLint(cmd.Context(), args[0], plugins, orders, format, strict) })
		},
	}
	cmd.Flags().StringVar(&plugins, "plugins", "", "folder of adapters, for checking services")
	cmd.Flags().StringVar(&orders, "orders", "", "file of decision records, one a line")
	cmd.Flags().StringVar(&format, "format", "text", "text, json, sarif (for code hosts) or github (workflow commands)")
	cmd.Flags().IntVar(&witness, "witness", 0, "print the decision record of the order that shows this finding, from 1")
	addWatch(cmd, &watch)
	cmd.Flags().BoolVar(&strict, "strict", false, "fail where something is found")
	return cmd
}

func (p *program) rulesLint(ctx context.Context, dir, plugins, orders, format string, strict bool) error {
	b, err := p.usableRules(ctx, dir, plugins, format)
	if err != nil {
		return err
	}
	findings := b.Lint(ctx)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("lint %s was not finished: %w", dir, err)
	}
	if orders != "" {
		hits, offered := map[string]int{}, rules.Offered{}
		n, err := eachRecord(orders, func(d *rules.Decision) error {
			offered.Add(d)
			r := b.Replay(d)
			for _, rule := range r.Decision.Hits() {
				hits[rule]++
			}
			return nil
		})
		if err != nil {
			return err
		}
		findings = append(append(findings, b.LintHits(hits, n)...), b.LintOffers(offered)...)
	}
	problems := make([]rules.Problem, len(findings))
	for i, f := range findings {
		problems[i] = f.Problem
	}
	if format == "text" {
		err = p.lintText(findings)
	} else {
		err = p.printProblems(format, dir, problems, map[string]any{"findings": append([]rules.Finding{}, findings...)})
	}
	if err == nil && strict && len(findings) > 0 {
		err = fmt.Errorf("%s in %s", count(len(findings), "finding"), dir)
	}
	return err
}

// lintWitness prints the decision of the order that shows a finding.
func (p *program) lintWitness(ctx context.Context, dir, plugins string, n int) error {
	b, err := p.loadRules(ctx, dir, plugins)
	if err != nil {
		return unreadable(err)
	}
	findings := b.Lint(ctx)
	if n < 1 || n > len(findings) {
		return usageError(fmt.Errorf("--witness %d: %s has %s", n, dir, count(len(findings), "finding")))
	}
	d, err := b.Witness(findings[n-1])
	if err != nil {
		return fmt.Errorf("--witness %d: finding %d of %s: %w", n, n, dir, err)
	}
	record, err := d.JSON()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "%s\n", record)
	return err
}

func (p *program) lintText(findings []rules.Finding) error {
	for _, f := range findings {
		fmt.Fprintf(p.out, "%s\n", printable(f.Problem.String()))
		if text := f.WitnessText(); text != "" {
			fmt.Fprintf(p.out, "      = witness: %s\n", printable(text))
		} else if f.NoWitness != "" {
			fmt.Fprintf(p.out, "      = no witness: %s\n", printable(f.NoWitness))
		}
		fmt.Fprintf(p.out, "      = help: %s\n      [%s]\n", printable(f.Hint), f.Code)
	}
	_, err := fmt.Fprintf(p.out, "%s\n", count(len(findings), "finding"))
	return err
}

// eachRecord reads decision records, one a line, and returns their number.
func eachRecord(file string, do func(*rules.Decision) error) (int, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, usageError(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 8<<20)
	records := 0
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		d, err := rules.ParseRecord(lines.Bytes())
		if err == nil {
			err = do(&d)
		}
		if err != nil {
			return records, fmt.Errorf("%s:%d: %w", file, n, err)
		}
		records++
	}
	return records, lines.Err()
}
