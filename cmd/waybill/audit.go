package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/core/audit"
	"github.com/waybill-dev/waybill/core/carrierhost"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/node"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
)

// auditFlags are the flags of `audit`.
type auditFlags struct {
	backupFlags
	ledger, plugins string
	since, overdue  time.Duration
	json            bool
	log             logFlags
}

func newAuditCmd(p *program) *cobra.Command {
	f := &auditFlags{}
	cmd := &cobra.Command{
		Use: "audit", Short: "Compare the orders with what the carriers say", Args: cobra.NoArgs,
		Long: "Compare every order with what the carriers say: at most one live booking for each order, one order for each booking, and the\n" +
			"same money on both sides. Each difference is told with the command that mends it:\n\n" +
			"  lost       a carrier holds a booking on which its order does not count\n" +
			"  duplicate  carriers hold more than one booking for an order\n" +
			"  orphan     a carrier holds a booking that no order has asked for, and whose number none knows\n" +
			"  money      the amounts differ; with --ledger also of what is cancelled, which is to cost nothing, unless the carrier has said that\n" +
			"             it gives back less\n" +
			"  status     an order and its bookings contradict each other: it counts on one that its carrier does not hold, was delivered by one\n" +
			"             that its carrier has not, was set to delivered by hand and its carrier's tracking says otherwise (without --ledger), has ended with one that goes on, or is on its way with none; or something has no end: an order\n" +
			"             or an attempt that should have been settled for --overdue, or that only a person can settle\n\n" +
			"Of a booking that the store does not know, a row tells what the exchange trace shows, or that it was lost with a process.\n\n" +
			"With --ledger the simulator there is asked; without, the carriers themselves, about each attempt of --since: by its\n" +
			"reference, and by its tracking number where that tells nothing. So no orphans are found, and of some attempts nobody can tell: those are\n" +
			"listed as not compared, with the reason, as are those whose carrier could not be asked. What the orders alone tell, they are still held to. Run it when nothing is under way. Where an engine has the store open, it is asked for its orders, with an operator's key (server.admin_keys).\n\n" +
			"Exit codes: 0 no difference, 1 differences or a failure. That a carrier could not be asked is a failure, and that there were attempts,\n" +
			"and not one of them could be compared; attempts before --since do not count.",
		Example: "  waybill audit --config waybill.yaml --ledger http://127.0.0.1:8081\n  waybill audit --config waybill.yaml --since 24h --json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.audit(cmd.Context(), f) },
	}
	f.asking(cmd)
	cmd.Flags().StringVar(&f.ledger, "ledger", "", "simulator in the carriers' place")
	cmd.Flags().DurationVar(&f.since, "since", 7*24*time.Hour, "how far back carriers are asked; a ledger is compared whole")
	cmd.Flags().DurationVar(&f.overdue, "overdue", time.Hour, "how long after its time an order may wait, or an attempt at which nobody can look be open")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	cmd.AddCommand(newVoidCmd(p))
	return cmd
}

// asking adds the flags that say where the orders are, and the adapters.
func (f *auditFlags) asking(cmd *cobra.Command) {
	f.add(cmd)
	cmd.Flags().StringVar(&f.url, "url", "", "engine to ask for its orders, instead of what --config says")
	cmd.Flags().StringVar(&f.key, "key", "", "operator's key for an engine that serves (default $WAYBILL_ADMIN_KEY)")
	cmd.Flags().StringVar(&f.plugins, "plugins", "", "folder of the adapters, instead of plugins.dir")
	f.log.add(cmd, "error")
}

func (p *program) audit(ctx context.Context, f *auditFlags) error {
	report, err := p.compare(ctx, f)
	if err != nil {
		return err
	}
	if err := p.showAudit(report, f.json); err != nil {
		return err
	}
	if n := len(report.Differences); n > 0 {
		return fmt.Errorf("%s between the orders and the carriers", count(n, "difference"))
	}
	if n := report.Unasked(); n > 0 {
		return fmt.Errorf("the carriers of %s could not be asked, for the reasons above; whether there is a difference is not known", count(n, "attempt"))
	}
	if report.Blind() {
		return fmt.Errorf("nothing was compared: of %s nobody could tell, for the reasons above; that there is no difference is not known", count(report.NotCompared, "attempt"))
	}
	return nil
}

// compare reads the orders, asks the carriers, and compares.
func (p *program) compare(ctx context.Context, f *auditFlags) (audit.Report, error) {
	orders, err := p.ordersToAudit(ctx, f)
	if err != nil {
		return audit.Report{}, err
	}
	// The carriers are asked after the orders were read: what is booked in between shows as a difference, and is never missed.
	claims, untold, err := p.claims(ctx, f, orders)
	if err != nil {
		return audit.Report{}, err
	}
	u := audit.New(claims, untold, time.Now().Add(-f.overdue))
	if c, err := config.Load(f.config, p.getenv); err == nil { // an engine that is asked by --url may be another's
		u.Accounts(accountsAt(c))
	}
	if f.ledger != "" {
		u.Ends(audit.Ended(ctx, newClient(f.ledger, "").http, f.ledger))
	}
	for _, o := range orders {
		u.Add(o)
	}
	return u.Report(), nil
}

