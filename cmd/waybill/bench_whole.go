package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// whole measures the whole product: engine, three adapters and simulator, each a process of its own, and the clients.
func (b *bench) whole(ctx context.Context, floors *benchFloors, alone float64) (err error) {
	sim, err := b.start(ctx, "simulator", b.profileFlags()...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sim.stop()) }()
	file, err := b.writeConfig("whole", "http://"+sim.address, "")
	if err != nil {
		return err
	}
	engine, err := b.start(ctx, "engine", append(b.profileFlags(), "--config", file)...)
	if err != nil {
		return err
	}
	stopped := false
	defer func() {
		if !stopped {
			err = errors.Join(err, engine.stop())
		}
	}()
	w := &wholeRun{bench: b, engine: engine, sim: sim, wins: map[string]int{}}
	if err := w.orders(ctx, alone); err != nil {
		return err
	}
	if err := w.added(ctx, floors); err != nil {
		return err
	}
	if err := w.ledger(ctx); err != nil {
		return err
	}
	if err := w.memory(ctx); err != nil {
		return err
	}
	stopped = true
	if err := engine.stop(); err != nil {
		return err
	}
	return b.adapterPath(ctx, file, floors)
}

func (b *bench) profileFlags() []string {
	if b.profiles == "" {
		return nil
	}
	return []string{"--profiles", b.profiles}
}

// wholeRun is the product under load.
type wholeRun struct {
	*bench
	engine, sim *child
	sent        int
	wins        map[string]int // since the start
}

// place sends orders and remembers who has won them. One that fails ends the bench.
func (w *wholeRun) place(ctx context.Context, clients, n int, prefix string) (*loadResult, error) {
	r, err := placeOrders(ctx, w.engine.address, clients, n, prefix)
	if err != nil {
		return nil, err
	}
	for k, v := range r.wins {
		w.wins[k] += v
	}
	w.sent += n
	if r.firstFail != nil {
		return nil, fmt.Errorf("%d orders failed, the first: %w", r.failures, r.firstFail)
	}
	return r, nil
}

func (w *wholeRun) orders(ctx context.Context, alone float64) error {
	w.say("whole product: %d orders, three carriers", w.bench.orders)
	if _, err := w.place(ctx, w.clients, warmUp, "warm"); err != nil {
		return err
	}
	if err := w.labelIsZPL(ctx); err != nil {
		return err
	}
	before, err := w.processors()
	if err != nil {
		return err
	}
	r, err := w.place(ctx, w.clients, w.bench.orders, "whole")
	if err != nil {
		return err
	}
	after, err := w.processors()
	if err != nil {
		return err
	}
	perSecond := r.perSecond()
	w.table.add(fmt.Sprintf("(a) whole product, %d clients, three carriers", w.clients), "orders/s", perSecond).
		over(alone, "(b), the engine alone").expect(perSecond >= wantOrders, "≥ %d, goal %d", wantOrders, goalOrders)
	w.table.add("(a) p50 of an order", "ms", millis(quantile(r.latencies, 0.5)))
	w.table.add("(a) p99 of an order", "ms", millis(quantile(r.latencies, 0.99)))
	w.table.add("(a) failed orders", "", float64(r.failures)).expect(r.failures == 0, "0")
	total := 0.0
	for _, name := range slices.Sorted(maps.Keys(after)) {
		per := millis(after[name]-before[name]) / float64(w.bench.orders)
		total += per
		w.table.add("(a) processor time an order: "+name, "ms", per)
	}
	w.table.add("(a) processor time an order: all", "ms", total)
	return nil
}

