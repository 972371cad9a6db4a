package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

func (d *demo) quotes(ctx context.Context) error {
	var v ratesView
	if err := d.post(ctx, d.api, "/rates", order("", acrossTown), &v); err != nil {
		return err
	}
	if err := writeRates(d.p.out, v); err != nil {
		return err
	}
	asked := map[string]bool{}
	for _, r := range v.Rates {
		asked[r.ProviderID] = true
	}
	return want(len(asked) == 3, "%d of 3 carriers have made an offer: %v", len(asked), slices.Sorted(maps.Keys(asked)))
}

func (d *demo) book(ctx context.Context) error {
	sh, err := d.create(ctx, "DEMO-1", acrossTown)
	if err != nil {
		return err
	}
	if err := want(sh.Provider.ID == "doordash", "%s has order DEMO-1, and should be doordash", sh.Provider.ID); err != nil {
		return err
	}
	if _, err := d.decision(ctx, "DEMO-1"); err != nil {
		return err
	}
	return d.history(ctx, "DEMO-1", "ORDER_DISPATCHED")
}

func (d *demo) label(ctx context.Context) error {
	sh, err := d.create(ctx, "DEMO-2", farAway)
	if err != nil {
		return err
	}
	if err := want(sh.Provider.ID == "ups", "%s has order DEMO-2, and should be ups", sh.Provider.ID); err != nil {
		return err
	}
	if _, err := d.decision(ctx, "DEMO-2"); err != nil {
		return err
	}
	a, err := d.api.do(ctx, http.MethodGet, shipmentPath("DEMO-2", "/label"), nil)
	if err != nil {
		return err
	}
	first, _, _ := bytes.Cut(a.body, []byte("\n"))
	if err := want(bytes.HasPrefix(first, []byte("^XA")), "the label of DEMO-2 does not begin as ZPL does, but with %.20q", first); err != nil {
		return err
	}
	path := filepath.Join(d.dir, "label-DEMO-2.zpl")
	if err := os.WriteFile(path, a.body, 0o600); err != nil {
		return err
	}
	d.say("Label: %s, %d bytes, first line %s", path, len(a.body), d.dim.Sprintf("%.60s", printable(string(first))))
	return nil
}

func (d *demo) cancel(ctx context.Context) error {
	a, err := d.api.do(ctx, http.MethodDelete, shipmentPath("DEMO-2"), nil)
	if err != nil {
		return err
	}
	var sh shipmentView
	if err := a.decode(&sh); err != nil {
		return err
	}
	if err := want(sh.Status == "ORDER_CANCELLED", "order DEMO-2 is %s, and should be ORDER_CANCELLED", sh.Status); err != nil {
		return err
	}
	return d.history(ctx, "DEMO-2", "ORDER_CANCELLED")
}

func (d *demo) fallback(ctx context.Context) error {
	fault := map[string]any{"id": "refusal", "on": map[string]any{"carrier": "doordash", "op": "accept", "count": 1}, "do": map[string]any{"kind": "http_error", "status": 422}}
	var set struct {
		ID string `json:"id"`
	}
	if err := d.post(ctx, d.sim, "/faults", fault, &set); err != nil {
		return fmt.Errorf("tell the simulated DoorDash to refuse: %w", err)
	}
	sh, err := d.create(ctx, "DEMO-3", acrossTown)
	if err != nil {
		return err
	}
	v, err := d.decision(ctx, "DEMO-3")
	if err != nil {
		return err
	}
	if err := writeAttempts(d.p.out, v); err != nil {
		return err
	}
	return want(sh.Provider.ID != "doordash" && len(v.Attempts) == 2 && v.Attempts[0].Provider == "doordash" && v.Attempts[0].Error != nil,
		"order DEMO-3 went to %s after %d attempts; DoorDash should have refused once", sh.Provider.ID, len(v.Attempts))
}

func (d *demo) ownDrivers(ctx context.Context) error {
	sh, err := d.create(ctx, "DEMO-4", nextDoor)
	if err != nil {
		return err
	}
	if err := want(sh.Provider.ID == "own_fleet", "%s has order DEMO-4, and should be own_fleet", sh.Provider.ID); err != nil {
		return err
	}
	if _, err := d.decision(ctx, "DEMO-4"); err != nil {
		return err
	}
	for _, status := range []shipping.Status{shipping.PickupStarted, shipping.PickupCompleted, shipping.OutForDelivery, shipping.OrderDelivered} {
		if err := d.post(ctx, d.api, shipmentPath("DEMO-4", "/status"), map[string]any{"status": status}, &sh); err != nil {
			return fmt.Errorf("set %s: %w", status, err)
		}
	}
	return d.history(ctx, "DEMO-4", "ORDER_DELIVERED")
}

// carrierTotals is what one carrier's books say, in minor units.
type carrierTotals struct {
	Bookings    int              `json:"bookings"`
	Voids       int              `json:"voids"`
	Outstanding map[string]int64 `json:"outstanding"`
}

// books compares what the carriers believe with what the engine says.
func (d *demo) books(ctx context.Context) error {
	var ledger struct {
		Totals map[string]carrierTotals `json:"totals"`
	}
	if err := d.sim.get(ctx, "/ledger", &ledger); err != nil {
		return err
	}
	engine, err := d.engineTotals(ctx)
	if err != nil {
		return err
	}
	t := newTable(d.p.out, "CARRIER", "BOOKINGS", "VOIDS", "TO PAY", "THE ENGINE SAYS")
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(ledger.Totals)) {
		theirs, ours := ledger.Totals[name], engine[name]
		toPay := shipping.Money{Minor: theirs.Outstanding["USD"], Currency: "USD"}
		said := shipping.Money{Minor: ours.Outstanding["USD"], Currency: "USD"}
		t.row(name, strconv.Itoa(theirs.Bookings), strconv.Itoa(theirs.Voids), toPay.String(),
			fmt.Sprintf("%d booked, %d cancelled, %s", ours.Bookings, ours.Voids, said))
		if theirs.Bookings != ours.Bookings || theirs.Voids != ours.Voids || toPay != said {
			differ = append(differ, name)
		}
		delete(engine, name)
	}
	if err := t.flush(); err != nil {
		return err
	}
	delete(engine, "own_fleet") // the shop's own drivers keep no books
	for name := range engine {
		differ = append(differ, name)
	}
	if err := want(len(differ) == 0, "the books of %s are not what the engine says", strings.Join(differ, " and ")); err != nil {
		return err
	}
	d.say("%s, to the cent.", d.good.Sprint("They agree"))
	return nil
}

// engineTotals adds up what the engine says of the orders, by account, in the carriers' terms.
func (d *demo) engineTotals(ctx context.Context) (map[string]carrierTotals, error) {
	totals := map[string]carrierTotals{}
	for _, id := range d.orders {
		var sh shipmentView
		if err := d.api.get(ctx, shipmentPath(id), &sh); err != nil {
			return nil, err
		}
		amount, err := shipping.BindMoney(sh.Amount, sh.CurrencyCode)
		if err != nil {
			return nil, fmt.Errorf("amount of order %s: %w", id, err)
		}
		t := totals[sh.Provider.ID]
		if t.Outstanding == nil {
			t.Outstanding = map[string]int64{}
		}
		t.Bookings++
		if sh.Status == "ORDER_CANCELLED" {
			t.Voids++
		} else {
			t.Outstanding[amount.Currency] += amount.Minor
		}
		totals[sh.Provider.ID] = t
	}
	return totals, nil
}
