package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/core/carrierhost"
	"github.com/waybill-dev/waybill/core/config"
)

func newConfigCmd(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check configuration files"}
	cmd.AddCommand(newConfigCheckCmd(p))
	return asGroup(cmd)
}

func newConfigCheckCmd(p *program) *cobra.Command {
	var show bool
	var plugins string
	cmd := &cobra.Command{
		Use: "check FILE", Short: "Check a configuration file and what it includes", Args: cobra.ExactArgs(1),
		Long: "Check a configuration file, what it includes and what it takes from the environment. All mistakes are told at once.\n" +
			"The accounts are checked as well: every adapter that is installed is started once and asked what it wants to be configured\n" +
			"with. Where no folder of adapters is beside this program, name it with --plugins.",
		Example: "  waybill config check waybill.yaml --print\n  waybill config check waybill.yaml --plugins /usr/lib/waybill/plugins",
		RunE: func(cmd *cobra.Command, args []string) error {
			adapters, err := installed(cmd.Context(), plugins)
			if err != nil {
				return usageError(err)
			}
			c, err := config.LoadWith(args[0], p.getenv, adapters)
			if err != nil {
				return usageError(err)
			}
			if show {
				var known map[string]config.Adapter
				if adapters != nil {
					known = adapters(c)
				}
				masked, err := c.Masked(known)
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
			for _, w := range c.Warnings(time.Now()) {
				fmt.Fprintf(p.err, "warning: %s\n", w)
			}
			note := ""
			if adapters == nil {
				note = "; the accounts' own configurations were not checked, for want of adapters: name their folder with --plugins"
			}
			_, err = fmt.Fprintf(p.out, "%s is good%s\n", args[0], note)
			return err
		},
	}
	cmd.Flags().BoolVar(&show, "print", false, "print the effective configuration, defaults filled in and secrets masked; without adapters all of an account's own configuration")
	cmd.Flags().StringVar(&plugins, "plugins", "", "folder of the adapters that the accounts are checked against (default plugins beside this program)")
	return cmd
}

// installed asks the adapters of a folder what they want to be configured with; nil where no folder is named, and none is beside
// this program.
func installed(ctx context.Context, dir string) (config.Adapters, error) {
	if dir == "" {
		beside, err := adapterDir(dir)
		if err != nil || !isFolder(beside) {
			return nil, nil
		}
		dir = beside
	}
	found, err := carrierhost.Manifests(ctx, dir, hclog.NewNullLogger())
	if err != nil {
		return nil, err
	}
	known := map[string]config.Adapter{}
	for _, d := range found {
		known[d.Name] = config.Adapter{Schema: d.Manifest.ConfigSchema, Err: d.Err}
	}
	return func(*config.Config) map[string]config.Adapter { return known }, nil
}

// count is "1 rule", "2 rules".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
