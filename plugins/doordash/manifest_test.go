package main

import (
	"os"
	"regexp"
	"testing"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/sdk/carrier"
)

// The configuration that the README shows is one that the adapter opens, with every member of Config.
func TestConfigurationOfTheReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(readme)
	if block == nil {
		t.Fatal("no configuration in README.md")
	}
	var members map[string]any
	if err := yaml.Unmarshal(block[1], &members); err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties map[string]any `json:"properties"`
	}
	if err := json.Unmarshal(adapter.Manifest().ConfigSchema, &schema); err != nil {
		t.Fatal(err)
	}
	for name := range schema.Properties {
		if _, ok := members[name]; !ok {
			t.Errorf("README.md does not show %s", name)
		}
	}
	data, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := carrier.DecodeConfig[Config](data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := adapter.Open(t.Context(), cfg, carrier.NewEnv(carrier.EnvSettings{})); err != nil {
		t.Error(err)
	}
}
