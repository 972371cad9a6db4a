package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/waybill-dev/waybill/core/carrierhost"
	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// adapterPath measures one question to an adapter on the way that the engine takes, to an adapter that asks no carrier.
func (b *bench) adapterPath(ctx context.Context, file string, floors *benchFloors) error {
	b.say("questions to an adapter")
	cfg, err := config.Load(file, os.LookupEnv)
	if err != nil {
		return err
	}
	clk := clock.Real()
	host, err := carrierhost.New(carrierhost.Config{Dir: b.plugins, AutoMTLS: *cfg.Plugins.AutoMTLS, Clock: clk, Source: clock.Crypto(clk)})
	if err != nil {
		return err
	}
	const account = "own_fleet"
	if err := host.Apply([]*config.Account{cfg.Tenants["bench"].Accounts[account]}); err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- host.Run(running) }()
	defer stop()
	err = func() error {
		ready, cancel := context.WithTimeout(ctx, childStart)
		defer cancel()
		if err := host.Ready(ready); err != nil {
			return err
		}
		a, ok := host.Account("bench", account)
		if !ok {
			return fmt.Errorf("account %s is not there", account)
		}
		return b.questions(ctx, a, floors)
	}()
	stop()
	return errors.Join(err, <-ended)
}

func (b *bench) questions(ctx context.Context, a carrier.Quoter, floors *benchFloors) error {
	request := benchQuote()
	ask := func() error {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		ctx, _ = carrier.WithTrace(ctx)
		answer, err := a.Quote(ctx, request)
		if err == nil && len(answer.Quotes) == 0 {
			err = errors.New("the adapter does not want the order of the bench")
		}
		return err
	}
	if _, err := repeat(warmUp, ask); err != nil {
		return err
	}
	lats, err := repeat(2000, ask)
	if err != nil {
		return err
	}
	perSecond, err := rate(b.clients, b.stretch, func(int) func() error { return ask })
	if err != nil {
		return err
	}
	b.table.add("(d) p50 of a question to an adapter", "µs", micros(quantile(lats, 0.5))).over(micros(floors.socket), "unix socket to another process and back")
	b.table.add(fmt.Sprintf("(d) questions to an adapter, %d at once", b.clients), "/s", perSecond).over(floors.sockets, "the same over bare sockets")
	return nil
}

// benchQuote is the order of the bench as an adapter sees it.
func benchQuote() carrier.QuoteRequest {
	point := func(lat, lng float64) (*float64, *float64) { return &lat, &lng }
	from := shipping.Address{Street1: "345 Harrison Avenue", City: "Boston", State: "MA", PostalCode: "02118", CountryCode: "US"}
	to := shipping.Address{Street1: "725 Albany Street", City: "Boston", State: "MA", PostalCode: "02118", CountryCode: "US"}
	from.Latitude, from.Longitude = point(42.3452369, -71.0639399)
	to.Latitude, to.Longitude = point(42.3346944, -71.071818)
	ten := shipping.MustDecimal("10")
	contact := shipping.Contact{Name: "asd", Phone: "+12345678900"}
	return carrier.QuoteRequest{Consignment: carrier.Consignment{
		Reference: "abcdefghijklmnopqrstuvwxyz", ExternalID: "bench", Currency: "USD", Signature: "not_required", TemperatureControl: "none",
		Pickup:     carrier.Stop{Name: "Boston Harrison Avenue", Address: from, Contact: contact, Zone: "America/New_York", Window: shipping.TimeWindow{StartsAt: shipping.At(time.Now())}},
		Delivery:   carrier.Stop{Address: to, Contact: contact, Zone: "America/New_York"},
		Parcels:    []shipping.Parcel{{Name: "Solid", ItemQuantity: 1, Size: &shipping.Size{Length: ten, Width: ten, Height: ten, Unit: "in"}, Weight: &shipping.Weight{Value: ten, Unit: "lb"}}},
		Items:      []shipping.Item{{SKU: "sku 1", Quantity: 1, Title: "Watch", Price: shipping.MustDecimal("3")}},
		OrderValue: shipping.Money{Minor: 1000, Currency: "USD"}, DistanceMetres: 1340,
	}}
}
