package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/rules"
)

// problemFormats are the forms in which problems of rule files are told.
var problemFormats = []string{"text", "json", "sarif", "github"}

func checkFormat(format string) error {
	if !slices.Contains(problemFormats, format) {
		return usageError(fmt.Errorf("--format %q is not known; use text, json, sarif or github", format))
	}
	return nil
}

// notice is something to be told about a place in a file, or about nothing in particular where path is "".
type notice struct {
	level  string // error, warning, note
	code   string
	path   string
	place  rules.Position
	end    int // the column after the last one; 0 where it is not known
	advice string
}

// noticesOf are the problems of a folder as notices. Those whose codes begin with W leave the rules usable.
func noticesOf(dir string, problems []rules.Problem) []notice {
	list := make([]notice, len(problems))
	for i, x := range problems {
		list[i] = notice{level: "error", code: x.Code, path: filePath(dir, x.File), place: rules.Position{File: x.File, Line: x.Line, Column: x.Column}, end: x.End, advice: advice(x)}
		if strings.HasPrefix(x.Code, "W") {
			list[i].level = "warning"
		}
	}
	return list
}

// at puts a notice where a rule stands; nil is nowhere.
func (n notice) at(dir string, place *rules.Position) notice {
	if place != nil {
		n.path, n.place = filePath(dir, place.File), *place
	}
	return n
}

// printGitHub writes workflow commands, which GitHub shows beside the lines of a change.
func (p *program) printGitHub(list []notice) error {
	value := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, n := range list {
		level := n.level
		if level == "note" {
			level = "notice"
		}
		where := ""
		if n.path != "" {
			where = fmt.Sprintf("file=%s,line=%d,col=%d,", property.Replace(n.path), n.place.Line, n.place.Column)
		}
		if n.end > 0 {
			where += fmt.Sprintf("endColumn=%d,", n.end)
		}
		if _, err := fmt.Fprintf(p.out, "::%s %stitle=%s::%s\n", level, where, property.Replace(n.code), value.Replace(n.advice)); err != nil {
			return err
		}
	}
	return nil
}

// advice is what a problem says, in one line.
func advice(x rules.Problem) string {
	text := x.Sentence
	if x.Where != "" {
		text = x.Where + ": " + text
	}
	if x.DidYouMean != "" {
		text += "; did you mean " + x.DidYouMean + "?"
	}
	if x.Hint != "" {
		text += " (" + x.Hint + ")"
	}
	return text
}

func filePath(dir, file string) string { return filepath.ToSlash(filepath.Join(dir, file)) }

// sarifLog is the part of SARIF 2.1.0 that code hosts read.
type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool    sarifTool     `json:"tool"`
	Results []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID string `json:"id"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations,omitempty"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifLocation struct {
	Physical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region struct {
			StartLine   int `json:"startLine"`
			StartColumn int `json:"startColumn"`
			EndColumn   int `json:"endColumn,omitzero"`
		} `json:"region"`
	} `json:"physicalLocation"`
}

func (p *program) printSARIF(list []notice) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "waybill rules", Version: version, Rules: []sarifRule{}}}, Results: []sarifResult{}}
	for _, n := range list {
		r := sarifResult{RuleID: n.code, Level: n.level, Message: sarifText{n.advice}}
		if n.path != "" {
			r.Locations = make([]sarifLocation, 1)
			at := &r.Locations[0].Physical
			at.Artifact.URI = n.path
			at.Region.StartLine, at.Region.StartColumn = n.place.Line, n.place.Column
			if n.end > 0 {
				at.Region.EndColumn = max(n.end, n.place.Column)
			}
		}
		run.Results = append(run.Results, r)
		if !slices.Contains(run.Tool.Driver.Rules, sarifRule{n.code}) {
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{n.code})
		}
	}
	return p.printJSON(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

// printNotices tells notices as sarif or github.
func (p *program) printNotices(format string, list []notice) error {
	if format == "sarif" {
		return p.printSARIF(list)
	}
	return p.printGitHub(list)
}

// printProblems tells problems in one of problemFormats; report is what json prints.
func (p *program) printProblems(format, dir string, problems []rules.Problem, report any) error {
	switch format {
	case "json":
		return p.printJSON(report)
	case "sarif", "github":
		return p.printNotices(format, noticesOf(dir, problems))
	}
	if len(problems) == 0 {
		return nil
	}
	_, err := io.WriteString(p.out, (&rules.CheckError{Problems: problems}).Error()+"\n")
	return err
}

// usableRules loads a folder for a command that needs sound rules. The mistakes of others are told in the form that was asked for.
func (p *program) usableRules(ctx context.Context, dir, plugins, format string) (*rules.Bundle, error) {
	b, err := p.loadRules(ctx, dir, plugins)
	faults, faulty := errors.AsType[*rules.CheckError](err)
	switch {
	case err == nil:
		return b, nil
	case !faulty || format == "text":
		return nil, unreadable(err)
	}
	err = p.printProblems(format, dir, faults.Problems, rulesReport{Problems: faults.Problems})
	return nil, errors.Join(err, &exitError{exitRules, fmt.Errorf("%s in %s", count(len(faults.Problems), "problem"), dir)})
}
