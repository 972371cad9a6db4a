package carriertest

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Now is a fixed moment for tests with golden files: a Monday morning in Boston.
var Now = time.Date(2026, time.March, 2, 15, 0, 0, 0, time.UTC)

// Consignment returns one solid parcel of 10 lb across Boston, to be picked up at Now and delivered within eight hours.
func Consignment() carrier.Consignment { return ConsignmentAt(Now) }

// ConsignmentAt is Consignment at another time.
func ConsignmentAt(now time.Time) carrier.Consignment {
	d := shipping.MustDecimal
	at := func(lat, lng float64) (*float64, *float64) { return &lat, &lng }
	pickup := shipping.Address{Street1: "345 Harrison Avenue", City: "Boston", State: "MA", PostalCode: "02118", CountryCode: "US", Type: "business"}
	pickup.Latitude, pickup.Longitude = at(42.3452369, -71.0639399)
	delivery := shipping.Address{Street1: "725 Albany Street", City: "Boston", State: "MA", PostalCode: "02118", CountryCode: "US", Type: "residential"}
	delivery.Latitude, delivery.Longitude = at(42.3346944, -71.071818)
	back := shipping.Address{Street1: "502 Park Avenue", City: "New York", State: "NY", PostalCode: "10022", CountryCode: "US", Type: "business"}
	back.Latitude, back.Longitude = at(40.7632141, -73.9698963)
	return carrier.Consignment{
		Reference: "w7709001bostonsample000001", ExternalID: "7709-001",
		Pickup: carrier.Stop{Name: "WareHouse 7709", Address: pickup, Contact: shipping.Contact{Name: "Pat Dock", Phone: "+16175550100"},
			Window: shipping.TimeWindow{StartsAt: shipping.At(now)}, Instructions: "Ring at the dock", Zone: "America/New_York"},
		Delivery: carrier.Stop{Address: delivery, Contact: shipping.Contact{Name: "Ada Byron", Phone: "+16175550123", Email: "ada@example.com"},
			Window: shipping.TimeWindow{EndsAt: shipping.At(now.Add(8 * time.Hour))}, Instructions: "Leave at the door", Zone: "America/New_York"},
		Return: &carrier.Stop{Name: "WareHouse 301", Address: back, Contact: shipping.Contact{Name: "John Smith", Phone: "+12015550123"}, Zone: "America/New_York"},
		Parcels: []shipping.Parcel{{Name: "Solid", ItemQuantity: 1, Description: "pack 1", TemperatureControl: "none", Barcode: "1YT4V90308440011",
			Size: &shipping.Size{Length: d("10"), Width: d("10"), Height: d("10"), Unit: "in"}, Weight: &shipping.Weight{Value: d("10"), Unit: "lb"}}},
		Items: []shipping.Item{{SKU: "sku 1", Title: "Watch", Quantity: 1, Price: d("3"), SalePrice: d("3"),
			Size: &shipping.Size{Length: d("3"), Width: d("2"), Height: d("2"), Unit: "in"}, Weight: &shipping.Weight{Value: d("10"), Unit: "lb"}}},
		TemperatureControl: "none", OrderValue: shipping.Money{Minor: 1000, Currency: "USD"}, Currency: "USD", Signature: "not_required",
		Locale: "en-US", DistanceMetres: 1342,
	}
}

// NewReference returns a reference that no other booking has: 26 characters [a-z0-9].
func NewReference() string { return strings.ToLower(rand.Text()[:26]) }

// NewEnv returns an Env whose client may talk to baseURL, for tests that call an account without a process. Its clock is the
// real one, unless the context says otherwise (carrier.WithNow).
func NewEnv(t testing.TB, baseURL string, secrets ...string) carrier.Env {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 128}
	t.Cleanup(transport.CloseIdleConnections)
	return carrier.NewEnv(carrier.EnvSettings{BaseURL: baseURL, Transport: transport, Secrets: secrets})
}

// Context returns what the methods of an account are called with, a deadline ten seconds away and a trace.
func Context(t testing.TB) (context.Context, *carrier.Trace) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return carrier.WithTrace(ctx)
}
