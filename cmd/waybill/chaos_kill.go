package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/waybill-dev/waybill/simulator"
)

// killInTurn kills engine, adapters and simulator one after the other, one in each interval on average, until the storm is over.
func (c *chaos) killInTurn(storm context.Context) error {
	rng := rand.New(rand.NewPCG(c.seed, 0xdead))
	victims := []string{"engine", "ups", "doordash", "selfdelivery", "simulator"}
	for n := 0; ; {
		if pauseFor(storm, c.every/2+time.Duration(rng.Int64N(int64(c.every)))) != nil {
			return nil
		}
		killed := false
		switch who := victims[n%len(victims)]; who {
		case "engine":
			killed = c.engine.kill()
		case "simulator":
			c.countExchanges(storm)
			killed = c.sim.kill()
		default:
			pids, err := adaptersOf(c.engine.pid())
			if err != nil {
				return err
			}
			killed = killProcess(pids[who])
		}
		if killed { // else it is dead already: try again soon
			c.report.Kills[victims[n%len(victims)]]++
			n++
		}
	}
}

// countExchanges adds what the simulator has counted since its start, which ends with its process. One that does not answer just
// now is not counted: the numbers are a share, not a sum.
func (c *chaos) countExchanges(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	var journal struct {
		Counts []simulator.OpCount `json:"counts"`
	}
	if c.control.get(ctx, "/_sim/journal?limit=1&direction=in", &journal) != nil {
		return
	}
	for _, op := range journal.Counts {
		if op.Direction == simulator.Inbound {
			c.report.Exchanges += op.Total
			c.report.Disturbed += op.Disturbed
		}
	}
}
