package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/plugin"
	"github.com/waybill-dev/waybill/sdk/shipping"
	simulated "github.com/waybill-dev/waybill/simulator/ups"
)

// TestBinary builds the adapter and drives it the way the engine does: as a process, from describe to a booked label.
func TestBinary(t *testing.T) {
	if testing.Short() {
		t.Skip("building the adapter takes seconds")
	}
	path := filepath.Join(t.TempDir(), "waybill-carrier-ups")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	w := newWorld(t, nil)
	ctx := callContext(t)
	p, err := plugin.Dial(ctx, plugin.DialConfig{Path: path, Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(ctx); err != nil {
			t.Error(err)
		}
	}()
	if m := p.Manifest(); m.Name != "ups" || !m.Has(carrier.CanFind) || len(m.Services) != len(offers) {
		t.Errorf("manifest %+v", m)
	}

	_, err = p.Open(ctx, plugin.OpenRequest{AccountID: "wrong", Config: []byte(`{"client_id":"id","client_secret":"s","shipper_number":"1","pickup_type":"02"}`)})
	if e := carrier.AsError(err); e == nil || e.Code != carrier.ConfigInvalid || e.Field != "pickup_type" {
		t.Errorf("a wrong configuration: %+v", e)
	}
	cfg, err := json.Marshal(map[string]any{
		"base_url": w.url + "/ups", "client_id": simulated.DevClient.ID, "client_secret": simulated.DevClient.Secret, "shipper_number": simulated.DevClient.Accounts[0].Number,
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.Open(ctx, plugin.OpenRequest{AccountID: "ups_main", Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	ctx, trace := carrier.WithTrace(ctx)
	answer, err := a.Quote(ctx, carrier.QuoteRequest{Consignment: domestic(), Services: []string{"ground"}})
	if err != nil || len(answer.Quotes) != 1 {
		t.Fatalf("%+v, %v", answer, err)
	}
	b, err := a.Book(ctx, carrier.BookRequest{Consignment: domestic(), ServiceID: "ground", LabelFormat: shipping.ZPL})
	if err != nil || b.Amount != answer.Quotes[0].Amount || !strings.HasPrefix(string(b.Parcels[0].Label.Data), "^XA") {
		t.Fatalf("%+v, %v", b, err)
	}
	if _, err := a.Cancel(ctx, carrier.CancelRequest{CarrierRef: b.CarrierRef}); err != nil || w.live() != 0 {
		t.Errorf("%d are live, %v", w.live(), err)
	}
	wrong := domestic()
	wrong.Delivery.Address.PostalCode = "10004"
	_, err = a.Book(ctx, carrier.BookRequest{Consignment: wrong, ServiceID: "ground"})
	if e := carrier.AsError(err); e.Code != carrier.InvalidField || e.Effect != carrier.EffectNone || e.CarrierCode == "" {
		t.Errorf("a refusal: %+v", e)
	}
	xs, _ := trace.Exchanges()
	if len(xs) < 5 || strings.Contains(fmt.Sprint(xs), simulated.DevClient.Secret) {
		t.Errorf("%d exchanges came home, or one holds the secret", len(xs))
	}
}
