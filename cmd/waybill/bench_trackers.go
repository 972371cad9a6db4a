package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

// What one node is expected to do with 100,000 trackers on 2 cores.
const (
	wantTrackerMemory = 300 // MiB, anonymous
	wantTrackerStart  = 3 * time.Second
	wantPolls         = 5    // % of a core, at pollsASecond
	wantPushes        = 2000 // a second
)

// pollsASecond is how many numbers the carrier is asked about.
const pollsASecond = 100

// benchFollow is one run of `waybill bench trackers`.
type benchFollow struct {
	*bench
	pushes  int
	begun   time.Time // when the newest event of every delivery happened
	carrier *benchCarrier
}

func newBenchTrackersCmd() *cobra.Command {
	b := &benchFollow{bench: &bench{}}
	asJSON := false
	cmd := &cobra.Command{
		Use: "trackers", Short: "Measure what following many deliveries costs on this machine", Args: cobra.NoArgs,
		Long: "Measure what following many deliveries costs on this machine: how long an engine with so many active trackers takes to start, its\n" +
			"memory and processor time while all are due and the carrier is asked about " + fmt.Sprint(pollsASecond) + " a second, and how many pushes of the carrier\n" +
			"it takes in a second, each answered when it is on the disk. The adapter is a real one, the carrier a small server that answers\n" +
			"polls; beside each figure is its floor, measured in the same run.",
		Example: "  waybill bench trackers --trackers 10000 --pushes 5000",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if b.table.Trackers < 2 || b.pushes < 1 || b.clients < 1 {
				return errors.New("--trackers must be at least 2, --pushes and --clients at least 1")
			}
			b.table.Clients = b.clients
			return b.report(cmd, asJSON, b.measure)
		},
	}
	cmd.Flags().IntVar(&b.table.Trackers, "trackers", 100_000, "how many deliveries the engine follows")
	cmd.Flags().IntVar(&b.pushes, "pushes", 20_000, "how many pushes the carrier sends")
	cmd.Flags().IntVar(&b.clients, "clients", 64, "over how many connections it sends them at once")
	cmd.Flags().DurationVar(&b.stretch, "stretch", 2*time.Second, "how long bare commits are measured")
	b.flags(cmd, &asJSON)
	return cmd
}

// measure measures an engine that follows many beside one that follows none.
func (b *benchFollow) measure(ctx context.Context) (err error) {
	b.begun = time.Now().UTC().Truncate(time.Second)
	b.carrier = &benchCarrier{at: b.begun}
	address, stop, err := serveHTTP(b.carrier)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	empty, err := b.writeConfig("nothing", "http://"+address, fmt.Sprintf(followConfig, pollsASecond))
	if err != nil {
		return err
	}
	full, err := b.writeConfig("trackers", "http://"+address, fmt.Sprintf(followConfig, pollsASecond))
	if err != nil {
		return err
	}
	b.say("put %d deliveries", b.table.Trackers)
	if err := putDeliveries(ctx, filepath.Join(filepath.Dir(full), "data"), b.table.Trackers, b.begun); err != nil {
		return fmt.Errorf("bench: put deliveries: %w", err)
	}
	bare, err := b.barePushes(ctx)
	if err != nil {
		return fmt.Errorf("bench: floors of pushes: %w", err)
	}
	floor, err := b.followedBy(ctx, empty, nil)
	if err != nil {
		return fmt.Errorf("bench: engine that follows nothing: %w", err)
	}
	found, err := b.followedBy(ctx, full, func(engine *child) error { return b.push(ctx, engine, bare) })
	if err != nil {
		return fmt.Errorf("bench: engine that follows %d deliveries: %w", b.table.Trackers, err)
	}
	if found.polls == 0 {
		return errors.New("bench: the carrier was asked about nothing")
	}
	const of = "the same, following nothing"
	b.table.add("start to /readyz", "s", found.start.Seconds()).over(floor.start.Seconds(), of).
		expect(found.start < wantTrackerStart, "< %.0f s with 100,000", wantTrackerStart.Seconds())
	b.table.add("anonymous memory of the engine, all due", "MiB", found.anonymous).over(floor.anonymous, of).
		expect(found.anonymous < wantTrackerMemory, "< %d MiB with 100,000", wantTrackerMemory)
	b.table.add("resident memory of the engine, files that it maps included", "MiB", found.resident).over(floor.resident, of)
	b.table.add("polls", "/s", float64(found.polls)/found.watched.Seconds())
	cost := func(used, idle idleEngine, of func(idleEngine) time.Duration) float64 {
		still := of(idle).Seconds() / idle.watched.Seconds() * used.watched.Seconds()
		return max(0, of(used).Seconds()-still) / float64(found.polls) * pollsASecond * 100
	}
	planning := cost(found, floor, func(e idleEngine) time.Duration { return e.engine })
	b.table.add(fmt.Sprintf("processor time of the engine at %d polls/s", pollsASecond), "% of a core", planning).
		expect(planning < wantPolls, "< %d %%", wantPolls)
	b.table.add(fmt.Sprintf("processor time of the adapter at %d polls/s", pollsASecond), "% of a core", cost(found, floor, func(e idleEngine) time.Duration { return e.adapter }))
	return nil
}

