package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// chaosFlags say how large and how long the storm is.
type chaosFlags struct {
	orders, clients int
	seed            uint64
	span, every     time.Duration
	patience, quiet time.Duration
	plugins, keep   string
	json            bool
}

// perOrder is how far apart orders are sent where the flags do not say.
const perOrder = 60 * time.Millisecond

func newChaosCmd(p *program) *cobra.Command {
	f := &chaosFlags{}
	cmd := &cobra.Command{
		Use: "chaos", Short: "Kill everything while orders are dispatched, and prove that nothing was lost or bought twice", Args: cobra.NoArgs, Hidden: true,
		Long: "Run engine, adapters and simulated carriers as separate processes, kill one of them about every second with SIGKILL, disturb a\n" +
			"tenth of all exchanges with the carriers, hold bookings up until the engine believes that there are none, and send orders,\n" +
			"cancellations, edits and all else that can be asked meanwhile. Then let all be well, wait until nothing is left to do, and compare\n" +
			"what the engine knows with the carriers' ledger and the drivers' book, and what has happened with what subscribers of webhooks were\n" +
			"told. The exit code is 1 when they differ.\n\n" +
			"Built with -tags failpoint, the engine dies on either side of every commit as well, but for those that the report names as out of\n" +
			"reach: with 2,000 orders or more, a run that has not reached all of these places has failed, after it has sent what leads there\n" +
			"for another while. A run has failed too that was disturbed, or has compared, too little to prove anything.",
		Example: "  waybill chaos --orders 2000 --seed 1",
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.chaos(cmd.Context(), f) },
	}
	cmd.Flags().IntVar(&f.orders, "orders", 2000, "how many orders")
	cmd.Flags().IntVar(&f.clients, "clients", 96, "how many send at once")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "of what is sent, killed and disturbed; timing is the machine's")
	cmd.Flags().DurationVar(&f.span, "for", 0, "how long the orders are spread over, and so how many are killed (default 60ms for each order)")
	cmd.Flags().DurationVar(&f.every, "every", time.Second, "how long from one kill to the next, on average")
	cmd.Flags().DurationVar(&f.patience, "patience", 10*time.Minute, "how long a client waits for the status that it goes on from; nobody else opens what is held")
	cmd.Flags().DurationVar(&f.quiet, "quiet", 15*time.Minute, "how long the last doubt may take to be cleared up, afterwards; the engine may pause for ten minutes between two questions")
	cmd.Flags().StringVar(&f.plugins, "plugins", "", "folder of the adapters (default plugins beside this program)")
	cmd.Flags().StringVar(&f.keep, "keep", "", "folder to work in, which stays (default a temporary one, which stays only after differences)")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the report as JSON")
	return cmd
}

// chaos is one run.
type chaos struct {
	*chaosFlags
	p       *program
	dir     string
	exe     string
	listen  string // where the engine serves
	engine  *ward
	sim     *ward
	api     *client
	control *client // of the simulator
	detour  *detour
	targets *targets
	truth   *truth
	report  chaosReport

	subscribers []*subscriber
}

// chaosReady is how long a process may take to answer after its start.
const chaosReady = 10 * time.Minute

func (p *program) chaos(ctx context.Context, f *chaosFlags) (err error) {
	if runtime.GOOS != "linux" {
		return usageError(errors.New("chaos finds the adapters to kill in /proc, which only Linux has"))
	}
	if f.orders < 1 || f.clients < 1 || f.span < 0 || f.every < time.Millisecond {
		return usageError(errors.New("--orders and --clients must be at least 1, --every at least 1ms, and --for must not be negative"))
	}
	if f.span == 0 {
		f.span = time.Duration(f.orders) * perOrder
	}
	c := &chaos{chaosFlags: f, p: p, truth: newTruth(), targets: newTargets(f.seed), report: newChaosReport(f),
		subscribers: newSubscribers()}
	if err := c.prepare(); err != nil {
		return err
	}
	begun := time.Now()
	err = c.run(ctx)
	c.report.Took = time.Since(begun).Round(time.Millisecond).String()
	c.engine.stop()
	c.sim.stop()
	err = errors.Join(err, c.unsubscribe(), c.detour.close())
	if err != nil {
		return fmt.Errorf("%w; logs are in %s", err, c.dir)
	}
	if err := c.leave(); err != nil {
		return err
	}
	if f.json {
		err = json.MarshalWrite(p.out, c.report, json.Deterministic(true), multiline)
		fmt.Fprintln(p.out)
	} else {
		err = c.report.print(p.out)
	}
	if err == nil && c.report.failed() {
		err = errors.New("the run has shown faults: see above")
	}
	return err
}

