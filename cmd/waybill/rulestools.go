package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/rules"
)

func newRulesDiffCmd(p *program) *cobra.Command {
	var plugins, format string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "diff OLD_DIR NEW_DIR", Short: "Show how two folders of rules differ, with orders that show it", Args: cobra.ExactArgs(2),
		Long: "Show how two folders of rules differ, rule by rule. Where the condition of a rule means something else, an order is given to which it applied\n" +
			"and does not any more, or the other way round, as it stands in a test; or it is said why none was found. Where the\n" +
			"rule does something else for the same orders (another amount, bound, preference or step), and where rank or none is another, the order is one about which the two decide\n" +
			"otherwise, with what tells them apart: a total, what was spent, one or two offers (those it does not name ask the usual 10.00; where it names two\n" +
			"there is no other), or it is said what was tried; two texts that mean the same are told to do so. With --format sarif or github every change is a notice at its\n" +
			"rule: in the new folder, in the old one where the rule is gone.",
		Example: "  waybill rules diff rules.old rules",
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON {
				format = "json"
			}
			if err := checkFormat(format); err != nil {
				return err
			}
			return p.rulesDiff(cmd.Context(), args[0], args[1], plugins, format)
		},
	}
	cmd.Flags().StringVar(&plugins, "plugins", "", "folder of adapters, for checking services")
	cmd.Flags().StringVar(&format, "format", "text", "text, json, sarif (for code hosts) or github (workflow commands)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, as --format json")
	return cmd
}

func (p *program) rulesDiff(ctx context.Context, old, now, plugins, format string) error {
	a, err := p.usableRules(ctx, old, plugins, format)
	if err != nil {
		return err
	}
	b, err := p.usableRules(ctx, now, plugins, format)
	if err != nil {
		return err
	}
	changes := rules.Diff(ctx, a, b)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("diff %s %s was not finished: %w", old, now, err)
	}
	switch format {
	case "json":
		return p.printJSON(map[string]any{"changes": append([]rules.Change{}, changes...)})
	case "sarif", "github":
		list := make([]notice, len(changes))
		for i, c := range changes {
			dir := now
			if c.Kind == "removed" {
				dir = old
			}
			list[i] = notice{level: "note", code: c.Kind, advice: strings.TrimSpace(changeText(c))}.at(dir, c.Position)
		}
		return p.printNotices(format, list)
	}
	for _, c := range changes {
		fmt.Fprint(p.out, changeText(c))
	}
	_, err = fmt.Fprintln(p.out, count(len(changes), "change"))
	return err
}

// changeText is a change for people, in lines.
func changeText(c rules.Change) string {
	var out strings.Builder
	name := c.Name
	if c.At != "" {
		name += " at " + c.At
	}
	fmt.Fprintf(&out, "%s\n", strings.TrimSpace(c.Kind+" "+c.What+" "+printable(name)))
	if c.Old != c.New {
		for _, side := range []struct{ sign, text string }{{"- ", c.Old}, {"+ ", c.New}} {
			for line := range strings.Lines(strings.TrimSpace(side.text)) {
				fmt.Fprintf(&out, "    %s%s\n", side.sign, printable(strings.TrimRight(line, "\n")))
			}
		}
	}
	for _, w := range []struct {
		text  string
		order map[string]string
	}{{"does not apply any more to", c.NoLonger}, {"applies now to", c.Now}, {"decides otherwise about", c.Otherwise}} {
		if w.order != nil {
			fmt.Fprintf(&out, "    %s %s\n", w.text, printable(anOrder(w.order)))
		}
	}
	if c.Same {
		out.WriteString("    means the same\n")
	}
	if c.NotFound != "" {
		fmt.Fprintf(&out, "    no order that tells them apart: %s\n", printable(c.NotFound))
	}
	return out.String()
}

// anOrder says which order shows a change.
func anOrder(order map[string]string) string {
	text := rules.OrderText(order)
	switch {
	case len(order) == 1 && order["order.id"] == "any":
		return "any order"
	case strings.HasPrefix(text, "with: "):
		return "an order " + text
	}
	return "an order with " + text
}

