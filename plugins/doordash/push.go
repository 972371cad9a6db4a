package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// webhook is what DoorDash pushes. It has neither a delivery_status nor an id of its own: external_delivery_id, event_name and
// created_at together tell one from another, and stand in the update as reference, code and time of the event.
type webhook struct {
	ExternalDeliveryID string `json:"external_delivery_id"`
	EventName          string `json:"event_name"`
	CreatedAt          string `json:"created_at"`
	CancellationReason string `json:"cancellation_reason"`
	SupportReference   string `json:"support_reference"`
	TrackingURL        string `json:"tracking_url"`
	PickupEstimated    string `json:"pickup_time_estimated"`
	PickupActual       string `json:"pickup_time_actual"`
	DropoffEstimated   string `json:"dropoff_time_estimated"`
	DropoffActual      string `json:"dropoff_time_actual"`
	Fee                int64  `json:"fee"`
	Tax                *int64 `json:"tax"`
	told
}

var errNoEvent = errors.New("it has no external_delivery_id, no event_name or no readable created_at")

// ReceivePush reads one webhook. DoorDash signs nothing; it sends the Authorization that the portal was told to send.
func (a *Account) ReceivePush(_ context.Context, p carrier.Push) (carrier.PushAnswer, error) {
	if a.push == nil || subtle.ConstantTimeCompare(digest(strings.TrimSpace(p.Header.Get("Authorization"))), a.push) != 1 {
		e := &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: carrier.PushRejected,
			Message: "The webhook does not carry the agreed Authorization."}
		if a.push == nil {
			e.Source, e.Message = carrier.SourceConfig, "The account has no push_authorization, so no webhook can be trusted."
		}
		return carrier.PushAnswer{}, e
	}
	u, err := decodeWebhook(p.Body)
	if err != nil {
		return carrier.PushAnswer{}, &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Retry: carrier.RetryNever,
			Code: carrier.CarrierProtocol, Message: "The webhook cannot be read.", Err: err}
	}
	return carrier.PushAnswer{Updates: []carrier.TrackUpdate{u}}, nil
}

func decodeWebhook(body []byte) (carrier.TrackUpdate, error) {
	var w webhook
	if err := json.Unmarshal(body, &w, lenient); err != nil {
		return carrier.TrackUpdate{}, err
	}
	at := parseTime(w.CreatedAt)
	if w.ExternalDeliveryID == "" || w.EventName == "" || at.IsZero() {
		return carrier.TrackUpdate{}, errNoEvent
	}
	u := carrier.TrackUpdate{
		Number: w.SupportReference, Reference: w.ExternalDeliveryID, TrackingURL: w.TrackingURL,
		Events: []shipping.TrackingEvent{event(w.EventName, w.CancellationReason, at, w.CreatedAt)},
		Pickup: moment(w.PickupEstimated), Delivery: moment(w.DropoffEstimated),
		ActualPickup: parseTime(w.PickupActual), ActualDelivery: parseTime(w.DropoffActual),
	}
	w.fill(&u, at)
	if u.Events[0].Status == shipping.OrderUndeliverable {
		u.Amount = w.amount()
	}
	return u, nil
}

// amount is what the delivery costs by a webhook about its way back, which raises the fee. Those of other events tell only what is known,
// and may come late. In Canada a fee without its tax is not what it costs.
func (w *webhook) amount() shipping.Money {
	currency := strings.ToUpper(w.Currency)
	if _, known := shipping.CurrencyDigits(currency); !known || w.Fee <= 0 || w.Tax == nil && currency == "CAD" {
		return shipping.Money{}
	}
	m := shipping.Money{Minor: w.Fee, Currency: currency}
	if w.Tax != nil {
		m.Minor += *w.Tax
	}
	return m
}

// digest makes texts of any length comparable in constant time; nil for none.
func digest(s string) []byte {
	if s == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}
