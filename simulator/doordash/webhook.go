package doordash

import (
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/waybill-dev/waybill/simulator"
)

// told is the body of a webhook, after a sample in an integrator's tests.
// There is no event id and no delivery_status; what is empty is left out.
type told struct {
	CreatedAt       time.Time `json:"created_at"`
	EventName       string    `json:"event_name"`
	ID              string    `json:"external_delivery_id"`
	Cancellation    string    `json:"cancellation_reason,omitzero"`
	Dasher          *dasher   `json:",embed"`
	Proof           proof     `json:",embed"`
	Echoed          echoed    `json:",embed"`
	Currency        string    `json:"currency"`
	Fee             int64     `json:"fee"`
	TrackingURL     string    `json:"tracking_url"`
	Support         string    `json:"support_reference"`
	PickupEstimate  time.Time `json:"pickup_time_estimated,omitzero"`
	DropoffEstimate time.Time `json:"dropoff_time_estimated,omitzero"`
}

// echoed are the caller's members that a webhook repeats.
type echoed struct {
	PickupAddress  jsontext.Value `json:"pickup_address,omitzero"`
	PickupPhone    jsontext.Value `json:"pickup_phone_number,omitzero"`
	DropoffAddress jsontext.Value `json:"dropoff_address,omitzero"`
	DropoffPhone   jsontext.Value `json:"dropoff_phone_number,omitzero"`
	OrderValue     jsontext.Value `json:"order_value,omitzero"`
	Tip            jsontext.Value `json:"tip,omitzero"`
	Contactless    jsontext.Value `json:"contactless_dropoff,omitzero"`
}

// resends are the pauses before the second and third attempt: DoorDash says
// that there are up to three, not when (chosen).
var resends = []time.Duration{5 * time.Second, 30 * time.Second}

// tell has the account's owner told of the state that a delivery has entered.
func (d *Dialect) tell(tx *simulator.Tx, e *simulator.Entity) {
	key := d.keys[e.Account]
	if key == nil || key.Webhook.URL == "" {
		return
	}
	v := e.Data.(*delivery)
	at := tx.Now().Truncate(time.Millisecond)
	for i, name := range webhookEvents[e.State] {
		if locationEvents[name] && !key.Webhook.LocationEvents {
			continue
		}
		t := told{CreatedAt: at, EventName: name, ID: e.ID, Cancellation: cancellation(e), Dasher: v.courier(e), Proof: v.proof(e), Currency: currency,
			Fee: v.asked(), TrackingURL: v.trackingURL(e.ID), Support: fmt.Sprintf("%010d", v.support),
			PickupEstimate: v.pickupBy, DropoffEstimate: v.dropBy}
		_ = json.Unmarshal(v.body, &t.Echoed) // our own encoding
		body, err := json.Marshal(t)
		if err != nil {
			continue // unreachable: every member was read as JSON or is of ours
		}
		header := http.Header{"Content-Type": {"application/json"}}
		if key.Webhook.Authorization != "" {
			header.Set("Authorization", key.Webhook.Authorization)
		}
		lag := d.cfg.Profile.Push.Draw(tx.Rand(Name, e.ID, fmt.Sprintf("push %d.%d", len(e.Timeline), i)))
		tx.Push(e, simulator.Push{Event: name, URL: key.Webhook.URL, Header: header, Body: body, At: tx.Now().Add(lag),
			Retries: resends, Accepted: func(status int) bool { return status == http.StatusOK }})
	}
}
