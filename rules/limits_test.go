package rules_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// limitOf makes a file that is just good with n of something, and is refused with one more.
type limitOf struct {
	most int
	code string
	file func(n int) []rules.File
}

func oneFile(text string) []rules.File {
	return []rules.File{{Name: "a.rules.yaml", Data: []byte(text)}}
}

func condition(expression string) []rules.File {
	return oneFile("rules: 1\nexclude:\n  - name: A\n    when: |\n      " + expression + "\n")
}

// lines is a file with n numbered lines below a key.
func lines(n int, key, line string) []rules.File {
	var b strings.Builder
	b.WriteString("rules: 1\n" + key + ":\n")
	for i := range n {
		fmt.Fprintf(&b, "  "+line+"\n", i)
	}
	return oneFile(b.String())
}

// limits are the bounds of what is read, row by row.
var limits = map[string]limitOf{
	"bytes of a file": {256 << 10, "E401", func(n int) []rules.File {
		const head = "rules: 1\n#"
		return oneFile(head + strings.Repeat("x", n-len(head)))
	}},
	"bytes of a bundle": {1 << 20, "E401", func(n int) []rules.File {
		files := oneFile("rules: 1\n")
		for left := n - len(files[0].Data); left > 0; {
			size := min(left, 250_000)
			files = append(files, rules.File{Name: fmt.Sprintf("lists/l%d.csv", len(files)), Data: bytes.Repeat([]byte("a\n"), size)[:size]})
			left -= size
		}
		return files
	}},
	"runes of an expression": {2000, "E401", func(n int) []rules.File {
		const test = `order.id == "é"`
		return condition(`order.id == "` + strings.Repeat("é", n-len([]rune(test))) + `é"`)
	}},
	"nested brackets": {32, "E402", func(n int) []rules.File {
		return condition(strings.Repeat("(", n) + "order.asap" + strings.Repeat(")", n))
	}},
	"nested signs": {32, "E402", func(n int) []rules.File { return condition(strings.Repeat("not ", n) + "order.asap") }},
	"nodes of an expression": {300, "E404", func(n int) []rules.File {
		return condition("order.quantity in [" + strings.TrimSuffix(strings.Repeat("1,", n-5), ",") + "]")
	}},
	"runes of a pattern": {200, "E403", func(n int) []rules.File { return condition(`order.id matches "` + strings.Repeat("a", n) + `"`) }},
	"steps of a pattern": {499, "E403", func(n int) []rules.File { return condition(fmt.Sprintf(`order.id matches "a{%d}"`, n+1)) }},
	"steps of a bundle's patterns": {50, "E403", func(n int) []rules.File {
		return lines(n, "exclude", "- { name: r%d, when: 'order.id matches \"a{500}\"' }")
	}},
	"rules": {500, "E401", func(n int) []rules.File { return lines(n, "exclude", "- { name: r%d, when: order.asap }") }},
	"lets":  {500, "E401", func(n int) []rules.File { return lines(n, "let", "l%d: order.asap") }},
	"aliases": {0, "E505", func(n int) []rules.File {
		return oneFile("rules: 1\nlists:\n  a: [x]\n  b: " + []string{"[x]", "&x [x]"}[n] + "\n")
	}},
	"custom tags": {0, "E505", func(n int) []rules.File {
		return oneFile("rules: 1\nname: " + []string{"a", "!!binary aGVsbG8="}[n] + "\n")
	}},
}

func TestLimitsOfFiles(t *testing.T) {
	for name, l := range limits {
		t.Run(name, func(t *testing.T) {
			if _, err := rules.Load(l.file(l.most), rules.Options{}); err != nil {
				t.Errorf("%d: %.500v", l.most, err)
			}
			_, err := rules.Load(l.file(l.most+1), rules.Options{})
			check, ok := errors.AsType[*rules.CheckError](err)
			if !ok || check.Problems[0].Code != l.code {
				t.Errorf("%d: %.500v, want %s", l.most+1, err, l.code)
			}
		})
	}
}

// TestLimitsOfValues are those that show only while rules run: each failure is recorded, and what fails does not win.
func TestLimitsOfValues(t *testing.T) {
	lets := "let:\n  a0: order.id + order.id\n"
	for i := range 12 {
		lets += fmt.Sprintf("  a%d: a%d + a%d\n", i+1, i, i)
	}
	for name, file := range map[string]string{
		"text is longer than 4096 characters": lets + "exclude:\n  - { name: A, when: 'a12 == \"x\"' }\n",
		"memory budget":                       "exclude:\n  - { name: A, when: 'order.quantity in 1..(order.quantity * 100001)' }\n",
		"not a finite number":                 "rank: { score: 1e308 * (order.line_count + 9) }\n",
		"division by zero":                    "rank: { score: 1.0 / (order.line_count - order.line_count) }\n",
		"range":                               "adjust:\n  - { name: A, add: option.fee * 1e300 }\n",
	} {
		t.Run(name, func(t *testing.T) {
			b, err := rules.Load(oneFile("rules: 1\ncurrency: USD\n"+file), rules.Options{})
			if err != nil {
				t.Fatal(err)
			}
			src := source()
			d := b.Decide(b.Prepare(input(t, src), candidates()), offers())
			if len(d.Faults) == 0 || !strings.Contains(fmt.Sprint(d.Faults), name) {
				t.Errorf("faults %+v", d.Faults)
			}
		})
	}
}

// TestLimitsOfOrders: more items than are looked at are refused, of more offers the cheapest are kept and the others told.
func TestLimitsOfOrders(t *testing.T) {
	src := source()
	item := src.Items[0]
	src.Items = nil
	for range 500 {
		src.Items = append(src.Items, item)
	}
	if _, err := rules.NewInput(src); err != nil {
		t.Error(err)
	}
	src.Items = append(src.Items, item)
	if _, err := rules.NewInput(src); err == nil || !strings.Contains(err.Error(), "501 items") {
		t.Error(err)
	}
	var many []rules.Offer
	for i := range 70 {
		many = append(many, rules.Offer{ID: fmt.Sprint(i), Account: "ups", Quote: shipping.Quote{ServiceID: fmt.Sprintf("s%02d", i), Amount: usd(int64(10_000 - 100*i))}})
	}
	b := rules.Default()
	d := b.Decide(b.Prepare(input(t, source()), []rules.Candidate{{Account: "ups"}}), many)
	if len(d.Options) != 64 || d.Winner == nil || d.Winner.ID != "69" || len(d.Refused) != 6 || d.Refused[0].Code != "TOO_MANY_OFFERS" || d.Refused[0].Service != "s00" {
		t.Errorf("%d options, winner %+v, refused %+v", len(d.Options), d.Winner, d.Refused)
	}
	again, err := rules.Recompute(b, d)
	if err != nil || !bytes.Equal(encode(t, again), encode(t, d)) {
		t.Errorf("recomputed differently (%v)", err)
	}
}

// TestALargeListSaysHowToSplitIt: values are moved into lists; out of a list they move into another.
func TestALargeListSaysHowToSplitIt(t *testing.T) {
	list := rules.File{Name: "lists/zips.csv", Data: bytes.Repeat([]byte("60637\n"), 256<<10/6+1)}
	_, err := rules.Load(append(rules.DefaultFiles(), list), rules.Options{})
	if err == nil || !strings.Contains(err.Error(), "lists of two names") || strings.Contains(err.Error(), "move values into") {
		t.Error(err)
	}
}
