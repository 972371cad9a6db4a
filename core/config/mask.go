package config

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Masked renders the effective configuration as YAML, defaults filled, secrets as REDACTED: members that are one, whatever came from the
// environment or a file of a secret, also inside a longer text, and of URLs the user, the password and the query. Of an account's own
// configuration it shows what the adapter's schema declares and does not call a secret; without the adapter nobody knows what is one, and
// all is masked.
func (c *Config) Masked(known map[string]Adapter) ([]byte, error) {
	configs := map[string]map[string]*yaml.Node{}
	for id, t := range c.Tenants {
		configs[id] = map[string]*yaml.Node{}
		for name, a := range t.Accounts {
			if n := maskedConfig(a, known[a.Adapter]); n != nil {
				configs[id][name] = n
			}
		}
	}
	var doc yaml.Node
	if err := doc.Encode(asYAML(c)); err != nil {
		return nil, fmt.Errorf("render configuration: %w", err)
	}
	for id, accounts := range configs {
		for name, n := range accounts {
			if at := valueAt(&doc, "tenants", id, "accounts", name, "config"); at != nil {
				*at = *n
			}
		}
	}
	c.hidden.mask(&doc, "")
	b, err := yaml.Marshal(&doc)
	if err != nil {
		return nil, fmt.Errorf("render configuration: %w", err)
	}
	return b, nil
}

// valueAt returns the value under a path of names, nil where there is none.
func valueAt(n *yaml.Node, path ...string) *yaml.Node {
	for _, name := range path {
		if n = member(n, name); n == nil {
			return nil
		}
	}
	return n
}

// openSchema is what of an adapter's schema says which members are secrets.
type openSchema struct {
	Secret     bool                   `json:"x-secret"`
	Properties map[string]*openSchema `json:"properties"`
	Items      *openSchema            `json:"items"`
	Additional json.RawMessage        `json:"additionalProperties"`
}

// of returns the schema of a member, nil where it declares none.
func (s *openSchema) of(name string) *openSchema {
	if p := s.Properties[name]; p != nil {
		return p
	}
	var more openSchema
	if len(s.Additional) == 0 || json.Unmarshal(s.Additional, &more) != nil {
		return nil // absent, true or false
	}
	return &more
}

// maskedConfig is an account's own configuration without its secrets, nil where nothing tells them apart.
func maskedConfig(a *Account, adapter Adapter) *yaml.Node {
	var s openSchema
	if a.Config == "" || adapter.Err != nil || len(adapter.Schema) == 0 || json.Unmarshal(adapter.Schema, &s) != nil {
		return nil
	}
	var v any
	d := json.NewDecoder(bytes.NewReader([]byte(a.Config.Reveal())))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil
	}
	var n yaml.Node
	if n.Encode(masked(v, &s, "")) != nil {
		return nil
	}
	return &n
}

// masked replaces what the schema calls a secret, does not know, or what is a secret by its name or its look.
func masked(v any, s *openSchema, name string) any {
	if s == nil || s.Secret || holdsSecret(name) {
		return redacted
	}
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = masked(x, s.of(k), k)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = masked(x, s.Items, name)
		}
		return out
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: v.String()}
	}
	return v
}
