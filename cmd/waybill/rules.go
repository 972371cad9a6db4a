package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/core/carrierhost"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/rules"
)

func newRulesCmd(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "rules", Short: "Check and test rule files, and explain decisions"}
	cmd.AddCommand(newRulesCheckCmd(p), newRulesTestCmd(p), newRulesLintCmd(p), newRulesCoverageCmd(p), newRulesExplainCmd(p), newRulesBacktestCmd(p), newRulesExportCmd(p), newRulesTrialCmd(p),
		newRulesDiffCmd(p), newRulesFmtCmd(p), newRulesDocCmd(p), newRulesTryCmd(p))
	return asGroup(cmd)
}

func newRulesCheckCmd(p *program) *cobra.Command {
	var plugins, conf, format string
	var watch bool
	cmd := &cobra.Command{
		Use: "check DIR", Short: "Check a folder of rule files", Args: cobra.ExactArgs(1),
		Long: "Check a folder of rule files and their tests. All mistakes are told at once, each with its place, and rules that fail while\n" +
			"they run for orders that are possible are named, and so are files that look like rules, tests or lists and are not read. With\n" +
			"--plugins the services that rules name are checked too, for providers that are called like an adapter. With --config the\n" +
			"accounts, locations and tags that rules name must be those of the tenant whose rules they are, as in a running engine.",
		Example: "  waybill rules check examples/rules\n  waybill rules check shop/rules --config shop/waybill.yaml\n  waybill rules check rules --plugins bin/plugins --format json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			return p.watching(cmd.Context(), watch, args, func() error { return p.rulesCheck(cmd.Context(), args[0], plugins, conf, format) })
		},
	}
	cmd.Flags().StringVar(&plugins, "plugins", "", "folder of adapters, for checking services")
	cmd.Flags().StringVar(&conf, "config", "", "configuration file, for checking accounts, locations and tags")
	cmd.Flags().StringVar(&format, "format", "text", "text, json, sarif (for code hosts) or github (workflow commands)")
	addWatch(cmd, &watch)
	return cmd
}

// rulesReport is what `rules check --format json` prints.
type rulesReport struct {
	Good     bool            `json:"good"`
	Name     string          `json:"name,omitempty"`
	Hash     string          `json:"hash,omitempty"`
	Rules    int             `json:"rules,omitempty"`
	Problems []rules.Problem `json:"problems"`
}

func (p *program) rulesCheck(ctx context.Context, dir, plugins, conf, format string) error {
	var t *config.Tenant
	if conf != "" {
		var err error
		if t, err = p.tenantOfRules(conf, dir); err != nil {
			return err
		}
	}
	b, err := p.loadRulesOf(ctx, t, dir, plugins)
	if err == nil {
		_, err = rules.LoadSuites(b, os.DirFS(dir))
	} else if faults, faulty := errors.AsType[*rules.CheckError](err); faulty { // what can be told of the tests without the rules is told too
		also := rules.SuiteForms(os.DirFS(dir))
		if more, ok := errors.AsType[*rules.CheckError](also); ok {
			faults.Problems = append(faults.Problems, more.Problems...)
		} else if also != nil {
			return also
		}
	}
	faults, faulty := errors.AsType[*rules.CheckError](err)
	if err != nil && !faulty {
		return err
	}
	unread, lost := rules.Unread(os.DirFS(dir))
	if lost != nil {
		return lost
	}
	if faulty {
		all := append(slices.Clone(faults.Problems), unread...)
		err := p.printProblems(format, dir, all, rulesReport{Problems: all})
		return errors.Join(err, &exitError{exitFailure, fmt.Errorf("%s in %s", count(len(faults.Problems), "problem"), dir)})
	}
	fails := slices.Concat([]rules.Problem{}, unread, b.Doubts())
	for _, f := range b.DryRun() {
		fails = append(fails, f.Problem)
	}
	if format == "text" {
		if err := p.printProblems(format, dir, fails, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.out, "%s: %s, good\n%s\n", firstOf(b.Name(), dir), count(b.Size(), "rule"), b.Hash())
		return err
	}
	return p.printProblems(format, dir, fails, rulesReport{Good: true, Name: b.Name(), Hash: b.Hash(), Rules: b.Size(), Problems: fails})
}

