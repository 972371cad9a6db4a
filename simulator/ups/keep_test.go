package ups

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/simulator"
)

// checkFull requires every field of a sample to be set, so that a field that is added and not kept fails by name.
func checkFull(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s.%s is zero: give the sample one, or the test shows nothing about it", path, v.Type().Field(i).Name)
		}
	}
}

// TestKeepAndRestoreLoseNothing takes a shipment in which every field is set through what a memory holds of it.
func TestKeepAndRestoreLoseNothing(t *testing.T) {
	d, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	from := &address{AddressLine: list[text]{"1 Main St"}, City: "Boston", State: "MA", PostalCode: "02118", CountryCode: "US", POBox: true, Residential: true}
	to := &address{AddressLine: list[text]{"2 High St", "Suite 4"}, City: "Dallas", State: "TX", PostalCode: "75219", CountryCode: "US"}
	at := time.Date(2026, 3, 6, 21, 30, 0, 0, time.UTC)
	s := &shipment{account: "WB0001", service: serviceByCode("02"), from: from, to: to, residential: true, international: true, returning: true,
		lane: laneBetween(from, to), route: route(from, to), booked: at, hop: 1, charged: 1234,
		journey: journey{pickup: midnight(at.In(from.local())), arrival: midnight(at.In(from.local())).Add(50 * time.Hour), days: 2, rest: 2, holidays: 1, saturday: true},
		parcels: []parcelRecord{{number: "1ZWB00010312345678", pounds: 5.5, share: 1234, references: []string{"r"}, voidedAt: at, alert: &subscription{URL: "https://x.example", Credential: "c", Until: at}}},
		scans:   []scan{{labelCreated, at, from.place()}, {arrivalScan, at, exportHub}, {voided, at, place{country: "US", local: time.UTC}}},
	}
	s.sender.Name, s.sender.Lines, s.receiver.Name = "A", []string{"1 Main St"}, "B"
	s.receiver.Lines = []string{"2 High St"}
	checkFull(t, reflect.ValueOf(*s), "shipment")
	checkFull(t, reflect.ValueOf(s.parcels[0]), "parcel")
	checkFull(t, reflect.ValueOf(s.journey), "journey")
	checkFull(t, reflect.ValueOf(s.scans[0].where), "place")
	checkFull(t, reflect.ValueOf(*from), "address")
	e := &simulator.Entity{Carrier: Name, ID: s.id(), Data: s}
	b, err := json.Marshal(d.Keep(e))
	if err != nil {
		t.Fatal(err)
	}
	again := &simulator.Entity{Carrier: Name, ID: s.id()}
	if err := d.Restore(nil, again, b); err != nil {
		t.Fatal(err)
	}
	same := cmp.Options{cmp.Exporter(func(reflect.Type) bool { return true }),
		cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }),
		cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) && a.Format(time.DateTime) == b.Format(time.DateTime) })}
	if d := cmp.Diff(s, again.Data, same); d != "" {
		t.Errorf("-before +after:\n%s", d)
	}
	if err := d.Restore(nil, again, []byte(strings.Replace(string(b), `"02"`, `"99"`, 1))); err == nil {
		t.Error("a shipment by no service was restored")
	}
}

// TestDuplicateCommit: one Ship request, two shipments with numbers and charges of their own; the answer names the first.
func TestDuplicateCommit(t *testing.T) {
	d, err := New(Config{Pace: PaceManual})
	if err != nil {
		t.Fatal(err)
	}
	sim, err := simulator.New(simulator.Config{Dialects: []simulator.Dialect{d}, Clock: simulator.NewManualClock(time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sim.SetFault(simulator.Fault{On: simulator.FaultOn{Op: "ship"}, Do: simulator.FaultDo{Kind: simulator.DuplicateCommit}}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim)
	defer srv.Close()
	ask := func(path, contentType, authorization, body string, into any) int {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, srv.URL+"/ups"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("Authorization", authorization)
		if authorization == "" {
			req.SetBasicAuth(DevClient.ID, DevClient.Secret)
		}
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if err := json.UnmarshalRead(res.Body, into); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode
	}
	var token struct {
		Value string `json:"access_token"`
	}
	ask("/security/v1/oauth/token", "application/x-www-form-urlencoded", "", url.Values{"grant_type": {"client_credentials"}}.Encode(), &token)
	const order = `{"ShipmentRequest":{"Shipment":{
"Shipper":{"ShipperNumber":"WB0001","Name":"A","Address":{"AddressLine":["1 Main St"],"City":"Boston","StateProvinceCode":"MA","PostalCode":"02118","CountryCode":"US"}},
"ShipTo":{"Name":"B","Address":{"AddressLine":["2 High St"],"City":"Dallas","StateProvinceCode":"TX","PostalCode":"75219","CountryCode":"US"}},
"PaymentInformation":{"ShipmentCharge":[{"Type":"01","BillShipper":{"AccountNumber":"WB0001"}}]},"Service":{"Code":"03"},
"Package":[{"Packaging":{"Code":"02"},"PackageWeight":{"UnitOfMeasurement":{"Code":"LBS"},"Weight":"5"},"ReferenceNumber":[{"Value":"twice"}]}]},
"LabelSpecification":{"LabelImageFormat":{"Code":"ZPL"},"LabelStockSize":{"Height":"6","Width":"4"}}}}`
	var answer struct {
		ShipmentResponse struct {
			ShipmentResults struct{ ShipmentIdentificationNumber string }
		}
	}
	if status := ask("/api/shipments/v2409/ship", "application/json", "Bearer "+token.Value, order, &answer); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	ledger := sim.World().Ledger()
	booked := ledger.Records(simulator.LedgerQuery{Reference: "twice", Kind: simulator.Booking})
	if len(booked) != 2 || booked[0].Entity == booked[1].Entity || booked[0].Entity != answer.ShipmentResponse.ShipmentResults.ShipmentIdentificationNumber {
		t.Errorf("the answer is %+v, the ledger has %+v; want two bookings, the first of them answered", answer, booked)
	}
	if of := simulator.Sum(ledger.Records(simulator.LedgerQuery{Reference: "twice"})); of.Outstanding["USD"] == 0 || of.Outstanding["USD"]%2 != 0 {
		t.Errorf("the charges are %v, want the same amount twice", of.Charged)
	}
}
