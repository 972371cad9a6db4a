package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// listAttention lists the orders that need a person, with what is to be decided of each: the attempts in question, and what the engine
// knows of them.
func (p *program) listAttention(ctx context.Context, c *client, list answer) error {
	var v struct {
		Data  []shipmentView `json:"data"`
		Pages pages          `json:"paginationToken"`
	}
	if err := list.decode(&v); err != nil {
		return err
	}
	if len(v.Data) == 0 {
		_, err := fmt.Fprintln(p.out, "no order needs a decision")
		return err
	}
	t := newTable(p.out, "ORDER", "ATTEMPT", "CARRIER", "REFERENCE", "SINCE", "WHAT IS KNOWN")
	for i := range v.Data {
		a, err := c.do(ctx, http.MethodGet, shipmentPath(v.Data[i].OrderExternalID, "/decision"), nil)
		if err != nil {
			return err
		}
		var d doubtView
		if err := a.decode(&d); err != nil {
			return err
		}
		d.rows(t, &v.Data[i])
	}
	if err := t.flush(); err != nil {
		return err
	}
	if err := v.Pages.show(p.out); err != nil {
		return err
	}
	return howToResolve(p.out)
}

// doubtView is what is in doubt about an order's attempts.
type doubtView struct {
	Attempts []struct {
		Number    int    `json:"number"`
		Provider  string `json:"provider"`
		Reference string `json:"reference"`
		State     string `json:"state"`
		Doubt     *struct {
			Since time.Time `json:"since"`
			Last  string    `json:"last"`
			Needs string    `json:"needs"`
		} `json:"doubt"`
		Spares []struct {
			TrackingID string    `json:"trackingId"`
			FoundAt    time.Time `json:"foundAt"`
			Needs      string    `json:"needs"`
			Last       string    `json:"last"`
		} `json:"spares"`
	} `json:"attempts"`
}

func (d *doubtView) rows(t *table, sh *shipmentView) {
	const second = "2006-01-02 15:04:05"
	told := false
	for _, a := range d.Attempts {
		if a.Doubt != nil && a.Doubt.Needs != "" {
			told = true
			t.row(sh.OrderExternalID, number(a.Number), a.Provider, a.Reference, a.Doubt.Since.Local().Format(second), a.Doubt.Last)
		}
		for _, sp := range a.Spares {
			if sp.Needs != "" {
				told = true
				t.row(sh.OrderExternalID, number(a.Number), a.Provider, a.Reference, sp.FoundAt.Local().Format(second),
					"the spare booking "+sp.TrackingID+" is not cancelled: "+sp.Last)
			}
		}
	}
	if !told {
		t.row(sh.OrderExternalID, "", sh.Provider.ID, "", "", "it was decided meanwhile")
	}
}

func howToResolve(out io.Writer) error {
	_, err := fmt.Fprint(out, "\nAsk the carrier for a booking under the reference, then say what it knows:\n"+
		"  none:  waybill shipments resolve ORDER --attempt N --outcome absent\n"+
		"  one:   waybill shipments resolve ORDER --attempt N --outcome booked --tracking NUMBER\n"+
		"  spare: have it cancelled there, then resolve the attempt as absent\n"+
		"Of a number that the carrier does not show under the reference a cancellation waits: waybill shipments cancel ORDER --confirm-number NUMBER\n"+
		"A number that was told by mistake is taken back by resolving the attempt again, as absent or as booked with the right one;\n"+
		"of a parcel that has come to its end: with --withdraw NUMBER --reason WHY.\n"+
		"Of a cancellation or a change that is not known to be done: absent if the booking is gone, or the change not made; else booked.\n")
	return err
}
