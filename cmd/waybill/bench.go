package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// bench is one run of `waybill bench`.
type bench struct {
	orders   int
	clients  int
	idle     time.Duration // before the engine's memory is read
	stretch  time.Duration // of each measurement of a rate
	plugins  string
	profiles string // folder for profiles, "" for none
	dir      string // of everything that the run writes, gone afterwards
	progress io.Writer
	table    benchTable
}

// What the engine is expected to do on 2 cores.
const (
	wantOrders = 400 // a second, carriers and simulator included
	goalOrders = 600
	wantCommit = 0.3 // of append and fsync, at 64 writers
	wantAdded  = 5 * time.Millisecond
	wantMemory = 120 // MiB, anonymous
)

func newBenchCmd() *cobra.Command {
	b := &bench{}
	asJSON := false
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure what an order costs on this machine, each figure beside its floor", Args: cobra.NoArgs,
		Long: "Measure what an order costs on this machine: the whole product with simulated carriers, the engine without them, what it adds to\n" +
			"one order, and beside each figure a floor measured in the same run: what the disk, the sockets and JSON cost by themselves.\n" +
			"Figures of a busy machine are low; the ratios to the floors, and the processor time of each process, say more.",
		Example: "  waybill bench --orders 2000\n  waybill bench --json > before.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if b.orders < 1 || b.clients < 1 {
				return errors.New("--orders and --clients must be at least 1")
			}
			b.table.Orders, b.table.Clients = b.orders, b.clients
			return b.report(cmd, asJSON, b.parts)
		},
	}
	cmd.Flags().IntVar(&b.orders, "orders", 10_000, "how many orders to send in each part")
	cmd.Flags().IntVar(&b.clients, "clients", 64, "how many clients send them at once")
	cmd.Flags().DurationVar(&b.stretch, "stretch", 500*time.Millisecond, "how long each rate of commits and questions is measured")
	b.flags(cmd, &asJSON)
	cmd.AddCommand(newBenchTrackersCmd(), newBenchReloadCmd(), newBenchRulesCmd(), newBenchEngineCmd(), newBenchSimulatorCmd(), newBenchEchoCmd(), newBenchWebhooksCmd())
	return cmd
}

// flags are those of every bench.
func (b *bench) flags(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().DurationVar(&b.idle, "idle", 10*time.Second, "how long the engine idles before its memory is read")
	cmd.Flags().StringVar(&b.plugins, "plugins", "", "folder of the adapters (default: plugins beside this program)")
	cmd.Flags().StringVar(&b.profiles, "profiles", "", "write processor and heap profiles of engine and simulator to this folder")
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON")
}

// report measures, and prints what was found. What was measured before a failure stays in the table.
func (b *bench) report(cmd *cobra.Command, asJSON bool, parts func(context.Context) error) error {
	b.progress = io.Discard
	if f, ok := cmd.ErrOrStderr().(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b.progress = f
	}
	failed := b.run(cmd.Context(), parts)
	if asJSON {
		if err := json.MarshalWrite(cmd.OutOrStdout(), &b.table, jsontext.WithIndent("  ")); err != nil {
			return err
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout())
		return errors.Join(failed, err)
	}
	return errors.Join(failed, b.table.print(cmd.OutOrStdout()))
}

// run measures in a folder that is gone afterwards.
func (b *bench) run(ctx context.Context, parts func(context.Context) error) (err error) {
	if b.plugins == "" {
		exe, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find the adapters beside the program: %w; name their folder with --plugins", err)
		}
		b.plugins = filepath.Join(filepath.Dir(exe), "plugins")
	}
	if b.plugins, err = filepath.Abs(b.plugins); err != nil {
		return err
	}
	if b.profiles != "" {
		if b.profiles, err = filepath.Abs(b.profiles); err != nil {
			return err
		}
	}
	if b.dir, err = os.MkdirTemp("", "waybill-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	b.table.CPUs, b.table.Platform = runtime.NumCPU(), runtime.GOOS+"/"+runtime.GOARCH
	b.table.Load = loadAverage()
	return parts(ctx)
}

// parts measures all of what an order costs.
func (b *bench) parts(ctx context.Context) error {
	floors, err := b.floors(ctx)
	if err != nil {
		return fmt.Errorf("bench: floors: %w", err)
	}
	alone, err := b.engineAlone(ctx, floors)
	if err != nil {
		return fmt.Errorf("bench: engine with stubs: %w", err)
	}
	if err := b.whole(ctx, floors, alone); err != nil {
		return fmt.Errorf("bench: whole product: %w", err)
	}
	return nil
}

// rest lets the engine have nothing to do for a while.
func (b *bench) rest(ctx context.Context) error {
	b.say("idle for %s", b.idle)
	wait := time.NewTimer(b.idle)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// say tells whoever watches what is being done.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, "bench: "+format+"\n", args...)
}

// loadAverage is what other work the machine had in the last minute, "" where it does not tell.
func loadAverage() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	var one string
	if _, err := fmt.Sscan(string(raw), &one); err != nil {
		return ""
	}
	return one
}
