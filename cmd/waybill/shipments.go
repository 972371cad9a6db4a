package main

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

func newShipmentsCmd(p *program) *cobra.Command {
	f := &clientFlags{}
	cmd := &cobra.Command{
		Use: "shipments", Aliases: []string{"shipment"}, Short: "Create, read and change orders at a running engine",
		Long: "Create, read and change orders at a running engine, through its public API.\n\n" +
			"Exit codes: 1 where the engine refuses, 2 where the command is wrong, 3 where no engine answers.",
	}
	f.add(cmd)
	cmd.AddCommand(newCreateCmd(p, f), newRatesCmd(p, f), newEditCmd(p, f), newListCmd(p, f), newLabelCmd(p, f), orderKind.status(p, f, "PICKUP_COMPLETED"), newCancelCmd(p, f), newResolveCmd(p, f), newReturnCmd(p, f))
	for _, c := range oneOrderCmds(p, f) {
		cmd.AddCommand(c)
	}
	return asGroup(cmd)
}

// oneOrderCmds are the commands that name an order and nothing else.
func oneOrderCmds(p *program, f *clientFlags) []*cobra.Command {
	one := func(use, short, method, path string, show func(*program, answer) error) *cobra.Command {
		return orderKind.one(p, f, use, short, method, path, show)
	}
	return []*cobra.Command{
		one("get", "Show an order", http.MethodGet, "", (*program).showShipment),
		one("retry", "Dispatch an order again that has failed", http.MethodPost, "/retry", (*program).showShipment),
		one("release", "Let an order go on that a rule holds", http.MethodPost, "/release", (*program).showShipment),
		one("erase", "Erase what is known of people from an order that has ended", http.MethodPost, "/erase", (*program).showShipment),
		one("history", "Show the statuses that an order has had", http.MethodGet, "/status-history", (*program).showHistory),
		one("decision", "Show why an order went where it went", http.MethodGet, "/decision", (*program).showDecision),
		one("trace", "Show what went over the wire for an order", http.MethodGet, "/trace", (*program).showTrace),
	}
}

func newCreateCmd(p *program, f *clientFlags) *cobra.Command {
	var file, idempotencyKey string
	var async bool
	cmd := &cobra.Command{
		Use: "create -f FILE", Short: "Create an order from JSON", Args: cobra.NoArgs,
		Example: "  waybill shipments create -f order.json\n  jq '.orderExternalId = \"7709-002\"' order.json | waybill shipments create -f -",
		RunE: func(cmd *cobra.Command, _ []string) error {
			body, err := p.read(file)
			if err != nil {
				return err
			}
			var headers []string
			if idempotencyKey != "" {
				headers = append(headers, "Idempotency-Key", idempotencyKey)
			}
			if async {
				headers = append(headers, "Prefer", "respond-async")
			}
			return p.ask(cmd.Context(), f, http.MethodPost, "/shipments", body, (*program).showShipment, headers...)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "file with the order in JSON; - for standard input")
	cmd.Flags().StringVar(&idempotencyKey, "idempotency-key", "", "makes it safe to send the same order again")
	cmd.Flags().BoolVar(&async, "async", false, "do not wait for the carriers")
	return cmd
}

func newRatesCmd(p *program, f *clientFlags) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "rates -f FILE", Short: "Ask what an order would cost, and book nothing", Args: cobra.NoArgs,
		Example: "  waybill shipments rates -f order.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			body, err := p.read(file)
			if err != nil {
				return err
			}
			return p.ask(cmd.Context(), f, http.MethodPost, "/rates", body, (*program).showRates)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "file with the order in JSON; - for standard input")
	return cmd
}

func newCancelCmd(p *program, f *clientFlags) *cobra.Command {
	var number string
	cmd := &cobra.Command{
		Use: "cancel ORDER_ID", Short: "Cancel an order at its carrier", Args: cobra.ExactArgs(1),
		Long: "Cancel an order at its carrier.\n\n" +
			"Of a booking whose number is a person's word (waybill shipments resolve --outcome booked) the carrier is asked first: what it\n" +
			"shows under the order's reference is what is cancelled. Where it cannot tell, the number may be another's booking, and the\n" +
			"cancellation is refused: look at the carrier's whose it is, then give it again with --confirm-number. If the carrier does not\n" +
			"know it, the cancellation waits until the order is resolved again, as absent or with the right number.",
		Example: "  waybill shipments cancel 7709-001\n  waybill shipments cancel 7709-001 --confirm-number 1Z999AA10123456784",
		RunE: func(cmd *cobra.Command, args []string) error {
			path := shipmentPath(args[0])
			if number != "" {
				path += "?" + url.Values{"confirmNumber": {number}}.Encode()
			}
			return p.ask(cmd.Context(), f, http.MethodDelete, path, nil, (*program).showShipment)
		},
	}
	cmd.Flags().StringVar(&number, "confirm-number", "", "number of the booking to be cancelled, as it was looked up at the carrier's")
	return cmd
}

