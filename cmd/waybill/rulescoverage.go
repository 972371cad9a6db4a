package main

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/rules"
)

func newRulesCoverageCmd(p *program) *cobra.Command {
	var plugins, format, orders string
	var least float64
	cmd := &cobra.Command{
		Use: "coverage DIR", Short: "Show which rules and clauses the tests have seen hold and fail", Args: cobra.ExactArgs(1),
		Long: "Run the tests of a folder, or replay stored decisions with --orders, and count for every rule how often its condition held, and for\n" +
			"every clause how often it was true, false and not evaluated. The clauses are what and, or, not and a ? b : c join. Those of a let are\n" +
			"counted under the let, once, where a rule came to it. Of values (add, charge, score, max_fee, set, ...) what decides a ? b : c is counted too,\n" +
			"under the rule; of reasons and messages nothing is. A rule that another one left no say is not asked, and not counted: those after a hold\n" +
			"that holds, or after a choose that has spoken.",
		Example: "  waybill rules coverage examples/rules --min 90\n  waybill rules coverage rules --format html > coverage.html",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains([]string{"text", "json", "lcov", "html"}, format) {
				return usageError(fmt.Errorf("--format %q is not known; use text, json, lcov or html", format))
			}
			return p.rulesCoverage(cmd.Context(), args[0], plugins, orders, format, least)
		},
	}
	cmd.Flags().StringVar(&plugins, "plugins", "", "folder of adapters, for checking services")
	cmd.Flags().StringVar(&orders, "orders", "", "file of decision records, one a line, to replay instead of the tests")
	cmd.Flags().StringVar(&format, "format", "text", "text, json, lcov or html")
	cmd.Flags().Float64Var(&least, "min", 0, "fail below this percentage")
	return cmd
}

func (p *program) rulesCoverage(ctx context.Context, dir, plugins, orders, format string, least float64) error {
	b, err := p.loadRules(ctx, dir, plugins)
	if err != nil {
		return unreadable(err)
	}
	c := rules.NewCoverage(b)
	if orders != "" {
		err = coverOrders(c, b, orders)
	} else {
		err = p.coverTests(c, b, dir)
	}
	if err != nil {
		return err
	}
	r := c.Report()
	switch format {
	case "json":
		err = p.printJSON(r)
	case "lcov":
		err = p.coverageLCOV(dir, r)
	case "html":
		err = p.coverageHTML(dir, r)
	default:
		err = p.coverageText(r)
	}
	if err == nil && r.Percent < least {
		return &exitError{exitFailure, fmt.Errorf("%.1f %% are covered, less than %g %%", r.Percent, least)}
	}
	return err
}

// coverTests counts what the tests see. One that fails counts too, and is told: it may not see what it was written for.
func (p *program) coverTests(c *rules.Coverage, b *rules.Bundle, dir string) error {
	suites, err := rules.LoadSuites(b, os.DirFS(dir))
	if err != nil {
		return &exitError{exitRules, err}
	}
	tests, failed := 0, 0
	for _, s := range suites {
		for _, r := range s.Run(func(name string) ([]byte, error) { return fs.ReadFile(os.DirFS(dir), name) }) {
			if tests++; !r.Passed() {
				failed++
			}
			if err := c.Add(&r.Decision); err != nil {
				return err
			}
		}
	}
	if failed > 0 {
		fmt.Fprintf(p.err, "%d of %s failed, and what they saw is counted all the same; see waybill rules test %s\n", failed, count(tests, "test"), dir)
	}
	return nil
}

func coverOrders(c *rules.Coverage, b *rules.Bundle, file string) error {
	_, err := eachRecord(file, func(d *rules.Decision) error {
		again := b.Replay(d).Decision
		return c.Add(&again)
	})
	return err
}

