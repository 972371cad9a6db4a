package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/core/config"
)

func newConfigCmd(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check configuration files"}
	cmd.AddCommand(newConfigCheckCmd(p))
	return asGroup(cmd)
}

func newConfigCheckCmd(p *program) *cobra.Command {
	var show bool
	cmd := &cobra.Command{
		Use: "check FILE", Short: "Check a configuration file and what it includes", Args: cobra.ExactArgs(1),
		Long:    "Check a configuration file, what it includes and what it takes from the environment. All mistakes are told at once.",
		Example: "  waybill config check waybill.yaml --print",
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := config.Load(args[0], p.getenv)
			if err != nil {
				return usageError(err)
			}
			if show {
				masked, err := c.Masked()
				if err != nil {
					return err
				}
				_, err = p.out.Write(masked)
				return err
			}
			for _, id := range slices.Sorted(maps.Keys(c.Tenants)) {
				t := c.Tenants[id]
				fmt.Fprintf(p.out, "%s: %s, %s, %s\n", id, count(len(t.Accounts), "account"), count(len(t.Locations), "location"), count(len(t.Keys), "key"))
			}
			_, err = fmt.Fprintf(p.out, "%s is good\n", args[0])
			return err
		},
	}
	cmd.Flags().BoolVar(&show, "print", false, "print the effective configuration, defaults filled in and secrets masked")
	return cmd
}

// count is "1 rule", "2 rules".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
