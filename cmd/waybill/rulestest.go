package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/rules"
)

// Exit codes of `rules test`: the rules or tests cannot be read, or a test fails.
const (
	exitRules = 3
	exitTests = 4
)

func newRulesTestCmd(p *program) *cobra.Command {
	var plugins, format string
	var update, watch bool
	cmd := &cobra.Command{
		Use: "test [DIR…]", Short: "Run the tests beside rule files", Args: cobra.ArbitraryArgs,
		Long: "Run the *.test.yaml of each folder, and of the folders below, against the rules of that folder. A test that fails shows what the rules\n" +
			"made of its order, part by part.\n\nExit codes: 3 where rules or tests cannot be read, 4 where a test fails.",
		Example: "  waybill rules test examples/rules\n  waybill rules test rules --format junit > report.xml",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains([]string{"text", "json", "tap", "junit"}, format) {
				return usageError(fmt.Errorf("--format %q is not known; use text, json, tap or junit", format))
			}
			if len(args) == 0 {
				args = []string{"."}
			}
			return p.watching(cmd.Context(), watch, args, func() error { return p.rulesTest(cmd.Context(), args, plugins, format, update) })
		},
	}
	cmd.Flags().StringVar(&plugins, "plugins", "", "folder of adapters, for checking services")
	cmd.Flags().StringVar(&format, "format", "text", "text, json, tap or junit")
	addWatch(cmd, &watch)
	cmd.Flags().BoolVar(&update, "update", false, "write the golden files that tests name; look at them before you commit them")
	return cmd
}

func (p *program) rulesTest(ctx context.Context, args []string, plugins, format string, update bool) error {
	folders, err := ruleFolders(args)
	if err != nil {
		return err
	}
	report := testReport{Tests: []rules.Result{}, Problems: []rules.Problem{}}
	bundles, broken := 0, 0
	for _, dir := range folders {
		if err := p.warnUnread(dir); err != nil {
			return err
		}
		found, err := p.testFolder(ctx, dir, plugins, update)
		check, faulty := errors.AsType[*rules.CheckError](err)
		switch {
		case faulty:
			broken++
			fmt.Fprintf(p.err, "%s:\n%v\n", dir, check)
			for _, x := range check.Problems {
				x.File = filePath(dir, x.File)
				report.Problems = append(report.Problems, x)
			}
			continue
		case err != nil:
			return err
		}
		bundles++
		report.Tests = append(report.Tests, found...)
	}
	results := report.Tests
	failed := len(slices.DeleteFunc(slices.Clone(results), rules.Result.Passed))
	write := map[string]func(testReport) error{"text": p.testText, "json": p.testJSON, "tap": p.testTAP, "junit": p.testJUnit}[format]
	if err := write(report); err != nil {
		return err
	}
	switch {
	case broken > 0:
		return &exitError{exitRules, fmt.Errorf("%s cannot be read", count(broken, "folder"))}
	case failed > 0:
		return &exitError{exitTests, fmt.Errorf("%d of %s failed", failed, count(len(results), "test"))}
	}
	if format == "text" {
		_, err = fmt.Fprintf(p.out, "%s passed, of %s\n", count(len(results), "test"), count(bundles, "bundle"))
	}
	return err
}

// warnUnread says which files of a folder look like rules, tests or lists and are not read: a test that nobody runs fails nobody.
func (p *program) warnUnread(dir string) error {
	unread, err := rules.Unread(os.DirFS(dir))
	if err != nil {
		return err
	}
	for i := range unread {
		unread[i].File = filePath(dir, unread[i].File)
	}
	if len(unread) == 0 {
		return nil
	}
	for line := range strings.Lines((&rules.CheckError{Problems: unread}).Error() + "\n") {
		if _, err := fmt.Fprintln(p.err, printable(strings.TrimRight(line, "\n"))); err != nil {
			return err
		}
	}
	return nil
}

// testReport is what came of all tests, and what kept others from being run. It is what --format json prints.
type testReport struct {
	Tests    []rules.Result  `json:"tests"`
	Problems []rules.Problem `json:"problems"`
}

// ruleFolders lists the folders that hold rule files, in order.
func ruleFolders(args []string) ([]string, error) {
	var folders []string
	for _, root := range args {
		if info, err := os.Stat(root); err != nil {
			return nil, usageError(err)
		} else if !info.IsDir() {
			return nil, usageError(fmt.Errorf("%s is a file; name the folder that it is in", root))
		}
		before := len(folders)
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".rules.yaml") {
				return err
			}
			if dir := filepath.Dir(path); !slices.Contains(folders, dir) {
				folders = append(folders, dir)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(folders) == before {
			return nil, noRules(root)
		}
	}
	slices.Sort(folders)
	return folders, nil
}