// loadRules loads a folder. With a folder of adapters, a provider is known by the services of the adapter of its name.
func (p *program) loadRules(ctx context.Context, dir, plugins string) (*rules.Bundle, error) {
	return p.loadRulesOf(ctx, nil, dir, plugins)
}

// tenantOfRules is the tenant of a configuration whose rules, or rules on trial, stand in a folder; where there is but one tenant, that one.
func (p *program) tenantOfRules(conf, dir string) (*config.Tenant, error) {
	c, err := config.Load(conf, p.getenv)
	if err != nil {
		return nil, usageError(err)
	}
	here, err := os.Stat(dir)
	if err != nil {
		return nil, usageError(err)
	}
	is := func(folder string) bool {
		info, err := os.Stat(folder)
		return err == nil && os.SameFile(info, here)
	}
	for _, id := range slices.Sorted(maps.Keys(c.Tenants)) {
		if t := c.Tenants[id]; len(c.Tenants) == 1 || is(t.Rules) || t.Trial != nil && is(t.Trial.Rules) {
			return t, nil
		}
	}
	return nil, usageError(fmt.Errorf("no tenant of %s has its rules in %s; name the folder that stands there as rules, or on trial", conf, dir))
}

// loadRulesOf is loadRules for the rules of a tenant, which name its accounts and locations; nil where no configuration is known.
func (p *program) loadRulesOf(ctx context.Context, t *config.Tenant, dir, plugins string) (*rules.Bundle, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, usageError(err)
	} else if !info.IsDir() {
		return nil, usageError(fmt.Errorf("%s is a file; name the folder that it is in", dir))
	}
	if names, err := fs.Glob(os.DirFS(dir), "*.rules.yaml"); err == nil && len(names) == 0 {
		return nil, noRules(dir)
	}
	opt := rules.Options{}
	if t != nil {
		opt.Locations, opt.NoPersonal, opt.Providers = t.Places(), !t.RulesPII, map[string]rules.Provider{}
		for id := range t.Accounts {
			opt.Providers[id] = rules.Provider{}
		}
	}
	plain, err := rules.LoadDir(os.DirFS(dir), opt)
	if err != nil || plugins == "" {
		return plain, err
	}
	lock, err := lockNamed(carrierhost.LockFile, false)
	if err != nil {
		return nil, err
	}
	found, err := p.manifests(ctx, plugins, lock)
	if err != nil {
		return nil, err
	}
	known := map[string]rules.Provider{}
	maps.Copy(known, opt.Providers)
	for _, name := range plain.Providers() {
		known[name] = rules.Provider{}
	}
	for _, f := range found {
		if f.Manifest == nil {
			return nil, fmt.Errorf("adapter %s does not start, so its services are not known: %s", f.Name, f.Problem)
		}
		var services []rules.ServiceInfo
		for _, s := range f.Manifest.Services {
			services = append(services, rules.ServiceInfo{ID: s.ID, Mode: s.Mode, Supports: s.Supports})
		}
		if t == nil {
			known[f.Manifest.Name] = rules.Provider{Services: services}
			continue
		}
		for id, a := range t.Accounts {
			if a.Adapter == f.Manifest.Name {
				known[id] = rules.Provider{Services: services}
			}
		}
	}
	opt.Providers = known
	return rules.LoadDir(os.DirFS(dir), opt)
}

// noRules is the mistake of naming a folder without rule files: of the command line, so that every command ends with the same code.
func noRules(dir string) error {
	nearly := ""
	if unread, err := rules.Unread(os.DirFS(dir)); err == nil && len(unread) > 0 {
		nearly = fmt.Sprintf("; %s: %s", unread[0].File, unread[0].Hint)
	}
	return usageError(fmt.Errorf("%s holds no rule files; they are called something.rules.yaml%s", dir, nearly))
}

// unreadable is an error of rules or records that a command cannot work with; a mistake in the command line stays one.
func unreadable(err error) error {
	if _, known := errors.AsType[*exitError](err); known {
		return err
	}
	return &exitError{exitRules, err}
}

