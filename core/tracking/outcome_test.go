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
		"given up":          {shipping.ErrorException, shipment.Ended, shipment.Forward, time.Time{}, -1, 1, true},
		"failed":            {shipping.OrderFailed, shipment.Ended, shipment.Forward, time.Time{}, -1, 1, true},
		"delivered":         {shipping.OrderDelivered, shipment.Ended, shipment.Forward, now, 0, 1, false},
		"delivered late":    {shipping.OrderDelivered, shipment.Ended, shipment.Forward, now.Add(time.Hour), 0, 0, false},
		"on its way":        {shipping.InTransit, shipment.Booked, shipment.Forward, time.Time{}, 0, 1, false},
		"trouble of parcel": {shipping.ErrorException, shipment.Booked, shipment.Forward, time.Time{}, 0, 1, false},
		"a return":          {shipping.OrderDelivered, shipment.Ended, shipment.Return, now, 0, 1, false},
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