func newRulesFmtCmd(p *program) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use: "fmt DIR", Short: "Lay rule and test files out in the usual way", Args: cobra.ExactArgs(1),
		Long: "Lay rule and test files out in the usual way: no spaces at the ends of lines, no two empty lines together, one before each part. Words, values\n" +
			"and comments stay as they are. The files that were changed are named.",
		RunE: func(_ *cobra.Command, args []string) error { return p.rulesFmt(args[0], check) },
	}
	cmd.Flags().BoolVar(&check, "check", false, "change nothing; fail where a file is not laid out so")
	return cmd
}

func (p *program) rulesFmt(dir string, check bool) error {
	folders, err := ruleFolders([]string{dir})
	if err != nil {
		return err
	}
	changed := 0
	for _, folder := range folders {
		for _, pattern := range []string{"*.rules.yaml", "*.test.yaml"} {
			files, err := filepath.Glob(filepath.Join(folder, pattern))
			if err != nil {
				return err
			}
			for _, file := range files {
				did, err := formatFile(file, check)
				if err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
				if did {
					changed++
					fmt.Fprintln(p.out, file)
				}
			}
		}
	}
	if check && changed > 0 {
		return fmt.Errorf("%s not laid out in the usual way", count(changed, "file"))
	}
	return nil
}

func formatFile(file string, check bool) (changed bool, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	text, err := rules.Format(data)
	if err != nil || bytes.Equal(text, data) {
		return false, err
	}
	if check {
		return true, nil
	}
	return true, replaceFile(file, text)
}

// replaceFile writes a file whole or not at all: an engine may be reading the folder.
func replaceFile(file string, text []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(file), ".waybill-fmt-*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(text)
	err = errors.Join(err, temporary.Close())
	if err == nil {
		if info, serr := os.Stat(file); serr == nil {
			err = os.Chmod(temporary.Name(), info.Mode().Perm())
		}
	}
	if err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(temporary.Name()))
	}
	return err
}

func newRulesDocCmd(p *program) *cobra.Command {
	var format, schema string
	cmd := &cobra.Command{
		Use: "doc [NAME]", Short: "List what expressions may name", Args: cobra.MaximumNArgs(1),
		Long:    "List what expressions may name: all of it, NAME and its members, or where there is no such name all that has it in theirs. With --schema, print the JSON Schema of rule or test files, for editors.",
		Example: "  waybill rules doc order.to\n  waybill rules doc --schema rules > rules.schema.json",
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case schema == "rules":
				_, err := p.out.Write(rules.RuleSchema())
				return err
			case schema == "tests":
				_, err := p.out.Write(rules.TestSchema())
				return err
			case schema != "":
				return usageError(fmt.Errorf("--schema %q is not known; use rules or tests", schema))
			case !slices.Contains([]string{"text", "json", "markdown"}, format):
				return usageError(fmt.Errorf("--format %q is not known; use text, json or markdown", format))
			}
			return p.rulesDoc(strings.Join(args, ""), format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text, json or markdown")
	cmd.Flags().StringVar(&schema, "schema", "", "rules or tests: print the JSON Schema")
	return cmd
}

func (p *program) rulesDoc(name, format string) error {
	entries := slices.DeleteFunc(rules.Reference(), func(e rules.Entry) bool {
		return e.Name != name && e.Name != name+"()" && !strings.HasPrefix(e.Name, name+".")
	})
	if len(entries) == 0 { // it is no name, but perhaps a part of some
		entries = slices.DeleteFunc(rules.Reference(), func(e rules.Entry) bool { return !strings.Contains(e.Name, name) })
	}
	if len(entries) == 0 {
		return usageError(fmt.Errorf("nothing that expressions may name holds %q", name))
	}
	switch format {
	case "json":
		return p.printJSON(entries)
	case "markdown":
		fmt.Fprintln(p.out, "| name | | |\n|---|---|---|")
		for _, e := range entries {
			fmt.Fprintf(p.out, "| `%s` | %s | %s |\n", e.Name, strings.ReplaceAll(e.Kind, "|", `\|`), strings.ReplaceAll(aboutOf(e), "|", `\|`))
		}
		return nil
	}
	t := newTable(p.out, "NAME", "KIND", "")
	for _, e := range entries {
		t.row(e.Name, e.Kind, aboutOf(e))
	}
	return t.flush()
}

func aboutOf(e rules.Entry) string {
	if len(e.Values) > 0 && e.About == "" {
		return strings.Join(e.Values, ", ")
	}
	return e.About
}

func newRulesTryCmd(p *program) *cobra.Command {
	f := &clientFlags{}
	var dir string
	cmd := &cobra.Command{
		Use: "try ORDER_ID|RECORD.json", Short: "Compute expressions over a decided order, line by line", Args: cobra.ExactArgs(1),
		Long: "Read expressions, one a line, and show the value of every part over the order of a decision record. option is that of the winner; a line\n" +
			"'option ups' makes it that of another account. The record is a file, a line of 'rules export' in one too, or that of an order at a running\n" +
			"engine. Nothing is changed. With --json each line of the answer is an object: expression, and result with its values and parts, or error.",
		Example: "  echo 'order.total > usd(50) and option.fee < usd(12)' | waybill rules try record.json --rules rules",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.rulesTry(cmd.Context(), f, args[0], dir)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&dir, "rules", "", "folder of rules, for its lets and lists; without it, the built-in rules")
	return cmd
}

func (p *program) rulesTry(ctx context.Context, f *clientFlags, what, dir string) error {
	record, err := p.decisionRecord(ctx, f, "try", what, 0)
	if err != nil {
		return err
	}
	d, err := readRecord(what, record)
	if err != nil {
		return err
	}
	bundle := rules.Default()
	if dir != "" {
		if bundle, err = p.loadRules(ctx, dir, ""); err != nil {
			return &exitError{exitRules, err}
		}
	}
	account, failed := "", 0
	lines := bufio.NewScanner(p.in)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		one := tryLine{Expression: line, Option: account}
		if name, ok := strings.CutPrefix(line, "option "); ok && !strings.ContainsAny(strings.TrimSpace(name), " .()") {
			name = strings.TrimSpace(name)
			known := accountsOf(&d)
			if slices.Contains(known, name) {
				account = name
				continue
			}
			one.Error = &tryFault{Message: fmt.Sprintf("the decision has no account %q; it has %s", name, strings.Join(known, ", ")), From: len("option "), To: len([]rune(line))}
		} else if err := one.compute(bundle, &d, f.raw); err != nil {
			return err
		}
		if one.Error != nil {
			failed++
		}
		if err := p.printTried(&one, f.raw); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%s cannot be computed", count(failed, "expression"))
	}
	return nil
}

