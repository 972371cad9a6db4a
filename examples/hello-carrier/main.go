// Command waybill-carrier-hello is the smallest useful carrier adapter: it quotes, books, finds and cancels at a carrier whose
// whole API is four JSON calls. Copy the folder to begin your own.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/plugin"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func main() { plugin.Serve(adapter) }

var adapter = carrier.Adapter[Config, *Account]{
	Name: "hello", DisplayName: "Hello Carrier", Version: "0.1.0",
	Services:    []carrier.Service{{ID: "bicycle", Code: "B", Name: "Bicycle", Mode: "courier"}},
	Idempotency: carrier.Native, // the carrier keeps one booking per reference
	Absence:     carrier.Proven, // and tells truly when it has none
	Open: func(_ context.Context, cfg Config, env carrier.Env) (*Account, error) {
		return &Account{cfg: cfg, env: env}, nil
	},
}

// Config is what an account of this carrier needs.
type Config struct {
	BaseURL string         `json:"base_url" title:"Base URL" example:"https://api.hello.example"`
	Key     carrier.Secret `json:"key" title:"API key" doc:"From the carrier's dashboard."`
}

// Account talks to the carrier. Its methods are the adapter's abilities.
type Account struct {
	cfg Config
	env carrier.Env
}

// Quote asks for the price.
func (a *Account) Quote(ctx context.Context, r carrier.QuoteRequest) (carrier.QuoteAnswer, error) {
	var price struct {
		Cents    int64  `json:"cents"`
		Currency string `json:"currency"`
	}
	in := map[string]any{"metres": r.DistanceMetres, "parcels": len(r.Parcels)}
	if err := a.call(ctx, http.MethodPost, "/price", in, &price); err != nil {
		return carrier.QuoteAnswer{}, err
	}
	return carrier.QuoteAnswer{Quotes: []shipping.Quote{{
		ServiceID: "bicycle", ServiceCode: "B", ServiceType: "Bicycle", Amount: shipping.Money{Minor: price.Cents, Currency: price.Currency},
	}}}, nil
}

// ride is a booking in the carrier's words.
type ride struct {
	ID        string `json:"id"`
	Reference string `json:"reference"`
	Cancelled bool   `json:"cancelled"`
}

func (r ride) booking(parcels int) carrier.Booking {
	b := carrier.Booking{Reference: r.Reference, CarrierRef: r.ID, TrackingID: r.ID, ServiceID: "bicycle", Cancelled: r.Cancelled}
	for range parcels {
		b.Parcels = append(b.Parcels, carrier.BookedParcel{Number: r.ID}) // a courier sticks no label
	}
	return b
}

// Book orders a ride.
func (a *Account) Book(ctx context.Context, r carrier.BookRequest) (carrier.Booking, error) {
	var got ride
	in := map[string]any{"reference": r.Reference, "from": r.Pickup.Address, "to": r.Delivery.Address, "note": r.Delivery.Instructions}
	if err := a.call(ctx, http.MethodPost, "/rides", in, &got); err != nil {
		return carrier.Booking{}, err
	}
	return got.booking(len(r.Parcels)), nil
}

// Find asks what was ordered under our reference.
func (a *Account) Find(ctx context.Context, r carrier.FindRequest) ([]carrier.Booking, error) {
	var got []ride
	if err := a.call(ctx, http.MethodGet, "/rides?reference="+url.QueryEscape(r.Reference), nil, &got); err != nil {
		return nil, err
	}
	var out []carrier.Booking
	for _, x := range got {
		out = append(out, x.booking(1))
	}
	return out, nil
}

// Cancel calls the ride off.
func (a *Account) Cancel(ctx context.Context, r carrier.CancelRequest) (carrier.Cancellation, error) {
	var got ride
	return carrier.Cancellation{}, a.call(ctx, http.MethodPost, "/cancel", map[string]any{"id": r.CarrierRef}, &got)
}

// call sends JSON and reads JSON. carrier.Do, Fault and Unreadable make the errors that the engine understands.
func (a *Account) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(method, a.cfg.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", a.cfg.Key.Reveal())
	resp, err := carrier.Do(ctx, a.env, r)
	if err != nil {
		return err
	}
	if e := resp.Fault(); e != nil {
		var said struct{ Code, Message string }
		if json.Unmarshal(resp.Body, &said) == nil {
			e.CarrierCode, e.CarrierMessage = said.Code, said.Message
		}
		return e
	}
	if err := json.Unmarshal(resp.Body, out); err != nil {
		return resp.Unreadable(err)
	}
	return nil
}
