package rules_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
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
