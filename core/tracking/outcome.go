package tracking

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tally"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// outcome puts into tx what has become of a booking that was live until now: for the rates and quotas of rules, and for their fallbacks where
// the carrier has given it up.
func outcome(tx *store.Tx, sh *shipment.Shipment, a *shipment.Attempt, now time.Time) {
	if a.Kind != shipment.Forward || a.Live() {
		return
	}
	switch sh.Status {
	case shipping.OrderDelivered:
		tx.Counts = append(tx.Counts, tally.Delivered(a, a.Quote.Delivery.EndsAt.Time, sh.Progress.ActualDelivery.Time)...)
	case shipping.ErrorException, shipping.OrderFailed:
		tx.Counts = append(tx.Counts, tally.GivenUp(a)...)
		payload, err := json.Marshal(usecase.FallbackEvent{Event: "cancelled_by_carrier", Attempt: a.Number})
		if err != nil {
			panic(err) // a text and a number
		}
		tx.PutJobs = append(tx.PutJobs, store.Job{ID: fmt.Sprintf("%s/%s/%d", sh.ID, usecase.JobFallback, a.Number), Tenant: sh.Tenant,
			Kind: usecase.JobFallback, Key: string(sh.ID), Due: now, Payload: payload})
	}
}
