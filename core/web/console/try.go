package console

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// tryBody is what somebody wants to know: the files of a bundle, and either the order of a test in one of them or a stored one.
type tryBody struct {
	Files []file `json:"files"`
	Test  string `json:"test,omitzero"`  // name of the test file
	Case  int    `json:"case,omitzero"`  // of its cases
	Order string `json:"order,omitzero"` // external id
	// Foreign says that the files are not about the tenant's accounts: names of providers and services are not held against these.
	Foreign bool `json:"foreign,omitzero"`
}

// Bounds of one question, beside those of package rules.
const (
	maxFiles    = 50
	maxRun      = 100       // tests run at once; the others are offered, and run when they are chosen
	maxExplains = 512 << 10 // bytes of one explanation

	maxLint  = 3 * time.Second // that rules are looked into
	maxTests = 3 * time.Second // that tests are run, those that are left are offered
)

// tryView is the answer. Without problems of the rules there is a hash; without problems of the order, a decision.
type tryView struct {
	Problems []rules.Problem `json:"problems"` // mistakes, E…; and where there are none, what lint finds, W…
	Bundle   string          `json:"bundle,omitempty"`
	Hash     string          `json:"hash,omitempty"`
	Rules    int             `json:"rules"`
	Live     bool            `json:"live"` // the rules in force are these
	Cases    []caseView      `json:"cases"`
	Failures []rules.Failure `json:"failures,omitempty"` // of the chosen case
	Decision *decisionView   `json:"decision,omitempty"`
	Recorded string          `json:"recorded,omitempty"` // what was decided then, of a stored order
	Unknown  []string        `json:"unknown,omitempty"`  // what the record does not hold
}

// caseView is a test of the chosen file. State is passed, failed, or "" where it was not run.
type caseView struct {
	Name  string `json:"name"`
	State string `json:"state,omitempty"`
	// Unread are the files that the test compares the explanation with: they are not sent here, so that State speaks of the rest of it.
	Unread []string `json:"unread,omitempty"`
}

func (c *console) try(q *httpapi.Request) (httpapi.Answer, error) {
	var body tryBody
	if err := json.Unmarshal(q.Body, &body, json.RejectUnknownMembers(true)); err != nil {
		return httpapi.Answer{}, &usecase.Error{Type: usecase.ValidationError,
			Message: "The body is not JSON with the members files, test, case, order and foreign.", Err: err}
	}
	if len(body.Files) > maxFiles {
		return httpapi.Answer{}, usecase.Failf(usecase.ValidationError, "%d files were sent; a bundle that is tried here has at most %d.", len(body.Files), maxFiles)
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-q.Context().Done():
		return httpapi.Answer{}, q.Context().Err()
	}
	v := tryView{Problems: []rules.Problem{}, Cases: []caseView{}}
	b, err := c.load(q, body, &v)
	if b == nil || err != nil {
		return httpapi.Answer{Body: v}, err
	}
	if body.Order != "" {
		err = c.tryOrder(q, body, b, &v)
	} else {
		err = c.tryCase(q.Context(), body, b, &v)
	}
	return httpapi.Answer{Body: v}, err
}

