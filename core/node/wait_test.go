package node

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// A cancellation that waits for what comes of an earlier one is answered as soon as tracking has settled the order, on a clock that stands
// still meanwhile.
func TestAWaitingCancellationHearsOfTracking(t *testing.T) {
	watcher, err := config.Watch(filepath.Join("..", "..", "examples", "waybill.yaml"), func(string) (string, bool) { return "", false },
		func(c *config.Config) {
			c.Store.Dir, c.Dispatch.AnswerWithin = filepath.Join(t.TempDir(), "store"), time.Minute
		}, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	clk := clock.NewManual(now)
	n, err := Open(Settings{Config: watcher, Log: hclog.NewNullLogger(), Carriers: nobody{}, Clock: clk})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	booked := &shipment.Shipment{Schema: shipment.Schema, ID: "0123456789abcdef01234567", Tenant: "demo", Order: shipment.Order{ExternalID: "o1"},
		Status: shipping.OrderDispatched, CreatedAt: now, UpdatedAt: now, Cancel: &shipment.CancelRequest{By: "key", At: now, Kept: true},
		Attempts: []shipment.Attempt{{Number: 1, Kind: shipment.Forward, State: shipment.Booked, Account: "own_fleet", Provider: "Own fleet", IntendedAt: now, Deadline: now,
			Booking: &shipment.Booking{CarrierRef: "B1", TrackingID: "B1"}, CancelIntent: &shipment.CancelIntent{By: "key", At: now, Deadline: now, Unknown: true}}}}
	tx := &store.Tx{Shipments: []*shipment.Shipment{booked}, Now: now, Usage: []store.UsageDelta{{Account: "own_fleet", Day: booked.Day(now), Open: 1, Today: 1}}}
	if err := n.Store.Commit(t.Context(), "demo", tx); err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithTimeout(t.Context(), time.Minute) // of wall time: only a failure takes it
	defer stop()
	caller := usecase.Caller{Tenant: "demo", Key: "key"}
	answered := make(chan error, 1)
	go func() {
		_, err := n.Dispatch.Cancel(ctx, caller, "o1", "")
		answered <- err
	}()
	if err := clk.AwaitTimers(ctx, 1); err != nil {
		t.Fatal("the cancellation does not wait:", err)
	}
	if _, err := n.Tracking.SetShipmentStatus(ctx, caller, "o1", tracking.StatusUpdate{Status: shipping.OrderDelivered}); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), string(shipping.OrderDelivered)) {
		t.Errorf("answered %v, %v", err, ctx.Err())
	}
}
