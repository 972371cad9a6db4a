package rules_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/rules"
)

// hostile are files that want to hurt: each must be refused, quickly.
func hostile() map[string]string {
	condition := func(expression string) string {
		return "rules: 1\nexclude:\n  - name: A\n    reason: b\n    when: |\n      " + expression + "\n"
	}
	lets := "rules: 1\nlet:\n  a0: order.id + order.id\n"
	for i := range 30 {
		lets += fmt.Sprintf("  a%d: a%d + a%d(\n", i+1, i, i)
	}
	return map[string]string{
		"500 KB of (":            condition(strings.Repeat("(", 500_000)),
		"250 KB of (":            condition(strings.Repeat("(", 250_000)),
		"1,999 of (":             condition(strings.Repeat("(", 1990)),
		"1,999 of [":             condition(strings.Repeat("[", 1990)),
		"250 KB of !":            condition(strings.Repeat("!", 250_000)),
		"1,999 of !":             condition(strings.Repeat("!", 1990) + "order.asap"),
		"1,999 of -":             condition(strings.Repeat("-", 1990) + "1 > 0"),
		"not not not":            condition(strings.Repeat("not ", 450) + "order.asap"),
		"ternaries":              condition(strings.Repeat("order.asap?", 180) + "1"),
		"many nodes":             condition("order.quantity in [" + strings.Repeat("1,", 900) + "1]"),
		"huge regexp":            condition(`order.id matches "` + strings.Repeat("(a+)+", 60) + `"`),
		"regexp from the order":  condition(`"x" matches order.id`),
		"broken doubling lets":   lets,
		"range":                  condition("1 in 1..9999999999999999999"),
		"clock":                  condition("now() > order.created"),
		"environment":            condition(`$env["order"] != order`),
		"method":                 condition(`order.created.UnixNano() > 0`),
		"yaml flow nesting":      "rules: 1\nx: " + strings.Repeat("[", 200_000),
		"yaml map nesting":       "rules: 1\nx: " + strings.Repeat("{a: ", 60_000),
		"yaml block nesting":     "rules: 1\nset:\n" + blocks(400),
		"yaml sequence nesting":  "rules: 1\nset:\n  " + strings.Repeat("- ", 100_000),
		"yaml bomb":              "rules: 1\nlists:\n  a: &a [x, x, x]\n  b: &b [*a, *a, *a, *a]\n  c: [*b, *b, *b, *b]\n",
		"yaml tag":               "rules: 1\nname: !!binary aGVsbG8=\n",
		"yaml question marks":    "rules: 1\n" + strings.Repeat("? ", 100_000),
		"yaml anchors":           "rules: 1\n" + strings.Repeat("&a ", 80_000),
		"a patch everywhere":     "rules: 1\nexclude: [ { name: A, when: order.asap } ]\nlocations:\n" + patches(8000),
		"huge list of bad rules": "rules: 1\nexclude:\n" + strings.Repeat("  - { name: A, when: 1 }\n", 5000),
		"not utf-8":              "rules: 1\nname: \xff\xfe\n",
		"nothing":                "",
		"zero bytes":             strings.Repeat("\x00", 100_000),
	}
}

func patches(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  l%d: {exclude: {A: {}}}\n", i)
	}
	return b.String()
}

func blocks(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i+1) + "a:\n")
	}
	return b.String()
}

// muchTooLong is far beyond what any machine needs, however busy: it tells work that explodes from work that is bounded.
// BenchmarkHostile measures what it really takes.
const muchTooLong = 10 * time.Second

func TestHostileFilesAreRefused(t *testing.T) {
	for name, text := range hostile() {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := rules.Load([]rules.File{{Name: "hostile.rules.yaml", Data: []byte(text)}}, rules.Options{})
			if took := time.Since(start); took > muchTooLong {
				t.Errorf("refused after %v", took)
			}
			var check *rules.CheckError
			if !errors.As(err, &check) || len(check.Problems) == 0 {
				t.Fatalf("it was not refused: %v", err)
			}
		})
	}
}

// BenchmarkHostile reports the slowest refusal; the target is 50 ms.
func BenchmarkHostile(b *testing.B) {
	var slowest time.Duration
	for b.Loop() {
		for _, text := range hostile() {
			start := time.Now()
			if _, err := rules.Load([]rules.File{{Name: "hostile.rules.yaml", Data: []byte(text)}}, rules.Options{}); err == nil {
				b.Fatal("not refused")
			}
			slowest = max(slowest, time.Since(start))
		}
	}
	b.ReportMetric(float64(slowest.Microseconds())/1000, "ms-slowest")
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

// TestRunawayExpressionsAreStopped runs conditions that load but would work without end or eat the memory.
func TestRunawayExpressionsAreStopped(t *testing.T) {
	src := source()
	for range 99 {
		src.Items = append(src.Items, src.Items[0])
	}
	loop := "any(order.items, false)"
	for range 4 {
		loop = "any(order.items, " + loop + ")"
	}
	lets := "let:\n  a0: order.id + order.id\n"
	for i := range 25 {
		lets += fmt.Sprintf("  a%d: a%d + a%d\n", i+1, i, i)
	}
	for name, file := range map[string]string{
		"nested loops":   "rules: 1\nexclude:\n  - { name: A, when: '" + loop + "' }\n",
		"doubling texts": "rules: 1\n" + lets + "exclude:\n  - { name: A, when: 'a25 == \"x\"' }\n",
		"a long range":   "rules: 1\nexclude:\n  - { name: A, when: 'order.quantity in 1..(order.quantity * 100000)' }\n",
	} {
		t.Run(name, func(t *testing.T) {
			b, err := rules.Load([]rules.File{{Name: "a.rules.yaml", Data: []byte(file)}}, rules.Options{})
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			plan := b.Prepare(input(t, src), candidates())
			if took := time.Since(start); took > muchTooLong {
				t.Errorf("it took %v", took)
			}
			if len(plan.Faults) == 0 {
				t.Fatal("no fault was recorded")
			}
			if len(plan.Ask) > 0 {
				t.Error("an exclude that fails must exclude")
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(fewRules))
	for _, s := range structureSlips {
		f.Add([]byte(strings.NewReplacer("«", "", "»", "").Replace(s.text)))
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
	for _, s := range expressionSlips {
		f.Add(strings.NewReplacer("«", "", "»", "").Replace(s.text))
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
	})
}

// FuzzParseDecision reads anything as a stored record of a decision: what reads can be said in words and written again.
func FuzzParseDecision(f *testing.F) {
	f.Add([]byte(`{"schema":1,"rules":"h","plan":{},"winner":{"account":"ups","service":"ground","fee":{"minor":975,"currency":"USD"}},"options":[{"account":"ups","service":"ground","rank":1}]}`))
	f.Add([]byte(`{"schema":1,"excluded":[{"account":"a"}],"fallback":[{}],"none":{}}`))
	f.Add([]byte(`{"schema":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := rules.ParseDecision(b)
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
