package tracking

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tally"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestOutcome: what is given up is counted back and told to the rules, what is delivered counts as in time or late, and what goes on is neither.
func TestOutcome(t *testing.T) {
	now := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		status shipping.Status
		state  shipment.AttemptState
		kind   shipment.Kind
		came   time.Time
		quota  int64 // what is added to the account's quota
		onTime float64
		told   bool
	}{
		"given up":            {shipping.ErrorException, shipment.Ended, shipment.Forward, time.Time{}, -1, 1, true},
		"failed":              {shipping.OrderFailed, shipment.Ended, shipment.Forward, time.Time{}, -1, 1, true},
		"cancelled as wished": {shipping.OrderCancelled, shipment.Cancelled, shipment.Forward, time.Time{}, -1, 1, false},
		"delivered":           {shipping.OrderDelivered, shipment.Ended, shipment.Forward, now, 0, 1, false},
		"delivered late":      {shipping.OrderDelivered, shipment.Ended, shipment.Forward, now.Add(time.Hour), 0, 0, false},
		"on its way":          {shipping.InTransit, shipment.Booked, shipment.Forward, time.Time{}, 0, 1, false},
		"trouble of parcel":   {shipping.ErrorException, shipment.Booked, shipment.Forward, time.Time{}, 0, 1, false},
		"a return":            {shipping.OrderDelivered, shipment.Ended, shipment.Return, now, 0, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			sh := &shipment.Shipment{ID: "s", Tenant: "demo", Status: c.status}
			sh.Progress.ActualDelivery = shipping.At(c.came)
			a := &shipment.Attempt{Number: 1, Kind: c.kind, State: c.state, Account: "ups", Counted: &shipment.Counted{Day: "2026-03-02"}}
			a.Quote.Delivery.EndsAt = shipping.At(now)
			if a.Live() {
				a.Booking = &shipment.Booking{}
			}
			tx := &store.Tx{}
			outcome(tx, sh, a, nil, now)
			counts := map[store.CountKey]int64{}
			for _, x := range tx.Counts {
				counts[x.CountKey] += x.Add
			}
			keys := tally.RateKeys("ups", now)
			has := make([]int64, len(keys))
			for i, k := range keys {
				has[i] = max(counts[k], 0)
			}
			if onTime, cancelled, _ := tally.Rates(has); counts[tally.Quota("ups", "", "2026-03-02")] != c.quota || onTime != c.onTime || (cancelled == 1) != c.told {
				t.Errorf("counts %v, on time %v, cancelled %v", counts, onTime, cancelled)
			}
			told := len(tx.PutJobs) == 1 && tx.PutJobs[0].Kind == usecase.JobFallback && tx.PutJobs[0].Key == "s" &&
				string(tx.PutJobs[0].Payload) == `{"event":"cancelled_by_carrier","attempt":1}`
			if told != c.told || !told && len(tx.PutJobs) > 0 {
				t.Errorf("jobs %+v", tx.PutJobs)
			}
		})
	}
}

// TestNobodyCame: a carrier that has found no driver is told as that, and as a cancellation where no rule speaks of it; a driver who gives an order
// back is looked after where a rule wants to know.
func TestNobodyCame(t *testing.T) {
	now := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	sh := &shipment.Shipment{ID: "s", Tenant: "demo", Status: shipping.OrderFailed}
	a := &shipment.Attempt{Number: 1, Kind: shipment.Forward, State: shipment.Ended, Account: "dd"}
	tx := &store.Tx{}
	outcome(tx, sh, a, []shipment.Change{{Reason: &shipping.EventReason{Code: "NO_DRIVER_AVAILABLE"}}}, now)
	if len(tx.PutJobs) != 1 || string(tx.PutJobs[0].Payload) != `{"event":"no_driver","attempt":1,"else":"cancelled_by_carrier"}` {
		t.Errorf("jobs %+v", tx.PutJobs)
	}
	for name, c := range map[string]struct {
		status shipping.Status
		heeds  []string
		mode   string
		want   int
	}{
		"given back":       {shipping.OrderUnassigned, []string{"no_driver"}, "courier", 1},
		"assigned":         {shipping.OrderAssigned, []string{"no_driver"}, "courier", 0},
		"nobody asks":      {shipping.OrderUnassigned, []string{"provider_down"}, "courier", 0},
		"not by a courier": {shipping.OrderUnassigned, []string{"no_driver"}, "ground", 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := shipment.Attempt{Number: 1, Kind: shipment.Forward, State: shipment.Booked, Booking: &shipment.Booking{}, Heeds: c.heeds}
			a.Quote.Mode = c.mode
			sh := &shipment.Shipment{ID: "s", Tenant: "demo", Status: c.status, Attempts: []shipment.Attempt{a}}
			tx := &store.Tx{}
			unassigned(tx, sh, &sh.Attempts[0], now)
			if len(tx.PutJobs) != c.want {
				t.Fatalf("jobs %+v", tx.PutJobs)
			}
			if c.want == 1 && (!tx.PutJobs[0].Due.Equal(now.Add(5*time.Minute)) || string(tx.PutJobs[0].Payload) != `{"event":"no_driver","attempt":1}`) {
				t.Errorf("job %+v", tx.PutJobs[0])
			}
		})
	}
}
