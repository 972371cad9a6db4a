package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/simulator"
)

func newSimCmd(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "sim", Short: "Run the simulator of carriers alone"}
	cmd.AddCommand(newSimServeCmd(p))
	return asGroup(cmd)
}

// simFlags are the flags of `sim serve`.
type simFlags struct {
	listen, ledger string
	state          string
	speed          float64
	seed           uint64
	carriers       carrierFlags
	log            logFlags
}

func newSimServeCmd(p *program) *cobra.Command {
	f := &simFlags{}
	cmd := &cobra.Command{
		Use: "serve", Short: "Stand for the carriers' servers", Args: cobra.NoArgs,
		Long: "Stand for the carriers' servers: /ups and /doordash are the base URLs of accounts, /_sim/ shows and steers everything.\n" +
			"The same seed and the same requests give the same world.",
		Example: "  waybill sim serve --listen 127.0.0.1:8081 --speed 60 --ledger ledger.jsonl\n" +
			"  waybill sim serve --webhook doordash=http://127.0.0.1:9000/hook --webhook-authorization \"doordash=Basic dXNlcjpwYXNz\" \\\n" +
			"    --profile doordash=doordash-rush --profile ups=ground-peak",
		RunE: func(cmd *cobra.Command, _ []string) error { return p.simServe(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8081", "where to listen; port 0 for any")
	cmd.Flags().Float64Var(&f.speed, "speed", 1, "seconds of the world in one second")
	cmd.Flags().StringVar(&f.ledger, "ledger", "", "file to go on with and to append what the carriers believe, one JSON line each")
	cmd.Flags().StringVar(&f.state, "state", "", "folder of the whole world: go on with what is there, and lose nothing that was answered when killed")
	cmd.MarkFlagsMutuallyExclusive("ledger", "state")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "of all randomness")
	f.carriers.add(cmd)
	f.log.add(cmd, "warn")
	return cmd
}

func (p *program) simServe(ctx context.Context, f *simFlags) (err error) {
	log, err := f.log.open(p, "warn")
	if err != nil {
		return err
	}
	cfg := worldConfig{speed: f.speed, seed: f.seed, log: log}
	if cfg.carriers, err = f.carriers.read(p.getenv); err != nil {
		return err
	}
	if f.ledger != "" {
		file, ledger, err := openLedger(f.ledger)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		cfg.ledger = ledger
	}
	if f.state != "" {
		if cfg.memory, err = simulator.OpenMemory(f.state); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, cfg.memory.Close()) }()
	}
	w, err := newWorld(cfg)
	if err != nil {
		return err
	}
	ln, err := listen("simulator", f.listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "Simulator  %s/_sim/\nUPS        %s/ups\nDoorDash   %s/doordash\n", urlOf(ln), urlOf(ln), urlOf(ln))
	return w.run(ctx, ln)
}

// openLedger opens a ledger file for going on with it. A last line that a crash has cut is removed: it was never told to anybody.
func openLedger(path string) (*os.File, *simulator.Ledger, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the ledger: %w", err)
	}
	fail := func(err error) (*os.File, *simulator.Ledger, error) {
		return nil, nil, fmt.Errorf("ledger %s: %w", path, errors.Join(err, file.Close()))
	}
	written, err := io.ReadAll(file)
	if err != nil {
		return fail(err)
	}
	whole := written[:bytes.LastIndexByte(written, '\n')+1]
	if err := file.Truncate(int64(len(whole))); err != nil {
		return fail(err)
	}
	if _, err := file.Seek(int64(len(whole)), io.SeekStart); err != nil {
		return fail(err)
	}
	ledger, err := simulator.LoadLedger(bytes.NewReader(whole), file)
	if err != nil {
		return fail(err)
	}
	return file, ledger, nil
}
