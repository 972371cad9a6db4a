package notify

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// waybillBody is the body of the shape waybill, with the members that Standard Webhooks recommends.
type waybillBody struct {
	Type      string `json:"type"`      // the topic
	Timestamp string `json:"timestamp"` // of the event, RFC 3339 with milliseconds
	Sequence  int    `json:"sequence"`  // grows with each event of one subject; numbers may be left out
	Data      any    `json:"data"`
}

type shipmentData struct {
	Shipment any        `json:"shipment"` // as GET /shipments/{id} had answered
	Change   changeData `json:"change"`
}

// changeData is the line of history that is told.
type changeData struct {
	Status         shipping.Status       `json:"status"`
	SubStatus      string                `json:"subStatus,omitempty"`
	UpdatedAtEpoch int64                 `json:"updatedAtEpoch"` // Unix milliseconds
	Note           *string               `json:"note"`
	StatusUser     string                `json:"statusUser"`
	Actor          string                `json:"actor,omitempty"`
	EventReason    *shipping.EventReason `json:"eventReason,omitempty"`
	Late           bool                  `json:"late,omitzero"` // entered history without moving the present
}

type trackerData struct {
	Surface string      `json:"surface"` // through which the tracker came: tracker, ship24 or tracktor
	Tracker any         `json:"tracker"` // as GET /trackers/{id} had answered, or would where another surface shows it
	Events  []eventData `json:"events"`  // that have just entered
}

type eventData struct {
	ID           string                `json:"id"`
	Status       shipping.Status       `json:"status,omitempty"`
	SubStatus    string                `json:"subStatus,omitempty"`
	Time         shipping.Instant      `json:"time"` // Unix milliseconds
	CarrierTime  string                `json:"carrierTime,omitempty"`
	CarrierCode  string                `json:"carrierCode"`
	CarrierWords string                `json:"carrierWords"`
	EventReason  *shipping.EventReason `json:"eventReason,omitempty"`
	City         string                `json:"city,omitempty"`
	State        string                `json:"state,omitempty"`
	PostalCode   string                `json:"postalCode,omitempty"`
	CountryCode  string                `json:"countryCode,omitempty"`
	Late         bool                  `json:"late,omitzero"`
}

// waybill is our own shape.
func (s *Service) waybill(t Told) (Rendered, bool, error) {
	var data any
	switch snap := t.Snapshot; {
	case snap.Shipment != nil && snap.Change != nil:
		data = shipmentData{Shipment: s.ShowShipment(snap.Shipment, t.Back), Change: showChange(*snap.Change)}
	case snap.Tracker != nil:
		if s.ShowTracker == nil || !followed(snap.Tracker) {
			return Rendered{}, false, nil
		}
		d := trackerData{Surface: string(snap.Tracker.Surface), Tracker: s.ShowTracker(snap.Tracker, t.Back), Events: []eventData{}}
		for _, e := range snap.Entered {
			d.Events = append(d.Events, eventData{ID: e.ID, Status: e.Status, SubStatus: e.SubStatus, Time: e.Time, CarrierTime: e.Clock(), CarrierCode: e.CarrierCode,
				CarrierWords: e.CarrierWords, EventReason: e.Reason, City: e.City, State: e.State, PostalCode: e.PostalCode, CountryCode: e.CountryCode, Late: e.Late})
		}
		data = d
	case len(snap.Data) > 0:
		data = snap.Data
	default:
		data = struct{}{}
	}
	return signed(waybillBody{Type: t.Message.Topic, Timestamp: clock.Millis(t.Message.At), Sequence: t.Message.Seq, Data: data})
}

// followed reports whether somebody wants to know what becomes of a tracker. A shop's order is told by its fulfilments.
func followed(t *tracker.Tracker) bool {
	return t.Surface != tracker.OfShop && t.Stopped != tracker.StopUnsubscribed
}

func showChange(c shipment.Change) changeData {
	d := changeData{Status: c.Status, SubStatus: c.SubStatus, UpdatedAtEpoch: c.At.UnixMilli(), StatusUser: c.User, Actor: c.Actor, EventReason: c.Reason, Late: c.Late}
	if c.Note != "" {
		d.Note = &c.Note
	}
	return d
}

// signed is a body of ours, with our signature.
func signed(body any) (Rendered, bool, error) {
	b, err := json.Marshal(body, wire)
	if err != nil {
		return Rendered{}, false, fmt.Errorf("write the body of a webhook: %w", err)
	}
	return Rendered{Body: b, Signed: true}, true, nil
}