// idleEngine is an engine that was started and left to itself for a while.
type idleEngine struct {
	start               time.Duration // from the process to /readyz
	anonymous, resident float64       // MiB
	watched             time.Duration // how long it was left to itself
	engine, adapter     time.Duration // processor time meanwhile
	polls               int64         // meanwhile
}

// followedBy starts an engine three times, each a process of its own, and watches the last. The start is the median. then is called
// before that one is stopped, where it is given.
func (b *benchFollow) followedBy(ctx context.Context, file string, then func(*child) error) (idleEngine, error) {
	const starts = 3
	var e idleEngine
	var took []float64
	for n := range starts {
		b.say("start %d of %d", n+1, starts)
		begun := time.Now()
		engine, err := b.start(ctx, "engine", append(b.profileFlags(), "--config", file)...)
		if err != nil {
			return e, err
		}
		err = isReady(ctx, engine.address)
		took = append(took, time.Since(begun).Seconds())
		if err == nil && n == starts-1 {
			err = b.watch(ctx, engine, then != nil, &e)
			if err == nil && then != nil {
				err = then(engine)
			}
		}
		if err = errors.Join(err, engine.stop()); err != nil {
			return e, err
		}
	}
	e.start = time.Duration(medianOf(took) * float64(time.Second))
	return e, nil
}

// pollsPause is longer than the engine ever waits between polls of an account that has deliveries due.
const pollsPause = 10 * time.Second

// watch leaves an engine to itself, where it polls at least until it has done so once.
func (b *benchFollow) watch(ctx context.Context, engine *child, polls bool, e *idleEngine) error {
	if err := calmed(ctx, engine.cmd.Process.Pid); err != nil { // it looks through its tables first
		return err
	}
	before, err := b.used(engine)
	if err != nil {
		return err
	}
	begun, polled := time.Now(), b.carrier.asked.Load()
	for rested := false; !rested || polls && b.carrier.asked.Load() == polled && time.Since(begun) < pollsPause; rested = true {
		if err := b.rest(ctx); err != nil {
			return err
		}
	}
	after, err := b.used(engine)
	if err != nil {
		return err
	}
	e.watched, e.polls = time.Since(begun), b.carrier.asked.Load()-polled
	e.engine, e.adapter = after.engine-before.engine, after.adapter-before.adapter
	e.anonymous, e.resident, err = memoryOf(engine.cmd.Process.Pid)
	return err
}

// followTime is the processor time of those who follow.
type followTime struct{ engine, adapter, clients time.Duration }

func (b *benchFollow) used(engine *child) (followTime, error) {
	var t followTime
	pid := engine.cmd.Process.Pid
	children, err := childrenOf(pid)
	if err != nil {
		return t, err
	}
	adapter, ok := children["waybill-carrier-doordash"]
	if !ok {
		return t, errors.New("the engine has not started the adapter of DoorDash")
	}
	for p, into := range map[int]*time.Duration{pid: &t.engine, adapter: &t.adapter, os.Getpid(): &t.clients} {
		if *into, err = processorTime(p); err != nil {
			return t, err
		}
	}
	return t, nil
}

// isReady asks an engine that has said its address: it says it when it can take orders.
func isReady(ctx context.Context, address string) error {
	c, err := dialCaller(ctx, address)
	if err != nil {
		return err
	}
	status, answer, err := c.do(http.MethodGet, "/readyz", nil)
	if err = errors.Join(err, c.conn.Close()); err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("GET /readyz: %d %s", status, answer)
	}
	return nil
}