// tryLine is one line of `rules try` with what came of it; printed as one line of JSON.
type tryLine struct {
	Expression string       `json:"expression"`
	Option     string       `json:"option,omitempty"` // the account, "" for the winner's
	Result     *rules.Tried `json:"result,omitempty"`
	Error      *tryFault    `json:"error,omitempty"`
	text       string
}

// tryFault is what is wrong with a line, and with which characters of it.
type tryFault struct {
	Message string `json:"message"`
	From    int    `json:"from"`
	To      int    `json:"to"`
}

// compute fills in the value, or what is wrong with the expression. Any other error is not the expression's.
func (l *tryLine) compute(b *rules.Bundle, d *rules.Decision, parts bool) error {
	var err error
	if parts {
		var tried rules.Tried
		if tried, err = b.TryParts(d, l.Option, l.Expression); err == nil {
			l.Result = &tried
		}
	} else {
		l.text, err = b.Try(d, l.Option, l.Expression)
	}
	if fault, ok := errors.AsType[*rules.TryError](err); ok {
		l.Error = &tryFault{fault.Message, fault.From, fault.To}
		return nil
	}
	return err
}

func (p *program) printTried(l *tryLine, asJSON bool) error {
	if asJSON {
		out := json.NewEncoder(p.out)
		out.SetEscapeHTML(false) // comparisons are to be read
		return out.Encode(l)
	}
	if e := l.Error; e != nil {
		l.text = fmt.Sprintf("%s\n%s%s %s\n", printable(l.Expression), strings.Repeat(" ", e.From), strings.Repeat("^", max(e.To-e.From, 1)), e.Message)
	}
	_, err := fmt.Fprint(p.out, l.text)
	return err
}

// accountsOf are those that a decision knows of, asked or not.
func accountsOf(d *rules.Decision) []string {
	var out []string
	for _, c := range d.Plan.Candidates {
		out = append(out, c.Account)
	}
	for _, o := range d.Options {
		out = append(out, o.Account)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