func newRulesExplainCmd(p *program) *cobra.Command {
	f := &clientFlags{}
	var dir string
	round := 0
	cmd := &cobra.Command{
		Use: "explain ORDER_ID|RECORD.json|CODE", Short: "Show the value of every part of every rule of a decision", Args: cobra.ExactArgs(1),
		Long: "Compute a decision again from its record, and show what every part of every rule came to. The record is a file, or that of\n" +
			"an order at a running engine; a file may also be a line of 'rules export', or - for standard input. The rules are those that decided, which a record knows by their hash: the engine has\n" +
			"kept them; with --rules they are those of a folder, and no engine is asked for them. Where the record\n" +
			"says otherwise than what its rules come to now, that is told first, and the exit code is 1. A code such as E104 is explained by itself.",
		Example: "  waybill rules explain 7709-001\n" +
			"  waybill shipments decision 7709-001 --json | jq '.decisions[-1].record' > record.json && waybill rules explain record.json --rules rules",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.rulesExplain(cmd.Context(), f, args[0], dir, round)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&dir, "rules", "", "folder of the rules that decided; without it, those that the engine has kept")
	cmd.Flags().IntVar(&round, "round", 0, "which decision of the order, from 1; 0 for the last")
	return cmd
}

func (p *program) rulesExplain(ctx context.Context, f *clientFlags, what, dir string, round int) error {
	if problemCode.MatchString(what) {
		if _, err := os.Stat(what); err != nil { // no record is called so
			return p.explainCode(strings.ToUpper(what), f.raw)
		}
	}
	record, err := p.decisionRecord(ctx, f, "explain", what, round)
	if err != nil {
		return err
	}
	if f.raw {
		_, err := fmt.Fprintf(p.out, "%s\n", record)
		return err
	}
	d, err := readRecord(what, record)
	if err != nil {
		return err
	}
	versions, err := p.deciders(ctx, f, dir)
	if err != nil {
		return err
	}
	bundle, err := versions.of(ctx, &d)
	if err != nil {
		return fmt.Errorf("explain %s: %w", what, err)
	}
	text, err := rules.Explain(bundle, d)
	if err != nil {
		return fmt.Errorf("explain %s: %w", what, err)
	}
	other, err := p.misrecorded(bundle, &d)
	if err != nil {
		return fmt.Errorf("explain %s: %w", what, err)
	}
	if _, err := p.out.Write([]byte(text)); err != nil {
		return err
	}
	changes, err := rules.WhatIf(bundle, d)
	for _, c := range changes {
		if _, err := fmt.Fprintf(p.out, "counterfactual: %s\n", printable(c)); err != nil {
			return err
		}
	}
	if err == nil && len(other) > 0 {
		err = fmt.Errorf("%s is not what its rules make of it: %s come out otherwise; explained is what they make of it", what, strings.Join(other, ", "))
	}
	return err
}

// misrecorded says before an explanation where the record is not what is explained, and which members of it are not.
func (p *program) misrecorded(b *rules.Bundle, record *rules.Decision) ([]string, error) {
	other, err := rules.Misrecorded(b, *record)
	if err == nil && len(other) > 0 {
		_, err = fmt.Fprintf(p.out, "NOT AS RECORDED: computed again from the input and the quotes of the record, by the rules that it names, other members come out: %s.\n"+
			"The record says: %s\nEither the record was changed, or another version of waybill made it. What follows is computed.\n\n",
			strings.Join(other, ", "), printable(record.Sentence()))
	}
	return other, err
}

// problemCode is how the codes of problems and findings look, in any case.
var problemCode = regexp.MustCompile(`^[EeWw]\d{3}$`)

func (p *program) explainCode(code string, asJSON bool) error {
	about, ok := rules.Codes()[code]
	switch {
	case !ok:
		return usageError(fmt.Errorf("there is no code %s; those that there are stand in brackets behind what waybill rules check and lint report", code))
	case asJSON:
		return p.printJSON(map[string]string{"code": code, "about": about})
	}
	_, err := fmt.Fprintf(p.out, "%s  %s\n", code, about)
	return err
}
