package main

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/core/audit"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/simulator"
)

// clerkEvery is how often the clerk looks for orders that need a person.
const clerkEvery = time.Second

// clerkWaits is how long after its intent an attempt is looked up at the carrier: whatever was sent has become something by then, with
// every latency that the run knows on top.
const clerkWaits = chaosDeadline + chaosGrace + chaosLate + chaosCommits

// clerk is the person of the run, until ctx ends: it looks up in the carriers' books what only a person can decide, and says so. An
// engine or simulator that does not answer is asked again at the next look.
func (c *chaos) clerk(ctx context.Context) error {
	for begun := time.Now(); pauseFor(ctx, max(clerkEvery, time.Since(begun))) == nil; { // a look may take long, and is work for the engine
		begun = time.Now()
		var waiting struct {
			Data []struct{} `json:"data"`
		}
		a, err := c.api.do(ctx, http.MethodPost, "/shipments/list", []byte(`{"needsAttention":true,"limit":1}`))
		if err != nil || a.decode(&waiting) != nil || len(waiting.Data) == 0 {
			continue
		}
		var stream bytes.Buffer
		if c.p.fetchStream(ctx, c.api.base, "/admin/orders", chaosOperator, &stream) != nil {
			continue
		}
		orders, err := audit.Import(&stream)
		if err != nil { // cut off when the engine died
			continue
		}
		for _, o := range orders {
			for _, a := range o.Attempts {
				if a.State == shipment.InDoubt && a.Needs == shipment.Attention && time.Since(a.IntendedAt) > clerkWaits {
					if err := c.decide(ctx, o.ID, a); err != nil && ctx.Err() == nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// decide tells the engine what the carrier's books say of one attempt.
func (c *chaos) decide(ctx context.Context, order string, a audit.Attempt) error {
	var ledger struct {
		Records []simulator.Record `json:"records"`
	}
	if c.control.get(ctx, "/_sim/ledger?limit=1000&carrier="+a.Adapter+"&reference="+a.Reference, &ledger) != nil {
		return nil
	}
	said := struct {
		Attempt    int              `json:"attempt"`
		Outcome    dispatch.Outcome `json:"outcome"`
		TrackingID string           `json:"trackingId,omitzero"`
	}{Attempt: a.Number, Outcome: dispatch.OutcomeAbsent}
	for _, h := range newExamination(ledger.Records).bookings {
		if h.live {
			said.Outcome, said.TrackingID = dispatch.OutcomeBooked, h.entity
		}
	}
	body, err := json.Marshal(said)
	if err != nil {
		return err
	}
	_, err = c.insist(ctx, order, http.MethodPost, shipmentPath(order, "/resolve"), body)
	return err
}