// load checks the files. It returns nil where they are faulty, and says so in v.
func (c *console) load(q *httpapi.Request, body tryBody, v *tryView) (*rules.Bundle, error) {
	var files []rules.File
	for _, f := range body.Files {
		if !strings.HasSuffix(f.Name, ".test.yaml") {
			files = append(files, rules.File{Name: f.Name, Data: []byte(f.Text)})
		}
	}
	opt := rules.Options{}
	if !body.Foreign {
		opt.Providers, opt.Locations = c.Providers(q.Tenant), q.Tenant.Places()
	}
	b, err := rules.Load(files, opt)
	if err != nil {
		return nil, v.faults(err)
	}
	v.Bundle, v.Hash, v.Rules = b.Name(), b.Hash(), b.Size()
	if live := c.Live(q.Tenant.ID).Bundle; live != nil {
		v.Live = live.Hash() == b.Hash()
	}
	ctx, done := c.within(q.Context(), maxLint)
	defer done()
	findings := b.Lint(ctx)
	if ctx.Err() != nil {
		v.Problems = append(v.Problems, rules.Problem{Code: "W630", File: files[0].Name, Line: 1, Column: 1, End: 2,
			Sentence: fmt.Sprintf("lint was not finished: here it stops after %s, and what it has found by then is true, and is not all", maxLint),
			Hint:     "run waybill rules lint on the files, which takes the time that it needs"})
	}
	for _, f := range findings {
		p := f.Problem
		if text := f.WitnessText(); text != "" {
			p.Hint += "; an order that shows it: " + text
		} else if f.NoWitness != "" {
			p.Hint += "; no order shows it: " + f.NoWitness
		}
		v.Problems = append(v.Problems, p)
	}
	return b, q.Context().Err() // whoever asked has left
}

// within is a context that ends after a time: a slot is not held longer than people wait for an answer.
func (c *console) within(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		if clock.Sleep(ctx, c.Clock, most) == nil {
			cancel()
		}
	}()
	return ctx, cancel
}

// faults takes over what is wrong with files; any other error is the engine's.
func (v *tryView) faults(err error) error {
	check, ok := errors.AsType[*rules.CheckError](err)
	if !ok {
		return err
	}
	v.Problems = append(v.Problems, check.Problems...)
	return nil
}

// tryCase runs the tests of the chosen file, and shows the decision of the chosen one. It ends with the question.
func (c *console) tryCase(ctx context.Context, body tryBody, b *rules.Bundle, v *tryView) error {
	running, done := c.within(ctx, maxTests)
	defer done()
	for _, f := range body.Files {
		if f.Name != body.Test {
			continue
		}
		suite, err := rules.LoadSuite(b, rules.File{Name: f.Name, Data: []byte(f.Text)})
		if err != nil {
			_ = v.faults(err) // LoadSuite fails with a *rules.CheckError alone
			return nil
		}
		names := suite.Cases()
		chosen := min(max(body.Case, 0), len(names)-1)
		for i, name := range names {
			if err := ctx.Err(); err != nil {
				return err
			}
			one := caseView{Name: name}
			if i < maxRun && running.Err() == nil || i == chosen {
				r := suite.RunCase(i, nil)
				if one.State = "passed"; !r.Passed() {
					one.State = "failed"
				}
				one.Unread = r.Unread
				if i == chosen {
					v.Failures = r.Failures
					if err := v.decide(ctx, b, &r.Decision); err != nil {
						return err
					}
				}
			}
			v.Cases = append(v.Cases, one)
		}
	}
	return nil
}

// tryOrder decides a stored order by the given rules, from the input and the quotes of then.
func (c *console) tryOrder(q *httpapi.Request, body tryBody, b *rules.Bundle, v *tryView) error {
	list, err := c.Orders.Decisions(q.Context(), q.Caller, body.Order)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return usecase.Failf(usecase.NotFound, "Nothing was decided yet of order %s.", body.Order)
	}
	d, err := rules.ParseDecision(list[len(list)-1].Record)
	if err != nil {
		return fmt.Errorf("decision of order %s: %w", body.Order, err)
	}
	r := b.Replay(&d)
	v.Recorded, v.Unknown = d.Sentence(), r.Unknown
	if err := v.decide(q.Context(), b, &r.Decision); err != nil {
		return err
	}
	v.Decision.Sentence = r.Sentence()
	return nil
}

// decide shows a decision and why it came so, unless whoever asked has left.
func (v *tryView) decide(ctx context.Context, b *rules.Bundle, d *rules.Decision) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v.Decision = viewOf(d)
	text, err := rules.Explain(b, *d)
	if err != nil {
		text = err.Error()
	}
	v.Decision.explain(text)
	return nil
}

// money is an amount for people, "" for nothing.
func money(m shipping.Money) string {
	if m.IsZero() {
		return ""
	}
	return m.String()
}
