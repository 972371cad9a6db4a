package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// keyPrefix makes a key recognisable where it should not stand: in a log, in a repository.
const keyPrefix = "wb_"

func newKeysCmd(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Make API keys"}
	cmd.AddCommand(newKeysNewCmd(p))
	return asGroup(cmd)
}

func newKeysNewCmd(p *program) *cobra.Command {
	name := "key"
	cmd := &cobra.Command{
		Use: "new", Short: "Print a new API key and what the configuration says of it",
		Long: "Print a new API key, once, and the lines to add to a tenant's keys. The configuration holds the key's SHA-256 only,\n" +
			"so nobody who reads it can use the key, and a lost key cannot be found again.",
		Example: "  waybill keys new --name web_shop", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if strings.TrimSpace(name) == "" {
				return usageError(fmt.Errorf("--name is empty; it stands in status histories as the one who did it"))
			}
			key := keyPrefix + strings.ToLower(rand.Text()) // 130 bits
			sum := sha256.Sum256([]byte(key))
			lines, err := yaml.Marshal([]struct {
				Name   string `yaml:"name"`
				SHA256 string `yaml:"sha256"`
			}{{name, hex.EncodeToString(sum[:])}})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.out, "%s\n\n# keep the key above, it is not shown again; add this to tenants.<tenant>.keys:\n%s", key, lines)
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", name, "who uses the key")
	return cmd
}
