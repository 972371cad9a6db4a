package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fatih/color"
	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/examples"
	"github.com/waybill-dev/waybill/simulator/ups"
)

// demoPatience is how long the whole demonstration may take before it is given up.
const demoPatience = 2 * time.Minute

func newDemoCmd(p *program) *cobra.Command {
	var plugins string
	var l logFlags
	cmd := &cobra.Command{
		Use: "demo", Short: "Watch a few orders from quote to invoice, in some seconds", Args: cobra.NoArgs,
		Long: "Run the engine with its adapters and the simulated carriers on free ports, and send it a few orders as a shop would: quotes,\n" +
			"a decision, a label, a cancellation, a refusal with its fallback, own drivers, and at the end the carriers' own books.\n" +
			"Nothing leaves this machine. It ends by itself; where a step fails, with exit code 1.",
		Example: "  waybill demo",
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.demo(cmd.Context(), plugins, l) },
	}
	cmd.Flags().StringVar(&plugins, "plugins", "", "folder of the adapters (default plugins beside this program)")
	l.add(cmd, "error")
	return cmd
}

// demo is one demonstration: a client of the engine and a spectator of the carriers.
type demo struct {
	p        *program
	api, sim *client
	dir      string // of what it leaves behind
	orders   []string

	title, good, dim *color.Color
}

// step is one thing that is shown.
type step struct {
	title string
	run   func(d *demo, ctx context.Context) error
}

func (p *program) demo(ctx context.Context, plugins string, l logFlags) (err error) {
	begun := time.Now()
	log, err := l.open(p, "error")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "waybill-demo-")
	if err != nil {
		return fmt.Errorf("a folder for the demonstration: %w", err)
	}
	data := filepath.Join(dir, "data")
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	conf, err := layOut(examples.Files, filepath.Join(data, "config"))
	if err != nil {
		return err
	}
	o := overrides{listen: "127.0.0.1:0", data: data, plugins: plugins}
	if err := o.absolute(); err != nil {
		return err
	}
	r, err := p.openRig(rigConfig{overrides: o, config: conf, simListen: "127.0.0.1:0", speed: 1, seed: 1, log: log,
		worldTime: true, tracking: demoTracking(), carriers: carrierSettings{pace: ups.PaceManual}})
	if err != nil {
		return err
	}
	d := &demo{p: p, api: newClient(r.api, devKey), sim: newClient(r.sim+"/_sim", ""), dir: dir}
	d.title, d.good, d.dim = d.style(color.Bold, color.FgCyan), d.style(color.FgGreen), d.style(color.Faint)
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	ready := make(chan struct{})
	done := make(chan error, 1)
	go func() { done <- r.run(ctx, func() { close(ready) }) }()
	select {
	case err := <-done: // it could not start, or was interrupted
		return firstError(err, ctx.Err())
	case <-ready:
	}
	fmt.Fprintf(p.out, "Engine %s, simulated carriers %s/_sim/, adapters running after %s.\n", r.api, r.sim, since(begun))
	told := d.tell(ctx)
	cancel()
	if err := errors.Join(told, <-done); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "\n%s All of it was real: processes, HTTP, a store on disk. It took %s. Next: waybill dev\n", d.good.Sprint("Done."), since(begun))
	return err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func since(t time.Time) time.Duration { return time.Since(t).Round(10 * time.Millisecond) }

// style is a colour, where what is printed can have one.
func (d *demo) style(a ...color.Attribute) *color.Color {
	c := color.New(a...)
	if d.p.colour(d.p.out) {
		c.EnableColor()
	} else {
		c.DisableColor()
	}
	return c
}