// leave removes the folder, or leaves it with the whole report when somebody will want to look.
func (c *chaos) leave() error {
	if !c.report.failed() && c.keep == "" {
		return os.RemoveAll(c.dir)
	}
	c.report.Folder = c.dir
	whole, err := json.Marshal(c.report, json.Deterministic(true), multiline)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.dir, "report.json"), whole, 0o600)
}

// prepare lays out the folder and the processes.
func (c *chaos) prepare() (err error) {
	if c.exe, err = os.Executable(); err != nil {
		return err
	}
	if c.plugins == "" {
		c.plugins = filepath.Join(filepath.Dir(c.exe), "plugins")
	}
	if c.dir = c.keep; c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "waybill-chaos-"); err != nil {
			return err
		}
	}
	if c.dir, err = filepath.Abs(c.dir); err != nil {
		return err
	}
	if c.listen, err = freeAddress(); err != nil {
		return err
	}
	simAt, err := freeAddress()
	if err != nil {
		return err
	}
	c.api, c.control = newClient("http://"+c.listen, devKey), newClient("http://"+simAt, "")
	if c.detour, err = newDetour(c.control.base, c.seed, detourHolds); err != nil {
		return err
	}
	if err := errors.Join(c.writeRules(), c.writeConfig(true)); err != nil {
		return errors.Join(err, c.detour.close())
	}
	c.sim = newWard(c.dir, "simulator", c.exe, append([]string{"sim", "serve", "--listen", simAt, "--state", filepath.Join(c.dir, "world"),
		"--seed", fmt.Sprint(c.seed)}, c.simArgs()...)...)
	c.engine = newWard(c.dir, "engine", c.exe, "serve", "--config", c.configPath(), "--plugins", c.plugins)
	c.engine.arm, c.engine.died = c.targets.arm, c.targets.died
	return nil
}

func (c *chaos) run(ctx context.Context) error {
	c.sim.keepAlive(ctx)
	c.engine.keepAlive(ctx)
	if err := c.begin(ctx); err != nil {
		return err
	}
	if err := errors.Join(c.subscribe(ctx), c.disturb(ctx)); err != nil {
		return err
	}
	clerk, goHome := context.WithCancel(ctx)
	defer goHome()
	home := make(chan error, 1)
	go func() { home <- c.clerk(clerk) }()
	if err := c.storm(ctx); err != nil {
		return err
	}
	if err := c.calm(ctx); err != nil {
		return err
	}
	var err error
	if c.report.Held, err = c.detour.arrived(ctx); err != nil {
		return err
	}
	if err := c.settle(ctx); err != nil {
		return err
	}
	goHome()
	return errors.Join(<-home, c.examine(ctx))
}

// begin waits until the engine has died at all that only a start passes, and everything is up.
func (c *chaos) begin(ctx context.Context) error {
	limited, cancel := context.WithTimeoutCause(ctx, chaosReady, fmt.Errorf("the engine has not died at all of %v within %v", atStarts, chaosReady))
	defer cancel()
	for !c.targets.started() {
		if err := pauseFor(limited, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return errors.Join(c.await(ctx, c.control, "/_sim/healthz"), c.await(ctx, c.api, "/readyz"))
}

// storm kills and moves while orders are sent, and disturbs until all that was asked is answered.
func (c *chaos) storm(ctx context.Context) error {
	c.targets.start()
	storm, over := context.WithCancel(ctx)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.killInTurn(storm) })
	g.Go(func() error { return c.moveAccount(storm) })
	for _, s := range c.subscribers {
		g.Go(func() error { return s.moods(storm) })
	}
	g.Go(func() error {
		defer over()
		return c.load(gctx, func() {
			over()
			c.targets.disarm()
		})
	})
	err := g.Wait()
	over()
	if err != nil {
		return err
	}
	if c.targets.disarm(); len(reachable()) > 0 {
		c.engine.kill() // one that a failpoint may still kill
	}
	return nil
}

// await waits until a process answers well.
func (c *chaos) await(ctx context.Context, who *client, path string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, chaosReady, fmt.Errorf("%s%s has not answered well within %v", who.base, path, chaosReady))
	defer cancel()
	for {
		if _, err := who.do(ctx, "GET", path, nil); err == nil {
			return nil
		}
		if err := pauseFor(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// pauseFor lets time pass.
func pauseFor(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
