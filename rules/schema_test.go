package rules_test

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/rules/measure"
)

// TestSchemasAreCurrent holds the committed schemas against the readers; -update writes them.
func TestSchemasAreCurrent(t *testing.T) {
	golden(t, "rules.schema.json", rules.RuleSchema())
	golden(t, "test.schema.json", rules.TestSchema())
}

func schema(t *testing.T, name string, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchemasTakeWhatLoads validates every example, and refuses the mistakes of structure that a schema can see.
func TestSchemasTakeWhatLoads(t *testing.T) {
	forRules, forTests := schema(t, "rules.json", rules.RuleSchema()), schema(t, "tests.json", rules.TestSchema())
	check := func(s *jsonschema.Schema, text []byte) error {
		var v any
		if err := yaml.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		return s.Validate(v)
	}
	for dir := range examples {
		for pattern, s := range map[string]*jsonschema.Schema{"*.rules.yaml": forRules, "*.test.yaml": forTests} {
			names, err := fs.Glob(os.DirFS(dir), pattern)
			if err != nil || len(names) == 0 {
				t.Fatal(dir, pattern, err)
			}
			for _, name := range names {
				text, err := fs.ReadFile(os.DirFS(dir), name)
				if err != nil {
					t.Fatal(err)
				}
				if err := check(s, text); err != nil {
					t.Errorf("%s/%s: %v", dir, name, err)
				}
				first, _, _ := strings.Cut(string(text), "\n")
				hint, ok := strings.CutPrefix(first, "# yaml-language-server: $schema=")
				if _, err := os.Stat(filepath.Join(dir, hint)); !ok || err != nil {
					t.Errorf("%s/%s begins with %q, which leads editors to no schema (%v)", dir, name, first, err)
				}
			}
		}
	}
	if err := check(forRules, []byte(suiteRules)); err != nil {
		t.Error(err)
	}
	refused := 0
	for _, slip := range measure.StructureSlips {
		text := strings.NewReplacer("«", "", "»", "").Replace(slip.Text)
		var v any
		if slip.Code == "E501" && yaml.Unmarshal([]byte(text), &v) == nil {
			refused++
			if check(forRules, []byte(text)) == nil {
				t.Errorf("the schema takes\n%s", text)
			}
		}
	}
	for _, bad := range []string{"tests: 1\ncases: [{ name: A, expect: { choosen: ups } }]", "tests: 2\ncases: []", "tests: 1\ncases: [{ name: A, order: { totl: 1 }, expect: {} }]"} {
		if check(forTests, []byte(bad)) == nil {
			t.Errorf("the schema takes\n%s", bad)
		}
	}
	if refused < 4 {
		t.Errorf("only %d slips were tried", refused)
	}
}

// whole holds for each phase the keys that a rule of it may have, each with a good value.
var whole = map[string]map[string]any{
	"hold":    {"name": "A", "when": "order.asap", "until": "released", "for": "30m", "reason": "why"},
	"set":     {"name": "A", "when": "order.asap", "set": map[string]any{"signature": "adult"}},
	"exclude": {"name": "A", "when": "order.asap", "providers": []any{"ups"}, "services": []any{"ups/ground"}, "reason": "why"},
	"adjust":  {"name": "A", "when": "order.asap", "providers": []any{"ups"}, "add": "1 USD", "charge": "2 USD", "reason": "why"},
	"choose":  {"name": "A", "when": "order.asap", "prefer": []any{"ups"}, "only": []any{"ups"}, "split": map[string]any{"ups": 10, "rank": 90}},
	"guard": {"name": "A", "when": "order.asap", "applies": "order.asap", "max_fee": "9 USD", "max_dropoff": "2h", "daily_budget": "9 USD", "per": "location",
		"on_breach": "next", "reason": "why"},
	"fallback": {"name": "A", "when": "order.asap", "on": []any{"no_driver"}, "steps": []any{"next_ranked"}, "limit": map[string]any{"attempts": 2}, "requote": "always", "use": "latest"},
	"warn":     {"name": "A", "when": "order.asap", "message": "why", "level": "high"},
	"a step":   {"use": "ups", "if_available": true, "hold_for": "3m", "notify": "manager"},
	"rank":     {"score": "dollars(option.cost)", "strategy": "cheapest", "ties": []any{"option.provider"}, "about": "why"},
	"none":     {"hold_for": "3m", "retry": 2, "then": map[string]any{"hold": true}},
}

// TestSchemaAndReaderAgree takes away keys of a rule of each phase, in every combination: what the schema takes Load takes, and the other way round.
func TestSchemaAndReaderAgree(t *testing.T) {
	s := schema(t, "rules.json", rules.RuleSchema())
	for phase, members := range whole {
		keys := slices.Sorted(maps.Keys(members))
		verdicts := map[bool]int{}
		for kept := range 1 << len(keys) {
			one := map[string]any{}
			for i, key := range keys {
				if kept&(1<<i) != 0 {
					one[key] = members[key]
				}
			}
			file := map[string]any{"rules": 1, phase: []any{one}}
			switch phase {
			case "a step":
				file = map[string]any{"rules": 1, "fallback": []any{map[string]any{"name": "A", "on": []any{"no_driver"}, "steps": []any{one}}}}
			case "rank", "none":
				file[phase] = one
			}
			agree(t, s, file, verdicts)
		}
		if verdicts[true] == 0 || verdicts[false] == 0 {
			t.Errorf("%s: %v are not both verdicts", phase, verdicts)
		}
	}
}

// TestSchemaKnowsMonthsAndDays: days that no calendar has are refused by both.
func TestSchemaKnowsMonthsAndDays(t *testing.T) {
	s := schema(t, "rules.json", rules.RuleSchema())
	for day, want := range map[string]bool{"2026-12-31": true, "2026-01-10": true, "2026-13-01": false, "2026-00-01": false, "2026-01-32": false, "2026-01-00": false} {
		verdicts := map[bool]int{}
		agree(t, s, map[string]any{"rules": 1, "warn": []any{map[string]any{"name": "A", "message": "m", "from": day}}}, verdicts)
		if verdicts[want] != 1 {
			t.Errorf("%s: taken %v", day, verdicts)
		}
	}
}

// agree compares the verdicts over one file.
func agree(t *testing.T, s *jsonschema.Schema, file map[string]any, verdicts map[bool]int) {
	t.Helper()
	text, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	told := s.Validate(v)
	_, found := rules.Load(oneFile(string(text)), rules.Options{})
	if (told == nil) != (found == nil) {
		t.Errorf("the schema says %v, the reader %v of\n%s", told, found, text)
	}
	verdicts[found == nil]++
}

// TestEmptiedLists: a list that was emptied does not make a rule wider. Schema and reader refuse it, the reader with a sentence at its place.
func TestEmptiedLists(t *testing.T) {
	s := schema(t, "rules.json", rules.RuleSchema())
	for _, slip := range []measure.Slip{
		{Code: "E502", Text: "exclude:\n  - { name: A, when: order.asap, providers: «[»] }\n", Want: "providers is empty"},
		{Code: "E502", Text: "exclude:\n  - { name: A, when: order.asap, services: «[»] }\n", Want: "services is empty"},
		{Code: "E502", Text: "exclude:\n  - { name: A, when: order.asap, locations: «[»] }\n", Want: "locations is empty"},
		{Code: "E505", Text: "exclude:\n  - { name: A, when: order.asap, locations: [ «\"tag:\"» ] }\n", Want: "names no tag"},
		{Code: "E505", Text: "fallback:\n  - { name: A, on: [ «pickup_late_1h» ], steps: [ next_ranked ] }\n", Want: "how many minutes late"},
		{Code: "E502", Text: "adjust:\n  - { name: A, add: 1 USD, providers: «[»] }\n", Want: "leave it out for all"},
		{Code: "E502", Text: "choose:\n  - { name: A, only: «[»] }\n", Want: "only is empty"},
		{Code: "E502", Text: "choose:\n  - { name: A, prefer: «[»] }\n", Want: "prefer is empty"},
		{Code: "E502", Text: "fallback:\n  - { name: A, on: «[»], steps: [next_ranked] }\n", Want: "on is empty"},
		{Code: "E502", Text: "fallback:\n  - { name: A, on: [no_driver], steps: «[»] }\n", Want: "steps is empty"},
		{Code: "E502", Text: "set:\n  - «{» name: A, set: {} }\n", Want: "sets nothing"},
		{Code: "E505", Text: "exclude:\n  - { name: A, when: order.asap }\nlocations:\n  «tag:»: { exclude: { A: { enabled: false } } }\n", Want: "names no tag"},
	} {
		file := "rules: 1\n" + slip.Text
		checkSlip(t, slip, file)
		var v any
		if err := yaml.Unmarshal([]byte(strings.NewReplacer("«", "", "»", "").Replace(file)), &v); err != nil {
			t.Fatal(err)
		}
		if s.Validate(v) == nil {
			t.Errorf("the schema takes\n%s", file)
		}
	}
}
