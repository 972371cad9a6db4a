package rules_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/measure"
)

// muchTooLong is far beyond what any machine needs of its processors: it tells work that explodes from work that is bounded. What the
// clock shows says nothing on a busy machine.
// measure.Hostile measures what it really takes.
const muchTooLong = 10 * time.Second

func TestHostileFilesAreRefused(t *testing.T) {
	for name, text := range measure.HostileFiles() {
		t.Run(name, func(t *testing.T) {
			before := processorTime(t)
			_, err := rules.Load([]rules.File{{Name: "hostile.rules.yaml", Data: []byte(text)}}, rules.Options{})
			if took := processorTime(t) - before; took > muchTooLong {
				t.Errorf("refused after %v", took)
			}
			var check *rules.CheckError
			if !errors.As(err, &check) || len(check.Problems) == 0 {
				t.Fatalf("it was not refused: %v", err)
			}
		})
	}
}

// TestHeavyPatternsWithinTheLimits are taken, and told apart from those beyond them at their place.
func TestHeavyPatternsWithinTheLimits(t *testing.T) {
	if _, err := rules.Load(oneFile(measure.HeavyFile()), rules.Options{}); err != nil {
		t.Error(err)
	}
	checkSlip(t, measure.Slip{Code: "E403", Want: "smaller numbers"}, measure.SlipFile+"order.asap or order.to.city matches «\"(a1|b){1,900}\"»\n")
}

// TestOnlyRegularFilesAreRead: a link to a device without end is refused before it is read.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "zero.rules.yaml")); err != nil {
		t.Skip("no links here: ", err)
	}
	if _, err := rules.ReadDir(os.DirFS(dir)); err == nil || !strings.Contains(err.Error(), "zero.rules.yaml is not a regular file") {
		t.Errorf("a link to /dev/zero: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "zero.rules.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "large"), bytes.Repeat([]byte("#"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("large", filepath.Join(dir, "large.rules.yaml")); err != nil {
		t.Fatal(err)
	}
	files, err := rules.ReadDir(os.DirFS(dir))
	if err != nil || len(files) != 1 || len(files[0].Data) != 256<<10+1 {
		t.Fatalf("of a large file %d files were read: %v", len(files), err)
	}
	if _, err := rules.Load(files, rules.Options{}); err == nil || !strings.Contains(err.Error(), "larger than 256 KiB") {
		t.Errorf("a large file: %v", err)
	}
}

func TestTooManyBytesAndRules(t *testing.T) {
	var files []rules.File
	for i := range 6 {
		files = append(files, rules.File{Name: fmt.Sprintf("%d.rules.yaml", i), Data: []byte("rules: 1\n#" + strings.Repeat("x", 200_000))})
	}
	if _, err := rules.Load(files, rules.Options{}); err == nil || !strings.Contains(err.Error(), "1024 KiB") {
		t.Errorf("a bundle of 1.2 MB: %v", err)
	}
	var b strings.Builder
	b.WriteString("rules: 1\nexclude:\n")
	for i := range 501 {
		fmt.Fprintf(&b, "  - { name: r%d, when: order.asap }\n", i)
	}
	if _, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte(b.String())}}, rules.Options{}); err == nil || !strings.Contains(err.Error(), "more than 500") {
		t.Errorf("501 rules: %v", err)
	}
}

