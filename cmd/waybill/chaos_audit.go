package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/core/audit"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/simulator"
)

// chaosTenant is the tenant of the generated configuration.
const chaosTenant = "chaos"

// examine compares store, ledger and what callers were told, and fills the report. The engine stands still.
func (c *chaos) examine(ctx context.Context) error {
	c.report.FailpointDeaths = c.targets.counts()
	if c.orders >= pointsFrom {
		c.report.NeverReached = c.targets.missing()
	}
	c.report.Odd = append(c.engine.ends(), c.sim.ends()...)
	var ledger struct {
		Records []simulator.Record `json:"records"`
	}
	if err := c.control.get(ctx, "/_sim/ledger?limit=100000", &ledger); err != nil {
		return err
	}
	x := newExamination(ledger.Records)
	for _, o := range c.truth.orders {
		if o.gaveUp != "" {
			x.gaveUp[o.gaveUp] = true
		}
	}
	err := c.withStore(func(st store.Store) error {
		if err := c.examineTold(ctx, st, x); err != nil {
			return err
		}
		return eachShipment(ctx, st, func(sh *shipment.Shipment) error {
			x.order(sh)
			c.report.tally(sh, x.needed[sh.Order.ExternalID])
			return x.labels(ctx, st, sh)
		})
	})
	if err != nil {
		return err
	}
	x.strangers()
	x.promises(c.truth)
	if err := c.consignments(ctx, x); err != nil {
		return err
	}
	c.report.Acknowledged, c.report.Stored, c.report.Bodies, c.report.Consigned = c.truth.acknowledged(), len(x.orders), x.bodies, x.asked
	c.report.Labels = x.labelled
	c.report.Grounds, c.report.Unedited, c.report.Driven, c.report.Shown = x.grounds, x.unedited, x.drivers, x.shown
	c.report.Meant, c.report.Dispatched = x.meant(c.truth)
	for _, o := range c.truth.orders {
		c.report.Unanswered = append(c.report.Unanswered, o.unanswered...)
	}
	slices.SortFunc(x.found, func(a, b difference) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Order, b.Order), cmp.Compare(a.Entity, b.Entity))
	})
	c.report.Rows = x.found
	if err := c.audit(ctx, c.control.base); err != nil {
		return err
	}
	c.report.TooLittle = c.report.tooLittle()
	return nil
}

// audit runs `waybill audit` over the same store and ledger. It is the product's own word, found another way than the examination
// here, and each must find what the other finds.
func (c *chaos) audit(ctx context.Context, ledger string) error {
	cmd := exec.CommandContext(ctx, c.exe, "audit", "--config", filepath.Join(c.dir, "waybill.yaml"), "--ledger", ledger, "--json")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	var said audit.Report
	if bad := json.Unmarshal(out, &said); bad != nil {
		return fmt.Errorf("waybill audit: %w: %s", errors.Join(err, bad), complaint.String())
	}
	c.report.Audit, c.report.AuditOrders, c.report.Compared, c.report.NotCompared = said.Differences, said.Orders, said.Attempts, said.NotCompared
	c.report.Differences = len(c.report.Rows)
	for _, row := range said.Differences {
		if !slices.ContainsFunc(c.report.Rows, func(d difference) bool {
			return row.Order != "" && d.Order == row.Order || row.Entity != "" && d.Entity == row.Entity
		}) {
			c.report.Differences++
		}
	}
	return nil
}
