package main

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
)

// returnedItem is how many of one item are sent back.
type returnedItem struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

func newReturnCmd(p *program, f *clientFlags) *cobra.Command {
	var items []string
	var body struct {
		Reason   string         `json:"reason"`
		Note     string         `json:"note,omitempty"`
		Items    []returnedItem `json:"itemList,omitempty"`
		Exchange []returnedItem `json:"exchangeItems,omitempty"`
	}
	var exchange []string
	cmd := &cobra.Command{
		Use: "return ORDER_ID --reason REASON", Short: "Book the way back of an order that was delivered", Args: cobra.ExactArgs(1),
		Long: "Book the way back of an order that was delivered, or of some of its items. The return is an order of its own, called as the order\n" +
			"with -R1 and so on behind it: `waybill shipments label`, `get`, `retry` and `cancel` take it like any other.",
		Example: "  waybill shipments return 7709-001 --reason too_small\n  waybill shipments return 7709-001 --items shirt=2,hat --reason damaged --exchange shirt-xl=2",
		RunE: func(cmd *cobra.Command, args []string) error {
			if body.Reason == "" {
				return usageError(errors.New("--reason is needed, such as too_small, damaged or other"))
			}
			var err error
			if body.Items, err = itemsOf("--items", items); err != nil {
				return usageError(err)
			}
			if body.Exchange, err = itemsOf("--exchange", exchange); err != nil {
				return usageError(err)
			}
			b, err := json.Marshal(body)
			if err != nil {
				return err
			}
			return p.ask(cmd.Context(), f, http.MethodPost, shipmentPath(args[0], "/return"), b, (*program).showReturn)
		},
	}
	cmd.Flags().StringSliceVar(&items, "items", nil, "what comes back: SKU or SKU=QUANTITY, several with commas between (default all that is left)")
	cmd.Flags().StringSliceVar(&exchange, "exchange", nil, "what is wanted in exchange, likewise; the shop is told")
	cmd.Flags().StringVar(&body.Reason, "reason", "", "why: one of the reasons of the configuration")
	cmd.Flags().StringVar(&body.Note, "note", "", "the buyer's own words")
	return cmd
}

// itemsOf reads SKU or SKU=QUANTITY. A SKU may hold = itself where a quantity follows.
func itemsOf(flag string, given []string) ([]returnedItem, error) {
	var out []returnedItem
	for _, g := range given {
		it := returnedItem{SKU: g, Quantity: 1}
		if i := strings.LastIndexByte(g, '='); i >= 0 {
			n, err := strconv.Atoi(g[i+1:])
			if err != nil || n < 1 {
				return nil, fmt.Errorf("%s %q: write it as SKU=QUANTITY, the quantity a whole number from 1", flag, g)
			}
			it = returnedItem{SKU: g[:i], Quantity: n}
		}
		if it.SKU == "" {
			return nil, fmt.Errorf("%s %q: the SKU is missing", flag, g)
		}
		out = append(out, it)
	}
	return out, nil
}

func (p *program) showReturn(a answer) error {
	var v struct {
		OrderExternalID string `json:"orderExternalId"`
		ID              string `json:"id"`
		Status          string `json:"status"`
		Type            string `json:"type"`
		Items           []struct {
			SKU      string `json:"sku"`
			Title    string `json:"title"`
			Quantity int    `json:"quantity"`
		} `json:"items"`
		Provider struct {
			DisplayName string `json:"displayName"`
			ServiceType string `json:"serviceType"`
		} `json:"provider"`
		TrackingID string `json:"trackingId"`
		LabelURL   string `json:"labelUrl"`
		ReturnTo   string `json:"returnLocationId"`
		Warnings   []struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"warnings"`
	}
	if err := a.decode(&v); err != nil {
		return err
	}
	t := newTable(p.out)
	t.field(v.Type, v.OrderExternalID)
	t.field("id", v.ID)
	t.field("status", v.Status)
	for _, it := range v.Items {
		t.field("item", strings.TrimSpace(fmt.Sprintf("%d × %s %s", it.Quantity, it.SKU, it.Title)))
	}
	t.field("carrier", strings.Join(notEmpty(v.Provider.DisplayName, v.Provider.ServiceType), " / "))
	t.field("tracking number", v.TrackingID)
	t.field("label", v.LabelURL)
	t.field("to", v.ReturnTo)
	for _, w := range v.Warnings {
		t.row("warning", w.Message+" ("+w.Code+")")
	}
	return t.flush()
}