// testFolder runs the tests of one folder.
func (p *program) testFolder(ctx context.Context, dir, plugins string, update bool) ([]rules.Result, error) {
	b, err := p.loadRules(ctx, dir, plugins)
	if err != nil {
		return nil, err
	}
	suites, err := rules.LoadSuites(b, os.DirFS(dir))
	if err != nil {
		return nil, err
	}
	read := func(name string) ([]byte, error) { return fs.ReadFile(os.DirFS(dir), name) }
	var results []rules.Result
	for _, s := range suites {
		found := s.Run(read)
		if update {
			if err := p.writeGoldens(dir, found); err != nil {
				return nil, err
			}
			found = s.Run(read)
		}
		for i := range found {
			found[i].File = filepath.ToSlash(filepath.Join(dir, found[i].File))
		}
		results = append(results, found...)
	}
	return results, nil
}

func (p *program) writeGoldens(dir string, results []rules.Result) error {
	for _, r := range results {
		for name, text := range r.Goldens {
			file := filepath.Join(dir, filepath.FromSlash(name))
			if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, []byte(text)) {
				continue
			}
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				return err
			}
			fmt.Fprintf(p.err, "wrote %s\n", file)
		}
	}
	return nil
}

func (p *program) testText(report testReport) error {
	for _, r := range report.Tests {
		if r.Passed() {
			continue
		}
		if _, err := fmt.Fprintf(p.out, "%s:%d: FAIL %s\n%s\n", r.File, r.Line, printable(r.Name), indent(failures(r)+"\n"+r.Explanation)); err != nil {
			return err
		}
	}
	return nil
}

func failures(r rules.Result) string {
	var lines []string
	for _, f := range r.Failures {
		lines = append(lines, fmt.Sprintf("%s:%d: %s", r.File, f.Line, f))
	}
	return strings.Join(lines, "\n")
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}

func (p *program) testJSON(report testReport) error { return p.printJSON(report) }

// testTAP writes the Test Anything Protocol, version 14. Problems end it as what cannot go on; the plan is left out then, as it is not known.
func (p *program) testTAP(report testReport) error {
	var b strings.Builder
	b.WriteString("TAP version 14\n")
	if len(report.Problems) == 0 {
		fmt.Fprintf(&b, "1..%d\n", len(report.Tests))
	}
	for i, r := range report.Tests {
		verdict := "ok"
		if !r.Passed() {
			verdict = "not ok"
		}
		fmt.Fprintf(&b, "%s %d - %s\n", verdict, i+1, strings.ReplaceAll(printable(r.Name), "#", `\#`))
		if !r.Passed() {
			fmt.Fprintf(&b, "# %s\n", strings.ReplaceAll(failures(r), "\n", "\n# "))
		}
	}
	for _, x := range report.Problems {
		fmt.Fprintf(&b, "# %s\n", printable(x.String()))
	}
	if len(report.Problems) > 0 {
		fmt.Fprintf(&b, "Bail out! %s in rules or tests\n", count(len(report.Problems), "problem"))
	}
	_, err := io.WriteString(p.out, b.String())
	return err
}

// junitSuites is the report that build servers read.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	File    string        `xml:"file,attr"`
	Line    int           `xml:"line,attr"`
	Failure *junitFailure `xml:"failure"`
	Error   *junitFailure `xml:"error"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// testJUnit writes a report in which a problem stands as a test that could not be run.
func (p *program) testJUnit(report testReport) error {
	var all junitSuites
	for _, r := range report.Tests {
		s := all.add(junitCase{Name: r.Name, Class: r.File, File: r.File, Line: r.Line})
		if !r.Passed() {
			s.Failures++
			all.Failures++
			s.Cases[len(s.Cases)-1].Failure = &junitFailure{Message: r.Failures[0].String(), Text: failures(r) + "\n" + r.Explanation}
		}
	}
	for _, x := range report.Problems {
		s := all.add(junitCase{Name: firstOf(x.Where, x.Code), Class: x.File, File: x.File, Line: x.Line})
		s.Errors++
		all.Errors++
		s.Cases[len(s.Cases)-1].Error = &junitFailure{Message: x.Sentence, Text: (&rules.CheckError{Problems: []rules.Problem{x}}).Error()}
	}
	if _, err := io.WriteString(p.out, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(p.out)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(p.out, "\n")
	return err
}

// add puts a test into the suite of its file, and returns that.
func (all *junitSuites) add(c junitCase) *junitSuite {
	if n := len(all.Suites); n == 0 || all.Suites[n-1].Name != c.File {
		all.Suites = append(all.Suites, junitSuite{Name: c.File})
	}
	s := &all.Suites[len(all.Suites)-1]
	s.Cases = append(s.Cases, c)
	s.Tests++
	all.Tests++
	return s
}
