package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/core/carrierhost"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/node"
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
			"with, unless waybill.lock refuses it. Where no folder of adapters is beside this program or in plugins.dir, name it with --plugins.",
		Example: "  waybill config check waybill.yaml --print\n  waybill config check waybill.yaml --plugins /usr/lib/waybill/plugins",
		RunE: func(cmd *cobra.Command, args []string) error {
			a := &asked{ctx: cmd.Context(), dir: plugins}
			c, err := config.LoadWith(args[0], p.getenv, a.adapters)
			if err := errors.Join(err, a.err); err != nil {
				return usageError(err)
			}
			if show {
				masked, err := c.Masked(a.known)
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
			if a.known == nil {
				note = "; the accounts' own configurations were not checked, for want of adapters: name their folder with --plugins"
			}
			_, err = fmt.Fprintf(p.out, "%s is good%s\n", args[0], note)
			return err
		},
	}
	cmd.Flags().BoolVar(&show, "print", false, "print the effective configuration, defaults filled in; masked are secrets, what came from the environment or a file, users and queries of URLs, and without adapters all of an account's own configuration")
	cmd.Flags().StringVar(&plugins, "plugins", "", "folder of the adapters that the accounts are checked against (default plugins.dir, else plugins beside this program)")
	return cmd
}

// asked are the adapters of a folder and what they want to be configured with. They are asked once, and as far as the lock of the
// configuration allows.
type asked struct {
	ctx   context.Context
	dir   string // that was named, "" for that of the configuration, else the one beside this program
	done  bool
	known map[string]config.Adapter // nil where there is no folder
	err   error                     // of the folder or the lock
}

// adapters answers nil, so that nothing is held against it, where the folder or the lock cannot be used.
func (a *asked) adapters(c *config.Config) map[string]config.Adapter {
	if !a.done {
		a.done = true
		a.known, a.err = a.ask(c)
	}
	return a.known
}

func (a *asked) ask(c *config.Config) (map[string]config.Adapter, error) {
	dir, err := adapterDir(firstOf(a.dir, c.Plugins.Dir))
	if err != nil || a.dir == "" && !isFolder(dir) {
		return nil, nil
	}
	lock, err := node.LockOf(c, dir)
	if err != nil {
		return nil, err
	}
	found, err := carrierhost.Manifests(a.ctx, dir, lock, hclog.NewNullLogger())
	if err != nil {
		return nil, err
	}
	known := map[string]config.Adapter{}
	for _, d := range found {
		known[d.Name] = config.Adapter{Schema: d.Manifest.ConfigSchema, Err: d.Err}
	}
	return known, nil
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
