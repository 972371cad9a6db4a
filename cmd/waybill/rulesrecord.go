package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/rules"
)

var (
	// ruleText is how files of rules and of tests are called.
	ruleText = regexp.MustCompile(`\.ya?ml$`)
	// pathName is what names a file, and no order: it says where the file is, or of what kind.
	pathName = regexp.MustCompile(`^(~|\.{1,2})?[/\\]|(?i)\.(jsonl?|ndjson|ya?ml|csv|txt)$`)
	// nearlyCode is what may be a code that was not written whole.
	nearlyCode = regexp.MustCompile(`^[EeWw]\d+$`)
	// memberName is a name with a dot, alone or at the beginning of an expression.
	memberName = regexp.MustCompile(`^([a-z]+(?:\.[a-z0-9_]+)+)(?:$|\s*[<>=!+*?)])`)
)

// makeRecord says how to come by the file of a decision.
const makeRecord = "'waybill shipments decision ORDER_ID --json | jq .decisions[-1].record > record.json' writes one into a file"

// decisionRecord reads the record from a file that there is, or from standard input for "-", else asks the engine for it. What can be no order is
// said without asking; command is the one that was given it.
func (p *program) decisionRecord(ctx context.Context, f *clientFlags, command, what string, round int) ([]byte, error) {
	info, err := os.Stat(what)
	switch {
	case err == nil && info.IsDir():
		return nil, usageError(fmt.Errorf("%s is a folder, and rules %s takes an order or the file of one decision; 'waybill rules check %s' looks at the rules in it", what, command, what))
	case err == nil || what == "-":
		return p.read(what)
	case pathName.MatchString(what):
		return nil, usageError(fmt.Errorf("there is no file %s; 'waybill rules %s ORDER_ID' asks the engine for a decision, and %s", what, command, makeRecord))
	}
	if name := fieldIn(what); name != "" {
		return nil, usageError(fmt.Errorf("%s is what rules compute with, and no order: 'waybill rules doc %s' tells what it means, and \"echo '%s' | waybill rules try ORDER_ID\" what it comes to for an order", what, name, strings.ReplaceAll(what, "'", `'\''`)))
	}
	record, err := p.askedRecord(ctx, f, what, round)
	if err == nil {
		return record, nil
	}
	hint := fmt.Sprintf("%s was taken for the id of an order, as no file is called so", what)
	if nearlyCode.MatchString(what) {
		hint += "; codes of problems have three digits, such as E104"
	}
	if refused, ok := errors.AsType[*apiError](err); ok && refused.Status == 404 {
		return nil, fmt.Errorf("%w\n%s; 'waybill shipments list' shows the orders that there are", err, hint)
	}
	if unanswered, ok := errors.AsType[*exitError](err); ok && unanswered.code == exitConnection {
		return nil, &exitError{exitConnection, fmt.Errorf("%w\n%s; 'waybill rules %s record.json' reads a decision from a file, without an engine", err, hint, command)}
	}
	return nil, err
}

// askedRecord is the record that a running engine has of a decision.
func (p *program) askedRecord(ctx context.Context, f *clientFlags, order string, round int) ([]byte, error) {
	c, err := p.client(f)
	if err != nil {
		return nil, err
	}
	var v decisionView
	if err := c.get(ctx, shipmentPath(order, "/decision"), &v); err != nil {
		return nil, err
	}
	for i := len(v.Decisions) - 1; i >= 0; i-- {
		if round == 0 || v.Decisions[i].Round == round {
			return v.Decisions[i].Record, nil
		}
	}
	return nil, fmt.Errorf("order %s has no such decision; it has %d", order, len(v.Decisions))
}

// fieldIn is the name of a fact of expressions that a text is, or with which the expression begins that it is; "" where it may be the id of an order.
func fieldIn(text string) string {
	m := memberName.FindStringSubmatch(text)
	if m == nil || !slices.ContainsFunc(rules.Reference(), func(e rules.Entry) bool { return e.Name == m[1] || strings.HasPrefix(e.Name, m[1]+".") }) {
		return ""
	}
	return m[1]
}

// readRecord reads a decision record, or a line of an export with one in it.
func readRecord(what string, record []byte) (rules.Decision, error) {
	record = bytes.TrimSpace(record)
	d, err := rules.ParseRecord(record)
	if err == nil {
		return d, nil
	}
	if first, rest, more := bytes.Cut(record, []byte("\n")); more {
		if _, ferr := rules.ParseRecord(first); ferr == nil {
			return d, usageError(fmt.Errorf("%s holds %d records, one a line; give one of them: sed -n 1p %s > record.json", what, 2+bytes.Count(rest, []byte("\n")), what))
		}
	}
	if ruleText.MatchString(what) {
		return d, usageError(fmt.Errorf("%s holds rules or their tests, and no decision: 'waybill rules test %s' shows what came of a test that fails", what, filepath.Dir(what)))
	}
	return d, fmt.Errorf("%s is no decision record: %w; %s", what, err, makeRecord)
}