// TestLongTextsTakeSteps: a pattern is charged for the text that it goes through, in an expression and in a decision, and fails in plain words; one
// that a shop would write is not near the bound.
func TestLongTextsTakeSteps(t *testing.T) {
	const pattern = `order.attributes.x matches "([ab]{1,9}c?){1,9}[ab]*q"`
	faults := func(when string, n, length int) []rules.Fault {
		var file strings.Builder
		file.WriteString("rules: 1\nattributes: [x]\nexclude:\n")
		for i := range n {
			fmt.Fprintf(&file, "  - { name: r%d, when: '%s' }\n", i, when)
		}
		src := measure.Source()
		src.Attributes = map[string]string{"x": strings.Repeat("a", length)}
		b := mustLoaded(t, file.String())
		d := b.Decide(b.Prepare(input(t, src), candidates()), nil)
		if text, err := rules.Explain(b, d); err != nil || len(d.Plan.Faults) > 0 && !strings.Contains(text, d.Plan.Faults[0].Message) {
			t.Errorf("the explanation of %s does not say it too: %v\n%s", when, err, text)
		}
		return d.Plan.Faults
	}
	for name, c := range map[string]struct {
		when          string
		rules, length int
		want          string
	}{
		"one long text":  {pattern, 1, 10_000, "the text is too long for the pattern"},
		"many texts":     {pattern, 60, 500, "in all rules together"},
		"once an item":   {`any(order.items, order.attributes.x matches "([ab]{1,9}c?){1,9}[ab]*q")`, 1, 10_000, "the text is too long for the pattern"},
		"many searches":  {`upper(order.attributes.x) contains "Q" or trim(order.attributes.x) contains "q"`, 400, 10_000, "in all rules together"},
		"a short text":   {pattern, 60, 5, ""},
		"a plain search": {`order.attributes.x matches "(?i)po *box|^apo$" or lower(order.attributes.x) contains "q"`, 60, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found := faults(c.when, c.rules, c.length)
			switch {
			case c.want == "" && len(found) > 0:
				t.Errorf("it failed: %s", found[0].Message)
			case c.want != "" && (len(found) == 0 || !strings.Contains(found[len(found)-1].Message, c.want)):
				t.Errorf("faults %+v, want %s", found[max(len(found)-1, 0):], c.want)
			}
		})
	}
}

// TestRunawayExpressionsAreStopped runs conditions that load but would work without end or eat the memory.
func TestRunawayExpressionsAreStopped(t *testing.T) {
	src := measure.BusySource()
	for name, file := range measure.RunawayFiles() {
		t.Run(name, func(t *testing.T) {
			b, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte(file)}}, rules.Options{})
			if err != nil {
				t.Fatal(err)
			}
			before := processorTime(t)
			plan := b.Prepare(input(t, src), candidates())
			if took := processorTime(t) - before; took > muchTooLong {
				t.Errorf("it took %v", took)
			}
			if len(plan.Faults) == 0 {
				t.Fatal("no fault was recorded")
			}
			if len(plan.Ask) > 0 {
				t.Error("an exclude that fails must exclude")
			}
			if _, err := rules.Explain(b, b.Decide(plan, nil)); err != nil {
				t.Error(err)
			}
			if took := processorTime(t) - before; took > muchTooLong {
				t.Errorf("with the explanation it took %v", took)
			}
		})
	}
}

