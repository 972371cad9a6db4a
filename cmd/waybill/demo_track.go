package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/waybill-dev/waybill/core/config"
)

const (
	// demoSpeed lets a courier's hour pass in seconds.
	demoSpeed = 600
	// demoLook is how often the demonstration looks whether something has happened.
	demoLook = 50 * time.Millisecond
)

// demoTracking asks often: nobody watches for hours.
func demoTracking() *config.Tracking {
	return &config.Tracking{Waiting: time.Minute, Transit: time.Minute, Out: time.Minute, AtPoint: time.Minute, Trouble: time.Minute, Courier: time.Minute,
		NotFound: 10 * 24 * time.Hour, Silent: 30 * 24 * time.Hour, PerSecond: 5, Park: time.Hour}
}

// hurry sets how fast time goes by, for the carriers and the engine.
func (d *demo) hurry(ctx context.Context, speed float64) error {
	var set struct {
		Now time.Time `json:"now"`
	}
	if err := d.post(ctx, d.sim, "/clock", map[string]any{"speed": speed}, &set); err != nil {
		return fmt.Errorf("set the speed of time: %w", err)
	}
	return nil
}

// until waits for a status of an order.
func (d *demo) until(ctx context.Context, id, status string) (shipmentView, error) {
	tick := time.NewTicker(demoLook)
	defer tick.Stop()
	for {
		var sh shipmentView
		if err := d.api.get(ctx, shipmentPath(id), &sh); err != nil {
			return sh, err
		}
		if sh.Status == status {
			return sh, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return sh, fmt.Errorf("order %s is %s, and should have become %s: %w", id, sh.Status, status, ctx.Err())
		}
	}
}

// courier watches the first order on its way.
func (d *demo) courier(ctx context.Context) error {
	d.say("Time goes %d times as fast for a moment.", demoSpeed)
	if err := d.hurry(ctx, demoSpeed); err != nil {
		return err
	}
	if _, err := d.until(ctx, "DEMO-1", "ORDER_DELIVERED"); err != nil {
		return err
	}
	if err := d.hurry(ctx, 1); err != nil {
		return err
	}
	return d.history(ctx, "DEMO-1", "ORDER_DELIVERED")
}

// parcel has a parcel scanned from the label to the door, and watches the engine find out. The order's carrier does not push here.
func (d *demo) parcel(ctx context.Context) error {
	sh, err := d.create(ctx, "DEMO-5", farAway)
	if err != nil {
		return err
	}
	if err := want(sh.Provider.ID == "ups", "%s has order DEMO-5, and should be ups", sh.Provider.ID); err != nil {
		return err
	}
	if err := d.hurry(ctx, demoSpeed); err != nil {
		return err
	}
	for _, stage := range []struct{ scan, status string }{
		{"ORIGIN_SCAN", "PICKUP_COMPLETED"}, {"ARRIVAL_SCAN", "IN_TRANSIT"}, {"OUT_FOR_DELIVERY", "OUT_FOR_DELIVERY"}, {"DELIVERED", "ORDER_DELIVERED"},
	} {
		var moved any
		if err := d.post(ctx, d.sim, "/entities/ups/"+url.PathEscape(sh.TrackingID)+"/run-to", map[string]any{"state": stage.scan}, &moved); err != nil {
			return fmt.Errorf("scan the parcel: %w", err)
		}
		if _, err := d.until(ctx, "DEMO-5", stage.status); err != nil {
			return err
		}
	}
	if err := d.hurry(ctx, 1); err != nil {
		return err
	}
	return d.history(ctx, "DEMO-5", "ORDER_DELIVERED")
}