// accountsAt tells the accounts of a configuration at an adapter.
func accountsAt(c *config.Config) func(adapter string) (at []audit.AccountOf) {
	return func(adapter string) (at []audit.AccountOf) {
		for _, a := range c.AllAccounts() {
			if a.Adapter == adapter {
				at = append(at, audit.AccountOf{Tenant: a.Tenant, ID: a.ID})
			}
		}
		return at
	}
}

// claims is what the carriers say, and of which attempts that says nothing, and why.
func (p *program) claims(ctx context.Context, f *auditFlags, orders []audit.Order) ([]audit.Claim, func(audit.Attempt) string, error) {
	if f.ledger == "" {
		return p.askCarriers(ctx, f, orders)
	}
	claims, carriers, err := audit.Ledger(ctx, newClient(f.ledger, "").http, f.ledger)
	if err != nil {
		return nil, nil, &exitError{exitConnection, err}
	}
	return claims, audit.Covered(carriers), nil
}

// askedAt is the accounts of a host as the audit asks them.
func askedAt(host *carrierhost.Host) func(tenant, id string) (audit.Account, bool) {
	return func(tenant, id string) (audit.Account, bool) {
		a, ok := host.Account(tenant, id)
		return a, ok
	}
}

// askCarriers runs the adapters for as long as the questions take.
func (p *program) askCarriers(ctx context.Context, f *auditFlags, orders []audit.Order) (claims []audit.Claim, untold func(audit.Attempt) string, err error) {
	err = p.withAdapters(ctx, f, func(_ *config.Config, host *carrierhost.Host) (err error) {
		now, account := time.Now(), askedAt(host)
		audit.Uncancellable(orders, account)
		claims, untold, err = audit.Ask(ctx, orders, now.Add(-f.since), now, account)
		return err
	})
	return claims, untold, err
}

// withAdapters runs the adapters of the configuration for as long as do takes.
func (p *program) withAdapters(ctx context.Context, f *auditFlags, do func(*config.Config, *carrierhost.Host) error) (err error) {
	log, err := f.log.open(p, "error")
	if err != nil {
		return err
	}
	o := overrides{plugins: f.plugins}
	if err := o.absolute(); err != nil {
		return err
	}
	c, err := config.Load(f.config, p.getenv)
	if err != nil {
		return usageError(err)
	}
	o.apply(c)
	host, err := node.NewHost(c, log)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- host.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	if err := host.Ready(ctx); err != nil {
		return err
	}
	return do(c, host)
}

func (p *program) ordersToAudit(ctx context.Context, f *auditFlags) ([]audit.Order, error) {
	var b bytes.Buffer
	if f.url != "" {
		if err := p.fetchStream(ctx, f.url, "/admin/orders", f.key, &b); err != nil {
			return nil, err
		}
		return audit.Import(&b)
	}
	c, cfg, err := p.storeOf(&f.backupFlags)
	if err != nil {
		return nil, err
	}
	if files, err := os.ReadDir(cfg.Dir); err != nil || len(files) == 0 {
		return nil, noStore(cfg.Dir)
	}
	st, err := badgerstore.Open(cfg)
	switch {
	case errors.Is(err, badgerstore.ErrInUse):
		err = p.fetchStream(ctx, c.Server.PublicURL, "/admin/orders", f.key, &b)
	case err == nil:
		err = errors.Join(audit.Export(ctx, st, c, &b), st.Close())
	}
	if err != nil {
		return nil, err
	}
	return audit.Import(&b)
}

func (p *program) showAudit(r audit.Report, asJSON bool) error {
	if asJSON {
		if r.Differences == nil {
			r.Differences = []audit.Row{}
		}
		if r.Uncompared == nil {
			r.Uncompared = []audit.Uncompared{}
		}
		return p.printJSON(r)
	}
	if len(r.Differences) > 0 {
		t := newTable(p.out, "KIND", "TENANT", "ORDER", "CARRIER", "NUMBER", "DETAIL", "MEND")
		for _, d := range r.Differences {
			t.row(string(d.Kind), d.Tenant, d.Order, d.Carrier, d.Entity, d.Detail, d.Mend)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	p.showUncompared(r.Uncompared)
	_, err := fmt.Fprintf(p.out, "%s, %s compared\ndifferences: %d\n", count(r.Orders, "order"), count(r.Attempts, "attempt"), len(r.Differences))
	return err
}

// maxNamed is how many orders a line of attempts that were not compared names; --json has them all.
const maxNamed = 10

// showUncompared lists the attempts that were not compared, a line for each carrier and reason.
func (p *program) showUncompared(list []audit.Uncompared) {
	type line struct{ carrier, reason string }
	var lines []line
	orders := map[line][]string{}
	for _, x := range list {
		l := line{x.Carrier, x.Reason}
		if orders[l] == nil {
			lines = append(lines, l)
		}
		orders[l] = append(orders[l], x.Order)
	}
	for _, l := range lines {
		names := orders[l]
		more := ""
		if len(names) > maxNamed {
			more = fmt.Sprintf(" and %d more", len(names)-maxNamed)
		}
		fmt.Fprintf(p.out, "not compared: %s at %s: %s: %s%s\n", count(len(names), "attempt"), l.carrier, l.reason, strings.Join(names[:min(len(names), maxNamed)], ", "), more)
	}
}

func noStore(dir string) error {
	return usageError(fmt.Errorf("there is no store in %s; name its folder as store.dir, or with --data", dir))
}