// TestEndlessFilesAreLookedInto by everything that looks into rules; where a condition was not looked at, that is said.
func TestEndlessFilesAreLookedInto(t *testing.T) {
	unread := map[string]bool{"lets that double": true, "lets that square": true, "nested choices": true, "many ands of ors": true}
	in := input(t, source())
	for name, file := range measure.EndlessFiles() {
		t.Run(name, func(t *testing.T) {
			b, err := rules.Load(oneFile(file), rules.Options{})
			if err != nil {
				t.Fatal(err)
			}
			before := processorTime(t)
			said := slices.ContainsFunc(b.Lint(t.Context()), func(f rules.Finding) bool { return f.Code == "W629" })
			if said != unread[name] {
				t.Errorf("it says that a condition was not looked at: %v", said)
			}
			if changes := rules.Diff(t.Context(), b, b); len(changes) > 0 {
				t.Errorf("a bundle differs from itself: %+v", changes)
			}
			d := b.Decide(b.Prepare(in, candidates()), offers())
			if _, err := rules.Explain(b, d); err != nil {
				t.Error(err)
			}
			if _, err := rules.WhatIf(b, d); err != nil {
				t.Error(err)
			}
			c := rules.NewCoverage(b)
			if err := c.Add(&d); err != nil {
				t.Error(err)
			}
			if r, err := rules.RunBacktest(b, bytes.NewReader(encode(t, d)), rules.BacktestOptions{Workers: 1}); err != nil || r.Orders != 1 {
				t.Errorf("%+v (%v)", r, err)
			}
			if took := processorTime(t) - before; took > 3*muchTooLong {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// leaving is a context that ends when it has been asked a number of times.
type leaving struct {
	context.Context
	asked, stays int
}

func (l *leaving) Err() error {
	if l.asked++; l.asked > l.stays {
		return context.Canceled
	}
	return nil
}

// TestLintEndsWithItsContext: what is left to do is told by how often the context is asked.
func TestLintEndsWithItsContext(t *testing.T) {
	b, err := rules.Load(oneFile(measure.EndlessFiles()["many ors of ands"]), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, stays := range []int{0, 100, 200, 700} {
		ctx := &leaving{Context: t.Context(), stays: stays}
		b.Lint(ctx)
		if more := ctx.asked - stays; more < 1 || more > 20 {
			t.Errorf("it asked %d times more after the end", more)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(fewRules))
	for _, s := range measure.StructureSlips {
		f.Add([]byte(strings.NewReplacer("«", "", "»", "").Replace(s.Text)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := rules.Load([]rules.File{{Name: "fuzz.rules.yaml", Data: data}}, rules.Options{Providers: manifests()})
		var check *rules.CheckError
		switch {
		case err == nil && b == nil, err != nil && !errors.As(err, &check):
			t.Fatalf("bundle %v, error %v", b, err)
		case err != nil && (len(check.Problems) == 0 || err.Error() == ""):
			t.Fatal("refused without a reason")
		}
	})
}

func FuzzExpr(f *testing.F) {
	for _, s := range measure.ExpressionSlips {
		f.Add(strings.NewReplacer("«", "", "»", "").Replace(s.Text))
	}
	for _, good := range []string{`order.total > usd(40) and not supports("alcohol")`, `any(order.items, .price > usd(1))`, `option.fee * 2 < order.total`} {
		f.Add(good)
	}
	in := input(f, source())
	f.Fuzz(func(t *testing.T, expression string) {
		file := "rules: 1\nexclude:\n  - name: A\n    when: '" + strings.ReplaceAll(expression, "'", "''") + "'\n"
		b, err := rules.Load([]rules.File{{Name: "fuzz.rules.yaml", Data: []byte(file)}}, rules.Options{})
		if err != nil {
			return
		}
		d := b.Decide(b.Prepare(in, candidates()), offers())
		again, err := rules.Recompute(b, d)
		if err != nil {
			t.Fatal(err)
		}
		x, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if y, _ := again.JSON(); string(x) != string(y) {
			t.Fatalf("two computations differ:\n%s\n%s", x, y)
		}
		if _, err := rules.Explain(b, d); err != nil {
			t.Fatalf("cannot explain: %v", err)
		}
		for _, f := range b.Lint(t.Context()) {
			if (f.Witness == nil) == (f.NoWitness == "") {
				t.Fatalf("%s has either an order or a reason why not: %+v", f.Code, f)
			}
			if _, err := b.Witness(f); (err == nil) != (f.Witness != nil) {
				t.Fatalf("the witness of %s cannot be decided: %v", f.Code, err)
			}
		}
	})
}

// FuzzParseDecision reads anything as a stored record of a decision: what reads can be said in words and written again.
func FuzzParseDecision(f *testing.F) {
	f.Add([]byte(`{"schema":1,"rules":"h","plan":{},"winner":{"account":"ups","service":"ground","fee":{"minor":975,"currency":"USD"}},"options":[{"account":"ups","service":"ground","rank":1}]}`))
	f.Add([]byte(`{"schema":1,"excluded":[{"account":"a"}],"fallback":[{}],"none":{}}`))
	f.Add([]byte(`{"schema":3}`))
	f.Add([]byte(`{"orderExternalId":"o","record":{"schema":1,"rules":"h","plan":{}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := rules.ParseRecord(b)
		if err != nil {
			return
		}
		d.Sentence()
		d.FallbackFor("booking_failed")
		again, err := d.JSON()
		if err != nil {
			return // a record of numbers that no decision has
		}
		if _, err := rules.ParseDecision(again); err != nil {
			t.Errorf("%q became %q, which does not read: %v", b, again, err)
		}
	})
}