func newResolveCmd(p *program, f *clientFlags) *cobra.Command {
	var body struct {
		Attempt    int    `json:"attempt,omitzero"`
		Outcome    string `json:"outcome"`
		TrackingID string `json:"trackingId,omitempty"`
		Withdraw   string `json:"withdraw,omitempty"`
		Reason     string `json:"reason,omitempty"`
	}
	cmd := &cobra.Command{
		Use: "resolve ORDER_ID --outcome absent|booked|spare", Short: "Say what became of a booking that nobody else can tell", Args: cobra.ExactArgs(1),
		Long: "Say what became of a booking whose outcome the engine could not find out: ask the carrier, by its pages or by phone, first.\n\n" +
			"absent: the carrier has not booked it. The order goes on, and another carrier may be asked.\n" +
			"booked: the carrier has booked it, as --tracking. The order counts on that. A number that another order has is refused; where\n" +
			"        the carrier tells later that it is another's, the order needs a decision again. As long as the carrier does not show\n" +
			"        the booking under the order's reference, it is only cancelled with 'cancel --confirm-number', and what was told by\n" +
			"        mistake is taken back by resolving the attempt again: as absent, or as booked with another number. Once the parcel\n" +
			"        of that number was delivered, or has come to another end, --withdraw with the number and --reason are needed too.\n" +
			"spare:  the carrier holds --tracking, on which the order does not count, as `waybill audit` tells. The engine has it\n" +
			"        cancelled there; the history tells what became of it.\n" +
			"Of a cancellation or an edit that is not known to be done: absent where the booking is gone, or the edit not taken; booked\n" +
			"where the booking, --tracking, stands, or the edit is taken.\n\n" +
			"`waybill shipments list --needs-attention` lists the orders that wait for this.",
		Example: "  waybill shipments resolve 7709-001 --outcome absent\n  waybill shipments resolve 7709-001 --outcome booked --tracking 1Z999AA10123456784 --attempt 2\n" +
			"  waybill shipments resolve 7709-001 --withdraw 1Z999AA10123456784 --reason \"a digit was wrong\" --outcome booked --tracking 1Z999AA10123456775",
		RunE: func(cmd *cobra.Command, args []string) error {
			if body.Outcome == "" {
				return usageError(errors.New("--outcome is needed: absent, booked or spare"))
			}
			b, err := json.Marshal(body)
			if err != nil {
				return err
			}
			return p.ask(cmd.Context(), f, http.MethodPost, shipmentPath(args[0], "/resolve"), b, (*program).showShipment)
		},
	}
	cmd.Flags().StringVar(&body.Outcome, "outcome", "", "absent, booked or spare")
	cmd.Flags().StringVar(&body.TrackingID, "tracking", "", "the carrier's number, with --outcome booked or spare")
	cmd.Flags().StringVar(&body.Withdraw, "withdraw", "", "number that was told by mistake, of a parcel that has come to its end, to take it back")
	cmd.Flags().StringVar(&body.Reason, "reason", "", "how it is known that the number is not the order's, for its history; needed with --withdraw")
	cmd.Flags().IntVar(&body.Attempt, "attempt", 0, "number of the attempt (default the one that needs a decision); needed with --outcome spare")
	return cmd
}

func newEditCmd(p *program, f *clientFlags) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "edit ORDER_ID -f FILE", Short: "Change an order", Args: cobra.ExactArgs(1),
		Long:    "Change an order: what the JSON leaves out stays, null clears. What a carrier has already accepted may be booked anew.",
		Example: "  echo '{\"deliveryInstructions\": \"Ring twice\"}' | waybill shipments edit 7709-001 -f -",
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := p.read(file)
			if err != nil {
				return err
			}
			return p.ask(cmd.Context(), f, http.MethodPut, shipmentPath(args[0]), body, (*program).showShipment)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "file with the changed members in JSON; - for standard input")
	return cmd
}

