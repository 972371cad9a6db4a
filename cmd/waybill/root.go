package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// newRoot returns the whole command tree. started becomes true when a command begins, so that an error before that is known to be
// one of the command line.
func newRoot(p *program) (root *cobra.Command, started *bool) {
	started = new(bool)
	root = &cobra.Command{
		Use:   "waybill",
		Short: "A self-hosted carrier-integration engine",
		Long: "Waybill asks every carrier of a location for an estimate, lets your rules choose, books the winner and keeps its label.\n\n" +
			"Begin with 'waybill demo', or with 'waybill dev' and the requests that it prints.",
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) { *started = true },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newServeCmd(p), newDevCmd(p), newDemoCmd(p),
		newShipmentsCmd(p), newTrackersCmd(p), newWebhooksCmd(p), newRulesCmd(p), newPluginCmd(p), newSimCmd(p),
		newKeysCmd(p), newConfigCmd(p), newBenchCmd(), newVersionCmd(p),
		newBackupCmd(p), newRestoreCmd(p), newAuditCmd(p),
		newChaosCmd(p),
	)
	asGroup(root)
	return root, started
}

// asGroup makes a command that only holds others: alone it shows its help, and a name that it does not hold is a mistake.
func asGroup(c *cobra.Command) *cobra.Command {
	c.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := ""
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
		}
		return fmt.Errorf("there is no command %q in %q%s", args[0], cmd.CommandPath(), hint)
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	if c.SuggestionsMinimumDistance <= 0 {
		c.SuggestionsMinimumDistance = 2
	}
	return c
}
