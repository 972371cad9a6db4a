package tracking

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tally"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// outcome puts into tx what has become of a booking that was live until now: for the rates and quotas of rules, and for their fallbacks where
// the carrier has given it up.
func outcome(tx *store.Tx, sh *shipment.Shipment, a *shipment.Attempt, lines []shipment.Change, now time.Time) {
	if a.Kind != shipment.Forward || a.Live() {
		return
	}
	switch sh.Status {
	case shipping.OrderDelivered:
		tx.Counts = append(tx.Counts, tally.Delivered(a, a.Quote.Delivery.EndsAt.Time, sh.Progress.ActualDelivery.Time)...)
	case shipping.OrderCancelled: // as was asked for, here or at the carrier
		tx.Counts = append(tx.Counts, tally.Back(a)...)
	case shipping.ErrorException, shipping.OrderFailed:
		tx.Counts = append(tx.Counts, tally.GivenUp(a)...)
		ev := usecase.FallbackEvent{Event: "cancelled_by_carrier", Attempt: a.Number}
		if nobodyCame(lines) {
			ev.Event, ev.Else = usecase.NoDriver, ev.Event
		}
		tx.PutJobs = append(tx.PutJobs, fallbackJob(sh, ev, "", now))
	}
}

// noDriverReason is the reason of a cancelled delivery for which the carrier has found no driver; every adapter says it so.
const noDriverReason = "NO_DRIVER_AVAILABLE"

// nobodyCame reports whether a carrier has given a booking up as it found no driver.
func nobodyCame(lines []shipment.Change) bool {
	for _, l := range lines {
		if !l.Late && l.Reason != nil && l.Reason.Code == noDriverReason {
			return true
		}
	}
	return false
}

// reassign is how long a carrier has to find another driver when one has given an order back.
const reassign = 5 * time.Minute

// unassigned puts into tx the job that looks whether an order which a driver has given back has found another, where a rule wants to know.
func unassigned(tx *store.Tx, sh *shipment.Shipment, a *shipment.Attempt, now time.Time) {
	if sh.Status == shipping.OrderUnassigned && sh.Driverless(a) && slices.Contains(a.Heeds, usecase.NoDriver) {
		tx.PutJobs = append(tx.PutJobs, fallbackJob(sh, usecase.FallbackEvent{Event: usecase.NoDriver, Attempt: a.Number}, "/"+usecase.NoDriver, now.Add(reassign)))
	}
}

func fallbackJob(sh *shipment.Shipment, ev usecase.FallbackEvent, more string, due time.Time) store.Job {
	payload, err := json.Marshal(ev)
	if err != nil {
		panic(err) // texts and a number
	}
	return store.Job{ID: fmt.Sprintf("%s/%s/%d%s", sh.ID, usecase.JobFallback, ev.Attempt, more), Tenant: sh.Tenant, Kind: usecase.JobFallback, Key: string(sh.ID),
		Due: due, Payload: payload}
}
