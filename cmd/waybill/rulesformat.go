package main

import (
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

// warning reports whether a problem leaves the rules usable.
func warning(p rules.Problem) bool { return strings.HasPrefix(p.Code, "W") }

// printGitHub writes workflow commands, which GitHub shows beside the lines of a change.
func (p *program) printGitHub(dir string, problems []rules.Problem) error {
	value := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, x := range problems {
		level := "error"
		if warning(x) {
			level = "warning"
		}
		if _, err := fmt.Fprintf(p.out, "::%s file=%s,line=%d,col=%d,endColumn=%d,title=%s::%s\n", level, property.Replace(filePath(dir, x.File)),
			x.Line, x.Column, x.End, property.Replace(x.Code), value.Replace(advice(x))); err != nil {
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
	Locations []sarifLocation `json:"locations"`
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
			EndColumn   int `json:"endColumn"`
		} `json:"region"`
	} `json:"physicalLocation"`
}

func (p *program) printSARIF(dir string, problems []rules.Problem) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "waybill rules", Version: version, Rules: []sarifRule{}}}, Results: []sarifResult{}}
	for _, x := range problems {
		r := sarifResult{RuleID: x.Code, Level: "error", Message: sarifText{advice(x)}, Locations: make([]sarifLocation, 1)}
		if warning(x) {
			r.Level = "warning"
		}
		at := &r.Locations[0].Physical
		at.Artifact.URI = filePath(dir, x.File)
		at.Region.StartLine, at.Region.StartColumn, at.Region.EndColumn = x.Line, x.Column, max(x.End, x.Column)
		run.Results = append(run.Results, r)
		if !slices.Contains(run.Tool.Driver.Rules, sarifRule{x.Code}) {
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{x.Code})
		}
	}
	return p.printJSON(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

// printProblems tells problems in one of problemFormats; report is what json prints.
func (p *program) printProblems(format, dir string, problems []rules.Problem, report any) error {
	switch format {
	case "json":
		return p.printJSON(report)
	case "sarif":
		return p.printSARIF(dir, problems)
	case "github":
		return p.printGitHub(dir, problems)
	}
	if len(problems) == 0 {
		return nil
	}
	_, err := io.WriteString(p.out, (&rules.CheckError{Problems: problems}).Error()+"\n")
	return err
}
