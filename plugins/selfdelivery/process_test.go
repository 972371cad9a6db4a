package main

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/plugin"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// TestMain lets the test's own binary be the adapter's: a host that starts it sets the handshake's cookie.
func TestMain(m *testing.M) {
	if os.Getenv("WAYBILL_CARRIER") != "" {
		main()
	}
	os.Exit(m.Run())
}

// patience bounds what has no reason to take long. It only ends what would never end: on a busy machine everything takes long.
const patience = 2 * time.Minute

// What an engine gets from the adapter in a process of its own is what the account answers, labels byte for byte.
func TestInAProcessOfItsOwn(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := plugin.Dial(ctx, plugin.DialConfig{Path: self, StartTimeout: patience, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()
	if diff := cmp.Diff(adapter.Manifest(), p.Manifest()); diff != "" {
		t.Errorf("manifest (-declared +served):\n%s", diff)
	}
	_, err = p.Open(ctx, plugin.OpenRequest{AccountID: "own_fleet", Config: []byte(`{"hours": {"monday": ["nine"]}}`)})
	if e := carrier.AsError(err); e == nil || e.Code != carrier.ConfigInvalid || e.Field != "hours.monday[0]" {
		t.Errorf("opened with faulty hours: %v", err)
	}
	remote, err := p.Open(ctx, plugin.OpenRequest{AccountID: "own_fleet", Config: []byte(`{"fee": {"flat": 5}}`)})
	if err != nil {
		t.Fatal(err)
	}
	local := fleet(t, Config{Fee: Fee{Flat: dec("5")}}, noon)
	want, err := local.Quote(ctx, carrier.QuoteRequest{Consignment: order()})
	if err != nil {
		t.Fatal(err)
	}
	got, err := remote.Quote(ctx, carrier.QuoteRequest{Consignment: order()})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("quote (-in process +remote): %v\n%s", err, diff)
	}
	r := carrier.BookRequest{Consignment: order(), ServiceID: serviceID, Token: got.Quotes[0].Token, Quoted: got.Quotes[0].Amount}
	r.Parcels = make([]shipping.Parcel, maxParcels)
	booked, err := local.Book(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	far, err := remote.Book(ctx, r)
	if diff := cmp.Diff(booked, far); err != nil || diff != "" {
		t.Errorf("booking (-in process +remote): %v\n%s", err, diff)
	}
}
