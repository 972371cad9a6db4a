package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/core/audit"
	"github.com/waybill-dev/waybill/core/carrierhost"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// voidTimeout bounds how long a carrier may take to cancel.
const voidTimeout = time.Minute

// orphan is a booking at a carrier of which no order knows.
type orphan struct{ carrier, number, reference, tenant, account string }

func newVoidCmd(p *program) *cobra.Command {
	f := &auditFlags{}
	o := &orphan{}
	cmd := &cobra.Command{
		Use: "void CARRIER NUMBER", Short: "Cancel a booking at its carrier that no order has asked for", Args: cobra.ExactArgs(2),
		Long: "Cancel a booking at its carrier of which no order knows, as the audit tells of orphans: after a backup was restored, say. The\n" +
			"orders are read first, and a booking that one of them knows is refused: 'waybill shipments cancel' and 'resolve' are for\n" +
			"those, and leave a trace in the order's history. What was delivered, or has ended otherwise, no carrier cancels: the command says\n" +
			"then what its tracking tells of it, and it is settled with the carrier. The adapter is run for it with the account of the configuration.",
		Example: "  waybill audit void ups 1Z999AA10123456784 --reference 7f3k… --config waybill.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.carrier, o.number = args[0], args[1]
			return p.void(cmd.Context(), f, o)
		},
	}
	f.asking(cmd)
	cmd.Flags().StringVar(&o.reference, "reference", "", "our reference of the booking, which some carriers cancel by")
	cmd.Flags().StringVar(&o.account, "account", "", "account that it was booked with, where several are at the carrier")
	cmd.Flags().StringVar(&o.tenant, "tenant", "", "tenant of the account, where several have one of that name")
	return cmd
}

func (p *program) void(ctx context.Context, f *auditFlags, o *orphan) error {
	orders, err := p.ordersToAudit(ctx, f)
	if err != nil {
		return err
	}
	if known, _ := audit.Known(orders, o.carrier, o.number, o.reference); known != "" {
		return usageError(fmt.Errorf("%s: %s", known, p.mendKnown(ctx, f, o, orders)))
	}
	return p.withAdapters(ctx, f, func(c *config.Config, host *carrierhost.Host) error {
		at, err := o.accountOf(c)
		if err != nil {
			return err
		}
		acc, ok := host.Account(at.Tenant, at.ID)
		if !ok {
			return fmt.Errorf("account %s does not run", at.ID)
		}
		ctx, cancel := context.WithTimeout(ctx, voidTimeout)
		defer cancel()
		if _, err := acc.Cancel(ctx, carrier.CancelRequest{Reference: o.reference, CarrierRef: o.number, TrackingID: o.number, Reason: "no order knows of it"}); err != nil {
			return fmt.Errorf("%s did not cancel %s: %w; %s", o.carrier, o.number, err, o.refused(audit.Stands(ctx, acc, o.number, o.reference)))
		}
		_, err = fmt.Fprintf(p.out, "%s: cancelled at %s with account %s of tenant %s\n", o.number, o.carrier, at.ID, at.Tenant)
		return err
	})
}

// refused is what is to be done about an orphan that its carrier does not cancel, by where its tracking has it.
func (o *orphan) refused(stands shipping.Status) string {
	switch stage := shipment.StageOf(stands); {
	case stands == "":
		return "ask it, and run the audit again"
	case stage == shipment.Finished:
		return "its tracking says " + string(stands) + ": " + audit.MendEnded(o.carrier, o.number)
	case stage == shipment.Underway:
		return "its tracking says " + string(stands) + ": " + audit.MendUnderway(o.carrier, o.number)
	}
	return "its tracking says " + string(stands) + ": ask it, and run the audit again"
}

// mendKnown is what is to be done about a booking that an order knows, by what its adapter can, as far as the adapters can be asked.
func (p *program) mendKnown(ctx context.Context, f *auditFlags, o *orphan, orders []audit.Order) string {
	_ = p.withAdapters(ctx, f, func(_ *config.Config, host *carrierhost.Host) error { // why not, an audit tells
		audit.Uncancellable(orders, askedAt(host))
		return nil
	})
	_, mend := audit.Known(orders, o.carrier, o.number, o.reference)
	return mend
}

// accountOf finds the one account that can have booked it.
func (o *orphan) accountOf(c *config.Config) (*config.Account, error) {
	var found []*config.Account
	var names []string
	for _, a := range c.AllAccounts() {
		if a.Adapter == o.carrier && (o.account == "" || a.ID == o.account) && (o.tenant == "" || a.Tenant == o.tenant) {
			found, names = append(found, a), append(names, a.ID+" of tenant "+a.Tenant)
		}
	}
	switch len(found) {
	case 0:
		return nil, usageError(fmt.Errorf("no account of the configuration is at %s as --account and --tenant say; name the adapter, such as ups", o.carrier))
	case 1:
		return found[0], nil
	}
	return nil, usageError(fmt.Errorf("several accounts are at %s: %s; say which one with --account and --tenant", o.carrier, strings.Join(names, ", ")))
}
