package apitest

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// followed finds the carriers as tracking sees them.
type followed map[string]*Carrier

func (h *Harness) followed() followed {
	return followed{"ups": h.UPS, "doordash": h.DoorDash, "quiet": h.Quiet}
}

// Account implements tracking.Carriers.
func (f followed) Account(_, id string) (tracking.Account, bool) {
	a, ok := f[id]
	return a, ok
}

// Track answers what the Track hook says; without one, that no number is known.
func (c *Carrier) Track(_ context.Context, r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hooks.Track != nil {
		return c.hooks.Track(r)
	}
	var out []carrier.TrackUpdate
	for _, p := range r.Parcels {
		out = append(out, carrier.TrackUpdate{Number: p.Number, Reference: p.Reference, Unknown: true})
	}
	return out, nil
}

// PushKey is what a push must carry as Authorization.
const PushKey = "Basic cHVzaDpwdXNo"

// ReceivePush reads a body that is one carrier.TrackUpdate as JSON.
func (c *Carrier) ReceivePush(_ context.Context, p carrier.Push) (carrier.PushAnswer, error) {
	refuse := func(code carrier.Code) error {
		return &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Retry: carrier.RetryNever, Code: code, Message: "The push is not taken."}
	}
	if p.Header.Get("Authorization") != PushKey {
		return carrier.PushAnswer{}, refuse(carrier.PushRejected)
	}
	var u carrier.TrackUpdate
	if json.Unmarshal(p.Body, &u) != nil {
		return carrier.PushAnswer{}, refuse(carrier.CarrierProtocol)
	}
	return carrier.PushAnswer{Updates: []carrier.TrackUpdate{u}, Body: []byte("thanks")}, nil
}