// listFlags are the filters of `list`.
type listFlags struct {
	Limit     int                  `json:"limit,omitzero"`
	IDs       []string             `json:"orderExternalIds,omitempty"`
	Locations []string             `json:"locationExternalIds,omitempty"`
	Statuses  []string             `json:"status,omitempty"`
	Group     string               `json:"groupId,omitempty"`
	Created   *shipping.TimeWindow `json:"createdAt,omitempty"`
	Updated   *shipping.TimeWindow `json:"lastUpdatedAt,omitempty"`
	Page      string               `json:"paginationToken,omitempty"`
	Needs     bool                 `json:"needsAttention,omitzero"`

	createdWithin, updatedWithin time.Duration
}

func newListCmd(p *program, f *clientFlags) *cobra.Command {
	l := &listFlags{}
	cmd := &cobra.Command{
		Use: "list", Short: "List orders, newest first", Args: cobra.NoArgs,
		Long:    "List orders, newest first; without --id, --group, --created, --updated and --needs-attention those of the last 24 hours.",
		Example: "  waybill shipments list --status ORDER_DISPATCHED --location 7709 --limit 20\n  waybill shipments list --needs-attention",
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			since := func(d time.Duration) *shipping.TimeWindow {
				if d <= 0 {
					return nil
				}
				return &shipping.TimeWindow{StartsAt: shipping.At(now.Add(-d))}
			}
			l.Created, l.Updated = since(l.createdWithin), since(l.updatedWithin)
			body, err := json.Marshal(l)
			if err != nil {
				return err
			}
			show := (*program).showList
			if l.Needs {
				c, err := p.client(f)
				if err != nil {
					return err
				}
				show = func(p *program, a answer) error { return p.listAttention(cmd.Context(), c, a) }
			}
			return p.ask(cmd.Context(), f, http.MethodPost, "/shipments/list", body, show)
		},
	}
	fl := cmd.Flags()
	fl.IntVar(&l.Limit, "limit", 50, "orders a page, at most 1000")
	fl.StringSliceVar(&l.IDs, "id", nil, "only these order ids")
	fl.StringSliceVar(&l.Locations, "location", nil, "only these locations")
	fl.StringSliceVar(&l.Statuses, "status", nil, "only these statuses")
	fl.StringVar(&l.Group, "group", "", "only this group")
	fl.DurationVar(&l.createdWithin, "created", 0, "only what was created within this time, such as 72h")
	fl.DurationVar(&l.updatedWithin, "updated", 0, "only what has changed within this time")
	fl.BoolVar(&l.Needs, "needs-attention", false, "only those with a booking whose outcome only a person can tell: waybill shipments resolve")
	fl.StringVar(&l.Page, "page", "", "the page that another list has named")
	return cmd
}

func newLabelCmd(p *program, f *clientFlags) *cobra.Command {
	var out string
	parcel := 1
	cmd := &cobra.Command{
		Use: "label ORDER_ID [-o FILE]", Short: "Save a parcel's label", Args: cobra.ExactArgs(1),
		Example: "  waybill shipments label 7709-001 -o label.zpl",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client(f)
			if err != nil {
				return err
			}
			a, err := c.do(cmd.Context(), http.MethodGet, shipmentPath(args[0], fmt.Sprintf("/label?parcel=%d", parcel)), nil)
			if err != nil {
				return err
			}
			if out == "-" {
				_, err := p.out.Write(a.body)
				return err
			}
			path := out
			if path == "" {
				path = nameOf(a)
			}
			if err := os.WriteFile(path, a.body, 0o600); err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.out, "%s: %d bytes of %s\n", path, len(a.body), a.header.Get("Content-Type"))
			return err
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "file to write, - for standard output (default the name that the engine gives it)")
	cmd.Flags().IntVar(&parcel, "parcel", parcel, "number of the parcel, from 1")
	return cmd
}

// nameOf is the file name that the engine gives a label; never a path.
func nameOf(a answer) string {
	_, params, err := mime.ParseMediaType(a.header.Get("Content-Disposition"))
	name := filepath.Base(params["filename"])
	if err != nil || name == "." || name == ".." || name == string(filepath.Separator) {
		return "label"
	}
	return name
}