// tell runs the steps until one fails.
func (d *demo) tell(ctx context.Context) error {
	steps := []step{
		{"What would it cost to send a parcel across town?", (*demo).quotes},
		{"The shop's rules choose, and the winner is booked", (*demo).book},
		{"A parcel to another city goes by UPS, with a label", (*demo).label},
		{"The customer has second thoughts: the parcel is cancelled at UPS", (*demo).cancel},
		{"DoorDash turns an order down, and the next best takes it", (*demo).fallback},
		{"Round the corner the shop's own drivers go, moved on by hand", (*demo).ownDrivers},
		{"The courier drives: DoorDash tells by push", (*demo).courier},
		{"A parcel's way: UPS is asked where it is", (*demo).parcel},
		{"What the carriers' own books say", (*demo).books},
	}
	for i, s := range steps {
		d.title.Fprintf(d.p.out, "\n%d. %s\n", i+1, s.title)
		if err := s.run(d, ctx); err != nil {
			return fmt.Errorf("step %d of the demonstration (%s) failed: %w", i+1, s.title, err)
		}
	}
	return nil
}

// say prints one line.
func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.p.out, format+"\n", args...) }

// want fails a step that has not gone as it must.
func want(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// destination is where a demonstrated order goes.
type destination struct {
	street, city, state, code string
	lat, lng                  float64
}

var (
	// Between three and five miles away: the courier's base price, and too far for own drivers to be cheaper.
	acrossTown = destination{"1815 Massachusetts Avenue", "Cambridge", "MA", "02140", 42.3884, -71.1191}
	farAway    = destination{"1 East 161st Street", "New York", "NY", "10039", 40.8296, -73.9362}
	nextDoor   = destination{"725 Albany Street", "Boston", "MA", "02118", 42.3346944, -71.071818}
)

// order is the body of an order from the Boston shop.
func order(id string, to destination) map[string]any {
	o := map[string]any{
		"locationExternalId": "7709", "orderValue": 60,
		"deliveryContact": map[string]any{"name": "Ann Example", "phone": "+1 617-555-0123"},
		"deliveryAddress": map[string]any{"street1": to.street, "city": to.city, "state": to.state, "postalCode": to.code, "countryCode": "US",
			"latitude": to.lat, "longitude": to.lng},
		"package":  map[string]any{"name": "small"},
		"itemList": []any{map[string]any{"sku": "MUG-1", "title": "Mug", "quantity": 2, "price": 30}},
	}
	if id != "" {
		o["orderExternalId"] = id
	}
	return o
}

// post sends a body and reads the answer into v.
func (d *demo) post(ctx context.Context, c *client, path string, body, v any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	a, err := c.do(ctx, "POST", path, b)
	if err != nil {
		return err
	}
	return a.decode(v)
}

// create creates an order and shows where it went.
func (d *demo) create(ctx context.Context, id string, to destination) (shipmentView, error) {
	var sh shipmentView
	if err := d.post(ctx, d.api, "/shipments", order(id, to), &sh); err != nil {
		return sh, err
	}
	d.orders = append(d.orders, id)
	if err := want(sh.Status == "ORDER_DISPATCHED", "order %s is %s, and should be ORDER_DISPATCHED", id, sh.Status); err != nil {
		return sh, err
	}
	d.say("%s is %s: %s, tracking number %s, fee %s", id, d.good.Sprint(sh.Status), sh.carrier(), sh.TrackingID, price(sh.Fee, sh.CurrencyCode))
	return sh, nil
}

// decision shows the sentence of an order's last decision.
func (d *demo) decision(ctx context.Context, id string) (decisionView, error) {
	var v decisionView
	if err := d.api.get(ctx, shipmentPath(id, "/decision"), &v); err != nil {
		return v, err
	}
	if err := want(len(v.Decisions) > 0, "order %s has no decision", id); err != nil {
		return v, err
	}
	d.say("Why: %s", v.Decisions[len(v.Decisions)-1].Sentence)
	return v, nil
}

// history shows the statuses of an order, the last of which must be the given one.
func (d *demo) history(ctx context.Context, id, last string) error {
	var v []historyView
	if err := d.api.get(ctx, shipmentPath(id, "/status-history"), &v); err != nil {
		return err
	}
	if len(v) != 1 || len(v[0].OrderStatus) == 0 {
		return fmt.Errorf("order %s has no history", id)
	}
	if err := writeHistory(d.p.out, v[0]); err != nil {
		return err
	}
	is := v[0].OrderStatus[len(v[0].OrderStatus)-1].Status
	return want(is == last, "the last status of order %s is %s, and should be %s", id, is, last)
}
