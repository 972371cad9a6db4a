package config

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Adapter is what is known of an adapter when accounts are held against it.
type Adapter struct {
	// Schema is the JSON Schema of an account's configuration, as the adapter's manifest has it. Without one nothing is checked.
	Schema []byte
	Err    error // why the adapter cannot be used, nil where it can
}

// Adapters answers the adapters that there are, by name; nil where that is not known, and then no account is checked. It is asked
// with each configuration that is read, which may be faulty in other ways.
type Adapters func(c *Config) map[string]Adapter

// AdapterNames are the adapters that accounts name, sorted.
func (c *Config) AdapterNames() []string {
	names := map[string]bool{}
	for _, a := range c.AllAccounts() {
		names[a.Adapter] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// checkAccounts holds each account against its adapter.
func checkAccounts(c *Config, known map[string]Adapter, at reporter) {
	if known == nil {
		return
	}
	schemas := map[string]*jsonschema.Schema{}
	for _, a := range c.AllAccounts() {
		path := "tenants." + a.Tenant + ".accounts." + a.ID
		adapter, ok := known[a.Adapter]
		switch {
		case !accountID.MatchString(a.Adapter):
			continue // said already
		case !ok:
			at(path+".adapter", didYouMean(a.Adapter, slices.Collect(maps.Keys(known))), "there is no adapter %q", a.Adapter)
			continue
		case adapter.Err != nil:
			at(path+".adapter", "", "the adapter %q cannot be used: %v", a.Adapter, adapter.Err)
			continue
		case len(adapter.Schema) == 0:
			continue
		}
		schema := schemas[a.Adapter]
		if schema == nil {
			var err error
			if schema, err = compile(adapter.Schema); err != nil {
				at(path+".adapter", "its author has to mend it", "the adapter %q describes its configuration wrongly: %v", a.Adapter, err)
				continue
			}
			schemas[a.Adapter] = schema
		}
		checkAccountConfig(a, schema, path, at)
	}
}

func compile(schema []byte) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, err
	}
	const name = "adapter.json"
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{}) // a schema stands alone: nothing is fetched for it, from files or elsewhere
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	return c.Compile(name)
}

func checkAccountConfig(a *Account, schema *jsonschema.Schema, path string, at reporter) {
	text := a.Config.Reveal()
	where := path + ".config"
	if text == "" {
		text, where = "{}", path
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		at(path+".config", "", "must be a mapping of names to values")
		return
	}
	value = withoutNulls(value)
	if invalid, ok := schema.Validate(value).(*jsonschema.ValidationError); ok {
		refusals(invalid, schema, where, at)
	}
	if members, ok := value.(map[string]any); ok {
		for _, name := range schema.Required { // "" is what a variable gives that is set to nothing
			if members[name] == "" {
				at(where+"."+name, "", "is required by the adapter %s, and empty", a.Adapter)
			}
		}
	}
}

// withoutNulls leaves out members without a value: to adapters they are absent.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(_ string, member any) bool { return member == nil })
		for name, member := range v {
			v[name] = withoutNulls(member)
		}
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return v
}

// refusals reports the leaves of what the schema refuses. The words are ours: those of the library show values, which may be secrets.
func refusals(e *jsonschema.ValidationError, schema *jsonschema.Schema, config string, at reporter) {
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			refusals(cause, schema, config, at)
		}
		return
	}
	path, s := config, schema
	for _, part := range e.InstanceLocation {
		switch _, err := strconv.Atoi(part); {
		case err == nil && s != nil && (s.Items2020 != nil || s.Items != nil):
			path += "[" + part + "]"
			s = s.Items2020
		default:
			path += "." + part
			if s != nil {
				s = s.Properties[part]
			}
		}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			var names []string
			if s != nil {
				names = slices.Collect(maps.Keys(s.Properties))
			}
			at(path+"."+name, didYouMean(name, names), "the adapter knows no member %q", name)
		}
	case *kind.Required:
		for _, name := range k.Missing {
			at(path+"."+name, "", "is required by the adapter")
		}
	case *kind.Type:
		at(path, "", "must be %s, not %s", plainTypes(k.Want), typeWords[k.Got])
	case *kind.Enum:
		words := make([]string, len(k.Want))
		for i, w := range k.Want {
			words[i] = fmt.Sprint(w)
		}
		at(path, "", "must be one of %s", strings.Join(words, ", "))
	default:
		at(path, "", "is refused by the adapter's schema (%s)", strings.Join(e.ErrorKind.KeywordPath(), "/"))
	}
}

var typeWords = map[string]string{
	"string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false", "object": "a mapping of names to values",
	"array": "a list", "null": "nothing",
}

func plainTypes(want []string) string {
	words := make([]string, len(want))
	for i, w := range want {
		words[i] = typeWords[w]
	}
	return strings.Join(words, " or ")
}
