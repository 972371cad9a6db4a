package config

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Masked renders the effective configuration as YAML, defaults filled, secrets as REDACTED.
func (c *Config) Masked() ([]byte, error) {
	b, err := yaml.Marshal(asYAML(c))
	if err != nil {
		return nil, fmt.Errorf("render configuration: %w", err)
	}
	return b, nil
}
