package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/simulator"
)

// startling says when a process may be killed while it starts: once, and then not before it has come up. On a machine on which a start takes
// longer than the turn of the kills, it would never come up otherwise, and the run would end without an answer.
type startling struct{ inStart bool }

// may tells whether a process may be killed that is up, or not.
func (s *startling) may(up bool) bool { return up || !s.inStart }

// killed notes that it was killed.
func (s *startling) killed(up bool) { s.inStart = !up }

// killWard kills a process, if that may be now. It is up where it answers a path well.
func (c *chaos) killWard(ctx context.Context, w *ward, s *startling, who *client, path string) bool {
	ctx, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	_, err := who.do(ctx, http.MethodGet, path, nil)
	up := err == nil
	if !s.may(up) || !w.kill() {
		return false
	}
	s.killed(up)
	return true
}

// killInTurn kills engine, adapters and simulator one after the other, one in each interval on average, until the storm is over.
func (c *chaos) killInTurn(storm context.Context) error {
	rng := rand.New(rand.NewPCG(c.seed, 0xdead))
	var engine, sim startling
	victims := []string{"engine", "ups", "doordash", "selfdelivery", "simulator"}
	for n := 0; ; {
		if pauseFor(storm, c.every/2+time.Duration(rng.Int64N(int64(c.every)))) != nil {
			return nil
		}
		killed := false
		switch who := victims[n%len(victims)]; who {
		case "engine":
			killed = c.killWard(storm, c.engine, &engine, c.api, "/readyz")
		case "simulator":
			c.countExchanges(storm)
			killed = c.killWard(storm, c.sim, &sim, c.control, "/_sim/healthz")
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
