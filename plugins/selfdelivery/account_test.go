package main

import (
	"context"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var update = flag.Bool("update", false, "write the golden files")

// env is the engine's side: a clock that stands still.
type env struct{ now time.Time }

func (env) HTTP() *http.Client              { return nil } // own drivers have no network
func (e env) Now(context.Context) time.Time { return e.now }
func (env) Log() hclog.Logger               { return hclog.NewNullLogger() }

// noon is a Wednesday, 12:00 in Dallas.
var noon = time.Date(2026, 3, 4, 18, 0, 0, 0, time.UTC)

func dec(s string) shipping.Decimal { return shipping.MustDecimal(s) }

func usd(minor int64) shipping.Money { return shipping.Money{Minor: minor, Currency: "USD"} }

func window(from, to time.Time) shipping.TimeWindow {
	return shipping.TimeWindow{StartsAt: shipping.At(from), EndsAt: shipping.At(to)}
}

func fleet(t testing.TB, cfg Config, now time.Time) *Account {
	t.Helper()
	a, err := open(t.Context(), cfg, env{now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func place(lat, lng float64) (*float64, *float64) { return &lat, &lng }

// order goes five kilometres through Dallas.
func order() carrier.Consignment {
	c := carrier.Consignment{
		Reference: "a1b2c3d4e5f6g7h8i9j0k1l2m3", ExternalID: "1908244", Currency: "USD", OrderValue: usd(7865), DistanceMetres: 5000,
		Pickup: carrier.Stop{Name: "WareHouse 301", Zone: "America/Chicago", Instructions: "Enter from the staff entrance",
			Address: shipping.Address{Street1: "The Mall", City: "Dallas", State: "TX", PostalCode: "75219", CountryCode: "US"}},
		Delivery: carrier.Stop{Zone: "America/Chicago", Instructions: "Please close the gate once you enter.",
			Address: shipping.Address{Street1: "5411 Mercedes Avenue", ApartmentNumber: "4B", City: "Dallas", State: "TX", PostalCode: "75206", CountryCode: "US"},
			Contact: shipping.Contact{Name: "Charlize Brian", Phone: "+12015555555"}},
		Parcels: []shipping.Parcel{{Name: "small"}},
	}
	c.Pickup.Address.Latitude, c.Pickup.Address.Longitude = place(32.814645, -96.819824)
	c.Delivery.Address.Latitude, c.Delivery.Address.Longitude = place(32.828424, -96.776869)
	return c
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestQuoteGolden(t *testing.T) {
	a := fleet(t, Config{
		Fee:   Fee{Flat: dec("3.50"), PerKM: dec("0.80"), IncludedKM: dec("2"), Tiers: []Tier{{UpToKM: dec("3"), Amount: dec("1")}, {Amount: dec("2")}}},
		Hours: Hours{Wednesday: []string{"09:00-18:00"}}, Drive: Drive{PrepMinutes: 20, StopMinutes: 5, SpeedKMH: 25, Vehicle: "van", RoadFactor: dec("1.3")},
	}, noon)
	answer, err := a.Quote(t.Context(), carrier.QuoteRequest{Consignment: order()})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(answer, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "quote.json", append(got, '\n'))
}

func TestQuoteRefuses(t *testing.T) {
	weekdays := Hours{Monday: []string{"09:00-18:00"}, Wednesday: []string{"09:00-12:00", "14:00-18:00"}}
	hour := func(h int) time.Time { return noon.Add(time.Duration(h) * time.Hour) }
	for name, c := range map[string]struct {
		cfg    Config
		usage  carrier.Usage
		change func(*carrier.Consignment)
		want   []string
	}{
		"no limits":             {},
		"radius":                {cfg: Config{Zone: Zone{RadiusKM: dec("4.999")}}, want: []string{outOfZone}},
		"on the radius":         {cfg: Config{Zone: Zone{RadiusKM: dec("5")}}},
		"postal code":           {cfg: Config{Zone: Zone{PostalCodes: []string{"75201"}}}, want: []string{outOfZone}},
		"beyond the last tier":  {cfg: Config{Fee: Fee{Tiers: []Tier{{UpToKM: dec("4"), Amount: dec("3")}}}}, want: []string{outOfZone}},
		"capacity":              {cfg: Config{Capacity: Capacity{Open: 3}}, usage: carrier.Usage{Open: 3}, want: []string{capacityFull}},
		"capacity left":         {cfg: Config{Capacity: Capacity{Open: 3, PerDay: 10}}, usage: carrier.Usage{Open: 2, Today: 9}},
		"capacity of the day":   {cfg: Config{Capacity: Capacity{PerDay: 10}}, usage: carrier.Usage{Today: 12}, want: []string{capacityFull}},
		"closed at noon":        {cfg: Config{Hours: weekdays}, want: []string{outsideHours}},
		"closed and full":       {cfg: Config{Hours: weekdays, Capacity: Capacity{Open: 1}}, usage: carrier.Usage{Open: 1}, want: []string{capacityFull, outsideHours}},
		"opens within window":   {cfg: Config{Hours: weekdays}, change: func(c *carrier.Consignment) { c.Pickup.Window = window(noon, hour(3)) }},
		"closed all window":     {cfg: Config{Hours: weekdays}, change: func(c *carrier.Consignment) { c.Pickup.Window = window(noon, hour(1)) }, want: []string{outsideHours}},
		"later today":           {cfg: Config{Hours: weekdays}, change: func(c *carrier.Consignment) { c.Pickup.Window.StartsAt = shipping.At(hour(1)) }},
		"holiday":               {cfg: Config{Hours: Hours{Holidays: []string{"03-04"}}}, want: []string{outsideHours}},
		"holiday of a year ago": {cfg: Config{Hours: Hours{Holidays: []string{"2025-03-04"}}}},
		"arrives too late":      {change: func(c *carrier.Consignment) { c.Delivery.Window.EndsAt = shipping.At(noon.Add(9 * time.Minute)) }, want: []string{tooLate}},
		"arrives just in time":  {change: func(c *carrier.Consignment) { c.Delivery.Window.EndsAt = shipping.At(noon.Add(10 * time.Minute)) }},
		"window of yesterday":   {change: func(c *carrier.Consignment) { c.Delivery.Window = window(hour(-25), hour(-24)) }},
		"alcohol":               {change: func(c *carrier.Consignment) { c.Content = []string{"alcohol"} }, want: []string{notSupported}},
		"alcohol with licence":  {cfg: Config{Supports: []string{"alcohol"}}, change: func(c *carrier.Consignment) { c.Content = []string{"alcohol"} }},
		"frozen":                {change: func(c *carrier.Consignment) { c.TemperatureControl = "frozen" }, want: []string{notSupported}},
		"signature":             {change: func(c *carrier.Consignment) { c.Signature = "required" }},
		"adult signature":       {change: func(c *carrier.Consignment) { c.Signature = "adult" }, want: []string{notSupported}},
		"no coordinates": {cfg: Config{Fee: Fee{PerKM: dec("1")}}, change: func(c *carrier.Consignment) {
			c.DistanceMetres, c.Delivery.Address.Latitude = 0, nil
		}, want: []string{distanceUnknown}},
	} {
		t.Run(name, func(t *testing.T) {
			r := carrier.QuoteRequest{Consignment: order(), Usage: c.usage}
			if c.change != nil {
				c.change(&r.Consignment)
			}
			answer, err := fleet(t, c.cfg, noon).Quote(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, x := range answer.Refusals {
				got = append(got, x.Code)
			}
			if !cmp.Equal(got, c.want) {
				t.Errorf("refusals %v, want %v", answer.Refusals, c.want)
			}
			if (len(answer.Quotes) == 1) != (len(c.want) == 0) {
				t.Errorf("%d quotes beside %d refusals", len(answer.Quotes), len(got))
			}
		})
	}
}

// The way back is judged by where the buyer is, though that is where it starts, and waits for nobody to pack.
func TestQuoteOfTheWayBack(t *testing.T) {
	there := order()
	back := there
	back.Pickup, back.Delivery = there.Delivery, there.Pickup
	a := fleet(t, Config{Fee: Fee{Flat: dec("4.99")}, Zone: Zone{PostalCodes: []string{there.Delivery.Address.PostalCode}}, Drive: Drive{PrepMinutes: 45}}, noon)
	for name, c := range map[string]struct {
		request carrier.QuoteRequest
		refused bool
		pickup  time.Time
	}{
		"there":                {carrier.QuoteRequest{Consignment: there}, false, noon.Add(45 * time.Minute)},
		"back":                 {carrier.QuoteRequest{Consignment: back, WayBack: true}, false, noon},
		"there, the other way": {carrier.QuoteRequest{Consignment: back}, true, time.Time{}},
		"back, the other way":  {carrier.QuoteRequest{Consignment: there, WayBack: true}, true, time.Time{}},
	} {
		answer, err := a.Quote(t.Context(), c.request)
		if err != nil || (len(answer.Refusals) > 0) != c.refused {
			t.Errorf("%s: %+v, %v", name, answer, err)
			continue
		}
		if c.refused {
			if answer.Refusals[0].Code != outOfZone {
				t.Errorf("%s: %+v", name, answer.Refusals)
			}
			continue
		}
		if q := answer.Quotes[0]; !q.Pickup.StartsAt.Equal(c.pickup) || q.Amount != usd(499) {
			t.Errorf("%s: %+v", name, q)
		}
	}
}

func TestQuoteOfAnotherService(t *testing.T) {
	answer, err := fleet(t, Config{}, noon).Quote(t.Context(), carrier.QuoteRequest{Consignment: order(), Services: []string{"next_day_air"}})
	if err != nil || len(answer.Quotes)+len(answer.Refusals) > 0 {
		t.Errorf("got %v, %v", answer, err)
	}
}

func TestQuoteNeedsZoneAndCurrency(t *testing.T) {
	for field, c := range map[string]struct {
		cfg    Config
		change func(*carrier.Consignment)
	}{
		"pickup.zone": {Config{Hours: Hours{Monday: []string{"09:00-10:00"}}}, func(c *carrier.Consignment) { c.Pickup.Zone = "Mars/Olympus" }},
		"currency":    {Config{}, func(c *carrier.Consignment) { c.Currency = "" }},
	} {
		r := carrier.QuoteRequest{Consignment: order()}
		c.change(&r.Consignment)
		_, err := fleet(t, c.cfg, noon).Quote(t.Context(), r)
		if e := carrier.AsError(err); e == nil || e.Code != carrier.InvalidField || e.Field != field || e.Effect != carrier.EffectNone {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

func TestBookKeepsThePromiseOfItsQuote(t *testing.T) {
	cfg := Config{Fee: Fee{Flat: dec("5")}, Hours: Hours{Wednesday: []string{"09:00-12:01"}}}
	answer, err := fleet(t, cfg, noon).Quote(t.Context(), carrier.QuoteRequest{Consignment: order()})
	if err != nil || len(answer.Quotes) != 1 {
		t.Fatal(answer, err)
	}
	q := answer.Quotes[0]
	late := fleet(t, cfg, noon.Add(2*time.Minute)) // the shop has closed meanwhile
	r := carrier.BookRequest{Consignment: order(), ServiceID: serviceID, Token: q.Token, Quoted: q.Amount}
	first, err := late.Book(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := late.Book(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("booking twice (-first +again):\n%s", diff)
	}
	if first.Amount != usd(500) || first.Delivery != q.Delivery || first.TrackingID != first.Parcels[0].Number || first.Parcels[0].Label.Format != shipping.PDF {
		t.Errorf("booked %+v for quote %+v", first, q)
	}
	r.Token = nil
	if _, err = late.Book(t.Context(), r); carrier.AsError(err) == nil || carrier.AsError(err).Code != carrier.ServiceUnavailable || carrier.AsError(err).Effect != carrier.EffectNone {
		t.Errorf("booking outside hours without a quote: %v", err)
	}
}

func TestBookManyParcels(t *testing.T) {
	c := order()
	c.Parcels = []shipping.Parcel{{}, {Barcode: "4006381333931"}, {Barcode: "ключ"}}
	b, err := fleet(t, Config{}, noon).Book(t.Context(), carrier.BookRequest{Consignment: c, ServiceID: serviceID, LabelFormat: shipping.ZPL})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{b.TrackingID: true}
	for _, p := range b.Parcels {
		if seen[p.Number] || p.Label == nil || len(p.Label.Data) == 0 {
			t.Errorf("parcel %s: label %v, number used before: %v", p.Number, p.Label, seen[p.Number])
		}
		seen[p.Number] = true
	}
	if len(b.Parcels) != 3 || len(b.Warnings) != 1 {
		t.Errorf("%d parcels, warnings %v", len(b.Parcels), b.Warnings)
	}
}

func TestBookRefusesBadRequests(t *testing.T) {
	for field, change := range map[string]func(*carrier.BookRequest){
		"reference":   func(r *carrier.BookRequest) { r.Reference = "" },
		"parcels":     func(r *carrier.BookRequest) { r.Parcels = nil },
		"serviceId":   func(r *carrier.BookRequest) { r.ServiceID = "ground" },
		"labelFormat": func(r *carrier.BookRequest) { r.LabelFormat = shipping.GIF },
		"token":       func(r *carrier.BookRequest) { r.Token = []byte("{") },
	} {
		r := carrier.BookRequest{Consignment: order(), ServiceID: serviceID}
		change(&r)
		_, err := fleet(t, Config{}, noon).Book(t.Context(), r)
		if e := carrier.AsError(err); e == nil || e.Code != carrier.InvalidField || e.Field != field || e.Effect != carrier.EffectNone {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

func TestCancelAndEdit(t *testing.T) {
	a := fleet(t, Config{}, noon)
	booked, err := a.Book(t.Context(), carrier.BookRequest{Consignment: order(), ServiceID: serviceID})
	if err != nil {
		t.Fatal(err)
	}
	c := order()
	c.Delivery.Instructions = "Leave it with the porter"
	edited, err := a.Edit(t.Context(), carrier.EditRequest{Consignment: c, ServiceID: serviceID, CarrierRef: booked.CarrierRef})
	if err != nil {
		t.Fatal(err)
	}
	if edited.TrackingID != booked.TrackingID || string(edited.Parcels[0].Label.Data) == string(booked.Parcels[0].Label.Data) {
		t.Errorf("edit changed the number from %s to %s, or did not change the label", booked.TrackingID, edited.TrackingID)
	}
	c.Signature = "adult"
	if _, err := a.Edit(t.Context(), carrier.EditRequest{Consignment: c}); carrier.AsError(err) == nil || carrier.AsError(err).Code != carrier.EditRefused {
		t.Errorf("edit to an adult signature: %v", err)
	}
	if _, err := a.Cancel(t.Context(), carrier.CancelRequest{Reference: c.Reference, CarrierRef: booked.CarrierRef}); err != nil {
		t.Error(err)
	}
}

func TestOpenReportsEveryFault(t *testing.T) {
	_, err := open(t.Context(), Config{
		Currency: "usd", Supports: []string{"teleport"}, Capacity: Capacity{Open: -1},
		Fee:   Fee{Flat: dec("-1"), Tiers: []Tier{{Amount: dec("1")}, {UpToKM: dec("3")}}},
		Zone:  Zone{PostalCodes: []string{"*"}, Polygon: []Point{{91, 0}}, Match: "some"},
		Hours: Hours{Friday: []string{"9 to 5", "24:00-01:00"}, Holidays: []string{"Christmas"}},
		Drive: Drive{Vehicle: "rocket", SpeedKMH: -3, RoadFactor: dec("0.5")},
	}, env{noon})
	e := carrier.AsError(err)
	if e == nil || e.Code != carrier.ConfigInvalid || e.Source != carrier.SourceConfig {
		t.Fatalf("got %v", err)
	}
	golden(t, "config_faults.txt", []byte(e.Message+"\n"))
}

func FuzzDecodeToken(f *testing.F) {
	f.Add([]byte(`{"pickup":{"startsAt":1772647200000,"endsAt":null},"delivery":{"startsAt":1,"endsAt":2}}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeToken(b)
		if err != nil {
			if carrier.AsError(err).Code != carrier.InvalidField {
				t.Fatal(err)
			}
			return
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := decodeToken(again); err != nil || same != e {
			t.Errorf("%v became %v, %v", e, same, err)
		}
	})
}
