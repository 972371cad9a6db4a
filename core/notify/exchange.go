package notify

import (
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TopicExchange tells the shop that a buyer sends something back and wants something else for it.
const TopicExchange = "return.exchange_requested"

// exchangeData is what is told of an exchange.
type exchangeData struct {
	ReturnID         shipment.ID     `json:"returnId"`         // of the shipment that brings it back
	ReturnExternalID string          `json:"returnExternalId"` // likewise, for the routes of shipments
	OrderExternalID  string          `json:"orderExternalId"`  // of what is sent back
	ShipmentID       shipment.ID     `json:"shipmentId,omitempty"`
	TrackerID        string          `json:"trackerId,omitempty"`
	Reason           string          `json:"reason"`
	Note             string          `json:"note"`          // the buyer's own words
	Items            []shipping.Item `json:"items"`         // what comes back
	ExchangeItems    []shipping.Item `json:"exchangeItems"` // what is wanted
}

// ExchangeRequested puts the message that an exchange was asked for.
func (s *Service) ExchangeRequested(tx *store.Tx, back *shipment.Shipment, at time.Time) {
	r := back.ReturnOf
	data, err := json.Marshal(exchangeData{ReturnID: back.ID, ReturnExternalID: back.Order.ExternalID, OrderExternalID: r.OriginID, ShipmentID: r.Shipment, TrackerID: r.Tracker,
		Reason: r.Reason, Note: r.Note, Items: back.Order.Items, ExchangeItems: r.Exchange}, wire)
	if err != nil {
		s.Log.Error("an exchange cannot be told", "shipment_id", back.ID, "err", err)
		return
	}
	s.Tell(tx, back.Tenant, Event{Subject: store.ShipmentSubject(string(back.ID)), Seq: 1, Topic: TopicExchange, At: at, Snapshot: Snapshot{Data: data}})
}