// processors is the processor time of every process of the run so far, by name.
func (w *wholeRun) processors() (map[string]time.Duration, error) {
	pids, err := childrenOf(w.engine.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	out := map[string]time.Duration{}
	named := map[string]int{"engine": w.engine.cmd.Process.Pid, "simulator": w.sim.cmd.Process.Pid, "clients": os.Getpid()}
	for name, pid := range pids {
		named["adapter "+strings.TrimPrefix(name, "waybill-carrier-")] = pid
	}
	for name, pid := range named {
		if out[name], err = processorTime(pid); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// labelIsZPL makes sure that UPS was asked for what the bench says it was.
func (w *wholeRun) labelIsZPL(ctx context.Context) error {
	c, err := dialCaller(ctx, w.engine.address)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	for i := range warmUp {
		id := fmt.Sprintf("warm-%06d", i)
		var view struct {
			Provider struct {
				ID string `json:"id"`
			} `json:"provider"`
		}
		if err := c.get("/shipments/"+id, &view); err != nil {
			return err
		}
		if view.Provider.ID != "ups" {
			continue
		}
		status, label, err := c.do(http.MethodGet, "/shipments/"+id+"/label", nil)
		if err != nil {
			return err
		}
		if status != http.StatusOK || !strings.HasPrefix(string(label), "^XA") {
			return fmt.Errorf("the label of order %s is not ZPL: %d %.60q", id, status, label)
		}
		return nil
	}
	return fmt.Errorf("UPS has won none of %d orders", warmUp)
}

// added measures what the engine adds to one order: the time of the answer without the time on carriers' wires.
func (w *wholeRun) added(ctx context.Context, floors *benchFloors) error {
	n := min(w.bench.orders, 500)
	w.say("one client: %d orders", n)
	c, err := dialCaller(ctx, w.engine.address)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	own := make([]time.Duration, 0, n)
	for i := range n {
		id := fmt.Sprintf("single-%06d", i)
		start := time.Now()
		winner, err := placeOrder(c, id)
		took := time.Since(start)
		if err != nil {
			return err
		}
		w.wins[winner]++
		w.sent++
		wire, err := onWire(c, id)
		if err != nil {
			return err
		}
		own = append(own, took-wire)
	}
	slices.Sort(own)
	p50, p99 := quantile(own, 0.5), quantile(own, 0.99)
	// Three commits, the longest question and the booking.
	least := 3*floors.fsync + 2*floors.socket
	w.table.add("(c) p50 added to an order, one client", "ms", millis(p50)).over(millis(least), "three fsyncs and two questions over a socket").
		expect(p50 < wantAdded, "< %d ms", wantAdded.Milliseconds())
	w.table.add("(c) p99 added to an order, one client", "ms", millis(p99))
	return nil
}

// onWire is how long the carriers took for an order: quotes are asked side by side, then one books.
func onWire(c *caller, id string) (time.Duration, error) {
	var trace struct {
		Exchanges []struct {
			Provider   string  `json:"provider"`
			Op         string  `json:"op"`
			DurationMS float64 `json:"durationMs"`
		} `json:"exchanges"`
	}
	if err := c.get("/shipments/"+id+"/trace", &trace); err != nil {
		return 0, err
	}
	quotes, longest, booking := map[string]float64{}, 0.0, 0.0
	for _, x := range trace.Exchanges {
		if x.Op != "quote" {
			booking += x.DurationMS
			continue
		}
		quotes[x.Provider] += x.DurationMS
		longest = max(longest, quotes[x.Provider])
	}
	if longest == 0 {
		return 0, fmt.Errorf("the trace of order %s tells no quote", id)
	}
	return time.Duration((longest + booking) * float64(time.Millisecond)), nil
}

// ledger checks that the carriers hold as many bookings as they have won orders.
func (w *wholeRun) ledger(ctx context.Context) error {
	c, err := dialCaller(ctx, w.sim.address)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	var page struct {
		Totals map[string]struct {
			LiveBookings int `json:"live_bookings"`
		} `json:"totals"`
	}
	if err := c.get("/_sim/ledger?limit=1", &page); err != nil {
		return err
	}
	for _, account := range benchAccounts {
		won, share := w.wins[account], 0.0
		share = float64(won) / float64(w.sent) * 100
		fig := w.table.add("(a) orders won by "+account, "%", share)
		if t, remote := page.Totals[account]; remote {
			fig.expect(t.LiveBookings == won, "%d won, %d booked at the carrier", won, t.LiveBookings)
			if t.LiveBookings != won {
				return fmt.Errorf("%s holds %d bookings, and has won %d orders", account, t.LiveBookings, won)
			}
		}
	}
	return nil
}

// memory reads the engine's memory when it has had nothing to do for a while.
func (w *wholeRun) memory(ctx context.Context) error {
	if err := w.rest(ctx); err != nil {
		return err
	}
	anonymous, resident, err := memoryOf(w.engine.cmd.Process.Pid)
	if err != nil {
		return err
	}
	w.table.add(fmt.Sprintf("anonymous memory of the engine, idle after %d orders", w.sent), "MiB", anonymous).
		expect(anonymous <= wantMemory, "≤ %d MiB after 10,000", wantMemory)
	w.table.add("resident memory of the engine, files that it maps included", "MiB", resident)
	adapters, err := childrenOf(w.engine.cmd.Process.Pid)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(adapters)) {
		if anonymous, _, err = memoryOf(adapters[name]); err != nil {
			return err
		}
		w.table.add("anonymous memory of adapter "+strings.TrimPrefix(name, "waybill-carrier-"), "MiB", anonymous)
	}
	return nil
}
