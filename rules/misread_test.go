package rules_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/measure"
)

// TestMisreadByYAML: what YAML cannot read is told where it stands, in words about the file, with what to do.
func TestMisreadByYAML(t *testing.T) {
	const flowed = "rules: 1\nexclude:\n  - {name: a, reason: x, when: order.gift}\n  - {name: b, reason: (x, when: order.paid}\n"
	const head = "rules: 1\nwarn:\n  - name: A\n    message: m\n"
	for _, s := range []measure.Slip{
		{Text: head + "    when: order.gift ? order.paid «:» order.asap\n    id: x\n", Want: "'order.gift ? order.paid : order.asap'"},
		{Text: head + "    about: Mind«:» it is heavy # really\n", Want: "'Mind: it is heavy'"},
		{Text: head + "    when: order.gift\n   «reason»: x\n", Want: "put 4 blanks before it"},
		{Text: head + "    when: order.gift\n «reason»: x\n", Want: "indented by 1 blank"},
		{Text: head + "    when: order.gift\n      «reason»: x\n", Want: "put 4 blanks before it"},
		{Text: head + "«\t»when: order.gift\n    reason: x\n", Want: "blanks in its place"},
		{Text: head + "  «\t»when: order.gift\n    reason: x\n", Want: "a tab"},
		{Text: head + "    «when order.gift»\n    reason: x\n", Want: "key: value"},
		{Text: head + "    when: order.id matches «\"»abc\n", Code: "none"},
		{Text: head + "    reason: «\"»abc\n", Want: "not closed"},
		{Text: head + "    reason: «'»abc\n    when: order.gift\n", Want: "not closed"},
		{Text: head + "    reason: \"a «\\d» digit\"\n", Want: "single quotes"},
		{Text: head + "    reason: «@»home\n", Want: "single quotes"},
		{Text: head + "    reason: «%»5\n", Want: "single quotes"},
		{Text: head + "    providers: «-» ups\n", Want: "[ups, fedex]"},
		{Text: head + "    providers: «[» ups, fedex\n    when: order.gift\n", Want: "close it with ]"},
		{Text: head + "    providers: «[» ups,\n      fedex\n    when: order.gift\n    reason: x\n", Want: "close it with ]"},
		{Text: head + "    providers: [ ups,\n      fedex ]\n    «:» x\n", Want: "key: value"},
		{Text: head + "    providers: [ ups, fedex «}»\n", Want: "write ]"},
		{Text: "rules: 1\nexclude:\n  - { name: A, when: order.gift ? order.paid «:» order.asap }\n", Want: "single quotes"},
		{Text: "rules: 1\nexclude:\n  - name: A\n    when: order.gift\n  «warn»:\n  - name: B\n", Want: "begin the entry with -"},
		{Text: "rules: 1\nname: x\n«-» a\n", Want: "an entry of a list"},
		{Text: "rules: 1\nexclude:\n  - name: A\n    about: |\n      a: b: c\n\n        \t- tabs are text here\n    reason: x: «y»\n", Code: "none"},
		{Text: head + "    about: |\n      a: b: c\n    id: x«:» y\n", Want: "'x: y'"},
		{Text: "rules: 1\nexclude:\n- name: A\n  when: order.gift\n «reason»: x\n", Want: "put 2 blanks before it"},
		{Text: "rules: 1\nname: a\x01b\n", Code: "none"},
		{Text: flowed + "  - {name: c, reason: x, when: time_between(\"16:00\"«,» \"21:00\")}\n", Want: `single quotes: 'time_between("16:00", "21:00")'`},
		{Text: flowed + "  - {name: c, reason: x, when: time_between(\"16:00\"«,» \"21:00\")}\n  - {name: d, when: order.asap}\n", Want: "single quotes"},
		{Text: flowed + "  - {name: c, when: any(order.items«,» .sku == \"A\"), reason: x}\n", Want: `single quotes: 'any(order.items, .sku == "A")'`},
		{Text: flowed + "  - {name: c, when: order.id matches \"a«,» b\", reason: x}\n", Want: `single quotes: 'order.id matches "a, b"'`},
		{Text: flowed + "  - {name: c, when: order.group in «[»\"a\", \"b\"], reason: x}\n", Want: `single quotes: 'order.group in ["a", "b"]'`},
		{Text: flowed + "  - {name: c, when: any(order.items«,»\n      .sku == \"A\"), reason: x}\n", Want: "single quotes"},
		{Text: head + "    when: |\n      order.gift\n     «and order.paid»\n", Want: "put 6 blanks before it"},
		{Text: flowed + "  - name: c\n    when: |\n\n       order.gift\n      # why\n     «and order.paid»\n    reason: x\n", Want: "put 7 blanks before it"},
	} {
		t.Run(s.Text, func(t *testing.T) {
			if s.Code == "none" { // what is found elsewhere: it must only be refused
				if _, err := rules.Load(oneFile(strings.NewReplacer("«", "", "»", "").Replace(s.Text)), rules.Options{}); err == nil {
					t.Error("it was taken")
				}
				return
			}
			s.Code = "E501"
			checkSlip(t, s, s.Text)
		})
	}
}

