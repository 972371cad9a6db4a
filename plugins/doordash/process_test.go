package main

import (
	"context"
	"encoding/base64"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/plugin"
)

// The adapter in a process of its own talks to the carrier, says what it sent, and tells no secret.
func TestInAProcessOfItsOwn(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := newFake(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := plugin.Dial(ctx, plugin.DialConfig{Path: self, StartTimeout: patience, Now: func() time.Time { return now }})
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
	secret := base64.RawURLEncoding.EncodeToString(secretBytes)
	config, err := json.Marshal(map[string]any{"base_url": f.URL, "developer_id": developer, "key_id": keyID, "signing_secret": secret})
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.Open(ctx, plugin.OpenRequest{AccountID: "doordash", Config: config})
	if err != nil {
		t.Fatal(err)
	}
	q, err := a.Quote(ctx, carrier.QuoteRequest{Consignment: consignment()})
	if err != nil {
		t.Fatal(err)
	}
	traced, trace := carrier.WithTrace(ctx)
	b, err := a.Book(traced, carrier.BookRequest{Consignment: consignment(), ServiceID: serviceID, Token: q.Quotes[0].Token})
	if err != nil || b.Reference != reference {
		t.Fatal(b, err)
	}
	exchanges, _ := trace.Exchanges()
	if len(exchanges) != 1 || !strings.HasSuffix(exchanges[0].URL, "/accept") || exchanges[0].Status != 200 {
		t.Fatalf("exchanges %+v", exchanges)
	}
	for name, v := range exchanges[0].RequestHeader {
		if strings.Contains(v, "eyJ") || strings.Contains(v, secret) {
			t.Errorf("header %s of the exchange tells a credential", name)
		}
	}
	f.always(500, `{"code":"service_fault"}`)
	_, err = a.Book(ctx, carrier.BookRequest{Consignment: consignment(), ServiceID: serviceID})
	wantError(t, err, carrier.CarrierUnavailable, carrier.EffectUnknown)
	_, err = a.Quote(ctx, carrier.QuoteRequest{Consignment: consignment()})
	wantError(t, err, carrier.CarrierUnavailable, carrier.EffectNone) // a question does nothing
}