func (p *program) coverageText(r rules.CoverageReport) error {
	t := newTable(p.out, "RULE", "HELD", "NOT", "CLAUSES", "PLACE")
	for _, x := range r.Rules {
		seen := 0
		for _, c := range x.Clauses {
			seen += min(c.True, 1) + min(c.False, 1)
		}
		clauses := ""
		if len(x.Clauses) > 0 {
			clauses = fmt.Sprintf("%d of %d", seen, 2*len(x.Clauses))
		}
		t.row(ruleAt(x), fmt.Sprint(x.Hit), fmt.Sprint(x.Miss), clauses, fmt.Sprintf("%s:%d", x.File, x.Line))
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, l := range r.Lists {
		fmt.Fprintf(p.out, "list %s: %d of %d entries used\n", l.Name, l.Used, l.Entries)
	}
	for _, text := range r.NotSeen {
		fmt.Fprintf(p.out, "not seen: %s\n", text)
	}
	_, err := fmt.Fprintf(p.out, "%.1f %%: %d of %d outcomes, in %s\n", r.Percent, r.Seen, r.Of, count(r.Orders, "order"))
	return err
}

func ruleAt(x rules.RuleCoverage) string {
	if x.At == "" {
		return x.Name
	}
	return x.Name + " (" + x.At + ")"
}

// coverageLCOV writes the tracefile of lcov: a line for each rule, branches for the clauses.
func (p *program) coverageLCOV(dir string, r rules.CoverageReport) error {
	var b strings.Builder
	for _, file := range coveredFiles(r) {
		fmt.Fprintf(&b, "TN:\nSF:%s\n", filePath(dir, file))
		for _, x := range r.Rules {
			if x.File != file {
				continue
			}
			fmt.Fprintf(&b, "DA:%d,%d\n", x.Line, x.Hit)
			line := cmp.Or(x.When, x.Line) // a rule without a condition has values
			for n, c := range x.Clauses {
				fmt.Fprintf(&b, "BRDA:%d,%d,0,%d\nBRDA:%d,%d,1,%d\n", line, n, c.True, line, n, c.False)
			}
		}
		b.WriteString("end_of_record\n")
	}
	_, err := p.out.Write([]byte(b.String()))
	return err
}

func coveredFiles(r rules.CoverageReport) []string {
	var files []string
	for _, x := range r.Rules {
		if !slices.Contains(files, x.File) {
			files = append(files, x.File)
		}
	}
	slices.Sort(files)
	return files
}

// coveredLine is one line of a rule file with what was seen of the rule that begins there.
type coveredLine struct {
	Number int
	Text   string
	Class  string // full, part, none; "" where no rule begins
	Notes  []string
}

var coveragePage = template.Must(template.New("coverage").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Rule coverage</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem } pre { margin: 0; font: 13px/1.5 ui-monospace, monospace }
.line { display: flex } .number { color: #777; width: 4rem; text-align: right; padding-right: 1rem; user-select: none }
.full { background: #d8f5d8 } .part { background: #fff3c4 } .none { background: #fbd9d9 } .note { color: #555; margin-left: 5rem }
</style>
<h1>{{printf "%.1f" .Percent}} % covered</h1><p>{{.Seen}} of {{.Of}} outcomes, in {{.Orders}} orders.</p>
{{range .Files}}<h2>{{.Name}}</h2>
{{range .Lines}}<div class="line {{.Class}}"><pre class="number">{{.Number}}</pre><pre>{{.Text}}</pre></div>
{{range .Notes}}<div class="note">{{.}}</div>{{end}}{{end}}{{end}}</html>
`))

func (p *program) coverageHTML(dir string, r rules.CoverageReport) error {
	type file struct {
		Name  string
		Lines []coveredLine
	}
	var files []file
	for _, name := range coveredFiles(r) {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		f := file{Name: filePath(dir, name)}
		for i, text := range strings.Split(strings.TrimRight(string(data), "\n"), "\n") {
			f.Lines = append(f.Lines, coveredLine{Number: i + 1, Text: text})
		}
		for _, x := range r.Rules {
			if x.File == name && x.Line <= len(f.Lines) {
				f.Lines[x.Line-1].cover(x)
			}
		}
		files = append(files, f)
	}
	return coveragePage.Execute(p.out, map[string]any{"Percent": r.Percent, "Seen": r.Seen, "Of": r.Of, "Orders": r.Orders, "Files": files})
}

func (l *coveredLine) cover(x rules.RuleCoverage) {
	l.Class = "full"
	for _, c := range x.Clauses {
		if c.True == 0 || c.False == 0 {
			l.Class = "part"
		}
		l.Notes = append(l.Notes, fmt.Sprintf("%s%s: true %d, false %d, not evaluated %d", placed(x.At), c.Text, c.True, c.False, c.NotEvaluated))
	}
	if x.Hit == 0 {
		l.Class = "none"
	}
}

func placed(at string) string {
	if at == "" {
		return ""
	}
	return at + ": "
}
