package main

import (
	"context"
	"time"
	_ "time/tzdata" // the zones of pickup and delivery, also where the machine has no zone files

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// maxParcels is UPS's limit of packages in one shipment (UPS Shipping, Package).
const maxParcels = 200

var adapter = carrier.Adapter[Config, *Account]{
	Name:        "ups",
	DisplayName: "UPS",
	Version:     "1.0.0",
	Services:    services(),
	// UPS books again whatever reference is sent, and neither label recovery nor tracking by reference proves that a
	// shipment does not exist: both lag behind Ship by an unknown time.
	Idempotency:  carrier.NoIdempotency,
	Absence:      carrier.Unproven,
	Grace:        time.Minute,
	LabelFormats: []shipping.LabelFormat{shipping.GIF, shipping.ZPL, shipping.EPL},
	MaxParcels:   maxParcels,
	Open:         open,
}

// Account is one UPS account with its credentials.
type Account struct {
	cfg    Config
	env    carrier.Env
	tokens *carrier.TokenSource
	ids    idSource
}

var _ interface {
	carrier.Checker
	carrier.Quoter
	carrier.Booker
	carrier.Canceler
	carrier.Finder
	carrier.Tracker
	carrier.PushReceiver
	carrier.Returner
	carrier.AddressValidator
	carrier.DocumentProvider
} = (*Account)(nil)

func open(_ context.Context, cfg Config, env carrier.Env) (*Account, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	a := &Account{cfg: cfg, env: env, ids: idSource{account: cfg.ShipperNumber}}
	a.tokens = carrier.NewTokenSource(env, a.fetchToken)
	return a, nil
}

// Check proves the credentials with a fresh token and, where the account's address is known, the shipper number with a
// price from that address to itself. Neither has a side effect.
func (a *Account) Check(ctx context.Context) error {
	if old, err := a.tokens.Token(ctx); err == nil {
		a.tokens.Drop(old)
	}
	if _, err := a.tokens.Token(ctx); err != nil || a.cfg.Shipper == nil {
		return err
	}
	at := a.cfg.Shipper.stop()
	r := carrier.QuoteRequest{Consignment: carrier.Consignment{
		Pickup: at, Delivery: at, Parcels: []shipping.Parcel{{Weight: &shipping.Weight{Value: shipping.DecimalFromInt(1), Unit: "lb"}}},
	}}
	_, err := a.Quote(ctx, r)
	return err
}