// TestMisreadHidesNothing: texts that want quotes are all told, and the other mistakes of the file too.
func TestMisreadHidesNothing(t *testing.T) {
	got, err := places(t, "rules: 1\nexclude:\n  - name: A\n    when: order.gift ? order.paid : order.asap\n  - name: B\n    when: order.wieght > lb(1)\n    reason: heavy: too much\n")
	if diff := cmp.Diff([]string{"4:35-36 E501", "6:17-23 E102", "7:18-19 E501"}, got); diff != "" {
		t.Errorf("%s\n%v", diff, err)
	}
}

// places are those of the problems of a file that is refused, each with its code.
func places(t *testing.T, text string) ([]string, error) {
	t.Helper()
	_, err := rules.Load(oneFile(text), rules.Options{})
	check, ok := errors.AsType[*rules.CheckError](err)
	if !ok {
		t.Fatalf("it was not refused: %v", err)
	}
	var list []string
	for _, p := range check.Problems {
		list = append(list, fmt.Sprintf("%d:%d-%d %s", p.Line, p.Column, p.End, p.Code))
	}
	return list, err
}

// TestMisreadNearby breaks every line of the examples in some ways: each refusal is about that line or one beside it, and none speaks the parser's words.
func TestMisreadNearby(t *testing.T) {
	names, err := filepath.Glob("../examples/rules/*/*.rules.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	broken := map[string]func(string) string{
		"a tab":           func(line string) string { return "\t" + strings.TrimLeft(line, " ") },
		"a blank less":    func(line string) string { return strings.TrimPrefix(line, " ") },
		"a blank more":    func(line string) string { return " " + line },
		"no colon":        func(line string) string { return strings.Replace(line, ":", "", 1) },
		"another colon":   func(line string) string { return line + ": more" },
		"an open bracket": func(line string) string { return strings.TrimRight(line, " ]}") },
	}
	tried, near := 0, 0
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(data), "\n")
		for i, line := range lines {
			for how, change := range broken {
				changed := append([]string(nil), lines...)
				changed[i] = change(line)
				text := strings.Join(changed, "\n")
				if yaml.Unmarshal([]byte(text), new(yaml.Node)) == nil {
					continue
				}
				_, err := rules.Load(oneFile(text), rules.Options{})
				check, ok := errors.AsType[*rules.CheckError](err)
				if !ok {
					t.Fatalf("%s:%d, %s: %v", name, i+1, how, err)
				}
				tried++
				if slices.ContainsFunc(check.Problems, func(p rules.Problem) bool { return p.Line >= i && p.Line <= i+2 }) {
					near++
				} else {
					t.Logf("%s:%d, %s: %v", name, i+1, how, check.Problems[0])
				}
				if p := check.Problems[0]; strings.Contains(p.Sentence, "expected") || strings.Contains(p.Sentence, "token") {
					t.Errorf("%s:%d, %s: %s", name, i+1, how, p.Sentence)
				}
			}
		}
	}
	if tried < 100 || near*100 < tried*95 {
		t.Errorf("%d of %d refusals are about the line that is broken", near, tried)
	}
}

// TestMisreadTwiceInALine: what stands behind or in a text that wanted quotes is told at its own place.
func TestMisreadTwiceInALine(t *testing.T) {
	for line, want := range map[string][]string{
		"  - {name: A, reason: is (a, b), when: any(order.items, .sku == order.id)}": {"3:28-29 E501", "3:55-56 E501"},
		"  - {name: A, reason: is (a, b), when: order.asap ]}":                       {"3:28-29 E501", "3:51-52 E501"},
		"  - {name: A, when: any(order.items, .wieght > lb(1)), reason: x}":          {"3:36-37 E501", "3:39-45 E102"},
	} {
		got, err := places(t, "rules: 1\nexclude:\n"+line+"\n")
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q\n%v", got, want, err)
		}
	}
}
